package daemon

import (
	"context"
	"fmt"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/gate"
)

// Release lets a message go, and teaches that somebody wanted it.
func Release(ctx context.Context, g *gate.Gate, teacher sluice.Teacher, kept sluice.Quarantine, id, by string) error {
	if err := g.Release(ctx, id, by); err != nil {
		return err
	}
	q, raw, err := build.Quarantined(ctx, kept, id)
	if err == nil {
		_, err = teacher.Teach(ctx, &sluice.Label{Raw: raw, ID: id, Tenant: q.Envelope.Tenant, Source: sluice.SourceRelease, By: by, To: q.Envelope.Addresses()})
	}
	if err != nil {
		return fmt.Errorf("release %s: sent on, but nothing was learned from it: %w", id, err)
	}
	return nil
}
