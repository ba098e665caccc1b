package lookalike

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// maxLabel is the longest label that is looked at, in characters (RFC 1035 2.3.4).
const maxLabel = 63

//go:embed confusables.txt
var confusables string

// read says as what a letter is read, where that isn't itself.
var read = func() map[rune]string {
	m := map[rune]string{}
	for line := range strings.Lines(confusables) {
		to, from, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || to == "#" {
			continue
		}
		for _, r := range from {
			m[r] = to
		}
	}
	// Letters that resemble, without being in the table as Latin ones: small
	// capitals in common fonts.
	for to, from := range map[string]string{"b": "вʙßβ", "h": "нʜ", "k": "кκқҟᴋⲕĸ", "m": "мᴍ", "t": "тτᴛ", "n": "пи", "e": "əәɛε", "g": "ɢ", "r": "ʀ", "l": "ʟ", "i": "ɪ", "y": "ʏ", "w": "ѡ"} {
		for _, r := range from {
			m[r] = to
		}
	}
	return m
}()

// word is a label in two readings. It holds them itself, which keeps a look-up off the
// heap.
type word struct {
	rooms    [2][maxLabel + 1]rune
	ends     [2]int
	foreign  bool // a letter outside ASCII that isn't just accented Latin
	accented bool // accented Latin
	hyphens  int
	digits   int
}

// plain is the label without hyphens, its letters as they are read, accents dropped:
// "pаy-pál1" with a Cyrillic а is "paypal1".
func (w *word) plain() []rune { return w.rooms[0][:w.ends[0]] }

// skeleton folds further what looks alike in ASCII: 0 and o, 1, i and l, rn and m.
func (w *word) skeleton() []rune { return w.rooms[1][:w.ends[1]] }

// put adds a character to the plain reading; one too many shows in its length.
func (w *word) put(r rune) {
	if w.ends[0] <= maxLabel {
		w.rooms[0][w.ends[0]] = r
		w.ends[0]++
	}
}

// readLabel fills w from one label in Unicode, lower case. It says false where the
// label is too long or has nothing to read.
func (w *word) readLabel(label string) bool {
	w.ends = [2]int{}
	w.foreign, w.accented, w.hyphens, w.digits = false, false, 0, 0
	if len(label) > 4*maxLabel {
		return false
	}
	for _, r := range label {
		switch {
		case r == '-' || r == '_':
			w.hyphens++
		case r < utf8.RuneSelf:
			if '0' <= r && r <= '9' {
				w.digits++
			}
			w.put(r)
		default:
			w.other(r)
		}
	}
	if w.ends[0] > maxLabel {
		w.ends = [2]int{}
		return false
	}
	w.fold()
	return w.ends[0] > 0
}

// other reads a letter outside ASCII.
func (w *word) other(r rune) {
	if to, ok := read[r]; ok {
		if unicode.Is(unicode.Latin, r) {
			w.accented = true
		} else {
			w.foreign = true
		}
		for _, c := range to {
			w.put(c)
		}
		return
	}
	var buf [utf8.UTFMax]byte
	n := utf8.EncodeRune(buf[:], r)
	d := norm.NFD.Properties(buf[:n]).Decomposition()
	if d == nil {
		if !unicode.Is(unicode.Mn, r) { // an accent by itself
			w.put(r)
			w.foreign = true
		}
		return
	}
	base, _ := utf8.DecodeRune(d)
	switch to, ok := read[base]; {
	case ok:
		w.foreign = true
		for _, c := range to {
			w.put(c)
		}
	case base < utf8.RuneSelf:
		w.accented = true
		w.put(base)
	default:
		w.foreign = true
		w.put(base)
	}
}

// alike folds characters of ASCII that are taken for each other.
var alike = func() (t [128]rune) {
	for i := range t {
		t[i] = rune(i)
	}
	for _, p := range []string{"0o", "1l", "il", "3e", "4a", "5s", "7t", "8b"} {
		t[p[0]] = rune(p[1])
	}
	return t
}()

// fold makes the skeleton.
func (w *word) fold() {
	out, n := &w.rooms[1], 0
	numbers := 2*w.digits > w.ends[0] // digits that are digits
	for _, r := range w.plain() {
		if r < 128 && !(numbers && r <= '9') {
			r = alike[r]
		}
		if n > 0 {
			switch last := out[n-1]; {
			case last == 'r' && r == 'n':
				out[n-1] = 'm'
				continue
			case last == 'v' && r == 'v':
				out[n-1] = 'w'
				continue
			case last == 'c' && r == 'l':
				out[n-1] = 'd'
				continue
			}
		}
		out[n] = r
		n++
	}
	w.ends[1] = n
}

// Skeleton is what a label in Unicode is taken for, in the manner of UTS 39 4: two
// labels with one skeleton look alike. It is for comparing, not for showing.
func Skeleton(label string) string {
	var w word
	if !w.readLabel(strings.ToLower(label)) {
		return ""
	}
	return string(w.skeleton())
}

// profile reads A-labels back, without judging them.
var profile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false), idna.VerifyDNSLength(false))

// decode brings a host into lower case and Unicode. A host in plain ASCII comes back
// as it is.
func decode(host string) string {
	host = strings.TrimSuffix(host, ".")
	plain := true
	for i := 0; i < len(host); i++ {
		if c := host[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			plain = false
			break
		}
	}
	if plain && !strings.Contains(host, "xn--") {
		return host
	}
	if u, err := profile.ToUnicode(host); err == nil {
		return strings.ToLower(u)
	}
	return strings.ToLower(strings.ToValidUTF8(host, "\uFFFD"))
}

// MixedScripts says whether one label of a host mixes scripts that no language
// mixes (UTS 39 5.2, "highly restrictive"): Latin may stand beside Han with the
// scripts of Japanese, Korean or Bopomofo, and beside nothing else. The host may be
// written in A-labels.
func MixedScripts(host string) bool {
	host = decode(host)
	for label := range strings.SplitSeq(host, ".") {
		if mixed(label) {
			return true
		}
	}
	return false
}

// scripts of domain names, each a bit; what isn't named has the last one.
var scripts = []*unicode.RangeTable{
	unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo,
	unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Hebrew, unicode.Arabic, unicode.Thai, unicode.Devanagari, unicode.Georgian, unicode.Cherokee,
}

// together are sets of scripts that one word may hold, as bits of scripts.
var together = []uint{1<<0 | 1<<1 | 1<<2 | 1<<3, 1<<0 | 1<<1 | 1<<4, 1<<0 | 1<<1 | 1<<5}

func mixed(label string) bool {
	set := uint(0)
	for _, r := range label {
		if r < utf8.RuneSelf {
			if 'a' <= r && r <= 'z' {
				set |= 1
			}
			continue
		}
		if !unicode.IsLetter(r) {
			continue
		}
		bit := uint(1) << len(scripts)
		for i, t := range scripts {
			if unicode.Is(t, r) {
				bit = 1 << i
				break
			}
		}
		set |= bit
	}
	if set&(set-1) == 0 {
		return false
	}
	for _, t := range together {
		if set&^t == 0 {
			return false
		}
	}
	return true
}
