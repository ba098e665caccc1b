// Package anomaly ranks delivered mail by how unusual it is, without any label, so that
// an admin with little time looks at what matters most. It is a lane beside the
// verdict: it changes none.
//
// # The score
//
// It is the directed anomaly score of Ho, Sharma, Javed, Paxson and Wagner (Detecting
// Credential Spearphishing Attacks in Enterprise Settings, USENIX Security 2017). Each
// message is a point with a few dimensions, each of which only grows with suspicion:
// how new its author is here, how new the author's domain, how much the author passes
// for somebody else, how new the places are that its links lead to, and what it asks
// for. The score is the share of the other messages of the last days that are at least
// as unsuspicious in every dimension. So one odd thing alone, of which honest mail has
// plenty, ranks low; who is odd in several ways at once ranks high, and nobody has to
// say how a point of this weighs against a point of that.
//
// # The budget
//
// An admin gets at most Config.Budget messages a day. A message is put into the queue
// where fewer than Budget × (days seen) of the window have a higher score; when the
// day is full, a better one takes the place of the worst. One sender fills no day: of
// messages with the same Key, only the best of a day is taken.
//
// # Bounds
//
// A tenant's window is a ring of at most Config.Window messages, 16 octets each. A point
// is seven dimensions of seven bits in one word, so that "in every dimension" is one
// subtraction, and a score is one pass over the ring. What was seen before is three
// bounded tables of hashed keys. The least recently used of more than Config.Tenants
// rings is forgotten.
package anomaly

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/internal/shelf"
	"sluice/learn/correspondent"
)

// Config sets up a Lane. Zero fields but Key take the default.
type Config struct {
	// Key is the site's secret under which senders and domains are hashed, at least 16
	// octets.
	Key       []byte
	Budget    int           // messages of a tenant in a day, default 10, at most 200
	Window    int           // messages of a tenant that are compared with, default 20,000, at most 100,000
	Span      time.Duration // how old they may be, default 30 days
	Warmup    int           // messages that a tenant must have before any is queued, default 200
	Floor     float64       // the lowest score that is queued, default 0.8
	Tenants   int           // default 200
	Capacity  int           // senders and domains that are remembered, default 200,000 each
	SaveEvery time.Duration // the shortest time between two saves, default 5 minutes
}

const day = 24 * time.Hour

// Dimension is one way of being suspicious.
type Dimension int

// The dimensions.
const (
	Sender Dimension = iota // how new the author is
	Domain                  // how new the author's organization is
	Name                    // how much the author passes for somebody else
	Link                    // how new the links' organizations are
	Ask                     // what it asks for
	Dimensions
)

var words = [Dimensions]string{"a sender hardly seen before", "a sender's domain hardly seen before", "looks like somebody else",
	"links to places hardly seen before", "asks for something"}

// top is the most of a dimension: seven bits.
const top = 127

// Point is a message's place.
type Point [Dimensions]uint8

// pack puts a point into a word, seven bits to an octet. The highest bit of each is the
// guard that a borrow would take.
func (p Point) pack() (w uint64) {
	for i, v := range p {
		w |= uint64(min(v, top)) << (8 * i)
	}
	return w
}

const guards = 0x8080808080808080

// covers says whether a is at least b in every dimension.
func covers(a, b uint64) bool { return (a|guards-b&^guards)&guards == guards }

// Event is a message that was delivered.
type Event struct {
	ID      string
	Tenant  string
	Author  string   // the address that people read
	Known   bool     // our side writes to that address: nothing about it is new
	Links   []string // organizational domains that links lead to; at most 20 are read
	Name    float64  // 0…1: how much the author passes for somebody else
	Ask     float64  // decibel of what is asked for; 12 and more are the same
	Key     string   // mail of one Key is one thing to look at; "" the author's organization
	Context bool     // only learn of it: it is no candidate (own mail, refused mail is not to be told at all)
}

// Result is what a message's place means.
type Result struct {
	Point    Point
	Score    float64 // 0…1
	Above    int     // messages of the window with a higher score
	Queue    bool    // to be put into the queue
	Replaces string  // ID of the message whose place it takes; "" for none
	Why      []string
}

// hash names a sender, a domain or an ID; 0 is none.
type hash uint64

// seen is on how many days something was seen.
type seen struct{ Days, Last uint16 }

// Lane is the memory. Its methods are safe for concurrent use.
type Lane struct {
	cfg   Config
	key   [32]byte
	who   *shelf.Shelf[hash, seen]
	links *shelf.Shelf[hash, seen]
	keep  *shelf.Keeper

	mu    sync.Mutex
	rings map[string]*ring
	saved time.Time
}

// New makes an empty Lane.
func New(cfg Config) (*Lane, error) {
	if len(cfg.Key) < 16 {
		return nil, errors.New("anomaly: the key has less than 16 octets")
	}
	for _, f := range []struct {
		to        *int
		def, most int
	}{{&cfg.Budget, 10, 200}, {&cfg.Window, 20_000, 100_000}, {&cfg.Warmup, 200, 100_000}, {&cfg.Tenants, 200, 10_000}, {&cfg.Capacity, 200_000, 1_000_000}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
		*f.to = min(*f.to, f.most)
	}
	if cfg.Span <= 0 {
		cfg.Span = 30 * day
	}
	if cfg.Floor <= 0 || cfg.Floor > 1 {
		cfg.Floor = 0.8
	}
	if cfg.SaveEvery <= 0 {
		cfg.SaveEvery = 5 * time.Minute
	}
	cfg.Warmup = min(cfg.Warmup, cfg.Window)
	l := &Lane{cfg: cfg, key: sha256.Sum256(append([]byte("anomaly\x00"), cfg.Key...)), rings: map[string]*ring{}}
	l.who = shelf.New[hash]("who", 2*cfg.Capacity, seenWorth)
	l.links = shelf.New[hash]("link", cfg.Capacity, seenWorth)
	l.keep = &shelf.Keeper{Kind: MemoKind, Mark: strconv.FormatUint(uint64(l.hash("key")), 16), Every: cfg.SaveEvery,
		Shelves: []shelf.Kept{l.who, l.links}}
	return l, nil
}

// seenKeep is how many days after it was last seen something is remembered.
const seenKeep = 180

// seenWorth: what was seen on more days is worth more; a flood of new senders in one
// day is worth nothing.
func seenWorth(s *seen, now time.Time) float64 {
	age := max(int(days(now))-int(s.Last), 0)
	if age > seenKeep {
		return -1
	}
	return float64(s.Days-min(s.Days, 1)) / (1 + float64(age)/30)
}

func (l *Lane) hash(words ...string) hash {
	b := append(make([]byte, 0, 512), l.key[:]...)
	for _, w := range words {
		b = binary.AppendUvarint(b, uint64(len(w)))
		b = append(b, w...)
	}
	sum := sha256.Sum256(b)
	return max(hash(binary.BigEndian.Uint64(sum[:])), 1)
}

func days(t time.Time) uint16 { return uint16(min(max(t.Unix()/86400, 1), 1<<16-1)) }

// novelty grows as something was seen on fewer days before today.
func (l *Lane) novelty(s *shelf.Shelf[hash, seen], h hash, now time.Time) uint8 {
	v, ok := s.Get(h)
	if !ok || int(days(now))-int(v.Last) > seenKeep {
		return top
	}
	n := float64(v.Days)
	if v.Last == days(now) {
		n-- // today's don't make it known
	}
	// 0 days: top; 1: 76; 3: 38; 10: 12; 30: 0.
	return uint8(top * max(0, 1-math.Log1p(max(n, 0))/math.Log1p(30)))
}

// see notes that something was seen.
func (l *Lane) see(s *shelf.Shelf[hash, seen], h hash, now time.Time) {
	today := days(now)
	s.Update(h, now, func(v *seen) bool {
		if today <= v.Last {
			return false
		}
		if int(today)-int(v.Last) > seenKeep {
			*v = seen{}
		}
		v.Last = today
		v.Days = max(v.Days, v.Days+1)
		return true
	})
}

// most links of a message that are looked at.
const maxLinks = 20

// Observe takes a delivered message into the window, and says how it ranks. The order
// of messages is the order of the calls.
func (l *Lane) Observe(now time.Time, e Event) Result {
	author := correspondent.Normal(e.Author)
	if author == "" {
		author = "?" // mail without an author is all the same author's
	}
	org := correspondent.Owner(author)
	sender, domain := l.hash("a", e.Tenant, author), l.hash("d", e.Tenant, org)
	var p Point
	if !e.Known {
		p[Sender], p[Domain] = l.novelty(l.who, sender, now), l.novelty(l.who, domain, now)
	}
	l.see(l.who, sender, now)
	if org != author {
		l.see(l.who, domain, now)
	}
	for _, d := range e.Links[:min(len(e.Links), maxLinks)] {
		d = strings.ToLower(d)
		h := l.hash("l", e.Tenant, d[:min(len(d), 255)])
		p[Link] = max(p[Link], l.novelty(l.links, h, now))
		l.see(l.links, h, now)
	}
	p[Name] = level(e.Name)
	p[Ask] = level(e.Ask / 12)
	if e.Context {
		return Result{Point: p}
	}
	key := l.hash("k", e.Tenant, e.Key)
	if e.Key == "" {
		key = domain
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.ring(e.Tenant)
	out := r.observe(&l.cfg, now, p, e.ID, key)
	if out.Queue {
		out.Why = p.Words()
	}
	return out
}

func level(share float64) uint8 {
	if !(share > 0) { // NaN too
		return 0
	}
	return uint8(top * min(share, 1))
}

// Words says what is unusual about a point, most first.
func (p Point) Words() (out []string) {
	var order []Dimension
	for d, v := range p {
		if v >= top/3 {
			order = append(order, Dimension(d))
		}
	}
	slices.SortStableFunc(order, func(a, b Dimension) int { return int(p[b]) - int(p[a]) })
	for _, d := range order {
		out = append(out, words[d])
	}
	return out
}

// ring returns a tenant's, and forgets another where there are too many; mu is held.
func (l *Lane) ring(tenant string) *ring {
	if r := l.rings[tenant]; r != nil {
		return r
	}
	if len(l.rings) >= l.cfg.Tenants {
		oldest, at := "", uint16(math.MaxUint16)
		for name, r := range l.rings {
			if r.last < at || r.last == at && name < oldest {
				oldest, at = name, r.last
			}
		}
		delete(l.rings, oldest)
	}
	r := &ring{}
	l.rings[tenant] = r
	return r
}
