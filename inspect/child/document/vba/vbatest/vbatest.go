// Package vbatest writes VBA projects for tests, by [MS-OVBA].
package vbatest

import (
	"encoding/binary"
)

// Module is a module to be written.
type Module struct {
	Name, Source string
	Cache        string // stands for its compiled form
	Stomped      bool   // zeros stand in place of the source
}

// Streams are the streams of a project below a storage ("Macros", "" for the root),
// for a compound file.
func Streams(storage string, modules ...Module) map[string]string {
	if storage != "" {
		storage += "/"
	}
	le := binary.LittleEndian
	var dir []byte
	record := func(id uint16, data string) {
		dir = le.AppendUint16(dir, id)
		dir = le.AppendUint32(dir, uint32(len(data)))
		dir = append(dir, data...)
	}
	record(0x0001, "\x03\x00\x00\x00")
	record(0x0003, "\xE4\x04") // 1252
	dir = le.AppendUint16(dir, 0x0009)
	dir = append(le.AppendUint32(dir, 4), "\x01\x00\x00\x00\x02\x00"...)
	out := map[string]string{storage + "VBA/_VBA_PROJECT": "\xCC\x61\xFF\xFF\x00\x00\x00", storage + "PROJECT": "ID=\"{00000000-0000-0000-0000-000000000000}\"\r\nDPB=\"0E0CD1ECDFF4E7F5E7F5E7\"\r\n"}
	for _, m := range modules {
		record(0x0019, m.Name)
		record(0x001A, m.Name)
		record(0x0031, string(le.AppendUint32(nil, uint32(len(m.Cache)))))
		record(0x0021, "")
		record(0x002B, "")
		src := Compress("Attribute VB_Name = \"" + m.Name + "\"\r\n" + m.Source)
		if m.Stomped {
			src = string(make([]byte, len(src)))
		}
		out[storage+"VBA/"+m.Name] = m.Cache + src
	}
	record(0x0010, "")
	out[storage+"VBA/dir"] = Compress(string(dir))
	return out
}

// Compress makes a compressed container, [MS-OVBA] 2.4.1, with copies of the last
// bytes where they repeat.
func Compress(s string) string {
	out := []byte{1}
	for len(s) > 0 {
		part := s[:min(len(s), 4096)]
		s = s[len(part):]
		chunk := compressChunk(part)
		if len(chunk) > 4096 {
			raw := make([]byte, 4096)
			copy(raw, part)
			out = binary.LittleEndian.AppendUint16(out, 0x3FFF)
			out = append(out, raw...)
			continue
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(len(chunk)-1)|0xB000)
		out = append(out, chunk...)
	}
	return string(out)
}

func compressChunk(part string) []byte {
	var chunk []byte
	flagAt, bit := 0, 8
	for i := 0; i < len(part); {
		if bit == 8 {
			flagAt, bit = len(chunk), 0
			chunk = append(chunk, 0)
		}
		bits := 4
		for bits < 12 && 1<<bits < i {
			bits++
		}
		best, from := 0, 0
		for o := 1; o <= min(i, 1<<bits); o++ {
			n := 0
			for n < min(len(part)-i, int(0xFFFF>>bits)+3) && part[i+n] == part[i-o+n] {
				n++
			}
			if n > best {
				best, from = n, o
			}
		}
		if best >= 3 {
			chunk[flagAt] |= 1 << bit
			chunk = binary.LittleEndian.AppendUint16(chunk, uint16(from-1)<<(16-bits)|uint16(best-3))
			i += best
		} else {
			chunk = append(chunk, part[i])
			i++
		}
		bit++
	}
	return chunk
}
