// Package trec runs the protocol of the TREC spam track (Cormack and Lynam 2005)
// on a filter: each message is classified first and trained on later, in the given
// order, by time, or in a seeded random one; labels come at once, late, seldom or
// partly wrong.
package trec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Message is one labelled message.
type Message struct {
	ID   string
	Pool string // corpus and label, for the table by corpus
	Spam bool
	At   time.Time // zero where unknown: before all others in the order of time
}

// Filter is what is judged. Documents are what Config.Read made of messages.
type Filter interface {
	// Classify returns a score, higher for spam, and the probability of spam.
	Classify(doc any) (score, p float64)
	Train(doc any, spam bool)
}

// Order is the order of messages.
type Order string

// The orders.
const (
	Given  Order = "given"
	Time   Order = "time"
	Random Order = "random"
)

// Feedback says how labels come. The zero value is the perfect teacher: every
// label at once, and right.
type Feedback struct {
	Delay int     `json:"delay"` // messages between one and its label; the last labels never come
	Share float64 `json:"share"` // of messages that ever get a label; 0 means all
	Noise float64 `json:"noise"` // share of the labels that are wrong
}

// Config is what Run needs.
type Config struct {
	Name     string // of the filter, for the report
	Messages []Message
	// Read makes the document that the filter works on. It is called once for each
	// message, from several goroutines.
	Read func(context.Context, *Message) (any, error)
	// New returns a filter for a run.
	New      func() Filter
	Order    Order    // Given where empty
	Seeds    []uint64 // a run for each; one run with seed 1 where empty
	Feedback Feedback
	Samples  int // of the bootstrap; 500 where 0
}

// Run judges the filter. A message that can't be read ends it.
func Run(ctx context.Context, c Config) (*Report, error) {
	switch c.Order {
	case "":
		c.Order = Given
	case Given, Time, Random:
	default:
		return nil, fmt.Errorf("trec: no order %q", c.Order)
	}
	f := &c.Feedback
	if f.Share == 0 {
		f.Share = 1
	}
	if f.Delay < 0 || f.Share < 0 || f.Share > 1 || f.Noise < 0 || f.Noise > 1 {
		return nil, errors.New("trec: feedback out of range")
	}
	if len(c.Seeds) == 0 {
		c.Seeds = []uint64{1}
	}
	if c.Samples == 0 {
		c.Samples = 500
	}
	docs, err := readAll(ctx, &c)
	if err != nil {
		return nil, err
	}
	r := &Report{Filter: c.Name, Order: c.Order, Feedback: c.Feedback}
	for _, seed := range c.Seeds {
		scored, trained, err := c.run(ctx, docs, seed)
		if err != nil {
			return nil, err
		}
		out := measure(scored, c.Samples, seed)
		out.Seed, out.Trained = seed, trained
		r.Runs = append(r.Runs, out)
	}
	r.sum()
	return r, nil
}

// readAll reads all messages, some at a time.
func readAll(ctx context.Context, c *Config) ([]any, error) {
	docs := make([]any, len(c.Messages))
	errs := make([]error, len(c.Messages))
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				if errs[i] = ctx.Err(); errs[i] == nil {
					docs[i], errs[i] = c.Read(ctx, &c.Messages[i])
				}
			}
		})
	}
	for i := range c.Messages {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := firstOf(errs); err != nil {
		return nil, fmt.Errorf("trec: %w", err)
	}
	return docs, nil
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// scored is a message as it was classified, before its label was known.
type scored struct {
	m        *Message
	score, p float64
}

func (c *Config) run(ctx context.Context, docs []any, seed uint64) (out []scored, trained int, err error) {
	order := make([]int, len(c.Messages))
	for i := range order {
		order[i] = i
	}
	switch c.Order {
	case Time:
		slices.SortStableFunc(order, func(a, b int) int { return c.Messages[a].At.Compare(c.Messages[b].At) })
	case Random:
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	}
	teacher := rand.New(rand.NewPCG(seed, 2))
	filter := c.New()
	out = make([]scored, 0, len(order))
	for k, i := range order {
		if err := ctx.Err(); err != nil {
			return nil, 0, fmt.Errorf("trec: %w", err)
		}
		s := scored{m: &c.Messages[i]}
		s.score, s.p = filter.Classify(docs[i])
		out = append(out, s)
		if k < c.Feedback.Delay {
			continue
		}
		i := order[k-c.Feedback.Delay]
		// Both are drawn each time: other shares and noises meet the same stream.
		label, wrong := teacher.Float64() < c.Feedback.Share, teacher.Float64() < c.Feedback.Noise
		if label {
			filter.Train(docs[i], c.Messages[i].Spam != wrong)
			trained++
		}
	}
	return out, trained, nil
}
