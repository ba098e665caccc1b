package banner

import (
	"strings"
	"unicode/utf8"

	"sluice/deliver/rewrite"
)

// edit changes one text: banners that f finds go, b comes where it isn't nil. It returns
// false where nothing changes.
func edit(t *rewrite.Text, b *block, f finder) bool {
	cut := f.remove(t.S, t.HTML)
	if b == nil {
		changed := cut != t.S
		t.S = cut
		return changed
	}
	words := ""
	if t.HTML {
		// HTML writes what isn't ASCII as numbers.
		words = b.html(t.EOL)
	} else if w, ok := t.Encode(b.text(t.EOL)); ok {
		words = w
	} else if t.Unicode() {
		cut, words = f.remove(t.S, false), b.text(t.EOL)
	} else {
		words = fold(b.text(t.EOL))
	}
	t.S = put(cut, words, t.HTML)
	return true
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
