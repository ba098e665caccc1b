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
