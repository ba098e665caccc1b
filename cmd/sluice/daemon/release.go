package daemon

import (
	"context"
	"time"

	"sluice"
	"sluice/gate"
)

// Release lets a message go and files that somebody wanted it.
func Release(ctx context.Context, g *gate.Gate, s sluice.Store, id, by string, source sluice.Source) error {
	if err := g.Release(ctx, id, by); err != nil {
		return err
	}
	return s.AddFeedback(ctx, &sluice.Feedback{ID: id, Time: time.Now(), Spam: false, Source: source, By: by})
}
