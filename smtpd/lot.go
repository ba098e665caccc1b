package smtpd

import (
	"container/heap"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lot is where idle sessions are parked. A goroutine takes 2.5 kB even if it does
// nothing but wait, which is more than the rest of an idle session; so one
// goroutine waits for all of them. It only waits: whoever has got input or has
// reached its deadline goes on in a goroutine of its own.
type lot struct {
	mu     sync.Mutex
	file   *os.File // of epoll(7); nil: none yet
	fd     int
	closed bool
	seats  []*conn // by descriptor
	until  deadlines
	timer  *time.Timer
	done   chan struct{} // closed when the goroutine has ended
}

// seat is a session's place in the lot.
type seat struct {
	fd     int
	index  int  // in lot.until
	taken  bool // it is parked
	listed bool // epoll knows its descriptor
	until  time.Time
}

// park takes a session in until there is input, the deadline that it has armed, or
// a wake. It says false where that isn't possible.
func (l *lot) park(c *conn) bool {
	if !c.seat.listed {
		if c.raw.Control(func(fd uintptr) { c.seat.fd = int(fd) }) != nil {
			return false
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open() {
		return false
	}
	c.parkErr = nil
	for len(l.seats) <= c.seat.fd {
		l.seats = append(l.seats, nil)
	}
	l.seats[c.seat.fd] = c
	c.seat.taken = true
	heap.Push(&l.until, c)
	// Whoever sets one of these wakes the session afterwards.
	if c.srv.closing.Load() || c.giveWay.Load() {
		l.leave(c, os.ErrDeadlineExceeded)
		return true
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(c.seat.fd)}
	op := unix.EPOLL_CTL_ADD
	if c.seat.listed {
		op = unix.EPOLL_CTL_MOD
	}
	if unix.EpollCtl(l.fd, op, c.seat.fd, &ev) != nil {
		l.remove(c)
		return false
	}
	c.seat.listed = true
	if l.until[0] == c {
		l.arm(c.seat.until)
	}
	return true
}

// wake lets a parked session go on.
func (l *lot) wake(c *conn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.seat.taken {
		l.leave(c, err)
	}
}

func (l *lot) leave(c *conn, err error) {
	l.remove(c)
	c.parkErr = err
	go c.serve()
}

func (l *lot) remove(c *conn) {
	l.seats[c.seat.fd] = nil
	c.seat.taken = false
	heap.Remove(&l.until, c.seat.index)
}

// open begins to wait; l.mu is held.
func (l *lot) open() bool {
	if l.file != nil || l.closed {
		return !l.closed
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	// A descriptor that doesn't block is waited for by the runtime's own poller.
	_ = unix.SetNonblock(fd, true)
	l.file, l.fd, l.done = os.NewFile(uintptr(fd), "epoll"), fd, make(chan struct{})
	raw, err := l.file.SyscallConn()
	if err != nil {
		l.file.Close()
		l.file = nil
		return false
	}
	go l.watch(raw)
	return true
}

func (l *lot) watch(raw syscall.RawConn) {
	defer close(l.done)
	var events [128]unix.EpollEvent
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = ignoringEINTR(func() (int, error) { return unix.EpollWait(int(fd), events[:], 0) })
			return n > 0
		})
		if err != nil {
			return // closed
		}
		l.mu.Lock()
		for _, ev := range events[:max(n, 0)] {
			// A descriptor may have been taken over by another session meanwhile;
			// that one finds nothing and parks again.
			if c := l.seats[ev.Fd]; c != nil {
				l.leave(c, nil)
			}
		}
		l.mu.Unlock()
	}
}

// arm sets the timer; l.mu is held.
func (l *lot) arm(t time.Time) {
	d := max(time.Until(t), 0)
	if l.timer == nil {
		l.timer = time.AfterFunc(d, l.due)
		return
	}
	l.timer.Reset(d)
}

// due wakes the sessions whose deadline has come.
func (l *lot) due() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for len(l.until) > 0 {
		c := l.until[0]
		if now.Before(c.seat.until) {
			l.arm(c.seat.until)
			return
		}
		l.leave(c, os.ErrDeadlineExceeded)
	}
}

// close ends the waiting, once no session is left.
func (l *lot) close() {
	l.mu.Lock()
	l.closed = true
	file := l.file
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	if file != nil {
		file.Close()
		<-l.done
	}
}

// deadlines is a heap, the next one first.
type deadlines []*conn

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].seat.until.Before(d[j].seat.until) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].seat.index, d[j].seat.index = i, j
}
func (d *deadlines) Push(c any) {
	c.(*conn).seat.index = len(*d)
	*d = append(*d, c.(*conn))
}
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	c := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return c
}
