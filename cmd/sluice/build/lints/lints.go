// Package lints wires what looks at senders' messages for them: the page with its API,
// and the desk that is written to.
package lints

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/cmd/sluice/build/secret"
	"sluice/config"
	"sluice/console/public/dictionary"
	publiclint "sluice/console/public/lint"
	"sluice/dns"
	"sluice/gate"
	"sluice/learn/text"
	"sluice/learn/text/online"
	"sluice/lint"
	"sluice/lint/desk"
	"sluice/lint/report"
	"sluice/mailauth"
	"sluice/message"
)

// Config wires a Room. Settings and Outbox are needed.
type Config struct {
	Settings *config.Config
	Outbox   sluice.Outbox
	// Model is what was learned at this site by now; nil: nothing ever is.
	Model    func() *online.Model
	Resolver dns.Resolver
	// Sign makes signatures of a domain for what we write; nil fields where it has no key.
	Sign  func(raw []byte, domain string, now time.Time) ([]byte, error)
	Relay sluice.Deliverer // takes reports for any domain; nil: none does
	Log   *slog.Logger
}

// Room looks at messages. It lives as long as the daemon.
type Room struct {
	c      Config
	desk   *desk.Desk // nil: nobody is written to
	turns  chan struct{}
	linter atomic.Pointer[lint.Linter]
}

// New makes one; nobody looks before [Room.Apply].
func New(c Config) (*Room, error) {
	set := c.Settings
	r := &Room{c: c, turns: make(chan struct{}, set.Lint.AtOnce)}
	if !set.Lint.Mail {
		return r, nil
	}
	key, err := secret.Site(set.Data)
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	r.desk, err = desk.New(desk.Config{Domain: set.Lint.MailDomain, Key: secret.For(key, "lint"), MaxSize: int64(set.Lint.MaxSize),
		Author: set.Postmaster, Postmaster: set.Postmaster, Lint: r.mailed, Send: r.send, Clock: time.Now, Rand: rand.Reader})
	return r, err
}

// Apply takes a judge. What is judged is learned from nowhere and logged nowhere.
func (r *Room) Apply(set gate.Settings) error {
	c := lint.Config{Gate: gate.New(gate.Config{Settings: set, Clock: time.Now, Rand: rand.Reader, Logger: r.c.Log}),
		Verifier: set.Verifier, Resolver: r.c.Resolver, Weights: set.Weights, Policy: set.Policy, Campaigns: !r.c.Settings.Campaign.Off, Clock: time.Now}
	if r.c.Model != nil {
		c.Words = func(m *message.Message, most int) []text.Token { return r.c.Model().Top(m, most) }
	}
	l, err := lint.New(c)
	if err != nil {
		return err
	}
	r.linter.Store(l)
	return nil
}

// turn waits until so few are looked at that one more may be.
func (r *Room) turn(ctx context.Context) (done func(), err error) {
	select {
	case r.turns <- struct{}{}:
		return func() { <-r.turns }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", publiclint.ErrBusy, ctx.Err())
	}
}

// stored looks at a message of the page.
func (r *Room) stored(ctx context.Context, raw []byte) (*report.Report, error) {
	done, err := r.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	rep := r.linter.Load().Stored(ctx, "lint", raw)
	return rep, ctx.Err() // what a look that was cut short says isn't the whole truth
}

// mailed looks at a message that came by mail; an ended ctx says that it didn't.
func (r *Room) mailed(ctx context.Context, in lint.Input) *report.Report {
	done, err := r.turn(ctx)
	if err != nil {
		return &report.Report{}
	}
	defer done()
	conn := *in.Conn // its session goes on
	in.Conn = &conn
	return r.linter.Load().Lint(ctx, in)
}

// answers begins the ids of our deliveries in the outbox. A gate's ids have no "-".
const answers = "lint-"

// send puts an answer into the outbox, signed where its author's domain has a key.
func (r *Room) send(ctx context.Context, to string, raw []byte) error {
	now := time.Now()
	id := answers + rand.Text()
	d := &sluice.Delivery{ID: id, Body: raw, EightBit: true,
		Envelope: &sluice.Envelope{ID: id, Body: "8BITMIME", Outbound: true, Received: now, Rcpts: []sluice.Recipient{{Address: to}}}}
	if r.c.Sign != nil {
		fields, err := r.c.Sign(raw, sluice.DomainOf(r.c.Settings.Postmaster), now)
		if err != nil {
			return fmt.Errorf("lint: signing an answer: %w", err)
		}
		d.Header = fields
	}
	return r.c.Outbox.Put(ctx, d)
}

// Route is the outbox's way out for answers: by the relay for reports where others know
// no way to the author's domain. All else is theirs.
func (r *Room) Route(others func(context.Context, *sluice.Delivery) []sluice.Outcome, known func(addr string) bool) func(context.Context, *sluice.Delivery) []sluice.Outcome {
	return func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
		answer := strings.HasPrefix(d.ID, answers) && d.Envelope.From == "" && len(d.Envelope.Rcpts) == 1
		if answer && r.c.Relay != nil && !known(d.Envelope.Rcpts[0].Address) {
			return r.c.Relay.Deliver(ctx, d)
		}
		return others(ctx, d)
	}
}

// Wanted says whether anything of it is served.
func Wanted(cfg *config.Config) bool { return cfg.Lint.Page && cfg.Public.Address != "" }

// Dictionary serves /reply; nil where it isn't wanted. proxies are those in front of it.
func Dictionary(cfg *config.Config, proxies []netip.Prefix) (http.Handler, error) {
	if !cfg.Public.Dictionary {
		return nil, nil
	}
	return dictionary.New(dictionary.Config{Proxies: proxies})
}

// Page serves /lint; nil where it isn't wanted. proxies are those in front of it.
func (r *Room) Page(proxies []netip.Prefix) (http.Handler, error) {
	set := r.c.Settings
	if !Wanted(set) {
		return nil, nil
	}
	c := publiclint.Config{Lint: r.stored, Token: tokens(set.Console.Tokens), MaxSize: int64(set.Lint.MaxSize), Proxies: proxies,
		Postmaster: set.Postmaster, Node: set.Hostname, Log: r.c.Log}
	if r.desk != nil {
		c.Address = r.desk.Address
	}
	return publiclint.New(c)
}

// tokens says whether a bearer token is one of the API's. All are compared, each in the
// same time.
func tokens(names map[string]string) func(string) bool {
	return func(token string) bool {
		known := 0
		for _, secret := range names {
			known |= subtle.ConstantTimeCompare([]byte(token), []byte(secret))
		}
		return known == 1 && token != ""
	}
}

// Desk puts the addresses for lint beside those for reports.
func (r *Room) Desk(reports gate.Desk) (gate.Desk, error) {
	switch {
	case reports == nil:
		return nil, errors.New("lint: no desk for reports")
	case r.desk == nil:
		return reports, nil
	}
	return &both{reports, r.desk}, nil
}

// both are two desks that look like one.
type both struct {
	gate.Desk // for reports
	lint      *desk.Desk
}

// Takes implements [gate.Desk].
func (b *both) Takes(addr string) bool { return b.lint.Takes(addr) || b.Desk.Takes(addr) }

// Take implements [gate.Desk]. Lint answers where one of its addresses is among the
// recipients: it refuses company.
func (b *both) Take(ctx context.Context, conn *sluice.Conn, env *sluice.Envelope, auth *mailauth.Auth, m *message.Message) (sluice.Reply, error) {
	for _, rc := range env.Rcpts {
		if b.lint.Takes(rc.Address) {
			return b.lint.Take(ctx, conn, env, auth, m)
		}
	}
	return b.Desk.Take(ctx, conn, env, auth, m)
}
