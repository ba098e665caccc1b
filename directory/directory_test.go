package directory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sluice"
	"sluice/directory"
	"sluice/directory/directorytest"
	"sluice/internal/golden"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = directorytest.Domain

var errAway = errors.New("connection refused")

// says is a source that always says the same.
func says(label string, p sluice.Presence, err error) *directorytest.Source {
	return &directorytest.Source{Label: label, Answer: func(context.Context, *directory.Query) (sluice.Listing, error) {
		return sluice.Listing{Presence: p, Source: label}, err
	}}
}

// knows is a source that knows the addresses whose local part starts with "user".
func knows(label string) *directorytest.Source {
	return &directorytest.Source{Label: label, Answer: func(_ context.Context, q *directory.Query) (sluice.Listing, error) {
		p := sluice.Absent
		if strings.HasPrefix(q.Address, "user") {
			p = sluice.Present
		}
		return sluice.Listing{Presence: p, Source: label}, nil
	}}
}

func open(t testing.TB, cfg directory.Config, uses ...directory.Use) *directory.Directory {
	t.Helper()
	if cfg.Domains == nil {
		cfg.Domains = map[string]directory.Domain{domain: {Sources: uses}}
	}
	d, err := directory.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func list(t testing.TB, entries ...string) *directory.List {
	t.Helper()
	l, err := directory.NewList("list here", entries, false)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestList(t *testing.T) {
	directorytest.Run(t, func(t *testing.T) directorytest.Fixture {
		return directorytest.Fixture{Source: list(t, append([]string{"@" + directorytest.CatchAll}, directorytest.Mailboxes...)...), Lists: true}
	})
	for _, bad := range [][]string{nil, {""}, {"a b@example.com"}, {"@"}, {"x@"}, {"a@-b"}} {
		if _, err := directory.NewList("list", bad, false); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestOrder(t *testing.T) {
	full := sluice.Reply{Code: 452, Enhanced: "4.2.2", Text: "full"}
	yes, no, away, mute := says("yes", sluice.Present, nil), says("no", sluice.Absent, nil), says("away", sluice.CantTell, errAway), says("mute", sluice.CantTell, nil)
	liar := says("liar", sluice.Absent, errAway) // an error is never a no
	replies := &directorytest.Source{Label: "full", Answer: func(context.Context, *directory.Query) (sluice.Listing, error) {
		return sluice.Listing{Source: "full", Reply: full}, nil
	}}
	panics := &directorytest.Source{Label: "panics", Answer: func(context.Context, *directory.Query) (sluice.Listing, error) {
		panic("out of order")
	}}
	here, other := list(t, "alice@"+domain), list(t, "bob@"+domain)
	for name, c := range map[string]struct {
		sources []directory.Source
		partial int // so many at the start know a part only
		want    sluice.Listing
		err     string
	}{
		"none":                   {},
		"yes":                    {sources: []directory.Source{yes, no}, want: sluice.Listing{Presence: sluice.Present, Source: "yes"}},
		"no":                     {sources: []directory.Source{no, yes}, want: sluice.Listing{Presence: sluice.Absent, Source: "no"}},
		"partial no":             {sources: []directory.Source{no, yes}, partial: 1, want: sluice.Listing{Presence: sluice.Present, Source: "yes"}},
		"partial yes":            {sources: []directory.Source{yes, no}, partial: 1, want: sluice.Listing{Presence: sluice.Present, Source: "yes"}},
		"partial only":           {sources: []directory.Source{no}, partial: 1},
		"away, then no":          {sources: []directory.Source{away, mute, no}, want: sluice.Listing{Presence: sluice.Absent, Source: "no"}},
		"all away":               {sources: []directory.Source{away, mute, liar}, err: "directory: away: connection refused\ndirectory: liar: connection refused"},
		"partial no, then away":  {sources: []directory.Source{no, away}, partial: 1, err: "directory: away: connection refused"},
		"full, nobody else":      {sources: []directory.Source{replies}, want: sluice.Listing{Source: "full", Reply: full}},
		"full, known by another": {sources: []directory.Source{replies, yes}, want: sluice.Listing{Presence: sluice.Present, Source: "yes", Reply: full}},
		"full, unknown to it":    {sources: []directory.Source{replies, no}, want: sluice.Listing{Presence: sluice.Absent, Source: "no"}},
		"panics":                 {sources: []directory.Source{panics}, err: "directory: panics: panic: out of order"},
		"panics, then yes":       {sources: []directory.Source{panics, yes}, want: sluice.Listing{Presence: sluice.Present, Source: "yes"}},
		"list":                   {sources: []directory.Source{here, no}, want: sluice.Listing{Presence: sluice.Present, Source: "list here"}},
		"list says no":           {sources: []directory.Source{other, yes}, want: sluice.Listing{Presence: sluice.Absent, Source: "list here"}},
		"partial list, then yes": {sources: []directory.Source{other, yes}, partial: 1, want: sluice.Listing{Presence: sluice.Present, Source: "yes"}},
		"yes, then list":         {sources: []directory.Source{yes, other}, want: sluice.Listing{Presence: sluice.Present, Source: "yes"}},
		"away, then list":        {sources: []directory.Source{away, here}, want: sluice.Listing{Presence: sluice.Present, Source: "list here"}},
	} {
		t.Run(name, func(t *testing.T) {
			var uses []directory.Use
			for i, s := range c.sources {
				uses = append(uses, directory.Use{Source: s, Partial: i < c.partial})
			}
			got, err := open(t, directory.Config{}, uses...).Lookup(t.Context(), "alice@"+domain)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if fmt.Sprint(err) != c.err && (err != nil || c.err != "") {
				t.Errorf("error %v; want %s", err, c.err)
			}
		})
	}
}

// memory is a source that answers at once.
type memory struct{ *directorytest.Source }

func (memory) Instant() {}

// A list in trouble leads on, is asked each time, and is a part of the reason.
func TestInstantTrouble(t *testing.T) {
	broken := memory{says("file", sluice.CantTell, errors.New("no such file"))}
	away := says("away", sluice.CantTell, errAway)
	d := open(t, directory.Config{}, directory.Use{Source: broken}, directory.Use{Source: away})
	l, err := d.Lookup(t.Context(), "alice@"+domain)
	if l.Presence != sluice.CantTell || err == nil || err.Error() != "directory: file: no such file\ndirectory: away: connection refused" {
		t.Errorf("%s, %v", l.Presence, err)
	}
	for range 10 {
		_, _ = d.Lookup(t.Context(), "alice@"+domain)
	}
	if h := d.Health(); h[0].State != directory.Failing || broken.Asked("") != 11 || away.Asked("") != 1 {
		t.Errorf("%s; asked %d and %d times", h[0], broken.Asked(""), away.Asked(""))
	}
}

func TestForms(t *testing.T) {
	entries := []string{"alice@" + domain, "@all.example", "everywhere", "Owner-List@" + domain, "plus+kept@" + domain, `"john doe"@` + domain}
	l := list(t, entries...)
	sensitive, err := directory.NewList("sensitive", []string{"Alice@" + domain}, true)
	if err != nil {
		t.Fatal(err)
	}
	uses := []directory.Use{{Source: l}}
	d := open(t, directory.Config{Always: []string{"security"}, Domains: map[string]directory.Domain{
		domain: {Sources: uses, Delimiters: "+"}, "all.example": {Sources: uses}, "hyphen.example": {Sources: uses, As: domain, Delimiters: "-"},
		"alias.example": {Sources: uses, As: domain, Delimiters: "+"}, "case.example": {Sources: []directory.Use{{Source: sensitive}}, As: domain, CaseSensitive: true},
		"empty.example": {},
	}})
	for address, want := range map[string]sluice.Presence{
		"alice@" + domain: sluice.Present, "aLiCe@" + domain: sluice.Present, "alice+x@" + domain: sluice.Present, "alice+@" + domain: sluice.Present,
		"alice-x@" + domain: sluice.Absent, "alicf@" + domain: sluice.Absent, "alice@EXAMPLE.com": sluice.Present,
		"any@all.example": sluice.Present, "a+b@all.example": sluice.Present, "any@" + domain: sluice.Absent,
		"everywhere@" + domain: sluice.Present, "everywhere+x@" + domain: sluice.Present, "everywhere@alias.example": sluice.Present,
		"alice@alias.example": sluice.Present, "alice+x@alias.example": sluice.Present, "bob@alias.example": sluice.Absent,
		"alice-x@hyphen.example": sluice.Present, "owner-list@hyphen.example": sluice.Present, "owner-lisp@hyphen.example": sluice.Absent,
		"alice-request@hyphen.example": sluice.Absent,
		"plus+kept@" + domain:          sluice.Present, "plus@" + domain: sluice.Absent, "plus+other@" + domain: sluice.Absent,
		`"alice"@` + domain: sluice.Present, `"john doe"@` + domain: sluice.Present, `"John Doe"@` + domain: sluice.Present, `"alice@x"@` + domain: sluice.Absent,
		"Alice@case.example": sluice.Present, "alice@case.example": sluice.Absent,
		"postmaster@empty.example": sluice.Present, "Security@empty.example": sluice.Present, "abuse@" + domain: sluice.Absent, "postmaster+x@" + domain: sluice.Absent,
		"alice@empty.example": sluice.CantTell, "postmaster@unknown.example": sluice.CantTell, "POSTMASTER": sluice.Present,
	} {
		got, err := d.Lookup(t.Context(), address)
		if got.Presence != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", address, got.Presence, err, want)
		}
	}
	if got, want := d.Domain(domain)+"\n"+d.Domain("empty.example"), domain+": list here\nempty.example: nothing knows its recipients"; got != want {
		t.Errorf("%s", got)
	}
	for _, bad := range []map[string]directory.Domain{{"Example.com": {}}, {"": {}}, {domain: {Sources: []directory.Use{{}}}}} {
		if _, err := directory.New(directory.Config{Domains: bad}); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

// What a source is asked is the address as written, and the forms of it.
func TestQuery(t *testing.T) {
	var got *directory.Query
	s := &directorytest.Source{Label: "s", Answer: func(_ context.Context, q *directory.Query) (sluice.Listing, error) {
		got = q
		return sluice.Listing{Presence: sluice.Absent}, nil
	}}
	d := open(t, directory.Config{Domains: map[string]directory.Domain{"alias.example": {Sources: []directory.Use{{Source: s}}, As: domain, Delimiters: "+"}}})
	if _, err := d.Lookup(t.Context(), `"Alice+New"@alias.example`); err != nil {
		t.Fatal(err)
	}
	want := &directory.Query{Address: `"Alice+New"@alias.example`, Domain: "alias.example", Forms: []directory.Form{
		{Address: "alice+new@" + domain, Local: "alice+new", Domain: domain}, {Address: "alice@" + domain, Local: "alice", Domain: domain},
		{Address: "alice+new", Local: "alice+new"}, {Address: "alice", Local: "alice"}, {Address: "@" + domain, Domain: domain}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestCache follows one address through its times.
func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err, reply := sluice.Present, error(nil), sluice.Reply{}
		s := &directorytest.Source{Label: "back end", Answer: func(context.Context, *directory.Query) (sluice.Listing, error) {
			return sluice.Listing{Presence: p, Source: "back end", Reply: reply}, err
		}}
		d := open(t, directory.Config{}, directory.Use{Source: s})
		defer d.Close()
		asked := 0
		look := func(want sluice.Presence, more int, failed bool) {
			t.Helper()
			l, e := d.Lookup(t.Context(), "alice@"+domain)
			synctest.Wait()
			if l.Presence != want || (e != nil) != failed {
				t.Errorf("%s, %v; want %s", l.Presence, e, want)
			}
			if n := s.Asked(""); n != asked+more {
				t.Errorf("asked %d times; want %d", n-asked, more)
			}
			asked = s.Asked("")
		}
		look(sluice.Present, 1, false)
		look(sluice.Present, 0, false)
		time.Sleep(40 * time.Minute)
		look(sluice.Present, 0, false)
		time.Sleep(6 * time.Minute)
		look(sluice.Present, 1, false) // renewed, nobody waits
		time.Sleep(30 * time.Minute)
		look(sluice.Present, 0, false)

		// Down: the yes goes on for a day, and the source isn't asked each time.
		p, err = sluice.CantTell, errAway
		time.Sleep(40 * time.Minute)
		look(sluice.Present, 1, false)
		look(sluice.Present, 0, false)
		time.Sleep(23 * time.Hour)
		look(sluice.Present, 1, false)
		time.Sleep(2 * time.Hour)
		look(sluice.CantTell, 1, true)
		look(sluice.CantTell, 0, true)
		time.Sleep(time.Minute)
		look(sluice.CantTell, 1, true)

		// A no is short, and doesn't outlive anything.
		p, err = sluice.Absent, nil
		time.Sleep(time.Minute)
		look(sluice.Absent, 1, false)
		time.Sleep(9 * time.Minute)
		look(sluice.Absent, 0, false)
		p, err = sluice.CantTell, errAway
		time.Sleep(time.Minute)
		look(sluice.CantTell, 1, true)

		// A 4xx is no answer, and gone in seconds.
		p, err, reply = sluice.CantTell, nil, sluice.Reply{Code: 450, Text: "later"}
		time.Sleep(4 * time.Second)
		look(sluice.CantTell, 1, false)
		time.Sleep(4 * time.Second)
		p, reply = sluice.Present, sluice.Reply{}
		look(sluice.Present, 1, false)

		// "Mailbox full" is soon asked again.
		p, reply = sluice.Present, sluice.Reply{Code: 552, Enhanced: "5.2.2", Text: "full"}
		time.Sleep(61 * time.Minute)
		look(sluice.Present, 1, false)
		p, reply = sluice.Present, sluice.Reply{}
		time.Sleep(61 * time.Second)
		look(sluice.Present, 1, false)
		if l, _ := d.Lookup(t.Context(), "alice@"+domain); l.Reply.Code != 0 {
			t.Errorf("the old words: %v", l.Reply)
		}
		if got := d.Stats(); got.Entries != 1 || got.Running != 0 || got.Stale != 3 || got.Hits == 0 || got.Misses == 0 {
			t.Errorf("%+v", got)
		}
	})
}

// One asks for all who want to know, and goes on when the first has left.
func TestOneFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &directorytest.Source{Label: "slow", Answer: func(ctx context.Context, _ *directory.Query) (sluice.Listing, error) {
			select {
			case <-time.After(2 * time.Second):
				return sluice.Listing{Presence: sluice.Present, Source: "slow"}, nil
			case <-ctx.Done():
				return sluice.Listing{}, ctx.Err()
			}
		}}
		d := open(t, directory.Config{}, directory.Use{Source: s})
		defer d.Close()
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if l, err := d.Lookup(hurried, "alice@"+domain); l.Presence != sluice.CantTell || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("hurried: %s, %v", l.Presence, err)
			}
		})
		synctest.Wait()
		for range 50 {
			wg.Go(func() {
				if l, err := d.Lookup(t.Context(), "ALICE@"+domain); l.Presence != sluice.Present || err != nil {
					t.Errorf("%s, %v", l.Presence, err)
				}
			})
		}
		wg.Wait()
		if n := s.Asked(""); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Too many lookups at a time don't pile up, and are no sign of a source that is
// down.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &directorytest.Source{Label: "slow", Answer: func(ctx context.Context, q *directory.Query) (sluice.Listing, error) {
			if strings.HasPrefix(q.Address, "busy") {
				return sluice.Listing{}, directory.ErrBusy
			}
			time.Sleep(time.Second)
			return sluice.Listing{Presence: sluice.Absent, Source: "slow"}, nil
		}}
		d := open(t, directory.Config{MaxLookups: 10}, directory.Use{Source: s})
		defer d.Close()
		var wg sync.WaitGroup
		var busy, absent int
		var mu sync.Mutex
		for i := range 100 {
			wg.Go(func() {
				l, err := d.Lookup(t.Context(), fmt.Sprintf("nobody%d@%s", i, domain))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case l.Presence == sluice.Absent:
					absent++
				case l.Presence == sluice.CantTell && errors.Is(err, directory.ErrBusy):
					busy++
				}
			})
		}
		wg.Wait()
		if absent != 10 || busy != 90 {
			t.Errorf("%d absent, %d busy", absent, busy)
		}
		for i := range 10 {
			_, _ = d.Lookup(t.Context(), fmt.Sprintf("busy%d@%s", i, domain))
		}
		if h := d.Health()[0]; h.State != directory.Working || h.Failed != 10 {
			t.Errorf("%+v", h)
		}
	})
}

// TestBreaker reads what the operator sees while a source goes and comes.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := error(nil)
		s := &directorytest.Source{Label: "ldap://ldap.example", Answer: func(_ context.Context, q *directory.Query) (sluice.Listing, error) {
			if err != nil {
				return sluice.Listing{}, err
			}
			return sluice.Listing{Presence: sluice.Present, Source: "ldap://ldap.example"}, nil
		}}
		d := open(t, directory.Config{}, directory.Use{Source: s})
		defer d.Close()
		var out strings.Builder
		show := func(what string, args ...any) {
			fmt.Fprintf(&out, "# "+what+"\n", args...)
			for _, h := range d.Health() {
				fmt.Fprintf(&out, "%s\n", h)
			}
		}
		n := 0
		look := func() {
			n++
			_, _ = d.Lookup(t.Context(), fmt.Sprintf("user%d@%s", n, domain))
		}
		show("nobody has asked")
		look()
		show("one answer")
		s.Words = "the certificate ends tomorrow"
		show("something is wrong all the same")
		s.Words = ""
		err = errors.New("connection refused\x1b[31m\r\n")
		time.Sleep(time.Second)
		look()
		show("one error")
		look()
		look()
		show("three errors")
		for range 50 {
			look()
		}
		if got := s.Asked(""); got != 4 {
			t.Errorf("asked %d times while down", got)
		}
		for _, pause := range []time.Duration{5, 10, 20, 40, 60, 60} {
			before := s.Asked("")
			time.Sleep(pause*time.Second - time.Millisecond)
			look()
			if got := s.Asked(""); got != before {
				t.Errorf("asked before %d s were over", pause)
			}
			time.Sleep(time.Millisecond)
			look()
			look()
			if got := s.Asked(""); got != before+1 {
				t.Errorf("asked %d times after %d s", got-before, pause)
			}
			show("tried after %d s", pause)
		}
		err = nil
		time.Sleep(time.Minute)
		look()
		show("it is back")
		golden.Check(t, "testdata/health.txt", []byte(out.String()))
	})
}

// Only one lookup finds out whether a source is back, and one that was asked
// before it went down doesn't keep it down for longer.
func TestTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &directorytest.Source{Label: "s", Answer: func(_ context.Context, q *directory.Query) (sluice.Listing, error) {
			if strings.HasPrefix(q.Address, "slow") {
				time.Sleep(2 * time.Second)
			}
			return sluice.Listing{}, errAway
		}}
		d := open(t, directory.Config{}, directory.Use{Source: s})
		defer d.Close()
		var wg sync.WaitGroup
		look := func(format string, n int) {
			for i := range n {
				wg.Go(func() { _, _ = d.Lookup(t.Context(), fmt.Sprintf(format+"@"+domain, i)) })
			}
			synctest.Wait()
		}
		look("slow%d", 5)
		look("a%d", 3)
		began := time.Now()
		wg.Wait()
		if h := d.Health()[0]; h.State != directory.Down || !h.Retry.Equal(began.Add(5*time.Second)) {
			t.Errorf("%s; want a retry 5 s after it went down", h)
		}
		time.Sleep(4 * time.Second)
		before := s.Asked("")
		look("slow%d", 20)
		wg.Wait()
		if n := s.Asked("") - before; n != 1 {
			t.Errorf("%d lookups found out", n)
		}
	})
}

// A yes that outlives its time carries what the back end says now.
func TestStaleReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := sluice.Listing{Presence: sluice.Present, Source: "s"}
		s := &directorytest.Source{Label: "s", Answer: func(context.Context, *directory.Query) (sluice.Listing, error) { return answer, nil }}
		d := open(t, directory.Config{}, directory.Use{Source: s})
		defer d.Close()
		_, _ = d.Lookup(t.Context(), "alice@"+domain)
		time.Sleep(2 * time.Hour)
		answer = sluice.Listing{Source: "s", Reply: sluice.Reply{Code: 452, Enhanced: "4.2.2", Text: "full"}}
		l, err := d.Lookup(t.Context(), "alice@"+domain)
		if l.Presence != sluice.Present || l.Reply.Code != 452 || err != nil {
			t.Errorf("%v, %v", l, err)
		}
	})
}

// A source that has said no to all it was asked is doubted in words, since an
// empty table or a filter with a slip looks like that.
func TestNeverYes(t *testing.T) {
	d := open(t, directory.Config{}, directory.Use{Source: says("sql", sluice.Absent, nil)})
	for i := range 50 {
		_, _ = d.Lookup(t.Context(), fmt.Sprintf("user%d@%s", i, domain))
	}
	if h := d.Health()[0]; h.State != directory.Doubtful || !strings.Contains(h.Trouble, "has never known an address") {
		t.Errorf("%s", h)
	}
}

// A slow source costs its own time only, not the lookup.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &directorytest.Source{Label: "hangs", Answer: func(ctx context.Context, _ *directory.Query) (sluice.Listing, error) {
			<-ctx.Done()
			return sluice.Listing{}, ctx.Err()
		}}
		d := open(t, directory.Config{}, directory.Use{Source: hangs, Timeout: 2 * time.Second}, directory.Use{Source: knows("other")})
		defer d.Close()
		began := time.Now()
		l, err := d.Lookup(t.Context(), "user1@"+domain)
		if took := time.Since(began); l.Presence != sluice.Present || err != nil || took != 2*time.Second {
			t.Errorf("%s, %v, after %v", l.Presence, err, took)
		}
	})
}

// TestFlood sends made-up addresses, far more than are remembered, between those
// of real people: nobody real is forgotten. So too in a domain that takes all.
func TestFlood(t *testing.T) {
	for name, s := range map[string]*directorytest.Source{"refused": knows("honest"), "taken": says("takes all", sluice.Present, nil)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const size, people, flood = 2048, 1000, 20_000
				d := open(t, directory.Config{Size: size, PresentFor: 24 * time.Hour}, directory.Use{Source: s})
				defer d.Close()
				look := func(a string) {
					if _, err := d.Lookup(t.Context(), a); err != nil {
						t.Fatal(err)
					}
				}
				user := func(i int) string { return fmt.Sprintf("user%d@%s", i, domain) }
				for range 2 { // people get mail more than once
					for i := range people {
						look(user(i))
					}
					time.Sleep(time.Hour)
				}
				random := rand.New(rand.NewPCG(1, 2))
				for range flood {
					look(fmt.Sprintf("x%x@%s", random.Uint64(), domain))
				}
				before := s.Asked("")
				for i := range people {
					look(user(i))
				}
				if n := s.Asked("") - before; n > 0 {
					t.Errorf("%d of %d were forgotten", n, people)
				}
				if n := d.Stats().Entries; n > size+size/8 {
					t.Errorf("%d entries", n)
				}
			})
		})
	}
}

// TestNeverFalseNo compares random courses of events with one rule: Absent is said
// only where an authoritative source said it within the time of a no, and the
// last thing that a source said of a Present address wasn't Absent.
func TestNeverFalseNo(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		synctest.Test(t, func(*testing.T) {
			type event struct {
				p  sluice.Presence
				at time.Time
			}
			now, said := sluice.CantTell, map[string]event{}
			s := &directorytest.Source{Label: "s", Answer: func(_ context.Context, q *directory.Query) (sluice.Listing, error) {
				if now == sluice.CantTell {
					return sluice.Listing{}, errAway
				}
				said[q.Address] = event{now, time.Now()}
				return sluice.Listing{Presence: now, Source: "s"}, nil
			}}
			d, err := directory.New(directory.Config{Domains: map[string]directory.Domain{domain: {Sources: []directory.Use{{Source: s}}}}})
			if err != nil {
				r.Fatal(err)
			}
			defer d.Close()
			for range rapid.IntRange(1, 30).Draw(r, "steps") {
				now = sluice.Presence(rapid.IntRange(0, 2).Draw(r, "state"))
				time.Sleep(time.Duration(rapid.IntRange(0, 4000).Draw(r, "seconds")) * time.Second)
				a := rapid.SampledFrom([]string{"a@" + domain, "b@" + domain}).Draw(r, "address")
				l, err := d.Lookup(context.Background(), a)
				synctest.Wait()
				last := said[a]
				switch l.Presence {
				case sluice.Absent:
					if last.p != sluice.Absent || time.Since(last.at) > 10*time.Minute || err != nil {
						r.Fatalf("a no, and the source said %s %v ago", last.p, time.Since(last.at))
					}
				case sluice.Present:
					if last.at.IsZero() || time.Since(last.at) > 25*time.Hour || err != nil {
						r.Fatalf("a yes that nobody said: %v", last)
					}
				default:
					if err == nil {
						r.Fatal("no answer, and no error")
					}
				}
			}
		})
	})
}

// FuzzLookup says that no address does harm or exists by chance.
func FuzzLookup(f *testing.F) {
	for _, h := range directorytest.Hostile {
		f.Add(h + "@" + domain)
	}
	f.Add("a@b@" + domain)
	f.Add("postmaster")
	var last *directory.Query
	s := &directorytest.Source{Label: "s", Answer: func(_ context.Context, q *directory.Query) (sluice.Listing, error) {
		last = q
		return sluice.Listing{Presence: sluice.Absent, Source: "s"}, nil
	}}
	d := open(f, directory.Config{Size: 100, AbsentFor: time.Nanosecond, Domains: map[string]directory.Domain{domain: {Sources: []directory.Use{{Source: s}}, Delimiters: "+-"}}})
	f.Fuzz(func(t *testing.T, address string) {
		last = nil
		l, err := d.Lookup(t.Context(), address)
		if l.Presence == sluice.Present && !strings.EqualFold(strings.Trim(address[:min(len(address), 10)], `"`), "postmaster") && !strings.HasPrefix(strings.ToLower(address), "abuse@") {
			t.Errorf("%q exists: %v, %v", address, l, err)
		}
		if last == nil {
			return
		}
		if last.Address == "" || len(last.Forms) < 3 || len(last.Forms) > 5 || last.Forms[0].Local == "" || last.Domain != domain {
			t.Errorf("%q: %+v", address, last)
		}
		for _, form := range last.Forms {
			if strings.ContainsAny(form.Address, "\r\n\x00") {
				t.Errorf("%q: form %q", address, form.Address)
			}
		}
	})
}

func BenchmarkCached(b *testing.B) {
	s := knows("s")
	d := open(b, directory.Config{}, directory.Use{Source: s})
	for i := range 50_000 {
		_, _ = d.Lookup(b.Context(), fmt.Sprintf("user%d@%s", i, domain))
	}
	for name, address := range map[string]string{"present": "user4711@" + domain, "absent": "nobody@" + domain, "folded": "User4711@" + domain} {
		_, _ = d.Lookup(b.Context(), address)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = d.Lookup(b.Context(), address)
			}
		})
	}
}
