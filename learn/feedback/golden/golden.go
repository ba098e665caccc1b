// Package golden keeps mail of which it is known, without labels, whether it is
// wanted: mail of authenticated correspondents, answered mail, and what traps got. A
// model that has learned is read against it. Nothing of the words is kept, only
// hashed features.
package golden

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

	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/learn/text/online"
)

// Config bounds a Set; zero fields take the default.
type Config struct {
	Wanted    int           // messages; default 2,000
	Spam      int           // default 500
	PerDomain int           // of one sender's domain; default one of fifty of Wanted
	Age       time.Duration // how long one stays; default 90 days
}

// Set is golden mail. It is safe for concurrent use.
type Set struct {
	cfg Config

	mu    sync.Mutex
	piles [2]pile // wanted, spam
	dirty bool
	saved time.Time
}

// pile holds messages by rising key: of all that were offered those with the lowest,
// which is as good as drawing lots, and the same after a restart.
type pile struct {
	most, perDomain int
	all             []*mail
}

type mail struct {
	key      [16]byte
	from     string // registrable domain
	time     time.Time
	features []byte
	print    []byte
	read     *campaign.Print // print; nil where there is none
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
	fileMark  = "SLUGLD01"
	maxFile   = 256 << 20
	maxPrint  = 16 << 10
	maxName   = 253
	saveEvery = time.Hour
)

// New makes an empty one.
func New(cfg Config) *Set {
	cfg.Wanted = min(cmp.Or(max(cfg.Wanted, 0), 2000), 20_000)
	cfg.Spam = min(cmp.Or(max(cfg.Spam, 0), 500), 20_000)
	cfg.PerDomain = cmp.Or(max(cfg.PerDomain, 0), max(cfg.Wanted/50, 2))
	cfg.Age = cmp.Or(max(cfg.Age, 0), 90*24*time.Hour)
	return &Set{cfg: cfg, piles: [2]pile{{most: cfg.Wanted, perDomain: cfg.PerDomain}, {most: cfg.Spam, perDomain: cfg.Spam}}}
}

// Offer offers a message: mail of a correspondent who is known and authenticated, an
// answer to mail from here; and spam that a trap got. Most offers cost a hash.
func (s *Set) Offer(o Offering) {
	sum := sha256.Sum256([]byte(o.ID))
	m := &mail{key: [16]byte(sum[:16]), from: strings.ToLower(o.From[:min(len(o.From), maxName)]), time: o.Time}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pile(o.Spam)
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
		m.read = o.Print
	}
	p.add(m)
	s.dirty = true
}

// place is where a key is or would be.
func (p *pile) place(key [16]byte) (int, bool) {
	return slices.BinarySearchFunc(p.all, key, func(m *mail, key [16]byte) int { return bytes.Compare(m.key[:], key[:]) })
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

func (p *pile) wants(m *mail) bool {
	i, found := p.place(m.key)
	if found || i >= p.most {
		return false
	}
	at, n := p.last(m.from)
	return n < p.perDomain || i <= at
}

func (p *pile) add(m *mail) {
	if at, n := p.last(m.from); n >= p.perDomain {
		p.all = slices.Delete(p.all, at, at+1)
	}
	i, _ := p.place(m.key)
	p.all = slices.Insert(p.all, i, m)
	if len(p.all) > p.most {
		p.all = slices.Delete(p.all, p.most, len(p.all))
	}
}

// Features returns what is known of wanted mail, or of spam; what is too old is
// dropped.
func (s *Set) Features(spam bool, now time.Time) []*online.Features {
	s.mu.Lock()
	p := s.pile(spam)
	n := len(p.all)
	p.all = slices.DeleteFunc(p.all, func(m *mail) bool { return now.Sub(m.time) > s.cfg.Age })
	s.dirty = s.dirty || len(p.all) != n
	list := slices.Clone(p.all)
	s.mu.Unlock()
	out := make([]*online.Features, 0, len(list))
	for _, m := range list {
		if f := new(online.Features); f.UnmarshalBinary(m.features) == nil {
			out = append(out, f)
		}
	}
	return out
}

func (s *Set) pile(spam bool) *pile {
	if spam {
		return &s.piles[1]
	}
	return &s.piles[0]
}

// Len says how much wanted mail and spam there is.
func (s *Set) Len() (wanted, spam int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.piles[0].all), len(s.piles[1].all)
}

// Drop removes what somebody trusted contradicts: mail like the message that is
// said to be spam, or not.
func (s *Set) Drop(print *campaign.Print, features []byte, spam bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pile(!spam)
	n := len(p.all)
	p.all = slices.DeleteFunc(p.all, func(m *mail) bool { return bytes.Equal(m.features, features) || alike(m.read, print) })
	s.dirty = s.dirty || len(p.all) != n
	return n - len(p.all)
}

func alike(a, b *campaign.Print) bool {
	return a != nil && b != nil && a.Text.N > 0 && b.Text.N > 0 && campaign.Similarity(&a.Text.Bits, &b.Text.Bits) >= 0.5
}

// Save writes them to a file, at most once an hour.
func (s *Set) Save(fsys durable.FS, name string, now time.Time) error {
	s.mu.Lock()
	if !s.dirty || now.Sub(s.saved) < saveEvery {
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.Flush(fsys, name, now)
}

// Flush writes them to a file now, where something changed.
func (s *Set) Flush(fsys durable.FS, name string, now time.Time) error {
	s.mu.Lock()
	if !s.dirty {
		s.mu.Unlock()
		return nil
	}
	wanted, spam := slices.Clone(s.piles[0].all), slices.Clone(s.piles[1].all)
	s.dirty, s.saved = false, now
	s.mu.Unlock()
	err := durable.WriteFile(fsys, name, encode(wanted, spam))
	if err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
		return fmt.Errorf("golden: %w", err)
	}
	return nil
}

func encode(wanted, spam []*mail) []byte {
	b := []byte(fileMark)
	b = binary.LittleEndian.AppendUint32(b, online.Extractor)
	for _, list := range [][]*mail{wanted, spam} {
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
	return sealed(b)
}

func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// errFile is behind what is wrong with a golden file.
var errFile = errors.New("no usable file of golden mail")

// Load reads what Save wrote, in place of what is there. A file that doesn't exist
// is none; of another extractor nothing can be used. After an error it is empty.
func (s *Set) Load(fsys durable.FS, name string) error {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("golden: %w", err)
	}
	defer f.Close()
	if f.Size() > maxFile {
		return fmt.Errorf("golden: %w: %d octets", errFile, f.Size())
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return fmt.Errorf("golden: %w", err)
	}
	piles, err := decode(b)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, list := range piles {
		s.piles[k].all = nil
		for _, m := range list {
			if p := &s.piles[k]; p.wants(m) {
				p.add(m)
			}
		}
	}
	return nil
}

func decode(b []byte) (piles [2][]*mail, err error) {
	n := len(b) - sha256.Size
	if n < len(fileMark) || string(b[:len(fileMark)]) != fileMark || sha256.Sum256(b[:n]) != [sha256.Size]byte(b[n:]) {
		return piles, fmt.Errorf("golden: %w: its mark or checksum is wrong", errFile)
	}
	r := octets{b: b[len(fileMark):n]}
	if v := r.uint32(); v != online.Extractor {
		return piles, nil // made by another program; new ones will be offered
	}
	for k := range piles {
		for range r.uint32() {
			m := &mail{key: [16]byte(r.take(16)), time: time.Unix(int64(r.uint64()), 0).UTC()}
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
				m.read = p
			}
			if r.bad {
				return [2][]*mail{}, fmt.Errorf("golden: %w: message %d", errFile, len(piles[k]))
			}
			piles[k] = append(piles[k], m)
		}
	}
	if r.bad || len(r.b) > 0 {
		return [2][]*mail{}, fmt.Errorf("golden: %w: its end", errFile)
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
