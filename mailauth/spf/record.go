package spf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sluice/mailauth/internal/said"
)

const version = "v=spf1"

// isRecord says whether a TXT record is a policy: the version and then a space
// or the end (RFC 7208 4.5).
func isRecord(txt string) bool {
	n := len(version)
	// ToLower makes no letter of the version out of one beyond ASCII.
	return len(txt) >= n && strings.ToLower(txt[:n]) == version && (len(txt) == n || txt[n] == ' ')
}

// kind is a mechanism (RFC 7208 5).
type kind uint8

const (
	all kind = iota
	include
	a
	mx
	ptr
	ip4
	ip6
	exists
)

var kinds = map[string]kind{"all": all, "include": include, "a": a, "mx": mx, "ptr": ptr, "ip4": ip4, "ip6": ip6, "exists": exists}

// asks says whether evaluating the mechanism asks the DNS (RFC 7208 4.6.4).
func (k kind) asks() bool { return k != all && k != ip4 && k != ip6 }

// directive is a mechanism with its qualifier.
type directive struct {
	text      string // as written
	qualifier Value
	kind      kind
	target    macroString // empty: the current domain
	bits4     int         // a, mx: of an IPv4 network
	bits6     int         // a, mx: of an IPv6 network
	network   netip.Prefix
}

// record is a policy whose syntax is right.
type record struct {
	directives   []directive
	redirect     macroString
	redirectText string // as written
	exp          macroString
	expText      string
}

// parse reads a policy. Any error anywhere in it is its error (RFC 7208 4.6):
// words for a person, without the package's name.
func parse(txt string, lim Limits) (*record, error) {
	if len(txt) > lim.Record {
		return nil, fmt.Errorf("the record is longer than %d octets", lim.Record)
	}
	for i := range len(txt) {
		if c := txt[i]; c < ' ' || c > '~' { // RFC 7208 3.1, 4.6.1
			return nil, fmt.Errorf("the record holds the octet 0x%02x; only printable ASCII and the space are allowed", c)
		}
	}
	rec := &record{}
	n := 0
	for term := range strings.SplitSeq(txt[len(version):], " ") {
		if term == "" {
			continue
		}
		if n++; n > lim.Terms {
			return nil, fmt.Errorf("the record has more than %d terms", lim.Terms)
		}
		if err := rec.term(term); err != nil {
			return nil, fmt.Errorf("%q: %w", said.Cut(term, 200), err)
		}
	}
	return rec, nil
}

func (r *record) term(s string) error {
	if name, value, ok := modifier(s); ok {
		return r.modifier(s, strings.ToLower(name), value)
	}
	d := directive{text: s, qualifier: Pass, bits4: 32, bits6: 128}
	rest := s
	switch s[0] { // RFC 7208 4.6.2
	case '+':
		rest = s[1:]
	case '-':
		d.qualifier, rest = Fail, s[1:]
	case '~':
		d.qualifier, rest = SoftFail, s[1:]
	case '?':
		d.qualifier, rest = Neutral, s[1:]
	}
	name, arg := rest, ""
	if i := strings.IndexAny(rest, ":/"); i >= 0 {
		name, arg = rest[:i], rest[i:]
	}
	k, ok := kinds[strings.ToLower(name)]
	if !ok {
		return unknown(name)
	}
	d.kind = k
	if err := d.argument(arg); err != nil {
		return err
	}
	r.directives = append(r.directives, d)
	return nil
}

// unknown explains a word that is no mechanism. Some are common slips.
func unknown(name string) error {
	switch strings.ToLower(name) {
	case "ip", "ipv4", "ip4v":
		return errors.New(`there is no such mechanism; an IPv4 address is written "ip4:"`)
	case "ipv6":
		return errors.New(`there is no such mechanism; an IPv6 address is written "ip6:"`)
	case "redirect", "exp":
		return fmt.Errorf(`%s is a modifier: it is written with "="`, strings.ToLower(name))
	case "":
		return errors.New("the mechanism has no name")
	}
	if strings.Trim(name, "0123456789.") == "" {
		return errors.New(`an address needs "ip4:" before it`)
	}
	return errors.New("there is no such mechanism")
}

// modifier cuts name=value, where name is one of a modifier (RFC 7208 4.6.1).
func modifier(s string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(s, "=")
	if !ok || name == "" || !alpha(name[0]) {
		return "", "", false
	}
	for i := range len(name) {
		if c := name[i]; !alphanum(c) && c != '-' && c != '_' && c != '.' {
			return "", "", false
		}
	}
	return name, value, true
}

func (r *record) modifier(text, name, value string) (err error) {
	switch name {
	case "redirect":
		if r.redirectText != "" { // RFC 7208 6
			return errors.New("redirect stands twice in the record")
		}
		r.redirectText = text
		r.redirect, err = parseDomain(value)
	case "exp":
		if r.expText != "" {
			return errors.New("exp stands twice in the record")
		}
		r.expText = text
		r.exp, err = parseDomain(value)
	default: // RFC 7208 6: ignored, but its syntax counts
		_, err = parseMacros(value, inRecord)
	}
	return err
}

// argument reads what follows the mechanism's name.
func (d *directive) argument(arg string) (err error) {
	switch d.kind {
	case all: // RFC 7208 5.1
		if arg != "" {
			return errors.New("all takes no argument")
		}
	case include, exists: // 5.2, 5.7
		if arg == "" || arg[0] != ':' {
			return errors.New("a domain is missing")
		}
		d.target, err = parseDomain(arg[1:])
	case ptr: // 5.5
		if arg == "" {
			return nil
		}
		if arg[0] != ':' {
			return errors.New("ptr takes no prefix length")
		}
		d.target, err = parseDomain(arg[1:])
	case a, mx: // 5.3, 5.4
		if arg, err = d.dualCIDR(arg); err != nil || arg == "" {
			return err
		}
		d.target, err = parseDomain(arg[1:])
	case ip4, ip6: // 5.6
		if arg == "" || arg[0] != ':' {
			return errors.New("an address is missing")
		}
		d.network, err = parseNetwork(arg[1:], d.kind)
	}
	return err
}

// dualCIDR cuts [ "/" ip4-cidr-length ] [ "//" ip6-cidr-length ] off the end
// (RFC 7208 5.3). The rest is "" or begins with ":"; it may hold slashes.
func (d *directive) dualCIDR(arg string) (rest string, err error) {
	rest = arg
	if i := strings.LastIndex(rest, "//"); i >= 0 && digits(rest[i+2:]) {
		if d.bits6, err = prefixLength(rest[i+2:], 128); err != nil {
			return "", err
		}
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '/'); i >= 0 && digits(rest[i+1:]) {
		if j := strings.LastIndexByte(rest[:i], '/'); j >= 0 && digits(rest[j+1:i]) {
			return "", errors.New("two prefix lengths are written /24//64, that of IPv4 first")
		}
		if d.bits4, err = prefixLength(rest[i+1:], 32); err != nil {
			return "", err
		}
		rest = rest[:i]
	}
	if rest != "" && rest[0] != ':' {
		return "", errors.New("the prefix length is malformed")
	}
	return rest, nil
}

// prefixLength reads a decimal number up to limit without leading zeros
// (RFC 7208 5.6).
func prefixLength(s string, limit int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || !digits(s) || n > limit || len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("the prefix length is no number from 0 to %d", limit)
	}
	return n, nil
}

// parseNetwork reads ip4-network or ip6-network with its prefix length
// (RFC 7208 5.6, 12).
func parseNetwork(s string, k kind) (netip.Prefix, error) {
	host, length, cut := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" || addr.Is4() != (k == ip4) {
		switch {
		case err == nil && addr.Zone() == "" && k == ip4:
			return netip.Prefix{}, errors.New(`an IPv6 address is written "ip6:"`)
		case err == nil && addr.Zone() == "":
			return netip.Prefix{}, errors.New(`an IPv4 address is written "ip4:"`)
		case k == ip4:
			return netip.Prefix{}, errors.New("not an IPv4 address")
		}
		return netip.Prefix{}, errors.New("not an IPv6 address")
	}
	bits := addr.BitLen()
	if cut {
		if bits, err = prefixLength(length, bits); err != nil {
			return netip.Prefix{}, err
		}
	}
	return netip.PrefixFrom(addr, bits).Masked(), nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func alpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func digit(c byte) bool { return '0' <= c && c <= '9' }

func alphanum(c byte) bool { return alpha(c) || digit(c) }
