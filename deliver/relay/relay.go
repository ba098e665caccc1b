// Package relay hands messages to the next hop by SMTP or LMTP while the sender
// waits. It is a client written for a gateway: it says 2xx only after the next
// hop has said 250 to the final dot, passes on the next hop's own refusals, and
// makes every other failure temporary.
//
// One message goes to the first host that answers. Another connection or host
// is tried only as long as no octet of the message has been sent.
package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"sluice"
	"sluice/smtp"
)

// Config says where and how to relay. Times of zero get the default.
type Config struct {
	// Hosts are "host:port" or "unix:/path", in order of preference: the next
	// one is tried where one is down.
	Hosts []string
	Hello string // our name in EHLO
	LMTP  bool   // speak LMTP (RFC 2033)

	TLS       TLSMode
	Implicit  bool        // TLS from the first octet on (RFC 8314 3.3), not by STARTTLS; TLS says how it is verified
	TLSConfig *tls.Config // roots, certificates, ServerName; nil: the system's roots and the host's name

	Fingerprints []Fingerprint // of certificates or their public keys, for TLSFingerprint
	Login        *Login        // at each host, after TLS; nil: none

	ConnectTimeout time.Duration // connect and greeting each; default 10 s
	CommandTimeout time.Duration // one command and its whole reply; default 60 s
	DataTimeout    time.Duration // sending the message; default 180 s
	DotTimeout     time.Duration // the reply to the final dot; default 240 s

	MaxConns int           // per host; default 20
	Wait     time.Duration // for a free connection; default 2 s
	MaxIdle  time.Duration // then an unused connection is closed; default 5 s
	Down     time.Duration // how long a host that failed is tried last; default 5 s

	// Dial replaces the network, for tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// TLSMode is the STARTTLS policy towards the next hop (RFC 3207).
type TLSMode uint8

// The modes.
const (
	TLSNone        TLSMode = iota // never
	TLSMay                        // where offered, unverified; in clear text where it fails (RFC 7435)
	TLSVerify                     // required, with a certificate that verifies
	TLSFingerprint                // required, with a certificate or public key of Config.Fingerprints
)

// Relay is a [sluice.Deliverer] for one route. It is safe for concurrent use.
type Relay struct {
	cfg   Config
	hosts []*host
	probe chan struct{} // held by the one caller of Extensions that asks
}

var _ sluice.Deliverer = (*Relay)(nil)

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// New makes a relay. Nothing is dialled yet.
func New(cfg Config) (*Relay, error) {
	if len(cfg.Hosts) == 0 {
		return nil, errors.New("relay: no hosts given")
	}
	if smtp.ClassifyHello(cfg.Hello) == smtp.HelloInvalid {
		return nil, fmt.Errorf("relay: %q can't be our name in EHLO", cfg.Hello)
	}
	if (cfg.TLS == TLSFingerprint) != (len(cfg.Fingerprints) > 0) {
		return nil, errors.New("relay: fingerprints and TLSFingerprint go together")
	}
	setDefault(&cfg.ConnectTimeout, 10*time.Second)
	setDefault(&cfg.CommandTimeout, 60*time.Second)
	setDefault(&cfg.DataTimeout, 180*time.Second)
	setDefault(&cfg.DotTimeout, 240*time.Second)
	setDefault(&cfg.MaxConns, 20)
	setDefault(&cfg.Wait, 2*time.Second)
	setDefault(&cfg.MaxIdle, 5*time.Second)
	setDefault(&cfg.Down, 5*time.Second)
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	r := &Relay{cfg: cfg, probe: make(chan struct{}, 1)}
	for _, addr := range cfg.Hosts {
		h := &host{cfg: &r.cfg, addr: addr, network: "tcp", slots: make(chan struct{}, cfg.MaxConns)}
		if p, ok := strings.CutPrefix(addr, "unix:"); ok {
			h.network, h.addr = "unix", p
			h.name = "localhost"
		} else if name, _, err := net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("relay: %w", err)
		} else {
			h.name = name
		}
		r.hosts = append(r.hosts, h)
	}
	if cfg.Implicit && cfg.TLS == TLSNone {
		return nil, errors.New("relay: TLS from the first octet on and none at all")
	}
	if cfg.Login != nil {
		if err := cfg.Login.check(r.hosts, cfg.TLS); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// order lists the hosts to try: those that are down last, since where all are
// down, trying is better than giving up.
func (r *Relay) order() []*host {
	now := time.Now()
	out := make([]*host, 0, len(r.hosts))
	var down []*host
	for _, h := range r.hosts {
		if h.isDown(now) {
			down = append(down, h)
		} else {
			out = append(out, h)
		}
	}
	return append(out, down...)
}

// Deliver implements [sluice.Deliverer]. Cancelling ctx counts until the final
// dot is sent; the answer to that is waited for.
func (r *Relay) Deliver(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
	m, f := prepare(d)
	if f != nil {
		return failAll(d, f)
	}
	if len(m.rcpts) == 0 {
		return nil
	}
	var last []sluice.Outcome
	temporary := false // some host failed in a way that may pass
	for _, h := range r.order() {
		out, f := h.deliver(ctx, m)
		if f == nil {
			return out
		}
		if f.final || ctx.Err() != nil {
			return failAll(d, f)
		}
		if f.reply.Temporary() || !temporary {
			last = failAll(d, f)
		}
		temporary = temporary || f.reply.Temporary()
	}
	return last
}

func failAll(d *sluice.Delivery, f *failure) []sluice.Outcome {
	out := make([]sluice.Outcome, len(d.Envelope.Rcpts))
	for i, rc := range d.Envelope.Rcpts {
		out[i] = sluice.Outcome{Recipient: rc.Address, Reply: f.reply, Err: f.err, Unknown: f.unknown}
	}
	return out
}

// probeTimeout bounds how long a session's EHLO may wait for the next hop's.
const probeTimeout = 3 * time.Second

// Extensions implements [sluice.Deliverer]: the intersection of what the hosts
// said last. Each new connection refreshes it; only where no host was ever
// reached is one asked here.
func (r *Relay) Extensions(ctx context.Context) sluice.Extensions {
	if e := r.known(); e.Known {
		return e
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	select {
	case r.probe <- struct{}{}:
		defer func() { <-r.probe }()
	case <-ctx.Done():
		return r.known()
	}
	now := time.Now()
	for _, h := range r.hosts {
		if r.known().Known {
			break
		}
		if h.isDown(now) {
			continue
		}
		if c, f := h.acquire(ctx, false); f == nil {
			h.release(c)
		}
	}
	return r.known()
}

func (r *Relay) known() sluice.Extensions {
	var all sluice.Extensions
	for _, h := range r.hosts {
		e := h.extensions()
		switch {
		case !e.Known:
		case !all.Known:
			all = e
		default:
			if all.Size == 0 || e.Size > 0 && e.Size < all.Size {
				all.Size = e.Size
			}
			all.EightBit = all.EightBit && e.EightBit
			all.SMTPUTF8 = all.SMTPUTF8 && e.SMTPUTF8
			all.DSN = all.DSN && e.DSN
		}
	}
	return all
}

// Close ends idle connections. Deliveries under way end as they would; their
// connections are not kept.
func (r *Relay) Close() error {
	for _, h := range r.hosts {
		h.close()
	}
	return nil
}
