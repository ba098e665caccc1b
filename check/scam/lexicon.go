package scam

import (
	"embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

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

// words is the lexicon that ships.
var words = func() *lexicon {
	names, err := lexiconFiles.ReadDir("lexicon")
	if err != nil {
		panic(err)
	}
	texts := map[string]string{}
	for _, n := range names {
		b, err := lexiconFiles.ReadFile(path.Join("lexicon", n.Name()))
		if err != nil {
			panic(err)
		}
		texts[n.Name()] = string(b)
	}
	l, err := compile(texts)
	if err != nil {
		panic(err)
	}
	return l
}()

// lexicon is the automaton: a trie over octets that names words, and a trie over
// words that names themes.
type lexicon struct {
	themes []string

	// Words: a state is a row of next, 0 is where no word goes on.
	octets  [256]uint8 // class of an octet, 0 for those in no word
	classes int
	next    []uint16
	exact   []int32 // symbol of the word that ends at a state, 0 for none
	prefix  []int32 // symbol of the beginning "word~" that ends there, 0 for none

	// Phrases: a node is one word of one phrase, with those before it.
	of    [][]node // what a symbol moves to, deeper ones first
	nodes int
	ends  map[int32][]end
}

type node struct {
	number int32
	parent int32 // -1 for the first word of a phrase
	reach  int32 // how far behind the parent's word this one may stand
	ends   bool  // a phrase is complete here: lexicon.ends
}

// end says that a phrase of a theme is complete.
type end struct {
	theme  int32
	phrase string
}

// compile builds the automaton of lexicon files, by name.
func compile(files map[string]string) (*lexicon, error) {
	c := compiler{
		l: &lexicon{ends: map[int32][]end{}}, themes: map[string]int32{}, symbols: map[string]int32{}, trie: map[step]int32{},
	}
	c.l.of = append(c.l.of, nil) // no symbol 0
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
	if err := c.octets(); err != nil {
		return nil, err
	}
	// Deeper nodes first, so that one word of a message is never two of a phrase.
	for _, list := range c.l.of {
		for i := range list {
			list[i].ends = len(c.l.ends[list[i].number]) > 0
		}
		slices.SortFunc(list, func(a, b node) int { return int(c.depth[b.number] - c.depth[a.number]) })
	}
	return c.l, nil
}

type compiler struct {
	l       *lexicon
	themes  map[string]int32
	symbols map[string]int32 // "word" and "word~"
	trie    map[step]int32
	depth   []int32
	groups  map[string]string // of the file: "@name" and what it stands for, in brackets
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
		s = int32(len(c.l.of))
		c.symbols[w] = s
		c.l.of = append(c.l.of, nil)
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
			c.l.of[symbol] = append(c.l.of[symbol], node{number: n, parent: parent, reach: e.reach})
		}
		d := int32(0)
		if parent >= 0 {
			d = c.depth[parent] + 1
		}
		c.depth = append(c.depth, d)
	}
	return n
}

// octets builds the trie of words.
func (c *compiler) octets() error {
	l := c.l
	for w := range c.symbols {
		for i := range len(w) {
			if w[i] != '~' && l.octets[w[i]] == 0 {
				l.classes++
				l.octets[w[i]] = uint8(l.classes)
			}
		}
	}
	l.classes++ // class 0
	grow := func() {
		l.next = append(l.next, make([]uint16, l.classes)...)
		l.exact, l.prefix = append(l.exact, 0), append(l.prefix, 0)
	}
	grow() // the dead state
	grow() // the start
	for _, w := range slices.Sorted(maps.Keys(c.symbols)) {
		word, prefix := strings.CutSuffix(w, "~")
		state := 1
		for i := range len(word) {
			at := state*l.classes + int(l.octets[word[i]])
			if l.next[at] == 0 {
				if len(l.exact) > 0xffff {
					return fmt.Errorf("scam: more words than fit into the table")
				}
				l.next[at] = uint16(len(l.exact))
				grow()
			}
			state = int(l.next[at])
		}
		if prefix {
			l.prefix[state] = c.symbols[w]
		} else {
			l.exact[state] = c.symbols[w]
		}
	}
	return nil
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
