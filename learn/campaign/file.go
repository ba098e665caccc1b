package campaign

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"time"

	"sluice"
	"sluice/internal/durable"
)

// The snapshot is a line with the format's name, then chunks: a letter, the number of
// octets (32 bits), these octets, and a CRC-32C of all of it. Numbers are little
// endian. The first chunk describes the tables, the last one counts what came.
// Empty places aren't written.
const (
	fileName  = "sluice campaigns 1\n"
	maxChunk  = 1 << 20
	chunkHead = 1 + 4

	chunkTables  = 't'
	chunkEntries = 'e'
	chunkRecords = 'c'
	chunkWanted  = 'w'
	chunkEnd     = 'z'
)

// Errors of Load, for errors.Is.
var (
	ErrDamaged = errors.New("campaign: the snapshot is damaged")
	// ErrOther says that the snapshot was made with another key or for tables of
	// another size: hashes can't be placed anew.
	ErrOther = errors.New("campaign: the snapshot is of another key or size")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Save writes a snapshot in place of the one before, in one step or not at all. Mail
// goes on meanwhile: what is learned while it runs may be in it or not.
func (m *Memory) Save(ctx context.Context, fsys durable.FS, name string) error {
	err := durable.Replace(fsys, name, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, maxChunk)
		if err := m.write(ctx, b); err != nil {
			return err
		}
		return b.Flush()
	})
	if err != nil {
		return fmt.Errorf("campaign: save: %w", err)
	}
	return nil
}

// chunker writes chunks; an error sticks.
type chunker struct {
	w   io.Writer
	err error
	n   [128]uint32 // chunks' items, by kind
}

func (c *chunker) chunk(kind byte, items int, body []byte) {
	if c.err != nil {
		return
	}
	c.n[kind] += uint32(items)
	head := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(body)))
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, body)
	for _, b := range [][]byte{head, body, binary.LittleEndian.AppendUint32(nil, sum)} {
		if _, err := c.w.Write(b); err != nil {
			c.err = err
			return
		}
	}
}

func (m *Memory) write(ctx context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, fileName); err != nil {
		return err
	}
	c := &chunker{w: w}
	le := binary.LittleEndian
	c.chunk(chunkTables, 1, m.tables())
	const step = 4096 // places that are read under one lock
	body := make([]byte, 0, maxChunk)
	for from := 0; from < len(m.index.buckets) && c.err == nil && ctx.Err() == nil; from += step {
		n := 0
		body = body[:0]
		m.mu.RLock()
		for at := from; at < min(from+step, len(m.index.buckets)); at++ {
			b := &m.index.buckets[at]
			for i := range ways {
				if b.cluster[i] == 0 {
					continue
				}
				n++
				body = le.AppendUint32(body, uint32(at*ways+i))
				body = le.AppendUint32(body, b.tag[i])
				body = le.AppendUint32(body, uint32(b.cluster[i]))
				body = le.AppendUint64(le.AppendUint64(body, b.bits[i][0]), b.bits[i][1])
			}
		}
		m.mu.RUnlock()
		c.chunk(chunkEntries, n, body)
	}
	for from := 1; from < len(m.records) && c.err == nil && ctx.Err() == nil; from += step {
		n := 0
		body = body[:0]
		m.mu.RLock()
		for id := from; id < min(from+step, m.next); id++ {
			body = m.records[id].append(le.AppendUint32(body, uint32(id)))
			n++
		}
		m.mu.RUnlock()
		if n == 0 {
			break
		}
		c.chunk(chunkRecords, n, body)
	}
	body = body[:0]
	n := 0
	m.mu.RLock()
	owned := m.wanted
	m.mu.RUnlock()
	for k, v := range owned.All() {
		if body = v.append(body, k); len(body) > maxChunk-1024 {
			c.chunk(chunkWanted, n+1, body)
			body, n = body[:0], -1
		}
		n++
	}
	c.chunk(chunkWanted, n, body)
	var end []byte
	for _, k := range []byte{chunkEntries, chunkRecords, chunkWanted} {
		end = le.AppendUint32(end, c.n[k])
	}
	c.chunk(chunkEnd, 1, end)
	return errors.Join(c.err, ctx.Err())
}

// tables describes what the places in a snapshot mean.
func (m *Memory) tables() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(m.index.buckets)))
	b = le.AppendUint32(b, uint32(len(m.records)))
	b = append(b, bands, rows, slots)
	return le.AppendUint64(b, mix(m.sketcher.key))
}

func (c *record) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(le.AppendUint64(b, c.root[0]), c.root[1])
	for _, o := range c.owners {
		b = le.AppendUint64(b, o)
	}
	for _, t := range []*tally{&c.recipients, &c.sources, &c.networks, &c.domains} {
		b = append(b, t[:]...)
	}
	b = le.AppendUint64(b, uint64(c.burst))
	for _, n := range []uint32{c.first, c.last, c.faded, c.burstAt, c.labelAt, uint32(c.parent)} {
		b = le.AppendUint32(b, n)
	}
	for _, f := range []float32{c.messages, c.bad, c.good} {
		b = le.AppendUint32(b, math.Float32bits(f))
	}
	return append(b, c.kind, c.generation, c.flags, byte(c.threat))
}

// fields takes numbers off a chunk; past its end they are 0 and short is set.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.short = true
		f.b = nil
		return make([]byte, min(n, 255))
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) u8() byte    { return f.take(1)[0] }
func (f *fields) u16() uint16 { return binary.LittleEndian.Uint16(f.take(2)) }
func (f *fields) u32() uint32 { return binary.LittleEndian.Uint32(f.take(4)) }
func (f *fields) u64() uint64 { return binary.LittleEndian.Uint64(f.take(8)) }

// weight reads a number that counts something.
func (f *fields) weight() float32 {
	w := math.Float32frombits(f.u32())
	if !(w >= 0 && w < 1e12) {
		f.short = true
		return 0
	}
	return w
}

func (f *fields) record() (c record) {
	c.root = [2]uint64{f.u64(), f.u64()}
	for i := range c.owners {
		c.owners[i] = f.u64()
	}
	for _, t := range []*tally{&c.recipients, &c.sources, &c.networks, &c.domains} {
		copy(t[:], f.take(len(t)))
	}
	c.burst = marks(f.u64())
	for _, n := range []*uint32{&c.first, &c.last, &c.faded, &c.burstAt, &c.labelAt, (*uint32)(&c.parent)} {
		*n = f.u32()
	}
	for _, w := range []*float32{&c.messages, &c.bad, &c.good} {
		*w = f.weight()
	}
	c.kind, c.generation, c.flags, c.threat = f.u8(), f.u8(), f.u8(), sluice.Threat(f.u8())
	return c
}

func (w *wanted) append(b []byte, k wantedKey) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(le.AppendUint32(b, uint32(k.cluster)), k.domain)
	n := min(len(w.domain), 255)
	b = append(append(b, byte(n)), w.domain[:n]...)
	for _, n := range []uint32{w.born, w.first, w.last, math.Float32bits(w.messages), math.Float32bits(w.bad), math.Float32bits(w.good)} {
		b = le.AppendUint32(b, n)
	}
	b = append(le.AppendUint16(b, w.goodBy), w.recipients[:]...)
	for _, l := range w.links {
		b = le.AppendUint64(b, l)
	}
	return b
}

func (f *fields) wanted() (k wantedKey, w wanted) {
	k = wantedKey{ref(f.u32()), f.u64()}
	w.domain = string(f.take(int(f.u8())))
	w.born, w.first, w.last = f.u32(), f.u32(), f.u32()
	w.messages, w.bad, w.good = f.weight(), f.weight(), f.weight()
	w.goodBy = f.u16()
	copy(w.recipients[:], f.take(len(w.recipients)))
	for i := range w.links {
		w.links[i] = f.u64()
	}
	return k, w
}

// Load takes in a snapshot, in place of everything that is remembered. A file that
// doesn't exist is none. After another error the memory is empty, and the error is
// ErrDamaged, ErrOther or one of the file's: the caller goes on with an empty memory
// and keeps the file for the admin.
func (m *Memory) Load(fsys durable.FS, name string, now time.Time) error {
	r, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("campaign: load: %w", err)
	}
	defer r.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reset()
	if err := m.read(bufio.NewReaderSize(io.NewSectionReader(r, 0, r.Size()), maxChunk), now); err != nil {
		m.reset()
		return fmt.Errorf("load %s: %w", name, err)
	}
	return nil
}

func (m *Memory) read(r io.Reader, now time.Time) error {
	name := make([]byte, len(fileName))
	if _, err := io.ReadFull(r, name); err != nil || string(name) != fileName {
		return ErrDamaged
	}
	var items [128]uint32
	body := make([]byte, 0, maxChunk)
	for first := true; ; first = false {
		kind, b, err := readChunk(r, body)
		if err != nil {
			return err
		}
		f := &fields{b: b}
		switch {
		case first != (kind == chunkTables):
			return ErrDamaged
		case kind == chunkTables:
			if string(b) != string(m.tables()) {
				return ErrOther
			}
			continue
		case kind == chunkEnd:
			for _, k := range []byte{chunkEntries, chunkRecords, chunkWanted} {
				if f.u32() != items[k] {
					return ErrDamaged
				}
			}
			return nil
		}
		for len(f.b) > 0 {
			items[kind&127]++
			if !m.take(kind, f, now) {
				return ErrDamaged
			}
		}
	}
}

// readChunk reads a chunk into body.
func readChunk(r io.Reader, body []byte) (kind byte, b []byte, err error) {
	var head [chunkHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > maxChunk {
		return 0, nil, ErrDamaged
	}
	b = body[:n]
	var sum [4]byte
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, b) != binary.LittleEndian.Uint32(sum[:]) {
		return 0, nil, ErrDamaged
	}
	return head[0], b, nil
}

// take places one item of a chunk; false for one that can't be.
func (m *Memory) take(kind byte, f *fields, now time.Time) bool {
	switch kind {
	case chunkEntries:
		at, tag, r, sketch := int(f.u32()), f.u32(), ref(f.u32()), [2]uint64{f.u64(), f.u64()}
		if f.short || at/ways >= len(m.index.buckets) || r.id() == 0 || r.id() >= len(m.records) {
			return false
		}
		b := &m.index.buckets[at/ways]
		if b.cluster[at%ways] == 0 {
			m.index.used++
		}
		b.tag[at%ways], b.cluster[at%ways], b.bits[at%ways] = tag, r, sketch
	case chunkRecords:
		id, c := int(f.u32()), f.record()
		if f.short || id == 0 || id >= len(m.records) || c.kind < kindText || c.kind > kindFile || int(c.threat) >= sluice.ThreatCount || c.parent.id() >= len(m.records) {
			return false
		}
		m.records[id] = c
		m.next = max(m.next, id+1)
	case chunkWanted:
		k, w := f.wanted()
		if f.short || k.cluster.id() >= len(m.records) {
			return false
		}
		m.wanted.Update(k, now, func(to *wanted) { *to = w })
	default:
		return false
	}
	return true
}
