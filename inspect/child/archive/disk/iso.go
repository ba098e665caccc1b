package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	stdutf16 "unicode/utf16"

	"sluice/inspect"
	"sluice/inspect/child"
)

const sector = 2048

// utf16 reads a name up to a zero.
func utf16(b []byte, order binary.ByteOrder) string {
	var u []uint16
	for ; len(b) >= 2; b = b[2:] {
		c := order.Uint16(b)
		if c == 0 || c == 0xffff {
			break
		}
		u = append(u, c)
	}
	return string(stdutf16.Decode(u))
}

// extent is where a file or folder stands.
type extent struct{ at, size uint32 }

// volume is one tree of an image.
type volume struct {
	root   extent
	joliet bool
}

// openISO walks the tree that Windows sees, then the other one, of which only what
// the first doesn't have is emitted: programs differ in which they show.
func openISO(w *child.Work, b []byte) (found bool, err error) {
	var trees []volume
	for at := 16 * sector; at+sector <= len(b) && at < 64*sector; at += sector {
		d := b[at : at+sector]
		if string(d[1:6]) != "CD001" {
			continue
		}
		found = true
		switch d[0] {
		case 1:
			trees = append(trees, volume{root: extentOf(d[156:])})
		case 2: // ISO 9660 with the escape sequences of Joliet
			if e := string(d[88:91]); e == "%/@" || e == "%/C" || e == "%/E" {
				trees = append([]volume{{extentOf(d[156:]), true}}, trees...)
			}
		}
		if d[0] == 255 {
			break
		}
	}
	if !found {
		return false, nil
	}
	if len(trees) == 0 {
		return true, errors.New("no volume descriptor")
	}
	seen := map[extent]bool{}
	for i, t := range trees {
		n, err := walkISO(w, b, t, seen)
		if err != nil {
			return true, err
		}
		if i > 0 && n > 0 {
			w.Fact(inspect.TwoReadings, "files that stand in one of the trees only")
		}
	}
	return true, nil
}

func extentOf(d []byte) extent {
	return extent{binary.LittleEndian.Uint32(d[2:]), binary.LittleEndian.Uint32(d[10:])}
}

type place struct {
	path string
	e    extent
}

// walkISO emits the files of one tree that were not seen, and counts them.
func walkISO(w *child.Work, b []byte, v volume, seen map[extent]bool) (n int, err error) {
	queue := []place{{"", v.root}}
	folders := map[uint32]bool{v.root.at: true}
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		data := slice(b, int64(dir.e.at)*sector, int64(dir.e.size))
		if err := w.Charge(min(len(data), 1<<20)); err != nil {
			return n, err
		}
		for at := 0; at < len(data) && at < maxFolder; {
			size := int(data[at])
			if size == 0 { // records don't cross sectors
				at = (at/sector + 1) * sector
				continue
			}
			if size < 34 || at+size > len(data) {
				w.Fact(inspect.Damaged, "disk: a record of a folder is broken")
				break
			}
			r := data[at : at+size]
			at += size
			nameLen := int(r[32])
			if 33+nameLen > size {
				continue
			}
			raw := r[33 : 33+nameLen]
			if nameLen == 1 && raw[0] <= 1 { // the folder itself, and the one above
				continue
			}
			name := recordName(r, raw, v.joliet)
			e := extentOf(r)
			if r[25]&2 != 0 {
				if !folders[e.at] {
					folders[e.at] = true
					queue = append(queue, place{dir.path + name + "/", e})
				}
				continue
			}
			if e.size > 0 && seen[e] && !v.joliet {
				continue
			}
			if _, there := seen[e]; !there {
				n++
			}
			seen[e] = true
			if err := emitISO(w, b, dir.path+name, e); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func emitISO(w *child.Work, b []byte, name string, e extent) error {
	content := slice(b, int64(e.at)*sector, int64(e.size))
	if content == nil {
		content = []byte{}
	}
	i, err := w.Emit(child.Entry{Name: name, Method: "iso", Size: -1, Bytes: content})
	if err != nil {
		return err
	}
	if int64(len(content)) < int64(e.size) {
		w.FactOf(i, inspect.Damaged, "disk: the image ends within the file")
	}
	return nil
}

func slice(b []byte, at, n int64) []byte {
	if at >= int64(len(b)) {
		return nil
	}
	return b[at:min(at+n, int64(len(b)))]
}

// recordName is the name of a record: Joliet's, Rock Ridge's, or the plain one.
func recordName(r, raw []byte, joliet bool) string {
	if joliet {
		return strings.TrimSuffix(utf16(raw, binary.BigEndian), ";1")
	}
	from := 33 + len(raw)
	from += from & 1 // padded
	if from < len(r) {
		if nm := rockRidge(r[from:]); nm != "" {
			return nm
		}
	}
	name, _, _ := bytes.Cut(raw, []byte(";"))
	return strings.TrimSuffix(string(name), ".")
}

// rockRidge looks for the NM entries of the system use field. RRIP 4.1.4
func rockRidge(b []byte) string {
	var name []byte
	for len(b) >= 4 && b[2] >= 4 && int(b[2]) <= len(b) {
		if string(b[:2]) == "NM" && b[2] >= 5 {
			name = append(name, b[5:b[2]]...)
		}
		b = b[b[2]:]
	}
	return string(name)
}
