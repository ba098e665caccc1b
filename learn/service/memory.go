package service

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"sluice"
	"sluice/internal/domains"
	"sluice/internal/shelf"
	"sluice/internal/table"
)

// MemoKind is the [sluice.Memo.Kind] under which pairs are kept.
const MemoKind = "service"

// Config sets up a Memory. Zero fields but Key take the default.
type Config struct {
	// Key is the site's secret under which names are hashed, at least 16 octets.
	Key       []byte
	Capacity  int           // pairs, default 100,000, at most a million
	Days      int           // days with delivered mail that make a pair known, default 5
	Span      time.Duration // between the first and the last of them, default 14 days
	Keep      time.Duration // how long after their last mail they count, default 120 days
	SaveEvery time.Duration // the shortest time between two saves, default 5 minutes
}

const day = 24 * time.Hour

// barDays is how long complaints end what was learned of a pair.
const barDays = 30

// Memory remembers which names are used under which signatures: the clinic that writes
// through a platform, the shop whose name isn't its domain. A pair is a display name
// and the organization of a DKIM signature that passed, of mail that was delivered and
// that nobody found fault with. Days count, however much comes in one; it takes
// [Config.Days] of them over [Config.Span], and complaints end it for a month. What is
// stored are hashes under the site's key. The table is bounded, and pairs that took
// long to earn outlast a flood of new ones.
//
// Mailbox providers and hosts sign for anybody: their signature makes no pair.
type Memory struct {
	cfg   Config
	key   [32]byte
	pairs *shelf.Shelf[hash, pair]
	bars  *shelf.Shelf[hash, Bar] // by the same keys
	keep  shelf.Keeper
}

type hash uint64

// pair counts the days on which a name came under a signature.
type pair struct{ Days, First, Last, Barred uint16 }

// NewMemory makes an empty Memory.
func NewMemory(c Config) (*Memory, error) {
	if len(c.Key) < 16 {
		return nil, errors.New("service: the key has less than 16 octets")
	}
	if c.Capacity <= 0 {
		c.Capacity = 100_000
	}
	c.Capacity = min(c.Capacity, 1_000_000)
	if c.Days <= 0 {
		c.Days = 5
	}
	for _, f := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&c.Span, 14 * day}, {&c.Keep, 120 * day}, {&c.SaveEvery, 5 * time.Minute}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
	m := &Memory{cfg: c, key: sha256.Sum256(c.Key)}
	m.pairs = shelf.New[hash]("pair", c.Capacity, m.worth)
	m.bars = shelf.New[hash]("bar", c.Capacity/10+10, (*Bar).Worth)
	m.keep = shelf.Keeper{Kind: MemoKind, Mark: strconv.FormatUint(uint64(m.hash("key")), 16), Every: c.SaveEvery, Shelves: []shelf.Kept{m.pairs, m.bars}}
	return m, nil
}

func (m *Memory) hash(words ...string) hash {
	b := append(make([]byte, 0, 256), m.key[:]...)
	for _, w := range words {
		b = binary.AppendUvarint(b, uint64(len(w)))
		b = append(b, w...)
	}
	sum := sha256.Sum256(b)
	return max(hash(binary.BigEndian.Uint64(sum[:])), 1)
}

func days(t time.Time) uint16      { return uint16(min(max(t.Unix()/86400, 1), 1<<16-1)) }
func span(d time.Duration) int     { return int(d / day) }
func since(then, now uint16) int   { return max(int(now)-int(then), 0) }
func (p *pair) long() int          { return since(p.First, p.Last) }
func (p *pair) fresh(d uint16) int { return since(p.Last, d) }

func (m *Memory) worth(p *pair, now time.Time) float64 {
	today := days(now)
	switch {
	case today < p.Barred:
		return 60 // so that more of the same doesn't make the complaint forgotten
	case p.fresh(today) > span(m.cfg.Keep):
		return -1
	}
	return min(float64(p.Days), 50) - 1
}

// maxName is how much of a display name is read.
const maxName = 200

// Fold is a display name as it is compared: compatibility forms composed, lower case,
// letters and digits with single spaces. It is "" for what has no two letters.
func Fold(display string) string {
	if len(display) > maxName {
		display = display[:maxName]
	}
	words := strings.FieldsFunc(strings.ToLower(norm.NFKC.String(strings.ToValidUTF8(display, " "))), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	out := strings.Join(words, " ")
	if len(out) < 2 {
		return ""
	}
	return out
}

// signs says whether a signature tells who writes.
func signs(domain string) bool {
	s := Of(domain)
	return domain != "" && !domains.FreeMail(domain) && (s == nil || s.Kind.Sends())
}

// maxSigners bounds how many signatures of a message count.
const maxSigners = 4

// Received learns of a message that was delivered and that nobody found fault with:
// its author's name, and the organizations whose signatures passed. Several on one day
// count as one.
func (m *Memory) Received(now time.Time, tenant, display string, signers []string) {
	today := days(now)
	m.each(tenant, display, signers, func(k hash, _ string) {
		m.pairs.Update(k, now, func(p *pair) bool {
			if today <= p.Last || today < p.Barred {
				return false
			}
			if p.Days == 0 || p.fresh(today) > span(m.cfg.Keep) {
				*p = pair{First: today}
			}
			p.Last = today
			p.Days = max(p.Days, p.Days+1)
			return true
		})
	})
}

// Say takes in what somebody says of a message of this name and these signatures; see
// [Bar]. Tell it only where the signatures passed: others' forgeries end nothing.
func (m *Memory) Say(now time.Time, tenant, display string, signers []string, v Voice, unwanted bool) {
	m.voice(now, tenant, display, signers, func(b *Bar) (bool, bool) { return b.Say(now, v, unwanted) })
}

// Unsay takes it back.
func (m *Memory) Unsay(now time.Time, tenant, display string, signers []string, v Voice, unwanted bool) {
	m.voice(now, tenant, display, signers, func(b *Bar) (bool, bool) { return b.Unsay(now, v, unwanted) })
}

func (m *Memory) voice(now time.Time, tenant, display string, signers []string, speak func(*Bar) (ends, lifts bool)) {
	m.each(tenant, display, signers, func(k hash, _ string) {
		m.bars.Update(k, now, func(b *Bar) bool {
			ends, lifts := speak(b)
			switch {
			case ends:
				m.pairs.Update(k, now, func(p *pair) bool {
					b.Before = Series{p.Days, p.First, p.Last}
					*p = pair{Barred: b.Until}
					return true
				})
			case lifts:
				m.pairs.Update(k, now, func(p *pair) bool {
					s := b.Before.Join(Series{p.Days, p.First, p.Last})
					*p = pair{Days: s.Days, First: s.First, Last: s.Last}
					return true
				})
				b.Before = Series{}
			}
			return true
		})
	})
}

// Known says under which of the signatures a name is known here, and for how many days
// with mail; "" for none.
func (m *Memory) Known(now time.Time, tenant, display string, signers []string) (signer string, n int) {
	today := days(now)
	m.each(tenant, display, signers, func(k hash, d string) {
		p, ok := m.pairs.Get(k)
		if ok && int(p.Days) > n && int(p.Days) >= m.cfg.Days && p.long() >= span(m.cfg.Span) && p.fresh(today) <= span(m.cfg.Keep) && today >= p.Barred {
			signer, n = d, int(p.Days)
		}
	})
	return signer, n
}

func (m *Memory) each(tenant, display string, signers []string, f func(k hash, signer string)) {
	name := Fold(display)
	if name == "" {
		return
	}
	for _, d := range signers[:min(len(signers), maxSigners)] {
		if signs(d) {
			f(m.hash("p", tenant, name, d), d)
		}
	}
}

// Stats counts the entries.
func (m *Memory) Stats() table.Stats { return m.pairs.Stats() }

// Load takes in what was saved. Call it before anything is learned.
func (m *Memory) Load(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return m.keep.Load(ctx, now, memos)
}

// Save writes what changed, unless the last save was less than Config.SaveEvery ago.
func (m *Memory) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return m.keep.Save(ctx, now, memos)
}

// Flush is Save at once, for the end of the program.
func (m *Memory) Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return m.keep.Flush(ctx, now, memos)
}
