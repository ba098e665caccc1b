package smtp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// decode runs the decoder over in, cut into pieces.
func decode(in []byte, size func(left int) int) (content []byte, taken int, done bool) {
	var d DataDecoder
	for taken < len(in) && !done {
		piece := in[taken : taken+min(max(size(len(in)-taken), 1), len(in)-taken)]
		for len(piece) > 0 && !done {
			var c []byte
			var n int
			c, n, done = d.Next(piece)
			content = append(content, c...)
			piece = piece[n:]
			taken += n
		}
	}
	return content, taken, done
}

func TestDataDecoder(t *testing.T) {
	tests := []struct {
		in, want, left string
		open           bool // the end doesn't come
	}{
		{in: ".\r\n"},
		{in: "a\r\n.\r\nQUIT\r\n", want: "a\r\n", left: "QUIT\r\n"},
		{in: "..\r\n.\r\n", want: ".\r\n"},
		{in: ".a\r\n.\r\n", want: "a\r\n"},
		{in: "a\r\n..b\r\n...\r\n.\r\n", want: "a\r\n.b\r\n..\r\n"},
		{in: "a.\r\n.\r\n", want: "a.\r\n"},
		{in: "\r\n\r\n.\r\n", want: "\r\n\r\n"},
		{in: "\n.\r\nb\r\n.\r\n", want: "\n.\r\nb\r\n"},
		{in: "a\n.\nb\r\n.\r\n", want: "a\n.\nb\r\n"},
		{in: "a\r\n.\nb\r\n.\r\n", want: "a\r\n\nb\r\n"},
		{in: "a\r\n.\rb\r\n.\r\n", want: "a\r\n\rb\r\n"},
		{in: "a\r\n.\r\r\n.\r\n", want: "a\r\n\r\r\n"},
		{in: "a\r.\r\n\r\n.\r\n", want: "a\r.\r\n\r\n"},
		{in: "a\r\r\n.\r\n", want: "a\r\r\n"},
		{in: "a\r\n.", want: "a\r\n", open: true},
		{in: "a\r\n.\r", want: "a\r\n", open: true},
		{in: "a\r\n", want: "a\r\n", open: true},
		{in: "\x00\xff\r\n.\r\n", want: "\x00\xff\r\n"},
	}
	for _, test := range tests {
		for _, size := range []int{1, 2, 3, len(test.in)} {
			content, taken, done := decode([]byte(test.in), func(int) int { return size })
			if string(content) != test.want || done == test.open || test.in[taken:] != test.left {
				t.Errorf("%q by %d: content %q, left %q, done %v", test.in, size, content, test.in[taken:], done)
			}
		}
	}
}

func TestCheckText(t *testing.T) {
	tests := []struct {
		in   string
		want []Fault
	}{
		{"", nil},
		{"ab\r\n\r\ncd", nil},
		{"12345\r\n12345", nil},
		{"a\nb", []Fault{{BareLF, 1}}},
		{"a\rb", []Fault{{BareCR, 1}}},
		{"a\r", []Fault{{BareCR, 1}}},
		{"a\r\r\n", []Fault{{BareCR, 1}}},
		{"\n", []Fault{{BareLF, 0}}},
		{"\r\n\n", []Fault{{BareLF, 2}}},
		{"a\x00", []Fault{{NUL, 1}}},
		{"123456\r\n", []Fault{{LineTooLong, 5}}},
		{"1\r\n123456", []Fault{{LineTooLong, 8}}},
		{"a\n\x00\r.", []Fault{{BareLF, 1}, {NUL, 2}, {BareCR, 3}}},
		{"\r\n.\r\n", nil},
		{"a\n.\r\n", []Fault{{BareLF, 1}, {Smuggling, 2}}},
		{"a\r\n.\n", []Fault{{Smuggling, 3}, {BareLF, 4}}},
		{".\n", []Fault{{Smuggling, 0}, {BareLF, 1}}},
		{"a\r.\r\n", []Fault{{BareCR, 1}, {Smuggling, 2}}},
		{"\r\n.\r\r\n", []Fault{{Smuggling, 2}, {BareCR, 3}}},
		{"a\n.b\r\n", []Fault{{BareLF, 1}}},
		{"a\nb\r\n.\r\n", []Fault{{BareLF, 1}}},
		{"a\n..\n", []Fault{{BareLF, 1}}},
		{".\r\na\nb", []Fault{{BareLF, 4}}},
		{"12345\rx", []Fault{{BareCR, 5}, {LineTooLong, 5}}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, CheckText([]byte(test.in), 5)); diff != "" {
			t.Errorf("%q: %s", test.in, diff)
		}
		piecewise := TextChecker{MaxLine: 5}
		for i := range len(test.in) {
			piecewise.Check([]byte{test.in[i]})
		}
		piecewise.End()
		if diff := cmp.Diff(test.want, piecewise.Faults()); diff != "" {
			t.Errorf("%q octet by octet: %s", test.in, diff)
		}
	}
}

// drawText draws octets that matter to framing.
func drawText(t *rapid.T) []byte {
	token := rapid.SampledFrom([]string{"a", ".", "\r", "\n", "\r\n", "\x00", "..", "\r\n.", "\r\n.\r\n", "abcdef"})
	return []byte(strings.Join(rapid.SliceOfN(token, 0, 40).Draw(t, "text"), ""))
}

// What is stuffed comes back, however either side is cut, and nothing in it ends
// the message early.
func TestStuffingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := drawText(t)
		var s DotStuffer
		var wire []byte
		for rest := msg; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			wire = s.Append(wire, rest[:n])
			rest = rest[n:]
		}
		wire = s.End(wire)
		if whole := AppendDotStuffed(nil, msg); !bytes.Equal(whole, wire) {
			t.Fatalf("in pieces %q, whole %q", wire, whole)
		}
		want := msg
		if len(msg) > 0 && !bytes.HasSuffix(msg, []byte("\r\n")) {
			want = append(bytes.Clone(msg), '\r', '\n')
		}
		got, taken, done := decode(append(wire, "QUIT"...), func(left int) int {
			return rapid.IntRange(1, left).Draw(t, "read")
		})
		if !done || taken != len(wire) || !bytes.Equal(got, want) {
			t.Fatalf("%q came back as %q, %d of %d, done %v", want, got, taken, len(wire), done)
		}
	})
}

func FuzzDataDecoder(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\n", "..\r\n.\r\nx", "a\n.\nb\r\n.\r\n", "\r.\r", ".\r", "a\r\n.\r\r\n.\r\n"} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		size := max(1, cut&63)
		content, taken, done := decode(in, func(left int) int { return left })
		c2, t2, d2 := decode(in, func(int) int { return size })
		if !bytes.Equal(content, c2) || taken != t2 || done != d2 {
			t.Fatalf("cut by %d: %q %d %v, whole %q %d %v", size, c2, t2, d2, content, taken, done)
		}
		// The end is the first CRLF.CRLF, with the CRLF of DATA before it.
		end := bytes.Index(append([]byte("\r\n"), in...), []byte("\r\n.\r\n"))
		if done != (end >= 0) || done && taken != end+3 {
			t.Fatalf("done %v after %d, CRLF.CRLF at %d", done, taken, end)
		}
		whole := CheckText(in, 20)
		pieces := TextChecker{MaxLine: 20}
		for rest := in; len(rest) > 0; {
			n := min(size, len(rest))
			pieces.Check(rest[:n])
			rest = rest[n:]
		}
		pieces.End()
		if !cmp.Equal(whole, pieces.Faults()) {
			t.Fatalf("faults %v, cut by %d %v", whole, size, pieces.Faults())
		}
	})
}

func benchmarkText(size int) []byte {
	const line = "The quick brown fox jumps over the lazy dog, and so on to the end of line.\r\n"
	return []byte(strings.Repeat(line, size/len(line)+1)[:size] + "\r\n.\r\n")
}

// BenchmarkFraming is what a message's octets cost on their way in: unstuffing,
// finding the end, looking for faults.
func BenchmarkFraming(b *testing.B) {
	for name, text := range map[string][]byte{
		"10kB": benchmarkText(10 << 10),
		"1MB":  benchmarkText(1 << 20),
		"dots": append(bytes.Repeat([]byte("..\r\n"), 1<<18), ".\r\n"...),
		"LF":   append(bytes.Repeat([]byte(".\n"), 1<<19), "\r\n.\r\n"...),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				var d DataDecoder
				t := TextChecker{MaxLine: 1 << 14}
				for in, done := text, false; !done; {
					var n int
					_, n, done = d.Next(in[:min(len(in), 32<<10)])
					t.Check(in[:n])
					in = in[n:]
				}
			}
		})
	}
}

func BenchmarkDotStuff(b *testing.B) {
	text := benchmarkText(1 << 20)
	var dst []byte
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		dst = AppendDotStuffed(dst[:0], text)
	}
}
