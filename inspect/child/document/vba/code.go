package vba

import (
	"slices"
	"strings"
)

// starters are procedures that Office runs by itself, in lower case.
var starters = []string{
	"autoopen", "autoexec", "autoclose", "autoexit", "autonew", "auto_open", "auto_close", "auto_activate", "auto_exec",
	"document_open", "document_close", "document_new", "document_contentcontrolonenter", "document_beforesave",
	"workbook_open", "workbook_activate", "workbook_beforeclose", "workbook_close", "workbook_addininstall", "workbook_windowactivate", "workbook_sheetactivate",
	"presentation_open", "presentation_close", "onslideshowpagechange", "onslideshowterminate", "slideshow_onload", "app_docopen",
}

// triggers are ends of names of procedures that controls run when they are shown.
var triggers = []string{"_layout", "_gotfocus", "_painted", "_resize", "_mousemove", "_mouseenter", "_onconnecting", "_statechange", "_beforenavigate2", "_documentcomplete", "_navigatecomplete2"}

// looked is what the statements of Basic say.
type looked struct {
	autorun  []string
	runs     []string
	reckoned bool // the class of an object is no literal
}

// look reads statements line by line: what stands in strings and comments says
// nothing here.
func look(text string) (k looked) {
	add := func(list *[]string, s string) {
		if len(*list) < 64 && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for l := range strings.Lines(text) {
		if len(l) > 64<<10 {
			l = l[:64<<10]
		}
		words := statement(l)
		for i, word := range words {
			low := strings.ToLower(word)
			prev, next := "", ""
			if i > 0 {
				prev = strings.ToLower(words[i-1])
			}
			if i+1 < len(words) {
				next = words[i+1]
			}
			switch {
			case prev == "sub" || prev == "function":
				if i < 2 || !strings.EqualFold(words[i-2], "end") && !strings.EqualFold(words[i-2], "exit") && !strings.EqualFold(words[0], "declare") {
					if slices.Contains(starters, low) || slices.ContainsFunc(triggers, func(t string) bool { return strings.HasSuffix(low, t) }) {
						add(&k.autorun, word)
					}
				}
			case low == "shell" && prev != "." && prev != "as" && prev != "dim" && next != "" && next != "=" && next != "." && next != ",":
				add(&k.runs, "shell") // as package script writes it: stated once
			case (low == "createobject" || low == "getobject") && next == "(" && i+2 < len(words) && words[i+2] != `"` && words[i+2] != ",":
				k.reckoned = true
			}
		}
	}
	return k
}

// statement cuts a line into names and signs; a string becomes one quotation mark,
// a comment nothing.
func statement(l string) (out []string) {
	for i := 0; i < len(l) && len(out) < 10_000; {
		c := l[i]
		switch {
		case c == '\'':
			return out
		case c == '"':
			i++
			for i < len(l) && l[i] != '"' {
				i++
			}
			i++
			out = append(out, `"`)
		case letter(c):
			j := i
			for j < len(l) && letter(l[j]) {
				j++
			}
			out = append(out, l[i:j])
			i = j
		case c <= ' ':
			i++
		default:
			out = append(out, l[i:i+1])
			i++
		}
	}
	return out
}

func letter(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}
