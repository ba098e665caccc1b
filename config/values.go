package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// The value types read themselves from text, so that a bad value is reported
// with the line and column where it stands.

// Duration is a time such as "90s", "10m", "12h" or "30d".
type Duration struct{ time.Duration }

// UnmarshalText reads Go's duration syntax and whole days ("30d").
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if n, ok := strings.CutSuffix(s, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return fmt.Errorf("duration %q: want a number of days such as 30d", s)
		}
		d.Duration = time.Duration(v) * day
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 {
		return fmt.Errorf("duration %q: want something like 90s, 10m, 12h or 30d", s)
	}
	d.Duration = v
	return nil
}

// Size is a number of bytes such as "50MB" or "1GB" (powers of 1024).
type Size int64

// UnmarshalText reads digits with an optional KB, MB or GB.
func (z *Size) UnmarshalText(b []byte) error {
	s, shift := string(b), 0
	for i, u := range [...]string{"KB", "MB", "GB"} {
		if n, ok := strings.CutSuffix(s, u); ok {
			s, shift = strings.TrimSpace(n), 10*(i+1)
			break
		}
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v <= 0 || v > (1<<50)>>shift {
		return fmt.Errorf("size %q: want something like 500KB, 50MB or 1GB", b)
	}
	*z = Size(v << shift)
	return nil
}

// Prefix is a network such as "10.0.0.0/8", or one address.
type Prefix struct{ netip.Prefix }

// UnmarshalText reads CIDR notation or a bare address.
func (p *Prefix) UnmarshalText(b []byte) (err error) {
	p.Prefix, err = parsePrefix(string(b))
	return err
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("network %q: want an address or a network such as 192.0.2.0/24", s)
	}
	return p.Masked(), nil
}

// Time is a date ("2027-01-31") or a time (RFC 3339).
type Time struct{ time.Time }

// UnmarshalText reads either form; a date means its end, in UTC.
func (t *Time) UnmarshalText(b []byte) error {
	if v, err := time.Parse(time.DateOnly, string(b)); err == nil {
		t.Time = v.Add(day)
		return nil
	}
	v, err := time.Parse(time.RFC3339, string(b))
	if err != nil {
		return fmt.Errorf("time %q: want a date such as 2027-01-31 or a time such as 2027-01-31T12:00:00Z", b)
	}
	t.Time = v
	return nil
}

// Route is one next hop.
type Route struct {
	Kind   string // "smtp", "lmtp" or "maildir"
	Target string // "HOST:PORT", a socket's path as "unix:PATH", or a folder
}

// routeForms is what a bad one should have been.
const routeForms = "want smtp://HOST:PORT, lmtp://HOST:PORT, lmtp:/PATH/OF/SOCKET or maildir:PATH"

// UnmarshalText reads "smtp://HOST[:PORT]", "lmtp://HOST:PORT", "lmtp:/SOCKET" or
// "maildir:PATH".
func (r *Route) UnmarshalText(b []byte) error {
	s := string(b)
	if p, ok := strings.CutPrefix(s, "maildir:"); ok && p != "" {
		*r = Route{"maildir", p}
		return nil
	}
	kind, rest, _ := strings.Cut(s, ":")
	if kind == "lmtp" && strings.HasPrefix(rest, "/") && !strings.HasPrefix(rest, "//") {
		*r = Route{kind, "unix:" + rest}
		return nil
	}
	h, ok := strings.CutPrefix(rest, "//")
	h = strings.TrimSuffix(h, "/")
	if !ok || h == "" || kind != "smtp" && kind != "lmtp" || strings.ContainsAny(h, "/?#@ ") {
		return fmt.Errorf("relay %q: %s", s, routeForms)
	}
	host, port, err := net.SplitHostPort(h)
	if err != nil {
		host, port = strings.Trim(h, "[]"), map[string]string{"smtp": "25", "lmtp": "24"}[kind]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return fmt.Errorf("relay %q: bad host or port; %s", s, routeForms)
	}
	*r = Route{kind, net.JoinHostPort(host, port)}
	return nil
}

// String is the route as one would write it.
func (r Route) String() string {
	switch socket, unix := strings.CutPrefix(r.Target, "unix:"); {
	case r.Kind == "maildir":
		return "maildir:" + r.Target
	case unix:
		return r.Kind + ":" + socket
	}
	return r.Kind + "://" + r.Target
}

// Server is a resolver's address, or "none".
type Server struct{ netip.AddrPort }

// UnmarshalText reads "ADDRESS", "ADDRESS:PORT" or "none".
func (v *Server) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "none" {
		*v = Server{}
		return nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		v.AddrPort = netip.AddrPortFrom(a, 53)
		return nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 {
		return fmt.Errorf("DNS server %q: want an address such as 192.0.2.53, with a port if it isn't 53, or none", s)
	}
	v.AddrPort = a
	return nil
}

// Fingerprint is the SHA-256 digest of a certificate or of its public key.
type Fingerprint [sha256.Size]byte

// UnmarshalText reads "sha256:" and 64 hexadecimal digits, in pairs with colons
// between them or without.
func (f *Fingerprint) UnmarshalText(b []byte) error {
	digits, ok := strings.CutPrefix(string(b), "sha256:")
	v, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if !ok || err != nil || len(v) != len(f) {
		return fmt.Errorf("fingerprint %q: want sha256: and 64 hexadecimal digits, as openssl x509 -fingerprint -sha256 prints them", b)
	}
	copy(f[:], v)
	return nil
}

// Start is a [Time] from which on something counts: a date means its beginning,
// in UTC.
type Start struct{ time.Time }

// UnmarshalText reads either form.
func (s *Start) UnmarshalText(b []byte) error {
	if v, err := time.Parse(time.DateOnly, string(b)); err == nil {
		s.Time = v
		return nil
	}
	var t Time
	if err := t.UnmarshalText(b); err != nil {
		return err
	}
	s.Time = t.Time
	return nil
}

// RelayTLS says how far TLS to the next hop is asked for; "" stands for the
// default. It is a struct because the TOML library reads named strings by itself.
type RelayTLS struct{ Mode string }

// UnmarshalText reads none, may, verify or fingerprint.
func (t *RelayTLS) UnmarshalText(b []byte) error {
	switch s := string(b); s {
	case "none", "may", "verify", "fingerprint":
		t.Mode = s
		return nil
	default:
		return fmt.Errorf("tls %q: want none, may, verify or fingerprint", s)
	}
}

// domainName normalises to lower-case A-labels.
func domainName(s string) (string, error) {
	a, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil || a == "" || strings.ContainsAny(a, "@ /:") {
		return "", fmt.Errorf("not a domain name; want something like example.org")
	}
	return strings.ToLower(a), nil
}
