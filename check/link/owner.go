package link

import (
	"strconv"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// newOwner looks at whose links a message holds. A sender's mail leads to the
// sender, or to several places. Mail whose links all lead to one stranger is
// there for that link.
func newOwner() check.Checker {
	return check.Func(check.Info{
		Name: "link/owner", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.LinkOneStranger},
	}, func(in *check.Input) []sluice.Evidence {
		if onList(in.Message.Header()) {
			return nil
		}
		us := author(in.Message)
		if us == "" || domains.FreeMail(us) {
			return nil // people send each other links
		}
		v := in.Message.View()
		var one *links.Link
		place, n, host := "", 0, ""
		for i := range v.Links {
			l := &v.Links[i]
			if l.Source != links.FromAnchor || !web(l) || l.Host == "" || l.Host == host {
				continue
			}
			host = l.Host
			switch o := org(l.Host); {
			case o == us:
				return nil
			case one == nil:
				one, place = l, o
			case o != place:
				return nil
			}
			if n++; n == maxLinks {
				break
			}
		}
		if one == nil || domains.Rewriter(one.Host) || domains.Counter(one.Host) {
			return nil
		}
		return []sluice.Evidence{state(reason.LinkOneStranger, one, "all links lead to "+check.Quote(place)+", from "+check.Quote(us)+" ("+strconv.Itoa(len(v.Links))+" links)")}
	})
}

// onList says whether list software has had the message: it leaves other
// people's links in.
func onList(h *header.Header) bool {
	for _, name := range [...]string{"List-Id", "List-Post", "X-Mailing-List", "X-BeenThere"} {
		if h.Field(name) != nil {
			return true
		}
	}
	return false
}
