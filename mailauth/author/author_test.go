package author_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/shared"
	"sluice/mailauth/author"
	"sluice/mailauth/author/authortest"
	"sluice/message"
)

func of(raw string) author.Author { return author.Of(message.Parse([]byte(raw), message.Limits{})) }

// show is an author in one line: address, name, problems; grave ones in capitals.
func show(a author.Author) string {
	s := "unclear"
	if a.Clear {
		s = "clear"
	}
	s += " <" + a.Address + ">"
	if a.Display != "" {
		s += fmt.Sprintf(" %q", a.Display)
	}
	for _, p := range a.Problems {
		c := string(p.Code)
		if !p.Grave {
			c = strings.ToLower(c)
		}
		s += " " + c
	}
	return s
}

func TestOf(t *testing.T) {
	tests := []struct{ from, want string }{
		{`user@example.com`, `clear <user@example.com>`},
		{`<user@EXAMPLE.com>`, `clear <user@example.com>`},
		{`"A, B" <user@example.com>`, `clear <user@example.com> "A, B"`},
		{`user@example.com.`, `clear <user@example.com> trailing_dot`},
		{`user@example.com..`, `unclear <> BAD_DOMAIN trailing_dot`},
		{`<user@example..com>`, `unclear <> BAD_DOMAIN`},
		{`<user@exa_mple.com>`, `clear <user@exa_mple.com>`},
		{`<user@exa\mple.com>`, `unclear <> BAD_DOMAIN`},
		{`<user@[192.0.2.1]>`, `clear <> domain_literal`},
		{`<user@[IPv6:2001:db8::1]>`, `clear <> domain_literal`},
		{`<user@192.0.2.1>`, `unclear <> BAD_DOMAIN`},
		{`<@example.com>`, `unclear <> NO_ADDRESS`},
		{`<>`, `unclear <> NO_ADDRESS`},
		{`undisclosed:;`, `unclear <> NO_ADDRESS`},
		{`"a@other.example" <user@example.com>`, `clear <user@example.com> "a@other.example" display_address`},
		{`a@sub.example.com <user@example.com>`, `unclear <user@example.com> "a@sub.example.com" UNQUOTED_ADDRESS display_address`},
		{`"x\"@other.example" <user@example.com>`, `clear <user@example.com> "x\"@other.example" display_address`},
		{`user@example.com (User)`, `clear <user@example.com> "User"`},
		{`user@example.com (a (nested) one)`, `clear <user@example.com> "a (nested) one"`},
		{`user (x) @example.com`, `unclear <user@example.com> "x" STRAY_TEXT COMMENT`},
		{`Users: user@example.com;`, `unclear <user@example.com> GROUP`},
		{`<user@bücher.example>`, `clear <user@xn--bcher-kva.example> idn`},
		{`<user@BÜCHER.example>`, `clear <user@xn--bcher-kva.example> idn`},
		{`<user@例え.テスト>`, `clear <user@xn--r8jz45g.xn--zckzah> idn`},
		{`<user@例え。テスト>`, `unclear <user@xn--r8jz45g.xn--zckzah> idn MAPPED_DOMAIN`},
		{`<user@раураl.com>`, `clear <user@xn--l-7sba6dbr.com> idn mixed_script confusable`},
		{`<user@münchen.de>`, `clear <user@xn--mnchen-3ya.de> idn`},
		{`<user@faß.de>`, `clear <user@xn--fa-hia.de> idn`},
		{"<us\xffer@example.com>", "clear <us\uFFFDer@example.com>"},
		{"<user@ex\xffample.com>", `unclear <> BAD_DOMAIN`},
	}
	for _, tt := range tests {
		if got := show(of("From: " + tt.from + "\r\nSubject: x\r\n\r\nhi\r\n")); got != tt.want {
			t.Errorf("From: %s\n got %s\nwant %s", tt.from, got, tt.want)
		}
	}
}

func TestDomains(t *testing.T) {
	a := of("From: a@one.example, b@two.example, c@ONE.example, d@three.example, e@four.example, f@five.example\r\n\r\n")
	if d := cmp.Diff([]string{"one.example", "two.example", "three.example", "four.example"}, a.Domains); d != "" {
		t.Error(d)
	}
	if _, ok := a.AuthorDomain(); ok {
		t.Error("one domain of several")
	}
	b := of("From: a@one.example, b@one.example\r\n\r\n")
	if d, ok := b.AuthorDomain(); !ok || d != "one.example" || b.Clear {
		t.Error(d, ok, b.Clear)
	}
}

// TestProblemsBounded: a field made of problems lists few of them, and what isn't
// listed still makes the author unclear.
func TestProblemsBounded(t *testing.T) {
	a := of("From: " + strings.Repeat("(a@b.example) \"c@d.example\" <e@f.example>\x01, G: h@i.example;", 2000) + "\r\nFrom: x\r\n\r\n")
	if len(a.Problems) > 16 || len(a.Domains) > author.MaxDomains || a.Clear {
		t.Error(len(a.Problems), len(a.Domains), a.Clear)
	}
}

// TestLongField: a field of hundreds of kilobytes is no author, and isn't worth
// the time.
func TestLongField(t *testing.T) {
	for _, unit := range []string{"a@b.example,", "@", "@ü.", "(@", "=?u?q?@a.b?= ", "a@b.example <", "\"", "\r\n From: a@b.example"} {
		a := of("From: " + strings.Repeat(unit, 200_000/len(unit)) + "\r\n\r\n")
		if a.Clear || len(a.Domains) > author.MaxDomains || !a.Has(author.TooLong) {
			t.Errorf("%q: %s", unit, show(a))
		}
	}
}

// honest are the corpora of delivered, wanted mail: none of it has an unclear
// author.
var honest = []string{"spamassassin/ham", "spamassassin/hardham", "lists_2019_2026/ham", "enron_raw/ham", "foff_milter/ham"}

func TestCorpora(t *testing.T) {
	root := shared.Dir(t, "corpora")
	for _, set := range honest {
		n, unclear := 0, 0
		codes := map[author.Code]int{}
		err := filepath.WalkDir(filepath.Join(root, set), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			a := of(string(b))
			n++
			if !a.Clear {
				unclear++
				if testing.Verbose() && unclear <= 5 {
					t.Logf("%s: %+v", strings.TrimPrefix(path, root), a.Problems)
				}
			}
			for _, p := range a.Problems {
				codes[p.Code]++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d messages, %d unclear: %v", set, n, unclear, codes)
		if n == 0 || unclear > 0 {
			t.Errorf("%s: %d of %d have no clear author", set, unclear, n)
		}
	}
}

func FuzzOf(f *testing.F) {
	for _, c := range slices.Concat(authortest.Attacks(), authortest.Honest()) {
		f.Add([]byte(c.Message))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := message.Parse(raw, message.Limits{})
		a := author.Of(m)
		if len(a.Domains) > author.MaxDomains || len(a.Problems) > 16 {
			t.Fatalf("bounds: %d domains, %d problems", len(a.Domains), len(a.Problems))
		}
		_, clear := m.From()
		if a.Clear && !clear && !a.Has(author.UnquotedAddress) && !a.Has(author.DomainLiteral) {
			t.Fatalf("clear against message.From: %+v", a)
		}
		if a.Clear && (len(a.Domains) > 1 || a.Domain != "" && (len(a.Domains) != 1 || a.Domains[0] != a.Domain)) {
			t.Fatalf("clear with other domains: %+v", a)
		}
		if d, ok := a.AuthorDomain(); ok && (d != a.Domain || a.Address == "") {
			t.Fatalf("author domain: %+v", a)
		}
	})
}

func BenchmarkOf(b *testing.B) {
	m := message.Parse([]byte(authortest.Honest()[0].Message), message.Limits{})
	b.ReportAllocs()
	for b.Loop() {
		author.Of(m)
	}
}
