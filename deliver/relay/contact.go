package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Contact is how a host answered somebody who only looks.
type Contact struct {
	Host string // as configured
	TLS  string // the version in use, such as "TLS 1.3"; "" for clear text
	Took time.Duration
	Err  error // nil: mail could be sent there
	// NoTLS is why STARTTLS failed where TLSMay goes on in clear text.
	NoTLS error
}

// Contact connects to each host as for a message, as far as EHLO and TLS, and says
// QUIT: it doesn't log in. Nothing is remembered, so the way of mail stays as it
// was.
func (r *Relay) Contact(ctx context.Context) []Contact {
	cfg := r.cfg
	cfg.Login = nil
	out := make([]Contact, len(r.hosts))
	var all sync.WaitGroup
	for i, h := range r.hosts {
		all.Go(func() {
			out[i] = (&host{cfg: &cfg, network: h.network, addr: h.addr, name: h.name}).contact(ctx, cfg.TLS)
		})
	}
	all.Wait()
	return out
}

func (h *host) contact(ctx context.Context, mode TLSMode) Contact {
	out := Contact{Host: h.addr}
	begun := time.Now()
	c, f := h.open(ctx, mode)
	out.Took = time.Since(begun)
	if f != nil && mode == TLSMay && c != nil && c.handshook && ctx.Err() == nil {
		out = h.contact(ctx, TLSNone) // as connect does
		out.NoTLS = f.err
		return out
	}
	if f != nil {
		out.Err = f.err
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			out.Err = fmt.Errorf("relay: %s: no answer within %v", h.addr, out.Took.Round(time.Second/10))
		}
		return out
	}
	if t, ok := c.Conn.(*tls.Conn); ok {
		out.TLS = tls.VersionName(t.ConnectionState().Version)
	}
	c.quit()
	c.close()
	return out
}
