package scam

import (
	_ "embed"
	"fmt"
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// ideasFile says how it is written.
//
//go:embed ideas.txt
var ideasFile string

// mostIdeas is how many ideas there may be.
const mostIdeas = 192

// ideaSet is a set of ideas, by number.
type ideaSet [mostIdeas / 64]uint64

func (s *ideaSet) join(t ideaSet) {
	for i := range s {
		s[i] |= t[i]
	}
}

func (s *ideaSet) meets(t ideaSet) bool {
	for i := range s {
		if s[i]&t[i] != 0 {
			return true
		}
	}
	return false
}

func (s *ideaSet) empty() bool { return *s == ideaSet{} }

// all goes through the ideas of a set.
func (s ideaSet) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(64*i + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// openers are the ideas that an impostor begins with.
var openers = sync.OnceValue(func() (set ideaSet) {
	for _, name := range []string{"available", "favour", "mobile", "nocall"} {
		i := slices.Index(shipped().ideas, name)
		set[i/64] |= 1 << (i % 64)
	}
	return set
})

// ideas adds what the file of ideas says to the words of the lexicon.
func (c *compiler) ideas(file string) error {
	for i, line := range strings.Split(file, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, words, ok := strings.Cut(line, ":")
		if !ok || len(c.l.ideas) == mostIdeas || slices.Contains(c.l.ideas, name) {
			return fmt.Errorf("scam: ideas:%d: want \"name: word …\", each name once, at most %d", i+1, mostIdeas)
		}
		var set ideaSet
		set[len(c.l.ideas)/64] |= 1 << (len(c.l.ideas) % 64)
		c.l.ideas = append(c.l.ideas, name)
		for word := range strings.FieldsSeq(words) {
			if err := c.idea(set, strings.ReplaceAll(word, "_", " ")); err != nil {
				return fmt.Errorf("scam: ideas:%d: %w", i+1, err)
			}
		}
	}
	return nil
}

// idea adds one word, or several in a row.
func (c *compiler) idea(set ideaSet, words string) error {
	list := alternatives([]string{words}, 1)
	if len(list) == 0 {
		return fmt.Errorf("%q has no word", words)
	}
	elements := list[0]
	if len(elements) == 1 {
		symbol := c.symbol(elements[0].words[0])
		old := c.ofWord[symbol]
		old.join(set)
		c.ofWord[symbol] = old
		return nil
	}
	parent := int32(-1)
	for _, e := range elements {
		parent = c.node(parent, e)
	}
	old := c.ofNode[parent]
	old.join(set)
	c.ofNode[parent] = old
	return nil
}

// sets numbers the sets of ideas.
func (c *compiler) sets() {
	l := c.l
	l.sets, l.ofWord, l.ofNode = []ideaSet{{}}, make([]uint16, len(c.of)), make([]uint16, l.nodes)
	number := map[ideaSet]uint16{}
	of := func(set ideaSet) uint16 {
		n, ok := number[set]
		if !ok {
			n = uint16(len(l.sets)) // never more than nodes and words, which the tables bound
			number[set] = n
			l.sets = append(l.sets, set)
		}
		return n
	}
	for _, symbol := range slices.Sorted(maps.Keys(c.ofWord)) {
		l.ofWord[symbol] = of(c.ofWord[symbol])
	}
	for _, n := range slices.Sorted(maps.Keys(c.ofNode)) {
		l.ofNode[n] = of(c.ofNode[n])
		if l.ends[n] == nil {
			l.ends[n] = []end{}
		}
	}
}

// sketch is what a text is about: its ideas, and which of them stand together in a
// sentence.
type sketch struct {
	ideas ideaSet
	with  [mostIdeas]ideaSet // by idea: those of higher number in the same sentence
}

// add takes one sentence.
func (s *sketch) add(said ideaSet) {
	if said.empty() {
		return
	}
	s.ideas.join(said)
	for i := range said.all() {
		s.with[i].join(said)
	}
}

func (s *sketch) clear() {
	for i := range s.ideas.all() {
		s.with[i] = ideaSet{}
	}
	s.ideas = ideaSet{}
}
