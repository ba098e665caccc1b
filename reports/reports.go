// Package reports speaks with other mail systems about mail. It counts judged
// messages for the domains that ask for DMARC aggregate reports, and sends each
// one report a day (RFC 9990); and it reads the reports that others send to our
// addresses.
//
// Files: reports.go (settings, the observer of the gate), row.go (a message as a
// row), tally.go (counting in batches), daily.go (which domain gets a report, and
// when), destination.go (where it may go), mail.go (the message that carries it),
// inbox.go (reports that come in).
//
// A reporting address is chosen by whoever sends mail, so reports could be made to
// hit others. Only domains whose mail we accept, authenticated, in some number get
// them; only at addresses whose domain agrees; one a day, of limited size; and
// only so many in all.
package reports

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/dns"
	"sluice/gate"
	"sluice/smtp"
)

// Config sets up a Reporter. Without From nothing is counted and sent, without
// Inbox nothing is read.
type Config struct {
	Store    sluice.Reports
	Outbox   sluice.Outbox
	Resolver dns.Resolver
	Hostname string // ours: the submitter of reports

	From    string // address of the author of our reports
	OrgName string // who we are; default Hostname
	Contact string // further words for people who have questions; may be empty
	// Sign makes header fields with a signature of domain for the message raw; nil:
	// reports go out unsigned.
	Sign func(raw []byte, domain string, now time.Time) ([]byte, error)

	MinPassed int           // accepted messages with a DMARC pass in 30 days that make a domain known; default 10
	MaxPerDay int           // reports sent a day; default 500
	MaxRows   int           // of one report; default 5000
	MaxBytes  int           // of one report, compressed; default 1 MB
	Delay     time.Duration // after midnight UTC; default 30 min

	Inbox []string // addresses at which we get reports

	Log *slog.Logger // default: discards
}

func (c *Config) defaults() {
	for _, d := range []struct {
		to  *int
		def int
	}{{&c.MinPassed, 10}, {&c.MaxPerDay, 500}, {&c.MaxRows, 5000}, {&c.MaxBytes, 1 << 20}} {
		if *d.to <= 0 {
			*d.to = d.def
		}
	}
	if c.Delay <= 0 {
		c.Delay = 30 * time.Minute
	}
	if c.OrgName == "" {
		c.OrgName = c.Hostname
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Stats counts since the start.
type Stats struct {
	Counted    uint64 // messages counted for reports
	Dropped    uint64 // messages that should have been: too many kinds, or a store that failed
	Sent       uint64 // reports given to the outbox
	Received   uint64 // reports read
	Unreadable uint64 // messages to the inbox that held none, or a damaged one
	Skipped    uint64 // messages to the inbox that were not looked at: too large, or too many at once
	Panics     uint64
}

// Reporter counts, sends and reads reports. Make it with [New].
type Reporter struct {
	cfg   Config
	tally tally
	inbox *inbox

	counted, dropped, sent, received, unreadable, skipped, panics atomic.Uint64
}

// New checks the configuration. Nothing happens before Run.
func New(cfg Config) (*Reporter, error) {
	cfg.defaults()
	if cfg.Store == nil {
		return nil, errors.New("reports: no store")
	}
	if cfg.From != "" {
		if a, err := smtp.ParseAddress(cfg.From); err != nil || a.Domain == "" || !printable(cfg.From) {
			return nil, fmt.Errorf("reports: from %q: want an address such as dmarc-reports@example.org", cfg.From)
		}
		if cfg.Outbox == nil || cfg.Resolver == nil {
			return nil, errors.New("reports: sending needs an outbox and a resolver")
		}
	}
	r := &Reporter{cfg: cfg, tally: tally{most: maxPending}, inbox: newInbox(cfg.Inbox)}
	return r, nil
}

// printable says that s is ASCII without controls and blanks.
func printable(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f }) < 0
}

// Observe takes note of a judged message and returns at once. It is the gate's
// observer.
func (r *Reporter) Observe(o *gate.Observation) {
	defer r.barrier("while taking note of a message")
	if r.cfg.From != "" {
		if row, ok := rowOf(o); ok {
			r.add(row)
		}
	}
	r.collect(o)
}

// barrier ends a panic that hostile input may cause: it costs a report, never
// mail.
func (r *Reporter) barrier(what string) {
	if p := recover(); p != nil {
		r.panics.Add(1)
		r.cfg.Log.Error("reports: panic "+what, "panic", fmt.Sprint(p))
	}
}

// Run works until ctx ends, then writes what is counted. Messages to the inbox
// that wait then are not read any more.
func (r *Reporter) Run(ctx context.Context) {
	var wg sync.WaitGroup
	if r.cfg.From != "" {
		wg.Go(func() { r.flushes(ctx) })
		wg.Go(func() { r.days(ctx) })
	}
	if len(r.inbox.addresses) > 0 {
		wg.Go(func() { r.read(ctx) })
	}
	wg.Wait()
}

// Stats counts what happened since the start.
func (r *Reporter) Stats() Stats {
	return Stats{Counted: r.counted.Load(), Dropped: r.dropped.Load(), Sent: r.sent.Load(), Received: r.received.Load(),
		Unreadable: r.unreadable.Load(), Skipped: r.skipped.Load(), Panics: r.panics.Load()}
}

// prefix marks our deliveries in the outbox. A gate's ids have no "-".
const prefix = "report-"

// Deliver is the outbox's way out for reports: they go by relay, all else by
// others. It says 4xx as long as there is no relay, so that a report waits for
// its admin instead of being lost.
func Deliver(relay sluice.Deliverer, others func(context.Context, *sluice.Delivery) []sluice.Outcome) func(context.Context, *sluice.Delivery) []sluice.Outcome {
	return func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
		if !strings.HasPrefix(d.ID, prefix) || d.Envelope.From != "" {
			return others(ctx, d)
		}
		if relay != nil {
			return relay.Deliver(ctx, d)
		}
		out := make([]sluice.Outcome, len(d.Envelope.Rcpts))
		for i, rc := range d.Envelope.Rcpts {
			out[i] = sluice.Outcome{Recipient: rc.Address, Reply: sluice.Reply{Code: 451, Enhanced: "4.3.5", Text: "No relay for reports"},
				Err: errors.New("reports: no relay is configured any more")}
		}
		return out
	}
}
