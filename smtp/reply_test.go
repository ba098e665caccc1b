package smtp

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppendReply(t *testing.T) {
	long := strings.Repeat("0123456789", 60)
	tests := []struct {
		name           string
		code           int
		enhanced, text string
		want           string
	}{
		{"plain", 250, "2.1.0", "OK", "250 2.1.0 OK\r\n"},
		{"no enhanced code", 354, "", "Go on", "354 Go on\r\n"},
		{"empty text", 250, "2.0.0", "", "250 2.0.0 \r\n"},
		{"no code", 0, "", "x", "451 4.3.0 x\r\n"},
		{"code too high", 650, "5.7.1", "x", "451 4.3.0 x\r\n"},
		{"enhanced code of another class", 550, "4.7.1", "x", "550 x\r\n"},
		{"broken enhanced code", 550, "5.7.1 x", "y", "550 y\r\n"},
		{"hostile text", 550, "5.7.1", "a\r\n250 b\x00\x1b[0m\x7f\xc2\x9bé", "550 5.7.1 a??250 b??[0m?????\r\n"},
		{"no space to fold at", 250, "", long, "250-" + long[:506] + "\r\n250 " + long[506:] + "\r\n"},
		{"enhanced code on each line", 250, "2.0.0", strings.Repeat("word ", 102) + "end",
			"250-2.0.0 " + strings.TrimSuffix(strings.Repeat("word ", 100), " ") + "\r\n250 2.0.0 word word end\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := string(AppendReply(nil, test.code, test.enhanced, test.text))
			if got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			for line := range strings.SplitAfterSeq(got, "\r\n") {
				if len(line) > MaxReplyLine {
					t.Errorf("a line of %d octets", len(line))
				}
			}
		})
	}
}

func TestAppendReplyLines(t *testing.T) {
	got := string(AppendReplyLines(nil, 250, []string{"mx.example", "SIZE 5", strings.Repeat("x", 600), "LAST\n"}))
	want := "250-mx.example\r\n250-SIZE 5\r\n250-" + strings.Repeat("x", 506) + "\r\n250 LAST?\r\n"
	if got != want {
		t.Errorf("got %q", got)
	}
}

func TestEnhancedCode(t *testing.T) {
	for s, want := range map[string]EnhancedCode{
		"2.0.0": {2, 0, 0}, "4.7.28": {4, 7, 28}, "5.999.123": {5, 999, 123},
	} {
		if got, ok := ParseEnhancedCode(s); !ok || got != want || got.String() != s {
			t.Errorf("%q: %v %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "5", "5.7", "5.7.", "5..1", "3.0.0", "5.7.1.2", "5.7.1000", "5.07.1", "5.7.1 ", " 5.7.1", "5.7.x", "5.-7.1"} {
		if got, ok := ParseEnhancedCode(s); ok {
			t.Errorf("%q is %v", s, got)
		}
	}
	if (EnhancedCode{}).String() != "" {
		t.Error("none isn't empty")
	}
}

func TestReplyParser(t *testing.T) {
	tests := []struct {
		in   string
		want Reply
		left string
		err  error
	}{
		{in: "250 OK\r\n", want: Reply{Code: 250, Lines: []string{"OK"}}},
		{in: "250\r\n", want: Reply{Code: 250, Lines: []string{""}}},
		{in: "250 2.0.0 OK\r\n250 next\r\n", want: Reply{Code: 250, Enhanced: EnhancedCode{2, 0, 0}, Lines: []string{"OK"}}, left: "250 next\r\n"},
		{in: "250-mx.example\r\n250-SIZE 5\r\n250 DSN\r\n", want: Reply{Code: 250, Lines: []string{"mx.example", "SIZE 5", "DSN"}}},
		{in: "550-5.7.1 No,\r\n550 5.7.1 never\r\n", want: Reply{Code: 550, Enhanced: EnhancedCode{5, 7, 1}, Lines: []string{"No,", "never"}}},
		{in: "550 4.7.1 liar\r\n", want: Reply{Code: 550, Lines: []string{"4.7.1 liar"}}},
		{in: "550-5.7.1 a\r\n550 5.1.1 b\r\n", want: Reply{Code: 550, Enhanced: EnhancedCode{5, 7, 1}, Lines: []string{"a", "5.1.1 b"}}},
		{in: "421-\r\n421 \r\n", want: Reply{Code: 421, Lines: []string{"", ""}}},
		{in: "250 \x1b[31m\xff\r\n", want: Reply{Code: 250, Lines: []string{"\x1b[31m\xff"}}},
		{in: "OK\r\n", err: ErrReplySyntax},
		{in: "\r\n", err: ErrReplySyntax},
		{in: "25\r\n", err: ErrReplySyntax},
		{in: "150 no\r\n", err: ErrReplySyntax},
		{in: "650 no\r\n", err: ErrReplySyntax},
		{in: "2500 no\r\n", err: ErrReplySyntax},
		{in: "250_no\r\n", err: ErrReplySyntax},
		{in: " 250 no\r\n", err: ErrReplySyntax},
		{in: "HTTP/1.1 400 Bad Request\r\n", err: ErrReplySyntax},
		{in: "250-a\r\n251 b\r\n", err: ErrReplyCodes},
		{in: "250-a\r\nhello\r\n", err: ErrReplySyntax},
		{in: "250 bare\n250 x\r\n", err: ErrReplyLineEnd},
		{in: "250 bare\rx\r\n", err: ErrReplyLineEnd},
		{in: "250 " + strings.Repeat("x", 3000), err: ErrReplyTooLong},
		{in: strings.Repeat("250-x\r\n", 200), err: ErrReplyTooLong},
	}
	for _, test := range tests {
		for _, size := range []int{1, 3, len(test.in)} {
			var p ReplyParser
			in, done, err := test.in, false, error(nil)
			for len(in) > 0 && !done && err == nil {
				var n int
				n, done, err = p.Feed([]byte(in[:min(size, len(in))]))
				in = in[n:]
			}
			if !errors.Is(err, test.err) || done == (err != nil) {
				t.Errorf("%.40q by %d: done %v, error %v, want %v", test.in, size, done, err, test.err)
			}
			if err == nil {
				if diff := cmp.Diff(test.want, p.Reply()); diff != "" {
					t.Errorf("%q by %d:\n%s", test.in, size, diff)
				}
				if in != test.left {
					t.Errorf("%q by %d leaves %q", test.in, size, in)
				}
				p.Reset()
				if _, done, err := p.Feed([]byte("220 again\r\n")); !done || err != nil || p.Reply().Code != 220 {
					t.Errorf("after Reset: %v %v", done, err)
				}
			} else if _, _, again := p.Feed([]byte("250 OK\r\n")); again != err {
				t.Errorf("%q: the error doesn't stick: %v", test.in, again)
			}
		}
	}
}

func FuzzReplyParser(f *testing.F) {
	for _, s := range []string{"250 OK\r\n", "250-a\r\n250 b\r\n", "550 5.7.1 no\r\n", "hello\r\n", "250\r\n", "250 a\n", "250-\r\n251 \r\n"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		read := func(size int) (Reply, int, bool, error) {
			var p ReplyParser
			taken := 0
			for taken < len(in) {
				n, done, err := p.Feed(in[taken:min(taken+size, len(in))])
				taken += n
				if done || err != nil {
					return p.Reply(), taken, done, err
				}
			}
			return Reply{}, taken, false, nil
		}
		r1, n1, d1, e1 := read(max(len(in), 1))
		r2, n2, d2, e2 := read(max(1, cut&15))
		if d1 != d2 || e1 != e2 || n1 != n2 || !cmp.Equal(r1, r2) {
			t.Fatalf("cut differently: %v %d %v %v, %v %d %v %v", r1, n1, d1, e1, r2, n2, d2, e2)
		}
		if d1 && (r1.Code < 200 || r1.Code > 599 || len(r1.Lines) == 0 || len(r1.Lines) > maxReadLines) {
			t.Fatalf("reply %+v", r1)
		}
		// What we would pass on is clean, whatever came.
		for line := range strings.SplitAfterSeq(string(AppendReply(nil, r1.Code, r1.Enhanced.String(), r1.Text())), "\r\n") {
			if len(line) > MaxReplyLine || !printable(strings.TrimSuffix(line, "\r\n")) {
				t.Fatalf("unclean line %q", line)
			}
		}
	})
}

func printable(line string) bool {
	return strings.IndexFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
