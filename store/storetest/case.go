package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
)

// CaseStore is a store that keeps cases of subscribers.
type CaseStore interface {
	sluice.Cases
	Close() error
}

// RunCases tests stores made by open, each of which must be empty. The suite closes
// them.
func RunCases(t *testing.T, open func(t *testing.T) CaseStore) {
	for _, test := range []struct {
		name string
		fn   func(*testing.T, CaseStore)
	}{
		{"RoundTrip", caseRoundTrip},
		{"Versions", caseVersions},
		{"OneLive", caseOneLive},
		{"Pages", casePages},
		{"Sweep", caseSweep},
		{"Concurrently", caseConcurrently},
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

// Case returns one with every field set.
func Case(id, subject string, at time.Time) *sluice.Case {
	n := 0
	next := func() time.Time { n++; return at.Add(time.Duration(n) * time.Minute) }
	return &sluice.Case{ID: id, Tenant: "acme", Subject: subject, Kind: sluice.CaseStolen, State: sluice.CaseNotified, Restrict: sluice.RestrictHold,
		Points: 21.5, Own: true, Opened: at, FirstAbuse: next(), Held: next(), Told: next(), Notified: next(), Confirmed: next(), Remediated: next(),
		Watched: next(), Until: next(), Escalated: next(), Closed: next(), Updated: next(), Recurred: 1, Reopened: 2, SelfReleases: 3, Let: 4, Kept: 5, LeftSteps: 6,
		Signals: []sluice.CaseSignal{{Kind: "SPAM_MAIL", Count: 7, Points: 20.5, First: next(), Last: next(), Detail: id, ID: subject}},
		Notices: []sluice.CaseNotice{{ID: id, Channel: "mail", Address: subject, Tried: next(), Accepted: next(), Delivered: next(), Opened: next(), Acknowledged: next(), Failed: next(), Detail: id}},
		Steps:   []sluice.CaseStep{{Time: next(), Actor: id, What: "noted", From: sluice.CaseHeld, To: sluice.CaseNotified, Note: subject}},
		Merged:  []string{id, subject}, Into: id}
}

func putCase(t *testing.T, s CaseStore, list ...*sluice.Case) {
	t.Helper()
	for _, c := range list {
		if err := s.PutCase(ctx(t), c); err != nil {
			t.Fatalf("PutCase: %v", err)
		}
	}
}

func caseRoundTrip(t *testing.T, s CaseStore) {
	for i, h := range Hostile {
		want := Case(fmt.Sprint(i, h), fmt.Sprint("s", i, h), noon.Add(time.Duration(i)))
		putCase(t, s, want)
		if want.Version != 1 {
			t.Errorf("version %d", want.Version)
		}
		got, err := s.Case(ctx(t), want.ID)
		if err != nil {
			t.Fatalf("%q: %v", want.ID, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", h, d)
		}
		got.Steps[0].Note = "changed" // a copy
		again, err := s.Case(ctx(t), want.ID)
		if d := cmp.Diff(want, again); d != "" || err != nil {
			t.Errorf("the result isn't a copy: %v\n%s", err, d)
		}
	}
	bare := &sluice.Case{ID: "bare", Subject: "s", State: sluice.CaseOpen}
	putCase(t, s, bare)
	got, err := s.Case(ctx(t), "bare")
	if d := cmp.Diff(&sluice.Case{ID: "bare", Subject: "s", State: sluice.CaseOpen, Version: 1}, got); d != "" || err != nil {
		t.Errorf("bare: %v (-want +got):\n%s", err, d)
	}
	if _, err := s.Case(ctx(t), "nobody's"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	for _, c := range []*sluice.Case{{Subject: "x"}, {ID: "x"}} {
		if err := s.PutCase(ctx(t), c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func caseVersions(t *testing.T, s CaseStore) {
	c := Case("a", "bob", noon)
	putCase(t, s, c)
	mine, theirs := c.Clone(), c.Clone()
	mine.State = sluice.CaseWatched
	putCase(t, s, mine)
	if err := s.PutCase(ctx(t), theirs); !errors.Is(err, sluice.ErrConflict) || theirs.Version != 1 {
		t.Errorf("error %v, version %d", err, theirs.Version)
	}
	missing := Case("b", "eve", noon)
	missing.Version = 3
	if err := s.PutCase(ctx(t), missing); !errors.Is(err, sluice.ErrConflict) {
		t.Errorf("a case that isn't there: %v", err)
	}
	got, err := s.Case(ctx(t), "a")
	if d := cmp.Diff(mine, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func caseOneLive(t *testing.T, s CaseStore) {
	first := Case("a", "bob", noon)
	putCase(t, s, first)
	second := Case("b", "bob", noon)
	if err := s.PutCase(ctx(t), second); !errors.Is(err, sluice.ErrConflict) {
		t.Fatalf("a second live case: %v", err)
	}
	other := Case("c", "bob", noon)
	other.Tenant = "other"
	putCase(t, s, other)
	first.State = sluice.CaseClosed
	putCase(t, s, first, second)
	first.State = sluice.CaseOpen
	if err := s.PutCase(ctx(t), first); !errors.Is(err, sluice.ErrConflict) {
		t.Errorf("live again beside another: %v", err)
	}
}

func casePages(t *testing.T, s CaseStore) {
	for i := range 7 {
		c := Case(fmt.Sprint("c", i), fmt.Sprint("Account:", i%4), noon.Add(time.Duration(i/2)*time.Minute)) // some at one time
		c.Tenant = []string{"acme", "other"}[i%2]
		if i < 4 {
			c.State = []sluice.CaseState{sluice.CaseClosed, sluice.CaseFalseAlarm}[i%2]
		}
		putCase(t, s, c)
	}
	for _, c := range []struct {
		q    sluice.CaseQuery
		want string
	}{
		{sluice.CaseQuery{}, "c6 c5 c4 c3 c2 c1 c0"},
		{sluice.CaseQuery{Limit: 3}, "c6 c5 c4"},
		{sluice.CaseQuery{Limit: 3, Before: "c4"}, "c3 c2 c1"},
		{sluice.CaseQuery{Before: "nobody's"}, ""},
		{sluice.CaseQuery{Tenant: "other"}, "c5 c3 c1"},
		{sluice.CaseQuery{Subject: "Account:1"}, "c5 c1"},
		{sluice.CaseQuery{Subject: "Account:1", Live: true}, "c5"},
		{sluice.CaseQuery{Live: true}, "c6 c5 c4"},
		{sluice.CaseQuery{State: sluice.CaseFalseAlarm}, "c3 c1"},
		{sluice.CaseQuery{Since: noon.Add(time.Minute), Until: noon.Add(3 * time.Minute)}, "c5 c4 c3 c2"},
		{sluice.CaseQuery{Text: "account:2"}, "c6 c2"},
		{sluice.CaseQuery{Text: "C3"}, "c3"},
		{sluice.CaseQuery{Text: "%"}, ""},
	} {
		var ids []string
		page, err := s.ListCases(ctx(t), c.q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

func caseSweep(t *testing.T, s CaseStore) {
	for i := range 500 {
		c := Case(fmt.Sprint(i), fmt.Sprint(i), noon)
		c.State, c.Closed = sluice.CaseClosed, noon.Add(time.Duration(i)*time.Second)
		if i%100 == 0 {
			c.State = sluice.CaseHeld
		}
		putCase(t, s, c)
	}
	if n, err := s.SweepCases(ctx(t), noon.Add(400*time.Second)); n != 396 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if list, err := s.ListCases(ctx(t), sluice.CaseQuery{Limit: 500}); len(list) != 104 || err != nil {
		t.Errorf("%d left, %v", len(list), err)
	}
}

// Of many who change the same version of a case, one wins each time.
func caseConcurrently(t *testing.T, s CaseStore) {
	putCase(t, s, Case("a", "bob", noon))
	const writers, each = 4, 10
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for n := 0; n < each; {
				c, err := s.Case(ctx(t), "a")
				if err != nil {
					t.Error(err)
					return
				}
				c.Kept++
				switch err := s.PutCase(ctx(t), c); {
				case err == nil:
					n++
				case !errors.Is(err, sluice.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	c, err := s.Case(ctx(t), "a")
	if err != nil || c.Kept != 5+writers*each {
		t.Errorf("kept %d, %v", c.Kept, err)
	}
}
