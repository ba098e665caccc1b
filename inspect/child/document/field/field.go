// Package field reads the field codes of Word: what a field starts, includes or
// links to. The codes are the same in DOC, DOCX and RTF.
package field

import (
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/script"
)

// maxCode bounds a code in bytes; the rest says nothing more.
const maxCode = 16 << 10

// State reads one field's code.
func State(w *child.Work, code string) {
	code = strings.TrimSpace(clip(code, maxCode))
	name, rest, _ := strings.Cut(code, " ")
	switch strings.ToUpper(name) {
	case "DDE", "DDEAUTO":
		DDE(w, rest)
	case "HYPERLINK":
		if u := argument(rest); Elsewhere(u) {
			w.Link(inspect.ViaAnchor, u)
		}
	case "INCLUDEPICTURE", "INCLUDETEXT", "INCLUDE", "IMPORT", "RD", "LINK":
		for _, u := range words(rest) {
			if Elsewhere(u) {
				w.Fact(inspect.RemoteObject, u)
				w.Link(inspect.ViaAuto, u)
			}
		}
	case "MACROBUTTON", "GOTOBUTTON":
		if strings.EqualFold(name, "MACROBUTTON") {
			if m := argument(rest); m != "" && !strings.EqualFold(m, "NoMacro") && !strings.EqualFold(m, "AcceptAllChangesShown") {
				w.Fact(inspect.ActionRuns, "macro "+m)
			}
		}
	case "SHELL", "AUTOTEXTLIST":
	case "QUOTE":
		// Numbers are characters: a field that is written so hides another one.
		if s := script.Look("(" + strings.Join(strings.Fields(rest), ",") + ")"); s.Decoded != "" {
			w.Fact(inspect.CodeObfuscated, "field made of numbers")
			if strings.Contains(strings.ToUpper(s.Decoded), "DDE") || len(s.Calls) > 0 {
				DDE(w, s.Decoded)
			}
			s.State(w)
		}
	}
}

// DDE states a command that is started by DDE, with what stands out in it.
func DDE(w *child.Work, command string) {
	command = strings.Join(strings.Fields(clip(command, maxCode)), " ")
	w.Fact(inspect.DDECommand, command)
	script.Look(command).State(w)
}

// Elsewhere says whether an address is on another machine.
func Elsewhere(u string) bool {
	low := strings.ToLower(clip(u, 64))
	if strings.HasPrefix(low, `\\`) || strings.HasPrefix(low, "//") {
		return true
	}
	for _, s := range []string{"http:", "https:", "ftp:", "mhtml:http", "mhtml:\\\\", "ms-", "search-ms:", "file://", "script:", "javascript:", "vbscript:", "data:", "html:http"} {
		if strings.HasPrefix(low, s) && !strings.HasPrefix(low, "file:///") {
			return true
		}
	}
	return false
}

func argument(rest string) string {
	for _, w := range words(rest) {
		return w
	}
	return ""
}

// words are the arguments of a field: quoted or not, without switches.
func words(s string) (out []string) {
	for len(out) < 32 {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return out
		}
		var word string
		if s[0] == '"' || strings.HasPrefix(s, "“") {
			s = strings.TrimPrefix(strings.TrimPrefix(s, `"`), "“")
			n := strings.IndexAny(s, `"”`)
			if n < 0 {
				n = len(s)
			}
			word, s = s[:n], strings.TrimLeft(s[n:], `"”`)
			// Doubled backslashes are one.
			word = strings.ReplaceAll(word, `\\`, `\`)
			if strings.HasPrefix(word, `\`) && !strings.HasPrefix(word, `\\`) {
				word = `\` + word
			}
			if word != "" {
				out = append(out, word)
			}
			continue
		}
		word, s, _ = strings.Cut(s, " ")
		if !strings.HasPrefix(word, `\`) || strings.HasPrefix(word, `\\`) {
			out = append(out, word)
		}
	}
	return out
}

// Reader puts codes together from text in which fields are marked, as in DOC: 0x13
// begins one, 0x14 ends its code, 0x15 ends it. Codes within codes are kept in one.
type Reader struct {
	depth int    // of fields
	code  []bool // by depth: the code is not over
	text  strings.Builder
	plain strings.Builder
	Codes []string
}

// Bounds of Reader.
const (
	maxFields = 2000
	maxNested = 32
)

// Write reads text; what readers of the document see is in Plain.
func (r *Reader) Write(s string) {
	for _, c := range s {
		switch c {
		case 0x13:
			if r.depth < maxNested {
				r.code = append(r.code[:r.depth], true)
			}
			r.depth++
		case 0x14:
			r.over()
		case 0x15:
			r.over()
			r.depth = max(r.depth-1, 0)
		default:
			if r.depth > 0 && r.depth <= maxNested && r.code[r.depth-1] {
				if r.text.Len() < maxCode {
					r.text.WriteRune(c)
				}
			} else {
				if c == '\r' || c == 0x07 || c == 0x0B || c == 0x0C {
					c = '\n'
				}
				if c >= ' ' || c == '\n' || c == '\t' {
					r.plain.WriteRune(c)
				}
			}
		}
	}
}

// over ends a code; it is complete when no code is open around it.
func (r *Reader) over() {
	if r.depth == 0 || r.depth > maxNested || !r.code[r.depth-1] {
		return
	}
	r.code[r.depth-1] = false
	for _, open := range r.code[:r.depth-1] {
		if open {
			r.text.WriteByte(' ')
			return
		}
	}
	if len(r.Codes) < maxFields {
		r.Codes = append(r.Codes, r.text.String())
	}
	r.text.Reset()
}

// Plain is the text without codes.
func (r *Reader) Plain() string { return r.plain.String() }

func clip(s string, n int) string { return s[:min(len(s), n)] }
