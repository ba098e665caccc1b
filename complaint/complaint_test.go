package complaint

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/internal/golden"
	"sluice/internal/shared"
	"sluice/message"
	"sluice/reason"
)

// spam is a message as it came.
const spam = "Received: from bad.example (bad.example [192.0.2.1]) by fwd.example; Mon, 2 Mar 2026 10:00:00 +0000\r\n" +
	"From: Prizes <win@bad.example>\r\nTo: anna@ours.example\r\nSubject: You won\r\nMessage-ID: <1@bad.example>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n" +
	"Status: honest, below Received\r\n\r\nClick here.\r\n"

// mail builds a message of parts, each a header without empty line and a body.
func mail(kind string, parts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "From: Anna <anna@ours.example>\r\nTo: spam@ours.example\r\nSubject: report\r\nMIME-Version: 1.0\r\nContent-Type: %s; boundary=\"bb\"\r\n\r\n", kind)
	for _, p := range parts {
		fmt.Fprintf(&b, "--bb\r\n%s\r\n", p)
	}
	return b.String() + "--bb--\r\n"
}

func part(header, body string) string { return header + "\r\n\r\n" + body }

func b64(s string) string {
	e := base64.StdEncoding.EncodeToString([]byte(s))
	var b strings.Builder
	for len(e) > 76 {
		b.WriteString(e[:76] + "\r\n")
		e = e[76:]
	}
	return b.String() + e + "\r\n"
}

var (
	words  = part("Content-Type: text/plain", "Please learn this.\r\n")
	asMail = part("Content-Type: message/rfc822", spam)
)

func arf(kind, third string) string {
	return mail("multipart/report; report-type=feedback-report", words,
		part("Content-Type: message/feedback-report", "Feedback-Type: "+kind+"\r\nUser-Agent: X/1\r\nVersion: 1\r\nOriginal-Rcpt-To: <anna@ours.example>\r\n"), third)
}

// describe is what a report says, on a line.
func describe(c *Complaint) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", c.Form)
	if c.Type != "" {
		fmt.Fprintf(&b, " %s", c.Type)
	}
	if c.Told {
		fmt.Fprintf(&b, " spam=%v threat=%s", c.Spam, c.Threat)
	}
	for _, o := range c.Originals {
		fmt.Fprintf(&b, " [%d octets %s", len(o.Raw), o.MessageID)
		if o.HeaderOnly {
			b.WriteString(" header only")
		}
		if o.ID != "" {
			b.WriteString(" id " + o.ID)
		}
		b.WriteString("]")
	}
	if c.Left > 0 {
		fmt.Fprintf(&b, " left=%d", c.Left)
	}
	if len(c.Unreadable) > 0 {
		fmt.Fprintf(&b, " unreadable=%q", c.Unreadable)
	}
	if p := c.Problem(true); p != "" {
		fmt.Fprintf(&b, " → %s", p)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	header, _, _ := strings.Cut(spam, "\r\n\r\n")
	var many []string
	for range 25 {
		many = append(many, asMail)
	}
	deep := asMail
	for i := range 5 {
		inner := mail("multipart/mixed", deep)
		_, inner, _ = strings.Cut(inner, "\r\n\r\n")
		deep = part(fmt.Sprintf("Content-Type: multipart/mixed; boundary=\"bb\"\r\nX-Depth: %d", i), inner)
		deep = strings.ReplaceAll(deep, "bb", fmt.Sprintf("c%d", i))
	}
	xarf := `{"xarf_version":"4.2.0","category":"messaging","type":"spam","evidence":[{"content_type":"message/rfc822","payload":"` + base64.StdEncoding.EncodeToString([]byte(spam)) + `"}]}`
	var b bytes.Buffer
	for _, test := range []struct{ name, raw string }{
		{"attached", mail("multipart/mixed", words, asMail)},
		{"two attached", mail("multipart/mixed", words, asMail, asMail)},
		{"a digest", mail("multipart/digest", part("", spam), part("", spam))},
		{"a digest inside mixed", mail("multipart/mixed", words, part("Content-Type: multipart/digest; boundary=dd", "--dd\r\n\r\n"+spam+"\r\n--dd--\r\n"))},
		{"the report is the attachment", "From: anna@ours.example\r\nContent-Type: message/rfc822\r\n\r\n" + spam},
		{"in base64, as some programs do", mail("multipart/mixed", words, part("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64", b64(spam)))},
		{".eml as octets", mail("multipart/mixed", words, part("Content-Type: application/octet-stream; name=\"You won.EML\"\r\nContent-Transfer-Encoding: base64", b64(spam)))},
		{".eml as text", mail("multipart/mixed", words, part("Content-Type: text/plain; name=x.eml\r\nContent-Disposition: attachment; filename=x.eml", spam))},
		{".eml that is none", mail("multipart/mixed", words, part("Content-Type: application/octet-stream; name=x.eml", "just text: with a colon\r\n"))},
		{"message/rfc822 that is none", mail("multipart/mixed", words, part("Content-Type: message/rfc822", "just text\r\n"))},
		{"five levels down", mail("multipart/mixed", words, deep)},
		{"a forward of a forward: the inner one isn't reported", mail("multipart/mixed", words, part("Content-Type: message/rfc822", mail("multipart/mixed", asMail)))},
		{"a multipart under base64", mail("multipart/mixed", part("Content-Type: multipart/mixed; boundary=dd\r\nContent-Transfer-Encoding: base64", b64("--dd\r\n"+asMail+"\r\n--dd--\r\n")))},
		{"signed", mail("multipart/signed; protocol=\"application/pgp-signature\"", part("Content-Type: multipart/mixed; boundary=dd", "--dd\r\n"+asMail+"\r\n--dd--\r\n"), part("Content-Type: application/pgp-signature", "x"))},
		{"25 attached", mail("multipart/mixed", many...)},
		{"only the header", mail("multipart/mixed", words, part("Content-Type: text/rfc822-headers", header+"\r\n"))},
		{"winmail.dat", mail("multipart/mixed", words, part("Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64", b64("x\x9f>\"")))},
		{".msg", mail("multipart/mixed", words, part("Content-Type: application/octet-stream; name=\"You won.msg\"\r\nContent-Transfer-Encoding: base64", b64("\xd0\xcf\x11\xe0")))},
		{"encrypted", mail("multipart/mixed", words, part("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "x"))},
		{"abuse", arf("abuse", asMail)},
		{"fraud", arf("Fraud (a comment)", asMail)},
		{"virus", arf("virus", asMail)},
		{"not-spam", arf("not-spam", asMail)},
		{"other", arf("other", asMail)},
		{"opt-out", arf("opt-out", asMail)},
		{"auth-failure", arf("auth-failure", asMail)},
		{"abuse, only the header", arf("abuse", part("Content-Type: text/rfc822-headers", header+"\r\n"))},
		{"ARF inside an attached message says nothing of the report", mail("multipart/mixed", part("Content-Type: message/rfc822", arf("not-spam", asMail)))},
		{"XARF", mail("multipart/mixed", words, part("Content-Type: application/json; name=xarf.json", xarf))},
		{"XARF of another kind", mail("multipart/mixed", words, part("Content-Type: application/json; name=xarf.json", strings.Replace(xarf, "messaging", "vulnerability", 1)))},
		{"JSON that isn't", mail("multipart/mixed", words, part("Content-Type: application/json; name=xarf.json", strings.Repeat("{", 5000)))},
		{"inline, Thunderbird", "From: anna@ours.example\r\nSubject: You won\r\n\r\n\r\n-------- Forwarded Message --------\r\nSubject: You won\r\nFrom: x\r\n\r\nClick\r\n"},
		{"inline, Outlook", "From: anna@ours.example\r\nSubject: spam!\r\n\r\nhere\r\n\r\nVon: Prizes <win@bad.example>\r\nGesendet: Montag\r\nAn: Anna\r\nBetreff: You won\r\n\r\nClick\r\n"},
		{"inline, HTML", "From: anna@ours.example\r\nSubject: spam\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>---------- Forwarded message ---------<br>From: <b>x</b><br>Date: y<br></p>"},
		{"by its subject", "From: anna@ours.example\r\nSubject: Fwd: You won\r\n\r\nClick\r\n"},
		{"a question", "From: anna@ours.example\r\nSubject: hello\r\n\r\nTo: be or not to be\r\nis that spam?\r\n"},
		{"empty", ""},
	} {
		c := Read(message.Parse([]byte(test.raw), message.DefaultLimits()), Config{Hostname: "mx.ours.example"})
		fmt.Fprintf(&b, "%s\n\t%s\n", test.name, describe(c))
		for _, o := range c.Originals {
			if o.HeaderOnly || strings.Contains(test.name, "forward of") || strings.Contains(test.name, "ARF inside") {
				continue
			}
			if got := strings.TrimRight(string(o.Raw), "\r\n"); got != strings.TrimRight(spam, "\r\n") {
				t.Errorf("%s: the original came out changed:\n%s", test.name, cmp.Diff(spam, got))
			}
		}
	}
	golden.Check(t, "testdata/read.golden", b.Bytes())
}

// TestStrip: what we deliver, a store keeps and a user attaches comes out as it came
// to us.
func TestStrip(t *testing.T) {
	const host = "mx.ours.example"
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	seal := "ARC-Seal: i=1; a=rsa-sha256; d=ours.example; cv=none; b=x\r\nARC-Message-Signature: i=1; d=ours.example; b=y\r\nARC-Authentication-Results: i=1; mx.ours.example; spf=pass\r\n"
	other := strings.ReplaceAll(seal, "mx.ours.example", "mx.list.example")
	store := "Return-Path: <win@bad.example>\r\nDelivered-To: anna@ours.example\r\nX-UID: 12\r\nStatus: RO\r\nReceived: from mx.ours.example by imap.ours.example; now\r\n"
	for _, test := range []struct{ name, came, above, below, tag string }{
		{"plain", spam, "", "", ""},
		{"kept by a store", spam, store, "", ""},
		{"with a mark", spam, store, seal, "[SPAM?]"},
		{"with a mark that is no ASCII", spam, store, "", "[Müll]"},
		{"mark and a subject in encoded words", strings.Replace(spam, "You won", "=?utf-8?q?J=C3=A4?=", 1), store, "", "[Müll]"},
		{"a mark and no subject", strings.Replace(spam, "Subject: You won\r\n", "", 1), "", seal, "[SPAM?]"},
		{"the set of another sealer stays", other + spam, store, seal, "[SPAM?]"},
		{"the set of another sealer stays, ours isn't there", other + spam, store, "", ""},
		{"a folded subject stays folded", strings.Replace(spam, "You won", "\r\n You won\r\n\tmoney", 1), "", "", "[SPAM?]"},
		{"a subject so long that the mark stands on a line of its own", strings.Replace(spam, "You won", strings.Repeat("You won. ", 110), 1), "", "", "[SPAM?]"},
		{"lines that are no fields stay", strings.Replace(spam, "Date:", "garbage line\r\nDate:", 1), store, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := message.Parse([]byte(test.came), message.DefaultLimits())
			ours := rewrite.Headers(rewrite.Options{Hostname: host, Conn: &sluice.Conn{}, Verdict: &sluice.Verdict{Points: 7}, Action: sluice.Tag, Now: now,
				Envelope: &sluice.Envelope{ID: "7K3FQ2M9", Rcpts: []sluice.Recipient{{Address: "anna@ours.example"}}}})
			body := rewrite.Edit([]byte(test.came), *m.Header(), rewrite.Edits{AuthServID: host, SubjectTag: test.tag})
			kept := test.above + string(ours) + test.below + string(body)
			c := Config{Hostname: host, SubjectTag: test.tag}
			o := c.original([]byte(kept), false)
			if o.ID != "7K3FQ2M9" || o.MessageID != "<1@bad.example>" {
				t.Errorf("id %q, Message-ID %q", o.ID, o.MessageID)
			}
			if d := cmp.Diff(test.came, string(o.Raw)); d != "" {
				t.Error(d)
			}
			// Without our block, the store's fields and the mark still go.
			o = c.original([]byte("Delivered-To: anna@ours.example\r\n"+string(body)), false)
			if d := cmp.Diff(test.came, string(o.Raw)); d != "" || o.ID != "" {
				t.Error("without our block: ", o.ID, d)
			}
		})
	}
}

// TestForgedBlock: mail that came by another way may hold what looks like a field of
// ours. It goes, and nothing else does.
func TestForgedBlock(t *testing.T) {
	c := Config{Hostname: "mx.ours.example"}
	for _, id := range []string{"REF1", "REF1 x", strings.Repeat("A", 100), ""} {
		raw := strings.Replace(spam, "Status:", "X-Sluice-ID: "+id+"\r\nX-Spam-Flag: NO\r\nStatus:", 1)
		o := c.Original([]byte(raw))
		if d := cmp.Diff(spam, string(o.Raw)); d != "" || o.ID != "" {
			t.Errorf("%q: id %q\n%s", id, o.ID, d)
		}
	}
}

func TestLimits(t *testing.T) {
	raw := mail("multipart/mixed", asMail, asMail, asMail)
	m := message.Parse([]byte(raw), message.DefaultLimits())
	for _, test := range []struct {
		l          Limits
		took, left int
	}{{Limits{}, 3, 0}, {Limits{Messages: 2}, 2, 1}, {Limits{Bytes: 100}, 0, 3}, {Limits{Total: len(spam) + 10}, 1, 2}} {
		c := Read(m, Config{Limits: test.l})
		if len(c.Originals) != test.took || c.Left != test.left {
			t.Errorf("%+v: took %d, left %d", test.l, len(c.Originals), c.Left)
		}
		if test.took == 0 && c.Problem(true) != reason.ReportUnreadable {
			t.Errorf("%+v: %q", test.l, c.Problem(true))
		}
	}
}

func TestWho(t *testing.T) {
	local := func(d string) bool { return d == "ours.example" }
	for _, test := range []struct {
		name string
		p    Proof
		want string
	}{
		{"a login", Proof{Account: "Anna"}, "anna"},
		{"a login beats what is written", Proof{Account: "anna", Author: "boss@ours.example"}, "anna"},
		{"a proved author of ours", Proof{Author: "Anna@ours.example"}, "anna@ours.example"},
		{"a proved author of others", Proof{Author: "x@other.example", Sender: "x@other.example"}, ""},
		{"claims from outside", Proof{Sender: "anna@ours.example", From: "anna@ours.example"}, ""},
		{"claims from inside", Proof{Inside: true, Sender: "anna@ours.example"}, "anna@ours.example"},
		{"the sender counts before From", Proof{Inside: true, Sender: "anna@ours.example", From: "boss@ours.example"}, "anna@ours.example"},
		{"a robot inside with a null sender", Proof{Inside: true, From: "boss@ours.example"}, "boss@ours.example"},
		{"strangers through a machine inside", Proof{Inside: true, Sender: "x@other.example", From: "x@other.example"}, ""},
		{"no local part", Proof{Author: "@ours.example"}, ""},
		{"nothing", Proof{}, ""},
	} {
		test.p.Local = local
		if got := Who(test.p); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestSuites reads published reports: each carries an original, and all known types
// are understood.
func TestSuites(t *testing.T) {
	for _, test := range []struct {
		dir  string
		want map[string]int
	}{
		{"arf-perl/t/messages", map[string]int{"arf abuse: 1 whole": 2, "arf opt-out: 1 header, REPORT_UNCLEAR": 1}},
		{"dkim-mail-auth/resources/arf", map[string]int{"arf abuse: 1 whole": 2,
			"arf auth-failure: 1 header, REPORT_UNCLEAR": 2, "arf auth-failure: 1 whole, REPORT_UNCLEAR": 1}},
		// Three are of a provider that attaches without ARF, one has its original
		// redacted away, one is an unsubscription and no report.
		{"bounces-sisimai/maildir/bsd", map[string]int{"arf abuse: 1 whole": 8, "arf abuse:, REPORT_EMPTY": 1,
			"arf auth-failure: 1 header, REPORT_UNCLEAR": 2, "arf auth-failure: 1 whole, REPORT_UNCLEAR": 1,
			"arf opt-out: 1 header, REPORT_UNCLEAR": 1, "attached : 1 whole": 3, "none :, REPORT_EMPTY": 1}},
	} {
		t.Run(test.dir, func(t *testing.T) {
			dir := shared.Dir(t, "suites", test.dir)
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, f := range files {
				raw, err := os.ReadFile(f)
				if err != nil || filepath.Ext(f) == ".json" || strings.HasPrefix(test.dir, "bounces") && !strings.HasPrefix(filepath.Base(f), "arf-") {
					continue
				}
				c := Read(message.Parse(raw, message.DefaultLimits()), Config{})
				whole := len(slices.DeleteFunc(slices.Clone(c.Originals), func(o Original) bool { return o.HeaderOnly }))
				s := fmt.Sprintf("%s %s:", c.Form, c.Type)
				if whole > 0 {
					s += fmt.Sprintf(" %d whole", whole)
				}
				if n := len(c.Originals) - whole; n > 0 {
					s += fmt.Sprintf(" %d header", n)
				}
				if p := c.Problem(true); p != "" {
					s += ", " + string(p)
				}
				got[s]++
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestXARFSuite reads the published samples: those about a message say so.
func TestXARFSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared.Dir(t, "suites", "xarf", "samples"), "*", "*.json"))
	if err != nil || len(files) < 10 {
		t.Fatal(len(files), err)
	}
	told := map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c := Read(message.Parse([]byte(mail("multipart/mixed", part("Content-Type: application/json; name=xarf.json", string(b)))), message.DefaultLimits()), Config{})
		if c.Form != XARF || c.Type == "" {
			t.Errorf("%s: %s", filepath.Base(f), describe(c))
		}
		if bare, ok := ReadXARF(b, Config{}); !ok || bare.Type != c.Type || bare.At.IsZero() || bare.Source != c.Source {
			t.Errorf("%s without a mail: %s", filepath.Base(f), describe(bare))
		}
		if c.Told {
			told[fmt.Sprintf("%s, %d originals", c.Type, len(c.Originals))] = true
		}
	}
	want := map[string]bool{"messaging/spam, 1 originals": true, "messaging/bulk_messaging, 0 originals": true, "content/phishing, 0 originals": true,
		"content/fraud, 0 originals": true, "content/malware, 0 originals": true}
	if d := cmp.Diff(want, told); d != "" {
		t.Error(d)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(mail("multipart/mixed", words, asMail)))
	f.Add([]byte(arf("abuse", asMail)))
	f.Add([]byte(arf("not-spam", part("Content-Type: text/rfc822-headers", "From: x\r\n"))))
	f.Add([]byte(mail("multipart/mixed", part("Content-Type: application/json; name=xarf.json", `{"xarf_version":"4","category":"messaging","type":"spam","evidence":[{"content_type":"message/rfc822","payload":"RnJvbTogeAo="}]}`))))
	f.Add([]byte("Subject: fwd: x\r\n\r\n---- Forwarded Message ----\r\n"))
	f.Add([]byte(mail("multipart/mixed", part("Content-Type: message/rfc822", "Received: x\r\nX-Sluice-ID: A\r\nX-Spam-Flag: NO\r\nARC-Seal: x\r\n"+spam))))
	c := Config{Limits: Limits{Messages: 5, Bytes: 1 << 16, Total: 1 << 17}, Hostname: "mx.ours.example", SubjectTag: "[SPAM?]"}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := Read(message.Parse(raw, message.DefaultLimits()), c)
		total := 0
		for _, o := range got.Originals {
			total += len(o.Raw)
			if len(o.ID) > 64 || len(o.MessageID) > 300 {
				t.Errorf("long id: %d, %d", len(o.ID), len(o.MessageID))
			}
		}
		// Taking our fields off may add the empty line that a header lacks.
		if len(got.Originals) > 5 || total > 1<<17+5*2 || len(got.Unreadable) > maxNames {
			t.Errorf("over the limits: %d originals, %d octets", len(got.Originals), total)
		}
		if len(got.Originals) == 0 && got.Problem(true) == "" {
			t.Error("nothing to learn from, and no reason")
		}
	})
}

func BenchmarkRead(b *testing.B) {
	raw := []byte(mail("multipart/mixed", words, part("Content-Type: message/rfc822", spam+strings.Repeat("Click here, now.\r\n", 500))))
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		Read(message.Parse(raw, message.DefaultLimits()), Config{Hostname: "mx.ours.example", SubjectTag: "[SPAM?]"})
	}
}
