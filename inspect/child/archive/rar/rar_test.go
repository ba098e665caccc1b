package rar

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

type member struct {
	name, content string
	password      string
	power         byte
	dict          uint64 // size code of the dictionary, for packed files
	method        uint64
	size          uint64 // declared, where not that of content
	sum           uint32 // added to the sum
}

func uvarint(b []byte, v ...uint64) []byte {
	for _, x := range v {
		b = binary.AppendUvarint(b, x)
	}
	return b
}

// block5 puts the sum and length in front of a header.
func block5(head []byte) []byte {
	body := append(uvarint(nil, uint64(len(head))), head...)
	return append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)), body...)
}

// build5 writes a RAR 5 archive.
func build5(members ...member) []byte {
	b := append([]byte(magic5), block5(uvarint(nil, 1, 0, 0))...)
	for _, m := range members {
		data := []byte(m.content)
		var extra []byte
		if m.password != "" {
			salt, iv := []byte("0123456789abcdef"), []byte("fedcba9876543210")
			key, err := pbkdf2.Key(sha256.New, m.password, salt, 1<<min(m.power, 10), 32)
			if err != nil {
				panic(err)
			}
			c, err := aes.NewCipher(key)
			if err != nil {
				panic(err)
			}
			data = append(data, make([]byte, (16-len(data)%16)%16)...)
			cipher.NewCBCEncrypter(c, iv).CryptBlocks(data, data)
			rec := append(uvarint(nil, 1, 0, 0), m.power)
			rec = append(append(rec, salt...), iv...)
			extra = append(uvarint(nil, uint64(len(rec))), rec...)
		}
		size := m.size
		if size == 0 {
			size = uint64(len(m.content))
		}
		h := uvarint(nil, 2, 3, uint64(len(extra)), uint64(len(data)), 4, size, 0x20)
		h = binary.LittleEndian.AppendUint32(h, crc32.ChecksumIEEE([]byte(m.content))+m.sum)
		h = uvarint(h, m.method<<7|m.dict<<10, 1, uint64(len(m.name)))
		h = append(append(h, m.name...), extra...)
		b = append(append(b, block5(h)...), data...)
	}
	return append(b, block5(uvarint(nil, 5, 0, 0))...)
}

// build4 writes an older one.
func build4(members ...member) []byte {
	block := func(kind byte, flags uint16, rest []byte) []byte {
		h := append([]byte{kind}, binary.LittleEndian.AppendUint16(nil, flags)...)
		h = binary.LittleEndian.AppendUint16(h, uint16(7+len(rest)))
		h = append(h, rest...)
		return append(binary.LittleEndian.AppendUint16(nil, uint16(crc32.ChecksumIEEE(h))), h...)
	}
	b := append([]byte(magic4), block(0x73, 0, make([]byte, 6))...)
	for _, m := range members {
		h := binary.LittleEndian.AppendUint32(nil, uint32(len(m.content)))
		h = binary.LittleEndian.AppendUint32(h, uint32(len(m.content)))
		h = append(h, 2)
		h = binary.LittleEndian.AppendUint32(h, crc32.ChecksumIEEE([]byte(m.content)))
		h = append(h, 0, 0, 0, 0, 29, 0x30)
		h = binary.LittleEndian.AppendUint16(h, uint16(len(m.name)))
		h = append(append(h, 0x20, 0, 0, 0), m.name...)
		b = append(append(b, block(0x74, 0x8000, h)...), m.content...)
	}
	return append(b, block(0x7b, 0, nil)...)
}

func TestArchives(t *testing.T) {
	honest := build5(member{name: "a.txt", content: "hello"}, member{name: "d/b.exe", content: "inert"})
	for _, c := range []struct {
		name string
		b    []byte
		want string
		fact inspect.Kind
	}{
		{"honest", honest, "a.txt whole, d/b.exe whole", ""},
		{"old", build4(member{name: "a.txt", content: "hello"}, member{name: "b.exe", content: "inert"}), "a.txt whole, b.exe whole", ""},
		{"locked", build5(member{name: "a.exe", content: "inert", password: "secret", power: 4}), "a.exe locked", ""},
		{"opened", build5(member{name: "a.exe", content: "inert", password: "infected", power: 4}, member{name: "b", content: "x"}), "a.exe whole, b whole", inspect.PasswordWorked},
		{"costly key", build5(member{name: "a.exe", content: "inert", password: "infected", power: 24}), "a.exe locked", inspect.Unsupported},
		{"wrong sum", build5(member{name: "a", content: "hello", sum: 1}), "a partial", inspect.Damaged},
		{"wrong size", build5(member{name: "a", content: "hello", size: 1 << 40}), "a partial", inspect.Damaged},
		{"huge dictionary", build5(member{name: "a", content: "hello", method: 3, dict: 15}), "a partial", inspect.Damaged},
		{"cut", honest[:len(honest)-20], "a.txt whole", inspect.Damaged},
		{"version 1.4", []byte("RE~^ and so on"), "", inspect.Unsupported},
	} {
		r := childtest.One(t, New(), "x.rar", inspect.Rar, c.b, "wrong", "infected")
		var got []string
		for _, f := range r.Files[1:] {
			got = append(got, f.Name+" "+f.Content.String())
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, s, c.want, r.Facts)
		}
		if c.fact == "" && len(r.Facts) > 0 || c.fact != "" && !childtest.Has(r, c.fact, "") {
			t.Errorf("%s: facts %v, want %s", c.name, r.Facts, c.fact)
		}
	}
}

func FuzzRar(f *testing.F) {
	f.Add(build5(member{name: "a.txt", content: "hello"}, member{name: "b", content: "inert", password: "infected", power: 2}))
	f.Add(build4(member{name: "a.txt", content: "hello"}))
	f.Add(build5(member{name: "a", content: strings.Repeat("\xc5\x55", 40), method: 3, size: 1000}))
	f.Fuzz(func(t *testing.T, b []byte) {
		childtest.Bytes(t, New(), inspect.Rar, b)
	})
}

func BenchmarkRar(b *testing.B) {
	content := strings.Repeat("content ", 1<<17)
	body := build5(member{name: "a", content: content})
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.Rar, body)
	}
}
