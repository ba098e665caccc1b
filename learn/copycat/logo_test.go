package copycat_test

import (
	"fmt"
	"testing"

	"sluice/eval/copycat/mill"
	"sluice/learn/copycat"
)

// logo is what an inspection says of the picture that a brand encloses.
var logo = copycat.Picture{Hash: 0x5a3c96f00fb4d271, Width: 180, Height: 56}

// posing is a message of a criminal's own making that shows a brand's logo.
func posing(name, from, subject, link string) mill.Sample {
	return mill.Sample{Raw: fmt.Appendf(nil, "From: %s <%s>\r\nTo: ann@example.net\r\nSubject: %s\r\nContent-Type: text/html\r\n\r\n"+
		`<p><img src="cid:x" alt="%s"></p><h2>Something new has come for your household this month</h2><p>We kept a place for you on the list until Friday evening, then it goes to the next in line.</p>`+
		`<p><a href="%s" style="background:#060;color:#fff">Keep my place</a></p>`, name, from, subject, name, link)}
}

// Who shows a remembered logo, goes by its owner's name and leads elsewhere poses.
func TestLogo(t *testing.T) {
	w := newWorld(t)
	brand := mill.Brands(24)[7] // encloses its pictures
	show := func(s mill.Sample, pictures ...copycat.Picture) copycat.Finding {
		return w.mem.Look(w.print(s.Raw).Shows(pictures), w.sighting(&s, "someone@example.net"))
	}
	for to := range uint64(4) {
		s := mill.Ways[0].Send(mill.Campaign(brand, 1), to)
		w.mem.Observe(w.print(s.Raw).Shows([]copycat.Picture{logo}), w.sighting(&s, string('a'+rune(to))+"@example.net"))
	}
	near, far := logo, logo
	near.Hash ^= 0x0100_0200_0004_0081
	far.Hash ^= 0x00ff_0000_0000_ff00
	evil, home := "https://www.bakery-x.pl/a", "https://www."+brand.Domain+"/a"
	for _, tt := range []struct {
		name     string
		s        mill.Sample
		domain   string
		pictures []copycat.Picture
		want     copycat.Verdict
	}{
		{"its name", posing(brand.Name, "a@b.info", "News", evil), "", []copycat.Picture{logo}, copycat.Posing},
		{"shrunk", posing(brand.Name, "a@b.info", "News", evil), "", []copycat.Picture{near}, copycat.Posing},
		{"behind another picture", posing(brand.Name, "a@b.info", "News", evil), "", []copycat.Picture{far, logo}, copycat.Posing},
		{"named above a button", posing("Customers", "a@b.info", brand.Name+" news", evil), "gmail.com", []copycat.Picture{logo}, copycat.Posing},
		{"another logo", posing(brand.Name, "a@b.info", "News", evil), "", []copycat.Picture{far}, copycat.Unlike},
		{"an icon", posing(brand.Name, "a@b.info", "News", evil), "", []copycat.Picture{{Hash: logo.Hash, Width: 16, Height: 16}}, copycat.Unlike},
		{"no picture", posing(brand.Name, "a@b.info", "News", evil), "", nil, copycat.Unlike},
		{"no name", posing("Customers", "a@b.info", "News", evil), "", []copycat.Picture{logo}, copycat.Unlike},
		{"leads to the owner", posing(brand.Name, "a@b.info", "News", home), "", []copycat.Picture{logo}, copycat.Unlike},
		{"the owner", posing(brand.Name, "a@"+brand.Domain, "News", evil), brand.Domain, []copycat.Picture{logo}, copycat.Unlike},
		{"a dealer", posing(brand.Name+" of Leeds", "a@dealer.com", "News", "https://dealer.com/x"), "dealer.com", []copycat.Picture{logo}, copycat.Unlike},
		{"passed on", posing(brand.Name, "a@b.info", "Fwd: News", evil), "", []copycat.Picture{logo}, copycat.Unlike},
	} {
		tt.s.Domain = tt.domain
		f := show(tt.s, tt.pictures...)
		if f.Verdict != tt.want || f.Verdict == copycat.Posing && (f.Twin.Domain != brand.Domain || f.Call.Host != "www.bakery-x.pl") {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
	// The genuine, however it comes, shows it as well.
	for i := range mill.Ways {
		for seed := range uint64(6) {
			s := mill.Ways[i].Send(mill.Campaign(brand, 1), seed)
			if f := show(s, logo); f.Verdict >= copycat.Posing {
				t.Errorf("%s %d: %+v", mill.Ways[i].Name, seed, f)
			}
		}
	}
}
