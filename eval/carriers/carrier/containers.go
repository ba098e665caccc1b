package carrier

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/klauspost/compress/zstd"

	"sluice/inspect/child/document/cfb/cfbtest"
)

// must is for writers that write to memory.
func must(err error) {
	if err != nil {
		panic("carrier: " + err.Error())
	}
}

// member is a file in a container.
type member struct{ name, content string }

// zipOf writes an archive, packed.
func zipOf(members ...member) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.Create(m.name)
		must(err)
		_, err = f.Write([]byte(m.content))
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

// rawZip writes an archive by hand, stored: it may lie.
type rawEntry struct {
	member
	local    string // name in front of the data, where another one
	size     int    // declared; 0: the true one
	at       int    // where its local header is; below 0: its own
	password string
	hidden   bool // not in the directory
}

func rawZip(entries ...rawEntry) []byte {
	le := binary.LittleEndian
	var b, dir []byte
	listed := 0
	for _, e := range entries {
		data := []byte(e.content)
		sum := crc32.ChecksumIEEE(data)
		size := len(data)
		if e.size > 0 {
			size = e.size
		}
		flags := uint16(0)
		if e.password != "" {
			flags, data = 1, crypt(e.password, data, sum)
		}
		name := e.local
		if name == "" {
			name = e.name
		}
		head := func(h []byte, name string) []byte {
			h = le.AppendUint16(h, 20)
			h = le.AppendUint16(h, flags)
			h = append(h, 0, 0, 0, 0, 0, 0) // stored, no time
			h = le.AppendUint32(h, sum)
			h = le.AppendUint32(h, uint32(len(data)))
			h = le.AppendUint32(h, uint32(size))
			h = le.AppendUint16(h, uint16(len(name)))
			return le.AppendUint16(h, 0)
		}
		at := len(b)
		if e.at > 0 {
			at = e.at - 1
		} else {
			b = append(head(append(b, "PK\x03\x04"...), name), name...)
			b = append(b, data...)
		}
		if !e.hidden {
			listed++
			dir = head(append(dir, "PK\x01\x02\x14\x00"...), e.name)
			dir = append(dir, make([]byte, 10)...)
			dir = le.AppendUint32(dir, uint32(at))
			dir = append(dir, e.name...)
		}
	}
	start := len(b)
	b = append(append(b, dir...), "PK\x05\x06\x00\x00\x00\x00"...)
	b = le.AppendUint16(le.AppendUint16(b, uint16(listed)), uint16(listed))
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(dir))), uint32(start))
	return append(b, 0, 0)
}

// crypt is the old cipher of zip (APPNOTE 6.1).
func crypt(password string, data []byte, sum uint32) []byte {
	k := [3]uint32{0x12345678, 0x23456789, 0x34567890}
	step := func(crc uint32, c byte) uint32 { return crc32.IEEETable[byte(crc)^c] ^ crc>>8 }
	update := func(c byte) {
		k[0] = step(k[0], c)
		k[1] = (k[1]+k[0]&0xff)*134775813 + 1
		k[2] = step(k[2], byte(k[1]>>24))
	}
	for i := range len(password) {
		update(password[i])
	}
	plain := append([]byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"), byte(sum>>24))
	plain = append(plain, data...)
	for i, c := range plain {
		t := uint16(k[2] | 2)
		plain[i] = c ^ byte(t*(t^1)>>8)
		update(c)
	}
	return plain
}

func tarOf(members ...member) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		must(w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content))}))
		_, err := w.Write([]byte(m.content))
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

func gzipOf(name string, content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = name
	_, err := w.Write(content)
	must(err)
	must(w.Close())
	return b.Bytes()
}

func zstdOf(content []byte) []byte {
	w, err := zstd.NewWriter(nil)
	must(err)
	return w.EncodeAll(content, nil)
}

// cabOf writes a cabinet, stored ([MS-CAB]).
func cabOf(members ...member) []byte {
	le := binary.LittleEndian
	var all, list []byte
	for _, m := range members {
		list = le.AppendUint32(list, uint32(len(m.content)))
		list = le.AppendUint32(list, uint32(len(all)))
		list = append(list, 0, 0, 0, 0, 0, 0, 0x20, 0)
		list = append(append(list, m.name...), 0)
		all = append(all, m.content...)
	}
	h := make([]byte, 44)
	copy(h, "MSCF")
	le.PutUint32(h[8:], uint32(len(h)+len(list)+8+len(all)))
	le.PutUint32(h[16:], uint32(len(h)))
	h[24], h[25], h[26] = 3, 1, 1
	le.PutUint16(h[28:], uint16(len(members)))
	le.PutUint32(h[36:], uint32(len(h)+len(list)))
	le.PutUint16(h[40:], 1)
	b := append(append(h, list...), 0, 0, 0, 0)
	b = le.AppendUint16(le.AppendUint16(b, uint16(len(all))), uint16(len(all)))
	return append(b, all...)
}

// sevenZipOf writes an archive with one stored file (7zFormat.txt).
func sevenZipOf(m member) []byte {
	le := binary.LittleEndian
	var name []byte
	for _, r := range m.name + "\x00" {
		name = le.AppendUint16(name, uint16(r))
	}
	n := len(m.content)
	number := func(v int) []byte { return []byte{0xC0, byte(v), byte(v >> 8)} } // two bytes follow
	h := []byte{1, 4, 6, 0, 1, 9}
	h = append(h, number(n)...)
	h = append(h, 0, 7, 0x0B, 1, 0, 1, 1, 0, 0x0C)
	h = append(h, number(n)...)
	h = append(h, 0, 8, 0, 0, 5, 1, 0x11)
	h = append(append(h, number(len(name)+1)...), 0)
	h = append(append(h, name...), 0, 0)
	b := []byte("7z\xBC\xAF\x27\x1C\x00\x04")
	start := le.AppendUint64(nil, uint64(n))
	start = le.AppendUint64(start, uint64(len(h)))
	start = le.AppendUint32(start, crc32.ChecksumIEEE(h))
	b = append(le.AppendUint32(b, crc32.ChecksumIEEE(start)), start...)
	return append(append(b, m.content...), h...)
}

// rarOf writes a RAR 5 archive with stored files.
func rarOf(members ...member) []byte {
	block := func(head []byte) []byte {
		body := append(binary.AppendUvarint(nil, uint64(len(head))), head...)
		return append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)), body...)
	}
	v := func(b []byte, n ...int) []byte {
		for _, x := range n {
			b = binary.AppendUvarint(b, uint64(x))
		}
		return b
	}
	b := append([]byte("Rar!\x1A\x07\x01\x00"), block(v(nil, 1, 0, 0))...)
	for _, m := range members {
		h := v(nil, 2, 2, len(m.content), 4, len(m.content), 0)
		h = binary.LittleEndian.AppendUint32(h, crc32.ChecksumIEEE([]byte(m.content)))
		h = append(v(h, 0, 0, len(m.name)), m.name...)
		b = append(append(b, block(h)...), m.content...)
	}
	return append(b, block(v(nil, 5, 0, 0))...)
}

// isoOf writes an image with files in its root (ECMA-119).
func isoOf(members ...member) []byte {
	const sector = 2048
	le := binary.LittleEndian
	record := func(name string, at, size int, flags byte) []byte {
		n := 33 + len(name)
		n += n & 1
		r := make([]byte, n)
		r[0], r[25], r[32] = byte(n), flags, byte(len(name))
		le.PutUint32(r[2:], uint32(at))
		binary.BigEndian.PutUint32(r[6:], uint32(at))
		le.PutUint32(r[10:], uint32(size))
		binary.BigEndian.PutUint32(r[14:], uint32(size))
		copy(r[33:], name)
		return r
	}
	b := make([]byte, 20*sector)
	b[16*sector] = 1
	copy(b[16*sector+1:], "CD001\x01")
	copy(b[16*sector+156:], record("\x00", 18, sector, 2))
	b[17*sector] = 0xFF
	copy(b[17*sector+1:], "CD001\x01")
	dir := append(record("\x00", 18, sector, 2), record("\x01", 18, sector, 2)...)
	for _, m := range members {
		dir = append(dir, record(strings.ToUpper(m.name)+";1", len(b)/sector, len(m.content), 0)...)
		b = append(b, m.content...)
		b = append(b, make([]byte, (sector-len(b)%sector)%sector)...)
	}
	copy(b[18*sector:], dir)
	le.PutUint32(b[16*sector+80:], uint32(len(b)/sector))
	return b
}

// vhdOf writes the end of a fixed disk image.
func vhdOf() []byte {
	b := make([]byte, 64<<10)
	copy(b[510:], "\x55\xAA")
	foot := make([]byte, 512)
	copy(foot, "conectix\x00\x00\x00\x02\x00\x01\x00\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")
	binary.BigEndian.PutUint64(foot[40:], uint64(len(b)))
	binary.BigEndian.PutUint64(foot[48:], uint64(len(b)))
	foot[63] = 2
	sum := uint32(0)
	for _, c := range foot {
		sum += uint32(c)
	}
	binary.BigEndian.PutUint32(foot[64:], ^sum)
	return append(b, foot...)
}

// lhaOf writes a header of level 0 and the stored content.
func lhaOf(m member) []byte {
	le := binary.LittleEndian
	h := append([]byte{0, 0}, "-lh0-"...)
	h = le.AppendUint32(le.AppendUint32(h, uint32(len(m.content))), uint32(len(m.content)))
	h = append(h, 0, 0, 0, 0, 0x20, 0, byte(len(m.name)))
	h = append(append(h, m.name...), 0, 0)
	h[0] = byte(len(h) - 2)
	for _, c := range h[2:] {
		h[1] += c
	}
	return append(append(h, m.content...), 0)
}

// tnefOf writes a winmail.dat with one attachment ([MS-OXTNEF]).
func tnefOf(m member) []byte {
	le := binary.LittleEndian
	b := []byte("\x78\x9F\x3E\x22\x01\x00")
	attribute := func(level byte, id uint32, data []byte) {
		b = append(b, level)
		b = le.AppendUint32(le.AppendUint32(b, id), uint32(len(data)))
		sum := uint16(0)
		for _, c := range data {
			sum += uint16(c)
		}
		b = le.AppendUint16(append(b, data...), sum)
	}
	attribute(1, 0x00089006, []byte{0, 0, 1, 0})
	attribute(2, 0x00069002, append([]byte{1, 0}, make([]byte, 12)...))
	attribute(2, 0x00018010, []byte(m.name+"\x00"))
	attribute(2, 0x0006800F, []byte(m.content))
	return b
}

// msgOf writes an Outlook item with one attachment.
func msgOf(m member) []byte {
	wide := ""
	for _, r := range m.name {
		wide += string([]byte{byte(r), byte(r >> 8)})
	}
	in := "__attach_version1.0_#00000000/__substg1.0_"
	return cfbtest.Build(map[string]string{"__properties_version1.0": "x", "__substg1.0_1000001F": "H\x00i\x00", in + "37010102": m.content, in + "3707001F": wide})
}

// oneOf writes the parts of a notebook that hold a file ([MS-ONESTORE] 2.6.13).
func oneOf(content string) []byte {
	b := []byte("\xE4\x52\x5C\x7B\x8C\xD8\xA7\x4D\xAE\xB1\x53\x78\xD0\x29\x96\xD3")
	b = append(b, make([]byte, 1024)...)
	b = append(b, "\xE7\x16\xE3\xBD\x65\x26\x11\x45\xA4\xC4\x8D\x4D\x0B\x7A\x9E\xAC"...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(content)))
	b = append(b, make([]byte, 12)...)
	b = append(b, content...)
	b = append(b, make([]byte, (8-len(b)%8)%8)...)
	return append(b, "\x22\xA7\xFB\x71\x79\x0F\x0B\x4A\xBB\x13\x89\x92\x56\x42\x6B\x24"...)
}

// bombOf is a megabyte of zeros, packed in a file of that, packed, and so on.
func bombOf() []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	must(err)
	_, err = w.Write(make([]byte, 100<<20))
	must(err)
	must(w.Close())
	return gzipRaw(b.Bytes(), 100<<20)
}

func gzipRaw(packed []byte, size uint32) []byte {
	b := append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), packed...)
	b = append(b, 0, 0, 0, 0) // a wrong sum: who gets here has unpacked it
	return binary.LittleEndian.AppendUint32(b, size)
}

// containers are the archives, with a program or a text in them.
func containers() []Case {
	const program = "setup.exe"
	inert, notes := exe(), "The notes of the meeting.\n"
	text := member{"notes.txt", notes}
	bad := member{program, inert}
	pair := func(name, file, typ string, want []string, make func(m member) []byte) Case {
		return Case{Name: name, Want: want, Carrier: with(file, typ, make(bad)), Twin: with(file, typ, make(text))}
	}
	runs := []string{"class:executable"}
	password := func(m member) Mail {
		return Mail{Text: "Dear Bob,\n\nthe invoice is attached. Password: Zebra77\n\nAnn\n", Files: []File{{"invoice.zip", "application/zip", rawZip(rawEntry{member: m, password: "Zebra77"})}}}
	}
	deep := func(m member) []byte {
		return gzipOf("a.tar", tarOf(member{"b.zip", string(zipOf(member{"c.7z", string(sevenZipOf(m))}))}))
	}
	return []Case{
		pair("zip", "files.zip", "application/zip", runs, func(m member) []byte { return zipOf(m) }),
		{Name: "zip-password-in-text", Want: []string{"PASSWORD_WORKED"}, Carrier: password(bad),
			Twin: Mail{Text: "Dear Bob,\n\nyou know the word for the invoice.\n\nAnn\n", Files: []File{{"invoice.zip", "application/zip", rawZip(rawEntry{member: text, password: "Zebra77"})}}}},
		{Name: "zip-encrypted", Want: []string{"class:encrypted"}, Carrier: with("a.zip", "application/zip", rawZip(rawEntry{member: bad, password: "unknown to all"})), Twin: with("a.zip", "application/zip", rawZip(rawEntry{member: text}))},
		{Name: "zip-overlap", Want: []string{"ENTRIES_OVERLAP"}, Carrier: with("a.zip", "application/zip", rawZip(rawEntry{member: text}, rawEntry{member: member{"b.txt", notes}, at: 1})),
			Twin: with("a.zip", "application/zip", rawZip(rawEntry{member: text}, rawEntry{member: member{"b.txt", notes + "more"}}))},
		{Name: "zip-wrong-size", Want: []string{"SIZE_MISMATCH", "TWO_READINGS"}, Carrier: with("a.zip", "application/zip", rawZip(rawEntry{member: text, size: 5})), Twin: with("a.zip", "application/zip", rawZip(rawEntry{member: text}))},
		{Name: "zip-hidden-entry", Want: []string{"HIDDEN_ENTRY"}, Carrier: with("a.zip", "application/zip", rawZip(rawEntry{member: bad, hidden: true}, rawEntry{member: text})), Twin: with("a.zip", "application/zip", rawZip(rawEntry{member: text}))},
		{Name: "zip-two-names", Want: []string{"TWO_READINGS", "class:executable"}, Carrier: with("a.zip", "application/zip", rawZip(rawEntry{member: member{"notes.txt", inert}, local: program})), Twin: with("a.zip", "application/zip", rawZip(rawEntry{member: text}))},
		{Name: "zip-climbs", Want: []string{"NAME_CLIMBS"}, Carrier: with("a.zip", "application/zip", rawZip(rawEntry{member: member{"../../start/notes.txt", notes}})), Twin: with("a.zip", "application/zip", rawZip(rawEntry{member: member{"start/notes.txt", notes}}))},
		pair("rar", "files.rar", "application/vnd.rar", runs, func(m member) []byte { return rarOf(m) }),
		pair("7z", "files.7z", "application/x-7z-compressed", runs, sevenZipOf),
		pair("tar", "files.tar", "application/x-tar", runs, func(m member) []byte { return tarOf(m) }),
		pair("gzip", "file.gz", "application/gzip", runs, func(m member) []byte { return gzipOf(m.name, []byte(m.content)) }),
		pair("zstd", "file.zst", "application/zstd", runs, func(m member) []byte { return zstdOf([]byte(m.content)) }),
		pair("cab", "files.cab", "application/vnd.ms-cab-compressed", runs, func(m member) []byte { return cabOf(m) }),
		pair("iso", "disk.iso", "application/x-iso9660-image", runs, func(m member) []byte { return isoOf(m) }),
		pair("lha", "files.lzh", "application/x-lzh", runs, lhaOf),
		pair("tnef", "winmail.dat", "application/ms-tnef", runs, tnefOf),
		pair("msg", "item.msg", "application/vnd.ms-outlook", runs, msgOf),
		pair("onenote", "notes.one", "application/onenote", runs, func(m member) []byte { return oneOf(m.content) }),
		pair("message", "forwarded.eml", "message/rfc822", runs, func(m member) []byte { return with(m.name, "", []byte(m.content)).Bytes() }),
		pair("five-deep", "files.tgz", "application/gzip", runs, deep),
		{Name: "bomb", Want: []string{"BOMB"}, Carrier: with("data.gz", "application/gzip", bombOf()), Twin: with("data.gz", "application/gzip", gzipOf("log.txt", []byte(strings.Repeat("a line of a log\n", 1000))))},
	}
}
