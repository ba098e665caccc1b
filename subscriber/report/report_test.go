package report_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/golden"
	"sluice/subscriber/cases"
	"sluice/subscriber/report"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const (
	hour = time.Hour
	day  = 24 * hour
)

// made is a case that goes on by steps, each so long after the first abuse.
func made(t *testing.T, id string, first time.Time, events ...cases.Event) *sluice.Case {
	t.Helper()
	c := cases.New(id, "acme", "account:"+id, cases.Event{Time: first, Points: 20, Own: true})
	for _, e := range events {
		e.Time = first.Add(time.Duration(e.Points) * hour) // hours stand where no points are needed
		e.Points = 20
		if err := cases.Apply(c, e, cases.Rules{}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func population(t *testing.T) []*sluice.Case {
	held := cases.Event{What: cases.Held, Restrict: sluice.RestrictHold}
	tried := func(h float64) cases.Event {
		return cases.Event{What: cases.Noticed, Points: h, Level: sluice.ProofTried, Notice: sluice.CaseNotice{ID: "n", Channel: "mail"}}
	}
	told := func(h float64) cases.Event {
		return cases.Event{What: cases.Noticed, Points: h, Level: sluice.ProofDelivered, Notice: sluice.CaseNotice{ID: "n"}}
	}
	confirmed := cases.Event{What: cases.Confirmed, Points: 10, Means: cases.MailedLink}
	watching := cases.Event{What: cases.Watching, Points: 10}
	list := []*sluice.Case{
		made(t, "clean", noon, held, tried(1), told(2), confirmed, watching, cases.Event{What: cases.Clean, Points: 10 + 7*24}),
		made(t, "late", noon, held, tried(1), told(30), cases.Event{What: cases.Remedied, Points: 40}, cases.Event{What: cases.Watching, Points: 40}),
		made(t, "again", noon, held, tried(1), told(4), confirmed, watching, cases.Event{What: cases.Recurred, Points: 60}, cases.Event{What: cases.Escalated, Points: 90}),
		made(t, "untold", noon, held),
		made(t, "just now", noon.Add(9*day), held),
		made(t, "false", noon, held, cases.Event{What: cases.FalseAlarm, Points: 3}),
		made(t, "suspected", noon, cases.Event{What: cases.Faded, Points: 90}),
		made(t, "before", noon.Add(-day), held),
		made(t, "merged", noon, held, cases.Event{What: cases.Merged, Points: 1, Other: "clean"}),
	}
	list[0].Let, list[0].Kept, list[1].Let = 2, 40, 3
	return list
}

func TestFigures(t *testing.T) {
	f := report.Of(population(t), noon, noon.Add(10*day), noon.Add(9*day+hour), 1000)
	for _, c := range []struct {
		name string
		got  report.Share
		want report.Share
	}{
		{"detected", f.Detected, report.Share{N: 6, Of: 1000}},
		{"notified", f.Notified, report.Share{N: 3, Of: 6}},
		{"notified within a day", f.NotifiedDay, report.Share{N: 2, Of: 5}}, // the one of just now has time
		{"answered", f.Confirmed, report.Share{N: 2, Of: 6}},
		{"released by themselves", f.SelfFreed, report.Share{N: 2, Of: 6}},
		{"remediated", f.Remediated, report.Share{N: 3, Of: 6}},
		{"clean", f.Clean, report.Share{N: 1, Of: 6}},
		{"recurred", f.Recurred, report.Share{N: 1, Of: 3}},
		{"false alarms", f.FalseAlarms, report.Share{N: 1, Of: 7}},
		{"escalated", f.Escalated, report.Share{N: 1, Of: 6}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if f.Cases != 7 || f.Suspected != 1 || f.Let != 5 || f.Kept != 40 || f.FalsePerDay != 1 {
		t.Errorf("%+v", f)
	}
	if f.ToNotice != (report.Span{Median: 4 * hour, Of: 3}) || f.ToRemedy != (report.Span{Median: 10 * hour, Of: 3}) {
		t.Errorf("notice %+v, remedy %+v", f.ToNotice, f.ToRemedy)
	}
}

func TestForms(t *testing.T) {
	f := report.Of(population(t), noon, noon.Add(10*day), noon.Add(9*day+hour), 1000)
	var b strings.Builder
	if err := report.CSV(&b, f, report.Of(nil, noon.Add(10*day), noon.Add(20*day), noon.Add(20*day), 0)); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, filepath.Join("testdata", "figures.csv"), []byte(b.String()))
	golden.Check(t, filepath.Join("testdata", "figures.txt"), []byte(f.String()))
}
