package structure

import (
	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newActive looks for what a browser would do by itself and no mail client does.
// Frames are left out: a fifth of old honest newsletters have them.
func newActive() check.Checker {
	return check.Func(check.Info{
		Name: "structure/active", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.BodyRefresh, reason.BodyScript},
	}, func(in *check.Input) []sluice.Evidence {
		v := in.Message.View()
		var out []sluice.Evidence
		for _, f := range []struct {
			n    int
			id   sluice.Reason
			what string
		}{
			{v.Refresh, reason.BodyRefresh, " refreshes"},
			{v.Scripts, reason.BodyScript, " scripts or handlers"},
		} {
			if f.n > 0 {
				out = append(out, check.Found(f.id, itoa(f.n)+f.what))
			}
		}
		return out
	})
}
