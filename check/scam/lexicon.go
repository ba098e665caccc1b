package scam

import (
	"embed"
	"fmt"
	"maps"
	"math/bits"
	"path"
	"slices"
	"strings"
	"sync"

	"sluice/learn/text"
)

// The lexicon is text that people edit, one file a language:
//
//	# a comment
//	[name of a theme]
//	phrase | another phrase
//	change (my/our) bank * account     alternatives, and up to three words between
//	uberweis~                          the beginning of a word
//	@bank = bank/iban/account          words that stand for each other, in this file
//	@new & @bank                       one after the other in either order, up to eight words between
//
// Phrases are folded as messages are, so they may be written with accents and
// capitals. Punctuation parts words; "%", "$", "€" and "£" are words, and so is every
// number, whatever its digits: write 0. A phrase doesn't reach over the end of a
// sentence.
//
//go:embed lexicon/*.txt
var lexiconFiles embed.FS

// Bounds of one phrase, which keep the tables small.
const (
	maxExpand = 256 // ways to read the alternatives of one phrase
	gap       = 3   // words that "*" stands for at most
	wideGap   = 8   // words that "&" stands for at most
)

// shipped is the lexicon that ships. It is made when it is first asked for: processes
// that look into files are this program too, and start often.
var shipped = sync.OnceValue(func() *lexicon {
	l, err := compileShipped()
	if err != nil {
		panic(err)
	}
	return l
})

func compileShipped() (*lexicon, error) {
	names, err := lexiconFiles.ReadDir("lexicon")
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, n := range names {
		b, err := lexiconFiles.ReadFile(path.Join("lexicon", n.Name()))
		if err != nil {
			return nil, err
		}
		texts[n.Name()] = string(b)
	}
	return compile(texts, ideasFile)
}

// lexicon is the automaton: a trie over octets that names words, and a trie over
// words that names themes.
type lexicon struct {
	themes []string

	// Words: a state is a row of octets; the rows lie over each other, so that the table
	// is small and near (a double array, Aoe 1989). State 0 is where no word goes on.
	steps  []entry  // the step of a state by an octet stands at row[state]/2+octet
	row    []uint32 // by state; odd where the beginning "word~" ends
	exact  []int32  // symbol of the word that ends at a state, 0 for none
	prefix []int32  // symbol of the beginning "word~" that ends there, 0 for none

	// Phrases: a node is one word of one phrase, with those before it.
	of    []moves         // by symbol
	ends  [][]end         // by node: phrases that are complete there, nil where no phrase and no idea is
	next  [][reaches]bool // by node: whether others wait for it
	nodes int

	// Ideas, for the model: those of a word alone, by symbol, and those of several words
	// in a row, by their last node.
	ideas  []string  // names
	sets   []ideaSet // the first is empty
	ofWord []uint16  // by symbol: its set
	ofNode []uint16  // by node
}

// entry is one step from state to state.
type entry struct{ from, to uint16 }

// moves is what a symbol moves to.
type moves struct {
	first []int32         // nodes of first words
	marks [reaches]uint64 // the marks of those, together
	after [reaches]waiters
}

// reaches are how far behind the word before a word may stand: at once, behind "*",
// behind "&".
const reaches = 3

var reachOf = [reaches]int32{1, gap + 1, wideGap + 1}

// waiters are nodes behind others, in the order of the marks of the ones before them,
// so that only those are looked at whose mark was seen.
type waiters struct {
	marks uint64
	from  []uint16 // by set bit of marks: where its nodes begin
	list  []node
}

type node struct {
	number int32
	parent int32 // -1 for the first word of a phrase
	reach  int32 // how far behind the parent's word this one may stand
	rank   int32 // among the nodes of its symbol: the deeper ones are told of first
}

// mark is a bit that stands for a node, one of 64.
func mark(number int32) uint64 { return 1 << (uint32(number) * 0x9E3779B1 >> 26) }

// end says that a phrase of a theme is complete.
type end struct {
	theme  int32
	phrase string
}

// compile builds the automaton of lexicon files, by name, and of a file of ideas.
func compile(files map[string]string, ideas string) (*lexicon, error) {
	c := compiler{
		l: &lexicon{}, themes: map[string]int32{}, symbols: map[string]int32{}, trie: map[step]int32{},
		ofWord: map[int32]ideaSet{}, ofNode: map[int32]ideaSet{},
	}
	c.of = append(c.of, nil) // no symbol 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		theme := int32(-1)
		c.groups = map[string]string{}
		for i, line := range strings.Split(files[name], "\n") {
			line, _, _ = strings.Cut(line, "#")
			line = strings.TrimSpace(line)
			switch {
			case line == "":
				continue
			case line[0] == '[' && line[len(line)-1] == ']':
				theme = c.theme(line[1 : len(line)-1])
				continue
			case line[0] == '@' && strings.Contains(line, " = "):
				name, group, _ := strings.Cut(line, " = ")
				c.groups[strings.TrimSpace(name)] = "(" + strings.TrimSpace(group) + ")"
				continue
			case theme < 0:
				return nil, fmt.Errorf("scam: %s:%d: a phrase before the first theme", name, i+1)
			}
			for phrase := range strings.SplitSeq(line, "|") {
				if err := c.phrase(theme, strings.TrimSpace(phrase)); err != nil {
					return nil, fmt.Errorf("scam: %s:%d: %w", name, i+1, err)
				}
			}
		}
	}
	if err := c.ideas(ideas); err != nil {
		return nil, err
	}
	if err := c.octets(); err != nil {
		return nil, err
	}
	c.l.next = make([][reaches]bool, c.l.nodes)
	for _, list := range c.of {
		for _, n := range list {
			if n.parent >= 0 {
				c.l.next[n.parent][slices.Index(reachOf[:], n.reach)] = true
			}
		}
	}
	for _, list := range c.of {
		slices.SortFunc(list, func(a, b node) int { return int(c.depth[b.number] - c.depth[a.number]) })
		for i := range list {
			list[i].rank = int32(i)
		}
		c.l.of = append(c.l.of, c.movesOf(list))
	}
	c.sets()
	return c.l, nil
}

type compiler struct {
	l       *lexicon
	of      [][]node // by symbol
	themes  map[string]int32
	symbols map[string]int32 // "word" and "word~"
	trie    map[step]int32
	depth   []int32
	groups  map[string]string // of the file: "@name" and what it stands for, in brackets
	ofWord  map[int32]ideaSet
	ofNode  map[int32]ideaSet
}

type step struct {
	parent int32
	words  string
	reach  int32
}

func (c *compiler) theme(name string) int32 {
	t, ok := c.themes[name]
	if !ok {
		t = int32(len(c.l.themes))
		c.themes[name] = t
		c.l.themes = append(c.l.themes, name)
	}
	return t
}

// phrase adds a phrase with all its alternatives.
func (c *compiler) phrase(theme int32, phrase string) error {
	if phrase == "" {
		return nil
	}
	var all [][]element
	for _, p := range c.orders(phrase) {
		ways, err := expand(p)
		if err != nil {
			return err
		}
		all = append(all, ways...)
	}
	for _, elements := range all {
		parent := int32(-1)
		for _, e := range elements {
			parent = c.node(parent, e)
		}
		if parent < 0 {
			return fmt.Errorf("%q has no word", phrase)
		}
		if !slices.ContainsFunc(c.l.ends[parent], func(e end) bool { return e.theme == theme }) {
			c.l.ends[parent] = append(c.l.ends[parent], end{theme, phrase})
		}
	}
	return nil
}

// orders puts groups into a phrase, and writes "a & b" in both orders.
func (c *compiler) orders(phrase string) []string {
	fields := strings.Fields(phrase)
	for i, f := range fields {
		if g, ok := c.groups[f]; ok {
			fields[i] = g
		}
	}
	a, b, both := strings.Cut(strings.Join(fields, " "), " & ")
	if !both {
		return []string{a}
	}
	return []string{a + " & " + b, b + " & " + a}
}

func (c *compiler) symbol(w string) int32 {
	s, ok := c.symbols[w]
	if !ok {
		s = int32(len(c.of))
		c.symbols[w] = s
		c.of = append(c.of, nil)
	}
	return s
}

func (c *compiler) node(parent int32, e element) int32 {
	if parent < 0 {
		e.reach = 1
	}
	k := step{parent, strings.Join(e.words, "/"), e.reach}
	n, ok := c.trie[k]
	if !ok {
		n = int32(c.l.nodes)
		c.trie[k] = n
		c.l.nodes++
		for _, w := range e.words {
			symbol := c.symbol(w)
			c.of[symbol] = append(c.of[symbol], node{number: n, parent: parent, reach: e.reach})
		}
		d := int32(0)
		if parent >= 0 {
			d = c.depth[parent] + 1
		}
		c.depth = append(c.depth, d)
		c.l.ends = append(c.l.ends, nil)
	}
	return n
}

// movesOf sorts the nodes of a symbol.
func (c *compiler) movesOf(list []node) (m moves) {
	for _, n := range list {
		if n.parent >= 0 {
			w := &m.after[slices.Index(reachOf[:], n.reach)]
			w.list = append(w.list, n)
			continue
		}
		m.first = append(m.first, n.number)
		c.l.markIn(&m.marks, n.number)
	}
	for r := range m.after {
		w := &m.after[r]
		slices.SortStableFunc(w.list, func(a, b node) int {
			return bits.TrailingZeros64(mark(a.parent)) - bits.TrailingZeros64(mark(b.parent))
		})
		for i, n := range w.list {
			if w.marks&mark(n.parent) == 0 {
				w.marks |= mark(n.parent)
				w.from = append(w.from, uint16(i))
			}
		}
		w.from = append(w.from, uint16(len(w.list)))
	}
	return m
}

// markIn adds the mark of a node where others wait for it.
func (l *lexicon) markIn(marks *[reaches]uint64, number int32) {
	for r, waits := range l.next[number] {
		if waits {
			marks[r] |= mark(number)
		}
	}
}

// octets builds the trie of words.
func (c *compiler) octets() error {
	l := c.l
	type child struct {
		octet byte
		state uint16
	}
	rows := [][]child{nil, nil} // the dead state, the start
	l.exact, l.prefix = make([]int32, 2), make([]int32, 2)
	for _, w := range slices.Sorted(maps.Keys(c.symbols)) {
		word, prefix := strings.CutSuffix(w, "~")
		state := 1
		for i := range len(word) {
			// In the order of the words, what a state has is what was added last.
			if row := rows[state]; len(row) > 0 && row[len(row)-1].octet == word[i] {
				state = int(row[len(row)-1].state)
				continue
			}
			if len(rows) > 0xffff {
				return fmt.Errorf("scam: more words than fit into the table")
			}
			rows[state] = append(rows[state], child{word[i], uint16(len(rows))})
			state = len(rows)
			rows = append(rows, nil)
			l.exact, l.prefix = append(l.exact, 0), append(l.prefix, 0)
		}
		if prefix {
			l.prefix[state] = c.symbols[w]
		} else {
			l.exact[state] = c.symbols[w]
		}
	}
	// The widest rows are laid first and the others into their gaps. Only places that are
	// free are tried for the first octet of a row.
	l.row = make([]uint32, len(rows))
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(rows[b]) - len(rows[a]) })
	var gaps gaps
	for _, state := range order {
		row, at := rows[state], 0
		if len(row) > 0 {
			for place := gaps.from(int(row[0].octet)); ; place = gaps.from(place + 1) {
				at = place - int(row[0].octet)
				if !slices.ContainsFunc(row[1:], func(c child) bool { return gaps.from(at+int(c.octet)) != at+int(c.octet) }) {
					break
				}
			}
			l.steps = append(l.steps, make([]entry, max(0, at+256-len(l.steps)))...)
		}
		if l.row[state] = uint32(at) << 1; l.prefix[state] != 0 {
			l.row[state]++
		}
		for _, c := range row {
			l.steps[at+int(c.octet)] = entry{uint16(state), c.state}
			gaps[at+int(c.octet)]++
		}
	}
	l.steps = append(l.steps, make([]entry, max(0, 256-len(l.steps)))...)
	return nil
}

// gaps leads from a place to the first free one at or behind it: to itself, or some way
// on.
type gaps []int32

func (g *gaps) from(at int) int {
	end := at
	for {
		for len(*g) <= end {
			*g = append(*g, int32(len(*g)))
		}
		if (*g)[end] == int32(end) {
			break
		}
		end = int((*g)[end])
	}
	for at != end { // the next look is shorter
		at, (*g)[at] = int((*g)[at]), int32(end)
	}
	return end
}

// element is one word of a phrase: any of words, and how far behind the one before.
type element struct {
	words []string // folded, sorted; "word~" for a beginning
	reach int32
}

// expand writes out the alternatives of a phrase. Single words that stand for each
// other stay one element.
func expand(phrase string) ([][]element, error) {
	out := [][]element{nil}
	reach := int32(1)
	for rest := strings.TrimSpace(phrase); rest != ""; rest = strings.TrimSpace(rest) {
		var choices []string
		switch {
		case rest[0] == '*':
			reach, rest = gap+1, rest[1:]
			continue
		case rest[0] == '&':
			reach, rest = wideGap+1, rest[1:]
			continue
		case rest[0] == '@':
			return nil, fmt.Errorf("%q: no such group", phrase)
		case rest[0] == '(':
			inside, after, ok := strings.Cut(rest[1:], ")")
			if !ok {
				return nil, fmt.Errorf("%q: a bracket stays open", phrase)
			}
			choices, rest = strings.Split(inside, "/"), after
		default:
			n := strings.IndexAny(rest, " *(")
			if n < 0 {
				n = len(rest)
			}
			choices, rest = []string{rest[:n]}, rest[n:]
		}
		ways := alternatives(choices, reach)
		reach = 1
		if len(out)*len(ways) > maxExpand {
			return nil, fmt.Errorf("%q can be read in more than %d ways", phrase, maxExpand)
		}
		var longer [][]element
		for _, o := range out {
			for _, w := range ways {
				longer = append(longer, slices.Concat(o, w))
			}
		}
		out = longer
	}
	if reach != 1 {
		return nil, fmt.Errorf("%q ends in a gap", phrase)
	}
	return out, nil
}

// alternatives are the ways to read what stands in one pair of brackets.
func alternatives(choices []string, reach int32) [][]element {
	var out [][]element
	var single []string
	for _, choice := range choices {
		var way []element
		for _, w := range strings.Fields(choice) {
			w, prefix := strings.CutSuffix(w, "~")
			parts := foldWords(w)
			for i, p := range parts {
				if prefix && i == len(parts)-1 {
					p += "~"
				}
				way = append(way, element{[]string{p}, 1})
			}
		}
		switch {
		case len(way) == 1:
			single = append(single, way[0].words[0])
		default:
			if len(way) > 0 {
				way[0].reach = reach
			}
			out = append(out, way)
		}
	}
	if len(single) > 0 {
		slices.Sort(single)
		out = append(out, []element{{slices.Compact(single), reach}})
	}
	return out
}

// foldWords are the words of s as a message's are.
func foldWords(s string) (out []string) {
	var w walker
	w.word = func(b []byte) { out = append(out, string(b)) }
	w.walk(text.AppendNormal(nil, s, 4*len(s)+64))
	return out
}
