package dns

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	wire "github.com/miekg/dns"
)

const (
	rounds    = 3                // how often each server is asked while none answers
	maxStrays = 100              // messages that aren't the response, before the socket is given up
	deadAfter = 3                // questions in a row without a reply, before a server is asked last
	deadFor   = 30 * time.Second // and for how long
)

// server is one upstream.
type server struct {
	addr    netip.AddrPort
	trusted bool // its AD bit is believed

	missed atomic.Int32 // questions in a row without a reply
	until  atomic.Int64 // asked last before this time, in Unix nanoseconds

	sent, overTCP, answered, failed, timeouts, strays atomic.Uint64
	waited                                            atomic.Int64
	latency                                           [len(LatencyBounds) + 1]atomic.Uint64
}

// resolvConf is where the system's servers stand.
const resolvConf = "/etc/resolv.conf"

// SystemServers are the name servers of /etc/resolv.conf, at most eight, in
// order; the one of this machine where the file names none. Search lists don't
// apply: the names in mail are complete.
func SystemServers() []netip.AddrPort {
	f, err := os.Open(resolvConf)
	if err != nil {
		return parseResolvConf(strings.NewReader(""))
	}
	defer f.Close()
	return parseResolvConf(f)
}

func parseResolvConf(r io.Reader) (out []netip.AddrPort) {
	b, _ := io.ReadAll(io.LimitReader(r, 64<<10)) // what could be read counts
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" || len(out) == 8 {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			out = append(out, netip.AddrPortFrom(a, 53))
		}
	}
	if len(out) == 0 {
		out = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")} // resolv.conf(5)
	}
	return out
}

// failure is why the servers gave no answer.
type failure struct {
	kind  error // ErrServFail or ErrTimeout
	rcode int
	err   error
}

// ask puts one question to the servers, one after the other, until one answers
// with data or a denial. What a server says outweighs another's silence.
func (c *Cache) ask(ctx context.Context, name string, t Type) (response, *server, *failure) {
	worst := &failure{kind: ErrTimeout, err: context.DeadlineExceeded}
	for range rounds {
		for _, s := range c.order() {
			if ctx.Err() != nil {
				return response{}, nil, worst
			}
			r, err := c.try(ctx, s, name, t)
			switch {
			case err == nil && (r.rcode == wire.RcodeSuccess || r.rcode == wire.RcodeNameError) && !r.lame:
				return r, s, nil
			case err == nil:
				s.failed.Add(1)
				why := wire.RcodeToString[r.rcode]
				if r.lame {
					why, r.rcode = "lame", wire.RcodeServerFailure
				}
				worst = &failure{ErrServFail, r.rcode, fmt.Errorf("%s: %s", s.addr, why)}
			case timedOut(err):
				if worst.kind == ErrTimeout {
					worst.err = err
				}
			default:
				s.failed.Add(1)
				if worst.rcode == 0 {
					worst = &failure{ErrServFail, 0, fmt.Errorf("%s: %w", s.addr, err)}
				}
			}
		}
		if worst.kind != ErrTimeout {
			break // another round is for lost packets only
		}
	}
	return response{}, nil, worst
}

// order is the servers as configured, those that seem dead last.
func (c *Cache) order() []*server {
	now := c.now().UnixNano()
	dead := func(s *server) int {
		if s.until.Load() > now {
			return 1
		}
		return 0
	}
	if !slices.ContainsFunc(c.servers, func(s *server) bool { return dead(s) == 1 }) {
		return c.servers
	}
	out := slices.Clone(c.servers)
	slices.SortStableFunc(out, func(a, b *server) int { return dead(a) - dead(b) })
	return out
}

func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// try asks one server: over UDP, without EDNS where it doesn't know that, over
// TCP where the answer is longer.
func (c *Cache) try(ctx context.Context, s *server, name string, t Type) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := c.once(ctx, s, "udp", name, t, true)
	edns := true
	if err == nil && (r.rcode == wire.RcodeFormatError || r.rcode == wire.RcodeNotImplemented || r.rcode == wire.RcodeBadVers) {
		edns = false // RFC 6891 6.2.2
		r, err = c.once(ctx, s, "udp", name, t, edns)
	}
	if err == nil && r.truncated {
		s.overTCP.Add(1)
		r, err = c.once(ctx, s, "tcp", name, t, edns)
		if err == nil && r.truncated {
			err = errMalformed
		}
	}
	if timedOut(err) && c.ctx.Err() == nil {
		s.timeouts.Add(1)
		if s.missed.Add(1) >= deadAfter {
			s.until.Store(c.now().Add(deadFor).UnixNano())
		}
	}
	return r, err
}

// once is one query and its response, on a socket of its own: the kernel gives
// it a random port, and takes packets from the server only (RFC 5452 9.2).
func (c *Cache) once(ctx context.Context, s *server, network, name string, t Type, edns bool) (response, error) {
	q, err := newQuery(c.random, name, t, edns, c.mixCase)
	if err != nil {
		return response{}, err
	}
	begin := time.Now()
	s.sent.Add(1)
	conn, err := c.dial(ctx, network, s.addr.String())
	if err != nil {
		return response{}, err
	}
	defer conn.Close()
	if d, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(d) // without it the next line still ends the wait
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var r response
	if network == "udp" {
		r, err = q.packet(conn, s)
	} else {
		r, err = q.stream(conn)
	}
	if err == nil {
		s.heard(time.Since(begin))
	}
	return r, err
}

// heard records that a server replied.
func (s *server) heard(after time.Duration) {
	s.missed.Store(0)
	s.until.Store(0)
	s.answered.Add(1)
	s.waited.Add(int64(after))
	i, _ := slices.BinarySearch(LatencyBounds[:], after)
	s.latency[i].Add(1)
}

var packets = sync.Pool{New: func() any { return new([4096]byte) }}

// packet asks over UDP. What isn't the response is ignored, for it may be forged
// or late: the true one may still come.
func (q *query) packet(conn net.Conn, s *server) (response, error) {
	if _, err := conn.Write(q.msg); err != nil {
		return response{}, err
	}
	buf := packets.Get().(*[4096]byte)
	defer packets.Put(buf)
	for range maxStrays {
		n, err := conn.Read(buf[:])
		if err != nil {
			return response{}, err
		}
		if q.matches(buf[:n]) {
			return q.parse(buf[:n])
		}
		s.strays.Add(1)
	}
	return response{}, errors.New("too many messages that aren't the response")
}

// stream asks over TCP, where a message follows its length (RFC 7766 8).
func (q *query) stream(conn net.Conn) (response, error) {
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(q.msg)), uint16(len(q.msg)))
	if _, err := conn.Write(append(out, q.msg...)); err != nil {
		return response{}, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return response{}, err
	}
	// Memory grows with what has come, not with what was promised.
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, conn, int64(binary.BigEndian.Uint16(length[:]))); err != nil {
		return response{}, err
	}
	if !q.matches(buf.Bytes()) {
		return response{}, errMalformed
	}
	return q.parse(buf.Bytes())
}
