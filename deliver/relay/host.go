package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sluice"
)

// host is one next hop with its connections.
type host struct {
	cfg           *Config
	network, addr string
	name          string        // for the certificate
	slots         chan struct{} // one per connection in use

	mu     sync.Mutex
	idle   []*conn // the one used last at the end
	reaper *time.Timer
	closed bool
	down   time.Time // until then other hosts are asked first
	noTLS  time.Time // until then STARTTLS is left alone (TLSMay)
	ext    sluice.Extensions

	noLogin    time.Time // until then the login is not tried again
	noLoginErr error     // why
}

// noTLSLife is how long a failed handshake keeps TLSMay from trying again.
const noTLSLife = time.Minute

func (h *host) isDown(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.down)
}

func (h *host) setDown(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = time.Time{}
	if down {
		h.down = time.Now().Add(h.cfg.Down)
	}
}

func (h *host) extensions() sluice.Extensions {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ext
}

// deliver tries this host. A failure means that no octet of the message was
// sent and that another host may be tried.
func (h *host) deliver(ctx context.Context, m *message) ([]sluice.Outcome, *failure) {
	for fresh := false; ; fresh = true {
		c, f := h.acquire(ctx, fresh)
		if f != nil {
			return nil, f
		}
		reused := c.used
		out, f := c.transact(ctx, m)
		broken := c.broken
		h.release(c)
		if f != nil && f.stale && reused && ctx.Err() == nil {
			continue // and then with a connection that nobody has used
		}
		if !broken || ctx.Err() == nil {
			h.setDown(broken)
		}
		return out, f
	}
}

// acquire takes a connection that was kept, unless fresh, or makes one. The
// caller gives it back by release.
func (h *host) acquire(ctx context.Context, fresh bool) (*conn, *failure) {
	select {
	case h.slots <- struct{}{}:
	default:
		wait := time.NewTimer(h.cfg.Wait)
		defer wait.Stop()
		select {
		case h.slots <- struct{}{}:
		case <-wait.C:
			return nil, &failure{reply: busy, err: fmt.Errorf("relay: %s: all %d connections in use", h.addr, h.cfg.MaxConns)}
		case <-ctx.Done():
			return nil, lost(h.addr, ctx.Err())
		}
	}
	for {
		c := h.takeIdle(fresh)
		if c == nil {
			break
		}
		if !c.quiet() {
			c.close()
			continue
		}
		return c, nil
	}
	c, f := h.connect(ctx)
	if f != nil {
		<-h.slots
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			h.setDown(true)
		}
		return nil, f
	}
	return c, nil
}

// takeIdle takes the connection that was used last; none where the host wants a
// fresh one, since what killed one has killed all.
func (h *host) takeIdle(fresh bool) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := time.Now().Add(-h.cfg.MaxIdle)
	for len(h.idle) > 0 {
		c := h.idle[len(h.idle)-1]
		h.idle = h.idle[:len(h.idle)-1]
		if !fresh && c.since.After(oldest) {
			return c
		}
		c.close()
	}
	return nil
}

// release keeps a connection for the next message, or closes it.
func (h *host) release(c *conn) {
	defer func() { <-h.slots }()
	if !c.broken {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.closed {
			c.used = true
			c.since = time.Now()
			_ = c.SetDeadline(time.Time{}) // the next look at it must not find an old one
			h.idle = append(h.idle, c)
			if h.reaper == nil {
				h.reaper = time.AfterFunc(h.cfg.MaxIdle, h.reap)
			}
			return
		}
		c.quit()
	}
	c.close()
}

// reap closes connections that nobody has needed for MaxIdle.
func (h *host) reap() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.idle = slices.DeleteFunc(h.idle, func(c *conn) bool {
		if now.Sub(c.since) < h.cfg.MaxIdle {
			return false
		}
		c.quit()
		c.close()
		return true
	})
	h.reaper = nil
	if len(h.idle) > 0 && !h.closed {
		h.reaper = time.AfterFunc(h.idle[0].since.Add(h.cfg.MaxIdle).Sub(now), h.reap)
	}
}

func (h *host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.reaper != nil {
		h.reaper.Stop()
	}
	for _, c := range h.idle {
		c.quit()
		c.close()
	}
	h.idle = nil
}

// connect dials, greets, starts TLS and logs in as configured.
func (h *host) connect(ctx context.Context) (*conn, *failure) {
	if f := h.refusedLogin(time.Now()); f != nil {
		return nil, f
	}
	h.mu.Lock()
	mode := h.cfg.TLS
	if mode == TLSMay && time.Now().Before(h.noTLS) {
		mode = TLSNone
	}
	h.mu.Unlock()
	c, f := h.open(ctx, mode)
	if f != nil && mode == TLSMay && c != nil && c.handshook && !f.noLogin && ctx.Err() == nil {
		// Opportunistic: a handshake that fails must not stop mail that would
		// have gone in clear text where STARTTLS isn't offered (RFC 7435 3).
		h.mu.Lock()
		h.noTLS = time.Now().Add(noTLSLife)
		h.mu.Unlock()
		c, f = h.open(ctx, TLSNone)
	}
	if f != nil {
		if f.noLogin {
			h.noteLogin(f, time.Now())
		}
		return nil, f
	}
	h.mu.Lock()
	h.ext = c.ext.Extensions
	h.mu.Unlock()
	return c, nil
}

// open makes one attempt. After a failure the connection that it may return is
// closed.
func (h *host) open(ctx context.Context, mode TLSMode) (*conn, *failure) {
	dctx, cancel := context.WithTimeout(ctx, h.cfg.ConnectTimeout)
	defer cancel()
	nc, err := h.cfg.Dial(dctx, h.network, h.addr)
	if err != nil {
		return nil, &failure{reply: noConnection, err: fmt.Errorf("relay: %w", err)}
	}
	c := newConn(nc, h.cfg, h.addr)
	stop := context.AfterFunc(ctx, c.interrupt)
	f := c.start(ctx, mode, h.name)
	if !stop() {
		f = lost(c.addr, fmt.Errorf("%w: %w", errInterrupted, ctx.Err()))
	}
	if f != nil {
		c.close()
		// What a host says before MAIL is about us, not about this message.
		f.reply = aboutConnection(f.reply)
		return c, f
	}
	return c, nil
}

func aboutConnection(r sluice.Reply) sluice.Reply {
	if r.Permanent() {
		return noConnection
	}
	return r
}
