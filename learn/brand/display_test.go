package brand

import (
	"slices"
	"strings"
	"testing"
)

// How brands stand in display names.
func TestDisplay(t *testing.T) {
	words := map[Standing]string{Writer: "", Part: " part", Word: " word"}
	for _, c := range []struct{ name, local, want string }{
		{"PayPal Service Team", "", "paypal"}, {"Banco Bradesco", "", "bradesco"}, {"NetflixSupport", "", "netflix"},
		{"", "netflix-support", "netflix"}, {"", "chase", ""}, {"Ann via DocuSign", "", "docusign part"}, {"Ann Archer (PayPal)", "", "paypal part"},
		{"Tesla Owners Club", "", "tesla word"}, {"Orange Marmalade", "", "orange word"}, {"Chase", "", "chase word"}, {"Chase Alerts", "", "chase"},
		{"Ann Archer", "", ""}, {"", "", ""},
	} {
		var got []string
		for _, n := range Shipped().Display(c.name, c.local) {
			got = append(got, n.Brand.ID+words[n.Standing])
		}
		slices.Sort(got)
		if g := strings.Join(got, ", "); g != c.want {
			t.Errorf("%q, %q: %q, want %q", c.name, c.local, g, c.want)
		}
	}
}

// A brand's top-level domain is its own, and nobody writes from its bare name.
func TestTopLevel(t *testing.T) {
	apple, microsoft := Shipped().Lookup("apple"), Shipped().Lookup("microsoft")
	for host, want := range map[string]bool{"post.card.apple": true, "card.apple": true, "apple": false, "pineapple": false, "x.pineapple": false, "apple.com": true} {
		if got := apple.Sends(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
		if got := slices.Contains(Shipped().Of(host), apple); got != want {
			t.Errorf("of %s: %v", host, got)
		}
	}
	for org, want := range map[string]bool{"microsoft.example": true, "hotmail.com": false, "xn--hotmail.example": false, "skype.example": true} {
		if got := microsoft.Called(org); got != want {
			t.Errorf("%s is called so: %v", org, got)
		}
	}
}

func FuzzDisplay(f *testing.F) {
	f.Add("PаyPаl Team", "x")
	f.Add("", "netflix.support")
	f.Add("Ann via DocuSign \xff 三井住友", "")
	f.Fuzz(func(t *testing.T, name, local string) {
		for _, n := range Shipped().Display(name, local) {
			if n.Brand == nil || n.Standing > Word || n.Written == "" {
				t.Errorf("%+v", n)
			}
		}
	})
}
