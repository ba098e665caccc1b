package main

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sluice"
	"sluice/store/memory"
	"sluice/subscriber"
	"sluice/subscriber/baseline"
	"sluice/subscriber/cases"
)

// world is one run.
type world struct {
	o     Options
	start time.Time
	now   time.Time

	people []person
	bulk   []int
	sick   []*infection
	nets   []*botnet
	herd   *campaign
	names  *names
	mails  mails
	agenda agenda
	dice   *dice

	warden  *subscriber.Warden
	store   *memory.Store
	tell    *teller
	message subscriber.Message
	ids     int
	err     error

	rounds  []*round
	current map[string]*round // by case
	doubted []doubted
	reports map[subscriber.Counted]int
	killed  int
	sent    int // by people
	kept    int // of them, of innocents
}

// event is something that happens; it says after what time it happens again, below 0:
// never.
type event interface {
	next(ctx context.Context, w *world) time.Duration
}

// agenda are events to come, by time and then in the order in which they were planned.
type agenda struct {
	list []planned
	n    uint64
}

type planned struct {
	at time.Time
	n  uint64
	e  event
}

func (a *agenda) Len() int { return len(a.list) }
func (a *agenda) Less(i, j int) bool {
	x, y := &a.list[i], &a.list[j]
	return x.at.Before(y.at) || x.at.Equal(y.at) && x.n < y.n
}
func (a *agenda) Swap(i, j int) { a.list[i], a.list[j] = a.list[j], a.list[i] }
func (a *agenda) Push(x any)    { a.list = append(a.list, x.(planned)) }
func (a *agenda) Pop() any {
	last := a.list[len(a.list)-1]
	a.list = a.list[:len(a.list)-1]
	return last
}

func (a *agenda) push(at time.Time, e event) {
	a.n++
	heap.Push(a, planned{at, a.n, e})
}

func (w *world) today() int { return int(w.now.Sub(w.start) / day) }

func (w *world) fail(err error) { w.err = errors.Join(w.err, err) }

// Live lives through all of it.
func Live(o Options) (*Figures, error) {
	w := &world{o: o, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), names: newNames(), mails: mails{}, dice: newDice(), store: memory.New(),
		current: map[string]*round{}, reports: map[subscriber.Counted]int{}}
	w.now = w.start
	w.born()
	for i := range w.people {
		if w.people[i].subject.Class == subscriber.Bulk {
			w.bulk = append(w.bulk, i)
		}
	}
	w.infect()
	ctx := context.Background()
	var err error
	if w.tell, err = newTeller(w); err != nil {
		return nil, fmt.Errorf("household: %w", err)
	}
	if err := w.boot(ctx); err != nil {
		return nil, err
	}
	w.planKills()
	w.agenda.push(w.start.Add(time.Minute), ticking{})
	for today := range o.Days {
		w.letters(today)
		w.day(ctx, today)
		if w.err != nil {
			return nil, fmt.Errorf("household: day %d: %w", today, w.err)
		}
	}
	return w.figures(ctx)
}

// boot starts the program anew over what is stored.
func (w *world) boot(ctx context.Context) error {
	var err error
	w.warden, err = subscriber.New(subscriber.Config{
		Key: []byte("a key of the simulation"), Cases: w.store, Memos: w.store, Directory: w, Relayed: w.mails,
		ID: func() string { w.ids++; return fmt.Sprintf("case-%06d", w.ids) },
		// Room for all: what gives way in a full table is left to chance.
		Capacity: max(2*w.o.Subscribers, 4000), Suspects: max(2*w.o.Subscribers, 4000),
		RefreshEvery: 6 * time.Hour, // there is no other node
		Changed:      w.changed,
	})
	if err != nil {
		return fmt.Errorf("household: %w", err)
	}
	if err := w.tell.boot(w.warden); err != nil {
		return err
	}
	return w.warden.Load(ctx, w.now)
}

// planKills chooses when the program is killed: every other day, at any moment. Saves of
// which no kill reads anything are left out, since nothing could tell.
func (w *world) planKills() {
	r := rand.New(rand.NewPCG(w.o.Seed, 9))
	for at := w.start.Add(exponential(r, 2*day)); at.Before(w.start.Add(time.Duration(w.o.Days) * day)); at = at.Add(exponential(r, 2*day)) {
		w.agenda.push(at.Truncate(10*time.Minute), saving{})
		w.agenda.push(at, killing{r.IntN(3)})
	}
}

type saving struct{}

func (saving) next(ctx context.Context, w *world) time.Duration {
	if err := w.warden.Save(ctx, w.now, true); err != nil {
		w.fail(err)
	}
	return -1
}

// killing forgets all that is in memory: now, or at the next notice, after it was
// journaled or after it was sent.
type killing struct{ when int }

func (k killing) next(ctx context.Context, w *world) time.Duration {
	if k.when > 0 {
		w.tell.kill = k.when
		return -1
	}
	w.kill()
	return -1
}

func (w *world) kill() {
	w.killed++
	if err := w.boot(context.Background()); err != nil {
		w.fail(err)
	}
}

// ticking is the minute's work.
type ticking struct{}

func (ticking) next(ctx context.Context, w *world) time.Duration {
	if err := w.warden.Tick(ctx, w.now); err != nil {
		w.fail(err)
	}
	w.tell.run()
	return 5 * time.Minute
}

// day lives one day: what people write, in the order of time, and between it what was
// planned.
func (w *world) day(ctx context.Context, today int) {
	var list []uint64 // second, subscriber and number of the message
	weekday := (today+6)%7 + 1
	for i := range w.people {
		p := &w.people[i]
		rate := p.rate
		if weekday >= 6 && p.subject.Class == subscriber.Business {
			rate *= 0.2
		}
		d := w.dice.at(w.o.Seed, 10, i, today)
		for k := range min(poisson(d.Rand, rate), 255) {
			list = append(list, uint64(p.second(d.Rand))<<40|uint64(i)<<8|uint64(k))
		}
	}
	slices.Sort(list)
	from := w.start.Add(time.Duration(today) * day)
	w.until(ctx, from)
	w.sinkholes(today)
	for _, e := range list {
		at := from.Add(time.Duration(e>>40) * time.Second)
		w.until(ctx, at)
		w.now = at
		w.ordinary(ctx, int(e>>8&0xffffffff), today, int(e&0xff))
		w.sent++
	}
	w.until(ctx, from.Add(day))
}

// until lets happen what is planned up to a time.
func (w *world) until(ctx context.Context, t time.Time) {
	for len(w.agenda.list) > 0 && !w.agenda.list[0].at.After(t) {
		p := heap.Pop(&w.agenda).(planned)
		w.now = p.at
		if after := p.e.next(ctx, w); after >= 0 {
			w.agenda.push(w.now.Add(after), p.e)
		}
	}
	w.now = t
}

// blank is a message to fill in; there is one of it.
func (w *world) blank(program string, client netip.Addr) *subscriber.Message {
	w.message = subscriber.Message{Recipients: w.message.Recipients[:0], Program: program, Client: client}
	return &w.message
}

// send logs in and sends, as each connection does. It says whether the message left.
func (w *world) send(ctx context.Context, i int, country string, m *subscriber.Message, abuse bool) (left bool) {
	p := &w.people[i]
	w.decided(i, w.warden.Login(ctx, w.now, &p.subject, baseline.Login{Client: m.Client, Country: country}), abuse)
	d := w.warden.Judge(ctx, w.now, &p.subject, m)
	w.decided(i, d, abuse)
	if d.Restrict != sluice.RestrictNone && !abuse && p.sick == nil {
		w.kept++
	}
	return d.Restrict == sluice.RestrictNone
}

// decided notes what is known of somebody who sends abuse.
func (w *world) decided(i int, d subscriber.Decision, abuse bool) {
	if x := w.people[i].sick; abuse && x != nil && d.Case != "" && x.opened.IsZero() {
		x.opened = w.now
	}
}

// ill says whether somebody's device or account is abused at the moment.
func (w *world) ill(i int) bool {
	x := w.people[i].sick
	return x != nil && !x.began.IsZero() && !x.over
}

func (w *world) whose(c *sluice.Case) int {
	i, _ := strconv.Atoi(c.Subject[len("account:user"):])
	return i
}

// doubted is an innocent with a case.
type doubted struct {
	who  int
	at   time.Time
	held bool
	id   string
	why  string
	seen []sluice.CaseSignal
}

func (w *world) doubt(i int, c *sluice.Case, held bool) {
	w.doubted = append(w.doubted, doubted{who: i, at: w.now, id: c.ID, why: w.why(i), held: held, seen: slices.Clone(c.Signals)})
}

// changed watches the cases.
func (w *world) changed(c *sluice.Case, what cases.What) {
	i := w.whose(c)
	switch what {
	case cases.Opened, cases.Reopened:
		if !w.ill(i) {
			w.doubt(i, c, false)
		}
	case cases.Held, cases.Recurred:
		if !w.ill(i) {
			w.suspect(i, c)
		}
		w.begin(i, c)
	case cases.Noticed:
		w.noticed(i, c)
	case cases.Escalated:
		w.agenda.push(w.now.Add(lognormal(w.luck(i), day, 0.5)), calling{c.ID, i})
	}
}

// suspect notes that an innocent's mail is restricted.
func (w *world) suspect(i int, c *sluice.Case) {
	for k := len(w.doubted) - 1; k >= 0; k-- {
		if d := &w.doubted[k]; d.id == c.ID && !d.held {
			d.held = true
			return
		}
	}
	w.doubt(i, c, true)
}

// why says what an innocent did who is suspected.
func (w *world) why(i int) string {
	p := &w.people[i]
	switch {
	case p.sick != nil && p.sick.over:
		return "was cured"
	case p.sick != nil:
		return "not ill yet"
	case p.subject.Class == subscriber.Bulk:
		return "newsletter"
	case !p.peak.IsZero() && w.now.Sub(p.peak) < day:
		return "letter to many"
	case p.shop:
		return "shop"
	}
	return "ordinary"
}

// luck is of what somebody does once told, one generator each time.
func (w *world) luck(i int) *rand.Rand {
	p := &w.people[i]
	p.asked++
	return rand.New(rand.NewPCG(w.o.Seed^uint64(i)<<8, uint64(13<<32+p.asked)))
}
