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
	Spelled   int // those of them in words and links that are written plainly otherwise; mail addresses left out
}

// Any says whether there was any.
func (e Effort) Any() bool { return e != Effort{} }

// Append is AppendNormal, and adds to e what it took.
func (e *Effort) Append(dst []byte, s string, limit int) []byte {
	e.mark(disguise.Scan(s))
	dst, joined := appendClosed(dst, s, limit)
	e.Apart += joined
	return dst
}

func (e *Effort) mark(m disguise.Marks) {
	e.Invisible += m.Invisible
	e.Mixed += m.Mixed
	e.Styled += m.Styled
	e.Bidi += m.Bidi
	e.Tags += m.Tags
}

// Source adds to e what HTML source hides: "&#118;iagra". Programs write plain
// letters that way in mail addresses, to keep them from harvesters, and then mostly
// all of a word.
func (e *Effort) Source(html []byte) {
	for {
		i := bytes.Index(html, []byte("&#"))
		if i < 0 {
			return
		}
		start := bytes.LastIndexAny(html[:i], wordEnds) + 1
		end := len(html)
		if n := bytes.IndexAny(html[i:], wordEnds); n >= 0 {
			end = i + n
		}
		e.word(html[start:end])
		html = html[end:]
	}
}

// wordEnds are the characters beside a word, or a link, in HTML source.
const wordEnds = " \t\r\n\"'<>"

// word adds to e what a word of HTML source hides.
func (e *Effort) word(b []byte) {
	spelled, written, address := 0, 0, false
	for len(b) > 0 {
		c, n := reference(b)
		if alnum(c) && n > 1 {
			spelled++
		} else if alnum(c) {
			written++
		}
		address = address || c == '@'
		b = b[n:]
	}
	e.Entities += spelled
	if written > 0 && !address {
		e.Spelled += spelled
	}
}

func alnum(c rune) bool { return c < utf8.RuneSelf && (letter(byte(c)) || '0' <= c && c <= '9') }

// reference reads the character at the beginning of b: a plain one as it is, one
// that is spelled as a number, decimal or hexadecimal, with more than one octet,
// and utf8.RuneError for everything else, a name such as "&nbsp;" as a whole.
func reference(b []byte) (_ rune, octets int) {
	const longest = 10
	switch {
	case b[0] >= utf8.RuneSelf:
		return utf8.RuneError, 1
	case b[0] != '&':
		return rune(b[0]), 1
	case len(b) < 2 || b[1] != '#':
		n := 1
		for n < min(len(b), longest) && alnum(rune(b[n])) {
			n++
		}
		if n < len(b) && b[n] == ';' {
			return utf8.RuneError, n + 1
		}
		return rune(b[0]), 1
	}
	base, start := rune(10), 2
	if len(b) > 2 && b[2]|0x20 == 'x' {
		base, start = 16, 3
	}
	c, n := rune(0), start
	for ; n < min(len(b), start+8); n++ {
		d := rune(16)
		switch l := b[n] | 0x20; {
		case '0' <= b[n] && b[n] <= '9':
			d = rune(b[n] - '0')
		case 'a' <= l && l <= 'f':
			d = rune(l-'a') + 10
		}
		if d >= base {
			break
		}
		c = min(c*base+d, utf8.RuneError)
	}
	if n == start || c >= utf8.RuneSelf {
		return utf8.RuneError, n
	}
	return c, n
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
