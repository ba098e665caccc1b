// Package sluice holds the contracts of the mail-security gateway: the plain
// values that travel with a message, and the interfaces of the rooms that keep
// or carry mail. It imports the standard library only. Read it first: every
// other package speaks in these words.
//
// The way of a message: a door (smtpd, scan, …) opens a [Session] at the [Gate];
// each phase's checks state facts as [Evidence]; the judge weighs them into a
// [Verdict]; policy turns that into an [Action] per recipient; a [Deliverer] or
// the [Quarantine] takes the message, and the sender gets a [Reply].
package sluice

import (
	"strings"
)

// Param is one ESMTP parameter of MAIL or RCPT, kept as the client wrote it
// (RFC 5321 4.1.2). A parameter without a value has an empty Value.
type Param struct {
	Key, Value string
}

// Address parts. Addresses are strings without angle brackets, as the client
// spelled them; the null reverse path is "".

// DomainOf returns the lower-case domain of addr, or "" where it has none. The
// last "@" counts, because a quoted local part may hold one (RFC 5321 4.1.2).
func DomainOf(addr string) string {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return ""
	}
	return lowerASCII(strings.TrimSuffix(addr[i+1:], "."))
}

// LocalOf returns the local part of addr as written.
func LocalOf(addr string) string {
	if i := strings.LastIndexByte(addr, '@'); i >= 0 {
		return addr[:i]
	}
	return addr
}

// IsPostmaster says whether addr must always be accepted: postmaster with or
// without a domain, in any case (RFC 5321 4.5.1).
func IsPostmaster(addr string) bool {
	return lowerASCII(LocalOf(addr)) == "postmaster"
}

// lowerASCII folds A–Z only: Unicode folding would make "ſ" an "s".
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
