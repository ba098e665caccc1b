package online

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Config is what New needs; the zero value is a learner that knows nothing.
type Config struct {
	State *State // to go on from; the learner owns it from then on
	// Publish is how many labels at most are learned between two snapshots; 256
	// where 0. A snapshot is also made whenever no label waits.
	Publish int
	// Queue is how many labels may wait; 64 where 0.
	Queue int
}

// Learner learns in a goroutine of its own. Readers take Model, which never makes
// them wait. It is safe for concurrent use.
type Learner struct {
	config Config
	state  *State
	model  atomic.Pointer[Model]
	work   chan task
	quit   chan struct{}
	done   chan struct{}
	once   sync.Once
}

// task is a label to learn, or something to do between two labels.
type task struct {
	label Label
	do    func(*State) error
	state *State       // takes the place of the learner's
	done  chan<- error // of do and state; room for one
}

// ErrClosed is what a closed learner answers.
var ErrClosed = errors.New("online: the learner is closed")

// New starts a learner. Close ends it.
func New(c Config) *Learner {
	if c.State == nil {
		c.State = NewState()
	}
	if c.Publish <= 0 {
		c.Publish = 256
	}
	if c.Queue <= 0 {
		c.Queue = 64
	}
	l := &Learner{config: c, state: c.State, work: make(chan task, c.Queue), quit: make(chan struct{}), done: make(chan struct{})}
	l.model.Store(l.state.Model())
	go l.run()
	return l
}

// Model returns the newest snapshot.
func (l *Learner) Model() *Model { return l.model.Load() }

// Learn hands over one label, and waits only where the queue is full. Labels of
// one caller are learned in their order.
func (l *Learner) Learn(ctx context.Context, label Label) error {
	return l.send(ctx, task{label: label})
}

// Do runs f between two labels, after all that were handed over before, and returns
// its error. f must not keep the state.
func (l *Learner) Do(ctx context.Context, f func(*State) error) error {
	return l.wait(ctx, task{do: f})
}

// Replace puts s in the place of the state, between two labels, after all that
// were handed over before. From then on the learner owns s. Readers go from the
// last snapshot of the one state to the first of the other in one step; it is
// there when Replace returns. This is how a label is taken back: load the snapshot
// before it, learn the log without it, replace. Labels that come while that goes on
// are the caller's to hold back, or to learn into s as well.
func (l *Learner) Replace(ctx context.Context, s *State) error {
	return l.wait(ctx, task{state: s})
}

// wait hands over t and waits until it is done.
func (l *Learner) wait(ctx context.Context, t task) error {
	done := make(chan error, 1)
	t.done = done
	if err := l.send(ctx, t); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
		select {
		case err := <-done:
			return err
		default:
			return ErrClosed
		}
	}
}

// Flush waits until all that was handed over before is learned and in Model.
func (l *Learner) Flush(ctx context.Context) error {
	return l.Do(ctx, func(s *State) error {
		l.model.Store(s.Model())
		return nil
	})
}

// Close learns what waits and ends the learner. Its last Model stays.
func (l *Learner) Close() {
	l.once.Do(func() { close(l.quit) })
	<-l.done
}

func (l *Learner) send(ctx context.Context, t task) error {
	select {
	case <-l.quit:
		return ErrClosed
	default:
	}
	select {
	case l.work <- t:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.quit:
		return ErrClosed
	}
}

func (l *Learner) run() {
	defer close(l.done)
	news := 0 // labels that Model doesn't know
	publish := func() {
		if news > 0 {
			l.model.Store(l.state.Model())
			news = 0
		}
	}
	handle := func(t task) {
		switch {
		case t.do != nil:
			err := t.do(l.state)
			news++ // it may have changed what it was given
			t.done <- err
			return
		case t.state != nil:
			l.state, news = t.state, 0
			l.model.Store(l.state.Model())
			t.done <- nil
			return
		}
		l.state.Learn(t.label)
		if news++; news >= l.config.Publish {
			publish()
		}
	}
	for {
		select {
		case t := <-l.work:
			handle(t)
			continue
		default:
			publish()
		}
		select {
		case t := <-l.work:
			handle(t)
		case <-l.quit:
			for { // what waits
				select {
				case t := <-l.work:
					handle(t)
					continue
				default:
				}
				publish()
				return
			}
		}
	}
}
