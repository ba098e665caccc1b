// Package links finds links in text and HTML and takes URLs apart as mail
// clients and browsers do.
package links

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Source says where a link came from.
type Source uint8

// The sources.
const (
	FromText   Source = iota // a URL written in plain text
	FromAnchor               // <a href>, <area href>
	FromImage                // <img src> and the like
	FromForm                 // <form action>
	FromOther                // <base>, <link>, <meta refresh>, CSS, …
)

// Link is one link as written and as understood.
type Link struct {
	Raw    string // as written, entities decoded; hostile
	Scheme string // lower case, "" for none
	Host   string // lower case, A-labels, as a browser would resolve it; "" for none
	Port   string
	Path   string // path, query and fragment
	User   string // userinfo before "@"
	Text   string // what the person sees as the link's text
	Source Source
	Hidden bool // the person does not see it
	Part   int  // MIME part index
	Range  struct{ Off, Len int }

	// Odd says how the URL's spelling differs from what it means: bits of
	// the Odd… constants.
	Odd Odd
	// Conditional links stand in Outlook's conditional comments.
	Conditional bool

	Look Look // of an anchor
}

// Look is how an anchor looks: what makes a person follow this one.
type Look struct {
	Size   uint8  // of its text in px, at most 255; 0 where it has none
	Button bool   // a background of its own, with nothing else on it
	Area   uint32 // px² of the largest picture in it; Unsized where the size isn't given
}

// Unsized is the area of a picture that gives no size.
const Unsized = 1

// Odd is a set of unusual spellings.
type Odd uint16

// The spellings.
const (
	OddControl   Odd = 1 << iota // tabs, line ends or leading control bytes, which browsers drop
	OddBackslash                 // "\" for "/"
	OddSlashes                   // not exactly two slashes behind a web scheme
	OddUser                      // userinfo in a web URL
	OddNumber                    // IPv4 address as decimal, octal, hex or short form
	OddPercent                   // percent-encoded host
	OddWidth                     // full-width or other characters that IDNA maps to ASCII
	OddDot                       // host ended in a dot
	OddHost                      // host that is no valid name or address
	OddIDN                       // host with letters outside ASCII, or A-labels
	OddMixed                     // a label mixes Latin with look-alike Cyrillic or Greek letters
)

// Has says whether all bits of o are set.
func (l *Link) Has(o Odd) bool { return l.Odd&o == o }

// maxURL bounds what Parse looks at; browsers stop at about 2 MB.
const maxURL = 64 << 10

// Parse takes a URL apart the way a browser does (WHATWG URL Standard): tabs and
// line ends go, backslashes are slashes, missing and extra slashes are forgiven,
// numbers in any base are IPv4 addresses, hosts are percent-decoded and mapped by
// UTS #46. It never fails; a relative reference has no Scheme and no Host.
func Parse(raw string) Link {
	l := Link{Raw: raw}
	if len(raw) > maxURL {
		raw = raw[:maxURL]
	}
	s := strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	if len(s) != len(raw) && strings.Trim(raw, " ") != s {
		l.Odd |= OddControl
	}
	if strings.ContainsAny(s, "\t\r\n") {
		s = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s)
		l.Odd |= OddControl
	}
	scheme, rest, ok := cutScheme(s)
	if !ok {
		l.parseRelative(s)
		return l
	}
	l.Scheme = scheme
	if !special(scheme) {
		if strings.HasPrefix(rest, "//") {
			l.parseAuthority(rest[2:], false)
			return l
		}
		l.Path = rest
		if scheme == "mailto" {
			l.parseMailto(rest)
		}
		return l
	}
	n := 0
	for n < len(rest) && (rest[n] == '/' || rest[n] == '\\') {
		if rest[n] == '\\' {
			l.Odd |= OddBackslash
		}
		n++
	}
	if n != 2 && scheme != "file" {
		l.Odd |= OddSlashes
	}
	l.parseAuthority(rest[n:], true)
	return l
}

// parseRelative handles "//host/path" and "/path"; without a base the host of
// the latter isn't known.
func (l *Link) parseRelative(s string) {
	if len(s) >= 2 && (s[0] == '/' || s[0] == '\\') && (s[1] == '/' || s[1] == '\\') {
		if s[0] == '\\' || s[1] == '\\' {
			l.Odd |= OddBackslash
		}
		l.parseAuthority(s[2:], true)
		return
	}
	l.Path = s
}

func (l *Link) parseMailto(rest string) {
	addr, _, _ := strings.Cut(rest, "?")
	addr = string(percentDecode(addr))
	addr, _, _ = strings.Cut(addr, ",")
	if i := strings.LastIndexByte(addr, '@'); i >= 0 {
		l.User = strings.ToValidUTF8(addr[:i], "\uFFFD")
		l.Host = l.host(strings.Trim(addr[i+1:], " >"))
	}
}

// parseAuthority reads userinfo, host, port and path.
func (l *Link) parseAuthority(s string, web bool) {
	end := len(s)
	stops := "/?#"
	if web {
		stops = `/\?#`
	}
	if i := strings.IndexAny(s, stops); i >= 0 {
		end = i
	}
	auth := s[:end]
	l.Path = s[end:]
	if web && strings.HasPrefix(l.Path, `\`) {
		l.Odd |= OddBackslash
		l.Path = "/" + l.Path[1:]
	}
	if i := strings.LastIndexByte(auth, '@'); i >= 0 {
		l.User = auth[:i]
		auth = auth[i+1:]
		if web && l.User != "" {
			l.Odd |= OddUser
		}
	}
	host := auth
	if i := strings.LastIndexByte(auth, ':'); i >= 0 && !strings.HasSuffix(auth, "]") {
		host, l.Port = auth[:i], auth[i+1:]
		if _, err := strconv.ParseUint(l.Port, 10, 16); err != nil && l.Port != "" {
			l.Odd |= OddHost
		}
		if n, err := strconv.ParseUint(l.Port, 10, 16); err == nil {
			l.Port = strconv.FormatUint(n, 10)
		}
		if l.Scheme == "http" && l.Port == "80" || l.Scheme == "https" && l.Port == "443" {
			l.Port = ""
		}
	}
	l.Host = l.host(host)
}

// profile maps as browsers do: UTS #46, non-transitional, without the DNS length
// and hyphen rules.
var profile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false), idna.VerifyDNSLength(false))

// host brings a host into the form that is looked up.
func (l *Link) host(h string) string {
	if h == "" {
		return ""
	}
	if strings.HasPrefix(h, "[") && strings.HasSuffix(h, "]") {
		if a, err := netip.ParseAddr(h[1 : len(h)-1]); err == nil && a.Is6() {
			return "[" + a.WithZone("").String() + "]"
		}
		l.Odd |= OddHost
		return strings.ToLower(strings.ToValidUTF8(h, "\uFFFD"))
	}
	if strings.IndexByte(h, '%') >= 0 {
		l.Odd |= OddPercent
		h = string(percentDecode(h))
	}
	if !utf8.ValidString(h) {
		l.Odd |= OddHost
		h = strings.ToValidUTF8(h, "\uFFFD")
	}
	ascii := true
	for i := 0; i < len(h); i++ {
		if h[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		h = strings.ToLower(h)
	}
	if !ascii || strings.Contains(h, "xn--") {
		if len(h) > 1024 {
			l.Odd |= OddHost
			return strings.ToLower(h)
		}
		if !ascii && mixedScripts(h) {
			l.Odd |= OddMixed
		}
		a, err := profile.ToASCII(h)
		if err != nil {
			l.Odd |= OddHost
		}
		if !ascii && a != "" && !strings.Contains(a, "xn--") {
			l.Odd |= OddWidth
		} else {
			l.Odd |= OddIDN
			if ascii && !l.Has(OddMixed) {
				if u, err := profile.ToUnicode(h); err == nil && mixedScripts(u) {
					l.Odd |= OddMixed
				}
			}
		}
		if a != "" {
			h = strings.ToLower(a)
		}
	}
	if t := strings.TrimSuffix(h, "."); t != h {
		l.Odd |= OddDot
		h = t
	}
	if ip, ok := ipv4(h); ok {
		if ip != h {
			l.Odd |= OddNumber
		}
		return ip
	}
	if !plainHost(h) {
		l.Odd |= OddHost
	}
	return h
}

// plainHost says whether h has only letters, digits and marks that names on the
// Internet have, and no empty label.
func plainHost(h string) bool {
	dot := true
	for i := 0; i < len(h); i++ {
		c := h[i]
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') || c == '.' && dot {
			return false
		}
		dot = c == '.'
	}
	return !dot
}

// ipv4 reads an IPv4 address as browsers do: one to four numbers, decimal, octal
// (0…) or hex (0x…), the last filling the rest.
func ipv4(h string) (string, bool) {
	if h == "" || len(h) > 64 {
		return "", false
	}
	last := h[strings.LastIndexByte(h, '.')+1:]
	if last == "" || last[0] < '0' || last[0] > '9' {
		return "", false
	}
	parts := strings.Split(h, ".")
	if len(parts) > 4 {
		return "", false
	}
	var sum uint64
	for i, p := range parts {
		n, ok := ipv4Number(p)
		if !ok {
			return "", false
		}
		if i == len(parts)-1 {
			if n >= 1<<(8*(5-uint(len(parts)))) {
				return "", false
			}
			sum |= n
			break
		}
		if n > 255 {
			return "", false
		}
		sum |= n << (8 * (3 - uint(i)))
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}).String(), true
}

func ipv4Number(p string) (uint64, bool) {
	base := 10
	switch {
	case len(p) >= 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'):
		p, base = p[2:], 16
		if p == "" {
			return 0, true
		}
	case len(p) >= 2 && p[0] == '0':
		p, base = p[1:], 8
	}
	n, err := strconv.ParseUint(p, base, 64)
	return n, err == nil && p[0] != '+' && p[0] != '_'
}

// cutScheme splits "scheme:rest" (RFC 3986 3.1).
func cutScheme(s string) (scheme, rest string, ok bool) {
	for i := 0; i < len(s) && i < 64; i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case c == ':' && i > 0:
			return strings.ToLower(s[:i]), s[i+1:], true
		default:
			return "", s, false
		}
	}
	return "", s, false
}

// special says whether the scheme is one of the Standard's special ones.
func special(scheme string) bool {
	switch scheme {
	case "http", "https", "ftp", "ws", "wss", "file":
		return true
	}
	return false
}

func percentDecode(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil && s[i+1] != '+' {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}

// mixedScripts says whether one label holds Latin letters together with Cyrillic
// or Greek ones.
func mixedScripts(h string) bool {
	latin, other := false, false
	for _, r := range h {
		switch {
		case r == '.' || r == '\u3002' || r == '\uff0e' || r == '\uff61':
			latin, other = false, false
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || 0xc0 <= r && r <= 0x24f:
			latin = true
		case 0x370 <= r && r <= 0x52f:
			other = true
		}
		if latin && other {
			return true
		}
	}
	return false
}

// Resolve reads ref relative to base, when ref has no host of its own.
func Resolve(base Link, ref string) Link {
	l := Parse(ref)
	if base.Host == "" || l.Scheme != "" {
		return l
	}
	l.Scheme = base.Scheme
	if l.Host == "" {
		l.Host, l.Port = base.Host, base.Port
		switch {
		case strings.HasPrefix(l.Path, `\`):
			l.Path = "/" + l.Path[1:]
		case !strings.HasPrefix(l.Path, "/"):
			dir := base.Path
			if i := strings.IndexAny(dir, "?#"); i >= 0 {
				dir = dir[:i]
			}
			dir = dir[:strings.LastIndexByte(dir, '/')+1]
			if dir == "" {
				dir = "/"
			}
			l.Path = dir + l.Path
		}
	}
	return l
}

// OrgDomain is the registrable domain of host, which is in A-labels: one label
// below its public suffix, private suffixes included. It is host itself, in lower
// case, for addresses and suffixes.
func OrgDomain(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || host[0] == '[' {
		return host
	}
	if _, ok := ipv4(host); ok {
		return host
	}
	d, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host
	}
	return d
}
