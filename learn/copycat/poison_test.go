package copycat_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/eval/copycat/mill"
	"sluice/learn/copycat"
)

// poisons are names under which somebody may send a brand's mail before the brand does.
var poisons = map[string]func(label string) string{
	"a name of its own":     func(string) string { return "gardenweb.com" },
	"the brand's name":      func(l string) string { return l + ".top" },
	"less than the name":    func(l string) string { return l[:len(l)-1] + ".com" },
	"more than the name":    func(l string) string { return l + "-news.com" },
	"a word of the button":  func(string) string { return "password.com" },
	"a word of every mail":  func(string) string { return "help.com" },
	"the name with a digit": func(l string) string { return l + "1.com" },
}

// poison is a criminal's mail with a brand's text, authenticated as a domain with a
// history, leading to itself; it keeps the brand's pictures and further links or doesn't.
func poison(g *mill.Mail, domain string, seed uint64, keep bool) mill.Sample {
	m := g.Copy()
	m.Address("x@example.net", seed)
	m.From = "news@" + domain
	for i := range m.Blocks {
		if m.Blocks[i].Link != "" {
			m.Blocks[i].Link = "https://www." + domain + "/in"
		}
	}
	if !keep {
		m.Home, m.Logo, m.Cid = "https://www."+domain+"/", "https://www."+domain+"/l.png", false
		for i := range m.Footer {
			if m.Footer[i].Link != "" {
				m.Footer[i].Link = "https://www." + domain + "/f"
			}
		}
	}
	return mill.Sample{Raw: m.Bytes(), Domain: domain, History: true}
}

// TestPoison: whatever a stranger has authenticated first, under whatever name, the
// genuine mail isn't taken for a copy of it, known here or not, authenticated or passed
// on; and the brand comes to own its campaigns all the same.
func TestPoison(t *testing.T) {
	brands := mill.Brands(24)
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		brand := brands[rapid.IntRange(0, len(brands)-1).Draw(r, "brand")]
		n := rapid.IntRange(0, 7).Draw(r, "campaign")
		g := mill.Campaign(brand, n)
		name := rapid.SampledFrom([]string{"a name of its own", "the brand's name", "less than the name", "more than the name", "a word of the button", "a word of every mail", "the name with a digit"}).Draw(r, "poison")
		domain := poisons[name](strings.Split(brand.Domain, ".")[0])
		keep := rapid.Bool().Draw(r, "links kept")
		for i := range rapid.Uint64Range(3, 6).Draw(r, "recipients") {
			s := poison(g, domain, i, keep)
			w.mem.Observe(w.print(s.Raw).Shows([]copycat.Picture{logo}), w.sighting(&s, string('a'+rune(i))+"@example.net"))
		}
		way := &mill.Ways[rapid.IntRange(0, len(mill.Ways)-1).Draw(r, "way")]
		s := way.Send(g, rapid.Uint64Range(0, 1000).Draw(r, "seed"))
		s.History = s.History && rapid.Bool().Draw(r, "history")
		f := w.mem.Look(w.print(s.Raw).Shows([]copycat.Picture{logo}), w.sighting(&s, "someone@example.net"))
		if f.Verdict >= copycat.Posing {
			r.Fatalf("%s (%s), %s from %q: %+v", name, domain, way.Name, s.Domain, f)
		}
	})
}
