package replay

import (
	"cmp"
	"slices"

	"sluice"
)

// Flip is one way in which messages would be treated otherwise.
type Flip struct {
	Was, Is sluice.Action
	Count   int
	Unseen  int // of them, those that ended before their message and would go on
	NotRun  int // of them, those that aren't certain
	// Examples are some of them, the ones whose points moved most first.
	Examples []Result
	// Domains counts them by the recipients' domains, Reasons by what leads to what is
	// done now, or for those let through by what led to what was done.
	Domains, Reasons map[string]int
}

// Tally adds results up. The zero value is ready but for Examples.
type Tally struct {
	Examples int // of each flip to keep

	Messages     int
	Same         int
	NotRun       int // all those of which a check wasn't run
	OldText      int
	OldCatalogue int
	flips        map[[2]sluice.Action]*Flip
}

// maxNames bounds the maps of a Flip: a flood of made-up domains isn't a list.
const maxNames = 1000

// Add counts a result, and keeps it where it serves as an example.
func (t *Tally) Add(r Result) {
	t.Messages++
	count(&t.NotRun, r.NotRun)
	count(&t.OldText, r.OldText)
	count(&t.OldCatalogue, r.OldCatalogue)
	if !r.Flips() {
		t.Same++
		return
	}
	key := [2]sluice.Action{r.Was, r.Is}
	f := t.flips[key]
	if f == nil {
		if t.flips == nil {
			t.flips = map[[2]sluice.Action]*Flip{}
		}
		f = &Flip{Was: r.Was, Is: r.Is, Domains: map[string]int{}, Reasons: map[string]int{}}
		t.flips[key] = f
	}
	f.Count++
	count(&f.Unseen, r.Unseen)
	count(&f.NotRun, r.NotRun)
	seen := map[string]bool{}
	for _, a := range r.Record.Recipients() {
		if d := sluice.DomainOf(a); d != "" && !seen[d] {
			seen[d] = true
			named(f.Domains, d)
		}
	}
	why := r.Why
	if why == "" {
		_, why = lead(r.Record.Decisions)
	}
	if why != "" {
		named(f.Reasons, string(why))
	}
	if t.Examples <= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(f.Examples, r, func(a, b Result) int { return cmp.Compare(moved(b), moved(a)) })
	if at < t.Examples {
		f.Examples = slices.Insert(f.Examples, at, r)
		f.Examples = f.Examples[:min(len(f.Examples), t.Examples)]
	}
}

func moved(r Result) float64 {
	d := r.Verdict.Points - r.Record.Verdict.Points
	return max(d, -d)
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

func named(m map[string]int, name string) {
	if _, ok := m[name]; ok || len(m) < maxNames {
		m[name]++
	}
}

// Flips lists them, the commonest first.
func (t *Tally) Flips() []*Flip {
	out := make([]*Flip, 0, len(t.flips))
	for _, f := range t.flips {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *Flip) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Was, b.Was), cmp.Compare(a.Is, b.Is))
	})
	return out
}
