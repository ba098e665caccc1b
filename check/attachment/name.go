package attachment

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a file's name says will happen when somebody opens it.
type kind uint8

const (
	harmless   kind = iota
	document        // what a victim expects
	page            // opens in the browser with scripts
	macro           // Office file that may hold macros
	container       // disk image or notebook that hides marks of origin
	executable      // runs
)

var kinds = func() map[string]kind {
	m := map[string]kind{}
	for k, exts := range map[kind]string{
		document:  "doc docx xls xlsx ppt pptx pdf rtf txt csv jpg jpeg png gif bmp tif tiff heic mp3 mp4 avi mov wav zip rar 7z odt ods eml msg",
		page:      "htm html shtml xhtml xht mht mhtml svg svgz",
		macro:     "docm dotm xlsm xltm xlam pptm potm ppam ppsm sldm xll xlw",
		container: "iso img vhd vhdx udf one onepkg dmg mobileconfig",
		executable: "exe scr pif com bat cmd vbs vbe js jse wsf wsh hta lnk msi msp mst cpl jar ps1 ps1xml psm1 psc1 reg chm hlp scf dll ocx sys drv " +
			"gadget application appref-ms msc ade adp mde mda mdz ops prg sct shb shs vb ws wsc xbap library-ms search-ms searchconnector-ms " +
			"settingcontent-ms theme themepack diagcab appx appxbundle msix msixbundle apk app pkg command workflow action terminal url website desktop jnlp",
	} {
		for e := range strings.FieldsSeq(exts) {
			m[e] = k
		}
	}
	return m
}()

// name is a file name taken apart.
type name struct {
	raw      string
	ext      string // last extension, lower case, as the system will read it
	before   string // the extension before it
	padded   bool   // trailing dots or spaces, or a long gap before the extension
	bidi     bool   // direction overrides
	controls bool   // control characters
	path     bool   // separators
}

// maxName bounds what is looked at; file systems end at 255 octets.
const maxName = 1024

// parseName reads a file name as a desktop would: it cuts at the last path
// separator, drops trailing dots and spaces (Windows does, silently), and
// ignores invisible characters.
func parseName(raw string) name {
	n := name{raw: raw}
	s := raw
	if len(s) > maxName {
		s = s[len(s)-maxName:]
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c:
			if r != 0x200e && r != 0x200f && r != 0x202c && r != 0x2069 {
				n.bidi = true
			}
		case r < ' ' || r == 0x7f:
			n.controls = true
		case r == utf8.RuneError, r == 0x200b, r == 0xfeff, r == 0x2060, r == 0xad:
		case unicode.IsSpace(r) || r == 0x2800 || r == 0x3164:
			b.WriteByte(' ')
		case r == 0xff0e || r == 0x2024: // full-width stop, one dot leader
			b.WriteByte('.')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	s = b.String()
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		n.path = true
		s = s[i+1:]
	}
	trimmed := strings.TrimRight(s, ". ")
	tail := len(trimmed) < len(s)
	if i := strings.IndexByte(trimmed, ':'); i > 1 { // an NTFS stream is not part of the name
		trimmed = trimmed[:i]
	}
	stem, ext, ok := cutLastDot(trimmed)
	if !ok {
		return n
	}
	n.ext = strings.TrimSpace(ext)
	gap := len(stem) - len(strings.TrimRight(stem, " "))
	n.padded = gap >= 5 || tail && kinds[n.ext] >= page || gap > 0 && kinds[n.ext] == executable
	if _, before, ok := cutLastDot(strings.TrimRight(stem, ". ")); ok {
		n.before = strings.TrimSpace(before)
	}
	return n
}

func cutLastDot(s string) (stem, ext string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 || i == len(s)-1 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func (n name) kind() kind { return kinds[n.ext] }

// double says whether the name shows a harmless extension before one that runs
// or opens a page.
func (n name) double() bool {
	k := n.kind()
	return (k == executable || k == page) && kinds[n.before] == document
}
