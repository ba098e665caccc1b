package ledger

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"sluice"
	"sluice/console/internal/words"
)

func entry(id string, g sluice.Group, points float64) sluice.Contribution {
	return sluice.Contribution{Points: points, Evidence: sluice.Evidence{Reason: sluice.Reason(id), Group: g}}
}

func TestLedgerOrder(t *testing.T) {
	hard := entry("EICAR", sluice.GroupAttachment, 0)
	hard.Hard = sluice.HardStop
	pass := entry("ALLOWED", sluice.GroupRecipient, 0)
	pass.Hard = sluice.HardPass
	unknown := entry("SPF_FAIL", sluice.GroupIdentity, 0)
	unknown.State = sluice.Unknown
	v := sluice.Verdict{Points: 3.5, Hard: "EICAR", HardKind: sluice.HardStop,
		Ledger: []sluice.Contribution{pass, hard, entry("A", sluice.GroupText, 8), entry("B", sluice.GroupLink, -1.5), entry("PRIOR", sluice.GroupPrior, -3), unknown}}
	l := New(&v, []Mark{{"near", 9}, {"far", 300}})
	if len(l.Hard) != 2 || l.Hard[0].ID != "EICAR" || l.Hard[0].Pass || !l.Hard[0].Decided || l.Hard[1].ID != "ALLOWED" || !l.Hard[1].Pass || l.Hard[1].Decided {
		t.Errorf("hard %+v", l.Hard)
	}
	if len(l.Lines) != 3 || l.Lines[0].ID != "PRIOR" || l.Lines[1].ID != "A" || l.Lines[2].ID != "B" {
		t.Errorf("lines %+v", l.Lines)
	}
	if !l.Adds {
		t.Error("3.5 = -3 + 8 - 1.5 doesn't add up")
	}
	if len(l.Silent) != 1 || l.Unknown != 1 {
		t.Errorf("silent %+v", l.Silent)
	}
	if len(l.Marks) != 1 || l.Marks[0].Name != "near" {
		t.Errorf("marks %+v: the far one would squeeze the bars", l.Marks)
	}
	if l := New(&sluice.Verdict{Hard: "EICAR"}, nil); len(l.Hard) != 1 || !l.Hard[0].Decided {
		t.Errorf("named by the verdict only: %+v", l.Hard)
	}
	v.Points = 3.6
	if New(&v, nil).Adds {
		t.Error("a wrong total goes unseen")
	}
	if l := New(&sluice.Verdict{}, nil); !l.Adds || len(l.Lines) > 0 {
		t.Errorf("empty verdict %+v", l)
	}
}

// TestLedgerBars: whatever the points, each bar begins where the one before
// ended, the last ends at the total, and all lie on the drawing.
func TestLedgerBars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v sluice.Verdict
		sum := 0
		for i, p := range rapid.SliceOfN(rapid.IntRange(-400, 400), 0, 40).Draw(t, "tenths") {
			g := sluice.GroupText
			if i == 3 {
				g = sluice.GroupPrior
			}
			v.Ledger = append(v.Ledger, entry("X", g, float64(p)/10))
			sum += p
		}
		v.Points = float64(sum) / 10
		l := New(&v, []Mark{{"m", rapid.Float64Range(-50, 50).Draw(t, "mark")}})
		if !l.Adds {
			t.Fatalf("doesn't add up to %v", v.Points)
		}
		const slack = 0.31 // smallest width, rounding
		at := l.Zero
		for _, x := range l.Lines {
			from, to := x.X, x.X+x.W
			if !x.Against {
				from, to = to, from
			}
			if math.Abs(from-at) > slack {
				t.Fatalf("bar from %v, the one before ended at %v", from, at)
			}
			at = to
			if x.X < -0.01 || x.X+x.W > 100.01 {
				t.Fatalf("bar %v+%v leaves the drawing", x.X, x.W)
			}
		}
		end := l.Total.X + l.Total.W
		if !l.Total.Against {
			end = l.Total.X
		}
		if math.Abs(end-at) > slack && v.Points != 0 {
			t.Fatalf("bars end at %v, the total at %v", at, end)
		}
	})
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		words.Percent(0.5): "50.0 %", words.Percent(0.99999): "> 99.9 %", words.Percent(1): "> 99.9 %", words.Percent(0.0001): "< 0.1 %",
		words.Signed(-3): "−3.0", words.Signed(2.25): "+2.2", words.Bytes(999): "999 B", words.Bytes(18_432): "18.4 kB", words.Bytes(5_000_000): "5.0 MB",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
