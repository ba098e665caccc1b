// Package pool keeps a few connections to a server: bounded, with a bounded queue
// before them, closed when nobody needs them.
package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/directory"
)

// Conn is a connection that a pool can keep.
type Conn interface {
	// Usable says, without waiting, whether it can serve once more.
	Usable() bool
	// Bye closes it with the protocol's good manners, without waiting.
	Bye()
	// Drop closes it at once.
	Drop()
}

// Config says how much.
type Config[C Conn] struct {
	Dial     func(ctx context.Context) (C, error)
	MaxConns int
	MaxQueue int           // callers that wait for a connection; more get [directory.ErrBusy]
	MaxIdle  time.Duration // then an unused connection is closed
}

// Pool keeps connections. It is safe for concurrent use.
type Pool[C Conn] struct {
	cfg     Config[C]
	slots   chan struct{} // one for each connection in use
	waiting atomic.Int64

	mu     sync.Mutex
	idle   []kept[C] // the one used last at the end
	reaper *time.Timer
	closed bool
}

type kept[C Conn] struct {
	conn  C
	since time.Time
}

// New makes a pool without connections.
func New[C Conn](cfg Config[C]) *Pool[C] {
	return &Pool[C]{cfg: cfg, slots: make(chan struct{}, cfg.MaxConns)}
}

// Take gives a connection, which the caller gives back by [Pool.Give]. It says
// whether it was kept from before: one that fails then may have ended while nobody
// looked, and the caller may try once more with a fresh one.
func (p *Pool[C]) Take(ctx context.Context, fresh bool) (conn C, reused bool, err error) {
	if err := p.wait(ctx); err != nil {
		return conn, false, err
	}
	for !fresh {
		c, ok := p.pop()
		if !ok {
			break
		}
		if c.Usable() {
			return c, true, nil
		}
		c.Drop()
	}
	if conn, err = p.cfg.Dial(ctx); err != nil {
		<-p.slots
	}
	return conn, false, err
}

func (p *Pool[C]) wait(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > int64(p.cfg.MaxQueue) {
		return directory.ErrBusy
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		// Those before us were slow, but the time that ends is ours.
		return errors.Join(directory.ErrBusy, ctx.Err())
	}
}

func (p *Pool[C]) pop() (c C, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return c, false
	}
	c = p.idle[len(p.idle)-1].conn
	p.idle = p.idle[:len(p.idle)-1]
	return c, true
}

// Give takes a connection back, to keep it or to drop it.
func (p *Pool[C]) Give(c C, keep bool) {
	defer func() { <-p.slots }()
	if !keep {
		c.Drop()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Bye()
		return
	}
	p.idle = append(p.idle, kept[C]{c, time.Now()})
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.cfg.MaxIdle, p.reap)
	}
}

// Retire takes a connection back that has done its part.
func (p *Pool[C]) Retire(c C) {
	c.Bye()
	<-p.slots
}

func (p *Pool[C]) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.idle = slices.DeleteFunc(p.idle, func(k kept[C]) bool {
		if now.Sub(k.since) < p.cfg.MaxIdle {
			return false
		}
		k.conn.Bye()
		return true
	})
	p.reaper = nil
	if len(p.idle) > 0 && !p.closed {
		p.reaper = time.AfterFunc(p.idle[0].since.Add(p.cfg.MaxIdle).Sub(now), p.reap)
	}
}

// Close ends the connections that are kept; those in use end when they are given
// back.
func (p *Pool[C]) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	for _, k := range p.idle {
		k.conn.Bye()
	}
	p.idle = nil
}
