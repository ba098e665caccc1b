package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"sluice"
	"sluice/subscriber"
	"sluice/subscriber/cases"
)

// round is one time that a subscriber has to be told.
type round struct {
	who     int
	id      string
	held    time.Time
	ill     bool
	reached bool // there is a channel that works
	safe    bool // … which a thief of the account doesn't read
	told    time.Time
	byAdmin bool // told by an admin's call
	first   bool // of the infection
	stolen  bool
}

func (w *world) begin(i int, c *sluice.Case) {
	x := &round{who: i, id: c.ID, held: w.now, ill: w.ill(i)}
	p := &w.people[i]
	x.safe = p.subject.Second()
	x.reached = x.safe || !p.dead
	x.stolen = c.Kind == sluice.CaseStolen
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

// teller stands in for the notice room: it keeps nothing but what runs, so that after a
// kill the case's own journal says how to go on.
type teller struct {
	w       *world
	kill    int // 1: after the next try is journaled; 2: after it is sent
	flying  map[string]bool
	arrived map[string]int // notices by their ID, at the receivers: outlives a kill
	down    map[string]time.Time
}

func newTeller(w *world) *teller {
	t := &teller{w: w, arrived: map[string]int{}, down: map[string]time.Time{}}
	// Each channel is away for a day once.
	r := rand.New(rand.NewPCG(w.o.Seed, 11))
	for _, c := range []string{"mail", "sms"} {
		t.down[c] = w.start.Add(time.Duration((0.1 + 0.7*r.Float64()) * float64(time.Duration(w.o.Days)*day)))
	}
	t.forget()
	return t
}

func (t *teller) forget() { t.flying, t.kill = map[string]bool{}, 0 }

// run looks who has to be told.
func (t *teller) run(ctx context.Context) {
	for _, c := range t.w.warden.Untold(1000) {
		if !t.one(ctx, c) {
			return
		}
	}
}

// one tries to tell one subscriber; false: the program was killed.
func (t *teller) one(ctx context.Context, c *sluice.Case) bool {
	w := t.w
	p := &w.people[w.whose(c)]
	if w.warden.Quiet(w.now, c, p.subject.Zone) {
		return true
	}
	list := p.usable(c.Kind)
	tries := 0
	last := time.Time{}
	for _, n := range c.Notices {
		if n.Tried.Before(c.Held) || n.Channel == "admin" {
			continue
		}
		tries++
		last = n.Tried
		switch nothing := n.Accepted.IsZero() && n.Failed.IsZero(); {
		case nothing && !t.flying[n.ID]: // from before a kill: nobody knows whether it went out
			t.send(n.ID, n.Channel, c.ID, p, false)
			return true
		case n.Failed.IsZero() && w.now.Sub(n.Tried) < 30*time.Minute:
			return true // wait
		}
	}
	if rounds := tries / len(list); rounds > 0 && w.now.Sub(last) < time.Hour<<min(rounds-1, 3) {
		return true
	}
	k := list[tries%len(list)]
	n := sluice.CaseNotice{ID: fmt.Sprintf("%s-%d-%d", c.ID, c.Held.Unix(), tries), Channel: k.Channel, Address: k.Address}
	if _, err := w.warden.Try(ctx, w.now, c.ID, n); err != nil {
		if !errors.Is(err, subscriber.ErrLater) {
			w.fail(err)
		}
		return true
	}
	kill := t.kill
	if kill != 1 {
		t.send(n.ID, k.Channel, c.ID, p, kill == 2)
	}
	if kill != 0 {
		w.kill(ctx)
		return false
	}
	return true
}

// usable are the contacts in the order in which they are tried: of a stolen account the
// own mailbox last, since the thief reads it too. What is told there can't be used to
// release anything.
func (p *person) usable(kind sluice.CaseKind) []subscriber.Contact {
	list := slices.Clone(p.subject.Contacts)
	if kind == sluice.CaseStolen {
		slices.SortStableFunc(list, func(a, b subscriber.Contact) int {
			switch {
			case a.Same == b.Same:
				return 0
			case a.Same:
				return 1
			}
			return -1
		})
	}
	return list
}

// send hands a notice to a channel of the simulation. cut says that the program is killed
// before it hears the answer.
func (t *teller) send(id, channel, of string, p *person, cut bool) {
	w := t.w
	t.flying[id] = true
	r := w.dice.at(w.o.Seed, 12, int(hashOf(id)), int(hashOf(channel))).Rand
	later := func(after time.Duration, level sluice.ProofLevel) {
		w.agenda.push(w.now.Add(after), proof{of, id, level})
	}
	down := t.down[channel]
	if d := w.now.Sub(down); d >= 0 && d < day {
		later(0, sluice.ProofFailed)
		return
	}
	t.arrived[id]++
	if !cut {
		later(time.Second, sluice.ProofAccepted)
	}
	switch {
	case channel == "mail" && cut && !p.dead:
	case channel == "mail" && p.dead && r.Float64() < 0.5:
		later(exponential(r, 20*time.Minute), sluice.ProofFailed)
	case channel == "mail" && p.dead: // nothing is ever heard of it
	case channel == "mail":
		later(2*time.Second, sluice.ProofDelivered) // our own mailboxes
		if r.Float64() < 0.5 {
			later(exponential(r, 8*time.Hour), sluice.ProofOpened)
		}
	case r.Float64() < 0.9:
		later(exponential(r, time.Minute), sluice.ProofDelivered)
	default: // the telephone is off
		later(exponential(r, 8*time.Hour), sluice.ProofDelivered)
	}
}

// proof is what a channel says.
type proof struct {
	of, id string
	level  sluice.ProofLevel
}

func (e proof) next(ctx context.Context, w *world) time.Duration {
	if _, err := w.warden.Proof(ctx, w.now, e.of, e.id, e.level, ""); err != nil {
		w.fail(fmt.Errorf("proof of %s: %w", e.id, err))
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
