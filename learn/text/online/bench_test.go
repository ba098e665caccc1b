package online

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func benchState() *State {
	s := NewState()
	for _, l := range labels(20, 1000) {
		s.Learn(l)
	}
	return s
}

// cpu is what this thread has used: other load on the machine doesn't count.
func cpu(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// BenchmarkScore is extraction and score of a parsed message.
func BenchmarkScore(b *testing.B) {
	m := benchState().Model()
	for _, kb := range []int{1, 10, 100} {
		r := rand.New(rand.NewPCG(1, 1))
		var words []string
		for range 5000 {
			words = append(words, fmt.Sprintf("w%dx", r.IntN(100000)))
		}
		msg := write("someone", prose(r, words, kb*1024/5))
		msg.View()
		b.Run(fmt.Sprintf("%dkB", kb), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var times []time.Duration
			for b.Loop() {
				start := cpu(b)
				m.Score(Extract(msg), Recipient{})
				times = append(times, cpu(b)-start)
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "µs-cpu/op")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "µs-cpu-p99/op")
		})
	}
}

// BenchmarkLearn is one label of a message of a small text.
func BenchmarkLearn(b *testing.B) {
	s := benchState()
	all := labels(21, 500)
	i := 0
	for b.Loop() {
		s.Learn(all[i%len(all)])
		i++
	}
}

// BenchmarkModel is a snapshot after one label.
func BenchmarkModel(b *testing.B) {
	s := benchState()
	all := labels(22, 100)
	i := 0
	for b.Loop() {
		s.Learn(all[i%len(all)])
		s.Model()
		i++
	}
}

// BenchmarkSorted is what is added to extraction for learning.
func BenchmarkSorted(b *testing.B) {
	r := rand.New(rand.NewPCG(2, 1))
	f := Extract(mail(r, true, 1000))
	for b.Loop() {
		f.Sorted()
	}
}
