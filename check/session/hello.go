package session

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message/links"
	"sluice/reason"
)

// newHello weighs the name in EHLO or HELO. RFC 5321 4.1.1.1 wants a
// fully-qualified name or an address literal, and forbids refusing mail only
// because the name doesn't resolve to the client; so these are marks, not stops.
func newHello(c Config) check.Checker {
	o := newOwn(c)
	return check.Func(check.Info{
		Name: "session/hello", Phase: sluice.PhaseHello, Group: sluice.GroupSession, Cost: check.Trivial,
		Reasons: []sluice.Reason{
			reason.HeloOurs, reason.HeloLocalhost, reason.HeloBareIP, reason.HeloLiteralMismatch,
			reason.HeloLiteral, reason.HeloSyntax, reason.HeloUnderscore, reason.HeloWorkstation, reason.HeloNoFQDN,
			reason.HeloPrivateName, reason.HeloGeneric, reason.HeloRandom,
		},
	}, func(in *check.Input) []sluice.Evidence {
		if in.Conn == nil || in.Conn.Hello.Verb == "" || local(in.Conn) {
			return nil
		}
		id, ok := o.hello(in.Conn.Hello.Name, in.Conn.Client.Addr().Unmap())
		if !ok {
			return nil
		}
		return []sluice.Evidence{check.Found(id, strconv.Quote(clip(in.Conn.Hello.Name)))}
	})
}

// hello returns the worst thing that can be said about name; one greeting is
// one fact. client may be the zero address where it isn't known.
func (o own) hello(name string, client netip.Addr) (sluice.Reason, bool) {
	if strings.HasPrefix(name, "[") {
		return o.literal(name, client)
	}
	if a, err := netip.ParseAddr(name); err == nil {
		if o.addrs[a.Unmap()] {
			return reason.HeloOurs, true
		}
		return reason.HeloBareIP, true // RFC 5321 4.1.3: an address stands in brackets
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	labels := strings.Split(name, ".")
	switch {
	case o.names[name] && !o.addrs[client]:
		return reason.HeloOurs, true
	case name == "localhost" || strings.HasPrefix(name, "localhost.") || strings.HasSuffix(name, ".localhost"):
		// The client's own loopback isn't a lie when we are on the same machine.
		return reason.HeloLocalhost, !client.IsLoopback()
	case !validName(labels):
		if strings.Contains(name, "_") && validName(strings.Split(strings.ReplaceAll(name, "_", "-"), ".")) {
			return reason.HeloUnderscore, true
		}
		return reason.HeloSyntax, true
	case workstation(labels[0]):
		return reason.HeloWorkstation, true
	case len(labels) == 1:
		return reason.HeloNoFQDN, true
	case privateTLD[labels[len(labels)-1]]:
		return reason.HeloPrivateName, true
	case holdsAddress(name, client):
		return reason.HeloGeneric, true
	case random(firstLabel(links.OrgDomain(name))):
		return reason.HeloRandom, true
	}
	return "", false
}

// literal judges an address literal (RFC 5321 4.1.3).
func (o own) literal(name string, client netip.Addr) (sluice.Reason, bool) {
	inner, closed := strings.CutSuffix(name[1:], "]")
	if v6, ok := cutPrefixFold(inner, "ipv6:"); ok {
		inner = v6
	}
	a, err := netip.ParseAddr(inner)
	switch {
	case !closed || err != nil || a.Zone() != "":
		return reason.HeloSyntax, true
	case o.addrs[a.Unmap()] && a.Unmap() != client:
		return reason.HeloOurs, true
	case client.IsValid() && a.Unmap() != client:
		return reason.HeloLiteralMismatch, true
	}
	return reason.HeloLiteral, true
}

// validName is the syntax of RFC 5321 4.1.2 with the lengths of RFC 1035 2.3.4;
// UTF-8 labels pass (RFC 6531 3.3), since EHLO comes before we could know
// whether the client speaks SMTPUTF8.
func validName(labels []string) bool {
	total := 0
	for _, l := range labels {
		total += len(l) + 1
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for i := 0; i < len(l); i++ {
			c := l[i]
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c >= 0x80) {
				return false
			}
		}
	}
	return total <= 256
}

// privateTLD are the last labels of names that only mean something inside a
// network (RFC 6761, RFC 6762 appendix G, RFC 8375, and ICANN's .internal).
var privateTLD = map[string]bool{
	"local": true, "lan": true, "internal": true, "intranet": true, "private": true, "corp": true,
	"home": true, "localdomain": true, "invalid": true, "test": true, "example": true, "workgroup": true, "domain": true,
}

// workstation knows the names that Windows gives to a new machine:
// "WIN-" with 11 or "DESKTOP-" and "LAPTOP-" with 7 letters and digits.
func workstation(label string) bool {
	for _, p := range []struct {
		prefix string
		n      int
	}{{"win-", 11}, {"desktop-", 7}, {"laptop-", 8}} {
		if rest, ok := strings.CutPrefix(label, p.prefix); ok && len(rest) == p.n && !strings.Contains(rest, "-") {
			return true
		}
	}
	return false
}

// holdsAddress says whether name is made of the client's own IPv4 address, in
// decimal (either order) or hex: the default name of a line, not of a server.
func holdsAddress(name string, client netip.Addr) bool {
	if !client.Is4() {
		return false
	}
	b := client.As4()
	if strings.Contains(name, hex.EncodeToString(b[:])) {
		return true
	}
	var nums []int // runs of digits in name, at most three digits each
	for i := 0; i < len(name); {
		j := i
		for j < len(name) && name[j] >= '0' && name[j] <= '9' {
			j++
		}
		if n := j - i; n >= 1 && n <= 3 {
			v, _ := strconv.Atoi(name[i:j])
			nums = append(nums, v)
		}
		i = max(j, i+1)
	}
	for i := 0; i+4 <= len(nums); i++ {
		w := nums[i : i+4]
		if w[0] == int(b[0]) && w[1] == int(b[1]) && w[2] == int(b[2]) && w[3] == int(b[3]) ||
			w[0] == int(b[3]) && w[1] == int(b[2]) && w[2] == int(b[1]) && w[3] == int(b[0]) {
			return true
		}
	}
	return false
}

// random says whether a label looks like the output of a generator: a run of
// seven consonants (the longest in common languages is six), or letters and
// digits that alternate five times.
func random(label string) bool {
	if len(label) < 8 || strings.HasPrefix(label, "xn--") {
		return false
	}
	run, turns := 0, 0
	var last byte
	for i := 0; i < len(label); i++ {
		c := label[i]
		switch {
		case c >= '0' && c <= '9':
			if last == 'a' {
				turns++
			}
			run, last = 0, '0'
		case c >= 'a' && c <= 'z':
			if last == '0' {
				turns++
			}
			last = 'a'
			if run++; strings.IndexByte("aeiouy", c) >= 0 {
				run = 0
			}
		default:
			run = 0
		}
		if run >= 7 || turns >= 5 {
			return true
		}
	}
	return false
}

func firstLabel(name string) string {
	l, _, _ := strings.Cut(name, ".")
	return l
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || strings.ToLower(s[:len(prefix)]) != prefix {
		return s, false
	}
	return s[len(prefix):], true
}

// clip bounds what goes into a detail.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
