package chart

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// TestPaths reads drawings back: whatever the counts, every number of a path lies within
// the field, and every area begins and ends at its foot.
func TestPaths(t *testing.T) {
	numbers := regexp.MustCompile(`([HV])([0-9.eE+-]+)`)
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.IntRange(1, 10).Draw(t, "step")
		n := rapid.IntRange(1, 200).Draw(t, "minutes")
		list := rapid.SliceOfN(rapid.Uint32(), n, n)
		c := New("", noon, step, []Curve{NewCurve("a", "", step, list.Draw(t, "a")), NewCurve("b", "", step, list.Draw(t, "b"), list.Draw(t, "c"))}, rapid.Bool().Draw(t, "stacked"))
		if len(c.Slots) != n/step {
			t.Fatalf("%d slots of %d minutes", len(c.Slots), n)
		}
		for _, a := range c.Areas {
			if !strings.HasPrefix(a.Path, "M0 100H0V") || !strings.HasSuffix(a.Path, "H1000V100Z") {
				t.Fatalf("%s: %.40s", a.Name, a.Path)
			}
			for _, m := range numbers.FindAllStringSubmatch(a.Path, -1) {
				var v float64
				if _, err := fmt.Sscan(m[2], &v); err != nil || v < 0 || v > map[string]float64{"H": Width, "V": Height}[m[1]] {
					t.Fatalf("%s: %s in the path", a.Name, m[0])
				}
			}
		}
	})
}

func TestChart(t *testing.T) {
	c := New("T", noon, 2, []Curve{NewCurve("good", "c-good", 2, []uint32{9, 1, 3, 5, 5}), NewCurve("bad", "c-bad", 2, []uint32{9, 0, 0, 20, 0}, []uint32{9, 2, 2, 0, 0})}, true)
	// Whole steps from the end: 1+3 and 5+5 of the good, 4 and 20 of the bad.
	if c.Legend[0].Sum != 14 || c.Legend[1].Sum != 24 || c.Areas[0].Name != "bad" || c.Areas[1].Name != "good" || c.Empty {
		t.Errorf("%+v", c)
	}
	if got := c.Areas[0].Path; got != "M0 100H0V80H500V25H1000V100Z" { // 4 and 15 a minute, of 20
		t.Errorf("stacked: %s", got)
	}
	if got := c.Areas[1].Path; got != "M0 100H0V90H500V75H1000V100Z" { // 2 and 5
		t.Errorf("at the foot: %s", got)
	}
	if got := fmt.Sprint(c.Grid); got != "[{0 20} {50 10} {100 0}]" {
		t.Errorf("grid %s", got)
	}
	at := noon.Add(-4 * time.Minute).Local().Format("15:04")
	if c.Slots[0].Tip != at+": 2 good, 2 bad" || !strings.HasSuffix(c.Slots[1].Tip, ": 5 good, 10 bad so far") {
		t.Errorf("tips %+v", c.Slots)
	}
	if c := New("", noon, 1, []Curve{NewCurve("", "", 1, nil)}, false); !c.Empty || len(c.Slots) != 0 {
		t.Errorf("a chart of nothing: %+v", c)
	}
}

func TestMarks(t *testing.T) {
	for _, test := range []struct {
		span time.Duration
		want string
	}{
		{time.Hour, "[{16.67 11:10} {33.33 11:20} {50 11:30} {66.67 11:40} {83.33 11:50}]"},
		{24 * time.Hour, "[{16.67 16:00} {33.33 20:00} {50 00:00} {66.67 04:00} {83.33 08:00}]"},
	} {
		if got := fmt.Sprint(marks(noon.Add(-test.span), noon)); got != test.want {
			t.Errorf("%v: %s", test.span, got)
		}
	}
}

func TestNice(t *testing.T) {
	for v, want := range map[float64]float64{0: 2, 0.1: 2, 2: 2, 2.1: 4, 4: 4, 9: 10, 10: 10, 11: 20, 61: 100, 100: 100, 101: 200, 4_000_001: 10_000_000} {
		if got := nice(v); got != want {
			t.Errorf("%g: %g, want %g", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 0.04: "< 0.1", 0.25: "0.2", 3: "3", 12.34: "12.3", 123.4: "123"} {
		if got := Number(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}
