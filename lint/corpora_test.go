package lint_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"sluice/internal/shared"
	"sluice/scan"
)

// TestCorpora looks at real and hostile mail: each report adds up, holds nothing for
// strangers that it shouldn't, and no advice says nothing.
func TestCorpora(t *testing.T) {
	dir := shared.Dir(t, "corpora")
	l := linterFor(t, `{}`)
	n := 0
	for _, name := range []string{"foff_milter/ham", "foff_milter/spam", "phishing_pot", "spamassassin", "glitchyzorua_419", "lists_2019_2026"} {
		seen := 0
		for it := range scan.Sources(scan.Config{Paths: []string{filepath.Join(dir, name)}}) {
			mail, err := it.Open()
			if err != nil {
				continue
			}
			if seen++; seen%20 != 0 {
				continue
			}
			if n++; seen > 20*25 {
				break
			}
			r := l.Stored(context.Background(), "x", mail.Raw)
			sum := 0.0
			for _, e := range r.Verdict.Ledger {
				sum += e.Points
			}
			if math.Abs(sum-r.Verdict.Points) > 0.01 {
				t.Errorf("%s: the ledger sums to %.1f, the verdict has %.1f", it.ID, sum, r.Verdict.Points)
			}
			ids := map[string]bool{}
			for _, a := range r.Advice {
				if a.What == "" || a.Do == "" || a.ID == "" {
					t.Errorf("%s: advice %q says nothing", it.ID, a.ID)
				}
				if ids[a.ID] {
					t.Errorf("%s: advice %s twice", it.ID, a.ID)
				}
				ids[a.ID] = true
			}
			for _, a := range r.Public().Advice {
				if !a.Standard || a.Effect != 0 || a.Copy != 0 || len(a.Reasons) > 0 {
					t.Errorf("%s: strangers see %+v", it.ID, a)
				}
			}
		}
	}
	t.Logf("%d messages", n)
	if n < 20 {
		t.Errorf("only %d messages", n)
	}
}
