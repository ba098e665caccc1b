// Package urllist holds the checks of what lists of bad addresses say about a message's
// links: lists in files, and lists of domains in the DNS; and of what our own memory says:
// which places are new. A list's silence is never evidence.
package urllist

import (
	"context"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/engine/urllist"
	"sluice/internal/domains"
	"sluice/learn/domain"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// Config says who is asked. Zero fields have defaults.
type Config struct {
	Files *urllist.Set // nil: none
	DNS   *urllist.DNS // nil: none
	// Seen remembers the domains that links of earlier mail led to; nil: nothing is new.
	Seen *domain.Memory
	// Wait is how long lists in the DNS are waited for; 0: 3 s.
	Wait time.Duration
	// Skip says about whose organizational domains nobody is asked, such as our own;
	// nil: only about those of free mail and of services that count clicks.
	Skip func(org string) bool
}

const (
	defaultWait = 3 * time.Second
	maxLinks    = 500 // looked up in files
	maxAsked    = 20  // hosts asked for in the DNS
)

// Checks returns the checks of this folder, as far as there are lists.
func Checks(c Config) (out []check.Checker) {
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	if c.Files != nil {
		out = append(out, newFiles(c))
	}
	if c.Seen != nil {
		out = append(out, newSeen(c))
	}
	if c.DNS != nil {
		out = append(out, &asksDNS{c})
	}
	return out
}

var reasons = []sluice.Reason{reason.URLListUnknown, reason.URLListed, reason.URLListedAbused}

// Reasons are what [InLinks] may state.
func Reasons() []sluice.Reason { return slices.Clone(reasons) }

// newFiles looks all links up in the lists in files, pictures too.
func newFiles(c Config) check.Checker {
	return check.Func(check.Info{
		Name: "urllist/files", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap, Reasons: reasons[1:],
	}, func(in *check.Input) []sluice.Evidence {
		return c.inFiles(of(in.Message.View()))
	})
}

// of lists the links of a message, and behind each where it says that it leads on to.
func of(v *message.View) (out []*links.Link) {
	for i := range v.Links {
		if len(out) >= maxLinks {
			break
		}
		l := &v.Links[i]
		if !web(l) {
			continue
		}
		out = append(out, l)
		for _, u := range links.Carried(l.Path) {
			on := links.Parse(u)
			on.Part, on.Range, on.Source = l.Part, l.Range, l.Source
			if web(&on) {
				out = append(out, &on)
			}
		}
	}
	return out
}

func web(l *links.Link) bool {
	return l.Host != "" && (l.Scheme == "http" || l.Scheme == "https" || l.Scheme == "ftp" || l.Scheme == "")
}

func (c *Config) inFiles(list []*links.Link) (out []sluice.Evidence) {
	seen := map[string]bool{}
	for _, l := range list {
		key := l.Host + l.Path
		if seen[key] {
			continue
		}
		seen[key] = true
		for _, f := range c.Files.Lookup(l) {
			out = state(out, f, l)
		}
	}
	return out
}

// state adds what a list says; each reason once for each list.
func state(out []sluice.Evidence, f urllist.Finding, l *links.Link) []sluice.Evidence {
	id := sluice.Reason(reason.URLListed)
	if f.Kind == urllist.Abused {
		id = reason.URLListedAbused
	}
	detail := f.List + ": " + check.Quote(f.Entry)
	if f.Meaning != "" {
		detail += " (" + f.Meaning + ")"
	}
	for i := range out {
		if out[i].Reason == id {
			if !strings.Contains(out[i].Detail, f.List+": ") && len(out[i].Detail) < 1000 {
				out[i].Detail += "; " + detail
			}
			return out
		}
	}
	e := check.FoundAt(id, detail, message.Range{}, 0)
	if l != nil {
		e = check.FoundAt(id, detail, message.Range{Off: l.Range.Off, Len: l.Range.Len}, l.Part)
	}
	e.Phase = sluice.PhaseMessage
	return append(out, e)
}

// asksDNS asks lists in the DNS about the domains that a message leads to.
type asksDNS struct{ Config }

// Info returns the declaration. The deadline leaves the check time to say what it has
// when its own wait is over.
func (a *asksDNS) Info() check.Info {
	return check.Info{
		Name: "urllist/dns", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Remote, Deadline: a.Wait + time.Second, Reasons: reasons,
	}
}

// Check asks about all hosts at the same time. Nobody is asked about a message from a
// disk, whose links were listed or not at another time.
func (a *asksDNS) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if in.Message == nil || in.Conn != nil && in.Conn.Stored {
		return nil, nil
	}
	return a.inDNS(ctx, of(in.Message.View())), nil
}

func (c *Config) inDNS(ctx context.Context, list []*links.Link) (out []sluice.Evidence) {
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	at := map[string]*links.Link{} // by organization
	var hosts []string
	// What a reader follows goes before what is only shown.
	for _, shown := range []bool{false, true} {
		for _, l := range list {
			org := links.OrgDomain(l.Host)
			if (l.Source == links.FromImage || l.Source == links.FromOther) != shown || len(hosts) >= maxAsked || slices.Contains(hosts, l.Host) {
				continue
			}
			if domains.FreeMail(org) || domains.Counter(l.Host) || domains.Rewriter(l.Host) || c.Skip != nil && c.Skip(org) {
				continue
			}
			hosts = append(hosts, l.Host)
			for _, k := range []string{l.Host, org} {
				if at[k] == nil {
					at[k] = l
				}
			}
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	found, unknown := c.DNS.Lookup(ctx, hosts)
	slices.SortStableFunc(found, func(x, y urllist.Finding) int {
		return strings.Compare(x.List+"\x00"+x.Entry, y.List+"\x00"+y.Entry)
	})
	for _, f := range found {
		out = state(out, f, at[f.Entry])
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		e := check.Unknown(reason.URLListUnknown, strings.Join(unknown, "; "))
		e.Phase = sluice.PhaseMessage
		out = append(out, e)
	}
	return out
}

// InLinks looks up links that were found elsewhere, such as where a shortener leads;
// where says so in words.
func InLinks(ctx context.Context, c Config, urls []string, where string) (out []sluice.Evidence) {
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	var list []*links.Link
	for _, u := range urls[:min(len(urls), maxLinks)] {
		l := links.Parse(u)
		l.Source = links.FromAnchor
		if web(&l) {
			list = append(list, &l)
		}
	}
	if len(list) == 0 {
		return nil
	}
	if c.Files != nil {
		out = c.inFiles(list)
	}
	if c.DNS != nil {
		out = append(out, c.inDNS(ctx, list)...)
	}
	for i := range out {
		out[i].Detail += " (" + where + ")"
	}
	return out
}
