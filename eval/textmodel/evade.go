package main

import (
	"strings"

	"sluice/eval"
	"sluice/learn/text"
)

// padWords is how many good words hide a bad text: Lowd and Meek (CEAS 2005)
// beat filters with about that many.
const padWords = 400

// padding is good text to hide bad text behind.
type padding struct{ good []string }

// newPadding takes the first words of good mail that is long enough.
func newPadding(mails []mail) *padding {
	p := new(padding)
	for i := range mails {
		m := &mails[i]
		if m.entry.Class() != eval.Good || m.entry.Pool() == madePool || m.entry.Pool() == hardest {
			continue
		}
		if w := strings.Fields(m.doc.Text); len(w) >= padWords {
			p.good = append(p.good, strings.Join(w[:padWords], " "))
		}
	}
	return p
}

// front puts good words before the text, the n-th of them.
func (p *padding) front(n int, d *text.Document) *text.Document {
	c := *d
	if len(p.good) > 0 {
		c.Text = p.good[n%len(p.good)] + "\n\n" + d.Text
	}
	return &c
}

// back puts them behind it.
func (p *padding) back(n int, d *text.Document) *text.Document {
	c := *d
	if len(p.good) > 0 {
		c.Text = d.Text + "\n\n" + p.good[n%len(p.good)]
	}
	return &c
}
