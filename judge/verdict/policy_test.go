package verdict_test

import (
	"testing"

	"pgregory.net/rapid"

	"sluice"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/reason"
)

// drawn is a ledger of found evidence in the groups, some of it hard if asked.
func drawn(rt *rapid.T, groups []sluice.Group, hard bool) []sluice.Evidence {
	out := make([]sluice.Evidence, rapid.IntRange(0, 12).Draw(rt, "n"))
	for i := range out {
		out[i] = sluice.Evidence{Reason: "X", Group: rapid.SampledFrom(groups).Draw(rt, "group"), Raw: rapid.Float64Range(-30, 60).Draw(rt, "raw"),
			Threat: sluice.Threat(rapid.IntRange(0, sluice.ThreatCount-1).Draw(rt, "threat"))}
		if hard {
			out[i].Hard = sluice.Hard(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1, 2}).Draw(rt, "hard"))
			out[i].Reason = sluice.Reason(rapid.SampledFrom([]string{"X", "Y", reason.CheckIncomplete, reason.CheckRequired}).Draw(rt, "reason"))
			out[i].State = sluice.State(rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(rt, "state"))
		}
	}
	return out
}

var everyGroup = func() []sluice.Group {
	var out []sluice.Group
	for g := sluice.GroupSession; g < sluice.GroupPrior; g++ {
		out = append(out, g)
	}
	return out
}()

// TestShippedPolicy holds what the shipped weights and policy promise together,
// whatever the evidence.
func TestShippedPolicy(t *testing.T) {
	w, p := verdict.DefaultWeights(), policy.Default()
	decide := func(ledger []sluice.Evidence, to string, c policy.Circumstances) sluice.Action {
		return policy.Decide(verdict.Weigh(ledger, w), p, to, c).Action
	}
	const user = "user@a.example"
	t.Run("one group never rejects", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			g := rapid.SampledFrom(everyGroup).Draw(rt, "only")
			if a := decide(drawn(rt, []sluice.Group{g}, false), user, policy.Circumstances{}); a > sluice.QuarantineIt {
				rt.Fatalf("%v alone: %v", g, a)
			}
		})
	})
	t.Run("one judged soft reason is accepted", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			ev := sluice.Evidence{Reason: "X", Group: rapid.SampledFrom(everyGroup).Draw(rt, "group"), Raw: rapid.Float64Range(-6, 6).Draw(rt, "raw"), Threat: sluice.ThreatSpam}
			if a := decide([]sluice.Evidence{ev}, user, policy.Circumstances{}); a != sluice.Accept {
				rt.Fatalf("%v in %v: %v", ev.Raw, ev.Group, a)
			}
		})
	})
	t.Run("exempt recipients are never refused for content", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			to := rapid.SampledFrom([]string{"postmaster", "postmaster@a.example", "ABUSE@a.example"}).Draw(rt, "to")
			if a := decide(drawn(rt, everyGroup, true), to, policy.Circumstances{}); a >= sluice.Reject {
				rt.Fatalf("%s: %v", to, a)
			}
		})
	})
	t.Run("what was accepted already is never refused", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			c := rapid.SampledFrom([]policy.Circumstances{{AlreadyAccepted: true}, {Trusted: true}, {AlreadyAccepted: true, Exempt: true}}).Draw(rt, "c")
			if a := decide(drawn(rt, everyGroup, true), user, c); a >= sluice.Defer {
				rt.Fatalf("%+v: %v", c, a)
			}
		})
	})
	t.Run("malware never gets through", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			c := policy.Circumstances{Exempt: rapid.Bool().Draw(rt, "exempt"), Trusted: rapid.Bool().Draw(rt, "trusted"), AlreadyAccepted: rapid.Bool().Draw(rt, "accepted")}
			ledger := append(drawn(rt, everyGroup, true), sluice.Evidence{Reason: reason.EICAR, Group: sluice.GroupAttachment, Hard: sluice.HardStop, Threat: sluice.ThreatMalware})
			if a := decide(ledger, user, c); a < sluice.QuarantineIt {
				rt.Fatalf("%+v: %v", c, a)
			}
		})
	})
}

// TestEveryFit holds the same promises for whatever a fit may come to: the default
// settings leave it every slope from 0 to 2 and no offset.
func TestEveryFit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := verdict.JudgedWeights()
		for g := range w.Groups {
			w.Groups[g].Slope = rapid.Float64Range(0, verdict.DefaultFit().MaxSlope).Draw(rt, "slope")
		}
		g := rapid.SampledFrom(everyGroup).Draw(rt, "only")
		decide := func(ledger []sluice.Evidence) sluice.Action {
			return policy.Decide(verdict.Weigh(ledger, w), policy.Default(), "user@a.example", policy.Circumstances{}).Action
		}
		a := decide(drawn(rt, []sluice.Group{g}, false))
		most := sluice.Tag
		if g == sluice.GroupText || g == sluice.GroupCampaign {
			most = sluice.QuarantineIt
		}
		if a > most {
			rt.Fatalf("%v alone: %v", g, a)
		}
		one := sluice.Evidence{Reason: "X", Group: g, Raw: rapid.Float64Range(-6, 6).Draw(rt, "raw"), Threat: sluice.ThreatSpam}
		if a := decide([]sluice.Evidence{one}); a != sluice.Accept {
			rt.Fatalf("%v in %v: %v", one.Raw, g, a)
		}
	})
	if c := verdict.DefaultFit(); c.MaxOffset != 0 || c.MaxSlope > 2 {
		t.Errorf("a default fit may go further than what is tested: %+v", c)
	}
}
