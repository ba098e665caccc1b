package copycat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"sluice/internal/durable"
)

// The snapshot is a line with the format's name, the sizes of the tables with a trace
// of the key, the campaigns with their places, a zero, the features with theirs, a
// zero, and a CRC-32C of all of it. Numbers are little endian.
const fileName = "sluice copycats 2\n"

// Errors of Load, for errors.Is.
var (
	ErrDamaged = errors.New("copycat: the snapshot is damaged")
	// ErrOther says that the snapshot was made with another key or for another size.
	ErrOther = errors.New("copycat: the snapshot is of another key or size")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Save writes a snapshot in place of the one before, in one step or not at all. Mail
// goes on meanwhile: what is learned while it runs may be in it or not.
func (m *Memory) Save(ctx context.Context, fsys durable.FS, name string) error {
	err := durable.Replace(fsys, name, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		sum := crc32.New(castagnoli)
		if err := m.write(ctx, io.MultiWriter(b, sum)); err != nil {
			return err
		}
		if err := binary.Write(b, binary.LittleEndian, sum.Sum32()); err != nil {
			return err
		}
		return b.Flush()
	})
	if err != nil {
		return fmt.Errorf("copycat: save: %w", err)
	}
	return nil
}

// head describes the tables.
func (m *Memory) head() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte(fileName), uint32(len(m.records)))
	b = le.AppendUint32(b, uint32(len(m.index.buckets)))
	return le.AppendUint64(b, m.cfg.Prints.Hash(hashDomain, fileName))
}

func (m *Memory) write(ctx context.Context, w io.Writer) error {
	const step = 4096 // places that are read under one lock
	if _, err := w.Write(m.head()); err != nil {
		return err
	}
	le := binary.LittleEndian
	var body []byte
	flush := func(err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			_, err = w.Write(body)
		}
		body = body[:0]
		return err
	}
	for from := 0; from < len(m.records); from += step {
		var err error
		m.mu.RLock()
		for id := from; id < min(from+step, len(m.records)); id++ {
			if m.records[id].first != 0 {
				body, err = binary.Append(le.AppendUint32(body, uint32(id)), le, m.records[id].stored())
			}
		}
		m.mu.RUnlock()
		if err := flush(err); err != nil {
			return err
		}
	}
	body = le.AppendUint32(body, 0)
	for from := 0; from < len(m.index.buckets); from += step {
		m.mu.RLock()
		for at := from; at < min(from+step, len(m.index.buckets)); at++ {
			for i, e := range m.index.buckets[at] {
				if e.of != 0 {
					body = le.AppendUint32(body, uint32(at*ways+i)+1)
					body = le.AppendUint32(le.AppendUint16(le.AppendUint16(body, e.tag), e.owner), uint32(e.of))
				}
			}
		}
		m.mu.RUnlock()
		if err := flush(nil); err != nil {
			return err
		}
	}
	body = le.AppendUint32(body, 0)
	return flush(nil)
}

// stored is a record as it is written.
type stored struct {
	Owner, To      uint64
	Logo           uint64
	Text, Layout   [2]uint64
	Sites          [4]uint64
	Calls, Wording [mostAsked]uint32
	Waiting        [2][2]uint32
	First, Last    uint32
	Titled         uint32
	Counts         [7]uint8
	Domain         [maxDomain]byte
	Subject        [36]byte
}

func (c *record) stored() *stored {
	s := &stored{c.owner, c.to, c.logo, c.text, c.layout, c.sites, c.calls, c.wording, [2][2]uint32{}, c.first, c.last, c.titled,
		[7]uint8{c.runs, c.layouts, c.pictures, c.generation, c.flags, c.domainLen, c.subjectLen}, c.domain, c.subject}
	for i, w := range c.waiting {
		s.Waiting[i] = [2]uint32{w.site, w.n}
	}
	return s
}

func (s *stored) record() record {
	c := record{owner: s.Owner, to: s.To, logo: s.Logo, text: s.Text, layout: s.Layout, sites: s.Sites, calls: s.Calls, wording: s.Wording, first: s.First, last: s.Last, titled: s.Titled,
		runs: s.Counts[0], layouts: s.Counts[1], pictures: s.Counts[2], generation: s.Counts[3], flags: s.Counts[4], domainLen: s.Counts[5], subjectLen: s.Counts[6],
		domain: s.Domain, subject: s.Subject}
	for i, w := range s.Waiting {
		c.waiting[i] = waiting{w[0], w[1]}
	}
	return c
}

// Load takes in a snapshot, in place of everything that is remembered. A file that
// doesn't exist is none. After another error the memory is empty, and the error is
// ErrDamaged, ErrOther or one of the file's.
func (m *Memory) Load(fsys durable.FS, name string) error {
	r, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("copycat: load: %w", err)
	}
	defer r.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reset()
	if err := m.read(bufio.NewReaderSize(io.NewSectionReader(r, 0, r.Size()), 1<<16)); err != nil {
		m.reset()
		return fmt.Errorf("load %s: %w", name, err)
	}
	return nil
}

func (m *Memory) read(in io.Reader) error {
	sum := crc32.New(castagnoli)
	r := io.TeeReader(in, sum)
	want := m.head()
	head := make([]byte, len(want))
	if _, err := io.ReadFull(r, head); err != nil || !bytes.HasPrefix(head, []byte(fileName)) {
		return ErrDamaged
	}
	if !bytes.Equal(head, want) {
		return ErrOther
	}
	le := binary.LittleEndian
	buf := make([]byte, max(binary.Size(stored{}), 8))
	next := func(n int) []byte {
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return nil
		}
		return buf[:n]
	}
	for {
		b := next(4)
		if b == nil {
			return ErrDamaged
		}
		id := le.Uint32(b)
		if id == 0 {
			break
		}
		var s stored
		if b = next(binary.Size(s)); b == nil || uint64(id) >= uint64(len(m.records)) {
			return ErrDamaged
		}
		if _, err := binary.Decode(b, le, &s); err != nil || s.First == 0 || s.Counts[5] > maxDomain || int(s.Counts[6]) > len(s.Subject) {
			return ErrDamaged
		}
		if m.records[id].first == 0 {
			m.used++
		}
		m.records[id] = s.record()
	}
	for {
		b := next(4)
		if b == nil {
			return ErrDamaged
		}
		at := le.Uint32(b)
		if at == 0 {
			break
		}
		if b = next(8); b == nil || uint64(at-1) >= uint64(len(m.index.buckets))*ways {
			return ErrDamaged
		}
		e := &m.index.buckets[(at-1)/ways][(at-1)%ways]
		if e.of == 0 {
			m.index.used++
		}
		*e = entry{le.Uint16(b), le.Uint16(b[2:]), ref(le.Uint32(b[4:]))}
	}
	all := sum.Sum32()
	if _, err := io.ReadFull(in, buf[:4]); err != nil || le.Uint32(buf) != all {
		return ErrDamaged
	}
	return nil
}
