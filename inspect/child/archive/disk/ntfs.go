package disk

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
)

// ntfs is a file system of Windows. Its table of files is read from end to end; the
// index of folders is not, so that what no folder lists is found too.
type ntfs struct {
	d       *image
	cluster int64
	record  int64
	table   *runs
}

// firstFile is where the records of users' files begin.
const firstFile = 24

func newNTFS(d *image) (*ntfs, bool) {
	b := d.full(0, 512)
	if b == nil || string(b[3:7]) != "NTFS" {
		return nil, false
	}
	sector, per := int64(binary.LittleEndian.Uint16(b[11:])), int64(b[13])
	if per > 128 { // a power of two, negative
		per = 1 << min(256-per, 16)
	}
	n := &ntfs{d: d, cluster: sector * per, record: 1024}
	if sector < 256 || sector > 4096 || per == 0 || n.cluster > 2<<20 {
		return nil, false
	}
	if r := int8(b[64]); r < 0 {
		n.record = 1 << min(uint(-r), 16)
	} else {
		n.record = int64(r) * n.cluster
	}
	start := int64(min(binary.LittleEndian.Uint64(b[48:]), 1<<40)) * n.cluster
	if n.record < 512 || n.record > 64<<10 {
		return nil, false
	}
	first := n.fix(d.full(start, n.record))
	if first == nil {
		return nil, false
	}
	for _, a := range attributes(first) {
		if a.kind == attrData && a.name == "" && a.away {
			n.table = n.run(a)
			return n, true
		}
	}
	return nil, false
}

// fix undoes what protects a record: the last bytes of its sectors stand at its
// start. It is nil for what is no record.
func (n *ntfs) fix(b []byte) []byte {
	if len(b) < 48 || string(b[:4]) != "FILE" {
		return nil
	}
	b = append([]byte{}, b...)
	at, count := int(binary.LittleEndian.Uint16(b[4:])), int(binary.LittleEndian.Uint16(b[6:]))
	for i := 1; i < count; i++ {
		from, to := at+2*i, 512*i-2
		if from+2 > len(b) || to+2 > len(b) {
			break
		}
		copy(b[to:to+2], b[from:from+2])
	}
	return b
}

const (
	attrName = 0x30
	attrData = 0x80
)

// attribute is a part of a record.
type attribute struct {
	kind  uint32
	name  string
	away  bool // its value stands in clusters
	odd   bool // compressed or encrypted
	value []byte
	list  []byte
	size  int64
}

func attributes(b []byte) []attribute {
	var out []attribute
	for at := int(binary.LittleEndian.Uint16(b[20:])); at+24 <= len(b) && len(out) < 100; {
		d := b[at:]
		size := int(binary.LittleEndian.Uint32(d[4:]))
		kind := binary.LittleEndian.Uint32(d)
		if kind == 0xffffffff || size < 24 || size > len(d) {
			break
		}
		d = d[:size]
		at += size
		a := attribute{kind: kind, away: d[8] != 0, odd: binary.LittleEndian.Uint16(d[12:])&0x40ff != 0}
		if n, off := int(d[9]), int(binary.LittleEndian.Uint16(d[10:])); n > 0 && off+2*n <= size {
			a.name = utf16(d[off:off+2*n], binary.LittleEndian)
		}
		if a.away {
			off := int(binary.LittleEndian.Uint16(d[32:min(34, size)]))
			if size < 64 || off > size {
				continue
			}
			a.list, a.size = d[off:], int64(min(binary.LittleEndian.Uint64(d[48:]), 1<<62))
		} else {
			n, off := int64(binary.LittleEndian.Uint32(d[16:])), int64(binary.LittleEndian.Uint16(d[20:]))
			if off+n > int64(size) {
				continue
			}
			a.value, a.size = d[off:off+n], n
		}
		out = append(out, a)
	}
	return out
}

// runs reads the clusters of a value.
type runs struct {
	n    *ntfs
	list []byte
	at   int64 // cluster
	hole bool
	left int64 // bytes of this run
	off  int64 // in this run
	size int64 // bytes that are to come
}

func (n *ntfs) run(a attribute) *runs { return &runs{n: n, list: a.list, size: a.size} }

// next takes the next run off the list: lengths of two numbers, and those, of which
// the second is the distance from the run before.
func (r *runs) next() bool {
	if len(r.list) == 0 || r.list[0] == 0 {
		return false
	}
	n, m := int(r.list[0]&15), int(r.list[0]>>4)
	if n == 0 || n > 8 || m > 8 || 1+n+m > len(r.list) {
		return false
	}
	var count, dist int64
	for i := range n {
		count |= int64(r.list[1+i]) << (8 * i)
	}
	for i := range m {
		dist |= int64(r.list[1+n+i]) << (8 * i)
	}
	if m > 0 && m < 8 && dist>>(8*m-1)&1 == 1 {
		dist -= 1 << (8 * m)
	}
	r.list = r.list[1+n+m:]
	r.hole = m == 0
	r.at += dist
	if count <= 0 || count > 1<<40 || r.at < 0 || r.at > 1<<40 {
		return false
	}
	r.left, r.off = count*r.n.cluster, 0
	return true
}

func (r *runs) Read(p []byte) (int, error) {
	if r.size <= 0 {
		return 0, io.EOF
	}
	if r.left == 0 && !r.next() {
		return 0, io.ErrUnexpectedEOF
	}
	k := min(int64(len(p)), r.left, r.size)
	if r.hole {
		clear(p[:k])
	} else {
		b := r.n.d.read(r.at*r.n.cluster+r.off, k)
		if len(b) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
		k = int64(copy(p, b))
	}
	r.off += k
	r.left -= k
	r.size -= k
	return int(k), nil
}

// node is what a record is called, and where it hangs.
type node struct {
	name   string
	parent int64
	folder bool
	data   []attribute
}

// walk reads the table, then emits the files under their paths.
func (n *ntfs) walk(w *child.Work) error {
	var nodes []node
	buf := make([]byte, n.record)
	for i := int64(0); ; i++ {
		if _, err := io.ReadFull(w.Reader(n.table), buf); err != nil {
			if errors.Is(err, child.ErrBudget) {
				return err
			}
			break
		}
		nodes = append(nodes, n.node(buf, i))
	}
	for i := firstFile; i < len(nodes); i++ {
		f := &nodes[i]
		if f.name == "" {
			continue
		}
		for _, a := range f.data {
			name := path(nodes, int64(i))
			if a.name != "" {
				name += ":" + a.name
			}
			e := child.Entry{Name: name, Method: "ntfs", Size: a.size}
			switch {
			case a.odd:
			case a.away:
				e.Body = n.run(a)
			default:
				e.Bytes = append([]byte{}, a.value...)
			}
			at, err := w.Emit(e)
			if err != nil {
				return err
			}
			if a.odd {
				w.FactOf(at, inspect.Unsupported, "disk: compressed or encrypted by the file system")
			}
		}
	}
	return nil
}

func (n *ntfs) node(b []byte, i int64) node {
	var f node
	b = n.fix(b)
	if b == nil || b[22]&1 == 0 { // not in use
		return f
	}
	f.folder = b[22]&2 != 0
	for _, a := range attributes(b) {
		switch {
		case a.kind == attrName && len(a.value) >= 66:
			v := a.value
			if long := v[65] != 2; f.name == "" || long { // the name of DOS is the second choice
				f.name = utf16(v[66:min(len(v), 66+2*int(v[64]))], binary.LittleEndian)
				f.parent = int64(binary.LittleEndian.Uint64(v) & (1<<48 - 1))
			}
		case a.kind == attrData && !f.folder && i >= firstFile:
			f.data = append(f.data, a)
		}
	}
	return f
}

// path joins the names up to the root, which is record 5.
func path(nodes []node, i int64) string {
	var parts []string
	for range 32 {
		if i == 5 || i < 0 || i >= int64(len(nodes)) || nodes[i].name == "" {
			break
		}
		parts = append([]string{nodes[i].name}, parts...)
		i = nodes[i].parent
	}
	return strings.Join(parts, "/")
}
