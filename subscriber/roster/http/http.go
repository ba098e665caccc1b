// Package http is a directory of subscribers behind a service of the operator's: a GET
// with account, address, client, time or key as parameters of the query is answered by
// the JSON of a roster.Entry, or by 404 where nobody is known.
package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"sluice/directory"
	"sluice/subscriber"
	"sluice/subscriber/roster"
)

// Config says which service. Zero values get the default.
type Config struct {
	// URL is "https://HOST/PATH", or "http://" to loopback. Parameters that it has are
	// kept.
	URL string
	// TokenFile holds a bearer token, read at each question; "": none.
	TokenFile string
	TLSConfig *tls.Config
	Timeout   time.Duration // default 3 s
}

// maxAnswer bounds an answer.
const maxAnswer = 64 << 10

// Source is the directory. It is safe for concurrent use; put it behind a
// [roster.Cached].
type Source struct {
	cfg    Config
	url    *url.URL
	client *http.Client
}

var _ subscriber.Directory = (*Source)(nil)

// New prepares the source. Nothing is asked yet.
func New(cfg Config) (*Source, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("roster/http: url: want https://HOST/PATH")
	}
	if u.Scheme == "http" {
		if a := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (a == nil || !a.IsLoopback()) {
			return nil, fmt.Errorf("roster/http: who is asked about goes to %s in clear text: want https", u.Host)
		}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 3 * time.Second
	}
	return &Source{cfg: cfg, url: u, client: &http.Client{Timeout: cfg.Timeout,
		// A redirection would take the token and the question elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: cfg.TLSConfig, MaxConnsPerHost: 8, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
			ResponseHeaderTimeout: cfg.Timeout, MaxResponseHeaderBytes: 32 << 10}}}, nil
}

// Close closes idle connections.
func (s *Source) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Find implements [subscriber.Directory].
func (s *Source) Find(ctx context.Context, t subscriber.Trace) (subscriber.Subject, bool, error) {
	q := url.Values{}
	for k, v := range map[string]string{"account": t.Account, "address": t.Address, "tenant": t.Tenant} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if t.Client.IsValid() {
		q.Set("client", t.Client.Unmap().String())
	}
	if !t.Time.IsZero() {
		q.Set("time", t.Time.UTC().Format(time.RFC3339))
	}
	return s.ask(ctx, q)
}

// Subject implements [subscriber.Directory].
func (s *Source) Subject(ctx context.Context, key string) (subscriber.Subject, bool, error) {
	return s.ask(ctx, url.Values{"key": {key}})
}

func (s *Source) ask(ctx context.Context, q url.Values) (none subscriber.Subject, ok bool, err error) {
	u := *s.url
	have := u.Query()
	for k, v := range q {
		have[k] = v
	}
	u.RawQuery = have.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return none, false, fmt.Errorf("roster/http: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if s.cfg.TokenFile != "" {
		token, err := directory.ReadPassword(s.cfg.TokenFile)
		if err != nil {
			return none, false, fmt.Errorf("roster/http: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the address: it names the subscriber
		}
		return none, false, fmt.Errorf("roster/http: %s: %w", s.url.Host, err)
	}
	defer res.Body.Close()
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode == http.StatusNotFound:
		return none, false, nil
	case res.StatusCode != http.StatusOK:
		return none, false, fmt.Errorf("roster/http: %s answers %d", s.url.Host, res.StatusCode)
	case kind != "application/json":
		return none, false, fmt.Errorf("roster/http: %s answers with %.40q, want application/json", s.url.Host, kind)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return none, false, fmt.Errorf("roster/http: %s: %w", s.url.Host, err)
	}
	e, err := roster.Parse(b)
	if err != nil {
		return none, false, fmt.Errorf("roster/http: %s: %w", s.url.Host, err)
	}
	found, err := e.Subject()
	if err != nil {
		return none, false, fmt.Errorf("roster/http: %s: %w", s.url.Host, err)
	}
	return found, true, nil
}
