package scam

import (
	"math/bits"
	"slices"
	"sync"
	"unicode/utf8"
)

// hits is what a scan found.
type hits struct {
	kinds  []uint8  // by theme: how many different phrases, at most 255
	first  []string // by theme: the first phrase, as the lexicon has it
	tokens int      // words of the text
}

// sentence is how far apart the words on both sides of a full stop are taken to be.
const sentence = 2 * (wideGap + 1)

// matcher goes through a text, word by word.
type matcher struct {
	l    *lexicon
	h    hits
	last []int32 // by node: where its word was last met, in words
	done []bool  // by node: its phrase was met
	ends []int32 // nodes that are done
	at   int32
	// Marks of the nodes that were met, by how far behind them others wait: at this word,
	// and at those before it, by place.
	now  [reaches]uint64
	seen [window][reaches]uint64
	met  []node // scratch
	// Ideas of the sentence so far, and of the text.
	said   ideaSet
	sketch sketch
	buf    []byte // for the text, used again
	// The word so far.
	state uint16
	begun bool
	heads [maxHeads]int32 // "word~" symbols met in it
	n     int
}

const (
	// maxHeads is how many beginnings of one word are looked at.
	maxHeads = 4
	// window is a power of two above what "&" reaches over.
	window = 16
	// mostAt is where a matcher isn't used again, so that places don't overflow.
	mostAt = 1 << 30
)

// matchers are those of words, used again: most of a message's time would go into
// clearing their tables.
var matchers = sync.Pool{New: func() any { return shipped().match() }}

func (l *lexicon) match() *matcher {
	return &matcher{
		l: l, h: hits{kinds: make([]uint8, len(l.themes)), first: make([]string, len(l.themes))},
		last: make([]int32, l.nodes), done: make([]bool, l.nodes), at: sentence, state: 1,
	}
}

// release makes a matcher ready for the next text.
func (m *matcher) release() {
	if m.at > mostAt {
		return
	}
	for _, k := range m.ends {
		m.done[k] = false
	}
	m.ends = m.ends[:0]
	clear(m.h.kinds)
	clear(m.h.first)
	m.h.tokens = 0
	m.pause()
	m.sketch.clear()
	matchers.Put(m)
}

// pause puts what comes next out of the reach of what was.
func (m *matcher) pause() {
	m.sketch.add(m.said)
	m.said = ideaSet{}
	m.at += sentence
	m.seen = [window][reaches]uint64{}
}

// scan goes through normalised text in one pass. The time is linear in the text.
func (m *matcher) scan(b []byte) {
	m.flush()
	m.pause()
	for i := 0; i < len(b); {
		c := b[i]
		switch kinds[c] {
		case letter:
			i = m.letters(b, i)
			continue
		case digit:
			// A digit behind a digit is one number: number() took it.
			m.octet('0')
			i = number(b, i)
			continue
		case sign:
			m.flush()
			m.octet(c)
			m.flush()
		case wide:
			i += m.rune(b[i:])
			continue
		case stop:
			m.flush()
			if i+1 == len(b) || b[i+1] == ' ' {
				m.pause()
			}
		default:
			m.flush()
		}
		i++
	}
	m.flush()
	m.pause()
}

// letters takes the letters at i and returns where they end.
func (m *matcher) letters(b []byte, i int) int {
	m.begun = true
	state, steps, row := m.state, m.l.steps, m.l.row
	for ; i < len(b) && kinds[b[i]] == letter; i++ {
		e := steps[row[state]>>1+uint32(b[i])]
		if e.from != state || state == 0 {
			for i < len(b) && kinds[b[i]] == letter {
				i++
			}
			state = 0
			break
		}
		if state = e.to; row[state]&1 != 0 {
			m.begins(state)
		}
	}
	m.state = state
	return i
}

// begins notes a beginning "word~" that ends at a state.
func (m *matcher) begins(state uint16) {
	if m.n < maxHeads {
		m.heads[m.n] = m.l.prefix[state]
		m.n++
	}
}

func (m *matcher) octet(c byte) {
	m.begun = true
	if m.state != 0 {
		m.step(c)
	}
}

func (m *matcher) step(c byte) {
	e := m.l.steps[m.l.row[m.state]>>1+uint32(c)]
	if e.from != m.state {
		m.state = 0
		return
	}
	if m.state = e.to; m.l.row[e.to]&1 != 0 {
		m.begins(e.to)
	}
}

// rune takes one character beyond ASCII and returns its length.
func (m *matcher) rune(b []byte) int {
	r, n := utf8.DecodeRune(b)
	switch {
	case int(r) < len(unaccented) && unaccented[r] != "":
		for _, c := range []byte(unaccented[r]) {
			m.octet(c)
		}
		return n
	case !wordRune(r):
		m.flush()
		if r != '€' && r != '£' {
			return n
		}
	case r >= ideographs:
		m.flush()
	default:
		for _, c := range b[:n] {
			m.octet(c)
		}
		return n
	}
	for _, c := range b[:n] {
		m.octet(c)
	}
	m.flush()
	return n
}

// flush ends a word, if one was begun.
func (m *matcher) flush() {
	if !m.begun {
		return
	}
	m.at++
	m.now = [reaches]uint64{}
	m.h.tokens++
	if s := m.l.exact[m.state]; s != 0 {
		m.say(m.l.ofWord[s])
		m.move(s)
	}
	for _, p := range m.heads[:m.n] {
		m.say(m.l.ofWord[p])
		m.move(p)
	}
	m.seen[m.at%window] = m.now
	m.state, m.begun, m.n = 1, false, 0
}

// move lets every phrase that waits for a symbol go on. What was met before the word is
// asked first and the word noted then, so that it is never two words of a phrase.
func (m *matcher) move(symbol int32) {
	s := &m.l.of[symbol]
	m.met = m.met[:0]
	for r := range s.after {
		w := &s.after[r]
		if w.marks == 0 {
			continue
		}
		marks := uint64(0)
		for k := int32(1); k <= reachOf[r]; k++ {
			marks |= m.seen[(m.at-k)%window][r]
		}
		if marks &= w.marks; marks != 0 {
			m.goOn(w, marks)
		}
	}
	if len(m.met) > 1 && slices.ContainsFunc(m.met, func(n node) bool { return len(m.l.ends[n.number]) > 0 && !m.done[n.number] }) {
		slices.SortFunc(m.met, func(a, b node) int { return int(a.rank - b.rank) })
	}
	for _, n := range m.met {
		m.l.markIn(&m.now, n.number)
		m.note(n.number)
	}
	for r := range m.now {
		m.now[r] |= s.marks[r]
	}
	for _, k := range s.first {
		m.note(k)
	}
}

// goOn collects the nodes that wait for a word whose mark was seen, and within reach.
func (m *matcher) goOn(w *waiters, marks uint64) {
	for ; marks != 0; marks &= marks - 1 {
		group := bits.OnesCount64(w.marks & (marks&-marks - 1))
		for _, n := range w.list[w.from[group]:w.from[group+1]] {
			if uint32(m.at-m.last[n.parent]-1) < uint32(n.reach) {
				m.met = append(m.met, n)
			}
		}
	}
}

// say adds the ideas of a word, or of some in a row, to the sentence.
func (m *matcher) say(set uint16) {
	if set != 0 {
		m.said.join(m.l.sets[set])
	}
}

// note says that a node's word was met, and counts the phrases that end there.
func (m *matcher) note(k int32) {
	m.last[k] = m.at
	if m.l.ends[k] == nil {
		return
	}
	m.say(m.l.ofNode[k])
	if m.done[k] {
		return
	}
	m.done[k] = true
	m.ends = append(m.ends, k)
	for _, e := range m.l.ends[k] {
		if m.h.kinds[e.theme] == 0 {
			m.h.first[e.theme] = e.phrase
		}
		if m.h.kinds[e.theme] < 255 {
			m.h.kinds[e.theme]++
		}
	}
}
