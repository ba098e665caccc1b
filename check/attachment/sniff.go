package attachment

import (
	"bytes"
	"encoding/binary"
)

// format is what a file's own octets say it is.
type format uint8

const (
	unknown format = iota
	windowsProgram
	dosProgram
	elfProgram
	machProgram
	javaClass
	androidProgram
	shortcut // Windows .lnk
	htaProgram
	script // "#!"
	internetShortcut
	helpFile
	cabinet
	zipArchive
	rarArchive
	sevenZip
	gzipFile
	diskImage
	oneNote
	oleFile // old Office, MSI, …
	rtf
	pdf
	image
	audioVideo
	html
	svg
)

var formatNames = [...]string{"unknown", "Windows program", "DOS program", "ELF program", "Mach-O program", "Java class",
	"Android program", "Windows shortcut", "HTML application", "script", "internet shortcut", "compiled help", "cabinet archive",
	"zip archive", "rar archive", "7z archive", "gzip file", "disk image", "OneNote section", "OLE file", "RTF", "PDF", "image",
	"audio or video", "HTML", "SVG"}

func (f format) String() string { return formatNames[f] }

// program says whether a machine would run the file as it is. Scripts with "#!"
// are left out: the mail of developers is full of them, and no double click
// runs them.
func (f format) program() bool { return f >= windowsProgram && f <= htaProgram }

var magics = []struct {
	magic string
	is    format
}{
	{"\x4c\x00\x00\x00\x01\x14\x02\x00", shortcut}, // MS-SHLLINK 2.1
	{"dex\n03", androidProgram},
	{"ITSF\x03\x00\x00\x00", helpFile},
	{"MSCF\x00\x00\x00\x00", cabinet},
	{"PK\x03\x04", zipArchive},
	{"PK\x05\x06", zipArchive},
	{"Rar!\x1a\x07", rarArchive},
	{"7z\xbc\xaf\x27\x1c", sevenZip},
	{"\x1f\x8b\x08", gzipFile},
	{"conectix", diskImage},
	{"vhdxfile", diskImage},
	{"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", oneNote}, // MS-ONESTORE 2.3.1
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", oleFile},
	{"{\\rtf", rtf},
	{"%PDF-", pdf},
	{"\x89PNG\r\n\x1a\n", image},
	{"\xff\xd8\xff", image},
	{"GIF87a", image},
	{"GIF89a", image},
	{"II*\x00", image},
	{"MM\x00*", image},
	{"OggS", audioVideo},
	{"ID3", audioVideo},
}

// sniff names the format of a file by its first octets. It reads a bounded
// prefix and the places that a header points to, no more.
func sniff(b []byte) format {
	switch {
	case len(b) < 4:
		return unknown
	case b[0] == 'M' && b[1] == 'Z' || b[0] == 'Z' && b[1] == 'M':
		return mz(b)
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		if len(b) > 5 && (b[4] == 1 || b[4] == 2) {
			return elfProgram
		}
		return unknown
	case bytes.HasPrefix(b, []byte("#!")):
		if line := firstLine(b); bytes.ContainsAny(line, "/") {
			return script
		}
		return unknown
	}
	switch binary.BigEndian.Uint32(b) {
	case 0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe:
		if len(b) >= 28 {
			return machProgram
		}
	case 0xcafebabe:
		// One magic, two formats: a universal binary counts its few
		// architectures where a Java class has its version, 45 and up.
		if len(b) >= 8 {
			if n := binary.BigEndian.Uint32(b[4:]); n > 0 && n < 30 {
				return machProgram
			} else if n&0xffff >= 45 && n&0xffff < 200 {
				return javaClass
			}
		}
	}
	for _, m := range magics {
		if len(b) >= len(m.magic) && string(b[:len(m.magic)]) == m.magic {
			return m.is
		}
	}
	if len(b) >= 32774 && string(b[32769:32774]) == "CD001" { // ECMA-119 6.3
		return diskImage
	}
	if len(b) >= 12 && string(b[:4]) == "RIFF" {
		if string(b[8:12]) == "WEBP" {
			return image
		}
		return audioVideo
	}
	return markup(b)
}

// mz tells programs from text that happens to begin with MZ: the header leads
// to a newer one, or its counts are those of a DOS program.
func mz(b []byte) format {
	if len(b) >= 64 {
		if at := int64(binary.LittleEndian.Uint32(b[60:])); at >= 4 && at+4 <= int64(len(b)) {
			switch string(b[at : at+2]) {
			case "PE", "NE", "LE", "LX":
				return windowsProgram
			}
		}
	}
	if len(b) >= 28 {
		lastPage := binary.LittleEndian.Uint16(b[2:])
		pages := binary.LittleEndian.Uint16(b[4:])
		paragraphs := binary.LittleEndian.Uint16(b[8:])
		if lastPage < 512 && pages > 0 && paragraphs >= 2 && int(paragraphs)*16 <= len(b) {
			return dosProgram
		}
	}
	return unknown
}

// markup looks at the first tags of text, behind a byte order mark, white space
// and comments.
func markup(b []byte) format {
	b = b[:min(len(b), 4096)]
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(b) == 0 || b[0] != '<' && b[0] != '[' {
		return unknown
	}
	head := bytes.ToLower(b)
	if bytes.HasPrefix(head, []byte("[internetshortcut]")) {
		return internetShortcut
	}
	for range 8 {
		head = bytes.TrimLeft(head, " \t\r\n")
		var end int
		switch {
		case bytes.HasPrefix(head, []byte("<!--")):
			end = bytes.Index(head, []byte("-->"))
			if end >= 0 {
				end += 3
			}
		case bytes.HasPrefix(head, []byte("<?xml")), bytes.HasPrefix(head, []byte("<!doctype svg")):
			end = bytes.IndexByte(head, '>')
			if end >= 0 {
				end++
			}
		default:
			end = -1
		}
		if end < 0 {
			break
		}
		head = head[end:]
	}
	switch {
	case bytes.HasPrefix(head, []byte("<svg")):
		return svg
	case bytes.HasPrefix(head, []byte("<!doctype html")), bytes.HasPrefix(head, []byte("<html")),
		bytes.HasPrefix(head, []byte("<head")), bytes.HasPrefix(head, []byte("<script")), bytes.HasPrefix(head, []byte("<body")):
		if bytes.Contains(head, []byte("<hta:application")) {
			return htaProgram
		}
		return html
	case bytes.HasPrefix(head, []byte("<hta:application")):
		return htaProgram
	}
	return unknown
}

func firstLine(b []byte) []byte {
	b = b[:min(len(b), 200)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i]
	}
	return b
}
