package service

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice"
	"sluice/internal/shelf"
)

var (
	admin = Voice{By: "admin", Trusted: true}
	ann   = Voice{By: "ann@example.org"}
	bob   = Voice{By: "bob@example.org"}
)

// start is the first day of the tests, and after some days later.
var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func after(d int) time.Time { return start.Add(time.Duration(d) * day) }

// clinic is a memory that knows a name.
func clinic(t testing.TB) *Memory {
	t.Helper()
	m, err := NewMemory(Config{Key: make([]byte, 16), Capacity: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for d := 0; d <= 20; d += 4 {
		m.Received(after(d), "t", "Clinic", []string{"c.example"})
	}
	return m
}

func (m *Memory) knows(d int, name, signer string) bool {
	_, n := m.Known(after(d), "t", name, []string{signer})
	return n > 0
}

// One trusted voice or two users end what was learned; what is taken back brings it
// back, with what came between.
func TestVoices(t *testing.T) {
	type said struct {
		v        Voice
		unwanted bool
		back     bool
	}
	bad, good := func(v Voice) said { return said{v, true, false} }, func(v Voice) said { return said{v, false, false} }
	back := func(s said) said { s.back = true; return s }
	for name, c := range map[string]struct {
		said []said
		want bool
	}{
		"nothing":                       {nil, true},
		"an admin":                      {[]said{bad(admin)}, false},
		"an admin, taken back":          {[]said{bad(admin), back(bad(admin))}, true},
		"twice, once taken back":        {[]said{bad(admin), bad(admin), back(bad(admin))}, false},
		"a user":                        {[]said{bad(ann)}, true},
		"a user again and again":        {[]said{bad(ann), bad(ann), bad(ann)}, true},
		"two users":                     {[]said{bad(ann), bad(bob)}, false},
		"two users, one taken back":     {[]said{bad(ann), bad(bob), back(bad(ann))}, true},
		"then the other as well":        {[]said{bad(ann), bad(bob), back(bad(ann)), back(bad(bob))}, true},
		"a user who likes it":           {[]said{bad(ann), bad(bob), good(ann)}, false},
		"an admin who likes it":         {[]said{bad(ann), bad(bob), good(admin)}, true},
		"the same, taken back":          {[]said{bad(ann), bad(bob), good(admin), back(good(admin))}, false},
		"what nobody said, taken back":  {[]said{back(bad(admin)), back(bad(ann)), back(good(admin))}, true},
		"liked first, complained after": {[]said{good(admin), bad(ann), bad(bob)}, true},
	} {
		m := clinic(t)
		for i, s := range c.said {
			if s.back {
				m.Unsay(after(21+i), "t", "Clinic", []string{"c.example"}, s.v, s.unwanted)
			} else {
				m.Say(after(21+i), "t", "Clinic", []string{"c.example"}, s.v, s.unwanted)
			}
		}
		if got := m.knows(30, "Clinic", "c.example"); got != c.want {
			t.Errorf("%s: known %v", name, got)
		}
	}
	// After a month it starts anew.
	m := clinic(t)
	m.Say(after(21), "t", "Clinic", []string{"c.example"}, admin, true)
	for d := 52; d <= 68; d += 4 {
		if m.knows(d, "Clinic", "c.example") {
			t.Errorf("day %d: known too early", d)
		}
		m.Received(after(d), "t", "Clinic", []string{"c.example"})
	}
	if !m.knows(68, "Clinic", "c.example") {
		t.Error("never again")
	}
	m.Unsay(after(69), "t", "Clinic", []string{"c.example"}, admin, true) // too late to change anything
	if !m.knows(69, "Clinic", "c.example") {
		t.Error("taken back, and unknown")
	}
}

// memos is where memories are kept in tests.
type memos map[string]sluice.Memo

func (s memos) PutMemos(_ context.Context, list []sluice.Memo) error {
	for _, m := range list {
		s[m.Kind+"/"+m.Key] = m
	}
	return nil
}

func (s memos) EachMemo(_ context.Context, kind string, each func(sluice.Memo) error) error {
	for _, m := range s {
		if m.Kind == kind {
			if err := each(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s memos) DropMemos(context.Context, string, time.Time) (int, error) { return 0, nil }

// What is saved is known again, complaints as well, and only under the same key.
func TestSave(t *testing.T) {
	m, store := clinic(t), memos{}
	for d := 0; d <= 20; d += 4 {
		m.Received(after(d), "t", "Shop", []string{"s.example"})
	}
	m.Say(after(21), "t", "Shop", []string{"s.example"}, admin, true)
	if n, err := m.Save(t.Context(), after(21), store); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	if n, err := m.Save(t.Context(), after(21).Add(time.Second), store); err != nil || n != 0 {
		t.Errorf("saved %d again at once, %v", n, err)
	}
	again, err := NewMemory(Config{Key: make([]byte, 16), Capacity: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := again.Load(t.Context(), after(22), store); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	if !again.knows(22, "Clinic", "c.example") || again.knows(22, "Shop", "s.example") {
		t.Error("not known as it was")
	}
	again.Unsay(after(22), "t", "Shop", []string{"s.example"}, admin, true)
	if !again.knows(22, "Shop", "s.example") {
		t.Error("a complaint from before can't be taken back")
	}
	if n, err := again.Flush(t.Context(), after(22), store); err != nil || n == 0 {
		t.Errorf("the change isn't saved: %d, %v", n, err)
	}
	other, err := NewMemory(Config{Key: []byte("another key of 16")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Load(t.Context(), after(22), store); !errors.Is(err, shelf.ErrKey) {
		t.Error(err)
	}
	for k, v := range store { // what can't be read is left out, and nothing breaks
		v.Value = v.Value[:len(v.Value)/2]
		store[k] = v
	}
	if _, err := again.Load(t.Context(), after(22), store); err == nil {
		t.Error("halves are read")
	}
}

// However strangers mix their mail and one user complains, no stranger's pair is known
// before its time, and the clinic's stays.
func TestPoisoning(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := clinic(t)
		d := 21
		for range rapid.IntRange(1, 60).Draw(rt, "moves") {
			signer := fmt.Sprintf("evil%d.example", rapid.IntRange(0, 5).Draw(rt, "who"))
			switch rapid.IntRange(0, 4).Draw(rt, "move") {
			case 0: // the clinic's name under its own signature, beside as many others
				m.Received(after(d), "t", "Clinic", []string{signer, "gmail.com", "e2.example", "e3.example", "e4.example", "e5.example"})
			case 1: // a flood of names
				for i := range 50 {
					m.Received(after(d), "t", fmt.Sprint("Flood ", i, d), []string{signer})
				}
			case 2: // forged mail of the clinic, signed by another
				m.Say(after(d), "t", "Clinic", []string{signer}, admin, true)
			case 3: // one user doesn't like it
				m.Say(after(d), "t", "Clinic", []string{"c.example"}, ann, true)
			case 4:
				if d < 33 {
					d++
				}
			}
			if m.knows(d, "Clinic", signer) {
				rt.Fatalf("%s has earned a name on day %d", signer, d)
			}
		}
		if !m.knows(d, "Clinic", "c.example") {
			rt.Fatal("the clinic isn't known any more")
		}
	})
}

// What is said and taken back, in any order, leaves nothing.
func TestTakenBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := clinic(t)
		type said struct {
			v        Voice
			unwanted bool
		}
		all := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) said {
			return said{rapid.SampledFrom([]Voice{admin, {By: "other admin", Trusted: true}}).Draw(rt, "who"), rapid.Bool().Draw(rt, "unwanted")}
		}), 0, 6).Draw(rt, "said")
		for _, s := range append(all, said{ann, true}, said{bob, true}) {
			m.Say(after(21), "t", "Clinic", []string{"c.example"}, s.v, s.unwanted)
		}
		for _, s := range rapid.Permutation(append(all, said{ann, true}, said{bob, true})).Draw(rt, "back") {
			m.Unsay(after(22), "t", "Clinic", []string{"c.example"}, s.v, s.unwanted)
		}
		if _, n := m.Known(after(23), "t", "Clinic", []string{"c.example"}); n != 6 {
			rt.Fatalf("%d days are known, not 6", n)
		}
	})
}

func TestMemory(t *testing.T) {
	if _, err := NewMemory(Config{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
	m, err := NewMemory(Config{Key: make([]byte, 16), Capacity: 1000})
	if err != nil {
		t.Fatal(err)
	}
	at := after
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
	// A burst makes nothing, and a complaint ends it.
	for d := range 10 {
		m.Received(at(d), "t", "Burst", []string{"b.example"})
	}
	if known(10, "Burst", "b.example") {
		t.Error("ten days are enough")
	}
	m.Say(at(17), "t", "Dr. Müller's Clinic", []string{"reminders.example"}, admin, true)
	m.Received(at(18), "t", "Dr. Müller's Clinic", []string{"reminders.example"})
	if known(18, "Dr. Müller's Clinic", "reminders.example") {
		t.Error("known after a complaint")
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
