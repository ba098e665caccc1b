package author

import (
	"bytes"
	"strings"

	"sluice/message"
	"sluice/message/header"
)

// framing judges how the field stands in the header: what one reader takes for a
// From field must be one for every reader.
func (a *Author) framing(m *message.Message, f *header.Field) {
	raw := m.Raw[f.Range.Off:f.Range.End()]
	if i := bytes.IndexByte(raw, ':'); i > 0 && (raw[i-1] == ' ' || raw[i-1] == '\t') {
		a.add(FieldSpace, true, string(raw)) // RFC 5322 4.5: obsolete; many readers don't see the field
	}
	for line := range bytes.Lines(raw) { // CRs before the line's end, as some stores leave, split nothing
		if bytes.ContainsFunc(bytes.TrimRight(line, "\r\n"), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			a.add(Control, true, string(raw))
			break
		}
	}
}

// hidden looks for lines that only some readers take for a From field, and for
// blank lines that end the header for some.
func (a *Author) hidden(m *message.Message) {
	h := m.Header()
	block := m.Raw[h.Range.Off:h.Range.End()]
	blank := false // a line of white space only stood before
	bare := false  // the line before was the field's name without its colon
	inField := ""  // name of the field that folded lines belong to, lower case
	for len(block) > 0 {
		line := block
		if i := bytes.IndexByte(block, '\n'); i >= 0 {
			line, block = block[:i], block[i+1:]
		} else {
			block = nil
		}
		line = bytes.TrimRight(line, "\r")
		folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		trimmed := bytes.Trim(line, " \t")
		if len(trimmed) == 0 {
			blank = true
			continue
		}
		if !folded {
			inField = ""
			if i := bytes.IndexByte(line, ':'); i > 0 {
				inField = header.Lower(string(bytes.TrimRight(line[:min(i, 64)], " \t")))
			}
			if inField == "from" && blank {
				a.add(AfterBlank, true, string(line))
			}
		}
		switch rest, ok := fromLine(trimmed); {
		case bare && folded && trimmed[0] == ':':
			a.hide("From" + string(trimmed))
		case folded && ok && len(rest) < 1000 && !tagged(inField) && oneAddress(rest):
			a.hide(string(trimmed))
		}
		bare = !folded && len(trimmed) == 4 && header.EqualFold(string(trimmed), "From")
		if bare {
			a.hide("From:")
		}
		if i := bytes.IndexByte(line, '\r'); i >= 0 { // a bare CR ends a line for some
			if more := bytes.TrimLeft(line[i+1:], " \t\r"); isFrom(more) {
				a.hide(string(more))
			}
		}
	}
}

// hide notes a line that some readers take for the From field.
func (a *Author) hide(line string) {
	a.add(HiddenField, true, line)
	rest, _ := fromLine([]byte(line[:min(len(line), maxValue)]))
	list, _ := header.ParseAddressList(rest)
	a.candidates(list)
}

func isFrom(line []byte) bool {
	_, ok := fromLine(line)
	return ok
}

// fromLine says whether a line names the From field, and returns what follows.
func fromLine(line []byte) (rest string, ok bool) {
	if len(line) < 5 || !header.EqualFold(string(line[:4]), "From") {
		return "", false
	}
	after := bytes.TrimLeft(line[4:], " \t")
	if len(after) == 0 || after[0] != ':' {
		return "", false
	}
	return string(after[1:]), true
}

// tagged fields list field names with colons (h=From:To:…), and may fold there.
func tagged(field string) bool {
	return strings.HasSuffix(field, "-signature") || strings.HasPrefix(field, "arc-")
}

// oneAddress says whether text is one address in a form that programs write.
func oneAddress(text string) bool {
	list, defects := header.ParseAddressList(text)
	return len(list) == 1 && len(defects) == 0 && strings.Contains(name(list[0].Domain), ".")
}
