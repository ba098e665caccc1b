package attachment

import (
	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newProgram looks for files that run, by what they are. The name doesn't
// matter here: a program called a picture is still a program.
func newProgram() check.Checker {
	return check.Func(check.Info{
		Name: "attachment/program", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.ExecutableContent},
	}, func(in *check.Input) []sluice.Evidence {
		for p := range files(in.Message) {
			if f := sniff(p.data()); f.program() {
				return []sluice.Evidence{p.found(reason.ExecutableContent, f.String()+" in part "+p.Path+" "+check.Quote(p.Filename), p.Body)}
			}
		}
		return nil
	})
}
