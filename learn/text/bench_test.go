package text

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
)

// prose makes about n octets of text with the word frequencies of language
// (Zipf), from a fixed seed.
func prose(n int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 1))
	z := rand.NewZipf(r, 1.2, 2, 20000)
	var b strings.Builder
	for b.Len() < n {
		w := z.Uint64()
		for k := uint64(0); k < 3+w%6; k++ {
			b.WriteByte("etaoinshrdlucmfwypvbgk"[(w*7+k*k*3+k)%22])
		}
		b.WriteByte(" \n"[b.Len()%13/12])
	}
	return b.String()
}

// cpuTime is what the process has used, in nanoseconds: on a busy machine the
// time on the wall says little.
func cpuTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkScore(b *testing.B) {
	m := Default()
	for _, kb := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%dkB", kb), func(b *testing.B) {
			d := &Document{Subject: "Your account statement", Text: prose(kb<<10, 1), Hosts: []string{"www.example.com"}}
			b.SetBytes(int64(len(d.Text)))
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				m.Score(d)
			}
			b.ReportMetric(float64(cpuTime()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

func BenchmarkTop(b *testing.B) {
	d := &Document{Text: prose(10<<10, 1)}
	for b.Loop() {
		Default().Top(d, 5)
	}
}
