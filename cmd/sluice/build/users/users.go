// Package users wires those who follow our own users: the directory of who they are, the
// warden who opens and closes cases, and what becomes of held mail when one is over.
package users

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"sluice"
	"sluice/cmd/sluice/build/secret"
	"sluice/config"
	"sluice/gate"
	"sluice/learn/dialect"
	"sluice/learn/network"
	"sluice/message"
	"sluice/reason"
	"sluice/subscriber"
	"sluice/subscriber/baseline"
	"sluice/subscriber/cases"
)

// Config is what the room needs of others.
type Config struct {
	Log      sluice.Log
	Cases    sluice.Cases
	Memos    sluice.Memos
	Networks func() *network.DB // nil, or it gives nil: countries aren't known
	Outbox   sluice.Outbox      // takes notices; nil: nobody is told
	// Sign makes signatures of a domain for notices; nil fields where it has no key.
	Sign func(raw []byte, domain string, now time.Time) ([]byte, error)
	// Page is the address of a user's page in refusals; nil: that of notices.
	Page    func(caseID string) string
	Changed func(c *sluice.Case, what cases.What) // told of each step beside this room; nil: nobody
	Trace   *slog.Logger
}

// Users follows our own users. It is [gate.Users].
type Users struct {
	Warden    *subscriber.Warden
	Directory subscriber.Directory // nil: accounts stand for themselves

	cfg      Config
	relayed  *relayed
	released chan string // cases whose held mail may go
	telling  *telling
}

var _ gate.Users = (*Users)(nil)

// New makes what the settings ask for, and loads what was known; nil where they ask for
// nothing.
func New(ctx context.Context, cfg *config.Config, with Config) (*Users, error) {
	s := cfg.Subscribers
	if !s.On {
		return nil, nil
	}
	key, err := secret.Site(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("subscribers: %w", err)
	}
	u := &Users{cfg: with, released: make(chan string, 256), relayed: newRelayed(with.Log)}
	if u.Directory, err = roll(s); err != nil {
		return nil, fmt.Errorf("subscribers: %w", err)
	}
	restrict := map[subscriber.Class]sluice.Restriction{}
	for class, r := range s.Restrict {
		restrict[subscriber.Class(class)] = sluice.Restriction(r)
	}
	u.Warden, err = subscriber.New(subscriber.Config{
		Key: secret.For(key, "subscriber"), Cases: with.Cases, Memos: with.Memos, ID: caseID, Relayed: u.relayed, Directory: u.Directory,
		Rules:  cases.Rules{Watch: s.Watch.Duration, TellWithin: s.TellWithin.Duration, AnswerIn: s.AnswerIn.Duration},
		OpenAt: s.OpenAt, HoldAt: s.HoldAt, OwnLeast: s.OwnLeast, WatchAt: s.WatchAt, Restrict: restrict, ClampTo: s.ClampTo, HoldsPerHour: s.HoldsPerHour,
		QuietFrom: s.QuietFrom, QuietTo: s.QuietTo, NoticesPerDay: s.Notice.PerDay, NoticesPerHour: s.Notice.PerHour, Changed: u.changed, Log: with.Trace,
	})
	if err != nil {
		return nil, err
	}
	if err := u.tell(cfg, key, with); err != nil {
		return nil, fmt.Errorf("subscribers: %w", err)
	}
	if err := u.Warden.Load(ctx, time.Now()); err != nil {
		with.Trace.Error("some of what was known of our users can't be read and is forgotten", "error", err)
	}
	return u, nil
}

// caseID is random, of 13 letters and digits.
func caseID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return "C" + strings.ToUpper(strings.NewReplacer("-", "x", "_", "y").Replace(base64.RawURLEncoding.EncodeToString(b[:])))[:12]
}

// directoryWait bounds how long a message waits for the directory; without an answer the
// account stands for itself.
const directoryWait = 3 * time.Second

// subject is who sends. Of a relay of ours that says no account only what the directory
// knows is followed: the relay itself is not one of our users.
func (u *Users) subject(ctx context.Context, c *sluice.Conn, from string) (subscriber.Subject, bool) {
	t := subscriber.Trace{Account: c.Auth, Address: from, Client: c.Client.Addr().Unmap(), Time: time.Now()}
	if u.Directory != nil {
		ctx, cancel := context.WithTimeout(ctx, directoryWait)
		defer cancel()
		s, ok, err := u.Directory.Find(ctx, t)
		if ok && err == nil {
			return s, true
		}
		if err != nil {
			u.cfg.Trace.Warn("the directory of our users can't answer", "error", err)
		}
	}
	if c.Auth == "" {
		return subscriber.Subject{}, false
	}
	return subscriber.Unlisted(t)
}

// Login implements [gate.Users].
func (u *Users) Login(ctx context.Context, c *sluice.Conn) {
	s, ok := u.subject(ctx, c, "")
	if !ok {
		return
	}
	g := baseline.Login{Time: time.Now(), Client: c.Client.Addr().Unmap(), Country: u.country(c.Client.Addr())}
	u.Warden.Login(ctx, g.Time, &s, g)
}

func (u *Users) country(a netip.Addr) string {
	if u.cfg.Networks == nil {
		return ""
	}
	info, _ := u.cfg.Networks().Lookup(a)
	return info.Country
}

// Standing implements [gate.Users].
func (u *Users) Standing(ctx context.Context, c *sluice.Conn, from string) gate.Restricted {
	s, ok := u.subject(ctx, c, from)
	if !ok {
		return gate.Restricted{}
	}
	return u.restricted(ctx, u.Warden.Standing(time.Now(), &s))
}

func (u *Users) restricted(ctx context.Context, d subscriber.Decision) gate.Restricted {
	r := gate.Restricted{Restrict: d.Restrict, Case: d.Case}
	if d.Restrict == sluice.RestrictReply {
		r.Page = u.page(ctx, d.Case)
	}
	return r
}

// Judge implements [gate.Users].
func (u *Users) Judge(ctx context.Context, o *gate.Observation, unknown int) gate.Restricted {
	s, ok := u.subject(ctx, o.Conn, o.Envelope.From)
	if !ok {
		return gate.Restricted{}
	}
	if o.Action <= sluice.Strip {
		u.relayed.saw(o.Conn, o.Envelope)
	}
	m := subscriber.Message{ID: o.ID, Recipients: o.Envelope.Addresses(), Unknown: unknown, Client: o.Conn.Client.Addr().Unmap(),
		Program: dialect.ID(o.Conn.Dialect, dialect.StageData), Verdict: *o.Verdict, Print: fingerprint(o.Message), Colleagues: colleagues(o.Envelope)}
	for _, c := range o.Verdict.Ledger {
		switch {
		case c.State != sluice.Found:
		case c.Reason == reason.Spamtrap:
			m.Traps++
		case c.Reason == reason.CampaignReported, c.Reason == reason.CampaignOutbreak:
			m.Campaign = true
		}
	}
	return u.restricted(ctx, u.Warden.Judge(ctx, time.Now(), &s, &m))
}

// Refused implements [gate.Users].
func (u *Users) Refused(ctx context.Context, c *sluice.Conn, env *sluice.Envelope, n int) {
	if s, ok := u.subject(ctx, c, env.From); ok {
		u.Warden.Refused(ctx, time.Now(), &s, n)
	}
}

// fingerprint names copies of one text: the letters of subject and beginning, since
// numbers and signs are what senders vary.
func fingerprint(m *message.Message) string {
	const most = 2000
	v := m.View()
	h, n := sha256.New(), 0
	var buf [8]byte
	for _, text := range []string{v.Subject, v.Text} {
		for _, r := range text {
			if n >= most {
				break
			}
			if unicode.IsLetter(r) {
				h.Write(buf[:copy(buf[:], string(unicode.ToLower(r)))])
				n++
			}
		}
	}
	if n == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// colleagues is the share of recipients in the sender's own domain.
func colleagues(env *sluice.Envelope) float64 {
	own := strings.ToLower(sluice.DomainOf(env.From))
	if own == "" || len(env.Rcpts) == 0 {
		return 0
	}
	n := 0
	for _, r := range env.Rcpts {
		if strings.EqualFold(sluice.DomainOf(r.Address), own) {
			n++
		}
	}
	return float64(n) / float64(len(env.Rcpts))
}

// changed is told of each step of a case.
func (u *Users) changed(c *sluice.Case, what cases.What) {
	u.cfg.Trace.Info("case", "case", c.ID, "subject", c.Subject, "what", string(what), "state", string(c.State), "restrict", string(c.Restrict), "points", c.Points)
	switch what {
	case cases.Watching, cases.FalseAlarm, cases.ClosedBy, cases.Clean:
		select {
		case u.released <- c.ID:
		default:
			u.cfg.Trace.Warn("held mail of a case that is over waits for the next look", "case", c.ID)
		}
	}
	u.told(c, what)
	if u.cfg.Changed != nil {
		u.cfg.Changed(c, what)
	}
}
