package brand

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
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
	// Most words of a text begin no name: most is first by hash, known is before names, and
	// alike before looks.
	most         [1 << mostBits]uint8
	known, alike filter
	// Names in scripts without spaces: first runes, and first words in Latin letters, and
	// the most runes that such a name has.
	runes map[rune]int
	tails map[string]int
}

const mostBits = 15

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
			x.known.add(hash(f.buf))
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
				x.alike.add(hash([]byte(look)))
			}
		}
	}
}

func (x *index) begin(word string, words int) {
	x.first[word] = max(x.first[word], words)
	m := &x.most[hash([]byte(word))>>(32-mostBits)]
	*m = max(*m, uint8(words))
}

// filter says of most words that they aren't in a set.
type filter [1 << 12]uint64

func (f *filter) add(h uint32) { f[h>>6%uint32(len(f))] |= 1 << (h & 63) }

func (f *filter) has(h uint32) bool { return f[h>>6%uint32(len(f))]&(1<<(h&63)) != 0 }

// exact finds a name by its squashed form.
func (x *index) exact(key string) *Brand {
	if es := x.names[key]; len(es) > 0 {
		return es[0].brand
	}
	return nil
}

// hash tells most words and names apart by their ends and length.
func hash(b []byte) uint32 {
	var head, tail uint64
	switch n := len(b); {
	case n >= 8:
		head, tail = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		head = uint64(binary.LittleEndian.Uint32(b))<<32 | uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		head = uint64(b[0])<<16 | uint64(b[n/2])<<8 | uint64(b[n-1])
	}
	h := (head*0x9E3779B97F4A7C15 ^ tail + uint64(len(b))) * 0xD6E8FEB86659FD93
	return uint32(h >> 32)
}

// Find calls found for each name in s, the longest at each place, from left to right,
// until it returns false. A name that several brands have is found for each of them. The
// time is linear in s, whatever the number of brands.
func (l *List) Find(s string, found func(Match) bool) {
	f := texts.Get().(*folded)
	defer f.release()
	f.fold(s)
	x := &l.index
	for i := 0; i < len(f.words); {
		n, es, form := x.at(f, i)
		if n == 0 {
			if !x.unspaced(f, i, found) {
				return
			}
			i++
			continue
		}
		if !report(es, int(f.words[i].start), int(f.words[i+n-1].end), form, found) {
			return
		}
		i += n
	}
}

// mostKept is the longest text, in octets, whose memory is kept.
const mostKept = 256 << 10

// texts is memory that is used again.
var texts = sync.Pool{New: func() any { return new(folded) }}

func (f *folded) release() {
	if cap(f.buf) > mostKept {
		return
	}
	f.raw, f.buf, f.words = "", f.buf[:0], f.words[:0]
	texts.Put(f)
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
	first := f.words[i]
	head := f.buf[first.from:first.to]
	for n := min(int(x.most[hash(head)>>(32-mostBits)]), len(f.words)-i); n > 0; n-- {
		w := f.words[i : i+n]
		key := f.buf[first.from:w[n-1].to]
		if !x.known.has(hash(key)) {
			continue
		}
		es := x.names[string(key)]
		if len(es) == 0 || x.first[string(head)] < n {
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
	if !x.alike.has(hash(look)) {
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
	touches := i+1 < len(f.words) && f.words[i+1].start == w.end
	if !touches && f.buf[w.from] < utf8.RuneSelf {
		return true
	}
	r, _ := utf8.DecodeRune(f.buf[w.from:])
	if !spaceless(r) {
		most := 0
		if touches {
			most = x.tails[string(f.buf[w.from:w.to])]
		}
		if most == 0 {
			return true
		}
		es, _ := x.prefix(f.buf[w.from:], most)
		return report(es, int(w.start), int(f.words[i+1].end), w.form, found)
	}
	for p := int(w.from); p < int(w.to); {
		r, step := utf8.DecodeRune(f.buf[p:])
		if most := x.runes[r]; most > 0 {
			if es, n := x.prefix(f.buf[p:], most); n > 0 {
				step = n
				if !report(es, int(w.start), int(w.end), w.form, found) {
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
