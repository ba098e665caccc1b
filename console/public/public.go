// Package public serves the pages that strangers may see: why a message was
// refused. It has a listener and an origin of its own and no admin routes.
//
// A reference token is sealed and holds all that the page says, so the page
// needs no database. It shows the sender's own facts and the catalogue's words,
// never a recipient, a threshold, a score or a list's key.
package public

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"sluice"
)

// What an opener says of a token that it can't open.
var (
	ErrInvalid = errors.New("public: not a reference of ours")
	ErrExpired = errors.New("public: the reference has expired")
)

// Facts are what a sealed reference holds.
type Facts struct {
	Ref     string // the reference as printed in the reply
	Time    time.Time
	Client  netip.Addr
	Hello   string // as the client sent it, hostile
	Phase   sluice.Phase
	Threat  sluice.Threat
	Reasons []sluice.Reason // strongest first
}

// Config wires the public pages. Open is needed.
type Config struct {
	// Open unseals a token. Its errors are ErrInvalid or ErrExpired (wrapped or
	// not); any other counts as ErrInvalid and is logged.
	Open func(token string) (Facts, error)

	Hosts      []string       // names that may be asked for; empty: any
	Proxies    []netip.Prefix // reverse proxies whose X-Forwarded-For is believed
	Postmaster string         // whom to write to, "" for none
	Node       string         // the name of this gateway, shown on the pages

	Clock func() time.Time // default time.Now
	Log   *slog.Logger     // default: discards
}

// New checks the configuration and returns the handler.
func New(cfg Config) (http.Handler, error) {
	if cfg.Open == nil {
		return nil, errors.New("public: no way to open references")
	}
	return http.NotFoundHandler(), nil
}
