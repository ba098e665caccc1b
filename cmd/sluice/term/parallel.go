package term

import (
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
)

// InOrder runs do on up to jobs inputs at a time (0: one a processor) and gives
// the results to emit in the order of the inputs. What is read ahead is bounded
// by jobs. It stops at emit's first error or when ctx ends.
func InOrder[In, Out any](ctx context.Context, jobs int, inputs iter.Seq[In], do func(In) Out, emit func(Out) error) error {
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pending := make(chan chan Out, jobs-1) // with the one being emitted: jobs under way
	go func() {
		defer close(pending)
		for in := range inputs {
			done := make(chan Out, 1)
			select {
			case pending <- done:
			case <-ctx.Done():
				return
			}
			go func() { done <- do(in) }()
		}
	}()
	for done := range pending {
		if err := emit(<-done); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Each yields the values of a list.
func Each[T any](list []T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, v := range list {
			if !yield(v) {
				return
			}
		}
	}
}

// Progress counts on a terminal and is silent elsewhere.
type Progress struct {
	w     io.Writer
	total int // 0: unknown
	n     int
}

// ProgressOn counts on w up to total, which is 0 where it is unknown.
func ProgressOn(w io.Writer, total int) *Progress {
	if !IsTerminal(w) {
		w = nil
	}
	return &Progress{w: w, total: total}
}

// Step counts one.
func (p *Progress) Step() {
	if p.n++; p.w != nil && p.n%50 == 0 {
		p.write()
	}
}

// End writes the last count.
func (p *Progress) End() {
	if p.w != nil && p.n >= 50 {
		p.write()
		fmt.Fprintln(p.w)
	}
}

func (p *Progress) write() {
	if p.total > 0 {
		fmt.Fprintf(p.w, "\r%d of %d messages", p.n, p.total)
	} else {
		fmt.Fprintf(p.w, "\r%d messages", p.n)
	}
}
