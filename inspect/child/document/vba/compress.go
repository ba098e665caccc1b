package vba

import (
	"encoding/binary"
	"errors"
)

// Decompress unpacks a compressed container, [MS-OVBA] 2.4.1, to at most limit
// bytes. What came out before an error stands.
func Decompress(b []byte, limit int) ([]byte, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errors.New("vba: no compressed container")
	}
	b = b[1:]
	var out []byte
	for len(b) >= 2 && len(out) < limit {
		head := binary.LittleEndian.Uint16(b)
		size := int(head&0x0FFF) + 3
		// Bits 12 to 14 are 0b011. Office takes other values; so does this.
		chunk := b[2:min(size, len(b))]
		if head&0x8000 == 0 {
			out = append(out, chunk[:min(len(chunk), 4096)]...)
		} else {
			var err error
			if out, err = unpack(out, chunk); err != nil {
				return out[:min(len(out), limit)], err
			}
		}
		b = b[min(size, len(b)):]
	}
	return out[:min(len(out), limit)], nil
}

// unpack appends one compressed chunk, [MS-OVBA] 2.4.1.3.4. A chunk yields at most
// 4096 bytes by the format.
func unpack(out, chunk []byte) ([]byte, error) {
	start := len(out)
	for i := 0; i < len(chunk); {
		flags := chunk[i]
		i++
		for bit := 0; bit < 8 && i < len(chunk); bit++ {
			if len(out)-start >= 4096 {
				return out, nil
			}
			if flags>>bit&1 == 0 {
				out = append(out, chunk[i])
				i++
				continue
			}
			if i+2 > len(chunk) {
				return out, errors.New("vba: a copy is cut short")
			}
			token := binary.LittleEndian.Uint16(chunk[i:])
			i += 2
			// [MS-OVBA] 2.4.1.3.19.1: how the token is divided depends on what is there.
			bits := 4
			for bits < 12 && 1<<bits < len(out)-start {
				bits++
			}
			length := int(token&(0xFFFF>>bits)) + 3
			offset := int(token>>(16-bits)) + 1
			if offset > len(out)-start {
				return out, errors.New("vba: a copy from before the chunk")
			}
			for range min(length, 4096-(len(out)-start)) {
				out = append(out, out[len(out)-offset])
			}
		}
	}
	return out, nil
}
