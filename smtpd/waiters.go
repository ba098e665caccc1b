package smtpd

import "time"

// waiters are the sessions that wait for input outside a transaction. Those that
// have just begun to wait still stand on the stack that their work has grown; the
// sweep parks them. Server.mu guards it.
type waiters struct {
	fresh, idle queue
	sweep       func()
	timer       *time.Timer
	sweeping    bool
}

// queue is a list through the sessions themselves, the longest waiting first.
type queue struct{ first, last *conn }

// links are a session's place in a queue.
type links struct {
	in         *queue
	prev, next *conn
	since      time.Time // when the wait began
}

// push puts a session in its place, which is nearly always the last.
func (q *queue) push(c *conn) {
	before := q.last
	for before != nil && before.links.since.After(c.links.since) {
		before = before.links.prev
	}
	after := q.first
	if before != nil {
		after = before.links.next
		before.links.next = c
	} else {
		q.first = c
	}
	if after != nil {
		after.links.prev = c
	} else {
		q.last = c
	}
	c.links.in, c.links.prev, c.links.next = q, before, after
}

func (w *waiters) remove(c *conn) {
	q := c.links.in
	if q == nil {
		return
	}
	if c.links.prev != nil {
		c.links.prev.links.next = c.links.next
	} else {
		q.first = c.links.next
	}
	if c.links.next != nil {
		c.links.next.links.prev = c.links.prev
	} else {
		q.last = c.links.prev
	}
	c.links.in, c.links.prev, c.links.next = nil, nil, nil
}

// longest takes the unknown session out that has been idle longest, nil where
// there is none.
func (w *waiters) longest() *conn {
	for _, q := range [...]*queue{&w.idle, &w.fresh} {
		for c := q.first; c != nil; c = c.links.next {
			if !c.known {
				w.remove(c)
				return c
			}
		}
	}
	return nil
}

// waits enters a session that begins to wait.
func (s *Server) waits(c *conn, now time.Time, parkable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.waiters
	w.remove(c)
	c.links.since = now
	if !parkable {
		if !c.known {
			w.idle.push(c)
		}
		return
	}
	w.fresh.push(c)
	if !w.sweeping {
		w.sweeping = true
		if w.timer == nil {
			w.timer = time.AfterFunc(parkAfter, w.sweep)
		} else {
			w.timer.Reset(parkAfter)
		}
	}
}

// parks enters a session that is parked: it has been idle since then. Known ones
// give way to nobody.
func (s *Server) parks(c *conn, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.links.in == &s.waiters.idle {
		return // back from a look at its deadline
	}
	s.waiters.remove(c)
	c.links.since = since
	if !c.known {
		s.waiters.idle.push(c)
	}
}

// goesOn takes a session out that has got input.
func (s *Server) goesOn(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters.remove(c)
}

// sweep wakes sessions that have waited for a while, so that they park. One timer
// for all is cheaper than a deadline for each, which most sessions would move
// before it comes.
func (s *Server) sweep() {
	now := time.Now()
	var due []*conn
	s.mu.Lock()
	w := &s.waiters
	for c := w.fresh.first; c != nil && now.Sub(c.links.since) >= parkAfter; c = w.fresh.first {
		w.remove(c)
		due = append(due, c)
	}
	if w.sweeping = w.fresh.first != nil; w.sweeping {
		w.timer.Reset(max(parkAfter-now.Sub(w.fresh.first.links.since), parkAfter/4))
	}
	s.mu.Unlock()
	for _, c := range due {
		c.wake()
	}
}
