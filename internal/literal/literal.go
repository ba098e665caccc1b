// Package literal finds many fixed strings in one pass over a text. The time is
// linear in the text, whatever the number of strings: Aho and Corasick,
// "Efficient string matching", CACM 18 (1975), as a table over byte classes.
package literal

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Matcher holds a fixed set of patterns. It is safe for concurrent use.
type Matcher struct {
	class   [256]uint8 // byte to column; 0 is "in no pattern"
	width   int        // columns
	next    []uint16   // state*width + class → state
	hit     []int32    // state → pattern that ends here, or -1
	link    []uint16   // state → next shorter suffix that ends a pattern, 0 for none
	lengths []int
}

// maxStates keeps a state in 16 bits.
const maxStates = 1 << 16

// New builds a matcher. Empty patterns never match; of equal patterns the first
// is reported. It panics when the patterns have more than 65,535 octets
// together, since they are fixed by the program.
func New(patterns []string) *Matcher {
	m := &Matcher{width: 1}
	for _, p := range patterns {
		m.lengths = append(m.lengths, len(p))
		for i := 0; i < len(p); i++ {
			if m.class[p[i]] == 0 {
				if m.width == 256 {
					panic("literal: patterns use every octet")
				}
				m.class[p[i]] = uint8(m.width)
				m.width++
			}
		}
	}
	m.grow() // the root
	for i, p := range patterns {
		m.add(i, p)
	}
	m.close()
	return m
}

func (m *Matcher) grow() uint16 {
	s := len(m.hit)
	if s >= maxStates {
		panic("literal: too many patterns")
	}
	m.next = append(m.next, make([]uint16, m.width)...)
	m.hit = append(m.hit, -1)
	m.link = append(m.link, 0)
	return uint16(s)
}

func (m *Matcher) add(index int, p string) {
	if p == "" {
		return
	}
	s := uint16(0)
	for i := 0; i < len(p); i++ {
		at := int(s)*m.width + int(m.class[p[i]])
		if m.next[at] == 0 {
			m.next[at] = m.grow()
		}
		s = m.next[at]
	}
	if m.hit[s] < 0 {
		m.hit[s] = int32(index)
	}
}

// close turns the tree into an automaton, breadth first.
func (m *Matcher) close() {
	fail := make([]uint16, len(m.hit))
	var queue []uint16
	for c := range m.width {
		if s := m.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		f := fail[s]
		if m.hit[f] >= 0 {
			m.link[s] = f
		} else {
			m.link[s] = m.link[f]
		}
		for c := range m.width {
			at := int(s)*m.width + c
			if t := m.next[at]; t != 0 {
				fail[t] = m.next[int(f)*m.width+c]
				queue = append(queue, t)
			} else {
				m.next[at] = m.next[int(f)*m.width+c]
			}
		}
	}
	m.next = slices.Clip(m.next)
}

// Scan calls found for every occurrence of every pattern in text, in order of
// their ends, until found returns false. text[start:end] is the occurrence.
func (m *Matcher) Scan(text []byte, found func(pattern, start, end int) bool) {
	s := 0
	for i := 0; i < len(text); i++ {
		s = int(m.next[s*m.width+int(m.class[text[i]])])
		if s == 0 {
			continue
		}
		for t := s; t != 0; t = int(m.link[t]) {
			if p := m.hit[t]; p >= 0 && !found(int(p), i+1-m.lengths[p], i+1) {
				return
			}
		}
	}
}

// AppendLower appends s as strings.ToLower has it, for a scan by patterns in lower
// case.
func AppendLower(dst []byte, s string) []byte {
	from := len(dst)
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return append(dst[:from], strings.ToLower(s)...)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
