package feedback

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"sluice"
	"sluice/internal/durable"
	"sluice/learn/feedback/golden"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/store/memory"
	"sluice/store/sqlite"
)

// BenchmarkTeach is one label until it is in the log; learning comes after.
func BenchmarkTeach(b *testing.B) {
	db, err := sqlite.Open(b.Context(), sqlite.Config{Path: b.TempDir() + "/db"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, log := range []struct {
		name string
		sluice.FeedbackLog
	}{{"memory", memory.New()}, {"sqlite", db}} {
		b.Run(log.name, func(b *testing.B) {
			n := start(b, log, nil)
			i := 0
			for b.Loop() {
				i++
				n.teach(b, label("work", i, sluice.SourceAdmin, "root"))
			}
		})
	}
}

// BenchmarkTeachAll is what sluice learn does with a folder.
func BenchmarkTeachAll(b *testing.B) {
	db, err := sqlite.Open(b.Context(), sqlite.Config{Path: b.TempDir() + "/db"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	n := start(b, db, nil)
	k := 0
	for b.Loop() {
		var list []*sluice.Label
		for range 256 {
			k++
			list = append(list, label([]string{"work", "pills"}[k%2], k, sluice.SourceLearn, "root"))
		}
		if _, err := n.TeachAll(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(256*float64(b.N)/b.Elapsed().Seconds(), "labels/s")
}

// long is a log of n labels, made without a room, and a node that has it.
func long(b testing.TB, n int) (*memory.Store, *durable.Mem) {
	log, disk := memory.New(), durable.NewMem()
	topics := []string{"pills", "work", "lotto", "code", "garden"}
	for i := range n {
		topic := topics[i%len(topics)]
		features, err := online.Extract(message.Parse(mail(topic, i), message.Limits{})).MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		f := &sluice.Feedback{Kind: sluice.FeedbackLabel, ID: fmt.Sprint(i), Time: noon.Add(time.Duration(i-n) * 4 * time.Minute), Spam: topic == "pills" || topic == "lotto",
			Source: sluice.SourceAdmin, By: "root", State: sluice.FeedbackApplied, Trust: 1, Trusted: i%2 == 0, Extractor: online.Extractor, Features: features}
		if err := log.AddFeedback(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
	return log, disk
}

// BenchmarkReplay is a start without a snapshot.
func BenchmarkReplay(b *testing.B) {
	const labels = 5000
	log, _ := long(b, labels)
	for b.Loop() {
		n := start(b, log, func(c *Config) { c.SnapshotEvery = 1 << 30 })
		n.catchUpTo(b)
	}
	b.ReportMetric(labels*float64(b.N)/b.Elapsed().Seconds(), "labels/s")
}

// BenchmarkUndo takes back a label 10,000 labels and four weeks back, with the usual
// snapshots.
func BenchmarkUndo(b *testing.B) {
	log, disk := long(b, 11_000)
	n := start(b, log, func(c *Config) { c.FS = disk })
	n.catchUpTo(b)
	if err := n.Tidy(b.Context()); err != nil {
		b.Fatal(err)
	}
	seq := int64(1000)
	for b.Loop() {
		seq++
		if f, err := n.Undo(b.Context(), seq, "root"); err != nil || f.Kind != sluice.FeedbackUndo {
			b.Fatal(f, err)
		}
		n.catchUpTo(b)
	}
}

// BenchmarkSnapshot writes and reads one.
func BenchmarkSnapshot(b *testing.B) {
	log, disk := long(b, 2000)
	n := start(b, log, func(c *Config) { c.FS = disk })
	n.catchUpTo(b)
	state := n.state(b)
	b.SetBytes(int64(len(state)))
	for b.Loop() {
		s, err := online.Load(bytes.NewReader(state))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Write(&bytes.Buffer{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGuard is one look at 2,000 golden messages.
func BenchmarkGuard(b *testing.B) {
	log, _ := long(b, 1000)
	set := golden.New(golden.Config{PerDomain: 2000})
	for i := range 2000 {
		set.Offer(golden.Offering{ID: fmt.Sprint(i), Time: noon, Features: online.Extract(message.Parse(mail("work", 50_000+i), message.Limits{}))})
	}
	n := start(b, log, func(c *Config) { c.Golden = set })
	n.catchUpTo(b)
	for b.Loop() {
		if err := n.watch(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
