package check_test

import (
	"context"
	"errors"
	"testing"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/reason"
)

func TestFunc(t *testing.T) {
	calls := 0
	c := check.Func(check.Info{Name: "x", Phase: sluice.PhaseMessage}, func(*check.Input) []sluice.Evidence {
		calls++
		return []sluice.Evidence{check.Found(reason.EICAR, "here")}
	})
	if ev, err := c.Check(context.Background(), &check.Input{}); len(ev) != 0 || err != nil || calls != 0 {
		t.Errorf("without a message: %v, %v, %d calls", ev, err, calls)
	}
	in := &check.Input{Message: message.Parse(nil, message.DefaultLimits())}
	ctx, cancel := context.WithCancel(context.Background())
	ev, err := c.Check(ctx, in)
	if len(ev) != 1 || err != nil || ev[0].Phase != sluice.PhaseMessage {
		t.Errorf("with a message: %+v, %v", ev, err)
	}
	cancel()
	if _, err := c.Check(ctx, in); !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("cancelled: %v, %d calls", err, calls)
	}
}

// Evidence takes everything but the detail from the catalogue.
func TestFound(t *testing.T) {
	ev := check.FoundAt(reason.EICAR, "detail", message.Range{Off: 3, Len: 4}, 2)
	want := sluice.Evidence{
		Reason: "EICAR", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Threat: sluice.ThreatMalware, Hard: sluice.HardStop,
		Detail: "detail", Range: sluice.Range{Off: 3, Len: 4}, Part: 2,
	}
	if ev != want {
		t.Errorf("got %+v, want %+v", ev, want)
	}
	if ev := check.Found("NO_SUCH_REASON", ""); ev.Raw != 0 || ev.Hard != sluice.Soft || ev.Reason != "NO_SUCH_REASON" {
		t.Errorf("unknown: %+v", ev)
	}
	if ev := check.Found(reason.AdminAllow, ""); ev.Hard != sluice.HardPass {
		t.Errorf("pass: %+v", ev)
	}
}
