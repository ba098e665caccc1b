// Package storetest is the conformance suite of [sluice.Store]: what every
// implementation must do, and the hostile values that it must bear.
package storetest

import (
	"context"
	"crypto/sha256"
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

// noon is the suite's clock.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456789, time.UTC)

// Run tests stores made by open, each of which must be empty. The suite closes
// them.
func Run(t *testing.T, open func(t *testing.T) sluice.Store) {
	for _, test := range []struct {
		name string
		fn   func(*testing.T, sluice.Store)
	}{
		{"RecordRoundTrip", recordRoundTrip},
		{"RecordHostile", recordHostile},
		{"RecordReplaced", recordReplaced},
		{"RecordWithoutID", recordWithoutID},
		{"RecordsOrderAndPages", recordsOrderAndPages},
		{"RecordsFilters", recordsFilters},
		{"RecordsText", recordsText},
		{"RecordsLimit", recordsLimit},
		{"RecordsByFile", recordsByFile},
		{"RecordsRelayed", recordsRelayed},
		{"QuarantineByFile", quarantineByFile},
		{"CountActions", countActions},
		{"Sweep", sweep},
		{"AppendConcurrently", appendConcurrently},
		{"ResultsAreCopies", resultsAreCopies},
		{"NotFound", notFound},
		{"QuarantineRoundTrip", quarantineRoundTrip},
		{"QuarantinePages", quarantinePages},
		{"ReplaceIndex", replaceIndex},
		{"ReplaceIndexFails", replaceIndexFails},
		{"ReplaceIndexMeanwhile", replaceIndexMeanwhile},
		{"Feedback", feedback},
		{"FeedbackEntry", feedbackEntry},
		{"FeedbackPages", feedbackPages},
		{"FeedbackFilters", feedbackFilters},
		{"FeedbackSweep", feedbackSweep},
		{"FeedbackConcurrently", feedbackConcurrently},
		{"Tenants", tenants},
		{"Accounts", accounts},
		{"Memos", memos},
		{"MemosAllOrNone", memosAllOrNone},
		{"MemosStop", memosStop},
		{"MemosDrop", memosDrop},
		{"MemosConcurrently", memosConcurrently},
		{"CancelledContext", cancelledContext},
		{"AfterClose", afterClose},
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

// Hostile are strings as senders write them.
var Hostile = []string{
	"",
	"plain",
	"nul \x00 inside",
	"\x00",
	"bytes \xff\xfe\x80 that are no UTF-8",
	"half a rune \xe2\x82",
	"private plane \U0010ff80 \U0010ffff \U0010ff00",
	"surrogate \xed\xa0\x80",
	`'; DROP TABLE message; --`,
	`100%_\`,
	`"quoted" <tag> & \u0000 {"json":1}`,
	"bidi \u202e lines \u2028 \u2029 \r\n\ttab \x1b[31m",
	strings.Repeat("ß🎈", 2500) + "\xf0", // over 10 kB
}

// Record returns a record with every field set.
func Record(id string, at time.Time) *sluice.Record {
	return &sluice.Record{
		ID: id, Tenant: "acme", Time: at,
		Conn: sluice.Conn{
			ID: "c-" + id, Client: netip.MustParseAddrPort("[2001:db8::7]:4711"), Via: netip.MustParseAddrPort("192.0.2.9:2500"), Local: netip.MustParseAddrPort("192.0.2.1:25"),
			Start: at.Add(-time.Second), Door: "smtp", Hello: sluice.Hello{Verb: "EHLO", Name: "mail.example"},
			TLS:  &sluice.TLSInfo{Version: "TLS1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "mx.example"},
			Auth: "anna", Trusted: true, AlreadyAccepted: true, Stored: true,
		},
		Envelope: sluice.Envelope{
			ID: id, From: "sender@example.org", Params: []sluice.Param{{Key: "SIZE", Value: "100"}, {Key: "SMTPUTF8"}},
			Rcpts: []sluice.Recipient{
				{Address: "bob@example.com", Params: []sluice.Param{{Key: "NOTIFY", Value: "NEVER"}}},
				{Address: "eve@example.com"},
			},
			Size: 100, Body: "8BITMIME", SMTPUTF8: true, Tenant: "acme", Outbound: true, Received: at,
		},
		Subject: "Your invoice", MessageID: "<1@example.org>", Size: 1234, Phase: sluice.PhaseMessage,
		Verdict: sluice.Verdict{
			Threat: sluice.ThreatPhish, Points: 17.3, Probability: 0.9817, Hard: "EICAR", HardKind: sluice.HardStop,
			Ledger: []sluice.Contribution{
				{Points: 20.2, Evidence: sluice.Evidence{
					Reason: "LINK_TEXT_MISMATCH", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Raw: 4, Threat: sluice.ThreatPhish,
					State: sluice.Found, Hard: sluice.Soft, Detail: "https://a.example → b.example", Range: sluice.Range{Off: 10, Len: 20}, Part: 2,
				}},
				{Points: -2.9, Evidence: sluice.Evidence{Reason: "PRIOR", Group: sluice.GroupPrior, Raw: -2.9}},
				{Evidence: sluice.Evidence{Reason: "EICAR", Group: sluice.GroupAttachment, Hard: sluice.HardStop, Threat: sluice.ThreatMalware}},
				{Evidence: sluice.Evidence{Reason: "SPF_FAIL", Group: sluice.GroupIdentity, State: sluice.Unknown, Detail: "timeout"}},
			},
			Versions: sluice.Versions{Program: "1.0", Catalogue: "c", Model: "m", Config: "f"},
		},
		Decisions: []sluice.Decision{
			{Recipient: "bob@example.com", Action: sluice.QuarantineIt, Why: "LINK_TEXT_MISMATCH"},
			{Recipient: "eve@example.com", Action: sluice.Reject, Why: "EICAR"},
		},
		Outcomes: []sluice.Outcome{{
			Recipient: "bob@example.com", Reply: sluice.Reply{Code: 451, Enhanced: "4.3.0", Text: "later", Close: true, Slow: true},
			Err: errors.New("next hop: gone"), Unknown: true,
		}},
		Reply: sluice.Reply{Code: 550, Enhanced: "5.7.1", Text: "Looks like phishing"}, Micros: 4321,
		Files: []sluice.FileSeen{
			{Name: "Invoice.ZIP", Type: "zip", Class: "archive", Size: 900, SHA256: Sum("zip"), Content: "whole", Marked: true,
				Links: []string{"https://files.example/a"}, Signs: []string{"PASSWORD_WORKED"}},
			{Name: "in/Invoice.exe", In: "Invoice.ZIP", Depth: 1, Type: "pe", Class: "executable", Size: 2000, Content: "locked", Marked: true},
		},
		FilesLeft: 3, Authenticated: []sluice.Authenticated{{Domain: "example.org", By: "dmarc"}, {Domain: "signer.example", By: "dkim"}},
	}
}

// Sum is the digest of a text.
func Sum(s string) sluice.Digest { return sha256.Sum256([]byte(s)) }

// Quarantined returns a quarantine row with every field set.
func Quarantined(id string, at time.Time) *sluice.Quarantined {
	r := Record(id, at)
	return &sluice.Quarantined{
		ID: id, Tenant: r.Tenant, Envelope: r.Envelope, Conn: r.Conn, Verdict: r.Verdict,
		Stored: at, Expires: at.AddDate(0, 0, 30), Size: 1234, Subject: r.Subject, Released: at.Add(time.Hour),
	}
}

// Equal compares values that went through a store: errors by their text.
var Equal = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b error) bool { return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error() }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func ctx(t *testing.T) context.Context { return t.Context() }

// simple is a record with few fields, an accepted one.
func simple(id string, at time.Time) *sluice.Record {
	return &sluice.Record{ID: id, Tenant: "t", Time: at, Decisions: []sluice.Decision{{Recipient: "x@y", Action: sluice.Accept}}}
}

func add(t *testing.T, s sluice.Store, records ...*sluice.Record) {
	t.Helper()
	for _, r := range records {
		s.Append(r)
	}
	if err := s.Flush(ctx(t)); err != nil {
		t.Fatalf("Flush: %v", err)
	}
}

func ids(t *testing.T, s sluice.Store, q sluice.Query) string {
	t.Helper()
	rs, err := s.Records(ctx(t), q)
	if err != nil {
		t.Fatalf("Records(%+v): %v", q, err)
	}
	var out []string
	for _, r := range rs {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}

func quarantineIDs(t *testing.T, s sluice.Store, q sluice.Query) string {
	t.Helper()
	rs, err := s.Quarantined(ctx(t), q)
	if err != nil {
		t.Fatalf("Quarantined(%+v): %v", q, err)
	}
	var out []string
	for _, r := range rs {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}

func recordRoundTrip(t *testing.T, s sluice.Store) {
	full, empty := Record("full", noon), &sluice.Record{ID: "empty"}
	add(t, s, full, empty)
	for _, want := range []*sluice.Record{full, empty} {
		got, err := s.Record(ctx(t), want.ID)
		if err != nil {
			t.Fatalf("Record(%s): %v", want.ID, err)
		}
		if d := cmp.Diff(want, got, Equal); d != "" {
			t.Errorf("record %s changed (-want +got):\n%s", want.ID, d)
		}
	}
	if got := s.LogStats(); got.Written != 2 || got.Dropped+got.Failed != 0 || got.Queued != 0 {
		t.Errorf("LogStats = %+v, want 2 written", got)
	}
}

func recordHostile(t *testing.T, s sluice.Store) {
	for i, h := range Hostile {
		r := Record(fmt.Sprintf("h%d", i), noon.Add(time.Duration(i)))
		r.Subject, r.MessageID, r.Conn.Hello.Name, r.Conn.Auth = h, h, h, h
		r.Conn.TLS.ServerName = h
		r.Envelope.From, r.Envelope.Rcpts[0].Address = h, h
		r.Envelope.Params[0] = sluice.Param{Key: h, Value: h}
		r.Verdict.Ledger[0].Detail = h
		r.Decisions[0].Recipient, r.Outcomes[0].Recipient = h, h
		r.Files[0].Name, r.Files[1].In = h, h
		r.Outcomes[0].Err, r.Outcomes[0].Reply.Text = errors.New("x"+h), h
		add(t, s, r)
		got, err := s.Record(ctx(t), r.ID)
		if err != nil {
			t.Errorf("%q: %v", h, err)
			continue
		}
		if d := cmp.Diff(r, got, Equal); d != "" {
			t.Errorf("%.40q changed (-want +got):\n%s", h, d)
		}
		q := Quarantined(r.ID, noon)
		q.Subject, q.Envelope, q.Conn = h, r.Envelope, r.Conn
		if err := s.IndexQuarantined(ctx(t), q); err != nil {
			t.Errorf("%.40q: %v", h, err)
			continue
		}
		rows, err := s.Quarantined(ctx(t), sluice.Query{Text: r.ID, Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Errorf("%.40q: %d quarantine rows, %v", h, len(rows), err)
			continue
		}
		if d := cmp.Diff(q, rows[0], Equal); d != "" {
			t.Errorf("%.40q changed in quarantine (-want +got):\n%s", h, d)
		}
		// As a query it matches itself at least, and is no syntax.
		if _, err := s.Records(ctx(t), sluice.Query{Text: h, Tenant: h, File: h}); err != nil {
			t.Errorf("query %.40q: %v", h, err)
		}
		if _, err := s.Record(ctx(t), "no"+h); !errors.Is(err, sluice.ErrNotFound) {
			t.Errorf("Record(no %.40q) = %v, want ErrNotFound", h, err)
		}
	}
}

func recordReplaced(t *testing.T, s sluice.Store) {
	r := simple("a", noon)
	add(t, s, r)
	again := simple("a", noon)
	again.Subject = "second"
	again.Decisions[0].Action = sluice.Reject
	add(t, s, again)
	got, err := s.Record(ctx(t), "a")
	if err != nil || got.Subject != "second" {
		t.Fatalf("Record = %v, %v; want the second", got, err)
	}
	reject, accept := sluice.Reject, sluice.Accept
	if got := ids(t, s, sluice.Query{Action: &reject}); got != "a" {
		t.Errorf("rejected: %q", got)
	}
	if got := ids(t, s, sluice.Query{Action: &accept}); got != "" {
		t.Errorf("accepted: %q, want none", got)
	}
}

func recordWithoutID(t *testing.T, s sluice.Store) {
	s.Append(&sluice.Record{Time: noon})
	s.Append(simple("ok", noon))
	_ = s.Flush(ctx(t)) // may report the bad one
	if got := s.LogStats(); got.Failed != 1 || got.Written != 1 {
		t.Errorf("LogStats = %+v, want 1 failed and 1 written", got)
	}
	if got := ids(t, s, sluice.Query{}); got != "ok" {
		t.Errorf("records %q, want ok", got)
	}
}

func recordsOrderAndPages(t *testing.T, s sluice.Store) {
	// Arrival and time order differ; d, e, f share one instant.
	add(t, s, simple("c", noon.Add(3)), simple("a", noon.Add(1)), simple("d", noon.Add(4)),
		simple("e", noon.Add(4)), simple("b", noon.Add(2)), simple("f", noon.Add(4)))
	if got, want := ids(t, s, sluice.Query{}), "f e d c b a"; got != want {
		t.Errorf("all: %q, want %q", got, want)
	}
	var pages []string
	for before := ""; ; {
		page := ids(t, s, sluice.Query{Before: before, Limit: 2})
		if page == "" {
			break
		}
		pages = append(pages, page)
		before = page[strings.LastIndexByte(page, ' ')+1:]
		// A newer row doesn't disturb paging.
		add(t, s, simple("new"+before, noon.Add(time.Hour)))
	}
	if d := cmp.Diff([]string{"f e", "d c", "b a"}, pages); d != "" {
		t.Errorf("pages (-want +got):\n%s", d)
	}
	if _, err := s.Records(ctx(t), sluice.Query{Before: "nope"}); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("Before an unknown id: %v, want ErrNotFound", err)
	}
}

// recordsRelayed: a Message-ID finds mail that users of ours sent, and no other with the
// same one.
func recordsRelayed(t *testing.T, s sluice.Store) {
	out := func(id, messageID string, outbound bool) *sluice.Record {
		r := simple(id, noon)
		r.MessageID, r.Envelope.Outbound = messageID, outbound
		return r
	}
	add(t, s, out("ours", "<1@a.example>", true), out("theirs", "<1@a.example>", false), out("none", "", true), out("hostile", "<x\xff'\x00>", true))
	for want, id := range map[string]string{"ours": " <1@a.example>\r\n", "hostile": "x\xff'\x00", "": "<2@a.example>"} {
		if got := ids(t, s, sluice.Query{Relayed: id}); got != want {
			t.Errorf("%q finds %q, want %q", id, got, want)
		}
	}
	if got := ids(t, s, sluice.Query{Relayed: "1@a.example", Text: "nobody"}); got != "" {
		t.Errorf("with other words it finds %q", got)
	}
	if got := len(strings.Fields(ids(t, s, sluice.Query{Relayed: "<>"}))); got != 4 {
		t.Errorf("an empty one filters: %d rows, want 4", got)
	}
	replaced := out("ours", "<3@a.example>", true)
	add(t, s, replaced)
	if got := ids(t, s, sluice.Query{Relayed: "1@a.example"}) + ids(t, s, sluice.Query{Relayed: "3@a.example"}); got != "ours" {
		t.Errorf("replaced, it is found as %q", got)
	}
}

func recordsFilters(t *testing.T, s sluice.Store) {
	mixed := simple("mixed", noon)
	mixed.Tenant = "other"
	mixed.Verdict.Threat = sluice.ThreatSpam
	mixed.Decisions = []sluice.Decision{{Recipient: "a@b", Action: sluice.Accept}, {Recipient: "c@d", Action: sluice.QuarantineIt}}
	early := &sluice.Record{ID: "early", Time: noon.Add(-time.Hour), Reply: sluice.Reply{Code: 554}}
	defer1 := &sluice.Record{ID: "later", Time: noon.Add(time.Hour), Reply: sluice.Reply{Code: 451}}
	add(t, s, mixed, early, defer1, simple("fine", noon.Add(1)))
	for _, test := range []struct {
		q    sluice.Query
		want string
	}{
		{sluice.Query{}, "later fine mixed early"},
		{sluice.Query{Tenant: "other"}, "mixed"},
		{sluice.Query{Tenant: "none"}, ""},
		{sluice.Query{Action: new(sluice.Accept)}, "fine mixed"},
		{sluice.Query{Action: new(sluice.QuarantineIt)}, "mixed"},
		{sluice.Query{Action: new(sluice.Reject)}, "early"},
		{sluice.Query{Action: new(sluice.Defer)}, "later"},
		{sluice.Query{Threat: new(sluice.ThreatSpam)}, "mixed"},
		{sluice.Query{Threat: new(sluice.ThreatNone)}, "later fine early"},
		{sluice.Query{Since: noon}, "later fine mixed"},
		{sluice.Query{Until: noon}, "early"},
		{sluice.Query{Since: noon, Until: noon.Add(1)}, "mixed"},
		{sluice.Query{Before: "fine", Action: new(sluice.Reject)}, "early"},
		{sluice.Query{Tenant: "other", Action: new(sluice.Accept), Threat: new(sluice.ThreatSpam), Text: "C@D", Since: noon.Add(-1)}, ""},
	} {
		if got := ids(t, s, test.q); got != test.want {
			t.Errorf("Records(%+v) = %q, want %q", test.q, got, test.want)
		}
	}
}

func recordsText(t *testing.T, s sluice.Store) {
	r := Record("ID-One", noon)
	r.Subject = "Grüße, 100%_off \x00 nul \xff end"
	long := simple("long", noon.Add(1))
	long.Subject = strings.Repeat("x", 10_000) + "tail"
	many := simple("many", noon.Add(2))
	for i := range 5000 {
		many.Envelope.Rcpts = append(many.Envelope.Rcpts, sluice.Recipient{Address: fmt.Sprintf("user%d@example.net", i)})
	}
	refused := simple("refused", noon.Add(3))
	refused.Outcomes = []sluice.Outcome{{Recipient: "stranger@elsewhere.example", Reply: sluice.Reply{Code: 550}}}
	add(t, s, r, long, many, refused)
	for text, want := range map[string]string{
		"id-one":                 "ID-One",
		"  SENDER@example.ORG ":  "ID-One",
		"eve@":                   "ID-One",
		"GRÜSSE":                 "", // folding is by rune, not by expansion
		"GRÜßE":                  "ID-One",
		"100%_OFF":               "ID-One",
		"%":                      "ID-One",
		"_off":                   "ID-One",
		"10__":                   "",
		"\x00 nul":               "ID-One",
		"nul \xff":               "ID-One",
		"user0@example.net":      "many",
		"xxxx":                   "long",
		"stranger@":              "refused",
		"nobody":                 "",
		"' OR 1=1":               "",
		strings.Repeat("x", 400): "long",
	} {
		if got := ids(t, s, sluice.Query{Text: text}); got != want {
			t.Errorf("search %.30q: %q, want %q", text, got, want)
		}
	}
}

func recordsLimit(t *testing.T, s sluice.Store) {
	for i := range 520 {
		s.Append(simple(fmt.Sprintf("r%03d", i), noon.Add(time.Duration(i))))
	}
	add(t, s)
	for limit, want := range map[int]int{0: 50, -1: 50, 1: 1, 500: 500, 501: 500, 1 << 30: 500} {
		rs, err := s.Records(ctx(t), sluice.Query{Limit: limit})
		if err != nil || len(rs) != want {
			t.Errorf("limit %d: %d rows, %v; want %d", limit, len(rs), err, want)
		}
	}
}

func countActions(t *testing.T, s sluice.Store) {
	two := Record("two", noon) // quarantine and reject: counted once, as reject
	add(t, s, simple("a", noon), simple("b", noon.Add(1)), simple("old", noon.Add(-1)), two,
		&sluice.Record{ID: "d", Time: noon, Reply: sluice.Reply{Code: 421}})
	for _, test := range []struct {
		tenant string
		want   map[sluice.Action]int
	}{
		{"", map[sluice.Action]int{sluice.Accept: 2, sluice.Reject: 1, sluice.Defer: 1}},
		{"acme", map[sluice.Action]int{sluice.Reject: 1}},
		{"none", map[sluice.Action]int{}},
	} {
		got, err := s.CountActions(ctx(t), test.tenant, noon)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("tenant %q (-want +got):\n%s", test.tenant, d)
		}
	}
}

func sweep(t *testing.T, s sluice.Store) {
	for i := range 2500 {
		s.Append(simple(fmt.Sprintf("r%04d", i), noon.Add(time.Duration(i)*time.Second)))
	}
	add(t, s)
	n, err := s.Sweep(ctx(t), noon.Add(2400*time.Second))
	if err != nil || n != 2400 {
		t.Fatalf("Sweep = %d, %v; want 2400", n, err)
	}
	if rs, err := s.Records(ctx(t), sluice.Query{Limit: 500}); err != nil || len(rs) != 100 {
		t.Errorf("%d rows left, %v; want 100", len(rs), err)
	}
	if _, err := s.Record(ctx(t), "r2399"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("swept record: %v, want ErrNotFound", err)
	}
	if _, err := s.Record(ctx(t), "r2400"); err != nil {
		t.Errorf("kept record: %v", err)
	}
	if n, err := s.Sweep(ctx(t), noon); n != 0 || err != nil {
		t.Errorf("second Sweep = %d, %v; want 0", n, err)
	}
}

func appendConcurrently(t *testing.T, s sluice.Store) {
	const workers, each = 8, 100
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				s.Append(simple(fmt.Sprintf("w%d-%d", w, i), noon.Add(time.Duration(i))))
				if i%20 == 0 {
					if _, err := s.Records(ctx(t), sluice.Query{Limit: 5}); err != nil {
						t.Errorf("Records: %v", err)
					}
					if err := s.Flush(ctx(t)); err != nil {
						t.Errorf("Flush: %v", err)
					}
					if _, err := s.Record(ctx(t), fmt.Sprintf("w%d-%d", w, i)); err != nil {
						t.Errorf("after Flush: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	add(t, s)
	if got := s.LogStats(); got.Written != workers*each || got.Dropped+got.Failed != 0 {
		t.Errorf("LogStats = %+v, want %d written", got, workers*each)
	}
	got, err := s.CountActions(ctx(t), "", time.Time{})
	if err != nil || got[sluice.Accept] != workers*each {
		t.Errorf("counted %v, %v", got, err)
	}
}

func resultsAreCopies(t *testing.T, s sluice.Store) {
	add(t, s, Record("a", noon))
	got, err := s.Record(ctx(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	got.Subject, got.Decisions[0].Recipient, got.Verdict.Ledger[0].Detail = "x", "x", "x"
	got.Conn.TLS.Cipher, got.Envelope.Rcpts[0].Params[0].Value = "x", "x"
	got.Files[0].Name = "x"
	again, err := s.Record(ctx(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Record("a", noon), again, Equal); d != "" {
		t.Errorf("a reader changed the store (-want +got):\n%s", d)
	}
}

func notFound(t *testing.T, s sluice.Store) {
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, sluice.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
	_, err := s.Record(ctx(t), "x")
	check("Record", err)
	_, err = s.Tenant(ctx(t), "x")
	check("Tenant", err)
	_, err = s.Account(ctx(t), "x")
	check("Account", err)
	_, err = s.FeedbackEntry(ctx(t), 1)
	check("FeedbackEntry", err)
	check("Unindex", s.Unindex(ctx(t), "x"))
	_, err = s.Quarantined(ctx(t), sluice.Query{Before: "x"})
	check("Quarantined", err)
	if rs, err := s.Records(ctx(t), sluice.Query{}); len(rs) != 0 || err != nil {
		t.Errorf("Records = %v, %v; want none", rs, err)
	}
	if n, err := s.CountAccounts(ctx(t)); n != 0 || err != nil {
		t.Errorf("CountAccounts = %d, %v", n, err)
	}
}

func index(t *testing.T, s sluice.Store, qs ...*sluice.Quarantined) {
	t.Helper()
	for _, q := range qs {
		if err := s.IndexQuarantined(ctx(t), q); err != nil {
			t.Fatalf("IndexQuarantined(%s): %v", q.ID, err)
		}
	}
}

func quarantineRoundTrip(t *testing.T, s sluice.Store) {
	want := Quarantined("a", noon)
	index(t, s, want)
	got, err := s.Quarantined(ctx(t), sluice.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]*sluice.Quarantined{want}, got, Equal); d != "" {
		t.Errorf("changed (-want +got):\n%s", d)
	}
	pending := Quarantined("p", noon)
	pending.Pending = true
	index(t, s, pending)
	if got := quarantineIDs(t, s, sluice.Query{}); got != "a" {
		t.Errorf("without pending: %q", got)
	}
	if got := quarantineIDs(t, s, sluice.Query{Pending: true}); got != "p a" {
		t.Errorf("with pending: %q", got)
	}
	pending.Pending = false
	index(t, s, pending)
	if got := quarantineIDs(t, s, sluice.Query{}); got != "p a" {
		t.Errorf("after commit: %q", got)
	}
	if err := s.Unindex(ctx(t), "p"); err != nil {
		t.Fatal(err)
	}
	if got := quarantineIDs(t, s, sluice.Query{Pending: true}); got != "a" {
		t.Errorf("after Unindex: %q", got)
	}
	if err := s.IndexQuarantined(ctx(t), &sluice.Quarantined{}); err == nil {
		t.Error("a row without an id was taken")
	}
}

func quarantinePages(t *testing.T, s sluice.Store) {
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		q := Quarantined(id, noon.Add(time.Duration(i/2)))
		if id == "c" {
			q.Tenant, q.Subject, q.Verdict.Threat = "other", "Lottery", sluice.ThreatScam
		}
		index(t, s, q)
	}
	for _, test := range []struct {
		q    sluice.Query
		want string
	}{
		{sluice.Query{}, "e d c b a"},
		{sluice.Query{Limit: 2}, "e d"},
		{sluice.Query{Limit: 2, Before: "d"}, "c b"},
		{sluice.Query{Limit: 2, Before: "b"}, "a"},
		{sluice.Query{Before: "a"}, ""},
		{sluice.Query{Tenant: "other"}, "c"},
		{sluice.Query{Text: "LOTT"}, "c"},
		{sluice.Query{Threat: new(sluice.ThreatScam)}, "c"},
		{sluice.Query{Since: noon.Add(1), Until: noon.Add(2)}, "d c"},
	} {
		if got := quarantineIDs(t, s, test.q); got != test.want {
			t.Errorf("Quarantined(%+v) = %q, want %q", test.q, got, test.want)
		}
	}
}

// all returns an each function that yields the ids' rows.
func all(ids ...string) func(func(*sluice.Quarantined) error) error {
	return func(yield func(*sluice.Quarantined) error) error {
		for _, id := range ids {
			if err := yield(Quarantined(id, noon)); err != nil {
				return err
			}
		}
		return nil
	}
}

func replaceIndex(t *testing.T, s sluice.Store) {
	index(t, s, Quarantined("gone", noon), Quarantined("a", noon.Add(-time.Hour)))
	if err := s.ReplaceIndex(ctx(t), all("a", "b", "b")); err != nil {
		t.Fatal(err)
	}
	if got := quarantineIDs(t, s, sluice.Query{}); got != "b a" && got != "a b" {
		t.Errorf("after: %q, want a and b", got)
	}
	if err := s.ReplaceIndex(ctx(t), all()); err != nil {
		t.Fatal(err)
	}
	if got := quarantineIDs(t, s, sluice.Query{}); got != "" {
		t.Errorf("after an empty one: %q", got)
	}
	var many []string
	for i := range 450 {
		many = append(many, fmt.Sprintf("m%d", i))
	}
	if err := s.ReplaceIndex(ctx(t), all(many...)); err != nil {
		t.Fatal(err)
	}
	if rows, err := s.Quarantined(ctx(t), sluice.Query{Limit: 500}); len(rows) != 450 || err != nil {
		t.Errorf("%d rows, %v; want 450", len(rows), err)
	}
}

func replaceIndexFails(t *testing.T, s sluice.Store) {
	index(t, s, Quarantined("old", noon))
	broken := errors.New("unreadable")
	err := s.ReplaceIndex(ctx(t), func(yield func(*sluice.Quarantined) error) error {
		for i := range 150 {
			if err := yield(Quarantined(fmt.Sprint(i), noon)); err != nil {
				return err
			}
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("ReplaceIndex = %v, want the walk's error", err)
	}
	if got := quarantineIDs(t, s, sluice.Query{}); got != "old" {
		t.Errorf("after a failure: %q, want old", got)
	}
	if err := s.ReplaceIndex(ctx(t), all("new")); err != nil {
		t.Fatal(err)
	}
	if got := quarantineIDs(t, s, sluice.Query{}); got != "new" {
		t.Errorf("after the next: %q, want new", got)
	}
}

// replaceIndexMeanwhile changes the index while it is rebuilt.
func replaceIndexMeanwhile(t *testing.T, s sluice.Store) {
	index(t, s, Quarantined("old", noon), Quarantined("deleted", noon), Quarantined("released", noon))
	err := s.ReplaceIndex(ctx(t), func(yield func(*sluice.Quarantined) error) error {
		for _, id := range []string{"deleted", "released", "found"} {
			if err := yield(Quarantined(id, noon)); err != nil {
				return err
			}
		}
		if got := quarantineIDs(t, s, sluice.Query{Text: "old"}); got != "old" {
			t.Errorf("during the rebuild: %q, want the old index", got)
		}
		released := Quarantined("released", noon)
		released.Subject = "newer"
		index(t, s, released, Quarantined("arrived", noon.Add(1)))
		return s.Unindex(ctx(t), "deleted")
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"arrived": true, "released": true, "found": true, "deleted": false, "old": false} {
		if got := quarantineIDs(t, s, sluice.Query{Text: id}) == id; got != want {
			t.Errorf("%s in the index: %v, want %v", id, got, want)
		}
	}
	if got := quarantineIDs(t, s, sluice.Query{Text: "newer"}); got != "released" {
		t.Errorf("the newer row lost: %q", got)
	}
}

func tenants(t *testing.T, s sluice.Store) {
	b := &sluice.Tenant{ID: "b", Name: "Be \x00 \xff", Domains: []string{"b.example", "ß.example", "\xff"}}
	a := &sluice.Tenant{ID: "a"}
	for _, x := range []*sluice.Tenant{b, a, {ID: "c", Name: "old"}, {ID: "c", Name: "new"}} {
		if err := s.PutTenant(ctx(t), x); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.ListTenants(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]*sluice.Tenant{a, b, {ID: "c", Name: "new"}}, got); d != "" {
		t.Errorf("ListTenants (-want +got):\n%s", d)
	}
	one, err := s.Tenant(ctx(t), "b")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, one); d != "" {
		t.Errorf("Tenant (-want +got):\n%s", d)
	}
}

func accounts(t *testing.T, s sluice.Store) {
	for _, a := range []sluice.Account{
		{Name: "admin", Password: "h1", Created: noon}, {Name: "Admin", Password: "h2"}, {Name: "admin", Password: "h3", Created: noon},
	} {
		if err := s.PutAccount(ctx(t), &a); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Account(ctx(t), "admin")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&sluice.Account{Name: "admin", Password: "h3", Created: noon}, got); d != "" {
		t.Errorf("Account (-want +got):\n%s", d)
	}
	if n, err := s.CountAccounts(ctx(t)); n != 2 || err != nil {
		t.Errorf("CountAccounts = %d, %v; want 2: names differ by case", n, err)
	}
}

// cancelledContext: a caller that is gone neither blocks nor breaks the store.
func cancelledContext(t *testing.T, s sluice.Store) {
	gone, cancel := context.WithCancel(ctx(t))
	cancel()
	_ = s.IndexQuarantined(gone, Quarantined("x", noon)) // either way is right
	_ = s.Flush(gone)
	add(t, s, simple("a", noon))
	index(t, s, Quarantined("y", noon))
	if got := ids(t, s, sluice.Query{}); got != "a" {
		t.Errorf("records %q, want a", got)
	}
}

func afterClose(t *testing.T, s sluice.Store) {
	add(t, s, simple("a", noon))
	s.Append(simple("queued", noon))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.LogStats(); got.Written != 2 {
		t.Errorf("LogStats = %+v: Close must write what is queued", got)
	}
	s.Append(simple("late", noon))
	if got := s.LogStats(); got.Dropped != 1 {
		t.Errorf("LogStats = %+v, want the late one counted as dropped", got)
	}
}
