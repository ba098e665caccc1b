package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
)

// ReportStore is a store that keeps reports.
type ReportStore interface {
	sluice.Reports
	Close() error
}

// RunReports tests stores made by open, each of which must be empty. The suite
// closes them.
func RunReports(t *testing.T, open func(t *testing.T) ReportStore) {
	for _, test := range []struct {
		name string
		fn   func(*testing.T, ReportStore)
	}{
		{"DMARCCounts", dmarcCounts},
		{"DMARCRowsAreBounded", dmarcBounded},
		{"DMARCDue", dmarcDue},
		{"DMARCHostile", dmarcHostile},
		{"DMARCConcurrently", dmarcConcurrently},
		{"SettleDMARC", settleDMARC},
		{"SentReports", sentReports},
		{"ReceivedRoundTrip", receivedRoundTrip},
		{"ReceivedPages", receivedPages},
		{"SweepReports", sweepReports},
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

// dayOne is the midnight before noon.
var dayOne = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

// DMARCRow returns a row with every field set.
func DMARCRow(domain string, day time.Time, count int) sluice.DMARCRow {
	return sluice.DMARCRow{Day: day, Domain: domain,
		Policy: sluice.DMARCPolicy{P: "reject", SP: "none", NP: "quarantine", ADKIM: "r", ASPF: "s", FO: "1:d", Testing: "n"},
		Source: netip.MustParseAddr("2001:db8::7"), HeaderFrom: "www." + domain, EnvelopeFrom: "bounce." + domain,
		Disposition: "none", DKIM: "pass", SPF: "fail", Reasons: []sluice.DMARCReason{{Type: "local_policy", Comment: "arc=pass"}},
		Signatures: []sluice.DMARCSignature{{Domain: domain, Selector: "s1", Result: "pass"}}, SPFDomain: "bounce." + domain, SPFResult: "softfail",
		Count: count, Passed: count / 2}
}

// Received returns a received report with every field set.
func Received(id string, at time.Time) *sluice.ReceivedReport {
	return &sluice.ReceivedReport{ID: id, Tenant: "acme", Time: at, Kind: "dmarc", Sender: "noreply@big.example", Author: "big.example", Proven: true,
		Org: "Big Mailer", Domain: "example.com", Report: "r-" + id, Begin: dayOne.Add(-24 * time.Hour), End: dayOne, Pass: 12, Fail: 3, Of: 2,
		Sources: []sluice.ReportSource{{Addr: netip.MustParseAddr("192.0.2.1"), Pass: 12}, {Fail: 3}},
		Detail:  "some detail", Problem: "a record without a source"}
}

func count(t *testing.T, s ReportStore, most int, rows ...sluice.DMARCRow) {
	t.Helper()
	if err := s.CountDMARC(ctx(t), rows, most); err != nil {
		t.Fatal(err)
	}
}

func dmarcCounts(t *testing.T, s ReportStore) {
	a := DMARCRow("example.com", dayOne, 4)
	b := DMARCRow("example.com", dayOne, 10)
	b.Reasons = nil
	other := DMARCRow("example.com", dayOne.Add(24*time.Hour), 2)
	count(t, s, 10, a, b, a)
	count(t, s, 10, a, other)
	got, err := s.DMARCRows(ctx(t), dayOne, "example.com", 10)
	if err != nil {
		t.Fatal(err)
	}
	wantA := a
	wantA.Count, wantA.Passed = 12, 6
	if d := cmp.Diff([]sluice.DMARCRow{wantA, b}, got, Equal); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if got, err := s.DMARCRows(ctx(t), dayOne, "example.com", 1); err != nil || len(got) != 1 || got[0].Count != 12 {
		t.Errorf("one row: %v, %v", got, err)
	}
	if got, err := s.DMARCRows(ctx(t), dayOne, "example.net", 9); err != nil || len(got) != 0 {
		t.Errorf("a domain that nobody wrote of: %v, %v", got, err)
	}
	for _, test := range []struct {
		domain string
		since  time.Time
		want   int
	}{
		{"example.com", dayOne, 12}, {"example.com", dayOne.Add(time.Second), 1}, {"example.com", dayOne.Add(25 * time.Hour), 0}, {"com", dayOne, 0},
	} {
		if n, err := s.PassedDMARC(ctx(t), test.domain, test.since); n != test.want || err != nil {
			t.Errorf("PassedDMARC(%s, %s) = %d, %v; want %d", test.domain, test.since, n, err, test.want)
		}
	}
}

func dmarcBounded(t *testing.T, s ReportStore) {
	for i := range 5 {
		r := DMARCRow("example.com", dayOne, 2)
		r.HeaderFrom = fmt.Sprintf("x%d.example.com", i)
		count(t, s, 3, r, r)
	}
	rows, err := s.DMARCRows(ctx(t), dayOne, "example.com", 10)
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v; want 3", len(rows), err)
	}
	due, err := s.DueDMARC(ctx(t), noon, 10)
	want := []sluice.DMARCDay{{Day: dayOne, Domain: "example.com", Messages: 20, Passed: 10, Lost: 8}}
	if d := cmp.Diff(want, due); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func dmarcDue(t *testing.T, s ReportStore) {
	next := dayOne.Add(24 * time.Hour)
	count(t, s, 10, DMARCRow("b.example", next, 1), DMARCRow("c.example", dayOne, 2), DMARCRow("a.example", dayOne, 2), DMARCRow("big.example", dayOne, 9))
	names := func(at time.Time, limit int) string {
		t.Helper()
		due, err := s.DueDMARC(ctx(t), at, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, d := range due {
			out = append(out, d.Domain)
		}
		return strings.Join(out, " ")
	}
	if got := names(next, 10); got != "big.example a.example c.example" {
		t.Errorf("due: %q", got)
	}
	if got := names(next.Add(time.Nanosecond), 10); got != "big.example a.example c.example b.example" {
		t.Errorf("due a day later: %q", got)
	}
	if got := names(next, 2); got != "big.example a.example" {
		t.Errorf("two due: %q", got)
	}
}

func dmarcHostile(t *testing.T, s ReportStore) {
	for i, h := range Hostile {
		r := DMARCRow("example.com", dayOne, 2)
		r.Domain, r.HeaderFrom, r.EnvelopeFrom, r.SPFDomain, r.SPFResult = fmt.Sprintf("%d%s", i, h), h, h, h, h
		r.Policy.P, r.Reasons[0].Comment, r.Signatures[0].Selector = h, h, h
		count(t, s, 10, r)
		got, err := s.DMARCRows(ctx(t), dayOne, r.Domain, 10)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]sluice.DMARCRow{r}, got, Equal); d != "" {
			t.Errorf("%.40q (-want +got):\n%s", h, d)
		}
		if n, err := s.PassedDMARC(ctx(t), r.Domain, dayOne); n != 1 || err != nil {
			t.Errorf("%.40q: passed %d, %v", h, n, err)
		}
	}
}

func dmarcConcurrently(t *testing.T, s ReportStore) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if err := s.CountDMARC(t.Context(), []sluice.DMARCRow{DMARCRow("example.com", dayOne, 1)}, 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	rows, err := s.DMARCRows(ctx(t), dayOne, "example.com", 10)
	if err != nil || len(rows) != 1 || rows[0].Count != 80 {
		t.Errorf("rows %v, %v; want one that counts 80", rows, err)
	}
}

func settleDMARC(t *testing.T, s ReportStore) {
	count(t, s, 10, DMARCRow("example.com", dayOne, 4), DMARCRow("example.net", dayOne, 4))
	r := &sluice.SentReport{Day: dayOne, Domain: "example.com", ID: "id", Time: noon, To: []string{"rua@example.com"}, Messages: 4, Rows: 1, Size: 99}
	for range 2 { // a second time changes nothing
		if err := s.SettleDMARC(ctx(t), r); err != nil {
			t.Fatal(err)
		}
	}
	// What comes late counts for the domain's standing and makes nothing due.
	count(t, s, 10, DMARCRow("example.com", dayOne, 2))
	due, err := s.DueDMARC(ctx(t), noon, 10)
	if err != nil || len(due) != 1 || due[0].Domain != "example.net" {
		t.Errorf("due %v, %v; want example.net", due, err)
	}
	if rows, err := s.DMARCRows(ctx(t), dayOne, "example.com", 10); len(rows) != 0 || err != nil {
		t.Errorf("rows %v, %v of a settled day", rows, err)
	}
	if n, err := s.PassedDMARC(ctx(t), "example.com", dayOne); n != 3 || err != nil {
		t.Errorf("passed %d, %v; want 3", n, err)
	}
}

func sentReports(t *testing.T, s ReportStore) {
	sent := &sluice.SentReport{Day: dayOne, Domain: "a.example", ID: "1", Time: noon, To: []string{"x@a.example", "\xff@b.example"}, Messages: 4, Rows: 1, Size: 99}
	not := &sluice.SentReport{Day: dayOne, Domain: "b.example", Time: noon.Add(time.Second), Why: "unknown \x00 \xff"}
	old := &sluice.SentReport{Day: dayOne.Add(-48 * time.Hour), Domain: "a.example", ID: "0", Time: noon.Add(-48 * time.Hour), To: []string{"x@a.example"}}
	for _, r := range []*sluice.SentReport{old, sent, not} {
		if err := s.SettleDMARC(ctx(t), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		since time.Time
		all   bool
		limit int
		want  []*sluice.SentReport
	}{
		{time.Time{}, true, 10, []*sluice.SentReport{not, sent, old}},
		{time.Time{}, false, 10, []*sluice.SentReport{sent, old}},
		{time.Time{}, false, 1, []*sluice.SentReport{sent}},
		{noon, false, 10, []*sluice.SentReport{sent}},
		{noon.Add(time.Hour), true, 10, nil},
	} {
		got, err := s.SentReports(ctx(t), test.since, test.all, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(test.want, got, Equal); d != "" {
			t.Errorf("since %s, all %v, limit %d (-want +got):\n%s", test.since, test.all, test.limit, d)
		}
	}
}

func receivedRoundTrip(t *testing.T, s ReportStore) {
	put := func(r *sluice.ReceivedReport) {
		t.Helper()
		if err := s.PutReport(ctx(t), r); err != nil {
			t.Fatal(err)
		}
	}
	want := []*sluice.ReceivedReport{Received("r0", noon.Add(time.Hour))}
	put(want[0])
	for i, h := range Hostile {
		r := Received(fmt.Sprintf("h%d", i), noon.Add(-time.Duration(i)*time.Second))
		r.Sender, r.Author, r.Org, r.Domain, r.Report, r.Detail, r.Problem, r.Kind = h, h, h, h, h, h, h, h
		put(r)
		want = append(want, r)
	}
	if err := s.PutReport(ctx(t), &sluice.ReceivedReport{}); err == nil {
		t.Error("a report without an id was kept")
	}
	got, err := s.ReceivedReports(ctx(t), sluice.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, Equal); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	again := Received("r0", noon.Add(time.Hour))
	again.Pass = 99
	put(again)
	got, err = s.ReceivedReports(ctx(t), sluice.Query{Limit: 1})
	if err != nil || len(got) != 1 || got[0].Pass != 99 {
		t.Errorf("replaced: %v, %v", got, err)
	}
}

func receivedPages(t *testing.T, s ReportStore) {
	for i := range 5 {
		r := Received(fmt.Sprintf("r%d", i), noon.Add(time.Duration(i/2)*time.Second))
		if i == 3 {
			r.Tenant, r.Org = "other", "Tiny Provider"
		}
		if err := s.PutReport(ctx(t), r); err != nil {
			t.Fatal(err)
		}
	}
	threat := sluice.ThreatSpam
	for _, test := range []struct {
		q    sluice.Query
		want string
	}{
		{sluice.Query{}, "r4 r3 r2 r1 r0"},
		{sluice.Query{Limit: 2}, "r4 r3"},
		{sluice.Query{Limit: 2, Before: "r3"}, "r2 r1"},
		{sluice.Query{Tenant: "other"}, "r3"},
		{sluice.Query{Text: "tiny PROV"}, "r3"},
		{sluice.Query{Text: "nobody"}, ""},
		{sluice.Query{Since: noon.Add(time.Second)}, "r4 r3 r2"},
		{sluice.Query{Until: noon.Add(time.Second)}, "r1 r0"},
		{sluice.Query{Threat: &threat}, "r4 r3 r2 r1 r0"},
	} {
		list, err := s.ReceivedReports(ctx(t), test.q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range list {
			got = append(got, r.ID)
		}
		if g := strings.Join(got, " "); g != test.want {
			t.Errorf("%+v: %q, want %q", test.q, g, test.want)
		}
	}
	if _, err := s.ReceivedReports(ctx(t), sluice.Query{Before: "gone"}); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("page behind a row that is gone: %v", err)
	}
}

func sweepReports(t *testing.T, s ReportStore) {
	next := dayOne.Add(24 * time.Hour)
	count(t, s, 10, DMARCRow("a.example", dayOne, 1), DMARCRow("a.example", next, 1))
	for _, at := range []time.Time{noon, noon.Add(24 * time.Hour)} {
		if err := s.SettleDMARC(ctx(t), &sluice.SentReport{Day: dayOne, Domain: fmt.Sprint(at.Day()), Time: at}); err != nil {
			t.Fatal(err)
		}
		if err := s.PutReport(ctx(t), Received(fmt.Sprint(at.Day()), at)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.SweepReports(ctx(t), next); n != 3 || err != nil {
		t.Errorf("swept %d, %v; want a day, a decision and a report", n, err)
	}
	due, err := s.DueDMARC(ctx(t), next.Add(time.Hour), 10)
	if err != nil || len(due) != 1 || !due[0].Day.Equal(next) {
		t.Errorf("due %v, %v", due, err)
	}
	if rows, err := s.DMARCRows(ctx(t), dayOne, "a.example", 9); len(rows) != 0 || err != nil {
		t.Errorf("rows %v, %v of a swept day", rows, err)
	}
	sent, err := s.SentReports(ctx(t), time.Time{}, true, 10)
	if err != nil || len(sent) != 1 {
		t.Errorf("decisions %v, %v; want one", sent, err)
	}
	if n, err := s.SweepReports(ctx(t), next); n != 0 || err != nil {
		t.Errorf("a second sweep: %d, %v", n, err)
	}
}
