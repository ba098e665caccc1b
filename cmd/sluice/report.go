package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/term"
	"sluice/config"
	"sluice/dns"
	"sluice/reports"
)

// reporting is what speaks with other systems about mail, and its way out.
type reporting struct {
	*reports.Reporter
	relay sluice.Deliverer // nil: reports are not sent
}

// buildReports makes it. sign is asked anew for each report, so that a reload
// changes keys.
func buildReports(cfg *config.Config, r *rooms, ask dns.Resolver, log *slog.Logger,
	sign func(raw []byte, domain string, now time.Time) ([]byte, error)) (*reporting, error) {
	c := cfg.Reports
	out := &reporting{}
	conf := reports.Config{Store: r.store, Outbox: r.outbox, Resolver: ask, Hostname: cfg.Hostname, From: c.From, OrgName: c.OrgName,
		Contact: c.Contact, Sign: sign, MinPassed: c.MinMessages, MaxPerDay: c.MaxPerDay, Inbox: c.Inbox, Log: log}
	var err error
	if c.Relay.Target != "" {
		if out.relay, err = build.Deliverer(cfg, config.Domain{Relay: []config.Route{c.Relay}, TLS: c.TLS, User: c.User, PasswordFile: c.PasswordFile}); err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
	}
	switch {
	case c.From == "":
	case out.relay == nil:
		conf.From = ""
		log.Warn("reports: no DMARC reports are sent: reports.relay names no smart host that takes them for other domains")
	case ask == nil:
		conf.From = ""
		log.Warn("reports: no DMARC reports are sent: dns.servers is none, so no domain can be asked where they go")
	}
	out.Reporter, err = reports.New(conf)
	return out, err
}

// route is the outbox's way out.
func (r *reporting) route(others func(context.Context, *sluice.Delivery) []sluice.Outcome) func(context.Context, *sluice.Delivery) []sluice.Outcome {
	return reports.Deliver(r.relay, others)
}

// observe shows counters.
func (r *reporting) observe(reg prometheus.Registerer) {
	gauge := func(name, help string, f func(reports.Stats) uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "sluice", Subsystem: "reports", Name: name, Help: help},
			func() float64 { return float64(f(r.Stats())) }))
	}
	gauge("counted_total", "Messages counted for DMARC reports.", func(s reports.Stats) uint64 { return s.Counted })
	gauge("dropped_total", "Messages not counted: too many kinds, or a store that failed.", func(s reports.Stats) uint64 { return s.Dropped })
	gauge("sent_total", "DMARC reports given to the outbox.", func(s reports.Stats) uint64 { return s.Sent })
	gauge("received_total", "Reports read from the inbox.", func(s reports.Stats) uint64 { return s.Received })
	gauge("unreadable_total", "Messages to the inbox without a report, or with a damaged one.", func(s reports.Stats) uint64 { return s.Unreadable })
	gauge("skipped_total", "Messages to the inbox not looked at: too large, or too many at once.", func(s reports.Stats) uint64 { return s.Skipped })
}

func (r *reporting) close() {
	if r != nil && r.relay != nil {
		_ = r.relay.Close() // idle connections
	}
}

type reportCmd struct {
	List reportList `cmd:"" help:"List the reports that came in, newest first, or those sent."`
}

type reportList struct {
	place
	Text  string `arg:"" optional:"" help:"Part of reporter, domain or id."`
	Sent  bool   `help:"What we sent, and for which domains not."`
	Limit int    `short:"n" default:"50" help:"At most so many."`
	JSON  bool   `help:"One JSON object a line."`
}

// Run lists reports.
func (c *reportList) Run(a *app) error {
	return c.with(a, func(r *rooms, _ *config.Config) error {
		if c.Sent {
			return c.sent(a, r.store)
		}
		list, err := r.store.ReceivedReports(a.ctx, sluice.Query{Text: c.Text, Limit: c.Limit})
		if err != nil {
			return err
		}
		for _, x := range list {
			if err := c.received(a, x); err != nil {
				return err
			}
		}
		if len(list) == 0 && !c.JSON {
			fmt.Fprintln(a.stderr, "no reports that fit; reports.inbox says at which addresses they come in")
		}
		return nil
	})
}

func (c *reportList) received(a *app, x *sluice.ReceivedReport) error {
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(receivedJSON(x))
	}
	proven := "unproven"
	if x.Proven {
		proven = "proven"
	}
	note := x.Detail
	if x.Problem != "" {
		note = strings.TrimSpace(x.Problem + " " + note)
	}
	_, err := fmt.Fprintf(a.stdout, "%s  %-10s  %s  about %s  %s  pass %d  fail %d  by %s (%s)  %s\n", x.Time.Local().Format("2006-01-02 15:04"), x.Kind,
		term.Plain(x.Org, 40), term.Plain(x.Domain, 60), period(x.Begin, x.End), x.Pass, x.Fail, term.Plain(x.Author, 60), proven, term.Plain(note, 100))
	return err
}

// period names the days that a report is about.
func period(begin, end time.Time) string {
	b, e := begin.UTC().Format(time.DateOnly), end.UTC().Format(time.DateOnly)
	switch {
	case begin.IsZero():
		return "-"
	case end.IsZero() || b == e:
		return b
	}
	return b + "/" + e
}

func receivedJSON(x *sluice.ReceivedReport) map[string]any {
	sources := make([]map[string]any, 0, len(x.Sources))
	for _, s := range x.Sources {
		addr := ""
		if s.Addr.IsValid() {
			addr = s.Addr.String()
		}
		sources = append(sources, map[string]any{"ip": addr, "pass": s.Pass, "fail": s.Fail})
	}
	m := map[string]any{"id": x.ID, "tenant": x.Tenant, "time": x.Time, "kind": x.Kind, "sender": x.Sender, "author": x.Author, "proven": x.Proven,
		"org": x.Org, "domain": x.Domain, "report_id": x.Report, "pass": x.Pass, "fail": x.Fail, "sources": sources, "sources_total": x.Of,
		"detail": x.Detail, "problem": x.Problem}
	if !x.Begin.IsZero() {
		m["begin"] = x.Begin
	}
	if !x.End.IsZero() {
		m["end"] = x.End
	}
	return m
}

func (c *reportList) sent(a *app, s sluice.Reports) error {
	list, err := s.SentReports(a.ctx, time.Time{}, true, c.Limit)
	if err != nil {
		return err
	}
	for _, x := range list {
		if c.JSON {
			err = json.NewEncoder(a.stdout).Encode(map[string]any{"day": x.Day.Format(time.DateOnly), "domain": x.Domain, "id": x.ID, "time": x.Time,
				"to": x.To, "why": x.Why, "messages": x.Messages, "rows": x.Rows, "bytes": x.Size})
		} else {
			what := "not sent: " + x.Why
			if len(x.To) > 0 {
				what = fmt.Sprintf("sent to %s, %d rows, %d bytes", strings.Join(x.To, ", "), x.Rows, x.Size)
			}
			_, err = fmt.Fprintf(a.stdout, "%s  %s  %d messages  %s\n", x.Day.Format(time.DateOnly), term.Plain(x.Domain, 253), x.Messages, term.Plain(what, 500))
		}
		if err != nil {
			return err
		}
	}
	if len(list) == 0 && !c.JSON {
		fmt.Fprintln(a.stderr, "nothing was sent; reports.from and reports.relay turn it on")
	}
	return nil
}
