package feedback

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/learn/text/online"
)

// GoldenConfig bounds a Golden; zero fields take the default.
type GoldenConfig struct {
	Wanted    int           // messages; default 2,000
	Spam      int           // default 500
	PerDomain int           // of one sender's domain; default one of fifty of Wanted
	Age       time.Duration // how long one stays; default 90 days
}

// Golden is mail of which it is known, without labels, whether it is wanted: hashed
// features, nothing of its words. The model is read against it. It is safe for
// concurrent use.
type Golden struct {
	cfg GoldenConfig

	mu    sync.Mutex
	piles [2]pile // wanted, spam
	dirty bool
	saved time.Time
}

// pile holds messages by rising key: of all that were offered those with the lowest,
// which is as good as drawing lots, and the same after a restart.
type pile struct {
	most, perDomain int
	all             []*golden
}

type golden struct {
	key      [16]byte
	from     string // registrable domain
	time     time.Time
	features []byte
	print    []byte
	mark     *opinion
}

// Offering is a message that may become golden.
type Offering struct {
	ID       string // of the message; nobody outside must be able to choose it
	From     string // domain of its author
	Spam     bool   // from a trap; else it is mail that is wanted for certain
	Features *online.Features
	Print    *campaign.Print // may be nil
	Time     time.Time
}

// Bounds of the golden file.
const (
	goldenMark  = "SLUGLD01"
	maxGolden   = 256 << 20
	maxPrint    = 16 << 10
	goldenEvery = time.Hour
)

// NewGolden makes an empty one.
func NewGolden(cfg GoldenConfig) *Golden {
	cfg.Wanted = min(cmp.Or(max(cfg.Wanted, 0), 2000), 20_000)
	cfg.Spam = min(cmp.Or(max(cfg.Spam, 0), 500), 20_000)
	cfg.PerDomain = cmp.Or(max(cfg.PerDomain, 0), max(cfg.Wanted/50, 2))
	cfg.Age = cmp.Or(max(cfg.Age, 0), 90*day)
	return &Golden{cfg: cfg, piles: [2]pile{{most: cfg.Wanted, perDomain: cfg.PerDomain}, {most: cfg.Spam, perDomain: cfg.Spam}}}
}

// Offer offers a message: mail of a correspondent who is known and authenticated, an
// answer to mail from here; and spam that a trap got. Most offers cost a hash.
func (g *Golden) Offer(o Offering) {
	sum := sha256.Sum256([]byte(o.ID))
	m := &golden{key: [16]byte(sum[:16]), from: cut(strings.ToLower(o.From), maxName), time: o.Time}
	kind := 0
	if o.Spam {
		kind = 1
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &g.piles[kind]
	if o.Features == nil || o.Features.Len() == 0 || !p.wants(m) {
		return
	}
	var err error
	if m.features, err = o.Features.MarshalBinary(); err != nil {
		return
	}
	if !o.Print.Empty() {
		if m.print, err = o.Print.MarshalBinary(); err != nil {
			return
		}
		m.mark = markOf(o.Print, m.features)
	}
	p.add(m)
	g.dirty = true
}

// place is where a key is or would be.
func (p *pile) place(key [16]byte) (int, bool) {
	return slices.BinarySearchFunc(p.all, key, func(m *golden, key [16]byte) int { return bytes.Compare(m.key[:], key[:]) })
}

// last of a domain, and how many there are.
func (p *pile) last(from string) (at, n int) {
	for i, m := range p.all {
		if m.from == from {
			at = i
			n++
		}
	}
	return at, n
}

func (p *pile) wants(m *golden) bool {
	i, found := p.place(m.key)
	if found || i >= p.most {
		return false
	}
	at, n := p.last(m.from)
	return n < p.perDomain || i <= at
}

func (p *pile) add(m *golden) {
	if at, n := p.last(m.from); n >= p.perDomain {
		p.all = slices.Delete(p.all, at, at+1)
	}
	i, _ := p.place(m.key)
	p.all = slices.Insert(p.all, i, m)
	if len(p.all) > p.most {
		p.all = slices.Delete(p.all, p.most, len(p.all))
	}
}

// list returns the messages that are not too old.
func (g *Golden) list(spam bool, now time.Time) []*golden {
	g.mu.Lock()
	defer g.mu.Unlock()
	kind := 0
	if spam {
		kind = 1
	}
	p := &g.piles[kind]
	n := len(p.all)
	p.all = slices.DeleteFunc(p.all, func(m *golden) bool { return now.Sub(m.time) > g.cfg.Age })
	g.dirty = g.dirty || len(p.all) != n
	return slices.Clone(p.all)
}

// Len says how much wanted mail and spam there is.
func (g *Golden) Len() (wanted, spam int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.piles[0].all), len(g.piles[1].all)
}

// drop removes what a trusted label contradicts.
func (g *Golden) drop(mark *opinion, features []byte, spam bool) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &g.piles[0]
	if !spam {
		p = &g.piles[1]
	}
	n := len(p.all)
	p.all = slices.DeleteFunc(p.all, func(m *golden) bool {
		if m.mark != nil && m.mark.alike == mark.alike {
			return campaign.Similarity(&m.mark.bits, &mark.bits) >= mark.alike
		}
		return bytes.Equal(m.features, features)
	})
	g.dirty = g.dirty || len(p.all) != n
	return n - len(p.all)
}

// dropGolden obeys an admin who says that golden mail isn't what it seemed.
func (r *Room) dropGolden(f *sluice.Feedback) {
	if r.cfg.Golden == nil || f.Source != sluice.SourceAdmin || f.Kind == sluice.FeedbackCounter {
		return
	}
	r.cfg.Golden.drop(printOf(f), f.Features, f.Spam)
}

// Save writes them to a file, at most once an hour.
func (g *Golden) Save(fsys durable.FS, name string, now time.Time) error {
	g.mu.Lock()
	if !g.dirty || now.Sub(g.saved) < goldenEvery {
		g.mu.Unlock()
		return nil
	}
	g.mu.Unlock()
	return g.Flush(fsys, name, now)
}

// Flush writes them to a file now, where something changed.
func (g *Golden) Flush(fsys durable.FS, name string, now time.Time) error {
	g.mu.Lock()
	if !g.dirty {
		g.mu.Unlock()
		return nil
	}
	wanted, spam := slices.Clone(g.piles[0].all), slices.Clone(g.piles[1].all)
	g.dirty, g.saved = false, now
	g.mu.Unlock()
	err := durable.WriteFile(fsys, name, encodeGolden(wanted, spam))
	if err != nil {
		g.mu.Lock()
		g.dirty = true
		g.mu.Unlock()
		return fmt.Errorf("feedback: golden mail: %w", err)
	}
	return nil
}

func encodeGolden(wanted, spam []*golden) []byte {
	b := []byte(goldenMark)
	b = binary.LittleEndian.AppendUint32(b, online.Extractor)
	for _, list := range [][]*golden{wanted, spam} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(list)))
		for _, m := range list {
			b = append(b, m.key[:]...)
			b = binary.LittleEndian.AppendUint64(b, uint64(m.time.Unix()))
			for _, part := range [][]byte{[]byte(m.from), m.features, m.print} {
				b = binary.LittleEndian.AppendUint32(b, uint32(len(part)))
				b = append(b, part...)
			}
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// errGolden is behind what is wrong with a golden file.
var errGolden = errors.New("no usable file of golden mail")

// Load reads what Save wrote, in place of what is there. A file that doesn't exist
// is none; of another extractor nothing can be used. After an error it is empty.
func (g *Golden) Load(fsys durable.FS, name string) error {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("feedback: golden mail: %w", err)
	}
	defer f.Close()
	if f.Size() > maxGolden {
		return fmt.Errorf("feedback: golden mail: %w: %d octets", errGolden, f.Size())
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return fmt.Errorf("feedback: golden mail: %w", err)
	}
	piles, err := decodeGolden(b)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, list := range piles {
		g.piles[k].all = nil
		for _, m := range list {
			if p := &g.piles[k]; p.wants(m) {
				p.add(m)
			}
		}
	}
	return nil
}

func decodeGolden(b []byte) (piles [2][]*golden, err error) {
	n := len(b) - sha256.Size
	if n < len(goldenMark) || string(b[:len(goldenMark)]) != goldenMark || sha256.Sum256(b[:n]) != [sha256.Size]byte(b[n:]) {
		return piles, fmt.Errorf("feedback: %w: its mark or checksum is wrong", errGolden)
	}
	r := octets{b: b[len(goldenMark):n]}
	if v := r.uint32(); v != online.Extractor {
		return piles, nil // made by another program; new ones will be offered
	}
	for k := range piles {
		for range r.uint32() {
			m := &golden{key: [16]byte(r.take(16)), time: time.Unix(int64(r.uint64()), 0).UTC()}
			m.from = string(r.part(maxName))
			m.features, m.print = r.part(online.MaxStored), r.part(maxPrint)
			if !r.bad && new(online.Features).UnmarshalBinary(m.features) != nil {
				r.bad = true
			}
			if len(m.print) > 0 {
				p := new(campaign.Print)
				if p.UnmarshalBinary(m.print) != nil {
					r.bad = true
				}
				m.mark = markOf(p, m.features)
			}
			if r.bad {
				return [2][]*golden{}, fmt.Errorf("feedback: %w: message %d", errGolden, len(piles[k]))
			}
			piles[k] = append(piles[k], m)
		}
	}
	if r.bad || len(r.b) > 0 {
		return [2][]*golden{}, fmt.Errorf("feedback: %w: its end", errGolden)
	}
	return piles, nil
}

// octets reads a file strictly.
type octets struct {
	b   []byte
	bad bool
}

// take always returns n octets.
func (r *octets) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, n)
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *octets) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *octets) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

func (r *octets) part(most int) []byte {
	n := r.uint32()
	if r.bad || int64(n) > int64(min(most, len(r.b))) {
		r.bad = true
		return nil
	}
	return bytes.Clone(r.take(int(n)))
}
