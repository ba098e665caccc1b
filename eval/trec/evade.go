package trec

import (
	"bytes"
	"context"
	"fmt"
	"html"
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

// trick writes a bad message anew; good is n words of good mail.
type trick struct {
	name string
	do   func(m *message.Message, good func(words int) string) body
}

// body is the body of a message and the header lines that say how it is written.
type body struct{ header, text string }

func plain(text string) body {
	return body{"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", text}
}

// tricks are those that the literature and the field know: Lowd and Meek (CEAS
// 2005) for good words.
func tricks() []trick {
	out := []trick{{"none", func(m *message.Message, _ func(int) string) body { return plain(m.View().Text) }}}
	for _, t := range []struct {
		name string
		do   func(string) string
	}{
		{"zero-width characters", func(s string) string { return between(s, "\u200b") }},
		{"look-alikes", strings.NewReplacer("a", "\u0430", "e", "\u0435", "o", "\u043e", "c", "\u0441", "p", "\u0440", "x", "\u0445").Replace},
		{"letters set apart", func(s string) string { return between(s, " ") }},
		{"words split in two", halve},
	} {
		out = append(out, trick{t.name, func(m *message.Message, _ func(int) string) body { return plain(t.do(m.View().Text)) }})
	}
	for _, n := range []int{100, 400, 1500} {
		out = append(out,
			trick{fmt.Sprintf("%d good words before", n), func(m *message.Message, good func(int) string) body {
				return plain(good(n) + "\n\n" + m.View().Text)
			}},
			trick{fmt.Sprintf("%d good words behind", n), func(m *message.Message, good func(int) string) body {
				return plain(m.View().Text + "\n\n" + good(n))
			}})
	}
	return append(out, trick{"800 hidden good words", hide}, trick{"image only", picture})
}

// between puts by behind every character that shows.
func between(s, by string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
		if r > ' ' {
			b.WriteString(by)
		}
	}
	return b.String()
}

func halve(s string) string {
	f := strings.Fields(s)
	for i, w := range f {
		if len(w) > 4 {
			f[i] = w[:len(w)/2] + " " + w[len(w)/2:]
		}
	}
	return strings.Join(f, " ")
}

// hide writes the text as HTML between good words that no client shows.
func hide(m *message.Message, good func(int) string) body {
	var b strings.Builder
	b.WriteString("<html><body>\r\n")
	for i, style := range []string{"display:none", "font-size:0", "", "visibility:hidden", "max-height:0;overflow:hidden;opacity:0"} {
		if style == "" {
			for _, line := range strings.Split(m.View().Text, "\n") {
				fmt.Fprintf(&b, "<p>%s</p>\r\n", html.EscapeString(line))
			}
			continue
		}
		fmt.Fprintf(&b, "<div id=\"p%d\" style=\"%s\">%s</div>\r\n", i, style, html.EscapeString(good(200)))
	}
	b.WriteString("</body></html>\r\n")
	return body{"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", b.String()}
}

// picture puts a picture in the place of the text. The links stay: somebody has to
// be led somewhere.
func picture(m *message.Message, _ func(int) string) body {
	var b strings.Builder
	b.WriteString("--part\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n")
	links := m.View().Links
	for i := range links[:min(len(links), 20)] {
		fmt.Fprintf(&b, "<a href=\"%s\"><img src=\"cid:i1\"></a>\r\n", html.EscapeString(strings.NewReplacer("\r", "", "\n", "").Replace(links[i].Raw)))
	}
	if len(links) == 0 {
		b.WriteString("<img src=\"cid:i1\">\r\n")
	}
	b.WriteString("</body></html>\r\n--part\r\nContent-Type: image/png; name=\"i1.png\"\r\nContent-ID: <i1>\r\n" +
		"Content-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n" + poster + "--part--\r\n")
	return body{"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=part\r\n", b.String()}
}

// poster is a picture in base64: a chequered PNG of 320 by 200.
const poster = "" +
	"iVBORw0KGgoAAAANSUhEUgAAAUAAAADICAAAAAC8b2d3AAABRElEQVR42u3YoREAAAgDMfZfGkwn\r\n" +
	"wHEE9zZXRVWuc3rXQAACBAgQCECA1xqE5QEECBAIQIAAfwKCsESAADUAgAAB+geCsTyAAAFqgAAB\r\n" +
	"+gdqSwQIEKAGCBCgf6C2PIAAAWqAAAH6B2pLBAgQoAYIEKB/oAYAECBAgEAAAvQPtEQgAAECBAgE\r\n" +
	"IED/QMvTAAECBKgBAvQPtEQNECBAgBogQP9Ay9MAAQIEqAEC9A+0RA0QIECAGgBA/0DLAwgEIECA\r\n" +
	"ADVA/0BLBKgBAgQIUAP0D7Q8gBogQIAANUD/QEsEqAECBAhQA/QPtDyAGiBAgAA1AP9ASwSoAQAE\r\n" +
	"CBAgEP9AywMIUAMECBCg9g+0RIAANUCAAAFq/0DLAwhQAwQIEKD2D7REgAA1QIAAAWr/QMsDCBAg\r\n" +
	"EIAAAfoHgrBEgAABAgEIEOCzHjxOikXhQGuKAAAAAElFTkSuQmCC\r\n"

// Evade trains the filter and measures what it catches in disguise. All messages
// are written anew under their own header, as plain text where the trick needs no
// other, so that nothing but the trick tells them apart. Any filter can be judged;
// Extract makes its document of a message.
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
		score, _ := c.Filter.Classify(c.Extract(rewrite(p, plain(p.View().Text))))
		ham = append(ham, score)
	}
	var out []Evasion
	cut := 0.0
	for k, t := range tricks() {
		scores := make([]float64, len(spam))
		for i, p := range spam {
			scores[i], _ = c.Filter.Classify(c.Extract(rewrite(p, t.do(p, good))))
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

// rewrite is m with another body.
func rewrite(m *message.Message, to body) *message.Message {
	var b bytes.Buffer
	for _, f := range m.Header().Fields {
		if lower := strings.ToLower(f.Name); !strings.HasPrefix(lower, "content-") && lower != "mime-version" {
			fmt.Fprintf(&b, "%s: %s\r\n", f.Name, strings.NewReplacer("\r", "", "\n", "").Replace(f.Value))
		}
	}
	b.WriteString(to.header)
	b.WriteString("\r\n")
	b.WriteString(to.text)
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
