package identify

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"sluice/inspect"
)

var magics = []struct {
	at    int
	magic string
	is    inspect.Type
}{
	{0, "PK\x03\x04", inspect.Zip}, {0, "PK\x05\x06", inspect.Zip}, {0, "PK\x07\x08PK\x03\x04", inspect.Zip}, {0, "PK00PK\x03\x04", inspect.Zip},
	{0, "Rar!\x1a\x07\x00", inspect.Rar}, {0, "Rar!\x1a\x07\x01\x00", inspect.Rar}, {0, "RE~^", inspect.Rar},
	{0, "7z\xbc\xaf\x27\x1c", inspect.SevenZip},
	{0, "\x1f\x8b", inspect.Gzip},
	{0, "\xfd7zXZ\x00", inspect.XZ},
	{0, "\x28\xb5\x2f\xfd", inspect.Zstd},
	{0, "\x04\x22\x4d\x18", inspect.LZ4}, {0, "\x02\x21\x4c\x18", inspect.LZ4},
	{0, "\x1f\x9d", inspect.Compress}, {0, "\x1f\xa0", inspect.LHA},
	{0, "MSCF", inspect.Cab}, {0, "ISc(", inspect.Cab},
	{7, "**ACE**", inspect.Ace},
	{0, "070701", inspect.Cpio}, {0, "070702", inspect.Cpio}, {0, "070707", inspect.Cpio}, {0, "\xc7\x71", inspect.Cpio},
	{0, "!<arch>\ndebian-binary", inspect.Deb}, {0, "!<arch>\n", inspect.Ar}, {0, "!<thin>\n", inspect.Ar},
	{0, "xar!", inspect.Xar},
	{257, "ustar", inspect.Tar},
	{0, "vhdxfile", inspect.VHDX}, {0, "conectix", inspect.VHD},
	{0, "KDMV", inspect.VMDK}, {0, "COWD", inspect.VMDK}, {0, "# Disk DescriptorFile", inspect.VMDK},
	{0, "MSWIM\x00\x00\x00", inspect.WIM},
	{0, "ITSF", inspect.CHM},
	{0, "\x78\x9f\x3e\x22", inspect.TNEF},
	{0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", inspect.OneNote}, // MS-ONESTORE 2.3.1
	{0, "\xa1\x2f\xff\x43\xd9\xef\x76\x4c\x9e\xe2\x10\xea\x57\x22\x76\x5f", inspect.OneNote},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", inspect.OLE},
	{0, "{\\rt", inspect.RTF},
	{0, "%PDF-", inspect.PDF},
	{0, "%!PS", inspect.PostScript}, {0, "\xc5\xd0\xd3\xc6", inspect.PostScript},
	{0, "\x7fELF", inspect.ELF},
	{0, "dex\n03", inspect.DEX}, {0, "\x00asm", inspect.WASM},
	{0, "\xed\xab\xee\xdb", inspect.RPM},
	{0, "\x4c\x00\x00\x00\x01\x14\x02\x00", inspect.LNK}, // MS-SHLLINK 2.1
	{0, "FasdUAS ", inspect.AppleScript},
	{0, "\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9", inspect.AutoIt},
	{0, "FWS", inspect.Flash}, {0, "CWS", inspect.Flash}, {0, "ZWS", inspect.Flash},
	{0, "#@~^", inspect.JScriptEnc},
	{0, "\x89PNG\r\n\x1a\n", inspect.PNG}, {0, "\xff\xd8\xff", inspect.JPEG},
	{0, "GIF87a", inspect.GIF}, {0, "GIF89a", inspect.GIF},
	{0, "II*\x00", inspect.TIFF}, {0, "MM\x00*", inspect.TIFF}, {0, "II+\x00", inspect.TIFF},
	{0, "\xd7\xcd\xc6\x9a", inspect.WMF}, {0, "\x01\x00\x09\x00\x00\x03", inspect.WMF},
	{40, " EMF", inspect.EMF},
	{0, "8BPS", inspect.PSD},
	{0, "OggS", inspect.AudioVideo}, {0, "ID3", inspect.AudioVideo}, {0, "fLaC", inspect.AudioVideo},
	{0, "\x1a\x45\xdf\xa3", inspect.AudioVideo}, {0, "MThd", inspect.AudioVideo}, {0, "#!AMR", inspect.AudioVideo},
	{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", inspect.AudioVideo}, {0, "FLV\x01", inspect.AudioVideo},
	{0, "\x00\x00\x01\xba", inspect.AudioVideo}, {0, "\x00\x00\x01\xb3", inspect.AudioVideo},
	{0, "\xff\xfb", inspect.AudioVideo}, {0, "\xff\xf3", inspect.AudioVideo}, {0, "\xff\xf1", inspect.AudioVideo},
	{0, "OTTO\x00", inspect.Font}, {0, "ttcf\x00", inspect.Font}, {0, "wOFF", inspect.Font}, {0, "wOF2", inspect.Font}, {0, "\x00\x01\x00\x00\x00", inspect.Font},
}

// byMagic looks at fixed places and at those that a header leads to.
func byMagic(b []byte) inspect.Type {
	switch {
	case len(b) >= 2 && (b[0] == 'M' && b[1] == 'Z' || b[0] == 'Z' && b[1] == 'M'):
		if t := mz(b); t != "" {
			return t
		}
	case bytes.HasPrefix(b, []byte("BZh")) && len(b) >= 10 && '1' <= b[3] && b[3] <= '9' &&
		(string(b[4:10]) == "1AY&SY" || string(b[4:10]) == "\x17\x72\x45\x38\x50\x90"):
		return inspect.Bzip2
	case bytes.HasPrefix(b, []byte("RIFF")) && len(b) >= 12:
		if string(b[8:12]) == "WEBP" {
			return inspect.WebP
		}
		return inspect.AudioVideo
	case bytes.HasPrefix(b, []byte("FORM")) && len(b) >= 12 && bytes.HasPrefix(b[8:], []byte("AIF")):
		return inspect.AudioVideo
	case len(b) >= 12 && string(b[4:8]) == "ftyp":
		switch string(b[8:12]) {
		case "heic", "heix", "heim", "heis", "hevc", "mif1", "msf1", "avif", "avis":
			return inspect.HEIF
		}
		return inspect.AudioVideo
	case bytes.HasPrefix(b, []byte("BM")) && len(b) >= 18:
		if n := binary.LittleEndian.Uint32(b[14:]); n == 12 || n == 40 || n == 52 || n == 56 || n == 64 || n == 108 || n == 124 {
			return inspect.BMP
		}
	case len(b) >= 34 && b[0] == 0x60 && b[1] == 0xea:
		if n := binary.LittleEndian.Uint16(b[2:]); n >= 30 && n <= 2600 {
			return inspect.Arj
		}
	case len(b) >= 22 && b[2] == '-' && b[6] == '-' && (b[3] == 'l' || b[3] == 'p') && (b[4] == 'h' || b[4] == 'z' || b[4] == 'm'):
		return inspect.LHA
	case len(b) >= 8 && (binary.BigEndian.Uint32(b) == 0xcafebabe):
		// One magic, two formats: a universal binary counts its few architectures
		// where a Java class has its version, 45 and up.
		if n := binary.BigEndian.Uint32(b[4:]); n > 0 && n < 30 {
			return inspect.MachO
		} else if n&0xffff >= 45 && n&0xffff < 200 {
			return inspect.JavaClass
		}
	case len(b) >= 28 && machO(binary.BigEndian.Uint32(b)):
		return inspect.MachO
	case len(b) >= 22 && b[0] == 0 && b[1] == 0 && (b[2] == 1 || b[2] == 2) && b[3] == 0 && b[4] > 0 && b[5] == 0:
		if at := int64(binary.LittleEndian.Uint32(b[18:])); at >= 22 && at < int64(len(b)) {
			return inspect.ICO
		}
	case len(b) >= 16 && b[2] == '\r' && b[3] == '\n' && b[1] < 0x10 && binary.LittleEndian.Uint32(b[4:]) <= 3:
		return inspect.Pyc
	}
	for _, m := range magics {
		if len(b) >= m.at+len(m.magic) && string(b[m.at:m.at+len(m.magic)]) == m.magic {
			return m.is
		}
	}
	return byPlaces(b)
}

func machO(v uint32) bool {
	return v == 0xfeedface || v == 0xfeedfacf || v == 0xcefaedfe || v == 0xcffaedfe
}

// byPlaces knows what shows far from the start.
func byPlaces(b []byte) inspect.Type {
	switch {
	case volume(b, "NSR0"):
		return inspect.UDF
	case volume(b, "CD001"): // ECMA-119 6.3
		return inspect.ISO
	case len(b) >= 512 && string(b[len(b)-512:len(b)-504]) == "conectix", len(b) >= 511 && string(b[len(b)-511:len(b)-503]) == "conectix":
		return inspect.VHD
	case len(b) >= 512 && string(b[len(b)-512:len(b)-508]) == "koly":
		return inspect.DMG
	case len(b) >= 512 && b[510] == 0x55 && b[511] == 0xaa && (boot(b) || partitions(b)):
		return inspect.DiskRaw
	case len(b) >= 512 && bootFAT(b):
		return inspect.DiskRaw
	case oldTar(b):
		return inspect.Tar
	case lzmaAlone(b):
		return inspect.LZMA
	case der(b):
		return inspect.PKCS7
	case len(b) > 8 && (b[0] == 0x85 || b[0] == 0x84 || b[0] == 0xc1) && b[3] == 3:
		return inspect.PGP // public-key encrypted session key, RFC 9580 5.1
	}
	return ""
}

// volume looks for an identifier in the volume recognition sequence. An image that
// holds both systems is UDF to those who know it.
func volume(b []byte, id string) bool {
	for at := 0x8000; at+2048 <= len(b) && at < 0x8000+32*2048; at += 2048 {
		if string(b[at+1:at+1+len(id)]) == id {
			return true
		}
	}
	return len(b) >= 0x8000+6 && len(b) < 0x8000+2048 && bytes.HasPrefix(b[0x8001:], []byte(id))
}

// boot says whether a sector begins with the jump of a boot sector.
func boot(b []byte) bool {
	return (b[0] == 0xeb && b[2] == 0x90 || b[0] == 0xe9) && (bootFAT(b) || string(b[3:7]) == "NTFS" || string(b[3:8]) == "EXFAT")
}

func bootFAT(b []byte) bool {
	sector := binary.LittleEndian.Uint16(b[11:])
	return (b[0] == 0xeb || b[0] == 0xe9) && (sector == 512 || sector == 1024 || sector == 2048 || sector == 4096) &&
		b[13] != 0 && b[13]&(b[13]-1) == 0 && (b[16] == 1 || b[16] == 2) && binary.LittleEndian.Uint16(b[14:]) != 0
}

// partitions says whether a sector ends with a plausible partition table.
func partitions(b []byte) bool {
	used := 0
	for i := range 4 {
		p := b[446+16*i:]
		if p[0]&0x7f != 0 {
			return false
		}
		if p[4] != 0 && binary.LittleEndian.Uint32(p[12:]) != 0 {
			used++
		}
	}
	return used > 0
}

func oldTar(b []byte) bool {
	if len(b) < 512 || b[0] == 0 {
		return false
	}
	want, err := strconv.ParseInt(strings.Trim(string(b[148:156]), " \x00"), 8, 32)
	if err != nil || want == 0 {
		return false
	}
	sum := int64(8 * ' ')
	for i, c := range b[:512] {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return sum == want
}

// lzmaAlone tells the header of an LZMA stream, which has no magic: properties, a
// dictionary of 2^n or 2^n+2^(n-1), a size, and a first byte of zero.
func lzmaAlone(b []byte) bool {
	if len(b) < 18 || b[0] >= 225 || b[13] != 0 {
		return false
	}
	dict := binary.LittleEndian.Uint32(b[1:])
	size := binary.LittleEndian.Uint64(b[5:])
	half := dict & (dict - 1)
	return dict >= 1<<12 && (half == 0 || half&(half-1) == 0 && half == dict/3*2 || dict == 0xffffffff) && (size == 1<<64-1 || size > 0 && size < 1<<38)
}

// der says whether it is CMS: a sequence that begins with one of the object
// identifiers of RFC 5652.
func der(b []byte) bool {
	if len(b) < 20 || b[0] != 0x30 {
		return false
	}
	return bytes.Contains(b[:20], []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07")) || bytes.Contains(b[:24], []byte("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01"))
}

// mz tells programs from text that happens to begin with MZ: the header leads to a
// newer one, or its counts are those of a DOS program.
func mz(b []byte) inspect.Type {
	if len(b) >= 64 {
		if at := int64(binary.LittleEndian.Uint32(b[60:])); at >= 4 && at+4 <= int64(len(b)) {
			switch string(b[at : at+2]) {
			case "PE", "NE", "LE", "LX":
				return inspect.PE
			}
		}
	}
	if len(b) >= 28 {
		lastPage, pages := binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint16(b[4:])
		paragraphs := binary.LittleEndian.Uint16(b[8:])
		if lastPage < 512 && pages > 0 && paragraphs >= 2 && int(paragraphs)*16 <= len(b) {
			return inspect.DOSProgram
		}
	}
	return ""
}
