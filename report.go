package sluice

import (
	"context"
	"net/netip"
	"time"
)

// DMARCRow counts the messages of one day that share source, identities and
// results: one record of the aggregate report that a domain's owner asked for
// (RFC 9990 3.1.1.4). Words are those of that format.
type DMARCRow struct {
	Day          time.Time // its midnight in UTC
	Domain       string    // that publishes the policy, in A-labels
	Policy       DMARCPolicy
	Source       netip.Addr
	HeaderFrom   string
	EnvelopeFrom string // domain of the reverse path, "" for the null sender
	Disposition  string // none, pass, quarantine, reject
	DKIM, SPF    string // pass, fail: authenticated and aligned
	Reasons      []DMARCReason
	Signatures   []DMARCSignature
	SPFDomain    string // "" where SPF wasn't asked
	SPFResult    string
	Count        int
	Passed       int // of Count: accepted, with a passing DMARC
}

// DMARCPolicy is a policy as published.
type DMARCPolicy struct {
	P, SP, NP   string // none, quarantine, reject
	ADKIM, ASPF string // r, s
	FO          string
	Testing     string // y, n
}

// DMARCReason says why a message wasn't treated as the policy asks.
type DMARCReason struct {
	Type    string // local_policy, mailing_list, other, policy_test_mode, trusted_forwarder
	Comment string
}

// DMARCSignature is the result of one DKIM signature.
type DMARCSignature struct {
	Domain, Selector, Result string
}

// DMARCDay sums up what came in of one policy domain on one day.
type DMARCDay struct {
	Day      time.Time
	Domain   string
	Messages int
	Passed   int // accepted, with a passing DMARC
	Lost     int // messages beyond the rows that are kept
}

// SentReport says what became of a domain's report for a day.
type SentReport struct {
	Day      time.Time
	Domain   string
	ID       string    // the Report-ID
	Time     time.Time // when this was decided
	To       []string  // empty: not sent
	Why      string    // why not
	Messages int
	Rows     int
	Size     int // octets, compressed
}

// ReceivedReport is a report that somebody sent us about mail of our domains.
// All strings are hostile.
type ReceivedReport struct {
	ID      string // the carrying message's, and a number
	Tenant  string
	Time    time.Time // of arrival
	Kind    string    // "dmarc", "tls", "failure", "abuse"; "unreadable" with Problem
	Sender  string    // reverse path of the carrying message
	Author  string    // its author's domain
	Proven  bool      // that domain was authenticated (DMARC pass)
	Org     string    // who reports, by its own word
	Domain  string    // that the report is about
	Report  string    // the reporter's id for it
	Begin   time.Time
	End     time.Time
	Pass    int // messages or, for TLS, sessions
	Fail    int
	Sources []ReportSource // largest first; some only
	Of      int            // number of all sources
	Detail  string         // of feedback: its type and the subject that it is about
	Problem string         // what could not be read
}

// ReportSource counts what came from one address.
type ReportSource struct {
	Addr       netip.Addr // invalid where the report names none
	Pass, Fail int
}

// Reports keeps what goes into reports, and the reports that came.
type Reports interface {
	// CountDMARC adds to the rows of their days. At most rows different ones are
	// kept for a domain and day; of those beyond, and of days settled already,
	// only sums are kept.
	CountDMARC(ctx context.Context, list []DMARCRow, rows int) error
	// DueDMARC lists up to limit days before t that aren't settled: oldest day
	// first, then by number of messages, largest first.
	DueDMARC(ctx context.Context, t time.Time, limit int) ([]DMARCDay, error)
	// DMARCRows returns a day's rows, largest count first.
	DMARCRows(ctx context.Context, day time.Time, domain string, limit int) ([]DMARCRow, error)
	// PassedDMARC sums up DMARCDay.Passed of a domain for days since t.
	PassedDMARC(ctx context.Context, domain string, t time.Time) (int, error)
	// SettleDMARC notes what became of a report, durably if it was sent, and lets
	// its rows go.
	SettleDMARC(ctx context.Context, r *SentReport) error
	// SentReports lists decisions since t, newest first; all includes reports
	// that were not sent.
	SentReports(ctx context.Context, t time.Time, all bool, limit int) ([]*SentReport, error)
	// PutReport adds or replaces a received report.
	PutReport(ctx context.Context, r *ReceivedReport) error
	// ReceivedReports yields a page, newest first; of the query, action and threat
	// don't count.
	ReceivedReports(ctx context.Context, q Query) ([]*ReceivedReport, error)
	// SweepReports deletes what is older than t and says how many days, decisions
	// and received reports.
	SweepReports(ctx context.Context, t time.Time) (int, error)
}
