package smtpd

import (
	"net/netip"
	"strings"
	"testing"
)

func TestXtext(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "a+2Bb": "a+b", "+2b": "+", "a+3Db": "a=b", "[UNAVAILABLE]": "[UNAVAILABLE]",
		strings.Repeat("a", 255): strings.Repeat("a", 255),
	} {
		if got, ok := xtext(in); got != want || !ok {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "+", "+2", "a+", "a+2", "+0A", "+0D", "+20", "+7F", "+FF", "+-1", "+ 1", "a=b", "a b", "\x1b", "\xff", strings.Repeat("a", 256), strings.Repeat("+41", 256)} {
		if got, ok := xtext(in); ok {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// FuzzAttributes reads attributes of XCLIENT and XFORWARD.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{
		"NAME=spike.example ADDR=192.0.2.7 PORT=4711 PROTO=ESMTP HELO=a+2Bb LOGIN=ann DESTADDR=IPV6:2001:db8::1 DESTPORT=25",
		"ADDR=[UNAVAILABLE] HELO=[TEMPUNAVAIL]", "IDENT=1 SOURCE=LOCAL", "addr=ipv6:::ffff:192.0.2.1", "ADDR=", "=", "+",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, arg string, forward bool) {
		m := NewMachine(testConfig())
		m.greeted, m.esmtp = true, true
		a, ok := m.attributes(arg, forward)
		if !ok {
			if len(m.out) == 0 || strings.ContainsFunc(strings.TrimSuffix(string(m.out), "\r\n"), func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("%q: reply %q", arg, m.out)
			}
			return
		}
		for _, s := range []string{a.helo, a.login} {
			if len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Fatalf("%q: attribute %q", arg, s)
			}
		}
		for _, addr := range []netip.Addr{a.addr, a.dest} {
			if addr.IsValid() && (addr.Zone() != "" || addr.Is4In6() || addr.IsUnspecified() || addr.IsMulticast()) {
				t.Fatalf("%q: address %s", arg, addr)
			}
		}
		if forward && (a.login != "" || a.dest.IsValid()) {
			t.Fatalf("%q: XFORWARD set %+v", arg, a)
		}
		if got := a.forward(); got.Client.IsValid() != a.addr.IsValid() {
			t.Fatalf("%q: %+v", arg, got)
		}
	})
}
