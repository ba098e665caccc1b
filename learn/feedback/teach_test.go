package feedback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/store/memory"
)

// TestDecide: what a label is worth, by who says it and what is known.
func TestDecide(t *testing.T) {
	n := start(t, memory.New(), func(c *Config) { c.ReporterDay, c.NewReporterDay = 8, 4 })
	spam, ham := func(i int) *sluice.Label { return label("pills", i, sluice.SourceReport, "anna@example.com") }, label("work", 1, sluice.SourceFolder, "anna@example.com")
	with := func(l *sluice.Label, source sluice.Source, by string, spam bool) *sluice.Label {
		c := *l
		c.Source, c.By, c.Spam = source, by, spam
		return &c
	}
	empty := &sluice.Label{Source: sluice.SourceAdmin, By: "root", Spam: true}
	for _, tt := range []struct {
		name    string
		label   *sluice.Label
		state   sluice.FeedbackState
		why     string
		trust   float64
		trusted bool
		written bool
	}{
		{"admin", label("work", 7, sluice.SourceAdmin, "root"), sluice.FeedbackApplied, "", 1, true, true},
		{"learn", label("pills", 7, sluice.SourceLearn, "root"), sluice.FeedbackApplied, "", 1, true, true},
		{"nothing in it", empty, sluice.FeedbackRefused, "nothing to learn from", 1, true, true},
		{"trap", label("lotto", 1, sluice.SourceTrap, "trap@example.com"), sluice.FeedbackApplied, "", 1, true, true},
		{"trap again", label("lotto", 1, sluice.SourceTrap, "trap@example.com"), sluice.FeedbackApplied, "", 1, true, true},
		{"trap a third time", label("lotto", 1, sluice.SourceTrap, "b@example.com"), sluice.FeedbackApplied, "", 1, true, true},
		{"trap too often", label("lotto", 1, sluice.SourceTrap, "trap@example.com"), sluice.FeedbackRefused, "enough of this campaign", 1, true, false},
		{"trap of wanted mail", label("work", 2, sluice.SourceTrap, "trap@example.com"), sluice.FeedbackRefused, "a trap can't vouch for a message", 1, true, false},
		{"release", label("code", 2, sluice.SourceRelease, "bob"), sluice.FeedbackApplied, "", 1, true, true},
		{"release of spam", label("lotto", 9, sluice.SourceRelease, "bob"), sluice.FeedbackRefused, "a release only vouches for a message", 1, true, true},
		{"no source", with(ham, "rumour", "anna", true), sluice.FeedbackRefused, "of no known source", 1, true, false},
		{"new user", spam(1), sluice.FeedbackApplied, "", 0.05, false, true},
		{"the same again", spam(1), sluice.FeedbackApplied, "", 0, false, true},
		{"the same thrice", spam(1), sluice.FeedbackApplied, "", 0, false, true},
		{"the same too often", spam(1), sluice.FeedbackRefused, "enough of this campaign", 1, false, false},
		{"one more", spam(2), sluice.FeedbackApplied, "", 0.05, false, true},
		{"too many", spam(3), sluice.FeedbackRefused, "enough labels of this reporter today", 1, false, false},
		{"another user", with(spam(1), sluice.SourceFolder, "carl@example.com", true), sluice.FeedbackApplied, "", 0.05, false, true},
		{"against an admin", with(label("work", 7, "", ""), sluice.SourceFolder, "carl@example.com", true), sluice.FeedbackHeld, "a trusted label of this campaign says otherwise", 0, false, true},
	} {
		f := n.teach(t, tt.label)
		if f.State != tt.state || f.Why != tt.why || (f.Seq != 0) != tt.written {
			t.Errorf("%s: %s %q, seq %d", tt.name, f.State, f.Why, f.Seq)
		}
		if f.State != sluice.FeedbackRefused && (fmt.Sprintf("%.2f", f.Trust) != fmt.Sprintf("%.2f", tt.trust) || f.Trusted != tt.trusted) {
			t.Errorf("%s: trust %.2f, trusted %v", tt.name, f.Trust, f.Trusted)
		}
		if f.State == sluice.FeedbackRefused && f.Features != nil {
			t.Errorf("%s: features of what nobody learns from are kept", tt.name)
		}
	}
	// The next day there is room again.
	n.clock = n.clock.Add(day)
	if f := n.teach(t, spam(4)); f.State != sluice.FeedbackApplied {
		t.Errorf("the next day: %s %q", f.State, f.Why)
	}
	// A restart knows all of it.
	again := start(t, n.cfg.Log, func(c *Config) { c.ReporterDay, c.NewReporterDay = 8, 1 })
	again.clock = n.clock
	if f := again.teach(t, spam(5)); f.Why != "enough labels of this reporter today" {
		t.Errorf("after a restart: %s %q", f.State, f.Why)
	}
}

// TestTeachAll gives the same as one by one.
func TestTeachAll(t *testing.T) {
	one, all := start(t, memory.New(), nil), start(t, memory.New(), nil)
	var labels []*sluice.Label
	for i := range 40 {
		labels = append(labels, label([]string{"work", "pills"}[i%2], i, sluice.SourceLearn, "root"))
	}
	labels = append(labels, &sluice.Label{Source: sluice.SourceLearn, By: "root"}) // nothing in it
	for _, l := range labels {
		one.teach(t, l)
	}
	out, err := all.TeachAll(t.Context(), labels)
	if err != nil || len(out) != 41 || out[39].Seq != 40 || out[40].State != sluice.FeedbackRefused {
		t.Fatalf("%d, %v", len(out), err)
	}
	one.catchUpTo(t)
	all.catchUpTo(t)
	if !bytes.Equal(one.state(t), all.state(t)) || all.Stats().Applied != 40 || all.Stats().Refused != 1 {
		t.Errorf("%+v", all.Stats())
	}
	labels[3].Source = sluice.SourceTrap
	if _, err := all.TeachAll(t.Context(), labels); err == nil || all.Stats().Head != 41 {
		t.Errorf("a trap's label in a batch: %v", err)
	}
	if out, err := all.TeachAll(t.Context(), nil); len(out) != 0 || err != nil {
		t.Errorf("none: %v", err)
	}
}

// TestModelDisagrees: a user who contradicts what the model is sure of is held,
// unless the reports of that user were good.
func TestModelDisagrees(t *testing.T) {
	n := start(t, memory.New(), nil)
	for i := range 150 {
		n.teach(t, label([]string{"pills", "work"}[i%2], i, sluice.SourceLearn, "root"))
	}
	n.catchUpTo(t)
	sure := label("pills", 999, sluice.SourceFolder, "anna@example.com")
	msg := online.Extract(message.Parse(sure.Raw, message.Limits{}))
	if out := n.text.Model().Score(msg, online.Recipient{}); out.DB < strongDB {
		t.Skipf("the model isn't sure: %.1f dB", out.DB)
	}
	sure.Spam = false
	if f := n.teach(t, sure); f.State != sluice.FeedbackHeld || f.Why != "the model is sure of the contrary" {
		t.Errorf("%s %q", f.State, f.Why)
	}
	p := n.ledger.reporters[reporterKey("anna@example.com", false)]
	p.agreed, p.disputed = 50, 0
	if f := n.teach(t, sure); f.State != sluice.FeedbackApplied {
		t.Errorf("one who is proven: %s %q", f.State, f.Why)
	}
}

// TestReporters: agreement grows with trusted labels that say the same, and sinks
// with others, with undoing and with the guard.
func TestReporters(t *testing.T) {
	log := memory.New()
	n := start(t, log, nil)
	teach := func(topic string, i int, source sluice.Source, by string, spam bool) *sluice.Feedback {
		n.clock = n.clock.Add(time.Hour)
		l := label(topic, i, source, by)
		l.Spam = spam
		return n.teach(t, l)
	}
	teach("pills", 1, sluice.SourceReport, "good@example.com", true)
	teach("work", 1, sluice.SourceReport, "bad@example.com", true)
	teach("pills", 1, sluice.SourceAdmin, "root", true)
	teach("work", 1, sluice.SourceAdmin, "root", false)
	worst := teach("garden", 1, sluice.SourceReport, "ugly@example.com", true)
	undone := teach("code", 1, sluice.SourceReport, "bad@example.com", true)
	own := teach("code", 5, sluice.SourceReport, "good@example.com", false)
	for _, u := range []struct {
		seq int64
		by  string
	}{{worst.Seq, Guard}, {undone.Seq, "root"}, {own.Seq, "good@example.com"}} {
		n.mu.Lock()
		_, err := n.undo(t.Context(), u.seq, u.by, "")
		n.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	if f := teach("garden", 2, sluice.SourceReport, "UGLY@example.com", true); f.State != sluice.FeedbackHeld || f.Trust != 0 {
		t.Errorf("after the guard: %s %q", f.State, f.Why)
	}
	check := func(n *node) {
		t.Helper()
		list, err := n.Reporters(t.Context(), 10)
		if err != nil || len(list) != 4 {
			t.Fatalf("%d reporters, %v", len(list), err)
		}
		by := map[string]sluice.Reporter{}
		for _, p := range list {
			by[p.Name] = p
		}
		if g := by["good@example.com"]; g.Agreed < 0.9 || g.Disputed > 0.01 || g.Labels != 2 || g.Trust <= 0.3 {
			t.Errorf("%+v", g)
		}
		if b := by["bad@example.com"]; b.Disputed < 1.9 || b.Trust >= 0.2 {
			t.Errorf("%+v", b)
		}
		if u := by["ugly@example.com"]; u.Trust != 0 || u.Labels != 2 {
			t.Errorf("%+v", u)
		}
		if r := by["root"]; r.Trust != 1 || list[0].Name != "ugly@example.com" {
			t.Errorf("%+v, latest %s", r, list[0].Name)
		}
	}
	check(n)
	check(start(t, log, nil))
	// An admin who accepts a held label lets the reporter speak again.
	f := teach("garden", 3, sluice.SourceReport, "ugly@example.com", true)
	if _, err := n.Accept(t.Context(), f.Seq, "root"); err != nil {
		t.Fatal(err)
	}
	if f := teach("lotto", 30, sluice.SourceReport, "ugly@example.com", true); f.State != sluice.FeedbackApplied {
		t.Errorf("after an accept: %s %q", f.State, f.Why)
	}
	if list, err := n.Reporters(t.Context(), 1); len(list) != 1 || err != nil {
		t.Errorf("limit 1: %d, %v", len(list), err)
	}
}

// TestPeers: hostile reporters who agree with each other gain next to nothing.
func TestPeers(t *testing.T) {
	n := start(t, memory.New(), nil)
	for i := range 40 {
		n.clock = n.clock.Add(6 * time.Hour)
		for k := range 10 {
			l := label("work", i, sluice.SourceReport, fmt.Sprintf("sybil%d@example.net", k))
			l.Spam = true
			n.teach(t, l)
		}
	}
	list, err := n.Reporters(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Trust >= proven {
			t.Errorf("%+v", p)
		}
	}
}

// TestCampaignNeedsTwo: no single user blocks a campaign for everybody, however
// often they say it; some who were right before do, and an admin alone.
func TestCampaignNeedsTwo(t *testing.T) {
	n := start(t, memory.New(), nil)
	weight := func(topic string) (most float64) {
		p := n.memo.Print(message.Parse(mail(topic, 1), message.Limits{}))
		for _, m := range n.memo.Look(p, campaign.Sighting{Time: n.clock}) {
			most = max(most, m.Bad-m.Good)
		}
		return most
	}
	const enough = 0.5 // what a verdict takes for certain
	blocked := func(topic string) bool { return weight(topic) >= enough }
	prove := func(by string) {
		n.ledger.reporter(by, false, n.clock).agreed = 60
	}
	prove("anna@example.com")
	for range 3 {
		for range 3 {
			n.teach(t, label("lotto", 1, sluice.SourceReport, "anna@example.com"))
		}
		n.clock = n.clock.Add(day)
	}
	if w := weight("lotto"); w >= enough/2 || w < 0.1 {
		t.Errorf("one user weighs %.2f", w)
	}
	for k := range 4 {
		n.teach(t, label("lotto", 1, sluice.SourceReport, fmt.Sprintf("new%d@example.com", k)))
	}
	if blocked("lotto") {
		t.Error("four new reporters and a good one block a campaign")
	}
	for _, by := range []string{"b@example.com", "c@example.com"} {
		prove(by)
		n.teach(t, label("lotto", 1, sluice.SourceReport, by))
	}
	if !blocked("lotto") {
		t.Errorf("three good reporters don't block a campaign: %.2f", weight("lotto"))
	}
	f := n.teach(t, label("pills", 1, sluice.SourceAdmin, "root"))
	if !blocked("pills") {
		t.Error("an admin doesn't block a campaign")
	}
	if _, err := n.Undo(t.Context(), f.Seq, "root"); err != nil {
		t.Fatal(err)
	}
	if blocked("pills") {
		t.Error("the campaign stays blocked after undo")
	}
}

func TestSaveCampaigns(t *testing.T) {
	log, disk := memory.New(), durable.NewMem()
	edit := func(c *Config) { c.FS = disk }
	n := start(t, log, edit)
	n.teach(t, label("pills", 1, sluice.SourceAdmin, "root"))
	if err := n.SaveCampaigns(func() error { return errors.New("no room") }); err == nil {
		t.Error("an error got lost")
	}
	if err := n.SaveCampaigns(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	n.teach(t, label("lotto", 1, sluice.SourceAdmin, "root"))
	for _, empty := range []bool{false, true} {
		again := start(t, log, func(c *Config) { edit(c); c.CampaignsEmpty = empty })
		again.catchUpTo(t)
		want := 1
		if empty {
			want = 2
		}
		if got := again.memo.Stats().Clusters; got != want {
			t.Errorf("empty %v: the memory was given %d labels, want %d", empty, got, want)
		}
	}
}

// TestUndo: what can't be taken back, and why.
func TestUndo(t *testing.T) {
	n := start(t, memory.New(), nil)
	a := n.teach(t, label("pills", 1, sluice.SourceAdmin, "root"))
	opposite := label("pills", 1, sluice.SourceReport, "eve@example.com")
	opposite.Spam = false
	h := n.teach(t, opposite)
	u, err := n.Undo(t.Context(), a.Seq, "root")
	if err != nil || u.Kind != sluice.FeedbackUndo || u.Of != a.Seq || u.By != "root" || u.Seq == 0 {
		t.Fatalf("%+v, %v", u, err)
	}
	for _, tt := range []struct {
		name string
		do   func(context.Context, int64, string) (*sluice.Feedback, error)
		seq  int64
		want string
	}{
		{"undo twice", n.Undo, a.Seq, "it was taken back already"},
		{"undo of an undo", n.Undo, u.Seq, "give that label again instead"},
		{"accept of what is applied", n.Accept, n.teach(t, label("work", 1, sluice.SourceAdmin, "root")).Seq, "it is not held"},
		{"accept of what was taken back", n.Accept, a.Seq, "it was taken back already"},
	} {
		if _, err := tt.do(t.Context(), tt.seq, "root"); !errors.Is(err, ErrLabel) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	other := label("work", 1, sluice.SourceReport, "guard")
	other.Spam = true
	waits := n.teach(t, other)
	if waits.State != sluice.FeedbackHeld {
		t.Fatalf("%s %q", waits.State, waits.Why)
	}
	r, err := n.Undo(t.Context(), waits.Seq, "Guard")
	if err != nil || r.Kind != sluice.FeedbackUndo || r.State != sluice.FeedbackRefused || r.By != "account Guard" {
		t.Fatalf("a label that waited is refused: %+v, %v", r, err)
	}
	for name, do := range map[string]func(context.Context, int64, string) (*sluice.Feedback, error){"undo": n.Undo, "accept": n.Accept} {
		if _, err := do(t.Context(), waits.Seq, "root"); !errors.Is(err, ErrLabel) || !strings.Contains(err.Error(), "it was refused already") {
			t.Errorf("%s of what was refused: %v", name, err)
		}
	}
	if _, err := n.Undo(t.Context(), 1<<40, "root"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("no such label: %v", err)
	}
	acc, err := n.Accept(t.Context(), h.Seq, "root")
	if err != nil || acc.Kind != sluice.FeedbackAccept || !acc.Trusted || acc.Spam {
		t.Fatalf("%+v, %v", acc, err)
	}
	if _, err := n.Accept(t.Context(), h.Seq, "root"); !errors.Is(err, ErrLabel) {
		t.Errorf("accept twice: %v", err)
	}
	n.catchUpTo(t)
	if ham, spam := n.text.Model().Labels(); ham != 2 || spam != 0 {
		t.Errorf("%d ham, %d spam learned; want 2, 0", ham, spam)
	}
	if _, err := n.Undo(t.Context(), h.Seq, "root"); err != nil {
		t.Errorf("undo of what was accepted: %v", err)
	}
	n.catchUpTo(t)
	if ham, _ := n.text.Model().Labels(); ham != 1 {
		t.Errorf("%d ham learned after the undo; want 1", ham)
	}
}

// TestCounter: a label that is too old is trained against, on every node the same,
// and the entry says so.
func TestCounter(t *testing.T) {
	log := memory.New()
	n, other := start(t, log, nil), start(t, log, nil)
	old := n.teach(t, label("garden", 1, sluice.SourceAdmin, "root"))
	for i := range 20 {
		n.teach(t, label([]string{"pills", "work"}[i%2], i, sluice.SourceAdmin, "root"))
	}
	other.catchUpTo(t)
	n.clock = n.clock.Add(31 * day)
	f, err := n.Undo(t.Context(), old.Seq, "root")
	if err != nil || f.Kind != sluice.FeedbackCounter || !strings.Contains(f.Why, "older than what can be replayed") || len(f.Features) == 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, err := n.Undo(t.Context(), old.Seq, "root"); !errors.Is(err, ErrLabel) {
		t.Errorf("twice: %v", err)
	}
	n.catchUpTo(t)
	other.catchUpTo(t)
	late := start(t, log, nil)
	late.catchUpTo(t)
	if a, b, c := n.state(t), other.state(t), late.state(t); !bytes.Equal(a, b) || !bytes.Equal(a, c) {
		t.Error("nodes differ after a counter entry")
	}
	if ham, spam := n.text.Model().Labels(); ham != 10 || spam != 10 {
		t.Errorf("%d ham, %d spam", ham, spam)
	}
	if s := n.Stats(); s.Inexact != 0 || s.Rebuilds != 1 {
		t.Errorf("%+v", s)
	}
}
