package reports

import (
	"context"
	"sync"
	"time"

	"sluice"
)

// Counting costs the port a look at a map: rows wait in memory and are written
// some seconds later. A crash loses these seconds of statistics.
const (
	maxPending   = 20_000 // kinds of rows that wait
	flushEvery   = 10 * time.Second
	flushTimeout = 30 * time.Second
	// maxDayRows is how many kinds of rows the store keeps of a domain's day. It
	// is above what a report may hold, so that the report has the largest of many.
	maxDayRows = 20_000
)

// tally holds rows by kind.
type tally struct {
	most int
	mu   sync.Mutex
	rows map[kind]*sluice.DMARCRow
}

// kind is what rows have in common that count the same.
type kind string

// add counts a message, or says false where no further kind fits.
func (t *tally) add(row sluice.DMARCRow) bool {
	k := kindOf(&row)
	t.mu.Lock()
	defer t.mu.Unlock()
	if have := t.rows[k]; have != nil {
		have.Count += row.Count
		have.Passed += row.Passed
		return true
	}
	if len(t.rows) >= t.most {
		return false
	}
	if t.rows == nil {
		t.rows = map[kind]*sluice.DMARCRow{}
	}
	t.rows[k] = &row
	return true
}

// kindOf joins all fields by octets that none of them can hold: they are domain
// names and words of ours.
func kindOf(r *sluice.DMARCRow) kind {
	b := make([]byte, 0, 256)
	field := func(s string) { b = append(append(b, s...), 0) }
	b = r.Day.AppendFormat(b, time.DateOnly)
	b = r.Source.AppendTo(append(b, 0))
	p := r.Policy
	for _, s := range [...]string{"", r.Domain, p.P, p.SP, p.NP, p.ADKIM, p.ASPF, p.FO, p.Testing, r.HeaderFrom, r.EnvelopeFrom,
		r.Disposition, r.DKIM, r.SPF, r.SPFDomain, r.SPFResult} {
		field(s)
	}
	for _, s := range r.Signatures {
		field(s.Domain)
		field(s.Selector)
		field(s.Result)
	}
	b = append(b, 1)
	for _, x := range r.Reasons {
		field(x.Type)
		field(x.Comment)
	}
	return kind(b)
}

// take empties the tally.
func (t *tally) take() []sluice.DMARCRow {
	t.mu.Lock()
	rows := t.rows
	t.rows = nil
	t.mu.Unlock()
	out := make([]sluice.DMARCRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, *r)
	}
	return out
}

func (r *Reporter) add(row sluice.DMARCRow) {
	if r.tally.add(row) {
		r.counted.Add(1)
	} else {
		r.dropped.Add(1)
	}
}

// flushes writes what is counted, every few seconds and at the end.
func (r *Reporter) flushes(ctx context.Context) {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.flush(ctx)
		case <-ctx.Done():
			r.flush(context.WithoutCancel(ctx))
			return
		}
	}
}

// flush writes rows; what can't be written waits for the next time, as far as
// there is room.
func (r *Reporter) flush(ctx context.Context) {
	rows := r.tally.take()
	if len(rows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	err := r.cfg.Store.CountDMARC(ctx, rows, maxDayRows)
	if err == nil {
		return
	}
	r.cfg.Log.Error("reports: counts can't be written", "rows", len(rows), "error", err)
	for _, row := range rows {
		if !r.tally.add(row) {
			r.counted.Add(^uint64(row.Count - 1)) // they don't count after all
			r.dropped.Add(uint64(row.Count))
		}
	}
}
