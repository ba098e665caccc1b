package dns

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The limits of RFC 1035 2.3.4 in presentation form without the final dot.
const (
	maxName  = 253
	maxLabel = 63
)

// labels converts one label that isn't ASCII, as browsers and registries do
// (UTS 46, non-transitional).
var labels = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true), idna.BidiRule(), idna.CheckJoiners(true))

// dots are the full stops of UTS 46 2.3.
var dots = strings.NewReplacer("。", ".", "．", ".", "｡", ".")

// Normalize returns the one form in which names are asked for and compared:
// lower case, U-labels turned into A-labels (RFC 5891 4.4), no final dot, "."
// for the root. Underscores and other printable ASCII pass, for DNS names are
// more than host names (RFC 2181 11); the rest is [ErrBadName]. A backslash is
// refused, so escapes (a dot inside a label, a NUL) never change meaning here.
func Normalize(name string) (string, error) {
	if name == "." || normal(name) {
		return name, nil
	}
	// Cheap first: a U-label takes at most 4 bytes for each of 63 characters.
	if len(name) > 4*(maxName+1) {
		return "", badName(name, "too long")
	}
	if !ascii(name) {
		if !utf8.ValidString(name) {
			return "", badName(name, "not UTF-8")
		}
		name = dots.Replace(name)
	}
	name = strings.TrimSuffix(name, ".")
	out := make([]byte, 0, len(name)+8)
	for label := range strings.SplitSeq(name, ".") {
		a, why := normalLabel(label)
		if why != "" {
			return "", badName(name, why)
		}
		if len(out) > 0 {
			out = append(out, '.')
		}
		out = append(out, a...)
	}
	if len(out) > maxName {
		return "", badName(name, "too long")
	}
	return string(out), nil
}

// normal says whether a name is in the form Normalize gives, so that most calls
// take no memory.
func normal(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c <= ' ' || c >= 0x7f || c == '\\' || 'A' <= c && c <= 'Z':
			return false
		}
		if label++; label > maxLabel {
			return false
		}
	}
	return label > 0
}

func normalLabel(label string) (a, why string) {
	if ascii(label) {
		a = lower(label)
	} else {
		var err error
		if a, err = labels.ToASCII(label); err != nil || strings.Contains(a, ".") {
			return "", "not a valid IDNA label"
		}
	}
	switch {
	case a == "":
		return "", "empty label"
	case len(a) > maxLabel:
		return "", "label too long"
	}
	for i := range len(a) {
		if a[i] <= ' ' || a[i] >= 0x7f || a[i] == '\\' {
			return "", "invalid character"
		}
	}
	return a, ""
}

func badName(name, why string) error {
	if len(name) > maxName {
		name = name[:maxName]
	}
	return fmt.Errorf("dns: %q: %w: %s", name, ErrBadName, why)
}

// Reverse is the name under which an address's PTR records stand (RFC 1035 3.5,
// RFC 3596 2.5). An IPv4 address mapped into IPv6 is the IPv4 address.
func Reverse(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return ReverseUnder(addr, "")
}

// ReverseUnder is the address's reversed octets or nibbles under a zone, the
// form in which address lists are asked (RFC 5782 2.1, 2.4); "" stands for
// in-addr.arpa or ip6.arpa.
func ReverseUnder(addr netip.Addr, zone string) string {
	addr = addr.Unmap()
	if addr.Is4() {
		if zone == "" {
			zone = "in-addr.arpa"
		}
		b := addr.As4()
		return fmt.Sprintf("%d.%d.%d.%d.%s", b[3], b[2], b[1], b[0], zone)
	}
	if zone == "" {
		zone = "ip6.arpa"
	}
	const hex = "0123456789abcdef"
	b := addr.As16()
	out := make([]byte, 0, 64+len(zone))
	for i := len(b) - 1; i >= 0; i-- {
		out = append(out, hex[b[i]&15], '.', hex[b[i]>>4], '.')
	}
	return string(append(out, zone...))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lower folds A–Z only (RFC 4343 3.2).
func lower(s string) string {
	for i := range len(s) {
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
