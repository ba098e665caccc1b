// Package link holds the checks of where a message leads: its links, what they
// show and what they hide, and its forms. Nothing is fetched.
package link

import (
	"net/netip"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/message/links"
)

// Checks returns the checks of this folder.
func Checks() []check.Checker {
	return []check.Checker{newMismatch(), newHost(), newForm(), newPlace(), newPersonal(), newSplit(), newOwner(), newImage()}
}

// maxLinks bounds how many links of one message are looked at.
const maxLinks = 500

// clickable lists the links that a reader can follow: anchors and addresses in
// plain text.
func clickable(v *message.View) []*links.Link {
	out := make([]*links.Link, 0, min(len(v.Links), maxLinks))
	for i := range v.Links {
		if l := &v.Links[i]; (l.Source == links.FromAnchor || l.Source == links.FromText) && !l.Hidden {
			if out = append(out, l); len(out) == maxLinks {
				break
			}
		}
	}
	return out
}

// web says whether a browser opens the link. "//host" takes the scheme of the page that
// a mail program shows it in.
func web(l *links.Link) bool {
	return l.Scheme == "http" || l.Scheme == "https" || l.Scheme == "" && l.Host != "" && l.Source == links.FromAnchor
}

// author is the organisation in From, "" where there is none.
func author(m *message.Message) string {
	for _, a := range m.Addresses("From") {
		return links.OrgDomain(a.Domain)
	}
	return ""
}

// state makes evidence about one link.
func state(id sluice.Reason, l *links.Link, detail string) sluice.Evidence {
	return check.FoundAt(id, detail, message.Range{Off: l.Range.Off, Len: l.Range.Len}, l.Part)
}

// statements keeps the first of each reason.
type statements struct{ list []sluice.Evidence }

func (s *statements) add(id sluice.Reason, l *links.Link, detail string) {
	for i := range s.list {
		if s.list[i].Reason == id {
			return
		}
	}
	s.list = append(s.list, state(id, l, detail))
}

// address returns the host as an IP address.
func address(host string) (netip.Addr, bool) {
	if host == "" || host[0] != '[' && (host[len(host)-1] < '0' || host[len(host)-1] > '9') {
		return netip.Addr{}, false // no address ends so, once the links parser is done with it
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return a, err == nil
}
