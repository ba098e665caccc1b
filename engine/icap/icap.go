// Package icap asks an ICAP service (RFC 3507) about messages, as many scanners and
// gateways offer one. A message is presented as the body of an HTTP response (RESPMOD)
// and never taken back changed: a service that would change it has found something.
//
// What a server says is outside text: parsed strictly, in bounds, and never taken for
// "clean" where it isn't understood.
package icap

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/engine"
)

// Config says where the service is. Zero fields have defaults.
type Config struct {
	Name string // in findings; "": "icap"
	// URLs of hosts that do the same: icap://host[:1344]/service, or icaps:// for TLS. The
	// service must be the same for all.
	URLs []string
	// MaxSize is the largest message that is sent, in octets; 0: 100 MB.
	MaxSize int64
	Hosts   engine.HostsConfig // but for the addresses and TLS, which the URLs say
	TLS     *tls.Config        // of icaps; nil: verified by the system's roots
}

const (
	defaultMaxSize = 100 << 20
	defaultPort    = "1344" // RFC 3507 4.2
	maxPreview     = 64 << 10
	// How long OPTIONS are good: as the server says, within bounds.
	minOptions, defaultOptions, maxOptions = time.Minute, 10 * time.Minute, 24 * time.Hour
)

// Client is an [engine.Scanner] and [engine.Prober]. It is safe for concurrent use.
type Client struct {
	cfg     Config
	service string // as requests name it
	host    string // of the first URL, for the Host field
	hosts   *engine.Hosts
	now     func() time.Time

	mu      sync.Mutex
	options options
	until   time.Time // options are good
	tag     string    // the latest ISTag
}

// New checks the configuration. It connects to nobody yet.
func New(c Config) (*Client, error) {
	c.Name = cmp.Or(c.Name, "icap")
	if c.MaxSize <= 0 {
		c.MaxSize = defaultMaxSize
	}
	out := &Client{now: c.Hosts.Now}
	if out.now == nil {
		out.now = time.Now
	}
	c.Hosts.Addresses = nil
	scheme, path := "", ""
	for i, s := range c.URLs {
		u, err := url.Parse(s)
		if err != nil || u.Hostname() == "" || u.Scheme != "icap" && u.Scheme != "icaps" || u.User != nil || u.Fragment != "" || !printable(s) {
			return nil, fmt.Errorf("icap: %q: want icap://host:port/service", s)
		}
		if i > 0 && (u.Scheme != scheme || u.RequestURI() != path) {
			return nil, fmt.Errorf("icap: %q is another service than %q", s, c.URLs[0])
		}
		scheme, path = u.Scheme, u.RequestURI()
		port := cmp.Or(u.Port(), defaultPort)
		address := u.Hostname() + ":" + port
		if strings.Contains(u.Hostname(), ":") {
			address = "[" + u.Hostname() + "]:" + port
		}
		c.Hosts.Addresses = append(c.Hosts.Addresses, address)
	}
	c.Hosts.TLS = nil
	if scheme == "icaps" {
		c.Hosts.TLS = c.TLS
		if c.TLS == nil {
			c.Hosts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	hosts, err := engine.NewHosts(c.Hosts)
	if err != nil {
		return nil, fmt.Errorf("icap: %w", err)
	}
	out.cfg, out.hosts = c, hosts
	out.host = c.Hosts.Addresses[0]
	out.service = "icap://" + out.host + path
	return out, nil
}

func printable(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Name is the engine's.
func (c *Client) Name() string { return c.cfg.Name }

// Close closes the connections that nobody uses.
func (c *Client) Close() error { return c.hosts.Close() }

// Scan presents a message to the service.
func (c *Client) Scan(ctx context.Context, body []byte) ([]engine.Finding, error) {
	if int64(len(body)) > c.cfg.MaxSize {
		return nil, fmt.Errorf("icap: %d octets, %d are sent at most: %w", len(body), c.cfg.MaxSize, engine.ErrUnscannable)
	}
	o, err := c.known(ctx)
	if err != nil {
		return nil, err
	}
	free, err := o.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	var v verdict
	err = c.hosts.Do(ctx, func(conn *engine.Conn) error {
		var err error
		v, err = c.respmod(conn, o, body)
		return err
	})
	if err != nil {
		return nil, wrap(err)
	}
	c.tagged(v.tag)
	return v.findings(c.cfg.Name)
}

func wrap(err error) error {
	if strings.HasPrefix(err.Error(), "icap: ") {
		return err
	}
	return fmt.Errorf("icap: %w", err)
}

// Probe asks every host for its options; one that answers is enough.
func (c *Client) Probe(ctx context.Context) (engine.Info, error) {
	var info engine.Info
	var o options
	up := 0
	failed := c.hosts.Each(ctx, func(conn *engine.Conn) error {
		got, err := c.ask(conn)
		if err != nil {
			return err
		}
		o = got
		up++
		return nil
	})
	var first error
	for _, a := range c.cfg.Hosts.Addresses {
		if err := failed[a]; err != nil {
			first = cmp.Or(first, err)
			info.Warnings = append(info.Warnings, wrap(err).Error())
		}
	}
	if up == 0 {
		return engine.Info{}, wrap(first)
	}
	c.keep(o)
	info.Version = strings.TrimSpace(o.service + " " + o.tag)
	if info.Version == "" {
		info.Version = "ICAP"
	}
	return info, nil
}

// options are what OPTIONS said (RFC 3507 4.10.2).
type options struct {
	preview  int // octets; -1: no preview
	allow204 bool
	ttl      time.Duration
	service  string
	tag      string
	slots    chan struct{} // Max-Connections; nil: no bound
}

// enter waits for one of the service's connections.
func (o options) enter(ctx context.Context) (free func(), err error) {
	if o.slots == nil {
		return func() {}, nil
	}
	select {
	case o.slots <- struct{}{}:
		return func() { <-o.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("icap: none of the service's %d connections is free: %w", cap(o.slots), ctx.Err())
	}
}

// known returns the options, which it asks for where they are too old.
func (c *Client) known(ctx context.Context) (options, error) {
	c.mu.Lock()
	o, fresh := c.options, c.now().Before(c.until)
	c.mu.Unlock()
	if fresh {
		return o, nil
	}
	err := c.hosts.Do(ctx, func(conn *engine.Conn) error {
		var err error
		o, err = c.ask(conn)
		return err
	})
	if err != nil {
		return options{}, wrap(err)
	}
	return c.keep(o), nil
}

// keep remembers options. The bound of connections stays the same channel while it is
// the same number.
func (c *Client) keep(o options) options {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.options.slots != nil && cap(c.options.slots) == cap(o.slots) {
		o.slots = c.options.slots
	}
	c.options, c.until, c.tag = o, c.now().Add(o.ttl), o.tag
	return o
}

// tagged takes note of the state that an answer names: another one than that of the
// options means that these are old (RFC 3507 4.7). Some services name another one each
// time, so they are asked again in a minute and not at once.
func (c *Client) tagged(tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if soon := c.now().Add(minOptions); tag != "" && tag != c.tag && soon.Before(c.until) {
		c.until = soon
	}
	c.tag = cmp.Or(tag, c.tag)
}

// ask sends OPTIONS.
func (c *Client) ask(conn *engine.Conn) (options, error) {
	request := "OPTIONS " + c.service + " ICAP/1.0\r\nHost: " + c.host + "\r\nUser-Agent: Sluice\r\nEncapsulated: null-body=0\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return options{}, lost(err)
	}
	r := bufio.NewReader(conn)
	a, err := readAnswer(r)
	if err != nil {
		return options{}, err
	}
	if a.code != 200 {
		return options{}, refusal(a)
	}
	o := readOptions(a.fields)
	if m := a.fields["methods"]; m != "" && !has(m, "RESPMOD") {
		return options{}, fmt.Errorf("icap: the service has no RESPMOD but %q", engine.Printable(m, 80))
	}
	conn.Count++
	conn.Keep = a.fields["encapsulated"] == "" || strings.Contains(a.fields["encapsulated"], "null-body")
	conn.Keep = conn.Keep && r.Buffered() == 0 && !has(a.fields["connection"], "close")
	return o, nil
}

// readOptions never fails: what a server says wrongly it doesn't say.
func readOptions(f fields) options {
	o := options{preview: -1, ttl: defaultOptions}
	if n, err := strconv.Atoi(f["preview"]); err == nil && n >= 0 {
		o.preview = min(n, maxPreview)
	}
	o.allow204 = has(f["allow"], "204")
	if n, err := strconv.ParseInt(f["options-ttl"], 10, 32); err == nil && n >= 0 {
		o.ttl = min(max(time.Duration(n)*time.Second, minOptions), maxOptions)
	}
	if n, err := strconv.Atoi(f["max-connections"]); err == nil && n > 0 && n < 1000 {
		o.slots = make(chan struct{}, n)
	}
	o.service = engine.Printable(f["service"], 100)
	o.tag = engine.Printable(strings.Trim(f["istag"], `"`), 64)
	return o
}

// has says whether a list with commas has an item, in any case.
func has(list, item string) bool {
	for s := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(s), item) {
			return true
		}
	}
	return false
}

// answer is the header of an answer.
type answer struct {
	code   int
	fields fields
}

// readAnswer reads an answer's header. A connection that ends before its first octet
// was lost.
func readAnswer(r *bufio.Reader) (answer, error) {
	if _, err := r.Peek(1); err != nil {
		return answer{}, lost(err)
	}
	s, err := line(r, maxLine)
	if err != nil {
		return answer{}, broken(err)
	}
	a := answer{}
	if a.code, err = status(s, "ICAP/1."); err != nil {
		return answer{}, err
	}
	if a.fields, err = readFields(r); err != nil {
		return answer{}, broken(err)
	}
	return a, nil
}

// lost marks an error after which another connection may do better.
func lost(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return fmt.Errorf("icap: %w: %w", engine.ErrLost, err)
}

// broken is the end of a connection in the middle of an answer.
func broken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errSyntax) {
		return err
	}
	return fmt.Errorf("icap: the answer ends too soon: %w", err)
}

// refusal is an answer that is neither a verdict nor options.
func refusal(a answer) error {
	switch a.code {
	case 413: // the message, and not the service
		return fmt.Errorf("icap: the service answers %d: %w", a.code, engine.ErrUnscannable)
	case 404:
		return errors.New("icap: the service answers 404: there is none of this name")
	}
	return fmt.Errorf("icap: the service answers %d", a.code)
}

// head is the HTTP side of a request: what the message is said to be.
func (c *Client) head(size int) (request, response string) {
	request = "GET http://mail.invalid/message.eml HTTP/1.1\r\nHost: mail.invalid\r\n\r\n"
	response = "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n"
	return request, response
}

// respmod presents a message: a preview where the service wants one, and the rest when
// it asks for it.
func (c *Client) respmod(conn *engine.Conn, o options, body []byte) (verdict, error) {
	request, response := c.head(len(body))
	var b bytes.Buffer
	fmt.Fprintf(&b, "RESPMOD %s ICAP/1.0\r\nHost: %s\r\nUser-Agent: Sluice\r\n", c.service, c.host)
	if o.allow204 {
		b.WriteString("Allow: 204\r\n")
	}
	first := body
	if o.preview >= 0 {
		first = body[:min(o.preview, len(body))]
		fmt.Fprintf(&b, "Preview: %d\r\n", len(first))
	}
	whole := len(first) == len(body)
	fmt.Fprintf(&b, "Encapsulated: req-hdr=0, res-hdr=%d, res-body=%d\r\n\r\n%s%s", len(request), len(request)+len(response), request, response)

	end := "0\r\n\r\n"
	if o.preview >= 0 && whole {
		end = "0; ieof\r\n\r\n" // RFC 3507 4.5
	}
	r := bufio.NewReader(conn)
	x := &exchange{conn: conn, r: r}
	defer func() { _ = x.finish(true) }() // the message isn't ours any more then
	x.write(b.Bytes(), first, end)
	a, err := x.answer()
	if err == nil && a.code == 100 {
		if whole || o.preview < 0 {
			return verdict{}, syntax("100 Continue to a message that is there")
		}
		x.write(nil, body[len(first):], "0\r\n\r\n")
		if a, err = x.answer(); err == nil && a.code == 100 {
			return verdict{}, syntax("100 Continue twice")
		}
	}
	if err != nil {
		return verdict{}, err
	}
	v, err := c.read(r, a, body)
	if err != nil {
		return verdict{}, err
	}
	conn.Count++
	conn.Keep = x.finish(true) == nil && r.Buffered() == 0 && !has(a.fields["connection"], "close")
	return v, nil
}

// exchange writes and reads at the same time: a server may answer before it has read
// everything, and stop reading.
type exchange struct {
	conn    *engine.Conn
	r       *bufio.Reader
	written chan error // what is under way; nil: nothing
	err     error      // of the last
}

// write writes a head as it is, a chunk and what ends it, beside the reading.
func (x *exchange) write(head, chunk []byte, end string) {
	written := make(chan error, 1)
	x.written = written
	go func() {
		// A large message is a mapped file: a disk error behind it must be an error here,
		// not the end of the program.
		debug.SetPanicOnFault(true)
		err := errors.New("icap: the message can't be read")
		defer func() {
			_ = recover()
			written <- err
		}()
		err = put(x.conn, head, chunk, end)
	}()
}

// put writes a chunk between what stands before and behind it, in one piece where it is
// small.
func put(w io.Writer, head, chunk []byte, end string) error {
	if len(chunk) > 0 {
		head = fmt.Appendf(head, "%x\r\n", len(chunk))
		end = "\r\n" + end
	}
	if len(chunk) <= 64<<10 {
		_, err := w.Write(append(append(head, chunk...), end...))
		return err
	}
	for _, b := range [][]byte{head, chunk, []byte(end)} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// answer reads the header of the next answer. Behind "100 Continue" the preview has been
// written; anything else may be there while the message is still being written, and its
// body may come piece by piece for what is written.
func (x *exchange) answer() (answer, error) {
	a, err := readAnswer(x.r)
	if err == nil && a.code == 100 {
		if werr := x.finish(false); werr != nil {
			return answer{}, lost(werr)
		}
	}
	return a, err
}

// finish waits for what is being written, or ends it: when the answer has been read, what
// was not taken has no reader any more.
func (x *exchange) finish(end bool) error {
	if x.written == nil {
		return x.err
	}
	select {
	case x.err = <-x.written:
	default:
		if end {
			_ = x.conn.SetWriteDeadline(time.Unix(1, 0))
		}
		x.err = <-x.written
	}
	x.written = nil
	return x.err
}
