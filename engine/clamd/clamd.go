// Package clamd asks ClamAV's daemon about messages: INSTREAM in sessions that are
// used again, on several hosts that stand in for each other. clamd unpacks mail
// itself, so it gets the message as it arrived.
//
// The protocol is that of clamd(8). Replies are outside text: they are parsed
// strictly, and one that isn't understood is the daemon's trouble, never "clean".
package clamd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice/engine"
)

// Config says where clamd is and what it is asked for. Zero fields have defaults.
type Config struct {
	Name  string // in findings; "": "clamd"
	Hosts engine.HostsConfig
	// MaxSize is the largest message that is sent, in octets; 0: 100 MB, as clamd's own
	// StreamMaxLength. A larger one can't be scanned.
	MaxSize int64
	// Suspicious are the beginnings of signatures that aren't malware for sure; nil:
	// [DefaultSuspicious].
	Suspicious []string
}

// DefaultSuspicious are heuristics, unwanted programs, and third-party signatures of
// spam.
func DefaultSuspicious() []string {
	return []string{"Heuristics.", "PUA.", "PUP.", "Sanesecurity.Junk.", "Sanesecurity.Spam", "winnow.spam."}
}

const (
	defaultMaxSize = 100 << 20
	chunk          = 256 << 10
	maxReply       = 4096
)

// Client is a [engine.Scanner] and [engine.Prober]. It is safe for concurrent use.
type Client struct {
	cfg   Config
	hosts *engine.Hosts
	// refused is the least size that clamd found too large, 0 for none.
	refused atomic.Int64
}

// New checks the configuration. It connects to nobody yet.
func New(c Config) (*Client, error) {
	if c.Name == "" {
		c.Name = "clamd"
	}
	if c.MaxSize <= 0 {
		c.MaxSize = defaultMaxSize
	}
	if c.Suspicious == nil {
		c.Suspicious = DefaultSuspicious()
	}
	hosts, err := engine.NewHosts(c.Hosts)
	if err != nil {
		return nil, fmt.Errorf("clamd: %w", err)
	}
	return &Client{cfg: c, hosts: hosts}, nil
}

// Name is the engine's.
func (c *Client) Name() string { return c.cfg.Name }

// Close closes the connections that nobody uses.
func (c *Client) Close() error { return c.hosts.Close() }

// Scan sends a message.
func (c *Client) Scan(ctx context.Context, body []byte) ([]engine.Finding, error) {
	if int64(len(body)) > c.cfg.MaxSize {
		return nil, fmt.Errorf("clamd: %d octets, %d are sent at most: %w", len(body), c.cfg.MaxSize, engine.ErrUnscannable)
	}
	var r reply
	err := c.hosts.Do(ctx, func(conn *engine.Conn) error {
		var err error
		r, err = scan(conn, body)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("clamd: %w", err)
	}
	if r.tooLarge {
		c.refused.Store(int64(len(body)))
	}
	return c.judge(r)
}

// judge makes a finding of a reply.
func (c *Client) judge(r reply) ([]engine.Finding, error) {
	switch {
	case r.tooLarge || r.failed && limited(r.text):
		return nil, fmt.Errorf("clamd: %s: %w", r.text, engine.ErrUnscannable)
	case r.failed:
		return nil, fmt.Errorf("clamd: it says %q", r.text)
	case r.found && strings.HasPrefix(r.text, "Heuristics.Limits.Exceeded"): // AlertExceedsMax
		return nil, fmt.Errorf("clamd: %s: %w", r.text, engine.ErrUnscannable)
	case r.found:
		f := engine.Finding{Engine: c.cfg.Name, Signature: r.text, Kind: engine.Malware}
		if slices.ContainsFunc(c.cfg.Suspicious, func(p string) bool { return strings.HasPrefix(r.text, p) }) {
			f.Kind = engine.Suspicious
		}
		return []engine.Finding{f}, nil
	}
	return nil, nil
}

// limited says whether clamd's words about a failure are about the message's size,
// depth or time, and not about itself.
func limited(text string) bool {
	low := strings.ToLower(text)
	return strings.Contains(low, "limit") || strings.Contains(low, "exceeded") || strings.Contains(low, "cl_emax") || strings.Contains(low, "too big")
}

// Probe asks every host for its version; one that answers is enough.
func (c *Client) Probe(ctx context.Context) (engine.Info, error) {
	var info engine.Info
	var first error
	failed := c.hosts.Each(ctx, func(conn *engine.Conn) error {
		if r, err := command(conn, "PING"); err != nil || r != "PONG" {
			return wrong("PING", r, err)
		}
		r, err := command(conn, "VERSION")
		if err != nil {
			return err
		}
		v, err := parseVersion(r)
		if err != nil {
			return err
		}
		conn.Keep = true
		info.Version = merge(info.Version, r)
		switch {
		case v.database.IsZero():
			info.Warnings = append(info.Warnings, conn.Host+": it has none of ClamAV's own signatures")
		case info.Database.IsZero() || v.database.Before(info.Database):
			info.Database = v.database // the oldest of all hosts
		}
		return nil
	})
	up := 0
	for _, a := range c.cfg.Hosts.Addresses {
		err := failed[a]
		if err == nil {
			up++
			continue
		}
		if first == nil {
			first = err
		}
		info.Warnings = append(info.Warnings, err.Error())
	}
	if up == 0 {
		return engine.Info{}, fmt.Errorf("clamd: %w", first)
	}
	if n := c.refused.Load(); n > 0 {
		info.Warnings = append(info.Warnings, fmt.Sprintf("it refused a message of %d octets: set StreamMaxLength to the largest message at least", n))
	}
	return info, nil
}

// merge joins the versions of several hosts, each once.
func merge(all, one string) string {
	switch {
	case all == "":
		return one
	case strings.Contains(all, one):
		return all
	}
	return all + "; " + one
}

func wrong(what, r string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("clamd: %s answered with %q", what, engine.Printable(r, 100))
}

// command sends a command in the connection's session and reads its answer.
func command(c *engine.Conn, name string) (string, error) {
	if _, err := c.Write(begin(c, name)); err != nil {
		return "", lost(err)
	}
	return answer(c)
}

// begin is the octets that begin a command, in a session (IDSESSION) that the first one
// opens.
func begin(c *engine.Conn, name string) []byte {
	var b []byte
	if c.Count == 0 {
		b = append(b, "zIDSESSION\x00"...)
	}
	c.Count++
	return append(append(append(b, 'z'), name...), 0)
}

// answer reads one reply of the session: it must be that to the latest command.
func answer(c *engine.Conn) (string, error) {
	text, err := read(c)
	if err != nil {
		return "", err
	}
	id, text, ok := cutID(text)
	if !ok || id != c.Count {
		return "", fmt.Errorf("clamd: answer %q is not that to command %d of the session", engine.Printable(text, 200), c.Count)
	}
	return text, nil
}

// scan sends a message and reads the reply.
func scan(c *engine.Conn, body []byte) (reply, error) {
	err := send(c, body)
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return reply{}, err
	}
	// A daemon that has had enough says so and closes: what it said is there to read
	// though no more can be sent.
	text, readErr := answer(c)
	switch {
	case readErr == nil:
	case err != nil:
		return reply{}, lost(err)
	default:
		return reply{}, readErr
	}
	r, parseErr := parse(text)
	if parseErr != nil {
		return reply{}, parseErr
	}
	if err != nil && !r.tooLarge {
		// It can't have seen the whole message.
		return reply{}, fmt.Errorf("clamd: it answered %q before the end of the message", engine.Printable(text, 200))
	}
	c.Keep = err == nil && !r.tooLarge
	return r, nil
}

// send writes INSTREAM with the message: chunks behind their lengths, and an empty one.
func send(c *engine.Conn, body []byte) error {
	head := begin(c, "INSTREAM")
	for len(body) > 0 {
		n := min(len(body), chunk)
		head = binary.BigEndian.AppendUint32(head, uint32(n))
		b := net.Buffers{head, body[:n]}
		if _, err := b.WriteTo(c.Conn); err != nil {
			return err
		}
		head, body = head[:0], body[n:]
	}
	_, err := c.Write(binary.BigEndian.AppendUint32(head, 0))
	return err
}

// lost marks an error after which another connection may do better.
func lost(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return fmt.Errorf("clamd: %w: %w", engine.ErrLost, err)
}

// read reads up to a NUL.
func read(r io.Reader) (string, error) {
	buf := make([]byte, 0, 256)
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), maxReply)])
		buf = buf[:len(buf)+n]
		if i := slices.Index(buf[len(buf)-n:], 0); i >= 0 {
			if i != n-1 {
				return "", errors.New("clamd: more than one answer to one command")
			}
			return string(buf[:len(buf)-1]), nil
		}
		switch {
		case err != nil:
			return "", lost(err)
		case len(buf) >= maxReply:
			return "", fmt.Errorf("clamd: an answer of more than %d octets", maxReply)
		}
	}
}

// version is what VERSION says: "ClamAV 1.4.3/27500/Mon Jan  5 10:26:31 2026", or the
// program alone where there are no signatures of ClamAV's own.
type version struct {
	program  string
	number   string
	database time.Time
}

func parseVersion(s string) (version, error) {
	if len(s) > 300 || !strings.HasPrefix(s, "ClamAV ") {
		return version{}, fmt.Errorf("clamd: version %q", engine.Printable(s, 100))
	}
	parts := strings.SplitN(s, "/", 3)
	v := version{program: parts[0]}
	if len(parts) < 3 {
		return v, nil
	}
	v.number = parts[1]
	// The zone is the host's and not told; half a day doesn't matter.
	t, err := time.Parse("Mon Jan _2 15:04:05 2006", parts[2])
	if err != nil {
		return v, nil // an unknown form of date is no trouble of the daemon
	}
	v.database = t
	return v, nil
}
