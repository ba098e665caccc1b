// Command copycat measures the memory of copy-cats on mail that eval/copycat/mill
// writes: campaigns are delivered, then each pair is a copy that leads to a criminal
// and a genuine twin of the same campaign. Run it with
//
//	go run ./eval/copycat -pairs 12000
//
// It prints what was caught by kind of noise, and what was held against genuine mail
// by the way that it came.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"sluice/eval/copycat/mill"
	"sluice/learn/campaign"
	"sluice/learn/copycat"
	"sluice/message"
)

func main() {
	pairs := flag.Int("pairs", 12_000, "pairs of a copy and a genuine twin")
	brands := flag.Int("brands", 180, "brands that are known")
	show := flag.Int("show", 0, "misses and false alarms to print")
	seed := flag.Uint64("seed", 1, "of the pairs")
	flag.Parse()
	b := newBench(*brands)
	r := b.run(*pairs, *seed)
	r.show(os.Stdout, *show)
}

// keeps are the kinds of noise that leave the mail what it was to a reader.
var keeps = []string{"nothing else", "paraphrase", "synonyms", "colours, fonts, classes", "another layout", "tracker noise", "footer changed", "footer left out", "good words added",
	"hidden text", "all links changed", "pictures moved", "zero-width characters"}

// each is how many campaigns a brand has sent.
const each = 8

// bench is a site that has had mail of many brands.
type bench struct {
	brands []*mill.Brand
	prints *campaign.Memory
	copies *copycat.Memory
	now    time.Time
}

func newBench(brands int) *bench {
	b := &bench{brands: mill.Brands(brands), now: time.Date(2026, 1, 12, 9, 0, 0, 0, time.UTC)}
	b.prints = campaign.New(campaign.Config{Key: 11, Fingerprints: 400_000})
	b.copies = copycat.New(copycat.Config{Prints: b.prints, Campaigns: 20_000})
	others := mill.Way{}
	for i := range mill.Ways {
		if mill.Ways[i].Name == "to others" {
			others = mill.Ways[i]
		}
	}
	for to := range uint64(12) {
		for i, brand := range b.brands {
			for n := range each {
				if to >= 4 && (i+n)%8 != 0 {
					continue // few campaigns reach many
				}
				s := others.Send(mill.Campaign(brand, n), to)
				msg := message.Parse(s.Raw, message.DefaultLimits())
				p := b.prints.Print(msg)
				at := b.sighting(&s, fmt.Sprintf("first%d-%d@example.net", to, i))
				b.copies.Observe(b.copies.Print(msg, p), at)
				b.prints.Observe(p, at)
			}
		}
		b.now = b.now.Add(11 * time.Minute)
	}
	return b
}

func (b *bench) sighting(s *mill.Sample, to string) campaign.Sighting {
	return campaign.Sighting{Time: b.now, Recipients: []string{to}, Domain: s.Domain, History: s.History}
}

// count is what came of one kind.
type count struct {
	all, copies, hints, wanted int
}

// result is a run's.
type result struct {
	noises, ways map[string]*count
	examples     []string
	spent        time.Duration // in Print and Look of this memory
	looks        int
	stats        copycat.Stats
}

func (b *bench) run(pairs int, seed uint64) *result {
	r := &result{noises: map[string]*count{}, ways: map[string]*count{}}
	rnd := rand.New(rand.NewPCG(seed, 2))
	for i := range pairs {
		at := seed<<32 + uint64(i)
		brand := b.brands[rnd.IntN(len(b.brands))]
		g := mill.Campaign(brand, rnd.IntN(each))
		s := mill.Attack(g, &mill.Noises[i%len(mill.Noises)], at)
		r.add(r.noises, &s, b.look(&s, r), true, brand)
		s = mill.Ways[i%len(mill.Ways)].Send(g, at)
		r.add(r.ways, &s, b.look(&s, r), false, brand)
	}
	r.stats = b.copies.Stats()
	return r
}

type outcome struct {
	f      copycat.Finding
	wanted bool
}

func (b *bench) look(s *mill.Sample, r *result) outcome {
	msg := message.Parse(s.Raw, message.DefaultLimits())
	p := b.prints.Print(msg)
	at := b.sighting(s, "someone@example.net")
	start := time.Now()
	cp := b.copies.Print(msg, p)
	out := outcome{f: b.copies.Look(cp, at)}
	r.spent += time.Since(start)
	r.looks++
	for _, k := range b.prints.Look(p, at) {
		out.wanted = out.wanted || k.Wanted
	}
	return out
}

func (r *result) add(to map[string]*count, s *mill.Sample, o outcome, bad bool, brand *mill.Brand) {
	c := to[s.Kind]
	if c == nil {
		c = &count{}
		to[s.Kind] = c
	}
	c.all++
	switch o.f.Verdict {
	case copycat.Copy:
		c.copies++
	case copycat.Hint:
		c.hints++
	}
	if o.wanted {
		c.wanted++
	}
	if bad && o.f.Verdict != copycat.Copy || !bad && o.f.Verdict >= copycat.Hint {
		r.examples = append(r.examples, fmt.Sprintf("%s | %s, %s | from %q history %v | verdict %d near %q twin %q call %+v why %q", s.Kind, brand.Name, brand.Habit.Name, s.Domain, s.History, o.f.Verdict, o.f.Near, o.f.Twin.Domain, o.f.Call, o.f.Why))
	}
}

// sum adds up.
func sum(of map[string]*count) (c count) {
	for _, k := range of {
		c.all += k.all
		c.copies += k.copies
		c.hints += k.hints
		c.wanted += k.wanted
	}
	return c
}

func (r *result) show(w io.Writer, examples int) {
	table := func(title string, of map[string]*count) {
		fmt.Fprintf(w, "%-36s %6s %9s %9s %7s %7s\n", title, "n", "COPYCAT", "or hint", "hints", "wanted")
		var names []string
		for k := range of {
			names = append(names, k)
		}
		slices.Sort(names)
		line := func(name string, c *count) {
			fmt.Fprintf(w, "%-36s %6d %8.2f%% %8.2f%% %7d %7d\n", name, c.all, percent(c.copies, c.all), percent(c.copies+c.hints, c.all), c.hints, c.wanted)
		}
		for _, k := range names {
			line(k, of[k])
		}
		all := sum(of)
		line("all", &all)
		fmt.Fprintln(w)
	}
	table("copies, by noise", r.noises)
	kept := map[string]*count{}
	for _, name := range keeps {
		if c := r.noises[name]; c != nil {
			kept[name] = c
		}
	}
	table("of them, the mail kept but for these", kept)
	table("genuine, by way", r.ways)
	fmt.Fprintf(w, "%d campaigns, %d features, %.1f MB; print and look-up %.1f µs a message\n", r.stats.Campaigns, r.stats.Features, float64(r.stats.Octets)/(1<<20), float64(r.spent.Microseconds())/float64(r.looks))
	for i, e := range r.examples {
		if i < examples {
			fmt.Fprintln(w, e)
		}
	}
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
