package link

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message/links"
	"sluice/reason"
)

// newPlace looks at the kind of place where links lead: shorteners, free web
// space, open redirectors, cheap top-level domains. Honest mail leads there
// too, so each counts little.
func newPlace() check.Checker {
	return check.Func(check.Info{
		Name: "link/place", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.LinkShortener, reason.LinkFreeHost, reason.LinkRedirect, reason.LinkRiskyTLD},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		places(&s, author(in.Message), clickable(in.Message.View()))
		return s.list
	})
}

// places states where links lead; us is the author's organisation.
func places(s *statements, us string, list []*links.Link) {
	var last struct{ host, org string } // most links of a message lead to one host
	for _, l := range list {
		if !web(l) || l.Host == "" {
			continue
		}
		seen := l.Host == last.host
		if !seen {
			last.host, last.org = l.Host, org(l.Host)
		}
		if to := redirects(l, last.org); to != "" {
			s.add(reason.LinkRedirect, l, check.Quote(l.Host)+" leads on to "+check.Quote(to))
		}
		// "sendmail.cf" in plain text is a file; the sender's own domain has
		// counted already.
		if (!seen || l.Source == links.FromAnchor) && last.org != us && domains.RiskyTLD(l.Host) && (l.Source == links.FromAnchor || strings.Contains(l.Raw, "://")) {
			s.add(reason.LinkRiskyTLD, l, check.Quote(l.Host))
		}
		switch {
		case seen:
		case domains.Shortener(l.Host):
			s.add(reason.LinkShortener, l, check.Quote(l.Host))
		case domains.FreeHost(l.Host):
			if last.org != us {
				s.add(reason.LinkFreeHost, l, check.Quote(l.Host))
			}
		}
	}
}

// redirectors are well-known sites that lead anywhere, by the beginning of the
// path that does it.
var redirectors = map[string]string{
	"google.com": "/url?", "google.de": "/url?", "google.co.uk": "/url?", "google.fr": "/url?", "bing.com": "/ck/a?", "duckduckgo.com": "/l/?",
	"youtube.com": "/redirect?", "facebook.com": "/l.php?", "linkedin.com": "/redir/", "adobe.com": "/r/", "baidu.com": "/link?",
	"doubleclick.net": "", "googleadservices.com": "/pagead/", "yandex.ru": "/clck/", "umblr.com": "/redirect?", "slack-redir.net": "/link?",
}

// redirects returns where a well-known redirector leads, as far as it says so.
func redirects(l *links.Link, of string) string {
	begin, ok := redirectors[of]
	if !ok || !strings.HasPrefix(l.Path, begin) {
		return ""
	}
	low := strings.ToLower(l.Path)
	for _, mark := range []string{"=http://", "=https://", "=http%3a%2f%2f", "=https%3a%2f%2f", "?http://", "?https://"} {
		i := strings.Index(low, mark)
		if i < 0 {
			continue
		}
		target := strings.NewReplacer("%3A", ":", "%3a", ":", "%2F", "/", "%2f", "/").Replace(l.Path[i+1 : min(len(l.Path), i+500)])
		if t := links.Parse(target); t.Host != "" && org(t.Host) != of {
			return t.Host
		}
	}
	return ""
}
