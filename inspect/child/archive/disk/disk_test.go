package disk

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

// record writes an entry of a folder of ISO 9660.
func record(name string, at, size uint32, flags byte, rest string) []byte {
	n := 33 + len(name)
	n += n & 1
	r := make([]byte, n)
	r[25] = flags
	binary.LittleEndian.PutUint32(r[2:], at)
	binary.LittleEndian.PutUint32(r[10:], size)
	r[32] = byte(len(name))
	copy(r[33:], name)
	r = append(r, rest...)
	r[0] = byte(len(r))
	return r
}

// iso writes an image: sector 18 and 19 are the roots of the two trees, 20 a folder,
// 21 and 22 the files.
func iso(plain, joliet [][]byte) []byte {
	b := make([]byte, 24*sector)
	descriptor := func(at int, kind byte, root uint32) {
		d := b[at*sector:]
		d[0] = kind
		copy(d[1:], "CD001\x01")
		copy(d[156:], record("\x00", root, sector, 2, ""))
		if kind == 2 {
			copy(d[88:], "%/E")
		}
	}
	descriptor(16, 1, 18)
	copy(b[18*sector:], bytes.Join(plain, nil))
	if joliet != nil {
		descriptor(17, 2, 19)
		copy(b[19*sector:], bytes.Join(joliet, nil))
	}
	copy(b[20*sector:], record("IN.TXT;1", 22, 5, 0, ""))
	copy(b[21*sector:], "hello")
	copy(b[22*sector:], "inert")
	return b
}

func wide(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r >> 8))
		b.WriteByte(byte(r))
	}
	return b.String()
}

// floppy writes a FAT12 image with one file and one in a folder.
func floppy() []byte {
	b := make([]byte, 64*512)
	copy(b, "\xeb\x3c\x90MSDOS5.0")
	binary.LittleEndian.PutUint16(b[11:], 512)
	b[13], b[14], b[16] = 1, 1, 1
	binary.LittleEndian.PutUint16(b[17:], 16)
	binary.LittleEndian.PutUint16(b[19:], 64)
	b[21] = 0xf8
	binary.LittleEndian.PutUint16(b[22:], 1)
	b[510], b[511] = 0x55, 0xaa
	// Clusters: 2 and 3 the file, 4 the folder, 5 the file in it.
	copy(b[512:], "\xf8\xff\xff\x03\xf0\xff\xff\xff\xff")
	entry := func(at int, name string, attr byte, cluster, size int) {
		copy(b[at:], name)
		b[at+11] = attr
		binary.LittleEndian.PutUint16(b[at+26:], uint16(cluster))
		binary.LittleEndian.PutUint32(b[at+28:], uint32(size))
	}
	root, data := 1024, 1024+512
	long := make([]byte, 32)
	for i, r := range "setup.exe" {
		at := 1 + 2*i
		if i >= 5 {
			at = 14 + 2*(i-5)
		}
		binary.LittleEndian.PutUint16(long[at:], uint16(r))
	}
	long[0], long[11] = 0x41, 0x0f
	copy(b[root:], long)
	entry(root+32, "SETUP~1 EXE", 0, 2, 600)
	entry(root+64, "FOLDER     ", 16, 4, 0)
	copy(b[data:], strings.Repeat("a", 600))
	entry(data+1024, "IN      TXT", 0, 5, 5)
	copy(b[data+1536:], "inert")
	return b
}

// windows writes an NTFS volume with clusters of 512 bytes: the table from cluster 4
// on, and behind it the content of a file that has it in clusters.
func windows() []byte {
	const records = firstFile + 4
	b := make([]byte, (4+2*records+4)*512)
	copy(b, "\xeb\x52\x90NTFS    ")
	binary.LittleEndian.PutUint16(b[11:], 512)
	b[13], b[48], b[64] = 1, 4, 0xf6 // records of 2^10 bytes
	attr := func(kind uint32, name string, value []byte, list string, size int) []byte {
		a := make([]byte, 24)
		if list != "" {
			a = make([]byte, 64)
			a[8], a[32] = 1, byte(64+2*len(name))
			binary.LittleEndian.PutUint64(a[48:], uint64(size))
		}
		binary.LittleEndian.PutUint32(a, kind)
		a[9], a[10] = byte(len(name)), byte(len(a))
		for _, r := range name {
			a = append(a, byte(r), 0)
		}
		if list == "" {
			binary.LittleEndian.PutUint32(a[16:], uint32(len(value)))
			a[20] = byte(len(a))
		}
		a = append(append(a, value...), list...)
		a = append(a, make([]byte, (8-len(a)%8)%8)...)
		binary.LittleEndian.PutUint32(a[4:], uint32(len(a)))
		return a
	}
	named := func(name string, parent byte) []byte {
		v := make([]byte, 66)
		v[0], v[64] = parent, byte(len(name))
		for _, r := range name {
			v = append(v, byte(r), 0)
		}
		return attr(attrName, "", v, "", 0)
	}
	record := func(i int, flags byte, attrs ...[]byte) {
		r := make([]byte, 1024)
		copy(r, "FILE")
		r[4], r[6], r[20], r[22] = 48, 3, 56, flags
		body := append(bytes.Join(attrs, nil), 0xff, 0xff, 0xff, 0xff)
		copy(r[56:], body)
		copy(r[50:], r[510:512])
		copy(r[52:], r[1022:])
		copy(r[510:], "XX")
		copy(r[1022:], "XX")
		copy(b[(4+2*i)*512:], r)
	}
	record(0, 1, attr(attrData, "", nil, "\x11"+string(rune(2*records))+"\x04\x00", records*1024))
	record(firstFile, 3, named("folder", 5))
	record(firstFile+1, 1, named("a.txt", firstFile), attr(attrData, "", []byte("hello"), "", 0), attr(attrData, "hidden.exe", []byte("inert"), "", 0))
	record(firstFile+2, 1, named("b.exe", 5), attr(attrData, "", nil, "\x11\x01"+string(rune(4+2*records))+"\x01\x01\x00", 600))
	record(firstFile+3, 0, named("deleted", 5), attr(attrData, "", []byte("gone"), "", 0))
	copy(b[(4+2*records)*512:], "in clusters")
	return b
}

// vhd puts a footer behind a disk, or spreads it over blocks.
func vhd(disk []byte, dynamic bool) []byte {
	foot := make([]byte, 512)
	copy(foot, "conectix")
	binary.BigEndian.PutUint64(foot[48:], uint64(len(disk)))
	foot[63] = 2
	if !dynamic {
		return append(bytes.Clone(disk), foot...)
	}
	foot[63] = 3
	foot[23] = 0
	binary.BigEndian.PutUint64(foot[16:], 512)
	head := make([]byte, 1024)
	copy(head, "cxsparse")
	binary.BigEndian.PutUint64(head[16:], 1536)
	const block = 4096
	n := (len(disk) + block - 1) / block
	binary.BigEndian.PutUint32(head[28:], uint32(n))
	binary.BigEndian.PutUint32(head[32:], block)
	table := make([]byte, ((len(disk)+4095)/4096*4+511)/512*512)
	b := append(append(bytes.Clone(foot), head...), table...)
	for i := range n {
		piece := disk[i*block:]
		piece = piece[:min(len(piece), block)]
		at := uint32(0xffffffff)
		if strings.Trim(string(piece), "\x00") != "" {
			at = uint32(len(b) / 512)
			b = append(append(b, make([]byte, 512)...), piece...)
		}
		binary.BigEndian.PutUint32(b[1536+4*i:], at)
	}
	return append(b, foot...)
}

// vhdx writes the second version: a region table, metadata, the table of blocks, and
// one block.
func vhdx(disk []byte) []byte {
	b := make([]byte, 3<<20)
	copy(b, "vhdxfile")
	region := func(i int, id string, at int) {
		e := b[192<<10+16+32*i:]
		copy(e, id)
		binary.LittleEndian.PutUint64(e[16:], uint64(at))
		binary.LittleEndian.PutUint32(e[24:], 64<<10)
	}
	copy(b[192<<10:], "regi")
	b[192<<10+8] = 2
	region(0, regionBlocks, 1<<20)
	region(1, regionMetadata, 1<<20+64<<10)
	meta := b[1<<20+64<<10:]
	copy(meta, "metadata")
	meta[10] = 3
	for i, id := range []string{itemParameters, itemSize, itemSector} {
		copy(meta[32+32*i:], id)
		binary.LittleEndian.PutUint32(meta[32+32*i+16:], uint32(4096+8*i))
	}
	binary.LittleEndian.PutUint32(meta[4096:], 1<<20)
	binary.LittleEndian.PutUint64(meta[4104:], 4<<20)
	binary.LittleEndian.PutUint32(meta[4112:], 512)
	binary.LittleEndian.PutUint64(b[1<<20:], 2<<20|6)
	copy(b[2<<20:], disk)
	return b
}

// parted puts a disk into the first partition of a table.
func parted(disk []byte) []byte {
	b := make([]byte, 4*512)
	b[446+4] = 1
	b[446+8], b[446+12] = 4, byte(len(disk)/512)
	b[510], b[511] = 0x55, 0xaa
	return append(b, disk...)
}

// udfImage writes a volume whose descriptors stand at 32, the partition at 40: file
// set, root folder with its content, a file in its entry, and one in extents.
func udfImage(name string, size uint32) []byte {
	b := make([]byte, 260*sector)
	put := func(at int, off int, v uint32) { binary.LittleEndian.PutUint32(b[at*sector+off:], v) }
	tag := func(at int, id uint32) { put(at, 0, id) }
	copy(b[16*sector+1:], "BEA01")
	copy(b[17*sector+1:], "NSR02")
	tag(256, tagAnchor)
	put(256, 16, 4*sector)
	put(256, 20, 32)
	tag(32, tagPartition)
	put(32, 188, 40)
	tag(33, tagVolume)
	put(33, 212, sector)
	b[33*sector+440] = 1
	tag(34, tagEnd)
	tag(40, tagFileSet)
	put(40, 404, 1)
	// The root folder: its names stand in its entry.
	var names []byte
	for i, n := range []string{name, "b.txt"} {
		d := make([]byte, 38)
		binary.LittleEndian.PutUint16(d, tagName)
		d[19] = byte(len(n) + 1)
		binary.LittleEndian.PutUint32(d[24:], uint32(2+i))
		d = append(append(d, 8), n...)
		names = append(names, append(d, make([]byte, (4-len(d)%4)%4)...)...)
	}
	entry := func(at int, kind byte, size uint32, list []byte) {
		tag(at, tagEntry)
		b[at*sector+34] = kind
		put(at, 56, size)
		put(at, 172, uint32(len(list)))
		copy(b[at*sector+176:], list)
	}
	entry(41, 3, uint32(len(names)), names)
	entry(42, 3, 5, []byte("hello"))
	list := binary.LittleEndian.AppendUint32(nil, min(size, sector))
	entry(43, 0, size, binary.LittleEndian.AppendUint32(list, 4))
	copy(b[44*sector:], "inert")
	return b
}

func TestImages(t *testing.T) {
	files := [][]byte{record("A.TXT;1", 21, 5, 0, ""), record("D", 20, sector, 2, "")}
	fatFiles := "setup.exe whole 600, FOLDER/IN.TXT whole 5"
	for _, c := range []struct {
		name string
		typ  inspect.Type
		b    []byte
		want string
		fact inspect.Kind
	}{
		{"plain", inspect.ISO, iso(files, nil), "A.TXT whole 5, D/IN.TXT whole 5", ""},
		{"joliet", inspect.ISO, iso(files[:1], [][]byte{record(wide("a name.txt"), 21, 5, 0, "")}), "a name.txt whole 5", ""},
		{"rock ridge", inspect.ISO, iso([][]byte{record("A.TXT;1", 21, 5, 0, "NM\x0b\x01\x00a name")}, nil), "a name whole 5", ""},
		{"two trees", inspect.ISO, iso(files, [][]byte{record(wide("a.txt"), 21, 5, 0, "")}), "a.txt whole 5, D/IN.TXT whole 5", inspect.TwoReadings},
		{"circle", inspect.ISO, iso([][]byte{record("D", 18, sector, 2, ""), record("A", 21, 5, 0, "")}, nil), "A whole 5", ""},
		{"huge size", inspect.ISO, iso([][]byte{record("A", 21, 0xffffffff, 0, "")}, nil), "A whole 6144", inspect.Damaged},
		{"udf", inspect.UDF, udfImage("a.exe", 5), "a.exe whole 5, b.txt whole 5", ""},
		{"udf, huge size", inspect.UDF, udfImage("a.exe", 1<<31), "a.exe whole 5, b.txt partial 2048", inspect.Damaged},
		{"udf without descriptors", inspect.UDF, udfImage("a.exe", 5)[:100*sector], "", inspect.Damaged},
		{"floppy", inspect.DiskRaw, floppy(), fatFiles, ""},
		{"partition", inspect.DiskRaw, parted(floppy()), fatFiles, ""},
		{"fixed vhd", inspect.VHD, vhd(floppy(), false), fatFiles, ""},
		{"dynamic vhd", inspect.VHD, vhd(floppy(), true), fatFiles, ""},
		{"dynamic vhd, partition", inspect.VHD, vhd(parted(floppy()), true), fatFiles, ""},
		{"ntfs", inspect.DiskRaw, windows(), "folder/a.txt whole 5, folder/a.txt:hidden.exe whole 5, b.exe whole 600", ""},
		{"ntfs in a dynamic vhd", inspect.VHD, vhd(parted(windows()), true), "folder/a.txt whole 5, folder/a.txt:hidden.exe whole 5, b.exe whole 600", ""},
		{"ntfs without a table", inspect.DiskRaw, append([]byte("\xeb\x52\x90NTFS    "), make([]byte, 1000)...), "", inspect.Unsupported},
		{"vhdx", inspect.VHDX, vhdx(parted(floppy())), fatFiles, ""},
		{"vhdx, head only", inspect.VHDX, []byte("vhdxfile"), "", inspect.Damaged},
		{"vmdk", inspect.VMDK, []byte("KDMV"), "", inspect.Unsupported},
		{"cut", inspect.DiskRaw, floppy()[:1024+512+512], "setup.exe partial 512", inspect.Damaged},
	} {
		r := childtest.One(t, New(), "x", c.typ, c.b)
		var got []string
		for _, f := range r.Files[1:] {
			got = append(got, f.Name+" "+f.Content.String()+" "+strconv.FormatInt(f.Size, 10))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, s, c.want, r.Facts)
		}
		if c.fact == "" && len(r.Facts) > 0 || c.fact != "" && !childtest.Has(r, c.fact, "") {
			t.Errorf("%s: facts %v, want %q", c.name, r.Facts, c.fact)
		}
	}
}

func FuzzDisk(f *testing.F) {
	f.Add(iso([][]byte{record("A.TXT;1", 21, 5, 0, "NM\x0b\x01\x00a name"), record("D", 20, sector, 2, "")}, [][]byte{record(wide("a"), 21, 5, 0, "")}))
	f.Add(udfImage("a.exe", 5))
	f.Add(floppy())
	f.Add(windows())
	f.Add(vhdx(floppy()))
	f.Add(vhd(parted(floppy()), true))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range []inspect.Type{inspect.ISO, inspect.UDF, inspect.DiskRaw, inspect.VHD, inspect.VHDX} {
			childtest.Bytes(t, New(), typ, b)
		}
	})
}

func BenchmarkISO(b *testing.B) {
	body := append(iso([][]byte{record("A", 24, 1<<20, 0, "")}, nil), make([]byte, 1<<20)...)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.ISO, body)
	}
}
