package users

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/config"
	"sluice/gate"
	"sluice/mailauth"
	"sluice/message"
	"sluice/store/memory"
)

// TestFinal: whose 250 is proof that it is in the mailbox.
func TestFinal(t *testing.T) {
	cfg, err := config.Parse("test.toml", []byte(`
[[domain]]
names = ["lmtp.example"]
relay = ["lmtp://10.0.0.1:24"]
[[domain]]
names = ["files.example"]
relay = ["maildir:/var/mail/files"]
[[domain]]
names = ["smtp.example", "said.example"]
relay = ["smtp://10.0.0.1:25"]
[subscribers.notice]
final = ["Said.example"]
`), config.Flags{})
	if err != nil {
		t.Fatal(err)
	}
	holds := final(cfg)
	for addr, want := range map[string]bool{"a@lmtp.example": true, "a@files.example": true, "a@FILES.example": true, "a@smtp.example": false, "a@said.example": true, "a@far.example": false, "": false} {
		if holds(addr) != want {
			t.Errorf("%s: %v", addr, !want)
		}
	}
}

// mails takes what is sent.
type mails struct{ list []*sluice.Delivery }

func (m *mails) Put(_ context.Context, d *sluice.Delivery) error {
	m.list = append(m.list, d)
	return nil
}

// none is a desk without addresses.
type none struct{ gate.Desk }

func (none) Takes(string) bool { return false }
func (none) Take(context.Context, *sluice.Conn, *sluice.Envelope, *mailauth.Auth, *message.Message) (sluice.Reply, error) {
	return sluice.Reply{Code: 550}, nil
}

const dsn = "From: MAILER-DAEMON@far.example\r\nTo: x@a.example\r\nSubject: delivered\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nDelivered.\r\n" +
	"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.far.example\r\n\r\nFinal-Recipient: rfc822; bob@a.example\r\nAction: delivered\r\nStatus: 2.0.0\r\n\r\n--b--\r\n"

// TestTold: with a public page users are told, a refusal has their page's link, and a
// notification that comes back through the door is proof; without one nobody is.
func TestTold(t *testing.T) {
	const more = "[subscribers]\non = true\nrestrict = { person = \"reply\" }\nquiet_from = 5\nquiet_to = 5\n[subscribers.notice]\nbounces = \"a.example\"\nadmin = \"abuse@a.example\"\n[[domain]]\nnames = [\"a.example\"]\nrelay = [\"smtp://10.0.0.1:25\"]\n"
	made := func(text string) (*Users, *mails, *config.Config) {
		cfg, err := config.Parse("test.toml", []byte(text+more), config.Flags{Data: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		store, out := memory.New(), &mails{}
		u, err := New(t.Context(), cfg, Config{Log: store, Cases: store, Memos: store, Outbox: out, Trace: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return u, out, cfg
	}
	u, _, cfg := made("")
	if h, err := u.Pages(cfg, nil); h != nil || err != nil || u.Desk(none{}) != (gate.Desk)(none{}) {
		t.Errorf("without a public page: %v %v", h, err)
	}
	u, out, cfg := made("public_url = \"https://mx.a.example\"\n[public]\naddress = \"127.0.0.1:8025\"\n")
	if h, err := u.Pages(cfg, nil); h == nil || err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		u.Judge(t.Context(), mail("bob@a.example", i, 24), 0)
	}
	r := u.Standing(t.Context(), mail("bob@a.example", 0, 0).Conn, "bob@a.example")
	if !strings.HasPrefix(r.Page, "https://mx.a.example/self/") {
		t.Errorf("refused: %+v", r)
	}
	u.telling.Step(t.Context(), time.Now())
	if len(out.list) != 1 || out.list[0].Envelope.Rcpts[0].Address != "bob@a.example" {
		t.Fatalf("sent: %+v", out.list)
	}
	back := out.list[0].Envelope.From
	d := u.Desk(none{})
	if !d.Takes(back) || d.Takes("bob@a.example") {
		t.Fatalf("reverse-path %q", back)
	}
	env := func(to ...string) *sluice.Envelope {
		e := &sluice.Envelope{}
		for _, a := range to {
			e.Rcpts = append(e.Rcpts, sluice.Recipient{Address: a})
		}
		return e
	}
	msg := message.Parse([]byte(dsn), message.DefaultLimits())
	for _, tc := range []struct {
		env  *sluice.Envelope
		want int
	}{{env("bob@a.example"), 550}, {env(back, "bob@a.example"), 554}, {env(back), 250}} {
		if r, err := d.Take(t.Context(), &sluice.Conn{}, tc.env, nil, msg); err != nil || r.Code != tc.want {
			t.Errorf("%v: %+v %v", tc.env.Addresses(), r, err)
		}
	}
	c, err := u.Warden.Case(t.Context(), r.Case)
	if err != nil || c.State != sluice.CaseNotified {
		t.Errorf("%+v %v", c, err)
	}
	if err := u.Warden.Tick(t.Context(), time.Now().Add(8*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := len(out.list); n != 2 || out.list[1].Envelope.Rcpts[0].Address != "abuse@a.example" || !strings.Contains(string(out.list[1].Body), "doesn't answer") {
		t.Errorf("%d mails", n)
	}
}
