package structure

import (
	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newActive looks for scripts in the body. No mail client runs them, so honest
// senders leave them out.
func newActive() check.Checker {
	return check.Func(check.Info{
		Name: "structure/active", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.BodyScript},
	}, func(in *check.Input) []sluice.Evidence {
		if n := in.Message.View().Scripts; n > 0 {
			return []sluice.Evidence{check.Found(reason.BodyScript, itoa(n)+" scripts or handlers")}
		}
		return nil
	})
}
