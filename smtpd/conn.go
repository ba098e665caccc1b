package smtpd

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

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

	refusedAt time.Time // when it was refused in place of the greeting; zero: it wasn't

	stage   stage
	parkErr error         // how the wait of a parked session ended
	pause   time.Duration // how long to listen before the greeting
	drip    drip          // a reply that is sent slowly
	giveWay atomic.Bool   // another needs the place
	known   bool          // sluice.Admission.Known, or trusted
	over    bool          // the gate's session is closed
	key     netip.Addr    // the client it counts for
	links   links         // Server.mu guards it
	seat    seat          // lot.mu guards it

	rcpts, messages, violations int
	lastViolation               sluice.Reason

	own *identities // not nil once the peer has spoken for others
}

// stage is what a session does next when its goroutine begins.
type stage uint8

const (
	stageTalk      stage = iota
	stageHandshake       // TLS comes before the greeting
	stagePause           // back from listening for an early talker
	stageParked          // back from being parked
	stageDrip            // back from the tarpit
)

func newConn(s *Server, set *settings, nc net.Conn) *conn {
	c := &conn{srv: s, set: set, tcp: nc, nc: nc, raw: rawConn(nc)}
	cfg := &set.machine
	if s.stressed(set) {
		cfg = &set.machineStressed
	}
	c.m = *NewMachine(cfg)
	if c.raw != nil {
		c.tryFn = c.tryRead
	}
	if set.ImplicitTLS {
		c.stage = stageHandshake
	}
	c.info = sluice.Conn{ID: newID(), Door: s.door, AlreadyAccepted: set.AlreadyAccepted}
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

// What converse says of a session that goes on in another goroutine.
const (
	parked = "parked" // it waits for input
	slowed = "slowed" // it is in the tarpit
)

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
		switch ended {
		case parked:
			if !c.srv.lot.park(c) {
				go c.park()
			}
			return
		case slowed:
			c.srv.slow.add(c)
			return
		}
		c.dropBody()
		c.giveBack()
		c.endDrip()
		c.closeSession(ended)
		c.nc.Close() // with TLS this says goodbye first
		c.srv.forget(c)
	}()
	ended = c.converse(c.srv.base)
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
	if c.over {
		return
	}
	c.over = true
	c.info.Dialect = c.m.traceEnd(ended)
	if c.sess != nil {
		c.sess.Close(ended)
		c.sess = nil
	}
	if c.info.Hello.Verb == "" && c.messages == 0 && c.info.TLS == nil && !c.srv.mayLog(c.set) {
		return
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
	if ended, ok := c.resume(ctx); !ok {
		return ended
	}
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
		case Sync:
			if c.m.sync != syncGreeting {
				c.m.Synced(c.early())
			} else if ended, ok := c.greet(ctx); !ok {
				return ended
			}
		case Closed:
			if c.slowly() {
				// Nothing is left to decide: the tarpit holds no more than it must.
				c.closeSession(ev.Ended)
				return slowed
			}
			c.flush()
			c.linger(ev.Ended)
			return ev.Ended
		default:
			c.handle(ctx, ev)
		}
	}
}

// resume does what the session's last goroutine has left to this one.
func (c *conn) resume(ctx context.Context) (ended string, ok bool) {
	stage := c.stage
	switch stage {
	case stageHandshake:
		c.stage = stageTalk
		return c.handshake(ctx)
	case stagePause:
		c.stage = stageTalk
		c.srv.goesOn(c)
		c.readNow()
		c.m.Synced(c.in)
	case stageDrip:
		c.stage = stageTalk
		if !c.endDrip() {
			return c.lost(ctx), false
		}
	}
	return "", true
}

// greet looks for early talkers before the greeting's last line; where the gate
// wishes so, it sends the first line and listens for a while.
func (c *conn) greet(ctx context.Context) (ended string, ok bool) {
	pause := min(c.pause, c.set.timeouts.GreetPause)
	if pause <= 0 || len(c.in) > 0 || c.srv.stressed(c.set) {
		c.readNow()
		c.m.Synced(c.in)
		return "", true
	}
	c.m.Tease()
	if !c.flush() {
		return c.lost(ctx), false
	}
	now := time.Now()
	if !c.arm(now.Add(pause)) { // we are stopping
		c.m.Synced(nil)
		return "", true
	}
	if c.raw == nil || c.nc != c.tcp {
		err := c.read(now.Add(pause))
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return c.lost(ctx), false
		}
		c.m.Synced(c.in)
		return "", true
	}
	c.srv.parks(c, now)
	c.stage = stagePause
	return parked, false
}

// handle answers an event that concerns the gate.
func (c *conn) handle(ctx context.Context, ev Event) {
	c.info.Dialect = c.m.Dialect()
	if ev.Reset {
		c.sess.Reset()
	}
	switch ev.Kind {
	case Connect:
		if c.own == nil && c.set.Peers != nil {
			c.m.Allow(c.set.Peers(c.info.Client.Addr()))
		}
		sess, r := c.srv.gate.Open(ctx, &c.info)
		c.sess, c.pause = sess, r.Pause
		c.m.Answer(r)
	case Hello:
		c.info.Hello = sluice.Hello{Verb: strings.Clone(ev.Hello.Verb), Name: ev.Hello.Name}
		if c.set.Extensions != nil {
			c.m.Offer(c.set.Extensions(ctx))
		}
		c.m.Answer(c.sess.Hello(ctx))
	case Auth:
		c.authenticate(ctx, ev.Credentials)
	case XClient:
		c.becomeAnother(ev.Forward)
	case Mail:
		if c.srv.closing.Load() {
			c.m.Answer(c.refusal(ctx, ShuttingDown, shuttingDown))
			return
		}
		if ev.Forward != nil {
			c.speakFor(ev.Forward)
			c.sess.Forwarded(ctx)
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
			c.m.Answer(c.refusal(ctx, NoRoom, noRoom))
			return
		}
		c.m.Answer(c.sess.Data(ctx))
	case Content:
		c.content(ctx, ev.Content)
	case Message:
		if ev.Each {
			c.m.AnswerEach(c.messageEach(ctx))
		} else {
			c.m.Answer(c.message(ctx))
		}
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

// refusal words a refusal that isn't the client's fault: with reason and reference
// where the gate has words for it, else with ours.
func (c *conn) refusal(ctx context.Context, kind sluice.Reason, ours sluice.Reply) sluice.Reply {
	r := c.sess.Violation(ctx, sluice.Violation{Kind: kind, Phase: c.m.phase(), Offset: c.m.Offset()})
	if !r.Temporary() {
		return ours
	}
	r.Close = r.Close || ours.Close
	return r
}

func (c *conn) content(ctx context.Context, b []byte) {
	if c.body == nil {
		c.body = c.srv.spool.New()
	}
	if _, err := c.body.Write(b); err != nil {
		c.spoolTrouble(err)
		c.m.Refuse(c.refusal(ctx, NoRoom, noRoom))
		c.dropBody()
	}
}

// spoolTrouble logs what the client only hears 452 for.
func (c *conn) spoolTrouble(err error) {
	c.srv.log.Error("smtp: message refused for lack of room", "conn", c.info.ID, "err", err, "in_flight", c.srv.spool.Used())
}

// message hands the complete message to the gate.
func (c *conn) message(ctx context.Context) sluice.Reply {
	if r, ok := c.seal(ctx); !ok {
		return r
	}
	ctx, stop := c.whileConnected(ctx)
	defer stop()
	r := c.sess.Message(ctx, c.body)
	c.countMessage(r)
	return r
}

// messageEach does so for a client that wants a reply for each recipient.
func (c *conn) messageEach(ctx context.Context) []sluice.Reply {
	if r, ok := c.seal(ctx); !ok {
		return slices.Repeat([]sluice.Reply{r}, c.m.rcpts)
	}
	ctx, stop := c.whileConnected(ctx)
	defer stop()
	rs := c.sess.MessageEach(ctx, c.body)
	if i := slices.IndexFunc(rs, sluice.Reply.Positive); i >= 0 {
		c.countMessage(rs[i])
	}
	return rs
}

// seal ends the message's octets; where there is no room for them it returns the
// refusal.
func (c *conn) seal(ctx context.Context) (refusal sluice.Reply, ok bool) {
	if c.body == nil {
		c.body = c.srv.spool.New() // an empty message
	}
	if err := c.body.Seal(); err != nil {
		c.spoolTrouble(err)
		r := c.refusal(ctx, NoRoom, noRoom)
		c.sess.Reset()
		return r, false
	}
	return sluice.Reply{}, true
}

func (c *conn) countMessage(r sluice.Reply) {
	if r.Positive() {
		c.messages++
		c.srv.stats.messages.Add(1)
	}
}

func (c *conn) dropBody() {
	if c.body != nil {
		c.body.Release()
		c.body = nil
	}
}

// needInput sends the replies and waits for octets. It says how the session ended
// where it did, or that it goes on elsewhere.
func (c *conn) needInput(ctx context.Context) (ended string, ok bool) {
	c.giveBack()
	if c.slowly() {
		return slowed, false
	}
	if !c.flush() {
		return c.lost(ctx), false
	}
	if c.m.state == stateClosed { // there was no place in the tarpit
		return "", true
	}
	c.beginWait()
	mayPark := c.raw != nil && !c.m.InTransaction()
	back := c.stage == stageParked
	c.stage = stageTalk
	switch {
	case !back && !c.m.InTransaction():
		c.srv.waits(c, c.waitAt, mayPark)
	case back && !c.direct():
		c.srv.waits(c, c.waitAt, mayPark) // what has come may be half a record
	}
	for {
		deadline := c.deadline(c.waitAt)
		var err error
		if back && errors.Is(c.parkErr, os.ErrDeadlineExceeded) {
			err, back = c.parkErr, false
		} else {
			err = c.read(deadline)
		}
		switch {
		case err == nil:
			c.m.Waited(time.Since(c.waitAt))
			c.waitAt = time.Time{}
			c.srv.goesOn(c)
			return "", true
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return c.lost(ctx), false
		case c.m.InTransaction():
		case c.srv.closing.Load():
			c.m.Shut(shuttingDown, sluice.EndedShutdown)
			return "", true
		case c.giveWay.Load():
			c.m.Shut(makeRoom, sluice.EndedTimeout)
			return "", true
		}
		// It may have been woken only to look again: the deadline tells, and it
		// comes sooner once the server is under stress.
		switch deadline = c.deadline(c.waitAt); {
		case !time.Now().Before(deadline):
			return "", c.timeout(ctx)
		case mayPark && c.arm(deadline):
			c.small = nil
			c.srv.parks(c, c.waitAt)
			c.stage = stageParked
			return parked, false
		}
	}
}

// beginWait notes when the wait began, and the command or message that it is in.
func (c *conn) beginWait() {
	if !c.waitAt.IsZero() {
		return
	}
	c.waitAt = time.Now()
	if c.m.refused && c.refusedAt.IsZero() {
		c.refusedAt = c.waitAt
	}
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

// timeout ends the session for a deadline. It returns true: the machine has the
// reply and will close.
func (c *conn) timeout(ctx context.Context) bool {
	r := timedOut
	switch kind := CommandTimeout; {
	case c.m.Partial() || c.m.Receiving():
		// It spoke, but too slowly, and not for lack of something to say.
		c.dropBody()
		if c.m.Receiving() {
			kind = DataTimeout
		}
		v := sluice.Violation{Kind: kind, Phase: c.m.phase(), Offset: c.m.Offset()}
		if own := c.violation(ctx, v); own.Temporary() || own.Permanent() {
			r = own
		}
	case c.m.InTransaction():
		r = c.refusal(ctx, CommandTimeout, timedOut)
	case !time.Now().Before(c.info.Start.Add(c.set.timeouts.Session)):
		r = c.refusal(ctx, SessionTimeout, timedOut)
	default:
		// Nothing was under way, so nothing is refused: no reason, no record.
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
	if ended, ok := c.handshake(ctx); !ok {
		return ended, false
	}
	c.info.Hello, c.info.Auth = sluice.Hello{}, ""
	c.m.TLSStarted()
	c.sess.TLS(ctx)
	return "", true
}

// handshake turns TLS on.
func (c *conn) handshake(ctx context.Context) (ended string, ok bool) {
	t := c.set.timeouts
	if c.srv.stressed(c.set) {
		t = c.set.timeoutsStressed
	}
	if c.tcp.SetDeadline(time.Now().Add(t.Handshake)) != nil {
		return c.lost(ctx), false
	}
	heard := &hearing{Conn: c.tcp}
	tc := tls.Server(heard, c.set.TLS)
	if err := tc.HandshakeContext(ctx); err != nil {
		if c.info.Hello.Verb != "" || c.srv.mayLog(c.set) {
			c.srv.log.Info("smtp: TLS handshake failed", "conn", c.info.ID, "client", c.info.Client.String(),
				"fingerprint", printable(heard.fingerprint), "err", printable(err.Error()))
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sluice.EndedTimeout, false
		}
		return c.lost(ctx), false
	}
	cs := tc.ConnectionState()
	c.nc = tc
	c.info.TLS = &sluice.TLSInfo{
		Version:     strings.ReplaceAll(tls.VersionName(cs.Version), " ", ""),
		Cipher:      tls.CipherSuiteName(cs.CipherSuite),
		ServerName:  cs.ServerName,
		Fingerprint: heard.fingerprint,
	}
	return "", true
}
