package disk

import (
	"encoding/binary"
	"errors"
	"strings"
)

// Ids of regions and metadata as they are stored. MS-VHDX 2.2.3, 2.6.2
const (
	regionBlocks   = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08"
	regionMetadata = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"
	itemParameters = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"
	itemSize       = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8"
	itemSector     = "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f"
)

// regionTables are the places of the table of regions and of its copy.
var regionTables = [2]int64{192 << 10, 256 << 10}

var errVHDX = errors.New("the header of vhdx makes no sense")

// openVHDX reads the table of blocks. The log is not replayed: what a disk holds that
// was not closed is read as it stands.
func openVHDX(b []byte) (*image, error) {
	for _, at := range regionTables {
		table := slice(b, at, 64<<10)
		if len(table) < 16 || string(table[:4]) != "regi" {
			continue
		}
		var blocks, meta []byte
		count := int(min(binary.LittleEndian.Uint32(table[8:]), 2047))
		for e := table[16:]; count > 0 && len(e) >= 32; count-- {
			off, n := binary.LittleEndian.Uint64(e[16:]), binary.LittleEndian.Uint32(e[24:])
			if off < uint64(len(b)) {
				switch string(e[:16]) {
				case regionBlocks:
					blocks = slice(b, int64(off), int64(n))
				case regionMetadata:
					meta = slice(b, int64(off), int64(n))
				}
			}
			e = e[32:]
		}
		return vhdxImage(b, blocks, meta)
	}
	return nil, errVHDX
}

// item returns the value of a metadata item.
func item(meta []byte, id string, size int) []byte {
	if len(meta) < 64 || !strings.HasPrefix(string(meta[:8]), "metadata") {
		return nil
	}
	count := int(binary.LittleEndian.Uint16(meta[10:]))
	for e := meta[32:]; count > 0 && len(e) >= 32; count-- {
		if string(e[:16]) == id {
			if v := slice(meta, int64(binary.LittleEndian.Uint32(e[16:])), int64(size)); len(v) == size {
				return v
			}
		}
		e = e[32:]
	}
	return nil
}

func vhdxImage(b, blocks, meta []byte) (*image, error) {
	parameters, size, sector := item(meta, itemParameters, 8), item(meta, itemSize, 8), item(meta, itemSector, 4)
	if parameters == nil || size == nil || sector == nil {
		return nil, errVHDX
	}
	if parameters[4]&2 != 0 {
		return nil, errors.New("a disk that needs another one")
	}
	d := &image{b: b, size: int64(min(binary.LittleEndian.Uint64(size), 1<<50)), block: int64(binary.LittleEndian.Uint32(parameters))}
	lss := int64(binary.LittleEndian.Uint32(sector))
	if d.block < 1<<20 || d.block > 256<<20 || lss != 512 && lss != 4096 {
		return nil, errVHDX
	}
	// Behind so many blocks stands the place of a bitmap. MS-VHDX 2.5
	ratio := 1 << 23 * lss / d.block
	for i := int64(0); len(blocks) >= 8; i++ {
		v := binary.LittleEndian.Uint64(blocks)
		blocks = blocks[8:]
		if i%(ratio+1) == ratio {
			continue
		}
		at := int64(-1)
		if state := v & 7; state == 6 || state == 7 {
			at = int64(v >> 20 << 20 & (1<<62 - 1))
		}
		d.at = append(d.at, at)
	}
	return d, nil
}
