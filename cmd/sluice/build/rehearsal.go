package build

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"sluice/config"
	"sluice/gate"
	"sluice/learn/text/online"
	"sluice/store/memory"
)

// Rehearsal is a judge with the memories of a daemon, which start empty and are written
// nowhere: for mail that is judged in order, as if it came now.
type Rehearsal struct {
	Settings gate.Settings
	Port     gate.Port
	Observe  func(*gate.Observation)
	Close    func() error
}

// NewRehearsal makes one. here is what was learned at this site, and s who looks into
// files; both may be nil.
func NewRehearsal(ctx context.Context, cfg *config.Config, log *slog.Logger, here *online.Model, s *Scanners) (*Rehearsal, error) {
	c := *cfg
	c.Review.Off = true
	c.Greylist.Off = true
	var err error
	if c.Data, err = os.MkdirTemp("", "sluice-rehearsal-"); err != nil { // for its keys
		return nil, fmt.Errorf("scan: %w", err)
	}
	r := &Rehearsal{Close: func() error { return os.RemoveAll(c.Data) }}
	port, store := NewPort(log, nil), memory.New()
	mem := NewMemory(ctx, &c, store, port, log)
	sp, err := NewSpeakers(ctx, &c, store, store, mem, log)
	if err == nil {
		r.Settings, err = judge(&c, log, false, known{text: func() *online.Model { return here }, spoken: spoken{mem.Reputation}, scanners: s, speakers: sp},
			portChecks(&c, port, mem)...)
	}
	if err != nil {
		_ = r.Close() // the first error is the one to tell
		return nil, err
	}
	r.Port = gate.Port{Reputation: mem.Reputation, Correspondents: mem.Correspondents, Campaigns: mem.Campaigns, Networks: port.Networks}
	r.Observe = sp.Observe
	return r, nil
}
