// Package expand asks shorteners and redirectors where their links lead. It goes no
// further than it must: it follows a way only from one redirector to the next, and never
// asks the place where the way ends.
//
// # What it never does
//
// It sends nothing to an address that isn't public: the address is judged when the
// connection is made, after the name was looked up, so a name that changes its address
// in between gains nothing. It sends no cookies, no credentials, no Referer, uses no
// proxy, keeps no connection, and reads little. It leaves alone what does something by
// being opened, or tells who opened it: links to leave a list, and links that carry an
// address or a long token (see Personal).
package expand

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice/internal/domains"
	"sluice/internal/pace"
	"sluice/internal/table"
	"sluice/message/links"
)

// Config sets up a Client. Zero fields have defaults.
type Config struct {
	// Follow says whether a link is a redirector's, which may be asked; nil: one of a
	// known shortener.
	Follow func(l *links.Link) bool
	// Allowed says whether a connection may be made; nil: to public addresses, ports 80
	// and 443.
	Allowed func(netip.AddrPort) bool
	// Lookup finds the addresses of a host; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// TLS is for the servers of tests; nil: the system's authorities.
	TLS *tls.Config

	Hops     int           // 0: 5
	Timeout  time.Duration // of one hop; 0: 3 s
	Total    time.Duration // of the whole way; 0: 8 s
	Parallel int           // ways at the same time; 0: 8
	Rate     int           // links of one host in a minute, at most 1,000; 0: 30
	Entries  int           // ways remembered; 0: 16,384
	Good     time.Duration // how long a way is good; 0: 6 h
	Bad      time.Duration // and one that failed; 0: 10 min
	Agent    string        // User-Agent; "": a browser's kind, without a name of ours
	Now      func() time.Time
}

const (
	maxURL    = 2048
	maxHeader = 32 << 10
	maxBody   = 16 << 10
	// Some redirectors answer browsers only.
	agent = "Mozilla/5.0 (compatible)"
)

// Way is where a link leads.
type Way struct {
	// URLs are the stations, the link itself first; the last one was not asked, but for
	// Why.
	URLs []string
	// Inside says that the last station is an address of an inner network, by its own
	// words. Nothing was sent there.
	Inside bool
	// Why says why the way couldn't be followed further; "" where it ends.
	Why string
}

// Target is the last station, "" where the way leads nowhere else.
func (w Way) Target() string {
	if len(w.URLs) < 2 {
		return ""
	}
	return w.URLs[len(w.URLs)-1]
}

// Client follows links. It is safe for concurrent use.
type Client struct {
	cfg       Config
	transport *http.Transport
	slots     chan struct{}
	ways      *table.Table[string, known]
	pace      *pace.Limiter

	mu     sync.Mutex
	flying map[string]*flight
}

type known struct {
	way   Way
	until int64
}

type flight struct {
	done chan struct{}
	way  Way
}

// New returns a client.
func New(c Config) *Client {
	if c.Follow == nil {
		c.Follow = func(l *links.Link) bool { return domains.Shortener(l.Host) }
	}
	if c.Allowed == nil {
		c.Allowed = func(a netip.AddrPort) bool { return Public(a.Addr()) && (a.Port() == 80 || a.Port() == 443) }
	}
	if c.Lookup == nil {
		c.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if c.Agent == "" {
		c.Agent = agent
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Hops, c.Parallel, c.Rate, c.Entries = or(c.Hops, 5), or(c.Parallel, 8), min(or(c.Rate, 30), 1000), or(c.Entries, 1<<14)
	c.Timeout, c.Total = or(c.Timeout, 3*time.Second), or(c.Total, 8*time.Second)
	c.Good, c.Bad = or(c.Good, 6*time.Hour), or(c.Bad, 10*time.Minute)
	cl := &Client{cfg: c, slots: make(chan struct{}, c.Parallel), flying: map[string]*flight{}}
	cl.ways = table.New[string](table.Config[known]{Capacity: c.Entries, Worth: func(v *known, now time.Time) float64 {
		return float64(v.until - now.UnixNano())
	}})
	cl.pace = pace.New(c.Rate, time.Minute/time.Duration(c.Rate), 4096)
	tlsConfig := c.TLS.Clone()
	if tlsConfig == nil {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cl.transport = &http.Transport{
		Proxy:                  nil, // a proxy would make the connection for us, to anywhere
		DialContext:            cl.dial,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    c.Timeout,
		ResponseHeaderTimeout:  c.Timeout,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        4,
	}
	return cl
}

func or[T int | time.Duration](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}

// errInside marks a connection that wasn't made.
var errInside = errors.New("the address is not a public one")

// dial connects to one of a host's addresses that is allowed.
func (c *Client) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = c.cfg.Lookup(ctx, host); err != nil {
		return nil, errors.New("the name can't be looked up")
	}
	// The address is judged at the last moment: this is what the connection goes to,
	// whatever a name meant before.
	d := net.Dialer{Timeout: c.cfg.Timeout, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !c.cfg.Allowed(netip.AddrPortFrom(a.Addr().Unmap(), a.Port())) {
			return errInside
		}
		return nil
	}}
	last := errors.New("the name has no address")
	for _, a := range addrs[:min(len(addrs), 4)] {
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(a.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		if errors.Is(err, errInside) {
			return nil, errInside // one inner address is enough to leave the name alone
		}
		last = err
	}
	return nil, last
}

// Expand follows a link until ctx ends. It says false where the link isn't one to ask.
func (c *Client) Expand(ctx context.Context, url string) (Way, bool) {
	if !c.Asks(url) {
		return Way{}, false
	}
	now := c.cfg.Now()
	if k, ok := c.ways.Get(url); ok && now.UnixNano() < k.until {
		return k.way, true
	}
	c.mu.Lock()
	f := c.flying[url]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flying[url] = f
		go c.fly(context.WithoutCancel(ctx), url, f)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.way, true
	case <-ctx.Done():
		return Way{URLs: []string{url}, Why: "no answer in time"}, true
	}
}

// Asks says whether a link is one that Expand would ask.
func (c *Client) Asks(url string) bool {
	_, why := c.asks(url)
	return why == ""
}

// fly follows one way for all who wait for it, and remembers it.
func (c *Client) fly(ctx context.Context, url string, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Total)
	defer cancel()
	defer func() {
		if recover() != nil {
			f.way = Way{URLs: []string{url}, Why: "the client fell over"}
		}
		now := c.cfg.Now()
		keep := c.cfg.Good
		if f.way.Why != "" {
			keep = c.cfg.Bad
		}
		c.ways.Update(url, now, func(v *known) { *v = known{f.way, now.Add(keep).UnixNano()} })
		c.mu.Lock()
		delete(c.flying, url)
		c.mu.Unlock()
		close(f.done)
	}()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		f.way = Way{URLs: []string{url}, Why: "too many links are being followed"}
		return
	}
	f.way = c.follow(ctx, url)
}

// asks says whether a link may be asked, and if not, why; "end" where the way ends.
func (c *Client) asks(url string) (*links.Link, string) {
	l := links.Parse(url)
	switch {
	case l.Scheme != "http" && l.Scheme != "https" || l.Host == "" || l.Has(links.OddHost) || len(url) > maxURL:
		return nil, end
	case !c.cfg.Follow(&l):
		return nil, end
	case l.User != "":
		return nil, "it holds credentials"
	case Personal(l.Path):
		return nil, "it belongs to one recipient"
	}
	return &l, ""
}

const end = "end"

// follow asks one redirector after the other.
func (c *Client) follow(ctx context.Context, url string) (w Way) {
	w.URLs = []string{url}
	for range c.cfg.Hops {
		l, why := c.asks(url)
		if why == end {
			return w
		}
		if why == "" {
			if _, ok := c.pace.Allow(l.Host, 1, c.cfg.Now()); !ok {
				why = "its host was asked too often"
			}
		}
		if why != "" {
			w.Why = why
			return w
		}
		to, err := c.hop(ctx, l)
		switch {
		case errors.Is(err, errInside):
			w.Why, w.Inside = "its host's address is not a public one", true
			return w
		case err != nil:
			w.Why = reasonOf(err)
			return w
		case to == "":
			return w // a page: the way ends at the redirector
		}
		next := links.Resolve(*l, to)
		url = next.Raw
		if links.Parse(url).Scheme == "" {
			url = written(&next)
		}
		if len(url) > maxURL {
			w.Why = "it leads to an overlong address"
			return w
		}
		for _, u := range w.URLs {
			if u == url {
				w.Why = "it leads in a circle"
				return w
			}
		}
		w.URLs = append(w.URLs, url)
		if w.Inside = inside(next.Host); w.Inside {
			return w
		}
	}
	if _, why := c.asks(url); why != end {
		w.Why = fmt.Sprintf("it leads on after %d hops", c.cfg.Hops)
	}
	return w
}

func written(l *links.Link) string {
	host := l.Host
	if l.Port != "" {
		host += ":" + l.Port
	}
	return l.Scheme + "://" + host + l.Path
}

// inside says whether a host is by itself one of an inner network.
func inside(host string) bool {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return !Public(a)
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") ||
		strings.HasSuffix(host, ".home.arpa") || host != "" && !strings.Contains(host, ".")
}

// hop asks one redirector: by HEAD, and by GET where that says nothing. It returns where
// it leads, as written.
func (c *Client) hop(ctx context.Context, l *links.Link) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		to, done, err := c.request(ctx, method, l)
		if err != nil || done {
			return to, err
		}
	}
	return "", nil
}

func (c *Client) request(ctx context.Context, method string, l *links.Link) (to string, done bool, err error) {
	path, _, _ := strings.Cut(written(l), "#")
	r, err := http.NewRequestWithContext(ctx, method, path, nil)
	if err != nil {
		return "", true, errors.New("its address can't be asked for")
	}
	r.Header = http.Header{"User-Agent": {c.cfg.Agent}, "Accept": {"text/html"}}
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return "", true, err
	}
	defer func() { _ = resp.Body.Close() }() // read or not, it is over
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return to, true, nil
	}
	if method == http.MethodHead {
		return "", false, nil
	}
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return "", true, fmt.Errorf("answer %d", resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return "", true, nil
	}
	return refresh(io.LimitReader(resp.Body, maxBody)), true, nil
}

// reasonOf puts an error into our own words: a library's may hold what the peer said.
func reasonOf(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "its certificate isn't good"
	case strings.HasPrefix(err.Error(), "answer "), strings.HasPrefix(err.Error(), "the name "), strings.HasPrefix(err.Error(), "its "):
		return err.Error()
	}
	return "no answer"
}
