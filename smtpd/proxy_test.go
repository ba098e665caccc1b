package smtpd

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

// proxy2 is a header of version 2.
func proxy2(command, family byte, body string) string {
	b := append([]byte(nil), proxySignature...)
	b = append(b, command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return string(b) + body
}

func TestParseProxyHeader(t *testing.T) {
	four := "\xc0\x00\x02\x01\xc6\x33\x64\x19\x10\xe1\x00\x19"
	six := string(netip.MustParseAddr("2001:db8::1").AsSlice()) + string(netip.MustParseAddr("2001:db8::25").AsSlice()) + "\x10\xe1\x00\x19"
	mapped := string(netip.MustParseAddr("::ffff:192.0.2.1").AsSlice()) + string(netip.MustParseAddr("::ffff:198.51.100.25").AsSlice()) + "\x10\xe1\x00\x19"
	const v4, v6 = "192.0.2.1:4321 198.51.100.25:25", "[2001:db8::1]:4321 [2001:db8::25]:25"
	tests := []struct {
		in, want string // want: client and local, "" for nobody
		err      error
	}{
		{"PROXY TCP4 192.0.2.1 198.51.100.25 4321 25\r\n", v4, nil},
		{"PROXY TCP6 2001:db8::1 2001:db8::25 4321 25\r\n", v6, nil},
		{"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.25 4321 25\r\n", v4, nil},
		{"PROXY UNKNOWN\r\n", "", nil},
		{"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "", nil},
		{"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535 255.255.255.255:65535", nil},
		{proxy2(0x21, 0x11, four), v4, nil},
		{proxy2(0x21, 0x21, six), v6, nil},
		{proxy2(0x21, 0x21, mapped), v4, nil},
		{proxy2(0x21, 0x11, four+"\x04\x00\x03abc"), v4, nil}, // an extension
		{proxy2(0x20, 0x00, ""), "", nil},
		{proxy2(0x20, 0x11, four), "", nil},
		{proxy2(0x21, 0x00, ""), "", nil},
		{proxy2(0x21, 0x31, strings.Repeat("/", 216)), "", nil},
		{proxy2(0x21, 0x12, four), "", nil},

		{"", "", errProxyShort},
		{"PROX", "", errProxyShort},
		{"PROXY TCP4 192.0.2.1 198.51.100.25 4321 25\r", "", errProxyShort},
		{string(proxySignature[:5]), "", errProxyShort},
		{proxy2(0x21, 0x11, four)[:27], "", errProxyShort},

		{"EHLO client.example\r\n", "", errProxyNone},
		{"proxy TCP4 192.0.2.1 198.51.100.25 4321 25\r\n", "", errProxyNone},
		{"\r\nQUIT\r\n", "", errProxyNone},

		{"PROXY \r\n", "", errProxyInvalid},
		{"PROXY TCP4 192.0.2.1 198.51.100.25 4321 25\n", "", errProxyInvalid},
		{"PROXY  TCP4 192.0.2.1 198.51.100.25 4321 25\r\n", "", errProxyInvalid},
		{"PROXY TCP4 192.0.2.1 198.51.100.25 4321\r\n", "", errProxyInvalid},
		{"PROXY TCP4 192.0.2.1 198.51.100.25 4321 25 1\r\n", "", errProxyInvalid},
		{"PROXY TCP4 192.0.2.1 198.51.100.25 4321 65536\r\n", "", errProxyInvalid},
		{"PROXY TCP4 192.0.2.1 198.51.100.25 4321 +25\r\n", "", errProxyInvalid},
		{"PROXY TCP4 192.0.2.1 198.51.100.25 4321 025\r\n", "", errProxyInvalid},
		{"PROXY TCP4 192.0.2.001 198.51.100.25 4321 25\r\n", "", errProxyInvalid},
		{"PROXY TCP4 2001:db8::1 2001:db8::25 4321 25\r\n", "", errProxyInvalid},
		{"PROXY TCP6 192.0.2.1 198.51.100.25 4321 25\r\n", "", errProxyInvalid},
		{"PROXY TCP6 fe80::1%eth0 2001:db8::25 4321 25\r\n", "", errProxyInvalid},
		{"PROXY UDP4 192.0.2.1 198.51.100.25 4321 25\r\n", "", errProxyInvalid},
		{"PROXY " + strings.Repeat("x", maxProxyLine), "", errProxyInvalid},
		{proxy2(0x11, 0x11, four), "", errProxyInvalid}, // version 1 in this form
		{proxy2(0x22, 0x11, four), "", errProxyInvalid}, // no such command
		{proxy2(0x21, 0x41, four), "", errProxyInvalid},
		{proxy2(0x21, 0x11, four[:11]), "", errProxyInvalid},
		{proxy2(0x21, 0x21, four), "", errProxyInvalid},
		{proxy2(0x21, 0x11, "")[:14] + "\xff\xff", "", errProxyInvalid}, // before it has all come
	}
	for _, tt := range tests {
		h, n, err := parseProxyHeader([]byte(tt.in))
		got := ""
		if h.client.IsValid() {
			got = h.client.String() + " " + h.local.String()
		}
		if got != tt.want || err != tt.err || err == nil && n != len(tt.in) {
			t.Errorf("%q: %q, %d octets, %v; want %q, %v", tt.in, got, n, err, tt.want, tt.err)
		}
		if err != nil {
			continue
		}
		// What follows is left alone, and every beginning asks for more.
		if again, m, err := parseProxyHeader([]byte(tt.in + "PROXY \r\n")); again != h || m != n || err != nil {
			t.Errorf("%q with more behind it: %v, %d, %v", tt.in, again, m, err)
		}
		for i := range len(tt.in) {
			if _, _, err := parseProxyHeader([]byte(tt.in[:i])); err != errProxyShort {
				t.Fatalf("%q: %v", tt.in[:i], err)
			}
		}
	}
}

// FuzzProxyHeader: a header is read the same way whatever comes behind it, its
// beginnings ask for more, and it never has more octets than are there.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.25 4321 25\r\n"), []byte("EHLO a\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"), []byte(""))
	f.Add([]byte(proxy2(0x21, 0x11, "\xc0\x00\x02\x01\xc6\x33\x64\x19\x10\xe1\x00\x19")), []byte("\x16\x03\x01"))
	f.Add([]byte(proxy2(0x21, 0x21, strings.Repeat("\x20", 36)+"\x04\x00\x00")), []byte("x"))
	f.Add([]byte(proxy2(0x20, 0, "")), []byte("\r\n"))
	f.Fuzz(func(t *testing.T, in, behind []byte) {
		h, n, err := parseProxyHeader(in)
		switch {
		case err == nil && (n > len(in) || n == 0):
			t.Fatalf("%d octets of %d", n, len(in))
		case err != nil && (h != proxyHeader{}):
			t.Fatalf("%v with %v", h, err)
		case err == errProxyShort && len(in) >= maxProxyHeader:
			t.Fatal("no end")
		case err == errProxyShort:
			return
		}
		again, m, err2 := parseProxyHeader(append(in[:len(in):len(in)], behind...))
		if again != h || m != n || err2 != err {
			t.Fatalf("%v, %d, %v; with more behind it %v, %d, %v", h, n, err, again, m, err2)
		}
		for i := range n {
			if _, _, err := parseProxyHeader(in[:i]); err != errProxyShort {
				t.Fatalf("the first %d octets: %v", i, err)
			}
		}
	})
}
