package engine

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// HostsConfig says where a service is. Zero fields have defaults.
type HostsConfig struct {
	// Addresses of hosts that do the same: "unix:/run/x.sock" or an absolute path,
	// "tcp:host:port" or "host:port".
	Addresses   []string
	DialTimeout time.Duration // 0: 2 s
	Idle        time.Duration // how long an unused connection is kept; 0: 20 s
	MaxIdle     int           // unused connections kept for each host; 0: 8
	TLS         *tls.Config   // nil: plain
	Now         func() time.Time
}

// Hosts are the hosts of one service, with connections that are used again, and the
// next host where one is out of order. It is safe for concurrent use.
type Hosts struct {
	cfg   HostsConfig
	hosts []*host

	mu   sync.Mutex
	turn int
}

type host struct {
	of               *Hosts
	name             string // as configured
	network, address string

	mu    sync.Mutex
	idle  []*Conn // the latest used last
	why   string  // it is out of order; "" where it isn't
	wait  time.Duration
	until time.Time // not asked before, while others are there
}

// Conn is a connection to a host, lent to one function at a time.
type Conn struct {
	net.Conn
	Host string // as configured
	// Count is for the functions that use the connection: 0 for a new one.
	Count int
	// Keep is set by a function that leaves the connection as the next one needs it.
	Keep bool

	host   *host
	reused bool
	since  time.Time // unused
}

// NewHosts reads the addresses. It connects to nobody yet.
func NewHosts(c HostsConfig) (*Hosts, error) {
	if len(c.Addresses) == 0 {
		return nil, errors.New("engine: no address")
	}
	for _, d := range []struct {
		to        *time.Duration
		otherwise time.Duration
	}{{&c.DialTimeout, 2 * time.Second}, {&c.Idle, 20 * time.Second}} {
		if *d.to <= 0 {
			*d.to = d.otherwise
		}
	}
	if c.MaxIdle <= 0 {
		c.MaxIdle = 8
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Hosts{cfg: c}
	for _, a := range c.Addresses {
		network, address, err := parseAddress(a)
		if err != nil {
			return nil, err
		}
		h.hosts = append(h.hosts, &host{of: h, name: a, network: network, address: address})
	}
	return h, nil
}

func parseAddress(s string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok || filepath.IsAbs(s) {
		if !ok {
			path = s
		}
		if !filepath.IsAbs(path) {
			return "", "", fmt.Errorf("engine: address %q: the path isn't absolute", s)
		}
		return "unix", path, nil
	}
	address = strings.TrimPrefix(s, "tcp:")
	name, port, err := net.SplitHostPort(address)
	if err != nil || name == "" || port == "" {
		return "", "", fmt.Errorf("engine: address %q: want unix:/path or host:port", s)
	}
	return "tcp", address, nil
}

// Do lends f a connection. Where the connection turns out to be lost (f's error is
// [ErrLost]), another is tried: f must be able to begin anew. What f says otherwise is
// final.
//
// A host that goes away in the middle is followed by one other at most: what f sends
// may be what brings hosts down.
func (h *Hosts) Do(ctx context.Context, f func(*Conn) error) error {
	var first error
	lost := 0
	for _, host := range h.order() {
		for {
			c, err := host.take(ctx)
			if err != nil {
				first = cmp.Or(first, err)
				break
			}
			reused := c.reused
			err = c.lend(ctx, f)
			if err == nil || !errors.Is(err, ErrLost) {
				if err == nil {
					host.fine()
				}
				return err
			}
			if ctx.Err() != nil {
				return fmt.Errorf("engine: %s: %w", host.name, ctx.Err())
			}
			if reused {
				host.drop() // it had died while nobody used it, and the others with it
				continue
			}
			host.failed(err)
			first = cmp.Or(first, err)
			if lost++; lost > 1 {
				return first
			}
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	return first
}

// Each lends f a new connection to every host and returns what went wrong, by host.
func (h *Hosts) Each(ctx context.Context, f func(*Conn) error) map[string]error {
	out := map[string]error{}
	for _, host := range h.hosts {
		c, err := host.dial(ctx)
		if err == nil {
			err = c.lend(ctx, f)
		}
		switch {
		case err == nil:
			host.fine()
		case !errors.Is(ctx.Err(), context.Canceled):
			host.failed(err)
		}
		out[host.name] = err
	}
	return out
}

// Len is the number of hosts.
func (h *Hosts) Len() int { return len(h.hosts) }

// Close closes the connections that nobody uses.
func (h *Hosts) Close() error {
	for _, host := range h.hosts {
		host.drop()
	}
	return nil
}

// order is the hosts in the order in which they are tried: those in order by turns,
// then the others.
func (h *Hosts) order() []*host {
	if len(h.hosts) == 1 {
		return h.hosts
	}
	h.mu.Lock()
	h.turn = (h.turn + 1) % len(h.hosts)
	turn := h.turn
	h.mu.Unlock()
	now := h.cfg.Now()
	fine, ill := make([]*host, 0, len(h.hosts)), []*host(nil)
	for i := range h.hosts {
		x := h.hosts[(turn+i)%len(h.hosts)]
		x.mu.Lock()
		wait := x.why != "" && now.Before(x.until)
		x.mu.Unlock()
		if wait {
			ill = append(ill, x)
		} else {
			fine = append(fine, x)
		}
	}
	return append(fine, ill...)
}

func (x *host) take(ctx context.Context) (*Conn, error) {
	now := x.of.cfg.Now()
	x.mu.Lock()
	for n := len(x.idle); n > 0; n = len(x.idle) {
		c := x.idle[n-1]
		x.idle = x.idle[:n-1]
		if now.Sub(c.since) < x.of.cfg.Idle {
			x.mu.Unlock()
			return c, nil
		}
		_ = c.Conn.Close() // and so are those below it
	}
	x.mu.Unlock()
	c, err := x.dial(ctx)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		x.failed(err)
	}
	return c, err
}

func (x *host) dial(ctx context.Context) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, x.of.cfg.DialTimeout)
	defer cancel()
	d := net.Dialer{}
	c, err := d.DialContext(ctx, x.network, x.address)
	if err == nil && x.of.cfg.TLS != nil {
		c, err = x.handshake(ctx, c)
	}
	if err != nil {
		return nil, fmt.Errorf("engine: %s: %w", x.name, err)
	}
	return &Conn{Conn: c, Host: x.name, host: x}, nil
}

func (x *host) handshake(ctx context.Context, c net.Conn) (net.Conn, error) {
	cfg := x.of.cfg.TLS.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(x.address)
	}
	t := tls.Client(c, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return t, nil
}

// lend runs f with the deadline of ctx, and keeps or closes the connection.
func (c *Conn) lend(ctx context.Context, f func(*Conn) error) error {
	deadline, _ := ctx.Deadline()
	c.Keep = false
	err := c.Conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = c.Conn.SetDeadline(time.Unix(1, 0)) })
	if err == nil {
		returned := false
		defer func() {
			if !returned { // it panics
				stop()
				_ = c.Conn.Close()
			}
		}()
		err = f(c)
		returned = true
	}
	// A deadline that was set late mustn't hit the next user.
	if !stop() || !c.Keep {
		_ = c.Conn.Close()
	} else {
		c.reused = true
		c.host.give(c)
	}
	if err != nil && (ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		return fmt.Errorf("engine: %s: no answer in time: %w", c.Host, context.DeadlineExceeded)
	}
	return err
}

func (x *host) give(c *Conn) {
	c.since = x.of.cfg.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.idle) >= x.of.cfg.MaxIdle {
		_ = c.Conn.Close()
		return
	}
	x.idle = append(x.idle, c)
}

func (x *host) drop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.idle {
		_ = c.Conn.Close()
	}
	x.idle = nil
}

func (x *host) fine() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.why, x.wait = "", 0
}

func (x *host) failed(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.why = err.Error()
	x.wait = min(max(2*x.wait, 5*time.Second), time.Minute)
	x.until = x.of.cfg.Now().Add(x.wait)
}
