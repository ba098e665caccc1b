package run

import (
	"fmt"
	"syscall"

	"sluice/inspect"
	"sluice/inspect/child"
)

// State states how a run ended where that was not as it should.
func (r *Result) State(w *child.Work, name string) {
	switch {
	case r.Late:
		w.Fact(inspect.ToolLate, name+": its time was over")
	case r.Signal == syscall.SIGSYS:
		w.Fact(inspect.ToolDied, name+": it tried what it may not")
	case r.Signal != 0:
		w.Fact(inspect.ToolDied, name+": "+r.Signal.String()+said(r.Words))
	case r.Code != 0:
		w.Fact(inspect.ToolFailed, fmt.Sprintf("%s: status %d%s", name, r.Code, said(r.Words)))
	case r.Cut:
		w.Fact(inspect.ToolLate, name+": it found more than is read")
	}
}

func said(words string) string {
	if words == "" {
		return ""
	}
	return ": " + words
}
