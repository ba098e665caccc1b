package protect

import (
	"slices"
	"strings"
	"unicode/utf8"

	"sluice/deliver/rewrite"
	"sluice/message/links"
)

// protectText finds the addresses in plain text.
func (j *job) protectText(t *rewrite.Text, armour [][2]int) (out []edit) {
	for _, f := range links.FindInText(masked(t, t.S), 2*maxLinks) {
		at, end := f.Range.Off, f.Range.Off+f.Range.Len
		l, k, ok := j.found(t.Decode(t.S[at:end]))
		if !ok {
			continue
		}
		if within(armour, at) {
			j.report.left(LeftArmour)
			continue
		}
		ours, ok := j.link(&l, k, func() bool {
			return j.unsubscribing(&l, k.URL, "", t.Decode(t.S[max(0, at-beside):at]))
		})
		if !ok {
			continue
		}
		if !restorable(t, k.plain(), t.S[at:end]) {
			j.report.Changed++
		}
		out = append(out, edit{at, end, ours})
	}
	return out
}

// restorable says whether an original will be written as it stands. Seven bits may have
// held eight, but there won't be any left to see.
func restorable(t *rewrite.Text, original, raw string) bool {
	s, ok := t.Encode(original)
	return ok && s == raw && (s == original && !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) || t.Part.Encoding != "" && t.Part.Encoding != "7bit")
}

// found takes an address in text apart; ok is false where it is none of the web, or only
// a name.
func (j *job) found(written string) (l links.Link, k Link, ok bool) {
	k.URL = written
	if low := strings.ToLower(written[:min(len(written), 8)]); !strings.HasPrefix(low, "http:") && !strings.HasPrefix(low, "https:") {
		if strings.Contains(low, "ftp:") || strings.HasPrefix(low, "mailto:") || !j.w.cfg.Names && !strings.HasPrefix(low, "www.") && !strings.ContainsAny(written, "/?") {
			return l, k, false
		}
		if i := strings.IndexByte(written, '@'); i >= 0 && !strings.ContainsAny(written[:i], "/?") {
			return l, k, false // of mail
		}
		k.URL, k.form = "http://"+written, formBare
	}
	l = links.Parse(k.URL)
	return l, k, true
}

// masked is text of the same length in which an address can be looked for whatever the
// charset: ASCII octets that are a part of a wider character, and all others of it, are
// 0x80, which belongs to an address; spaces and quotes that end one are a space.
func masked(t *rewrite.Text, s string) string {
	if t.Remade() || utf8.ValidString(s) {
		return s
	}
	double, kana := wide(t.Part.Charset)
	b := []byte(s)
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c < utf8.RuneSelf:
		case double && !(kana && c >= 0xa0 && c < 0xe0) && i+1 < len(b) && b[i+1] >= 0x30:
			b[i], b[i+1] = 0x80, 0x80
			i++
		default:
			b[i] = 0x80
			if !double && strings.Contains("\u00a0\u3000»”“", t.Decode(string(c))) {
				b[i] = ' '
			}
		}
	}
	return string(b)
}

// wide says whether a charset has characters of two octets whose second may be ASCII, and
// whether those of half width have one.
func wide(label string) (double, kana bool) {
	switch label {
	case "shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j", "cp932", "csshiftjis":
		return true, true
	case "gbk", "gb2312", "gb18030", "x-gbk", "cp936", "gb_2312-80", "big5", "big5-hkscs", "x-x-big5", "csbig5", "cp950",
		"ks_c_5601-1987", "ks_c_5601", "euc-kr", "cp949", "uhc", "windows-949", "johab", "euc-jp", "euc-tw":
		return true, false
	}
	return false, false
}

// restore puts the originals into one text.
func (j *job) restore(t *rewrite.Text) bool {
	if !j.w.mentions(t.S) {
		return false
	}
	j.begin()
	var edits []edit
	if t.HTML {
		edits = j.restoreHTML(t)
	} else {
		edits = j.originals(t, 0, len(t.S), (*Link).plain)
	}
	if len(edits) == 0 {
		return false
	}
	if t.Remade() && len(armours(t.S)) > 0 {
		j.report.left(LeftArmour)
		return false
	}
	t.S = made(t.S, edits)
	return true
}

// originals finds our links in a piece of text, as plain writes them back.
func (j *job) originals(t *rewrite.Text, at, end int, write func(*Link) string) (out []edit) {
	s := t.S[:end]
	next := make([]int, len(j.w.ours)) // the place of each prefix, at or behind at
	for i := range next {
		next[i] = at - 1
	}
	for {
		start := end
		for i, p := range j.w.ours {
			if next[i] < at {
				if next[i] = strings.Index(s[at:], p); next[i] < 0 {
					next[i] = end
				} else {
					next[i] += at
				}
			}
			start = min(start, next[i])
		}
		if start == end {
			return out
		}
		l, stop, ok := j.w.read(s, start)
		if !ok {
			at = start + 1
			continue
		}
		j.report.Links++
		out = append(out, edit{start, stop, encoded(t, write(&l))})
		at = stop
	}
}

// mentions says whether something in a text begins like a link of ours.
func (w *Writer) mentions(s string) bool {
	return slices.ContainsFunc(w.ours, func(p string) bool { return strings.Contains(s, p) })
}

// maxBreaks is over how many lines a link may be broken.
const maxBreaks = 64

// read reads the link at a place. Programs that quote break long words over lines; the
// token knows its length, so that it can be put together.
func (w *Writer) read(s string, start int) (l Link, end int, ok bool) {
	for _, p := range w.ours {
		if !strings.HasPrefix(s[start:], p) {
			continue
		}
		// slash is where the token begins in path, want how much of it is still to come.
		path, slash, want, breaks := make([]byte, 0, 256), -1, -1, 0
		at := start + len(p)
		for at < len(s) && want != 0 {
			c := s[at]
			if n := 0; c != '/' && !inPath(c) {
				if n = broken(s[at:]); n == 0 || breaks == maxBreaks {
					return l, 0, false
				}
				at, breaks = at+n, breaks+1
				continue
			}
			path = append(path, c)
			at++
			switch {
			case slash < 0 && c == '/':
				slash = len(path)
			case slash < 0 && len(path) > 64, c == '/':
				return l, 0, false
			case want > 0:
				want--
			case slash > 0 && len(path) == slash+4:
				n, ok := tokenLen(string(path[slash:]))
				if !ok || n < 4 {
					return l, 0, false
				}
				want = n - 4
			}
		}
		if l, err := w.cfg.Sealer.Open(string(path)); err == nil {
			return l, at, true
		}
	}
	return l, 0, false
}

func inPath(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// broken is the length of a line end with the marks of quoting behind it, 0 for none.
func broken(s string) int {
	i := 0
	for i < len(s) && i < 4 && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	rest := s[i:]
	switch {
	case strings.HasPrefix(rest, "\r\n"):
		i += 2
	case strings.HasPrefix(rest, "\n"):
		i++
	default:
		return 0
	}
	for n := 0; i < len(s) && n < 100 && strings.IndexByte(" \t>|", s[i]) >= 0; n++ {
		i++
	}
	return i
}
