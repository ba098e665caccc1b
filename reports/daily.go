package reports

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"sluice"
	"sluice/mailauth/report"
)

const (
	day = 24 * time.Hour
	// standing is over which time a domain's messages make it known.
	standing = 30 * day
	// tooLate is when a report isn't news any more.
	tooLate = 3 * day
	// again is when what failed for the moment is tried again.
	again = time.Hour
	// maxDue bounds the domains of one run; the rest follows in the next.
	maxDue = 10_000
)

// days sends the reports of the day before, every day some time after midnight
// UTC, and at the start those that are due.
func (r *Reporter) days(ctx context.Context) {
	for {
		now := time.Now()
		next := midnight(now).Add(r.cfg.Delay)
		if !now.Before(next) {
			next = next.Add(day)
			if left := r.settleAll(ctx, now); left > 0 {
				next = earlier(next, time.Now().Add(again))
			}
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// settleAll decides on all days that are over, and says how many had to wait.
func (r *Reporter) settleAll(ctx context.Context, now time.Time) (left int) {
	today := midnight(now)
	sent, err := r.cfg.Store.SentReports(ctx, today, false, r.cfg.MaxPerDay)
	if err != nil {
		r.cfg.Log.Error("reports: what was sent today isn't known, so nothing is", "error", err)
		return 1
	}
	due, err := r.cfg.Store.DueDMARC(ctx, today, maxDue)
	if err != nil {
		r.cfg.Log.Error("reports: what is due isn't known", "error", err)
		return 1
	}
	if len(due) == maxDue {
		left++
	}
	room := r.cfg.MaxPerDay - len(sent)
	for _, d := range due {
		if ctx.Err() != nil {
			return left
		}
		s, err := r.settle(ctx, d, now, room > 0)
		switch {
		case err != nil:
			left++
			r.cfg.Log.Warn("reports: a domain's report waits", "domain", d.Domain, "day", d.Day.Format(time.DateOnly), "error", err)
		case len(s.To) > 0:
			room--
			r.sent.Add(1)
			r.cfg.Log.Info("reports: sent", "domain", s.Domain, "day", d.Day.Format(time.DateOnly), "to", s.To, "messages", s.Messages,
				"rows", s.Rows, "bytes", s.Size, "id", s.ID)
		}
	}
	return left
}

// settle decides on one domain's day: it sends the report, or says why not. An
// error leaves the day as it is.
func (r *Reporter) settle(ctx context.Context, d sluice.DMARCDay, now time.Time, room bool) (*sluice.SentReport, error) {
	s := &sluice.SentReport{Day: d.Day, Domain: d.Domain, Time: now, Messages: d.Messages}
	d2, err := r.delivery(ctx, d, s, now, room)
	if err != nil {
		return nil, err
	}
	if d2 != nil {
		// The note follows the outbox: a crash in between sends the report twice,
		// with one id. The other order could lose it.
		if err := r.cfg.Outbox.Put(ctx, d2); err != nil {
			return nil, err
		}
	}
	if err := r.cfg.Store.SettleDMARC(ctx, s); err != nil {
		return nil, err
	}
	return s, nil
}

// delivery makes the message for a domain's day and completes s; nil where there
// is none to send, s.Why says why.
func (r *Reporter) delivery(ctx context.Context, d sluice.DMARCDay, s *sluice.SentReport, now time.Time, room bool) (*sluice.Delivery, error) {
	if midnight(now).Sub(d.Day) > tooLate {
		s.Why = "too late: nobody could be asked, or the gateway was off"
		return nil, nil
	}
	passed, err := r.cfg.Store.PassedDMARC(ctx, d.Domain, d.Day.Add(day-standing))
	if err != nil {
		return nil, err
	}
	if passed < r.cfg.MinPassed {
		s.Why = fmt.Sprintf("not known well enough: %d accepted messages with a DMARC pass in 30 days, %d are needed", passed, r.cfg.MinPassed)
		return nil, nil
	}
	if !room {
		s.Why = fmt.Sprintf("over the limit of %d reports a day", r.cfg.MaxPerDay)
		return nil, nil
	}
	to, why, err := r.destinations(ctx, d.Domain)
	if err != nil {
		return nil, err
	}
	if len(to) == 0 {
		s.Why = why
		return nil, nil
	}
	rows, err := r.cfg.Store.DMARCRows(ctx, d.Day, d.Domain, r.cfg.MaxRows)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		s.Why = "no rows are left to report"
		return nil, nil
	}
	a := r.aggregate(d, rows)
	file, err := r.compress(d, a)
	if err != nil {
		return nil, err
	}
	s.To, s.ID, s.Rows, s.Size = to, a.ID, len(a.Records), len(file)
	return r.mail(a, file, to, now)
}

// reportID names the report of a domain's day: always the same, so that a report
// which is sent twice can be told.
func (r *Reporter) reportID(d sluice.DMARCDay) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d", r.cfg.Hostname, r.cfg.From, d.Domain, d.Day.Unix()))
	return hex.EncodeToString(sum[:12]) + "@" + r.cfg.Hostname
}

func (r *Reporter) aggregate(d sluice.DMARCDay, rows []sluice.DMARCRow) *report.Aggregate {
	a := &report.Aggregate{Org: r.cfg.OrgName, Email: r.cfg.From, ExtraContact: r.cfg.Contact, ID: r.reportID(d),
		Begin: d.Day, End: d.Day.Add(day - time.Second), Generator: "Sluice"}
	// The policy may have changed during the day: the one that covers most counts.
	policies, best := map[sluice.DMARCPolicy]int{}, rows[0].Policy
	for i := range rows {
		p := rows[i].Policy
		if policies[p] += rows[i].Count; policies[p] > policies[best] {
			best = p
		}
		a.Records = append(a.Records, record(&rows[i]))
	}
	if len(policies) > 1 {
		a.Errors = append(a.Errors, "the policy changed during the day")
	}
	a.Policy = report.Published{Domain: d.Domain, P: best.P, SP: best.SP, NP: best.NP, ADKIM: best.ADKIM, ASPF: best.ASPF, FO: best.FO,
		Testing: best.Testing, Discovery: "treewalk"}
	return a
}

func record(r *sluice.DMARCRow) report.Record {
	out := report.Record{Source: r.Source, Count: r.Count, Disposition: r.Disposition, DKIM: r.DKIM, SPF: r.SPF,
		HeaderFrom: r.HeaderFrom, EnvelopeFrom: r.EnvelopeFrom}
	for _, x := range r.Reasons {
		out.Overrides = append(out.Overrides, report.Override(x))
	}
	for _, x := range r.Signatures {
		out.AuthDKIM = append(out.AuthDKIM, report.AuthDKIM{Domain: x.Domain, Selector: x.Selector, Result: x.Result})
	}
	if r.SPFDomain != "" {
		out.AuthSPF = []report.AuthSPF{{Domain: r.SPFDomain, Scope: "mfrom", Result: r.SPFResult}}
	}
	return out
}

// compress writes the report, with fewer rows where it is too large.
func (r *Reporter) compress(d sluice.DMARCDay, a *report.Aggregate) ([]byte, error) {
	errs := a.Errors
	for {
		if missing := d.Messages - a.Total(); missing > 0 {
			a.Errors = append(errs[:len(errs):len(errs)], fmt.Sprintf("%d messages are left out: too many different ones", missing))
		}
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		if err := cmp.Or(report.WriteAggregate(z, a), z.Close()); err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		if b.Len() <= r.cfg.MaxBytes {
			return b.Bytes(), nil
		}
		if len(a.Records) == 1 {
			return nil, fmt.Errorf("reports: one row takes more than %d octets", r.cfg.MaxBytes)
		}
		a.Records = a.Records[:len(a.Records)/2] // the largest counts stand first
	}
}
