package guard

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"time"

	"sluice/guard/network"
	"sluice/internal/table"
	"sluice/reason"
)

// Harvesting says when somebody who names recipients is guessing them: a sequential
// probability ratio test (Wald 1945) of the share of unknown ones. After each
// decision for honesty the test starts again, and may then err only 1/k² as often
// as before, so that Alpha holds for all the tests of a client together, however long
// its list. 0 takes the default.
type Harvesting struct {
	// Honest is the largest share of unknown recipients in an honest list; default
	// 0.10. Alpha is promised up to it: a test with 0.05 here finds 2 % of the
	// lists of 300 recipients of which a tenth is dead.
	Honest float64
	// Guessing is the least share of a harvester; default 0.50.
	Guessing float64
	// Alpha is how often an honest client is found, Beta how often a harvester is
	// believed for once; default 0.001.
	Alpha, Beta float64
	// Least is how many different unknown recipients a decision needs: of a client
	// (default 4), of a network (default 8), of an autonomous system (default 32).
	Least [3]int
	// HalfLife is the time in which half of what speaks for or against is
	// forgotten; default 6h.
	HalfLife time.Duration
	// For is how long a harvester stays found; default 1h.
	For time.Duration
	// Suspect is how long after its last unknown recipient a suspect stays one;
	// default 3m, so that an honest one's next try finds it cleared.
	Suspect time.Duration
}

func (h *Harvesting) defaults() {
	set(&h.Honest, 0.10)
	set(&h.Guessing, 0.50)
	set(&h.Alpha, 0.001)
	set(&h.Beta, 0.001)
	set(&h.Least[0], 4)
	set(&h.Least[1], 8)
	set(&h.Least[2], 32)
	set(&h.HalfLife, 6*time.Hour)
	set(&h.For, time.Hour)
	set(&h.Suspect, 3*time.Minute)
	if !(0 < h.Honest && h.Honest < h.Guessing && h.Guessing < 1) || !(0 < h.Alpha && h.Alpha < 0.5) || !(0 < h.Beta && h.Beta < 0.5) {
		panic(fmt.Sprintf("guard: no test tells a share of %v from %v with errors of %v and %v", h.Honest, h.Guessing, h.Alpha, h.Beta))
	}
}

// State is what the test says of somebody.
type State uint8

// The states.
//
// Open: answer the truth.
//
// Suspect: the answer must not tell known recipients from unknown ones. The caller
// gives both the same temporary reply, after the same time and with the same words:
// 451 RECIPIENTS_UNAVAILABLE, slowly. That costs an honest client one more try, and
// a harvester all it came for. For the time to be the same too, the caller asks the
// directory in both cases, and waits for the slower of the answer and a fixed pause.
//
// Harvester: every recipient is refused alike (HARVEST) without asking the
// directory, and the session ends soon. A ban follows from repetition.
const (
	Open State = iota
	Suspect
	Harvester
)

func (s State) String() string {
	return [...]string{"open", "suspect", "harvest"}[min(s, Harvester)]
}

// Harvest is the answer for one recipient.
type Harvest struct {
	State  State
	Until  time.Time // while that state lasts at most; zero when open
	Detail string    // for the admin
}

// Probe is a recipient that a client named.
type Probe struct {
	Client    netip.Addr
	System    string // the client's autonomous system, such as "AS64496"; "" where unknown
	Recipient string // the address: the same one counts once
	Known     bool   // what the directory says; recipients of which it can't tell must not be passed
}

// sprt is the test for one kind of somebody.
type sprt struct {
	unknown, known float64 // log likelihood ratios of one observation
	upper, lower   float64 // decisions for guessing, of the first test, and for honesty
	least          int
	halfLife       time.Duration
}

func newSPRT(h Harvesting, least int) sprt {
	return sprt{
		unknown: math.Log(h.Guessing / h.Honest), known: math.Log((1 - h.Guessing) / (1 - h.Honest)),
		// Wald's bounds. Over all tests k = 1, 2, … the errors α/k² are scaled by
		// 6/π², so that they sum to α.
		upper: math.Log((1-h.Beta)/h.Alpha) + math.Log(math.Pi*math.Pi/6), lower: math.Log(h.Beta / (1 - h.Alpha)),
		least: least, halfLife: h.HalfLife,
	}
}

// test is the state of one.
type test struct {
	ratio   float64 // log likelihood ratio of guessing to honesty
	passed  float64 // decisions for honesty so far
	at      int64
	last    int64 // the last unknown recipient
	found   int64 // until when the decision for guessing lasts
	unknown uint32
	known   uint32
	seen    [2][6]uint32 // hashes of the last known and unknown recipients
	next    [2]uint8
}

// worth is nothing before a second unknown recipient or a passed test.
func (s sprt) worth(v *test, now time.Time) float64 {
	if v.found > now.UnixNano() {
		return 100
	}
	ratio, passed := decay(v.ratio, v.at, now, s.halfLife), decay(v.passed, v.at, now, 4*s.halfLife)
	return max(ratio-s.unknown, 0) + passed
}

// bound is where the test decides for guessing.
func (s sprt) bound(v *test) float64 { return s.upper + 2*math.Log(1+v.passed) }

// observe counts a recipient, unless it is one of the last, which a queue that tries
// again names again.
func (s sprt) observe(v *test, now time.Time, recipient uint32, known bool, lasts time.Duration) {
	kind, step := 0, s.known
	if !known {
		kind, step = 1, s.unknown
	}
	if slices.Contains(v.seen[kind][:], recipient) {
		return
	}
	v.seen[kind][v.next[kind]] = recipient
	v.next[kind] = (v.next[kind] + 1) % uint8(len(v.seen[kind]))

	t := now.UnixNano()
	if v.found != 0 && v.found <= t { // the time is over: start again
		v.ratio, v.passed, v.unknown, v.known, v.found = 0, 0, 0, 0, 0
	}
	v.ratio = decay(v.ratio, v.at, now, s.halfLife) + step
	v.passed = decay(v.passed, v.at, now, 4*s.halfLife)
	v.at = t
	if known {
		v.known++
	} else {
		v.unknown++
		v.last = t
	}
	switch {
	case v.ratio <= s.lower:
		v.ratio, v.passed = 0, v.passed+1
		v.unknown, v.known = 0, 0
	case v.ratio >= s.bound(v) && int(v.unknown) >= s.least && v.found <= t:
		v.found = t + int64(lasts)
	}
}

// state reads the test without an observation.
func (s sprt) state(v *test, now time.Time, suspect time.Duration) (State, int64) {
	t := now.UnixNano()
	switch {
	case v.found > t:
		return Harvester, v.found
	case v.unknown >= 3 && v.last+int64(suspect) > t && decay(v.ratio, v.at, now, s.halfLife) >= s.bound(v)/2:
		return Suspect, v.last + int64(suspect)
	}
	return Open, 0
}

// The levels of the test.
const (
	client = iota
	prefix
	system
)

func (g *Guard) newTests(n int) {
	for i, capacity := range []int{client: n / 2, prefix: n / 4, system: n / 16} {
		g.sprt[i] = newSPRT(g.config.Harvest, g.config.Harvest.Least[i])
		g.tests[i] = table.New[uint64](table.Config[test]{Capacity: capacity, Worth: g.sprt[i].worth})
	}
}

// Recipient counts a recipient that a client named, and says how to answer. A client
// that is found by itself is an offender. For what its network or its autonomous
// system does it is at most a suspect, and not at all where it has shown that it is
// honest, or came back later.
func (g *Guard) Recipient(now time.Time, p Probe) Harvest {
	host, net := network.Host(p.Client), network.Prefix(p.Client)
	if host == (network.Key{}) || g.config.Immune(p.Client) {
		return Harvest{}
	}
	recipient := uint32(g.account(p.Recipient)) | 1 // 0 is an empty place
	own, before := g.observe(client, now, g.hash(host), recipient, p.Known)
	state, until := g.sprt[client].state(&own, now, g.config.Harvest.Suspect)
	if state == Harvester && !before {
		g.Offend(now, p.Client, reason.Harvest, Weight(reason.Harvest))
	}
	// What a client does that is found counts no more for its neighbours' tests, and
	// what a good one does never: they show themselves what they are.
	if state == Open && !g.isGood(now, host) && !g.hasLoggedIn(now, host) {
		return g.around(now, p, net, recipient, own)
	}
	return g.harvest(state, until, host.String(), own)
}

// around asks the tests of the client's network and system. What they found makes a
// suspect of each client that is new, known recipient or not: otherwise the first
// guess of each would be answered.
func (g *Guard) around(now time.Time, p Probe, net network.Key, recipient uint32, own test) Harvest {
	until := own.at + int64(g.config.Harvest.Suspect)
	honest := own.passed > 0 || own.ratio <= 2.5*g.sprt[client].known // as after three known ones and no other
	v, _ := g.observe(prefix, now, g.hash(net), recipient, p.Known)
	who, found := net.String(), v.found
	if p.System != "" {
		w, _ := g.observe(system, now, maphash.String(g.seed, p.System), recipient, p.Known)
		if found <= now.UnixNano() && w.found > now.UnixNano() {
			who, found, v = p.System, w.found, w
		}
	}
	if honest || found <= now.UnixNano() || until <= now.UnixNano() {
		return Harvest{}
	}
	return g.harvest(Suspect, until, who, v)
}

// observe counts a recipient at one level, and says whether it was found before.
func (g *Guard) observe(level int, now time.Time, key uint64, recipient uint32, known bool) (v test, before bool) {
	g.tests[level].Update(key, now, func(stored *test) {
		before = stored.found > now.UnixNano()
		g.sprt[level].observe(stored, now, recipient, known, g.config.Harvest.For)
		v = *stored
	})
	return v, before
}

func (g *Guard) harvest(state State, until int64, who string, v test) Harvest {
	if state == Open {
		return Harvest{}
	}
	return Harvest{State: state, Until: time.Unix(0, until).UTC(),
		Detail: fmt.Sprintf("%s named %d unknown and %d known recipients lately", who, v.unknown, v.known)}
}

// Harvester says whether a client is found already, so that nothing needs to be
// looked up for it. It counts nothing.
func (g *Guard) Harvester(now time.Time, addr netip.Addr) bool {
	if g.config.Immune(addr) {
		return false
	}
	v, ok := g.tests[client].Get(g.hash(network.Host(addr)))
	return ok && v.found > now.UnixNano()
}
