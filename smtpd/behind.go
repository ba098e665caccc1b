package smtpd

// This file serves peers that speak for clients with the PROXY protocol.

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// behindProxy takes a connection of a proxy. Who the client is shows in its
// header; until then the connection has no session and counts for nobody.
func (s *Server) behindProxy(set *settings, nc net.Conn, peer netip.AddrPort) {
	s.mu.Lock()
	room := !s.closing.Load() && len(s.nameless)+len(s.conns) < set.Limits.Conns
	if room {
		s.nameless[nc] = struct{}{}
		s.done.Add(1)
	}
	s.mu.Unlock()
	if !room {
		s.stats.refused.Add(1)
		s.turnAway(set, nc, peer, tooMany)
		return
	}
	go func() {
		c := s.named(set, nc, peer)
		s.mu.Lock()
		delete(s.nameless, nc)
		s.mu.Unlock()
		s.done.Done()
		if c != nil {
			c.serve()
		}
	}()
}

// named reads the header and admits the client that it names.
func (s *Server) named(set *settings, nc net.Conn, peer netip.AddrPort) *conn {
	t := &set.timeouts
	if s.stressed(set) {
		t = &set.timeoutsStressed
	}
	p := party{client: peer, local: addrPort(nc.LocalAddr())}
	h, err := s.proxyHeader(nc, time.Now().Add(t.Proxy))
	switch {
	case err == nil && h.client.IsValid():
		p = party{client: h.client, via: peer, local: h.local}
	case err == nil:
	case errors.Is(err, errProxyNone) && !set.ProxyRequired:
	default:
		s.stats.refused.Add(1)
		if s.mayLog(set) {
			s.log.LogAttrs(s.base, slog.LevelWarn, "smtp: no client known behind a proxy", slog.String("proxy", peer.String()), slog.Any("err", err))
		}
		nc.Close()
		return nil
	}
	return s.admit(set, nc, p)
}

// proxyHeader reads the header and nothing behind it: TLS may come next. What has
// come is looked at where it is, so that one who waits holds no buffer. A peer
// that says nothing until the deadline has no header.
func (s *Server) proxyHeader(nc net.Conn, deadline time.Time) (h proxyHeader, err error) {
	if err := nc.SetReadDeadline(deadline); err != nil {
		return h, err
	}
	if s.closing.Load() {
		return h, ErrServerClosed
	}
	defer nc.SetReadDeadline(time.Time{})
	raw := rawConn(nc)
	if raw == nil {
		return slowProxyHeader(nc)
	}
	silent := true
	look := func(fd uintptr) bool {
		b := s.bufs.Get().(*[]byte)
		defer s.bufs.Put(b)
		got, e := ignoringEINTR(func() (int, error) { return peek(int(fd), (*b)[:maxProxyHeader]) })
		switch {
		case e == syscall.EAGAIN:
			return false
		case e != nil:
			err = e
		case got == 0:
			err = io.ErrUnexpectedEOF
		default:
			silent = false
			var n int
			if h, n, err = parseProxyHeader((*b)[:got]); err == errProxyShort {
				return false
			}
			_, _ = ignoringEINTR(func() (int, error) { return syscall.Read(int(fd), (*b)[:n]) })
		}
		return true
	}
	if e := raw.Read(look); e != nil {
		err = e
		if silent && errors.Is(e, os.ErrDeadlineExceeded) {
			err = errProxyNone
		}
	}
	return h, err
}

// slowProxyHeader is for connections without a descriptor.
func slowProxyHeader(r io.Reader) (proxyHeader, error) {
	var b []byte
	for {
		var one [1]byte
		if _, err := io.ReadFull(r, one[:]); err != nil {
			if len(b) == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				err = errProxyNone
			}
			return proxyHeader{}, err
		}
		b = append(b, one[0])
		if h, _, err := parseProxyHeader(b); err != errProxyShort {
			return h, err
		}
	}
}
