package main

import (
	"slices"
	"strings"
	"testing"

	"sluice/eval/copycat/mill"
)

// TestBench holds a small run to the figures of the large one.
func TestBench(t *testing.T) {
	b := newBench(48)
	r := b.run(660, 7)
	var caught, n int
	for name, c := range r.noises {
		if slices.Contains(keeps, name) {
			caught, n = caught+c.copies, n+c.all
		}
	}
	if percent(caught, n) < 99 {
		t.Errorf("%d of %d copies that keep the mail as it was are caught", caught, n)
	}
	if all := sum(r.noises); all.all != 660 || percent(all.copies, all.all) < 98 {
		t.Errorf("of all copies: %+v", all)
	}
	if all := sum(r.ways); all.all != 660 || all.copies > 0 || all.hints > 0 || all.wanted == 0 {
		t.Errorf("of genuine mail: %+v", all)
		for _, e := range r.examples {
			if slices.ContainsFunc(mill.Ways, func(w mill.Way) bool { return strings.HasPrefix(e, w.Name+" |") }) {
				t.Log(e)
			}
		}
	}
	var out strings.Builder
	r.show(&out, 1)
	for _, want := range []string{"copies, by noise", "genuine, by way", "campaigns"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the table", want)
		}
	}
}

// TestWorld: the bench is what it says.
func TestWorld(t *testing.T) {
	if mill.Layouts < 40 || len(mill.Noises) < 20 || len(mill.Ways) < 20 {
		t.Errorf("%d layouts, %d noises, %d ways", mill.Layouts, len(mill.Noises), len(mill.Ways))
	}
	habits, langs, layouts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, b := range mill.Brands(96) {
		habits[b.Habit.Name], langs[b.Lang] = true, true
		for n := range each {
			m := mill.Campaign(b, n)
			layouts[string(rune('0'+m.Layout))] = true
			if string(m.Bytes()) != string(mill.Campaign(b, n).Bytes()) {
				t.Fatalf("%s, %d: not the same twice", b.Name, n)
			}
		}
	}
	if len(habits) != 12 || len(langs) != 6 || len(layouts) < 40 {
		t.Errorf("%d habits, %d languages, %d layouts", len(habits), len(langs), len(layouts))
	}
}
