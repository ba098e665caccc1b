package trec_test

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/eval"
	"sluice/eval/trec"
	"sluice/internal/shared"
	"sluice/learn/text/online"
)

// BenchmarkOwnMail reads, parses and learns half of the messages of the corpus, as
// the command for own mail does: reading in several goroutines, learning in one.
func BenchmarkOwnMail(b *testing.B) {
	dir := shared.Dir(b, "corpora")
	split, err := eval.Corpora(dir)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	messages, err := trec.Corpus(dir, split, func(e *eval.Entry) bool {
		n++
		return e.Corpus == "spamassassin" && n%2 == 0
	})
	if err != nil {
		b.Fatal(err)
	}
	read := trec.Features(dir)
	type result struct {
		doc  any
		err  error
		spam bool
	}
	learned := 0
	used := func() float64 { // seconds of CPU of this process
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	before := used()
	order := rand.New(rand.NewPCG(1, 1)).Perm(len(messages))
	for b.Loop() {
		state := online.NewState()
		results := make([]chan result, len(messages))
		for i := range results {
			results[i] = make(chan result, 1)
		}
		work := make(chan int)
		for range 2 {
			go func() {
				for i := range work {
					doc, err := read(b.Context(), &messages[i])
					results[i] <- result{doc, err, messages[i].Spam}
				}
			}()
		}
		go func() {
			defer close(work)
			for i := range messages {
				work <- order[i]
			}
		}()
		for i := range messages {
			r := <-results[order[i]]
			if r.err != nil {
				b.Fatal(r.err)
			}
			state.Learn(online.Label{Features: r.doc.(*online.Features), Spam: r.spam, Trusted: true})
			learned++
		}
	}
	b.ReportMetric(1e6*(used()-before)/float64(learned), "µs-cpu/message")
	b.ReportMetric(float64(learned)/b.Elapsed().Seconds(), "messages/s")
}
