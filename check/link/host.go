package link

import (
	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// newHost looks at how links name their target: as a bare address, as a number,
// in another alphabet, behind something that looks like a host, or not as a
// place in the web at all.
func newHost() check.Checker {
	return check.Func(check.Info{
		Name: "link/host", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{
			reason.LinkScriptURL, reason.LinkNumberHost, reason.LinkMixedScript, reason.LinkUser, reason.LinkIPHost, reason.LinkOddSpelling, reason.LinkPort,
		},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		v := in.Message.View()
		hosts(&s, clickable(v))
		if v.Forms > 0 {
			hosts(&s, targets(v))
		}
		return s.list
	})
}

// targets lists where forms are sent.
func targets(v *message.View) (out []*links.Link) {
	for i := range v.Links {
		if l := &v.Links[i]; l.Source == links.FromForm && len(out) < maxLinks {
			out = append(out, l)
		}
	}
	return out
}

func hosts(s *statements, list []*links.Link) {
	for _, l := range list {
		switch l.Scheme {
		case "javascript", "vbscript", "data":
			if l.Source == links.FromAnchor || l.Source == links.FromForm {
				s.add(reason.LinkScriptURL, l, check.Quote(l.Raw))
			}
		default:
			if web(l) {
				host(s, l)
			}
		}
	}
}

func host(s *statements, l *links.Link) {
	if l.Has(links.OddNumber) {
		s.add(reason.LinkNumberHost, l, check.Quote(l.Raw)+" is "+check.Quote(l.Host))
		return
	}
	if l.Has(links.OddMixed) {
		s.add(reason.LinkMixedScript, l, check.Quote(l.Host))
	}
	if l.Has(links.OddUser) && looksLikeHost(l.User) {
		s.add(reason.LinkUser, l, check.Quote(l.Raw)+" leads to "+check.Quote(l.Host))
	}
	if !l.Has(links.OddHost) && oddSpelling(l) {
		s.add(reason.LinkOddSpelling, l, check.Quote(l.Raw)+" is "+check.Quote(l.Host))
	}
	// People write of machines in plain text; a button that leads to one is
	// another thing.
	if l.Source != links.FromAnchor {
		return
	}
	if a, ok := address(l.Host); ok {
		if !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && l.Text != "" {
			s.add(reason.LinkIPHost, l, check.Quote(l.Raw))
		}
		return
	}
	if l.Port != "" && l.Port != "80" && l.Port != "443" && l.Port != "8080" && l.Port != "8443" {
		s.add(reason.LinkPort, l, check.Quote(l.Host+":"+l.Port))
	}
}

// oddSpelling leaves slips of the hand alone: people type backslashes.
func oddSpelling(l *links.Link) bool {
	return l.Odd&(links.OddPercent|links.OddWidth) != 0 ||
		l.Source == links.FromAnchor && (l.Has(links.OddBackslash) || l.Has(links.OddControl) && insideControl(l.Raw))
}

// looksLikeHost says whether the part before "@" pretends to be the target.
func looksLikeHost(user string) bool {
	dot := false
	for i := 1; i < len(user); i++ {
		dot = dot || user[i] == '.'
	}
	return dot
}

// insideControl says whether control characters stand before the path: in a
// host they only serve to break it for scanners.
func insideControl(raw string) bool {
	slashes := 0
	for i := 0; i < len(raw) && slashes < 3; i++ {
		switch c := raw[i]; {
		case c == '/':
			slashes++
		case c < ' ' && i > 0 && slashes >= 1:
			return true
		}
	}
	return false
}
