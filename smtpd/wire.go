package smtpd

// This file is the session's end of the wire: deadlines, reads, writes, parking. What is
// said over it is in conn.go.

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sluice"
)

// deadline is when the wait for input that began at now must end. It doesn't move
// with single octets: a command has its total, a message its rate.
func (c *conn) deadline(now time.Time) time.Time {
	t := &c.set.timeouts
	if c.srv.stressed(c.set) {
		t = &c.set.timeoutsStressed
	}
	var d time.Time
	switch {
	case c.m.Receiving():
		d = now.Add(t.DataIdle)
		got := time.Duration(c.m.Offset() - c.xferOn)
		d = earlier(d, c.xferAt.Add(t.DataGrace+got*time.Second/time.Duration(t.MinRate)))
		d = earlier(d, c.xferAt.Add(t.Data))
	case c.m.refused: // only QUIT is left, and the time for it is total
		d = c.refusedAt.Add(t.Refused)
	case !c.partAt.IsZero():
		d = c.partAt.Add(t.Command)
	default:
		d = now.Add(t.Idle)
	}
	return earlier(d, c.info.Start.Add(t.Session))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// direct says whether the session reads from the descriptor itself.
func (c *conn) direct() bool { return c.raw != nil && c.nc == c.tcp }

// read waits for octets until the deadline and puts them into c.in.
func (c *conn) read(deadline time.Time) error {
	defer c.waits.Store(false)
	if !c.arm(deadline) {
		return os.ErrDeadlineExceeded
	}
	if c.direct() {
		// The buffer is borrowed only once there is something to read.
		if err := c.raw.Read(c.tryFn); err != nil {
			return err
		}
		return c.err
	}
	b := c.small
	if c.m.Receiving() {
		c.buf = c.srv.bufs.Get().(*[]byte)
		b = *c.buf
	} else if b == nil {
		b = make([]byte, 1024)
		c.small = b
	}
	n, err := c.nc.Read(b)
	c.in = b[:n]
	if n > 0 {
		return nil
	}
	return err
}

// arm sets the deadline for a wait and says whether to wait at all. Shutdown sets
// closing and then wakes those who wait; whoever comes here later sees closing. So
// does one who takes a session's place with giveWay.
func (c *conn) arm(deadline time.Time) bool {
	idle := !c.m.InTransaction()
	c.waits.Store(idle)
	c.seat.until = deadline
	// An error means that the connection is closed; the read will say so.
	_ = c.tcp.SetReadDeadline(deadline)
	return !idle || !c.srv.closing.Load() && !c.giveWay.Load()
}

// tryRead reads what is there; false means wait until the descriptor is readable.
func (c *conn) tryRead(fd uintptr) bool {
	b := c.srv.bufs.Get().(*[]byte)
	n, err := ignoringEINTR(func() (int, error) { return syscall.Read(int(fd), *b) })
	if err == syscall.EAGAIN {
		c.srv.bufs.Put(b)
		return false
	}
	if n > 0 {
		c.buf, c.in, c.err = b, (*b)[:n], nil
		return true
	}
	c.srv.bufs.Put(b)
	if c.err = err; err == nil {
		c.err = io.EOF
	}
	return true
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// giveBack returns the read buffer once all its octets are taken.
func (c *conn) giveBack() {
	c.in = nil
	if c.buf != nil {
		c.srv.bufs.Put(c.buf)
		c.buf = nil
	}
}

// park waits for input or the deadline where the lot can't, then goes on with the
// session. A stack that a session's work has grown hardly gets small again; so an
// idle session leaves it and waits on a new one.
func (c *conn) park() {
	c.parkErr = c.raw.Read(readable)
	c.serve()
}

// readable says whether a read wouldn't wait.
func readable(fd uintptr) bool {
	var b byte
	_, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return e != syscall.EAGAIN && e != syscall.EINTR
}

// wake interrupts a wait for input outside a transaction.
func (c *conn) wake() {
	if c.waits.Load() {
		_ = c.tcp.SetReadDeadline(longAgo)
		c.srv.lot.wake(c, os.ErrDeadlineExceeded)
	}
}

// longAgo is a deadline that ends a wait at once.
var longAgo = time.Unix(1, 0)

// cut closes the connection under the session.
func (c *conn) cut() {
	c.tcp.Close()
	c.srv.lot.wake(c, net.ErrClosed)
}

// early looks for octets that came before our reply.
func (c *conn) early() []byte {
	if len(c.in) > 0 {
		return c.in
	}
	// Inside TLS octets on the wire needn't be input.
	if !c.direct() {
		return nil
	}
	var b [maxDetail]byte
	n := 0
	_ = c.raw.Control(func(fd uintptr) {
		n, _ = ignoringEINTR(func() (int, error) { return peek(int(fd), b[:]) })
	})
	return b[:max(n, 0)]
}

// readNow puts what has come into c.in without waiting for more. That something
// is wrong with the connection shows later.
func (c *conn) readNow() {
	if len(c.in) == 0 && c.direct() {
		_ = c.raw.Control(func(fd uintptr) { c.tryRead(fd) })
	}
}

func peek(fd int, b []byte) (int, error) {
	n, _, err := unix.Recvfrom(fd, b, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n, err
}

// flush sends the replies and says whether that worked.
func (c *conn) flush() bool { return c.write(c.m.TakeOutput()) }

// write sends octets and says whether that worked. Mostly the socket takes them
// at once, and there is no deadline to set.
func (c *conn) write(out []byte) bool {
	if len(out) == 0 {
		return true
	}
	if c.direct() {
		n, err := writeNow(c.raw, out)
		if err != nil || n == len(out) {
			return err == nil
		}
		out = out[n:]
	}
	t := &c.set.timeouts
	if c.srv.stressed(c.set) {
		t = &c.set.timeoutsStressed
	}
	if c.nc.SetWriteDeadline(time.Now().Add(t.Write)) != nil {
		return false
	}
	_, err := c.nc.Write(out)
	return err == nil
}

// slowly says whether the replies go out through the tarpit. Where that is full
// they go out at once and the session ends; under stress nobody is worth a place.
func (c *conn) slowly() bool {
	if !c.m.TakeSlow() || c.srv.stressed(c.set) || c.srv.closing.Load() {
		return false
	}
	if !c.srv.slow.enter(c.set.Limits.Slow) {
		if c.m.state != stateClosed {
			c.m.Shut(tooMany, sluice.EndedRefused)
		}
		return false
	}
	c.srv.stats.slowed.Add(1)
	c.dropBody()
	c.giveBack()
	c.drip.out, c.drip.steps, c.drip.pace = c.m.TakeOutput(), slowSteps, c.set.timeouts.Slow/slowSteps
	c.stage = stageDrip
	return true
}

// endDrip sends what is left of a slow reply, and says whether that worked.
func (c *conn) endDrip() bool {
	if c.drip.steps == 0 && c.drip.pace == 0 {
		return true
	}
	out := c.drip.out
	c.drip = drip{}
	c.srv.slow.count.Add(-1)
	return c.write(out)
}

// linger lets the last reply arrive: closing a socket with unread input makes the
// kernel send a reset, which can overtake the reply. What comes is read and thrown
// away, for a moment and to a bound.
func (c *conn) linger(ended string) {
	if ended != sluice.EndedRefused || !c.direct() {
		return
	}
	unread := c.unread()
	if !unread && (c.violations == 0 || c.lastViolation == EarlyTalker) {
		// One that waits for our words isn't sending, and what an early talker had
		// to say has been read.
		return
	}
	half, ok := c.tcp.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.tcp.SetReadDeadline(time.Now().Add(500*time.Millisecond)) != nil {
		return
	}
	b := c.srv.bufs.Get().(*[]byte)
	defer c.srv.bufs.Put(b)
	for total := 0; total < 1<<20; {
		n, err := c.tcp.Read(*b)
		if err != nil {
			return
		}
		total += n
	}
}

// unread says whether octets have come that nobody has read.
func (c *conn) unread() (some bool) {
	_ = c.raw.Control(func(fd uintptr) {
		var b [1]byte
		n, err := ignoringEINTR(func() (int, error) { return peek(int(fd), b[:]) })
		some = n > 0 && err == nil
	})
	return some
}

// whileConnected returns a context that ends when the client goes away while the
// gate is at work, so that a message nobody waits for isn't delivered twice. The
// watch begins after a second: most messages are done by then.
func (c *conn) whileConnected(ctx context.Context) (context.Context, func()) {
	if c.raw == nil || len(c.in) > 0 { // the client has gone on to its next command
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	timer := time.AfterFunc(time.Second, func() {
		defer close(done)
		var b [1]byte
		err := c.raw.Read(func(fd uintptr) bool {
			n, err := ignoringEINTR(func() (int, error) { return peek(int(fd), b[:]) })
			switch {
			case err == syscall.EAGAIN:
				return false
			case err != nil:
				cancel(err)
			case n == 0:
				cancel(io.EOF)
			}
			return true // input that waits for its turn: the client is there
		})
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel(err)
		}
	})
	_ = c.tcp.SetReadDeadline(time.Time{})
	return ctx, func() {
		if !timer.Stop() {
			_ = c.tcp.SetReadDeadline(longAgo)
			<-done
		}
		cancel(nil)
	}
}
