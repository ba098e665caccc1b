package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/gate"
	"sluice/internal/shared"
	"sluice/learn/campaign"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/scan"
)

// benchGate is the gate of serve, without next hops.
func benchGate(b testing.TB) *gate.Gate {
	b.Helper()
	cfg, err := config.Parse("", nil, config.Flags{Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	set, err := build.Judge(cfg, slog.New(slog.DiscardHandler), true)
	if err != nil {
		b.Fatal(err)
	}
	return gate.New(gate.Config{Settings: set, Clock: time.Now, Rand: rand.Reader})
}

// newsletter is a made-up message of about 10 kB with both kinds of text.
func newsletter() []byte {
	var text, html strings.Builder
	for i := range 22 {
		fmt.Fprintf(&text, "Chapter %d: the committee met on Tuesday and agreed on the plan for spring, with two changes to the budget.\r\n", i)
		fmt.Fprintf(&html, "<tr><td style=\"font-family:Arial;font-size:14px;color:#333\"><h2>Chapter %d</h2><p>The committee met on Tuesday and agreed on the plan for spring.</p><a href=\"https://www.club.example/news/%d?utm_source=letter\">Read the minutes</a></td></tr>\r\n", i, i)
	}
	return []byte("Received: from mail.club.example (mail.club.example [192.0.2.10]) by mx.example.org; Tue, 24 Nov 2026 05:00:00 +0000\r\n" +
		"From: Garden Club <news@club.example>\r\nTo: member@example.org\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\n" +
		"Subject: =?utf-8?q?Our_spring_news?=\r\nMessage-ID: <1@club.example>\r\nList-Unsubscribe: <https://www.club.example/u>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/alternative; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text.String() +
		"\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><table>" + html.String() + "</table></body></html>\r\n--b1--\r\n")
}

func examine(b testing.TB, g *gate.Gate, raw []byte) {
	c := &sluice.Conn{ID: "bench", Door: "bench", Client: netip.MustParseAddrPort("192.0.2.10:4000"), Start: time.Now(),
		Hello: sluice.Hello{Verb: "EHLO", Name: "mail.club.example"}}
	env := sluice.Envelope{From: "news@club.example", Rcpts: []sluice.Recipient{{Address: "member@example.org"}}}
	if ex := g.Examine(b.Context(), c, env, raw); len(ex.Record.Verdict.Ledger) == 0 {
		b.Fatal("no verdict")
	}
}

// BenchmarkPipeline is parse, all checks, text model, verdict and policy for a
// made-up newsletter of 10 kB.
func BenchmarkPipeline(b *testing.B) {
	g, raw := benchGate(b), newsletter()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		examine(b, g, raw)
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
}

// BenchmarkCorpus is the same for real mail: every hundredth message of the
// test data, together near 10 kB in the mean.
func BenchmarkCorpus(b *testing.B) { corpus(b, benchGate(b), nil) }

// BenchmarkCorpusHere is BenchmarkCorpus at a site that has learned from labels and
// remembers campaigns: its own text model, and the print of each message.
func BenchmarkCorpusHere(b *testing.B) {
	cfg, err := config.Parse("", nil, config.Flags{Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	state := online.NewState()
	for i, raw := range corpusMails(b) {
		f := online.Extract(message.Parse(raw, message.DefaultLimits()))
		state.Learn(online.Label{Features: f, Spam: i%2 == 0, Trusted: true})
	}
	set, err := build.JudgeHere(cfg, slog.New(slog.DiscardHandler), true, state.Model(), nil)
	if err != nil {
		b.Fatal(err)
	}
	corpus(b, gate.New(gate.Config{Settings: set, Clock: time.Now, Rand: rand.Reader}), campaign.New(campaign.Config{}))
}

func corpusMails(b testing.TB) (mails [][]byte) {
	dir := shared.Dir(b, "corpora")
	n := 0
	for it := range scan.Sources(scan.Config{Paths: []string{filepath.Join(dir, "spamassassin"), filepath.Join(dir, "lists_2019_2026"), filepath.Join(dir, "phishing_pot")}}) {
		if n++; n%100 != 0 {
			continue
		}
		if m, err := it.Open(); err == nil {
			mails = append(mails, m.Raw)
		}
	}
	if len(mails) == 0 {
		b.Skip("no mail found")
	}
	return mails
}

func corpus(b *testing.B, g *gate.Gate, campaigns *campaign.Memory) {
	mails, total := corpusMails(b), 0
	var parsed []*message.Message // examine parses anew; the gate prints what it has parsed
	for _, raw := range mails {
		total += len(raw)
		parsed = append(parsed, message.Parse(raw, message.DefaultLimits()))
		parsed[len(parsed)-1].View()
	}
	b.ReportAllocs()
	i, start := 0, cpu()
	for b.Loop() {
		examine(b, g, mails[i%len(mails)])
		if campaigns != nil {
			p, s := campaigns.Print(parsed[i%len(mails)]), campaign.Sighting{Time: time.Now()}
			campaigns.Look(p, s)
			campaigns.Observe(p, s)
		}
		i++
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(total)/float64(len(mails)), "bytes/msg")
}

// cpu is the time that the process has used; other programs don't count.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // a failure shows as 0
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
