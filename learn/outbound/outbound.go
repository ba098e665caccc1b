// Package outbound knows which domains' mail leaves through us with a trace, and since
// when. Only where that is all of a domain's mail can the absence of a trace say
// something: a notice about mail without one is then about mail that somebody forged.
package outbound

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"sluice"
	"sluice/internal/shelf"
	"sluice/message/header"
)

// MemoKind is what [sluice.Memo] calls this memory.
const MemoKind = "outbound"

const (
	// Settle is how long a domain's mail must have carried traces: what left before is
	// under way for no longer.
	Settle = 10 * 24 * time.Hour
	// Least is how many messages of a domain must have carried one: a user who tried it
	// once may send elsewhere.
	Least = 20
	// Idle is after how long without any a domain counts as one that sends elsewhere now.
	Idle = 30 * 24 * time.Hour

	day = 24 * time.Hour
)

// Config sets up a Table.
type Config struct {
	Key       []byte        // at least 16 octets; domains are hashed under it
	Capacity  int           // domains; default 20,000
	SaveEvery time.Duration // default 5 minutes
	// All lists domains all of whose mail is known to leave through us: they don't have to
	// settle.
	All []string
}

// Table is the memory. It is safe for concurrent use.
type Table struct {
	key   [32]byte
	sent  *shelf.Shelf[hashed, sent]
	keep  shelf.Keeper
	whole map[string]bool
}

type hashed uint64

// sent is what left of a domain. Days are counted from 1970.
type sent struct {
	First, Last uint16
	Count       uint32 // up to Least
}

// New makes an empty Table.
func New(cfg Config) (*Table, error) {
	if len(cfg.Key) < 16 {
		return nil, errors.New("outbound: the key has less than 16 octets")
	}
	if cfg.Capacity <= 0 {
		cfg.Capacity = 20_000
	}
	if cfg.SaveEvery <= 0 {
		cfg.SaveEvery = 5 * time.Minute
	}
	t := &Table{key: sha256.Sum256(cfg.Key), whole: map[string]bool{}}
	for _, d := range cfg.All {
		t.whole[header.Lower(d)] = true
	}
	t.sent = shelf.New[hashed]("sent", cfg.Capacity, func(s *sent, now time.Time) float64 {
		return float64(s.Count) * max(0, 1-float64(since(s.Last, days(now)))/60)
	})
	t.keep = shelf.Keeper{Kind: MemoKind, Mark: strconv.FormatUint(uint64(t.hash("")), 16), Every: cfg.SaveEvery, Shelves: []shelf.Kept{t.sent}}
	return t, nil
}

func (t *Table) hash(domain string) hashed {
	sum := sha256.Sum256(append(t.key[:], domain...))
	return max(hashed(binary.BigEndian.Uint64(sum[:])), 1)
}

func days(t time.Time) uint16             { return uint16(min(max(t.Unix()/86400, 1), 1<<16-1)) }
func since(then, now uint16) int          { return max(int(now)-int(then), 0) }
func atLeast(n int, d time.Duration) bool { return n >= int(d/day) }

// Sent tells of a message with this reverse-path that leaves with a trace.
func (t *Table) Sent(now time.Time, from string) {
	domain := sluice.DomainOf(from)
	if domain == "" {
		return // notices have no domain
	}
	today := days(now)
	t.sent.Update(t.hash(domain), now, func(s *sent) bool {
		before := *s
		if s.Count == 0 || atLeast(since(s.Last, today), Idle) {
			*s = sent{First: today}
		}
		s.Last = max(s.Last, today)
		s.Count = min(s.Count+1, Least)
		return *s != before
	})
}

// Traced says whether all mail with such a reverse-path can be expected to carry a trace.
func (t *Table) Traced(now time.Time, from string) bool {
	domain := sluice.DomainOf(from)
	if domain == "" {
		return false
	}
	if t.whole[domain] {
		return true
	}
	s, ok := t.sent.Get(t.hash(domain))
	today := days(now)
	return ok && s.Count >= Least && atLeast(since(s.First, today), Settle) && !atLeast(since(s.Last, today), Idle)
}

// Load takes in what was saved.
func (t *Table) Load(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return t.keep.Load(ctx, now, memos)
}

// Save writes what changed, not too often.
func (t *Table) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return t.keep.Save(ctx, now, memos)
}

// Flush is Save at once, for the end of the program.
func (t *Table) Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return t.keep.Flush(ctx, now, memos)
}
