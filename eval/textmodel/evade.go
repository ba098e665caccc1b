package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

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
		if !trainable(m.entry) || m.entry.Class() != eval.Good || m.entry.Pool() == madePool || m.entry.Pool() == hardest {
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

// tricks are the ways to hide bad text that are measured.
func (p *padding) tricks() []trick {
	each := func(by string) func(int, *text.Document) *text.Document {
		return func(_ int, d *text.Document) *text.Document {
			c := *d
			var b strings.Builder
			for _, r := range d.Text {
				b.WriteRune(r)
				if r > ' ' {
					b.WriteString(by)
				}
			}
			c.Text = b.String()
			return &c
		}
	}
	alike := strings.NewReplacer("a", "\u0430", "e", "\u0435", "o", "\u043e", "c", "\u0441", "p", "\u0440", "x", "\u0445")
	return []trick{
		{"none", func(_ int, d *text.Document) *text.Document { return d }},
		{"zero-width characters in words", each("\u200b")},
		{"Cyrillic look-alikes", func(_ int, d *text.Document) *text.Document {
			c := *d
			c.Text = alike.Replace(d.Text)
			return &c
		}},
		{"letters set apart", each(" ")},
		{"400 good words before", p.front},
		{"400 good words behind", p.back},
		{"both", func(n int, d *text.Document) *text.Document { return p.front(n, p.back(n+1, d)) }},
	}
}

type trick struct {
	name string
	do   func(n int, d *text.Document) *text.Document
}

// writeTricks prints how much of each pool of bad mail is caught in disguise.
func writeTricks(w io.Writer, m *text.Model, p *padding, mails []mail, pools []string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "trick\tpool\tn\tover %.1f dB\tover %.1f dB\t\n", tagAt, line)
	for _, trick := range p.tricks() {
		for _, pool := range pools {
			tag, quarantine := eval.Rate{}, eval.Rate{}
			for i := range mails {
				if e := mails[i].entry; e.Pool() != pool || e.Part != "test" {
					continue
				}
				db := m.Score(trick.do(i, mails[i].doc)).DB
				tag.N++
				quarantine.N++
				if db > tagAt {
					tag.K++
				}
				if db > line {
					quarantine.K++
				}
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%.3f\t%.3f\t\n", trick.name, pool, tag.N, tag.Value(), quarantine.Value())
		}
	}
	return t.Flush()
}
