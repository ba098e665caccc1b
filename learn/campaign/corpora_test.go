package campaign_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
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
	from  string // author's registrable domain
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
		out = append(out, sample{entry: e, print: m.Print(msg), from: links.OrgDomain(a.Domain), least: leastOf(msg.View().Text)})
	}
	slices.SortStableFunc(out, func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.entry.Year, b.entry.Year), cmp.Compare(a.entry.Path, b.entry.Path))
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
		pool        string
		least, near float64
	}{
		{"phishing_pot/phish", 0.78, 0.95},
		{"nazario/phish", 0.65, 0.95},
		{"lists_2019_2026/spam", 0.80, 0.85}, // many are one sentence and an attached letter
		{"spamassassin/spam", 0.88, 0.95},
	} {
		m := campaign.New(campaign.Config{Fingerprints: 200_000})
		all := samples(t, m, tt.pool)
		first := map[string]*sample{}
		var rest, caught, close, closeCaught, without int
		for i := range all {
			s := &all[i]
			in := sighting(i, start.Add(time.Duration(i)*time.Minute))
			found := slices.ContainsFunc(m.Look(s.print, in), func(k campaign.Match) bool { return k.Reported })
			m.Observe(s.print, in)
			reported := first[s.entry.Group]
			if reported == nil {
				first[s.entry.Group] = s
				m.Label(s.print, campaign.Label{Time: in.Time, Bad: true, Trust: 1, By: "trap"})
				continue
			}
			rest++
			if found {
				caught++
			} else if s.print.Empty() {
				without++
			}
			if near(reported.least, s.least) {
				close++
				if found {
					closeCaught++
				} else if testing.Verbose() {
					t.Logf("missed %s, near %s", s.entry.Path, reported.entry.Path)
				}
			}
		}
		share, closeShare := float64(caught)/float64(rest), float64(closeCaught)/float64(close)
		t.Logf("%s: %d messages; caught %d of %d in groups with a report (%.1f %%; %d without a print); %d of %d near the reported message itself (%.1f %%)",
			tt.pool, len(all), caught, rest, 100*share, without, closeCaught, close, 100*closeShare)
		if share < tt.least || closeShare < tt.near {
			t.Errorf("%s: caught %.3f and %.3f, want %v and %v", tt.pool, share, closeShare, tt.least, tt.near)
		}
	}
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
