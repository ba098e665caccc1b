package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice"
	"sluice/cmd/sluice/build"
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
func buildReports(cfg *config.Config, r *Rooms, ask dns.Resolver, log *slog.Logger,
	sign func(raw []byte, domain string, now time.Time) ([]byte, error)) (*reporting, error) {
	c := cfg.Reports
	out := &reporting{}
	conf := reports.Config{Store: r.Store, Outbox: r.Outbox, Resolver: ask, Hostname: cfg.Hostname, From: c.From, OrgName: c.OrgName,
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
