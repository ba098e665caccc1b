// Package notice tells our own users what their devices or accounts do: over e-mail, SMS,
// a webhook and a captive portal, until one of them has proof that it arrived.
//
// All that it remembers is in the case: a try is journalled there before anything is sent
// and what came of it afterwards. So a process that is killed goes on where it was: a try
// without an end is sent once more, under the same name (Message-ID, Idempotency-Key).
//
// What counts as proof, by channel:
//
//	channel  accepted               delivered                                failed
//	mail     the next hop's 250     the same where that hop holds the        a 5xx, or a DSN of
//	                                mailboxes (Mail.Final), or a DSN         failure
//	                                that says "delivered" (RFC 3464)
//	sms      the gateway's 2xx      its receipt (Receipt)                    other answers, its receipt
//	webhook  the service's 2xx      the same with {"status":"delivered"},    other answers, its receipt
//	                                or its receipt
//	captive  the network's 2xx      never: only the page's POST is proof     other answers
//
// On each channel "opened" is the page's GET, which proves nothing since scanners open
// links, and "acknowledged" its POST.
//
// A stolen account is told only by contacts that its thief doesn't read.
package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/subscriber"
	"sluice/subscriber/cases"
	"sluice/subscriber/notice/ticket"
	"sluice/subscriber/notice/words"
)

// The channels. A subscriber's contacts name the first three.
const (
	ByMail    = "mail"
	BySMS     = "sms"
	ByWebhook = "webhook"
	ByCaptive = "captive"
)

// Config sets up a Notifier. Warden, Words, Tickets and Page are needed; channels that are
// nil aren't used.
type Config struct {
	Warden    *subscriber.Warden
	Directory subscriber.Directory // nil: an account that is an address is told at it
	Words     *words.Words
	Tickets   *ticket.Sealer
	// Page is the address before a ticket: "https://mx.example.com/self/".
	Page string
	Site string // who we are, in notices
	Help string // whom to ask: an address, a telephone number

	Mail    *Mail
	SMS     *Service
	Webhook *Service
	Captive *Service

	// Wait is how long a channel's proof is waited for before the next contact is tried;
	// defaults: mail 2 h, sms 30 min, webhook 10 min, captive 1 h.
	Wait map[string]time.Duration
	// Again is the pause before a contact that failed is tried again, doubled each time up
	// to 6 h; default 15 min. Remind is the pause where a try was accepted without proof;
	// default 24 h.
	Again, Remind time.Duration
	// Grace is how old a try of another process must be before it counts as forgotten;
	// default 2 min.
	Grace time.Duration

	Every time.Duration // between looks; default 1 min
	Clock func() time.Time
	Log   *slog.Logger // default: discards
}

// Notifier tells. It is safe for concurrent use.
type Notifier struct {
	cfg  Config
	wake chan struct{}

	steps sync.Mutex // one Step at a time
	begun map[string]bool
	mute  map[string]bool // cases that nobody can be told of, said once

	mu      sync.Mutex
	pending []proof  // that the store didn't take
	free    []string // cases whose captive portal is to be lifted
	stats   Stats
}

// Stats count since the start.
type Stats struct {
	Tried, Delivered, Failed uint64
	Later                    uint64 // by a limit
	Mute                     int    // live cases without a contact that may be used
	Pending                  int    // proofs that the store didn't take yet
}

type proof struct {
	id, try string
	level   sluice.ProofLevel
	detail  string
}

// mostPending bounds what waits for the store.
const mostPending = 10_000

// New checks the configuration. Nothing is sent before Run or Step.
func New(cfg Config) (*Notifier, error) {
	if cfg.Warden == nil || cfg.Words == nil || cfg.Tickets == nil || cfg.Page == "" {
		return nil, errors.New("notice: the configuration lacks something")
	}
	for _, f := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&cfg.Again, 15 * time.Minute}, {&cfg.Remind, 24 * time.Hour}, {&cfg.Grace, 2 * time.Minute}, {&cfg.Every, time.Minute}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
	wait := map[string]time.Duration{ByMail: 2 * time.Hour, BySMS: 30 * time.Minute, ByWebhook: 10 * time.Minute, ByCaptive: time.Hour}
	for k, d := range cfg.Wait {
		if _, ok := wait[k]; !ok {
			return nil, fmt.Errorf("notice: no channel %q", k)
		}
		if d > 0 {
			wait[k] = d
		}
	}
	cfg.Wait = wait
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Mail != nil {
		if err := cfg.Mail.check(); err != nil {
			return nil, err
		}
	}
	for channel, s := range map[string]*Service{BySMS: cfg.SMS, ByWebhook: cfg.Webhook, ByCaptive: cfg.Captive} {
		if s != nil {
			if err := s.check(); err != nil {
				return nil, fmt.Errorf("notice: %s: %w", channel, err)
			}
		}
	}
	return &Notifier{cfg: cfg, wake: make(chan struct{}, 1), begun: map[string]bool{}, mute: map[string]bool{}}, nil
}

// Run tells whoever is to be told until ctx ends.
func (n *Notifier) Run(ctx context.Context) {
	tick := time.NewTicker(n.cfg.Every)
	defer tick.Stop()
	for {
		n.Step(ctx, n.cfg.Clock())
		select {
		case <-tick.C:
		case <-n.wake:
		case <-ctx.Done():
			return
		}
	}
}

// Changed looks at once where somebody has to be told, and lifts a captive portal where
// nobody is restricted any more. It is [subscriber.Config.Changed].
func (n *Notifier) Changed(c *sluice.Case, what cases.What) {
	if n == nil {
		return
	}
	switch what {
	case cases.Held, cases.Recurred:
	case cases.Watching, cases.FalseAlarm, cases.ClosedBy, cases.Clean, cases.Merged:
		if n.cfg.Captive == nil || !captured(c) {
			return
		}
		n.mu.Lock()
		n.free = append(n.free, c.ID)
		n.mu.Unlock()
	default:
		return
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Stats counts.
func (n *Notifier) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	s.Pending = len(n.pending)
	return s
}

const (
	// mostCases is how many cases one step looks at.
	mostCases = 5000
	workers   = 8 // services that are slow must not hold up everybody
)

// Step tells whoever is to be told at now. A simulator calls it; the daemon, Run.
func (n *Notifier) Step(ctx context.Context, now time.Time) {
	n.steps.Lock()
	defer n.steps.Unlock()
	n.flush(ctx, now)
	n.lift(ctx)
	list := n.cfg.Warden.Untold(mostCases)
	begun, mute := map[string]bool{}, map[string]bool{}
	jobs := make(chan *job)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for j := range jobs {
				n.tell(ctx, now, j)
			}
		})
	}
	for _, c := range list {
		for _, t := range c.Notices {
			if key := c.ID + "." + t.ID; n.begun[key] {
				begun[key] = true
			}
		}
		if ctx.Err() != nil {
			continue
		}
		s, ok := n.subject(ctx, c)
		if !ok {
			continue // the directory is in trouble: who is told later is told by the right way
		}
		contacts := n.usable(c, s.Contacts, now)
		if len(contacts) == 0 {
			mute[c.ID] = true
			if !n.mute[c.ID] {
				n.cfg.Log.Warn("a user can't be told of its case: no contact that may be used; somebody has to call", "case", c.ID, "subject", c.Subject, "kind", string(c.Kind))
			}
			continue
		}
		next, ok := n.next(c, contacts, now)
		if !ok || n.cfg.Warden.Quiet(now, c, s.Zone) {
			continue
		}
		begun[c.ID+"."+next.id] = true
		jobs <- &job{c, s, next}
	}
	close(jobs)
	wg.Wait()
	n.begun, n.mute = begun, mute
	n.mu.Lock()
	n.stats.Mute = len(mute)
	n.mu.Unlock()
}

// subject is who is told; false where that can't be found out now.
func (n *Notifier) subject(ctx context.Context, c *sluice.Case) (subscriber.Subject, bool) {
	s := subscriber.Subject{Key: c.Subject, Tenant: c.Tenant}
	if n.cfg.Directory != nil {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		known, ok, err := n.cfg.Directory.Subject(ctx, c.Subject)
		if err != nil {
			n.cfg.Log.Warn("the directory of our users can't say how a user is reached; it is tried again", "case", c.ID, "error", err)
			return s, false
		}
		if ok {
			s = known
		}
	}
	if s.Account == "" {
		s.Account, _ = strings.CutPrefix(c.Subject, "account:")
		if s.Account == c.Subject {
			s.Account = ""
		}
	}
	if len(s.Contacts) == 0 && strings.Contains(s.Account, "@") {
		s.Contacts = []subscriber.Contact{{Channel: ByMail, Address: s.Account, Same: true}}
	}
	return s, true
}

// job is one notice to be sent.
type job struct {
	c    *sluice.Case
	s    subscriber.Subject
	next step
}

// tell journals a try, sends it, and writes down what came of it.
func (n *Notifier) tell(ctx context.Context, now time.Time, j *job) {
	id, k := j.c.ID, j.next.contact
	if !j.next.again {
		c, err := n.cfg.Warden.Try(ctx, now, id, sluice.CaseNotice{ID: j.next.id, Channel: k.Channel, Address: k.Address})
		switch {
		case errors.Is(err, subscriber.ErrLater):
			n.count(func(s *Stats) { s.Later++ })
			return
		case err != nil:
			if ctx.Err() == nil {
				n.cfg.Log.Error("a notice isn't sent: it can't be journalled", "case", id, "error", err)
			}
			return
		}
		j.c = c
	}
	n.count(func(s *Stats) { s.Tried++ })
	level, detail, err := n.send(ctx, now, j)
	if err != nil {
		if ctx.Err() != nil {
			return // stopped: the next process finds the try without an end
		}
		n.cfg.Log.Warn("a notice wasn't taken", "case", id, "notice", j.next.id, "channel", k.Channel, "error", err)
		n.prove(ctx, now, proof{id, j.next.id, sluice.ProofFailed, err.Error()})
		return
	}
	n.cfg.Log.Info("a notice is on its way", "case", id, "notice", j.next.id, "channel", k.Channel)
	if level == "" {
		return // mail in the outbox: see Route
	}
	n.prove(ctx, now, proof{id, j.next.id, sluice.ProofAccepted, detail})
	if level == sluice.ProofDelivered {
		n.prove(ctx, now, proof{id, j.next.id, level, ""})
	}
}

// send hands a notice to its channel, which says how far it came: "" for not yet known.
func (n *Notifier) send(ctx context.Context, now time.Time, j *job) (sluice.ProofLevel, string, error) {
	m, err := n.compose(j.c, &j.s, j.next, now)
	if err != nil {
		return "", "", err
	}
	switch j.next.contact.Channel {
	case ByMail:
		return "", "", n.cfg.Mail.send(ctx, now, m)
	case BySMS:
		return n.cfg.SMS.send(ctx, m)
	case ByWebhook:
		return n.cfg.Webhook.send(ctx, m)
	default:
		_, detail, err := n.cfg.Captive.send(ctx, m)
		return sluice.ProofAccepted, detail, err // the page alone proves that somebody looked
	}
}

// prove writes down what came of a try; what the store doesn't take waits.
func (n *Notifier) prove(ctx context.Context, now time.Time, p proof) {
	_, err := n.cfg.Warden.Proof(context.WithoutCancel(ctx), now, p.id, p.try, p.level, p.detail)
	switch {
	case err == nil:
		switch p.level {
		case sluice.ProofDelivered, sluice.ProofAcknowledged:
			n.count(func(s *Stats) { s.Delivered++ })
		case sluice.ProofFailed:
			n.count(func(s *Stats) { s.Failed++ })
		}
	case errors.Is(err, cases.ErrNoSuchOne), errors.Is(err, cases.ErrState), errors.Is(err, sluice.ErrNotFound):
		n.cfg.Log.Debug("what came of a notice is of no case any more", "case", p.id, "notice", p.try)
	default:
		n.cfg.Log.Error("what came of a notice can't be written; it is tried again", "case", p.id, "notice", p.try, "error", err)
		n.mu.Lock()
		if len(n.pending) < mostPending {
			n.pending = append(n.pending, p)
		}
		n.mu.Unlock()
	}
}

func (n *Notifier) flush(ctx context.Context, now time.Time) {
	n.mu.Lock()
	list := n.pending
	n.pending = nil
	n.mu.Unlock()
	for _, p := range list {
		n.prove(ctx, now, p)
	}
}

func (n *Notifier) count(f func(*Stats)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.stats)
}
