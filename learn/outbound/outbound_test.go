package outbound

import (
	"bytes"
	"testing"
	"time"

	"sluice/store/memory"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func table(t *testing.T, all ...string) *Table {
	t.Helper()
	x, err := New(Config{Key: bytes.Repeat([]byte{5}, 32), All: all})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (t *Table) many(n int, now time.Time, from string) {
	for range n {
		t.Sent(now, from)
	}
}

func TestTraced(t *testing.T) {
	x := table(t, "Whole.example")
	x.many(Least-1, noon, "ann@few.example")
	x.many(Least, noon, "ann@a.example")
	x.many(Least, noon.Add(Settle-2*day), "ann@young.example")
	later := noon.Add(Settle)
	for from, want := range map[string]bool{"bob@A.Example": true, "ann@few.example": false, "ann@young.example": false, "ann@none.example": false, "": false, "ann": false, "x@whole.example": true} {
		if x.Traced(later, from) != want {
			t.Errorf("%q: %v", from, !want)
		}
	}
	if x.Traced(later.Add(-day), "ann@a.example") {
		t.Error("before the time")
	}
	// A domain that fell silent sends elsewhere, and begins anew when it comes back.
	silent := noon.Add(Idle)
	if x.Traced(silent, "ann@a.example") {
		t.Error("silent for a month")
	}
	x.many(Least, silent, "ann@a.example")
	if x.Traced(silent, "ann@a.example") {
		t.Error("back since a moment")
	}
	if !x.Traced(silent.Add(Settle), "ann@a.example") {
		t.Error("back for long")
	}
}

func TestSave(t *testing.T) {
	store := memory.New()
	x := table(t)
	x.many(Least, noon, "ann@a.example")
	if n, err := x.Flush(t.Context(), noon, store); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	x.many(Least, noon.Add(time.Hour), "ann@a.example") // changes nothing
	if n, err := x.Flush(t.Context(), noon, store); err != nil || n != 0 {
		t.Errorf("%d written, %v", n, err)
	}
	y := table(t)
	if _, err := y.Load(t.Context(), noon, store); err != nil {
		t.Fatal(err)
	}
	if !y.Traced(noon.Add(Settle), "ann@a.example") {
		t.Error("forgotten")
	}
	if n, err := y.Save(t.Context(), noon, store); err != nil || n != 0 {
		t.Errorf("%d written, %v", n, err)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{Key: []byte("short")}); err == nil {
		t.Error("a short key")
	}
}
