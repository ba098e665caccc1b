package console

import (
	"net/http"
	"time"

	"sluice"
)

// What the page shows of reports that we sent.
const (
	sentSince = 30 * 24 * time.Hour
	sentRows  = 50
)

type reportsPage struct {
	layout
	filter
	Rows []*sluice.ReceivedReport
	Sent []*sluice.SentReport // on the first page
}

// reportKinds name kinds of reports in words.
var reportKinds = map[string]string{"dmarc": "DMARC", "tls": "TLS", "failure": "failure", "abuse": "complaint", "unreadable": "unreadable"}

// period names the days, in UTC, that a report is about.
func period(begin, end time.Time) string {
	b, e := begin.UTC().Format("2 Jan 2006"), end.UTC().Format("2 Jan 2006")
	switch {
	case begin.IsZero():
		return "no dates"
	case end.IsZero() || b == e:
		return b
	}
	return b + " – " + e
}

func (c *Console) reports(w http.ResponseWriter, r *http.Request, v *visit) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		c.fail(w, r, v, http.StatusBadRequest, "The filter isn't understood: "+err.Error()+".", nil)
		return
	}
	list, err := c.cfg.Reports.ReceivedReports(r.Context(), q)
	if c.pageGone(w, r, v, "/reports", err) {
		return
	}
	p := reportsPage{layout: c.layout(r.Context(), v, "reports", "Reports"), Rows: list,
		filter: newFilter("/reports", r.URL.Query(), nextID(list, q, func(x *sluice.ReceivedReport) string { return x.ID }))}
	if p.First && !p.Active {
		p.Sent, err = c.cfg.Reports.SentReports(r.Context(), c.cfg.Clock().Add(-sentSince), false, sentRows)
		if c.pageGone(w, r, v, "/reports", err) {
			return
		}
	}
	c.render(w, http.StatusOK, "reports", &p)
}
