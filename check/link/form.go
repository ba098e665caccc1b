package link

import (
	"strconv"

	"sluice"
	"sluice/check"
	"sluice/message/links"
	"sluice/reason"
)

// newForm looks for forms in the body. Clients warn of them or cut them off, so
// few honest senders use any.
func newForm() check.Checker {
	return check.Func(check.Info{
		Name: "link/form", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.FormPassword, reason.FormPostsOff},
	}, func(in *check.Input) []sluice.Evidence {
		v := in.Message.View()
		if v.Passwords > 0 {
			return []sluice.Evidence{check.Found(reason.FormPassword, strconv.Itoa(v.Passwords)+" password fields")}
		}
		if v.Forms == 0 {
			return nil
		}
		us := author(in.Message)
		for i := range v.Links {
			if l := &v.Links[i]; l.Source == links.FromForm && l.Host != "" && v.Inputs > 0 && org(l.Host) != us {
				return []sluice.Evidence{state(reason.FormPostsOff, l, "to "+check.Quote(l.Host)+", from "+check.Quote(us))}
			}
		}
		return nil
	})
}
