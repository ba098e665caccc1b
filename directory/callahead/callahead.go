// Package callahead is a source of recipients that asks the back end itself: it
// goes as far as RCPT and no further. VRFY is never used, since nobody answers it.
//
// Two kinds of back end can't be asked. One takes every address and sends bounces
// later; a made-up address finds it out, at first and now and then. One refuses
// all, as for want of a login or a relay permission; postmaster, who must exist
// (RFC 5321 4.5.1), finds it out. Both get CantTell, and the source says why.
package callahead

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/directory"
	"sluice/directory/internal/pool"
	"sluice/smtp"
)

// Config says whom to ask and how. Zero values get the default.
type Config struct {
	// Hosts are "host:port" or "unix:/path", in order of preference: the next one is
	// tried where one doesn't answer.
	Hosts []string
	Hello string // our name in EHLO
	LMTP  bool   // speak LMTP (RFC 2033)

	TLS       TLSMode
	TLSConfig *tls.Config // roots, certificates, ServerName; nil: the system's roots and the host's name

	Timeout  time.Duration // connecting, and each command; default 3 s
	MaxConns int           // default 2
	MaxQueue int           // lookups that wait for a connection; default 128
	MaxIdle  time.Duration // then an unused connection is closed; default 20 s
	Probe    time.Duration // how often a made-up address is tried; default 1 h

	// Dial replaces the network, for tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// MadeUp makes a local part that nobody has; nil: 20 random letters.
	MadeUp func() string
}

// TLSMode is the STARTTLS policy towards the back end (RFC 3207).
type TLSMode uint8

// The modes.
const (
	TLSMay    TLSMode = iota // where offered, unverified; in clear text where it fails (RFC 7435)
	TLSNone                  // never
	TLSVerify                // required, with a certificate that verifies
)

// Source is the source. It is safe for concurrent use.
type Source struct {
	cfg   Config
	name  string
	pool  *pool.Pool[*conn]
	first atomic.Int64 // the host that answered last: asked first
	noTLS atomic.Int64 // until then STARTTLS is left alone (TLSMay), Unix nanoseconds

	mu      sync.Mutex
	domains map[string]*character
}

var _ directory.Source = (*Source)(nil)

func setDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// New prepares the source. Nothing is connected yet.
func New(cfg Config) (*Source, error) {
	if len(cfg.Hosts) == 0 {
		return nil, errors.New("directory/callahead: no hosts given")
	}
	for _, h := range cfg.Hosts {
		if _, _, err := net.SplitHostPort(h); err != nil && !strings.HasPrefix(h, "unix:/") {
			return nil, fmt.Errorf("directory/callahead: host %q: want HOST:PORT or unix:/PATH", h)
		}
	}
	if smtp.ClassifyHello(cfg.Hello) == smtp.HelloInvalid {
		return nil, fmt.Errorf("directory/callahead: %q can't be our name in EHLO", cfg.Hello)
	}
	setDefault(&cfg.Timeout, 3*time.Second)
	setDefault(&cfg.MaxConns, 2)
	setDefault(&cfg.MaxQueue, 128)
	setDefault(&cfg.MaxIdle, 20*time.Second)
	setDefault(&cfg.Probe, time.Hour)
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.MadeUp == nil {
		cfg.MadeUp = madeUp
	}
	scheme := "smtp://"
	if cfg.LMTP {
		scheme = "lmtp://"
	}
	s := &Source{cfg: cfg, name: scheme + cfg.Hosts[0], domains: map[string]*character{}}
	s.pool = pool.New(pool.Config[*conn]{Dial: s.dial, MaxConns: cfg.MaxConns, MaxQueue: cfg.MaxQueue, MaxIdle: cfg.MaxIdle})
	return s, nil
}

// madeUp is 20 letters and digits: no mailbox has that name by chance.
func madeUp() string {
	var b [13]byte
	_, _ = rand.Read(b[:]) // it never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))[:20]
}

// Close ends the connections that are kept.
func (s *Source) Close() error {
	s.pool.Close()
	return nil
}

// Name implements [directory.Source].
func (s *Source) Name() string { return s.name }

// Lookup implements [directory.Source].
func (s *Source) Lookup(ctx context.Context, q *directory.Query) (sluice.Listing, error) {
	a, err := smtp.ParseAddress(q.Address)
	if err != nil {
		return sluice.Listing{}, nil // nothing that isn't an address gets into a command
	}
	d := s.domain(q.Domain)
	probe, err := d.lock(ctx)
	if err != nil {
		return sluice.Listing{}, err
	}
	if probe {
		defer d.unlock()
	}
	for fresh := false; ; fresh = true {
		c, reused, err := s.pool.Take(ctx, fresh)
		if err != nil {
			return sluice.Listing{}, err
		}
		r, err := s.ask(ctx, c, d, a, probe)
		s.release(c, err)
		if err != nil && reused && ctx.Err() == nil && !isRefusal(err) {
			continue // the back end may have ended it while nobody looked
		}
		if err != nil {
			return sluice.Listing{}, err
		}
		return d.listing(s.name, r), nil
	}
}

// ask finds out, if need be, what kind of back end it is, and asks for an address.
func (s *Source) ask(ctx context.Context, c *conn, d *character, a smtp.Address, probe bool) (r smtp.Reply, err error) {
	if a.UTF8 && !c.utf8 {
		return smtp.Reply{Code: 252}, nil // RFC 6531 3.1: it can't be sent; nobody knows
	}
	if err := c.transaction(ctx, a.UTF8); err != nil {
		return r, err
	}
	if probe {
		if err := s.probe(ctx, c, d, a.Domain); err != nil {
			return r, err
		}
	}
	r, err = c.rcpt(ctx, a.Raw)
	if p, _ := verdict(r); err == nil && p == sluice.Present {
		d.known()
	}
	return r, err
}

// probe asks for a made-up address and, where that is refused, for postmaster.
func (s *Source) probe(ctx context.Context, c *conn, d *character, domain string) error {
	r, err := c.rcpt(ctx, s.cfg.MadeUp()+"@"+domain)
	if err != nil {
		return err
	}
	made, _ := verdict(r)
	master := sluice.CantTell
	if made == sluice.Absent {
		if r, err = c.rcpt(ctx, "postmaster@"+domain); err != nil {
			return err
		}
		master, _ = verdict(r)
	}
	d.learn(time.Now(), s.cfg.Probe, made, master, words(r))
	return nil
}

// release gives a connection back for the next lookup, unless it failed or has
// done its part.
func (s *Source) release(c *conn, err error) {
	switch {
	case err != nil && !isRefusal(err):
		s.pool.Give(c, false)
	case err != nil, c.asked >= maxAsked, c.refused >= maxRefused:
		s.pool.Retire(c)
	default:
		s.pool.Give(c, true)
	}
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*refusal](err)
	return ok
}

// dial connects to the first host that answers.
func (s *Source) dial(ctx context.Context) (*conn, error) {
	var errs []error
	first := int(s.first.Load())
	for i := range s.cfg.Hosts {
		n := (first + i) % len(s.cfg.Hosts)
		c, err := s.connect(ctx, s.cfg.Hosts[n])
		if err == nil {
			s.first.Store(int64(n))
			return c, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.cfg.Hosts[n], err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// noTLSLife is how long a failed handshake keeps TLSMay from trying again.
const noTLSLife = 10 * time.Minute

func (s *Source) connect(ctx context.Context, host string) (*conn, error) {
	mode := s.cfg.TLS
	if mode == TLSMay && time.Now().UnixNano() < s.noTLS.Load() {
		mode = TLSNone
	}
	c, err := s.open(ctx, host, mode)
	if err != nil && mode == TLSMay && c != nil && c.handshook && ctx.Err() == nil {
		s.noTLS.Store(time.Now().Add(noTLSLife).UnixNano())
		c, err = s.open(ctx, host, TLSNone)
	}
	return c, err
}

// open makes one attempt. After a failure the connection that it may return is
// closed.
func (s *Source) open(ctx context.Context, host string, mode TLSMode) (*conn, error) {
	network, addr := "tcp", host
	if path, ok := strings.CutPrefix(host, "unix:"); ok {
		network, addr = "unix", path
	}
	dctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	nc, err := s.cfg.Dial(dctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, raw: nc, host: host, timeout: s.cfg.Timeout}
	if err := c.begin(ctx, &s.cfg, mode); err != nil {
		c.Drop()
		return c, err
	}
	return c, nil
}

// Trouble implements [directory.Source]: domains whose back end can't be asked.
func (s *Source) Trouble() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for name, d := range s.domains {
		if t := d.trouble(); t != "" {
			out = append(out, name+": "+t)
		}
	}
	slices.Sort(out)
	if len(out) > maxTroubles {
		out = append(out[:maxTroubles], fmt.Sprintf("and %d more", len(out)-maxTroubles))
	}
	return strings.Join(out, "; ")
}

const maxTroubles = 5
