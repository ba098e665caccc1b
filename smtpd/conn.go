package smtpd

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/spool"
)

// conn is one connection. An idle one must stay small: it holds no buffer and no
// timer of its own, and waits at a shallow depth of stack.
type conn struct {
	srv  *Server
	set  *settings
	tcp  net.Conn        // as accepted
	nc   net.Conn        // tcp, or TLS on it
	raw  syscall.RawConn // of tcp; nil where it has no descriptor
	sess sluice.Session
	m    Machine
	info sluice.Conn

	in     []byte  // octets read and not yet taken; a piece of *buf
	buf    *[]byte // borrowed while there is input
	small  []byte  // the read buffer for commands where there is no descriptor to wait for
	err    error   // of the last read
	tryFn  func(fd uintptr) bool
	body   *spool.Buffer
	waits  atomic.Bool // waits for input outside a transaction: Shutdown may wake it
	waitAt time.Time   // when the wait for input began; zero: none
	partAt time.Time   // when the command line began that isn't complete; zero: none
	xferAt time.Time   // when the message transfer began; zero: none
	xferOn int64       // and at which octet

	wasParked bool // and has just come back

	rcpts, messages, violations int
	lastViolation               sluice.Reason
}

func newConn(s *Server, set *settings, nc net.Conn) *conn {
	c := &conn{srv: s, set: set, tcp: nc, nc: nc}
	cfg := &set.machine
	if s.stressed(set) {
		cfg = &set.machineStressed
	}
	c.m = *NewMachine(cfg)
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
			c.tryFn = c.tryRead
		}
	}
	c.info = sluice.Conn{
		ID:              newID(),
		Client:          addrPort(nc.RemoteAddr()),
		Local:           addrPort(nc.LocalAddr()),
		Start:           time.Now(),
		Door:            s.door,
		AlreadyAccepted: set.AlreadyAccepted,
	}
	if set.Trusted != nil {
		c.info.Trusted = set.Trusted(c.info.Client.Addr())
	}
	return c
}

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID returns 80 random bits in 16 characters that are safe everywhere.
func newID() string {
	var b [10]byte
	rand.Read(b[:])
	return idEncoding.EncodeToString(b[:])
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// parked is what converse says of a session that has been idle for a while. It
// goes on in a goroutine of its own.
const parked = "parked"

// parkAfter is how long a session waits before it is parked: longer than a client
// nearby takes, so that only idle sessions and slow lines pay for the second
// goroutine (some microseconds), and short, so that the memory of a crowd that
// connects at once is never there at once.
const parkAfter = 20 * time.Millisecond

// serve runs the session until it ends or is parked. Nothing that goes wrong in it
// reaches other sessions.
func (c *conn) serve() {
	// A failing disk under a mapped message is a fault; make it a panic.
	debug.SetPanicOnFault(true)
	ended := sluice.EndedPanic
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
		}
		if ended == parked {
			go c.park()
			return
		}
		c.dropBody()
		c.giveBack()
		c.closeSession(ended)
		c.nc.Close() // with TLS this says goodbye first
		c.srv.forget(c)
	}()
	ended = c.converse(c.srv.base)
}

// park waits for input or the deadline, then goes on with the session. A stack
// that a session's work has grown hardly gets small again; so an idle session
// leaves it and waits on a new one. That has 2 kB as long as nothing deep is
// called here, and as long as the runtime, which begins new stacks at the average
// of the present ones, sees mostly idle sessions.
func (c *conn) park() {
	_ = c.raw.Read(readable)
	c.serve()
}

// readable says whether a read wouldn't wait.
func readable(fd uintptr) bool {
	var b byte
	_, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return e != syscall.EAGAIN && e != syscall.EINTR
}

// panicked is the recover barrier: the peer is told to come again, the operator
// gets the stack.
func (c *conn) panicked(p any) {
	c.srv.stats.panics.Add(1)
	c.srv.log.Error("smtp: session panicked", "reason", "INTERNAL_PANIC", "conn", c.info.ID,
		"client", c.info.Client.String(), "panic", printable(toString(p)), "stack", string(debug.Stack()))
	_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.nc.Write([]byte("421 4.3.0 Local trouble, not your fault; please try again later\r\n"))
}

func toString(p any) string {
	switch p := p.(type) {
	case error:
		return p.Error()
	case string:
		return p
	}
	return "panic value of another type"
}

// closeSession ends the gate's session and writes the session's log line. A gate
// that panics here too must not take the process down.
func (c *conn) closeSession(ended string) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(p)
		}
	}()
	if c.sess != nil {
		c.sess.Close(ended)
	}
	attrs := []slog.Attr{
		slog.String("conn", c.info.ID),
		slog.String("client", c.info.Client.String()),
		slog.String("hello", printable(c.info.Hello.Name)),
		slog.Int("commands", c.m.commands),
		slog.Int("rcpts", c.rcpts),
		slog.Int("messages", c.messages),
		slog.Int("errors", c.m.errors+c.m.refusals),
		slog.Int64("octets", c.m.off),
		slog.String("ended", ended),
		slog.Duration("took", time.Since(c.info.Start)),
	}
	if c.info.TLS != nil {
		attrs = append(attrs, slog.String("tls", c.info.TLS.Version))
	}
	if c.violations > 0 {
		attrs = append(attrs, slog.Int("violations", c.violations), slog.String("violation", string(c.lastViolation)))
	}
	c.srv.log.LogAttrs(c.srv.base, slog.LevelInfo, "smtp session", attrs...)
}

// printable makes hostile text fit for logs: printable ASCII, bounded.
func printable(s string) string {
	const most = 300
	if len(s) > most {
		s = s[:most] + "..."
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			q := strconv.QuoteToASCII(s)
			return q[1 : len(q)-1]
		}
	}
	return s
}

// converse drives the machine until the connection ends, and says how.
func (c *conn) converse(ctx context.Context) string {
	for {
		n, ev := c.m.Next(c.in)
		c.in = c.in[n:]
		switch ev.Kind {
		case NeedInput:
			if ended, ok := c.needInput(ctx); !ok {
				return ended
			}
		case Flush:
			if !c.flush() {
				return c.lost(ctx)
			}
		case StartTLS:
			if ended, ok := c.startTLS(ctx, ev); !ok {
				return ended
			}
		case Closed:
			c.flush()
			c.linger(ev.Ended)
			return ev.Ended
		default:
			c.handle(ctx, ev)
		}
	}
}

// handle answers an event that concerns the gate.
func (c *conn) handle(ctx context.Context, ev Event) {
	if ev.Reset {
		c.sess.Reset()
	}
	switch ev.Kind {
	case Sync:
		c.m.Synced(c.early(c.m.sync == syncGreeting))
	case Connect:
		sess, r := c.srv.gate.Open(ctx, &c.info)
		c.sess = sess
		c.m.Answer(r)
	case Hello:
		c.info.Hello = sluice.Hello{Verb: strings.Clone(ev.Hello.Verb), Name: ev.Hello.Name}
		if c.set.Extensions != nil {
			c.m.Offer(c.set.Extensions(ctx))
		}
		c.m.Answer(c.sess.Hello(ctx))
	case Mail:
		if c.srv.closing.Load() {
			c.m.Answer(shuttingDown)
			return
		}
		c.m.Answer(c.sess.Mail(ctx, ev.Address, ev.Params))
	case Rcpt:
		r := c.sess.Rcpt(ctx, ev.Address, ev.Params)
		if r.Positive() {
			c.rcpts++
		}
		c.m.Answer(r)
	case Data:
		if c.srv.spool.Full() {
			c.m.Answer(noRoom)
			return
		}
		c.m.Answer(c.sess.Data(ctx))
	case Content:
		c.content(ev.Content)
	case Message:
		c.m.Answer(c.message(ctx))
		c.dropBody()
	case Violation:
		c.dropBody()
		c.m.Answer(c.violation(ctx, ev.Violation))
	case Reset:
		c.dropBody()
		c.sess.Reset()
	}
}

var (
	noRoom       = sluice.Reply{Code: 452, Enhanced: "4.3.1", Text: "No room for more mail right now; please try again later"}
	shuttingDown = sluice.Reply{Code: 421, Enhanced: "4.3.2", Text: "Shutting down; please try again later", Close: true}
	timedOut     = sluice.Reply{Code: 421, Enhanced: "4.4.2", Text: "Timeout; closing the connection", Close: true}
)

func (c *conn) violation(ctx context.Context, v sluice.Violation) sluice.Reply {
	c.violations++
	c.lastViolation = v.Kind
	return c.sess.Violation(ctx, v)
}

func (c *conn) content(b []byte) {
	if c.body == nil {
		c.body = c.srv.spool.New()
	}
	if _, err := c.body.Write(b); err != nil {
		c.spoolTrouble(err)
		c.m.Refuse(noRoom)
		c.dropBody()
	}
}

// spoolTrouble logs what the client only hears 452 for.
func (c *conn) spoolTrouble(err error) {
	c.srv.log.Error("smtp: message refused for lack of room", "conn", c.info.ID, "err", err, "in_flight", c.srv.spool.Used())
}

// message hands the complete message to the gate.
func (c *conn) message(ctx context.Context) sluice.Reply {
	if c.body == nil {
		c.body = c.srv.spool.New() // an empty message
	}
	if err := c.body.Seal(); err != nil {
		c.spoolTrouble(err)
		c.sess.Reset()
		return noRoom
	}
	ctx, stop := c.whileConnected(ctx)
	defer stop()
	r := c.sess.Message(ctx, c.body)
	if r.Positive() {
		c.messages++
		c.srv.stats.messages.Add(1)
	}
	return r
}

func (c *conn) dropBody() {
	if c.body != nil {
		c.body.Release()
		c.body = nil
	}
}

// needInput sends the replies and waits for octets. It says how the session ended
// where it did, or that it is to be parked.
func (c *conn) needInput(ctx context.Context) (ended string, ok bool) {
	if !c.flush() {
		return c.lost(ctx), false
	}
	c.giveBack()
	if c.waitAt.IsZero() {
		c.waitAt = time.Now()
		if !c.m.Partial() {
			c.partAt = time.Time{}
		} else if c.partAt.IsZero() {
			c.partAt = c.waitAt
		}
		switch {
		case c.m.xfer == nil:
			c.xferAt = time.Time{}
		case c.xferAt.IsZero():
			c.xferAt, c.xferOn = c.waitAt, c.m.Offset()
		}
	}
	for {
		deadline := c.deadline(c.waitAt)
		mayPark := c.direct() && !c.m.InTransaction() && !c.wasParked
		c.wasParked = false
		if park := c.waitAt.Add(parkAfter); mayPark && park.Before(deadline) {
			deadline = park
		}
		err := c.read(deadline)
		switch {
		case err == nil:
			c.waitAt = time.Time{}
			return "", true
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return c.lost(ctx), false
		case c.srv.closing.Load() && !c.m.InTransaction():
			c.m.Shut(shuttingDown, sluice.EndedShutdown)
			return "", true
		}
		// It may have been woken only to look again: the deadline tells, and it
		// comes sooner once the server is under stress.
		switch deadline = c.deadline(c.waitAt); {
		case !time.Now().Before(deadline):
			return "", c.timeout(ctx)
		case mayPark && c.arm(deadline):
			c.wasParked = true
			return parked, false
		}
	}
}

// direct says whether the session reads from the descriptor itself.
func (c *conn) direct() bool { return c.raw != nil && c.nc == c.tcp }

// timeout ends the session for a deadline. It returns true: the machine has the
// reply and will close.
func (c *conn) timeout(ctx context.Context) bool {
	r := timedOut
	if c.m.Partial() || c.m.Receiving() {
		// It spoke, but too slowly, and not for lack of something to say.
		c.dropBody()
		kind := CommandTimeout
		if c.m.Receiving() {
			kind = DataTimeout
		}
		v := sluice.Violation{Kind: kind, Phase: c.m.phase(), Offset: c.m.Offset()}
		if own := c.violation(ctx, v); own.Temporary() || own.Permanent() {
			r = own
		}
	}
	c.m.Shut(r, sluice.EndedTimeout)
	return true
}

// lost ends the session of a peer that went away.
func (c *conn) lost(ctx context.Context) string {
	if v, ok := c.m.Lost(); ok {
		c.violation(ctx, v)
	}
	return sluice.EndedLost
}

// deadline is when the wait for input that began at now must end. It doesn't move with single octets: a command has its total, a message its rate.
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
// closing and then wakes those who wait; whoever comes here later sees closing.
func (c *conn) arm(deadline time.Time) bool {
	idle := !c.m.InTransaction()
	c.waits.Store(idle)
	// An error means that the connection is closed; the read will say so.
	_ = c.tcp.SetReadDeadline(deadline)
	return !idle || !c.srv.closing.Load()
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

// wake interrupts a wait for input outside a transaction.
func (c *conn) wake() {
	if c.waits.Load() {
		_ = c.tcp.SetReadDeadline(time.Unix(1, 0))
	}
}

// cut closes the connection under the session.
func (c *conn) cut() { c.tcp.Close() }

// early looks for octets that came before our reply. Only at the greeting does it
// wait for them, where a pause is set.
func (c *conn) early(greeting bool) []byte {
	if len(c.in) > 0 {
		return c.in
	}
	// Inside TLS octets on the wire needn't be input.
	if !c.direct() {
		return nil
	}
	var b [maxDetail]byte
	n := 0
	look := func(fd uintptr) bool {
		var err error
		n, err = ignoringEINTR(func() (int, error) { return peek(int(fd), b[:]) })
		return err != syscall.EAGAIN
	}
	pause := c.set.timeouts.GreetPause
	if !greeting || pause == 0 || c.srv.stressed(c.set) || c.srv.closing.Load() {
		_ = c.raw.Control(func(fd uintptr) { look(fd) })
	} else if c.tcp.SetReadDeadline(time.Now().Add(pause)) == nil {
		_ = c.raw.Read(look)
	}
	return b[:max(n, 0)]
}

func peek(fd int, b []byte) (int, error) {
	n, _, err := unix.Recvfrom(fd, b, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n, err
}

// flush sends the replies and says whether that worked.
func (c *conn) flush() bool {
	out := c.m.TakeOutput()
	if len(out) == 0 {
		return true
	}
	t := &c.set.timeouts
	stressed := c.srv.stressed(c.set)
	if stressed {
		t = &c.set.timeoutsStressed
	}
	if c.m.TakeSlow() && !stressed && !c.srv.closing.Load() {
		return c.drip(out)
	}
	if c.nc.SetWriteDeadline(time.Now().Add(t.Write)) != nil {
		return false
	}
	_, err := c.nc.Write(out)
	return err == nil
}

// drip sends a reply octet by octet, for ten seconds at most.
func (c *conn) drip(out []byte) bool {
	const pace, most = 200 * time.Millisecond, 10 * time.Second
	end := time.Now().Add(most)
	for len(out) > 1 && time.Now().Before(end) && !c.srv.closing.Load() {
		if c.nc.SetWriteDeadline(time.Now().Add(pace)) != nil {
			return false
		}
		if _, err := c.nc.Write(out[:1]); err != nil {
			return false
		}
		out = out[1:]
		select {
		case <-time.After(pace):
		case <-c.srv.base.Done():
			return false
		}
	}
	if c.nc.SetWriteDeadline(time.Now().Add(pace)) != nil {
		return false
	}
	_, err := c.nc.Write(out)
	return err == nil
}

// linger lets the last reply arrive: closing a socket with unread input makes the
// kernel send a reset, which can overtake the reply. What comes is read and thrown
// away, for a moment and to a bound.
func (c *conn) linger(ended string) {
	if ended != sluice.EndedRefused || !c.direct() {
		return
	}
	if c.violations == 0 {
		// One that waits for our words isn't sending.
		unread := false
		_ = c.raw.Control(func(fd uintptr) { unread = readable(fd) })
		if !unread {
			return
		}
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

// startTLS shakes hands and tells the session.
func (c *conn) startTLS(ctx context.Context, ev Event) (ended string, ok bool) {
	if ev.Reset {
		c.sess.Reset()
	}
	if !c.flush() {
		return c.lost(ctx), false
	}
	// What was said in clear text is void (RFC 3207 4.2). Sync saw no input
	// behind STARTTLS, so there is none to throw away.
	c.giveBack()
	t := c.set.timeouts
	if c.srv.stressed(c.set) {
		t = c.set.timeoutsStressed
	}
	if c.tcp.SetDeadline(time.Now().Add(t.Handshake)) != nil {
		return c.lost(ctx), false
	}
	tc := tls.Server(c.tcp, c.set.TLS)
	if err := tc.HandshakeContext(ctx); err != nil {
		c.srv.log.Info("smtp: TLS handshake failed", "conn", c.info.ID, "client", c.info.Client.String(), "err", printable(err.Error()))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sluice.EndedTimeout, false
		}
		return c.lost(ctx), false
	}
	cs := tc.ConnectionState()
	c.nc = tc
	c.info.TLS = &sluice.TLSInfo{
		Version:    strings.ReplaceAll(tls.VersionName(cs.Version), " ", ""),
		Cipher:     tls.CipherSuiteName(cs.CipherSuite),
		ServerName: cs.ServerName,
	}
	c.info.Hello = sluice.Hello{}
	c.m.TLSStarted()
	c.sess.TLS(ctx)
	return "", true
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
			_ = c.tcp.SetReadDeadline(time.Unix(1, 0))
			<-done
		}
		cancel(nil)
	}
}
