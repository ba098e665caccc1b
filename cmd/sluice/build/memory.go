package build

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"sluice"
	"sluice/check"
	checkcampaign "sluice/check/campaign"
	"sluice/config"
	"sluice/explain/ref"
	"sluice/guard"
	"sluice/guard/greylist"
	"sluice/learn/correspondent"
	"sluice/learn/reputation"
)

// Memory is what is remembered of those outside. It lives as long as the process,
// and what matters of it longer.
type Memory struct {
	Guard      *guard.Guard
	Greylist   *greylist.List // nil: nobody is asked to come again
	Reputation *reputation.Table
	// Correspondents knows who writes to whom; nil where its key can't be kept.
	Correspondents *correspondent.Table
	Campaigns      checkcampaign.Config
	// Related says whether a domain may send in the name of another; nil: nobody may.
	Related func(owner, domain string) bool
	// FreshCampaigns: their memory has none of the labels that were given before.
	FreshCampaigns bool
	// Checks are further ones that rest on what is remembered.
	Checks []check.Checker
	// Around runs what writes the memory of campaigns, so that no label comes in
	// meanwhile.
	Around func(save func() error) error

	cfg   *config.Config // at the start
	memos sluice.Memos
	log   *slog.Logger
}

// NewMemory makes what the settings ask for and loads what was saved. Clients that
// the port spares are never limited. What can't be read is forgotten: a port without a memory is
// better than none.
func NewMemory(ctx context.Context, cfg *config.Config, memos sluice.Memos, port *Port, log *slog.Logger) *Memory {
	rep := reputation.New(reputation.Config{})
	r := cfg.Rates
	m := &Memory{Around: func(save func() error) error { return save() }, cfg: cfg, memos: memos, log: log, Reputation: rep, Guard: guard.New(guard.Config{
		Immune: port.Spared,
		Known: func(p netip.Prefix) bool {
			s := rep.Score(time.Now(), networkKey(p))
			return s.Good >= 3 && s.Bad <= s.Good/10
		},
		Rates: guard.Rates{Connections: r.Connections, PrefixConnections: r.PrefixConnections, Messages: r.Messages,
			DomainMessages: r.DomainMessages, UserMessages: r.UserMessages, UserRecipients: r.UserRecipients},
	})}
	if !cfg.Greylist.Off {
		m.Greylist = greylist.New(greylist.Config{Delay: cfg.Greylist.Wait.Duration})
	}
	now := time.Now()
	keys, err := ref.LoadOrCreateKeys(filepath.Join(cfg.Data, "correspondent.keys"), rand.Reader)
	if err == nil {
		m.Correspondents, err = correspondent.New(correspondent.Config{Key: keys[0]})
	}
	if err == nil {
		_, err = m.Correspondents.Load(ctx, now, memos)
	}
	if err != nil {
		log.Error("correspondents: what was known of them is forgotten", "error", err)
	}
	mem, fresh := campaigns(cfg, now, log)
	m.Campaigns, m.FreshCampaigns = campaignChecks(mem, rep, port), fresh
	m.Campaigns.Copycats = copycats(cfg, mem, func(owner, domain string) bool { return m.Related != nil && m.Related(owner, domain) }, log)
	_, err = rep.Load(ctx, now, memos)
	_, gerr := m.Guard.Load(ctx, now, memos)
	err = errors.Join(err, gerr)
	if m.Greylist != nil {
		_, lerr := m.Greylist.Load(ctx, now, memos)
		err = errors.Join(err, lerr)
	}
	if err != nil {
		log.Error("some of what was remembered of other hosts can't be read and is forgotten", "error", err)
	}
	return m
}

// networkKey is a client's or a network's key.
func networkKey(p netip.Prefix) reputation.Key {
	if p.Bits() == 32 || p.Bits() == 64 {
		return reputation.AddressKey(p.Addr())
	}
	return reputation.PrefixKey(p.Addr())
}

// saveEvery is how often what changed is written down: what was learned in the last
// seconds before a crash is learned again.
const saveEvery = 30 * time.Second

// The memory of campaigns is one file, which takes a while to write.
const saveCampaignsEvery = 10 * time.Minute

// Run saves from time to time, and at the end.
func (m *Memory) Run(ctx context.Context, tidy func()) {
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	large := time.NewTicker(saveCampaignsEvery)
	defer large.Stop()
	for {
		select {
		case <-large.C:
			m.saveCampaigns(ctx, m.cfg)
		case <-t.C:
			tidy()
			m.save(ctx, m.Reputation.Save, func(t *correspondent.Table) error { _, err := t.Save(ctx, time.Now(), m.memos); return err })
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			m.saveCampaigns(ctx, m.cfg)
			m.save(ctx, m.Reputation.Flush, func(t *correspondent.Table) error { _, err := t.Flush(ctx, time.Now(), m.memos); return err })
			return
		}
	}
}

func (m *Memory) save(ctx context.Context, reputation func(context.Context, time.Time, sluice.Memos) (int, error),
	correspondents func(*correspondent.Table) error) {
	now := time.Now()
	_, err := reputation(ctx, now, m.memos)
	_, gerr := m.Guard.Save(ctx, now, m.memos)
	err = errors.Join(err, gerr)
	if m.Greylist != nil {
		_, lerr := m.Greylist.Save(ctx, now, m.memos)
		err = errors.Join(err, lerr)
	}
	if m.Correspondents != nil {
		err = errors.Join(err, correspondents(m.Correspondents))
	}
	if err != nil && ctx.Err() == nil {
		m.log.Error("what was learned of other hosts can't be saved; it is tried again", "error", fmt.Sprint(err))
	}
}

// spoken is what came of how clients speak, as the checks ask for it.
type spoken struct{ table *reputation.Table }

// Dialect implements [session.Learned].
func (s spoken) Dialect(id string, now time.Time) (float64, string) {
	return s.score(reputation.DialectKey(id), now)
}

// TLSHello implements [session.Learned].
func (s spoken) TLSHello(fingerprint string, now time.Time) (float64, string) {
	return s.score(reputation.TLSKey(fingerprint), now)
}

// Count implements [session.Learned].
func (s spoken) Count(name string, now time.Time) float64 {
	return s.table.Score(now, reputation.DialectKey(name)).Outcomes()
}

func (s spoken) score(k reputation.Key, now time.Time) (float64, string) {
	sc := s.table.Score(now, k)
	return sc.Decibel, sc.Words(now)
}
