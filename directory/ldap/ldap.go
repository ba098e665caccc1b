// Package ldap is a source of recipients in an LDAP directory (RFC 4511): a search
// with one filter for all forms of an address; an entry is a yes.
package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"sluice"
	"sluice/directory"
	"sluice/directory/internal/pool"
	"sluice/smtp"
)

// Config says which directory and what to search. Zero values get the default.
type Config struct {
	// URL is "ldap://HOST[:PORT]", with STARTTLS, or "ldaps://HOST[:PORT]".
	URL string
	// Plain leaves STARTTLS out on ldap://. With a password it is for loopback only.
	Plain     bool
	TLSConfig *tls.Config // roots, certificates, ServerName; nil: the system's roots and the host's name

	BindDN       string // "": anonymous
	PasswordFile string // holds BindDN's password, read at each connect

	Base string // where the search starts; the whole tree below it
	// Filter is an RFC 4515 filter with %s for the address, %u for its local part, %d
	// for its domain (escaped), %% for a percent sign: "(mail=%s)". "": for Entry only.
	Filter string

	Timeout  time.Duration // connecting, and each request; default 3 s
	MaxConns int           // default 2, at most 4
	MaxQueue int           // lookups that wait for a connection; default 64
	MaxIdle  time.Duration // then an unused connection is closed; default 1 min
}

// Source is the source. It is safe for concurrent use.
type Source struct {
	cfg    Config
	url    *url.URL
	addr   string
	name   string
	filter template
	pool   *pool.Pool[*conn]
}

var _ directory.Source = (*Source)(nil)

// maxPacket bounds one message of the server: the library allocates what the
// length says.
const maxPacket = 1 << 20

var bound = sync.OnceFunc(func() { ber.MaxPacketLengthBytes = maxPacket })

func setDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// New prepares the source. Nothing is connected yet.
func New(cfg Config) (*Source, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("directory/ldap: url: want ldap://HOST[:PORT] or ldaps://HOST[:PORT]")
	}
	s := &Source{cfg: cfg, url: u, name: u.Scheme + "://" + u.Host}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	}
	s.addr = net.JoinHostPort(u.Hostname(), port)
	if s.filter, err = parseTemplate(cfg.Filter); err != nil && cfg.Filter != "" {
		return nil, fmt.Errorf("directory/ldap: filter: %w", err)
	}
	switch {
	case (cfg.BindDN == "") != (cfg.PasswordFile == ""):
		// RFC 4513 5.1.2: a name without a password is an anonymous bind in disguise.
		return nil, errors.New("directory/ldap: the name to bind with and its password file go together")
	case cfg.PasswordFile != "" && cfg.Plain && u.Scheme == "ldap" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("directory/ldap: a password to %s needs TLS: anybody on the way could read it", u.Host)
	}
	if cfg.PasswordFile != "" {
		if _, err := os.Stat(cfg.PasswordFile); err != nil {
			return nil, fmt.Errorf("directory/ldap: %w", err)
		}
	}
	if _, err := ldap.ParseDN(cfg.Base); err != nil {
		return nil, fmt.Errorf("directory/ldap: base: %w", err)
	}
	setDefault(&s.cfg.Timeout, 3*time.Second)
	setDefault(&s.cfg.MaxConns, 2)
	s.cfg.MaxConns = min(s.cfg.MaxConns, 4)
	setDefault(&s.cfg.MaxQueue, 64)
	setDefault(&s.cfg.MaxIdle, time.Minute)
	s.pool = pool.New(pool.Config[*conn]{Dial: s.dial, MaxConns: s.cfg.MaxConns, MaxQueue: s.cfg.MaxQueue, MaxIdle: s.cfg.MaxIdle})
	bound()
	return s, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return smtp.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}

// Close closes the connections.
func (s *Source) Close() error {
	s.pool.Close()
	return nil
}

// Name implements [directory.Source].
func (s *Source) Name() string { return s.name }

// Trouble implements [directory.Source]: trouble comes with the answers.
func (s *Source) Trouble() string { return "" }

// Lookup implements [directory.Source].
func (s *Source) Lookup(ctx context.Context, q *directory.Query) (sluice.Listing, error) {
	if s.cfg.Filter == "" {
		return sluice.Listing{}, errors.New("directory/ldap: no filter")
	}
	// "1.1" asks for no attributes (RFC 4511 4.5.1.8).
	e, err := s.first(ctx, s.filter.fill(q.Forms), []string{"1.1"})
	switch {
	case err != nil:
		return sluice.Listing{}, err
	case e != nil:
		return sluice.Listing{Presence: sluice.Present, Source: s.name}, nil
	}
	return sluice.Listing{Presence: sluice.Absent, Source: s.name}, nil
}

// Entry is the first entry that a filter (RFC 4515, its values escaped) finds, as the
// values of the attributes asked for by their names; nil where there is none.
func (s *Source) Entry(ctx context.Context, filter string, attributes ...string) (map[string][]string, error) {
	e, err := s.first(ctx, filter, attributes)
	if e == nil || err != nil {
		return nil, err
	}
	out := make(map[string][]string, len(attributes))
	for _, a := range attributes {
		out[a] = e.GetEqualFoldAttributeValues(a)
	}
	return out, nil
}

// first searches over a connection of the pool.
func (s *Source) first(ctx context.Context, filter string, attributes []string) (*ldap.Entry, error) {
	for fresh := false; ; fresh = true {
		c, reused, err := s.pool.Take(ctx, fresh)
		if err != nil {
			return nil, err
		}
		e, err := s.search(ctx, c, filter, attributes)
		s.pool.Give(c, err == nil || !broken(err))
		if err != nil && reused && broken(err) && ctx.Err() == nil {
			continue // the server may have ended it while nobody looked
		}
		return e, err
	}
}

// search asks for an entry; nil: there is none. An alias isn't followed and a referral
// isn't chased: it means that another server may know, which is no answer.
func (s *Source) search(ctx context.Context, c *conn, filter string, attributes []string) (*ldap.Entry, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	defer stop()
	res, err := c.Search(ldap.NewSearchRequest(s.cfg.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		1, int((s.cfg.Timeout+time.Second-1)/time.Second), false, filter, attributes, nil))
	switch {
	case res != nil && len(res.Entries) > 0 && (err == nil || ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded)):
		return res.Entries[0], nil
	case err != nil:
		return nil, errors.Join(err, ctx.Err())
	case len(res.Referrals) > 0:
		return nil, fmt.Errorf("the server refers to %d others, the first %.100q; name the one that knows", len(res.Referrals), res.Referrals[0])
	}
	return nil, nil
}

// broken says whether a connection is of no use after an error: all errors but
// the server's own results.
func broken(err error) bool {
	e, ok := errors.AsType[*ldap.Error](err)
	return !ok || e.ResultCode >= ldap.ErrorNetwork || e.ResultCode == ldap.LDAPResultUnavailable
}

// conn is one connection that is bound.
type conn struct {
	*ldap.Conn
	raw net.Conn
}

// Usable implements [pool.Conn].
func (c *conn) Usable() bool { return !c.IsClosing() }

// Bye implements [pool.Conn].
func (c *conn) Bye() {
	_ = c.raw.SetDeadline(time.Now().Add(100 * time.Millisecond))
	_ = c.Unbind()
	_ = c.Close()
}

// Drop implements [pool.Conn]. The socket goes first: the library would wait for
// a write that hangs.
func (c *conn) Drop() {
	_ = c.raw.Close()
	_ = c.Close()
}

// dial connects, starts TLS and binds.
func (s *Source) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	c, err := s.open(raw)
	if !stop() && err == nil {
		c.Drop()
		err = ctx.Err()
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

func (s *Source) open(raw net.Conn) (*conn, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.cfg.TLSConfig != nil {
		conf = s.cfg.TLSConfig.Clone()
	}
	if conf.ServerName == "" {
		conf.ServerName = s.url.Hostname()
	}
	nc, secure := raw, s.url.Scheme == "ldaps"
	if secure {
		tc := tls.Client(raw, conf)
		if err := tc.Handshake(); err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		nc = tc
	}
	c := &conn{Conn: ldap.NewConn(nc, secure), raw: raw}
	c.SetTimeout(s.cfg.Timeout)
	c.Start()
	if !secure && !s.cfg.Plain {
		if err := c.StartTLS(conf); err != nil {
			c.Drop()
			return nil, fmt.Errorf("STARTTLS: %w", err)
		}
	}
	if s.cfg.BindDN != "" {
		password, err := directory.ReadPassword(s.cfg.PasswordFile)
		if err == nil {
			err = c.Bind(s.cfg.BindDN, password)
		}
		if err != nil {
			c.Drop()
			return nil, fmt.Errorf("bind as %.100q: %w", s.cfg.BindDN, err)
		}
	}
	return c, nil
}
