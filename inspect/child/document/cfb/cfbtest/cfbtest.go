// Package cfbtest writes compound files for tests: small, whole, and made from
// nothing but what the test says.
package cfbtest

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

const sector = 512

type node struct {
	name               string
	kind               byte
	left, right, child int
	start              uint32
	size               int
	clsid              [16]byte
}

// Build writes a compound file with the given streams. Keys are paths with "/";
// the storages on the way are made. A key that ends in "/" is a storage without
// anything in it.
func Build(streams map[string]string) []byte { return BuildClass(streams, nil) }

// BuildClass is Build with class ids for storages, "" being the root.
func BuildClass(streams map[string]string, classes map[string][16]byte) []byte {
	nodes := []node{{name: "Root Entry", kind: 5, left: -1, right: -1, child: -1, clsid: classes[""]}}
	at := map[string]int{"": 0}
	last := map[int]int{} // parent → its last child: siblings hang in a list to the right
	add := func(parent int, n node) int {
		n.left, n.right, n.child = -1, -1, -1
		nodes = append(nodes, n)
		i := len(nodes) - 1
		if l, ok := last[parent]; ok {
			nodes[l].right = i
		} else {
			nodes[parent].child = i
		}
		last[parent] = i
		return i
	}
	var body, mini []byte // from sector 0 on; mini stream
	var fat, miniFAT []uint32
	place := func(b []byte) uint32 {
		start := uint32(len(body) / sector)
		body = append(body, b...)
		for len(body)%sector != 0 {
			body = append(body, 0)
		}
		return linked(&fat, start, uint32(len(body)/sector))
	}
	for _, path := range slices.Sorted(maps.Keys(streams)) {
		parent, dir := 0, ""
		parts := strings.Split(path, "/")
		for _, d := range parts[:len(parts)-1] {
			dir += d
			i, ok := at[dir]
			if !ok {
				i = add(parent, node{name: d, kind: 1, clsid: classes[dir]})
				at[dir] = i
			}
			parent, dir = i, dir+"/"
		}
		name := parts[len(parts)-1]
		if name == "" {
			continue
		}
		content := []byte(streams[path])
		n := node{name: name, kind: 2, size: len(content), start: 0xFFFFFFFE}
		switch {
		case len(content) >= 4096:
			n.start = place(content)
		case len(content) > 0:
			start := uint32(len(mini) / 64)
			mini = append(mini, content...)
			for len(mini)%64 != 0 {
				mini = append(mini, 0)
			}
			n.start = linked(&miniFAT, start, uint32(len(mini)/64))
		}
		add(parent, n)
	}
	nodes[0].start, nodes[0].size = 0xFFFFFFFE, len(mini)
	if len(mini) > 0 {
		nodes[0].start = place(mini)
	}
	miniStart := uint32(0xFFFFFFFE)
	if len(miniFAT) > 0 {
		miniStart = place(words(miniFAT))
	}
	var dir []byte
	for _, n := range nodes {
		dir = append(dir, entry(n)...)
	}
	dirStart := place(dir)
	fatStart := uint32(len(body) / sector)
	count := 0
	for n := len(fat); count*128 < n+count; {
		count++
	}
	for range count {
		fat = append(fat, 0xFFFFFFFD)
	}
	for len(fat)%128 != 0 {
		fat = append(fat, 0xFFFFFFFF)
	}
	body = append(body, words(fat)...)

	h := make([]byte, sector)
	le := binary.LittleEndian
	copy(h, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
	le.PutUint16(h[24:], 0x3E)
	le.PutUint16(h[26:], 3)
	le.PutUint16(h[28:], 0xFFFE)
	le.PutUint16(h[30:], 9)
	le.PutUint16(h[32:], 6)
	le.PutUint32(h[44:], uint32(count))
	le.PutUint32(h[48:], dirStart)
	le.PutUint32(h[56:], 4096)
	le.PutUint32(h[60:], miniStart)
	le.PutUint32(h[64:], uint32(len(miniFAT)+127)/128)
	le.PutUint32(h[68:], 0xFFFFFFFE)
	for i := range 109 {
		v := uint32(0xFFFFFFFF)
		if i < count {
			v = fatStart + uint32(i)
		}
		le.PutUint32(h[76+4*i:], v)
	}
	return append(h, body...)
}

// linked chains the sectors from start to end in a table and returns start.
func linked(table *[]uint32, start, end uint32) uint32 {
	for i := start; i < end; i++ {
		next := i + 1
		if next == end {
			next = 0xFFFFFFFE
		}
		*table = append(*table, next)
	}
	return start
}

func words(v []uint32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

func entry(n node) []byte {
	b := make([]byte, 128)
	le := binary.LittleEndian
	u := utf16.Encode([]rune(n.name))
	for i, c := range u[:min(len(u), 31)] {
		le.PutUint16(b[2*i:], c)
	}
	le.PutUint16(b[64:], uint16(2*min(len(u), 31)+2))
	b[66], b[67] = n.kind, 1
	for i, v := range []int{n.left, n.right, n.child} {
		le.PutUint32(b[68+4*i:], uint32(int32(v)))
	}
	copy(b[80:], n.clsid[:])
	le.PutUint32(b[116:], n.start)
	le.PutUint32(b[120:], uint32(n.size))
	return b
}
