package rewrite_test

import (
	"bytes"
	"mime"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/internal/golden"
	"sluice/message"
	"sluice/message/header"
	"sluice/trace"
)

const host = "mx.gate.example"

func options() rewrite.Options {
	e := func(r sluice.Reason, p float64, g sluice.Group) sluice.Contribution {
		return sluice.Contribution{Evidence: sluice.Evidence{Reason: r, Group: g, Raw: p}, Points: p}
	}
	return rewrite.Options{Hostname: host,
		Conn:     &sluice.Conn{Client: netip.MustParseAddrPort("192.0.2.1:4711"), Hello: sluice.Hello{Verb: "EHLO", Name: "client.example"}},
		Envelope: &sluice.Envelope{ID: "7K3FQ2", Rcpts: []sluice.Recipient{{Address: "to@rcpt.example"}}},
		Verdict: &sluice.Verdict{Threat: sluice.ThreatPhish, Points: 10.2, Probability: 0.9123,
			Ledger: []sluice.Contribution{e("LINK_TEXT_MISMATCH", 6, sluice.GroupLink), e("HELO_NO_FQDN", 5.2, sluice.GroupSession),
				e("FROM_NAME_ADDRESS", 2, sluice.GroupIdentity), e("PRIOR", -3, sluice.GroupPrior),
				{Evidence: sluice.Evidence{Reason: "DNSBL", State: sluice.NotRun}}}},
		Action: sluice.Tag, Required: 3.7, Now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600))}
}

func TestHeaders(t *testing.T) {
	var out bytes.Buffer
	show := func(name string, change func(o *rewrite.Options)) {
		o := options()
		change(&o)
		b := rewrite.Headers(o)
		out.WriteString("== " + name + "\n" + strings.ReplaceAll(string(b), "\r\n", "\n"))
		if strings.Contains(strings.ReplaceAll(string(b), "\r\n", ""), "\n") || !bytes.HasSuffix(b, []byte("\r\n")) {
			t.Errorf("%s: line ends: %q", name, b)
		}
		for _, c := range b {
			if c > '~' || c < ' ' && c != '\r' && c != '\n' && c != '\t' {
				t.Fatalf("%s: octet %#x: %q", name, c, b)
			}
		}
		m, err := mail.ReadMessage(bytes.NewReader(append(bytes.Clone(b), "\r\n"...)))
		if err != nil || len(m.Header) < 6 && !o.Envelope.Outbound {
			t.Fatalf("%s: %v\n%s", name, err, b)
		}
		if _, err := m.Header.Date(); err == nil {
			t.Errorf("%s: adds a Date", name)
		}
		for line := range strings.SplitSeq(string(b), "\r\n") {
			if len(line) > 78 && !strings.Contains(line, "long") && len(strings.Fields(line)) > 2 {
				t.Errorf("%s: line of %d: %s", name, len(line), line)
			}
		}
	}
	show("tagged", func(*rewrite.Options) {})
	show("accepted, TLS, two recipients", func(o *rewrite.Options) {
		o.Action, o.Verdict = sluice.Accept, &sluice.Verdict{Points: -7.04, Probability: 0.165}
		o.Conn.TLS = &sluice.TLSInfo{Version: "TLS1.3"}
		o.Conn.Client = netip.MustParseAddrPort("[2001:db8::1%eth0]:1")
		o.Envelope.SMTPUTF8 = true
		o.Envelope.Rcpts = append(o.Envelope.Rcpts, sluice.Recipient{Address: "other@rcpt.example"})
	})
	show("hostile", func(o *rewrite.Options) {
		o.Conn.Hello.Name = "a (b) by mx;\r\nX-Spam-Flag: NO\r\n\x1b[31m\xff"
		o.Conn.Client = netip.AddrPort{}
		o.Envelope.Rcpts[0].Address = "a>\r\nBcc: x <b@c"
		o.Verdict.Hard, o.Verdict.HardKind = "MALWARE", sluice.HardStop
		o.Action, o.Verdict.Points = sluice.QuarantineIt, 1e9
	})
	show("long greeting", func(o *rewrite.Options) {
		o.Conn.Hello = sluice.Hello{Verb: "HELO", Name: strings.Repeat("long.", 200)}
	})
	show("address literal, authenticated", func(o *rewrite.Options) {
		o.Conn.Hello.Name, o.Conn.Auth, o.Conn.TLS = "[192.0.2.1]", "user", &sluice.TLSInfo{}
	})
	show("a user's, for inside", func(o *rewrite.Options) {
		o.Conn.Auth, o.Trace = "user", "v=1; id=7K3FQ2; t=1772597167; h=AAAAAAAAAAAAAAAAAAAAAA; s=AAAAAAAAAAA"
	})
	show("a user's, for others", func(o *rewrite.Options) {
		o.Conn.Auth, o.Trace = "user", "v=1; id=7K3FQ2; t=1772597167; h=AAAAAAAAAAAAAAAAAAAAAA; s=AAAAAAAAAAA"
		o.Envelope.Outbound = true
	})
	golden.Check(t, "testdata/headers.txt", out.Bytes())
}

// However long the ledger, the block stays small.
func TestManyReasons(t *testing.T) {
	o := options()
	for range 5000 {
		o.Verdict.Ledger = append(o.Verdict.Ledger, o.Verdict.Ledger[0])
	}
	b := string(rewrite.Headers(o))
	if len(b) > 5000 || strings.Count(b, "LINK_TEXT_MISMATCH(") != 57 || !strings.Contains(b, "and-more\r\n") {
		t.Errorf("%d octets", len(b))
	}
	if strings.Contains(b, ", LINK_TEXT_MISMATCH,") {
		t.Error("a space in tests=")
	}
}

// edit parses and edits as the gate does.
func edit(raw string, e rewrite.Edits) string {
	b := []byte(raw)
	m := message.Parse(b, message.DefaultLimits())
	return string(rewrite.Edit(b, *m.Header(), e))
}

// Traces of others stay, for they will want to know their mail again; mail of ours has
// one of ours alone.
func TestTraces(t *testing.T) {
	if rewrite.TraceField != trace.Field {
		t.Errorf("%s isn't %s", rewrite.TraceField, trace.Field)
	}
	raw := "X-Sluice-Trace: v=1; id=A;\r\n\tt=1\r\nX-Sluice-Tracer: no\r\nx-sluice-trace : v=1\r\nX-Sluice-ID: 1\r\nSubject: x\r\n\r\nX-Sluice-Trace: body\r\n"
	if got, want := edit(raw, rewrite.Edits{AuthServID: host}), "X-Sluice-Trace: v=1; id=A;\r\n\tt=1\r\nx-sluice-trace : v=1\r\nSubject: x\r\n\r\nX-Sluice-Trace: body\r\n"; got != want {
		t.Errorf("got %q", got)
	}
	if got, want := edit(raw, rewrite.Edits{AuthServID: host, Traced: true}), "Subject: x\r\n\r\nX-Sluice-Trace: body\r\n"; got != want {
		t.Errorf("traced: got %q", got)
	}
}

func TestStrip(t *testing.T) {
	const kept = "Subject: x\r\nX-Spammer: no\r\nXX-Spam-Flag: no\r\n"
	for name, forged := range map[string]string{
		"flag":              "X-Spam-Flag: NO\r\n",
		"case":              "x-sPaM-stAtus: No, score=-99\r\n",
		"space before":      "X-Spam-Level : \r\n",
		"folded":            "X-Spam-Report: a\r\n b\r\n\tc\r\n",
		"our own":           "X-Sluice-Verdict: threat=none\r\n",
		"any of ours":       "X-Sluice-Whatever-Comes: 1\r\n",
		"bare X-Spam":       "X-Spam: no\r\n",
		"results":           "Authentication-Results: mx.gate.example; spf=pass\r\n",
		"results, case":     "AUTHENTICATION-RESULTS: MX.Gate.Example; dkim=pass\r\n",
		"results, version":  "Authentication-Results: mx.gate.example 1; spf=pass\r\n",
		"results, comments": "Authentication-Results: (a(b\\)c) d) mx.gate.example (x) 1 (y); none\r\n",
		"results, quoted":   "Authentication-Results: \"mx.gate.\\example\"; none\r\n",
		"results, folded":   "Authentication-Results:\r\n\tmx.gate.example;\r\n\tspf=pass\r\n",
		"results, no tail":  "Authentication-Results: mx.gate.example\r\n",
		"results, root dot": "Authentication-Results: mx.gate.example.; spf=pass\r\n",
		"results, broken":   "Authentication-Results: (open mx.gate.example; spf=pass\r\n",
		"results, odd":      "Authentication-Results: mx.gate.example x; spf=pass\r\n",
		"no colon":          "X-Spam-Flag\r\n : NO\r\n",
		"no colon, word":    "X-Spam-Flag NO: x\r\n",
		"bare LF":           "X-Spam-Flag: NO\n",
	} {
		t.Run(name, func(t *testing.T) {
			body := "\r\nX-Spam-Flag: in the body\r\n"
			at := []string{forged + kept + body, kept + forged + body, "Subject: x\r\n" + forged + kept[len("Subject: x\r\n"):] + body}
			if strings.HasPrefix(name, "no colon") {
				at = slices.Delete(at, 1, 2) // behind the last field it is body
			}
			for _, raw := range at {
				if got := edit(raw, rewrite.Edits{AuthServID: host}); got != kept+body {
					t.Errorf("%q\n got %q\nwant %q", raw, got, kept+body)
				}
			}
		})
	}
	for _, raw := range []string{
		kept + "\r\nbody\r\n", kept, "", "\r\n", "\r\nbody",
		"Authentication-Results: other.example; spf=pass smtp.mailfrom=mx.gate.example\r\n\r\n",
		"Authentication-Results: sub.mx.gate.example; none\r\n\r\n",
		"Authentication-Results: mx.gate.example.evil.example; none\r\n\r\n",
		"ARC-Authentication-Results: i=1; mx.gate.example; none\r\n\r\n",
		"DKIM-Signature: v=1\r\n\t; h=X-Spam-Flag\r\nSubject :  odd  \r\n  spaces\r\n\r\n",
	} {
		b := []byte(raw)
		m := message.Parse(b, message.DefaultLimits())
		if got := rewrite.Strip(b, *m.Header(), host); !bytes.Equal(got, b) || len(b) > 0 && &got[0] != &b[0] {
			t.Errorf("changed without need: %q to %q", raw, got)
		}
	}
}

// Fields beyond the parser's limits are found as well.
func TestStripBeyondLimits(t *testing.T) {
	for name, filler := range map[string]string{"fields": strings.Repeat("A: b\r\n", 6000), "bytes": strings.Repeat("A: "+strings.Repeat("b", 900)+"\r\n", 400)} {
		raw := filler + "X-Spam-Flag: NO\r\nAuthentication-Results: " + host + "; spf=pass\r\nB: c\r\n\r\nX-Spam-Flag: body\r\n"
		want := filler + "B: c\r\n\r\nX-Spam-Flag: body\r\n"
		if got := edit(raw, rewrite.Edits{AuthServID: host}); got != want {
			t.Errorf("%s: got …%q", name, got[max(0, len(got)-200):])
		}
	}
}

// Whatever a message begins with, our block on top stays whole.
func TestTopStaysWhole(t *testing.T) {
	top := string(rewrite.Headers(options()))
	for _, raw := range []string{" YES\r\nSubject: x\r\n\r\nbody\r\n", "\tYES\r\n YES\r\nSubject: x\r\n\r\nbody\r\n", " only text\r\n", "text\r\nX: y\r\n", "\r\n body\r\n", "   \r\nSubject: x\r\n\r\n", " \r\n\r\n"} {
		whole := top + edit(raw, rewrite.Edits{AuthServID: host})
		m := message.Parse([]byte(whole), message.DefaultLimits())
		ours := message.Parse([]byte(top+"\r\n"), message.DefaultLimits())
		for i, f := range ours.Header().Fields {
			if got := m.Header().Fields[i]; got.Name != f.Name || got.Value != f.Value {
				t.Errorf("%q: %s is %q, want %q", raw, got.Name, got.Value, f.Value)
			}
		}
	}
}

func TestSubjectTag(t *testing.T) {
	long := strings.Repeat("x", 990)
	for _, tt := range []struct{ tag, raw, want string }{
		{"[SPAM]", "Subject: hello\r\n\r\n", "Subject: [SPAM] hello\r\n\r\n"},
		{"[SPAM]", "A: b\r\nsubject:hello\r\n\r\n", "A: b\r\nsubject: [SPAM] hello\r\n\r\n"},
		{"[SPAM]", "Subject:\r\n\r\nbody", "Subject: [SPAM]\r\n\r\nbody"},
		{"[SPAM]", "Subject:\r\n =?utf-8?q?h=C3=A4?=\r\n\r\n", "Subject: [SPAM]\r\n =?utf-8?q?h=C3=A4?=\r\n\r\n"},
		{"[SPAM]", "Subject: [SPAM] hello\r\n\r\n", "Subject: [SPAM] hello\r\n\r\n"},
		{"[SPAM]", "A: b\r\n\r\nbody", "Subject: [SPAM]\r\nA: b\r\n\r\nbody"},
		{"[SPAM]", "\r\nbody", "Subject: [SPAM]\r\n\r\nbody"},
		{"[SPAM]", "body only\r\n", "Subject: [SPAM]\r\n\r\nbody only\r\n"},
		{"[SPAM]", "Subject: a\r\nSubject: b\r\n\r\n", "Subject: [SPAM] a\r\nSubject: [SPAM] b\r\n\r\n"},
		{"[SPAM]", "Subject: " + long + "\r\n\r\n", "Subject: [SPAM]\r\n " + long + "\r\n\r\n"},
		{"[SPAM]", "X-Spam-Flag: NO\r\nSubject: a\r\n\r\n", "Subject: [SPAM] a\r\n\r\n"},
		{"[SPAM]", " x\r\nA: b\r\n\r\n", "Subject: [SPAM]\r\nA: b\r\n\r\n"},
		{"[a\r\nBcc: b]", "Subject: x\r\n\r\n", "Subject: [aBcc: b] x\r\n\r\n"},
		{"★", "Subject: hello\r\n\r\n", "Subject: =?utf-8?q?=E2=98=85?= hello\r\n\r\n"},
	} {
		if got := edit(tt.raw, rewrite.Edits{AuthServID: host, SubjectTag: tt.tag}); got != tt.want {
			t.Errorf("%.80q\n got %.80q\nwant %.80q", tt.raw, got, tt.want)
		}
	}
	got := edit("Subject: =?utf-8?q?h=C3=A4?=\r\n\r\n", rewrite.Edits{SubjectTag: "★"})
	m, err := mail.ReadMessage(strings.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); s != "★ hä" {
		t.Errorf("two encoded words show as %q, %v", s, err)
	}
}

func forgedName(name string) bool {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false // no reader's filter matches that
	}
	n := strings.ToLower(name)
	return n == "x-spam" || strings.HasPrefix(n, "x-spam-") || strings.HasPrefix(n, "x-sluice-")
}

// FuzzEdit: the body never changes, and neither our own parser nor another one
// finds a forged field in the result.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{"Subject: x\r\nX-Spam-Flag: YES\r\n\r\nbody", "X-Spam-Flag\r\n : x\r\n\r\n", " a\r\nA: b\r\n\r\n", "Authentication-Results: (a) mx.gate.example; x\r\n\r\n",
		"\r\n\r\nX-Spam-Flag: x\r\n\r\n", "x\r\nX-Spam-Flag: y\r\n", "A: b\r\n--x\r\nX-Spam-Flag: y\r\n\r\n", "A: b\nX-Sluice-ID: c\n\nbody\n", "A: b\rX-Spam-Flag: c\r\n\r\n", "Authentication-Results: \"mx.gate.example\r\n \"; x\r\n"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, tag bool) {
		keep := bytes.Clone(raw)
		e := rewrite.Edits{AuthServID: host}
		if tag {
			e.SubjectTag = "[SPAM]"
		}
		m := message.Parse(raw, message.DefaultLimits())
		got := rewrite.Edit(raw, *m.Header(), e)
		if !bytes.Equal(raw, keep) {
			t.Fatal("the input was written to")
		}
		body := raw[m.Parts[0].Body.Off:]
		if !bytes.HasSuffix(got, body) {
			t.Fatalf("body changed: %q to %q", body, got)
		}
		whole := append(rewrite.Headers(options()), got...)
		top := len(whole) - len(got)
		after := message.Parse(whole, message.DefaultLimits())
		for _, fd := range after.Header().Fields {
			if fd.Range.Off >= top && (forgedName(fd.Name) || header.EqualFold(fd.Name, "Authentication-Results") && strings.HasPrefix(fd.Value, host+";")) {
				t.Fatalf("left: %s in %q", fd.Name, got)
			}
		}
		if other, err := mail.ReadMessage(bytes.NewReader(got)); err == nil {
			for name := range other.Header {
				if forgedName(name) {
					t.Fatalf("left for another parser: %s in %q", name, got)
				}
			}
		}
		again := message.Parse(got, message.DefaultLimits())
		if twice := rewrite.Edit(got, *again.Header(), rewrite.Edits{AuthServID: host}); len(again.Parts[0].Header.Fields) > 0 && !bytes.Equal(twice, got) {
			t.Fatalf("a second time changes more: %q to %q", got, twice)
		}
	})
}

func BenchmarkEdit(b *testing.B) {
	raw := []byte(strings.Repeat("Received: from a by b; some date and time\r\n", 30) + "X-Spam-Flag: NO\r\nSubject: x\r\n\r\n" + strings.Repeat("text\r\n", 1500))
	m := message.Parse(raw, message.DefaultLimits())
	h := *m.Header()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		rewrite.Strip(raw, h, host)
	}
}

func BenchmarkHeaders(b *testing.B) {
	o := options()
	b.ReportAllocs()
	for b.Loop() {
		rewrite.Headers(o)
	}
}
