package gate_test

import (
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/gate"
	"sluice/judge/pipeline"
	"sluice/judge/verdict"
	mail "sluice/message"
	"sluice/reason"
)

const withFile = "From: ann@sender.example\r\nTo: bob@a.example\r\nSubject: plans\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n" +
	"--b\r\nContent-Type: text/html; name=\"plan.html\"\r\nContent-Disposition: attachment; filename=\"plan.html\"\r\n\r\n<p>The plan</p><script>run()</script>\r\n" +
	"--b\r\nContent-Type: image/png\r\n\r\nnot touched\r\n--b--\r\n"

const alone = "From: ann@sender.example\r\nTo: bob@a.example\r\nSubject: plans\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: text/html; name=\"plän.html\"\r\n\t; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>The plan: 5 \u20ac</p><script>run()</script>\r\n"

// TestStrip: a file is taken out or turned into text, with a note in its place; every
// other octet stays, and the original is in quarantine and can be released.
func TestStrip(t *testing.T) {
	for _, tt := range []struct {
		name string
		why  sluice.Reason
		msg  string
		part int
		want []string
		gone []string
	}{
		{"taken out", reason.FileStripped, withFile, 2,
			[]string{"Here it is.\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n", "filename=plan.html.txt", "The file \"plan.html\" was taken out", "postmaster@a.example", "image/png\r\n\r\nnot touched\r\n--b--\r\n"},
			[]string{"<script>", "The plan"}},
		{"turned into text", reason.FileConverted, withFile, 2, []string{"this is its text", "The plan"}, []string{"<script>", "<p>"}},
		{"the message itself", reason.FileConverted, alone, 0, []string{"MIME-Version: 1.0\r\n", "Content-Type: text/plain; charset=utf-8\r\n", "filename*=utf-8''pl%C3%A4n.html.txt", "The plan: 5 =E2=82=AC"}, []string{"<script>", "text/html", "8bit"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(c *gate.Config) {
				c.Settings.Pipeline = pipeline.New([]check.Checker{check.Func(check.Info{Name: "test/file", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment,
					Reasons: []sluice.Reason{tt.why}}, func(*check.Input) []sluice.Evidence {
					return []sluice.Evidence{{Reason: tt.why, Group: sluice.GroupAttachment, Part: tt.part}}
				})}, pipeline.Config{Clock: time.Now, Weights: verdict.DefaultWeights()})
			})
			want(t, w.sendText(w.open(), tt.msg, "bob@a.example"), "250")
			if len(w.hop.got) != 1 {
				t.Fatalf("%d deliveries", len(w.hop.got))
			}
			body := string(w.hop.got[0].Body)
			for _, s := range tt.want {
				if !strings.Contains(strings.ReplaceAll(body, "=\r\n", ""), s) {
					t.Errorf("no %q in\n%s", s, body)
				}
			}
			for _, s := range tt.gone {
				if strings.Contains(body, s) {
					t.Errorf("%q is left in\n%s", s, body)
				}
			}
			m := mail.Parse([]byte(body), mail.DefaultLimits())
			if n := len(mail.Parse([]byte(tt.msg), mail.DefaultLimits()).Parts); len(m.Parts) != n {
				t.Errorf("%d parts, want %d:\n%s", len(m.Parts), n, body)
			}
			if head := string(w.hop.got[0].Header); !strings.Contains(head, "X-Spam-Flag: NO") || !strings.Contains(head, "action=strip") {
				t.Errorf("our header:\n%s", head)
			}
			held := w.held()
			if len(held) != 1 || held[0].Pending || held[0].Size != int64(len(tt.msg)) || held[0].Envelope.Rcpts[0].Address != "bob@a.example" {
				t.Fatalf("quarantine: %+v", held)
			}
			if err := w.gate.Release(t.Context(), held[0].ID, "admin"); err != nil {
				t.Fatal(err)
			}
			if got := string(w.outbox.got[0].Body); got != tt.msg {
				t.Errorf("released:\n%s", got)
			}
		})
	}
}

// A next hop that refuses the stripped message leaves nothing behind.
func TestStripRefused(t *testing.T) {
	for _, each := range []bool{false, true} {
		w := newWorld(t, func(c *gate.Config) {
			c.Settings.Pipeline = pipeline.New([]check.Checker{check.Func(check.Info{Name: "test/file", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment,
				Reasons: []sluice.Reason{reason.FileStripped}}, func(*check.Input) []sluice.Evidence {
				return []sluice.Evidence{{Reason: reason.FileStripped, Group: sluice.GroupAttachment, Part: 2}}
			})}, pipeline.Config{Clock: time.Now, Weights: verdict.DefaultWeights()})
		})
		w.hop.answers["bob@a.example"] = outcome(550, nil)
		s := w.open()
		if r := s.Mail(t.Context(), "ann@sender.example", nil); r.Code != 250 {
			t.Fatal(r)
		}
		want(t, s.Rcpt(t.Context(), "bob@a.example", nil), "250")
		if each {
			want(t, s.MessageEach(t.Context(), bytesContent(withFile))[0], "550")
		} else {
			want(t, s.Message(t.Context(), bytesContent(withFile)), "550")
		}
		if held := w.held(); len(held) != 0 {
			t.Errorf("each %v: quarantine %+v", each, held)
		}
	}
}
