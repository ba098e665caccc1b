// Package zip opens ZIP archives and everything built on them. It reads the
// directory and the local headers, says where they differ, and unpacks both
// readings: unpackers differ in which one they believe.
package zip

import (
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive/lzma"
)

// Decoder opens archives of this format.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "zip".
func (Decoder) Name() string { return "zip" }

// Types are all that are ZIP archives underneath: what a document says it is doesn't
// keep other files out of it.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.Zip, inspect.JAR, inspect.APK, inspect.MSIX, inspect.EPUB, inspect.ODF, inspect.XPS,
		inspect.DOCX, inspect.XLSX, inspect.XLSB, inspect.PPTX, inspect.VSDX}
}

// archive is one file at work.
type archive struct {
	w     *child.Work
	b     []byte
	list  listing
	lock  lock
	flate io.ReadCloser
	zstd  *zstd.Decoder
}

// Open lists and unpacks.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	z := &archive{w: w, b: w.Bytes()}
	z.list = list(z.b, w.Budget().Entries+1)
	if len(z.list.entries) == 0 {
		if z.list.end > 0 {
			return z.around()
		}
		return errors.New("no entries")
	}
	defer z.done()
	if err := z.around(); err != nil {
		return err
	}
	z.overlaps()
	names := map[string]bool{}
	for i := range z.list.entries {
		e := &z.list.entries[i]
		if i%1024 == 0 {
			if err := w.Err(); err != nil {
				return err
			}
		}
		if names[string(e.name)] {
			w.Fact(inspect.DuplicateName, text(e))
		}
		names[string(e.name)] = true
		if !e.central {
			if z.list.end > 0 && z.list.broken == "" {
				w.Fact(inspect.HiddenEntry, text(e)+" stands in a local header only")
			}
		} else if local, ok := localHeader(z.b, e.local); ok {
			if diff := differ(e, &local); diff != "" {
				w.Fact(inspect.TwoReadings, text(e)+": "+diff)
				local.crc, local.size = e.crc, e.size
				if err := z.emit(&local); err != nil {
					return err
				}
			}
		}
		if err := z.emit(e); err != nil {
			return err
		}
	}
	if z.lock.locked {
		w.Mark(inspect.Encrypted)
	}
	return nil
}

func (z *archive) done() {
	if z.zstd != nil {
		z.zstd.Close()
	}
	if z.lock.locked {
		z.w.Mark(inspect.Encrypted)
	}
}

// around states what is odd about the archive as a whole.
func (z *archive) around() error {
	if z.list.broken != "" {
		z.w.Fact(inspect.Damaged, "zip: "+z.list.broken)
	}
	if z.list.shift > 0 {
		z.w.Fact(inspect.LeadingData, fmt.Sprintf("%d bytes", z.list.shift))
	}
	if more := int64(len(z.b)) - z.list.end; z.list.end > 0 && more > 0 {
		z.w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", more))
	}
	return nil
}

// overlaps finds entries that share bytes, as those of bombs do.
func (z *archive) overlaps() {
	n := 0
	var end int64
	for _, s := range z.list.spans(z.b) {
		if s.from < end {
			n++
		}
		end = max(end, s.to)
	}
	if n > 0 {
		z.w.Fact(inspect.EntriesOverlap, fmt.Sprintf("%d entries", n))
	}
}

// differ says how the two headers of an entry disagree in what matters.
func differ(central, local *entry) string {
	switch {
	case !bytes.Equal(central.name, local.name):
		return "the local header calls it " + text(local)
	case central.method != local.method:
		return fmt.Sprintf("method %d in the directory, %d at the file", central.method, local.method)
	case central.encrypted() != local.encrypted():
		return "encrypted by one header only"
	case !local.later() && local.packed != central.packed:
		return fmt.Sprintf("%d packed bytes in the directory, %d at the file", central.packed, local.packed)
	}
	return ""
}

// text is an entry's name as UTF-8. Without the flag the names of old archives are
// in code page 437; many programs write UTF-8 all the same.
func text(e *entry) string {
	if e.flags&0x800 != 0 || utf8.Valid(e.name) {
		return string(e.name)
	}
	b, err := charmap.CodePage437.NewDecoder().Bytes(e.name[:min(len(e.name), inspect.MaxName)])
	if err != nil {
		return string(e.name)
	}
	return string(b)
}

// emit unpacks one entry, or lists it.
func (z *archive) emit(e *entry) error {
	if e.folder() {
		return nil
	}
	out := child.Entry{Name: text(e), Method: methodName(e), Size: declared(e), Encrypted: e.encrypted()}
	if e.data < 0 {
		z.w.Fact(inspect.Damaged, "zip: no local header for "+out.Name)
		_, err := z.w.Emit(out)
		return err
	}
	packed := z.b[e.data:min(e.data+int64(min(e.packed, uint64(len(z.b)))), int64(len(z.b)))]
	if e.encrypted() {
		z.lock.locked = true
		plain, method, crc, err := z.lock.open(z, e, packed)
		if err != nil {
			return err
		}
		if plain == nil {
			_, err := z.w.Emit(out)
			return err
		}
		open := *e
		open.method, open.crc = method, crc
		if e.method == winzip && crc == 0 {
			open.flags |= 8 // AE-2 has no sum: what was decrypted is authenticated
		}
		return z.unpack(&open, out, plain, plain)
	}
	// What ends by itself is read to its end, whatever size the headers give.
	return z.unpack(e, out, packed, z.b[e.data:])
}

func declared(e *entry) int64 {
	if e.later() && !e.central || e.size > 1<<62 {
		return -1
	}
	return int64(e.size)
}

// unpack emits an entry whose packed bytes are at hand.
func (z *archive) unpack(e *entry, out child.Entry, packed, rest []byte) error {
	in := bytes.NewReader(rest)
	r, err := z.method(e, in, packed)
	if err != nil {
		kind := inspect.Damaged
		if errors.Is(err, errMethod) {
			kind = inspect.Unsupported
		}
		i, eerr := z.w.Emit(out)
		if eerr != nil {
			return eerr
		}
		z.w.FactOf(i, kind, "zip: "+err.Error())
		return nil
	}
	c := &checked{r: r, want: e.crc, known: e.crc != 0 || !e.later()}
	out.Body = c
	i, err := z.w.Emit(out)
	if err != nil {
		return err
	}
	if used := int64(len(rest) - in.Len()); c.whole && e.method == deflate && used != int64(len(packed)) && e.central {
		z.w.FactOf(i, inspect.SizeMismatch, fmt.Sprintf("declared %d packed bytes, are %d", len(packed), used))
	}
	if e.links {
		z.w.FactOf(i, inspect.LinkEntry, c.head.String())
	}
	return nil
}

// Methods. APPNOTE 4.4.5
const (
	stored    = 0
	deflate   = 8
	deflate64 = 9
	bzip      = 12
	lzma1     = 14
	oldZstd   = 20
	zstandard = 93
	xz        = 95
	winzip    = 99
)

var methodNames = map[uint16]string{stored: "store", 1: "shrink", 2: "reduce", 3: "reduce", 4: "reduce", 5: "reduce", 6: "implode", deflate: "deflate",
	deflate64: "deflate64", 10: "dcl", bzip: "bzip2", lzma1: "lzma", oldZstd: "zstd", zstandard: "zstd", xz: "xz", 96: "jpeg", 97: "wavpack", 98: "ppmd", winzip: "aes"}

func methodName(e *entry) string {
	m := e.method
	prefix := ""
	if strength, inner, ok := aesExtra(e); ok && m == winzip {
		m = inner
		prefix = fmt.Sprintf("aes-%d ", 64+64*int(strength))
	} else if e.encrypted() {
		prefix = "zipcrypto "
	}
	if n, ok := methodNames[m]; ok {
		return prefix + n
	}
	return fmt.Sprintf("%smethod %d", prefix, m)
}

var errMethod = errors.New("method isn't unpacked here")

// method returns what unpacks an entry from in; packed is what its size says.
func (z *archive) method(e *entry, in *bytes.Reader, packed []byte) (io.Reader, error) {
	switch e.method {
	case stored:
		return bytes.NewReader(packed), nil
	case deflate:
		if z.flate == nil {
			z.flate = flate.NewReader(in)
			return z.flate, nil
		}
		return z.flate, z.flate.(flate.Resetter).Reset(in, nil)
	case deflate64:
		return NewDeflate64(in), nil
	case bzip:
		return bzip2.NewReader(bytes.NewReader(packed)), nil
	case lzma1:
		return lzmaEntry(e, packed)
	case xz:
		return lzma.NewXZ(bytes.NewReader(packed)), nil
	case zstandard, oldZstd:
		if z.zstd == nil {
			d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
			if err != nil {
				return nil, err
			}
			z.zstd = d
		}
		return z.zstd, z.zstd.Reset(bytes.NewReader(packed))
	}
	return nil, errMethod
}

// lzmaEntry reads the header of its own that LZMA has in archives. APPNOTE 5.8.8
func lzmaEntry(e *entry, packed []byte) (io.Reader, error) {
	if len(packed) < 9 || binary.LittleEndian.Uint16(packed[2:]) != 5 {
		return nil, errors.New("no properties of lzma")
	}
	size := int64(e.size)
	if e.flags&2 != 0 { // an end marker is used
		size = -1
	}
	return lzma.NewReader(bytes.NewReader(packed[9:]), packed[4], binary.LittleEndian.Uint32(packed[5:]), size)
}

// checked compares the sum of what is read, and keeps its beginning.
type checked struct {
	r     io.Reader
	sum   uint32
	want  uint32
	known bool
	whole bool
	head  strings.Builder
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.known {
		c.sum = crc32.Update(c.sum, crc32.IEEETable, p[:n])
	}
	if room := 200 - c.head.Len(); room > 0 {
		c.head.Write(p[:min(n, room)])
	}
	if err == io.EOF {
		c.whole = true
		if c.known && c.sum != c.want {
			return n, errors.New("zip: checksum is wrong")
		}
	}
	return n, err
}

// lock tries passwords.
type lock struct {
	locked bool
	good   []string // those that worked, tried first
	tries  int
}

// maxTries bounds the passwords tried in one archive.
const maxTries = 500

// open decrypts an entry. plain is nil where no password fits.
func (l *lock) open(z *archive, e *entry, packed []byte) (plain []byte, method uint16, crc uint32, err error) {
	strength, inner, isAES := aesExtra(e)
	for _, p := range append(slices.Clone(l.good), z.w.Passwords()...) {
		if l.tries++; l.tries > maxTries {
			_ = z.w.Steps() // the rest is listed all the same
			return nil, 0, 0, nil
		}
		if err := z.w.Err(); err != nil {
			return nil, 0, 0, err
		}
		method, crc = e.method, e.crc
		if e.method == winzip {
			if !isAES {
				return nil, 0, 0, nil
			}
			method = inner
			plain = openAES(packed, p, strength)
			if plain == nil {
				continue
			}
		} else {
			plain = openOld(e, packed, p)
			if plain == nil {
				continue
			}
			ok, err := z.verify(e, plain)
			if err != nil {
				return nil, 0, 0, err
			}
			if !ok {
				continue
			}
		}
		if !slices.Contains(l.good, p) {
			l.good = append(l.good, p)
		}
		z.w.Fact(inspect.PasswordWorked, p)
		return plain, method, crc, nil
	}
	return nil, 0, 0, nil
}

// verify unpacks an entry of the old encryption to its sum: of its passwords one in
// 256 passes by chance. A damaged or unknown packing is taken as it is.
func (z *archive) verify(e *entry, plain []byte) (bool, error) {
	r, err := z.method(e, bytes.NewReader(plain), plain)
	if err != nil {
		return errors.Is(err, errMethod), nil
	}
	c := &checked{r: r, want: e.crc, known: true}
	n, err := io.Copy(io.Discard, io.LimitReader(z.w.Reader(c), z.w.Budget().File))
	if errors.Is(err, child.ErrBudget) {
		return false, err
	}
	return err == nil || n == z.w.Budget().File, nil
}
