package campaign_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/internal/durable"
	"sluice/learn/campaign"
)

// sizes of the memory, in fingerprints. The large ones take 400 MB and some seconds to
// fill, so they are asked for by SLUICE_BENCH_LARGE=1.
func sizes() []int {
	if os.Getenv("SLUICE_BENCH_LARGE") != "" {
		return []int{10_000, 1_000_000, 10_000_000}
	}
	return []int{10_000, 1_000_000}
}

// full is a memory with as many different texts as it has room for.
func full(n int) (*campaign.Memory, []*campaign.Print, float64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := campaign.New(campaign.Config{Fingerprints: n, Key: 7})
	r := rand.New(rand.NewPCG(5, 6))
	var some []*campaign.Print
	every := max(1, n/12/4096)
	for i := range n / 12 {
		p := random(r)
		m.Observe(p, sighting(i, start.Add(time.Duration(i)*time.Millisecond)))
		if i%every == 0 {
			some = append(some, p)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	return m, some, float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
}

// BenchmarkMemory is a look-up and an observation of a text that is known, and of one
// that isn't, in memories of several sizes, all full.
func BenchmarkMemory(b *testing.B) {
	for _, n := range sizes() {
		m, known, mb := full(n)
		r := rand.New(rand.NewPCG(7, 8))
		fresh := make([]*campaign.Print, 1<<16)
		for i := range fresh {
			fresh[i] = random(r)
		}
		s := sighting(1, start.Add(time.Hour))
		for _, tt := range []struct {
			name   string
			prints []*campaign.Print
			do     func(p *campaign.Print)
		}{
			{"look/known", known, func(p *campaign.Print) { m.Look(p, s) }},
			{"look/new", fresh, func(p *campaign.Print) { m.Look(p, s) }},
			{"observe/known", known, func(p *campaign.Print) { m.Observe(p, s) }},
			{"observe/new", fresh, func(p *campaign.Print) { m.Observe(p, s) }},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, tt.name), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					tt.do(tt.prints[r.IntN(len(tt.prints))])
				}
				b.ReportMetric(mb, "MB")
			})
		}
	}
}

// BenchmarkSnapshot writes and reads the file.
func BenchmarkSnapshot(b *testing.B) {
	for _, n := range sizes() {
		m, _, _ := full(n)
		disk := durable.OS{}
		name := b.TempDir() + "/campaigns"
		b.Run(fmt.Sprint(n, "/save"), func(b *testing.B) {
			for b.Loop() {
				if err := m.Save(context.Background(), disk, name); err != nil {
					b.Fatal(err)
				}
			}
			if st, err := os.Stat(name); err == nil {
				b.ReportMetric(float64(st.Size())/(1<<20), "MB")
			}
		})
		b.Run(fmt.Sprint(n, "/load"), func(b *testing.B) {
			for b.Loop() {
				if err := m.Load(disk, name, start); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPrint reads a message, parsed before.
func BenchmarkPrint(b *testing.B) {
	m := memory()
	r := rand.New(rand.NewPCG(9, 9))
	for _, size := range []int{1, 10, 100} {
		var text strings.Builder
		for text.Len() < size<<10 {
			fmt.Fprintf(&text, "word%c%c%c ", 'a'+r.IntN(26), 'a'+r.IntN(26), 'a'+r.IntN(26))
			if r.IntN(12) == 0 {
				text.WriteByte('\n')
			}
		}
		for _, kind := range []string{"text", "html"} {
			body := text.String()
			if kind == "html" {
				body = "<html><body><table><tr><td><p>" + strings.ReplaceAll(body, "\n", "</p></td></tr><tr><td><p>") + "</p></table></body></html>"
			}
			msg := mail("ann@example.net", body)
			msg.View()
			b.Run(fmt.Sprintf("%dkB/%s", size, kind), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					m.Print(msg)
				}
			})
		}
	}
}
