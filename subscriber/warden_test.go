package subscriber_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/store/memory"
	"sluice/subscriber"
	"sluice/subscriber/baseline"
	"sluice/subscriber/cases"
	"sluice/subscriber/signal"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// desk is a Warden with a store and a clock of its own.
type desk struct {
	*subscriber.Warden
	store *disk
	now   time.Time
	told  []string
}

// tester is what *testing.T and *rapid.T share.
type tester interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// disk is a store that can be away.
type disk struct {
	*memory.Store
	away bool
}

var errAway = errors.New("the disk is away")

func (d *disk) PutCase(ctx context.Context, c *sluice.Case) error {
	if d.away {
		return errAway
	}
	return d.Store.PutCase(ctx, c)
}

// numbers make identifiers.
func numbers(prefix string) func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("%s-%04d", prefix, n) }
}

func open(t tester, store *disk, change func(*subscriber.Config)) *desk {
	t.Helper()
	d := &desk{now: noon, store: store}
	cfg := subscriber.Config{Key: []byte("0123456789abcdef"), Cases: store, Memos: store, ID: numbers("case"), RefreshEvery: time.Nanosecond,
		Changed: func(c *sluice.Case, what cases.What) { d.told = append(d.told, string(what)) }}
	if change != nil {
		change(&cfg)
	}
	w, err := subscriber.New(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	d.Warden = w
	if err := w.Load(context.Background(), noon); err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

func store() *disk { return &disk{Store: memory.New()} }

func person(name string) *subscriber.Subject {
	return &subscriber.Subject{Key: "account:" + name, Account: name, Class: subscriber.Person}
}

// spam is a message that the judge would reject, and that strangers sent as well.
func spam(i int) *subscriber.Message {
	return &subscriber.Message{ID: fmt.Sprint("m", i), Recipients: []string{fmt.Sprintf("r%d@example.org", i)}, Print: "campaign", Campaign: true,
		Verdict: sluice.Verdict{Threat: sluice.ThreatSpam, Points: 31}}
}

func clean(i int) *subscriber.Message {
	return &subscriber.Message{ID: fmt.Sprint("c", i), Recipients: []string{fmt.Sprintf("friend%d@example.org", i%5)}, Program: "mua", Verdict: sluice.Verdict{Points: -20}}
}

// live lives a month of an ordinary subscriber.
func (d *desk) live(s *subscriber.Subject) {
	for i := range 30 * 6 {
		d.now = d.now.Add(4 * time.Hour)
		if r := d.Judge(context.Background(), d.now, s, clean(i)); r != (subscriber.Decision{Points: r.Points}) {
			panic(fmt.Sprintf("an ordinary message: %+v", r))
		}
	}
}

// infect sends spam until it is held, and says how much of it left.
func (d *desk) infect(t tester, s *subscriber.Subject) (left int) {
	t.Helper()
	for i := range 20 {
		d.now = d.now.Add(time.Minute)
		if r := d.Judge(context.Background(), d.now, s, spam(i)); r.Restrict == sluice.RestrictHold {
			return i
		}
	}
	t.Fatalf("never held: %+v", d.Standing(d.now, s))
	return 0
}

func (d *desk) one(t tester, s *subscriber.Subject) *sluice.Case {
	t.Helper()
	c, err := d.Case(context.Background(), d.Standing(d.now, s).Case)
	if err != nil {
		t.Fatalf("no case of %s: %v", s.Key, err)
	}
	return c
}

// A whole life: held at the second message, told, released by the subscriber, watched,
// clean.
func TestLife(t *testing.T) {
	d := open(t, store(), nil)
	bob, eve := person("bob"), person("eve")
	d.live(bob)
	if left := d.infect(t, bob); left > 1 {
		t.Errorf("%d messages left", left)
	}
	for i := range 5 { // all of it is kept now
		if r := d.Judge(t.Context(), d.now, bob, clean(i)); r.Restrict != sluice.RestrictHold {
			t.Errorf("%+v", r)
		}
	}
	if r := d.Judge(t.Context(), d.now, eve, clean(0)); r.Restrict != sluice.RestrictNone || r.Case != "" {
		t.Errorf("another subscriber: %+v", r)
	}
	c := d.one(t, bob)
	if c.State != sluice.CaseHeld || c.Kind != sluice.CaseInfected || !c.Own || c.Let > 1 {
		t.Errorf("%s", cases.Audit(c))
	}
	if list := d.Untold(10); len(list) != 1 || list[0].ID != c.ID {
		t.Errorf("untold: %v", list)
	}
	if _, err := d.Try(t.Context(), d.now, c.ID, sluice.CaseNotice{ID: "n1", Channel: "mail", Address: "bob@example.org"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Proof(t.Context(), d.now.Add(time.Minute), c.ID, "n1", sluice.ProofDelivered, "250 ok"); err != nil {
		t.Fatal(err)
	}
	if len(d.Untold(10)) != 0 {
		t.Error("told, and still to be told")
	}
	d.now = d.now.Add(time.Hour)
	if _, err := d.Confirm(t.Context(), d.now, c.ID, cases.MailedLink); err != nil {
		t.Fatal(err)
	}
	if r := d.Judge(t.Context(), d.now, bob, clean(0)); r.Restrict != sluice.RestrictNone || !r.Watched {
		t.Errorf("released: %+v", r)
	}
	d.now = d.now.Add(7*24*time.Hour - 2*time.Minute)
	if err := d.Tick(t.Context(), d.now); err != nil {
		t.Fatal(err)
	}
	if !d.Standing(d.now, bob).Watched {
		t.Error("the watch ended early")
	}
	d.now = d.now.Add(3 * time.Minute)
	if err := d.Tick(t.Context(), d.now); err != nil {
		t.Fatal(err)
	}
	if r := d.Standing(d.now, bob); r != (subscriber.Decision{}) {
		t.Errorf("after the watch: %+v", r)
	}
	c, err := d.Case(t.Context(), c.ID)
	if err != nil || c.State != sluice.CaseClosed || c.Kept < 6 {
		t.Errorf("%v\n%s", err, cases.Audit(c))
	}
	if want := "opened held noticed noticed confirmed watching clean"; strings.Join(d.told, " ") != want {
		t.Errorf("told of %v, want %s", d.told, want)
	}
}

// During the watch one bad message is enough, and the subscriber can't free itself
// again.
func TestRecurs(t *testing.T) {
	d := open(t, store(), nil)
	bob := person("bob")
	d.infect(t, bob)
	c := d.one(t, bob)
	if _, err := d.Confirm(t.Context(), d.now, c.ID, cases.MailedLink); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(24 * time.Hour)
	if r := d.Judge(t.Context(), d.now, bob, spam(99)); r.Restrict != sluice.RestrictHold || r.Case != c.ID {
		t.Fatalf("%+v", r)
	}
	if _, err := d.Confirm(t.Context(), d.now, c.ID, cases.MailedLink); !errors.Is(err, cases.ErrOnce) {
		t.Errorf("the second time: %v", err)
	}
	if c = d.one(t, bob); c.Recurred != 1 || c.State != sluice.CaseHeld {
		t.Errorf("%s", cases.Audit(c))
	}
	if _, err := d.Remedy(t.Context(), d.now, c.ID, "anna", "reinstalled"); err != nil {
		t.Error(err)
	}
	if c = d.one(t, bob); c.Until.Sub(c.Watched) != 14*24*time.Hour {
		t.Errorf("watched for %v", c.Until.Sub(c.Watched))
	}
}

// A watched subscriber may send as much as usual, and not suddenly more.
func TestWatchLimits(t *testing.T) {
	d := open(t, store(), nil)
	bob := person("bob")
	d.infect(t, bob)
	if _, err := d.Remedy(t.Context(), d.now, d.one(t, bob).ID, "anna", ""); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(2 * time.Hour)
	deferred := 0
	for i := range 15 {
		if r := d.Judge(t.Context(), d.now, bob, clean(i)); r.Restrict == sluice.RestrictClamp {
			deferred++
		}
	}
	if deferred != 5 {
		t.Errorf("%d of 15 deferred, want those beyond 10 an hour", deferred)
	}
}

// letter sends a club's letter to 600 members and says whether a case came of it.
func (d *desk) letter(t *testing.T, club *subscriber.Subject, program string, client string) (opened bool) {
	t.Helper()
	for i := range 600 {
		d.now = d.now.Add(time.Second)
		m := &subscriber.Message{ID: fmt.Sprint(i), Recipients: []string{fmt.Sprintf("member%d@example.net", i)}, Program: program, Client: netip.MustParseAddr(client),
			Verdict: sluice.Verdict{Points: -5}, Print: "invitation"}
		r := d.Judge(t.Context(), d.now, club, m)
		if r.Restrict != sluice.RestrictNone {
			t.Fatalf("message %d: %+v", i, r)
		}
		opened = opened || r.Case != ""
	}
	return opened
}

// Sudden legitimate peaks hold nobody. From where the club always sends no case comes of
// one; with a new telephone, from a hotel abroad, one may, for an admin to see.
func TestPeaks(t *testing.T) {
	d := open(t, store(), nil)
	club := person("club")
	home := baseline.Login{Client: netip.MustParseAddr("192.0.2.1"), Country: "DE"}
	d.Login(t.Context(), d.now, club, home)
	d.live(club)
	if d.letter(t, club, "mua", "192.0.2.1") {
		t.Error("a case of a letter from home")
	}
	away := person("away")
	d.Login(t.Context(), d.now, away, home)
	d.live(away)
	d.Login(t.Context(), d.now, away, home)
	d.now = d.now.Add(8 * time.Hour)
	d.Login(t.Context(), d.now, away, baseline.Login{Client: netip.MustParseAddr("198.51.100.1"), Country: "US"})
	d.letter(t, away, "another", "198.51.100.1")
}

// What a held subscriber's device sends is known in the mail of another, however
// innocent it reads.
func TestSpread(t *testing.T) {
	d := open(t, store(), nil)
	bob, eve, ann := person("bob"), person("eve"), person("ann")
	for _, s := range []*subscriber.Subject{bob, eve, ann} {
		d.live(s)
	}
	harmless := func(i int) *subscriber.Message {
		m := clean(i)
		m.Print, m.Program = "harmless", "bot"
		return m
	}
	if r := d.Judge(t.Context(), d.now, ann, harmless(0)); r.Case != "" {
		t.Fatalf("nobody else sent it: %+v", r)
	}
	d.infect(t, bob)
	d.Judge(t.Context(), d.now, bob, harmless(1))
	if r := d.Judge(t.Context(), d.now, eve, harmless(2)); r.Restrict != sluice.RestrictHold {
		t.Errorf("a held one sent it: %+v", r)
	}
	// A bot that never repeats itself pushes nothing out.
	for i := range 100_000 {
		m := clean(i)
		m.Print = fmt.Sprint("text", i)
		d.Judge(t.Context(), d.now, bob, m)
	}
	late := person("late")
	d.live(late)
	d.Judge(t.Context(), d.now, bob, harmless(1)) // a week is over
	if r := d.Judge(t.Context(), d.now, late, harmless(2)); r.Restrict != sluice.RestrictHold {
		t.Errorf("after a flood of texts: %+v", r)
	}
	// The text alone holds nobody: it may have been passed on.
	m := harmless(3)
	m.Program = "mua"
	if r := d.Judge(t.Context(), d.now, person("joe"), m); r.Case != "" {
		t.Errorf("passed on: %+v", r)
	}
}

// A thief who writes what reads well is held by where he comes from and how he sends.
func TestThief(t *testing.T) {
	d := open(t, store(), nil)
	bob := person("bob")
	d.Login(t.Context(), d.now, bob, baseline.Login{Client: netip.MustParseAddr("192.0.2.1"), Country: "DE"})
	d.live(bob)
	for i := range 60 {
		d.now = d.now.Add(time.Minute)
		a := netip.AddrFrom4([4]byte{203, 0, byte(i), 1})
		d.Login(t.Context(), d.now, bob, baseline.Login{Client: a, Country: []string{"BR", "VN", "IN", "TR"}[i%4]})
		m := clean(i)
		m.Program, m.Client, m.Recipients = "bot", a, []string{fmt.Sprintf("victim%d@example.net", i)}
		if r := d.Judge(t.Context(), d.now, bob, m); r.Restrict == sluice.RestrictHold {
			if c := d.one(t, bob); c.Kind != sluice.CaseStolen || i > 20 {
				t.Errorf("at message %d\n%s", i, cases.Audit(c))
			}
			return
		}
	}
	t.Error("never held")
}

// What always looks suspicious becomes custom, and many times that doesn't.
func TestCustom(t *testing.T) {
	d := open(t, store(), nil)
	shop := person("shop")
	d.live(shop)
	offer := func(i int) subscriber.Decision {
		m := clean(i)
		m.Print, m.Verdict = fmt.Sprint("offer", i), sluice.Verdict{Threat: sluice.ThreatSpam, Points: 14}
		return d.Judge(t.Context(), d.now, shop, m)
	}
	first := offer(0).Points
	for i := range 8 {
		d.now = d.now.Add(6 * 24 * time.Hour)
		if r := offer(1 + i); r.Case != "" {
			t.Fatalf("offer %d: %+v", i, r)
		}
	}
	d.now = d.now.Add(6 * 24 * time.Hour)
	if r := offer(9); r.Points > first-8 {
		t.Errorf("%.1f points, the first had %.1f", r.Points, first)
	}
	for i := range 4 {
		if r := offer(10 + i); r.Restrict == sluice.RestrictHold {
			return
		}
	}
	t.Error("four more on a day aren't held")
}

// relayed knows all mail as of one subscriber.
type relayed struct{ account string }

func (r relayed) Mail(_ context.Context, id, _ string) (subscriber.Trace, bool, error) {
	return subscriber.Trace{Account: r.account}, strings.HasPrefix(id, "m"), nil
}

func (r relayed) Line(context.Context, netip.Addr, time.Time) (subscriber.Trace, bool, error) {
	return subscriber.Trace{Account: r.account}, true, nil
}

// No number of reports of any kind, true or forged, opens a case or holds anybody, not
// even beside conduct that is unusual; and what was seen is not pushed out by them.
func TestReportsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := open(t, store(), func(c *subscriber.Config) { c.Relayed = relayed{"bob"} })
		bob := person("bob")
		kinds := []signal.Kind{signal.AbuseReport, signal.FeedReport, signal.DMARCFail, signal.AddressList, signal.NotSpam}
		for i := range rapid.IntRange(1, 300).Draw(t, "reports") {
			r := subscriber.Report{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Reporter: fmt.Sprintf("r%d.example", rapid.IntRange(0, 1000).Draw(t, "reporter")),
				Proven: rapid.IntRange(0, 9).Draw(t, "proven") > 0, ID: fmt.Sprintf("%c%d", "mx"[rapid.IntRange(0, 1).Draw(t, "ours")], i)}
			if _, err := d.Report(context.Background(), d.now, r); err != nil {
				t.Fatalf("%v", err)
			}
			d.now = d.now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "wait")) * time.Second)
		}
		if r := d.Standing(d.now, bob); r != (subscriber.Decision{}) {
			t.Fatalf("%+v", r)
		}
		if list := d.Untold(9); len(list) > 0 {
			t.Fatalf("notices for %d", len(list))
		}
	})
}

// Nor do they turn what is unusual into a hold: own observation must open the case.
func TestReportsBeside(t *testing.T) {
	d := open(t, store(), func(c *subscriber.Config) { c.Relayed = relayed{"club"} })
	club := person("club")
	d.live(club)
	d.letter(t, club, "another", "198.51.100.1")
	for i := range 100 {
		for _, k := range []signal.Kind{signal.AbuseReport, signal.FeedReport, signal.AddressList} {
			r := subscriber.Report{Kind: k, Reporter: fmt.Sprintf("r%d.example", i), Proven: true, ID: fmt.Sprint("m", i)}
			if _, err := d.Report(t.Context(), d.now, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := d.Standing(d.now, club); r.Restrict != sluice.RestrictNone {
		t.Errorf("%+v", r)
	}
}

func TestReport(t *testing.T) {
	d := open(t, store(), func(c *subscriber.Config) { c.Relayed = relayed{"bob"} })
	ok := subscriber.Report{Kind: signal.AbuseReport, Reporter: "example.org", Proven: true, ID: "m1"}
	with := func(f func(*subscriber.Report)) subscriber.Report { r := ok; f(&r); return r }
	for _, c := range []struct {
		name string
		r    subscriber.Report
		want subscriber.Counted
	}{
		{"unproven", with(func(r *subscriber.Report) { r.Proven = false }), subscriber.ReportUnproven},
		{"nobody", with(func(r *subscriber.Report) { r.Reporter = "" }), subscriber.ReportUnproven},
		{"not ours", with(func(r *subscriber.Report) { r.ID = "x" }), subscriber.ReportForeign},
		{"about nothing", with(func(r *subscriber.Report) { r.ID = "" }), subscriber.ReportForeign},
		{"own observation by report", with(func(r *subscriber.Report) { r.Kind = signal.MalwareMail }), subscriber.ReportUnfit},
		{"old", with(func(r *subscriber.Report) { r.At = noon.Add(-15 * 24 * time.Hour) }), subscriber.ReportTooOld},
		{"good", ok, subscriber.ReportCounted},
		{"again", ok, subscriber.ReportDuplicate},
		{"again in other letters", with(func(r *subscriber.Report) { r.Reporter = "EXAMPLE.org" }), subscriber.ReportDuplicate},
		{"2", with(func(r *subscriber.Report) { r.ID = "m2" }), subscriber.ReportCounted},
		{"3", with(func(r *subscriber.Report) { r.ID = "m3" }), subscriber.ReportCounted},
		{"4", with(func(r *subscriber.Report) { r.ID = "m4" }), subscriber.ReportCounted},
		{"5", with(func(r *subscriber.Report) { r.ID = "m5" }), subscriber.ReportCounted},
		{"6", with(func(r *subscriber.Report) { r.ID = "m6" }), subscriber.ReportTooMany},
		{"another's", with(func(r *subscriber.Report) { r.ID, r.Reporter = "m6", "example.net" }), subscriber.ReportCounted},
		{"a line", with(func(r *subscriber.Report) {
			r.ID, r.Kind, r.Reporter, r.Client, r.At = "", signal.FeedReport, "feed", netip.MustParseAddr("192.0.2.1"), noon
		}), subscriber.ReportCounted},
	} {
		if got, err := d.Report(t.Context(), noon, c.r); got != c.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	// They do count beside what we saw ourselves: less of it is needed then.
	mild := &subscriber.Message{ID: "m9", Recipients: []string{"a@example.org"}, Print: "p", Verdict: sluice.Verdict{Threat: sluice.ThreatSpam, Points: 31}}
	if r := d.Judge(t.Context(), noon, person("bob"), mild); r.Case == "" {
		t.Errorf("reported and seen: %+v", r)
	}
	if r := d.Judge(t.Context(), noon, person("eve"), mild); r.Case != "" {
		t.Errorf("seen once and reported never: %+v", r)
	}
}

// A stolen account is told from an infected device, and isn't released by mail.
func TestStolen(t *testing.T) {
	d := open(t, store(), nil)
	bob := person("bob")
	home := baseline.Login{Client: netip.MustParseAddr("192.0.2.1"), Country: "DE", Lat: 52.5, Lon: 13.4, Precise: true}
	for i := range 10 {
		d.now = d.now.Add(24 * time.Hour)
		d.Login(t.Context(), d.now, bob, home)
		d.Judge(t.Context(), d.now, bob, clean(i))
	}
	d.now = d.now.Add(time.Hour)
	away := baseline.Login{Client: netip.MustParseAddr("203.0.113.1"), Country: "BR", Lat: -23.5, Lon: -46.6, Precise: true}
	if r := d.Login(t.Context(), d.now, bob, away); r.Case != "" {
		t.Errorf("a journey alone: %+v", r)
	}
	m := spam(1)
	m.Campaign = false
	if r := d.Judge(t.Context(), d.now, bob, m); r.Restrict != sluice.RestrictHold {
		t.Fatalf("the thief's first message: %+v", r)
	}
	c := d.one(t, bob)
	if c.Kind != sluice.CaseStolen {
		t.Fatalf("%s", cases.Audit(c))
	}
	if _, err := d.Confirm(t.Context(), d.now, c.ID, cases.MailedLink); !errors.Is(err, cases.ErrSecond) {
		t.Errorf("by mail: %v", err)
	}
	if d.Standing(d.now, bob).Restrict != sluice.RestrictHold {
		t.Error("released")
	}
}

// Killed at any moment, what was held stays held, and what was usual stays known.
func TestKill(t *testing.T) {
	disk := store()
	d := open(t, disk, nil)
	bob := person("bob")
	d.live(bob)
	if err := d.Save(t.Context(), d.now, true); err != nil {
		t.Fatal(err)
	}
	d.infect(t, bob)
	after := open(t, disk, nil)
	after.now = d.now
	if r := after.Judge(t.Context(), d.now, bob, clean(1)); r.Restrict != sluice.RestrictHold {
		t.Errorf("after the kill: %+v", r)
	}
	if after.Stats().Subscribers != 1 {
		t.Errorf("%+v", after.Stats())
	}
	if len(after.Untold(1)) != 1 {
		t.Error("nobody would be told")
	}
}

// With the store away, who must be held is held, nobody is told of what isn't on disk,
// and a person's word isn't taken.
func TestAway(t *testing.T) {
	disk := store()
	d := open(t, disk, nil)
	bob := person("bob")
	disk.away = true
	d.infect(t, bob)
	if len(d.told) > 0 || len(d.Untold(9)) > 0 {
		t.Errorf("told of %v before it is on disk", d.told)
	}
	c := d.one(t, bob)
	if _, err := d.Confirm(t.Context(), d.now, c.ID, cases.MailedLink); !errors.Is(err, errAway) {
		t.Errorf("confirmed: %v", err)
	}
	if r := d.Standing(d.now, bob); r.Restrict != sluice.RestrictHold {
		t.Errorf("%+v", r)
	}
	if err := d.Tick(t.Context(), d.now); !errors.Is(err, errAway) {
		t.Errorf("tick: %v", err)
	}
	disk.away = false
	if err := d.Tick(t.Context(), d.now); err != nil {
		t.Fatal(err)
	}
	if want := "opened held"; strings.Join(d.told, " ") != want {
		t.Errorf("told of %q, want %q", d.told, want)
	}
	got, err := disk.Case(t.Context(), c.ID)
	if err != nil || got.State != sluice.CaseHeld || d.Stats().Unwritten != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Two nodes come to one case, and see each other's changes.
func TestNodes(t *testing.T) {
	disk := store()
	a := open(t, disk, nil)
	b := open(t, disk, func(c *subscriber.Config) { c.ID = numbers("other") })
	bob := person("bob")
	a.infect(t, bob)
	b.now = a.now
	b.infect(t, bob) // hasn't heard of it
	if x, y := a.one(t, bob), b.one(t, bob); x.ID != y.ID {
		t.Fatalf("cases %s and %s", x.ID, y.ID)
	}
	if _, err := a.Remedy(t.Context(), a.now, a.one(t, bob).ID, "anna", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Tick(t.Context(), b.now); err != nil {
		t.Fatal(err)
	}
	if r := b.Standing(b.now, bob); !r.Watched || r.Restrict != sluice.RestrictNone {
		t.Errorf("the other node: %+v", r)
	}
	live, err := disk.ListCases(t.Context(), sluice.CaseQuery{})
	if err != nil || len(live) != 1 {
		t.Errorf("%d cases, %v", len(live), err)
	}
}

// A model gone wrong locks out a few, not everybody.
func TestHoldsAreLimited(t *testing.T) {
	d := open(t, store(), func(c *subscriber.Config) { c.HoldsPerHour = 5 })
	held := 0
	for i := range 100 {
		s := person(fmt.Sprint("u", i))
		for j := range 5 {
			if d.Judge(t.Context(), d.now, s, spam(j)).Restrict == sluice.RestrictHold {
				held++
				break
			}
		}
	}
	if held != 5 || d.Stats().RefusedHolds == 0 || d.Stats().Live != 100 {
		t.Errorf("%d held, %+v", held, d.Stats())
	}
	d.now = d.now.Add(time.Hour)
	if d.infect(t, person("u99")) > 0 {
		t.Error("an hour later there is room again")
	}
}

func TestNoticeLimits(t *testing.T) {
	d := open(t, store(), func(c *subscriber.Config) { c.NoticesPerDay, c.NoticesPerHour = 3, 5 })
	bob, eve := person("bob"), person("eve")
	d.infect(t, bob)
	d.infect(t, eve)
	try := func(s *subscriber.Subject, id string) error {
		_, err := d.Try(t.Context(), d.now, d.one(t, s).ID, sluice.CaseNotice{ID: id, Channel: "mail"})
		return err
	}
	for i := range 3 {
		if err := try(bob, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := try(bob, "3"); !errors.Is(err, subscriber.ErrLater) {
		t.Errorf("the fourth of one day: %v", err)
	}
	_ = try(eve, "0")
	_ = try(eve, "1")
	if err := try(eve, "2"); !errors.Is(err, subscriber.ErrLater) {
		t.Errorf("the sixth of an hour: %v", err)
	}
	if _, err := d.Proof(t.Context(), d.now, d.one(t, eve).ID, "none", sluice.ProofDelivered, ""); !errors.Is(err, cases.ErrNoSuchOne) {
		t.Errorf("proof of no try: %v", err)
	}
}

func TestQuiet(t *testing.T) {
	d := open(t, store(), nil)
	tokyo := time.FixedZone("JST", 9*3600)
	for _, test := range []struct {
		hour   int
		zone   *time.Location
		waited time.Duration
		want   bool
	}{
		{12, nil, 0, false}, {22, nil, 0, true}, {6, nil, 0, true}, {7, nil, 0, false},
		{12, tokyo, 0, false}, {13, tokyo, 0, true}, {13, tokyo, 12 * time.Hour, false},
	} {
		now := time.Date(2026, 3, 14, test.hour, 0, 0, 0, time.UTC)
		if got := d.Quiet(now, &sluice.Case{Held: now.Add(-test.waited)}, test.zone); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestAdmin(t *testing.T) {
	d := open(t, store(), nil)
	bob := person("bob")
	c, err := d.Hold(t.Context(), d.now, bob, sluice.RestrictReply, "anna", "police")
	if err != nil {
		t.Fatal(err)
	}
	if r := d.Judge(t.Context(), d.now, bob, clean(0)); r.Restrict != sluice.RestrictReply || r.Case != c.ID {
		t.Errorf("%+v", r)
	}
	if _, err := d.FalseAlarm(t.Context(), d.now, c.ID, "anna", "another Bob"); err != nil {
		t.Fatal(err)
	}
	// For a while more is needed than of others.
	last := func(s *subscriber.Subject) (r subscriber.Decision) {
		for i := range 3 {
			m := spam(i)
			m.Campaign, m.Print = false, fmt.Sprint("text", i)
			r = d.Judge(t.Context(), d.now, s, m)
		}
		return r
	}
	if r := last(bob); r.Restrict != sluice.RestrictNone || r.Case != "" {
		t.Errorf("after a false alarm: %+v", r)
	}
	if r := last(person("joe")); r.Restrict != sluice.RestrictHold {
		t.Errorf("one without: %+v", r)
	}
	// What goes on is the same case, and not a new one.
	eve := person("eve")
	d.infect(t, eve)
	id := d.one(t, eve).ID
	if _, err := d.Close(t.Context(), d.now, id, "anna", ""); err != nil {
		t.Fatal(err)
	}
	d.infect(t, eve)
	if c := d.one(t, eve); c.ID != id || c.Reopened != 1 {
		t.Errorf("%s", cases.Audit(c))
	}
	line := &subscriber.Subject{Key: "address:192.0.2.9"}
	d.infect(t, line)
	other := d.one(t, line).ID
	if _, err := d.Merge(t.Context(), d.now, id, other, "anna", "her line"); err != nil {
		t.Fatal(err)
	}
	if r := d.Standing(d.now, line); r != (subscriber.Decision{}) {
		t.Errorf("merged: %+v", r)
	}
	if _, err := d.Note(t.Context(), d.now, "nobody's", "anna", "x"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// Exempt subscribers are seen and never restricted.
func TestExempt(t *testing.T) {
	d := open(t, store(), nil)
	s := person("boss")
	s.Class = subscriber.Exempt
	for i := range 10 {
		if r := d.Judge(t.Context(), d.now, s, spam(i)); r.Restrict != sluice.RestrictNone {
			t.Fatalf("%+v", r)
		}
	}
	if c := d.one(t, s); c.State != sluice.CaseOpen {
		t.Errorf("%s", cases.Audit(c))
	}
}

func TestUnlisted(t *testing.T) {
	for _, test := range []struct {
		t    subscriber.Trace
		want string
	}{
		{subscriber.Trace{Account: "bob", Client: netip.MustParseAddr("192.0.2.1")}, "account:bob"},
		{subscriber.Trace{Client: netip.MustParseAddr("::ffff:192.0.2.1")}, "address:192.0.2.1"},
		{subscriber.Trace{Client: netip.MustParseAddr("2001:db8:1:2:3::4")}, "network:2001:db8:1:2::/64"},
		{subscriber.Trace{Address: "bob@example.org"}, ""},
	} {
		s, ok := subscriber.Unlisted(test.t)
		if d := cmp.Diff(test.want, s.Key); d != "" || ok != (test.want != "") {
			t.Errorf("%+v: %q, %v", test.t, s.Key, ok)
		}
	}
}

// Many at once, with the clock going on and people at the page.
func TestConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	id := numbers("case")
	d := open(t, store(), func(c *subscriber.Config) {
		c.Changed, c.HoldsPerHour = nil, 1000
		c.ID = func() string { mu.Lock(); defer mu.Unlock(); return id() }
	})
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				s := person(fmt.Sprint("u", i%10))
				now := noon.Add(time.Duration(i) * time.Second)
				r := d.Judge(t.Context(), now, s, spam(i))
				switch {
				case g == 0 && i%20 == 0:
					if err := d.Tick(t.Context(), now); err != nil {
						t.Error(err)
					}
				case g == 1 && r.Case != "" && i%7 == 0:
					if _, err := d.Remedy(t.Context(), now, r.Case, "anna", ""); err != nil && !errors.Is(err, cases.ErrState) {
						t.Error(err)
					}
				case g == 2:
					d.Untold(5)
					d.Stats()
				}
			}
		})
	}
	wg.Wait()
	live, err := d.store.ListCases(t.Context(), sluice.CaseQuery{Live: true})
	if err != nil || len(live) != 10 {
		t.Errorf("%d live cases, %v", len(live), err)
	}
}
