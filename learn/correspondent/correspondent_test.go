package correspondent

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const (
	us  = "x"
	ann = "ann@example.net"
)

func make1(t testing.TB, cfg Config) *Table {
	t.Helper()
	cfg.Key = []byte("0123456789abcdef")
	tab, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func write(tab *Table, at time.Time, to ...Mailbox) {
	tab.Sent(at, Outgoing{Tenant: us, From: Mailbox{"Ann Archer", ann}, To: to, MessageID: fmt.Sprintf("<%d@example.net>", at.Unix())})
}

func TestShortKey(t *testing.T) {
	if _, err := New(Config{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
}

func TestLevels(t *testing.T) {
	tab := make1(t, Config{})
	write(tab, noon, Mailbox{"Bob Jones", "Bob+tag@Mail.Example.org"}, Mailbox{"Cat", "cat@gmail.com"})
	for _, c := range []struct {
		ours, theirs string
		level        Level
		decibel      float64
	}{
		{ann, "bob@mail.example.org", Person, -5},
		{"ANN+x@example.net", "BOB@mail.example.org", Person, -5},
		{"dan@example.net", "bob@mail.example.org", ByAddress, -3.5},
		{"dan@example.net", "eve@www.example.org", ByDomain, -2},
		{ann, "eve@example.org", ByDomain, -2},
		{ann, "cat@gmail.com", Person, -5},
		{ann, "eve@gmail.com", Unknown, 0}, // anybody gets an address there
		{"dan@other.example", "bob@mail.example.org", Unknown, 0},
		{"", "bob@mail.example.org", Unknown, 0},
		{ann, "no address", Unknown, 0},
	} {
		r := tab.Known(noon, us, c.ours, c.theirs)
		if r.Level != c.level || r.Decibel() != c.decibel {
			t.Errorf("%s and %s: %+v %v, want %v %v", c.ours, c.theirs, r, r.Decibel(), c.level, c.decibel)
		}
	}
	if r := tab.Known(noon, "another", ann, "bob@mail.example.org"); r.Level != Unknown {
		t.Errorf("another tenant: %+v", r)
	}
	if r := tab.Known(noon.Add(401*day), us, ann, "bob@mail.example.org"); r.Level != Unknown {
		t.Errorf("after a year and more: %+v", r)
	}
}

// TestReceived: strangers become known by weeks of accepted mail, not by much mail.
func TestReceived(t *testing.T) {
	for _, c := range []struct {
		name  string
		days  []int
		times int
		want  Level
	}{
		{"a day of a thousand", []int{0}, 1000, Unknown},
		{"every day for two weeks less one", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, 20, Unknown},
		{"four days in a month", []int{0, 10, 20, 30}, 20, Unknown},
		{"five days in a month", []int{0, 7, 14, 21, 28}, 1, Person},
		{"every day", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, 1, Person},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := make1(t, Config{})
			var last time.Time
			for _, d := range c.days {
				for range c.times {
					last = noon.Add(time.Duration(d) * day)
					tab.Received(last, Incoming{Tenant: us, To: []string{ann}, From: Mailbox{"Bob Jones", "bob@example.org"}})
				}
			}
			r := tab.Known(last, us, ann, "bob@example.org")
			if r.Level != c.want || r.Wrote || r.Decibel() < -2 {
				t.Errorf("%+v, want level %v", r, c.want)
			}
			if r := tab.Known(last.Add(121*day), us, ann, "bob@example.org"); r.Level != Unknown {
				t.Errorf("after four months of silence: %+v", r)
			}
		})
	}
}

func TestReport(t *testing.T) {
	tab := make1(t, Config{})
	write(tab, noon, Mailbox{"Bob Jones", "bob@example.org"})
	tab.Report(noon, us, ann, "bob@example.org")
	if r := tab.Known(noon, us, ann, "bob@example.org"); r.Level != Unknown {
		t.Errorf("right behind the report: %+v", r)
	}
	write(tab, noon.Add(5*day), Mailbox{"Bob Jones", "bob@example.org"})
	if r := tab.Known(noon.Add(5*day), us, ann, "bob@example.org"); r.Level != Unknown {
		t.Errorf("a stolen account that goes on writing: %+v", r)
	}
	if r := tab.Known(noon.Add(31*day), us, ann, "bob@example.org"); r.Level != Person {
		t.Errorf("after a month: %+v", r)
	}
}

func TestAutomatic(t *testing.T) {
	tab := make1(t, Config{})
	tab.Sent(noon, Outgoing{Tenant: us, From: Mailbox{"", ann}, To: []Mailbox{{"", "spam@example.org"}}, MessageID: "<1@example.net>", Automatic: true})
	if r := tab.Known(noon, us, ann, "spam@example.org"); r.Level != Unknown {
		t.Errorf("an autoresponder makes acquaintance: %+v", r)
	}
	if tab.ReplyTo(noon, us, []string{"1@example.net"}, "spam@example.org") {
		t.Error("an autoresponder expects an answer")
	}
}

func TestReplyTo(t *testing.T) {
	tab := make1(t, Config{})
	write(tab, noon, Mailbox{"", "bob@example.org"}, Mailbox{"", "cat@gmail.com"})
	id := fmt.Sprintf("%d@example.net", noon.Unix())
	for _, c := range []struct {
		ids    []string
		theirs string
		after  time.Duration
		want   bool
	}{
		{[]string{id}, "bob@example.org", day, true},
		{[]string{"other@example.org", "<" + id + ">"}, "secretary@mail.example.org", day, true}, // the same organization
		{[]string{id}, "cat@gmail.com", day, true},
		{[]string{id}, "eve@gmail.com", day, false},
		{[]string{id}, "eve@example.com", day, false},
		{[]string{"other@example.net"}, "bob@example.org", day, false},
		{[]string{id}, "bob@example.org", 61 * day, false},
		{nil, "bob@example.org", day, false},
	} {
		if got := tab.ReplyTo(noon.Add(c.after), us, c.ids, c.theirs); got != c.want {
			t.Errorf("%v from %s after %v: %v", c.ids, c.theirs, c.after, got)
		}
	}
	if tab.ReplyTo(noon, "another", []string{id}, "bob@example.org") {
		t.Error("another tenant's reply")
	}
}

func TestFoldName(t *testing.T) {
	for in, want := range map[string]string{
		"Bob Jones": "bob jones", "Jones, Bob": "bob jones", "BOB  A. JONES": "bob jones", "Bob\u200b J\u043enes": "bob jones",
		"Jürgen Müller": "jürgen müller", "Ju\u0308rgen Müller": "jürgen müller", "Иван Петров": "иван петров",
		"Bob": "", "": "", "Support Team": "", "bob@example.org": "", "A B": "", "One Two Three Four Five Six": "", "Al Li": "",
		"Billing Jones": "", "Bob Jones <bob@example.org>": "", "\xff\xfe Jones Bob": "bob jones",
		strings.Repeat("Long ", 50): "",
	} {
		if got := FoldName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestNamed(t *testing.T) {
	tab := make1(t, Config{})
	write(tab, noon, Mailbox{"Bob Jones", "bob@example.org"}, Mailbox{"Cat Stevens", "cat@gmail.com"})
	write(tab, noon, Mailbox{"", "partner@example.com"})
	for _, c := range []struct {
		ours string
		from Mailbox
		want Namesake
	}{
		{ann, Mailbox{"Bob Jones", "ceo.office@gmail.com"}, Correspondent},
		{ann, Mailbox{"JONES, Bob", "bob@examp1e.org"}, Correspondent},
		{ann, Mailbox{"Bob Jones", "bob.jones@mail.example.org"}, Nobody}, // the same organization
		{ann, Mailbox{"Cat Stevens", "cat.stevens@gmail.com"}, Correspondent},
		{ann, Mailbox{"Bob Jones", "partner@example.com"}, Nobody},       // known by another name
		{ann, Mailbox{"Bob Johnson", "ceo.office@gmail.com"}, Nobody},    // another name
		{"dan@example.net", Mailbox{"Bob Jones", "x@gmail.com"}, Nobody}, // not Dan's correspondent
		{"dan@example.net", Mailbox{"Ann Archer", "x@gmail.com"}, Colleague},
		{ann, Mailbox{"Ann Archer", "x@gmail.com"}, Colleague},
		{"dan@example.net", Mailbox{"Ann Archer", "x@example.net"}, Nobody}, // the domain itself: DMARC's
		{"dan@other.example", Mailbox{"Ann Archer", "x@gmail.com"}, Nobody},
	} {
		if got := tab.Named(noon, us, c.ours, c.from); got != c.want {
			t.Errorf("%s from %v: %v, want %v", c.ours, c.from, got, c.want)
		}
	}
	// A name that many have says nothing.
	for i := range owners + 1 {
		write(tab, noon, Mailbox{"John Smith", fmt.Sprintf("john@company%d.example", i)})
	}
	if got := tab.Named(noon, us, ann, Mailbox{"John Smith", "x@gmail.com"}); got != Nobody {
		t.Errorf("a name of many: %v", got)
	}
}

// TestNotUntilKnown: who isn't a correspondent can't leave a name.
func TestNotUntilKnown(t *testing.T) {
	tab := make1(t, Config{})
	for d := range 13 {
		tab.Received(noon.Add(time.Duration(d)*day), Incoming{Tenant: us, To: []string{ann}, From: Mailbox{"Bob Jones", "spam@example.org"}})
	}
	if n := tab.Stats().Names.Len; n != 0 {
		t.Errorf("%d names of a stranger", n)
	}
}

// TestFlood: a million strangers push nobody out whom our side wrote to, and a stolen
// account adds no more than its share.
func TestFlood(t *testing.T) {
	tab := make1(t, Config{Capacity: 4000})
	for i := range 100 {
		at := noon.Add(time.Duration(i/20) * day)
		tab.Sent(at, Outgoing{Tenant: us, From: Mailbox{"", ann}, To: []Mailbox{{fmt.Sprintf("Friend Number%c%c", 'a'+i/26, 'a'+i%26), fmt.Sprintf("f%d@friend%d.example", i, i)}}, MessageID: "<a@b.example>"})
	}
	now := noon.Add(6 * day)
	for i := range 200_000 {
		tab.Received(now, Incoming{Tenant: us, To: []string{ann}, From: Mailbox{"Some Body", fmt.Sprintf("s@spam%d.example", i)}})
	}
	lost := 0
	for i := range 100 {
		if tab.Known(now, us, ann, fmt.Sprintf("f%d@friend%d.example", i, i)).Level != Person {
			lost++
		}
	}
	if st := tab.Stats().Pairs; lost > 0 || st.Len > st.Capacity {
		t.Errorf("%d of 100 friends lost, %+v", lost, st)
	}
	tab = make1(t, Config{Capacity: 4000, Daily: 50})
	for i := range 5000 {
		write(tab, noon, Mailbox{"", fmt.Sprintf("v%d@victim%d.example", i, i)})
	}
	if st := tab.Stats(); st.Pairs.Len > 150 || st.Sent.Len > 50 {
		t.Errorf("a stolen account added %+v", st)
	}
}

// TestProperties: whatever happens, relations stay within bounds, an address that our
// side never wrote to is worth two decibels at most, and unknown tenants know nobody.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab, err := New(Config{Key: make([]byte, 16), Capacity: 64})
		if err != nil {
			t.Fatal(err)
		}
		now, wrote := noon, map[string]bool{}
		addresses := []string{"a@one.example", "b@one.example", "a@two.example", "me@gmail.com", "", "@", "x"}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-30, 80).Draw(t, "hours")) * time.Hour)
			who := rapid.SampledFrom(addresses).Draw(t, "who")
			box := Mailbox{rapid.SampledFrom([]string{"Bob Jones", "Cat Stevens", ""}).Draw(t, "name"), who}
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				write(tab, now, box)
				if o := Normal(who); o != "" {
					wrote[Owner(o)] = true
				}
			case 1, 2:
				tab.Received(now, Incoming{Tenant: us, To: []string{ann, "dan@example.net"}, From: box})
			case 3:
				tab.Report(now, us, ann, who)
				if r := tab.Known(now, us, ann, who); r.Level != Unknown {
					t.Fatalf("reported and known: %+v", r)
				}
			}
			for _, a := range addresses {
				r := tab.Known(now, us, ann, a)
				if d := r.Decibel(); d > 0 || d < -5 || (d < -2 && !wrote[Owner(Normal(a))]) || (r.Level == Unknown) != (d == 0) {
					t.Fatalf("%q: %+v %v", a, r, d)
				}
				if tab.Known(now, "y", ann, a).Level != Unknown {
					t.Fatalf("another tenant knows %q", a)
				}
				if n := tab.Named(now, us, ann, Mailbox{"Bob Jones", a}); n != Nobody && r.Level != Unknown {
					t.Fatalf("%q is known and a namesake", a)
				}
			}
		}
	})
}

func TestMessageIDs(t *testing.T) {
	many := ""
	for i := range 100 {
		many += fmt.Sprintf("<%d@many.example> ", i)
	}
	for _, c := range []struct {
		in   []string
		want []string
	}{
		{[]string{"<a@b.example>\r\n <c@d.example>", "<e@f.example>"}, []string{"a@b.example", "c@d.example", "e@f.example"}},
		{[]string{"a@b.example", "<>", "<<x@y.example>", "< sp ace >", "<open"}, []string{"x@y.example"}},
	} {
		if diff := cmp.Diff(c.want, MessageIDs(c.in...)); diff != "" {
			t.Errorf("%q: %s", c.in, diff)
		}
	}
	got := MessageIDs(many)
	if len(got) != maxIDs || got[maxIDs-1] != "99@many.example" {
		t.Errorf("the last ones count: %v", got)
	}
}

func FuzzHostile(f *testing.F) {
	f.Add("Bob Jones", "bob@example.org", "<a@b.example> <c@d.example>")
	f.Add("\u202eBob J\u043enes\u0301", "\"a@b\"@x.example.", "<<>><")
	f.Add("", "@", "<")
	f.Fuzz(func(t *testing.T, display, address, references string) {
		ids := MessageIDs(references)
		if len(ids) > maxIDs {
			t.Errorf("%d identifiers", len(ids))
		}
		n := FoldName(display)
		if n != "" && FoldName(n) != n {
			t.Errorf("%q folds to %q and then to %q", display, n, FoldName(n))
		}
		a := Normal(address)
		if a != "" && Normal(a) == "" {
			t.Errorf("%q is %q and then nothing", address, a)
		}
		tab := make1(t, Config{Capacity: 16})
		from := Mailbox{display, address}
		tab.Sent(noon, Outgoing{Tenant: us, From: Mailbox{"", ann}, To: []Mailbox{from}, MessageID: references})
		tab.Received(noon, Incoming{Tenant: us, To: []string{address, ann}, From: from})
		tab.Named(noon, us, address, from)
		tab.ReplyTo(noon, us, ids, address)
		if r := tab.Known(noon, us, ann, address); a != "" && !strings.HasSuffix(a, "@example.net") && r.Level != Person {
			t.Errorf("%q was written to: %+v", address, r)
		}
	})
}

func BenchmarkKnown(b *testing.B) {
	tab := make1(b, Config{})
	for i := range 100_000 {
		tab.Received(noon, Incoming{Tenant: us, To: []string{ann}, From: Mailbox{"Bob Jones", fmt.Sprintf("b%d@domain%d.example", i, i)}})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		tab.Known(noon, us, ann, fmt.Sprintf("b%d@domain%d.example", i, i%100_000))
	}
}

func BenchmarkReceived(b *testing.B) {
	tab := make1(b, Config{})
	i := 0
	for b.Loop() {
		i++
		tab.Received(noon, Incoming{Tenant: us, To: []string{ann}, From: Mailbox{"Bob Jones", fmt.Sprintf("b%d@domain%d.example", i, i)}})
	}
}

// The stored forms have a fixed size.
func TestSizes(t *testing.T) {
	got := []int{binary.Size(pair{}), binary.Size(name{}), binary.Size(sent{})}
	if want := []int{12, 36, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v: a change needs a new version", got, want)
	}
}
