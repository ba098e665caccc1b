package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sluice"
	"sluice/cmd/sluice/daemon"
	"sluice/cmd/sluice/term"
	"sluice/config"
)

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
	return c.with(a, func(r *daemon.Rooms, _ *config.Config) error {
		if c.Sent {
			return c.sent(a, r.Store)
		}
		list, err := r.Store.ReceivedReports(a.ctx, sluice.Query{Text: c.Text, Limit: c.Limit})
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
