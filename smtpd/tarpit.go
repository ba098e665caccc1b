package smtpd

import (
	"sync"
	"sync/atomic"
	"time"
)

// slowSteps is in how many steps a slow reply goes out: an octet each, the rest
// with the last. With the default time the three digits that a bot waits for take
// ten seconds, and no read of its own times out meanwhile. More steps would cost
// more than the bot: writing is nearly all that a tarpit does.
const slowSteps = 6

// tarpit sends replies slowly. A session in it has no goroutine: one timer serves
// all, and the queue is in order since all wait the same time.
type tarpit struct {
	count atomic.Int64

	mu          sync.Mutex
	first, last *conn
	timer       *time.Timer
}

// drip is a reply on its way through the tarpit.
type drip struct {
	out   []byte // what is left of it
	steps int    // to go
	pace  time.Duration
	due   time.Time
	next  *conn
}

// enter takes a place; false means that all are taken.
func (t *tarpit) enter(most int) bool {
	if t.count.Add(1) > int64(most) {
		t.count.Add(-1)
		return false
	}
	return true
}

// add puts a session in whose drip is set; its goroutine ends.
func (t *tarpit) add(c *conn) {
	c.drip.due = time.Now().Add(c.drip.pace)
	t.mu.Lock()
	defer t.mu.Unlock()
	c.drip.next = nil
	if c.srv.closing.Load() || c.srv.stressed(c.set) { // release has been here, or will be
		go c.serve()
		return
	}
	if t.last != nil {
		t.last.drip.next = c
		t.last = c
		return
	}
	t.first, t.last = c, c
	t.arm(c.drip.pace)
}

// arm sets the timer; t.mu is held.
func (t *tarpit) arm(d time.Duration) {
	if t.timer == nil {
		t.timer = time.AfterFunc(d, t.tick)
		return
	}
	t.timer.Reset(d)
}

// tick sends an octet of each reply that is due, and a little ahead of time those
// that would be next.
func (t *tarpit) tick() {
	for {
		now := time.Now()
		t.mu.Lock()
		c := t.first
		if c == nil {
			t.mu.Unlock()
			return
		}
		if wait := c.drip.due.Sub(now); wait > c.drip.pace/16 {
			t.arm(wait)
			t.mu.Unlock()
			return
		}
		if t.first = c.drip.next; t.first == nil {
			t.last = nil
		}
		t.mu.Unlock()
		c.drop()
	}
}

// release lets all sessions go on: the server is under stress or stops.
func (t *tarpit) release() {
	t.mu.Lock()
	c := t.first
	t.first, t.last = nil, nil
	t.mu.Unlock()
	for c != nil {
		next := c.drip.next
		c.drip.next = nil
		go c.serve()
		c = next
	}
}

// drop sends the next octet of the session's slow reply. The last step is the
// session's own.
func (c *conn) drop() {
	d := &c.drip
	if d.steps--; d.steps <= 0 || len(d.out) < 2 || c.srv.closing.Load() {
		go c.serve()
		return
	}
	if !c.direct() {
		// TLS and whatever has no descriptor may have to wait.
		go func() {
			if c.nc.SetWriteDeadline(time.Now().Add(d.pace)) == nil {
				if _, err := c.nc.Write(d.out[:1]); err == nil {
					d.out = d.out[1:]
					c.srv.slow.add(c)
					return
				}
			}
			c.serve() // it will see what is wrong
		}()
		return
	}
	n, err := writeNow(c.raw, d.out[:1])
	if err != nil {
		go c.serve()
		return
	}
	d.out = d.out[n:]
	c.srv.slow.add(c)
}
