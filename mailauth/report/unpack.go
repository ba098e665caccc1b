package report

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ratioFrom is the size from which the ratio is looked at: a small report of many
// equal records compresses well.
const ratioFrom = 1 << 20

// unpack returns the content of a gzip or zip file, or b itself. One layer is
// taken off, no more: nobody packs a report twice.
func unpack(b []byte, l Limits) ([]byte, error) {
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("%w: gzip: %w", ErrFormat, err)
		}
		z.Multistream(false)
		return inflate(z, len(b), l)
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return unzip(b, l)
	case len(b) > l.Bytes:
		return nil, fmt.Errorf("%w: %d octets", ErrTooLarge, len(b))
	}
	return b, nil
}

// unzip returns the first file of a zip archive, by its local header: a report is
// the only one. Reading no more than that, without a table of contents, leaves an
// archive little to play with (APPNOTE 4.3.7).
func unzip(b []byte, l Limits) ([]byte, error) {
	const head = 30
	if len(b) < head {
		return nil, fmt.Errorf("%w: zip: cut short", ErrFormat)
	}
	flags, method := binary.LittleEndian.Uint16(b[6:]), binary.LittleEndian.Uint16(b[8:])
	size := int(binary.LittleEndian.Uint32(b[18:]))
	start := head + int(binary.LittleEndian.Uint16(b[26:])) + int(binary.LittleEndian.Uint16(b[28:]))
	switch {
	case flags&1 != 0:
		return nil, fmt.Errorf("%w: zip: encrypted", ErrFormat)
	case start > len(b):
		return nil, fmt.Errorf("%w: zip: cut short", ErrFormat)
	}
	data := b[start:]
	streamed := flags&8 != 0 // the size stands behind the data
	if !streamed {
		if size > len(data) {
			return nil, fmt.Errorf("%w: zip: cut short", ErrFormat)
		}
		data = data[:size]
	}
	switch {
	case method == 8:
		return inflate(flate.NewReader(bytes.NewReader(data)), len(data), l)
	case method == 0 && !streamed && len(data) <= l.Bytes:
		return data, nil
	case method == 0 && !streamed:
		return nil, fmt.Errorf("%w: %d octets", ErrTooLarge, len(data))
	}
	return nil, fmt.Errorf("%w: zip: method %d", ErrFormat, method)
}

// inflate reads all of r within the limits. The buffer grows with what is read,
// never by what a header promises.
func inflate(r io.Reader, packed int, l Limits) ([]byte, error) {
	most := min(l.Bytes, max(ratioFrom, packed*l.Ratio))
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, int64(most)+1))
	if n > int64(most) {
		return nil, fmt.Errorf("%w: decompresses to more than %d octets", ErrTooLarge, most)
	}
	// Some senders leave the checksum or the end away; what was read is checked
	// by its own format.
	if err != nil && !(n > 0 && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum))) {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return out.Bytes(), nil
}
