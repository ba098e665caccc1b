// Package wire is the language between the gateway and the process that looks into
// files: records of a kind, a length and fields, one direction each.
//
// The process sends a report as it grows: each record adds a file, a fact and so
// on, so that what it knew stands when it dies. The gateway's side believes nothing:
// every count, length, index and form is checked against the limits of package
// inspect, and the first thing that is wrong ends the reading. A process that
// speaks nonsense is as good as a crashed one.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"sluice/inspect"
)

// Version of the language. Both sides must have the same.
const Version = 2

// The kinds of records.
const (
	kindHello   = 'H'
	kindRequest = 'Q'
	kindFile    = 'F' // adds one, or takes the place of an input's
	kindUpdate  = 'U' // type and class of a file that was sent
	kindFact    = 'A'
	kindLink    = 'L'
	kindText    = 'T'
	kindImage   = 'I'
	kindKept    = 'C' // a piece of a content that was asked for
	kindAt      = 'O' // what is being opened
	kindEnd     = 'E'
)

// maxRecord bounds one record: a text with its frame, or an image with its codes.
const maxRecord = inspect.MaxText + inspect.MaxCodes*(inspect.MaxPayload+2*inspect.MaxWord+16) + 256

var (
	errForm    = errors.New("inspect/wire: a record has not its form")
	errTooMany = errors.New("inspect/wire: more than a report may hold")
)

// Hello is what the process says when it is ready.
type Hello struct {
	Version int
	Strict  bool     // the sandbox keeps it from files and programs
	Sandbox []string // what holds it, as lines for the operator
}

const (
	maxLines = 16
	maxLine  = 200
)

// record is built field by field.
type record []byte

func (b *record) num(n int64)     { *b = binary.AppendVarint(*b, n) }
func (b *record) bits(n uint64)   { *b = binary.AppendUvarint(*b, n) }
func (b *record) text(s string)   { b.bits(uint64(len(s))); *b = append(*b, s...) }
func (b *record) raw(p []byte)    { *b = append(*b, p...) }
func (b *record) truth(v bool)    { *b = append(*b, map[bool]byte{true: 1}[v]) }
func (b *record) fixed(n uint64)  { *b = binary.BigEndian.AppendUint64(*b, n) }
func (b *record) each(s []string) { b.bits(uint64(len(s))); b.texts(s) }

func (b *record) texts(list []string) {
	for _, s := range list {
		b.text(s)
	}
}

// fields takes a record apart. The first field that is wrong makes all that follow
// empty, and is kept in err.
type fields struct {
	b   []byte
	err error
}

func (f *fields) fail() { f.b, f.err = nil, errForm }

func (f *fields) bits(top uint64) uint64 {
	n, size := binary.Uvarint(f.b)
	if size <= 0 || n > top {
		f.fail()
		return 0
	}
	f.b = f.b[size:]
	return n
}

// num reads a number from low to high.
func (f *fields) num(low, high int64) int64 {
	n, size := binary.Varint(f.b)
	if size <= 0 || n < low || n > high {
		f.fail()
		return 0
	}
	f.b = f.b[size:]
	return n
}

func (f *fields) int(low, high int) int { return int(f.num(int64(low), int64(high))) }

// text reads a string of valid UTF-8.
func (f *fields) text(limit int) string {
	n := int(f.bits(uint64(limit)))
	if n > len(f.b) || !utf8.Valid(f.b[:n]) {
		f.fail()
		return ""
	}
	s := string(f.b[:n])
	f.b = f.b[n:]
	return s
}

func (f *fields) raw(p []byte) {
	if len(f.b) < len(p) {
		f.fail()
		return
	}
	f.b = f.b[copy(p, f.b):]
}

func (f *fields) truth() bool {
	var b [1]byte
	if f.raw(b[:]); b[0] > 1 {
		f.fail()
	}
	return b[0] == 1
}

func (f *fields) fixed() uint64 {
	var b [8]byte
	f.raw(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// end says whether the record held what it should, and nothing behind it.
func (f *fields) end() error {
	if f.err == nil && len(f.b) > 0 {
		f.err = errForm
	}
	return f.err
}

// readRecord reads one record into buf, which it returns, grown as needed.
func readRecord(r *bufio.Reader, buf []byte, limit int) (kind byte, payload []byte, err error) {
	if kind, err = r.ReadByte(); err != nil {
		return 0, buf[:0], err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, buf[:0], noEOF(err)
	}
	if n > uint64(limit) {
		return 0, buf[:0], errForm
	}
	// It grows with what comes, not with what is announced.
	buf = buf[:0]
	for len(buf) < int(n) {
		step := min(int(n)-len(buf), 16<<10)
		buf = append(buf, make([]byte, step)...)
		if _, err := io.ReadFull(r, buf[len(buf)-step:]); err != nil {
			return 0, buf[:0], noEOF(err)
		}
	}
	return kind, buf, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func writeRecord(w *bufio.Writer, kind byte, b record) error {
	var head [1 + binary.MaxVarintLen64]byte
	head[0] = kind
	n := binary.PutUvarint(head[1:], uint64(len(b)))
	if _, err := w.Write(head[:1+n]); err != nil {
		return fmt.Errorf("inspect/wire: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("inspect/wire: %w", err)
	}
	return nil
}

// WriteHello says that the process is ready.
func WriteHello(w *bufio.Writer, h Hello) error {
	var b record
	b.num(int64(h.Version))
	b.truth(h.Strict)
	lines := h.Sandbox[:min(len(h.Sandbox), maxLines)]
	for i := range lines {
		lines[i] = lines[i][:min(len(lines[i]), maxLine)]
	}
	b.each(lines)
	if err := writeRecord(w, kindHello, b); err != nil {
		return err
	}
	return flush(w)
}

func flush(w *bufio.Writer) error {
	if err := w.Flush(); err != nil {
		return fmt.Errorf("inspect/wire: %w", err)
	}
	return nil
}

// ReadHello reads what the process says first.
func ReadHello(r *bufio.Reader) (Hello, error) {
	kind, p, err := readRecord(r, nil, maxLines*(maxLine+4)+16)
	if err != nil {
		return Hello{}, fmt.Errorf("inspect/wire: no hello: %w", err)
	}
	f := fields{b: p}
	h := Hello{Version: f.int(0, math.MaxInt32), Strict: f.truth()}
	for range f.bits(maxLines) {
		h.Sandbox = append(h.Sandbox, f.text(maxLine))
	}
	switch err := f.end(); {
	case kind != kindHello || err != nil:
		return Hello{}, fmt.Errorf("inspect/wire: no hello: %w", errForm)
	case h.Version != Version:
		return Hello{}, fmt.Errorf("inspect/wire: the process speaks version %d, not %d", h.Version, Version)
	}
	return h, nil
}

// duration bounds of a request and a report.
const maxTime = int64(24 * time.Hour)

// Statuses with which the process ends itself.
const (
	ExitMemory = 86 // it used more memory than it may
	ExitTime   = 87 // it worked for longer than it may
)
