package rewrite

import (
	"bytes"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"sluice/message"
	"sluice/message/charset"
)

// TextEdit changes texts of a message.
type TextEdit struct {
	Parts []*message.Part // those that it wants to change, of [Texts]
	// Edit changes a text's S and says whether the part is to be written. It is called
	// once for each of the Parts, in the order of the message.
	Edit func(*Text) bool
	// Undone is told of a part that Edit changed and that can't be written; nil: nobody.
	Undone func(*Text)
}

// Text is a part's text while it is being changed.
type Text struct {
	Part *message.Part
	HTML bool
	EOL  string // how its lines end
	// S is the text: octets in the part's charset, in which ASCII is itself, or UTF-8
	// where the part's charset isn't like that.
	S string

	m       *message.Message
	read    string // S as it was
	unicode bool   // S is UTF-8, whatever the part says; it is written as that
}

// maxText is the largest text that is read and written anew.
const maxText = 16 << 20

// maxLine is the longest line of text without its end (RFC 5322 2.1.1).
const maxLine = 998

// Texts are the parts that are displayed as text and may be changed: none that is a
// file or inside of another message.
func Texts(m *message.Message) (out []*message.Part) {
	for _, p := range m.Parts {
		if IsText(p) && Changeable(p) && !Attached(p) {
			out = append(out, p)
		}
	}
	return out
}

// Changeable says whether a part may be changed: not where it is signed or encrypted, or
// where clients read it in different ways.
func Changeable(p *message.Part) bool {
	if p.Ghost || len(p.Readings) > 0 {
		return false
	}
	for q := p.Parent; q != nil; q = q.Parent {
		if q.Ghost || len(q.Readings) > 0 || q.Type == "multipart/signed" || q.Type == "multipart/encrypted" ||
			q.IsMessage() && (q.Encoding == "base64" || q.Encoding == "quoted-printable") {
			return false
		}
	}
	return true
}

// Attached says whether a part is inside of an attached message.
func Attached(p *message.Part) bool {
	for q := p.Parent; q != nil; q = q.Parent {
		if q.IsMessage() {
			return true
		}
	}
	return false
}

// IsText says whether a part is text that is displayed, not offered as a file.
func IsText(p *message.Part) bool {
	return (p.Type == "text/plain" || p.Type == "text/html") && p.Disposition != "attachment" && p.Filename == "" && len(p.Children) == 0
}

// Plain says whether readers agree where the lines and parts of a message end. The port
// takes no other mail; files may hold some.
func Plain(m *message.Message) bool {
	return len(m.Parts) > 0 && !m.Truncated && !slices.ContainsFunc(m.Defects, func(d message.Defect) bool { return d.Code == message.BareCR })
}

// EditTexts makes several edits of the texts of a message in one go, the first edit
// first. It returns the changes, in order, and the parts that were written. A part keeps
// its charset and transfer encoding where they can carry the new text; else it becomes
// UTF-8, quoted-printable or both, with fields that say so. All other parts stay as they
// are, octet for octet, and so does the tree of parts.
func EditTexts(m *message.Message, edits ...TextEdit) (changes []Change, written []*message.Part) {
	for _, p := range m.Parts {
		var t *Text
		var made []TextEdit
		for _, e := range edits {
			if !slices.Contains(e.Parts, p) {
				continue
			}
			if t == nil {
				if t = open(m, p); t == nil {
					break
				}
			}
			if e.Edit(t) {
				made = append(made, e)
			}
		}
		if len(made) == 0 {
			continue
		}
		if c, ok := t.write(); ok {
			changes, written = append(changes, c...), append(written, p)
			continue
		}
		for _, e := range made {
			if e.Undone != nil {
				e.Undone(t)
			}
		}
	}
	return changes, written
}

// open reads a part, nil where it can't be read without loss.
func open(m *message.Message, p *message.Part) *Text {
	raw := m.Decoded(p)
	if len(raw) > maxText || !known(p.Encoding) {
		return nil
	}
	t := &Text{Part: p, HTML: p.Type == "text/html", EOL: lineEnding(m.Raw), m: m}
	if bytes.IndexByte(raw, '\n') >= 0 {
		t.EOL = lineEnding(raw)
	}
	if superset(p.Charset, raw) {
		t.S = string(raw)
	} else if _, fine := charset.Decode(p.Charset, raw); fine {
		t.S, t.unicode = m.Text(p), true
	} else {
		return nil
	}
	t.read = t.S
	return t
}

// Unicode makes S UTF-8. It returns false, and changes nothing, where that would lose
// something.
func (t *Text) Unicode() bool {
	if t.unicode {
		return true
	}
	s, fine := charset.Decode(t.Part.Charset, []byte(t.S))
	if t.S == t.read {
		s = t.m.Text(t.Part)
	}
	if !fine {
		return false
	}
	t.S, t.unicode = s, true
	return true
}

// Remade says whether the text is written as UTF-8 though the part isn't.
func (t *Text) Remade() bool { return t.unicode }

// Decode reads a piece of S as UTF-8.
func (t *Text) Decode(s string) string {
	if t.unicode || ascii(s) {
		return s
	}
	if utf8.ValidString(s) && utf8Label(t.Part.Charset) {
		return s
	}
	out, _ := charset.Decode(t.Part.Charset, []byte(s))
	return out
}

// Encode writes words as S has them: false where the part's charset or transfer encoding
// hasn't all of them.
func (t *Text) Encode(words string) (string, bool) {
	if t.unicode || ascii(words) {
		return words, true
	}
	p := t.Part
	if (p.Encoding == "" || p.Encoding == "7bit") && ascii(t.S) {
		return "", false
	}
	if p.Charset == "utf-8" || p.Charset == "utf8" {
		return words, utf8.ValidString(t.S)
	}
	enc := table(p.Charset)
	if enc == nil {
		return "", false
	}
	out, err := enc.NewEncoder().String(words)
	return out, err == nil
}

func utf8Label(label string) bool {
	return label == "" || label == "utf-8" || label == "utf8" || label == "us-ascii" || label == "ascii"
}

// lineEnding is how lines end: as the first one does.
func lineEnding(b []byte) string {
	if i := bytes.IndexByte(b, '\n'); i == 0 || i > 0 && b[i-1] != '\r' {
		return "\n"
	}
	return "\r\n"
}

// parted puts a line end behind the text of a part that was empty and had none of its
// own before the boundary.
func (t *Text) parted(b []byte) []byte {
	p := t.Part
	if p.Parent == nil || p.Body.Len > 0 || p.Body.Off >= len(t.m.Raw) || t.m.Raw[p.Body.Off] != '-' {
		return b
	}
	return append(b, lineEnding(t.m.Raw)...)
}

// table is the charset of a label, nil where there is none.
func table(label string) encoding.Encoding {
	if label == "" || label == "us-ascii" || label == "ascii" {
		return nil
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil
	}
	return e
}

// superset says whether ASCII octets mean themselves in a charset, wherever they stand
// outside of a character. In those with shifted states and wide characters they don't.
func superset(label string, b []byte) bool {
	label = strings.ToLower(label)
	for _, p := range []string{"utf-16", "utf16", "utf-32", "utf32", "ucs-", "utf-7", "utf7", "unicode-1-1-utf-7", "iso-2022", "csiso2022", "hz-gb", "cp037", "ebcdic", "ibm", "iso-10646"} {
		if strings.HasPrefix(label, p) && !strings.HasPrefix(label, "ibm866") {
			return false
		}
	}
	return !bytes.HasPrefix(b, []byte("\xff\xfe")) && !bytes.HasPrefix(b, []byte("\xfe\xff")) && bytes.IndexByte(b, 0) < 0
}

func known(enc string) bool {
	switch enc {
	case "", "7bit", "8bit", "binary", "quoted-printable", "base64":
		return true
	}
	return false
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// write plans the part's change. Without a transfer encoding text is changed in place.
func (t *Text) write() ([]Change, bool) {
	p, raw := t.Part, t.m.Raw
	if t.unicode {
		return t.anew(true)
	}
	if t.S == t.read && p.Encoding != "quoted-printable" && p.Encoding != "base64" {
		return nil, true // it stands there already
	}
	switch p.Encoding {
	case "quoted-printable":
		return t.body(quotedPrintable(t.S, lineEnding(raw) == "\n"))
	case "base64":
		return t.body(base64Lines(t.S, lineEnding(raw)))
	}
	if splits([]byte(t.S), boundaries(p)) || longest(t.S) > max(maxLine, longest(t.read)) {
		return t.anew(false)
	}
	// The shortest change: what both begin and end with stays.
	lo := 0
	for lo < len(t.read) && lo < len(t.S) && t.read[lo] == t.S[lo] {
		lo++
	}
	hi := 0
	for hi < len(t.read)-lo && hi < len(t.S)-lo && t.read[len(t.read)-1-hi] == t.S[len(t.S)-1-hi] {
		hi++
	}
	return []Change{{Off: p.Body.Off + lo, End: p.Body.Off + len(t.read) - hi, Text: t.parted([]byte(t.S[lo : len(t.S)-hi]))}}, true
}

// longest is the length of the longest line, without its end.
func longest(s string) (n int) {
	for line := range strings.SplitSeq(s, "\n") {
		n = max(n, len(strings.TrimSuffix(line, "\r")))
	}
	return n
}

// body replaces the part's body.
func (t *Text) body(b []byte) ([]Change, bool) {
	b = t.parted(b)
	if off := t.Part.Body.Off; off > 0 && !endsHeader(t.m.Raw[:off]) {
		// A line that is no field ended the header; what comes there now may look like one.
		b = append([]byte(lineEnding(t.m.Raw)), b...)
	}
	if splits(b, boundaries(t.Part)) {
		return nil, false
	}
	return []Change{{Off: t.Part.Body.Off, End: t.Part.Body.End(), Text: b}}, true
}

// endsHeader says whether there is an empty line at the end.
func endsHeader(b []byte) bool {
	return bytes.HasSuffix(b, []byte("\n\n")) || bytes.HasSuffix(b, []byte("\n\r\n")) || string(b) == "\n" || string(b) == "\r\n"
}

// anew writes a text in quoted-printable, with fields that say so, and that it is UTF-8
// where it became that.
func (t *Text) anew(utf8 bool) ([]Change, bool) {
	p, eol := t.Part, lineEnding(t.m.Raw)
	if len(p.Children) > 0 {
		return nil, false // files that are uuencoded in the text would be lost to some
	}
	body, ok := t.body(quotedPrintable(t.S, eol == "\n"))
	if !ok {
		return nil, false
	}
	fields := "Content-Transfer-Encoding: quoted-printable\n"
	if utf8 {
		params := map[string]string{}
		for k, v := range p.Params {
			params[k] = v
		}
		params["charset"] = "utf-8"
		ctype := mime.FormatMediaType(p.Type, params)
		if ctype == "" {
			ctype = p.Type + "; charset=utf-8"
		}
		fields = "Content-Type: " + strings.ReplaceAll(ctype, "; ", ";\n ") + "\n" + fields
	}
	if (p.Parent == nil || p.Embedded) && p.Header.Field("MIME-Version") == nil {
		fields = "MIME-Version: 1.0\n" + fields
	}
	if p.Parent == nil && len(p.Header.Fields) == 0 && !emptyLine(t.m.Raw[p.Header.Range.Off:]) {
		fields += "\n" // it had no header
	}
	fields = strings.ReplaceAll(fields, "\n", eol)
	var changes []Change
	for i := range p.Header.Fields {
		f := &p.Header.Fields[i]
		if utf8 && f.Is("Content-Type") || f.Is("Content-Transfer-Encoding") {
			c := Change{Off: f.Range.Off, End: f.Range.End()}
			if changes == nil {
				c.Text = []byte(fields)
			}
			changes = append(changes, c)
		}
	}
	if changes == nil {
		changes = []Change{{Off: p.Header.Range.Off, End: p.Header.Range.Off, Text: []byte(fields)}}
	}
	return append(changes, body...), true
}

// boundaries are those of the multiparts around a part.
func boundaries(p *message.Part) (out []string) {
	for q := p.Parent; q != nil; q = q.Parent {
		if b := q.Params["boundary"]; b != "" {
			out = append(out, b)
		}
	}
	return out
}

// splits says whether a body has a line that a reader could take for a boundary
// around it.
func splits(body []byte, around []string) bool {
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		if bytes.HasPrefix(line, []byte("--")) {
			for _, b := range around {
				if bytes.HasPrefix(line[2:], []byte(b)) {
					return true
				}
			}
		}
		body = rest
	}
	return false
}
