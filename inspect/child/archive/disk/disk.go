// Package disk opens disk images: ISO 9660 with its extensions, UDF, FAT and NTFS
// in raw images and in virtual hard disks. Other file systems and containers are
// recognised and named.
package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Decoder opens disk images.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "disk".
func (Decoder) Name() string { return "disk" }

// Types lists the formats.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.ISO, inspect.UDF, inspect.DiskRaw, inspect.VHD, inspect.VHDX, inspect.VMDK, inspect.DMG, inspect.WIM}
}

// Open looks for file systems.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	switch w.Type() {
	case inspect.ISO:
		_, err := openISO(w, b)
		return err
	case inspect.UDF:
		// Many images hold both systems; files of the same content are opened once.
		err := openUDF(w, b)
		if errors.Is(err, child.ErrBudget) {
			return err
		}
		found, isoErr := openISO(w, b)
		if isoErr != nil {
			return isoErr
		}
		if err != nil && found {
			w.Fact(inspect.Damaged, "disk: "+err.Error())
			return nil
		}
		return err
	case inspect.VHD:
		d, err := openVHD(b)
		if err != nil {
			return err
		}
		return openDisk(w, d)
	case inspect.VHDX:
		d, err := openVHDX(b)
		if err != nil {
			return err
		}
		return openDisk(w, d)
	case inspect.DiskRaw:
		return openDisk(w, &image{b: b, size: int64(len(b))})
	}
	w.Fact(inspect.Unsupported, "disk: the container "+string(w.Type()))
	return nil
}

// image is a disk as its file holds it: in one piece, or in blocks.
type image struct {
	b     []byte
	size  int64
	block int64   // size of a block; 0: in one piece
	at    []int64 // where each block's data stand; below 0: all zero
	from  int64   // of the file system in the disk
}

// read returns up to n bytes at off: fewer at the end of a block or of the file.
func (d *image) read(off, n int64) []byte {
	off += d.from
	if off < 0 || n <= 0 || off >= d.size {
		return nil
	}
	n = min(n, d.size-off)
	if d.block > 0 {
		i := off / d.block
		if i >= int64(len(d.at)) {
			return nil
		}
		in := off % d.block
		n = min(n, d.block-in)
		if d.at[i] < 0 {
			return zeros[:min(n, int64(len(zeros)))]
		}
		off = d.at[i] + in
	}
	if off >= int64(len(d.b)) {
		return nil
	}
	return d.b[off:min(off+n, int64(len(d.b)))]
}

// full is read across blocks. n is small.
func (d *image) full(off, n int64) []byte {
	b := d.read(off, n)
	if int64(len(b)) == n {
		return b
	}
	out := slices.Clone(b)
	for int64(len(out)) < n {
		b := d.read(off+int64(len(out)), n-int64(len(out)))
		if len(b) == 0 {
			return nil
		}
		out = append(out, b...)
	}
	return out
}

var zeros [4096]byte

// openVHD reads the footer, and the table of blocks of one that grows.
func openVHD(b []byte) (*image, error) {
	var foot []byte
	for _, at := range []int{len(b) - 512, len(b) - 511, 0} {
		if at >= 0 && at+511 <= len(b) && string(b[at:at+8]) == "conectix" {
			foot = b[at : at+511]
			break
		}
	}
	if foot == nil {
		return nil, errors.New("no footer")
	}
	switch binary.BigEndian.Uint32(foot[60:]) {
	case 2: // fixed
		return &image{b: b, size: int64(len(b))}, nil
	case 3: // dynamic
	default:
		return nil, errors.New("a disk that needs another one")
	}
	head := int64(binary.BigEndian.Uint64(foot[16:]))
	if head < 0 || head+1024 > int64(len(b)) || string(b[head:head+8]) != "cxsparse" {
		return nil, errors.New("no header of a dynamic disk")
	}
	h := b[head:]
	d := &image{b: b, size: int64(binary.BigEndian.Uint64(foot[48:])), block: int64(binary.BigEndian.Uint32(h[32:]))}
	table := int64(binary.BigEndian.Uint64(h[16:]))
	if d.block < 512 || d.block > 1<<28 || d.size < 0 || table < 0 || table > int64(len(b)) {
		return nil, errors.New("the header of a dynamic disk makes no sense")
	}
	bitmap := (d.block/512/8 + 511) / 512 * 512
	count := min(int64(binary.BigEndian.Uint32(h[28:])), (int64(len(b))-table)/4)
	for i := range count {
		v := binary.BigEndian.Uint32(b[table+4*i:])
		at := int64(-1)
		if v != 0xffffffff {
			at = int64(v)*512 + bitmap
		}
		d.at = append(d.at, at)
	}
	return d, nil
}

// openDisk looks for a file system at the start, and in the partitions.
func openDisk(w *child.Work, d *image) error {
	boot := d.full(0, 512)
	if boot == nil {
		return errors.New("no boot sector")
	}
	found := false
	if fat, ok := newFAT(d); ok {
		found = true
		if err := fat.walk(w); err != nil {
			return err
		}
	} else if n, ok := newNTFS(d); ok {
		return n.walk(w)
	} else if name := otherSystem(boot); name != "" {
		w.Fact(inspect.Unsupported, "disk: the file system "+name)
		return nil
	}
	if found || boot[510] != 0x55 || boot[511] != 0xaa {
		if !found {
			return errors.New("no file system is known")
		}
		return nil
	}
	for i := range 4 {
		p := boot[446+16*i:]
		start := int64(binary.LittleEndian.Uint32(p[8:])) * 512
		if p[4] == 0 || start == 0 {
			continue
		}
		if p[4] == 0xee { // a GUID partition table
			if err := guidTable(w, d); err != nil {
				return err
			}
			continue
		}
		if err := partition(w, d, start); err != nil {
			return err
		}
	}
	return nil
}

func partition(w *child.Work, d *image, start int64) error {
	part := *d
	part.from = start
	if fat, ok := newFAT(&part); ok {
		return fat.walk(w)
	}
	if n, ok := newNTFS(&part); ok {
		return n.walk(w)
	}
	name := "in a partition"
	if b := part.full(0, 512); b != nil {
		if n := otherSystem(b); n != "" {
			name = n
		}
	}
	w.Fact(inspect.Unsupported, "disk: the file system "+name)
	return nil
}

func guidTable(w *child.Work, d *image) error {
	h := d.full(512, 92)
	if h == nil || string(h[:8]) != "EFI PART" {
		return nil
	}
	at, n, size := int64(binary.LittleEndian.Uint64(h[72:]))*512, binary.LittleEndian.Uint32(h[80:]), int64(binary.LittleEndian.Uint32(h[84:]))
	if size < 128 || size > 4096 || at < 0 {
		return nil
	}
	for i := range int64(min(n, 128)) {
		e := d.full(at+i*size, 48)
		if e == nil {
			return nil
		}
		if start := binary.LittleEndian.Uint64(e[32:]); start > 0 && start < 1<<50 && !bytes.Equal(e[:16], zeros[:16]) {
			if err := partition(w, d, int64(start)*512); err != nil {
				return err
			}
		}
	}
	return nil
}

func otherSystem(b []byte) string {
	switch {
	case string(b[3:7]) == "NTFS":
		return "ntfs"
	case string(b[3:8]) == "EXFAT":
		return "exfat"
	}
	return ""
}

// fat is a file system of that family.
type fat struct {
	d       *image
	bits    int
	cluster int64 // bytes of one
	table   int64
	root    int64 // place of the fixed root directory
	rootLen int64
	rootAt  uint32 // first cluster of the root directory of FAT32
	data    int64  // place of cluster 2
	count   uint32
}

func newFAT(d *image) (*fat, bool) {
	b := d.full(0, 512)
	if b == nil || b[0] != 0xeb && b[0] != 0xe9 {
		return nil, false
	}
	u16 := func(at int) int64 { return int64(binary.LittleEndian.Uint16(b[at:])) }
	u32 := func(at int) int64 { return int64(binary.LittleEndian.Uint32(b[at:])) }
	sector, per, reserved, fats := u16(11), int64(b[13]), u16(14), int64(b[16])
	entries, total, size := u16(17), u16(19), u16(22)
	if total == 0 {
		total = u32(32)
	}
	wide := size == 0 // FAT32 keeps it elsewhere
	if wide {
		size = u32(36)
	}
	if sector < 512 || sector > 4096 || sector&(sector-1) != 0 || per == 0 || per&(per-1) != 0 || reserved == 0 || fats == 0 || fats > 2 || size == 0 {
		return nil, false
	}
	f := &fat{d: d, cluster: sector * per, table: reserved * sector, root: (reserved + fats*size) * sector, rootLen: entries * 32}
	f.data = f.root + (f.rootLen+sector-1)/sector*sector
	clusters := (total - f.data/sector) / per
	if clusters <= 0 || clusters > 1<<28 {
		return nil, false
	}
	f.count = uint32(clusters) + 2
	switch {
	case wide:
		f.bits = 32
		f.rootAt = uint32(u32(44))
	case clusters < 4085:
		f.bits = 12
	default:
		f.bits = 16
	}
	return f, true
}

// next is the cluster that follows; false at the end of the chain.
func (f *fat) next(c uint32) (uint32, bool) {
	var v, end uint32
	switch f.bits {
	case 12:
		b := f.d.full(f.table+int64(c)*3/2, 2)
		if b == nil {
			return 0, false
		}
		v = uint32(binary.LittleEndian.Uint16(b))
		if c&1 == 1 {
			v >>= 4
		}
		v, end = v&0xfff, 0xff7
	case 16:
		b := f.d.full(f.table+int64(c)*2, 2)
		if b == nil {
			return 0, false
		}
		v, end = uint32(binary.LittleEndian.Uint16(b)), 0xfff7
	default:
		b := f.d.full(f.table+int64(c)*4, 4)
		if b == nil {
			return 0, false
		}
		v, end = binary.LittleEndian.Uint32(b)&0xfffffff, 0xffffff7
	}
	return v, v >= 2 && v < end && v < f.count
}

// chain reads the clusters that follow each other.
type chain struct {
	f    *fat
	c    uint32
	in   int64 // offset in the cluster
	left int64
}

func (r *chain) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	if r.c < 2 || r.c >= r.f.count {
		return 0, io.ErrUnexpectedEOF
	}
	b := r.f.d.read(r.f.data+int64(r.c-2)*r.f.cluster+r.in, min(int64(len(p)), r.f.cluster-r.in, r.left))
	if len(b) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, b)
	r.in += int64(n)
	r.left -= int64(n)
	if r.in == r.f.cluster {
		r.in = 0
		next, ok := r.f.next(r.c)
		if !ok {
			next = 0
		}
		r.c = next
	}
	return n, nil
}

// maxFolder bounds what is read of one folder.
const maxFolder = 4 << 20

type folder struct {
	path string
	at   uint32
}

// walk emits all files, folder after folder.
func (f *fat) walk(w *child.Work) error {
	var root io.Reader
	if f.bits == 32 {
		root = &chain{f: f, c: f.rootAt, left: maxFolder}
	} else {
		root = io.LimitReader(&linear{f.d, f.root}, f.rootLen)
	}
	queue := []folder{{}}
	seen := map[uint32]bool{f.rootAt: true}
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		r := root
		if dir.path != "" {
			r = &chain{f: f, c: dir.at, left: maxFolder}
		}
		more, err := f.list(w, dir.path, r)
		if err != nil {
			return err
		}
		for _, m := range more {
			if !seen[m.at] {
				seen[m.at] = true
				queue = append(queue, m)
			}
		}
	}
	return nil
}

// linear reads a disk from a place on.
type linear struct {
	d  *image
	at int64
}

func (l *linear) Read(p []byte) (int, error) {
	b := l.d.read(l.at, int64(len(p)))
	if len(b) == 0 {
		return 0, io.EOF
	}
	l.at += int64(len(b))
	return copy(p, b), nil
}

// list emits the files of a folder and returns the folders in it.
func (f *fat) list(w *child.Work, path string, r io.Reader) ([]folder, error) {
	var long longName
	var out []folder
	var e [32]byte
	for {
		if _, err := io.ReadFull(w.Reader(r), e[:]); err != nil {
			if errors.Is(err, child.ErrBudget) {
				return nil, err
			}
			return out, nil
		}
		switch {
		case e[0] == 0:
			return out, nil
		case e[0] == 0xe5: // deleted
			long = longName{}
			continue
		case e[11]&0x3f == 0x0f:
			long.add(e[:])
			continue
		case e[11]&8 != 0: // label
			long = longName{}
			continue
		}
		name := long.name()
		if name == "" {
			name = shortName(e[:])
		}
		long = longName{}
		at := uint32(binary.LittleEndian.Uint16(e[26:]))
		if f.bits == 32 {
			at |= uint32(binary.LittleEndian.Uint16(e[20:])) << 16
		}
		if e[11]&16 != 0 {
			if name != "." && name != ".." && at >= 2 {
				out = append(out, folder{path + name + "/", at})
			}
			continue
		}
		size := int64(binary.LittleEndian.Uint32(e[28:]))
		if _, err := w.Emit(child.Entry{Name: path + name, Size: size, Method: fmt.Sprintf("fat%d", f.bits), Body: &chain{f: f, c: at, left: size}}); err != nil {
			return nil, err
		}
	}
}

// longName gathers the pieces that stand in front of an entry, the last one first.
type longName struct{ parts []string }

func (l *longName) add(e []byte) {
	if e[0]&0x40 != 0 {
		l.parts = nil
	}
	if len(l.parts) >= 20 {
		return
	}
	var u []byte
	u = append(append(append(u, e[1:11]...), e[14:26]...), e[28:32]...)
	l.parts = append(l.parts, utf16(u, binary.LittleEndian))
}

func (l *longName) name() string {
	s := ""
	for _, p := range slices.Backward(l.parts) {
		s += p
	}
	return s
}

func shortName(e []byte) string {
	name := string(bytes.TrimRight(e[:8], " "))
	if ext := string(bytes.TrimRight(e[8:11], " ")); ext != "" {
		name += "." + ext
	}
	return name
}
