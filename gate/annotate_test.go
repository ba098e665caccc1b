package gate_test

import (
	"bytes"
	"strings"
	"testing"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/gate"
	mail "sluice/message"
)

// TestAnnotate: what is written into a message for its readers is all that changes in
// it, the log says so, and a panic while writing leaves the message as it is.
func TestAnnotate(t *testing.T) {
	at := strings.Index(withFile, "Here it is.")
	for _, c := range []struct {
		name, body, action string
		annotate           func() []rewrite.Change
	}{
		{"nothing to say", withFile, "accept", func() []rewrite.Change { return nil }},
		{"a banner", withFile[:at] + "Careful – it's new.\r\n" + withFile[at:], "banner", func() []rewrite.Change {
			return []rewrite.Change{{Off: at, End: at, Text: []byte("Careful – it's new.\r\n")}}
		}},
		{"it panics", withFile, "accept", func() []rewrite.Change { panic("annotating is broken") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(cfg *gate.Config) {
				cfg.Settings.Annotate = func(_ *sluice.Conn, _ *sluice.Envelope, m *mail.Message, v *sluice.Verdict) []rewrite.Change {
					if len(m.Raw) == 0 || len(v.Ledger) == 0 {
						t.Error("nothing to go by")
					}
					return c.annotate()
				}
			})
			want(t, w.sendText(w.open(), withFile, "bob@a.example"), "250")
			d := w.hop.got[0]
			if !bytes.Equal(d.Body, []byte(c.body)) {
				t.Errorf("delivered:\n%s", d.Body)
			}
			if d.EightBit != (c.action == "banner") {
				t.Errorf("eight-bit: %t", d.EightBit)
			}
			rec, err := w.store.Records(t.Context(), sluice.Query{})
			if err != nil || len(rec) != 1 || rec[0].Action().String() != c.action {
				t.Errorf("log: %v, %v", rec, err)
			}
		})
	}
}
