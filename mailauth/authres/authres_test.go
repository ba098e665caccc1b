package authres

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/shared"
	"sluice/mailauth/author/authortest"
	"sluice/message"
	"sluice/message/header"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in string
		want     Field
	}{
		// The forms of RFC 8601 appendix B, with samples of our own.
		{"none", "mx.example.org 1; none", Field{ID: "mx.example.org", Version: 1, None: true}},
		{"no version", "mx.example.org; none", Field{ID: "mx.example.org", Version: 1, None: true}},
		{"one result", "mx.example.com; spf=pass smtp.mailfrom=example.net",
			Field{ID: "mx.example.com", Version: 1, Results: []Result{{Method: "spf", Version: 1, Value: "pass", Props: []Prop{{"smtp", "mailfrom", "example.net"}}}}}},
		{"several", "mx.example.com;\r\n\tauth=pass (cram-md5) smtp.auth=sender@example.net;\r\n  spf=pass smtp.mailfrom=example.net",
			Field{ID: "mx.example.com", Version: 1, Results: []Result{
				{Method: "auth", Version: 1, Value: "pass", Comment: "cram-md5", Props: []Prop{{"smtp", "auth", "sender@example.net"}}},
				{Method: "spf", Version: 1, Value: "pass", Props: []Prop{{"smtp", "mailfrom", "example.net"}}}}}},
		{"comments everywhere", "(a) foo.example.net (foo) (b(c)) 1 (d); (e) dkim (f) / (g) 1 (h) = (i) fail (j \\) k) reason (l) = (m) \"x y\" (n) policy (o) . (p) expired (q) = (r) \"1362471462\" (s)",
			Field{ID: "foo.example.net", Version: 1, Results: []Result{{Method: "dkim", Version: 1, Value: "fail", Comment: `j \) k`, Reason: "x y", Props: []Prop{{"policy", "expired", "1362471462"}}}}}},
		{"upper case", "MX; DKIM=Pass Header.D=Example.com", Field{ID: "MX", Version: 1, Results: []Result{{Method: "dkim", Version: 1, Value: "pass", Props: []Prop{{"header", "d", "Example.com"}}}}}},
		{"quoted id", `"mx one"; spf=none`, Field{ID: "mx one", Version: 1, Results: []Result{{Method: "spf", Version: 1, Value: "none"}}}},
		{"base64 value", "mx; dkim=pass header.b=a+/b=", Field{ID: "mx", Version: 1, Results: []Result{{Method: "dkim", Version: 1, Value: "pass", Props: []Prop{{"header", "b", "a+/b="}}}}}},
		{"quoted local part", `mx; spf=pass smtp.mailfrom="a; dmarc=pass"@example.com`,
			Field{ID: "mx", Version: 1, Results: []Result{{Method: "spf", Version: 1, Value: "pass", Props: []Prop{{"smtp", "mailfrom", "a; dmarc=pass@example.com"}}}}}},
		{"semicolon in a comment", "mx; dkim=pass (key; dmarc=pass) header.d=a", Field{ID: "mx", Version: 1, Results: []Result{{Method: "dkim", Version: 1, Value: "pass", Comment: "key; dmarc=pass", Props: []Prop{{"header", "d", "a"}}}}}},
		{"EAI", "büro.example; spf=pass smtp.mailfrom=jürgen@büro.example", Field{ID: "büro.example", Version: 1, Results: []Result{{Method: "spf", Version: 1, Value: "pass", Props: []Prop{{"smtp", "mailfrom", "jürgen@büro.example"}}}}}},
		{"without id", "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=a.example; dkim=none; dmarc=bestguesspass action=none header.from=a.example;compauth=pass reason=109",
			Field{Version: 1, Results: []Result{
				{Method: "spf", Version: 1, Value: "pass", Comment: "sender IP is 192.0.2.1", Props: []Prop{{"smtp", "mailfrom", "a.example"}}},
				{Method: "dkim", Version: 1, Value: "none"},
				{Method: "dmarc", Version: 1, Value: "bestguesspass", Props: []Prop{{"", "action", "none"}, {"header", "from", "a.example"}}},
				{Method: "compauth", Version: 1, Value: "pass", Reason: "109"}}}},
		{"without id, with space", "  dkim = pass header.d=a", Field{Version: 1, Results: []Result{{Method: "dkim", Version: 1, Value: "pass", Props: []Prop{{"header", "d", "a"}}}}}},
		{"semicolons too many", "mx;; spf=pass ;;", Field{ID: "mx", Version: 1, Results: []Result{{Method: "spf", Version: 1, Value: "pass"}}}},
		{"Exchange", "spf=fail smtp.mailfrom=a.example; b.example; dkim=none header.d=none;b.example; dmarc=none;", Field{Version: 1, Results: []Result{
			{Method: "spf", Version: 1, Value: "fail", Props: []Prop{{"smtp", "mailfrom", "a.example"}}},
			{Method: "dkim", Version: 1, Value: "none", Props: []Prop{{"header", "d", "none"}}}, {Method: "dmarc", Version: 1, Value: "none"}}}},
		{"id alone", "mx", Field{ID: "mx", Version: 1}},
	}
	for _, tt := range tests {
		got, err := Parse(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, d)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		in   string
		want error
	}{
		{"", ErrSyntax},
		{";", ErrSyntax},
		{"mx; spf", ErrSyntax},
		{"mx; spf=", ErrSyntax},
		{"mx; =pass", ErrSyntax},
		{"mx spf=pass", ErrSyntax},
		{"mx 2; spf=pass", ErrVersion},
		{"mx; spf=pass smtp.=x", ErrSyntax},
		{"mx; spf=pass smtp mailfrom=x", ErrSyntax},
		{"mx; spf=pass (open", ErrUnclosed},
		{"mx (((((; spf=pass", ErrUnclosed},
		{`mx; spf=pass smtp.mailfrom="open`, ErrUnclosed},
		{"mx; spf=pass\xff", ErrSyntax},
		{"mx; dkim/=pass", ErrSyntax},
		{"mx; dkim=pass (a) b) header.d=x", ErrSyntax},
		{"mx" + strings.Repeat("; a=b", 101), ErrTooMany},
		{"mx; a=b" + strings.Repeat(" c.d=e", 51), ErrTooMany},
		{"mx; a=b " + strings.Repeat("(", 40000), ErrTooLong},
	}
	for _, tt := range tests {
		if f, err := Parse(tt.in); !errors.Is(err, tt.want) || len(f.Results) > 0 {
			t.Errorf("%.60q: %v, %+v; want %v", tt.in, err, f, tt.want)
		}
	}
}

func TestFormat(t *testing.T) {
	results := []Result{
		{Method: "spf", Value: "pass", Props: []Prop{{"smtp", "mailfrom", "jürgen@büro.example"}}},
		{Method: "dkim", Value: "fail", Comment: "signature (of; d) \r\nX: y", Reason: `a "b"`, Props: []Prop{{"header", "d", "example.com"}, {"header", "b", "ab/c"}}},
		{Method: "dmarc", Value: "fail", Props: []Prop{{"header", "from", "a; spf=pass x"}, {"policy", "dmarc", "reject"}}},
		{Method: "iprev", Value: "pass", Props: []Prop{{"policy", "iprev", "2001:db8::1"}}},
		{Method: "b a d;=", Value: "", Props: []Prop{{"x y", "", "z"}}},
	}
	ascii := "Authentication-Results: mx.example.com;\r\n" +
		"\tspf=pass smtp.mailfrom=j?rgen@xn--bro-hoa.example;\r\n" +
		"\tdkim=fail (signature [of, d]   X: y) reason=\"a \\\"b\\\"\"\r\n" +
		"\theader.d=example.com header.b=\"ab/c\";\r\n" +
		"\tdmarc=fail header.from=\"a; spf=pass x\" policy.dmarc=reject;\r\n" +
		"\tiprev=pass policy.iprev=\"2001:db8::1\";\r\n" +
		"\tbad=none\r\n"
	ascii = strings.Replace(ascii, "j?rgen@xn--bro-hoa.example", `"j?rgen@xn--bro-hoa.example"`, 1)
	if d := cmp.Diff(ascii, Format("mx.example.com", results)); d != "" {
		t.Errorf("ASCII (-want +got)\n%s", d)
	}
	eai := strings.Replace(ascii, `"j?rgen@xn--bro-hoa.example"`, "jürgen@büro.example", 1)
	if d := cmp.Diff(eai, FormatUTF8("mx.example.com", results)); d != "" {
		t.Errorf("EAI (-want +got)\n%s", d)
	}
	if got, want := Format("mx", nil), "Authentication-Results: mx; none\r\n"; got != want {
		t.Errorf("got %q", got)
	}
}

// TestNothingInjected: whatever the strings, what is written reads back as just
// the results that were put in, one field, short lines.
func TestNothingInjected(t *testing.T) {
	hostile := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`a"b`, `a\`, "a(b", "a)b", "a;dmarc=pass", "bank.example'a.attacker.example", "x\r\nFrom: y", "\x00", "\u202e", "bank.example(.attacker.example", " ", "", "a@b@c", "\xff"}))
	rapid.Check(t, func(t *rapid.T) {
		in := []Result{{Method: "spf", Value: "fail", Reason: hostile.Draw(t, "reason"), Comment: hostile.Draw(t, "comment"), Props: []Prop{{"smtp", "mailfrom", hostile.Draw(t, "from")}, {"smtp", "helo", hostile.Draw(t, "helo")}}},
			{Method: "dkim", Value: "fail", Props: []Prop{{"header", "d", hostile.Draw(t, "d")}}}}
		for _, text := range []string{Format("mx.example", in), FormatUTF8("mx.example", in)} {
			h, defects := header.Parse([]byte(text), 0, 0)
			if len(h.Fields) != 1 || len(defects) > 0 && !(len(defects) == 1 && defects[0].Code == header.EightBitHeader) {
				t.Fatalf("%q: %v", text, defects)
			}
			for l := range strings.Lines(text) {
				if len(l) > 998 || !strings.HasSuffix(l, "\r\n") {
					t.Fatalf("line %q", l)
				}
			}
			f, err := Parse(h.Fields[0].Value)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if f.ID != "mx.example" || len(f.Results) != 2 || len(f.Results[0].Props) != 2 || len(f.Results[1].Props) != 1 {
				t.Fatalf("%q: %+v", text, f)
			}
			for i := range f.Results {
				if f.Results[i].Method != in[i].Method || f.Results[i].Value != "fail" {
					t.Fatalf("%q: %+v", text, f)
				}
			}
		}
	})
}

// TestCompositionValues: the domains of the composition attacks, written and read
// again, stay one value each.
func TestCompositionValues(t *testing.T) {
	for _, c := range authortest.Attacks() {
		results := []Result{{Method: "spf", Value: word(c.SPF.Result, "none"), Props: []Prop{{"smtp", "mailfrom", c.MailFrom}, {"smtp", "helo", c.Helo}}}}
		for _, s := range c.DKIM {
			results = append(results, Result{Method: "dkim", Value: s.Result, Props: []Prop{{"header", "d", s.Domain}, {"header", "s", s.Selector}}})
		}
		h, _ := header.Parse([]byte(Format("mx", results)), 0, 0)
		f, err := Parse(h.Fields[0].Value)
		if err != nil || len(f.Results) != len(results) {
			t.Errorf("%s: %v, %+v", c.ID, err, f)
			continue
		}
		for i, r := range f.Results {
			if r.Method != results[i].Method || r.Value != results[i].Value || len(r.Props) != len(results[i].Props) {
				t.Errorf("%s: %+v, want %+v", c.ID, r, results[i])
			}
		}
	}
}

func TestTrusted(t *testing.T) {
	ids := []string{"mx.example", "BÜRO.example"}
	tests := []struct {
		name   string
		trust  Trust
		fields []string
		want   []string // method=value of the first result of each
	}{
		{"ours on top", Trust{IDs: ids}, []string{"Authentication-Results: mx.example; spf=pass", "Received: x"}, []string{"spf=pass"}},
		{"below our Received", Trust{IDs: ids}, []string{"Received: x", "Authentication-Results: MX.Example.; spf=pass"}, []string{"spf=pass"}},
		{"a stranger's above", Trust{IDs: ids}, []string{"Authentication-Results: other; spf=fail", "Authentication-Results: mx.example; spf=pass"}, []string{"spf=pass"}},
		{"a forged one below", Trust{IDs: ids}, []string{"Authentication-Results: mx.example; spf=fail", "Authentication-Results: mx.example; spf=pass"}, []string{"spf=fail"}},
		{"two by the server", Trust{IDs: ids, Fields: 2}, []string{"Authentication-Results: mx.example; spf=fail", "Authentication-Results: xn--bro-hoa.example; dkim=pass", "Authentication-Results: mx.example; dmarc=pass"}, []string{"spf=fail", "dkim=pass"}},
		{"a hop between", Trust{IDs: ids, Fields: 2}, []string{"Authentication-Results: mx.example; spf=fail", "Received: y", "Authentication-Results: mx.example; dmarc=pass"}, []string{"spf=fail"}},
		{"no id", Trust{IDs: append(ids, "")}, []string{"Authentication-Results: spf=pass"}, nil},
		{"a lookalike id", Trust{IDs: ids}, []string{"Authentication-Results: mx.example.attacker.example; spf=pass", "Authentication-Results: \"mx.example \"; spf=pass"}, nil},
		{"unreadable", Trust{IDs: ids, Fields: 2}, []string{"Authentication-Results: mx.example; spf=fail", "Authentication-Results: mx.example; (", "Authentication-Results: mx.example; dmarc=pass"}, []string{"spf=fail"}},
		{"nobody is trusted", Trust{}, []string{"Authentication-Results: mx.example; spf=pass"}, nil},
	}
	for _, tt := range tests {
		h, _ := header.Parse([]byte(strings.Join(tt.fields, "\r\n")+"\r\n"), 0, 0)
		var got []string
		for _, f := range Trusted(&h, tt.trust) {
			got = append(got, f.Results[0].Method+"="+f.Results[0].Value)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, d)
		}
	}
}

// TestSuites reads every result field of published test mail, and of real mail.
// knownFailures may only shrink.
func TestSuites(t *testing.T) {
	knownFailures := map[string]string{}
	for _, dir := range []string{"suites/authmilter-fastmail", "suites/dkim-perl-mail-dkim", "suites/dkim-mail-auth", "suites/parsedmarc", "corpora/phishing_pot", "corpora/lists_2019_2026", "corpora/foff_milter"} {
		root := shared.Dir(t, filepath.FromSlash(dir))
		n, bad := 0, 0
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i, v := range message.Parse(b, message.Limits{}).Header().Values("Authentication-Results") {
				n++
				name := fmt.Sprintf("%s %d", strings.TrimPrefix(path, root), i)
				_, known := knownFailures[name]
				if _, err := Parse(v); err != nil {
					bad++
					if !known && strings.HasPrefix(dir, "suites") {
						t.Errorf("%s: %v: %q", name, err, v)
					} else if bad <= 5 {
						t.Logf("%s: %v: %q", name, err, v)
					}
				} else if known { // it may only shrink
					t.Errorf("%s passes: take it off the list", name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d fields, %d unreadable", dir, n, bad)
		if bad*100 > n {
			t.Errorf("%s: more than one in a hundred is unreadable", dir)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"mx.example.org 1; none", "mx; spf=pass (a(b)) reason=\"x\" smtp.mailfrom=\"a\\\"b\"@c; dkim/1=fail header.d=x;", "spf=pass x.y=z; dkim = none", "\"a b\" (c) 1;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		// What was read can be written, and read again as the same results.
		text := FormatUTF8(a.ID, a.Results)
		h, _ := header.Parse([]byte(text), 0, 0)
		if len(h.Fields) != 1 {
			t.Fatalf("%q", text)
		}
		b, err := Parse(h.Fields[0].Value)
		if err != nil {
			t.Fatalf("%q, from %q: %v", text, s, err)
		}
		if len(b.Results) > len(a.Results) {
			t.Fatalf("%q, from %q", text, s)
		}
	})
}

var typical = "mx.google.com;\r\n       dkim=pass header.i=@example.com header.s=sel header.b=AbCdEf12;\r\n       spf=pass (google.com: domain of bounce@example.com designates 192.0.2.1 as permitted sender) smtp.mailfrom=bounce@example.com;\r\n       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.com"

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(typical)))
	for b.Loop() {
		if _, err := Parse(typical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	f, _ := Parse(typical)
	b.ReportAllocs()
	for b.Loop() {
		Format(f.ID, f.Results)
	}
}
