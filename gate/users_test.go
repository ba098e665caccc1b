package gate_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"sluice"
	"sluice/gate"
	"sluice/gate/route"
	"sluice/reason"
)

// follower is [gate.Users] that answers as told, and notes what it was told.
type follower struct {
	gate.Restricted
	judged  []sluice.Action // before it said its word
	unknown []int
	refused int
}

func (f *follower) Login(context.Context, *sluice.Conn) {}
func (f *follower) Standing(context.Context, *sluice.Conn, string) gate.Restricted {
	return f.Restricted
}
func (f *follower) Judge(_ context.Context, o *gate.Observation, unknown int) gate.Restricted {
	f.judged, f.unknown = append(f.judged, o.Action), append(f.unknown, unknown)
	return f.Restricted
}
func (f *follower) Refused(_ context.Context, _ *sluice.Conn, _ *sluice.Envelope, n int) {
	f.refused += n
}

// TestUsers: what a case asks for happens to mail of that user, and to nobody else's.
func TestUsers(t *testing.T) {
	const page = "https://mx.a.example/self/abc"
	for _, tc := range []struct {
		name     string
		restrict sluice.Restriction
		conn     func(*sluice.Conn)
		test     string
		mail     string // reply to MAIL, where it isn't 250
		dot      string
		held     int
		asked    int
	}{
		{name: "nothing", dot: "250 ", asked: 1},
		{name: "hold", restrict: sluice.RestrictHold, dot: "250 ", held: 1, asked: 1},
		{name: "spam is held for what it is", restrict: sluice.RestrictHold, test: "spam", dot: "250 ", held: 1, asked: 1},
		{name: "malware stays refused", restrict: sluice.RestrictHold, test: "malware", dot: "550 5.7.1", asked: 1},
		{name: "clamp", restrict: sluice.RestrictClamp, dot: "450 4.7.1", asked: 1},
		{name: "reply", restrict: sluice.RestrictReply, mail: "550 5.7.1"},
		{name: "reauth", restrict: sluice.RestrictReauth, mail: "530 5.7.0"},
		{name: "mail from outside", restrict: sluice.RestrictHold, conn: func(c *sluice.Conn) { c.Auth = "" }, dot: "250 "},
		{name: "a relay of ours to us", restrict: sluice.RestrictHold, conn: func(c *sluice.Conn) { c.Auth, c.Trusted = "", true }, dot: "250 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &follower{Restricted: gate.Restricted{Restrict: tc.restrict, Case: "C1", Page: page}}
			w := newWorld(t, func(c *gate.Config) { c.Settings.Users = f })
			w.conn.Auth = "ann@a.example"
			if tc.conn != nil {
				tc.conn(&w.conn)
			}
			s := w.open()
			if tc.mail != "" {
				r := s.Mail(t.Context(), "ann@a.example", nil)
				if !strings.HasPrefix(r.String(), tc.mail) || !strings.Contains(r.Text, page) {
					t.Errorf("MAIL: %v", r)
				}
				if r := s.Rcpt(t.Context(), "bob@a.example", nil); r.Code != 503 {
					t.Errorf("RCPT after a refused MAIL: %v", r)
				}
				return
			}
			r := w.send(s, tc.test, "bob@a.example")
			if !strings.HasPrefix(r.String(), tc.dot) || len(f.judged) != tc.asked {
				t.Errorf("%v, asked %d times", r, len(f.judged))
			}
			held := w.held()
			if len(held) != tc.held {
				t.Fatalf("%d held", len(held))
			}
			if tc.held == 0 {
				return
			}
			case1 := false
			for _, c := range held[0].Verdict.Ledger {
				case1 = case1 || c.Reason == reason.AccountHeld && c.Detail == "case C1"
			}
			if !case1 {
				t.Errorf("the ledger doesn't name the case: %v", held[0].Verdict.Ledger)
			}
		})
	}
}

// TestUsersUndelivered: recipients that don't exist are counted, at this gate and at the
// next hop.
func TestUsersUndelivered(t *testing.T) {
	f := &follower{}
	out := &hop{answers: map[string]sluice.Outcome{"none@far.example": outcome(550, nil)}}
	w := newWorld(t, func(c *gate.Config) {
		c.Settings.Users = f
		c.Settings.Routes.Outbound = &route.Route{Key: "out", Deliverer: out}
	})
	w.conn.Auth = "ann@a.example"
	s := w.open()
	if r := w.send(s, "", "none@far.example", "some@far.example"); r.Code != 250 {
		t.Fatal(r)
	}
	if f.refused != 1 || len(out.got) != 1 {
		t.Errorf("%d of 1 told, %d deliveries", f.refused, len(out.got))
	}
}

// TestSenders: of trusted machines only those that may send elsewhere can, and their mail
// is followed as that of users is.
func TestSenders(t *testing.T) {
	for _, tc := range []struct {
		name    string
		trusted bool
		senders bool
		want    string
	}{
		{"a stranger", false, true, "550 5.7.1"},
		{"a relay that brings mail in", true, false, "550 5.7.1"},
		{"our mail server", true, true, "250 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, out := &follower{Restricted: gate.Restricted{Restrict: sluice.RestrictHold, Case: "C1"}}, &hop{}
			w := newWorld(t, func(c *gate.Config) {
				c.Settings.Users = f
				c.Settings.Routes.Outbound = &route.Route{Key: "out", Deliverer: out}
				if tc.senders {
					c.Settings.Senders = func(netip.Addr) bool { return true }
				}
			})
			w.conn.Trusted = tc.trusted
			r := w.send(w.open(), "", "some@far.example")
			if !strings.HasPrefix(r.String(), tc.want) {
				t.Fatal(r)
			}
			if held := len(w.held()); tc.want == "250 " && (held != 1 || len(f.judged) != 1 || len(out.got) != 0) {
				t.Errorf("%d held, asked %d times, %d delivered", held, len(f.judged), len(out.got))
			}
		})
	}
}
