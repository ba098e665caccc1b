package copycat_test

import (
	"testing"
	"time"

	"sluice/eval/copycat/mill"
	"sluice/learn/campaign"
	"sluice/learn/copycat"
	"sluice/message"
)

var start = time.Date(2026, 1, 12, 9, 0, 0, 0, time.UTC)

// world is a site with its memory.
type world struct {
	t      testing.TB
	prints *campaign.Memory
	mem    *copycat.Memory
	now    time.Time
}

func newWorld(t testing.TB, edit ...func(*copycat.Config)) *world {
	t.Helper()
	prints := campaign.New(campaign.Config{Fingerprints: 10_000, Key: 3})
	cfg := copycat.Config{Prints: prints, Campaigns: 2000}
	for _, f := range edit {
		f(&cfg)
	}
	return &world{t: t, prints: prints, mem: copycat.New(cfg), now: start}
}

func (w *world) sighting(s *mill.Sample, to string) campaign.Sighting {
	return campaign.Sighting{Time: w.now, Recipients: []string{to}, Domain: s.Domain, History: s.History}
}

func (w *world) print(raw []byte) *copycat.Print {
	msg := message.Parse(raw, message.DefaultLimits())
	return w.mem.Print(msg, w.prints.Print(msg))
}

// look judges a message.
func (w *world) look(s mill.Sample) copycat.Finding {
	return w.mem.Look(w.print(s.Raw), w.sighting(&s, "someone@example.net"))
}

// arrive lets a message teach.
func (w *world) arrive(s mill.Sample, to string) *copycat.Entry {
	w.now = w.now.Add(time.Second)
	return w.mem.Observe(w.print(s.Raw), w.sighting(&s, to+"@example.net"))
}

// campaigns are what a brand with this habit sent to four people.
func (w *world) campaigns(habit int) *mill.Mail {
	brand := mill.Brands(24)[habit]
	for n := range 4 {
		for to := range uint64(4) {
			w.arrive(mill.Ways[0].Send(mill.Campaign(brand, n), to), string('a'+rune(to)))
		}
	}
	return mill.Campaign(brand, 1)
}

func noise(t testing.TB, name string) *mill.Noise {
	for i := range mill.Noises {
		if mill.Noises[i].Name == name {
			return &mill.Noises[i]
		}
	}
	t.Fatalf("no noise %q", name)
	return nil
}

func TestCopy(t *testing.T) {
	w := newWorld(t)
	g := w.campaigns(1)
	for _, name := range []string{"nothing else", "paraphrase", "colours, fonts, classes", "tracker noise", "footer changed", "good words added", "hidden text", "zero-width characters",
		"look-alike letters", "order changed", "a part of it", "pictures moved", "three at once"} {
		for seed := range uint64(6) {
			s := mill.Attack(g, noise(t, name), seed)
			f := w.look(s)
			if f.Verdict != copycat.Copy || f.Twin.Domain != g.Brand.Domain || !f.Twin.First.Equal(f.Twin.First.Truncate(time.Second)) || f.Twin.First.Before(start) || f.Call.Host == "" {
				t.Errorf("%s %d, from %q: %+v", name, seed, s.Domain, f)
			}
			if e := w.arrive(s, "x"); e != nil {
				t.Errorf("%s %d: a copy taught: %+v", name, seed, e)
			}
		}
	}
}

func TestGenuine(t *testing.T) {
	for habit := range 12 {
		w := newWorld(t)
		g := w.campaigns(habit)
		for i := range mill.Ways {
			for seed := range uint64(4) {
				if f := w.look(mill.Ways[i].Send(g, seed)); f.Verdict >= copycat.Hint {
					t.Errorf("%s, %s %d: %+v", g.Brand.Habit.Name, mill.Ways[i].Name, seed, f)
				}
			}
		}
	}
}

// Whose mail teaches: a domain with a history that authenticated, and only what
// reached several.
func TestTeaches(t *testing.T) {
	for name, edit := range map[string]func(*mill.Sample){
		"not authenticated": func(s *mill.Sample) { s.Domain, s.History = "", false },
		"no history":        func(s *mill.Sample) { s.History = false },
		"free mail":         func(s *mill.Sample) { s.Domain = "gmail.com" },
	} {
		w := newWorld(t)
		s := mill.Ways[0].Send(mill.Campaign(mill.Brands(12)[1], 1), 1)
		edit(&s)
		if e := w.arrive(s, "a"); e != nil || w.mem.Stats().Campaigns != 0 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	w := newWorld(t)
	g := mill.Campaign(mill.Brands(12)[1], 1)
	attack := mill.Attack(g, noise(t, "nothing else"), 1)
	for i, to := range []string{"a", "a", "b", "c"} {
		if f := w.look(attack); f.Verdict == copycat.Copy {
			t.Errorf("after %d: %+v", i, f)
		}
		w.arrive(mill.Ways[0].Send(g, uint64(i)), to)
	}
	if f := w.look(attack); f.Verdict != copycat.Copy {
		t.Errorf("three people have it: %+v", f)
	}
}

// stolenText is a criminal's own campaign with a brand's text: authenticated as a
// domain that has made itself a history, leading to itself.
func stolenText(g *mill.Mail, seed uint64, keep bool) mill.Sample {
	m := g.Copy()
	m.Address("x@example.net", seed)
	m.From, m.Look = "news@gardenweb.com", 5
	for i := range m.Blocks {
		if m.Blocks[i].Link != "" {
			m.Blocks[i].Link = "https://www.gardenweb.com/in"
		}
	}
	if !keep {
		m.Home, m.Logo, m.Cid = "https://www.gardenweb.com/", "https://www.gardenweb.com/l.png", false
		for i := range m.Footer {
			if m.Footer[i].Link != "" {
				m.Footer[i].Link = "https://www.gardenweb.com/f"
			}
		}
	}
	return mill.Sample{Raw: m.Bytes(), Domain: "gardenweb.com", History: true}
}

// Who is first with a brand's text doesn't make the brand a copy-cat, and the brand
// still comes to own its campaign.
func TestFirstWithStolenText(t *testing.T) {
	for _, keep := range []bool{true, false} {
		w := newWorld(t)
		g := mill.Campaign(mill.Brands(12)[1], 1)
		for i := range uint64(5) {
			w.arrive(stolenText(g, i, keep), string('a'+rune(i)))
		}
		for name, edit := range map[string]func(*mill.Sample){
			"with a history": func(*mill.Sample) {},
			"without one":    func(s *mill.Sample) { s.History = false },
			"forwarded":      func(s *mill.Sample) { s.Domain, s.History = "", false },
		} {
			s := mill.Ways[0].Send(g, 77)
			edit(&s)
			if f := w.look(s); f.Verdict >= copycat.Hint {
				t.Errorf("links kept %v, %s: %+v", keep, name, f)
			}
		}
		for i := range uint64(5) {
			w.arrive(mill.Ways[0].Send(g, i), string('a'+rune(i)))
		}
		if f := w.look(mill.Ways[0].Send(g, 78)); f.Verdict != copycat.Own || f.Twin.Domain != g.Brand.Domain {
			t.Errorf("links kept %v, the brand's own: %+v", keep, f)
		}
		if f := w.look(mill.Attack(g, noise(t, "nothing else"), 3)); f.Verdict != copycat.Copy {
			t.Errorf("links kept %v, a copy: %+v", keep, f)
		}
	}
}

// Nobody takes away what a brand has by sending the same from several good names.
func TestTextMadeCommon(t *testing.T) {
	w := newWorld(t)
	g := w.campaigns(1)
	for i := range 6 {
		for to := range uint64(4) {
			s := stolenText(g, to, i%2 == 0)
			s.Domain = string('a'+rune(i)) + "shop.com"
			w.arrive(s, string('a'+rune(to)))
		}
	}
	for seed := range uint64(5) {
		if f := w.look(mill.Attack(g, noise(t, "paraphrase"), seed)); f.Verdict != copycat.Copy || f.Twin.Domain != g.Brand.Domain {
			t.Errorf("%d: %+v", seed, f)
		}
	}
}

// An owner's flood takes its own places.
func TestFlood(t *testing.T) {
	w := newWorld(t)
	g := w.campaigns(1)
	flooder := mill.Brands(12)[2]
	for n := range 400 {
		for to := range uint64(3) {
			w.arrive(mill.Ways[0].Send(mill.Campaign(flooder, 10+n), to), string('a'+rune(to)))
		}
	}
	if n := w.mem.Stats().Campaigns; n > 4+48 {
		t.Errorf("%d campaigns", n)
	}
	if f := w.look(mill.Attack(g, noise(t, "nothing else"), 1)); f.Verdict != copycat.Copy {
		t.Errorf("%+v", f)
	}
}

// A stolen account's own link doesn't become one of the campaign's at once.
func TestLateSite(t *testing.T) {
	w := newWorld(t)
	g := w.campaigns(0)
	w.now = w.now.Add(48 * time.Hour)
	attack := mill.Attack(g, noise(t, "nothing else"), 1)
	own := attack
	own.Domain, own.History = g.Brand.Domain, true
	w.arrive(own, "a")
	if f := w.look(attack); f.Verdict != copycat.Copy {
		t.Errorf("once: %+v", f)
	}
	w.arrive(own, "b")
	w.arrive(own, "c")
	if f := w.look(attack); f.Verdict == copycat.Copy {
		t.Errorf("three times: %+v", f)
	}
}

func TestRelated(t *testing.T) {
	w := newWorld(t, func(c *copycat.Config) {
		c.Related = func(owner, domain string) bool { return domain == "other-name.com" }
	})
	g := w.campaigns(1)
	s := mill.Attack(g, noise(t, "nothing else"), 1)
	s.Domain = "other-name.com"
	if f := w.look(s); f.Verdict != copycat.Own {
		t.Errorf("%+v", f)
	}
}
