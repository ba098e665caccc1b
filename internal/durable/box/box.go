// Package box is the format of one self-describing file: a line with the
// format's name, a line of JSON, a zstd frame, and a trailer by which a torn or
// damaged file is known. The trailer is a skippable zstd frame, so that
//
//	tail -n +3 FILE | zstd -d
//
// gives the content back without this program.
package box

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/durable"
)

// ErrTorn is what a file yields that is cut short, damaged, or not of the
// format at all.
var ErrTorn = errors.New("torn or damaged file")

const (
	maxHead     = 8 << 20 // octets of both lines
	maxWindow   = 8 << 20 // of a frame; ours need 1 MB
	trailerSize = 8 + payloadSize
	payloadSize = 4 + 8 + 8 + 8 + sha256.Size + 4 + 4

	skippable    = 0x184D2A5E // RFC 8878 3.1.2
	trailerMagic = "BOXT"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Format writes and reads boxes of one kind. It is safe for concurrent use.
type Format struct {
	line     string
	encoders sync.Pool
}

// NewFormat names a format: one line of printable ASCII, with its version.
func NewFormat(name string) *Format { return &Format{line: name + "\n"} }

// counter hashes and counts what passes through.
type counter struct {
	w io.Writer
	h hash.Hash
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.h.Write(p[:n])
	c.n += int64(n)
	return n, err
}

// Write writes a box with meta, as JSON, and content.
func (f *Format) Write(w io.Writer, meta any, content []byte) error {
	js, err := json.Marshal(meta) // one line: JSON escapes line ends
	if err != nil {
		return err
	}
	head := make([]byte, 0, len(f.line)+len(js)+1)
	head = append(append(append(head, f.line...), js...), '\n')
	if len(head) > maxHead {
		return fmt.Errorf("description of %d octets is over %d", len(head), maxHead)
	}
	c := &counter{w: w, h: sha256.New()}
	if _, err := c.Write(head); err != nil {
		return err
	}
	if err := f.compress(c, content); err != nil {
		return err
	}
	_, err = w.Write(trailer(head, c.n-int64(len(head)), int64(len(content)), c.h.Sum(nil)))
	return err
}

func (f *Format) compress(w io.Writer, content []byte) error {
	enc, ok := f.encoders.Get().(*zstd.Encoder)
	if !ok {
		var err error
		enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
		if err != nil {
			return err
		}
	}
	enc.ResetContentSize(w, int64(len(content)))
	if _, err := enc.Write(content); err != nil {
		return err // the encoder is not used again
	}
	if err := enc.Close(); err != nil {
		return err
	}
	enc.Reset(nil)
	f.encoders.Put(enc)
	return nil
}

func trailer(head []byte, frame, content int64, sum []byte) []byte {
	b := make([]byte, 0, trailerSize)
	b = binary.LittleEndian.AppendUint32(b, skippable)
	b = binary.LittleEndian.AppendUint32(b, payloadSize)
	b = append(b, trailerMagic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(head)))
	b = binary.LittleEndian.AppendUint64(b, uint64(frame))
	b = binary.LittleEndian.AppendUint64(b, uint64(content))
	b = append(b, sum...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(head, castagnoli))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[8:], castagnoli))
}

// Box is an open file whose description is whole.
type Box struct {
	Meta    []byte // JSON
	Content int64  // octets of the content when unpacked

	r           durable.Reader
	head, frame int64
	sum         [sha256.Size]byte
}

// Open reads the description and the trailer of r, and closes r on failure. The
// content is checked by [Box.Verify] or [Box.Read]. A file that isn't whole
// gives an error that is [ErrTorn].
func (f *Format) Open(r durable.Reader) (*Box, error) {
	b, err := f.open(r)
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return b, nil
}

func torn(why string) error { return fmt.Errorf("%w: %s", ErrTorn, why) }

func (f *Format) open(r durable.Reader) (*Box, error) {
	size := r.Size()
	if size < int64(len(f.line))+trailerSize {
		return nil, torn("too short")
	}
	var t [trailerSize]byte
	if _, err := r.ReadAt(t[:], size-trailerSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if binary.LittleEndian.Uint32(t[:]) != skippable || binary.LittleEndian.Uint32(t[4:]) != payloadSize ||
		string(t[8:12]) != trailerMagic {
		return nil, torn("no trailer")
	}
	if crc32.Checksum(t[8:trailerSize-4], castagnoli) != binary.LittleEndian.Uint32(t[trailerSize-4:]) {
		return nil, torn("trailer's checksum")
	}
	head, frame, content := binary.LittleEndian.Uint64(t[12:]), binary.LittleEndian.Uint64(t[20:]), binary.LittleEndian.Uint64(t[28:])
	left := uint64(size - trailerSize)
	if head > maxHead || head > left || frame != left-head || content > 1<<40 {
		return nil, torn("lengths don't fit the file")
	}
	b := &Box{Content: int64(content), r: r, head: int64(head), frame: int64(frame)}
	copy(b.sum[:], t[36:])

	h := make([]byte, head) // at most maxHead, and no more than the file has
	if _, err := r.ReadAt(h, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if crc32.Checksum(h, castagnoli) != binary.LittleEndian.Uint32(t[36+sha256.Size:]) {
		return nil, torn("description's checksum")
	}
	meta, ok := bytes.CutPrefix(h, []byte(f.line))
	if !ok || len(meta) < 2 || meta[len(meta)-1] != '\n' {
		return nil, torn("another format or version")
	}
	b.Meta = meta[:len(meta)-1]
	return b, nil
}

// Verify reads the whole file and compares its SHA-256.
func (b *Box) Verify() error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(b.r, 0, b.head+b.frame)); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(h.Sum(nil), b.sum[:]) != 1 {
		return torn("content's checksum")
	}
	return nil
}

// Read verifies the file and returns its content, unpacked while it is read and
// never longer than Content. Its Close closes the box.
func (b *Box) Read() (io.ReadCloser, error) {
	if err := b.Verify(); err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(io.NewSectionReader(b.r, b.head, b.frame), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return &content{b: b, dec: dec, left: b.Content}, nil
}

// Close closes the file.
func (b *Box) Close() error { return b.r.Close() }

type content struct {
	b    *Box
	dec  *zstd.Decoder
	left int64
	err  error // sticky: how the content ended
}

func (c *content) Read(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	if c.left == 0 {
		c.err = c.end()
		return 0, c.err
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.dec.Read(p)
	c.left -= int64(n)
	switch {
	case err == nil || (errors.Is(err, io.EOF) && c.left == 0):
		return n, nil
	case errors.Is(err, io.EOF):
		c.err = torn("content is shorter than it says")
	default:
		c.err = fmt.Errorf("%w: %w", ErrTorn, err)
	}
	return n, c.err
}

// end is asked when all octets were read: the frame must be at its end too.
func (c *content) end() error {
	var one [1]byte
	n, err := io.ReadFull(c.dec, one[:])
	switch {
	case n > 0:
		return torn("content is longer than it says")
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return fmt.Errorf("%w: %w", ErrTorn, err)
}

func (c *content) Close() error {
	c.dec.Close()
	return c.b.Close()
}
