package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice"
)

// AppealStore is a store that keeps the queue of appeals.
type AppealStore interface {
	sluice.Appeals
	Close() error
}

// RunAppeals tests stores made by open, each of which must be empty. The suite closes
// them.
func RunAppeals(t *testing.T, open func(t *testing.T) AppealStore) {
	for _, test := range []struct {
		name string
		fn   func(*testing.T, AppealStore)
	}{
		{"RoundTrip", appealRoundTrip},
		{"Once", appealOnce},
		{"Pages", appealPages},
		{"Mark", appealMark},
		{"Sweep", appealSweep},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			test.fn(t, s)
		})
	}
}

// Appeal returns one with every field set.
func Appeal(id string, at time.Time) *sluice.Appeal {
	return &sluice.Appeal{ID: id, Time: at, Text: "It was no spam. " + id, Asker: netip.MustParseAddr("198.51.100.9"), Event: at.Add(-time.Hour),
		Client: netip.MustParseAddr("2001:db8::7"), Hello: "mail.example " + id, Phase: sluice.PhaseMessage, Threat: sluice.ThreatPhish, Code: 550,
		Reasons: []sluice.Reason{"SPF_FAIL", sluice.Reason(id)}, State: sluice.AppealDeclined, By: id, Decided: at.Add(time.Hour)}
}

var sameAppeal = cmpopts.EquateComparable(netip.Addr{})

func putAppeal(t *testing.T, s AppealStore, a *sluice.Appeal, want bool) {
	t.Helper()
	if added, err := s.PutAppeal(ctx(t), a); err != nil || added != want {
		t.Fatalf("PutAppeal: %v, %v; want %v", added, err, want)
	}
}

func appealRoundTrip(t *testing.T, s AppealStore) {
	for i, h := range Hostile {
		want := Appeal(fmt.Sprint(i, h), noon.Add(time.Duration(i)))
		putAppeal(t, s, want, true)
		got, err := s.Appeal(ctx(t), want.ID)
		if err != nil {
			t.Fatalf("%q: %v", want.ID, err)
		}
		if d := cmp.Diff(want, got, sameAppeal); d != "" {
			t.Errorf("%q (-want +got):\n%s", h, d)
		}
	}
	putAppeal(t, s, &sluice.Appeal{ID: "bare"}, true)
	got, err := s.Appeal(ctx(t), "bare")
	if d := cmp.Diff(&sluice.Appeal{ID: "bare", State: sluice.AppealNew}, got, sameAppeal); d != "" || err != nil {
		t.Errorf("bare: %v (-want +got):\n%s", err, d)
	}
	if _, err := s.Appeal(ctx(t), "nobody's"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

// appealOnce: the first one stays, whatever comes later.
func appealOnce(t *testing.T, s AppealStore) {
	first := Appeal("a", noon)
	putAppeal(t, s, first, true)
	second := Appeal("a", noon.Add(time.Hour))
	second.Text, second.State = "again, and longer", sluice.AppealNew
	putAppeal(t, s, second, false)
	got, err := s.Appeal(ctx(t), "a")
	if d := cmp.Diff(first, got, sameAppeal); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func appealPages(t *testing.T, s AppealStore) {
	for i := range 7 {
		a := Appeal(fmt.Sprint("a", i), noon.Add(time.Duration(i/2)*time.Minute)) // some at one time
		a.State = []sluice.AppealState{sluice.AppealNew, sluice.AppealNew, sluice.AppealGranted}[i%3]
		putAppeal(t, s, a, true)
	}
	for _, c := range []struct {
		q    sluice.AppealQuery
		want string
	}{
		{sluice.AppealQuery{}, "a6 a5 a4 a3 a2 a1 a0"},
		{sluice.AppealQuery{Limit: 3}, "a6 a5 a4"},
		{sluice.AppealQuery{Limit: 3, Before: "a4"}, "a3 a2 a1"},
		{sluice.AppealQuery{Before: "nobody's"}, ""},
		{sluice.AppealQuery{State: sluice.AppealGranted}, "a5 a2"},
		{sluice.AppealQuery{State: sluice.AppealNew, Before: "a3"}, "a1 a0"},
		{sluice.AppealQuery{State: "nothing"}, ""},
	} {
		page, err := s.ListAppeals(ctx(t), c.q)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, a := range page {
			ids = append(ids, a.ID)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

func appealMark(t *testing.T, s AppealStore) {
	want := Appeal("a", noon)
	putAppeal(t, s, want, true)
	if err := s.MarkAppeal(ctx(t), "a", sluice.AppealGranted, "anna", noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	want.State, want.By, want.Decided = sluice.AppealGranted, "anna", noon.Add(time.Minute)
	got, err := s.Appeal(ctx(t), "a")
	if d := cmp.Diff(want, got, sameAppeal); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if err := s.MarkAppeal(ctx(t), "b", sluice.AppealGranted, "anna", noon); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func appealSweep(t *testing.T, s AppealStore) {
	for i := range 700 {
		putAppeal(t, s, Appeal(fmt.Sprint(i), noon.Add(time.Duration(i)*time.Second)), true)
	}
	if n, err := s.SweepAppeals(ctx(t), noon.Add(600*time.Second)); n != 600 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if list, err := s.ListAppeals(ctx(t), sluice.AppealQuery{Limit: 500}); len(list) != 100 || err != nil {
		t.Errorf("%d left, %v", len(list), err)
	}
}
