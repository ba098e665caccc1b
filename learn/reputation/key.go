package reputation

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sluice"
	"sluice/message/links"
)

// Kind is what a reputation belongs to.
type Kind uint8

// The kinds.
const (
	Address  Kind = iota + 1 // an IPv4 address or an IPv6 /64
	Prefix                   // an IPv4 /24 or an IPv6 /48
	ASN                      // the network's operator
	Helo                     // what the client calls itself
	Domain                   // the sender's organizational domain, authenticated
	Dialect                  // how the client speaks SMTP
	TLSHello                 // how the client starts TLS
)

// Kinds lists all of them.
var Kinds = []Kind{Address, Prefix, ASN, Helo, Domain, Dialect, TLSHello}

var kindNames = [...]string{"", "address", "prefix", "asn", "helo", "domain", "dialect", "tls"}

// String is the kind's name, as stores and pages write it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "?" + strconv.Itoa(int(k))
}

// net says whether keys of the kind are networks, not names.
func (k Kind) net() bool { return k == Address || k == Prefix }

// shared says whether many clients have a key of the kind in common, so that none
// of them may move it much.
func (k Kind) shared() bool { return k != Address }

// maxName bounds the names of keys (RFC 1035 2.3.4: 253 octets of a domain name).
const maxName = 255

// Key names something that has a reputation. Two keys are the same if they are
// equal.
type Key struct {
	Kind Kind
	Net  netip.Prefix // of Address and Prefix
	Name string       // of the others
}

// String is the key as people and stores write it: "address/192.0.2.1",
// "asn/AS64500".
func (k Key) String() string { return k.Kind.String() + "/" + k.Text() }

// Text is the key without its kind.
func (k Key) Text() string {
	switch {
	case !k.Kind.net():
		return k.Name
	case k.Net.IsSingleIP():
		return k.Net.Addr().String()
	}
	return k.Net.String()
}

// Valid says whether the key names anything.
func (k Key) Valid() bool {
	if k.Kind.net() {
		return k.Net.IsValid() && k.Name == ""
	}
	return k.Kind >= ASN && k.Kind <= TLSHello && k.Name != "" && len(k.Name) <= maxName && !k.Net.IsValid()
}

// ParseKey reads what [Key.String] wrote.
func ParseKey(s string) (Key, error) {
	kind, text, _ := strings.Cut(s, "/")
	for _, k := range Kinds {
		if k.String() != kind {
			continue
		}
		key := Key{Kind: k, Name: text}
		if k.net() {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				a, err := netip.ParseAddr(text)
				if err != nil {
					break
				}
				p = netip.PrefixFrom(a, a.BitLen())
			}
			key = Key{Kind: k, Net: p.Masked()}
		}
		if key.Valid() {
			return key, nil
		}
	}
	return Key{}, fmt.Errorf("reputation: %.80q is no key", s)
}

// The lengths of the networks that count as one client and as its neighbourhood.
// Whoever has an IPv6 address has a /64 of them (RFC 6177 2).
const (
	client4, client6         = 32, 64
	neighbours4, neighbours6 = 24, 48
	registry6                = 32 // what an operator gets from a registry
)

func network(a netip.Addr, bits4, bits6 int) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := bits6
	if a.Is4() {
		bits = bits4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// AddressKey is the key of one client.
func AddressKey(a netip.Addr) Key { return Key{Kind: Address, Net: network(a, client4, client6)} }

// PrefixKey is the key of a client's neighbourhood.
func PrefixKey(a netip.Addr) Key { return Key{Kind: Prefix, Net: network(a, neighbours4, neighbours6)} }

// ASNKey is the key of an operator's networks; 0 is nobody.
func ASNKey(n uint32) Key {
	if n == 0 {
		return Key{}
	}
	return Key{Kind: ASN, Name: "AS" + strconv.FormatUint(uint64(n), 10)}
}

// unproven marks a greeting that the DNS doesn't confirm: anybody may use it.
const unproven = "?"

// HeloKey is the key of a greeting: its organizational domain where the DNS
// confirms that the name is the client's, else the name itself, kept apart.
func HeloKey(name string, confirmed bool) Key {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	switch {
	case name == "" || len(name) > maxName-len(unproven):
		return Key{}
	case confirmed:
		return Key{Kind: Helo, Name: links.OrgDomain(name)}
	}
	return Key{Kind: Helo, Name: unproven + name}
}

// Unproven says whether the key is a greeting that anybody may use. Such a key can
// only speak against a client.
func (k Key) Unproven() bool { return k.Kind == Helo && strings.HasPrefix(k.Name, unproven) }

// DomainKey is the key of a domain that has authenticated the message. One that
// has not has no reputation: it may be anybody's.
func DomainKey(domain string) Key { return named(Domain, links.OrgDomain(domain)) }

// DialectKey is the key of a way to speak SMTP, by its name.
func DialectKey(id string) Key { return named(Dialect, id) }

// TLSKey is the key of a ClientHello, by [sluice.TLSInfo.Fingerprint].
func TLSKey(fingerprint string) Key { return named(TLSHello, fingerprint) }

func named(kind Kind, name string) Key {
	if name == "" || len(name) > maxName {
		return Key{}
	}
	return Key{Kind: kind, Name: name}
}

// Facts is what is known of a client beside its connection; each may be missing.
type Facts struct {
	ASN           uint32
	HeloConfirmed bool     // the DNS leads from the greeting's name to the client, or back
	Domain        string   // of the sender, authenticated
	Dialects      []string // names of its way to speak, one for each stage of a session
}

// Keys lists what an outcome of a connection or message is remembered under. It is
// nil for clients that have no reputation: those inside, those who logged in, and
// messages read from disk.
func Keys(c *sluice.Conn, f Facts) []Key {
	if !Judged(c) {
		return nil
	}
	out := make([]Key, 0, 6+len(f.Dialects))
	add := func(k Key) {
		if k.Valid() {
			out = append(out, k)
		}
	}
	add(AddressKey(c.Client.Addr()))
	add(PrefixKey(c.Client.Addr()))
	add(ASNKey(f.ASN))
	add(HeloKey(c.Hello.Name, f.HeloConfirmed))
	add(DomainKey(f.Domain))
	for _, d := range f.Dialects {
		add(DialectKey(d))
	}
	if c.TLS != nil {
		add(TLSKey(c.TLS.Fingerprint))
	}
	return out
}

// Judged says whether a client can have a reputation: not those inside, those who
// logged in, and not messages read from disk.
func Judged(c *sluice.Conn) bool {
	return c != nil && !c.Trusted && !c.Stored && c.Auth == "" && Public(c.Client.Addr())
}

// Public says whether an address can have a reputation: not those of loopback,
// private and local networks.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate()
}
