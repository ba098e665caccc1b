// Package gate is the brain of a session. Every door drives it through the same
// phases; it runs the checks of each, carries one ledger of evidence from the
// first packet to the final dot, and turns the verdict into a reply and a
// durable place for the message.
//
// Files: gate.go (settings, opening a session), session.go (the phases up to
// DATA), message.go (judging a complete message), act.go (relay, quarantine,
// split), sign.go (DKIM on our own mail), record.go (what is logged), route.go
// (whose mail goes where), users.go (what becomes of mail of our own users),
// release.go (letting quarantined mail go), metrics.go.
package gate

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/explain"
	"sluice/explain/ref"
	"sluice/gate/route"
	"sluice/judge/pipeline"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/mailauth"
	"sluice/mailauth/arc"
	"sluice/message"
	"sluice/reason"
)

// Settings are what a reload may change. A session keeps those it began with.
type Settings struct {
	Hostname string // greeting, Received, authserv-id
	Node     string // short name in reference tokens
	Routes   route.Table
	Pipeline *pipeline.Pipeline
	Weights  verdict.Weights
	Policy   policy.Policy
	Versions sluice.Versions
	// Learned says what was learned at this site by now, as an addition to the version of
	// the model; nil: nothing ever is.
	Learned    func() string
	SubjectTag string
	Trusted    func(netip.Addr) bool // nil: nobody
	// Senders says which trusted clients may send to other systems without logging in;
	// nil: none.
	Senders    func(netip.Addr) bool
	PublicURL  string
	Postmaster string
	Verifier   *mailauth.Verifier // nil: nobody is asked who the sender is
	Budget     time.Duration      // for judging one message; default 30 s

	// Sign makes the DKIM-Signature fields to put before raw, for routes that
	// sign; none where the domain has no key. nil: nothing is signed.
	Sign func(raw []byte, fromDomain string, now time.Time) ([]byte, error)

	Retention time.Duration // of quarantined mail; default 30 days

	Traps route.Traps
	// Desk takes what users report; nil: there are no report addresses.
	Desk Desk
	// Users follows our own users; nil: nobody does.
	Users Users
	// GreetPause is how long unknown clients are listened to before they are
	// greeted; 0: all are greeted at once.
	GreetPause time.Duration
	// Login proves our users' credentials; nil: nobody can log in.
	Login sluice.Authenticator

	// Seal makes the ARC fields of a message changed by us for a recipient domain;
	// no fields where it has no key. nil: nothing is sealed.
	Seal func(raw []byte, domain, results string, chain arc.Result, now time.Time) ([]byte, error)

	// Annotate plans what is written into a message that is delivered, for its readers:
	// a banner, protected links. For mail of our own users it takes off what quotes of
	// such mail carry. nil: messages stay as they are.
	Annotate func(conn *sluice.Conn, env *sluice.Envelope, m *message.Message, v *sluice.Verdict) []rewrite.Change

	// Trace makes the field by which mail of our own users is known again when it is
	// reported or comes back; "" for other mail. nil: there are none.
	Trace func(conn *sluice.Conn, env *sluice.Envelope, now time.Time) string

	hops []sluice.Deliverer // of Routes, each once
}

// Config is what stays for the life of the process.
type Config struct {
	Settings   Settings
	Quarantine sluice.Quarantine
	Index      sluice.QuarantineIndex
	Outbox     sluice.Outbox
	Log        sluice.Log
	Port       Port
	Observe    func(*Observation) // nil: nobody reads along; must return at once and not panic
	Sealer     *ref.Sealer        // nil: replies carry no link
	Clock      func() time.Time
	Rand       io.Reader
	Logger     *slog.Logger
	Metrics    *Metrics // nil: not counted
}

// Gate opens sessions. It is safe for concurrent use.
type Gate struct {
	cfg      Config
	settings atomic.Pointer[Settings]
	greeted  *greeted
	awaited  *awaited
}

var _ sluice.Gate = (*Gate)(nil)

// New makes a gate.
func New(cfg Config) *Gate {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	g := &Gate{cfg: cfg, greeted: newGreeted(), awaited: newAwaited()}
	g.Reload(cfg.Settings)
	return g
}

// Reload changes the settings for sessions that begin from now on.
func (g *Gate) Reload(s Settings) {
	if s.Budget == 0 {
		s.Budget = 30 * time.Second
	}
	if s.Retention == 0 {
		s.Retention = 30 * 24 * time.Hour
	}
	if s.Trusted == nil {
		s.Trusted = func(netip.Addr) bool { return false }
	}
	s.hops = s.Routes.Hops()
	g.settings.Store(&s)
}

// Now is the gate's clock.
func (g *Gate) Now() time.Time { return g.cfg.Clock() }

// Settings returns those in force.
func (g *Gate) Settings() *Settings { return g.settings.Load() }

// Extensions is the intersection of what all routes can take, for the
// greeting of a door. A route that was never reached takes away what needs its
// consent.
func (g *Gate) Extensions(ctx context.Context) sluice.Extensions {
	return route.Intersect(ctx, g.Settings().hops)
}

// Open implements [sluice.Gate].
func (g *Gate) Open(ctx context.Context, c *sluice.Conn) (sluice.Session, sluice.Reply) {
	s := g.open(ctx, c)
	return s, sluice.Reply{Code: 220, Text: s.set.Hostname + " ESMTP Sluice", Pause: s.pause()}
}

func (g *Gate) open(ctx context.Context, c *sluice.Conn) *session {
	set := g.Settings()
	s := &session{gate: g, set: set, conn: c}
	if set.Verifier != nil {
		s.auth = set.Verifier.Open(c)
	}
	if set.Trusted(c.Client.Addr()) {
		c.Trusted = true
	}
	g.cfg.Metrics.sessions.Inc()
	s.visit = g.cfg.Port.Live.Opened(c.Start, c.Client.Addr())
	s.run(ctx, sluice.PhaseConnect, nil)
	return s
}

// newID makes the reference of a transaction.
func (g *Gate) newID() string { return ref.NewID(g.cfg.Rand) }

// say words a refusal for a reason of the catalogue.
func (s *session) say(why sluice.Reason, id string, phase sluice.Phase, v *sluice.Verdict) sluice.Reply {
	e, _ := reason.Lookup(string(why))
	return explain.Reason(why, s.options(id, phase, v, e.Code, why))
}

// options are what a rendered reply needs beside the verdict; lead is the reason that
// the page behind the link begins with.
func (s *session) options(id string, phase sluice.Phase, v *sluice.Verdict, code int, lead sluice.Reason) explain.Options {
	o := explain.Options{Ref: id, Postmaster: s.set.Postmaster}
	if s.set.PublicURL != "" && s.gate.cfg.Sealer != nil {
		o.PublicURL = s.set.PublicURL
		o.Token = s.gate.cfg.Sealer.Seal(s.facts(id, phase, v, code, lead))
	}
	if s.tx != nil {
		o.Page = s.tx.page
	}
	return o
}
