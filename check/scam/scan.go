package scam

import "unicode/utf8"

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
	h    *hits
	last []int32 // by node: where its word was last met, in words
	done []bool  // by node: its phrase was met
	at   int32
	// The word so far.
	state uint16
	begun bool
	heads [maxHeads]int32 // "word~" symbols met in it
	n     int
}

// maxHeads is how many beginnings of one word are looked at.
const maxHeads = 4

func (l *lexicon) match() *matcher {
	return &matcher{
		l: l, h: &hits{kinds: make([]uint8, len(l.themes)), first: make([]string, len(l.themes))},
		last: make([]int32, l.nodes), done: make([]bool, l.nodes), at: sentence, state: 1,
	}
}

// scan goes through normalised text in one pass. The time is linear in the text.
func (m *matcher) scan(b []byte) {
	m.flush()
	m.at += sentence
	for i := 0; i < len(b); {
		c := b[i]
		switch kinds[c] {
		case letter:
			m.octet(c)
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
				m.at += sentence
			}
		default:
			m.flush()
		}
		i++
	}
	m.flush()
}

func (m *matcher) octet(c byte) {
	m.begun = true
	if m.state == 0 {
		return
	}
	m.state = m.l.next[int(m.state)*m.l.classes+int(m.l.octets[c])]
	if p := m.l.prefix[m.state]; p != 0 && m.n < maxHeads {
		m.heads[m.n] = p
		m.n++
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
	m.h.tokens++
	if s := m.l.exact[m.state]; s != 0 {
		m.move(s)
	}
	for _, p := range m.heads[:m.n] {
		m.move(p)
	}
	m.state, m.begun, m.n = 1, false, 0
}

// move lets every phrase that waits for a symbol go on.
func (m *matcher) move(symbol int32) {
	for _, n := range m.l.of[symbol] {
		k := n.number
		if n.parent >= 0 {
			if since := m.last[n.parent]; since == 0 || m.at-since > n.reach || since == m.at {
				continue
			}
		}
		m.last[k] = m.at
		if !n.ends || m.done[k] {
			continue
		}
		m.done[k] = true
		for _, e := range m.l.ends[k] {
			if m.h.kinds[e.theme] == 0 {
				m.h.first[e.theme] = e.phrase
			}
			if m.h.kinds[e.theme] < 255 {
				m.h.kinds[e.theme]++
			}
		}
	}
}
