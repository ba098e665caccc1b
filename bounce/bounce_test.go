package bounce

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/golden"
	"sluice/message"
)

// TestNotices reads mail that was written for this test in the shapes of many
// programs. Each golden file is the whole answer.
func TestNotices(t *testing.T) {
	files, err := filepath.Glob("testdata/notices/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no notices", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".eml"), func(t *testing.T) {
			b := Parse(load(t, f), Config{TraceField: "X-Sluice-Trace"})
			for i := range b.Recipients { // the dictionary has tests of its own
				a := &b.Recipients[i].Answer
				a.Means, a.Advice, a.Source, a.Date = "", "", "", ""
			}
			out, err := json.MarshalIndent(b, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, strings.TrimSuffix(f, ".eml")+".json", append(out, '\n'))
		})
	}
}

// TestBounds has a notice with more recipients than are taken, and one of many
// lines, cost no more than the limits.
func TestBounds(t *testing.T) {
	var dsn, text strings.Builder
	dsn.WriteString("From: MAILER-DAEMON@mx.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n")
	text.WriteString("From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\nThe message could not be delivered.\n\n")
	for i := range 1500 {
		fmt.Fprintf(&dsn, "\nFinal-Recipient: rfc822; u%d@example.org\nAction: failed\nStatus: 5.1.1\n", i)
		fmt.Fprintf(&text, "<u%d@example.org>:\n550 no such user\n\n", i)
	}
	b := Parse([]byte(dsn.String()), Config{Limits: Limits{Recipients: 100}})
	if len(b.Recipients) != 100 || b.Left != 1400 {
		t.Errorf("machine's part: %d recipients, %d left", len(b.Recipients), b.Left)
	}
	b = Parse([]byte(text.String()), Config{Limits: Limits{Recipients: 100}})
	if len(b.Recipients) != 100 || b.Left == 0 {
		t.Errorf("text: %d recipients, %d left", len(b.Recipients), b.Left)
	}
}

// TestTrace finds what a site put into its own mail.
func TestTrace(t *testing.T) {
	b := Parse([]byte(seeds[0]), Config{TraceField: "X-Trace"})
	if o := b.Original; !o.Returned || o.MessageID != "x@example.net" || o.Trace != "t1" {
		t.Errorf("%+v", o)
	}
	if o := Parse([]byte(seeds[0]), Config{}).Original; o.Trace != "" {
		t.Errorf("a trace without a field: %+v", o)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"postfix", "qmail"} {
		b.Run(name, func(b *testing.B) {
			raw := []byte(seeds[0])
			if name == "postfix" {
				raw = []byte(seeds[1])
			}
			Parse(raw, Config{})
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				Parse(raw, Config{})
			}
		})
	}
}

// TestReturned gives all of the returned header: a forged field beside ours doesn't hide it.
func TestReturned(t *testing.T) {
	for name, raw := range map[string]string{
		"a message": "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; boundary=b\n\n--b\n\nnot delivered\n--b\nContent-Type: message/rfc822\n\nX-Trace: forged\nX-Trace: t1\nSubject: x\n\nX-Trace: of the body\n--b--\n",
		"fields":    "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; boundary=b\n\n--b\n\nnot delivered\n--b\nContent-Type: text/rfc822-headers\n\nX-Trace: forged\nX-Trace: t1\nSubject: x\n--b--\n",
		"text":      strings.Replace(seeds[0], "X-Trace: t1", "X-Trace: forged\nX-Trace: t1", 1),
	} {
		h, ok := Returned(message.Parse([]byte(raw), message.DefaultLimits()), Config{})
		if !ok || h.Count("X-Trace") != 2 || h.Get("X-Trace") != "forged" {
			t.Errorf("%s: %v, %d traces", name, ok, h.Count("X-Trace"))
		}
	}
	if _, ok := Returned(message.Parse([]byte("Subject: hello\n\nX-Trace: t1\n\nnothing came back\n"), message.DefaultLimits()), Config{}); ok {
		t.Error("personal mail gives something back")
	}
}
