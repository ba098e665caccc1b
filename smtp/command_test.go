package smtp

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCommand(t *testing.T) {
	tests := []struct {
		in   string
		want Command
		err  error
	}{
		{"NOOP", Command{"NOOP", ""}, nil},
		{"noop  ", Command{"NOOP", ""}, nil},
		{"MaIl FROM:<a@b>", Command{"MAIL", "FROM:<a@b>"}, nil},
		{"EHLO\tclient.example ", Command{"EHLO", "client.example"}, nil},
		{"XFOO-1 bar", Command{"XFOO-1", "bar"}, nil},
		{"VRFY d\xc3\xa9", Command{"VRFY", "d\xc3\xa9"}, nil},
		{"", Command{}, ErrCommand},
		{" NOOP", Command{}, ErrCommand},
		{"NO.OP", Command{}, ErrCommand},
		{"NOOP\x00", Command{}, ErrCommand},
		{"NOOP \x1b", Command{}, ErrCommand},
		{"NOOP \x7f", Command{}, ErrCommand},
		{"NOOP \r", Command{}, ErrCommand},
		{"\xc5\xbfTARTTLS", Command{}, ErrCommand},
		{strings.Repeat("A", 17), Command{}, ErrCommand},
	}
	for _, test := range tests {
		got, err := ParseCommand([]byte(test.in))
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%q: %+v, %v", test.in, got, err)
		}
	}
}

func TestParseParams(t *testing.T) {
	got, err := ParseParams(" SIZE=10 BODY=8BITMIME  SMTPUTF8 ORCPT=rfc822;a=b@c ")
	want := []Param{{"SIZE", "10"}, {"BODY", "8BITMIME"}, {"SMTPUTF8", ""}, {"ORCPT", "rfc822;a=b@c"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for in, want := range map[string]error{
		"SIZE=": ErrParam, "=1": ErrParam, "-A=1": ErrParam, "A_B=1": ErrParam, "A=1 a=2": ErrParamTwin,
		"A=\x01": ErrParam, "A=\xff": ErrParam, "A=\x7f": ErrParam, strings.Repeat(" A", 2): ErrParamTwin,
	} {
		if _, err := ParseParams(in); !errors.Is(err, want) {
			t.Errorf("%q: %v", in, err)
		}
	}
	var many strings.Builder
	for i := range 30 {
		many.WriteString(" P" + strings.Repeat("x", i))
	}
	if _, err := ParseParams(many.String()); !errors.Is(err, ErrParam) {
		t.Errorf("30 parameters: %v", err)
	}
}

func TestParseChunk(t *testing.T) {
	for in, want := range map[string]Chunk{
		"0": {0, false}, "10 LAST": {10, true}, "10  last": {10, true}, "99999999999999999999": {1<<63 - 1, false},
	} {
		if got, err := ParseChunk(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "LAST", "-1", "+1", "1x", "1 LA\u017fT", "1 LAST x", "999999999999999999999", "0x10", "1_000"} {
		if got, err := ParseChunk(in); err == nil {
			t.Errorf("%q is %+v", in, got)
		}
	}
}

func TestEqualFold(t *testing.T) {
	if !EqualFold("LaSt", "lAsT") || EqualFold("LA\u017fT", "LAST") || EqualFold("a", "ab") || EqualFold("\u212aelvin", "kelvin") {
		t.Error("folds wrongly")
	}
}

func TestParseAddress(t *testing.T) {
	tests := []struct {
		in   string
		want Address
		err  error
	}{
		{in: "a@b", want: Address{Local: "a", Domain: "b"}},
		{in: "a+b/c=d@x.example", want: Address{Local: "a+b/c=d", Domain: "x.example"}},
		{in: `"a b"@x.example`, want: Address{Local: `"a b"`, Domain: "x.example", Quoted: true}},
		{in: `"a\"@b"@x.example`, want: Address{Local: `"a\"@b"`, Domain: "x.example", Quoted: true}},
		{in: `""@x.example`, want: Address{Local: `""`, Domain: "x.example", Quoted: true}},
		{in: "a@[192.0.2.1]", want: Address{Local: "a", Domain: "[192.0.2.1]", Literal: true}},
		{in: "a@[ipv6:::1]", want: Address{Local: "a", Domain: "[ipv6:::1]", Literal: true}},
		{in: "a..b@x.example", want: Address{Local: "a..b", Domain: "x.example", Odd: true}},
		{in: "b.@x.example", want: Address{Local: "b.", Domain: "x.example", Odd: true}},
		{in: "dé@exämple.example", want: Address{Local: "dé", Domain: "exämple.example", UTF8: true}},
		{in: "", err: ErrLocal},
		{in: "a", err: ErrLocal},
		{in: "@b", err: ErrLocal},
		{in: "a b@c", err: ErrLocal},
		{in: "a@b@c", err: ErrDomain},
		{in: "a@", err: ErrDomain},
		{in: "a@b.", err: ErrDomain},
		{in: "a@.b", err: ErrDomain},
		{in: "a@b-.c", err: ErrDomain},
		{in: "a@" + strings.Repeat("x", 64), err: ErrDomain},
		{in: "a@[192.0.2]", err: ErrDomain},
		{in: "a@[fe80::1]", err: ErrDomain},
		{in: "a@[IPv6:fe80::1%eth0]", err: ErrDomain},
		{in: "a@[tag:x]", err: ErrDomain},
		{in: `"a@b`, err: ErrLocal},
		{in: "\"a\x01\"@b", err: ErrLocal},
		{in: "\"a\\\x01\"@b", err: ErrLocal},
		{in: `"a"b@c`, err: ErrLocal},
		{in: "a\xff@b", err: ErrLocal},
		{in: "a\u0085@b", err: ErrLocal},
		{in: "a\u00a0@b", err: ErrLocal},
		{in: "<a@b>", err: ErrLocal},
		{in: strings.Repeat("l", 128) + "@b", want: Address{Local: strings.Repeat("l", 128), Domain: "b"}},
		{in: strings.Repeat("l", 129) + "@b", err: ErrPathTooLong},
	}
	for _, test := range tests {
		got, err := ParseAddress(test.in)
		if !errors.Is(err, test.err) {
			t.Errorf("%q: error %v, want %v", test.in, err, test.err)
			continue
		}
		if err == nil {
			test.want.Raw = test.in
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.in, diff)
		}
	}
}

func TestClassifyHello(t *testing.T) {
	for in, want := range map[string]HelloKind{
		"mail.example.org": HelloFQDN, "xn--exmple-cua.example": HelloFQDN, "exämple.example": HelloFQDN,
		"[192.0.2.1]": HelloLiteral, "[IPv6:2001:db8::1]": HelloLiteral,
		"localhost": HelloBare, "USER-PC": HelloBare,
		"192.0.2.1": HelloAddress, "2001:db8::1": HelloAddress,
		"": HelloInvalid, "a_b.example": HelloInvalid, "example.org.": HelloInvalid, "-a.example": HelloInvalid,
		"[192.0.2.1": HelloInvalid, "[192.0.2.256]": HelloInvalid, "a b": HelloInvalid, "a\xff.example": HelloInvalid, "1.2.3.4.": HelloInvalid,
	} {
		if got := ClassifyHello(in); got != want {
			t.Errorf("%q is %d, want %d", in, got, want)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{"EHLO a", "MAIL FROM:<a@b> SIZE=1", "RCPT TO:<postmaster>", "BDAT 1 LAST", "MAIL FROM:<\"a\\\"\"@[IPv6:::1]> X=Y"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		cmd, err := ParseCommand(line)
		if err != nil {
			return
		}
		if len(cmd.Verb)+len(cmd.Arg) > len(line) || strings.Trim(cmd.Arg, " \t") != cmd.Arg {
			t.Fatalf("%q gave %+v", line, cmd)
		}
		if _, err := ParseCommand([]byte(cmd.Verb + " " + cmd.Arg)); err != nil {
			t.Fatalf("%+v doesn't parse again: %v", cmd, err)
		}
		_, _ = ParseMail(cmd.Arg)
		_, _ = ParseRcpt(cmd.Arg)
		_, _ = ParseParams(cmd.Arg)
		if c, err := ParseChunk(cmd.Arg); err == nil && c.Size < 0 {
			t.Fatalf("%q is a chunk of %d", cmd.Arg, c.Size)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"<>", "<a@b>", "<@x:a@b> SIZE=1", `<"a>b"@c>`, "<postmaster>", "<a@[192.0.2.1]>", "<d\xc3\xa9@b>", "<a..b@c>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, cut := range []func(string) (Address, string, error){CutReversePath, CutForwardPath} {
			a, rest, err := cut(s)
			if err != nil {
				continue
			}
			if !strings.HasSuffix(s, ">"+rest) || len(s)-len(rest) > MaxPath {
				t.Fatalf("%q leaves %q", s, rest)
			}
			if a.Raw == "" || a.Domain == "" {
				if a.Raw != "" && !EqualFold(a.Raw, "postmaster") {
					t.Fatalf("%q gave %+v", s, a)
				}
				continue
			}
			if a.Local+"@"+a.Domain != a.Raw || len(a.Local) > MaxLocal || len(a.Domain) > MaxDomain {
				t.Fatalf("%q gave %+v", s, a)
			}
			for i := range len(a.Raw) {
				if c := a.Raw[i]; c < ' ' || c == 0x7f {
					t.Fatalf("%q has a control octet", a.Raw)
				}
			}
			// As we would send it on, it is the same address.
			again, rest, err := CutForwardPath("<" + a.Raw + ">")
			if err != nil || rest != "" || again != a {
				t.Fatalf("%q again: %+v %q %v", a.Raw, again, rest, err)
			}
		}
	})
}
