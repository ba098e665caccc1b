package thread_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	checks "sluice/check/thread"
	"sluice/learn/correspondent"
	"sluice/learn/thread"
	"sluice/message"
	"sluice/reason"
)

const words = `The roof of the southern hall has to be replaced before the summer, since the rain of last week came through in
three places, and the insurance wants to see an offer of at least two firms until the end of next month. Please send yours to me,
with the days on which your people could begin, and with the names of those who will be on the site while the hall is in use.
`

func quoted() string {
	return "See the file.\n\nOn Tue, 3 Mar 2026, Ann <ann@example.net> wrote:\n> " + strings.ReplaceAll(strings.TrimSpace(words), "\n", "\n> ") + "\n"
}

// world is Ann's thread with Bob, and what our side knows.
func world(t testing.TB) checks.Config {
	t.Helper()
	key := []byte("0123456789abcdef")
	tab, err := thread.New(thread.Config{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	who, err := correspondent.New(correspondent.Config{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	conn := &sluice.Conn{Auth: "ann"}
	env := &sluice.Envelope{Tenant: "example", Outbound: true, From: "ann@example.net", Rcpts: []sluice.Recipient{{Address: "bob@example.org"}}}
	raw := strings.ReplaceAll("From: Ann Archer <ann@example.net>\nTo: Bob Builder <bob@example.org>\nMessage-ID: <ours@example.net>\nSubject: The roof\n\n"+words, "\n", "\r\n")
	m, ok := checks.Outgoing(conn, env, message.Parse([]byte(raw), message.DefaultLimits()))
	if !ok {
		t.Fatal("nothing to learn of our own message")
	}
	then := checktest.Now.Add(-24 * time.Hour)
	tab.Learn(then, m)
	who.Sent(then, correspondent.Outgoing{Tenant: "example", From: m.From, To: m.People[:1], MessageID: m.MessageID})
	return checks.Config{Threads: tab, Correspondents: who}
}

const (
	refs     = "References: <ours@example.net>\n"
	stranger = "From: Dr Eve <eve@evil.example>\n"
	namesake = "From: Bob Builder <bob@evil.example>\n"
)

func TestChecks(t *testing.T) {
	all := checks.Checks(world(t))
	checktest.Table(t, all, []checktest.Case{
		{"first message", checktest.Mail("", "Hello"), ""},
		{"a participant without proof", checktest.Mail(refs, "Yes"), ""},
		{"a stranger", checktest.Mail(refs+stranger, "Yes"), "THREAD_STRANGER"},
		{"a stranger with our words", checktest.Mail(refs+stranger, quoted()), "THREAD_STRANGER"},
		{"our words elsewhere", checktest.Mail("Subject: Re: The roof\n"+stranger, quoted()), "THREAD_TEXT_TAKEN"},
		{"our words, sent on by the one who has them", checktest.Mail("Subject: Re: The roof\n", quoted()), ""},
		{"a participant is copied in", checktest.Mail(refs+stranger+"Cc: bob@example.org\n", quoted()), ""},
		{"a bounce", checktest.Mail(refs+stranger+"Auto-Submitted: auto-replied\n", "I am away"), ""},
		{"a list", checktest.Mail(refs+stranger+"List-Id: <l.evil.example>\nList-Post: <mailto:l@evil.example>\nPrecedence: list\n", "Yes"), ""},
		{"a faked reply", checktest.Mail("Subject: AW: Rechnung\n"+stranger, "Please see\n> your order\n> of last week\n"), "THREAD_FAKED"},
		{"a faked reply in chinese", checktest.Mail("Subject: =?utf-8?B?5Zue5aSN77yaeA==?=\n"+stranger, "Please see\n> your order\n"), "THREAD_FAKED"},
		{"a reply that quotes nothing", checktest.Mail("Subject: Re: Rechnung\n"+stranger, "Please see"), ""},
		{"a forward", checktest.Mail("Subject: WG: Rechnung\n"+stranger, "Please see\n> your order\n"), ""},
		{"a reply to what we don't know", checktest.Mail("Subject: Re: Rechnung\nIn-Reply-To: <x@y.example>\n"+stranger, "Please see\n> your order\n"), ""},
		{"a correspondent whose program loses fields", checktest.Mail("Subject: Re: Rechnung\n", "Please see\n> your order\n"), ""},
	})
}

func TestNamesakeAndAsk(t *testing.T) {
	c := world(t)
	c.Asks = func(context.Context, *check.Input) bool { return true }
	for _, one := range []struct {
		raw    string
		reason sluice.Reason
		raws   float64
	}{
		{checktest.Mail(refs+namesake, "Yes"), reason.ThreadNamesake, 3.5},
		{checktest.Mail(refs+stranger, "Yes"), reason.ThreadStranger, 2},
		{checktest.Mail("Subject: Re: x\n"+stranger, "Pay\n> me\n"), reason.ThreadFakedAsk, 2},
	} {
		ev := checktest.Run(t, checks.Checks(c), checktest.Input(one.raw))
		if len(ev) != 1 || ev[0].Reason != one.reason || ev[0].Raw != one.raws {
			t.Errorf("%s: %+v", one.reason, ev)
		}
	}
}

// Stored mail of before authentication often has no reference fields.
func TestOldMail(t *testing.T) {
	in := checktest.Input(checktest.Mail("Subject: Re: x\nDate: Mon, 4 Mar 2002 12:00:00 +0000\n"+stranger, "Pay\n> me\n"))
	in.Conn.Stored = true
	if ev := checktest.Run(t, checks.Checks(world(t)), in); len(ev) != 0 {
		t.Errorf("%v", ev)
	}
}

// Our own users are never judged, and nothing is learned of those who prove nothing.
func TestLearned(t *testing.T) {
	c := world(t)
	in := checktest.Input(checktest.Mail(refs+stranger, quoted()))
	in.Conn.Auth = "ann"
	if ev := checktest.Run(t, checks.Checks(c), in); len(ev) != 0 {
		t.Errorf("of our own user: %v", ev)
	}
	in = checktest.Input(checktest.Mail(refs, quoted()))
	if _, ok := checks.Incoming(t.Context(), in); ok {
		t.Error("an unproved author is learned of")
	}
	in.Notes = new(check.Notes)
	check.Note(in.Notes, func() *check.Sender {
		author, clear := in.Message.From()
		return &check.Sender{Author: author, Clear: clear, Known: true, Aligned: true, Traffic: check.Personal}
	})
	m, ok := checks.Incoming(t.Context(), in)
	if !ok || m.Ours || m.Open || strings.Contains(m.Text, "southern") || !strings.Contains(m.Text, "See the file") || m.Refers[0] != "ours@example.net" {
		t.Errorf("%v, %+v", ok, m)
	}
	if ev := checktest.Run(t, checks.Checks(c), in); len(ev) != 0 {
		t.Errorf("beside a reply to ours: %+v", ev)
	}
	c.Correspondents = nil
	if ev := checktest.Run(t, checks.Checks(c), in); len(ev) != 1 || ev[0].Raw != -2 {
		t.Errorf("a participant: %+v", ev)
	}
	for _, e := range []*sluice.Envelope{nil, {Outbound: true}, {From: "x@y"}} {
		if _, ok := checks.Outgoing(&sluice.Conn{}, e, in.Message); ok {
			t.Errorf("%+v is learned as ours", e)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	c := checks.Checks(world(b))[0]
	in := checktest.Input(checktest.Mail("Subject: Re: The roof\n"+stranger, quoted()))
	in.Message.View()
	for b.Loop() {
		if _, err := c.Check(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
