package copycat_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"sluice/eval/copycat/mill"
	"sluice/learn/campaign"
	"sluice/learn/copycat"
	"sluice/message"
)

// BenchmarkMessage is the print of a newsletter of about ten kilobytes, beside what the
// campaign memory has made already, and its look-up: of one that is remembered, and of
// one that isn't.
func BenchmarkMessage(b *testing.B) {
	w := newWorld(b)
	brands := mill.Brands(12)
	way := mill.Ways[0]
	for _, brand := range brands[:6] {
		for n := range 8 {
			for to := range uint64(4) {
				w.arrive(way.Send(mill.Campaign(brand, n), to), fmt.Sprint(to))
			}
		}
	}
	known, strange := way.Send(mill.Campaign(brands[1], 3), 9), way.Send(mill.Campaign(brands[9], 3), 9)
	for name, s := range map[string]mill.Sample{"known": known, "strange": strange} {
		msg := message.Parse(s.Raw, message.DefaultLimits())
		of := w.prints.Print(msg)
		at := w.sighting(&s, "x@example.net")
		b.Run(name+"/print", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.mem.Print(msg, of)
			}
			b.ReportMetric(float64(len(s.Raw)), "octets")
		})
		p := w.mem.Print(msg, of)
		b.Run(name+"/look", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.mem.Look(p, at)
			}
		})
	}
}

// sizes of the memory. The large one takes five gigabytes, so it is asked for by
// SLUICE_BENCH_LARGE=1.
func sizes() []int {
	if os.Getenv("SLUICE_BENCH_LARGE") != "" {
		return []int{10_000, 1_000_000, 10_000_000}
	}
	return []int{10_000, 100_000}
}

// BenchmarkLook is a look-up of a message in full memories of several sizes.
func BenchmarkLook(b *testing.B) {
	s := mill.Ways[0].Send(mill.Campaign(mill.Brands(12)[1], 3), 9)
	for _, n := range sizes() {
		prints := campaign.New(campaign.Config{Fingerprints: 10_000, Key: 3})
		m := copycat.New(copycat.Config{Prints: prints, Campaigns: n})
		r := rand.New(rand.NewPCG(1, 2))
		var known []*copycat.Entry
		for i := range n {
			e := random(r, i)
			m.Apply(e)
			if i%(n/1000) == 0 {
				known = append(known, e)
			}
		}
		msg := message.Parse(s.Raw, message.DefaultLimits())
		of := prints.Print(msg)
		var at []*copycat.Print
		for range 512 { // texts that share the random numbers of what is remembered
			p := m.Print(msg, of)
			p.Runs = make([]uint64, 128)
			for i := range p.Runs {
				p.Runs[i] = r.Uint64()
			}
			at = append(at, p)
		}
		near := make([]*copycat.Print, len(at))
		for i := range near {
			p := *at[i]
			p.Runs = append(append([]uint64(nil), known[i].Runs...), p.Runs[len(known[i].Runs):]...)
			near[i] = &p
		}
		st := m.Stats()
		for _, kind := range []struct {
			name string
			of   []*copycat.Print
		}{{"strange", at}, {"near", near}} {
			b.Run(fmt.Sprintf("%d/%s", n, kind.name), func(b *testing.B) {
				before := spent()
				for i := 0; b.Loop(); i++ {
					m.Look(kind.of[i%len(kind.of)], campaign.Sighting{Time: start})
				}
				b.ReportMetric(float64(spent()-before)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(st.Octets)/(1<<20), "MB")
				b.ReportMetric(float64(st.Campaigns), "campaigns")
			})
		}
	}
}

// spent is the processor time that the process took, in nanoseconds.
func spent() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// random is a campaign of an owner who has about ten.
func random(r *rand.Rand, i int) *copycat.Entry {
	e := &copycat.Entry{Domain: fmt.Sprintf("owner%d.example", i/10), Subject: "A campaign", At: uint32(start.Add(time.Duration(i) * time.Second / 100).Unix()), To: ^uint64(0),
		Text: [2]uint64{r.Uint64(), r.Uint64()}, Layout: [2]uint64{r.Uint64(), r.Uint64()}, Sites: []uint64{r.Uint64(), r.Uint64()}}
	e.Calls = e.Sites[:1]
	for range 20 {
		e.Runs = append(e.Runs, r.Uint64())
	}
	for range 6 {
		e.Layouts = append(e.Layouts, r.Uint64())
	}
	for range 4 {
		e.Pictures = append(e.Pictures, r.Uint64())
	}
	return e
}
