package link

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message/links"
	"sluice/reason"
)

// newMismatch compares what a link shows with where it leads: a text that is
// itself an address of another organisation.
func newMismatch() check.Checker {
	return check.Func(check.Info{
		Name: "link/mismatch", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.LinkTextMismatch, reason.LinkTextTracked},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		us, places := "", tally(nil)
		orgs := check.OrgsOf(in)
		all := clickable(in.Message.View())
		for _, l := range all {
			if l.Source != links.FromAnchor || !web(l) || l.Host == "" {
				continue
			}
			shown := shownHost(l.Text)
			if shown == "" || orgs.Of(shown) == orgs.Of(l.Host) || domains.Rewriter(l.Host) || domains.Shortener(shown) {
				continue
			}
			if places == nil {
				us, places = author(in.Message), count(all, orgs)
			}
			// Senders count the clicks at their own host or at a service, whatever
			// a link shows; so does who poses as them, but authentication tells
			// those.
			id := sluice.Reason(reason.LinkTextMismatch)
			if _, bare := address(l.Host); !bare && (orgs.Of(l.Host) == us || domains.Counter(l.Host) || places.counter(orgs.Of(l.Host))) {
				id = reason.LinkTextTracked
			}
			s.add(id, l, "shows "+check.Quote(shown)+" and leads to "+check.Quote(l.Host))
		}
		return s.list
	})
}

// tally counts the anchors by the organisation that they lead to; "" counts all.
type tally map[string]int

func count(all []*links.Link, orgs *check.Orgs) tally {
	t := tally{"": 0}
	for _, l := range all {
		if l.Source == links.FromAnchor && web(l) {
			t[""]++
			t[orgs.Of(l.Host)]++
		}
	}
	return t
}

// counter says whether most of many links go through one place: what leads
// there says nothing of one link.
func (t tally) counter(place string) bool {
	return t[place] >= 4 && t[place] >= 3*(t[""]-t[place])
}

func org(host string) string { return links.OrgDomain(host) }

// shownHost is the host of an address that is the whole of a link's text, or ""
// where the text is something else.
func shownHost(text string) string {
	if strings.IndexByte(text, '.') < 0 {
		return ""
	}
	text = strings.Trim(text, " \t\r\n<>()[]\"'.,:;\u00a0\u200b")
	if len(text) < 4 || len(text) > 400 || !strings.Contains(text, ".") || strings.ContainsAny(text, " @\n\t") {
		return ""
	}
	low := strings.ToLower(text)
	if !strings.HasPrefix(low, "http") && !strings.Contains(low, "://") {
		host, _, _ := strings.Cut(low, "/")
		if !likelySite(host) {
			return ""
		}
		text = "http://" + text
	}
	l := links.Parse(text)
	if !web(&l) || !strings.Contains(l.Host, ".") || !domains.KnownTLD(l.Host) {
		return ""
	}
	if _, ip := address(l.Host); ip {
		return ""
	}
	return l.Host
}

// likelySite tells a site's name from a file's ("report.py") or a program's
// ("Node.js", "ASP.NET"): it begins with www, or ends as sites mostly do.
func likelySite(host string) bool {
	if strings.HasPrefix(host, "www.") {
		return true
	}
	name, tld, ok := cutLastDot(host)
	if !ok || name == "" || host == "asp.net" {
		return false
	}
	switch tld {
	case "com", "net", "org", "edu", "gov", "info", "biz", "de", "uk", "fr", "it", "es", "nl", "br", "ca", "au", "jp", "cn", "in", "ch", "at", "be", "dk", "no", "fi", "se", "cz", "eu", "us":
		return true
	}
	return false
}

func cutLastDot(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
