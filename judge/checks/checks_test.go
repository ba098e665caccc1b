package checks_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/recipient"
	"sluice/judge/checks"
	"sluice/judge/pipeline"
	"sluice/judge/verdict"
	"sluice/message"
	"sluice/reason"
)

func all(t testing.TB) []check.Checker {
	lists, err := recipient.New([]recipient.Entry{{Kind: recipient.Domain, Value: "blocked.example"}})
	if err != nil {
		t.Fatal(err)
	}
	return checks.Checks(checks.Config{Names: []string{"mx.example.net"}, Lists: func() *recipient.Lists { return lists }})
}

// Every check is declared well enough for the pipeline, and every reason that it
// may state is in the catalogue under a group that counts.
func TestDeclarations(t *testing.T) {
	for _, c := range all(t) {
		info := c.Info()
		if !strings.Contains(info.Name, "/") || info.Absent != check.Open {
			t.Errorf("%+v: want folder/name, open absence: a DNS that is away stops no mail", info)
		}
		for _, r := range info.Reasons {
			e, ok := reason.Lookup(string(r))
			if !ok {
				t.Errorf("%s: %s is not in the catalogue", info.Name, r)
			}
			var g sluice.Group
			if err := g.UnmarshalText([]byte(e.Group)); err != nil {
				t.Errorf("%s: %s: %v", info.Name, r, err)
			}
			var p sluice.Phase
			if err := p.UnmarshalText([]byte(e.Phase)); err != nil || p > info.Phase {
				t.Errorf("%s: %s: the catalogue's phase %s comes after the check's %v", info.Name, r, e.Phase, info.Phase)
			}
		}
	}
	clock := func() time.Time { return checktest.Now }
	pipeline.New(all(t), pipeline.Config{Clock: clock, Weights: verdict.DefaultWeights()}) // panics on two of one name
}

// No reason of the checks' own catalogue files is left without a check.
func TestCatalogueIsUsed(t *testing.T) {
	stated := map[string]bool{}
	for _, c := range all(t) {
		for _, r := range c.Info().Reasons {
			stated[string(r)] = true
		}
	}
	for _, file := range []string{"session_checks", "recipient", "identity", "structure", "link", "attachment", "text_checks", "brand", "scam", "sender"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "reason", "catalogue", file+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if id, ok := strings.CutPrefix(line, `id = "`); ok && !stated[strings.TrimSuffix(id, `"`)] {
				t.Errorf("%s: no check states %s", file, id)
			}
		}
	}
}

// A plain message from a decent server gives no evidence at all.
func TestPlainMail(t *testing.T) {
	in := checktest.Input(checktest.Mail("Content-Type: text/plain; charset=utf-8", "Dear Ann,\n\nhere are the minutes.\n\nBob\n"))
	if ev := checktest.Run(t, all(t), in); len(ev) != 0 {
		t.Errorf("%+v", ev)
	}
}

// FuzzChecks puts any bytes through the parser and all checks: no panic, and
// every piece of evidence keeps to its declaration.
func FuzzChecks(f *testing.F) {
	f.Add([]byte(checktest.Mail("", "Hello\n")))
	f.Add([]byte("From: a@b <c@d>\nFrom: x\nSubject: =?utf-8?B?8J2Qj/CdkJrwnZCy?=\nContent-Type: text/html\n\n<a href=\"http://1.2.3.4\">www.bank.com</a><form><input type=password>"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment; filename=\"a.pdf.exe\"\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString([]byte("PK\x05\x06"+strings.Repeat("\xff", 18))) + "\n--b--\n"))
	f.Add([]byte("\n"))
	f.Add([]byte(""))
	list := all(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := checktest.Input("")
		in.Message = message.Parse(raw, message.DefaultLimits())
		for _, a := range in.Message.Addresses("To") {
			in.Envelope.Rcpts = append(in.Envelope.Rcpts, sluice.Recipient{Address: a.String()})
		}
		checktest.Run(t, list, in)
	})
}

// newsletter is a message of about 10 kB with text, HTML, links and a picture.
func newsletter() string {
	var html, text strings.Builder
	for i := range 24 {
		fmt.Fprintf(&html, "<tr><td style=\"padding:4px\"><a href=\"https://www.example.org/item/%d?u=abc\">Item %d of the spring catalogue</a></td><td>A lamp of brass for the reading corner.</td></tr>\n", i, i)
		fmt.Fprintf(&text, "Item %d of the spring catalogue: a lamp of brass for the reading corner.\nhttps://www.example.org/item/%d?u=abc\n", i, i)
	}
	picture := base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n" + strings.Repeat("picture ", 200)))
	return checktest.Mail("List-Unsubscribe: <https://example.org/u>\nContent-Type: multipart/mixed; boundary=m",
		"--m\nContent-Type: multipart/alternative; boundary=a\n\n--a\nContent-Type: text/plain; charset=utf-8\n\n"+text.String()+
			"\n--a\nContent-Type: text/html; charset=utf-8\n\n<html><body><table>"+html.String()+"</table></body></html>\n--a--\n"+
			"--m\nContent-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n\n"+picture+"\n--m--\n")
}

// BenchmarkChecks measures all checks on a parsed 10 kB message, and each alone.
func BenchmarkChecks(b *testing.B) {
	in := checktest.Input(newsletter())
	in.Message.View()
	for _, p := range in.Message.Parts {
		in.Message.Decoded(p)
	}
	list := all(b)
	run := func(b *testing.B, list []check.Checker) {
		b.ReportAllocs()
		for b.Loop() {
			for _, c := range list {
				if _, err := c.Check(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("all", func(b *testing.B) { b.ReportMetric(float64(len(in.Message.Raw)), "octets"); run(b, list) })
	for _, c := range list {
		b.Run(c.Info().Name, func(b *testing.B) { run(b, []check.Checker{c}) })
	}
}
