package campaign_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	mailtime "net/mail"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"sluice/eval"
	"sluice/internal/shared"
	"sluice/learn/campaign"
	"sluice/message"
	"sluice/message/links"
)

// sample is a message of the corpora as the memory sees it.
type sample struct {
	entry *eval.Entry
	print *campaign.Print
	from  string    // author's registrable domain
	date  time.Time // of the Date field where it is of the entry's year, else within that year
	// least are the 32 least hashes of its runs of three words, taken without regard
	// to what the package does: the measure by which the split was made.
	least []uint32
}

// leastOf hashes runs of three words of letters.
func leastOf(text string) []uint32 {
	w := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
	var out []uint32
	for i := 0; i+3 <= len(w); i++ {
		h := fnv.New32a()
		fmt.Fprint(h, w[i:i+3])
		out = append(out, h.Sum32()*0x9e3779b1)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), 32)]
}

// near says whether two messages share half of those.
func near(a, b []uint32) bool {
	n := 0
	for _, h := range a {
		if _, ok := slices.BinarySearch(b, h); ok {
			n++
		}
	}
	return n > 0 && 2*n >= max(len(a), len(b))
}

// samples reads the messages of pools in the order of their dates, as far as they have
// some that can be believed.
func samples(t testing.TB, m *campaign.Memory, pools ...string) []sample {
	t.Helper()
	dir := shared.Dir(t, "corpora")
	entries, err := eval.Corpora(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	for i := range entries {
		e := &entries[i]
		if !slices.Contains(pools, e.Pool()) {
			continue
		}
		raw, err := eval.ReadMail(dir, e)
		if err != nil {
			t.Fatal(err)
		}
		msg := message.Parse(raw, message.DefaultLimits())
		a, _ := msg.From()
		date, err := mailtime.ParseDate(msg.Header().Get("Date"))
		if err != nil || date.Year() != e.Year {
			date = time.Date(max(e.Year, 1990), 7, 1, 0, 0, 0, 0, time.UTC)
		}
		out = append(out, sample{date: date, entry: e, print: m.Print(msg), from: links.OrgDomain(a.Domain), least: leastOf(msg.View().Text)})
	}
	slices.SortStableFunc(out, func(a, b sample) int {
		return cmp.Or(a.date.Compare(b.date), cmp.Compare(a.entry.Path, b.entry.Path))
	})
	return out
}

// slow skips what reads thousands of messages in one goroutine.
func slow(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("the corpora are read only without the race detector and -short")
	}
}

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// sighting is a message from a stranger with a network of its own.
func sighting(i int, at time.Time) campaign.Sighting {
	return campaign.Sighting{Time: at, Client: netip.AddrFrom4([4]byte{byte(20 + i%100), byte(i / 100), byte(i), 7}), Recipients: []string{"ann@example.net"}}
}

// TestOneReport replays bad mail by date. In each group of near-duplicates of the split
// the first message is reported, once; the rest must be caught. Groups of the split are
// chains: they hold texts that have little in common with the first one, so what lies
// near the reported message itself is counted apart.
func TestOneReport(t *testing.T) {
	slow(t)
	for _, tt := range []struct {
		pool               string
		least, near, dated float64
	}{
		{"phishing_pot/phish", 0.78, 0.95, 0.95},
		{"nazario/phish", 0.65, 0.95, 0.80},
		{"lists_2019_2026/spam", 0.80, 0.85, 0.80}, // many are one sentence and an attached letter
		{"spamassassin/spam", 0.88, 0.95, 0.94},
	} {
		m := campaign.New(campaign.Config{Fingerprints: 200_000})
		all := samples(t, m, tt.pool)
		r := replay(m, all, func(i int) time.Time { return start.Add(time.Duration(i) * time.Minute) })
		t.Logf("%s, within days: %v", tt.pool, r)
		if r.rest.share() < tt.least || r.near.share() < tt.near {
			t.Errorf("%s: want %v and %v", tt.pool, tt.least, tt.near)
		}
		// Reports fade with silence: campaigns of the corpora come back after years.
		dated := replay(campaign.New(campaign.Config{Fingerprints: 200_000}), all, func(i int) time.Time { return all[i].date })
		t.Logf("%s, at its dates: %v", tt.pool, dated)
		if dated.strong.share() < tt.dated {
			t.Errorf("%s, at its dates: want %v strongly", tt.pool, tt.dated)
		}
	}
}

// count is how many of how many.
type count struct{ k, n int }

func (c *count) add(ok bool) {
	c.n++
	if ok {
		c.k++
	}
}

func (c count) share() float64 { return float64(c.k) / float64(c.n) }

func (c count) String() string { return fmt.Sprintf("%d of %d (%.1f %%)", c.k, c.n, 100*c.share()) }

// result is what was caught: of all that came after the report in its group, of what
// lies near the reported message itself, and of what lies near one that was reported
// or caught. Strong are those of near that the report alone would put into quarantine.
type result struct{ rest, near, strong, chain count }

func (r result) String() string {
	return fmt.Sprintf("caught %v of the rest of groups, %v near the reported message (%v strongly), %v near what was reported or caught", r.rest, r.near, r.strong, r.chain)
}

// replay reports the first of each group.
func replay(m *campaign.Memory, all []sample, when func(int) time.Time) (r result) {
	caught := map[string][]*sample{}
	for i := range all {
		s := &all[i]
		in := sighting(i, when(i))
		matches := m.Look(s.print, in)
		found := slices.ContainsFunc(matches, func(k campaign.Match) bool { return k.Reported })
		m.Observe(s.print, in)
		known := caught[s.entry.Group]
		if known == nil {
			m.Label(s.print, campaign.Label{Time: in.Time, Bad: true, Trust: 1, By: "trap"})
		} else {
			r.rest.add(found)
			if near(known[0].least, s.least) {
				r.near.add(found)
				r.strong.add(slices.ContainsFunc(matches, func(k campaign.Match) bool { return k.Reported && k.Bad-k.Good >= 0.475 }))
			}
			if slices.ContainsFunc(known, func(o *sample) bool { return near(o.least, s.least) }) {
				r.chain.add(found)
			}
		}
		if known == nil || found {
			caught[s.entry.Group] = append(known, s)
		}
	}
	return r
}

// TestHam counts ham that is like bad mail, when every bad message of the corpora was
// reported, and ham that shares a cluster with another domain's.
func TestHam(t *testing.T) {
	slow(t)
	bad := campaign.New(campaign.Config{Fingerprints: 400_000})
	for i, s := range samples(t, bad, "phishing_pot/phish", "nazario/phish", "lists_2019_2026/spam", "lists_2019_2026/fraud", "spamassassin/spam", "glitchyzorua_419/fraud") {
		bad.Observe(s.print, sighting(i, start))
		bad.Label(s.print, campaign.Label{Time: start, Bad: true, Trust: 1, By: "trap"})
	}
	for _, pool := range []string{"enron_raw/ham", "spamassassin/ham", "spamassassin/hardham", "lists_2019_2026/ham", "foff_milter/ham"} {
		m := campaign.New(campaign.Config{Fingerprints: 400_000})
		all := samples(t, m, pool)
		var like, without, mixed, clustered int
		senders := map[time.Time]string{} // of clusters, which their first times name
		for i, s := range all {
			if s.print.Empty() {
				without++
			}
			if slices.ContainsFunc(bad.Look(s.print, sighting(i, start)), func(k campaign.Match) bool { return k.Reported }) {
				like++
				t.Logf("%s is like bad mail", s.entry.Path)
			}
			in := sighting(i, start.Add(time.Duration(i)*time.Minute))
			for _, k := range m.Look(s.print, in) {
				clustered++
				if senders[k.First] != s.from {
					mixed++
				}
			}
			m.Observe(s.print, in)
			senders[in.Time] = s.from
		}
		t.Logf("%s: %d messages, %d without a print, %d like one before, %d of them with another domain's; %d (%.2f %%) like bad mail",
			pool, len(all), without, clustered, mixed, like, 100*float64(like)/float64(len(all)))
		if like > len(all)/1000 || mixed > len(all)/100 {
			t.Errorf("%s: %d of %d are like bad mail, %d like another domain's", pool, like, len(all), mixed)
		}
	}
}
