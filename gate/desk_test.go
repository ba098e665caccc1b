package gate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sluice"
	"sluice/gate"
	"sluice/mailauth"
	mail "sluice/message"
)

// counter is a desk with one address. It knows what it took.
type counter struct {
	took  []string
	reply sluice.Reply
	err   error
}

func (c *counter) Takes(addr string) bool { return strings.EqualFold(addr, "spam@reports.example") }

func (c *counter) Clean(_ context.Context, raw []byte) ([]byte, string) { return raw, "" }

func (c *counter) Take(_ context.Context, _ *sluice.Conn, env *sluice.Envelope, _ *mailauth.Auth, m *mail.Message) (sluice.Reply, error) {
	c.took = append(c.took, env.From+" "+m.Header().Get("Subject"))
	return c.reply, c.err
}

// A report goes to the desk, whatever is in it, and nowhere else.
func TestDesk(t *testing.T) {
	d := &counter{reply: sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Thank you"}}
	w := newWorld(t, func(c *gate.Config) { c.Settings.Desk = d })
	s := w.open()
	want(t, w.send(s, "reject", "Spam@Reports.example"), "250 2.0.0 Thank you")
	if len(d.took) != 1 || len(w.held()) != 0 || len(w.hop.got) != 0 {
		t.Errorf("the desk has %q, quarantine %d, the next hop %d", d.took, len(w.held()), len(w.hop.got))
	}
	for _, tt := range []struct {
		reply  sluice.Reply
		err    error
		action sluice.Action
	}{
		{sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Thank you"}, nil, sluice.Accept},
		{sluice.Reply{Code: 550, Enhanced: "5.6.0", Text: "No attached message"}, nil, sluice.Reject},
		{sluice.Reply{Code: 451, Enhanced: "4.3.0", Text: "Later"}, errors.New("the log is away"), sluice.Defer},
	} {
		d.reply, d.err = tt.reply, tt.err
		if r := w.send(s, "accept", "spam@reports.example"); r.String() != tt.reply.String() {
			t.Errorf("got %v, want %v", r, tt.reply)
		}
		if err := w.store.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := w.store.Records(t.Context(), sluice.Query{Limit: 1})
		if err != nil || len(rows) != 1 || rows[0].Action() != tt.action {
			t.Errorf("%v is recorded as %+v, %v", tt.reply, rows, err)
		}
	}
}

// A report has no other recipients.
func TestDeskAlone(t *testing.T) {
	d := &counter{reply: sluice.Reply{Code: 250, Text: "Thank you"}}
	w := newWorld(t, func(c *gate.Config) { c.Settings.Desk = d })
	for _, to := range [][]string{{"spam@reports.example", "bob@a.example"}, {"bob@a.example", "spam@reports.example"}} {
		s := w.open()
		if r := s.Mail(t.Context(), "ann@sender.example", nil); r.Code != 250 {
			t.Fatal(r)
		}
		want(t, s.Rcpt(t.Context(), to[0], nil), "250")
		want(t, s.Rcpt(t.Context(), to[1], nil), "452 4.5.3")
	}
}
