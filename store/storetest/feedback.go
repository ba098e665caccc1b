package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
)

// Feedback returns an entry with every field set.
func Feedback(id string, at time.Time) *sluice.Feedback {
	return &sluice.Feedback{
		Kind: sluice.FeedbackLabel, Of: 7, ID: id, Tenant: "acme", Time: at, Spam: true, Threat: sluice.ThreatPhish,
		Source: sluice.SourceReport, By: id, To: []string{"bob@example.com", id}, State: sluice.FeedbackHeld, Why: "because " + id,
		Trust: 0.125, Trusted: true, Extractor: 3, Features: []byte("features\x00\xff " + id), Print: []byte("print\x00\xff " + id),
	}
}

func label(t *testing.T, s sluice.Store, f *sluice.Feedback) *sluice.Feedback {
	t.Helper()
	if err := s.AddFeedback(ctx(t), f); err != nil {
		t.Fatalf("AddFeedback: %v", err)
	}
	return f
}

func feedback(t *testing.T, s sluice.Store) {
	var last int64
	var want []*sluice.Feedback
	for i, h := range Hostile {
		f := Feedback(h, noon.Add(time.Duration(i)))
		f.Spam, f.Trusted = i%2 == 0, i%2 == 1
		label(t, s, f)
		if f.Seq <= last {
			t.Fatalf("seq %d after %d", f.Seq, last)
		}
		last, want = f.Seq, append(want, f)
	}
	want = append(want, label(t, s, &sluice.Feedback{}))
	var got []*sluice.Feedback
	for seq := int64(0); ; {
		page, err := s.FeedbackSince(ctx(t), seq, 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got, seq = append(got, page...), page[len(page)-1].Seq
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("log (-want +got):\n%s", d)
	}
	for _, limit := range []int{0, -1} {
		if page, err := s.FeedbackSince(ctx(t), 0, limit); len(page) != 0 || err != nil {
			t.Errorf("limit %d: %d entries, %v", limit, len(page), err)
		}
	}
	if page, err := s.FeedbackSince(ctx(t), last+100, 5); len(page) != 0 || err != nil {
		t.Errorf("behind the end: %d entries, %v", len(page), err)
	}
}

func feedbackEntry(t *testing.T, s sluice.Store) {
	want := label(t, s, Feedback("a", noon))
	label(t, s, Feedback("b", noon))
	got, err := s.FeedbackEntry(ctx(t), want.Seq)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entry (-want +got):\n%s", d)
	}
	// Neither what was written nor what was read is the store's.
	seq := want.Seq
	for _, f := range []*sluice.Feedback{want, got} {
		f.To[0], f.Features[0], f.Print[0], f.By = "changed", 'X', 'X', "changed"
	}
	again, err := s.FeedbackEntry(ctx(t), seq)
	if err != nil {
		t.Fatal(err)
	}
	fresh := Feedback("a", noon)
	fresh.Seq = seq
	if d := cmp.Diff(fresh, again); d != "" {
		t.Errorf("an entry never changes (-want +got):\n%s", d)
	}
}

// numbers lists what a query yields.
func numbers(t *testing.T, s sluice.Store, q sluice.FeedbackQuery) string {
	t.Helper()
	list, err := s.ListFeedback(ctx(t), q)
	if err != nil {
		t.Fatalf("ListFeedback(%+v): %v", q, err)
	}
	out := ""
	for _, f := range list {
		if f.Features != nil || f.Print != nil {
			t.Errorf("a list has the features of %d", f.Seq)
		}
		out += fmt.Sprint(f.Seq, " ")
	}
	return out
}

func feedbackPages(t *testing.T, s sluice.Store) {
	for range 120 {
		label(t, s, Feedback("x", noon)) // equal times: the order is that of arrival
	}
	first, err := s.FeedbackSince(ctx(t), 0, 1)
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	start, want := first[0].Seq, ""
	for i := range int64(50) {
		want += fmt.Sprint(start+119-i, " ")
	}
	if got := numbers(t, s, sluice.FeedbackQuery{}); got != want {
		t.Errorf("first page %s", got)
	}
	if got := numbers(t, s, sluice.FeedbackQuery{Before: start + 2}); got != fmt.Sprint(start+1, " ", start, " ") {
		t.Errorf("last page %s", got)
	}
	if got := numbers(t, s, sluice.FeedbackQuery{Before: start}); got != "" {
		t.Errorf("behind the last page %s", got)
	}
	one, err := s.ListFeedback(ctx(t), sluice.FeedbackQuery{Limit: 1})
	if err != nil || len(one) != 1 {
		t.Fatalf("limit 1: %d, %v", len(one), err)
	}
	fresh := Feedback("x", noon)
	fresh.Seq, fresh.Features, fresh.Print = start+119, nil, nil
	if d := cmp.Diff(fresh, one[0]); d != "" {
		t.Errorf("entry of a list (-want +got):\n%s", d)
	}
}

func feedbackFilters(t *testing.T, s sluice.Store) {
	a := label(t, s, &sluice.Feedback{Kind: sluice.FeedbackLabel, State: sluice.FeedbackApplied, Tenant: "t", By: "anna", ID: "1"})
	b := label(t, s, &sluice.Feedback{Kind: sluice.FeedbackLabel, State: sluice.FeedbackHeld, Tenant: "u", By: "bob", ID: "1"})
	c := label(t, s, &sluice.Feedback{Kind: sluice.FeedbackUndo, State: sluice.FeedbackApplied, Tenant: "t", By: "bob", ID: "2"})
	for _, tt := range []struct {
		q    sluice.FeedbackQuery
		want []*sluice.Feedback
	}{
		{sluice.FeedbackQuery{}, []*sluice.Feedback{c, b, a}},
		{sluice.FeedbackQuery{Tenant: "t"}, []*sluice.Feedback{c, a}},
		{sluice.FeedbackQuery{By: "bob"}, []*sluice.Feedback{c, b}},
		{sluice.FeedbackQuery{ID: "1"}, []*sluice.Feedback{b, a}},
		{sluice.FeedbackQuery{State: sluice.FeedbackHeld}, []*sluice.Feedback{b}},
		{sluice.FeedbackQuery{Kind: sluice.FeedbackUndo}, []*sluice.Feedback{c}},
		{sluice.FeedbackQuery{ID: "1", By: "bob", Tenant: "u", State: sluice.FeedbackHeld, Kind: sluice.FeedbackLabel, Before: c.Seq}, []*sluice.Feedback{b}},
		{sluice.FeedbackQuery{By: "nobody"}, nil},
		{sluice.FeedbackQuery{Kind: sluice.FeedbackLabel, Limit: 1}, []*sluice.Feedback{b}},
	} {
		want := ""
		for _, f := range tt.want {
			want += fmt.Sprint(f.Seq, " ")
		}
		if got := numbers(t, s, tt.q); got != want {
			t.Errorf("%+v: %q, want %q", tt.q, got, want)
		}
	}
}

func feedbackSweep(t *testing.T, s sluice.Store) {
	var last int64
	for i := range 450 {
		last = label(t, s, Feedback("x", noon.Add(time.Duration(i)*time.Second))).Seq
	}
	start := last - 449
	// Old enough, but behind the snapshot: stays.
	if n, err := s.SweepFeedback(ctx(t), noon.Add(time.Hour), start+404); n != 405 || err != nil {
		t.Errorf("SweepFeedback = %d, %v; want 405", n, err)
	}
	// In the snapshot, but young: stays.
	if n, err := s.SweepFeedback(ctx(t), noon.Add(410*time.Second), last); n != 5 || err != nil {
		t.Errorf("SweepFeedback = %d, %v; want 5", n, err)
	}
	got, err := s.FeedbackSince(ctx(t), 0, 1000)
	if err != nil || len(got) != 40 || got[0].Seq != start+410 {
		t.Errorf("%d entries left, %v", len(got), err)
	}
	if got, err := s.FeedbackSince(ctx(t), start+420, 3); err != nil || len(got) != 3 || got[0].Seq != start+421 {
		t.Errorf("after a sweep: %v, %v", got, err)
	}
	// Numbers never come again, not even when all is gone.
	if n, err := s.SweepFeedback(ctx(t), noon.Add(time.Hour), last); n != 40 || err != nil {
		t.Errorf("SweepFeedback = %d, %v; want 40", n, err)
	}
	if f := label(t, s, Feedback("new", noon)); f.Seq <= last {
		t.Errorf("seq %d after %d was swept", f.Seq, last)
	}
}

func feedbackConcurrently(t *testing.T, s sluice.Store) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				if err := s.AddFeedback(ctx(t), &sluice.Feedback{Time: noon}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// A reader that goes on from the last it saw misses none.
	seen := 0
	for seq := int64(0); seen < 100; {
		page, err := s.FeedbackSince(ctx(t), seq, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page {
			if f.Seq <= seq {
				t.Fatalf("seq %d after %d", f.Seq, seq)
			}
			seq = f.Seq
			seen++
		}
	}
	wg.Wait()
	got, err := s.FeedbackSince(ctx(t), 0, 1000)
	if err != nil || len(got) != 100 {
		t.Fatalf("%d labels, %v; want 100", len(got), err)
	}
}
