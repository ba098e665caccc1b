package console

import (
	"net/http"
	"net/netip"
	"time"

	"sluice"
	"sluice/console/internal/web"
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

type apiReport struct {
	ID       string      `json:"id"`
	Time     time.Time   `json:"time"`
	Kind     string      `json:"kind"`
	Sender   string      `json:"sender"`
	Author   string      `json:"author"`
	Proven   bool        `json:"proven"`
	Org      string      `json:"org"`
	Domain   string      `json:"domain"`
	ReportID string      `json:"report_id"`
	Begin    time.Time   `json:"begin,omitzero"`
	End      time.Time   `json:"end,omitzero"`
	Pass     int         `json:"pass"`
	Fail     int         `json:"fail"`
	Sources  []apiSource `json:"sources"`
	Of       int         `json:"sources_total"`
	Detail   string      `json:"detail"`
	Problem  string      `json:"problem"`
}

type apiSource struct {
	Addr netip.Addr `json:"ip"`
	Pass int        `json:"pass"`
	Fail int        `json:"fail"`
}

func (c *Console) apiReports(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		web.JSONError(w, http.StatusBadRequest, err.Error())
		return
	}
	list, err := c.cfg.Reports.ReceivedReports(r.Context(), q)
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	out := make([]apiReport, 0, len(list))
	for _, x := range list {
		a := apiReport{ID: x.ID, Time: x.Time, Kind: x.Kind, Sender: x.Sender, Author: x.Author, Proven: x.Proven, Org: x.Org, Domain: x.Domain,
			ReportID: x.Report, Begin: x.Begin, End: x.End, Pass: x.Pass, Fail: x.Fail, Sources: []apiSource{}, Of: x.Of, Detail: x.Detail, Problem: x.Problem}
		for _, s := range x.Sources {
			a.Sources = append(a.Sources, apiSource(s))
		}
		out = append(out, a)
	}
	web.JSON(w, http.StatusOK, map[string]any{"reports": out, "next": nextID(list, q, func(x *sluice.ReceivedReport) string { return x.ID })})
}
