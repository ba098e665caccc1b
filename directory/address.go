package directory

import (
	"fmt"
	"strings"

	"sluice/smtp"
)

// Query is one question to a source.
type Query struct {
	// Address is what the sender wrote, with the domain in lower case: for a source
	// that knows how the back end itself reads addresses.
	Address string
	Domain  string // of Address
	// Forms are the entries that would stand for the address in a list, the
	// narrowest first: the address, the address without its extension, the local
	// part alone (for lists that hold no domains), "@domain" for all of it. Local
	// parts are folded to lower case, unless the domain is case-sensitive, and
	// without quotes where they need none.
	Forms []Form
}

// Form is one way to write an address in a list.
type Form struct {
	Address string // "user@domain", "user" where Domain is "", "@domain" where Local is ""
	Local   string
	Domain  string
}

// maxAddress bounds what is looked up at all.
const maxAddress = smtp.MaxLocal + 1 + smtp.MaxDomain

// split takes an address apart at its last "@", outside quotes by the grammar.
func split(address string) (local, domain string, err error) {
	if len(address) > maxAddress {
		return "", "", fmt.Errorf("directory: the address has %d octets; %d are allowed", len(address), maxAddress)
	}
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 {
		return "", "", fmt.Errorf("directory: %q is no address", address)
	}
	return address[:at], address[at+1:], nil
}

// plain takes the quotes off a local part that needs none: "john"@x and john@x
// are one mailbox (RFC 5321 4.1.2).
func plain(local string) string {
	if len(local) < 2 || local[0] != '"' || local[len(local)-1] != '"' {
		return local
	}
	inner := local[1 : len(local)-1]
	if strings.IndexByte(inner, '\\') >= 0 {
		b := make([]byte, 0, len(inner))
		for i := 0; i < len(inner); i++ {
			if inner[i] == '\\' && i+1 < len(inner) {
				i++
			}
			b = append(b, inner[i])
		}
		inner = string(b)
	}
	if a, err := smtp.ParseAddress(inner + "@x"); err != nil || a.Quoted {
		return local
	}
	return inner
}

// fold makes ASCII letters small. Others stay: what a mailbox beyond ASCII is
// called is for its own system to say (RFC 6530 4.2).
func fold(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
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

// base is a local part without its extension, and whether it had one. Owners and
// requests of lists keep the hyphen that others may use as a delimiter.
func base(local, delimiters string) (string, bool) {
	if delimiters == "" || local[0] == '"' {
		return local, false
	}
	i := strings.IndexAny(local, delimiters)
	switch {
	case i <= 0:
		return local, false
	case local[i] == '-' && (hasPrefixFold(local, "owner-") || hasSuffixFold(local, "-request")):
		return local, false
	}
	return local[:i], true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && smtp.EqualFold(s[:len(prefix)], prefix)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && smtp.EqualFold(s[len(s)-len(suffix):], suffix)
}

// query prepares the question for a domain's sources. The local part is plain
// and folded already.
func (d *domain) query(address, local, name string) *Query {
	q := &Query{Address: address, Domain: name, Forms: make([]Form, 0, 5)}
	if d.as != "" {
		name = d.as
	}
	add := func(local, domain string) {
		f := Form{Address: local, Local: local, Domain: domain}
		if domain != "" {
			f.Address = local + "@" + domain
		}
		q.Forms = append(q.Forms, f)
	}
	add(local, name)
	stem, extended := base(local, d.delimiters)
	if extended {
		add(stem, name)
	}
	add(local, "")
	if extended {
		add(stem, "")
	}
	add("", name)
	return q
}
