package session_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/session"
	"sluice/learn/dialect"
)

// spoken is the dialect of a client that sends these lines one by one.
func spoken(lines ...string) sluice.Dialect {
	var t dialect.Trace
	for _, l := range lines {
		t.Command([]byte(l+"\r\n"), "mx.example.net", false)
		t.Reply(250)
	}
	return t.Value()
}

var (
	bot    = spoken("HELO bot", "mail from: a@b.example", "rcpt to: ann@example.net", "data")
	late   = spoken("EHLO a.example", "MAIL FROM:<a@b.example>", "RCPT TO: <ann@example.net>", "DATA")
	python = spoken("ehlo a.example", "mail FROM:<a@b.example> size=10", "rcpt TO:<ann@example.net>", "data")
	usual  = spoken("EHLO a.example", "MAIL FROM:<a@b.example>", "RCPT TO:<ann@example.net>", "DATA")
)

// dialects runs the checks and keeps what they say of the way to speak.
func dialects(t *testing.T, c session.Config, in *check.Input) []sluice.Evidence {
	t.Helper()
	var out []sluice.Evidence
	for _, e := range checktest.Run(t, session.Checks(c), in) {
		if strings.HasPrefix(string(e.Reason), "DIALECT_") || strings.HasPrefix(string(e.Reason), "TLS_HELLO_") {
			out = append(out, e)
		}
	}
	return out
}

func TestDialect(t *testing.T) {
	for _, tc := range []struct {
		name   string
		d      sluice.Dialect
		helo   string
		fields string // of the message, instead of the Received of checktest
		change func(*sluice.Conn)
		want   string // reason, and a piece of the detail
	}{
		{name: "nothing seen"},
		{name: "usual", d: usual},
		{name: "bot", d: bot, want: "DIALECT_UNUSUAL FROM in lower case"},
		{name: "bot of ours", d: bot, change: func(c *sluice.Conn) { c.Auth = "ann" }},
		{name: "bot on a trusted host", d: bot, change: func(c *sluice.Conn) { c.Trusted = true }},
		{name: "only at RCPT", d: late, want: "DIALECT_UNUSUAL a space after the colon of RCPT"},
		{name: "Postfix's trail, and its dialect", d: usual, helo: "a.example", fields: "Received: from x by a.example (Postfix) with ESMTP id 1"},
		{name: "Postfix's trail in Python", d: python, helo: "a.example", fields: "Received: from x by a.example (Postfix) with ESMTP id 1", want: "DIALECT_CONTRADICTION Postfix writes greeting in upper case"},
		{name: "the trail of a host before", d: python, helo: "a.example", fields: "Received: from x by b.example (Postfix) with ESMTP id 1"},
		{name: "the trail further down", d: python, helo: "a.example", fields: "Received: from y by a.example; x\nReceived: from x by a.example (Postfix) with ESMTP id 1"},
		{name: "swaks, straight", d: python, fields: "X-Mailer: swaks v20201014.0 jetmore.org/john/code/swaks/", want: "DIALECT_CONTRADICTION swaks"},
		{name: "swaks, by way of others", d: python, fields: "Received: from x by b.example\nX-Mailer: swaks v20201014.0 jetmore.org/john/code/swaks/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw := checktest.Mail("", "text\n")
			if tc.fields != "" {
				raw = tc.fields + "\nFrom: bob@example.org\nSubject: x\n\ntext\n"
			}
			in := checktest.Input(raw)
			in.Conn.Dialect = tc.d
			if tc.helo != "" {
				in.Conn.Hello.Name = tc.helo
			}
			if tc.change != nil {
				tc.change(in.Conn)
			}
			var got string
			ev := dialects(t, config, in)
			for _, e := range ev {
				got += string(e.Reason) + " " + e.Detail
			}
			reason, piece, _ := strings.Cut(tc.want, " ")
			if len(ev) > 1 || tc.want == "" && got != "" || !strings.HasPrefix(got, reason) || !strings.Contains(got, piece) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// No recorded client, in no variant, is held against: not by its marks and not for
// naming itself.
func TestDialectHonest(t *testing.T) {
	trail := map[string]string{
		"Postfix": "by a.example (Postfix) with ESMTP id 1", "Exim": "by a.example with esmtp (Exim 4.96)",
		"Sendmail": "by a.example (8.17.1/8.17.1) with ESMTP", "OpenSMTPD smtp": "by a.example (OpenSMTPD) with ESMTP", "nullmailer": "(nullmailer pid 7 invoked by uid 0);",
	}
	n := 0
	for _, r := range dialect.Recordings() {
		raw := "X-Mailer: " + r.Client + "\nFrom: bob@example.org\n\ntext\n"
		if s := trail[r.Client]; s != "" {
			raw = "Received: " + s + "\n" + raw
		}
		if r.Client == "swaks" {
			raw = "X-Mailer: swaks v20201014.0 x\n\ntext\n"
		}
		in := checktest.Input(raw)
		in.Conn.Hello.Name = "a.example"
		in.Conn.Dialect = r.Replay(dialect.OurName)
		if ev := dialects(t, config, in); len(ev) > 0 {
			t.Errorf("%s, %s: %+v", r.Client, r.Variant, ev)
		}
		n++
	}
	if n < 100 {
		t.Errorf("only %d recordings", n)
	}
}

// table is what was learned, by name.
type table map[string]float64

func (l table) Dialect(id string, _ time.Time) (float64, string) {
	return l[id], "3 wanted, 41 unwanted"
}
func (l table) TLSHello(fp string, _ time.Time) (float64, string) {
	return l[fp], "3 wanted, 41 unwanted"
}
func (l table) Count(name string, _ time.Time) float64 { return l[name] }

func TestDialectLearned(t *testing.T) {
	id := dialect.ID(usual, dialect.StageMail)
	for _, tc := range []struct {
		db, want float64
		reason   string
	}{{4, 4, "BAD"}, {40, 6, "BAD"}, {-3, -3, "GOOD"}, {-99, -6, "GOOD"}, {0.4, 0, ""}, {-0.4, 0, ""}, {math.NaN(), 0, ""}, {math.Inf(1), 6, "BAD"}} {
		in := checktest.Input(checktest.Mail("", ""))
		in.Conn.Dialect = usual
		in.Conn.TLS = &sluice.TLSInfo{Fingerprint: "t13.c1.e1.x"}
		c := config
		c.Learned = table{id: tc.db, "t13.c1.e1.x": tc.db}
		ev := dialects(t, c, in)
		if tc.reason == "" {
			if len(ev) > 0 {
				t.Errorf("%v: %+v", tc.db, ev)
			}
			continue
		}
		if got := strings.Join(checktest.Reasons(ev), " "); got != "DIALECT_"+tc.reason+" TLS_HELLO_"+tc.reason {
			t.Errorf("%v: %s", tc.db, got)
		}
		for _, e := range ev {
			if e.Raw != tc.want || !strings.Contains(e.Detail, "3 wanted, 41 unwanted") {
				t.Errorf("%v: %+v", tc.db, e)
			}
		}
	}
}

// A provider's name is held against what its servers were seen to speak, once
// enough of them were.
func TestDialectProvider(t *testing.T) {
	all, this := dialect.ProviderKeys("Google", python, dialect.StageMail)
	for _, tc := range []struct {
		name    string
		learned table
		want    int
	}{
		{"nothing known", table{}, 0},
		{"little known", table{all: 20}, 0},
		{"they speak otherwise", table{all: 100}, 1},
		{"some speak so", table{all: 100, this: 3}, 0},
	} {
		in := checktest.Input(checktest.Mail("", ""))
		in.Conn.Hello.Name, in.Conn.Dialect = "mail-a.google.com", python
		c := config
		c.Learned = tc.learned
		if ev := dialects(t, c, in); len(ev) != tc.want {
			t.Errorf("%s: %+v", tc.name, ev)
		}
	}
}
