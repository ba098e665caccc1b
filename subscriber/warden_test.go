package subscriber_test

import (
	"fmt"
	"testing"
	"time"

	"sluice"
	"sluice/store/memory"
	"sluice/subscriber"
	"sluice/subscriber/cases"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// desk is a Warden with a store and a clock of its own.
type desk struct {
	*subscriber.Warden
	t     *testing.T
	store subscriberStore
	now   time.Time
	told  []string
}

type subscriberStore interface {
	sluice.Cases
	sluice.Memos
}

func open(t *testing.T, store subscriberStore, change func(*subscriber.Config)) *desk {
	t.Helper()
	d := &desk{t: t, store: store, now: noon}
	n := 0
	cfg := subscriber.Config{Key: []byte("0123456789abcdef"), Cases: store, Memos: store,
		ID:      func() string { n++; return fmt.Sprintf("case-%04d", n) },
		Changed: func(c *sluice.Case, what cases.What) { d.told = append(d.told, c.ID+" "+string(what)) }}
	if change != nil {
		change(&cfg)
	}
	w, err := subscriber.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.Warden = w
	if err := w.Load(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	return d
}

func person(name string) *subscriber.Subject {
	return &subscriber.Subject{Key: "account:" + name, Account: name, Class: subscriber.Person}
}

func bad(i int) *subscriber.Message {
	return &subscriber.Message{ID: fmt.Sprint("m", i), Recipients: []string{fmt.Sprintf("r%d@example.org", i)}, Print: "campaign",
		Verdict: sluice.Verdict{Threat: sluice.ThreatSpam, Points: 31}}
}

func TestHeld(t *testing.T) {
	d := open(t, memory.New(), nil)
	s := person("bob")
	var first int
	for i := range 30 {
		d.now = d.now.Add(time.Second)
		m := bad(i)
		m.Campaign = true
		if r := d.Judge(t.Context(), d.now, s, m); r.Restrict == sluice.RestrictHold {
			first = i + 1
			break
		}
	}
	if first == 0 || first > 3 {
		t.Fatalf("held at message %d", first)
	}
}
