package dialect_test

import (
	"crypto/tls"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice"
	"sluice/internal/golden"
	"sluice/learn/dialect"
)

var record = flag.Bool("record", false, "run real clients again and compare with their recordings; with -update, rewrite those")

// variant is a conversation that every client has.
type variant struct {
	name  string
	tls   bool // STARTTLS is offered, and the client told to use it
	few   bool // no extension but ours
	rcpts []string
	rcpt  func(to string) sluice.Reply
	dot   sluice.Reply
	eight bool // the message has 8-bit text
	null  bool // the sender is <>
}

const (
	sender = "sender@client.example"
	one    = "one@sluice.example"
	two    = "two@sluice.example"
	helo   = "host.client.example"
)

func welcome(string) sluice.Reply { return sluice.Reply{Code: 250, Enhanced: "2.1.5", Text: "OK"} }

func all(code int, enhanced string) func(string) sluice.Reply {
	return func(string) sluice.Reply { return sluice.Reply{Code: code, Enhanced: enhanced, Text: "Not now"} }
}

func firstOnly(to string) sluice.Reply {
	if to == two {
		return sluice.Reply{Code: 550, Enhanced: "5.1.1", Text: "No such mailbox here"}
	}
	return welcome(to)
}

var variants = []variant{
	{name: "plain", rcpts: []string{one}, rcpt: welcome},
	{name: "few extensions", few: true, rcpts: []string{one}, rcpt: welcome},
	{name: "STARTTLS", tls: true, rcpts: []string{one}, rcpt: welcome},
	{name: "two recipients", rcpts: []string{one, two}, rcpt: welcome},
	{name: "two recipients, one unknown", rcpts: []string{one, two}, rcpt: firstOnly},
	{name: "recipient unknown", rcpts: []string{one}, rcpt: all(550, "5.1.1")},
	{name: "recipient deferred", rcpts: []string{one}, rcpt: all(450, "4.2.1")},
	{name: "greylisted over STARTTLS", tls: true, rcpts: []string{one}, rcpt: all(451, "4.7.1")},
	{name: "message refused", rcpts: []string{one}, rcpt: welcome, dot: sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "No"}},
	{name: "8-bit text", eight: true, rcpts: []string{one}, rcpt: welcome},
	{name: "null sender", null: true, rcpts: []string{one}, rcpt: welcome},
}

// job is what a client is told to do.
type job struct {
	t       *testing.T
	port    string // on 127.0.0.1
	from    string
	rcpts   []string
	message string // with LF ends
	file    string // that holds it
	tls     bool
	dir     string // empty, for the client's configuration
}

func (v variant) job(t *testing.T, port string) job {
	j := job{t: t, port: port, from: sender, rcpts: v.rcpts, tls: v.tls, dir: t.TempDir()}
	if v.null {
		j.from = ""
	}
	charset, encoding, text := "us-ascii", "7bit", "Nothing happens here.\n"
	if v.eight {
		charset, encoding, text = "utf-8", "8bit", "Grüße aus dem Süden.\n"
	}
	j.message = "From: " + sender + "\nTo: " + strings.Join(v.rcpts, ", ") + "\nSubject: A test\nDate: Wed, 4 Mar 2026 11:59:00 +0000\n" +
		"Message-ID: <1@client.example>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=" + charset + "\nContent-Transfer-Encoding: " + encoding + "\n\n" + text
	j.file = filepath.Join(j.dir, "message")
	if err := os.WriteFile(j.file, []byte(j.message), 0o644); err != nil {
		t.Fatal(err)
	}
	return j
}

func goldenFile(client string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, client)
	return filepath.Join("testdata", "recorded", name+".txt")
}

// TestRecordings has every client that is installed speak to a server of ours, and
// compares what it said with the recording that is part of the program. It checks
// on the way that the server sees the dialect that the recording has, at each
// stage and at the end.
func TestRecordings(t *testing.T) {
	if !*record {
		t.Skip("runs real mail programs only with -record (scripts/record-dialects)")
	}
	cert := certificate(t)
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			version, send := p.prepare(t)
			var rs []dialect.Recording
			for _, v := range variants {
				if p.cannot[v.name] != "" {
					continue
				}
				if r, ok := recordOne(t, p.name, version, v, cert, send); ok {
					rs = append(rs, r)
				}
			}
			golden.Check(t, goldenFile(p.name), []byte(dialect.FormatRecordings(rs, dialect.OurName)))
		})
	}
}

// recordOne has one conversation.
func recordOne(t *testing.T, client, version string, v variant, cert tls.Certificate, send func(job) error) (dialect.Recording, bool) {
	var out dialect.Recording
	ok := false
	t.Run(v.name, func(t *testing.T) {
		s := serve(t, v, cert)
		p := newTap(t, s.addr, cert)
		j := v.job(t, p.port())
		err := send(j) // most clients fail where the server refuses
		k := p.first()
		if k == nil {
			t.Fatalf("the client did not connect: %v", err)
		}
		ended, got := s.end(t)
		out = k.recording(client, version, v.name, ended)
		want := out.Replay(dialect.OurName)
		got.Marks &^= dialect.Timing
		if got != want {
			t.Errorf("the server saw %s\nand the recording has %s", dialect.Describe(got), dialect.Describe(want))
		}
		for stage, id := range s.ids {
			if id != dialect.ID(want, stage) {
				t.Errorf("at %s the server saw %s, the recording has %s", stage, id, dialect.ID(want, stage))
			}
		}
		for _, h := range p.hellos {
			out.TLS = dialect.TLSFingerprint(h)
			t.Logf("%s: %s", out.TLS, dialect.DescribeTLS(h))
			if s.fingerprint() == "" {
				t.Error("the server took no fingerprint")
			}
		}
		ok = !t.Failed()
	})
	return out, ok
}

// TestServerSeesDialect has one client, which is always here, speak to a server of
// ours: it sees the dialect that the tap has written down, at each stage and at the
// end, and the ClientHello.
func TestServerSeesDialect(t *testing.T) {
	cert := certificate(t)
	version, send := prepareGo(t)
	for _, v := range variants {
		r, ok := recordOne(t, "Go net/smtp", version, v, cert, send)
		if ok && (r.TLS != "") != v.tls {
			t.Errorf("%s: fingerprint %q", v.name, r.TLS)
		}
	}
}
