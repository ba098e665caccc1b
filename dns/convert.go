package dns

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	wire "github.com/miekg/dns"
)

// FromWire turns a record of the wire library into ours. Names keep the
// library's escapes, so a hostile one is printable and can't be asked for.
func FromWire(rr wire.RR) Record {
	h := rr.Header()
	r := Record{Name: plain(h.Name), Type: Type(h.Rrtype), TTL: time.Duration(h.Ttl) * time.Second}
	switch rr := rr.(type) {
	case *wire.A:
		r.Addr, _ = netip.AddrFromSlice(rr.A.To4())
	case *wire.AAAA:
		r.Addr, _ = netip.AddrFromSlice(rr.AAAA.To16())
	case *wire.CNAME:
		r.Host = plain(rr.Target)
	case *wire.NS:
		r.Host = plain(rr.Ns)
	case *wire.PTR:
		r.Host = plain(rr.Ptr)
	case *wire.MX:
		r.Host, r.Pref = plain(rr.Mx), rr.Preference
	case *wire.TXT:
		r.Text = unescape(strings.Join(rr.Txt, ""))
	case *wire.SPF:
		r.Text = unescape(strings.Join(rr.Txt, ""))
	case *wire.RFC3597: // RFC 3597 5: the length in octets, then hex
		r.Text = fmt.Sprintf(`\# %d %s`, len(rr.Rdata)/2, rr.Rdata)
	default:
		r.Text = strings.TrimPrefix(rr.String(), h.String())
	}
	return r
}

// plain is a presentation name without the final dot, in lower case. The wire
// library writes a backslash before some printable characters that mean nothing
// special in a name; those go, while escapes that matter (a dot inside a label, a
// backslash, an octet that isn't printable) stay.
func plain(name string) string {
	if name == "." {
		return name
	}
	name = lower(strings.TrimSuffix(name, "."))
	if !strings.Contains(name, `\`) {
		return name
	}
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+1 < len(name) {
			c := name[i+1]
			if c == '.' || c == '\\' {
				b = append(b, '\\')
			} else if c > ' ' && c < 0x7f && (c < '0' || c > '9') {
				continue
			} else {
				b = append(b, name[i])
				continue
			}
			i++
		}
		b = append(b, name[i])
	}
	return string(b)
}

// unescape undoes the library's presentation escapes of character strings, "\"
// before a character or three decimal digits (RFC 1035 5.1), so that Text holds
// the octets sent.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		if n, ok := octet(s[i:]); ok {
			b = append(b, n)
			i += 2
		} else {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func octet(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return byte(n), n < 256
}
