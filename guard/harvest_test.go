package guard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sluice/reason"
)

func newDefaultSPRT(t *testing.T) (sprt, Harvesting) {
	t.Helper()
	var h Harvesting
	h.defaults()
	return newSPRT(h, h.Least[client]), h
}

// run names recipients of which a share is unknown, a second apart, and says after how
// many the test finds it; 0 for never.
func run(s sprt, r *rand.Rand, share float64, recipients int) (found int, suspected bool) {
	var v test
	for i := range recipients {
		now := noon.Add(time.Duration(i) * time.Second)
		s.observe(&v, now, uint32(i+1), r.Float64() >= share, time.Hour)
		switch state, _ := s.state(&v, now, 3*time.Minute); state {
		case Harvester:
			return i + 1, suspected
		case Suspect:
			suspected = true
		}
	}
	return 0, suspected
}

// TestHonestLists: α holds for whole lists, though each of them is tested again and
// again, and up to the share of dead addresses that the setting calls honest.
func TestHonestLists(t *testing.T) {
	s, h := newDefaultSPRT(t)
	for _, list := range []struct {
		share      float64
		recipients int
	}{{0.02, 200}, {0.05, 50}, {0.05, 1000}, {0.08, 200}, {0.10, 50}, {0.10, 300}, {0.10, 1000}} {
		runs := 10_000
		if testing.Short() || raceEnabled {
			runs = 1000
		}
		found, suspected := 0, 0
		r := rand.New(rand.NewPCG(1, uint64(list.recipients)))
		for range runs {
			n, suspect := run(s, r, list.share, list.recipients)
			if n > 0 {
				found++
			}
			if suspect {
				suspected++
			}
		}
		mean := h.Alpha * float64(runs)
		t.Logf("%2.0f %% of %d dead: %d of %d lists found (α allows %.0f), %d suspected for a time", list.share*100, list.recipients, found, runs, mean, suspected)
		if most := mean + 3*math.Sqrt(mean); float64(found) > most {
			t.Errorf("%.0f %% of %d dead: %d of %d lists found, α allows %.0f", list.share*100, list.recipients, found, runs, mean)
		}
		// At half the share that is honest, hardly ever.
		if list.share <= 0.05 && found > 2 {
			t.Errorf("%.0f %% of %d dead: %d lists found", list.share*100, list.recipients, found)
		}
	}
}

// TestHarvesters are found, after as many probes as Wald's formula expects.
func TestHarvesters(t *testing.T) {
	s, h := newDefaultSPRT(t)
	for _, share := range []float64{0.5, 0.6, 0.75, 0.9, 1} {
		const runs = 5000
		missed, probes := 0, 0
		r := rand.New(rand.NewPCG(3, 4))
		for range runs {
			n, _ := run(s, r, share, 5000)
			if n == 0 {
				missed++
				continue
			}
			probes += n
		}
		drift := share*s.unknown + (1-share)*s.known
		expected := math.Max(s.upper/drift, float64(h.Least[client])/share)
		mean := float64(probes) / (runs - float64(missed))
		t.Logf("%3.0f %% unknown: found after %.1f probes on average, Wald expects %.1f", share*100, mean, expected)
		if missed > 0 {
			t.Errorf("%.0f %% unknown: %d of %d were never found", share*100, missed, runs)
		}
		// One observation of overshoot, and chance.
		if mean < expected*0.9 || mean > expected+s.unknown/drift+1 {
			t.Errorf("%.0f %% unknown: found after %.1f probes, expected %.1f", share*100, mean, expected)
		}
	}
}

// TestBeta: a harvester passes one test by chance as rarely as promised.
func TestBeta(t *testing.T) {
	s, h := newDefaultSPRT(t)
	const runs = 20_000
	believed := 0
	r := rand.New(rand.NewPCG(5, 6))
	for range runs {
		var v test
		for i := 0; v.found == 0 && v.passed == 0; i++ {
			s.observe(&v, noon, uint32(i+1), r.Float64() >= h.Guessing, time.Hour)
		}
		if v.passed > 0 {
			believed++
		}
	}
	if mean := h.Beta * runs; float64(believed) > mean+3*math.Sqrt(mean) {
		t.Errorf("%d of %d harvesters were believed, β allows %.0f", believed, runs, mean)
	}
}

func probe(a netip.Addr, i int, known bool) Probe {
	return Probe{Client: a, System: "AS64496", Recipient: fmt.Sprintf("user%d@example.org", i), Known: known}
}

// TestHarvestStates walks a harvester from open to banned, and out again.
func TestHarvestStates(t *testing.T) {
	g := New(Config{})
	var got string
	for i := range 6 {
		got += g.Recipient(noon, probe(bot, i, false)).State.String() + " "
	}
	if want := "open open suspect suspect harvest harvest "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	h := g.Recipient(noon, probe(bot, 99, true))
	if h.State != Harvester || !h.Until.Equal(noon.Add(time.Hour)) || h.Detail != "198.51.100.66/32 named 6 unknown and 1 known recipients lately" {
		t.Errorf("a known one: %+v", h)
	}
	if !g.Harvester(noon, bot) || g.Harvester(noon, owner) || g.Harvester(noon.Add(time.Hour), bot) {
		t.Error("Harvester")
	}
	if b := g.Bans(noon); len(b) != 1 || b[0].Reason != reason.Harvest || b[0].Times != 1 {
		t.Errorf("bans: %+v", b)
	}
	if h := g.Recipient(noon.Add(time.Hour), probe(bot, 100, true)); h.State != Open {
		t.Errorf("an hour later: %+v", h)
	}
}

// TestSuspectIsCleared: an honest client that was unlucky gets its known recipients
// through at its next try, and trying the unknown ones again doesn't count.
func TestSuspectIsCleared(t *testing.T) {
	g := New(Config{})
	now := noon
	for i := range 4 {
		g.Recipient(now, probe(owner, i, false))
	}
	if h := g.Recipient(now, probe(owner, 50, true)); h.State != Suspect || !h.Until.Equal(now.Add(3*time.Minute)) {
		t.Fatalf("%+v", h)
	}
	for range 50 {
		now = now.Add(5 * time.Minute)
		for i := range 4 {
			if h := g.Recipient(now, probe(owner, i, false)); h.State != Open {
				t.Fatalf("%v later: %+v", now.Sub(noon), h)
			}
		}
		if h := g.Recipient(now, probe(owner, 50, true)); h.State != Open {
			t.Fatalf("the known one, %v later: %+v", now.Sub(noon), h)
		}
	}
}

// TestForwarder: a server that forwards all mail of one dead mailbox names one unknown
// recipient again and again.
func TestForwarder(t *testing.T) {
	g := New(Config{})
	for i := range 10_000 {
		if h := g.Recipient(noon.Add(time.Duration(i)*time.Minute), probe(owner, 1, false)); h.State != Open {
			t.Fatalf("message %d: %+v", i, h)
		}
	}
}

// TestSlowHarvester: one guess an hour is found too, though old ones fade.
func TestSlowHarvester(t *testing.T) {
	g := New(Config{})
	for i := range 12 {
		if g.Recipient(noon.Add(time.Duration(i)*time.Hour), probe(bot, i, false)).State == Harvester {
			return
		}
	}
	t.Error("not found in 12 hours")
}

// TestDistributedHarvest: many clients of one network, each with a few guesses. Those
// of its clients that are honest themselves aren't hit.
func TestDistributedHarvest(t *testing.T) {
	g := New(Config{})
	honest := in("198.51.100.0", 250)
	for i := range 30 {
		g.Recipient(noon, probe(honest, i%3, true))
	}
	friend := in("198.51.100.0", 251)
	g.Good(noon, friend)

	leaked := 0
	for i := range 100 {
		if g.Recipient(noon, probe(in("198.51.100.0", i), i, false)).State == Open {
			leaked++
		}
	}
	if leaked > 15 {
		t.Errorf("%d of 100 guesses of a network were answered", leaked)
	}
	comesBack(t, g, in("198.51.100.0", 240), 1000)
	for name, a := range map[string]netip.Addr{"honest": honest, "good": friend} {
		for i := range 5 {
			if h := g.Recipient(noon, probe(a, 2000+i, true)); h.State != Open {
				t.Fatalf("%s client: %+v", name, h)
			}
		}
		if h := g.Recipient(noon, probe(a, 3000, false)); h.State != Open {
			t.Errorf("%s client's typing error: %+v", name, h)
		}
	}
}

// comesBack: a new client amid harvesters is answered alike for known and unknown
// recipients, and truly when it tries again, as honest ones do.
func comesBack(t *testing.T, g *Guard, a netip.Addr, i int) {
	t.Helper()
	for _, known := range []bool{true, false} {
		if h := g.Recipient(noon, probe(a, i, known)); h.State != Suspect || !h.Until.Equal(noon.Add(3*time.Minute)) {
			t.Errorf("a new client, known recipient %v: %+v", known, h)
		}
	}
	for _, known := range []bool{true, false} {
		if h := g.Recipient(noon.Add(5*time.Minute), probe(a, i, known)); h.State != Open {
			t.Errorf("it came back, known recipient %v: %+v", known, h)
		}
	}
}

// TestSystem: guesses from all over an autonomous system.
func TestSystem(t *testing.T) {
	g := New(Config{})
	open := 0
	for i := range 500 {
		if g.Recipient(noon, probe(v4(i<<8), i, false)).State == Open {
			open++
		}
	}
	if open > 40 {
		t.Errorf("%d of 500 guesses of a system were answered", open)
	}
	comesBack(t, g, owner, 1000)
	p := probe(in("203.0.113.0", 9), 1001, false)
	if p.System = "AS64497"; g.Recipient(noon, p).State != Open {
		t.Error("another system suffers")
	}
	p.System = ""
	if g.Recipient(noon, p).State != Open {
		t.Error("no system suffers")
	}
}

func TestHarvestImmune(t *testing.T) {
	g := New(Config{Immune: func(a netip.Addr) bool { return a == proxy }})
	for i := range 1000 {
		if h := g.Recipient(noon, probe(proxy, i, false)); h.State != Open {
			t.Fatalf("%+v", h)
		}
	}
	g.LoginOK(noon, owner, "ann")
	for i := range 1000 {
		g.Recipient(noon, probe(owner, i, false))
	}
	if len(g.Bans(noon)) > 0 || g.Recipient(noon, probe(in("203.0.113.0", 9), 1, false)).State != Open {
		t.Error("a user who logged in counts against the network")
	}
}

func TestNoTest(t *testing.T) {
	for _, h := range []Harvesting{{Honest: 0.6}, {Guessing: 1}, {Honest: -1}, {Alpha: 0.7}, {Beta: -0.1}, {Alpha: math.NaN()}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is taken", h)
				}
			}()
			New(Config{Harvest: h})
		}()
	}
}
