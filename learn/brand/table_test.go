package brand

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice"
	"sluice/internal/shelf"
	"sluice/learn/service"
)

var start = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func after(d int) time.Time { return start.Add(time.Duration(d) * day) }

const us = "x"

func newTable(t testing.TB) *Table {
	t.Helper()
	tab, err := New(Config{Key: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// speak lets an author be delivered under a name every few days.
func speak(tab *Table, c Claim, from string, first, last, step int) {
	for d := first; d <= last; d += step {
		tab.Received(after(d), Incoming{Tenant: us, Claims: []Claim{c}, From: from})
	}
}

// write lets our people write to an address every few days.
func write(tab *Table, to string, first, last, step int) {
	for d := first; d <= last; d += step {
		tab.Sent(after(d), us, to)
	}
}

func paypal(t testing.TB) Claim { return ClaimOf(Shipped().Lookup("paypal")) }

func TestShortKey(t *testing.T) {
	if _, err := New(Config{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
	var none *Table
	if none.Right(start, us, ClaimName("Acme Fittings"), "a@b.example") || none.Taken(start, us, ClaimName("Acme Fittings"), "a@b.example") {
		t.Error("no memory knows something")
	}
}

// Who authenticates his own domain as a brand of the list, for as long as he likes,
// earns nothing. Our own mail has to vouch, and that takes weeks too.
func TestListedBrandIsNotEarnedByWaiting(t *testing.T) {
	tab, c := newTable(t), paypal(t)
	speak(tab, c, "service@evil.example", 0, 300, 1)
	if tab.Right(after(300), us, c, "service@evil.example") {
		t.Error("300 days of mail make a PayPal")
	}
	// One answer from a victim doesn't help, nor many on one day.
	for range 50 {
		tab.Sent(after(300), us, "service@evil.example")
	}
	if tab.Right(after(301), us, c, "service@evil.example") {
		t.Error("answers of one day vouch")
	}
	// A daughter of the brand's that our people deal with.
	speak(tab, c, "desk@daughter.example", 0, 60, 5)
	write(tab, "desk@daughter.example", 0, 60, 7)
	if !tab.Right(after(61), us, c, "desk@daughter.example") {
		t.Error("known for two months on both sides, and no right")
	}
	for name, no := range map[string]bool{
		"another tenant":  tab.Right(after(61), "y", c, "desk@daughter.example"),
		"another name":    tab.Right(after(61), us, ClaimOf(Shipped().Lookup("netflix")), "desk@daughter.example"),
		"another domain":  tab.Right(after(61), us, c, "desk@daughters.example"),
		"a year later":    tab.Right(after(61+400), us, c, "desk@daughter.example"),
		"a listed Taken":  tab.Taken(after(61), us, c, "service@evil.example"),
		"no address":      tab.Right(after(61), us, c, "desk"),
		"nothing claimed": tab.Right(after(61), us, Claim{}, "desk@daughter.example"),
	} {
		if no {
			t.Error(name, "has the right")
		}
	}
	tab.Say(after(62), Incoming{Tenant: us, Claims: []Claim{c}, From: "desk@daughter.example"}, service.Voice{By: "admin", Trusted: true}, true)
	if tab.Right(after(62), us, c, "desk@daughter.example") {
		t.Error("a report doesn't end the right")
	}
}

func TestTakes(t *testing.T) {
	for _, c := range []struct {
		name              string
		first, last, step int
		want              bool
	}{
		{"30 days, daily", 0, 30, 1, true}, {"29 days", 0, 29, 1, false}, {"5 days", 0, 40, 10, true}, {"4 days", 0, 45, 15, false}, {"one day", 0, 0, 1, false},
	} {
		tab, n := newTable(t), ClaimName("Acme Fittings")
		speak(tab, n, "info@acme.example", c.first, c.last, c.step)
		if got := tab.Right(after(c.last), us, n, "info@acme.example"); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	tab, n := newTable(t), ClaimName("Acme Fittings")
	for range 100 {
		speak(tab, n, "info@acme.example", 0, 0, 1)
	}
	if tab.Right(after(0), us, n, "info@acme.example") {
		t.Error("a hundred messages of one day are a hundred days")
	}
}

// An unlisted name stays its owner's, whoever comes later, and whoever came first.
func TestUnlistedNameStaysItsOwners(t *testing.T) {
	n := ClaimName("Acme Fittings Service")
	if n != ClaimName("ACME fittings") || n.Zero() || !ClaimName("Customer Service").Zero() {
		t.Fatal("names")
	}
	t.Run("the owner was first", func(t *testing.T) {
		tab := newTable(t)
		speak(tab, n, "info@acme-fittings.example", 0, 100, 3)
		write(tab, "bob@acme-fittings.example", 0, 100, 10)
		for i := range 20 { // attackers with domains of their own, for three months
			from := fmt.Sprintf("info@acme-fittings%d.example", i)
			speak(tab, n, from, 101, 200, 2)
			if tab.Right(after(200), us, n, from) {
				t.Fatalf("%s earned a name that is guarded", from)
			}
			if !tab.Taken(after(200), us, n, from) {
				t.Fatalf("%s isn't held against it", from)
			}
		}
		if !tab.Right(after(200), us, n, "info@acme-fittings.example") || tab.Taken(after(200), us, n, "info@acme-fittings.example") {
			t.Error("the owner lost its name")
		}
	})
	t.Run("the attacker was first", func(t *testing.T) {
		tab := newTable(t)
		for i := range 10 {
			speak(tab, n, fmt.Sprintf("info@evil%d.example", i), 0, 100, 2)
		}
		speak(tab, n, "info@acme-fittings.example", 101, 200, 3)
		if tab.Taken(after(150), us, n, "info@acme-fittings.example") {
			t.Error("an attacker's waiting is held against the owner")
		}
		write(tab, "bob@acme-fittings.example", 101, 200, 10)
		speak(tab, n, "info@acme-fittings.example", 201, 204, 1)
		if tab.Taken(after(204), us, n, "info@acme-fittings.example") {
			t.Error("the owner's name is taken")
		}
	})
	t.Run("two firms of one name", func(t *testing.T) {
		tab := newTable(t)
		for _, d := range []string{"acme.example", "fittings.example"} {
			speak(tab, n, "info@"+d, 0, 100, 3)
			write(tab, "info@"+d, 0, 100, 10)
			speak(tab, n, "info@"+d, 101, 101, 1)
		}
		for _, d := range []string{"acme.example", "fittings.example"} {
			if !tab.Right(after(101), us, n, "info@"+d) || tab.Taken(after(101), us, n, "info@"+d) {
				t.Error(d)
			}
		}
	})
	t.Run("nobody vouches", func(t *testing.T) {
		tab := newTable(t)
		speak(tab, n, "info@acme.example", 0, 100, 3)
		if tab.Taken(after(100), us, n, "x@new.example") {
			t.Error("a newsletter guards a name against all the world")
		}
	})
}

// Mail providers and services speak for many: a right there is one address's.
func TestHolder(t *testing.T) {
	for address, want := range map[string]string{
		"Info@Mail.Acme.example": "acme.example", "acme@gmail.com": "acme@gmail.com", "x@shop.myshopify.com": "x@shop.myshopify.com", "nobody": "", "a@[192.0.2.1]": "[192.0.2.1]",
	} {
		if got := Holder(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		name, address string
		want          bool
	}{
		{"Acme Fittings", "info@acme-fittings.example", true}, {"Acme", "news@mail.acme.example", true}, {"Acme", "acme@acme.example", true},
		{"John Smith", "john@smith.example", false}, {"Acme Fittings", "info@evil.example", false}, {"Customer Service", "service@service.example", false},
		{"info@acme.example", "info@acme.example", false},
	} {
		if got := Fits(c.name, c.address); got != c.want {
			t.Errorf("%s <%s>: %v", c.name, c.address, got)
		}
	}
}

// memos is a store.
type memos struct{ m map[string]sluice.Memo }

func (s *memos) PutMemos(_ context.Context, list []sluice.Memo) error {
	for _, m := range list {
		s.m[m.Kind+" "+m.Key] = m
	}
	return nil
}

func (s *memos) EachMemo(_ context.Context, kind string, f func(sluice.Memo) error) error {
	for _, m := range s.m {
		if m.Kind == kind {
			if err := f(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *memos) DropMemos(_ context.Context, kind string, before time.Time) (int, error) {
	n := 0
	for k, m := range s.m {
		if m.Kind == kind && m.Updated.Before(before) {
			delete(s.m, k)
			n++
		}
	}
	return n, nil
}

func TestSave(t *testing.T) {
	tab, n := newTable(t), ClaimName("Acme Fittings")
	speak(tab, n, "info@acme.example", 0, 40, 2)
	write(tab, "info@acme.example", 0, 40, 4)
	store := &memos{map[string]sluice.Memo{}}
	if _, err := tab.Flush(t.Context(), after(40), store); err != nil {
		t.Fatal(err)
	}
	again := newTable(t)
	if loaded, err := again.Load(t.Context(), after(40), store); err != nil || loaded == 0 {
		t.Fatal(loaded, err)
	}
	if !again.Right(after(41), us, n, "info@acme.example") || !again.Taken(after(41), us, n, "x@other.example") {
		t.Error("what was saved isn't known")
	}
	other, err := New(Config{Key: []byte("another key of 16")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Load(t.Context(), after(40), store); !errors.Is(err, shelf.ErrKey) {
		t.Error(err)
	}
}

// However strangers mix their mail, they get no right to a listed brand, and the owner
// of another name keeps his.
func TestPoisoning(t *testing.T) {
	listed, n := paypal(t), ClaimName("Acme Fittings")
	rapid.Check(t, func(rt *rapid.T) {
		tab, err := New(Config{Key: []byte("0123456789abcdef"), Capacity: 2000})
		if err != nil {
			rt.Fatal(err)
		}
		speak(tab, n, "info@acme.example", 0, 60, 3)
		write(tab, "info@acme.example", 0, 60, 7)
		d := 61
		for range rapid.IntRange(1, 60).Draw(rt, "moves") {
			from := fmt.Sprintf("a@evil%d.example", rapid.IntRange(0, 5).Draw(rt, "who"))
			switch rapid.IntRange(0, 3).Draw(rt, "move") {
			case 0:
				tab.Received(after(d), Incoming{us, []Claim{listed}, from})
			case 1:
				tab.Received(after(d), Incoming{us, []Claim{n, listed}, from})
			case 2: // a flood of names
				for i := range 50 {
					tab.Received(after(d), Incoming{us, []Claim{ClaimName(fmt.Sprintf("Flood Number%d Q%d", i, d))}, from})
				}
			case 3:
				d += rapid.IntRange(0, 3).Draw(rt, "days")
			}
			if tab.Right(after(d), us, listed, from) || tab.Right(after(d), us, n, from) {
				rt.Fatalf("%s has earned a name", from)
			}
		}
		if !tab.Right(after(d), us, n, "info@acme.example") {
			rt.Fatal("the owner lost its name")
		}
	})
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"Pаypal", "P a y P a l", "三井住友カード", "JR東日本", "\xff\xfe\u200bx", "lnstagram", "ＤＨＬ", "AT&T @ $"} {
		f.Add(s)
	}
	l := Shipped()
	f.Fuzz(func(t *testing.T, s string) {
		l.Find(s, func(m Match) bool {
			if m.Start < 0 || m.End > len(s) || m.Start >= m.End || m.Brand == nil {
				t.Fatalf("%+v in %q", m, s)
			}
			return true
		})
		ClaimName(s)
		Fits(s, s)
		Holder(s)
	})
}

func FuzzParse(f *testing.F) {
	f.Add("date 2026-01-01\nbank us gb | Alpha; Beta* | a.example ~b.example\n")
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := Parse(s); err == nil {
			for _, b := range l.All() {
				if l.Lookup(b.ID) != b {
					t.Fatal(b.ID)
				}
			}
		}
	})
}
