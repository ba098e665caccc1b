package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"sluice/inspect"
	"sluice/inspect/child"
)

// udf is a volume of ECMA-167 in the profile of OSTA. Partitions of the plain kind
// are read; the metadata partitions of version 2.50 are not.
type udf struct {
	b     []byte
	block int64
	start int64 // of the partition, in sectors
}

// Descriptors by their tags. ECMA-167 3/7.2.1, 4/7.2.1
const (
	tagAnchor    = 2
	tagPartition = 5
	tagVolume    = 6
	tagEnd       = 8
	tagFileSet   = 256
	tagName      = 257
	tagEntry     = 261
	tagExtended  = 266
)

func (u *udf) u16(d []byte, at int) int64 { return int64(binary.LittleEndian.Uint16(d[at:])) }
func (u *udf) u32(d []byte, at int) int64 { return int64(binary.LittleEndian.Uint32(d[at:])) }

var errUDF = errors.New("the descriptors of udf are broken")

// sectorAt is a whole sector of the volume, or nil.
func (u *udf) sectorAt(n int64) []byte {
	d := slice(u.b, n*sector, sector)
	if len(d) < sector {
		return nil
	}
	return d
}

// at is a block of the partition, or nil.
func (u *udf) at(n int64) []byte {
	d := slice(u.b, u.start*sector+n*u.block, u.block)
	if len(d) < 512 {
		return nil
	}
	return d
}

// openUDF finds the root folder and walks from there.
func openUDF(w *child.Work, b []byte) error {
	u := &udf{b: b, start: -1}
	anchor := u.sectorAt(256)
	if len(anchor) == 0 || u.u16(anchor, 0) != tagAnchor {
		return errUDF
	}
	first, n := u.u32(anchor, 20), u.u32(anchor, 16)/sector
	set := int64(-1)
	for i := range min(n, 64) {
		d := u.sectorAt(first + i)
		if d == nil {
			break
		}
		switch u.u16(d, 0) {
		case tagPartition:
			if u.start < 0 {
				u.start = u.u32(d, 188)
			}
		case tagVolume:
			u.block, set = u.u32(d, 212), u.u32(d, 252)
			if d[440] != 1 {
				return errors.New("a partition of udf that is not plain")
			}
		}
		if u.u16(d, 0) == tagEnd {
			break
		}
	}
	if u.start < 0 || set < 0 || u.block < 512 || u.block > 4096 {
		return errUDF
	}
	d := u.at(set)
	if len(d) < 512 || u.u16(d, 0) != tagFileSet {
		return errUDF
	}
	return u.walk(w, u.u32(d, 404))
}

type udfFolder struct {
	path string
	at   int64
}

func (u *udf) walk(w *child.Work, root int64) error {
	queue := []udfFolder{{"", root}}
	seen := map[int64]bool{root: true}
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		body, size, err := u.file(dir.at)
		if err != nil {
			w.Fact(inspect.Damaged, "disk: "+err.Error())
			continue
		}
		data, err := w.ReadAll(body, int(min(size, maxFolder)))
		if errors.Is(err, child.ErrBudget) {
			return err
		}
		for len(data) >= 38 && u.u16(data, 0) == tagName {
			flags, nameLen, entry, extra := data[18], int(data[19]), u.u32(data, 24), int(u.u16(data, 36))
			total := (38 + extra + nameLen + 3) / 4 * 4
			if 38+extra+nameLen > len(data) {
				break
			}
			name := udfName(data[38+extra : 38+extra+nameLen])
			data = data[min(total, len(data)):]
			switch {
			case flags&8 != 0 || flags&4 != 0: // the folder above; deleted
			case flags&2 != 0:
				if !seen[entry] {
					seen[entry] = true
					queue = append(queue, udfFolder{dir.path + name + "/", entry})
				}
			default:
				body, size, err := u.file(entry)
				e := child.Entry{Name: dir.path + name, Method: "udf", Size: size, Body: body}
				if err != nil {
					e.Body, e.Size = nil, -1
				}
				if _, err := w.Emit(e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// file returns the content of the entry in a block.
func (u *udf) file(at int64) (io.Reader, int64, error) {
	d := u.at(at)
	if d == nil {
		return nil, 0, errUDF
	}
	var fixed int
	switch u.u16(d, 0) {
	case tagEntry:
		fixed = 176
	case tagExtended:
		fixed = 216
	default:
		return nil, 0, fmt.Errorf("block %d of udf is no file", at)
	}
	size := int64(min(binary.LittleEndian.Uint64(d[56:]), 1<<62))
	attributes, list := u.u32(d, fixed-8), u.u32(d, fixed-4)
	if int64(fixed)+attributes+list > int64(len(d)) {
		return nil, 0, errUDF
	}
	ads := d[int64(fixed)+attributes:][:list]
	step := 8
	switch d[34] & 7 {
	case 0:
	case 1:
		step = 16
	case 3: // the content stands in the entry
		return &limited{r: &joined{parts: [][]byte{ads}}, left: size}, size, nil
	default:
		return nil, 0, errors.New("a kind of allocation that udf doesn't use")
	}
	var pieces [][]byte
	for ; len(ads) >= step; ads = ads[step:] {
		n := u.u32(ads, 0)
		kind := n >> 30
		n &= 1<<30 - 1
		if n == 0 || kind != 0 { // a hole, or more descriptors elsewhere
			break
		}
		pieces = append(pieces, slice(u.b, u.start*sector+u.u32(ads, 4)*u.block, n))
	}
	return &limited{r: &joined{parts: pieces}, left: size}, size, nil
}

// joined reads pieces in a row.
type joined struct{ parts [][]byte }

func (j *joined) Read(p []byte) (int, error) {
	for len(j.parts) > 0 && len(j.parts[0]) == 0 {
		j.parts = j.parts[1:]
	}
	if len(j.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, j.parts[0])
	j.parts[0] = j.parts[0][n:]
	return n, nil
}

// limited reads as much as a file has, and says so where the image has less.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, io.EOF
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// udfName reads a compressed Unicode string. OSTA UDF 2.1.1
func udfName(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if b[0] == 16 {
		return utf16(b[1:], binary.BigEndian)
	}
	var out []byte
	for _, c := range b[1:] {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}
