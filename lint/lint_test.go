package lint_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/dns/dnstest"
	"sluice/gate"
	"sluice/internal/golden"
	"sluice/lint"
	"sluice/lint/letter"
	"sluice/lint/report"
	"sluice/mailauth/dkim"
	"sluice/message"
	"sluice/scan"
)

// now is when all examples are looked at.
var now = time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)

// example is a message with the session and the DNS that it came with.
type example struct {
	how  map[string]string
	zone string
	raw  []byte
}

func load(t *testing.T, name string) *example {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok1 := strings.Cut(string(b), "-- how --\n")
	how, rest, ok2 := strings.Cut(rest, "-- zone --\n")
	zone, mail, ok3 := strings.Cut(rest, "-- mail --\n")
	if !ok1 || !ok2 || !ok3 {
		t.Fatalf("%s: want the parts how, zone and mail", name)
	}
	e := &example{how: map[string]string{}, zone: zone}
	for line := range strings.Lines(how) {
		k, v, _ := strings.Cut(line, ":")
		e.how[k] = strings.TrimSpace(v)
	}
	if e.how["pad"] != "" {
		var n int
		if _, err := fmt.Sscan(e.how["pad"], &n); err != nil {
			t.Fatal(err)
		}
		const row = "<table width=\"100%\"><tr><td style=\"padding:0 0 0 0;margin:0 0 0 0\">&nbsp;</td></tr></table>\n"
		mail = strings.ReplaceAll(mail, "{{pad}}\n", strings.Repeat(row, n/len(row)))
	}
	e.raw = scan.NewMail([]byte(mail)).Raw
	e.sign(t)
	return e
}

// sign puts a signature on top, with a key that is the same in every run and that is put
// into the zone.
func (e *example) sign(t *testing.T) {
	t.Helper()
	domain, selector, ok := strings.Cut(e.how["sign"], " ")
	if !ok {
		return
	}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	field, err := dkim.Sign(e.raw, now.Add(-24*time.Hour), dkim.SignOptions{Domain: domain, Selector: selector, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	e.raw = append(field, e.raw...)
	if e.how["break"] != "" {
		e.raw = append(e.raw, "-- \r\nThis message was scanned.\r\n"...)
	}
	record := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	e.zone = strings.TrimSuffix(strings.TrimSpace(e.zone), "}") + fmt.Sprintf(",%q: {\"TXT\": [%q]}}", selector+"._domainkey."+domain, record)
}

// linterFor makes one that asks the zone only, and judges as the program does by
// default.
func linterFor(t *testing.T, zone string) *lint.Linter {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load("", config.Flags{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	set, err := build.JudgeHere(cfg, slog.New(slog.DiscardHandler), false, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	set.Verifier = build.Verifier(cfg, z)
	set.Budget = time.Minute
	clock := func() time.Time { return now }
	l, err := lint.New(lint.Config{Gate: gate.New(gate.Config{Settings: set, Clock: clock, Rand: zeros{}}), Verifier: set.Verifier,
		Resolver: z, Weights: set.Weights, Policy: set.Policy, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// input is the session of an example, as a live one.
func (e *example) input(t *testing.T) lint.Input {
	t.Helper()
	m := message.Parse(e.raw, message.DefaultLimits())
	o := scan.Origin{Hello: e.how["helo"], From: e.how["from"], HasFrom: e.how["from"] != "", Rcpts: []string{"reader@gateway.example"}}
	if ip := e.how["ip"]; ip != "" {
		o.Client = netip.MustParseAddr(ip)
	}
	conn, env := o.Session("example", m, now)
	if e.how["tls"] != "" {
		conn.TLS = &sluice.TLSInfo{Version: "TLS1.3", Cipher: "TLS_AES_128_GCM_SHA256"}
	}
	return lint.Input{Raw: e.raw, Conn: conn, Envelope: env, Guessed: e.how["ip"] == ""}
}

func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for i := range files {
		files[i] = strings.TrimSuffix(filepath.Base(files[i]), ".txt")
	}
	return files
}

func look(t *testing.T, name string) *report.Report {
	t.Helper()
	e := load(t, name)
	return linterFor(t, e.zone).Lint(context.Background(), e.input(t))
}

// TestExamples compares what a person reads with golden files, which are to be read as
// a consultant's letter would be.
func TestExamples(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			r := look(t, name)
			var b bytes.Buffer
			fmt.Fprintf(&b, "exit status %d\n\n", r.Status())
			letter.Write(&b, letter.Plain{}, r, true)
			golden.Check(t, "testdata/"+name+".golden", b.Bytes())
		})
	}
}

// TestStatus: what is in order leaves nothing to do, what is held says so.
func TestStatus(t *testing.T) {
	for name, want := range map[string]int{"good-newsletter": 0, "good-receipt": 0, "service-defaults": 1, "broken-auth": 1, "withheld": 2} {
		if r := look(t, name); r.Status() != want {
			t.Errorf("%s: status %d, want %d: %s, %+v", name, r.Status(), want, r.Class, r.Advice)
		}
	}
}

// TestEffects: the ledger's points sum to the verdict's, and following all advice never
// makes it worse.
func TestEffects(t *testing.T) {
	for _, name := range examples(t) {
		r := look(t, name)
		sum := 0.0
		for _, e := range r.Verdict.Ledger {
			sum += e.Points
		}
		if d := sum - r.Verdict.Points; d > 0.01 || d < -0.01 {
			t.Errorf("%s: the ledger sums to %.1f, the verdict has %.1f", name, sum, r.Verdict.Points)
		}
		if r.Verdict.Mended > r.Verdict.Points {
			t.Errorf("%s: %.1f points, with all advice %.1f", name, r.Verdict.Points, r.Verdict.Mended)
		}
		for _, a := range r.Advice {
			if a.Effect > 0 {
				t.Errorf("%s: %s makes it worse by %.1f", name, a.ID, a.Effect)
			}
			if a.Copy < 0 {
				t.Errorf("%s: %s makes copies easier by %.1f", name, a.ID, -a.Copy)
			}
			if a.What == "" || a.Do == "" {
				t.Errorf("%s: %s says nothing", name, a.ID)
			}
		}
	}
}

// TestPublic: strangers see no points, no words, no threshold, and nothing that tells
// how this gateway judges.
func TestPublic(t *testing.T) {
	for _, name := range examples(t) {
		r := look(t, name)
		b, err := json.Marshal(r.Public())
		if err != nil {
			t.Fatal(err)
		}
		out := string(b)
		for _, secret := range []string{"points", `"effect"`, "probability", "ledger", "threat", `"words"`, `"db"`, "copy_class", "reasons", "TEXT_SPAM", "unwanted mail"} {
			if strings.Contains(out, secret) {
				t.Errorf("%s: the public report holds %q", name, secret)
			}
		}
		for _, a := range r.Advice {
			if !a.Standard && strings.Contains(out, `"id":"`+a.ID+`"`) {
				t.Errorf("%s: the public report holds the advice %s", name, a.ID)
			}
		}
		for i, a := range r.Public().Advice {
			if i > 0 && a.Need > r.Public().Advice[i-1].Need {
				t.Errorf("%s: the public order isn't by need", name)
			}
		}
	}
}

// advised are the ids of a report's advice, with what each of them needs.
func advised(r *report.Report) map[string]report.Need {
	out := map[string]report.Need{}
	for _, a := range r.Advice {
		out[a.ID] = a.Need
	}
	return out
}

// TestConsultant: advice that is wrong for a sender's place isn't given, and what a person
// would say in its place is.
func TestConsultant(t *testing.T) {
	const list = "List-Unsubscribe: <https://clicks.example-mill.org/leave/17>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
	mail := func(from, subject, more, body string) []byte {
		return scan.NewMail([]byte("From: " + from + "\nTo: reader@gateway.example\nDate: Thu, 19 Mar 2026 12:00:00 +0000\nMessage-ID: <1@example-mill.org>\nSubject: " + subject + "\n" + more +
			"MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n<html><body>" + strings.Repeat("<p>Fresh flour every Friday from the old mill by the river.</p>", 5) + body + "</body></html>\n")).Raw
	}
	const zone = `{"example-mill.org": {"MX": ["10 mx.example-mill.org."], "TXT": ["v=spf1 ip4:192.0.2.1 -all"]}, "_dmarc.example-mill.org": {"TXT": ["v=DMARC1; p=reject; rua=mailto:d@example-mill.org"]},
		"gmail.com": {"MX": ["10 mx.gmail.com."], "TXT": ["v=spf1 -all"]}, "sendgrid.net": {"MX": ["10 mx.sendgrid.net."]}, "u1.wl2.sendgrid.net": {"MX": ["10 mx.sendgrid.net."]}, "1.2.0.192.in-addr.arpa": {"PTR": ["host-192-0-2-1.example-mill.org."]}, "host-192-0-2-1.example-mill.org": {"A": ["192.0.2.1"]}}`
	for _, test := range []struct {
		name, envelope string
		raw            []byte
		want           map[string]report.Need
		not            []string
	}{
		{"a service's own domain", "bounces@u1.wl2.sendgrid.net", mail("Old Mill <oldmill@u1.wl2.sendgrid.net>", "Flour", list+"Reply-To: hello@example-mill.org\n", ""),
			map[string]report.Need{"own-domain": report.Must, "leave-link": report.Must}, []string{"dkim", "dkim-align", "dmarc", "reply-to", "own-links"}},
		{"sent on by a reader's mailbox", "reader+caf_=x@gmail.com", mail("Old Mill <news@example-mill.org>", "Flour", list, `<a href="https://example-mill.org/x">unsubscribe</a>`),
			nil, []string{"spf", "spf-align", "leave-link"}},
		{"a receipt", "news@example-mill.org", mail("Old Mill <news@example-mill.org>", "Order #20260319 is confirmed", list, ""), map[string]report.Need{"leave-link": report.Should}, nil},
		{"numbers alone make no receipt", "news@example-mill.org", mail("Old Mill <news@example-mill.org>", "20260319 offers", list, ""), map[string]report.Need{"leave-link": report.Must}, nil},
		{"a link to where List-Unsubscribe leads", "news@example-mill.org", mail("Old Mill <news@example-mill.org>", "Flour", list, `<a href="https://clicks.example-mill.org/leave/17">here</a>`), nil, []string{"leave-link", "no-reply"}},
		{"a counter of one's own", "news@example-mill.org", mail("Old Mill <noreply@example-mill.org>", "Flour", list, `<a href="https://clicks.example-mill.org/9">www.river-museum.org</a>`),
			map[string]report.Need{"link-counted": report.Should, "no-reply": report.Could, "generic-name": report.Should}, []string{"link-text"}},
		{"a counter of others", "news@example-mill.org", mail("Old Mill <news@example-mill.org>", "Flour", list, `<a href="https://clicks.blastmail.org/9">www.river-museum.org</a>`),
			map[string]report.Need{"link-text": report.Must}, []string{"link-counted"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &example{how: map[string]string{"ip": "192.0.2.1", "helo": "host-192-0-2-1.example-mill.org", "from": test.envelope, "tls": "yes"}, raw: test.raw}
			got := advised(linterFor(t, zone).Lint(t.Context(), e.input(t)))
			for id, need := range test.want {
				if n, ok := got[id]; !ok || n != need {
					t.Errorf("%s: %v %v, want %v; all: %v", id, n, ok, need, got)
				}
			}
			for _, id := range test.not {
				if _, ok := got[id]; ok {
					t.Errorf("advises %s: %v", id, got)
				}
			}
		})
	}
}

// TestUpstream: where an upstream verified for us, what the domain publishes is asked for
// all the same, and what it doesn't say is unknown.
func TestUpstream(t *testing.T) {
	z, err := dnstest.Parse("zone", strings.NewReader(`{"example-mill.org": {"MX": ["10 mx.example-mill.org."]}, "_dmarc.example-mill.org": {"TXT": ["v=DMARC1; p=reject; rua=mailto:d@example-mill.org"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("x", []byte("data = \""+t.TempDir()+"\"\n[upstream]\nauthserv_id = \"mx.ours.example\"\nnetworks = [\"192.0.2.9\"]\n"), config.Flags{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := build.JudgeHere(cfg, slog.New(slog.DiscardHandler), false, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	set.Verifier, set.Budget = build.Verifier(cfg, z), time.Minute
	clock := func() time.Time { return now }
	l, err := lint.New(lint.Config{Gate: gate.New(gate.Config{Settings: set, Clock: clock, Rand: zeros{}}), Verifier: set.Verifier, Resolver: z, Weights: set.Weights, Policy: set.Policy, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	e := &example{how: map[string]string{"ip": "192.0.2.9", "helo": "mx.ours.example", "from": "news@example-mill.org"}, raw: scan.NewMail([]byte(
		"Authentication-Results: mx.ours.example; dkim=pass header.d=example-mill.org header.s=a\nFrom: Old Mill <news@example-mill.org>\nTo: a@b.example\nDate: Thu, 19 Mar 2026 12:00:00 +0000\nMessage-ID: <1@example-mill.org>\nSubject: Flour\n" +
			"List-Unsubscribe: <https://example-mill.org/leave>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n\nFresh flour. Unsubscribe: https://example-mill.org/leave\n")).Raw}
	r := l.Lint(t.Context(), e.input(t))
	for _, id := range []string{"dmarc", "dkim", "one-click-signed"} {
		if _, ok := advised(r)[id]; ok {
			t.Errorf("advises %s", id)
		}
	}
	if r.Imitation.Risk != "low" {
		t.Errorf("imitation: %+v", r.Imitation)
	}
}
