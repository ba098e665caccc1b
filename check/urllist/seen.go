package urllist

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// maxOrgs bounds the domains of one message that are looked up and remembered.
const maxOrgs = 50

// Orgs lists the organizational domains that a message's links lead to, each once: what
// [sluice/learn/domain.Memory.Meet] is to be told when the message was accepted.
func Orgs(m *message.Message) []string {
	out, _ := orgs(m)
	return out
}

// orgs lists them with a link to each.
func orgs(m *message.Message) (out []string, at []*links.Link) {
	seen := map[string]bool{}
	v := m.View()
	for i := range v.Links {
		l := &v.Links[i]
		if !web(l) || l.Source == links.FromImage || l.Source == links.FromOther || l.Has(links.OddHost) || l.Host == "" || l.Host[len(l.Host)-1] <= '9' {
			continue
		}
		org := links.OrgDomain(l.Host)
		if seen[org] || !strings.Contains(org, ".") || !domains.KnownTLD(org) {
			continue
		}
		seen[org] = true
		if out, at = append(out, org), append(at, l); len(out) == maxOrgs {
			break
		}
	}
	return out, at
}

// newSeen states links to domains that no mail has led to before today, but for the
// author's own, who may be new as well: that is for reputations to say.
func newSeen(c Config) check.Checker {
	return check.Func(check.Info{
		Name: "urllist/seen", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.NewLinkDomain},
	}, func(in *check.Input) []sluice.Evidence {
		if in.Conn != nil && (in.Conn.Stored || in.Conn.Auth != "") || in.Envelope != nil && in.Envelope.Outbound {
			return nil
		}
		us := ""
		for _, a := range in.Message.Addresses("From") {
			us = links.OrgDomain(a.Domain)
			break
		}
		var fresh []string
		var first *links.Link
		list, at := orgs(in.Message)
		for i, org := range list {
			if org == us || c.Skip != nil && c.Skip(org) || !c.Seen.Known(in.Now, org).New {
				continue
			}
			if fresh = append(fresh, check.Quote(org)); first == nil {
				first = at[i]
			}
			if len(fresh) == 5 {
				break
			}
		}
		if first == nil {
			return nil
		}
		return []sluice.Evidence{check.FoundAt(reason.NewLinkDomain, strings.Join(fresh, ", "), message.Range{Off: first.Range.Off, Len: first.Range.Len}, first.Part)}
	})
}
