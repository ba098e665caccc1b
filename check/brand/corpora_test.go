package brand_test

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/check"
	"sluice/check/brand"
	"sluice/check/checktest"
	"sluice/internal/shared"
	learn "sluice/learn/brand"
	"sluice/message"
	"sluice/scan"
)

// each calls f for the messages of a pool, in one part of the split.
func each(t *testing.T, part string, f func(path string, in *check.Input), pools ...string) {
	t.Helper()
	root := shared.Dir(t, "corpora")
	split, err := os.Open(filepath.Join(root, "SPLIT.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer split.Close()
	for sc := bufio.NewScanner(split); sc.Scan(); {
		col := strings.Split(sc.Text(), "\t")
		if len(col) != 4 || part != "" && col[3] != part || !slices.Contains(pools, filepath.Dir(col[0])) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(root, col[0]))
		if err != nil {
			t.Fatal(err)
		}
		m := message.Parse(scan.NewMail(raw).Raw, message.DefaultLimits())
		f(col[0], &check.Input{Message: m, Notes: &check.Notes{}})
	}
}

// TestHam: honest mail claims to be no brand that it isn't. What speaks for one brand
// and comes from another is rarer than one message in a thousand.
func TestHam(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all good mail")
	}
	list := brand.Checks(brand.Config{})
	for pool, most := range map[string]float64{"spamassassin/ham": 0.1, "spamassassin/hardham": 1, "lists_2019_2026/ham": 0.1, "enron_raw/ham": 0.1} {
		n, claimed, strong := 0, 0, 0
		each(t, os.Getenv("SLUICE_PART"), func(path string, in *check.Input) {
			n++
			ev := checktest.Run(t, list, in)
			sum := 0.0
			for _, e := range ev {
				sum += e.Raw
			}
			if sum <= 0 {
				return
			}
			claimed++
			if sum >= 4 {
				strong++
			}
			for _, e := range ev {
				t.Logf("%s: %s %v %s", path, e.Reason, e.Raw, e.Detail)
			}
		}, pool)
		t.Logf("%s: %d messages, %d with claims (%.2f %%), %d with 4 decibels and more (%.2f %%)", pool, n, claimed, 100*float64(claimed)/float64(max(n, 1)), strong, 100*float64(strong)/float64(max(n, 1)))
		if share := 100 * float64(strong) / float64(max(n, 1)); share > most {
			t.Errorf("%s: %.2f %% of good mail, at most %g", pool, share, most)
		}
	}
}

// TestPhish reports what part of real phish speaks for a brand of the list and how much
// of that is caught, by kind of brand. Nothing is tuned on it.
func TestPhish(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all phish")
	}
	list := brand.Checks(brand.Config{})
	for _, pool := range []string{"phishing_pot/phish", "nazario/phish", "foff_milter/spam", "foff_milter/ham"} {
		n, named, caught, own := 0, 0, 0, 0
		reasons, kinds, hit := map[string]int{}, map[learn.Kind]int{}, map[learn.Kind]int{}
		each(t, "", func(path string, in *check.Input) {
			n++
			a, _ := in.Message.From()
			var b *learn.Brand
			learn.Shipped().Find(a.Name+" \n "+in.Message.View().Subject, func(m learn.Match) bool {
				if !m.Name.Common {
					b = m.Brand
				}
				return b == nil
			})
			sum := 0.0
			for _, e := range checktest.Run(t, list, in) {
				sum += e.Raw
				reasons[string(e.Reason)]++
			}
			if sum >= 4 {
				caught++
			} else if os.Getenv("SLUICE_MISSES") != "" && pool == "phishing_pot/phish" {
				t.Logf("miss %s: %v %q <%s> %q %v", path, b, a.Name, a.String(), in.Message.View().Subject, sum)
			}
			if b == nil {
				return
			}
			if b.Sends(a.Domain) {
				own++
			}
			named++
			kinds[b.Kind]++
			if sum >= 4 {
				hit[b.Kind]++
			}
		}, pool)
		t.Logf("%s: %d messages, %d name a brand in sender or subject (%d from its own domain, where nobody knows what authenticated), %d caught with 4 decibels and more (%.1f %%)", pool, n, named, own, caught, 100*float64(caught)/float64(max(n, 1)))
		for _, r := range slices.Sorted(maps.Keys(reasons)) {
			t.Logf("  %s %d", r, reasons[r])
		}
		for _, k := range slices.Sorted(maps.Keys(kinds)) {
			t.Logf("  %s: %d of %d", k, hit[k], kinds[k])
		}
	}
}
