package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/subscriber/report"
)

// Found says how one family was found.
type Found struct {
	Family  string       `json:"family"`
	N       int          `json:"n"`        // infections whose abuse began
	Hour    report.Share `json:"hour"`     // restricted within an hour of the first abusive message
	Day     report.Share `json:"day"`      // within a day
	Ever    report.Share `json:"ever"`     // before the abuse ended by itself or the run was over
	By      []int        `json:"by"`       // restricted by the 1st, 2nd, 3rd, 5th, 10th, 20th message (see steps)
	First   int          `json:"first"`    // median time to the restriction, in seconds
	Let     int          `json:"let"`      // median of messages let through until the restriction
	LetMean float64      `json:"let_mean"` //
	Let95   int          `json:"let_95"`   // 95th percentile
	Through float64      `json:"through"`  // mean of all messages let through, after releases too
	Sent    float64      `json:"sent"`     // mean of all messages that were sent
	Unfound []int        `json:"unfound"`  // messages of those never restricted
}

var steps = []int{1, 2, 3, 5, 10, 20}

// Told says who was told of a restriction.
type Told struct {
	Rounds  report.Share `json:"rounds"`  // within 24 h, of all restrictions of the infected
	Day     report.Share `json:"day"`     // within 24 h, of detected subscribers
	DayCan  report.Share `json:"day_can"` // … that have a channel which works and may be used
	Ever    report.Share `json:"ever"`
	EverCan report.Share `json:"ever_can"`
	Admin   int          `json:"admin"` // told by an admin's call alone
	Median  int          `json:"median"`
	Twice   int          `json:"twice"` // notices that arrived twice after a kill
}

// False says who was suspected without a reason.
type False struct {
	Cases   int            `json:"cases"`
	Held    int            `json:"held"`
	Why     map[string]int `json:"why"`
	Days    int            `json:"subscriber_days"`
	Per     float64        `json:"per_10000"`      // cases
	PerHeld float64        `json:"held_per_10000"` // restricted
	Kept    int            `json:"kept"`           // messages of those who were never ill
}

// Figures are what a run brought.
type Figures struct {
	Options  Options        `json:"options"`
	Messages int            `json:"messages"`
	Kills    int            `json:"kills"`
	Found    []Found        `json:"found"` // by family; the last is all of them
	False    False          `json:"false"`
	Told     Told           `json:"told"`
	Reports  map[string]int `json:"reports"`
	Period   report.Figures `json:"period"`
	missed   []string
}

func (w *world) figures(ctx context.Context) (*Figures, error) {
	f := &Figures{Options: w.o, Messages: w.sent, Kills: w.killed, Reports: map[string]int{}}
	all := make([]*infection, 0, len(w.sick))
	by := make([][]*infection, families)
	for _, x := range w.sick {
		if !x.began.IsZero() {
			by[x.family] = append(by[x.family], x)
			all = append(all, x)
			if x.held.IsZero() || x.held.Sub(x.began) > time.Hour {
				f.missed = append(f.missed, w.miss(x))
			}
		}
	}
	for i, list := range by {
		f.Found = append(f.Found, found(familyNames[i], list))
	}
	f.Found = append(f.Found, found("all", all))
	f.False = False{Why: map[string]int{}, Days: w.o.Subscribers * w.o.Days, Kept: w.kept}
	for _, d := range w.doubted {
		f.missed = append(f.missed, w.unjust(d))
		f.False.Cases++
		f.False.Why[d.why]++
		if d.held {
			f.False.Held++
		}
	}
	f.False.Per = 1e4 * float64(f.False.Cases) / float64(f.False.Days)
	f.False.PerHeld = 1e4 * float64(f.False.Held) / float64(f.False.Days)
	f.Told = w.told()
	for k, n := range w.reports {
		f.Reports[string(k)] = n
	}
	var list []*sluice.Case
	q := sluice.CaseQuery{Limit: sluice.MaxPage}
	for {
		page, err := w.store.ListCases(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("household: %w", err)
		}
		list = append(list, page...)
		if len(page) < q.Page() {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	f.Period = report.Of(list, w.start, w.now, w.now, w.o.Subscribers)
	return f, nil
}

// miss says what is known of an infection that wasn't found soon.
func (w *world) miss(x *infection) string {
	p := &w.people[x.who]
	text := "a botnet's campaigns"
	if c := x.own; c != nil {
		text = fmt.Sprintf("%.1f points", c.pool.points(alike(c.z, nil)))
	}
	return fmt.Sprintf("missed: %-20s day %2d, owner's program %-5v, owner writes %4.1f a day; text %s; held at message %d, after %v, of %d",
		familyNames[x.family], int(x.began.Sub(w.start)/day), x.program < 0, p.rate, text, x.heldAt, max(x.held.Sub(x.began), -1).Round(time.Minute), x.sent)
}

// unjust says what spoke against an innocent.
func (w *world) unjust(d doubted) string {
	var seen []string
	for _, g := range d.seen {
		seen = append(seen, fmt.Sprintf("%d×%s %.0f", g.Count, g.Kind, g.Points))
	}
	p := &w.people[d.who]
	return fmt.Sprintf("false: user%d %s, day %d, restricted %v, writes %.1f a day, program changes on day %d: %s", d.who, d.why, int(d.at.Sub(w.start)/day), d.held, p.rate, p.switches, strings.Join(seen, ", "))
}

func found(name string, list []*infection) Found {
	f := Found{Family: name, N: len(list), By: make([]int, len(steps))}
	f.Hour.Of, f.Day.Of, f.Ever.Of = len(list), len(list), len(list)
	var first, let []int
	for _, x := range list {
		f.Sent += float64(x.sent) / float64(len(list))
		f.Through += float64(x.let) / float64(len(list))
		f.LetMean += float64(x.letFirst) / float64(len(list))
		let = append(let, x.letFirst)
		if x.held.IsZero() {
			f.Unfound = append(f.Unfound, x.sent)
			continue
		}
		took := x.held.Sub(x.began)
		first = append(first, int(took/time.Second))
		f.Ever.N++
		if took <= time.Hour {
			f.Hour.N++
		}
		if took <= day {
			f.Day.N++
		}
		for i, n := range steps {
			if x.heldAt <= n {
				f.By[i]++
			}
		}
	}
	f.First, f.Let, f.Let95 = at(first, 0.5), at(let, 0.5), at(let, 0.95)
	slices.Sort(f.Unfound)
	return f
}

// at is a quantile.
func at(list []int, q float64) int {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(int(q*float64(len(list))), len(list)-1)]
}

func (w *world) told() (t Told) {
	var took []int
	count := func(s *report.Share, is bool) {
		s.Of++
		if is {
			s.N++
		}
	}
	for _, x := range w.rounds {
		if !x.ill {
			continue
		}
		told := !x.told.IsZero()
		within := told && x.told.Sub(x.held) <= day
		if told {
			took = append(took, int(x.told.Sub(x.held)/time.Second))
		}
		if over := w.now.Sub(x.held) >= day; !within && !over {
			continue // its day isn't over
		}
		count(&t.Rounds, within)
		if !x.first {
			continue
		}
		count(&t.Day, within)
		count(&t.Ever, told)
		if x.byAdmin {
			t.Admin++
		}
		if x.reached {
			count(&t.DayCan, within)
			count(&t.EverCan, told)
		}
	}
	t.Median = at(took, 0.5)
	for _, n := range w.tell.arrived {
		if n > 1 {
			t.Twice++
		}
	}
	return t
}

func (f *Figures) String() string {
	var b strings.Builder
	o := f.Options
	fmt.Fprintf(&b, "seed %d: %d subscribers, %d days, %d messages of theirs, killed %d times\n\n", o.Seed, o.Subscribers, o.Days, f.Messages, f.Kills)
	fmt.Fprintf(&b, "%-22s %5s %8s %8s %8s   %-36s %8s %6s %8s %6s %9s %9s\n", "restricted", "n", "1 h", "1 day", "ever", "by message 1, 2, 3, 5, 10, 20 (%)", "median", "let", "mean", "95 %", "let, all", "sent")
	for _, x := range f.Found {
		var by []string
		for _, n := range x.By {
			by = append(by, fmt.Sprintf("%.1f", 100*float64(n)/float64(max(x.N, 1))))
		}
		fmt.Fprintf(&b, "%-22s %5d %7.2f%% %7.2f%% %7.2f%%   %-36s %8s %6d %8.1f %6d %9.1f %9.1f\n", x.Family, x.N, x.Hour.Percent(), x.Day.Percent(), x.Ever.Percent(),
			strings.Join(by, " "), time.Duration(x.First)*time.Second, x.Let, x.LetMean, x.Let95, x.Through, x.Sent)
	}
	for _, x := range f.Found[:families] {
		if len(x.Unfound) > 0 {
			fmt.Fprintf(&b, "never restricted, %s: %d, of %d…%d messages\n", x.Family, len(x.Unfound), x.Unfound[0], x.Unfound[len(x.Unfound)-1])
		}
	}
	fmt.Fprintf(&b, "\nfalse cases: %d in %d subscriber-days, %.3f per 10,000; of them restricted %d, %.3f per 10,000; %d messages of theirs kept\n", f.False.Cases, f.False.Days, f.False.Per, f.False.Held, f.False.PerHeld, f.False.Kept)
	for _, k := range sorted(f.False.Why) {
		fmt.Fprintf(&b, "  %-16s %d\n", k, f.False.Why[k])
	}
	t := f.Told
	fmt.Fprintf(&b, "\ntold within 24 h, of detected      %v\n  of those with a channel for it   %v\ntold at all                        %v\n  of those with a channel for it   %v\n  by an admin's call               %d\nwithin 24 h, of all restrictions   %v\nmedian                             %v\nnotices that came twice            %d\n\nreports\n",
		t.Day, t.DayCan, t.Ever, t.EverCan, t.Admin, t.Rounds, time.Duration(t.Median)*time.Second, t.Twice)
	for _, k := range sorted(f.Reports) {
		fmt.Fprintf(&b, "  %-60s %d\n", k, f.Reports[k])
	}
	fmt.Fprintf(&b, "\n%v", f.Period)
	return b.String()
}

func sorted(m map[string]int) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
