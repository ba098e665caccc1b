// Package domain remembers which organizational domains have been met: since when links
// of mail to this site have led to a domain, and whom our users write to. The first
// tells new places from known ones; the second are names to protect from look-alikes.
//
// Domains of links are kept as hashes, those of correspondents in clear, since a
// look-alike can only be told from the name itself. Both are bounded: what strangers
// send can't push out what has been met for weeks.
package domain

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/internal/table"
)

// MemoKind is the [sluice.Memo.Kind] under which the memory is kept.
const MemoKind = "domain"

// Config sizes a Memory. Zero fields have defaults.
type Config struct {
	Links   int           // domains of links; 0: 500,000
	Writers int           // correspondents' domains; 0: 50,000
	Keep    time.Duration // how long what isn't met again is kept; 0: 400 days
	// Ripe is how old the memory must be before a domain counts as new: until then all
	// would be; 0: 21 days.
	Ripe      time.Duration
	SaveEvery time.Duration // 0: 5 min
}

// Memory is safe for concurrent use.
type Memory struct {
	cfg     Config
	links   *table.Table[uint64, span]
	writers *table.Table[string, span]
	since   atomic.Int64 // day on which the memory began
	dirty   [buckets]atomic.Bool
	marked  [buckets]atomic.Bool // of writers
	keep    struct {
		sync.Mutex
		last time.Time
	}
}

// span is when something was met, in days since 1970, and on how many days.
type span struct{ first, last, days uint16 }

const (
	buckets = 256
	batch   = 64
	version = 1
)

// New returns an empty memory.
func New(c Config) *Memory {
	c.Links, c.Writers = or(c.Links, 500_000), or(c.Writers, 50_000)
	c.Keep, c.Ripe, c.SaveEvery = or(c.Keep, 400*24*time.Hour), or(c.Ripe, 21*24*time.Hour), or(c.SaveEvery, 5*time.Minute)
	m := &Memory{cfg: c}
	worth := func(v *span, now time.Time) float64 {
		age := float64(day(now)) - float64(v.last)
		if age > c.Keep.Hours()/24 {
			return -1
		}
		if v.days < 2 {
			return 0 // anybody can make up a domain for a day
		}
		return float64(v.days) / (1 + age/30)
	}
	m.links = table.New[uint64](table.Config[span]{Capacity: c.Links, Worth: worth})
	m.writers = table.New[string](table.Config[span]{Capacity: c.Writers, Worth: func(v *span, now time.Time) float64 {
		return worth(v, now) + 1 // our own people wrote to them
	}})
	return m
}

func or[T int | time.Duration](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}

func day(t time.Time) uint16 { return uint16(min(max(t.Unix()/86400, 1), 1<<16-1)) }

func (v *span) meet(today uint16) (changed bool) {
	switch {
	case v.first == 0:
		*v = span{today, today, 1}
	case today > v.last:
		v.last = today
		v.days = min(v.days+1, 1<<16-2)
	default:
		return false
	}
	return true
}

// hash of an organizational domain. It is a cryptographic one: else a new domain could
// be made to pass for an old one.
func hash(org string) uint64 {
	sum := sha256.Sum256([]byte(org))
	return binary.BigEndian.Uint64(sum[:])
}

// Seen is what is known of a link's domain.
type Seen struct {
	First time.Time // day of the first meeting; zero: never met
	Days  int       // days on which it was met
	// New says that the domain was first met today, or never, and that the memory is old
	// enough for that to mean something.
	New bool
}

// Known looks an organizational domain up.
func (m *Memory) Known(now time.Time, org string) Seen {
	v, ok := m.links.Get(hash(org))
	today := day(now)
	ripe := m.since.Load() > 0 && int64(today)-m.since.Load() >= int64(m.cfg.Ripe/(24*time.Hour))
	if !ok {
		return Seen{New: ripe}
	}
	return Seen{First: time.Unix(int64(v.first)*86400, 0).UTC(), Days: int(v.days), New: ripe && v.first >= today}
}

// Meet remembers the organizational domains that a message's links lead to. Tell it of
// accepted mail after the verdict.
func (m *Memory) Meet(now time.Time, orgs []string) {
	today := day(now)
	m.since.CompareAndSwap(0, int64(today))
	for _, o := range orgs {
		h := hash(o)
		m.links.Update(h, now, func(v *span) {
			if v.meet(today) {
				m.dirty[h>>56].Store(true)
			}
		})
	}
}

// maxName is the longest domain that is kept (RFC 1035 2.3.4).
const maxName = 253

// Wrote remembers that one of our users wrote to an organizational domain. It says
// whether the domain is new to us: then it is to be protected.
func (m *Memory) Wrote(now time.Time, org string) (fresh bool) {
	org = strings.ToLower(org)
	if org == "" || len(org) > maxName {
		return false
	}
	today := day(now)
	m.writers.Update(org, now, func(v *span) {
		fresh = v.first == 0
		if v.meet(today) {
			m.marked[hash(org)>>56].Store(true)
		}
	})
	return fresh
}

// Written yields the domains that our users write to, and on how many days, until yield
// says false. It must not call the memory.
func (m *Memory) Written(yield func(org string, days int) bool) {
	for org, v := range m.writers.All() {
		if !yield(org, int(v.days)) {
			return
		}
	}
}

// Stats counts what is remembered.
type Stats struct {
	Links, Writers int
	Since          time.Time // the memory's first day; zero: it is empty
}

// Stats returns the counts.
func (m *Memory) Stats() Stats {
	s := Stats{Links: m.links.Stats().Len, Writers: m.writers.Stats().Len}
	if d := m.since.Load(); d > 0 {
		s.Since = time.Unix(d*86400, 0).UTC()
	}
	return s
}

// Save writes what changed, unless the last save was less than Config.SaveEvery ago. It
// says how many memos were written.
func (m *Memory) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	m.keep.Lock()
	defer m.keep.Unlock()
	if since := now.Sub(m.keep.last); since >= 0 && since < m.cfg.SaveEvery {
		return 0, nil
	}
	return m.save(ctx, now, memos)
}

// Flush is Save at once, for the end of the program.
func (m *Memory) Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	m.keep.Lock()
	defer m.keep.Unlock()
	return m.save(ctx, now, memos)
}

func (m *Memory) save(ctx context.Context, now time.Time, memos sluice.Memos) (written int, err error) {
	m.keep.last = now
	links, writers := map[int][]byte{}, map[int][]byte{}
	for i := range buckets {
		if m.dirty[i].Swap(false) {
			links[i] = []byte{version}
		}
		if m.marked[i].Swap(false) {
			writers[i] = []byte{version}
		}
	}
	if len(links)+len(writers) == 0 {
		return 0, nil
	}
	for h, v := range m.links.All() {
		if b, ok := links[int(h>>56)]; ok && len(b) < sluice.MaxMemo-16 {
			links[int(h>>56)] = v.append(binary.BigEndian.AppendUint64(b, h))
		}
	}
	for org, v := range m.writers.All() {
		i := int(hash(org) >> 56)
		if b, ok := writers[i]; ok && len(b) < sluice.MaxMemo-maxName-16 {
			writers[i] = v.append(append(append(b, byte(len(org))), org...))
		}
	}
	list := []sluice.Memo{{Kind: MemoKind, Key: "since", Value: []byte(strconv.FormatInt(m.since.Load(), 10)), Updated: now}}
	for i, b := range links {
		list = append(list, sluice.Memo{Kind: MemoKind, Key: "link/" + strconv.Itoa(i), Value: b, Updated: now})
	}
	for i, b := range writers {
		list = append(list, sluice.Memo{Kind: MemoKind, Key: "writer/" + strconv.Itoa(i), Value: b, Updated: now})
	}
	for part := range slices.Chunk(list, batch) {
		if err := memos.PutMemos(ctx, part); err != nil {
			for i := range links {
				m.dirty[i].Store(true)
			}
			for i := range writers {
				m.marked[i].Store(true)
			}
			return written, fmt.Errorf("domain: save: %w", err)
		}
		written += len(part)
	}
	return written, nil
}

func (v span) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, v.first)
	b = binary.BigEndian.AppendUint16(b, v.last)
	return binary.BigEndian.AppendUint16(b, v.days)
}

var errStored = errors.New("what is stored can't be read")

// Load takes in what was saved. Call it before anything is learned. What can't be read is
// left out; the error counts it, and the rest is loaded.
func (m *Memory) Load(ctx context.Context, now time.Time, memos sluice.Memos) (loaded int, err error) {
	bad := 0
	err = memos.EachMemo(ctx, MemoKind, func(memo sluice.Memo) error {
		if m.restore(now, memo) != nil {
			bad++
		} else {
			loaded++
		}
		return ctx.Err()
	})
	switch {
	case err != nil:
		return loaded, fmt.Errorf("domain: load: %w", err)
	case bad > 0:
		return loaded, fmt.Errorf("domain: load: %d of %d memos: %w", bad, bad+loaded, errStored)
	}
	return loaded, nil
}

func (m *Memory) restore(now time.Time, memo sluice.Memo) error {
	if memo.Key == "since" {
		d, err := strconv.ParseInt(string(memo.Value), 10, 32)
		if err != nil || d < 0 || d > int64(day(now)) {
			return errStored
		}
		m.since.Store(d)
		return nil
	}
	b := memo.Value
	if len(b) == 0 || b[0] != version || len(b) > sluice.MaxMemo {
		return errStored
	}
	b = b[1:]
	switch kind, _, _ := strings.Cut(memo.Key, "/"); kind {
	case "link":
		for ; len(b) >= 14; b = b[14:] {
			h, v := binary.BigEndian.Uint64(b), read(b[8:])
			m.links.Update(h, now, func(to *span) { *to = v })
		}
	case "writer":
		for len(b) > 7 && len(b) >= int(b[0])+7 {
			n := int(b[0])
			org, v := string(b[1:n+1]), read(b[n+1:])
			m.writers.Update(org, now, func(to *span) { *to = v })
			b = b[n+7:]
		}
	default:
		return errStored
	}
	if len(b) != 0 {
		return errStored
	}
	return nil
}

func read(b []byte) span {
	return span{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[4:])}
}
