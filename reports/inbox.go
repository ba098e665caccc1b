package reports

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/gate"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/report"
	"sluice/message"
)

// Bounds on what waits to be read, and on what is kept of it.
const (
	maxMessage = 25 << 20 // octets of one message
	maxWaiting = 64 << 20 // of all that wait
	maxQueue   = 256      // messages that wait
	maxSources = 50       // addresses that a row keeps
	maxText    = 300      // octets of one text
)

// inbox holds copies of messages until they are read.
type inbox struct {
	addresses map[string]bool // lower case
	queue     chan *letter
	bytes     atomic.Int64
}

// letter is a message that may hold reports.
type letter struct {
	raw            []byte
	id, tenant     string
	at             time.Time
	sender, author string
	proven         bool
}

func newInbox(addresses []string) *inbox {
	b := &inbox{addresses: map[string]bool{}, queue: make(chan *letter, maxQueue)}
	for _, a := range addresses {
		b.addresses[strings.ToLower(a)] = true
	}
	return b
}

// collect copies a message that was accepted for the inbox. It never waits.
func (r *Reporter) collect(o *gate.Observation) {
	b := r.inbox
	if len(b.addresses) == 0 || !o.Reply.Positive() || o.Action >= sluice.QuarantineIt ||
		!slices.ContainsFunc(o.Envelope.Rcpts, func(rc sluice.Recipient) bool { return b.addresses[strings.ToLower(rc.Address)] }) {
		return
	}
	n := int64(len(o.Message.Raw))
	if n > maxMessage || b.bytes.Add(n) > maxWaiting {
		if n <= maxMessage {
			b.bytes.Add(-n)
		}
		r.skipped.Add(1)
		return
	}
	l := &letter{raw: bytes.Clone(o.Message.Raw), id: o.Envelope.ID, tenant: o.Envelope.Tenant, at: o.Envelope.Received, sender: o.Envelope.From}
	if d := o.Auth.Known().DMARC; d != nil {
		l.author, l.proven = d.Domain, d.Value == dmarc.Pass
	} else if o.Auth.InTransaction() {
		l.author = o.Auth.Author(o.Message).Domain
	}
	select {
	case b.queue <- l:
	default:
		b.bytes.Add(-n)
		r.skipped.Add(1)
	}
}

// read reads what waits, one message at a time.
func (r *Reporter) read(ctx context.Context) {
	for {
		select {
		case l := <-r.inbox.queue:
			r.keep(ctx, l)
			r.inbox.bytes.Add(-int64(len(l.raw)))
		case <-ctx.Done():
			return
		}
	}
}

// keep reads one message and stores the reports in it; what can't be read is
// stored as that, so that an admin sees it.
func (r *Reporter) keep(ctx context.Context, l *letter) {
	list := r.parse(l)
	for i, x := range list {
		x.ID, x.Tenant, x.Time, x.Sender, x.Author, x.Proven = fmt.Sprintf("%s-%d", l.id, i+1), l.tenant, l.at, l.sender, l.author, l.proven
		for _, s := range []*string{&x.Sender, &x.Author, &x.Org, &x.Domain, &x.Report, &x.Detail, &x.Problem} {
			*s = cut(*s)
		}
		if x.Kind == unreadable {
			r.unreadable.Add(1)
		} else {
			r.received.Add(1)
		}
		if err := r.cfg.Store.PutReport(ctx, x); err != nil {
			r.cfg.Log.Error("reports: a received report can't be stored", "id", x.ID, "error", err)
		}
	}
}

const unreadable = "unreadable"

// parse reads the reports of a message. There is always at least one row.
func (r *Reporter) parse(l *letter) (out []*sluice.ReceivedReport) {
	defer func() {
		if len(out) == 0 { // also after a panic
			out = []*sluice.ReceivedReport{{Kind: unreadable, Problem: "the message could not be read"}}
		}
	}()
	defer r.barrier("while reading a report")
	m := message.Parse(l.raw, message.DefaultLimits())
	found, err := report.FromMessage(m, report.DefaultLimits())
	for i := range found {
		switch f := &found[i]; {
		case f.Aggregate != nil:
			out = append(out, ofAggregate(f.Aggregate))
		case f.TLS != nil:
			out = append(out, ofTLS(f.TLS))
		case f.Feedback != nil:
			out = append(out, ofFeedback(f.Feedback))
		}
	}
	switch {
	case err != nil:
		out = append(out, &sluice.ReceivedReport{Kind: unreadable, Problem: err.Error(), Detail: m.View().Subject})
	case len(out) == 0:
		out = append(out, &sluice.ReceivedReport{Kind: unreadable, Problem: "no report in the message", Detail: m.View().Subject})
	}
	return out
}

// sources sums up by address.
type sources map[netip.Addr]*sluice.ReportSource

func (s sources) add(a netip.Addr, pass, fail int) {
	x := s[a]
	if x == nil {
		x = &sluice.ReportSource{Addr: a}
		s[a] = x
	}
	x.Pass, x.Fail = sum(x.Pass, pass), sum(x.Fail, fail)
}

// into fills in the largest.
func (s sources) into(r *sluice.ReceivedReport) {
	for _, x := range s {
		r.Sources = append(r.Sources, *x)
		r.Pass, r.Fail = sum(r.Pass, x.Pass), sum(r.Fail, x.Fail)
	}
	slices.SortFunc(r.Sources, func(a, b sluice.ReportSource) int {
		return cmp.Or(cmp.Compare(sum(b.Pass, b.Fail), sum(a.Pass, a.Fail)), a.Addr.Compare(b.Addr))
	})
	r.Of = len(r.Sources)
	r.Sources = slices.Clip(r.Sources[:min(len(r.Sources), maxSources)])
}

// sum adds counts that a stranger wrote: never below zero, never around.
func sum(a, b int) int {
	a, b = max(a, 0), max(b, 0)
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

func ofAggregate(a *report.Aggregate) *sluice.ReceivedReport {
	out := &sluice.ReceivedReport{Kind: "dmarc", Org: cmp.Or(strings.TrimSpace(a.Org), a.Email), Domain: a.Policy.Domain, Report: a.ID, Begin: a.Begin, End: a.End,
		Problem: strings.Join(a.Problems, "; ")}
	by := sources{}
	for i := range a.Records {
		if r := &a.Records[i]; r.DKIM == "pass" || r.SPF == "pass" {
			by.add(r.Source, r.Count, 0)
		} else {
			by.add(r.Source, 0, r.Count)
		}
	}
	by.into(out)
	return out
}

func ofTLS(t *report.TLS) *sluice.ReceivedReport {
	out := &sluice.ReceivedReport{Kind: "tls", Org: t.Org, Report: t.ID, Begin: t.Begin, End: t.End}
	by := sources{}
	var kinds []string
	for i := range t.Policies {
		p := &t.Policies[i]
		out.Domain = cmp.Or(out.Domain, p.Domain)
		out.Pass, out.Fail = sum(out.Pass, p.Success), sum(out.Fail, p.Failure)
		for _, f := range p.Failures {
			by.add(f.SendingIP, 0, f.Count)
			if len(kinds) < 10 && !slices.Contains(kinds, f.Result) {
				kinds = append(kinds, f.Result)
			}
		}
	}
	pass, fail := out.Pass, out.Fail
	by.into(out)
	out.Pass, out.Fail = pass, fail // the summary counts, not its details
	out.Detail = strings.Join(kinds, ", ")
	return out
}

func ofFeedback(f *report.Feedback) *sluice.ReceivedReport {
	out := &sluice.ReceivedReport{Kind: "abuse", Org: cmp.Or(f.MTA, f.UserAgent), Report: f.EnvelopeID, Begin: f.Arrival, End: f.Arrival}
	detail := f.Type
	if f.Type == "auth-failure" {
		out.Kind, detail = "failure", f.AuthFailure
	}
	if len(f.Domains) > 0 {
		out.Domain = f.Domains[0]
	} else {
		out.Domain = cmp.Or(f.DKIMDomain, sluice.DomainOf(strings.Trim(f.MailFrom, "<> ")))
	}
	by := sources{}
	by.add(f.SourceIP, 0, max(f.Incidents, 1))
	by.into(out)
	out.Detail = strings.Trim(detail+": "+f.Subject, ": ")
	return out
}

// cut bounds a text. A rune that is cut in half is shown as such.
func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}
