package walk

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/complaint"
	reportdesk "sluice/complaint/desk"
	"sluice/dns/dnstest"
	"sluice/gate"
	"sluice/learn/feedback"
	"sluice/learn/text/online"
	"sluice/lint"
	lintdesk "sluice/lint/desk"
	"sluice/mailauth"
	"sluice/reason"
	"sluice/store/memory"
)

const (
	spamDesk   = "RCPT TO:<spam@a.example>\r\n"
	postmaster = "postmaster@a.example"
	attached   = "--bb\r\nContent-Type: message/rfc822\r\n\r\nFrom: win@bad.example\r\nSubject: You won\r\nMessage-ID: <1@bad.example>\r\n\r\nClick\r\n"
)

// report is a user's mail to a report address.
func report(parts ...string) string {
	return head + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n" + strings.Join(parts, "") + "--bb--\r\n.\r\n"
}

// reporting is the way of a user who logged in, and what he sends.
func reporting(raw string) []string { return []string{ehlo, plain, mail, spamDesk, data, raw} }

// reports are the answers to users' reports, from the room that learns from them.
var reports = []step{
	{why: reason.ReportEmpty, want: "550 5.6.1", set: learns(100), say: reporting(text)},
	{why: reason.ReportInline, want: "550 5.6.1", set: learns(100), say: reporting(head + "\r\n-------- Forwarded Message --------\r\nSubject: You won\r\nFrom: x\r\n\r\nClick\r\n.\r\n")},
	{why: reason.ReportUnreadable, want: "550 5.6.1", set: learns(100), say: reporting(report("--bb\r\nContent-Type: application/octet-stream; name=won.msg\r\n\r\nx\r\n"))},
	{why: reason.ReportHeaderOnly, want: "550 5.6.1", set: learns(100), say: reporting(report("--bb\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: You won\r\nMessage-ID: <1@bad.example>\r\n\r\n"))},
	{why: reason.ReportUnclear, want: "550 5.6.1", set: learns(100), say: []string{ehlo, plain, mail, spamDesk, "RCPT TO:<ham@a.example>\r\n", data, report(attached)}},
	{why: reason.ReportNotAllowed, want: "550 5.7.1", set: func(w *world) {
		learns(100)(w)
		w.door.Door = sluice.DoorSMTP
	}, say: []string{ehlo, mail, spamDesk, data, report(attached)}},
	{why: reason.ReportLimit, want: "450 4.7.1", set: learns(1), say: append(reporting(report(attached)), mail, spamDesk, data, report(attached))},
}

// lints are the answers to who mails a message to have it looked at.
var lints = []step{
	{why: reason.LintNotAlone, want: "550 5.5.3", set: looks, direct: mailed("ann@sender.example", text, 2, 1)},
	{why: reason.LintAutomatic, want: "550 5.7.1", set: looks, direct: mailed("", text, 1, 1)},
	{why: reason.LintNotProved, want: "550 5.7.1", set: looks, direct: mailed("bob@other.example", text, 1, 1)},
	{why: reason.LintUnsure, want: "451 4.7.5", set: looks, direct: mailed("ann@late.example", strings.ReplaceAll(text, "sender.example", "late.example"), 1, 1)},
	{why: reason.LintAddressUsed, want: "550 5.2.1", set: looks, direct: mailed("ann@sender.example", text, 1, 2)},
}

func init() {
	for _, list := range [][]step{reports, lints} {
		for i := range list {
			list[i].phase, list[i].desk = sluice.PhaseMessage, true
		}
	}
}

// learns puts the room for reports behind a submission port.
func learns(burst int) func(*world) {
	return func(w *world) {
		submission(nil)(w)
		model := online.New(online.Config{})
		w.t.Cleanup(model.Close)
		teacher, err := feedback.New(feedback.Config{Log: w.log.(*memory.Store), Text: model, Folder: w.t.TempDir(), Clock: time.Now})
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = teacher.Close() })
		w.gate.Settings.Desk, err = reportdesk.New(reportdesk.Config{Spam: []string{"spam@a.example"}, Ham: []string{"ham@a.example"}, Teacher: teacher,
			Reading: complaint.Config{Hostname: "mx.a.example"}, Local: func(d string) bool { return d == "a.example" }, Record: w.log.Record,
			Burst: burst, Every: time.Hour, Postmaster: postmaster, Clock: time.Now})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// lintOnly is the room for lint in the place of the one for reports.
type lintOnly struct {
	*lintdesk.Desk
}

func (lintOnly) Clean(_ context.Context, raw []byte) ([]byte, string) { return raw, "" }

// looks puts the room for lint behind the port, and a DNS that proves one sender.
func looks(w *world) {
	zone, err := dnstest.Parse("zone", strings.NewReader(`{"sender.example": {"TXT": ["v=spf1 ip4:`+client+` -all"]}, "_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]},
		"other.example": {"TXT": ["v=spf1 ip4:`+client+` -all"]}, "late.example": {"TXT": "TIMEOUT"}, "_dmarc.late.example": {"TXT": "TIMEOUT"}}`))
	if err != nil {
		w.t.Fatal(err)
	}
	w.gate.Settings.Verifier = mailauth.New(mailauth.Config{Resolver: zone, Hostname: "mx.a.example"})
	looker, err := lint.New(lint.Config{Gate: gate.New(gate.Config{Settings: w.gate.Settings, Clock: time.Now, Rand: rand.Reader}), Verifier: w.gate.Settings.Verifier,
		Resolver: zone, Weights: w.gate.Settings.Weights, Policy: w.gate.Settings.Policy, Clock: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	desk, err := lintdesk.New(lintdesk.Config{Domain: "a.example", Key: bytes.Repeat([]byte{9}, 32), Lint: looker.Lint, Postmaster: postmaster, Clock: time.Now, Rand: rand.Reader,
		Send: func(context.Context, string, []byte) error { return nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.gate.Settings.Desk = lintOnly{desk}
}

// mailed sends a message to so many addresses of lint, so many times.
func mailed(from, raw string, addresses, times int) func(*world) []string {
	return func(w *world) []string {
		c := w.dial()
		c.read()
		c.say(ehlo)
		var to []string
		for range addresses {
			a, err := w.gate.Settings.Desk.(lintOnly).Address()
			if err != nil {
				w.t.Fatal(err)
			}
			to = append(to, a)
		}
		var last []string
		for i := range times {
			if last != nil && last[0][:3] != "250" {
				w.t.Fatalf("message %d: %q", i, last)
			}
			c.say("MAIL FROM:<" + from + ">\r\n")
			for _, a := range to {
				c.say("RCPT TO:<" + a + ">\r\n")
			}
			c.say(data)
			last = c.say(raw)
		}
		return last
	}
}

// recorded checks that who asks the postmaster about a reply without a link is helped:
// the reply names both him and a row of the log that is of this very event.
func recorded(t *testing.T, w *world, s *step, r reply) {
	t.Helper()
	e, _ := reason.Lookup(s.why)
	if !strings.Contains(r.text, e.Reply+"; "+e.Fix+".") || !strings.Contains(r.text, postmaster) {
		t.Errorf("%q lacks the words of %s, or the postmaster", r.text, s.why)
	}
	rec, err := w.log.Record(t.Context(), r.ref)
	if err != nil {
		t.Fatalf("the row %q: %v", r.ref, err)
	}
	if got := fmt.Sprintf("%d %s", rec.Reply.Code, rec.Reply.Enhanced); got != s.want || rec.Phase != s.phase || rec.Conn.Client.Addr().String() != client {
		t.Errorf("the row says %s at %v to %v", got, rec.Phase, rec.Conn.Client)
	}
	if len(rec.Decisions) == 0 || rec.Decisions[0].Action != map[byte]sluice.Action{'4': sluice.Defer, '5': sluice.Reject}[s.want[0]] {
		t.Errorf("the row's decisions: %+v", rec.Decisions)
	}
}
