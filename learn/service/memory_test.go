package service

import (
	"fmt"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	if _, err := NewMemory(Config{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
	m, err := NewMemory(Config{Key: make([]byte, 16), Capacity: 1000})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	at := func(d int) time.Time { return start.Add(time.Duration(d) * day) }
	known := func(d int, name string, signers ...string) bool {
		_, n := m.Known(at(d), "t", name, signers)
		return n > 0
	}
	for d := 0; d <= 16; d += 4 {
		for range 20 { // how much comes in a day doesn't matter
			m.Received(at(d), "t", "Dr. Müller's Clinic", []string{"reminders.example", "gmail.com"})
		}
		if got, want := known(d, "Dr. Müller's Clinic", "reminders.example"), d >= 16; got != want {
			t.Errorf("day %d: known %v", d, got)
		}
	}
	for _, c := range []struct {
		name, signer string
		want         bool
	}{
		{"DR MÜLLER'S  CLINIC", "reminders.example", true}, {"Dr. Müller's Clinic", "other.example", false},
		{"Other Clinic", "reminders.example", false}, {"Dr. Müller's Clinic", "gmail.com", false}, {"", "reminders.example", false},
	} {
		if got := known(16, c.name, c.signer); got != c.want {
			t.Errorf("%q, %s: known %v", c.name, c.signer, got)
		}
	}
	if _, n := m.Known(at(16), "other tenant", "Dr. Müller's Clinic", []string{"reminders.example"}); n > 0 {
		t.Error("another tenant knows it")
	}
	if known(16+121, "Dr. Müller's Clinic", "reminders.example") {
		t.Error("known for ever")
	}
	// A burst makes nothing, and a report ends it.
	for d := range 10 {
		m.Received(at(d), "t", "Burst", []string{"b.example"})
	}
	if known(10, "Burst", "b.example") {
		t.Error("ten days are enough")
	}
	m.Report(at(17), "t", "Dr. Müller's Clinic", []string{"reminders.example"})
	m.Received(at(18), "t", "Dr. Müller's Clinic", []string{"reminders.example"})
	if known(18, "Dr. Müller's Clinic", "reminders.example") {
		t.Error("known after a report")
	}
}

// A flood of new pairs doesn't push out what was earned.
func TestFlood(t *testing.T) {
	m, err := NewMemory(Config{Key: make([]byte, 16), Capacity: 200})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for range 6 {
		m.Received(now, "t", "Clinic", []string{"c.example"})
		now = now.Add(4 * day)
	}
	for i := range 20_000 {
		m.Received(now, "t", fmt.Sprint("name ", i), []string{"f.example"})
	}
	if _, n := m.Known(now, "t", "Clinic", []string{"c.example"}); n == 0 {
		t.Error("forgotten in a flood")
	}
	if s := m.Stats(); s.Len > 200 {
		t.Errorf("%d entries", s.Len)
	}
}
