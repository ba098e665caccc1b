package attachment

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// zipMember is one file of a zip archive as its directory lists it. Nothing is
// unpacked here.
type zipMember struct {
	name      string
	encrypted bool
	packed    uint64
	size      uint64
}

// Bounds of the listing.
const (
	maxMembers    = 2000
	maxMemberName = 512
	endSearch     = 65535 + 22 // APPNOTE 4.3.16: the comment has at most 65,535 octets
)

// zipMembers lists the members by the central directory, or, where that is
// missing or damaged, by the local headers: some unpackers read one, some the
// other. complete is false when the listing was cut or something didn't fit.
func zipMembers(b []byte) (members []zipMember, complete bool) {
	if m, ok := centralDirectory(b); ok {
		return m, len(m) < maxMembers
	}
	return localHeaders(b), false
}

func centralDirectory(b []byte) ([]zipMember, bool) {
	const endLen = 22
	tail := b[max(0, len(b)-endSearch):]
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < endLen {
		return nil, false
	}
	end := len(b) - len(tail) + at
	size := int64(binary.LittleEndian.Uint32(b[end+12:]))
	off := int64(binary.LittleEndian.Uint32(b[end+16:]))
	start := int64(end) - size // right even where something stands before the archive
	if off == 0xffffffff || size == 0xffffffff || start < 0 || start < off {
		return nil, false // zip64, or not what it says
	}
	var out []zipMember
	dir := b[start:end]
	for len(dir) >= 46 && string(dir[:4]) == "PK\x01\x02" && len(out) < maxMembers {
		n := int(binary.LittleEndian.Uint16(dir[28:]))
		next := 46 + n + int(binary.LittleEndian.Uint16(dir[30:])) + int(binary.LittleEndian.Uint16(dir[32:]))
		if 46+n > len(dir) {
			return out, len(out) > 0
		}
		out = append(out, zipMember{
			name:      string(dir[46 : 46+min(n, maxMemberName)]),
			encrypted: binary.LittleEndian.Uint16(dir[8:])&1 != 0,
			packed:    uint64(binary.LittleEndian.Uint32(dir[20:])),
			size:      uint64(binary.LittleEndian.Uint32(dir[24:])),
		})
		dir = dir[min(next, len(dir)):]
	}
	return out, true
}

// localHeaders walks from one local header to the next by the signature.
func localHeaders(b []byte) []zipMember {
	var out []zipMember
	for len(out) < maxMembers {
		at := bytes.Index(b, []byte("PK\x03\x04"))
		if at < 0 || len(b)-at < 30 {
			return out
		}
		b = b[at:]
		n := int(binary.LittleEndian.Uint16(b[26:]))
		if 30+n > len(b) {
			return out
		}
		out = append(out, zipMember{
			name:      string(b[30 : 30+min(n, maxMemberName)]),
			encrypted: binary.LittleEndian.Uint16(b[6:])&1 != 0,
			packed:    uint64(binary.LittleEndian.Uint32(b[18:])),
			size:      uint64(binary.LittleEndian.Uint32(b[22:])),
		})
		b = b[30+n:]
	}
	return out
}

// archive is what the members' names and sizes amount to.
type archive struct {
	program   string // a member that would run
	macro     string // an Office macro store
	encrypted string
	climbs    string // a path that leaves the folder
	nested    string // an archive or image in the archive
	bomb      bool   // unpacks to more than anybody would send
	office    bool
	java      bool
	members   int
	listed    bool // false: something could not be listed
}

// bombRatio and bombSize together mark an archive that only wants to fill
// memory: text packs 5 to 20 times, sparse images some 100.
const (
	bombRatio = 500
	bombSize  = 256 << 20
)

func listZip(b []byte) archive {
	members, complete := zipMembers(b)
	a := archive{members: len(members), listed: complete}
	var packed, size uint64
	manifest, class := false, false
	for _, m := range members {
		packed += m.packed
		size += m.size
		lower := strings.ToLower(m.name)
		switch {
		case strings.HasSuffix(lower, "vbaproject.bin"), strings.HasPrefix(lower, "xl/macrosheets/"), strings.HasPrefix(lower, "macrosheets/"):
			a.macro = m.name
		case lower == "[content_types].xml":
			a.office = true
		case lower == "meta-inf/manifest.mf":
			manifest = true
		case strings.HasSuffix(lower, ".class"):
			class = true
		}
		n := parseName(m.name)
		if n.kind() == executable || n.double() && n.kind() != page {
			a.program = first(a.program, m.name)
		}
		if k := n.kind(); k == container || n.ext == "zip" || n.ext == "rar" || n.ext == "7z" {
			a.nested = first(a.nested, m.name)
		}
		if m.encrypted {
			a.encrypted = first(a.encrypted, m.name)
		}
		if strings.HasPrefix(m.name, "/") || strings.Contains(m.name, "../") || strings.Contains(m.name, `..\`) {
			a.climbs = first(a.climbs, m.name)
		}
	}
	a.java = manifest && class
	a.bomb = size > bombSize && size/(packed+1) > bombRatio
	return a
}

func first(old, found string) string {
	if old != "" {
		return old
	}
	return found
}
