package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/subscriber"
)

// person is one subscriber.
type person struct {
	subject  subscriber.Subject
	rate     float64  // messages a day
	contacts int      // people it writes to
	programs [3]uint8 // the third from the day switches on
	switches int      // the day of a new telephone or computer, -1: none
	home     netip.Addr
	mobile   float64 // share sent from a carrier's shared addresses
	vpn      bool
	shop     bool
	owl      int // hours by which the day is shifted
	dead     bool
	sick     *infection
	peak     time.Time // of its last letter to many
	asked    int       // how often it was asked to do something
}

// dice are a generator that can be set to any point of the simulation, so that what one
// subscriber does never depends on what became of another.
type dice struct {
	pcg rand.PCG
	*rand.Rand
}

func newDice() *dice {
	d := &dice{}
	d.Rand = rand.New(&d.pcg)
	return d
}

func (d *dice) at(seed uint64, what ...int) *dice {
	a, b := seed, uint64(0x9e3779b97f4a7c15)
	for _, w := range what {
		a = mix(a ^ uint64(w))
		b = mix(b + a)
	}
	d.pcg.Seed(a, b)
	return d
}

func mix(h uint64) uint64 {
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	return h ^ h>>31
}

func poisson(r *rand.Rand, mean float64) int {
	if mean > 30 {
		return max(int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())), 0)
	}
	limit, p, n := math.Exp(-mean), 1.0, -1
	for p > limit {
		p *= r.Float64()
		n++
	}
	return n
}

func exponential(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(mean))
}

// lognormal has the given median.
func lognormal(r *rand.Rand, median time.Duration, sigma float64) time.Duration {
	return time.Duration(float64(median) * math.Exp(sigma*r.NormFloat64()))
}

// diurnal is how much is written in each hour of the day.
var diurnal = func() (sum [24]float64) {
	weights := [24]float64{2, 1, 0.5, 0.3, 0.3, 0.6, 2, 4, 7, 9, 9, 8, 7, 7, 8, 8, 7, 7, 7, 7, 7, 7, 5, 3}
	all := 0.0
	for i, w := range weights {
		all += w
		sum[i] = all
	}
	for i := range sum {
		sum[i] /= all
	}
	return sum
}()

func (p *person) second(r *rand.Rand) int {
	h, _ := slices.BinarySearch(diurnal[:], r.Float64())
	return ((min(h, 23)+24+p.owl)%24)*3600 + r.IntN(3600)
}

var zone = time.FixedZone("CET", 3600)

// born makes the subscribers.
func (w *world) born() {
	w.people = make([]person, w.o.Subscribers)
	office, left := netip.Addr{}, 0
	for i := range w.people {
		p, r := &w.people[i], w.dice.at(w.o.Seed, 1, i)
		account := "user" + strconv.Itoa(i)
		p.subject = subscriber.Subject{Key: "account:" + account, Account: account, Class: subscriber.Person, Zone: zone}
		switch u := r.Float64(); {
		case u < 0.45:
			p.rate = 0.3
		case u < 0.80:
			p.rate = 1.5
		case u < 0.97:
			p.rate = 6
		default:
			p.rate, p.subject.Class = 30, subscriber.Business
		}
		p.rate *= math.Exp(0.4*r.NormFloat64() - 0.08)
		p.contacts = 3 + int(6*math.Sqrt(p.rate)*r.ExpFloat64()) + int(2*p.rate)
		p.programs = [3]uint8{uint8(r.IntN(60)), uint8(r.IntN(60)), uint8(r.IntN(60))}
		if r.Float64() < 0.4 {
			p.programs[1] = p.programs[0]
		}
		p.switches = -1
		if d := int(r.ExpFloat64() * 200); d < w.o.Days { // twice a year
			p.switches = d
		}
		if left == 0 && r.Float64() < 0.005 { // an office shares an address
			office, left = address(1<<24+i), 4+r.IntN(36)
		}
		p.home = address(i)
		if left > 0 {
			p.home, left = office, left-1
		}
		if r.Float64() < 0.5 {
			p.mobile = 0.5 * r.Float64()
		}
		p.vpn, p.shop = r.Float64() < 0.02, r.Float64() < 0.03
		p.owl = r.IntN(5) - 2
		p.dead = r.Float64() < deadMailbox
		p.subject.Contacts = []subscriber.Contact{{Channel: "mail", Address: account + "@isp.example", Same: true}}
		if r.Float64() >= noSecond {
			p.subject.Contacts = append(p.subject.Contacts, subscriber.Contact{Channel: "sms", Address: "+4930" + strconv.Itoa(1_000_000+i)})
		}
		if r.Float64() < 0.001 {
			p.subject.Class, p.rate = subscriber.Bulk, 1
		}
	}
}

// address is one of the operator's customers'.
func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(20 + i>>24), byte(i >> 16), byte(i >> 8), byte(i)})
}

// place is where one message comes from.
func (w *world) place(p *person, i, today int, r *rand.Rand) (netip.Addr, string) {
	if trip := mix(w.o.Seed ^ uint64(i)<<20 ^ uint64(today/7)); trip%100 < 2 { // a week abroad once a year
		n := int(trip >> 8)
		return netip.AddrFrom4([4]byte{150, byte(n), byte(n >> 8), byte(1 + r.IntN(2))}), countries[n%len(countries)]
	}
	if p.vpn && r.Float64() < 0.2 {
		n := r.IntN(5)
		return netip.AddrFrom4([4]byte{160, 1, byte(n), byte(r.IntN(50))}), countries[n]
	}
	if r.Float64() < p.mobile {
		return netip.AddrFrom4([4]byte{170, byte(i % 4), byte(r.IntN(4)), byte(r.IntN(256))}), "DE"
	}
	return p.home, "DE"
}

var countries = []string{"FR", "ES", "IT", "NL", "US", "TR", "GR", "AT", "PL", "TH", "BR", "VN", "NG", "RO", "IN", "ID"}

// names of the world, made once.
type names struct {
	addresses [1 << 16]string
	programs  [100]string // the first 60 are of people, the others of bots
}

func newNames() *names {
	n := &names{}
	for i := range n.addresses {
		n.addresses[i] = fmt.Sprintf("r%05d@d%d.example", i, i%977)
	}
	for i := range n.programs {
		n.programs[i] = "program" + strconv.Itoa(i)
	}
	return n
}

// friend is one of those whom somebody writes to, the first ones most.
func (w *world) friend(i int, p *person, r *rand.Rand) string {
	u := r.Float64()
	return w.names.addresses[mix(uint64(i)<<16^uint64(u*u*float64(p.contacts)))&0xffff]
}

func (w *world) stranger(r *rand.Rand) string { return w.names.addresses[r.IntN(1<<16)] }

func (p *person) program(today int, r *rand.Rand) int {
	if p.switches >= 0 && today >= p.switches && r.Float64() < 0.7 {
		return int(p.programs[2])
	}
	return int(p.programs[r.IntN(2)])
}

// world knows the subscribers, as an operator's directory does.
var _ subscriber.Directory = (*world)(nil)

func (w *world) index(account string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(account, "user"))
	return n, err == nil && n >= 0 && n < len(w.people)
}

// Find tells who is behind a trace.
func (w *world) Find(_ context.Context, t subscriber.Trace) (subscriber.Subject, bool, error) {
	if i, ok := w.index(t.Account); ok {
		return w.people[i].subject, true, nil
	}
	return subscriber.Subject{}, false, nil
}

// Subject finds one by its key.
func (w *world) Subject(ctx context.Context, key string) (subscriber.Subject, bool, error) {
	return w.Find(ctx, subscriber.Trace{Account: strings.TrimPrefix(key, "account:")})
}

// wanted is the verdict of a message that somebody wants.
func (w *world) wanted(kind *pool, u float64) sluice.Verdict {
	v := sluice.Verdict{Points: kind.points(worse(u, w.o.Errs))}
	if v.Points >= edges[1] {
		v.Threat = sluice.ThreatSpam
	}
	return v
}

// ordinary is the k-th message of somebody's day.
func (w *world) ordinary(ctx context.Context, i, today, k int) {
	p, d := &w.people[i], w.dice.at(w.o.Seed, 2, i, today, k)
	r := d.Rand
	client, country := w.place(p, i, today, r)
	m := w.blank(w.names.programs[p.program(today, r)], client)
	n := 1
	for n < 4 && r.Float64() < 0.2 {
		n++
	}
	for range n {
		if r.Float64() >= newFriend {
			m.Recipients = append(m.Recipients, w.friend(i, p, r))
			continue
		}
		m.Recipients = append(m.Recipients, w.stranger(r))
		if r.Float64() < mistyped {
			m.Unknown++
		}
	}
	kind := &personal
	if p.shop && r.Float64() < 0.3 {
		kind = &commercial
	}
	m.Verdict = w.wanted(kind, r.Float64())
	if r.Float64() < forwards {
		m.Verdict = sluice.Verdict{Points: modernSpam.points(r.Float64()), Threat: sluice.ThreatSpam}
		m.Campaign = r.Float64() < 0.5
	}
	if m.Campaign || m.Verdict.Points >= edges[1] {
		m.Print = fmt.Sprint("own", i, today, k)
	}
	w.send(ctx, i, country, m, false)
	if r.Float64() < 0.002 {
		w.decided(i, w.warden.Bounced(ctx, w.now, &p.subject, 1), false)
	}
}

// letter is a message of a sender's letter to many.
type letter struct {
	who     int
	left    int // recipients
	each    int // recipients a message
	gap     time.Duration
	bad     float64 // share of the addresses that don't exist any more
	verdict sluice.Verdict
	print   string
	r       *rand.Rand
}

// next sends one message of it, and says when the next one follows.
func (l *letter) next(ctx context.Context, w *world) time.Duration {
	p := &w.people[l.who]
	p.peak = w.now
	today := w.today()
	client, country := w.place(p, l.who, today, l.r)
	m := w.blank(w.names.programs[p.program(today, l.r)], client)
	for range min(l.each, l.left) {
		m.Recipients = append(m.Recipients, w.stranger(l.r))
		if l.r.Float64() < l.bad {
			m.Unknown++
		}
	}
	l.left -= len(m.Recipients)
	m.Verdict, m.Print = l.verdict, l.print
	if w.send(ctx, l.who, country, m, false) {
		if n := poisson(l.r, l.bad/4*float64(len(m.Recipients))); n > 0 {
			w.decided(l.who, w.warden.Bounced(ctx, w.now, &p.subject, n), false)
		}
		for range poisson(l.r, grumbles*float64(len(m.Recipients))) {
			w.complain(l.who, client, l.r)
		}
	}
	if l.left <= 0 {
		return -1
	}
	return exponential(l.r, l.gap)
}

// letters plans a day's newsletters and sudden letters to many.
func (w *world) letters(today int) {
	at := w.start.Add(time.Duration(today) * day)
	r := rand.New(rand.NewPCG(w.o.Seed, uint64(3<<32+today)))
	for range poisson(r, w.o.Peaks) {
		i := r.IntN(len(w.people))
		for w.people[i].sick != nil || w.people[i].subject.Class == subscriber.Bulk {
			i = r.IntN(len(w.people))
		}
		l := &letter{who: i, left: 60 + int(150*r.ExpFloat64()), each: 1, bad: min(0.04*math.Exp(r.NormFloat64()), 0.5), r: rand.New(rand.NewPCG(r.Uint64(), 1))}
		if r.Float64() < 0.4 {
			l.each = 25
		}
		l.gap = time.Duration(10+r.IntN(50)) * time.Minute / time.Duration(l.left/l.each+1)
		l.verdict, l.print = w.wanted(&commercial, r.Float64()), fmt.Sprint("letter", today, i)
		w.agenda.push(at.Add(time.Duration(8+r.IntN(12))*time.Hour+time.Duration(r.IntN(3600))*time.Second), l)
	}
	for _, i := range w.bulk {
		if r.Float64() >= 0.2 {
			continue
		}
		// Lists are kept: addresses that don't exist are taken out.
		l := &letter{who: i, left: 300 + int(800*r.ExpFloat64()), each: 1, bad: 0.01, gap: 2 * time.Second, r: rand.New(rand.NewPCG(r.Uint64(), 2))}
		if r.Float64() < 0.5 {
			l.each, l.gap = 50, time.Minute
		}
		l.verdict, l.print = w.wanted(&commercial, r.Float64()), fmt.Sprint("issue", today, i)
		w.agenda.push(at.Add(time.Duration(6+r.IntN(12))*time.Hour+time.Duration(r.IntN(3600))*time.Second), l)
	}
}
