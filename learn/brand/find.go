package brand

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Form says how a name was dressed up; 0 is plainly written.
type Form uint8

// The forms.
const (
	Alike  Form = 1 << iota // letters of another script that look like Latin ones
	Styled                  // letters meant for mathematics or decoration
	Hidden                  // characters without width inside
	Digits                  // digits and signs for letters, "I" for "l", "rn" for "m"
	Apart                   // letters that stand apart
)

// Has says whether all bits of g are set.
func (f Form) Has(g Form) bool { return f&g == g }

// Words names the forms for people; "" for a plain name.
func (f Form) Words() string {
	var out []string
	for _, w := range []struct {
		f     Form
		words string
	}{
		{Alike, "look-alike letters of another script"}, {Styled, "decorative letters"}, {Hidden, "invisible characters inside"},
		{Digits, "characters that look like its letters"}, {Apart, "letters that stand apart"},
	} {
		if f.Has(w.f) {
			out = append(out, w.words)
		}
	}
	return strings.Join(out, ", ")
}

// Match is a name that was found.
type Match struct {
	Brand      *Brand
	Name       Name
	Start, End int // s[Start:End] is the name as written
	Form       Form
}

// maxWords bounds how many words a name has.
const maxWords = 8

// index finds names by their letters and digits, without spaces.
type index struct {
	names map[string][]entry // squashed
	looks map[string][]entry // by shape: what can be taken for each other is one
	first map[string]int     // first words of names: how many words the longest has
	heads filter             // before first: most words of a text begin no name
	alike filter             // before looks
	// Names in scripts without spaces: first runes, and first words in Latin letters, and
	// the most runes that such a name has.
	runes map[rune]int
	tails map[string]int
}

// entry is a name of a brand.
type entry struct {
	brand *Brand
	name  Name
	gaps  int // between its words
}

func (x *index) fill(brands []*Brand) {
	x.names, x.looks, x.first = map[string][]entry{}, map[string][]entry{}, map[string]int{}
	x.runes, x.tails = map[rune]int{}, map[string]int{}
	for _, b := range brands {
		for _, n := range b.Names {
			var f folded
			f.fold(n.Text)
			if len(f.words) == 0 || len(f.words) > maxWords {
				continue
			}
			key := string(f.buf)
			e := entry{brand: b, name: n, gaps: f.gaps(0, len(f.words))}
			if old := x.names[key]; !slices.ContainsFunc(old, func(o entry) bool { return o.brand == b && o.gaps == e.gaps }) {
				x.names[key] = append(old, e)
			}
			if r, _ := utf8.DecodeRuneInString(key); spaceless(r) {
				x.runes[r] = max(x.runes[r], utf8.RuneCountInString(key))
				continue
			}
			if strings.ContainsFunc(key, spaceless) {
				x.tails[f.text(0, 1)] = max(x.tails[f.text(0, 1)], utf8.RuneCountInString(key))
			}
			x.begin(f.text(0, 1), len(f.words))
			x.begin(key, 1)
			if !n.Common && len(key) >= 4 {
				look := string(shape(nil, key))
				x.looks[look] = append(x.looks[look], e)
				x.alike.add([]byte(look))
			}
		}
	}
}

func (x *index) begin(word string, words int) {
	x.first[word] = max(x.first[word], words)
	x.heads.add([]byte(word))
}

// filter says of most words that they aren't in a set.
type filter [1 << 12]uint64

func (f *filter) add(b []byte) {
	h := hash(b)
	f[h>>6%uint32(len(f))] |= 1 << (h & 63)
}

func (f *filter) has(b []byte) bool {
	h := hash(b)
	return f[h>>6%uint32(len(f))]&(1<<(h&63)) != 0
}

// exact finds a name by its squashed form.
func (x *index) exact(key string) *Brand {
	if es := x.names[key]; len(es) > 0 {
		return es[0].brand
	}
	return nil
}

// hash is FNV-1a.
func hash(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// longest is the most words, from word i on, that a name can have which begins there.
func (x *index) longest(f *folded, i int) int {
	w := &f.words[i]
	b := f.buf[w.from:w.to]
	if !x.heads.has(b) {
		return 0
	}
	return min(x.first[string(b)], len(f.words)-i)
}

// Find calls found for each name in s, the longest at each place, from left to right,
// until it returns false. A name that several brands have is found for each of them. The
// time is linear in s, whatever the number of brands.
func (l *List) Find(s string, found func(Match) bool) {
	f := folded{buf: make([]byte, 0, len(s)+16), words: make([]word, 0, len(s)/5+4)}
	f.fold(s)
	x := &l.index
	for i := 0; i < len(f.words); {
		n, es, form := x.at(&f, i)
		if n == 0 {
			if !x.unspaced(&f, i, found) {
				return
			}
			i++
			continue
		}
		if !report(es, f.words[i].start, f.words[i+n-1].end, form, found) {
			return
		}
		i += n
	}
}

// report tells of a name once for each brand that has it.
func report(es []entry, start, end int, form Form, found func(Match) bool) bool {
	for i, e := range es {
		if i > 0 && es[i-1].brand == e.brand {
			continue
		}
		if !found(Match{Brand: e.brand, Name: e.name, Start: start, End: end, Form: form}) {
			return false
		}
	}
	return true
}

// at finds the longest name that begins at word i: how many words it takes.
func (x *index) at(f *folded, i int) (words int, es []entry, form Form) {
	for n := x.longest(f, i); n > 0; n-- {
		w := f.words[i : i+n]
		es := x.names[string(f.buf[w[0].from:w[n-1].to])]
		if len(es) == 0 {
			continue
		}
		gaps := f.gaps(i, i+n)
		if gaps != 0 && !slices.ContainsFunc(es, func(e entry) bool { return e.gaps == gaps }) && (es[0].name.Common || w[n-1].to-w[0].from < 6) {
			continue // "N 26" isn't N26
		}
		for k := range w {
			form |= w[k].form
		}
		if form.Has(Alike) && w[n-1].to-w[0].from < 5 {
			continue // a short word of another alphabet
		}
		return n, es, form
	}
	w := &f.words[i]
	if !w.odd {
		return 0, nil, 0
	}
	raw := f.raw[w.start:w.end]
	look := shape(make([]byte, 0, 2*maxWord), raw)
	if !x.alike.has(look) {
		return 0, nil, 0
	}
	for _, e := range x.looks[string(look)] {
		if resembles(raw, squash(e.name.Text)) {
			es = append(es, e)
		}
	}
	if len(es) == 0 {
		return 0, nil, 0
	}
	return 1, es, w.form | Digits
}

// unspaced finds names in word i where its script has no spaces, or the next one's and
// the two touch.
func (x *index) unspaced(f *folded, i int, found func(Match) bool) bool {
	w := &f.words[i]
	r, _ := utf8.DecodeRune(f.buf[w.from:])
	if !spaceless(r) {
		most := 0
		if i+1 < len(f.words) && f.words[i+1].start == w.end {
			most = x.tails[string(f.buf[w.from:w.to])]
		}
		if most == 0 {
			return true
		}
		es, _ := x.prefix(f.buf[w.from:], most)
		return report(es, w.start, f.words[i+1].end, w.form, found)
	}
	for p := w.from; p < w.to; {
		r, step := utf8.DecodeRune(f.buf[p:])
		if most := x.runes[r]; most > 0 {
			if es, n := x.prefix(f.buf[p:], most); n > 0 {
				step = n
				if !report(es, w.start, w.end, w.form, found) {
					return false
				}
			}
		}
		p += step
	}
	return true
}

// prefix finds the longest name of at most runes runes that b begins with, and its
// octets.
func (x *index) prefix(b []byte, runes int) ([]entry, int) {
	ends := make([]int, 0, 24)
	for q := 0; q < len(b) && len(ends) < runes; {
		_, n := utf8.DecodeRune(b[q:])
		q += n
		ends = append(ends, q)
	}
	for k := len(ends) - 1; k > 0; k-- {
		if es := x.names[string(b[:ends[k]])]; len(es) > 0 {
			return es, ends[k]
		}
	}
	return nil, 0
}
