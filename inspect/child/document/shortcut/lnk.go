package shortcut

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/field"
	"sluice/message/charset"
)

// Flags of a shortcut, [MS-SHLLINK] 2.1.1.
const (
	hasIDList   = 1 << 0
	hasLinkInfo = 1 << 1
	hasName     = 1 << 2
	hasRelative = 1 << 3
	hasWorkDir  = 1 << 4
	hasArgs     = 1 << 5
	hasIcon     = 1 << 6
	isUnicode   = 1 << 7
)

var errShort = errors.New("shortcut: cut short")

// padding is how many blanks in a row nobody writes by chance.
const padding = 32

// windows reads a .lnk file.
func windows(w *child.Work) error {
	b := w.Bytes()
	le := binary.LittleEndian
	if len(b) < 76 || le.Uint32(b) != 0x4C {
		return errors.New("shortcut: no header")
	}
	w.Mark(inspect.Shortcut)
	flags := le.Uint32(b[20:])
	show := le.Uint32(b[60:])
	b = b[76:]
	var path, idNames string
	if flags&hasIDList != 0 {
		if len(b) < 2 || 2+int(le.Uint16(b)) > len(b) {
			return errShort
		}
		n := 2 + int(le.Uint16(b))
		idNames = itemPath(b[2:n])
		b = b[n:]
	}
	if flags&hasLinkInfo != 0 {
		if len(b) < 4 || int64(le.Uint32(b)) > int64(len(b)) || le.Uint32(b) < 4 {
			return errShort
		}
		n := le.Uint32(b)
		path = linkInfo(b[:n])
		b = b[n:]
	}
	texts := map[uint32]string{}
	for _, f := range []uint32{hasName, hasRelative, hasWorkDir, hasArgs, hasIcon} {
		if flags&f == 0 {
			continue
		}
		if len(b) < 2 {
			return errShort
		}
		n := int(le.Uint16(b))
		b = b[2:]
		if flags&isUnicode != 0 {
			n *= 2
		}
		n = min(n, len(b))
		texts[f] = str(b[:n], flags&isUnicode != 0)
		b = b[n:]
	}
	if env := extra(w, b); env != "" {
		path = env
	}
	for _, p := range []string{idNames, texts[hasRelative]} {
		if path == "" {
			path = p
		}
	}
	state(w, path, texts[hasArgs], texts[hasIcon], show)
	return nil
}

// state says what a shortcut opens, and how it hides that.
func state(w *child.Work, path, args, icon string, show uint32) {
	if n := longestBlank(args); n >= padding {
		w.Fact(inspect.ShortcutPadded, fmt.Sprintf("%d blanks", n))
		args = strings.Join(strings.Fields(args), " ")
	}
	target(w, path+" "+args)
	runs := interpreter(path+" ") != ""
	if field.Elsewhere(icon) {
		remote(w, icon, inspect.ViaAuto)
	}
	if runs && icon != "" && !strings.EqualFold(base(icon), base(path)) {
		w.Fact(inspect.ShortcutDisguised, icon)
	}
	if runs && show == 7 { // SW_SHOWMINNOACTIVE
		w.Fact(inspect.CodeEvades, "minimised window")
	}
}

func base(p string) string { return p[strings.LastIndexAny(p, `\/`)+1:] }

func longestBlank(s string) (most int) {
	n := 0
	for i := range len(s) {
		if c := s[i]; c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			n++
			most = max(most, n)
		} else {
			n = 0
		}
	}
	return most
}

func str(b []byte, unicode bool) string {
	label := "windows-1252"
	if unicode {
		label = "utf-16le"
	}
	s, _ := charset.Decode(label, b)
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return s
}

// linkInfo is a path on this machine or on another, [MS-SHLLINK] 2.3.
func linkInfo(b []byte) string {
	le := binary.LittleEndian
	if len(b) < 28 {
		return ""
	}
	at := func(off uint32) string {
		if int64(off) >= int64(len(b)) {
			return ""
		}
		s := b[off:]
		if i := bytes.IndexByte(s, 0); i >= 0 {
			s = s[:i]
		}
		return str(s, false)
	}
	flags, suffix := le.Uint32(b[8:]), at(le.Uint32(b[24:]))
	if flags&1 != 0 {
		return at(le.Uint32(b[16:])) + suffix
	}
	if net := le.Uint32(b[20:]); flags&2 != 0 && int64(net)+20 <= int64(len(b)) {
		return strings.TrimRight(at(net+le.Uint32(b[net+8:])), `\`) + `\` + suffix
	}
	return ""
}

// itemPath joins the names in a list of shell items; only names of files and drives
// are read. [MS-SHLLINK] 2.2
func itemPath(b []byte) string {
	le := binary.LittleEndian
	var parts []string
	for len(b) >= 3 && len(parts) < 64 {
		n := int(le.Uint16(b))
		if n < 3 || n > len(b) {
			break
		}
		item := b[:n]
		b = b[n:]
		switch kind := item[2]; {
		case kind&0x70 == 0x20 && n > 4:
			parts = append(parts, strings.TrimRight(str(item[3:], false), `\`))
		case kind&0x70 == 0x30 && n > 14:
			parts = append(parts, str(item[14:], kind&0x04 != 0))
		case kind&0x70 == 0x40 && n > 6:
			parts = append(parts, str(item[5:], false))
		case kind == 0x61 && n > 8: // an address
			parts = append(parts, str(item[8:], item[3]&0x80 != 0))
		}
	}
	return strings.Join(parts, `\`)
}

// extra reads the blocks behind the strings, [MS-SHLLINK] 2.5, and returns the path
// with environment variables. What stands behind the last block is no part of it.
func extra(w *child.Work, b []byte) (env string) {
	le := binary.LittleEndian
	for range 64 {
		if len(b) < 4 {
			return env
		}
		n := le.Uint32(b)
		if n < 4 { // the terminal block
			if rest := b[4:]; len(bytes.Trim(rest, "\x00")) > 16 {
				w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", len(rest)))
			}
			return env
		}
		if int64(n) > int64(len(b)) {
			return env
		}
		block := b[:n]
		b = b[n:]
		if len(block) < 8 {
			continue
		}
		switch le.Uint32(block[4:]) {
		case 0xA0000001: // EnvironmentVariableDataBlock
			if len(block) >= 788 {
				if env = str(block[268:788], true); env == "" {
					env = str(block[8:268], false)
				}
			}
		case 0xA0000003: // TrackerDataBlock
			if len(block) >= 32 {
				if m := str(block[16:32], false); m != "" {
					w.Fact(inspect.ShortcutMachine, m)
				}
			}
		}
	}
	return env
}
