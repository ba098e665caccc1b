package build

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/net/idna"

	"sluice"
	"sluice/cmd/sluice/build/readers"
	"sluice/complaint"
	"sluice/complaint/desk"
	"sluice/config"
)

// Desk makes what takes users' reports, and takes messages out of mailboxes back to
// what came to us.
func Desk(cfg *config.Config, teacher sluice.Teacher, log sluice.Log, kept sluice.Quarantine, trace *slog.Logger) (*desk.Desk, error) {
	f := cfg.Feedback
	local := map[string]bool{}
	for _, d := range cfg.Domains {
		for _, n := range d.Names {
			local[n] = true
			if a, err := idna.Lookup.ToASCII(n); err == nil {
				local[a] = true
			}
		}
	}
	restore, err := readers.Restorer(cfg)
	if err != nil {
		return nil, err
	}
	return desk.New(desk.Config{Spam: f.Spam, Ham: f.Ham, Phish: f.Phish,
		Reading: complaint.Config{Hostname: cfg.Hostname, SubjectTag: cfg.Policy.SubjectTag, Restore: restore},
		Teacher: teacher, Local: func(domain string) bool { return local[domain] }, Networks: Prefixes(f.Networks),
		Record: log.Record, Find: find(kept), Postmaster: cfg.Postmaster, Clock: time.Now, Logger: trace})
}

// find looks for a message in quarantine, the only place where one is kept.
func find(kept sluice.Quarantine) func(context.Context, complaint.Original) ([]byte, error) {
	return func(ctx context.Context, o complaint.Original) ([]byte, error) {
		if o.ID == "" {
			return nil, sluice.ErrNotFound
		}
		_, raw, err := Quarantined(ctx, kept, o.ID)
		return raw, err
	}
}

// Quarantined reads a message from quarantine.
func Quarantined(ctx context.Context, kept sluice.Quarantine, id string) (*sluice.Quarantined, []byte, error) {
	q, r, err := kept.Open(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, q.Size+1))
	if err == nil && int64(len(raw)) != q.Size {
		err = fmt.Errorf("the file holds %d bytes, its description says %d", len(raw), q.Size)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("quarantine %s: %w", id, err)
	}
	return q, raw, nil
}
