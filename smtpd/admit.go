package smtpd

// This file is about who gets a session: what is known of a connection before
// anything is spent on it, and how the others are turned away.

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"sluice"
	"sluice/smtp"
)

// arrived takes a connection from a listener. It must not wait.
func (s *Server) arrived(nc net.Conn) {
	set := s.set.Load()
	peer := addrPort(nc.RemoteAddr())
	if set.Proxies != nil && set.Proxies(peer.Addr()) {
		s.behindProxy(set, nc, peer)
		return
	}
	if c := s.admit(set, nc, party{client: peer, local: addrPort(nc.LocalAddr())}); c != nil {
		go c.serve()
	}
}

// party says who talks to whom.
type party struct{ client, via, local netip.AddrPort }

var (
	tooMany       = sluice.Reply{Code: 421, Enhanced: "4.3.2", Text: "Too many connections; try again later"}
	tooManyOfYou  = sluice.Reply{Code: 421, Enhanced: "4.7.0", Text: "Too many connections from your address; use fewer at a time"}
	makeRoom      = sluice.Reply{Code: 421, Enhanced: "4.3.2", Text: "Too many connections and yours is idle; try again later"}
	notAcceptable = sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "Not accepted here"}
)

// admit decides about a connection. It returns a session to serve, or turns the
// client away and returns nil.
func (s *Server) admit(set *settings, nc net.Conn, p party) *conn {
	now := time.Now()
	addr := p.client.Addr()
	key := clientKey(addr)
	trusted := set.Trusted != nil && set.Trusted(addr)
	s.mu.Lock()
	open, mine := len(s.conns), s.clients[key]
	s.mu.Unlock()
	verdict := s.ask(sluice.Arrival{Client: p.client, Local: p.local, Door: s.door, Now: now,
		Open: open, Limit: set.Limits.Conns, Mine: mine, MineLimit: set.Limits.ConnsPerClient})
	if verdict.Refuse.Code != 0 {
		s.stats.turnedAway.Add(1)
		s.turnAway(set, nc, p.client, verdict.Refuse)
		return nil
	}
	c := newConn(s, set, nc)
	c.key, c.known = key, verdict.Known || trusted
	c.info.Client, c.info.Via, c.info.Local = p.client, p.via, p.local
	c.info.Start, c.info.Trusted = now, trusted
	r, idle := s.enter(c)
	if r.Code != 0 {
		s.stats.refused.Add(1)
		s.turnAway(set, nc, p.client, r)
		return nil
	}
	if idle != nil {
		s.stats.gaveWay.Add(1)
		idle.giveWay.Store(true)
		idle.wake()
	}
	s.stats.accepted.Add(1)
	s.open.Add(1)
	if s.stressed(set) {
		s.relieve()
	}
	return c
}

// ask is Gate.Admit behind a barrier: a panic there is our own trouble and must
// not stop the listener.
func (s *Server) ask(a sluice.Arrival) (answer sluice.Admission) {
	defer func() {
		if p := recover(); p != nil {
			s.stats.panics.Add(1)
			s.log.Error("smtp: admission panicked", "reason", "INTERNAL_PANIC", "client", a.Client.String(),
				"panic", printable(toString(p)), "stack", string(debug.Stack()))
			answer = sluice.Admission{}
		}
	}()
	return s.gate.Admit(a)
}

// enter gives a session its place, or says why there is none. The last quarter of
// all places is for clients that are known; when even those are taken, the
// unknown session that has been idle longest gives way to a known client.
func (s *Server) enter(c *conn) (refusal sluice.Reply, idle *conn) {
	limits := &c.set.Limits
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.conns)
	switch {
	case s.closing.Load():
		return shuttingDown, nil
	case s.clients[c.key] >= limits.ConnsPerClient && !c.info.Trusted:
		return tooManyOfYou, nil
	case !c.known && n >= forUnknown(limits.Conns):
		return tooMany, nil
	case c.known && n >= limits.Conns:
		if idle = s.waiters.longest(); idle == nil {
			return tooMany, nil
		}
	}
	s.conns[c] = struct{}{}
	s.clients[c.key]++
	s.done.Add(1)
	return sluice.Reply{}, idle
}

// forUnknown is how many of all places unknown clients may take.
func forUnknown(conns int) int { return max(1, conns-conns/4) }

// mostFarewell bounds what a client that was turned away may still say, in octets.
const mostFarewell = 1 << 10

// turnAway refuses a connection that has no session. After 554 the client may say
// QUIT (RFC 5321 3.1); anything else closes at once.
func (s *Server) turnAway(set *settings, nc net.Conn, client netip.AddrPort, r sluice.Reply) {
	if r.Code < 400 || r.Code > 599 {
		r = notAcceptable
	}
	if s.mayLog(set) {
		s.log.LogAttrs(s.base, slog.LevelInfo, "smtp client turned away",
			slog.String("client", client.String()), slog.Int("code", r.Code), slog.String("reply", printable(r.Text)))
	}
	raw := rawConn(nc)
	// One that begins with TLS couldn't read it.
	ok := !set.ImplicitTLS && say(nc, raw, smtp.AppendReply(nil, r.Code, r.Enhanced, r.Text))
	if !ok || r.Code != 554 || !s.leave(set, nc) {
		if ok {
			discard(raw)
		}
		nc.Close()
		return
	}
	go s.awaitQuit(set, nc, raw)
}

// leave counts a client that may still say QUIT, and says whether there is room to
// wait for that.
func (s *Server) leave(set *settings, nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() || len(s.leaving) >= turnedAway(set.Limits.Conns) {
		return false
	}
	s.leaving[nc] = struct{}{}
	s.done.Add(1)
	return true
}

// awaitQuit reads a little of what a client says that was turned away, and answers
// its QUIT. The time is total.
func (s *Server) awaitQuit(set *settings, nc net.Conn, raw syscall.RawConn) {
	defer func() {
		nc.Close()
		s.mu.Lock()
		delete(s.leaving, nc)
		s.mu.Unlock()
		s.done.Done()
	}()
	patience := set.timeouts.Refused
	if s.stressed(set) {
		patience = set.timeoutsStressed.Refused
	}
	if nc.SetReadDeadline(time.Now().Add(patience)) != nil || s.closing.Load() {
		return
	}
	var b [256]byte
	kept := 0
	for total := 0; total < mostFarewell; {
		n, err := nc.Read(b[kept:])
		if err != nil {
			return
		}
		total += n
		kept += n
		if quits(b[:kept]) {
			_ = say(nc, raw, goodbye)
			return
		}
		// Only the line that isn't complete may still be a QUIT.
		kept = copy(b[:], b[bytes.LastIndexByte(b[:kept], '\n')+1:kept])
		if kept > len("QUIT\r\n") {
			return // no QUIT, and nothing else is heard
		}
	}
}

var goodbye = []byte("221 2.0.0 Bye\r\n")

// quits says whether a line of b is QUIT.
func quits(b []byte) bool {
	for {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return false
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 4 && line[0]|0x20 == 'q' && line[1]|0x20 == 'u' && line[2]|0x20 == 'i' && line[3]|0x20 == 't' {
			return true
		}
		b = rest
	}
}

func rawConn(nc net.Conn) syscall.RawConn {
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// say writes a few octets to a connection whose buffer has room for them; if not,
// never mind.
func say(nc net.Conn, raw syscall.RawConn, b []byte) bool {
	if raw == nil {
		_ = nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := nc.Write(b)
		return err == nil
	}
	n, err := writeNow(raw, b)
	return err == nil && n == len(b)
}

// writeNow writes what the socket takes without waiting.
func writeNow(raw syscall.RawConn, b []byte) (n int, err error) {
	if e := raw.Control(func(fd uintptr) {
		n, err = ignoringEINTR(func() (int, error) { return syscall.Write(int(fd), b) })
	}); e != nil {
		return 0, e
	}
	if err == syscall.EAGAIN {
		return 0, nil
	}
	return max(n, 0), err
}

// discard reads what has come in, so that closing doesn't reset the connection
// over our last words.
func discard(raw syscall.RawConn) {
	if raw == nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		var b [512]byte
		for range 4 {
			if n, err := syscall.Read(int(fd), b[:]); n < len(b) || err != nil {
				return
			}
		}
	})
}

// logCap lets a few lines a second through.
type logCap struct {
	mu     sync.Mutex
	second int64
	lines  int
	missed uint64
}

// mayLog says whether a session without a word of SMTP gets its line in the log,
// which a flood must not fill. Once a second the lines left out are counted.
func (s *Server) mayLog(set *settings) bool {
	l := &s.brief
	now := time.Now().Unix()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now != l.second {
		if l.missed > 0 {
			s.log.LogAttrs(s.base, slog.LevelInfo, "smtp: more clients came and went without a word of SMTP", slog.Uint64("sessions", l.missed))
		}
		l.second, l.lines, l.missed = now, 0, 0
	}
	if l.lines >= set.Limits.LogLines {
		l.missed++
		s.stats.unlogged.Add(1)
		return false
	}
	l.lines++
	return true
}
