package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/subscriber"
	"sluice/subscriber/cases"
	"sluice/subscriber/notice"
	"sluice/subscriber/notice/ticket"
	"sluice/subscriber/notice/words"
)

// round is one time that a subscriber has to be told.
type round struct {
	who     int
	id      string
	held    time.Time
	ill     bool
	reached bool // there is a channel that works, and that may be used
	told    time.Time
	byAdmin bool // told by an admin's call
	first   bool // of the infection
}

func (w *world) begin(i int, c *sluice.Case) {
	x := &round{who: i, id: c.ID, held: w.now, ill: w.ill(i)}
	p := &w.people[i]
	// Of a stolen account the thief reads the mailbox too: nobody is told there.
	x.reached = p.subject.Second() || !p.dead && c.Kind != sluice.CaseStolen
	if s := p.sick; s != nil && x.ill && !slices.ContainsFunc(w.rounds, func(o *round) bool { return o.who == i && o.ill }) {
		x.first = true
	}
	w.rounds = append(w.rounds, x)
	w.current[c.ID] = x
}

// noticed sees whether the subscriber can know now, and lets it answer.
func (w *world) noticed(i int, c *sluice.Case) {
	x := w.current[c.ID]
	if x == nil || !x.told.IsZero() || c.Notified.IsZero() || c.Notified.Before(x.held) {
		return
	}
	x.told = c.Notified
	r := w.luck(i)
	switch {
	case !x.ill: // the help desk hears of it
		w.agenda.push(w.now.Add(lognormal(r, 4*time.Hour, 0.8)), complaining{c.ID})
	case r.Float64() < answers:
		w.agenda.push(w.now.Add(lognormal(r, 10*time.Hour, 1.2)), answering{c.ID, i, r})
	}
}

// complaining is an innocent who calls: an admin looks and finds nothing.
type complaining struct{ id string }

func (e complaining) next(ctx context.Context, w *world) time.Duration {
	if _, err := w.warden.FalseAlarm(ctx, w.now, e.id, "admin", "looked at the mail"); err != nil && !errors.Is(err, cases.ErrState) {
		w.fail(err)
	}
	return -1
}

// answering is a subscriber who does what the page says.
type answering struct {
	id string
	i  int
	r  *rand.Rand
}

func (e answering) next(ctx context.Context, w *world) time.Duration {
	x, p := w.people[e.i].sick, &w.people[e.i]
	clean := cleansFirst
	means := cases.MailedLink
	if p.subject.Second() {
		means = cases.Second
	}
	if x.family == stolen || x.family == snowshoe {
		means, clean = cases.Credential, 0.95 // a new password shuts the thief out
	}
	_, err := w.warden.Confirm(ctx, w.now, e.id, means)
	switch {
	case errors.Is(err, cases.ErrSecond), errors.Is(err, cases.ErrOnce):
		w.agenda.push(w.now.Add(lognormal(e.r, 8*time.Hour, 0.7)), calling{e.id, e.i})
		return -1
	case errors.Is(err, cases.ErrState):
		return -1
	case err != nil:
		w.fail(err)
	}
	x.heal(w, clean, e.r)
	return -1
}

// heal ends the abuse, with some luck.
func (x *infection) heal(w *world, chance float64, r *rand.Rand) {
	if !x.over && r.Float64() < chance {
		x.over, x.cleaned = true, w.now
	}
}

// calling is an admin who reaches the subscriber, by telephone or letter, and helps.
type calling struct {
	id string
	i  int
}

func (e calling) next(ctx context.Context, w *world) time.Duration {
	r := w.luck(e.i)
	c, err := w.warden.Case(ctx, e.id)
	if err != nil || c.State != sluice.CaseHeld && c.State != sluice.CaseNotified {
		return -1
	}
	if c.Notified.IsZero() {
		if x := w.current[e.id]; x != nil {
			x.byAdmin = true
		}
		n := sluice.CaseNotice{ID: fmt.Sprintf("%s-call-%d", e.id, len(c.Notices)), Channel: "admin"}
		if _, err := w.warden.Try(ctx, w.now, e.id, n); err != nil {
			return time.Hour
		}
		if _, err := w.warden.Proof(ctx, w.now, e.id, n.ID, sluice.ProofAcknowledged, "called"); err != nil {
			w.fail(err)
		}
	}
	if !w.ill(e.i) && w.people[e.i].sick == nil {
		return complaining{e.id}.next(ctx, w)
	}
	if _, err := w.warden.Remedy(ctx, w.now, e.id, "admin", "called, helped"); err != nil && !errors.Is(err, cases.ErrState) {
		w.fail(err)
	}
	if x := w.people[e.i].sick; x != nil {
		x.heal(w, cleansAdmin, r)
	}
	return -1
}

// teller is the real notifier over channels of the simulation.
type teller struct {
	w        *world
	notifier *notice.Notifier
	route    func(context.Context, *sluice.Delivery) []sluice.Outcome
	words    *words.Words
	tickets  *ticket.Sealer

	ctx  context.Context // of the process
	stop context.CancelFunc
	kill int // 1: before a notice goes out; 2: after, and before anybody hears of it

	mu      sync.Mutex
	taken   []taken
	arrived map[string]int // notices by their name, at the receivers
	down    map[string]time.Time
}

// taken is a notice that a channel has.
type taken struct {
	name, channel string
	mail          *sluice.Delivery
}

// zeros make tickets that nobody opens.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func newTeller(w *world) (*teller, error) {
	t := &teller{w: w, arrived: map[string]int{}, down: map[string]time.Time{}}
	// Each channel is away for a day once.
	r := rand.New(rand.NewPCG(w.o.Seed, 11))
	for _, c := range []string{notice.ByMail, notice.BySMS} {
		t.down[c] = w.start.Add(time.Duration((0.1 + 0.7*r.Float64()) * float64(time.Duration(w.o.Days)*day)))
	}
	var err error
	if t.words, err = words.New("", "en"); err != nil {
		return nil, err
	}
	t.tickets, err = ticket.New(ticket.Config{Keys: [][]byte{make([]byte, 32)}, Rand: zeros{}})
	return t, err
}

// boot starts a process's notifier.
func (t *teller) boot(warden *subscriber.Warden) (err error) {
	if t.stop != nil {
		t.stop()
	}
	t.kill = 0
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.notifier, err = notice.New(notice.Config{Warden: warden, Directory: t.w, Words: t.words, Tickets: t.tickets, Page: "https://self.isp.example/",
		Clock: func() time.Time { return t.w.now },
		Mail: &notice.Mail{Outbox: t, From: "abuse@isp.example", Hostname: "mx.isp.example",
			Final: func(addr string) bool { return !t.silent(addr) }}, // our own mailboxes
		SMS: &notice.Service{URL: "https://sms.example/send", Transport: t}})
	if err != nil {
		return fmt.Errorf("household: %w", err)
	}
	t.route = t.notifier.Route(t.deliver, nil, func(string) bool { return true })
	return nil
}

// run looks who has to be told.
func (t *teller) run() {
	if t.kill > 0 && !t.alone() {
		kill := t.kill
		t.kill = 0
		defer func() { t.kill = kill }()
	}
	t.notifier.Step(t.ctx, t.w.now)
	// Workers hand them over in any order.
	slices.SortFunc(t.taken, func(a, b taken) int { return strings.Compare(a.name, b.name) })
	for _, n := range t.taken {
		t.carry(n)
	}
	t.taken = t.taken[:0]
	if t.ctx.Err() != nil {
		t.w.kill()
	}
}

// alone says whether at most one subscriber can be told now, so that a kill in the middle
// leaves nothing to the order of workers.
func (t *teller) alone() bool {
	n := 0
	for _, c := range t.w.warden.Untold(1000) {
		if p := &t.w.people[t.w.whose(c)]; c.Kind != sluice.CaseStolen || p.subject.Second() {
			n++
		}
	}
	return n <= 1
}

// take gets a notice from the notifier.
func (t *teller) take(n taken) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kill != 1 {
		t.taken = append(t.taken, n)
	}
	if t.kill > 0 {
		t.stop()
		return t.ctx.Err()
	}
	return nil
}

func (t *teller) away(channel string) bool {
	d := t.w.now.Sub(t.down[channel])
	return d >= 0 && d < day
}

// Put takes mail; the outbox is on disk, and outlives a kill.
func (t *teller) Put(_ context.Context, d *sluice.Delivery) error {
	name := strings.TrimPrefix(d.ID, "notice-")
	return t.take(taken{name, notice.ByMail, d})
}

// RoundTrip takes an SMS.
func (t *teller) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	_ = req.Body.Close()
	if t.away(notice.BySMS) {
		return nil, errors.New("connection refused")
	}
	if err := t.take(taken{strings.TrimSuffix(req.Header.Get("Idempotency-Key"), ".on"), notice.BySMS, nil}); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Body: http.NoBody, Request: req}, nil
}

// carry brings a notice to its receiver.
func (t *teller) carry(n taken) {
	t.arrived[n.name]++
	if n.mail != nil {
		t.w.agenda.push(t.w.now.Add(time.Second), posting{n.mail})
		return
	}
	r := t.w.dice.at(t.w.o.Seed, 12, int(hashOf(n.name))).Rand
	after := exponential(r, time.Minute)
	if r.Float64() < 0.1 { // the telephone is off
		after = exponential(r, 8*time.Hour)
	}
	t.w.agenda.push(t.w.now.Add(after), receipt{n.name})
}

// posting is the outbox's work with one notice.
type posting struct{ mail *sluice.Delivery }

func (e posting) next(ctx context.Context, w *world) time.Duration {
	if out := w.tell.route(ctx, e.mail); !out[0].Delivered() && !out[0].Reply.Permanent() {
		return 30 * time.Minute
	}
	return -1
}

// deliver is the mailboxes' server.
func (t *teller) deliver(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
	to := d.Envelope.Rcpts[0].Address
	reply := sluice.Reply{Code: 250, Text: "stored"}
	switch i, _ := t.w.index(strings.TrimSuffix(to, "@isp.example")); {
	case t.away(notice.ByMail):
		reply = sluice.Reply{Code: 451, Text: "not now"}
	case t.w.people[i].dead && !t.silent(to):
		reply = sluice.Reply{Code: 552, Text: "mailbox full"}
	}
	return []sluice.Outcome{{Recipient: to, Reply: reply}}
}

// silent says whether a dead mailbox takes mail that nobody will see, as half of them do:
// what is forwarded to an address that is gone.
func (t *teller) silent(addr string) bool {
	i, ok := t.w.index(strings.TrimSuffix(addr, "@isp.example"))
	return ok && t.w.people[i].dead && i%2 == 0
}

// receipt is an SMS gateway's.
type receipt struct{ name string }

func (e receipt) next(ctx context.Context, w *world) time.Duration {
	if err := w.tell.notifier.ReceiptOf(ctx, w.now, e.name, "DELIVRD", ""); err != nil {
		w.fail(err)
	}
	return -1
}

func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h >> 1
}
