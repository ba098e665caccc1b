package gate_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice"
	"sluice/check"
	"sluice/gate"
	"sluice/gate/route"
	"sluice/guard"
	"sluice/guard/greylist"
	"sluice/judge/pipeline"
	"sluice/judge/verdict"
	"sluice/learn/reputation"
	"sluice/reason"
)

// people is a directory: those it lists are there, "busy" can't be told.
type people []string

func (p people) Lookup(_ context.Context, a string) (sluice.Listing, error) {
	switch {
	case slices.Contains(p, a):
		return sluice.Listing{Presence: sluice.Present, Source: "test"}, nil
	case strings.HasPrefix(a, "busy@"):
		return sluice.Listing{Source: "test"}, errors.New("no answer")
	case strings.HasPrefix(a, "full@"):
		return sluice.Listing{Source: "test", Reply: sluice.Reply{Code: 452, Enhanced: "4.2.2", Text: "Mailbox full"}}, nil
	}
	return sluice.Listing{Presence: sluice.Absent, Source: "test"}, nil
}

// attacked is a world with a port and a clock of its own.
type attacked struct {
	*world
	now  time.Time
	port *gate.Port
	grey bool // something speaks against every client
}

func newAttacked(t *testing.T, change func(*gate.Config)) *attacked {
	t.Helper()
	a := &attacked{now: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}
	suspicious := check.Func(check.Info{Name: "test/suspicious", Phase: sluice.PhaseHello, Group: sluice.GroupSession,
		Reasons: []sluice.Reason{reason.HeloWorkstation}}, func(*check.Input) []sluice.Evidence {
		if !a.grey {
			return nil
		}
		return []sluice.Evidence{{Reason: reason.HeloWorkstation, Group: sluice.GroupSession, Raw: 9, Threat: sluice.ThreatBot}}
	})
	port := gate.Port{Guard: guard.New(guard.Config{Immune: func(a netip.Addr) bool { return a.Is4() && a.As4()[0] == 10 }}),
		Greylist: greylist.New(greylist.Config{}), Reputation: reputation.New(reputation.Config{}),
		Spared: func(a netip.Addr) bool { return a.Is4() && a.As4()[0] == 10 }}
	a.port = &port
	a.world = newWorld(t, func(c *gate.Config) {
		c.Port, c.Clock, c.Settings.GreetPause = port, func() time.Time { return a.now }, 5*time.Second
		c.Settings.Pipeline = pipeline.New([]check.Checker{suspicious, scripted()}, pipeline.Config{Clock: c.Clock, Weights: verdict.DefaultWeights()})
		other := *c.Settings.Routes.ByDomain["b.example"]
		c.Settings.Routes.ByDomain["b.example"] = &other
		c.Settings.Routes.ByDomain["a.example"].Directory = people{"bob@a.example", "eve@a.example"}
		if change != nil {
			change(c)
		}
	})
	a.conn.Door = sluice.DoorSMTP
	a.conn.Start = a.now
	return a
}

// mail opens a transaction.
func (a *attacked) mail(s sluice.Session, from string) {
	a.t.Helper()
	if r := s.Mail(a.t.Context(), from, nil); r.Code != 250 {
		a.t.Fatalf("MAIL: %v", r)
	}
}

func want(t *testing.T, r sluice.Reply, start string) {
	t.Helper()
	if !strings.HasPrefix(r.String(), start) {
		t.Errorf("got %v, want %s", r, start)
	}
}

func TestRecipientTruth(t *testing.T) {
	a := newAttacked(t, nil)
	s := a.open()
	a.mail(s, "ann@sender.example")
	want(t, s.Rcpt(t.Context(), "bob@a.example", nil), "250")
	want(t, s.Rcpt(t.Context(), "nobody@a.example", nil), "550 5.1.1")
	want(t, s.Rcpt(t.Context(), "full@a.example", nil), "452 4.2.2")
	want(t, s.Rcpt(t.Context(), "busy@a.example", nil), "250") // our trouble is nobody's refusal
	want(t, s.Rcpt(t.Context(), "anybody@b.example", nil), "250")
	a = newAttacked(t, func(c *gate.Config) { c.Settings.Routes.ByDomain["a.example"].DirectoryDown = true })
	s = a.open()
	a.mail(s, "ann@sender.example")
	want(t, s.Rcpt(t.Context(), "busy@a.example", nil), "451 4.3.0")
}

// TestHarvest: who guesses addresses learns nothing more, not even slowly from
// another connection.
func TestHarvest(t *testing.T) {
	a := newAttacked(t, nil)
	s := a.open()
	a.mail(s, "x@sender.example")
	found := 0
	for i := range 30 {
		r := s.Rcpt(t.Context(), fmt.Sprintf("user%d@a.example", i), nil)
		if strings.HasPrefix(r.String(), "550 5.7.1") && r.Slow {
			found = i + 1
			break
		}
	}
	if found == 0 || found > 12 {
		t.Fatalf("found after %d guesses", found)
	}
	known, unknown := s.Rcpt(t.Context(), "bob@a.example", nil), s.Rcpt(t.Context(), "zed@a.example", nil)
	if known.String() != unknown.String() || !known.Slow || !unknown.Slow {
		t.Errorf("known %v\nunknown %v", known, unknown)
	}
	s.Close(sluice.EndedQuit)
	ad := a.gate.Admit(sluice.Arrival{Client: a.conn.Client, Now: a.now, Door: sluice.DoorSMTP, Limit: 100})
	want(t, ad.Refuse, "554 5.7.1")
	if !strings.Contains(ad.Refuse.Text, "ref ") {
		t.Errorf("no reference: %v", ad.Refuse)
	}
}

// TestForwardedStartsAnew: a hop of ours speaks for one client after another, and what
// one did isn't held against the next.
func TestForwardedStartsAnew(t *testing.T) {
	a := newAttacked(t, nil)
	s := a.open()
	a.mail(s, "x@sender.example")
	for i := range 30 {
		s.Rcpt(t.Context(), fmt.Sprintf("user%d@a.example", i), nil)
	}
	want(t, s.Rcpt(t.Context(), "bob@a.example", nil), "550 5.7.1")
	a.conn.Client = netip.MustParseAddrPort("198.51.100.7:4000")
	s.Forwarded(t.Context())
	a.mail(s, "ann@sender.example")
	want(t, s.Rcpt(t.Context(), "bob@a.example", nil), "250")
}

// TestSparedNeverBanned: proxies, trusted and allow-listed networks.
func TestSparedNeverBanned(t *testing.T) {
	a := newAttacked(t, nil)
	a.conn.Client = netip.MustParseAddrPort("10.1.2.3:4000")
	for range 20 {
		s := a.open()
		s.Violation(t.Context(), sluice.Violation{Kind: reason.EarlyTalker, Phase: sluice.PhaseConnect})
		s.Close(sluice.EndedRefused)
	}
	if ad := a.gate.Admit(sluice.Arrival{Client: a.conn.Client, Now: a.now, Limit: 100}); ad.Refuse.Code != 0 {
		t.Errorf("refused: %v", ad.Refuse)
	}
	_, r := a.gate.Open(t.Context(), &a.conn)
	if r.Pause != 0 {
		t.Errorf("paused %v", r.Pause)
	}
}

// TestBannedForLists: who comes back again and again though lists name it hears so at
// connect, and at no cost.
func TestBannedForLists(t *testing.T) {
	a := newAttacked(t, nil)
	arrival := sluice.Arrival{Client: a.conn.Client, Now: a.now, Door: sluice.DoorSMTP, Limit: 100}
	for range 3 {
		a.port.Guard.Offend(a.now, a.conn.Client.Addr(), reason.DNSBLBlocked, 3.4)
	}
	r := a.gate.Admit(arrival).Refuse
	if want(t, r, "554 5.7.1"); !strings.Contains(r.Text, "block list") {
		t.Errorf("%v", r)
	}
}

// TestCrowded: under load known senders keep their place, and others hear why.
func TestCrowded(t *testing.T) {
	a := newAttacked(t, nil)
	ask := func(open, mine int) sluice.Admission {
		return a.gate.Admit(sluice.Arrival{Client: a.conn.Client, Now: a.now, Door: sluice.DoorSMTP, Open: open, Limit: 100, Mine: mine, MineLimit: 5})
	}
	if ad := ask(74, 0); ad.Refuse.Code != 0 {
		t.Errorf("room for everybody: %v", ad.Refuse)
	}
	want(t, ask(75, 0).Refuse, "421 4.3.2")
	want(t, ask(10, 5).Refuse, "421 4.7.0")
	for range 5 {
		a.port.Reputation.Observe(a.now, reputation.Outcome{Good: 1}, reputation.AddressKey(a.conn.Client.Addr()))
	}
	if ad := ask(100, 0); ad.Refuse.Code != 0 || !ad.Known {
		t.Errorf("a known sender at a full port: %+v", ad)
	}
	rows, err := a.store.Records(t.Context(), sluice.Query{})
	if err != nil || len(rows) == 0 || !strings.Contains(rows[0].Reply.Text, rows[0].ID) {
		t.Errorf("the reference of a refusal can't be looked up: %+v, %v", rows, err)
	}
}

func TestGreetPause(t *testing.T) {
	a := newAttacked(t, nil)
	pause := func() time.Duration {
		t.Helper()
		s, r := a.gate.Open(t.Context(), &a.conn)
		if s.Hello(t.Context()).Code != 250 {
			t.Fatal("hello")
		}
		s.Close(sluice.EndedQuit)
		return r.Pause
	}
	if p := pause(); p != 5*time.Second {
		t.Errorf("an unknown client waits %v", p)
	}
	if p := pause(); p != 0 {
		t.Errorf("one that kept silent waits again: %v", p)
	}
	a.now = a.now.Add(25 * time.Hour)
	if p := pause(); p == 0 {
		t.Error("a day later it is still remembered")
	}
	a.now = a.now.Add(25 * time.Hour)
	for range 5 {
		a.port.Reputation.Observe(a.now, reputation.Outcome{Good: 1}, reputation.AddressKey(a.conn.Client.Addr()))
	}
	if p := pause(); p != 0 {
		t.Errorf("a known client waits %v", p)
	}
}

// TestGreylistOnlyWhenGrey, and never twice for one message.
func TestGreylistOnlyWhenGrey(t *testing.T) {
	a := newAttacked(t, nil)
	s := a.open()
	if r := a.send(s, "", "bob@a.example"); r.Code != 250 {
		t.Fatalf("nothing speaks against it: %v", r)
	}
	s.Close(sluice.EndedQuit)
	a.conn.Client = netip.MustParseAddrPort("198.51.100.7:4000")
	a.grey = true
	s = a.open()
	a.mail(s, "ann@sender.example")
	want(t, s.Rcpt(t.Context(), "bob@a.example", nil), "451 4.7.1")
	want(t, s.Rcpt(t.Context(), "eve@a.example", nil), "451 4.7.1")
	want(t, s.Rcpt(t.Context(), "postmaster@a.example", nil), "451 4.7.1") // reachable, at a second try
	var last sluice.Reply
	for i := 0; i < 100 && !last.Close; i++ {
		last = s.Rcpt(t.Context(), fmt.Sprintf("guess%d@a.example", i), nil)
	}
	if want(t, last, "421 4.7.1"); !last.Close {
		t.Error("a guesser that is asked to come again goes on for ever")
	}
	s.Close(sluice.EndedQuit)
	a.now = a.now.Add(61 * time.Second)
	s = a.open()
	if r := a.send(s, "", "bob@a.example", "eve@a.example"); r.Code != 250 {
		t.Fatalf("came again: %v", r)
	}
	if got := len(a.hop.got); got != 2 {
		t.Errorf("%d deliveries, want the two messages", got)
	}
}

func TestTraps(t *testing.T) {
	a := newAttacked(t, func(c *gate.Config) {
		c.Settings.Traps = route.NewTraps([]string{"old@a.example"}, []string{"honeypot.example"})
	})
	s := a.open()
	if r := a.send(s, "", "bob@a.example", "Old@A.example", "anything@honeypot.example"); r.Code != 250 {
		t.Fatalf("%v", r)
	}
	if len(a.hop.got) != 1 || len(a.hop.got[0].Envelope.Rcpts) != 1 || a.hop.got[0].Envelope.Rcpts[0].Address != "bob@a.example" {
		t.Errorf("delivered: %+v", a.hop.got)
	}
	held := a.held()
	if len(held) != 1 || len(held[0].Envelope.Rcpts) != 2 {
		t.Fatalf("held: %+v", held)
	}
	if r := a.send(s, "", "old@a.example"); r.Code != 250 {
		t.Errorf("a trap alone: %v", r)
	}
	if score := a.port.Reputation.Score(a.now, reputation.AddressKey(a.conn.Client.Addr())); score.Bad < 3 || score.Good > 0 {
		t.Errorf("reputation: %+v", score)
	}
	a.mail(s, "ann@sender.example")
	want(t, s.Rcpt(t.Context(), "postmaster@honeypot.example", nil), "550 5.7.1")
}

func TestRequireTLS(t *testing.T) {
	a := newAttacked(t, func(c *gate.Config) { c.Settings.Routes.ByDomain["a.example"].RequireTLS = true })
	s := a.open()
	a.mail(s, "ann@sender.example")
	want(t, s.Rcpt(t.Context(), "bob@a.example", nil), "550 5.7.10")
	want(t, s.Rcpt(t.Context(), "bob@b.example", nil), "250")
	a.conn.TLS = &sluice.TLSInfo{Version: "TLS1.3"}
	a.mail(s, "ann@sender.example")
	want(t, s.Rcpt(t.Context(), "bob@a.example", nil), "250")
}

// users is a login server.
type users map[string]string

func (u users) Login(_ context.Context, c sluice.Credentials, _ *sluice.Conn) (string, error) {
	if c.User == "down" {
		return "", &sluice.Error{Reply: sluice.Reply{Code: 454}, Why: reason.AuthTemporary, Err: errors.New("no answer")}
	}
	if c.Secret != "" && u[c.User] == c.Secret {
		return c.User, nil
	}
	return "", &sluice.Error{Reply: sluice.Reply{Code: 535}, Why: reason.AuthFailed, Err: errors.New("refused")}
}

func TestSubmission(t *testing.T) { synctest.Test(t, testSubmission) } // failed logins take their time

func testSubmission(t *testing.T) {
	out := &hop{}
	a := newAttacked(t, func(c *gate.Config) {
		c.Settings.Login = users{"ann@a.example": "secret word"}
		c.Settings.Routes.Outbound = &route.Route{Key: "out", Tenant: "a", Deliverer: out}
	})
	a.grey = true // wherever a user sits
	a.conn.Door = sluice.DoorSubmission
	s := a.open()
	login := func(user, secret string) sluice.Reply {
		return s.Auth(t.Context(), sluice.Credentials{Mechanism: "PLAIN", User: user, Secret: secret})
	}
	a.mail(s, "ann@a.example")
	want(t, s.Rcpt(t.Context(), "friend@elsewhere.example", nil), "550 5.7.1")
	want(t, login("ann@a.example", "wrong"), "535 5.7.8")
	want(t, login("nobody@a.example", "secret word"), "535 5.7.8")
	want(t, login("down", "x"), "454 4.7.0")
	if r := login("ann@a.example", "word"); r.Code != 421 || !r.Close {
		t.Errorf("a third failure: %v", r)
	}
	s.Close(sluice.EndedRefused)
	s = a.open()
	want(t, login("ann@a.example", "secret word"), "235 2.7.0")
	if r := a.send(s, "", "friend@elsewhere.example"); r.Code != 250 {
		t.Fatalf("%v", r)
	}
	if rows, err := a.store.Records(t.Context(), sluice.Query{Limit: 1}); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	} else {
		for _, c := range rows[0].Verdict.Ledger { // Mail-Toaster-6#387: karma rejected the owner's own users
			if c.Reason == reason.HeloWorkstation {
				t.Errorf("a user who logged in is judged as a stranger: %+v", c)
			}
		}
	}
	if len(out.got) != 1 || !out.got[0].Envelope.Outbound {
		t.Errorf("went out: %+v", out.got)
	}
	if r := a.send(s, "", "bob@a.example"); r.Code != 250 || len(a.hop.got) != 1 {
		t.Errorf("to our own: %v, %d", r, len(a.hop.got))
	}
	if r := a.send(s, "", "friend@elsewhere.example", "bob@a.example"); r.Code != 452 {
		t.Errorf("two ways in one transaction: %v", r)
	}
	for i := range 40 { // a guesser from elsewhere
		a.conn.Client, a.conn.Auth = netip.MustParseAddrPort("203.0.113.9:1"), ""
		if r := login("ann@a.example", fmt.Sprint("guess", i)); r.Code == 421 {
			return
		}
		a.now = a.now.Add(time.Minute)
	}
	t.Error("40 guesses were looked at")
}

func TestMessageEach(t *testing.T) {
	a := newAttacked(t, nil)
	a.hop.answers["eve@a.example"] = sluice.Outcome{Reply: sluice.Reply{Code: 452, Enhanced: "4.2.2", Text: "full"}, Err: errors.New("full")}
	a.hop.answers["x@b.example"] = sluice.Outcome{Reply: sluice.Reply{Code: 550, Enhanced: "5.1.1", Text: "no"}, Err: errors.New("no")}
	a.conn.Door, a.conn.AlreadyAccepted = sluice.DoorLMTP, true
	s := a.open()
	begin := func() {
		a.mail(s, "ann@sender.example")
		for _, to := range []string{"bob@a.example", "eve@a.example", "x@b.example"} {
			want(t, s.Rcpt(t.Context(), to, nil), "250")
		}
		want(t, s.Data(t.Context()), "354")
	}
	begin()
	rs := s.MessageEach(t.Context(), bytesContent(message("")))
	if len(rs) != 3 {
		t.Fatalf("%d replies", len(rs))
	}
	want(t, rs[0], "250")
	want(t, rs[1], "452 4.2.2")
	want(t, rs[2], "550 5.1.1")
	if len(a.held()) != 0 || len(a.outbox.got) != 0 {
		t.Error("the client keeps what was refused; nobody else must")
	}
	begin()
	for _, r := range s.MessageEach(t.Context(), bytesContent(message("malware"))) {
		want(t, r, "250") // taken once already: refusing it would make backscatter
	}
	if h := a.held(); len(h) != 1 || len(h[0].Envelope.Rcpts) != 3 {
		t.Errorf("held: %+v", h)
	}
	a.conn.AlreadyAccepted = false
	begin()
	for _, r := range s.MessageEach(t.Context(), bytesContent(message("panic"))) {
		want(t, r, "4")
	}
}

// TestOutcomes: a reputation must not confirm itself.
func TestOutcomes(t *testing.T) {
	key := reputation.AddressKey(netip.MustParseAddr("192.0.2.7"))
	a := newAttacked(t, nil)
	s := a.open()
	a.send(s, "", "bob@a.example")
	if sc := a.port.Reputation.Score(a.now, key); sc.Good != 1 || sc.Bad != 0 {
		t.Errorf("wanted: %+v", sc)
	}
	a.send(s, "spam", "bob@a.example")
	if sc := a.port.Reputation.Score(a.now, key); sc.Good != 1 || sc.Bad != 1 {
		t.Errorf("unwanted: %+v", sc)
	}
	own := check.Func(check.Info{Name: "test/own", Phase: sluice.PhaseHello, Group: sluice.GroupReputation,
		Reasons: []sluice.Reason{reason.ReputationAddressBad, reason.DialectBad}}, func(*check.Input) []sluice.Evidence {
		return []sluice.Evidence{{Reason: reason.ReputationAddressBad, Group: sluice.GroupReputation, Raw: 15},
			{Reason: reason.DialectBad, Group: sluice.GroupSession, Raw: 12}}
	})
	a = newAttacked(t, func(c *gate.Config) {
		c.Port.Greylist = nil
		c.Settings.Pipeline = pipeline.New([]check.Checker{own}, pipeline.Config{Clock: c.Clock, Weights: verdict.DefaultWeights()})
	})
	s = a.open()
	a.send(s, "", "bob@a.example")
	if sc := a.port.Reputation.Score(a.now, key); sc.Bad != 0 {
		t.Errorf("its own evidence made an outcome: %+v", sc)
	}
}

// TestNeverCameBack: who is asked to come again and doesn't was no mail server.
func TestNeverCameBack(t *testing.T) {
	key := reputation.AddressKey(netip.MustParseAddr("192.0.2.7"))
	a := newAttacked(t, nil)
	a.grey = true
	from := "ann@sender.example"
	try := func() sluice.Reply {
		s := a.open()
		defer s.Close(sluice.EndedQuit)
		a.mail(s, from)
		return s.Rcpt(t.Context(), "bob@a.example", nil)
	}
	want(t, try(), "451")
	a.now = a.now.Add(5 * time.Minute)
	want(t, try(), "250")
	a.now = a.now.Add(5 * time.Hour)
	a.gate.Tidy()
	if sc := a.port.Reputation.Score(a.now, key); sc.Bad != 0 {
		t.Errorf("it came back: %+v", sc)
	}
	a.conn.Client, from = netip.MustParseAddrPort("198.51.100.7:4000"), "bot@other.example"
	want(t, try(), "451")
	a.now = a.now.Add(5 * time.Hour)
	a.gate.Tidy()
	if sc := a.port.Reputation.Score(a.now, reputation.AddressKey(a.conn.Client.Addr())); sc.Bad == 0 {
		t.Errorf("it never came back: %+v", sc)
	}
}
