package text

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// A file is: an 8 octet mark, a head of fixed size, a body, and the SHA-256 of all
// that. Numbers are little-endian.
const (
	modelMark = "SLUTXTM1"
	maxFile   = 16 << 20
)

// errFile is behind every complaint about a file's content.
var errFile = errors.New("not a usable file of weights")

func fileError(format string, a ...any) error {
	return fmt.Errorf("text: %w: %s", errFile, fmt.Sprintf(format, a...))
}

// modelHead follows the mark of a model; its body is the table of weights in
// coarse steps, one octet a slot, deflated.
type modelHead struct {
	Extractor uint16
	TableBits uint16
	Step      float64
	Cal       Calibration
}

// Load reads a model that Write wrote. It is strict: a file of another
// extractor, a bad checksum, numbers out of range or octets left over are errors.
func Load(r io.Reader) (*Model, error) {
	var h modelHead
	body, err := open(r, &h)
	if err != nil {
		return nil, err
	}
	if h.Extractor != ExtractorVersion || h.TableBits != tableBits {
		return nil, fileError("made for extractor %d with %d bits, this program has %d with %d", h.Extractor, h.TableBits, ExtractorVersion, tableBits)
	}
	if !(h.Step > 0 && h.Step < 1) || !h.Cal.valid() {
		return nil, fileError("calibration out of range")
	}
	table := make([]byte, tableSize+1)
	n, err := io.ReadFull(flate.NewReader(body), table)
	if err != io.ErrUnexpectedEOF || n != tableSize || body.Len() != 0 {
		return nil, fileError("table of wrong size")
	}
	m := &Model{weights: make([]int8, tableSize), unit: h.Step, cal: h.Cal}
	for i := range m.weights {
		q := int8(table[i])
		if q < -coarse {
			return nil, fileError("weight out of range")
		}
		m.weights[i] = q
	}
	m.version = m.hash()
	return m, nil
}

func (c Calibration) valid() bool {
	in := func(v, lo, hi float64) bool { return v >= lo && v <= hi } // false for NaN
	return in(c.Slope, 0.01, 1000) && in(c.Offset, -100, 100) && in(c.Segment, 0, 10) && in(c.Edge, 0, 10) &&
		in(c.Floor, -100, 0) && in(c.Ceiling, 0, 100)
}

// Write writes m as Load reads it.
func (m *Model) Write(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(modelMark)
	if err := binary.Write(&b, binary.LittleEndian, &modelHead{ExtractorVersion, tableBits, m.unit, m.cal}); err != nil {
		return err
	}
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return err
	}
	table := make([]byte, tableSize)
	for i, q := range m.weights {
		table[i] = byte(q)
	}
	z.Write(table) // into memory: can't fail
	z.Close()
	return seal(w, &b)
}

// open checks the mark and the checksum, fills in the head and returns the body.
func open(r io.Reader, head *modelHead) (*bytes.Reader, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	const mark = modelMark
	size := len(mark) + binary.Size(head)
	switch {
	case len(b) > maxFile:
		return nil, fileError("more than %d octets", maxFile)
	case len(b) < size+sha256.Size:
		return nil, fileError("%d octets are too few", len(b))
	case string(b[:len(mark)]) != mark:
		return nil, fileError("it begins with %q, not %q", b[:len(mark)], mark)
	}
	b, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if sha256.Sum256(b) != [sha256.Size]byte(sum) {
		return nil, fileError("the checksum is wrong")
	}
	if _, err := binary.Decode(b[len(mark):], binary.LittleEndian, head); err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	return bytes.NewReader(b[size:]), nil
}

// seal writes b and its checksum.
func seal(w io.Writer, b *bytes.Buffer) error {
	sum := sha256.Sum256(b.Bytes())
	b.Write(sum[:])
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	return nil
}

// hash names everything that a score depends on.
func (m *Model) hash() string {
	h := sha256.New()
	b, _ := binary.Append(nil, binary.LittleEndian, &modelHead{ExtractorVersion, tableBits, m.unit, m.cal}) // fixed size: can't fail
	h.Write(b)
	for at := 0; at < len(m.weights); at += 64 << 10 {
		b = b[:0]
		for _, w := range m.weights[at:min(at+64<<10, len(m.weights))] {
			b = append(b, byte(w))
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
