package cases_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/internal/golden"
	"sluice/subscriber/cases"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return noon.Add(d) }

func fresh() *sluice.Case {
	return cases.New("case-1", "acme", "account:bob", cases.Event{Time: noon, Points: 14, Own: true})
}

func seen(t time.Time, kind, detail string) cases.Event {
	return cases.Event{What: cases.Seen, Time: t, Points: 15, Own: true, Signal: sluice.CaseSignal{Kind: kind, Points: 9, Detail: detail, ID: "m1"}}
}

func notice(t time.Time, level sluice.ProofLevel) cases.Event {
	return cases.Event{What: cases.Noticed, Time: t, Level: level, Notice: sluice.CaseNotice{ID: "n1", Channel: "mail", Address: "bob@example.org"}}
}

func apply(t *testing.T, c *sluice.Case, events ...cases.Event) {
	t.Helper()
	for _, e := range events {
		if err := cases.Apply(c, e, cases.Rules{}); err != nil {
			t.Fatalf("%s: %v", e.What, err)
		}
	}
}

// The stories are read in review like prose.
func TestAudit(t *testing.T) {
	const h = time.Hour
	hold := cases.Event{What: cases.Held, Time: at(0), Restrict: sluice.RestrictHold}
	confirm := func(d time.Duration, m cases.Means) cases.Event {
		return cases.Event{What: cases.Confirmed, Time: at(d), Actor: cases.Subscriber, Means: m}
	}
	watch := func(d time.Duration) cases.Event { return cases.Event{What: cases.Watching, Time: at(d)} }
	for _, story := range []struct {
		name   string
		events []cases.Event
	}{
		{"clean", []cases.Event{seen(at(0), "SPAM_MAIL", "spam, 31.0 points"), hold, seen(at(time.Minute), "SPAM_MAIL", ""), notice(at(h), sluice.ProofTried), notice(at(h), sluice.ProofAccepted),
			notice(at(2*h), sluice.ProofDelivered), notice(at(2*h), sluice.ProofDelivered), confirm(30*h, cases.MailedLink), watch(30 * h), {What: cases.Clean, Time: at(30*h + 7*24*h)}}},
		{"recurs", []cases.Event{seen(at(0), "MALWARE_MAIL", "Eicar"), hold, notice(at(0), sluice.ProofTried), notice(at(h), sluice.ProofAcknowledged), confirm(2*h, cases.MailedLink), watch(2 * h),
			{What: cases.Recurred, Time: at(50 * h), Points: 22, Own: true, Restrict: sluice.RestrictHold}, seen(at(50*h), "MALWARE_MAIL", "Eicar"),
			{What: cases.Escalated, Time: at(75 * h)}, {What: cases.Noted, Time: at(76 * h), Actor: "anna", Note: "called; \x1b[31m will \u202e reinstall"},
			{What: cases.Remedied, Time: at(80 * h), Actor: "anna"}, {What: cases.Watching, Time: at(80 * h), Actor: "anna"}}},
		{"false alarm", []cases.Event{seen(at(0), "RATE_JUMP", "300, usually 4"), {What: cases.Held, Time: at(0), Restrict: sluice.RestrictClamp},
			{What: cases.FalseAlarm, Time: at(h), Actor: "anna", Note: "invitation to a wedding"}, {What: cases.Reopened, Time: at(9 * h), Points: 31, Own: true}, {What: cases.Faded, Time: at(90 * h)}}},
	} {
		c := fresh()
		apply(t, c, story.events...)
		golden.Check(t, filepath.Join("testdata", strings.ReplaceAll(story.name, " ", "-")+".txt"), []byte(cases.Audit(c)))
	}
}

func TestConfirm(t *testing.T) {
	held := func(kind sluice.CaseKind, released int) *sluice.Case {
		c := fresh()
		c.Kind, c.SelfReleases = kind, released
		apply(t, c, cases.Event{What: cases.Held, Time: noon, Restrict: sluice.RestrictHold})
		return c
	}
	for _, test := range []struct {
		kind     sluice.CaseKind
		released int
		means    cases.Means
		want     error
	}{
		{sluice.CaseInfected, 0, cases.MailedLink, nil},
		{sluice.CaseInfected, 0, cases.Captive, nil},
		{sluice.CaseInfected, 1, cases.MailedLink, cases.ErrOnce},
		{sluice.CaseInfected, 1, cases.Credential, cases.ErrOnce},
		{sluice.CaseInfected, 1, cases.ByAdmin, nil},
		{sluice.CaseStolen, 0, cases.MailedLink, cases.ErrSecond},
		{sluice.CaseStolen, 0, cases.Captive, cases.ErrSecond},
		{sluice.CaseStolen, 0, cases.Second, nil},
		{sluice.CaseStolen, 0, cases.Credential, nil},
		{sluice.CaseStolen, 1, cases.Second, cases.ErrOnce},
	} {
		c := held(test.kind, test.released)
		before := c.Clone()
		err := cases.Apply(c, cases.Event{What: cases.Confirmed, Time: noon, Means: test.means}, cases.Rules{})
		if !errors.Is(err, test.want) {
			t.Errorf("%s after %d by %s: %v, want %v", test.kind, test.released, test.means, err, test.want)
		}
		if err != nil {
			if d := cmp.Diff(before, c); d != "" {
				t.Errorf("an error changed the case:\n%s", d)
			}
		}
	}
}

// Proof that comes late, twice or out of order changes the case as it should.
func TestProof(t *testing.T) {
	c := fresh()
	if err := cases.Apply(c, notice(noon, sluice.ProofDelivered), cases.Rules{}); !errors.Is(err, cases.ErrNoSuchOne) {
		t.Errorf("proof of no try: %v", err)
	}
	apply(t, c, cases.Event{What: cases.Held, Time: noon, Restrict: sluice.RestrictHold}, notice(noon, sluice.ProofTried), notice(at(1), sluice.ProofAccepted), notice(at(2), sluice.ProofOpened))
	if c.State != sluice.CaseHeld || !c.Told.IsZero() {
		t.Errorf("opened is no proof: %s, told %v", c.State, c.Told)
	}
	apply(t, c, notice(at(3), sluice.ProofDelivered))
	if c.State != sluice.CaseNotified || !c.Told.Equal(at(3)) {
		t.Errorf("%s, told %v", c.State, c.Told)
	}
	steps := len(c.Steps)
	apply(t, c, notice(at(4), sluice.ProofDelivered), notice(at(5), sluice.ProofTried))
	if len(c.Steps) != steps || len(c.Notices) != 1 || !c.Notices[0].Delivered.Equal(at(3)) {
		t.Errorf("the same again: %d steps, %+v", len(c.Steps)-steps, c.Notices)
	}
	// After a recurrence, a proof of a try before it tells nothing of now.
	apply(t, c, cases.Event{What: cases.Remedied, Time: at(6)}, cases.Event{What: cases.Watching, Time: at(6)}, cases.Event{What: cases.Recurred, Time: at(7)}, notice(at(8), sluice.ProofAcknowledged))
	if c.State != sluice.CaseHeld || !c.Notified.IsZero() || !c.Told.Equal(at(3)) {
		t.Errorf("%s, notified %v, told %v", c.State, c.Notified, c.Told)
	}
}

func TestDue(t *testing.T) {
	const day = 24 * time.Hour
	held := cases.Event{What: cases.Held, Time: noon, Restrict: sluice.RestrictHold}
	for _, test := range []struct {
		name   string
		events []cases.Event
		after  time.Duration
		want   []cases.What
	}{
		{"open", nil, 3*day - 1, nil},
		{"faded", nil, 3 * day, []cases.What{cases.Faded}},
		{"seen again", []cases.Event{seen(at(day), "SPAM_MAIL", "")}, 3 * day, nil},
		{"held", []cases.Event{held}, day - 1, nil},
		{"nobody told", []cases.Event{held}, day, []cases.What{cases.Escalated}},
		{"called once", []cases.Event{held, {What: cases.Escalated, Time: at(day)}}, 9 * day, nil},
		{"no answer", []cases.Event{held, notice(noon, sluice.ProofTried), notice(noon, sluice.ProofDelivered)}, 7 * day, []cases.What{cases.Escalated}},
		{"watched", []cases.Event{held, {What: cases.Remedied, Time: noon}, {What: cases.Watching, Time: noon}}, 7*day - 1, nil},
		{"clean", []cases.Event{held, {What: cases.Remedied, Time: noon}, {What: cases.Watching, Time: noon}}, 7 * day, []cases.What{cases.Clean}},
		{"watched longer after a recurrence", []cases.Event{held, {What: cases.Remedied, Time: noon}, {What: cases.Watching, Time: noon},
			{What: cases.Recurred, Time: noon}, {What: cases.Remedied, Time: noon}, {What: cases.Watching, Time: noon}}, 14*day - 1, nil},
	} {
		c := fresh()
		apply(t, c, test.events...)
		got := cases.Due(c, at(test.after), cases.Rules{})
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
		for _, w := range got {
			apply(t, c, cases.Event{What: w, Time: at(test.after)})
		}
		if again := cases.Due(c, at(test.after), cases.Rules{}); len(again) > 0 {
			t.Errorf("%s: due again: %v", test.name, again)
		}
	}
}

func TestAbsorb(t *testing.T) {
	a, b := fresh(), cases.New("case-2", "acme", "address:192.0.2.1", cases.Event{Time: at(-time.Hour), Kind: sluice.CaseStolen, Points: 20})
	b.Let, b.Kept = 3, 4
	apply(t, b, seen(at(-time.Hour), "TRAP_HIT", "trap"))
	if err := cases.Absorb(a, b, cases.Event{Time: at(time.Hour), Actor: "anna"}, cases.Rules{}); err != nil {
		t.Fatal(err)
	}
	if b.State != sluice.CaseMerged || b.Into != a.ID || !slices.Contains(a.Merged, b.ID) {
		t.Errorf("%+v\n%+v", a, b)
	}
	if a.Kind != sluice.CaseStolen || a.Let != 3 || a.Kept != 4 || a.Points != 20 || !a.FirstAbuse.Equal(at(-time.Hour)) || len(a.Signals) != 1 {
		t.Errorf("what the other knew is lost: %+v", a)
	}
	if err := cases.Absorb(a, b, cases.Event{Time: at(time.Hour)}, cases.Rules{}); !errors.Is(err, sluice.ErrNotFound) && !errors.Is(err, cases.ErrState) {
		t.Errorf("twice: %v", err)
	}
}

// order is how far a state is on the way that a case goes.
var order = map[sluice.CaseState]int{sluice.CaseOpen: 0, sluice.CaseHeld: 1, sluice.CaseNotified: 2, sluice.CaseRemediated: 3, sluice.CaseWatched: 4,
	sluice.CaseClosed: 5, sluice.CaseFalseAlarm: 5, sluice.CaseMerged: 5}

// Whatever happens in whatever order, a case keeps what it promises.
func TestMachine(t *testing.T) {
	all := []cases.What{cases.Seen, cases.Held, cases.Noticed, cases.Confirmed, cases.Remedied, cases.Watching, cases.Recurred, cases.Escalated, cases.Faded,
		cases.Clean, cases.ClosedBy, cases.FalseAlarm, cases.Reopened, cases.Merged, cases.Noted, "nonsense"}
	rapid.Check(t, func(t *rapid.T) {
		c := fresh()
		c.Kind = rapid.SampledFrom([]sluice.CaseKind{sluice.CaseInfected, sluice.CaseStolen}).Draw(t, "kind")
		now := noon
		for i := range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(-int64(time.Minute), int64(48*time.Hour)).Draw(t, "wait")))
			e := cases.Event{What: rapid.SampledFrom(all).Draw(t, "what"), Time: now, Actor: "anna", Points: 20, Own: true,
				Restrict: rapid.SampledFrom([]sluice.Restriction{"", sluice.RestrictClamp, sluice.RestrictHold}).Draw(t, "restrict"),
				Means:    rapid.SampledFrom([]cases.Means{"", cases.MailedLink, cases.Second, cases.ByAdmin}).Draw(t, "means"),
				Level:    rapid.SampledFrom([]sluice.ProofLevel{sluice.ProofTried, sluice.ProofFailed, sluice.ProofAccepted, sluice.ProofOpened, sluice.ProofDelivered, sluice.ProofAcknowledged}).Draw(t, "level"),
				Notice:   sluice.CaseNotice{ID: fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "try")), Channel: "mail"},
				Signal:   sluice.CaseSignal{Kind: rapid.SampledFrom([]string{"SPAM_MAIL", "TRAP_HIT", "RATE_JUMP"}).Draw(t, "signal")},
				Note:     strings.Repeat("é", rapid.IntRange(0, 700).Draw(t, "note")), Other: "case-2"}
			before := c.Clone()
			err := cases.Apply(c, e, cases.Rules{})
			if err != nil {
				if d := cmp.Diff(before, c); d != "" {
					t.Fatalf("event %d, %s: %v, and the case changed:\n%s", i, e.What, err, d)
				}
				continue
			}
			invariants(t, before, c, e)
			for range 3 { // what is due can be done, and ends
				due := cases.Due(c, now, cases.Rules{})
				for _, w := range due {
					if err := cases.Apply(c, cases.Event{What: w, Time: now}, cases.Rules{}); err != nil {
						t.Fatalf("due, and not allowed: %v", err)
					}
				}
				if len(due) == 0 {
					break
				}
			}
			if due := cases.Due(c, now, cases.Rules{}); len(due) > 0 {
				t.Fatalf("never ends: %v", due)
			}
		}
	})
}

func invariants(t *rapid.T, before, c *sluice.Case, e cases.Event) {
	if c.Updated.Before(before.Updated) {
		t.Fatal("time went back")
	}
	if len(c.Steps) < len(before.Steps) || !slices.Equal(c.Steps[:len(before.Steps)], before.Steps) {
		t.Fatal("the audit's past changed")
	}
	if c.State != before.State && len(c.Steps) == len(before.Steps) {
		t.Fatalf("%s: %s → %s without a line of the audit", e.What, before.State, c.State)
	}
	if order[c.State] < order[before.State] && e.What != cases.Recurred && e.What != cases.Reopened {
		t.Fatalf("%s: %s → %s", e.What, before.State, c.State)
	}
	if last := c.Steps[len(c.Steps)-1]; last.Time.Before(c.Steps[0].Time) || len(last.Note) > 1000 {
		t.Fatalf("step %+v", last)
	}
	if !c.State.Live() && (c.Restrict != sluice.RestrictNone || c.Closed.IsZero()) {
		t.Fatalf("%s, and mail is still restricted (%q), or it has no end (%v)", c.State, c.Restrict, c.Closed)
	}
	if (c.State == sluice.CaseHeld || c.State == sluice.CaseNotified) && (c.Restrict == sluice.RestrictNone || c.Held.IsZero()) {
		t.Fatalf("%s without a restriction", c.State)
	}
	if (c.State == sluice.CaseOpen || c.State == sluice.CaseWatched) && c.Restrict != sluice.RestrictNone {
		t.Fatalf("%s, and mail is restricted", c.State)
	}
	if c.State == sluice.CaseNotified && (c.Notified.IsZero() || c.Notified.Before(c.Held)) {
		t.Fatalf("notified without proof since it was held: %v, held %v", c.Notified, c.Held)
	}
	if e.What == cases.Confirmed && c.Kind == sluice.CaseStolen && e.Means == cases.MailedLink {
		t.Fatal("a stolen account was released by its thief")
	}
	if c.SelfReleases > 1 {
		t.Fatal("released by its subscriber twice")
	}
	if len(c.Steps) > 2*cases.MaxSteps || len(c.Notices) > cases.MaxNotices || len(c.Signals) > 3 {
		t.Fatal("a bound is passed")
	}
}

// A case bears a flood.
func TestBounds(t *testing.T) {
	c := fresh()
	for i := range 5000 {
		_ = cases.Apply(c, cases.Event{What: cases.Noted, Time: at(time.Duration(i)), Note: strings.Repeat("x", 5000)}, cases.Rules{})
		n := notice(at(time.Duration(i)), sluice.ProofTried)
		n.Notice.ID = fmt.Sprint(i)
		if err := cases.Apply(c, n, cases.Rules{}); err != nil && !errors.Is(err, cases.ErrTooMany) {
			t.Fatal(err)
		}
	}
	apply(t, c, cases.Event{What: cases.ClosedBy, Time: at(5000)})
	if last := c.Steps[len(c.Steps)-1]; last.To != sluice.CaseClosed {
		t.Errorf("the end isn't in the audit: %+v", last)
	}
	if len(c.Steps) > cases.MaxSteps+1 || len(c.Notices) != cases.MaxNotices || c.LeftSteps < 4000 {
		t.Errorf("%d steps, %d left, %d notices", len(c.Steps), c.LeftSteps, len(c.Notices))
	}
}
