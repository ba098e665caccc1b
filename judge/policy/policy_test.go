package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/reason"
)

// line is a contribution with its catalogue group's name spelled by the test.
func line(id sluice.Reason, g sluice.Group, points float64, t sluice.Threat) sluice.Contribution {
	return sluice.Contribution{Evidence: sluice.Evidence{Reason: id, Group: g, Threat: t}, Points: points}
}

// sum is a verdict of probability p, carried by the lines.
func sum(p float64, t sluice.Threat, lines ...sluice.Contribution) sluice.Verdict {
	return sluice.Verdict{Probability: p, Threat: t, Ledger: lines}
}

func hard(id sluice.Reason, kind sluice.Hard, t sluice.Threat, p float64) sluice.Verdict {
	return sluice.Verdict{Hard: id, HardKind: kind, Threat: t, Probability: p}
}

func with(v sluice.Verdict, lines ...sluice.Contribution) sluice.Verdict {
	v.Ledger = append(v.Ledger, lines...)
	return v
}

func TestDecide(t *testing.T) {
	const user = "user@a.example"
	// The second line's reason never leads a reply, so the first leads.
	two := []sluice.Contribution{line(reason.HeloOurs, sluice.GroupSession, 12, sluice.ThreatBot), line("OTHER", sluice.GroupText, 25, sluice.ThreatSpam)}
	unknown := sluice.Contribution{Evidence: sluice.Evidence{Reason: reason.CheckIncomplete, State: sluice.Unknown}}
	late := sluice.Contribution{Evidence: sluice.Evidence{Reason: reason.ScanTimeout, State: sluice.Unknown}}
	fell := sluice.Contribution{Evidence: sluice.Evidence{Reason: reason.InternalPanic, State: sluice.Unknown}}
	tests := []struct {
		name string
		v    sluice.Verdict
		to   string
		c    Circumstances
		want sluice.Action
		why  sluice.Reason
	}{
		{"harmless", sum(0.09, 0), user, Circumstances{}, sluice.Accept, ""},
		{"below the tag", sum(0.699, sluice.ThreatBot, two...), user, Circumstances{}, sluice.Accept, ""},
		{"tag", sum(0.7, sluice.ThreatBot, two...), user, Circumstances{}, sluice.Tag, reason.HeloOurs},
		{"quarantine", sum(0.95, sluice.ThreatBot, two...), user, Circumstances{}, sluice.QuarantineIt, reason.HeloOurs},
		{"reject", sum(0.999, sluice.ThreatBot, two...), user, Circumstances{}, sluice.Reject, reason.HeloOurs},
		{"text alone never rejects", sum(0.9999, sluice.ThreatSpam, line("TEXT", sluice.GroupText, 50, sluice.ThreatSpam)), user, Circumstances{}, sluice.QuarantineIt, reason.Unwanted},
		{"any one group alone never rejects", sum(0.9999, sluice.ThreatBot, two[0]), user, Circumstances{}, sluice.QuarantineIt, reason.HeloOurs},
		{"a crumb is no support", sum(0.9999, sluice.ThreatBot, two[1], line(reason.HeloOurs, sluice.GroupSession, 1.9, sluice.ThreatBot)), user, Circumstances{}, sluice.QuarantineIt, reason.HeloOurs},
		{"nor are crumbs against each other", sum(0.9999, sluice.ThreatBot, two[1], line(reason.HeloOurs, sluice.GroupSession, 3, sluice.ThreatBot), line("B", sluice.GroupSession, -2, 0)), user, Circumstances{}, sluice.QuarantineIt, reason.HeloOurs},
		{"the prior is no support", sum(0.9999, sluice.ThreatSpam, two[1], line(reason.Prior, sluice.GroupPrior, 30, 0)), user, Circumstances{}, sluice.QuarantineIt, reason.Unwanted},

		{"stop", hard(reason.AdminBlock, sluice.HardStop, sluice.ThreatSpam, 0.01), user, Circumstances{}, sluice.Reject, reason.AdminBlock},
		{"a stop for our own fault", hard(reason.CheckRequired, sluice.HardStop, 0, 0.01), user, Circumstances{}, sluice.Defer, reason.CheckRequired},
		{"pass", hard(reason.AdminAllow, sluice.HardPass, sluice.ThreatSpam, 0.99999), user, Circumstances{}, sluice.Accept, reason.AdminAllow},
		{"pass though incomplete", with(hard(reason.AdminAllow, sluice.HardPass, 0, 0.5), unknown), user, Circumstances{}, sluice.Accept, reason.AdminAllow},

		{"incomplete", sum(0.1, 0, unknown), user, Circumstances{}, sluice.Defer, reason.CheckIncomplete},
		{"out of time", sum(0.1, 0, late), user, Circumstances{}, sluice.Defer, reason.ScanTimeout},
		{"a check fell over", sum(0.1, 0, fell), user, Circumstances{}, sluice.Defer, reason.InternalPanic},
		{"incomplete comes before quarantine", sum(0.96, sluice.ThreatBot, two[0], unknown), user, Circumstances{}, sluice.Defer, reason.CheckIncomplete},
		{"reject though incomplete", sum(0.999, sluice.ThreatBot, append(two[:2:2], unknown)...), user, Circumstances{}, sluice.Reject, reason.HeloOurs},

		{"postmaster, spam", sum(0.999, sluice.ThreatBot, two...), "PostMaster@a.example", Circumstances{}, sluice.Tag, reason.HeloOurs},
		{"postmaster without a domain", sum(0.999, sluice.ThreatBot, two...), "postmaster", Circumstances{}, sluice.Tag, reason.HeloOurs},
		{"abuse, quarantine", sum(0.97, sluice.ThreatBot, two...), "Abuse@a.example", Circumstances{}, sluice.Tag, reason.HeloOurs},
		{"abuse by another name", sum(0.97, sluice.ThreatBot, two...), "abu\u017fe@a.example", Circumstances{}, sluice.QuarantineIt, reason.HeloOurs},
		{"exempt", sum(0.999, sluice.ThreatBot, two...), user, Circumstances{Exempt: true}, sluice.Tag, reason.HeloOurs},
		{"postmaster, admin block", hard(reason.AdminBlock, sluice.HardStop, sluice.ThreatSpam, 0.1), "postmaster@a.example", Circumstances{}, sluice.Tag, reason.AdminBlock},
		{"postmaster, malware", hard("EICAR", sluice.HardStop, sluice.ThreatMalware, 0.1), "postmaster@a.example", Circumstances{}, sluice.QuarantineIt, "EICAR"},
		{"postmaster, attack", hard("X", sluice.HardStop, sluice.ThreatAttack, 0.1), "abuse@a.example", Circumstances{}, sluice.QuarantineIt, "X"},
		{"postmaster, our fault", hard(reason.CheckRequired, sluice.HardStop, 0, 0.1), "postmaster@a.example", Circumstances{}, sluice.Defer, reason.CheckRequired},
		{"postmaster, harmless", sum(0.09, 0), "postmaster@a.example", Circumstances{}, sluice.Accept, ""},

		{"behind a queue, reject", sum(0.999, sluice.ThreatBot, two...), user, Circumstances{AlreadyAccepted: true}, sluice.QuarantineIt, reason.HeloOurs},
		{"behind a queue, defer", sum(0.1, 0, unknown), user, Circumstances{AlreadyAccepted: true}, sluice.QuarantineIt, reason.CheckIncomplete},
		{"behind a queue, tag", sum(0.8, sluice.ThreatBot, two...), user, Circumstances{AlreadyAccepted: true}, sluice.Tag, reason.HeloOurs},
		{"trusted, malware", hard("EICAR", sluice.HardStop, sluice.ThreatMalware, 0.1), user, Circumstances{Trusted: true}, sluice.QuarantineIt, "EICAR"},
		{"trusted, to postmaster", sum(0.999, sluice.ThreatBot, two...), "postmaster@a.example", Circumstances{Trusted: true}, sluice.Tag, reason.HeloOurs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := sluice.Decision{Recipient: tt.to, Action: tt.want, Why: tt.why}
			if d := cmp.Diff(want, Decide(tt.v, Default(), tt.to, tt.c)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLead(t *testing.T) {
	tests := []struct {
		name string
		v    sluice.Verdict
		want sluice.Reason
	}{
		{"the threat's own words first", sum(1, sluice.ThreatBot, line(reason.ClientBanned, sluice.GroupLink, 9, sluice.ThreatPhish), line(reason.HeloOurs, sluice.GroupSession, 4, sluice.ThreatBot)), reason.HeloOurs},
		{"else the strongest", sum(1, sluice.ThreatScam, line(reason.ClientBanned, sluice.GroupLink, 9, sluice.ThreatPhish), line(reason.HeloOurs, sluice.GroupSession, 4, sluice.ThreatBot)), reason.ClientBanned},
		{"not what speaks for the message", sum(1, sluice.ThreatBot, line(reason.HeloOurs, sluice.GroupSession, -4, sluice.ThreatBot)), reason.Unwanted},
		{"not our own trouble", sum(1, 0, line(reason.DiskFull, sluice.GroupSession, 4, 0)), reason.Unwanted},
		{"nothing", sum(1, 0), reason.Unwanted},
	}
	for _, tt := range tests {
		if got := Lead(tt.v); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestCombine(t *testing.T) {
	d := func(as ...sluice.Action) []sluice.Decision {
		out := make([]sluice.Decision, len(as))
		for i, a := range as {
			out[i] = sluice.Decision{Recipient: string(rune('a' + i)), Action: a, Why: sluice.Reason(a.String())}
		}
		return out
	}
	deferred := func(n int) []sluice.Decision {
		out := d(make([]sluice.Action, n)...)
		for i := range out {
			out[i].Action, out[i].Why = sluice.Defer, "defer"
		}
		return out
	}
	quarantinedReject := d(sluice.Accept, sluice.Reject)
	quarantinedReject[1].Action = sluice.QuarantineIt
	dropped := d(sluice.Reject, sluice.Drop)
	dropped[0].Action = sluice.QuarantineIt
	tests := []struct {
		name string
		in   []sluice.Decision
		want sluice.Action
		out  []sluice.Decision
	}{
		{"nobody", nil, sluice.Defer, nil},
		{"one refuses", d(sluice.Reject), sluice.Reject, d(sluice.Reject)},
		{"all refuse", d(sluice.Reject, sluice.Reject), sluice.Reject, d(sluice.Reject, sluice.Reject)},
		{"one defers, one refuses", d(sluice.Reject, sluice.Defer), sluice.Defer, deferred(2)},
		{"one defers, one accepts", d(sluice.Accept, sluice.Defer, sluice.QuarantineIt), sluice.Defer, deferred(3)},
		{"one accepts, one refuses", d(sluice.Accept, sluice.Reject), sluice.QuarantineIt, quarantinedReject},
		{"a drop is no refusal", d(sluice.Reject, sluice.Drop), sluice.Drop, dropped},
		{"accept and tag", d(sluice.Accept, sluice.Tag), sluice.Tag, d(sluice.Accept, sluice.Tag)},
		{"accept", d(sluice.Accept, sluice.Accept), sluice.Accept, d(sluice.Accept, sluice.Accept)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := append([]sluice.Decision(nil), tt.in...)
			a, out := Combine(in)
			if a != tt.want {
				t.Errorf("action %v, want %v", a, tt.want)
			}
			if d := cmp.Diff(tt.out, out); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.in, in); d != "" {
				t.Errorf("the decisions passed in were changed: %s", d)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	if err := Default().Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Policy){
		"zero":       func(p *Policy) { *p = Policy{} },
		"order":      func(p *Policy) { p.TagAt = 0.96 },
		"above one":  func(p *Policy) { p.RejectAt = 1.1 },
		"one group":  func(p *Policy) { p.Groups = 1 },
		"no support": func(p *Policy) { p.Support = 0 },
	} {
		p := Default()
		spoil(&p)
		if p.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What the owner of From's domain asks for is followed no further than a
// receiver may (RFC 9989 5.4), and not where forwarding explains the failure.
func TestDMARCWish(t *testing.T) {
	line := func(r sluice.Reason) sluice.Contribution {
		return sluice.Contribution{Evidence: sluice.Evidence{Reason: r, Group: sluice.GroupIdentity}}
	}
	for _, tc := range []struct {
		name    string
		reasons []sluice.Reason
		p       float64
		want    sluice.Action
	}{
		{"none", nil, 0.05, sluice.Accept},
		{"reject alone quarantines", []sluice.Reason{reason.DMARCFailReject}, 0.05, sluice.QuarantineIt},
		{"quarantine alone tags", []sluice.Reason{reason.DMARCFailQuarantine}, 0.05, sluice.Tag},
		{"none asks for nothing", []sluice.Reason{reason.DMARCFailNone}, 0.05, sluice.Accept},
		{"a list softens", []sluice.Reason{reason.DMARCFailReject, reason.BulkList}, 0.05, sluice.Tag},
		{"a list softens quarantine", []sluice.Reason{reason.DMARCFailQuarantine, reason.BulkList}, 0.05, sluice.Accept},
		{"a trusted sealer explains", []sluice.Reason{reason.DMARCFailReject, reason.ARCPassTrusted}, 0.05, sluice.Accept},
		{"any sealer doesn't", []sluice.Reason{reason.DMARCFailReject, reason.ARCPass}, 0.05, sluice.QuarantineIt},
		{"the sum still counts", []sluice.Reason{reason.DMARCFailQuarantine}, 0.97, sluice.QuarantineIt},
		{"never rejects alone", []sluice.Reason{reason.DMARCFailReject}, 0.9999, sluice.QuarantineIt},
		{"a misleading author is tagged", []sluice.Reason{reason.FromNameAddress, reason.DMARCPass}, 0.05, sluice.Tag},
		{"by a trusted sealer too", []sluice.Reason{reason.FromUnclear, reason.ARCPassTrusted}, 0.05, sluice.Tag},
		{"and by what its domain asks for", []sluice.Reason{reason.FromUnclear, reason.DMARCFailReject}, 0.05, sluice.QuarantineIt},
	} {
		v := sluice.Verdict{Probability: tc.p}
		for _, r := range tc.reasons {
			v.Ledger = append(v.Ledger, line(r))
		}
		if d := Decide(v, Default(), "bob@example.org", Circumstances{}); d.Action != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, d.Action, tc.want)
		}
	}
}

// TestDemanded: what a person decided beforehand holds whatever the sum, and never
// makes a message pass.
func TestDemanded(t *testing.T) {
	fact := func(id sluice.Reason, raw float64) sluice.Contribution {
		return sluice.Contribution{Evidence: sluice.Evidence{Reason: id, Raw: raw}}
	}
	for _, tt := range []struct {
		name string
		p    float64
		line sluice.Contribution
		want sluice.Action
	}{
		{"a trusted report", 0.01, fact(reason.CampaignReported, 24), sluice.QuarantineIt},
		{"a user's report only counts", 0.01, fact(reason.CampaignReported, 12), sluice.Accept},
		{"a copy of a campaign", 0.01, fact(reason.Copycat, 6), sluice.QuarantineIt},
		{"what may be one", 0.01, fact(reason.CopycatHint, 2.5), sluice.Accept},
		{"a faded one likewise", 0.75, fact(reason.CampaignReported, 19), sluice.Tag},
		{"a file to be held", 0.01, fact(reason.FileHeld, 0), sluice.QuarantineIt},
		{"a file to be taken out", 0.01, fact(reason.FileStripped, 0), sluice.Strip},
		{"of a message that is tagged as well", 0.8, fact(reason.FileConverted, 0), sluice.Strip},
		{"of one that is held as well", 0.96, fact(reason.FileStripped, 0), sluice.QuarantineIt},
		{"not found out", 0.01, sluice.Contribution{Evidence: sluice.Evidence{Reason: reason.FileHeld, State: sluice.Unknown}}, sluice.Accept},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide(sum(tt.p, sluice.ThreatSpam, tt.line), Default(), "user@a.example", Circumstances{})
			if d.Action != tt.want {
				t.Errorf("got %v for %s, want %v", d.Action, d.Why, tt.want)
			}
		})
	}
	v := hard(reason.AdminAllow, sluice.HardPass, 0, 0.5)
	v.Ledger = append(v.Ledger, fact(reason.FileHeld, 0))
	if d := Decide(v, Default(), "user@a.example", Circumstances{}); d.Action != sluice.Accept {
		t.Errorf("an admin's pass: %v", d.Action)
	}
}

// TestImpostor: who passes for somebody and asks for money is held, either alone isn't.
func TestImpostor(t *testing.T) {
	fact := func(id sluice.Reason, raw float64) sluice.Contribution {
		return sluice.Contribution{Evidence: sluice.Evidence{Reason: id, Raw: raw}}
	}
	for _, tt := range []struct {
		name  string
		lines []sluice.Contribution
		want  sluice.Action
		why   sluice.Reason
	}{
		{"a namesake", []sluice.Contribution{fact(reason.NameOfCorrespondent, 4)}, sluice.Accept, ""},
		{"an ask", []sluice.Contribution{fact(reason.BECPaymentChange, 6)}, sluice.Accept, ""},
		{"both", []sluice.Contribution{fact(reason.BECGiftCard, 6), fact(reason.NameOfCorrespondent, 4)}, sluice.QuarantineIt, reason.BECGiftCard},
		{"a domain like ours", []sluice.Contribution{fact(reason.FromLooksLikeUs, 6)}, sluice.Tag, reason.FromLooksLikeUs},
		{"and an ask", []sluice.Contribution{fact(reason.FromLooksLikeUs, 6), fact(reason.BECPaymentChange, 5)}, sluice.QuarantineIt, reason.BECPaymentChange},
		{"an ask that nobody is sure of", []sluice.Contribution{fact(reason.ProtectedName, 5),
			{Evidence: sluice.Evidence{Reason: reason.BECPayroll, Raw: 5, State: sluice.Unknown}}}, sluice.Accept, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide(sum(0.1, sluice.ThreatScam, tt.lines...), Default(), "user@a.example", Circumstances{})
			if d.Action != tt.want || d.Why != tt.why {
				t.Errorf("got %v for %q, want %v for %q", d.Action, d.Why, tt.want, tt.why)
			}
		})
	}
}

func TestEarly(t *testing.T) {
	const user = "user@a.example"
	two := []sluice.Contribution{line(reason.HeloOurs, sluice.GroupSession, 12, sluice.ThreatBot), line(reason.DNSBLListed, sluice.GroupReputation, 15, sluice.ThreatSpam)}
	gone := line(reason.SenderDomainNxdomain, sluice.GroupIdentity, 6, sluice.ThreatSpam)
	unsure := gone
	unsure.State = sluice.Unknown
	for _, tt := range []struct {
		name string
		v    sluice.Verdict
		to   string
		c    Circumstances
		want sluice.Action
		why  sluice.Reason
	}{
		{"nothing", sum(0.09, 0), user, Circumstances{}, sluice.Accept, ""},
		{"grey", sum(0.2, sluice.ThreatBot), user, Circumstances{}, sluice.Defer, reason.Greylisted},
		{"black alone", sum(0.9999, sluice.ThreatBot, two[0]), user, Circumstances{}, sluice.Defer, reason.Greylisted},
		{"black", sum(0.9999, sluice.ThreatBot, two...), user, Circumstances{}, sluice.Reject, reason.HeloOurs},
		{"stop", hard(reason.DNSBLBlocked, sluice.HardStop, sluice.ThreatBot, 0.01), user, Circumstances{}, sluice.Reject, reason.DNSBLBlocked},
		{"stop for our own fault", hard(reason.CheckRequired, sluice.HardStop, 0, 0.01), user, Circumstances{}, sluice.Defer, reason.CheckRequired},
		{"pass", hard(reason.AdminAllow, sluice.HardPass, 0, 0.99), user, Circumstances{}, sluice.Accept, ""},
		{"no such sender domain", sum(0.3, sluice.ThreatSpam, gone), user, Circumstances{}, sluice.Reject, reason.SenderDomainNxdomain},
		{"which the DNS couldn't tell", sum(0.1, 0, unsure), user, Circumstances{}, sluice.Accept, ""},
		{"postmaster of a blocked host", hard(reason.DNSBLBlocked, sluice.HardStop, sluice.ThreatBot, 0.01), "postmaster@a.example", Circumstances{}, sluice.Defer, reason.Greylisted},
		{"postmaster, no such sender domain", sum(0.3, sluice.ThreatSpam, gone), "Postmaster", Circumstances{}, sluice.Defer, reason.Greylisted},
		{"postmaster, black", sum(0.9999, sluice.ThreatBot, two...), "postmaster@a.example", Circumstances{}, sluice.Defer, reason.Greylisted},
		{"behind a queue", hard(reason.DNSBLBlocked, sluice.HardStop, sluice.ThreatBot, 0.99), user, Circumstances{AlreadyAccepted: true}, sluice.Accept, ""},
		{"our own relay", sum(0.9999, sluice.ThreatBot, two...), user, Circumstances{Trusted: true}, sluice.Accept, ""},
	} {
		got := Early(tt.v, Default(), tt.to, tt.c)
		want := sluice.Decision{Recipient: tt.to, Action: tt.want, Why: tt.why}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}
