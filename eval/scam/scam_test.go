package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"sluice/internal/shared"
)

// The bars are what was measured, with a case or two to spare. How much each part was
// looked at is told in eval/scam/cases/README.md.
func TestBars(t *testing.T) {
	for _, bar := range []struct {
		part              string
		bad, good         int
		recall, precision float64
	}{
		{"train", 495, 342, 0.97, 0.98},
		{"test", 140, 131, 0.87, 0.97},
		{"fresh", 56, 36, 0.82, 0.96},
		{"last", 31, 20, 0.83, 0.95},
		{"unseen dev", 83, 83, 0.84, 0.97},
	} {
		cases, err := Cases(bar.part)
		if err != nil {
			t.Fatal(err)
		}
		all := Measure(cases).Total()
		if all.Bad < bar.bad || all.Good < bar.good {
			t.Errorf("%s: %d frauds and %d twins, want %d and %d", bar.part, all.Bad, all.Good, bar.bad, bar.good)
		}
		if all.Recall() < bar.recall || all.Precision() < bar.precision {
			t.Errorf("%s: recall %.3f, precision %.3f, want %.2f and %.2f", bar.part, all.Recall(), all.Precision(), bar.recall, bar.precision)
		}
		if all.GoodTagged > 0 {
			t.Errorf("%s: %d twins are tagged by the whole verdict", bar.part, all.GoodTagged)
		}
	}
}

// No two cases are alike but for names and sums.
func TestCasesDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, part := range append([]string{"train", "test", "fresh", "last"}, unseen...) {
		cases, err := Cases(part)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			key := strings.Map(func(r rune) rune {
				if r >= '0' && r <= '9' || r == ' ' {
					return -1
				}
				return r
			}, strings.ToLower(c.Body))
			if seen[key] != "" {
				t.Errorf("%s/%s says the same as %s", part, c.Name, seen[key])
			}
			seen[key] = part + "/" + c.Name
			for _, a := range []string{c.From, c.ReplyTo} {
				if a != "" && !strings.Contains(a, ".example") {
					t.Errorf("%s/%s: %q isn't a reserved domain", part, c.Name, a)
				}
			}
		}
	}
}

// The halves of the unseen cases share no case, and each has as many of every class.
func TestHalves(t *testing.T) {
	type key struct {
		class string
		bad   bool
	}
	count := map[key]int{}
	langs := map[string]int{}
	seen := map[string]bool{}
	for i, half := range unseen {
		cases, err := Cases(half)
		if err != nil {
			t.Fatal(err)
		}
		if len(cases) < 160 {
			t.Errorf("%s: %d cases, want 160", half, len(cases))
		}
		sign := 1 - 2*i
		for _, c := range cases {
			count[key{c.Class, c.Bad}] += sign
			langs[c.Lang] += sign
			if id := c.Class + " " + c.Name; seen[id] {
				t.Errorf("%s is dealt twice", id)
			} else {
				seen[id] = true
			}
		}
	}
	for k, n := range count {
		if n != 0 {
			t.Errorf("%s, bad=%v: dev has %+d more than final", k.class, k.bad, n)
		}
	}
	for lang, n := range langs {
		if n > 6 || n < -6 {
			t.Errorf("%s: dev has %+d more than final", lang, n)
		}
	}
}

func TestParseCases(t *testing.T) {
	for text, want := range map[string]string{
		"text":                          "before the first case",
		"=== bad en | a":                "want",
		"=== worse en | a | b":          "want",
		"=== bad en | a | b | colour=1": "unknown",
	} {
		if _, err := parseCases("x.txt", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestRun(t *testing.T) {
	var b bytes.Buffer
	if err := run([]string{"-shared", "", "-part", "last", "-misses", "-unseen"}, &b); err != nil || !strings.Contains(b.String(), "recall") || !strings.Contains(b.String(), "unseen final") {
		t.Errorf("%v: %s", err, b.String())
	}
	for _, part := range []string{"none", "unseen none"} {
		if err := run([]string{"-part", part}, io.Discard); err == nil {
			t.Errorf("no error for a part %q, which doesn't exist", part)
		}
	}
}

// TestMail runs over stored mail where it is.
func TestMail(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the corpora")
	}
	var b bytes.Buffer
	if err := mail(shared.Dir(t, "corpora"), "test", &b); err != nil {
		t.Fatal(err)
	}
	for _, pool := range []string{"lists_2019_2026/ham  1125", "spamassassin/ham  1656"} {
		if !strings.Contains(b.String(), pool) {
			t.Errorf("no row %q in\n%s", pool, b.String())
		}
	}
}
