package replay

import (
	"cmp"
	"slices"

	"sluice"
	"sluice/judge/verdict"
)

const (
	// Sets of up to so many reasons are tried one and all; beyond, what weighs most is
	// left out until it is enough.
	exact = 3
	// Among so many reasons, the weightiest.
	candidates = 24
)

// Without answers "would be delivered if": the smallest set of reasons without which a
// withheld or refused message would be delivered, the weightiest of several of one size;
// nil where it was delivered, where nothing helps, or where not the evidence decided
// (a trap, a mailbox that isn't there). It judges by the terms t, which should be those
// of the record's time.
func Without(rec *sluice.Record, t Terms) []sluice.Reason {
	p := New(Config{Then: t, Now: t})
	passes := func(left []sluice.Reason) bool {
		var kept []sluice.Evidence
		for _, e := range found(rec) {
			if !slices.Contains(left, e.Reason) {
				kept = append(kept, e)
			}
		}
		v := verdict.Weigh(kept, t.Weights)
		if rec.Phase < sluice.PhaseMessage {
			return early(rec, v, t.Policy).Action < sluice.QuarantineIt
		}
		act, _ := lead(p.decide(rec, v, t.Policy))
		return act < sluice.QuarantineIt
	}
	if rec.Action() < sluice.QuarantineIt || passes(nil) {
		return nil
	}
	against := Against(rec)
	if len(against) > candidates {
		against = against[:candidates]
	}
	for size := 1; size <= min(exact, len(against)); size++ {
		if set := choose(against, size, passes); set != nil {
			return set
		}
	}
	for n := exact + 1; n <= len(against); n++ {
		if passes(against[:n]) {
			return thin(slices.Clone(against[:n]), passes)
		}
	}
	return nil
}

// Against lists the reasons that speak against a message, the weightiest first; what is
// hard is weightier than any sum, and what counts nothing comes last: the policy may
// still follow it.
func Against(rec *sluice.Record) []sluice.Reason {
	sum := map[sluice.Reason]float64{}
	var out []sluice.Reason
	for i := range rec.Verdict.Ledger {
		c := &rec.Verdict.Ledger[i]
		if c.Group == sluice.GroupPrior || c.State == sluice.NotRun || c.Points < 0 || c.Hard == sluice.HardPass {
			continue
		}
		if _, ok := sum[c.Reason]; !ok {
			out = append(out, c.Reason)
		}
		sum[c.Reason] += c.Points
		if c.Hard == sluice.HardStop {
			sum[c.Reason] += 1000
		}
	}
	slices.SortStableFunc(out, func(a, b sluice.Reason) int { return cmp.Compare(sum[b], sum[a]) })
	return out
}

// choose tries all sets of one size, the weightiest first.
func choose(from []sluice.Reason, size int, passes func([]sluice.Reason) bool) []sluice.Reason {
	index := make([]int, size)
	for i := range index {
		index[i] = i
	}
	set := make([]sluice.Reason, size)
	for {
		for i, k := range index {
			set[i] = from[k]
		}
		if passes(set) {
			return set
		}
		i := size - 1
		for i >= 0 && index[i] == len(from)-size+i {
			i--
		}
		if i < 0 {
			return nil
		}
		index[i]++
		for j := i + 1; j < size; j++ {
			index[j] = index[j-1] + 1
		}
	}
}

// thin takes out what isn't needed, the lightest first.
func thin(set []sluice.Reason, passes func([]sluice.Reason) bool) []sluice.Reason {
	for i := len(set) - 1; i >= 0; i-- {
		if less := slices.Delete(slices.Clone(set), i, i+1); passes(less) {
			set = less
		}
	}
	return set
}
