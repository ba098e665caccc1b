package session_test

import (
	"net/netip"
	"strings"
	"testing"

	"sluice"
	"sluice/check/checktest"
	"sluice/check/session"
)

var config = session.Config{Names: []string{"MX.Example.net."}, Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.25")}}

func TestHello(t *testing.T) {
	for _, tc := range []struct {
		name, client, helo, want string
	}{
		{"proper", "192.0.2.7", "mail.example.org", ""},
		{"final dot", "192.0.2.7", "mail.example.org.", ""},
		{"big provider", "192.0.2.7", "EUR05-DB8-obe.outbound.protection.outlook.com", ""},
		{"mixed host label", "192.0.2.7", "a27-19.smtp-out.amazonses.com", ""},
		{"our name", "192.0.2.7", "mx.example.NET", "HELO_OURS"},
		{"our name from ourselves", "203.0.113.25", "mx.example.net", ""},
		{"our address", "192.0.2.7", "203.0.113.25", "HELO_OURS"},
		{"our address as a literal", "192.0.2.7", "[203.0.113.25]", "HELO_OURS"},
		{"our address as a mapped literal", "192.0.2.7", "[IPv6:::ffff:203.0.113.25]", "HELO_OURS"},
		{"localhost", "192.0.2.7", "localhost", "HELO_LOCALHOST"},
		{"localhost.localdomain", "192.0.2.7", "LOCALHOST.localdomain", "HELO_LOCALHOST"},
		{"localhost from loopback", "127.0.0.1", "localhost", ""},
		{"bare address", "192.0.2.7", "192.0.2.7", "HELO_BARE_IP"},
		{"bare IPv6 address", "192.0.2.7", "2001:db8::1", "HELO_BARE_IP"},
		{"literal", "192.0.2.7", "[192.0.2.7]", "HELO_LITERAL"},
		{"IPv6 literal", "2001:db8::1", "[IPv6:2001:db8::1]", "HELO_LITERAL"},
		{"literal of a client unknown", "", "[192.0.2.7]", "HELO_LITERAL"},
		{"literal of another", "192.0.2.7", "[192.168.1.10]", "HELO_LITERAL_MISMATCH"},
		{"literal without end", "192.0.2.7", "[192.0.2.7", "HELO_SYNTAX"},
		{"literal of words", "192.0.2.7", "[mail]", "HELO_SYNTAX"},
		{"literal with zone", "192.0.2.7", "[IPv6:fe80::1%eth0]", "HELO_SYNTAX"},
		{"empty", "192.0.2.7", "", "HELO_SYNTAX"},
		{"space", "192.0.2.7", "my computer", "HELO_SYNTAX"},
		{"controls", "192.0.2.7", "a\x00b.example.org", "HELO_SYNTAX"},
		{"hyphen first", "192.0.2.7", "-a.example.org", "HELO_SYNTAX"},
		{"two dots", "192.0.2.7", "a..example.org", "HELO_SYNTAX"},
		{"long label", "192.0.2.7", strings.Repeat("a", 64) + ".example.org", "HELO_SYNTAX"},
		{"long name", "192.0.2.7", strings.Repeat("abc.", 80) + "org", "HELO_SYNTAX"},
		{"underscore", "192.0.2.7", "mail_1.example.org", "HELO_UNDERSCORE"},
		{"UTF-8", "192.0.2.7", "müller.example.org", ""},
		{"one label", "192.0.2.7", "mailserver", "HELO_NO_FQDN"},
		{"new Windows server", "192.0.2.7", "WIN-CLJ1B0GQ6JP", "HELO_WORKSTATION"},
		{"new Windows desktop", "192.0.2.7", "DESKTOP-4F9A2BC", "HELO_WORKSTATION"},
		{"a name that begins like one", "192.0.2.7", "win-back.example.org", ""},
		{"private", "192.0.2.7", "exchange.firm.local", "HELO_PRIVATE_NAME"},
		{"made of the address", "192.0.2.7", "host-192-0-2-7.isp.example.com", "HELO_GENERIC"},
		{"made of the address backwards", "192.0.2.7", "7.2.0.192.dyn.isp.example.com", "HELO_GENERIC"},
		{"made of the address in hex", "192.0.2.7", "c0000207.isp.example.com", "HELO_GENERIC"},
		{"made of another address", "192.0.2.7", "host-198-51-100-1.isp.example.com", ""},
		{"random letters", "192.0.2.7", "mail.xkqjvzwrt.com", "HELO_RANDOM"},
		{"random letters and digits", "192.0.2.7", "a1b2c3d4e5.top", "HELO_RANDOM"},
		{"German word with many consonants", "192.0.2.7", "mail.rechtschutz.de", ""},
		{"A-label", "192.0.2.7", "mail.xn--bcher-kva3b.example", "HELO_PRIVATE_NAME"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := checktest.Input(checktest.Mail("", ""))
			in.Conn.Hello.Name = tc.helo
			in.Conn.Client = netip.AddrPort{}
			if tc.client != "" {
				in.Conn.Client = netip.AddrPortFrom(netip.MustParseAddr(tc.client), 25)
			}
			got := strings.Join(checktest.Reasons(checktest.Run(t, session.Checks(config), in)), " ")
			if got != tc.want {
				t.Errorf("%q from %s: got %q, want %q", tc.helo, tc.client, got, tc.want)
			}
		})
	}
}

// Our own users and trusted hosts call themselves what they like, and before
// the greeting there is nothing to judge.
func TestHelloNotAsked(t *testing.T) {
	for name, change := range map[string]func(*sluice.Conn){
		"trusted":       func(c *sluice.Conn) { c.Trusted = true },
		"authenticated": func(c *sluice.Conn) { c.Auth = "bob" },
		"no greeting":   func(c *sluice.Conn) { c.Hello = sluice.Hello{} },
	} {
		in := checktest.Input(checktest.Mail("", ""))
		in.Conn.Hello.Name = "localhost"
		change(in.Conn)
		if ev := checktest.Run(t, session.Checks(config), in); len(ev) != 0 {
			t.Errorf("%s: %+v", name, ev)
		}
	}
}

func TestBounce(t *testing.T) {
	for _, tc := range []struct {
		from  string
		rcpts int
		want  int
	}{{"", 1, 0}, {"", 2, 1}, {"bob@example.org", 2, 0}} {
		in := checktest.Input(checktest.Mail("", ""))
		in.Envelope.From = tc.from
		in.Envelope.Rcpts = make([]sluice.Recipient, tc.rcpts)
		if ev := checktest.Run(t, session.Checks(config), in); len(ev) != tc.want {
			t.Errorf("from %q to %d: %+v", tc.from, tc.rcpts, ev)
		}
	}
}

func FuzzHello(f *testing.F) {
	for _, s := range []string{"mail.example.org", "[IPv6:::1]", "192-0-2-7.x", "xn--a.b", "\xff..", "[", "WIN-ABCDEFGHIJK"} {
		f.Add(s)
	}
	checks := session.Checks(config)
	f.Fuzz(func(t *testing.T, helo string) {
		in := checktest.Input(checktest.Mail("", ""))
		in.Conn.Hello.Name = helo
		if ev := checktest.Run(t, checks, in); len(ev) > 1 {
			t.Errorf("%q: one greeting is one fact: %+v", helo, ev)
		}
	})
}
