// Package reputation remembers what came of earlier mail: of an address, its
// network, its operator, its greeting, the authenticated sender domain, its way to
// speak SMTP and to start TLS. It turns that into evidence about the next.
//
// # What a number means
//
// Each key has two counts, of wanted and of unwanted outcomes, which fade with a
// half-life of 14 days. The odds of the site (the base rate of a kind: all
// outcomes, faded too) are the prior, as a Beta distribution whose smaller
// parameter is ten outcomes. The evidence is
//
//	10·log10( (bad + α)/(good + β) ÷ α/β )   decibel, clipped to ±6
//
// that is, posterior odds over the odds of the site: 0 for a key without outcomes,
// at most 0.4 after one and 1.8 after five, at most 6 after thirty of one sort. A
// key that is as bad as everybody is no evidence, however much it sent.
//
// Counts of an address are kept in a window that is just large enough to reach the
// clip. So a host that is cleaned is below one decibel after eight weeks of silence,
// and even after some thirty wanted messages; one that is taken over loses its good
// name as fast. What many clients share has a window ten times that (domains four
// times), since forty outcomes of a mixed crowd are too few to tell its rate.
//
// # What it must be fed with
//
// Outcomes must rest on other evidence than reputation: a message's verdict with
// the points of the reputation group taken out, a spamtrap, a user's report, an
// attack on the protocol. Otherwise a bad score makes bad outcomes, which make a
// worse score, and nobody ever gets out of it.
//
// # What strangers can't do
//
// Tables are bounded and a flood of random addresses pushes out nobody that is
// known (see internal/table): worth comes from wanted outcomes first. On a key that
// many clients share, a source (an IPv4 /24, an IPv6 /48, and an IPv6 /32 four
// times that; for a prefix, one client) counts at most ten outcomes of each sort a
// day, and the same holds for the base rates. What was used of that is kept in a
// table of its own, at most Config.Sources pairs of source and key at 40 octets
// each; when it is full, those that used least are forgotten, so a flood of new
// pairs doesn't free the busy ones.
//
// # A fleet
//
// A node's stored value is what that node counted, with the time of the counts. To
// merge: of two values of one node the one with the later time holds; of several
// nodes, each is faded to the latest of their times, then good and bad are summed;
// first seen is the earliest, last seen the latest. So values are never added twice,
// and order doesn't matter. [Merge] does it.
package reputation

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sluice/internal/table"
)

// Config sets up a Table. Zero fields take the default.
type Config struct {
	HalfLife time.Duration // of counts, default 14 days
	// Capacity is how many addresses are remembered, default 100,000 (about 8 MB);
	// prefixes, greetings and domains get half of it each, operators, dialects and
	// TLS fingerprints a tenth.
	Capacity int
	Daily    float64 // outcomes of each sort that one source may add to a shared key in a day, default 10
	Sources  int     // pairs of source and key for which that is remembered, default Capacity

	KnownGood   float64 // wanted outcomes that make an address known, default 3
	KnownPrefix float64 // and a prefix, default 12
	KnownBad    float64 // the largest share of unwanted ones among them, default 0.1

	SaveEvery time.Duration // the shortest time between two saves, default 30 s
}

func (c *Config) defaults() {
	if c.HalfLife <= 0 {
		c.HalfLife = 14 * 24 * time.Hour
	}
	if c.Capacity <= 0 {
		c.Capacity = 100_000
	}
	if c.Daily <= 0 {
		c.Daily = 10
	}
	if c.Sources <= 0 {
		c.Sources = c.Capacity
	}
	if c.KnownGood <= 0 {
		c.KnownGood = 3
	}
	if c.KnownPrefix <= 0 {
		c.KnownPrefix = 12
	}
	if c.KnownBad <= 0 {
		c.KnownBad = 0.1
	}
	if c.SaveEvery <= 0 {
		c.SaveEvery = 30 * time.Second
	}
}

// The evidence.
const (
	strength   = 10.0 // outcomes in the smaller parameter of the prior
	clip       = 6.0  // decibel of one key
	lowest     = 0.1  // base rates beyond these count as these: they
	highest    = 0.9  // would ask for more outcomes than anybody has
	baseStart  = 20.0 // outcomes of each sort that a base rate begins with
	weak       = 2.0  // outcomes that the prior of Score.Probability is worth
	reach      = 3.0  // times the prior's larger parameter, counts reach the clip
	crowd      = 10.0 // times that are kept of what a crowd shares
	mostWindow = crowd * reach * strength / lowest
	mostBase   = 1e6 // outcomes kept of a base rate; float32 counts one by one up to 16 million
)

// base is the rate of unwanted outcomes of a kind, all keys together.
type base struct {
	mu sync.Mutex
	c  counts
}

// Table holds all reputations. Its methods are safe for concurrent use.
type Table struct {
	cfg   Config
	nets  [TLSHello + 1]*table.Table[netip.Prefix, counts]
	names [TLSHello + 1]*table.Table[string, counts]
	bases [TLSHello + 1]base
	used  *table.Table[uint64, quota]
	seed  maphash.Seed
	keep  keeper
}

// New makes an empty Table.
func New(cfg Config) *Table {
	cfg.defaults()
	t := &Table{cfg: cfg, seed: maphash.MakeSeed()}
	for _, k := range Kinds {
		c := table.Config[counts]{Capacity: t.capacity(k), Worth: t.worth}
		if k.net() {
			t.nets[k] = table.New[netip.Prefix](c)
		} else {
			t.names[k] = table.New[string](c)
		}
	}
	t.used = table.New[uint64](table.Config[quota]{Capacity: cfg.Sources, Worth: quotaWorth})
	return t
}

func (t *Table) capacity(k Kind) int {
	switch k {
	case Address:
		return t.cfg.Capacity
	case Prefix, Helo, Domain:
		return t.cfg.Capacity / 2
	}
	return t.cfg.Capacity / 10
}

// worth is what would be lost with counts. Wanted mail is hard to fake and is what
// must not be forgotten; bad names are cheap to get.
func (t *Table) worth(c *counts, now time.Time) float64 {
	good, bad := c.faded(seconds(now), t.cfg.HalfLife)
	if good+bad < forgettable {
		return -1
	}
	return good + 0.05*bad
}

// forgettable counts are as good as none.
const forgettable = 0.1

// get returns the counts of a key.
func (t *Table) get(k Key) (counts, bool) {
	switch {
	case !k.Valid():
		return counts{}, false
	case k.Kind.net():
		return t.nets[k.Kind].Get(k.Net)
	}
	return t.names[k.Kind].Get(k.Name)
}

// update changes the counts of a key.
func (t *Table) update(k Key, now time.Time, f func(*counts)) {
	if k.Kind.net() {
		t.nets[k.Kind].Update(k.Net, now, f)
	} else {
		t.names[k.Kind].Update(k.Name, now, f)
	}
}

// Observe counts an outcome for keys, which [Keys] made of one connection. A kind's
// base rate counts it once, however many keys of the kind there are. The
// address among them is the source whose say in shared keys is limited; without one,
// all such outcomes are one source's.
func (t *Table) Observe(now time.Time, o Outcome, keys ...Key) {
	o = o.bounded()
	if o == (Outcome{}) {
		return
	}
	at, src := seconds(now), sources(keys)
	var counted [TLSHello + 1]bool
	for _, k := range keys {
		if !k.Valid() {
			continue
		}
		if !counted[k.Kind] { // a client may have several dialects
			counted[k.Kind] = true
			if in := t.allow(now, src.of(Address), Key{Kind: k.Kind}, o); in != (Outcome{}) {
				t.bases[k.Kind].add(in, at, t.cfg.HalfLife)
			}
		}
		in := o
		if k.Kind.shared() {
			if in = t.allow(now, src.of(k.Kind), k, o); in == (Outcome{}) {
				continue
			}
		}
		window := t.prior(now, k.Kind).window(k.Kind)
		t.update(k, now, func(c *counts) { c.add(in, at, t.cfg.HalfLife, window) })
	}
}

func (b *base) add(o Outcome, at uint32, halfLife time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.c.add(o, at, halfLife, mostBase)
}

// BadRate is the faded share of unwanted outcomes of a kind at this site, with a
// start at one half.
func (t *Table) BadRate(now time.Time, k Kind) float64 {
	if k < Address || k > TLSHello {
		return 0.5
	}
	b := &t.bases[k]
	b.mu.Lock()
	good, bad := b.c.faded(seconds(now), t.cfg.HalfLife)
	b.mu.Unlock()
	return (bad + baseStart) / (good + bad + 2*baseStart)
}

// prior is a Beta distribution: what is believed of a key before its outcomes.
type prior struct{ alpha, beta float64 }

func (t *Table) prior(now time.Time, k Kind) prior {
	b := min(max(t.BadRate(now, k), lowest), highest)
	n := strength / min(b, 1-b)
	return prior{alpha: n * b, beta: n * (1 - b)}
}

// window is how many outcomes of a key are kept.
func (p prior) window(k Kind) float64 {
	w := reach * max(p.alpha, p.beta)
	switch k {
	case ASN, Dialect, TLSHello:
		return crowd * w
	case Domain:
		return 4 * w
	}
	return w
}

// Score is what is known of a key at a time.
type Score struct {
	Key         Key
	Good, Bad   float64   // faded counts
	First, Last time.Time // when outcomes were seen; zero where never
	Probability float64   // of unwanted, given the key: the best guess, from a prior worth two outcomes
	Decibel     float64   // of odds over the site's, carefully; positive speaks against the key
}

// Words says the counts as people read them: "3 wanted, 41 unwanted since 12 Nov".
// They are the faded ones, which the decibels come from.
func (s Score) Words(now time.Time) string {
	since := "in the last weeks"
	if age := now.Sub(s.First); age < 60*24*time.Hour {
		since = "since " + s.First.UTC().Format("2 Jan")
	}
	return fmt.Sprintf("%.0f wanted, %.0f unwanted %s", s.Good, s.Bad, since)
}

// Outcomes is the sum of both counts.
func (s Score) Outcomes() float64 { return s.Good + s.Bad }

// Score says what is known of a key.
func (t *Table) Score(now time.Time, k Key) Score {
	c, _ := t.get(k)
	return t.score(now, k, c, t.prior(now, k.Kind))
}

func (t *Table) score(now time.Time, k Key, c counts, p prior) Score {
	s := Score{Key: k}
	if c.at > 0 {
		s.Good, s.Bad = c.faded(seconds(now), t.cfg.HalfLife)
		s.First, s.Last = moment(c.first), moment(c.at)
	}
	rate := p.alpha / (p.alpha + p.beta)
	s.Probability = (s.Bad + weak*rate) / (s.Outcomes() + weak)
	s.Decibel = min(max(10*math.Log10((s.Bad+p.alpha)/(s.Good+p.beta)*p.beta/p.alpha), -clip), clip)
	if k.Unproven() {
		s.Decibel = max(s.Decibel, 0)
	}
	return s
}

// Trail says what is known of keys from the narrowest to the widest: an address,
// its prefix, its operator. What is known of the narrow ones stands in for the wide
// ones: their decibels shrink by 10/(10 + outcomes of the narrower), so that a good
// host in a bad neighbourhood is judged by itself, and no outcome counts thrice.
func (t *Table) Trail(now time.Time, keys ...Key) []Score {
	out := make([]Score, 0, len(keys))
	known := 0.0
	for _, k := range keys {
		if !k.Valid() {
			continue
		}
		s := t.Score(now, k)
		s.Decibel *= strength / (strength + known)
		known = max(known, s.Outcomes())
		out = append(out, s)
	}
	return out
}

// Known says whether a client has sent wanted mail here and hardly any other, or,
// where nothing bad is known of it, its prefix has sent much. It decides who is
// greeted at once and who keeps its place under load, never what a message is.
func (t *Table) Known(now time.Time, a netip.Addr) bool {
	if !Public(a) {
		return false
	}
	at := seconds(now)
	good, bad := t.seen(AddressKey(a), at)
	if bad > t.cfg.KnownBad*(good+bad) {
		return false
	}
	if good >= t.cfg.KnownGood {
		return true
	}
	good, bad = t.seen(PrefixKey(a), at)
	return good >= t.cfg.KnownPrefix && bad <= t.cfg.KnownBad/2*(good+bad)
}

func (t *Table) seen(k Key, at uint32) (good, bad float64) {
	c, ok := t.get(k)
	if !ok {
		return 0, 0
	}
	return c.faded(at, t.cfg.HalfLife)
}

// Order is what a list of scores begins with.
type Order uint8

// The orders.
const (
	Worst  Order = iota // the most decibels first, then the most unwanted outcomes
	Best                // the least decibels first, then the most wanted outcomes
	Latest              // the last seen first
	Most                // the most outcomes first
)

// Top lists the first n keys of a kind in an order, at most 1000.
func (t *Table) Top(now time.Time, k Kind, order Order, n int) []Score {
	n = min(n, 1000)
	if k < Address || k > TLSHello || n <= 0 {
		return nil
	}
	var list []Score
	p := t.prior(now, k)
	t.all(k, func(key Key, c counts) {
		s := t.score(now, key, c, p)
		if s.Outcomes() < forgettable {
			return
		}
		if list = append(list, s); len(list) >= 2*n {
			slices.SortFunc(list, order.compare)
			list = list[:n]
		}
	})
	slices.SortFunc(list, order.compare)
	return list[:min(n, len(list))]
}

// all calls f with a copy of each entry of a kind, without a lock.
func (t *Table) all(k Kind, f func(Key, counts)) {
	if k.net() {
		for p, c := range t.nets[k].All() {
			f(Key{Kind: k, Net: p}, c)
		}
		return
	}
	for name, c := range t.names[k].All() {
		f(Key{Kind: k, Name: name}, c)
	}
}

func (o Order) compare(a, b Score) int {
	var x, y float64
	switch o {
	case Worst:
		x, y = a.Decibel+a.Bad/1e6, b.Decibel+b.Bad/1e6
	case Best:
		x, y = a.Good/1e6-a.Decibel, b.Good/1e6-b.Decibel
	case Latest:
		x, y = float64(a.Last.Unix()), float64(b.Last.Unix())
	default:
		x, y = a.Outcomes(), b.Outcomes()
	}
	switch {
	case x > y:
		return -1
	case x < y:
		return 1
	}
	return compareKeys(a.Key, b.Key)
}

// Stats counts the entries of each kind.
func (t *Table) Stats() map[Kind]table.Stats {
	out := map[Kind]table.Stats{}
	for _, k := range Kinds {
		if k.net() {
			out[k] = t.nets[k].Stats()
		} else {
			out[k] = t.names[k].Stats()
		}
	}
	return out
}
