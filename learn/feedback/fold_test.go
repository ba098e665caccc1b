package feedback

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/durable"
	"sluice/learn/feedback/golden"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/store/memory"
)

// filled is a log of n labels with snapshots on disk.
func filled(t testing.TB, n int) (*memory.Store, *durable.Mem, *node) {
	log, disk := memory.New(), durable.NewMem()
	a := start(t, log, func(c *Config) { c.FS, c.SnapshotEvery = disk, 10 })
	a.catchUpTo(t)
	for i := range n {
		a.clock = a.clock.Add(time.Hour)
		a.teach(t, label([]string{"pills", "work"}[i%2], i, sluice.SourceAdmin, "root"))
	}
	a.catchUpTo(t)
	return log, disk, a
}

// damage changes an octet of a file.
func damage(t *testing.T, disk durable.FS, name string, at int64) {
	t.Helper()
	f, err := disk.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if at < 0 {
		at += int64(len(b))
	}
	b[at] ^= 1
	if err := durable.WriteFile(disk, name, b); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedSnapshots: the one before is taken, in the end the log's start.
func TestDamagedSnapshots(t *testing.T) {
	log, disk, a := filled(t, 45)
	want := a.state(t)
	files := &Files{FS: disk, Folder: "feedback"}
	names, err := files.List(t.Context())
	if err != nil || len(names) != 4 {
		t.Fatalf("%v, %v", names, err)
	}
	for i := len(names); i >= 0; i-- {
		b := start(t, log, func(c *Config) { c.FS, c.SnapshotEvery = disk, 1000 })
		b.catchUpTo(t)
		if !bytes.Equal(b.state(t), want) {
			t.Errorf("%d snapshots left: another model", i)
		}
		from := "from=0 "
		if i > 0 {
			from = "from=" + string(rune('0'+i)) + "0 "
		}
		if !strings.Contains(b.trace.String(), from) {
			t.Errorf("%d snapshots left, want %s:\n%s", i, from, b.trace.String())
		}
		if said := strings.Count(b.trace.String(), "can't be used"); said != len(names)-i {
			t.Errorf("%d damaged snapshots, %d named", len(names)-i, said)
		}
		if i > 0 { // once in its head, once in its state
			damage(t, disk, files.name(names[i-1]), []int64{3, -100}[i%2])
		}
	}
}

// TestLostLog: when neither a snapshot nor the log's start is left, what is left is
// learned, and that is said.
func TestLostLog(t *testing.T) {
	log, _, _ := filled(t, 30)
	if _, err := log.SweepFeedback(t.Context(), noon.Add(time.Hour*1000), 12); err != nil {
		t.Fatal(err)
	}
	b := start(t, log, nil)
	b.catchUpTo(t)
	if ham, spam := b.text.Model().Labels(); ham+spam != 18 || !strings.Contains(b.trace.String(), "older labels are lost") {
		t.Errorf("%d labels\n%s", ham+spam, b.trace.String())
	}
	// What others take back of it can't be replayed here.
	if _, err := b.Undo(t.Context(), 20, "root"); err != nil {
		t.Fatal(err)
	}
	if f, err := log.FeedbackEntry(t.Context(), 31); err != nil || f.Kind != sluice.FeedbackCounter {
		t.Errorf("%+v, %v", f, err)
	}
	undo := &sluice.Feedback{Kind: sluice.FeedbackUndo, Of: 21, Time: noon, By: "root", State: sluice.FeedbackApplied}
	if err := log.AddFeedback(t.Context(), undo); err != nil {
		t.Fatal(err)
	}
	b.catchUpTo(t)
	if ham, spam := b.text.Model().Labels(); ham+spam != 16 || b.Stats().Inexact != 1 || !strings.Contains(b.trace.String(), "no longer the same") {
		t.Errorf("%d labels, %+v\n%s", ham+spam, b.Stats(), b.trace.String())
	}
}

// TestSweep: what is old goes, but never what an undo within Keep needs.
func TestSweep(t *testing.T) {
	log, disk, a := filled(t, 240) // ten days
	a.cfg.SnapshotsKept = 4
	a.cfg.Keep, a.cfg.Remember = 4*day, 6*day
	if err := a.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, err := a.cfg.Snapshots.List(t.Context())
	if err != nil || len(names) != 4 || names[0] != 140 || names[3] != 240 || names[2] != 230 {
		t.Errorf("snapshots %v, %v", names, err)
	}
	left, err := log.FeedbackSince(t.Context(), 0, 1000)
	if err != nil || left[0].Seq != 96 {
		t.Errorf("log from %d, %v", left[0].Seq, err)
	}
	f, err := a.Undo(t.Context(), 146, "root")
	if err != nil || f.Kind != sluice.FeedbackUndo {
		t.Fatalf("%+v, %v", f, err)
	}
	if f, err := a.Undo(t.Context(), 100, "root"); err != nil || f.Kind != sluice.FeedbackCounter {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, err := a.Undo(t.Context(), 5, "root"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("swept: %v", err)
	}
	a.catchUpTo(t)
	b := start(t, log, func(c *Config) { c.FS = disk })
	b.catchUpTo(t)
	if !bytes.Equal(a.state(t), b.state(t)) {
		t.Error("a restart gives another model")
	}
	if s := a.Stats(); s.Inexact != 0 || s.Rebuilds != 2 {
		t.Errorf("%+v", s)
	}
}

// TestOtherExtractor: entries that another program made are passed over, and damaged
// ones; both are counted.
func TestOtherExtractor(t *testing.T) {
	log, _, a := filled(t, 4)
	good, err := log.FeedbackEntry(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	other, torn, print := *good, *good, *good
	other.Extractor = online.Extractor + 1
	torn.Features = torn.Features[:len(torn.Features)-1]
	print.Print = []byte("no print")
	for _, f := range []*sluice.Feedback{&other, &torn, &print, {Kind: "what", Of: 1}, {Kind: sluice.FeedbackUndo, Of: 99}, {Kind: sluice.FeedbackAccept, Of: 77}} {
		if err := log.AddFeedback(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	a.catchUpTo(t)
	b := start(t, log, nil)
	b.catchUpTo(t)
	for _, n := range []*node{a, b} {
		if s := n.Stats(); s.Skipped != 1 || s.Damaged != 2 || s.Seq != 10 {
			t.Errorf("%+v", s)
		}
	}
	if !bytes.Equal(a.state(t), b.state(t)) {
		t.Error("another model")
	}
}

// away is a store that can't be reached.
type away struct {
	sluice.FeedbackLog
	gone bool
}

var errAway = errors.New("no route to host")

func (a *away) AddFeedback(ctx context.Context, f *sluice.Feedback) error {
	if a.gone {
		return errAway
	}
	return a.FeedbackLog.AddFeedback(ctx, f)
}

func (a *away) FeedbackSince(ctx context.Context, seq int64, limit int) ([]*sluice.Feedback, error) {
	if a.gone {
		return nil, errAway
	}
	return a.FeedbackLog.FeedbackSince(ctx, seq, limit)
}

// TestStoreAway: a label isn't taken, and that is said; readers keep their model;
// what others wrote is learned when the store is back.
func TestStoreAway(t *testing.T) {
	mem := memory.New()
	log := &away{FeedbackLog: mem, gone: true}
	n := start(t, log, nil)
	if _, err := n.Teach(t.Context(), label("work", 1, sluice.SourceAdmin, "root")); !errors.Is(err, errAway) || !strings.Contains(err.Error(), "can't be read") {
		t.Errorf("Teach: %v", err)
	}
	if err := n.CatchUp(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("CatchUp: %v", err)
	}
	log.gone = false
	n.teach(t, label("work", 1, sluice.SourceAdmin, "root"))
	n.catchUpTo(t)
	log.gone = true
	if err := n.CatchUp(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("CatchUp: %v", err)
	}
	if _, err := n.Undo(t.Context(), 1, "root"); !errors.Is(err, errAway) {
		t.Errorf("Undo: %v", err)
	}
	start(t, mem, nil).teach(t, label("pills", 1, sluice.SourceAdmin, "root"))
	if ham, spam := n.text.Model().Labels(); ham != 1 || spam != 0 {
		t.Errorf("%d, %d", ham, spam)
	}
	log.gone = false
	n.catchUpTo(t)
	if ham, spam := n.text.Model().Labels(); ham != 1 || spam != 1 {
		t.Errorf("%d, %d", ham, spam)
	}
}

// TestRun learns what is taught here at once, and what others wrote at a tick.
func TestRun(t *testing.T) {
	log := memory.New()
	n, other := start(t, log, nil), start(t, log, nil)
	ctx, stop := context.WithCancel(t.Context())
	tick, done := make(chan time.Time), make(chan struct{})
	go func() { n.Run(ctx, tick); close(done) }()
	wait := func(seq int64) {
		t.Helper()
		for range 1000 {
			if n.Stats().Seq >= seq {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatalf("not learned: %+v", n.Stats())
	}
	n.teach(t, label("work", 1, sluice.SourceAdmin, "root"))
	wait(1)
	other.teach(t, label("work", 2, sluice.SourceAdmin, "root"))
	tick <- noon
	wait(2)
	stop()
	<-done
}

// TestReadersDuringUndo: readers never wait, and never see half a model.
func TestReadersDuringUndo(t *testing.T) {
	_, _, a := filled(t, 60)
	f := online.Extract(message.Parse(mail("pills", 999), message.Limits{}))
	before := a.text.Model().Score(f, online.Recipient{})
	if _, err := a.Undo(t.Context(), 3, "root"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.CatchUp(context.WithoutCancel(t.Context())) }()
	seen := map[online.Outcome]int{}
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		seen[a.text.Model().Score(f, online.Recipient{})]++
	}
	after := a.text.Model().Score(f, online.Recipient{})
	for out := range seen {
		if out != before && out != after {
			t.Errorf("a reader saw %+v; before %+v, after %+v", out, before, after)
		}
	}
}

// TestGuardBlames: labels of an admin stay, and are named.
func TestGuardBlames(t *testing.T) {
	w := generated(120)
	set := golden.New(golden.Config{})
	for i, raw := range w.target {
		set.Offer(golden.Offering{ID: string(rune(i)), From: "letter.example", Features: online.Extract(message.Parse(raw, message.Limits{})), Time: noon})
	}
	n := start(t, memory.New(), func(c *Config) { c.Golden, c.GuardEvery = set, 130 })
	n.catchUpTo(t)
	for i := range 65 {
		n.teach(t, &sluice.Label{Raw: w.ham[i], Source: sluice.SourceLearn, By: "root"})
		n.teach(t, &sluice.Label{Raw: w.spam[i], Source: sluice.SourceLearn, By: "root", Spam: true})
	}
	n.catchUpTo(t)
	for i := range 30 {
		n.teach(t, &sluice.Label{Raw: mail("garden", 5000+i), Source: sluice.SourceLearn, By: "sorter", Spam: true})
	}
	n.catchUpTo(t)
	if err := n.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := n.Stats(); s.GuardTaken != 0 || !strings.Contains(n.trace.String(), "by=sorter") {
		t.Errorf("%+v\n%s", s, n.trace.String())
	}
	// An admin who says that golden mail is spam is believed: it isn't golden.
	before, _ := set.Len()
	n.teach(t, &sluice.Label{Raw: w.target[0], Source: sluice.SourceAdmin, By: "root", Spam: true})
	n.catchUpTo(t)
	if after, _ := set.Len(); after >= before {
		t.Errorf("%d golden messages, %d before", after, before)
	}
}

func FuzzSnapshotHead(f *testing.F) {
	h := head{Mark: snapshotMark, Extractor: online.Extractor, Seq: 5, Knows: 7, Time: noon.Unix()}
	h.Sum = h.sum()
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, &h); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readHead(bytes.NewReader(b), 5)
		if err == nil && (got.Seq != 5 || got.Knows < 5 || got.Sum != got.sum()) {
			t.Errorf("%+v", got)
		}
	})
}

func TestNewNeeds(t *testing.T) {
	for _, c := range []Config{{}, {Log: memory.New()}, {Log: memory.New(), Text: new(online.Learner), Clock: time.Now}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is enough", c)
		}
	}
}

// TestThin keeps both ends and even gaps.
func TestThin(t *testing.T) {
	var heads []head
	for i := range 20 {
		heads = append(heads, head{Seq: int64(i+1) * 10})
	}
	got := thin(heads, 6)
	if len(got) != 6 || got[0] != 10 || got[4] != 190 || got[5] != 200 {
		t.Errorf("%v", got)
	}
}
