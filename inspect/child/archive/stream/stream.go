// Package stream opens files that are one compressed stream: gzip, bzip2, xz, lzma,
// zstd, lz4, and compress.
package stream

import (
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive/lzma"
)

// Decoder opens compressed streams.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "stream".
func (Decoder) Name() string { return "stream" }

// Types lists the formats.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.Gzip, inspect.Bzip2, inspect.XZ, inspect.LZMA, inspect.Zstd, inspect.LZ4, inspect.Compress}
}

// Open unpacks the stream into one file.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	in := bytes.NewReader(b)
	e := child.Entry{Name: bare(w.Name()), Method: string(w.Type()), Size: -1}
	var consumed func() int64 // nil where the format can't be followed by anything
	switch w.Type() {
	case inspect.Gzip:
		return openGzip(w, e)
	case inspect.Bzip2:
		e.Body = bzip2.NewReader(in)
	case inspect.XZ:
		x := lzma.NewXZ(in)
		e.Body, consumed = x, x.Consumed
	case inspect.LZMA:
		z, err := lzma.NewAlone(in)
		if err != nil {
			return err
		}
		e.Body = z
	case inspect.Zstd:
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			return err
		}
		defer d.Close()
		e.Body = d
	case inspect.LZ4:
		z := newLZ4(in)
		e.Body, consumed = z, func() int64 { return int64(len(b) - in.Len()) }
	case inspect.Compress:
		z, err := newLZW(b)
		if err != nil {
			return err
		}
		e.Body = z
	default:
		return fmt.Errorf("type %s isn't opened here", w.Type())
	}
	end := &tail{r: e.Body}
	e.Body = end
	if _, err := w.Emit(e); err != nil {
		return err
	}
	if end.more && consumed != nil {
		w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", int64(len(b))-consumed()))
	}
	return nil
}

// tail turns the error for other data behind the end into an end, and remembers it.
type tail struct {
	r    io.Reader
	more bool
}

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if errors.Is(err, lzma.ErrTrailing) || errors.Is(err, errMore) {
		t.more = true
		err = io.EOF
	}
	return n, err
}

var errMore = errors.New("lz4: other data behind the end")

// bare drops the extension that the packer added.
func bare(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return name
	}
	switch ext := strings.ToLower(name[i+1:]); ext {
	case "tgz", "tbz", "tbz2", "txz", "tlz", "tzst", "taz":
		return name[:i] + ".tar"
	case "svgz":
		return name[:i] + ".svg"
	case "emz":
		return name[:i] + ".emf"
	case "wmz":
		return name[:i] + ".wmf"
	case "gz", "bz2", "xz", "lzma", "zst", "lz4", "z":
		return name[:i]
	}
	return name
}

// openGzip joins the members, as gunzip does. The name of each is told.
func openGzip(w *child.Work, e child.Entry) error {
	in := bytes.NewReader(w.Bytes())
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	m := &members{z: z, in: in, w: w}
	z.Multistream(false)
	if z.Name != "" {
		e.Name = latin(z.Name)
	}
	e.Body = m
	if _, err := w.Emit(e); err != nil {
		return err
	}
	if m.trailing > 0 {
		w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", m.trailing))
	}
	if m.count > 1 {
		w.Fact(inspect.TwoReadings, fmt.Sprintf("%d members: some programs read the first only", m.count))
	}
	return nil
}

// members reads one gzip member after the other.
type members struct {
	z        *gzip.Reader
	in       *bytes.Reader
	w        *child.Work
	count    int
	trailing int
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if err != io.EOF {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		m.count++
		if m.in.Len() == 0 {
			return 0, io.EOF
		}
		if m.count%256 == 0 { // members may be empty, and many
			if err := m.w.Err(); err != nil {
				return 0, err
			}
		}
		left := m.in.Len()
		if err := m.z.Reset(m.in); err != nil {
			m.trailing = left
			return 0, io.EOF
		}
		m.z.Multistream(false)
	}
}

// latin reads the name in a gzip header. RFC 1952 2.3.1: ISO 8859-1; gzip itself
// writes whatever the file is called.
func latin(s string) string { return strings.ToValidUTF8(s, "?") }
