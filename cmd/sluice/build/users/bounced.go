package users

import (
	"context"
	"errors"
	"time"

	"sluice"
)

// Bounced implements [sluice.Bounced]: the user who sent what came back is found by the
// log's record of it.
func (u *Users) Bounced(ctx context.Context, r sluice.Returned) error {
	if u == nil || r.Failed == 0 {
		return nil
	}
	rec, err := u.relayed.record(ctx, r.ID, "")
	if errors.Is(err, sluice.ErrNotFound) || err == nil && rec == nil {
		return nil // the log has let it go
	}
	if err != nil {
		return err
	}
	if s, ok := u.subject(ctx, &rec.Conn, rec.Envelope.From); ok {
		u.Warden.Bounced(ctx, time.Now(), &s, r.Failed)
	}
	return nil
}

var _ sluice.Bounced = (*Users)(nil)
