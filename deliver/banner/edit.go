package banner

import (
	"bytes"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"sluice/deliver/rewrite"
	"sluice/message"
	"sluice/message/charset"
)

// maxPart is the largest text that is read and written anew.
const maxPart = 16 << 20

// edit plans the changes in one part: banners that f finds go, b comes where it isn't
// nil. ok is false where nothing changes, or nothing can.
func edit(m *message.Message, p *message.Part, b *block, f finder) (changes []rewrite.Change, ok bool) {
	raw := m.Decoded(p)
	if len(raw) > maxPart {
		return nil, false
	}
	html := p.Type == "text/html"
	eol := lineEnd(m.Raw)
	if bytes.IndexByte(raw, '\n') >= 0 {
		eol = lineEnd(raw)
	}
	if superset(p.Charset, raw) {
		old := string(raw)
		cut := f.remove(old, html)
		if b == nil {
			if cut == old {
				return nil, false
			}
			return keep(m, p, old, cut)
		}
		if words, ok := fits(b, p, cut, html, eol); ok {
			return keep(m, p, old, put(cut, words, html))
		}
	}
	return remake(m, p, b, f, html, eol)
}

// lineEnd is how lines end: as the first one does.
func lineEnd(b []byte) string {
	if i := bytes.IndexByte(b, '\n'); i == 0 || i > 0 && b[i-1] != '\r' {
		return "\n"
	}
	return "\r\n"
}

// put inserts words at the place where a text of its kind begins.
func put(s, words string, html bool) string {
	at := 0
	if html {
		at = top(s)
	} else if strings.HasPrefix(s, "\xef\xbb\xbf") {
		at = 3
	}
	if at == len(s) {
		words = strings.TrimRight(words, "\r\n") // the line end before a boundary is the boundary's
	}
	return s[:at] + words + s[at:]
}

// parted puts a line end behind the text of a part that was empty and had none of its
// own before the boundary.
func parted(m *message.Message, p *message.Part, b []byte) []byte {
	if p.Parent == nil || p.Body.Len > 0 || p.Body.Off >= len(m.Raw) || m.Raw[p.Body.Off] != '-' {
		return b
	}
	return append(b, lineEnd(m.Raw)...)
}

// fits returns the words in the charset of a part, where it has them all. HTML writes
// what isn't ASCII as numbers. Words in plain text that aren't ASCII need a charset that
// has them, and a transfer encoding for eight bits.
func fits(b *block, p *message.Part, s string, html bool, eol string) (string, bool) {
	if html {
		return b.html(eol), true
	}
	words := b.text(eol)
	if ascii(words) {
		return words, true
	}
	eight := p.Encoding == "quoted-printable" || p.Encoding == "base64" || !ascii(s)
	if !eight {
		return "", false
	}
	if p.Charset == "utf-8" || p.Charset == "utf8" {
		return words, utf8.ValidString(s)
	}
	enc := table(p.Charset)
	if enc == nil {
		return "", false
	}
	out, err := enc.NewEncoder().String(words)
	return out, err == nil
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

// keep writes a part's text anew in the transfer encoding that it has; text without
// one is changed in place.
func keep(m *message.Message, p *message.Part, old, text string) ([]rewrite.Change, bool) {
	around := boundaries(p)
	switch p.Encoding {
	case "quoted-printable":
		return body(p, parted(m, p, quotedPrintable(text, lineEnd(m.Raw) == "\n")), around)
	case "base64":
		return body(p, parted(m, p, base64Lines(text, lineEnd(m.Raw))), around)
	case "", "7bit", "8bit", "binary":
	default:
		return nil, false
	}
	// The shortest change: what both begin and end with stays.
	lo := 0
	for lo < len(old) && lo < len(text) && old[lo] == text[lo] {
		lo++
	}
	hi := 0
	for hi < len(old)-lo && hi < len(text)-lo && old[len(old)-1-hi] == text[len(text)-1-hi] {
		hi++
	}
	if lo == len(old) && len(old) == len(text) {
		return nil, true // it stands there already
	}
	if splits([]byte(text), around) {
		return nil, false
	}
	return []rewrite.Change{{Off: p.Body.Off + lo, End: p.Body.Off + len(old) - hi, Text: parted(m, p, []byte(text[lo:len(text)-hi]))}}, true
}

func body(p *message.Part, b []byte, around []string) ([]rewrite.Change, bool) {
	if splits(b, around) {
		return nil, false
	}
	return []rewrite.Change{{Off: p.Body.Off, End: p.Body.End(), Text: b}}, true
}

// remake writes a text as UTF-8 in quoted-printable, with fields that say so. A text
// that can't be read without loss stays as it is, but gets words in plain ASCII where
// it can carry them.
func remake(m *message.Message, p *message.Part, b *block, f finder, html bool, eol string) ([]rewrite.Change, bool) {
	raw := m.Decoded(p)
	s := m.Text(p)
	_, fine := charset.Decode(p.Charset, raw)
	if !fine || !known(p.Encoding) {
		if b == nil || !superset(p.Charset, raw) {
			return nil, false
		}
		old := string(raw)
		return keep(m, p, old, put(f.remove(old, html), fold(b.text(eol)), html))
	}
	cut := f.remove(s, html)
	if b == nil {
		if cut == s {
			return nil, false
		}
	} else if html {
		cut = put(cut, b.html(eol), true)
	} else {
		cut = put(cut, b.text(eol), false)
	}
	out := parted(m, p, quotedPrintable(cut, lineEnd(m.Raw) == "\n"))
	if splits(out, boundaries(p)) {
		return nil, false
	}
	params := map[string]string{}
	for k, v := range p.Params {
		params[k] = v
	}
	params["charset"] = "utf-8"
	ctype := mime.FormatMediaType(p.Type, params)
	if ctype == "" {
		ctype = p.Type + "; charset=utf-8"
	}
	fields := "Content-Type: " + strings.ReplaceAll(ctype, "; ", ";\n ") + "\nContent-Transfer-Encoding: quoted-printable\n"
	if p.Parent == nil && p.Header.Field("MIME-Version") == nil {
		fields = "MIME-Version: 1.0\n" + fields
	}
	fields = strings.ReplaceAll(fields, "\n", lineEnd(m.Raw))
	remove, at := contentFields(p)
	var changes []rewrite.Change
	if len(remove) == 0 {
		changes = append(changes, rewrite.Change{Off: at, End: at, Text: []byte(fields)})
	}
	for i, r := range remove {
		c := rewrite.Change{Off: r.Off, End: r.End()}
		if i == 0 {
			c.Text = []byte(fields)
		}
		changes = append(changes, c)
	}
	return append(changes, rewrite.Change{Off: p.Body.Off, End: p.Body.End(), Text: out}), true
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

// folded are the letters of our languages without ASCII of their own.
var folded = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "ß", "ss", "é", "e", "è", "e", "ê", "e", "à", "a", "â", "a", "ù", "u",
	"û", "u", "ç", "c", "î", "i", "ï", "i", "ô", "o", "É", "E", "À", "A", "á", "a", "í", "i", "ó", "o", "ú", "u", "ñ", "n", "¿", "", "¡", "", "\u00a0", " ", "’", "'")

// fold writes words in ASCII.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, folded.Replace(s))
}
