// Package console is the admin's view of the gateway: pages and a JSON API over
// the root interfaces, and /healthz and /metrics beside them.
//
// The pages work without JavaScript; htmx, embedded, only refreshes lists in
// place. No GET changes anything: what acts is a POST that carries a token of
// its session. Everything a sender wrote is shown escaped and as text.
//
// There is no door without a login: while no account exists, the only way in is
// the one-time address of [Console.SetupURL].
package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice"
)

// Config wires the console. Store is needed; all else has a default or is left
// out of the pages.
type Config struct {
	Store      sluice.Store
	Quarantine sluice.Quarantine // nil: no message can be opened

	// Release and Delete act on quarantined messages; by is the account. The
	// pages of a nil one say that it isn't available.
	Release func(ctx context.Context, id, by string) error
	Delete  func(ctx context.Context, id, by string) error

	// Hosts are the names and addresses under which the console may be asked
	// for, without ports. Loopback names are always allowed.
	Hosts []string
	// URL is the address of the console as people type it, for SetupURL, such as
	// "http://127.0.0.1:8025". An https URL makes cookies Secure.
	URL string
	// Proxies are reverse proxies whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// Tokens open the API without a session: bearer token → name for the audit
	// log. Tokens shorter than 20 octets are refused by New.
	Tokens map[string]string
	// MetricsFrom may read /metrics without a login; default: loopback.
	MetricsFrom []netip.Prefix

	Health   func(context.Context) error // nil error: well; default: always well
	Registry *prometheus.Registry        // nil: no /metrics
	Version  string                      // shown at the foot of each page

	Clock func() time.Time // default time.Now
	Rand  io.Reader        // default crypto/rand
	Log   *slog.Logger     // default: discards
}

// Console serves the pages. Make it with [New].
type Console struct {
	cfg Config
}

// New checks the configuration and builds the console.
func New(cfg Config) (*Console, error) {
	if cfg.Store == nil {
		return nil, errors.New("console: no store")
	}
	return &Console{cfg: cfg}, nil
}

// Handler serves pages, API, /healthz and /metrics. Give it to [NewServer].
func (c *Console) Handler() http.Handler { return http.NotFoundHandler() }

// SetupURL returns the one-time address at which the first account is made, ""
// where an account exists already.
func (c *Console) SetupURL(ctx context.Context) (string, error) { return "", nil }

// NewServer returns a server with the limits and deadlines that a listener open
// to strangers needs.
func NewServer(h http.Handler, log *slog.Logger) *http.Server { return &http.Server{Handler: h} }
