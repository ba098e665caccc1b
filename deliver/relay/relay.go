// Package relay hands messages to the next hop by SMTP while the sender waits.
// It is a client written for a gateway: it says 2xx only after the next hop has
// said 2xx to the final dot, passes on the next hop's own refusals, and makes
// every other failure temporary.
package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"sluice"
)

// Config says where and how to relay.
type Config struct {
	Hosts     []string    // host:port, tried in order; the next one where one is down
	Hello     string      // our name in EHLO
	TLS       TLSMode     // STARTTLS policy
	TLSConfig *tls.Config // nil: system roots; ServerName is set per host

	ConnectTimeout time.Duration // default 10 s
	CommandTimeout time.Duration // default 60 s
	DataTimeout    time.Duration // for the body, as long as it moves; default 120 s
	DotTimeout     time.Duration // for the answer to the final dot; default 240 s

	MaxConns int           // per host; default 20
	MaxIdle  time.Duration // a connection idle for longer is closed; default 5 s
	Wait     time.Duration // for a free connection; default 2 s
	LMTP     bool          // speak LMTP (RFC 2033)
}

// TLSMode is the STARTTLS policy towards the next hop.
type TLSMode uint8

// The modes.
const (
	TLSNone   TLSMode = iota // never
	TLSMay                   // where offered, without verification (RFC 7435)
	TLSVerify                // required, with a certificate that verifies
)

// Relay is a [sluice.Deliverer] for one route. It is safe for concurrent use.
type Relay struct {
	cfg Config
}

var _ sluice.Deliverer = (*Relay)(nil)

// New makes a relay; nothing is dialled yet.
func New(cfg Config) (*Relay, error) {
	if len(cfg.Hosts) == 0 {
		return nil, errors.New("relay: no hosts")
	}
	return &Relay{cfg: cfg}, nil
}

// Deliver implements [sluice.Deliverer].
func (r *Relay) Deliver(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
	out := make([]sluice.Outcome, len(d.Envelope.Rcpts))
	for i, rc := range d.Envelope.Rcpts {
		out[i] = sluice.Outcome{Recipient: rc.Address, Reply: sluice.ReplyTo(nil), Err: errors.New("relay: not ready")}
	}
	return out
}

// Extensions implements [sluice.Deliverer].
func (r *Relay) Extensions(ctx context.Context) sluice.Extensions { return sluice.Extensions{} }

// Close ends idle connections.
func (r *Relay) Close() error { return nil }
