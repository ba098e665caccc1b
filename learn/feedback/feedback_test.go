package feedback

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sluice"
	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/learn/text/online"
	"sluice/store/memory"
	"sluice/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// node is a room with all that it stands on.
type node struct {
	*Room
	text  *online.Learner
	memo  *campaign.Memory
	clock time.Time
	trace bytes.Buffer
}

// start makes a node; edit may change its Config.
func start(t testing.TB, log sluice.FeedbackLog, edit func(*Config)) *node {
	n := &node{text: online.New(online.Config{}), memo: campaign.New(campaign.Config{Fingerprints: 20_000}), clock: noon}
	cfg := Config{
		Log: log, Text: n.text, Campaigns: n.memo, FS: durable.NewMem(), Folder: "feedback",
		Clock: func() time.Time { return n.clock }, Trace: slog.New(slog.NewTextHandler(&n.trace, nil)),
	}
	if edit != nil {
		edit(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Room = r
	if c, ok := t.(interface{ Cleanup(func()) }); ok {
		c.Cleanup(n.text.Close)
	}
	return n
}

// state is the model, to the last bit.
func (n *node) state(t fataler) []byte {
	var b bytes.Buffer
	if err := n.text.Do(context.Background(), func(s *online.State) error { return s.Write(&b) }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// mail makes a message of a topic; n tells messages of it apart.
func mail(topic string, n int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(n), uint64(len(topic))))
	words := strings.Fields(topics[topic])
	var b strings.Builder
	for i := range 60 {
		if i%12 == 11 {
			b.WriteString("\r\n")
		}
		b.WriteString(words[rnd.IntN(len(words))] + " ")
	}
	return fmt.Appendf(nil, "From: Sender %d <s%d@%s.example>\r\nTo: anna@example.com\r\nSubject: %s %s\r\nMessage-ID: <%d@%s.example>\r\n\r\n%s\r\n",
		n, n%7, topic, words[n%len(words)], words[(n*3+1)%len(words)], n, topic, b.String())
}

var topics = map[string]string{
	"pills":  "cheap pharmacy pills discount order viagra online meds doctor free shipping prices best quality buy now click here limited offer bonus customers satisfied guarantee",
	"lotto":  "winner lottery million dollars claim prize congratulations agent transfer bank account fund beneficiary urgent reply confidential barrister inheritance",
	"work":   "meeting agenda project minutes schedule review document attached colleagues tomorrow report quarter budget plan team discuss deadline version draft comments",
	"garden": "newsletter tomato seeds spring garden watering soil roses prune compost season weather subscribers tips harvest planting bulbs greenhouse frost lawn",
	"code":   "patch kernel commit branch compile error function review merge test release bug module driver linux build pointer thread regression maintainers",
}

func label(topic string, n int, source sluice.Source, by string) *sluice.Label {
	spam := topic == "pills" || topic == "lotto"
	return &sluice.Label{Raw: mail(topic, n), ID: fmt.Sprintf("%s-%d", topic, n), Tenant: "acme", Spam: spam, Source: source, By: by, To: []string{"Anna@Example.com"}}
}

func (n *node) teach(t fataler, l *sluice.Label) *sluice.Feedback {
	t.Helper()
	f, err := n.Teach(context.Background(), l)
	if err != nil {
		t.Fatalf("Teach: %v", err)
	}
	return f
}

func (n *node) catchUpTo(t fataler) {
	t.Helper()
	if err := n.CatchUp(context.Background()); err != nil {
		t.Fatalf("CatchUp: %v", err)
	}
}

// fold is the plain statement of what the model is: the labels that count, in order,
// without those that were taken back.
func fold(t fataler, log sluice.FeedbackLog) []byte {
	entries, err := log.FeedbackSince(context.Background(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	gone, accepted, refused := map[int64]int64{}, map[int64]int64{}, map[int64]bool{}
	for _, f := range entries {
		switch f.Kind {
		case sluice.FeedbackUndo:
			switch {
			case f.State == sluice.FeedbackRefused && accepted[f.Of] == 0:
				refused[f.Of] = true
			case f.State == sluice.FeedbackApplied && gone[f.Of] == 0 && !refused[f.Of]:
				gone[f.Of] = f.Seq
			}
		case sluice.FeedbackAccept:
			if gone[f.Of] == 0 && accepted[f.Of] == 0 && !refused[f.Of] {
				accepted[f.Of] = f.Seq
			}
		}
	}
	s := online.NewState()
	for _, f := range entries {
		of := f.Seq
		if f.Kind == sluice.FeedbackAccept && accepted[f.Of] == f.Seq {
			of = f.Of
		} else if f.Kind != sluice.FeedbackLabel || f.State != sluice.FeedbackApplied {
			continue
		}
		if gone[of] != 0 || len(f.Features) == 0 {
			continue
		}
		var x online.Features
		if err := x.UnmarshalBinary(f.Features); err != nil {
			t.Fatal(err)
		}
		s.Learn(online.Label{Features: &x, Spam: f.Spam, Trusted: f.Trusted, To: recipient(f)})
	}
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestTwoNodes: whatever happens on two nodes in whatever order, both come to the
// same model, and that is the fold over the labels that were not taken back.
func TestTwoNodes(t *testing.T) {
	names := []string{"pills", "lotto", "work", "garden", "code"}
	rapid.Check(t, func(rt *rapid.T) {
		log := memory.New()
		shared := &Files{FS: durable.NewMem(), Folder: "shared"}
		var all []*node
		defer func() {
			for _, n := range all {
				n.text.Close()
			}
		}()
		share := rapid.Bool().Draw(rt, "shared snapshots")
		disks := [2]durable.FS{durable.NewMem(), durable.NewMem()}
		boot := func(i int) *node {
			n := start(noCleanup{t}, log, func(c *Config) {
				c.SnapshotEvery = 4
				c.FS = disks[i]
				if share {
					c.Snapshots = shared
				}
			})
			all = append(all, n)
			return n
		}
		nodes := [2]*node{boot(0), boot(1)}
		var labels, held []int64
		clock, restarts := noon, 0
		for i := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			at := rapid.IntRange(0, 1).Draw(rt, "node")
			n := nodes[at]
			clock = clock.Add(time.Minute)
			n.clock = clock
			switch rapid.SampledFrom([]string{"teach", "teach", "teach", "teach", "undo", "undo", "accept", "catch up", "restart", "tidy"}).Draw(rt, "what") {
			case "teach":
				l := label(names[i%len(names)], i, sluice.SourceAdmin, "root")
				switch rapid.IntRange(0, 3).Draw(rt, "source") {
				case 0: // an admin says otherwise of the campaign: held
					l = label(names[i%len(names)], max(i-1, 0), sluice.SourceReport, "eve@example.com")
					l.Spam = !l.Spam
				case 1:
					l.Source, l.By = sluice.SourceFolder, "bob@example.com"
				}
				f := n.teach(rt, l)
				if f.Seq != 0 {
					labels = append(labels, f.Seq)
				}
				if f.State == sluice.FeedbackHeld {
					held = append(held, f.Seq)
				}
			case "undo":
				if len(labels) > 0 {
					_, _ = n.Undo(t.Context(), rapid.SampledFrom(labels).Draw(rt, "label"), "root") // some are refused
				}
			case "accept":
				if len(held) > 0 {
					_, _ = n.Accept(t.Context(), rapid.SampledFrom(held).Draw(rt, "label"), "root")
				}
			case "catch up":
				n.catchUpTo(rt)
			case "restart":
				if restarts++; restarts < 4 {
					nodes[at] = boot(at)
				}
			case "tidy":
				if err := n.Tidy(t.Context()); err != nil {
					rt.Fatal(err)
				}
			}
		}
		want := fold(rt, log)
		for i, n := range nodes {
			n.catchUpTo(rt)
			if !bytes.Equal(n.state(rt), want) {
				rt.Fatalf("node %d has another model\n%s", i, n.trace.String())
			}
			if s := n.Stats(); s.Inexact != 0 || s.Damaged != 0 || s.Skipped != 0 {
				rt.Fatalf("node %d: %+v", i, s)
			}
		}
	})
}

// noCleanup keeps what rapid makes many of from living until the test ends.
type noCleanup struct{ testing.TB }

// Cleanup does nothing.
func (noCleanup) Cleanup(func()) {}

// TestConcurrently: two nodes on one database, both teaching and taking back.
func TestConcurrently(t *testing.T) {
	log, err := sqlite.Open(t.Context(), sqlite.Config{Path: t.TempDir() + "/db"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	nodes := []*node{start(t, log, nil), start(t, log, nil)}
	ctx, stop := context.WithCancel(t.Context())
	var run, teach sync.WaitGroup
	for i, n := range nodes {
		run.Go(func() { n.Run(ctx, nil) })
		teach.Go(func() {
			for k := range 40 {
				topic := []string{"pills", "work", "code"}[k%3]
				f, err := n.Teach(ctx, label(topic, 1000*i+k, sluice.SourceAdmin, "root"))
				if err != nil {
					t.Error(err)
					return
				}
				if k%10 == 9 {
					if _, err := n.Undo(ctx, f.Seq, "root"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	teach.Wait()
	stop()
	run.Wait()
	want := fold(t, log)
	for i, n := range nodes {
		n.catchUpTo(t)
		if !bytes.Equal(n.state(t), want) {
			t.Errorf("node %d has another model", i)
		}
	}
	if s := nodes[0].Stats(); s.Seq != 88 || s.Head != 88 || s.Rebuilds == 0 {
		t.Errorf("%+v", s)
	}
}
