package structure

import (
	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newActive looks for what a browser would do by itself and no mail client does:
// scripts, refreshes, frames. Honest senders leave them out.
func newActive() check.Checker {
	return check.Func(check.Info{
		Name: "structure/active", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.BodyRefresh, reason.BodyFrame, reason.BodyScript},
	}, func(in *check.Input) []sluice.Evidence {
		v := in.Message.View()
		var out []sluice.Evidence
		for _, f := range []struct {
			n    int
			id   sluice.Reason
			what string
		}{
			{v.Refresh, reason.BodyRefresh, " refreshes"},
			{v.Frames, reason.BodyFrame, " frames or objects"},
			{v.Scripts, reason.BodyScript, " scripts or handlers"},
		} {
			if f.n > 0 {
				out = append(out, check.Found(f.id, itoa(f.n)+f.what))
			}
		}
		return out
	})
}
