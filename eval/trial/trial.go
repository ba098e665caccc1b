// Package trial tries a filter on labelled mail and reports what to expect of it:
// how it ranks, what its probabilities are worth, what it would have done, and
// which messages it got wrong. The mail is that of an admin, an index of the TREC
// spam track, or the corpora with their split. It learns and judges in memory;
// nothing it does touches what a site has learned.
//
// Files: source.go (what mail there is), read.go (reading it), filter.go and
// verdict.go (what is judged), measure.go and report.go (what comes out), leaveout.go
// (each corpus by what the others teach), text.go, html.go, plot.go and scores.go
// (how it is shown), group.go (near duplicates), evade.go (disguises).
package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"sluice/eval/trec"
)

// Outcome is what a filter makes of one message.
type Outcome struct {
	Score  float64 // higher is worse; only the order counts
	P      float64 // probability of being unwanted
	Action string  // what the policy would do; "" for filters without one
	Why    string  // what weighed most, hostile text; "" for filters that can't tell
}

// Filter is what is tried.
type Filter interface {
	Judge(doc any) Outcome
	Train(doc any, spam bool)
}

// Kind is a kind of filter: how to read for it, and how to make one.
type Kind struct {
	Name   string
	Learns bool // takes labels in; without it Train does nothing
	// Read makes what the filter works on. It is called from several goroutines.
	Read func(ctx context.Context, in *Input) any
	New  func() Filter
	// Refit is the kind with a base that knows nothing but train, in place of the
	// shipped one; nil where there is no shipped base.
	Refit func(train []*Mail) Kind
}

// Mail is one labelled message, read.
type Mail struct {
	ID      string
	Corpus  string
	Label   string // ham, hardham, spam, phish, fraud
	Spam    bool   // the label is a bad one
	Part    string // of the split; "" where there is none
	Year    int    // 0 where unknown
	At      time.Time
	Subject string // hostile

	doc   any
	group string // near duplicates share it; "" where print tells
	print *fingerprint
}

// Judged is a message with what was made of it.
type Judged struct {
	*Mail
	Outcome
}

// Config is what Run needs.
type Config struct {
	Kind   Kind
	Source string  // what the mail is, for the report's first line
	Mail   []*Mail // that is judged, in the given order
	// Train, where there is any, is learned first, in random order, and nothing after
	// it. Without it the filter learns as it goes: each message is judged, then its
	// label is told.
	Train    []*Mail
	Order    trec.Order
	Seeds    []uint64
	Feedback trec.Feedback
	Samples  int // of the bootstrap; 500 where 0
	// CPU tells how much processor time the process has used; nil: nothing is said
	// of the cost of judging.
	CPU func() time.Duration
	// Step is called after each message judged; nil for nobody.
	Step func()
}

// Run tries the filter. It doesn't depend on the number of processors.
func Run(ctx context.Context, c Config) (*Report, error) {
	if len(c.Mail) == 0 {
		return nil, errors.New("trial: there is no labelled mail to judge")
	}
	if len(c.Train) > 0 && c.Feedback != (trec.Feedback{}) {
		return nil, errors.New("trial: what is trained beforehand gets no feedback later")
	}
	if len(c.Seeds) == 0 {
		c.Seeds = []uint64{1}
	}
	var runs [][]Judged
	next := 0 // seed
	var used time.Duration
	start := c.cpu()
	config := trec.Config{Name: c.Kind.Name, Order: c.Order, Seeds: c.Seeds, Feedback: c.Feedback, Samples: c.Samples,
		Read: func(_ context.Context, m *trec.Message) (any, error) {
			i, err := strconv.Atoi(m.ID)
			if err != nil {
				return nil, err
			}
			return c.Mail[i], nil
		},
		New: func() trec.Filter {
			runs = append(runs, make([]Judged, 0, len(c.Mail)))
			f := c.Kind.New()
			learn(f, c.Train, c.Seeds[next])
			next++
			return &recorder{filter: f, out: &runs[len(runs)-1], step: c.Step}
		}}
	for i, m := range c.Mail {
		config.Messages = append(config.Messages, trec.Message{ID: strconv.Itoa(i), Pool: m.Pool(), Spam: m.Spam, At: m.At})
	}
	if len(c.Train) > 0 || !c.Kind.Learns {
		config.Feedback = trec.Feedback{Delay: len(c.Mail)} // no label ever comes
	}
	measured, err := trec.Run(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	used = c.cpu() - start
	r := newReport(&c, measured, runs[len(runs)-1])
	if c.CPU != nil {
		r.Cost.Judge = used.Seconds() * 1000 / float64(len(c.Mail)*len(c.Seeds))
	}
	return r, nil
}

func (c *Config) cpu() time.Duration {
	if c.CPU == nil {
		return 0
	}
	return c.CPU()
}

// learn shows mail to the filter in random order.
func learn(f Filter, mail []*Mail, seed uint64) {
	for _, i := range rand.New(rand.NewPCG(seed, 5)).Perm(len(mail)) {
		f.Train(mail[i].doc, mail[i].Spam)
	}
}

// recorder is a filter for package trec that remembers what it said.
type recorder struct {
	filter Filter
	out    *[]Judged
	step   func()
}

func (r *recorder) Classify(doc any) (score, p float64) {
	m := doc.(*Mail)
	o := r.filter.Judge(m.doc)
	*r.out = append(*r.out, Judged{m, o})
	if r.step != nil {
		r.step()
	}
	return o.Score, o.P
}

func (r *recorder) Train(doc any, spam bool) {
	m := doc.(*Mail)
	r.filter.Train(m.doc, spam)
}

// Pool names the corpus and label that are reported together.
func (m *Mail) Pool() string { return m.Corpus + "/" + m.Label }
