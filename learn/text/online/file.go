package online

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A file is an 8 octet mark, a head, the calibration, the biases, the window, the
// table, and the SHA-256 of all that. Numbers are little-endian; lists of slots are
// unsigned varints of the distance from the one before.
const (
	fileMark = "SLUONL01"
	maxFile  = 96 << 20
)

// errFile is behind every complaint about a file's content.
var errFile = errors.New("not a usable file of what was learned")

func fileError(format string, a ...any) error {
	return fmt.Errorf("online: %w: %s", errFile, fmt.Sprintf(format, a...))
}

// fileHead has a fixed size.
type fileHead struct {
	Extractor, TableBits uint16
	Ham, Spam, Trusted   uint64
	Next, Turns          uint32
	Examples, Slots      uint32
	Platt                plattHead
}

type plattHead struct {
	A, B                       float64
	N, Next, Since, Resets     uint32
	Loss, Losses, Drift, Least float64
}

// Write writes s as Load reads it. What is loaded goes on as s would.
func (s *State) Write(w io.Writer) error {
	s.svm.near.flush(s.svm.table)
	k, p := &s.known, &s.known.platt
	h := fileHead{
		Extractor: Extractor, TableBits: tableBits, Ham: uint64(k.ham), Spam: uint64(k.spam), Trusted: uint64(k.trusted),
		Next: uint32(s.svm.next), Turns: s.svm.turns, Examples: uint32(len(s.svm.ring)),
		Platt: plattHead{p.a, p.b, uint32(p.n), uint32(p.next), uint32(p.since), uint32(p.resets), p.loss, p.losses, p.drift, p.least},
	}
	for i := range s.svm.table.slots {
		if s.svm.table.slots[i] != (slot{}) {
			h.Slots++
		}
	}
	sum := sha256.New()
	b := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10) // keeps the first error
	b.WriteString(fileMark)
	put := func(v any) { binary.Write(b, binary.LittleEndian, v) }
	put(&h)
	put(&p.margin)
	put(&p.spam)
	for _, set := range k.biases {
		for _, e := range set {
			put(&biasRecord{e.key, e.odds, e.labels})
		}
	}
	for _, e := range s.svm.ring {
		s.svm.writeExample(b, e)
	}
	var buf []byte
	next := 0
	for i := range s.svm.table.slots {
		x := &s.svm.table.slots[i]
		if *x == (slot{}) {
			continue
		}
		buf = binary.AppendUvarint(buf[:0], uint64(i-next))
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x.slow))
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x.fast))
		buf = binary.AppendUvarint(buf, uint64(x.ham))
		buf = binary.AppendUvarint(buf, uint64(x.spam))
		b.Write(buf)
		next = i + 1
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("online: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("online: %w", err)
	}
	return nil
}

type biasRecord struct {
	Key    uint64
	Odds   float32
	Labels uint32
}

// exampleRecord is an example without its features.
type exampleRecord struct {
	Spam       bool
	Slow, Fast [3]float32 // C, α, margin
	Ends       [views]int32
}

func (s *svm) writeExample(b *bufio.Writer, e *example) {
	binary.Write(b, binary.LittleEndian, &exampleRecord{
		e.spam, [3]float32{e.slow.c, e.slow.alpha, e.slow.margin}, [3]float32{e.fast.c, e.fast.alpha, e.fast.margin}, e.f.ends,
	})
	var buf []byte
	start := int32(0)
	for _, end := range e.f.ends {
		next := uint32(0)
		for _, id := range e.f.index[start:end] { // rising slots in each view
			i := s.near.slots[id]
			buf = binary.AppendUvarint(buf[:0], uint64(i-next))
			b.Write(buf)
			next = i
		}
		start = end
	}
}

// Load reads a state that Write wrote. It is strict: a file of another extractor, a
// bad checksum, numbers out of range and octets left over are errors.
func Load(r io.Reader) (*State, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("online: %w", err)
	}
	if len(raw) > maxFile || len(raw) < len(fileMark)+sha256.Size || string(raw[:len(fileMark)]) != fileMark {
		return nil, fileError("%d octets, or another mark", len(raw))
	}
	body, sum := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if sha256.Sum256(body) != [sha256.Size]byte(sum) {
		return nil, fileError("the checksum is wrong")
	}
	f := reader{b: bytes.NewReader(body[len(fileMark):])}
	s := NewState()
	h := f.head(s)
	if f.err == nil && (h.Extractor != Extractor || h.TableBits != tableBits) {
		return nil, fileError("learned with extractor %d and %d bits, this program has %d with %d", h.Extractor, h.TableBits, Extractor, tableBits)
	}
	for i := range s.known.biases {
		for k := range s.known.biases[i] {
			var e biasRecord
			f.get(&e)
			f.need(math.Abs(float64(e.Odds)) <= biasLimit, "bias")
			s.known.biases[i][k] = bias{e.Key, e.Odds, e.Labels}
		}
	}
	// The table comes last, but examples take their weights from it.
	examples := f.examples(h)
	f.table(h, s.svm.table)
	f.need(f.err != nil || f.b.Len() == 0, "end")
	if f.err != nil {
		return nil, f.err
	}
	for _, e := range examples {
		e.f = s.svm.near.take(e.f, s.svm.table)
	}
	s.svm.ring = examples
	return s, nil
}

// reader keeps the first error.
type reader struct {
	b   *bytes.Reader
	err error
}

func (r *reader) get(v any) {
	if r.err == nil {
		if err := binary.Read(r.b, binary.LittleEndian, v); err != nil {
			r.err = fileError("cut short")
		}
	}
}

func (r *reader) uvarint(limit uint64) uint64 {
	if r.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(r.b)
	if err != nil || v > limit {
		r.err = fileError("a number is out of range")
		return 0
	}
	return v
}

func (r *reader) need(ok bool, what string) {
	if r.err == nil && !ok {
		r.err = fileError("%s out of range", what)
	}
}

func finite(v ...float64) bool {
	for _, x := range v {
		if !(math.Abs(x) < 1e12) {
			return false
		}
	}
	return true
}

func (r *reader) head(s *State) (h fileHead) {
	r.get(&h)
	p := &h.Platt
	const most = 1 << 40
	r.need(h.Ham < most && h.Spam < most && h.Trusted <= h.Ham+h.Spam && h.Examples <= window && h.Next < window && (h.Next == 0 || h.Examples == window) &&
		h.Slots <= tableSize, "head")
	r.need(p.N <= plattWindow && p.Next < plattWindow && p.Since < plattEvery && (p.N == plattWindow || p.Next == p.N) &&
		p.A >= 0.1 && p.A <= 50 && p.B >= -20 && p.B <= 20 && finite(p.Loss, p.Losses, p.Drift, p.Least), "calibration")
	k := &s.known
	k.ham, k.spam, k.trusted = int(h.Ham), int(h.Spam), int(h.Trusted)
	k.platt = platt{a: p.A, b: p.B, n: int(p.N), next: int(p.Next), since: int(p.Since), resets: int(p.Resets),
		loss: p.Loss, losses: p.Losses, drift: p.Drift, least: p.Least}
	r.get(&k.platt.margin)
	r.get(&k.platt.spam)
	if r.err == nil {
		k.platt.recount()
	}
	for _, m := range k.platt.margin {
		r.need(finite(float64(m)), "calibration")
	}
	s.svm.next, s.svm.turns = int(h.Next), h.Turns
	return h
}

func (r *reader) examples(h fileHead) (out []*example) {
	for range h.Examples {
		var x exampleRecord
		r.get(&x)
		e := &example{spam: x.Spam, f: &Features{ends: x.Ends},
			slow: multiplier{x.Slow[0], x.Slow[1], x.Slow[2]}, fast: multiplier{x.Fast[0], x.Fast[1], x.Fast[2]}}
		for _, m := range []multiplier{e.slow, e.fast} {
			r.need(m.alpha >= 0 && m.alpha <= m.c && m.c <= fastC && finite(float64(m.margin)), "example")
		}
		start := int32(0)
		for _, end := range x.Ends {
			r.need(end >= start && end <= maxLearned && int64(end-start) <= int64(r.b.Len()), "example")
			if r.err != nil {
				return nil
			}
			next := uint64(0)
			for range end - start {
				next += r.uvarint(tableSize - 1)
				r.need(next < tableSize, "slot")
				e.f.index = append(e.f.index, uint32(next))
			}
			start = end
		}
		e.f.weigh()
		out = append(out, e)
	}
	return out
}

func (r *reader) table(h fileHead, t *table) {
	next := uint64(0)
	for range h.Slots {
		next += r.uvarint(tableSize - 1)
		var w [2]float32
		r.get(&w)
		x := slot{w[0], w[1], uint32(r.uvarint(math.MaxUint32)), uint32(r.uvarint(math.MaxUint32))}
		r.need(next < tableSize && finite(float64(w[0]), float64(w[1])) && x != slot{}, "slot")
		if r.err != nil {
			return
		}
		t.slots[next], t.dirty[next>>pageBits] = x, true
		next++
	}
}
