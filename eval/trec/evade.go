package trec

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"text/tabwriter"

	"sluice/eval"
	"sluice/message"
)

// EvasionConfig is what Evade needs.
type EvasionConfig struct {
	Train, Test []Message
	Load        func(context.Context, *Message) ([]byte, error) // the raw message
	Extract     func(*message.Message) any                      // the filter's document
	Filter      Filter                                          // is trained on Train, in random order
	Seed        uint64
}

// Evasion is what of the bad mail is caught in a disguise.
type Evasion struct {
	Trick   string  `json:"trick"`
	Recall  float64 `json:"recall"`   // at 1 % false positives of the plain test ham
	OfClean float64 `json:"of_clean"` // as a share of the recall without a trick
}

// trick changes the text of a message; good is n words of good mail at least.
type trick struct {
	name string
	do   func(text string, good func(words int) string) string
}

// tricks are those that the literature and the field know: Lowd and Meek (CEAS
// 2005) for good words.
func tricks() []trick {
	between := func(by string) func(string, func(int) string) string {
		return func(s string, _ func(int) string) string {
			var b strings.Builder
			for _, r := range s {
				b.WriteRune(r)
				if r > ' ' {
					b.WriteString(by)
				}
			}
			return b.String()
		}
	}
	alike := strings.NewReplacer("a", "\u0430", "e", "\u0435", "o", "\u043e", "c", "\u0441", "p", "\u0440", "x", "\u0445")
	out := []trick{
		{"none", func(s string, _ func(int) string) string { return s }},
		{"zero-width characters", between("\u200b")},
		{"look-alikes", func(s string, _ func(int) string) string { return alike.Replace(s) }},
		{"letters set apart", between(" ")},
		{"words split in two", func(s string, _ func(int) string) string {
			f := strings.Fields(s)
			for i, w := range f {
				if len(w) > 4 {
					f[i] = w[:len(w)/2] + " " + w[len(w)/2:]
				}
			}
			return strings.Join(f, " ")
		}},
	}
	for _, n := range []int{100, 400, 1500} {
		out = append(out,
			trick{fmt.Sprintf("%d good words before", n), func(s string, good func(int) string) string { return good(n) + "\n\n" + s }},
			trick{fmt.Sprintf("%d good words behind", n), func(s string, good func(int) string) string { return s + "\n\n" + good(n) }})
	}
	return out
}

// Evade trains the filter and measures what it catches in disguise. All messages
// are written anew as plain text under their own header, so that nothing but the
// trick tells them apart.
func Evade(ctx context.Context, c EvasionConfig) ([]Evasion, error) {
	r := rand.New(rand.NewPCG(c.Seed, 4))
	var words []string
	for _, i := range r.Perm(len(c.Train)) {
		m := &c.Train[i]
		p, err := c.parse(ctx, m)
		if err != nil {
			return nil, err
		}
		c.Filter.Train(c.Extract(p), m.Spam)
		if !m.Spam && len(words) < 50000 {
			words = append(words, strings.Fields(p.View().Text)...)
		}
	}
	good := func(n int) string {
		if len(words) <= n {
			return strings.Join(words, " ")
		}
		at := r.IntN(len(words) - n)
		return strings.Join(words[at:at+n], " ")
	}
	var ham, clean []float64
	spam := make([]*message.Message, 0, len(c.Test))
	for i := range c.Test {
		m := &c.Test[i]
		p, err := c.parse(ctx, m)
		if err != nil {
			return nil, err
		}
		if m.Spam {
			spam = append(spam, p)
			continue
		}
		score, _ := c.Filter.Classify(c.Extract(rewrite(p, p.View().Text)))
		ham = append(ham, score)
	}
	var out []Evasion
	cut := 0.0
	for k, t := range tricks() {
		scores := make([]float64, len(spam))
		for i, p := range spam {
			scores[i], _ = c.Filter.Classify(c.Extract(rewrite(p, t.do(p.View().Text, good))))
		}
		if k == 0 {
			clean = scores
			_, cut = eval.Recall(ham, clean, 0.01)
		}
		e := Evasion{Trick: t.name, Recall: eval.Above(scores, cut).Value()}
		e.OfClean = e.Recall / eval.Above(clean, cut).Value()
		out = append(out, e)
	}
	return out, nil
}

func (c *EvasionConfig) parse(ctx context.Context, m *Message) (*message.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("trec: %w", err)
	}
	b, err := c.Load(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("trec: %w", err)
	}
	return message.Parse(b, message.DefaultLimits()), nil
}

// rewrite is m with text as its only, plain body.
func rewrite(m *message.Message, text string) *message.Message {
	var b bytes.Buffer
	for _, f := range m.Header().Fields {
		if len(f.Name) < 8 || !strings.EqualFold(f.Name[:8], "content-") {
			fmt.Fprintf(&b, "%s: %s\r\n", f.Name, strings.NewReplacer("\r", "", "\n", "").Replace(f.Value))
		}
	}
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	b.WriteString(text)
	return message.Parse(b.Bytes(), message.DefaultLimits())
}

// EvasionText returns a table.
func EvasionText(all []Evasion) string {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "trick\trecall at 1 %\tof clean\t")
	for _, e := range all {
		fmt.Fprintf(t, "%s\t%.4f\t%.1f %%\t\n", e.Trick, e.Recall, 100*e.OfClean)
	}
	t.Flush() // into memory: can't fail
	return b.String()
}
