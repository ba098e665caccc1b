package smtp

import (
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of RFC 5321 4.5.3.1. The RFC asks for at least these sizes. Local parts
// get more: bounce addresses that hold another address are longer in practice.
const (
	MaxLocal  = 128
	MaxDomain = 255
	MaxPath   = 384 // angle brackets and source route included
)

// Errors of paths and addresses.
var (
	ErrPath        = errors.New("smtp: path: not a path in angle brackets")
	ErrPathTooLong = errors.New("smtp: path: too long")
	ErrLocal       = errors.New("smtp: path: bad local part")
	ErrDomain      = errors.New("smtp: path: bad domain")
)

// Address is a mailbox as it was written, taken apart.
type Address struct {
	Raw     string // "" for the null reverse path; "postmaster" has no domain
	Local   string // as written, quotes included
	Domain  string // as written; a literal with its brackets
	Quoted  bool   // the local part is a quoted string
	Literal bool   // the domain is an address literal
	UTF8    bool   // has octets beyond ASCII: needs SMTPUTF8 (RFC 6531)
	Odd     bool   // a local part that RFC 5321 forbids but real systems use: dots at the end or side by side
}

// CutReversePath takes a reverse path from the start of s: "<>" or a mailbox in
// angle brackets, with its source route thrown away (RFC 5321 4.1.1.2, appendix C).
// The rest is what follows the bracket.
func CutReversePath(s string) (addr Address, rest string, err error) {
	if strings.HasPrefix(s, "<>") {
		return Address{}, s[2:], nil
	}
	return cutPath(s)
}

// CutForwardPath takes a forward path from the start of s: a mailbox in angle
// brackets, or "<postmaster>" in any case (RFC 5321 4.1.1.3).
func CutForwardPath(s string) (addr Address, rest string, err error) {
	const postmaster = "<postmaster>"
	if len(s) >= len(postmaster) && EqualFold(s[:len(postmaster)], postmaster) {
		local := s[1 : len(postmaster)-1]
		return Address{Raw: local, Local: local}, s[len(postmaster):], nil
	}
	return cutPath(s)
}

func cutPath(s string) (Address, string, error) {
	if s == "" || s[0] != '<' {
		return Address{}, s, ErrPath
	}
	end := closing(s)
	switch {
	case end > MaxPath-1 || (end < 0 && len(s) > MaxPath):
		return Address{}, s, ErrPathTooLong
	case end < 0:
		return Address{}, s, ErrPath
	}
	box, rest := s[1:end], s[end+1:]
	box, err := dropRoute(box)
	if err != nil {
		return Address{}, s, err
	}
	addr, err := ParseAddress(box)
	return addr, rest, err
}

// closing returns the place of the ">" that ends the path, which one inside a
// quoted string doesn't; -1 where there is none.
func closing(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			return i
		}
	}
	return -1
}

// dropRoute removes "@a,@b:" from the start of a mailbox (RFC 5321 appendix C).
func dropRoute(box string) (string, error) {
	if !strings.HasPrefix(box, "@") {
		return box, nil
	}
	route, box, ok := strings.Cut(box, ":")
	if !ok {
		return "", ErrPath
	}
	for hop := range strings.SplitSeq(route, ",") {
		host, ok := strings.CutPrefix(hop, "@")
		if !ok || (!validDomain(host, true) && !validLiteral(host)) {
			return "", ErrPath
		}
	}
	return box, nil
}

// ParseAddress reads a mailbox without angle brackets (RFC 5321 4.1.2, RFC 6531
// 3.3).
func ParseAddress(s string) (Address, error) {
	a := Address{Raw: s}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			a.UTF8 = true
			break
		}
	}
	if a.UTF8 && !plainUTF8(s) {
		return Address{}, ErrLocal
	}
	var at int
	if strings.HasPrefix(s, `"`) {
		a.Quoted = true
		at = quotedEnd(s)
	} else {
		at = strings.IndexByte(s, '@')
	}
	if at <= 0 || at >= len(s) || s[at] != '@' {
		return Address{}, ErrLocal
	}
	a.Local, a.Domain = s[:at], s[at+1:]
	if len(a.Local) > MaxLocal || len(a.Domain) > MaxDomain {
		return Address{}, ErrPathTooLong
	}
	if !a.Quoted {
		ok, odd := dotString(a.Local)
		if !ok {
			return Address{}, ErrLocal
		}
		a.Odd = odd
	}
	a.Literal = strings.HasPrefix(a.Domain, "[")
	if a.Literal && !validLiteral(a.Domain) || !a.Literal && !validDomain(a.Domain, true) {
		return Address{}, ErrDomain
	}
	return a, nil
}

// plainUTF8 says whether s is UTF-8 without controls, spaces beyond ASCII and
// other runes that have no place in an address.
func plainUTF8(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
		if r >= utf8.RuneSelf && (unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Co, r)) {
			return false
		}
	}
	return true
}

// quotedEnd returns the place behind the quoted string at the start of s, 0 where
// it isn't one: qtextSMTP and quoted pairs only (RFC 5321 4.1.2).
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
			if i >= len(s) || s[i] < ' ' || s[i] > '~' {
				return 0
			}
		case c < ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}

// dotString says whether s is made of atoms and dots, and whether an atom is
// empty, which the RFC forbids and some mobile carriers gave out.
func dotString(s string) (ok, odd bool) {
	before := byte('.')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.':
			odd = odd || before == '.'
		case !atext(c):
			return false, false
		}
		before = c
	}
	return true, odd || before == '.'
}

func atext(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= utf8.RuneSelf:
		return true
	}
	return strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// validDomain checks RFC 5321 4.1.2 Domain, with U-labels where octets beyond
// ASCII are present (RFC 6531 3.3). The underscore isn't in the grammar but is in
// use, so lax takes it.
func validDomain(s string, lax bool) bool {
	if s == "" || len(s) > MaxDomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := 0; i < len(label); i++ {
			switch c := label[i]; {
			case letDig(c), c == '-', c >= utf8.RuneSelf:
			case c == '_' && lax:
			default:
				return false
			}
		}
	}
	return true
}

func letDig(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// ParseLiteral reads an address literal with its brackets: "[192.0.2.1]" or
// "[IPv6:2001:db8::1]" (RFC 5321 4.1.3).
func ParseLiteral(s string) (netip.Addr, bool) {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return netip.Addr{}, false
	}
	s = s[1 : len(s)-1]
	v6 := len(s) > 5 && EqualFold(s[:5], "IPv6:")
	if v6 {
		s = s[5:]
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" || ip.Is4() == v6 {
		return netip.Addr{}, false
	}
	return ip, true
}

// validLiteral takes IPv4 and IPv6 only: no other tag was ever registered
// (RFC 5321 4.1.3 leaves room for them).
func validLiteral(s string) bool {
	_, ok := ParseLiteral(s)
	return ok
}

// HelloKind classes the argument of EHLO and HELO.
type HelloKind uint8

// The kinds. Only the first two are what RFC 5321 4.1.1.1 asks for.
const (
	HelloInvalid HelloKind = iota // not a domain at all
	HelloFQDN                     // two labels or more
	HelloLiteral                  // an address in brackets
	HelloBare                     // one label
	HelloAddress                  // an IP address without brackets
)

// ClassifyHello says what kind of name a client greets with.
func ClassifyHello(s string) HelloKind {
	if validLiteral(s) {
		return HelloLiteral
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return HelloAddress
	}
	switch {
	case !validDomain(s, false) || !plainUTF8(s):
		return HelloInvalid
	case !strings.Contains(s, "."):
		return HelloBare
	}
	return HelloFQDN
}
