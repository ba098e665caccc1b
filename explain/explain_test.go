package explain

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/explain/ref"
	"sluice/internal/golden"
	"sluice/reason"
)

// linked are options as long as they get in real life: a token is about 130
// characters long.
func linked() Options {
	return Options{Ref: "7K3FQ2M9ZX0ABCDE", PublicURL: "https://mail-gateway.department.example.org", Token: strings.Repeat("tokenTOKEN", 13), Postmaster: "postmaster@mail-gateway.department.example.org"}
}

// TestEveryReason renders the refusal of every reason of the catalogue, for
// people to read in review.
func TestEveryReason(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Every reason as a refusal, with the postmaster's address where no public page is set.\n")
	o := Options{Ref: "7K3FQ2M9ZX0ABCDE", Postmaster: "postmaster@a.example"}
	for _, e := range reason.All() {
		if e.Code == 0 {
			continue
		}
		r := Reason(sluice.Reason(e.ID), o)
		fmt.Fprintf(&b, "%s\n\t%s\n", e.ID, r)
		for _, o := range []Options{o, linked()} {
			r := Reason(sluice.Reason(e.ID), o)
			checkReply(t, r)
			if !strings.Contains(r.Text, e.Reply) || !strings.Contains(r.Text, e.Fix) {
				t.Errorf("%s: words or advice are lost: %s", e.ID, r)
			}
			if !strings.Contains(r.Text, o.Ref) {
				t.Errorf("%s: no reference: %s", e.ID, r)
			}
			if o.Token != "" && !strings.Contains(r.Text, WhyURL(o)) {
				t.Errorf("%s: no link: %s", e.ID, r)
			}
		}
	}
	golden.Check(t, "testdata/reasons.golden", []byte(b.String()))
}

// checkReply holds what each reply must be.
func checkReply(t *testing.T, r sluice.Reply) {
	t.Helper()
	if n := len(r.String()) + 2; n > 512 {
		t.Errorf("%d octets: %s", n, r)
	}
	checkSafe(t, "", r.Text, MaxText, true)
	if r.Enhanced != "" && int(r.Enhanced[0]-'0') != r.Code/100 {
		t.Errorf("codes disagree: %s", r)
	}
}

// verdictOf is a verdict with one line a reason, strongest first.
func verdictOf(t sluice.Threat, p float64, ids ...sluice.Reason) sluice.Verdict {
	v := sluice.Verdict{Threat: t, Points: 31, Probability: p}
	for i, id := range ids {
		e, ok := reason.Lookup(string(id))
		if !ok {
			panic("no reason " + id)
		}
		c := sluice.Contribution{Points: float64(20 - i)}
		c.Reason, c.Detail, c.Threat = id, "secret@a.example \x1b[31m", threatOf(e)
		c.Group.UnmarshalText([]byte(e.Group))
		c.Phase.UnmarshalText([]byte(e.Phase))
		v.Ledger = append(v.Ledger, c)
	}
	return v
}

func TestReply(t *testing.T) {
	spam := verdictOf(sluice.ThreatSpam, 0.999, reason.HeloOurs)
	blocked := verdictOf(sluice.ThreatSpam, 0.01, reason.AdminBlock)
	blocked.Hard, blocked.HardKind = reason.AdminBlock, sluice.HardStop
	malware := verdictOf(sluice.ThreatMalware, 0.01, reason.EngineMalware)
	malware.Hard, malware.HardKind = reason.EngineMalware, sluice.HardStop
	for i := range malware.Ledger {
		if malware.Ledger[i].Reason == reason.EngineMalware {
			malware.Ledger[i].Detail = "Win.Trojan.Agent-\r\n250 \xff" + strings.Repeat("x", 100) + " (by clamd)"
		}
	}
	var b strings.Builder
	for _, tt := range []struct {
		name string
		r    sluice.Reply
	}{
		{"a refusal in words of the verdict's threat", Reply(sluice.Reject, reason.HeloOurs, spam, Options{Ref: "7K3F", PublicURL: "https://why.a.example/", Token: "TOKEN"})},
		{"without a public page", Reply(sluice.Reject, reason.HeloOurs, spam, Options{Ref: "7K3F", Postmaster: "postmaster@a.example"})},
		{"a link without a token is no link", Reply(sluice.Reject, reason.HeloOurs, spam, Options{Ref: "7K3F", PublicURL: "https://why.a.example"})},
		{"a soft reason with a code of its own", Reply(sluice.Reject, reason.HeloSyntax, spam, Options{Ref: "7K3F"})},
		{"which it keeps where it stops alone", Reason(reason.HeloSyntax, Options{Ref: "7K3F"})},
		{"a hard stop", Reply(sluice.Reject, reason.AdminBlock, blocked, Options{Ref: "7K3F"})},
		{"malware, by the scanner's name for it", Reply(sluice.Reject, reason.EngineMalware, malware, Options{Ref: "7K3F", PublicURL: "https://why.a.example/", Token: "TOKEN"})},
		{"no reason leads", Reply(sluice.Reject, "", spam, Options{Ref: "7K3F"})},
		{"a reason for later can't lead a refusal", Reply(sluice.Reject, reason.DiskFull, spam, Options{Ref: "7K3F"})},
		{"deferred", Reply(sluice.Defer, reason.ScanTimeout, spam, Options{Ref: "7K3F"})},
		{"a refusing reason can't lead a deferral", Reply(sluice.Defer, reason.HeloOurs, spam, Options{Ref: "7K3F"})},
		{"accepted", Reply(sluice.Accept, "", spam, Options{Ref: "7K3F"})},
		{"quarantined: the sender learns no more", Reply(sluice.QuarantineIt, reason.HeloOurs, spam, Options{Ref: "7K3F"})},
		{"a reason of ours that is not in the catalogue", Reason("NO_SUCH_REASON", Options{Ref: "7K3F"})},
		{"a reason that never leads", Reason(reason.AdminAllow, Options{Ref: "7K3F"})},
		{"session ends", Reason(reason.SessionTimeout, Options{Ref: "7K3F"})},
		{"an error with a reason", Failure(fmt.Errorf("x: %w", &sluice.Error{Reply: sluice.Reply{Code: 451}, Why: reason.BackendDown, Err: errors.New("dial tcp 10.0.0.1: refused")}), Options{Ref: "7K3F"})},
		{"an error whose reason and code disagree", Failure(&sluice.Error{Reply: sluice.Reply{Code: 451, Enhanced: "4.0.0", Text: "Later\r\n250 OK"}, Why: reason.BackendRejected}, Options{Ref: "7K3F"})},
		{"any other error", Failure(errors.New("secret /path"), Options{Ref: "7K3F"})},
		{"the next hop's words", Relayed(sluice.Reply{Code: 550, Enhanced: "5.1.1", Text: "<u@a.example>: User unknown\r\n\x1b[31m in table."}, Options{Ref: "7K3F"})},
		{"the next hop's own 4xx", Relayed(sluice.Reply{Code: 452, Text: "4.2.2 full"}, Options{Ref: "7K3F"})},
		{"a next hop with a wrong enhanced code", Relayed(sluice.Reply{Code: 554, Enhanced: "4.2.2", Text: ""}, Options{Ref: "7K3F"})},
		{"a next hop that ends its session", Relayed(sluice.Reply{Code: 421, Enhanced: "4.3.2", Text: "going down"}, Options{Ref: "7K3F"})},
		{"a next hop that wants a login", Relayed(sluice.Reply{Code: 530, Enhanced: "5.7.0", Text: "Authentication required"}, Options{Ref: "7K3F"})},
		{"a next hop without a refusal", Relayed(sluice.Reply{Code: 250, Text: "ok"}, Options{Ref: "7K3F"})},
		{"a hostile reference", Reason(reason.DiskFull, Options{Ref: "a\r\n250 OK", Postmaster: "p\u202e@a.example"})},
		{"no reference", Reason(reason.DiskFull, Options{})},
	} {
		checkReply(t, tt.r)
		fmt.Fprintf(&b, "%s\n\t%s", tt.name, tt.r)
		if tt.r.Close {
			b.WriteString(" (closes)")
		}
		b.WriteString("\n")
	}
	if s := b.String(); strings.Contains(s, "secret") || strings.Contains(s, "0.999") {
		t.Errorf("a reply gives away too much:\n%s", s)
	}
	golden.Check(t, "testdata/replies.golden", []byte(b.String()))
}

// TestFit: what can't be said in one line goes, the least first.
func TestFit(t *testing.T) {
	o := linked()
	what, fix := "Class: "+strings.Repeat("w", 120), strings.Repeat("f", 120)
	if got := fit(what, fix, o); !strings.HasSuffix(got, o.Token) {
		t.Errorf("the link is lost: %s", got)
	}
	o.PublicURL = "https://" + strings.Repeat("x", 180)
	if got := fit(what, fix, o); strings.Contains(got, "https") || !strings.Contains(got, fix) || !strings.HasSuffix(got, o.Ref) {
		t.Errorf("want words, advice and reference: %s", got)
	}
	if got := fit(what, strings.Repeat("f", 450), o); !strings.HasPrefix(got, what+".") || !strings.HasSuffix(got, o.Ref) {
		t.Errorf("want words and reference: %s", got)
	}
	if got := fit(strings.Repeat("w", 900), fix, o); len(got) > MaxText {
		t.Errorf("%d octets", len(got))
	}
}

func TestLedgerAndUser(t *testing.T) {
	v := verdictOf(sluice.ThreatBot, 0.97, reason.HeloOurs, reason.HeloNoFQDN)
	v.Ledger = append(v.Ledger,
		sluice.Contribution{Evidence: sluice.Evidence{Reason: reason.Prior, Group: sluice.GroupPrior, Phase: sluice.PhaseConnect}, Points: -10},
		sluice.Contribution{Evidence: sluice.Evidence{Reason: reason.AdminBlock, Group: sluice.GroupSession, Phase: sluice.PhaseConnect, Hard: sluice.HardStop}},
		sluice.Contribution{Evidence: sluice.Evidence{Reason: reason.HeloLocalhost, Group: sluice.GroupSession, Phase: sluice.PhaseHello, State: sluice.Unknown, Detail: "a\nb\u202e"}},
		sluice.Contribution{Evidence: sluice.Evidence{Reason: "NOT\nKNOWN"}})
	var b strings.Builder
	for _, l := range Ledger(v) {
		checkSafe(t, "", l.String(), 4000, false)
		fmt.Fprintln(&b, l)
	}
	fmt.Fprintf(&b, "\nuser: %s\n", User(v))
	stop := v
	stop.Hard, stop.HardKind = reason.AdminBlock, sluice.HardStop
	fmt.Fprintf(&b, "stopped: %s\n", User(stop))
	fmt.Fprintf(&b, "harmless: %s\n", User(sluice.Verdict{Points: -10}))
	fmt.Fprintf(&b, "many signs: %s\n", User(sluice.Verdict{Points: 10, Threat: sluice.ThreatSpam}))
	golden.Check(t, "testdata/ledger.golden", []byte(b.String()))
}

func TestWhyPage(t *testing.T) {
	f := ref.Facts{ID: "7K3FQ2M9ZX0ABCDE", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Node: "mx1", Client: netip.MustParseAddr("192.0.2.7"),
		Helo: "<script>\x1b\u202e", Phase: sluice.PhaseMessage, Threat: sluice.ThreatBot, Code: 550, Reasons: []sluice.Reason{reason.HeloOurs, reason.HeloNoFQDN}}
	unknown := f
	unknown.Reasons, unknown.Helo, unknown.Node, unknown.Client = []sluice.Reason{"GONE"}, "", "", netip.Addr{}
	ours := unknown
	ours.Code, ours.Threat = 451, sluice.ThreatNone
	ours.Reasons = []sluice.Reason{reason.BackendDown}
	lost := ours
	lost.Reasons = nil
	var b strings.Builder
	for _, f := range []ref.Facts{f, unknown, ours, lost} {
		p := WhyPage(f)
		fmt.Fprintf(&b, "# %s\n%s\n%s\nretry %v, phase %v\n", p.Title, p.What, p.Fix, p.Retry, p.Phase)
		for _, c := range p.Causes {
			fmt.Fprintf(&b, "## %s\n%s\n%s\n(%s)\n", c.ID, c.Words, c.Fix, c.Source)
		}
		for _, x := range p.Facts {
			checkSafe(t, "", x[1], 200, false)
			fmt.Fprintf(&b, "%s: %s\n", x[0], x[1])
		}
		b.WriteString("\n")
	}
	golden.Check(t, "testdata/pages.golden", []byte(b.String()))
}
