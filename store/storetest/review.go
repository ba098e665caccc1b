package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
)

// ReviewStore is a store that keeps the queue of reviews.
type ReviewStore interface {
	sluice.Reviews
	Close() error
}

// RunReviews tests stores made by open, each of which must be empty. The suite closes
// them.
func RunReviews(t *testing.T, open func(t *testing.T) ReviewStore) {
	for _, test := range []struct {
		name string
		fn   func(*testing.T, ReviewStore)
	}{
		{"RoundTrip", reviewRoundTrip},
		{"Pages", reviewPages},
		{"Mark", reviewMark},
		{"Drop", reviewDrop},
		{"Sweep", reviewSweep},
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

// Review returns one with every field set.
func Review(id string, at time.Time) *sluice.Review {
	return &sluice.Review{ID: id, Tenant: "acme", Time: at, From: "sender@example.org " + id, To: []string{"bob@example.com", id}, Subject: "Your invoice " + id,
		Score: 0.9375, Why: []string{"new", id}, Extractor: 3, Features: []byte("features\x00\xff " + id), Print: []byte("print\x00\xff " + id),
		State: sluice.ReviewSeen, By: id, Decided: at.Add(time.Hour)}
}

func putReview(t *testing.T, s ReviewStore, list ...*sluice.Review) {
	t.Helper()
	for _, r := range list {
		if err := s.PutReview(ctx(t), r); err != nil {
			t.Fatalf("PutReview: %v", err)
		}
	}
}

func reviewRoundTrip(t *testing.T, s ReviewStore) {
	for i, h := range Hostile {
		want := Review(fmt.Sprint(i, h), noon.Add(time.Duration(i)))
		putReview(t, s, want)
		want.Tenant += "!"
		putReview(t, s, want) // the first one stays
		want.Tenant = "acme"
		got, err := s.Review(ctx(t), want.ID)
		if err != nil {
			t.Fatalf("%q: %v", want.ID, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", h, d)
		}
	}
	putReview(t, s, &sluice.Review{ID: "bare"})
	got, err := s.Review(ctx(t), "bare")
	if d := cmp.Diff(&sluice.Review{ID: "bare", State: sluice.ReviewNew}, got); d != "" || err != nil {
		t.Errorf("bare: %v (-want +got):\n%s", err, d)
	}
	if _, err := s.Review(ctx(t), "nobody's"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func reviewPages(t *testing.T, s ReviewStore) {
	for i := range 7 {
		r := Review(fmt.Sprint("r", i), noon.Add(time.Duration(i/2)*time.Minute)) // some at one time
		r.Tenant = []string{"acme", "other"}[i%2]
		r.State = []sluice.ReviewState{sluice.ReviewNew, sluice.ReviewNew, sluice.ReviewBad}[i%3]
		putReview(t, s, r)
	}
	list := func(q sluice.ReviewQuery) string {
		t.Helper()
		var ids []string
		page, err := s.ListReviews(ctx(t), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			if r.Features != nil || r.Print != nil || r.Subject == "" || len(r.Why) != 2 {
				t.Errorf("%+v", r)
			}
			ids = append(ids, r.ID)
		}
		return strings.Join(ids, " ")
	}
	for _, c := range []struct {
		q    sluice.ReviewQuery
		want string
	}{
		{sluice.ReviewQuery{}, "r6 r5 r4 r3 r2 r1 r0"},
		{sluice.ReviewQuery{Limit: 3}, "r6 r5 r4"},
		{sluice.ReviewQuery{Limit: 3, Before: "r4"}, "r3 r2 r1"},
		{sluice.ReviewQuery{Before: "nobody's"}, ""},
		{sluice.ReviewQuery{Tenant: "other"}, "r5 r3 r1"},
		{sluice.ReviewQuery{State: sluice.ReviewBad}, "r5 r2"},
		{sluice.ReviewQuery{Tenant: "acme", State: sluice.ReviewNew}, "r6 r4 r0"},
		{sluice.ReviewQuery{Tenant: "nobody"}, ""},
	} {
		if got := list(c.q); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

func reviewMark(t *testing.T, s ReviewStore) {
	want := Review("a", noon)
	putReview(t, s, want)
	if err := s.MarkReview(ctx(t), "a", sluice.ReviewBad, "anna", noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	want.State, want.By, want.Decided = sluice.ReviewBad, "anna", noon.Add(time.Minute)
	got, err := s.Review(ctx(t), "a")
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if err := s.MarkReview(ctx(t), "b", sluice.ReviewBad, "anna", noon); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func reviewDrop(t *testing.T, s ReviewStore) {
	fresh, seen := Review("new", noon), Review("seen", noon)
	fresh.State = sluice.ReviewNew
	putReview(t, s, fresh, seen)
	for _, id := range []string{"new", "seen", "nobody's"} {
		if err := s.DropReview(ctx(t), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := s.Review(ctx(t), "new"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := s.Review(ctx(t), "seen"); err != nil {
		t.Errorf("one that was looked at is gone: %v", err)
	}
}

func reviewSweep(t *testing.T, s ReviewStore) {
	for i := range 1200 {
		putReview(t, s, Review(fmt.Sprint(i), noon.Add(time.Duration(i)*time.Second)))
	}
	if n, err := s.SweepReviews(ctx(t), noon.Add(1100*time.Second)); n != 1100 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if list, err := s.ListReviews(ctx(t), sluice.ReviewQuery{Limit: 500}); len(list) != 100 || err != nil {
		t.Errorf("%d left, %v", len(list), err)
	}
}
