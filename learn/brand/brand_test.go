package brand

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(l *List, s string) string {
	var out []string
	l.Find(s, func(m Match) bool {
		w := m.Brand.ID
		if m.Form != 0 {
			w += "~"
		}
		out = append(out, w)
		return true
	})
	return strings.Join(out, " ")
}

func TestShipped(t *testing.T) {
	l, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if l.Len() < 300 || l.Date().IsZero() {
		t.Errorf("%d brands of %v", l.Len(), l.Date())
	}
	t.Logf("%d brands, %d names, %d domains", l.Len(), len(l.index.names), len(l.byDomain))
	for _, b := range l.All() {
		for _, n := range b.Names {
			if !strings.Contains(names(l, "x, "+n.Text+" x"), b.ID) {
				t.Errorf("%s isn't found: %q", n.Text, names(l, n.Text))
			}
		}
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"PayPal", "paypal"}, {"PAYPAL", "paypal"}, {"paypal's team", "paypal"}, {"Pаyраl", "paypal~"}, {"P a y P a l", "paypal~"}, {"P.a.y.P.a.l", "paypal~"},
		{"Paypa1 Support", "paypal~"}, {"PayPaI", "paypal~"}, {"Pay\u200bPal", "paypal~"}, {"𝐏𝐚𝐲𝐏𝐚𝐥", "paypal~"}, {"P@yPal", "paypal~"}, {"pay\u00adpal", "paypal"},
		{"rnicrosoft", "microsoft~"}, {"Micr0soft 365", "microsoft~"}, {"Netf1ix", "netflix~"}, {"lnstagram", "instagram~"}, {"ＤＨＬ Express", "dhl~"},
		{"Hello Fresh", "hellofresh"}, {"Crédit Agricole", "creditagricole"}, {"CREDIT AGRICOLE", "creditagricole"}, {"Société Générale", "societegenerale"},
		{"三井住友カード株式会社", "三井住友銀行"}, {"お客様の楽天カードは", "楽天カード"}, {"Сбербанк", "сбербанк"},
		{"turn the corner, return it", ""}, {"appie", ""}, {"pay a pal", ""}, {"AT&T", "at&t"}, {"at the", ""}, {"the internet", ""}, {"bob@example.org", ""},
	} {
		if got := names(Shipped(), c.text); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"bank us | A1":                       "brand: line 1: 2 columns, want 3",
		"date soon":                          `brand: line 1: parsing time "soon" as "2006-01-02": cannot parse "soon" as "2006"`,
		"fish - | Alpha | a.example":         `brand: line 1: want a kind and countries, have "fish - "`,
		"bank - | Alpha | A.example":         `brand: Alpha: "A.example" is no domain in lower-case A-labels`,
		"bank - | | a.example":               `brand: "" is no name of 2 letters to 80 octets`,
		"bank - | Alpha |":                   "brand: entry 1 has no name or no domain",
		"bank - | Al | a.b\nbank - | al | b": "brand: al stands twice",
	} {
		_, err := Parse(text)
		if err == nil {
			t.Errorf("%q is a list", text)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Error(diff)
		}
	}
}

// sample is 10 kB of a newsletter's words.
var sample = strings.Repeat("The quick brown fox jumps over the lazy dog at the corner, pays its order, and returns in the morning. ", 98)

func BenchmarkFind(b *testing.B) {
	l := Shipped()
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		l.Find(sample, func(Match) bool { return true })
	}
}

// Ten times the brands cost the same.
func BenchmarkFindMany(b *testing.B) {
	var more []Brand
	for i := range 10_000 {
		more = append(more, Brand{Names: []Name{{Text: fmt.Sprintf("Qx%dvor", i)}}, Domains: []string{fmt.Sprintf("qx%d.example", i)}, Kind: Admins})
	}
	l, err := Shipped().With(more)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(sample)))
	for b.Loop() {
		l.Find(sample, func(Match) bool { return true })
	}
}
