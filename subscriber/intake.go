package subscriber

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sluice/subscriber/signal"
)

// Report is what somebody outside says of mail of ours, already read and taken apart by
// whoever knows its format.
type Report struct {
	Kind     signal.Kind // AbuseReport, FeedReport, DMARCFail, AddressList or NotSpam
	Reporter string      // the domain that was authenticated, or the name of a feed of the configuration
	Proven   bool        // the reporter is who it says: DMARC passed, or the feed's key
	// What it is about: mail by our ID (of a trace header whose seal holds) or by its
	// Message-ID; or, in feeds, a client at a time.
	ID, MessageID string
	Client        netip.Addr
	At            time.Time
	Detail        string // hostile
}

// Relayed knows what mail we sent on.
type Relayed interface {
	// Mail finds who sent mail that we relayed, by our ID or the Message-ID (either may
	// be empty; where both are known they must agree).
	Mail(ctx context.Context, id, messageID string) (Trace, bool, error)
	// Line finds who used an address of ours at about a time, from mail that we relayed.
	Line(ctx context.Context, client netip.Addr, at time.Time) (Trace, bool, error)
}

// Counted is what became of a report.
type Counted string

// What becomes of reports. Only the first one counts.
const (
	ReportCounted   Counted = "counted"
	ReportUnproven  Counted = "nobody proved to be the reporter"
	ReportForeign   Counted = "not about mail that we relayed"
	ReportDuplicate Counted = "told before"
	ReportTooMany   Counted = "this reporter has said enough of this subscriber today"
	ReportTooOld    Counted = "older than two weeks"
	ReportUnfit     Counted = "not of a kind that reports can be"
)

// reported is a report's, or a reporter's and subject's, place in the memory of reports.
type reported key

// tally counts them on a day, since 1970.
type tally struct {
	day int32
	n   uint16
}

// reportsFor is for how many days the same report doesn't count again.
const reportsFor = 7

// oldest is the age of mail or of an event that a report may be about.
const oldest = 14 * 24 * time.Hour

// Report takes a report in. It says what became of it; the error is of the directory or
// of Relayed, and means that the report may be offered again.
func (w *Warden) Report(ctx context.Context, now time.Time, r Report) (Counted, error) {
	c, err := w.report(ctx, now, r)
	if c == ReportCounted {
		w.counts.reports.Add(1)
	} else {
		w.counts.reportsRefused.Add(1)
	}
	return c, err
}

func (w *Warden) report(ctx context.Context, now time.Time, r Report) (Counted, error) {
	reporter := strings.ToLower(r.Reporter)
	switch {
	case r.Kind <= signal.None || r.Kind >= signal.Kinds || w.cfg.Weights.Kinds[r.Kind].Group != signal.Outside:
		return ReportUnfit, nil
	case !r.Proven || reporter == "":
		return ReportUnproven, nil
	case w.cfg.Relayed == nil:
		return ReportForeign, nil
	case !r.At.IsZero() && now.Sub(r.At) > oldest:
		return ReportTooOld, nil
	}
	// What it is about, in its own words: repeating them costs no look-up.
	about := r.ID + "\x00" + r.MessageID
	if r.ID == "" && r.MessageID == "" {
		about = r.Client.String() + "\x00" + r.At.UTC().Format(time.DateOnly)
	}
	this := reported(w.hash("report", fmt.Sprintf("%d\x00%s\x00%s", r.Kind, reporter, about)))
	today := int32(now.Unix() / 86400)
	if t, ok := w.told.Get(this); ok && today-t.day < reportsFor && t.n > 0 {
		return ReportDuplicate, nil
	}
	var trace Trace
	var ok bool
	var err error
	if r.ID != "" || r.MessageID != "" {
		trace, ok, err = w.cfg.Relayed.Mail(ctx, r.ID, r.MessageID)
	} else if r.Client.IsValid() && !r.At.IsZero() {
		trace, ok, err = w.cfg.Relayed.Line(ctx, r.Client, r.At)
	}
	switch {
	case err != nil:
		return ReportForeign, fmt.Errorf("subscriber: report: %w", err)
	case !ok:
		return ReportForeign, nil
	case !trace.Time.IsZero() && now.Sub(trace.Time) > oldest:
		return ReportTooOld, nil
	}
	s, ok, err := w.find(ctx, trace)
	if err != nil {
		return ReportForeign, fmt.Errorf("subscriber: report: %w", err)
	}
	if !ok {
		return ReportForeign, nil
	}
	pair := reported(w.hash("pair", reporter+"\x00"+s.Key))
	if !w.once(pair, now, today, w.cfg.ReportsPerDay) {
		return ReportTooMany, nil
	}
	if !w.once(this, now, today, 1) {
		return ReportDuplicate, nil // another one was quicker
	}
	w.Signal(ctx, now, &s, signal.Signal{Kind: r.Kind, Source: reporter, Detail: reporter + ": " + r.Detail, ID: r.ID})
	return ReportCounted, nil
}

// once counts up to most on a day, and says whether there was room.
func (w *Warden) once(k reported, now time.Time, today int32, most int) (ok bool) {
	w.told.Update(k, now, func(t *tally) {
		if t.day != today {
			*t = tally{day: today}
		}
		if ok = int(t.n) < most; ok {
			t.n++
		}
	})
	return ok
}

// find is the subject behind a trace, listed or not.
func (w *Warden) find(ctx context.Context, t Trace) (Subject, bool, error) {
	if w.cfg.Directory != nil {
		if s, ok, err := w.cfg.Directory.Find(ctx, t); ok || err != nil {
			return s, ok, err
		}
	}
	s, ok := Unlisted(t)
	return s, ok, nil
}
