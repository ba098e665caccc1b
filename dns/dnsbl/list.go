package dnsbl

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sluice/dns"
)

// Kind says whether a list names bad clients or good ones.
type Kind uint8

// The kinds.
const (
	Block Kind = iota + 1
	Allow
)

var kindNames = [...]string{"", "block", "allow"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// MarshalText writes "block" or "allow".
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads "block" or "allow".
func (k *Kind) UnmarshalText(b []byte) error {
	i := slices.Index(kindNames[:], string(b))
	if i < 1 {
		return fmt.Errorf("dnsbl: %q is neither block nor allow", b)
	}
	*k = Kind(i)
	return nil
}

// Key is a private query key: the label or labels in front of a zone that a list's
// operator gives to one customer. It prints as "[key]" in every form.
type Key string

const hidden = "[key]"

// String hides the key.
func (k Key) String() string {
	if k == "" {
		return ""
	}
	return hidden
}

// GoString hides the key.
func (k Key) GoString() string { return strconv.Quote(k.String()) }

// MarshalText hides the key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the key as it is.
func (k *Key) UnmarshalText(b []byte) error {
	*k = Key(b)
	return nil
}

// LogValue hides the key.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// List is one DNS list of client addresses (RFC 5782). Only Zone is needed for a
// list that [Known] has. The strings but for Key are shown to people.
type List struct {
	Zone string // "zen.spamhaus.org"; may begin with the key of an operator that [Known] has
	Key  Key    // asked in front of the zone, never shown
	Name string // what people see; "": the zone
	Kind Kind   // 0: as known, else Block
	// Weight is what a listing is worth, in points and positive for both kinds; 0:
	// as known, else 3. Where it differs from the known one, the weights of the known
	// answers change in proportion.
	Weight float64
	// Answers are the answers that mean a listing; none: as known, else 127.0.0.2
	// alone. Any other answer is the list's trouble and lists nobody.
	Answers []Answer
	// Refusals are answers by which this list says that it doesn't serve us, beside
	// 127.255.255.0/24.
	Refusals []Values
	// IPv6 says that the list has IPv6 addresses. Their questions are asked once its
	// IPv6 test point has answered.
	IPv6 bool
	// Untested lists have no test point 127.0.0.2, though RFC 5782 5 asks for it:
	// only what must not be listed is tested.
	Untested bool
	// Page is where a listed client finds out why, with {addr} for its address.
	Page string
	// Names says that the list has names and not addresses: of domains, of digests of
	// files. Its test points are "test" and "invalid" (RFC 5782 5).
	Names bool
	// TestPoint is the name that a list of names has in the place of "test".
	TestPoint string

	ended string // why there is no such list any more
}

// Answer is a set of answers that mean the same.
type Answer struct {
	Values  Values
	Weight  float64 // points; 0: the list's
	Meaning string  // a few words for people: "sends spam"
	// Ignore marks answers that are in order and say nothing for or against.
	Ignore bool
}

// Values is a set of IPv4 addresses: for each octet the least and the greatest.
type Values [4][2]byte

// ParseValues reads four octets, each a number, a range such as 4-7, or *.
func ParseValues(s string) (Values, error) {
	var v Values
	octets := strings.Split(s, ".")
	if len(octets) != 4 {
		return v, fmt.Errorf("dnsbl: answer %q: want four octets such as 127.0.0.4-7", s)
	}
	for i, o := range octets {
		if o == "*" {
			v[i] = [2]byte{0, 255}
			continue
		}
		low, high, ranged := strings.Cut(o, "-")
		if !ranged {
			high = low
		}
		a, errA := strconv.ParseUint(low, 10, 8)
		b, errB := strconv.ParseUint(high, 10, 8)
		if errA != nil || errB != nil || a > b {
			return Values{}, fmt.Errorf("dnsbl: answer %q: %q is no octet, no range of octets and no *", s, o)
		}
		v[i] = [2]byte{byte(a), byte(b)}
	}
	if v[0] != [2]byte{127, 127} {
		return Values{}, fmt.Errorf("dnsbl: answer %q: lists answer in 127.0.0.0/8 (RFC 5782 2.1)", s)
	}
	return v, nil
}

func values(s string) Values {
	v, err := ParseValues(s)
	if err != nil {
		panic(err) // the shipped table; a test reads it
	}
	return v
}

// Contains says whether an address is in the set.
func (v Values) Contains(a netip.Addr) bool {
	a = a.Unmap()
	if !a.Is4() {
		return false
	}
	for i, b := range a.As4() {
		if b < v[i][0] || b > v[i][1] {
			return false
		}
	}
	return true
}

func (v Values) String() string {
	var b strings.Builder
	for i, o := range v {
		if i > 0 {
			b.WriteByte('.')
		}
		switch {
		case o == [2]byte{0, 255}:
			b.WriteByte('*')
		case o[0] == o[1]:
			fmt.Fprintf(&b, "%d", o[0])
		default:
			fmt.Fprintf(&b, "%d-%d", o[0], o[1])
		}
	}
	return b.String()
}

// MarshalText writes what ParseValues reads.
func (v Values) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is ParseValues.
func (v *Values) UnmarshalText(b []byte) (err error) {
	*v, err = ParseValues(string(b))
	return err
}

// defaultWeight is what a listing on an unknown list is worth.
const defaultWeight = 3

// maxWeight bounds a list's weight: beyond it there is nothing left to decide.
const maxWeight = 100

// Complete fills in what is known of the list, parts a key from a zone that begins
// with it, and checks the rest. No error holds the key.
func (l List) Complete() (List, error) {
	zone, err := dns.Normalize(l.Zone)
	if err != nil || zone == "." {
		return List{}, errors.New("dnsbl: the zone is no domain name") // not quoted: it may hold the key
	}
	bare, key := part(zone)
	if key != "" && l.Key != "" && lower(string(l.Key)) != key {
		return List{}, fmt.Errorf("dnsbl: %s: two keys, in the zone and beside it", bare)
	}
	if l.Zone = bare; key != "" {
		l.Key = Key(key)
	}
	l.merge(known[bare])
	most := 253 - 64 // 32 nibbles with their dots
	if l.Names {
		most = 253 - MaxName - 1
		if l.TestPoint = lower(l.TestPoint); l.TestPoint == "" {
			l.TestPoint = "test"
		}
		if l.IPv6 || !validName(l.TestPoint) {
			return List{}, fmt.Errorf("dnsbl: %s: a list of names has no IPv6 addresses, and its test point is a name", l.Name)
		}
	}
	if under, err := dns.Normalize(l.under()); err != nil || len(under) > most {
		return List{}, fmt.Errorf("dnsbl: %s: key and zone don't make a domain name", l.Name)
	}
	return l, l.check()
}

func (l *List) merge(known List) {
	if l.Name == "" {
		l.Name = l.Zone
	}
	if l.Kind == 0 {
		l.Kind = max(known.Kind, Block)
	}
	scale := 1.0
	switch {
	case l.Weight == 0:
		l.Weight = known.Weight
	case known.Weight > 0:
		scale = l.Weight / known.Weight
	}
	if l.Weight == 0 {
		l.Weight = defaultWeight
	}
	switch {
	case len(l.Answers) > 0:
		l.Answers = slices.Clone(l.Answers)
	case len(known.Answers) > 0:
		l.Answers = slices.Clone(known.Answers)
		for i := range l.Answers {
			l.Answers[i].Weight *= scale
		}
	default:
		// RFC 5782 2.1 makes 127.0.0.2 the answer where a list has one only. What
		// others mean is the operator's to say: the admin copies it from there.
		l.Answers = []Answer{{Values: values("127.0.0.2"), Meaning: "listed"}}
	}
	for i := range l.Answers {
		if l.Answers[i].Weight == 0 {
			l.Answers[i].Weight = l.Weight
		}
	}
	l.Refusals = append(slices.Clone(l.Refusals), known.Refusals...)
	l.IPv6 = l.IPv6 || known.IPv6
	l.Untested = l.Untested || known.Untested
	if l.Page == "" {
		l.Page = known.Page
	}
	l.ended = known.ended
}

// check looks for mistakes in a merged list.
func (l *List) check() error {
	if l.Key != "" {
		for _, shown := range append([]string{l.Zone, l.Name, l.Page}, l.meanings()...) {
			if containsFold(shown, string(l.Key)) {
				return errors.New("dnsbl: the key of a list stands in its zone, name, page or meanings, which people see: give it as key alone")
			}
		}
	}
	if l.Kind != Block && l.Kind != Allow {
		return fmt.Errorf("dnsbl: %s: %v", l.Name, l.Kind)
	}
	weights := []float64{l.Weight}
	for _, a := range l.Answers {
		weights = append(weights, a.Weight)
		if refused.overlaps(a.Values) || a.Values == (Values{}) {
			return fmt.Errorf("dnsbl: %s: answer %s: not in 127.0.0.0/8, or in 127.255.255.0/24, by which lists refuse", l.Name, a.Values)
		}
	}
	for _, w := range weights {
		if !(w >= 0 && w <= maxWeight) {
			return fmt.Errorf("dnsbl: %s: weight %v is not between 0 and %v", l.Name, w, maxWeight)
		}
	}
	return nil
}

func (l *List) meanings() (out []string) {
	for _, a := range l.Answers {
		out = append(out, a.Meaning)
	}
	return out
}

func (v Values) overlaps(w Values) bool {
	for i := range v {
		if v[i][1] < w[i][0] || w[i][1] < v[i][0] {
			return false
		}
	}
	return true
}

// question is the name under which an address is asked for (RFC 5782 2.1, 2.4).
func (l *List) question(a netip.Addr) string { return dns.ReverseUnder(a, l.under()) }

// under is what stands behind the address in a question, key and all. It is made anew
// each time: a field would be printed with the list.
func (l *List) under() string {
	if l.Key == "" {
		return l.Zone
	}
	return lower(string(l.Key)) + "." + l.Zone
}

// ask is the name under which a client or name is asked for (RFC 5782 3.1).
func (l *List) ask(x subject) string {
	if x.name != "" {
		return x.name + "." + l.under()
	}
	return l.question(x.addr)
}

// page is where a listed client reads why.
func (l *List) page(x subject) string { return strings.ReplaceAll(l.Page, "{addr}", x.String()) }

// containsFold is strings.Contains without regard to the case of ASCII letters.
func containsFold(s, part string) bool {
	return strings.Contains(lower(s), lower(part))
}
