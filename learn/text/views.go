package text

import (
	"bytes"
	"unicode/utf8"

	"sluice/internal/disguise"
)

// AppendNormal appends s to dst as the learners see it: compatibility forms
// composed (NFKC), lower case, invisible characters dropped, look-alikes of other
// scripts inside Latin words turned back, digits as "0", white space as single
// spaces, letters that stand apart closed up. It appends at most limit octets.
// Its time is linear in s.
func AppendNormal(dst []byte, s string, limit int) []byte {
	dst, _ = appendClosed(dst, s, limit)
	return dst
}

func appendClosed(dst []byte, s string, limit int) (_ []byte, joined int) {
	start := len(dst)
	dst = appendNormal(dst, s, limit)
	short, joined := closeLetterspacing(dst[start:])
	return dst[:start+len(short)], joined
}

// Effort is how hard it was to make writing plain. Each count is of something that
// hides words from a filter and not from a person. The zero value has no effort.
type Effort struct {
	Invisible int // characters without width inside words
	Mixed     int // words of Latin letters with look-alikes of another script among them
	Styled    int // letters of blocks that are meant for mathematics or decoration
	Bidi      int // overrides and isolates of direction
	Tags      int // tag characters outside flags
	Apart     int // words whose letters stand apart
	Entities  int // plain letters and digits that HTML source spells as numbers
}

// Any says whether there was any.
func (e Effort) Any() bool { return e != Effort{} }

// Append is AppendNormal, and adds to e what it took.
func (e *Effort) Append(dst []byte, s string, limit int) []byte {
	m := disguise.Scan(s)
	e.Invisible += m.Invisible
	e.Mixed += m.Mixed
	e.Styled += m.Styled
	e.Bidi += m.Bidi
	e.Tags += m.Tags
	dst, joined := appendClosed(dst, s, limit)
	e.Apart += joined
	return dst
}

// Source adds to e what HTML source hides: "&#118;iagra". No program writes plain
// letters and digits that way.
func (e *Effort) Source(html []byte) {
	for {
		i := bytes.Index(html, []byte("&#"))
		if i < 0 {
			return
		}
		html = html[i+2:]
		if c := reference(html); c < utf8.RuneSelf && (letter(byte(c)) || '0' <= c && c <= '9') {
			e.Entities++
		}
	}
}

// reference is the number at the beginning of b, decimal or hexadecimal;
// utf8.RuneError where it isn't one of a plain character.
func reference(b []byte) rune {
	base := rune(10)
	if len(b) > 0 && b[0]|0x20 == 'x' {
		base, b = 16, b[1:]
	}
	n, digits := rune(0), 0
	for _, c := range b[:min(len(b), 8)] {
		d := rune(16)
		switch l := c | 0x20; {
		case '0' <= c && c <= '9':
			d = rune(c - '0')
		case 'a' <= l && l <= 'f':
			d = rune(l-'a') + 10
		}
		if d >= base {
			break
		}
		if n = n*base + d; n >= utf8.RuneSelf {
			return utf8.RuneError
		}
		digits++
	}
	if digits == 0 {
		return utf8.RuneError
	}
	return n
}

// AppendSkeleton appends the normalised word w as it looks: letters of other
// scripts as the Latin ones that they are alike (after UTS 39). It is false, and
// nothing is appended, where w is plain already or has a letter that is like none.
func AppendSkeleton(dst, w []byte) ([]byte, bool) {
	start, changed := len(dst), false
	for len(w) > 0 {
		r, n := utf8.DecodeRune(w)
		w = w[n:]
		if r >= utf8.RuneSelf {
			l := lookalike(r)
			if l == 0 {
				return dst[:start], false
			}
			r, changed = rune(l), true
		}
		dst = append(dst, byte(r))
	}
	if !changed {
		return dst[:start], false
	}
	return dst, true
}
