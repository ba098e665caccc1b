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
	"math"
)

// Both kinds of file are: an 8 octet mark, a head of fixed size, a body, and the
// SHA-256 of all that. Numbers are little-endian.
const (
	modelMark = "SLUTXTM1"
	deltaMark = "SLUTXTD1"
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

// deltaHead follows the mark of a delta; its body holds Count times the distance
// from the slot before (unsigned varint) and the value (float32).
type deltaHead struct {
	Extractor uint16
	TableBits uint16
	Base      [8]byte
	Ham, Spam uint32
	Count     uint32
}

// Load reads a model that Write wrote. It is strict: a file of another
// extractor, a bad checksum, numbers out of range or octets left over are errors.
func Load(r io.Reader) (*Model, error) {
	var h modelHead
	body, err := open(r, modelMark, &h)
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
	m := &Model{weights: make([]int16, tableSize), unit: h.Step / fine, cal: h.Cal}
	for i := range m.weights {
		q := int16(int8(table[i]))
		if q < -coarse {
			return nil, fileError("weight out of range")
		}
		m.weights[i] = q * fine
	}
	m.version = m.hash()
	return m, nil
}

func (c Calibration) valid() bool {
	in := func(v, lo, hi float64) bool { return v >= lo && v <= hi } // false for NaN
	return in(c.Slope, 0.01, 1000) && in(c.Offset, -100, 100) && in(c.Segment, 0, 10) && in(c.Edge, 0, 10) &&
		in(c.Floor, -100, 0) && in(c.Ceiling, 0, 100)
}

// Write writes m as Load reads it. A model with a delta on top can't be written:
// the two are kept apart.
func (m *Model) Write(w io.Writer) error {
	if m.base != "" {
		return errors.New("text: a model with a delta on top is kept as the two")
	}
	var b bytes.Buffer
	b.WriteString(modelMark)
	if err := binary.Write(&b, binary.LittleEndian, &modelHead{ExtractorVersion, tableBits, m.unit * fine, m.cal}); err != nil {
		return err
	}
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return err
	}
	table := make([]byte, tableSize)
	for i, q := range m.weights {
		table[i] = byte(q / fine)
	}
	z.Write(table) // into memory: can't fail
	z.Close()
	return seal(w, &b)
}

// LoadDelta reads a delta that Write wrote, as strictly as Load.
func LoadDelta(r io.Reader) (*Delta, error) {
	var h deltaHead
	body, err := open(r, deltaMark, &h)
	if err != nil {
		return nil, err
	}
	if h.Extractor != ExtractorVersion || h.TableBits != tableBits {
		return nil, fileError("learned with extractor %d and %d bits, this program has %d with %d", h.Extractor, h.TableBits, ExtractorVersion, tableBits)
	}
	if int64(h.Count)*5 > int64(body.Len()) {
		return nil, fileError("%d weights in %d octets", h.Count, body.Len())
	}
	d := &Delta{
		Base: hex.EncodeToString(h.Base[:]), Ham: int(h.Ham), Spam: int(h.Spam),
		slots: make([]uint32, h.Count), values: make([]float32, h.Count),
	}
	next := uint64(0)
	for k := range d.slots {
		gap, err := binary.ReadUvarint(body)
		if err != nil || gap >= tableSize || next+gap >= tableSize {
			return nil, fileError("slot out of range")
		}
		var v [4]byte
		if _, err := io.ReadFull(body, v[:]); err != nil {
			return nil, fileError("cut short")
		}
		d.slots[k] = uint32(next + gap)
		d.values[k] = math.Float32frombits(binary.LittleEndian.Uint32(v[:]))
		if !(d.values[k] > -1000 && d.values[k] < 1000) {
			return nil, fileError("weight out of range")
		}
		next += gap + 1
	}
	if body.Len() != 0 {
		return nil, fileError("%d octets left over", body.Len())
	}
	return d, nil
}

// Write writes d as LoadDelta reads it.
func (d *Delta) Write(w io.Writer) error {
	h := deltaHead{ExtractorVersion, tableBits, [8]byte{}, uint32(d.Ham), uint32(d.Spam), uint32(len(d.slots))}
	if n, err := hex.Decode(h.Base[:], []byte(d.Base)); err != nil || n != len(h.Base) {
		return fmt.Errorf("text: delta names no base: %q", d.Base)
	}
	var b bytes.Buffer
	b.WriteString(deltaMark)
	if err := binary.Write(&b, binary.LittleEndian, &h); err != nil {
		return err
	}
	next := uint32(0)
	var buf []byte
	for k, i := range d.slots {
		buf = binary.AppendUvarint(buf[:0], uint64(i-next))
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(d.values[k]))
		b.Write(buf)
		next = i + 1
	}
	return seal(w, &b)
}

// open checks the mark and the checksum, fills in the head and returns the body.
func open(r io.Reader, mark string, head any) (*bytes.Reader, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
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
	b := make([]byte, 0, 64<<10)
	b, _ = binary.Append(b, binary.LittleEndian, &modelHead{ExtractorVersion, tableBits, m.unit, m.cal}) // fixed size: can't fail
	for _, w := range m.weights {
		if len(b)+2 > cap(b) {
			h.Write(b)
			b = b[:0]
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(w))
	}
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)[:8])
}
