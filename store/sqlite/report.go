package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"time"

	"sluice"
	"sluice/store"
)

var _ sluice.Reports = (*Store)(nil)

// The documents' keys are part of the file format, as those in document.go.

type dmarcDoc struct {
	Policy       [7]string   `json:"policy"` // p, sp, np, adkim, aspf, fo, testing
	Source       netip.Addr  `json:"source,omitzero"`
	HeaderFrom   string      `json:"from,omitzero"`
	EnvelopeFrom string      `json:"mailfrom,omitzero"`
	Disposition  string      `json:"disposition,omitzero"`
	DKIM         string      `json:"dkim,omitzero"`
	SPF          string      `json:"spf,omitzero"`
	Reasons      [][2]string `json:"reasons,omitzero"` // type, comment
	Signatures   [][3]string `json:"sigs,omitzero"`    // domain, selector, result
	SPFDomain    string      `json:"spfdomain,omitzero"`
	SPFResult    string      `json:"spfresult,omitzero"`
}

type sentDoc struct {
	ID       string   `json:"id,omitzero"`
	To       []string `json:"to,omitzero"`
	Why      string   `json:"why,omitzero"`
	Messages int      `json:"messages,omitzero"`
	Rows     int      `json:"rows,omitzero"`
	Size     int      `json:"size,omitzero"`
}

type reportDoc struct {
	ID      string      `json:"id"`
	Tenant  string      `json:"tenant,omitzero"`
	Time    time.Time   `json:"time,omitzero"`
	Kind    string      `json:"kind,omitzero"`
	Sender  string      `json:"sender,omitzero"`
	Author  string      `json:"author,omitzero"`
	Proven  bool        `json:"proven,omitzero"`
	Org     string      `json:"org,omitzero"`
	Domain  string      `json:"domain,omitzero"`
	Report  string      `json:"report,omitzero"`
	Begin   time.Time   `json:"begin,omitzero"`
	End     time.Time   `json:"end,omitzero"`
	Pass    int         `json:"pass,omitzero"`
	Fail    int         `json:"fail,omitzero"`
	Sources []sourceDoc `json:"sources,omitzero"`
	Of      int         `json:"of,omitzero"`
	Detail  string      `json:"detail,omitzero"`
	Problem string      `json:"problem,omitzero"`
}

type sourceDoc struct {
	Addr netip.Addr `json:"ip,omitzero"`
	Pass int        `json:"pass,omitzero"`
	Fail int        `json:"fail,omitzero"`
}

func encodeRow(r *sluice.DMARCRow) (string, error) {
	p := r.Policy
	d := dmarcDoc{Source: r.Source, HeaderFrom: escape(r.HeaderFrom), EnvelopeFrom: escape(r.EnvelopeFrom), Disposition: escape(r.Disposition),
		DKIM: escape(r.DKIM), SPF: escape(r.SPF), SPFDomain: escape(r.SPFDomain), SPFResult: escape(r.SPFResult),
		Reasons: convert(r.Reasons, func(x sluice.DMARCReason) [2]string { return [2]string{escape(x.Type), escape(x.Comment)} }),
		Signatures: convert(r.Signatures, func(x sluice.DMARCSignature) [3]string {
			return [3]string{escape(x.Domain), escape(x.Selector), escape(x.Result)}
		})}
	for i, v := range [...]string{p.P, p.SP, p.NP, p.ADKIM, p.ASPF, p.FO, p.Testing} {
		d.Policy[i] = escape(v)
	}
	return encode(&d)
}

func decodeRow(text string) (sluice.DMARCRow, error) {
	var d dmarcDoc
	if err := decode(text, &d); err != nil {
		return sluice.DMARCRow{}, err
	}
	p := unescapeAll(d.Policy[:])
	return sluice.DMARCRow{Policy: sluice.DMARCPolicy{P: p[0], SP: p[1], NP: p[2], ADKIM: p[3], ASPF: p[4], FO: p[5], Testing: p[6]},
		Source: d.Source, HeaderFrom: unescape(d.HeaderFrom), EnvelopeFrom: unescape(d.EnvelopeFrom), Disposition: unescape(d.Disposition),
		DKIM: unescape(d.DKIM), SPF: unescape(d.SPF), SPFDomain: unescape(d.SPFDomain), SPFResult: unescape(d.SPFResult),
		Reasons: convert(d.Reasons, func(x [2]string) sluice.DMARCReason {
			return sluice.DMARCReason{Type: unescape(x[0]), Comment: unescape(x[1])}
		}),
		Signatures: convert(d.Signatures, func(x [3]string) sluice.DMARCSignature {
			return sluice.DMARCSignature{Domain: unescape(x[0]), Selector: unescape(x[1]), Result: unescape(x[2])}
		})}, nil
}

func encodeReport(r *sluice.ReceivedReport) (string, error) {
	if r.ID == "" {
		return "", errors.New("report without an id")
	}
	return encode(&reportDoc{ID: escape(r.ID), Tenant: escape(r.Tenant), Time: utc(r.Time), Kind: escape(r.Kind), Sender: escape(r.Sender),
		Author: escape(r.Author), Proven: r.Proven, Org: escape(r.Org), Domain: escape(r.Domain), Report: escape(r.Report),
		Begin: utc(r.Begin), End: utc(r.End), Pass: r.Pass, Fail: r.Fail, Of: r.Of, Detail: escape(r.Detail), Problem: escape(r.Problem),
		Sources: convert(r.Sources, func(x sluice.ReportSource) sourceDoc { return sourceDoc(x) })})
}

func decodeReport(text string) (*sluice.ReceivedReport, error) {
	var d reportDoc
	if err := decode(text, &d); err != nil {
		return nil, err
	}
	return &sluice.ReceivedReport{ID: unescape(d.ID), Tenant: unescape(d.Tenant), Time: d.Time, Kind: unescape(d.Kind), Sender: unescape(d.Sender),
		Author: unescape(d.Author), Proven: d.Proven, Org: unescape(d.Org), Domain: unescape(d.Domain), Report: unescape(d.Report),
		Begin: d.Begin, End: d.End, Pass: d.Pass, Fail: d.Fail, Of: d.Of, Detail: unescape(d.Detail), Problem: unescape(d.Problem),
		Sources: convert(d.Sources, func(x sourceDoc) sluice.ReportSource { return sluice.ReportSource(x) })}, nil
}

// CountDMARC implements [sluice.Reports], all rows in one transaction.
func (s *Store) CountDMARC(ctx context.Context, list []sluice.DMARCRow, most int) error {
	return s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		for i := range list {
			if err := countRow(ctx, tx, &list[i], most); err != nil {
				return err
			}
		}
		return nil
	})
}

func countRow(ctx context.Context, tx *sql.Tx, r *sluice.DMARCRow, most int) error {
	day, domain, key := nanos(r.Day), escape(r.Domain), store.RowKey(r)
	var rows int
	var settled bool
	err := tx.QueryRowContext(ctx, `
		INSERT INTO dmarc_day (day, domain, messages, passed, rows, lost, settled) VALUES (?, ?, ?, ?, 0, 0, 0)
		ON CONFLICT (day, domain) DO UPDATE SET messages = messages + excluded.messages, passed = passed + excluded.passed
		RETURNING rows, settled`, day, domain, r.Count, r.Passed).Scan(&rows, &settled)
	if err != nil || settled {
		return err
	}
	res, err := tx.ExecContext(ctx, `UPDATE dmarc_row SET count = count + ?, passed = passed + ? WHERE day = ? AND domain = ? AND key = ?`,
		r.Count, r.Passed, day, domain, key[:])
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); n > 0 || err != nil {
		return err
	}
	if rows >= most {
		_, err := tx.ExecContext(ctx, `UPDATE dmarc_day SET lost = lost + ? WHERE day = ? AND domain = ?`, r.Count, day, domain)
		return err
	}
	text, err := encodeRow(r)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO dmarc_row (day, domain, key, count, passed, document) VALUES (?, ?, ?, ?, ?, ?)`,
		day, domain, key[:], r.Count, r.Passed, text); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE dmarc_day SET rows = rows + 1 WHERE day = ? AND domain = ?`, day, domain)
	return err
}

// DueDMARC implements [sluice.Reports].
func (s *Store) DueDMARC(ctx context.Context, t time.Time, limit int) ([]sluice.DMARCDay, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT day, domain, messages, passed, lost FROM dmarc_day WHERE settled = 0 AND day < ?
		ORDER BY day, messages DESC, domain LIMIT ?`, nanos(t), max(limit, 0))
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []sluice.DMARCDay
	for rows.Next() {
		var d sluice.DMARCDay
		var at int64
		if err := rows.Scan(&at, &d.Domain, &d.Messages, &d.Passed, &d.Lost); err != nil {
			return nil, s.explain(err)
		}
		d.Day, d.Domain = moment(at), unescape(d.Domain)
		out = append(out, d)
	}
	return out, s.explain(rows.Err())
}

// DMARCRows implements [sluice.Reports].
func (s *Store) DMARCRows(ctx context.Context, day time.Time, domain string, limit int) ([]sluice.DMARCRow, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT document, count, passed FROM dmarc_row WHERE day = ? AND domain = ? ORDER BY count DESC, key LIMIT ?`,
		nanos(day), escape(domain), max(limit, 0))
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []sluice.DMARCRow
	for rows.Next() {
		var text string
		var count, passed int
		if err := rows.Scan(&text, &count, &passed); err != nil {
			return nil, s.explain(err)
		}
		r, err := decodeRow(text)
		if err != nil {
			return nil, s.explain(err)
		}
		r.Day, r.Domain, r.Count, r.Passed = utc(day), domain, count, passed
		out = append(out, r)
	}
	return out, s.explain(rows.Err())
}

// PassedDMARC implements [sluice.Reports].
func (s *Store) PassedDMARC(ctx context.Context, domain string, t time.Time) (int, error) {
	var n int
	err := s.read.QueryRowContext(ctx, `SELECT coalesce(sum(passed), 0) FROM dmarc_day WHERE domain = ? AND day >= ?`,
		escape(domain), nanos(t)).Scan(&n)
	return n, s.explain(err)
}

// SettleDMARC implements [sluice.Reports].
func (s *Store) SettleDMARC(ctx context.Context, r *sluice.SentReport) error {
	text, err := encode(&sentDoc{ID: escape(r.ID), To: escapeAll(r.To), Why: escape(r.Why), Messages: r.Messages, Rows: r.Rows, Size: r.Size})
	if err != nil {
		return s.explain(err)
	}
	day, domain := nanos(r.Day), escape(r.Domain)
	// What was not sent is decided again if it is lost; there may be thousands of
	// these, and the log shares the writer.
	return s.mutate(ctx, len(r.To) > 0, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO report_sent (day, domain, time, sent, document) VALUES (?, ?, ?, ?, ?)`,
			day, domain, nanos(r.Time), len(r.To) > 0, text)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE dmarc_day SET settled = 1 WHERE day = ? AND domain = ?`, day, domain); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM dmarc_row WHERE day = ? AND domain = ?`, day, domain)
		return err
	})
}

// SentReports implements [sluice.Reports].
func (s *Store) SentReports(ctx context.Context, t time.Time, all bool, limit int) ([]*sluice.SentReport, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT day, domain, time, document FROM report_sent WHERE time >= ? AND (sent OR ?)
		ORDER BY time DESC, day DESC, domain LIMIT ?`, nanos(t), all, max(limit, 0))
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []*sluice.SentReport
	for rows.Next() {
		var day, at int64
		var domain, text string
		var d sentDoc
		if err := rows.Scan(&day, &domain, &at, &text); err != nil {
			return nil, s.explain(err)
		}
		if err := decode(text, &d); err != nil {
			return nil, s.explain(err)
		}
		out = append(out, &sluice.SentReport{Day: moment(day), Domain: unescape(domain), Time: moment(at), ID: unescape(d.ID),
			To: unescapeAll(d.To), Why: unescape(d.Why), Messages: d.Messages, Rows: d.Rows, Size: d.Size})
	}
	return out, s.explain(rows.Err())
}

// PutReport implements [sluice.Reports].
func (s *Store) PutReport(ctx context.Context, r *sluice.ReceivedReport) error {
	text, err := encodeReport(r)
	if err != nil {
		return s.explain(err)
	}
	return s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO report (id, tenant, time, haystack, document) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, time = excluded.time, haystack = excluded.haystack, document = excluded.document`,
			r.ID, r.Tenant, nanos(r.Time), []byte(store.ReportHaystack(r)), text)
		return err
	})
}

// ReceivedReports implements [sluice.Reports].
func (s *Store) ReceivedReports(ctx context.Context, q sluice.Query) ([]*sluice.ReceivedReport, error) {
	q.Threat = nil
	sel := selection{table: "report", time: "time"}
	if err := sel.build(ctx, s.read, q); err != nil {
		return nil, s.explain(err)
	}
	sel.args = append(sel.args, q.Page())
	rows, err := s.read.QueryContext(ctx, `SELECT document FROM report `+sel.where()+` ORDER BY time DESC, seq DESC LIMIT ?`, sel.args...)
	if err != nil {
		return nil, s.explain(err)
	}
	out, err := collect(rows, decodeReport)
	return out, s.explain(err)
}

const sweepRowsOfDays = `DELETE FROM dmarc_row WHERE (day, domain, key) IN (SELECT day, domain, key FROM dmarc_row WHERE day < ? LIMIT ?)`

// SweepReports implements [sluice.Reports].
func (s *Store) SweepReports(ctx context.Context, t time.Time) (int, error) {
	total := 0
	for _, del := range [...]string{
		`DELETE FROM report WHERE seq IN (SELECT seq FROM report WHERE time < ? ORDER BY time LIMIT ?)`,
		`DELETE FROM report_sent WHERE (day, domain) IN (SELECT day, domain FROM report_sent WHERE time < ? LIMIT ?)`,
		`DELETE FROM dmarc_day WHERE (day, domain) IN (SELECT day, domain FROM dmarc_day WHERE day < ? LIMIT ?)`,
		sweepRowsOfDays,
	} {
		for n := int64(sweepRows); n == sweepRows; {
			err := s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
				res, err := tx.ExecContext(ctx, del, nanos(t), sweepRows)
				if err != nil {
					return err
				}
				n, err = res.RowsAffected()
				return err
			})
			if err != nil {
				return total, err
			}
			if del != sweepRowsOfDays { // their day is counted already
				total += int(n)
			}
		}
	}
	return total, nil
}
