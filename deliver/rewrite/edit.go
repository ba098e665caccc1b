package rewrite

import (
	"bytes"
	"cmp"
	"mime"
	"slices"
	"strings"

	"sluice/message/header"
)

// Edits are the changes to make in a message.
type Edits struct {
	AuthServID string // our name in Authentication-Results; "" leaves them all
	SubjectTag string // put before the subject; "" for none
	// Traced mail gets a trace of ours on top, and has no other then. On other mail a
	// trace is of the site that sent it, which will want to know it again; it says nothing
	// to us, and so nobody gains by forging one.
	Traced bool
	// Parts are put in place of others; in the order of the message, none inside of
	// another. They break signatures.
	Parts []Part
	// Changes are further ones, in the order of the message; one that meets another,
	// or stands in a part that is replaced, is left out. They break signatures.
	Changes []Change
}

// Change replaces Off…End of a message by Text.
type Change struct {
	Off, End int
	Text     []byte
}

// Apply makes changes, which stand in order and don't overlap, in raw. It returns raw
// itself where there are none.
func Apply(raw []byte, list []Change) []byte {
	changes := make([]change, len(list))
	for i, c := range list {
		changes[i] = change{c.Off, c.End, string(c.Text)}
	}
	return apply(raw, changes)
}

// mix puts further changes among those that were found.
func mix(changes []change, further []Change) []change {
	if len(further) == 0 {
		return changes
	}
	meets := func(c Change) bool {
		return slices.ContainsFunc(changes, func(o change) bool {
			return c.Off < o.end && o.off < c.End || c.Off == c.End && o.off <= c.Off && c.Off < o.end ||
				o.off == o.end && c.Off < o.off && o.off < c.End
		})
	}
	first := len(changes)
	for _, c := range further {
		if !meets(c) {
			changes = append(changes, change{c.Off, c.End, string(c.Text)})
		}
	}
	if first == len(changes) {
		return changes
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(a.end, b.end)) })
	return changes
}

// change replaces raw[off:end] by text.
type change struct {
	off, end int
	text     string
}

// Edit makes changes in the header of a message, and leaves its body alone but for
// the Parts that are replaced. It
// removes the fields that only we may write: X-Sluice-* but for others' traces, X-Spam,
// X-Spam-*, and Authentication-Results with our authserv-id (RFC 8601 5). h must be raw's own
// header. It returns raw itself where nothing changes.
//
// Two repairs keep [Headers], put on top, from running into the message: lines
// at its very start that would continue our last field are removed, and a
// message without any header gets the empty line that it lacks.
func Edit(raw []byte, h header.Header, e Edits) []byte {
	var changes []change
	at := h.Range.Off
	for i := range h.Fields {
		f := &h.Fields[i]
		changes = lines(changes, raw, at, f.Range.Off, &e)
		at = f.Range.End()
		switch {
		case e.forged(f.Name, raw[f.ValueRange.Off:f.ValueRange.End()]):
			changes = append(changes, change{off: f.Range.Off, end: f.Range.End()})
		case len(e.Parts) > 0 && e.Parts[0].Root && len(f.Name) > 8 && strings.EqualFold(f.Name[:8], "content-"):
			changes = append(changes, change{off: f.Range.Off, end: f.Range.End()})
		case e.SubjectTag != "" && f.Is("Subject"):
			changes = append(changes, tagged(raw, f, e.SubjectTag)...)
		}
	}
	// Behind the last field may be lines that are none, or fields beyond the
	// parser's limits: some reader may take them for header all the same.
	changes = lines(changes, raw, at, headerEnd(raw, &h), &e)
	if e.SubjectTag != "" && h.Field("Subject") == nil {
		at := h.Range.Off
		changes = slices.Insert(changes, 0, change{at, at, "Subject: " + encodeTag(e.SubjectTag) + "\r\n"})
	}
	if len(h.Fields) == 0 && len(raw) > 0 && !emptyLine(raw) && !bringsHeader(e.Changes) {
		changes = append(changes, change{h.Range.End(), h.Range.End(), "\r\n"})
	}
	for i := range e.Parts {
		changes = e.Parts[i].put(changes, &h)
	}
	return apply(raw, mix(changes, e.Changes))
}

func apply(raw []byte, changes []change) []byte {
	if len(changes) == 0 {
		return raw
	}
	grow := 0
	for _, c := range changes {
		grow += len(c.text)
	}
	out := make([]byte, 0, len(raw)+grow)
	at := 0
	for _, c := range changes {
		out = append(append(out, raw[at:c.off]...), c.text...)
		at = c.end
	}
	return append(out, raw[at:]...)
}

// bringsHeader says whether changes put a header on top of a message that has none, as
// EditTexts does.
func bringsHeader(list []Change) bool {
	return len(list) > 0 && list[0].Off == list[0].End && bytes.HasPrefix(list[0].Text, []byte("MIME-Version:"))
}

func emptyLine(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\n")) || bytes.HasPrefix(b, []byte("\r\n"))
}

func continues(b []byte) bool { return len(b) > 0 && (b[0] == ' ' || b[0] == '\t') }

// headerEnd is where the header ends for a reader without our limits: where the
// parser stopped in the middle of the fields, they are followed to their end.
func headerEnd(raw []byte, h *header.Header) int {
	end := h.Range.End()
	for len(h.Fields) > 0 && end < len(raw) {
		line := raw[end:lineEnd(raw, end)]
		if bytes.HasPrefix(line, []byte("--")) || !continues(line) && !header.IsField(line) {
			break
		}
		end += len(line)
	}
	return end
}

func lineEnd(raw []byte, at int) int {
	if i := bytes.IndexByte(raw[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(raw)
}

// lines looks at raw[at:end], which the parser took for no field: what begins
// like a field of ours goes, together with the lines that continue it.
func lines(changes []change, raw []byte, at, end int, e *Edits) []change {
	for at < end {
		from, top := at, at == 0 && continues(raw)
		at = lineEnd(raw, at)
		for at < end && continues(raw[at:]) {
			at = lineEnd(raw, at)
		}
		at = min(at, end)
		before, value, _ := bytes.Cut(raw[from:at], []byte(":"))
		name := string(bytes.TrimSpace(before))
		if top || e.forged(name, value) || e.forged(firstWord(name), value) {
			changes = append(changes, change{off: from, end: at})
		}
	}
	return changes
}

func firstWord(s string) string {
	if f := strings.Fields(s); len(f) > 0 {
		return f[0]
	}
	return ""
}

// forged says whether a field is one that only we may write.
func (e *Edits) forged(name string, value []byte) bool {
	if len(name) == 0 || name[0]|0x20 != 'x' {
		return e.AuthServID != "" && header.EqualFold(name, "Authentication-Results") && claims(string(value), e.AuthServID)
	}
	if header.EqualFold(name, TraceField) {
		return e.Traced
	}
	return header.EqualFold(name, "X-Spam") || hasPrefix(name, "X-Spam-") || hasPrefix(name, "X-Sluice-")
}

func hasPrefix(name, prefix string) bool {
	return len(name) >= len(prefix) && header.EqualFold(name[:len(prefix)], prefix)
}

// claims says whether Authentication-Results with this value speak in our name.
func claims(value, authserv string) bool {
	id, ok := authServID(value)
	if !ok {
		// A reader may make more of it than we do: our name in it is enough
		// (RFC 8601 5 lets unparseable ones go).
		return strings.Contains(header.Lower(value), header.Lower(authserv))
	}
	return sameID(id, authserv)
}

// sameID compares as names of hosts are compared, since authserv-ids are mostly
// that (RFC 8601 2.5).
func sameID(a, b string) bool {
	return header.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// authServID reads the id at the start of an Authentication-Results value
// (RFC 8601 2.2): [CFWS] value [CFWS version] [CFWS] (";" or the end).
func authServID(s string) (id string, ok bool) {
	s, ok = skipCFWS(s)
	if !ok {
		return "", false
	}
	if strings.HasPrefix(s, `"`) {
		id, s, ok = quoted(s)
		if !ok {
			return "", false
		}
	} else {
		end := strings.IndexAny(s, " \t\r\n;(")
		if end < 0 {
			end = len(s)
		}
		id, s = s[:end], s[end:]
	}
	if s, ok = skipCFWS(s); !ok || id == "" {
		return "", false
	}
	if v := strings.TrimLeft(s, "0123456789"); v != s { // the version
		if s, ok = skipCFWS(v); !ok {
			return "", false
		}
	}
	return id, s == "" || s[0] == ';'
}

// quoted reads a quoted string (RFC 5322 3.2.4).
func quoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
			b.WriteByte(s[i])
		case '\r', '\n': // folding
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

// skipCFWS skips white space and comments (RFC 5322 3.2.2), which nest; it
// counts and does not recurse. Not ok: a comment does not end.
func skipCFWS(s string) (string, bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(':
			depth++
		case depth > 0 && c == ')':
			depth--
		case depth > 0 && c == '\\':
			i++
		case depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return s[i:], true
		}
	}
	return "", depth == 0
}

// tagged puts the tag before a subject that does not have it yet.
func tagged(raw []byte, f *header.Field, tag string) []change {
	enc := encodeTag(tag)
	value := raw[f.ValueRange.Off:f.ValueRange.End()]
	if strings.HasPrefix(f.Value, enc) {
		return nil
	}
	if strings.HasPrefix(f.Value, "=?") && strings.HasPrefix(enc, "=?") {
		// White space between encoded words is not shown (RFC 2047 6.2).
		enc = encodeTag(tag + " ")
	}
	text := " " + enc
	first := value[:lineEnd(value, 0)]
	switch fold := len(f.Name) + len(first) + len(text); {
	case fold > 900: // RFC 5322 2.1.1: at most 998
		text += "\r\n"
		if !continues(value) {
			text += " "
		}
	case !continues(value) && !emptyLine(value):
		text += " "
	}
	return []change{{f.ValueRange.Off, f.ValueRange.Off, text}}
}

// encodeTag makes a tag fit for a header; what is no plain ASCII becomes encoded
// words.
func encodeTag(tag string) string {
	tag = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, tag)
	return mime.QEncoding.Encode("utf-8", strings.ToValidUTF8(tag[:min(len(tag), 200)], ""))
}

// Strip is [Edit] without a tag.
func Strip(raw []byte, h header.Header, authserv string) []byte {
	return Edit(raw, h, Edits{AuthServID: authserv})
}
