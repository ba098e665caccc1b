package replay_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/reason"
	"sluice/replay"
)

var shipped = replay.Terms{Weights: verdict.DefaultWeights(), Policy: policy.Default()}

// line is soft evidence of a reason, as the catalogue groups it.
func line(id sluice.Reason, raw float64) sluice.Evidence {
	e, ok := reason.Lookup(string(id))
	if !ok {
		panic(id)
	}
	var g sluice.Group
	if err := g.UnmarshalText([]byte(e.Group)); err != nil {
		panic(err)
	}
	return sluice.Evidence{Reason: id, Phase: sluice.PhaseMessage, Group: g, Raw: raw, State: sluice.Found}
}

// record judges evidence by the terms t, as the gate does.
func record(t replay.Terms, to []string, evidence ...sluice.Evidence) *sluice.Record {
	r := &sluice.Record{ID: "M1", Time: time.Unix(1_800_000_000, 0), Phase: sluice.PhaseMessage, Verdict: verdict.Weigh(evidence, t.Weights)}
	r.Verdict.Versions = sluice.Versions{Catalogue: reason.Hash(), Model: "m1"}
	for _, a := range to {
		r.Envelope.Rcpts = append(r.Envelope.Rcpts, sluice.Recipient{Address: a})
		r.Decisions = append(r.Decisions, policy.Decide(r.Verdict, t.Policy, a, policy.Circumstances{}))
	}
	_, r.Decisions = policy.Combine(r.Decisions)
	return r
}

var bob = []string{"bob@a.example"}

func TestSameTermsFlipNothing(t *testing.T) {
	ids := []sluice.Reason{reason.TextSpam, reason.TextHam, reason.LinkShortener, reason.FromRiskyTLD, reason.AdvanceFee, reason.DMARCFailReject,
		reason.BulkList, reason.FileHeld, reason.FileStripped, reason.HeloNoFQDN, reason.CampaignWanted}
	p := replay.New(replay.Config{Then: shipped, Now: shipped, Model: "m1"})
	rapid.Check(t, func(rt *rapid.T) {
		var evidence []sluice.Evidence
		for range rapid.IntRange(0, 8).Draw(rt, "n") {
			e := line(rapid.SampledFrom(ids).Draw(rt, "id"), rapid.Float64Range(-12, 30).Draw(rt, "raw"))
			e.State = rapid.SampledFrom([]sluice.State{sluice.Found, sluice.Found, sluice.Unknown}).Draw(rt, "state")
			e.Hard = rapid.SampledFrom([]sluice.Hard{sluice.Soft, sluice.Soft, sluice.Soft, sluice.HardStop, sluice.HardPass}).Draw(rt, "hard")
			evidence = append(evidence, e)
		}
		to := rapid.SampledFrom([][]string{bob, {"postmaster@a.example"}, {"bob@a.example", "abuse@a.example"}}).Draw(rt, "to")
		rec := record(shipped, to, evidence...)
		r := p.Judge(context.Background(), rec)
		if r.Flips() || !r.Certain() || r.OldText || r.OldCatalogue || r.Verdict.Points != rec.Verdict.Points {
			rt.Fatalf("%v → %v, %.1f → %.1f", r.Was, r.Is, rec.Verdict.Points, r.Verdict.Points)
		}
		without := replay.Without(rec, shipped)
		if (rec.Action() < sluice.QuarantineIt) && without != nil {
			rt.Fatalf("delivered, and would be without %v", without)
		}
	})
}

func TestTermsChange(t *testing.T) {
	strict := shipped
	strict.Policy.QuarantineAt = 0.8
	lighter := shipped
	lighter.Weights.Groups[sluice.GroupText].Slope = 0.1
	notRun := line(reason.LinkShortener, 0)
	notRun.State = sluice.NotRun
	rule := func(detail string, raw float64, s sluice.State) sluice.Evidence {
		e := line(reason.AdminRule, raw)
		e.Detail, e.State = detail, s
		return e
	}
	held := record(shipped, bob, line(reason.TextSpam, 18), line(reason.LinkShortener, 3))
	trap := record(shipped, bob, line(reason.TextHam, -5))
	trap.Decisions[0] = sluice.Decision{Recipient: bob[0], Action: sluice.QuarantineIt, Why: reason.Spamtrap}
	each := record(shipped, []string{"bob@a.example", "postmaster@a.example"})
	each.Conn.Door = sluice.DoorLMTP
	for _, c := range []struct {
		name string
		rec  *sluice.Record
		now  replay.Terms
		want string
	}{
		{"stricter", record(shipped, bob, line(reason.TextSpam, 15)), strict, "tag → quarantine for TEXT_SPAM"},
		{"a group weighs less", held, lighter, "quarantine → accept for "},
		{"not certain", record(shipped, bob, line(reason.TextSpam, 15), notRun), strict, "tag → quarantine for TEXT_SPAM, not certain"},
		{"a trap stays one", trap, strict, "quarantine → quarantine for SPAMTRAP"},
		{"LMTP", each, strict, "accept → accept for "},
		{"a rule is gone", record(shipped, bob, line(reason.TextSpam, 10), rule("rule money: asks for it", 6, sluice.Found)),
			replay.Terms{Weights: shipped.Weights, Policy: shipped.Policy, Rules: map[string]float64{}}, "tag → accept for "},
		{"a dry run becomes earnest", record(shipped, bob, line(reason.TextSpam, 19), rule("dry run: rule money would give +5.0: asks for it", 0, sluice.Unknown)),
			replay.Terms{Weights: shipped.Weights, Policy: shipped.Policy, Rules: map[string]float64{"money": 6}}, "tag → quarantine for TEXT_SPAM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := replay.New(replay.Config{Then: shipped, Now: c.now, Model: "m1"}).Judge(context.Background(), c.rec)
			got := fmt.Sprintf("%v → %v for %s", r.Was, r.Is, r.Why)
			if !r.Certain() {
				got += ", not certain"
			}
			if got != c.want {
				t.Errorf("%s (%.1f → %.1f), want %s", got, c.rec.Verdict.Points, r.Verdict.Points, c.want)
			}
		})
	}
}

// TestEarly: what ended before its message flips only where the sum ended it.
func TestEarly(t *testing.T) {
	milder := shipped
	milder.Policy.RejectAt = 0.99999
	milder.Policy.GreyAt = 1
	evidence := []sluice.Evidence{line(reason.HeloNoFQDN, 30), line(reason.FromRiskyTLD, 30), line(reason.DNSBLListed, 30)}
	early := func(act sluice.Action, why sluice.Reason, e ...sluice.Evidence) *sluice.Record {
		r := &sluice.Record{ID: "E", Phase: sluice.PhaseRcpt, Verdict: verdict.Weigh(e, shipped.Weights), Decisions: []sluice.Decision{{Recipient: bob[0], Action: act, Why: why}}}
		r.Verdict.Versions.Catalogue = reason.Hash()
		return r
	}
	p := replay.New(replay.Config{Then: shipped, Now: milder})
	r := p.Judge(context.Background(), early(sluice.Reject, reason.DNSBLListed, evidence[0], evidence[2]))
	if points := r.Verdict.Points; points < 10 {
		t.Fatalf("only %.1f points", points)
	}
	sum := p.Judge(context.Background(), early(sluice.Defer, reason.Greylisted, line(reason.HeloNoFQDN, 8)))
	if !sum.Unseen || !sum.Flips() || sum.Certain() {
		t.Errorf("greylisted by the sum: %v → %v, unseen %t", sum.Was, sum.Is, sum.Unseen)
	}
	for _, rec := range []*sluice.Record{
		early(sluice.Reject, reason.RecipientUnknown),
		early(sluice.Reject, reason.RecipientUnknown, line(reason.HeloNoFQDN, 2)),
	} {
		if r := p.Judge(context.Background(), rec); r.Flips() {
			t.Errorf("no mailbox of that name: %v → %v", r.Was, r.Is)
		}
	}
}

// TestVersions: another catalogue's points are put in where they were the catalogue's,
// and a model of another day is asked where the message is at hand.
func TestVersions(t *testing.T) {
	e, _ := reason.Lookup(string(reason.LinkShortener))
	asItWas, worked := line(reason.LinkShortener, 1), line(reason.FromRiskyTLD, 2.5)
	rec := record(shipped, bob, asItWas, worked, line(reason.TextSpam, 20))
	rec.Verdict.Versions = sluice.Versions{Catalogue: "old", Model: "m0"}
	c := replay.Config{Then: shipped, Now: shipped, Model: "m1",
		Catalogue: func(v string) map[sluice.Reason]float64 {
			if v != "old" {
				return nil
			}
			return map[sluice.Reason]float64{reason.LinkShortener: 1, reason.FromRiskyTLD: 1}
		},
		Text: func(_ context.Context, r *sluice.Record) (sluice.Evidence, bool) {
			return line(reason.TextHam, -4), r.ID == "M1"
		}}
	raws := func(r replay.Result) map[sluice.Reason]float64 {
		out := map[sluice.Reason]float64{}
		for _, c := range r.Verdict.Ledger {
			if c.Group != sluice.GroupPrior {
				out[c.Reason] = c.Raw
			}
		}
		return out
	}
	r := replay.New(c).Judge(context.Background(), rec)
	if d := cmp.Diff(map[sluice.Reason]float64{reason.LinkShortener: e.Points, reason.FromRiskyTLD: 2.5, reason.TextHam: -4}, raws(r)); d != "" || r.OldText || r.OldCatalogue {
		t.Errorf("(-want +got):\n%s", d)
	}
	rec.ID = "gone"
	rec.Verdict.Versions.Catalogue = "older"
	r = replay.New(c).Judge(context.Background(), rec)
	if d := cmp.Diff(map[sluice.Reason]float64{reason.LinkShortener: 1, reason.FromRiskyTLD: 2.5, reason.TextSpam: 20}, raws(r)); d != "" || !r.OldText || !r.OldCatalogue {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWithout(t *testing.T) {
	stop := line(reason.EICAR, 0)
	stop.Hard = sluice.HardStop
	for _, c := range []struct {
		name     string
		evidence []sluice.Evidence
		want     []sluice.Reason
	}{
		{"delivered", []sluice.Evidence{line(reason.TextSpam, 3)}, nil},
		{"one is enough", []sluice.Evidence{line(reason.TextSpam, 25), line(reason.LinkShortener, 3), line(reason.AdvanceFee, 1)}, []sluice.Reason{reason.TextSpam}},
		{"two", []sluice.Evidence{line(reason.TextSpam, 25), line(reason.AdvanceFee, 15), line(reason.HeloNoFQDN, 12)}, []sluice.Reason{reason.TextSpam, reason.AdvanceFee}},
		{"hard", []sluice.Evidence{stop, line(reason.TextHam, -5)}, []sluice.Reason{reason.EICAR}},
		{"hard and the sum", []sluice.Evidence{stop, line(reason.TextSpam, 30)}, []sluice.Reason{reason.EICAR, reason.TextSpam}},
		{"the table holds it", []sluice.Evidence{line(reason.FileHeld, 0)}, []sluice.Reason{reason.FileHeld}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, replay.Without(record(shipped, bob, c.evidence...), shipped)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestTally(t *testing.T) {
	strict := shipped
	strict.Policy.QuarantineAt = 0.8
	p := replay.New(replay.Config{Then: shipped, Now: strict})
	tally := replay.Tally{Examples: 2}
	for i := range 10 {
		rec := record(shipped, []string{"bob@a.example", fmt.Sprintf("bob@%d.example", i%2)}, line(reason.TextSpam, 10+float64(i)/2))
		rec.ID = fmt.Sprint(i)
		tally.Add(p.Judge(context.Background(), rec))
	}
	flips := tally.Flips()
	if len(flips) != 1 || flips[0].Count+tally.Same != 10 || tally.Messages != 10 || len(flips[0].Examples) != 2 {
		t.Fatalf("%+v", flips)
	}
	if f := flips[0]; f.Domains["a.example"] != f.Count || f.Reasons["TEXT_SPAM"] != f.Count || f.Was != sluice.Tag || f.Is != sluice.QuarantineIt {
		t.Errorf("%+v", f)
	}
}

// BenchmarkJudge is one record of twenty lines.
func BenchmarkJudge(b *testing.B) {
	var evidence []sluice.Evidence
	for i := range 20 {
		evidence = append(evidence, line([]sluice.Reason{reason.TextSpam, reason.LinkShortener, reason.HeloNoFQDN, reason.FromRiskyTLD}[i%4], float64(i%7)-2))
	}
	rec := record(shipped, bob, evidence...)
	p := replay.New(replay.Config{Then: shipped, Now: shipped})
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(context.Background(), rec)
	}
}
