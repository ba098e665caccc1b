// Package charset turns bytes in a labelled character set into UTF-8, with the
// fallbacks that mail clients use. It never fails.
package charset

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// maxLabel bounds what is looked up as a label.
const maxLabel = 64

// kind says how a label is decoded where x/text alone doesn't do.
type kind uint8

const (
	unknown kind = iota
	utf8Kind
	asciiKind // us-ascii and no label at all
	utf7Kind
	iso2022krKind
	tableKind // by encoding.Encoding
)

// Known says whether label names a charset that Decode can read.
func Known(label string) bool {
	k, _ := lookup(clean(label))
	return k != unknown
}

// Decode reads b in the charset called label and returns valid UTF-8, at most
// four bytes for each of b. ok is false where the label is unknown or the bytes
// don't fit it, and a fallback was used: UTF-8 where it is valid, else
// windows-1252. An empty label means US-ASCII (RFC 2045 5.2). ISO-8859-1 is read
// as windows-1252, as browsers do.
func Decode(label string, b []byte) (text string, ok bool) {
	label = clean(label)
	k, enc := lookup(label)
	switch k {
	case utf8Kind:
		b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		if utf8.Valid(b) {
			return string(b), true
		}
		return guess(b), false
	case asciiKind:
		if isASCII(b) {
			return string(b), true
		}
		return guess(b), false
	case utf7Kind:
		return decodeUTF7(b)
	case iso2022krKind:
		return table(korean.EUCKR, eucFrom2022KR(b))
	case tableKind:
		if isASCII(b) && asciiCompatible(enc) {
			return string(b), true
		}
		return table(enc, b)
	}
	return guess(b), false
}

// table decodes by a table; ok is false where bytes had no meaning.
func table(enc encoding.Encoding, b []byte) (string, bool) {
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return guess(b), false
	}
	s := string(out)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s, !strings.Contains(s, "\uFFFD")
}

// guess reads unlabelled or mislabelled bytes: UTF-8 where most of it is, else
// windows-1252, which gives every byte a meaning.
func guess(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	if mostlyUTF8(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	var out strings.Builder
	out.Grow(len(b) + len(b)/4)
	for _, c := range b {
		out.WriteRune(charmap.Windows1252.DecodeByte(c))
	}
	return out.String()
}

// mostlyUTF8 says whether b is UTF-8 with broken characters. Text in an 8-bit
// charset hardly ever holds valid sequences.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		i += n
	}
	return 2*good >= bad
}

// clean brings a label into the form of the tables.
func clean(label string) string {
	if len(label) > maxLabel {
		return "?"
	}
	label = strings.Trim(label, " \t\r\n\"'")
	b := []byte(label)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// lookup finds the decoder of a cleaned label.
func lookup(label string) (kind, encoding.Encoding) {
	switch label {
	case "utf-8", "utf8", "utf_8", "unicode-1-1-utf-8", "utf-8-sig", "utf8mb4", "cp65001", "unicode":
		return utf8Kind, nil
	case "", "us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "us", "7bit", "8bit", "unknown-8bit", "x-unknown", "unknown", "default", "_autodetect":
		return asciiKind, nil
	case "iso-8859-1", "latin1", "windows-1252", "iso8859-1", "iso_8859-1", "cp1252", "cp-1252", "ansi":
		return tableKind, charmap.Windows1252
	case "utf-7", "unicode-1-1-utf-7", "utf7":
		return utf7Kind, nil
	case "iso-2022-kr", "csiso2022kr":
		return iso2022krKind, nil
	case "utf-16":
		return tableKind, unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case "utf-16le":
		return tableKind, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case "utf-16be":
		return tableKind, unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case "utf-32":
		return tableKind, utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
	case "utf-32le":
		return tableKind, utf32.UTF32(utf32.LittleEndian, utf32.UseBOM)
	case "utf-32be":
		return tableKind, utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
	case "gb2312", "gbk", "gb18030", "x-gbk", "cp936", "ms936", "chinesegb", "gb_2312-80":
		return tableKind, simplifiedchinese.GB18030
	case "hz-gb-2312", "hz":
		return tableKind, simplifiedchinese.HZGB2312
	case "ks_c_5601-1987", "ksc5601", "cp949", "ms949", "uhc", "euc-kr", "x-windows-949":
		return tableKind, korean.EUCKR
	case "replacement":
		return unknown, nil
	}
	for _, l := range [2]string{label, alias(label)} {
		if enc, err := htmlindex.Get(l); err == nil && enc != encoding.Replacement {
			return tableKind, enc
		}
	}
	if enc, err := ianaindex.MIME.Encoding(label); err == nil && enc != nil {
		return tableKind, enc
	}
	return unknown, nil
}

// alias repairs the spellings of labels that mail programs invent.
func alias(label string) string {
	label = strings.TrimPrefix(label, "x-")
	for _, p := range [...]struct{ from, to string }{
		{"iso8859-", "iso-8859-"}, {"iso8859_", "iso-8859-"}, {"iso_8859-", "iso-8859-"}, {"iso-8859_", "iso-8859-"},
		{"cp-125", "windows-125"}, {"cp125", "windows-125"}, {"win-125", "windows-125"}, {"windows125", "windows-125"},
		{"latin-", "latin"}, {"koi8r", "koi8-r"}, {"koi8u", "koi8-u"}, {"shift-jis", "shift_jis"}, {"sjis", "shift_jis"},
		{"cp932", "shift_jis"}, {"ms932", "shift_jis"}, {"cp950", "big5"}, {"cp50220", "iso-2022-jp"}, {"euc_jp", "euc-jp"}, {"eucjp", "euc-jp"}, {"eucjp-ms", "euc-jp"},
		{"iso-2022-jp-", "iso-2022-jp"}, {"ibm-", "ibm"}, {"cp866", "ibm866"}, {"tis-620", "windows-874"}, {"tis620", "windows-874"}, {"cp874", "windows-874"},
		{"mac-roman", "macintosh"}, {"macroman", "macintosh"},
	} {
		if rest, ok := strings.CutPrefix(label, p.from); ok {
			if p.from == "iso-2022-jp-" {
				return p.to
			}
			return p.to + rest
		}
	}
	return label
}

// asciiCompatible says whether ASCII bytes are themselves in enc.
func asciiCompatible(enc encoding.Encoding) bool {
	if _, ok := enc.(*charmap.Charmap); ok {
		return enc != charmap.CodePage037 && enc != charmap.CodePage1047 && enc != charmap.CodePage1140
	}
	return enc == simplifiedchinese.GB18030 || enc == korean.EUCKR
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// eucFrom2022KR turns ISO-2022-KR (RFC 1557) into EUC-KR: between SO and SI the
// high bits are set, and the designator escape goes.
func eucFrom2022KR(b []byte) []byte {
	out := make([]byte, 0, len(b))
	shifted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == 0x0e:
			shifted = true
		case c == 0x0f:
			shifted = false
		case c == 0x1b && bytes.HasPrefix(b[i:], []byte("\x1b$)C")):
			i += 3
		case c == '\n':
			shifted = false
			out = append(out, c)
		case shifted && c > 0x20 && c < 0x7f:
			out = append(out, c|0x80)
		default:
			out = append(out, c)
		}
	}
	return out
}
