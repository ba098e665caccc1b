package identify

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/inspect"
)

// name is a file name taken apart as a desktop would.
type name struct {
	ext      string // last extension, lower case, as the system will read it
	before   string // the extension before it
	padded   bool   // trailing dots or spaces, or a gap before the extension
	bidi     bool   // direction overrides
	controls bool   // control or invisible characters
	stream   bool   // a colon that makes an alternate data stream
}

// maxName bounds what is looked at: the end, where the extension stands.
const maxName = 1024

// readName cuts at the last separator, drops trailing dots and spaces as Windows
// does silently, and ignores invisible characters.
func readName(raw string) name {
	var n name
	if len(raw) > maxName {
		raw = raw[len(raw)-maxName:]
	}
	if i := strings.LastIndexAny(raw, `/\`); i >= 0 {
		raw = raw[i+1:]
	}
	var b strings.Builder
	for _, r := range raw {
		switch {
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			n.bidi = true
		case r == 0: // many programs end the name here, others don't
			n.controls = true
		case r < ' ', r == 0x7f, r == 0x200b, r == 0x2060, r == 0xfeff:
			n.controls = true
		case r == 0x200e, r == 0x200f, r == 0x061c, r == 0xad, r == utf8.RuneError:
		case unicode.IsSpace(r), r == 0x2800, r == 0x3164:
			b.WriteByte(' ')
		case r == 0xff0e, r == 0x2024: // full-width stop, one dot leader
			b.WriteByte('.')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	s := b.String()
	if i := strings.IndexByte(s, ':'); i > 1 {
		n.stream = strings.TrimRight(s[i+1:], ". ") != ""
		s = s[:i]
	}
	trimmed := strings.TrimRight(s, ". ")
	n.padded = len(trimmed) < len(s)
	stem, ext, ok := cutDot(trimmed)
	if !ok {
		n.padded = false // "Minutes of the meeting." hides nothing
		return n
	}
	n.ext = strings.TrimSpace(ext)
	if gap := len(stem) - len(strings.TrimRight(stem, " ")); gap > 0 && (gap >= 5 || byExt(n.ext).Class&active != 0) {
		n.padded = true
	}
	if _, before, ok := cutDot(strings.TrimRight(stem, ". ")); ok {
		n.before = strings.TrimSpace(before)
	}
	return n
}

func cutDot(s string) (stem, ext string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 || i == len(s)-1 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// active are the classes that do something when they are opened.
const active = inspect.Executable | inspect.Script | inspect.Shortcut | inspect.Installer | inspect.DiskImage | inspect.Profile

// Extension is the last extension of a name, lower case and without the dot, as a
// desktop will read it: behind trailing dots, spaces and invisible characters.
func Extension(name string) string { return readName(name).ext }

// Remarks states what is odd about a file's name, and where name, declared type and
// content disagree. It is the frame's Remark.
func Remarks(f inspect.File, add func(inspect.Kind, string)) {
	n := readName(f.Name)
	does := byExt(n.ext).Class | f.Class
	if n.bidi {
		add(inspect.NameDirectionOverride, f.Name)
	}
	if n.controls {
		add(inspect.NameControls, f.Name)
	}
	if n.padded && does&(active|inspect.Page) != 0 {
		add(inspect.NamePadded, f.Name)
	}
	if n.stream {
		add(inspect.NameStream, f.Name)
	}
	if byExt(n.ext).Class&(active|inspect.Page) != 0 && n.before != "" && n.before != n.ext {
		if c, ok := classOfExt[n.before]; ok && c.Class&active == 0 {
			add(inspect.NameDoubleExtension, f.Name)
		}
	}
	conflicts(n, f, add)
}

func conflicts(n name, f inspect.File, add func(inspect.Kind, string)) {
	if f.Type == "" || f.Content == inspect.Listed || f.Content == inspect.Locked {
		return
	}
	if c, ok := classOfExt[n.ext]; ok && !c.allows(f.Type, f.Class) {
		add(inspect.TypeConflict, "called ."+n.ext+", is "+string(f.Type))
	}
	if f.Class&(active|inspect.Macro) == 0 {
		return
	}
	major, minor, _ := strings.Cut(f.Declared, "/")
	var honest bool
	switch major {
	case "image", "audio", "video", "font":
	case "text":
		honest = isText(f.Type)
	case "application":
		c, known := classOfExt[minor]
		honest = !known || c.allows(f.Type, f.Class)
	default:
		return
	}
	if !honest {
		add(inspect.TypeConflict, "declared "+f.Declared+", is "+string(f.Type))
	}
}
