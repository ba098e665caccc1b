package pace

import (
	"fmt"
	"testing"
	"time"
)

func TestAllow(t *testing.T) {
	l := New(3, 10*time.Second, 100)
	now := time.Unix(1000, 0)
	allow := func(name string, n int, want bool) {
		t.Helper()
		if wait, ok := l.Allow(name, n, now); ok != want || ok != (wait == 0) {
			t.Fatalf("%s %d: %v, wait %v; want %v", name, n, ok, wait, want)
		}
	}
	allow("anna", 2, true)
	allow("anna", 2, false)
	allow("anna", 1, true)
	allow("anna", 1, false)
	allow("bert", 3, true)
	now = now.Add(10 * time.Second)
	allow("anna", 1, true)
	allow("anna", 1, false)
	if wait, _ := l.Allow("anna", 2, now); wait != 20*time.Second {
		t.Errorf("wait for two: %v", wait)
	}
	allow("carl", 20, true) // a full bucket takes more than it holds, and is empty for long
	now = now.Add(100 * time.Second)
	allow("carl", 1, false)
	now = now.Add(100 * time.Second)
	allow("carl", 1, true)
}

// TestBounded: however many names come, the memory is bounded, and those that wait
// go on waiting.
func TestBounded(t *testing.T) {
	l := New(1, time.Hour, 64)
	now := time.Unix(1000, 0)
	l.Allow("anna", 1, now)
	for i := range 5000 {
		l.Allow(fmt.Sprint(i), 1, now)
	}
	if n := l.rows.Len(); n > 600 {
		t.Errorf("%d rows", n)
	}
}
