package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"sluice"
	"sluice/subscriber"
)

// The families of abuse.
const (
	slow = iota
	burst
	snowshoe
	lateral
	stolen
	families
)

var familyNames = [families]string{"slow, 20 a day", "burst, 2,000 an hour", "snowshoe", "lateral phish", "stolen account"}

// campaign is a text that bots send in many copies.
type campaign struct {
	name   string
	z      float64 // where the text stands in its pool
	pool   *pool
	threat sluice.Threat
	known  time.Time // from when on inbound mail has seen it; zero: never
	until  time.Time
}

func newCampaign(name string, r *rand.Rand, now time.Time, inbound float64, phish bool) *campaign {
	c := &campaign{name: name, z: r.NormFloat64(), pool: &modernSpam, threat: sluice.ThreatSpam}
	if phish {
		c.threat, c.pool = sluice.ThreatPhish, &modernPhish
	}
	if r.Float64() < 1./3 {
		c.pool = &plainPhish // the hardest one that was measured, for a third of all texts
	}
	c.until = now.Add(day + time.Duration(r.Float64()*float64(3*day)))
	if r.Float64() < inbound {
		c.known = now.Add(exponential(r, 6*time.Hour)) // until somebody has reported one
	}
	return c
}

// botnet gives its bots what to send.
type botnet struct {
	name string
	r    *rand.Rand
	now  *campaign
	n    int
}

func (b *botnet) campaign(now time.Time) *campaign {
	if b.now == nil || now.After(b.now.until) {
		b.n++
		b.now = newCampaign(fmt.Sprint(b.name, "-", b.n), b.r, now, inboundSpam, b.r.Float64() < 0.3)
	}
	return b.now
}

// infection is one subscriber whose device or account does what its owner doesn't know.
type infection struct {
	who, family int
	r           *rand.Rand // what it sends
	net         *botnet
	own         *campaign
	program     int // of the bot, -1: the owner's
	country     string
	proxies     uint32 // its place among the addresses of thieves
	wave        int    // messages left in this wave

	began, ends time.Time // of the abuse
	over        bool
	cleaned     time.Time

	sent, let int
	opened    time.Time // when a case was open
	held      time.Time // first time that its mail was restricted
	heldAt    int       // the number of the message that was held first
	letFirst  int       // messages that left before
}

// infect plans who becomes what and when.
func (w *world) infect() {
	r := rand.New(rand.NewPCG(w.o.Seed, 4))
	for i := range campaigns {
		w.nets = append(w.nets, &botnet{name: fmt.Sprint("net", i), r: rand.New(rand.NewPCG(w.o.Seed, uint64(5<<32+i)))})
	}
	pick := func() int {
		for {
			if i := r.IntN(len(w.people)); w.people[i].sick == nil && w.people[i].subject.Class != subscriber.Bulk {
				return i
			}
		}
	}
	run := time.Duration(w.o.Days)*day - day // the last day is for those who have to be told
	start := func() time.Time { return w.start.Add(time.Duration(r.Float64() * float64(run))) }
	begin := func(family int, at time.Time, own *campaign) {
		x := &infection{who: pick(), family: family, own: own, r: rand.New(rand.NewPCG(r.Uint64(), 3)), net: w.nets[r.IntN(len(w.nets))], proxies: r.Uint32()}
		x.program = 60 + r.IntN(40)
		if share := map[int]float64{slow: ownProgram, burst: ownProgram, lateral: byOwner}[family]; r.Float64() < share {
			x.program = -1
		}
		x.ends = at.Add(exponential(r, naturalEnd))
		w.people[x.who].sick = x
		w.sick = append(w.sick, x)
		w.agenda.push(at, x)
	}
	n := int(float64(w.o.Subscribers)*w.o.Infected + 0.5)
	for k := 0; k < n; {
		switch family := k % 4; {
		case family == snowshoe && r.IntN(herd) == 0 || family == snowshoe && w.herd == nil:
			w.herd = newCampaign(fmt.Sprint("herd", k), r, w.start, inboundOwn, false)
			w.herd.until = start()
			fallthrough
		case family == snowshoe:
			if !w.herd.known.IsZero() {
				w.herd.known = w.herd.until.Add(exponential(r, 6*time.Hour))
			}
			begin(snowshoe, w.herd.until.Add(time.Duration(r.Float64()*float64(6*time.Hour))), w.herd)
		case family == lateral:
			at := start()
			begin(lateral, at, newCampaign(fmt.Sprint("lateral", k), r, at, 0, true))
		default:
			begin(family, start(), nil)
		}
		k++
	}
	for k := range int(float64(w.o.Subscribers)*w.o.Stolen + 0.5) {
		at := start()
		begin(stolen, at, newCampaign(fmt.Sprint("thief", k), r, at, inboundOwn, r.Float64() < 0.6))
		x := w.sick[len(w.sick)-1]
		if r.Float64() < foreign {
			x.country = countries[r.IntN(len(countries))]
		}
	}
}

// next sends one message, and says when the next one follows; below 0: never.
func (x *infection) next(ctx context.Context, w *world) time.Duration {
	if x.over || w.now.After(x.ends) {
		x.over = true
		return -1
	}
	p, r := &w.people[x.who], x.r
	if x.began.IsZero() {
		x.began = w.now
	}
	if x.wave == 0 {
		x.wave = map[int]int{slow: 1, burst: 1000 + r.IntN(4000), snowshoe: 20 + r.IntN(60), lateral: 30 + r.IntN(90), stolen: 100 + r.IntN(400)}[x.family]
	}
	client, country := p.home, "DE"
	switch x.family {
	case snowshoe: // a botnet's hosts share the accounts
		client = netip.AddrFrom4([4]byte{180, byte(x.proxies), byte(r.IntN(100)), byte(r.IntN(200))})
		country = countries[int(client.As4()[2])%len(countries)]
		if r.Float64() < 0.3 {
			country = "DE"
		}
	case stolen:
		client = netip.AddrFrom4([4]byte{190, byte(x.proxies), byte(x.proxies >> 8), byte(x.sent / 50)})
		if x.country != "" {
			country = x.country
		}
	}
	program := x.program
	if program < 0 {
		program = p.program(w.today(), r)
	}
	m := w.blank(w.names.programs[program], client)
	c := x.own
	if c == nil {
		c = x.net.campaign(w.now)
	}
	m.Verdict = c.verdict(alike(c.z, r))
	m.Print = c.name
	if r.Float64() < nearCopy {
		m.Campaign = !c.known.IsZero() && w.now.After(c.known)
	} else {
		m.Print = fmt.Sprint(c.name, x.who, x.sent)
	}
	x.write(w, p)
	x.sent++
	left := w.send(ctx, x.who, country, m, true)
	x.seen(w, left)
	if left {
		for range m.Recipients {
			if r.Float64() < complains {
				w.complain(x.who, client, r)
			}
		}
		if n := poisson(r, bounceRate*float64(len(m.Recipients))); n > 0 && x.family != lateral {
			w.agenda.push(w.now.Add(exponential(r, 20*time.Minute)), bounce{x.who, n})
		}
	}
	if x.wave--; x.wave > 0 || x.family == slow {
		gap := map[int]time.Duration{slow: slowGap, burst: burstGap, snowshoe: snowGap, lateral: 30 * time.Second, stolen: stolenGap}[x.family]
		return exponential(r, gap)
	}
	return time.Duration((0.5 + 2*r.Float64()) * float64(day))
}

// write fills in the recipients of the message at hand.
func (x *infection) write(w *world, p *person) {
	m, r := &w.message, x.r
	n := 1
	if x.family == slow || x.family == stolen {
		n += r.IntN(5)
	}
	for range n {
		if x.family == lateral && r.Float64() < 0.9 {
			m.Recipients = append(m.Recipients, w.friend(x.who, p, r))
			continue
		}
		m.Recipients = append(m.Recipients, w.stranger(r))
		if x.family == lateral {
			continue
		}
		if r.Float64() < badList {
			m.Unknown++
		}
		if r.Float64() < trapRate {
			m.Traps++
		}
	}
	if x.family == lateral && r.Float64() < 0.6 {
		m.Colleagues = 1
	}
}

// seen writes down what became of a message.
func (x *infection) seen(w *world, left bool) {
	if left {
		x.let++
		if x.held.IsZero() {
			x.letFirst++
		}
		return
	}
	if x.held.IsZero() {
		x.held, x.heldAt = w.now, x.sent
	}
}

// bounce is what comes back later.
type bounce struct{ who, n int }

func (b bounce) next(ctx context.Context, w *world) time.Duration {
	w.decided(b.who, w.warden.Bounced(ctx, w.now, &w.people[b.who].subject, b.n), false)
	return -1
}
