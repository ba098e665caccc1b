package iprev

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Kind is what a host name says of its address's use.
type Kind string

// The kinds; "" is a name that somebody chose for a host.
const (
	Numbered Kind = "numbered" // it holds the address: a provider's default, as servers have too
	Dynamic  Kind = "dynamic"  // it speaks of a pool for access lines
)

// Generic is what makes a name generic.
type Generic struct {
	Kind Kind
	Why  string // `the word "dsl"`, `the address 192.0.2.1`; "" where Kind is
}

// maxHost bounds what is looked at: a name of the DNS has at most 253 octets.
const maxHost = 253

// Classify says whether host is a name that a provider makes from the address
// or gives to a pool. Only what stands left of the registered domain counts, so
// the firm dsl.example may have a mail.dsl.example. The rules:
//
//   - a word that means access lines and nothing else (dyn, dhcp, adsl) makes
//     the name dynamic; so does one that mostly means it (cable, pool, ppp)
//     beside a number, and one for whoever is there (client, user) beside the
//     address;
//   - the address inside the name, in decimal, padded or hexadecimal, whole and
//     in any order, or its last two or three octets, makes it numbered;
//   - a word that means a fixed line (static, business) makes a dynamic name
//     numbered;
//   - a word that means mail (mta, smtp, out) makes it neither, unless both the
//     address and a word for lines stand there.
func Classify(host string, ip netip.Addr) Generic {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if len(host) > maxHost {
		return Generic{}
	}
	left := leftOfDomain(host)
	if left == "" {
		return Generic{}
	}
	words, numbers := runs(left)
	address := embedded(left, numbers, ip.Unmap())
	pool, sure, mail, fixed := "", false, false, false
	for _, w := range words {
		switch {
		case mailWords[w] || strings.Contains(w, "mail") || strings.Contains(w, "smtp"):
			mail = true
		case fixedWords[w]:
			fixed = true
		case poolWords[w]:
			if !sure {
				pool, sure = w, true
			}
		case pool == "" && (lineWords[w] && len(numbers) > 0 || userWords[w] && address != ""):
			pool = w
		}
	}
	switch {
	case mail && (pool == "" || address == ""):
		return Generic{}
	case pool != "" && !fixed:
		return Generic{Dynamic, fmt.Sprintf("the word %q", pool)}
	case address != "":
		return Generic{Numbered, "the address as " + address}
	case pool != "":
		return Generic{Numbered, fmt.Sprintf("the word %q", pool)}
	}
	return Generic{}
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

var (
	// poolWords mean access lines on their own.
	poolWords = set(`adsl adsls vdsl xdsl dsl dslb dyndsl dslpool dyn dynamic dynamicip dynip dynpool dynadsl dinamico dinamica dynamique dynamisch
		dhcp dhcppool dialup dialin dialpool dialuppool pppoe pppoa ppppool pools ippool ftth fttb fttx fttp gpon docsis cablemodem resnet
		residential gprs umts cgnat cgn unassigned unallocated unused nopt noptr`)
	// lineWords mostly mean access lines; a number has to stand beside them.
	lineWords = set(`pool ppp dial dip cable catv cpe modem isdn broadband bband hsd wimax wisp cdma speedy`)
	// userWords mean whoever has the address; the address has to stand beside
	// them.
	userWords = set(`cust customer customers client clients subscriber subscribers subs user users home residence fiber fibre kabel
		wifi wlan wireless mobile lte nat access cm hsi`)
	// fixedWords mean a line that keeps its address.
	fixedWords = set(`static statisch statique estatico estatica fixed fixip fix business biz sta staticip`)
	// mailWords mean a host for mail.
	mailWords = set(`mx mxa mxb mxout mxin mta mtaout out outbound outgoing outgw relay relays send sender sending bounce bounces newsletter news
		esmtp postfix exim exchange post list lists mlist esa ironport antispam spam filter proofpoint mg em edm`)
)

// leftOfDomain is the name without its registered domain. Names below which a
// provider lets others register count as the provider's,
// so the host names of clouds are seen whole.
func leftOfDomain(host string) string {
	at := host
	for {
		suffix, icann := publicsuffix.PublicSuffix(at)
		if !icann && strings.Contains(suffix, ".") {
			_, at, _ = strings.Cut(suffix, ".")
			continue
		}
		rest := strings.TrimSuffix(strings.TrimSuffix(host, suffix), ".")
		i := strings.LastIndexByte(rest, '.')
		if i < 0 {
			return "" // the registered domain itself
		}
		return rest[:i]
	}
}

// runs cuts a name into its words and its numbers.
func runs(s string) (words, numbers []string) {
	for i := 0; i < len(s); {
		j := i
		switch {
		case 'a' <= s[i] && s[i] <= 'z':
			for j < len(s) && 'a' <= s[j] && s[j] <= 'z' {
				j++
			}
			words = append(words, s[i:j])
		case '0' <= s[i] && s[i] <= '9':
			for j < len(s) && '0' <= s[j] && s[j] <= '9' {
				j++
			}
			numbers = append(numbers, s[i:j])
		default:
			j++
		}
		i = j
	}
	return words, numbers
}

// embedded is the address as it stands in the name, or "".
func embedded(left string, numbers []string, ip netip.Addr) string {
	if ip.Is4() {
		return embedded4(left, numbers, ip.As4())
	}
	if ip.Is6() {
		return embedded6(left, ip)
	}
	return ""
}

func embedded4(left string, numbers []string, ip [4]byte) string {
	want := []int{int(ip[0]), int(ip[1]), int(ip[2]), int(ip[3])}
	values := make([]int, len(numbers))
	for i, n := range numbers {
		values[i] = -1
		if len(n) <= 3 {
			values[i], _ = strconv.Atoi(n) // digits only
		}
	}
	sorted := slices.Sorted(slices.Values(want))
	for i := 0; i+4 <= len(values); i++ { // whole, in any order
		if slices.Equal(slices.Sorted(slices.Values(values[i:i+4])), sorted) {
			return strings.Join(numbers[i:i+4], "-")
		}
	}
	for i := 0; i+2 <= len(values); i++ { // its last three or two octets
		three := values[i:min(i+3, len(values))]
		if slices.Equal(three, want[1:]) || slices.Equal(three, []int{want[3], want[2], want[1]}) {
			return strings.Join(numbers[i:i+3], "-")
		}
		// Small numbers count hosts: node1-2 needs no address.
		two := values[i : i+2]
		if (slices.Equal(two, want[2:]) || slices.Equal(two, []int{want[3], want[2]})) && max(want[2], want[3]) > 9 {
			return strings.Join(numbers[i:i+2], "-")
		}
	}
	a, b, c, d := ip[0], ip[1], ip[2], ip[3]
	whole := fmt.Sprintf("%03d%03d%03d%03d", a, b, c, d)
	for _, n := range numbers { // in one number
		switch {
		case len(n) < 6:
		case n == whole, n == whole[3:], n == whole[:9], n == whole[6:], n == fmt.Sprintf("%03d%03d%03d%03d", d, c, b, a),
			n == fmt.Sprintf("%d%d%d%d", a, b, c, d), n == strconv.FormatUint(uint64(binary.BigEndian.Uint32(ip[:])), 10):
			return n
		}
	}
	bare := strings.ReplaceAll(strings.ReplaceAll(left, "-", ""), ".", "")
	for _, x := range []string{hex.EncodeToString(ip[:]), hex.EncodeToString([]byte{d, c, b, a})} {
		if strings.Contains(bare, x) {
			return x
		}
	}
	return ""
}

// embedded6 finds the address with hyphens for colons, and the hexadecimal
// digits of its last half, forward or backward.
func embedded6(left string, ip netip.Addr) string {
	for label := range strings.SplitSeq(left, ".") {
		if a, err := netip.ParseAddr(strings.ReplaceAll(label, "-", ":")); err == nil && a == ip {
			return label
		}
	}
	b := ip.As16()
	forward := hex.EncodeToString(b[8:])
	backward := []byte(hex.EncodeToString(b[:]))
	slices.Reverse(backward)
	bare := strings.NewReplacer("-", "", ".", "", "_", "").Replace(left)
	for _, x := range []string{forward, string(backward[:16])} {
		if strings.Contains(bare, x) {
			return x
		}
	}
	return ""
}
