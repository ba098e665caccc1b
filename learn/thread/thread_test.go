package thread

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/shelf"
	"sluice/store/memory"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const us = "example"

func newTable(t testing.TB, cfg Config) *Table {
	t.Helper()
	cfg.Key = []byte("0123456789abcdef")
	tab, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

var (
	ann = Mailbox{Name: "Ann Archer", Address: "ann@example.net"}
	bob = Mailbox{Name: "Bob Builder", Address: "bob@builder.example"}
	eve = Mailbox{Name: "Eve Evil", Address: "eve@evil.example"}
)

const letter = `The roof of the southern hall has to be replaced before the summer, since the rain of last week came through in
three places, and the insurance wants to see an offer of at least two firms until the end of next month. Please send yours to me,
with the days on which your people could begin, and with the names of those who will be on the site while the hall is in use.`

// begin is a thread that Ann of ours began with Bob.
func begin(tab *Table) {
	tab.Learn(noon, Message{Tenant: us, Ours: true, MessageID: "<1@example.net>", From: ann, People: []Mailbox{bob}, Text: letter})
}

func from(who Mailbox, refers ...string) Ask {
	return Ask{Tenant: us, Refers: refers, From: who, Visible: []Mailbox{ann}, Recipients: []string{ann.Address}}
}

func TestPlace(t *testing.T) {
	tab := newTable(t, Config{})
	begin(tab)
	colleague := Mailbox{Address: "carl@mail.builder.example"}
	namesake := Mailbox{Name: "Builder, Bob", Address: "bob@evil.example"}
	beside := from(eve, "1@example.net")
	beside.Visible = append(beside.Visible, bob)
	other := from(bob, "1@example.net")
	other.Tenant = "other"
	for _, c := range []struct {
		name string
		ask  Ask
		want Place
	}{
		{"a participant", from(bob, "1@example.net"), Place{Known: true, In: true, Ours: true}},
		{"a colleague of one", from(colleague, "1@example.net"), Place{Known: true, In: true, Ours: true}},
		{"ourselves", from(ann, "1@example.net"), Place{Known: true, In: true, Ours: true}},
		{"a stranger", from(eve, "0@x", "1@example.net"), Place{Known: true, Ours: true}},
		{"a namesake", from(namesake, "1@example.net"), Place{Known: true, Ours: true, Namesake: true}},
		{"beside a participant", beside, Place{Known: true, Ours: true, Beside: true}},
		{"another thread", from(eve, "2@example.net"), Place{}},
		{"another tenant's", other, Place{}},
		{"no thread", from(eve), Place{}},
		{"no address", from(Mailbox{}, "1@example.net"), Place{}},
	} {
		if got := tab.Place(noon, c.ask); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := tab.Place(noon.Add(100*day), from(bob, "1@example.net")); got.Known {
		t.Errorf("after a hundred days: %+v", got)
	}
}

// A stranger isn't let in by answering, only by one who is in.
func TestLetIn(t *testing.T) {
	tab := newTable(t, Config{})
	begin(tab)
	answer := Message{Tenant: us, MessageID: "2@evil.example", Refers: []string{"1@example.net"}, From: eve, People: []Mailbox{ann}}
	tab.Learn(noon, answer)
	if p := tab.Place(noon, from(eve, "1@example.net")); p.In {
		t.Error("a stranger let itself in")
	}
	if p := tab.Place(noon, from(eve, "2@evil.example")); p.Known {
		t.Error("a stranger's message is part of the thread")
	}
	tab.Learn(noon, Message{Tenant: us, MessageID: "3@builder.example", Refers: []string{"1@example.net"}, From: bob, People: []Mailbox{ann, eve}})
	if p := tab.Place(noon, from(eve, "3@builder.example")); !p.In {
		t.Error("whom a participant copies in isn't in")
	}
	dan := Mailbox{Address: "dan@dan.example"}
	tab.Learn(noon, Message{Tenant: us, Ours: true, MessageID: "4@example.net", Refers: []string{"1@example.net", "x@dan.example"}, From: ann, People: []Mailbox{dan}})
	if p := tab.Place(noon, from(dan, "1@example.net")); !p.In {
		t.Error("whom we answer isn't in")
	}
}

func TestOpen(t *testing.T) {
	tab := newTable(t, Config{})
	tab.Learn(noon, Message{Tenant: us, Open: true, MessageID: "l@list.example", From: bob, Text: letter})
	if p := tab.Place(noon, from(eve, "l@list.example")); p.Known {
		t.Error("a list's thread is closed")
	}
	var many []Mailbox
	for i := range maxParticipants + 1 {
		many = append(many, Mailbox{Address: fmt.Sprintf("x@d%d.example", i)})
	}
	tab.Learn(noon, Message{Tenant: us, Ours: true, MessageID: "m@example.net", From: ann, People: many})
	if p := tab.Place(noon, from(eve, "m@example.net")); p.Known {
		t.Error("a thread of many is closed")
	}
	if got := tab.Taken(noon, from(eve), letter); got.Prints != 0 {
		t.Errorf("a list's text is taken: %+v", got)
	}
}

func TestTaken(t *testing.T) {
	tab := newTable(t, Config{})
	begin(tab)
	wrapped := strings.ReplaceAll(strings.ToUpper(letter), " ", "\n")
	for _, c := range []struct {
		name  string
		ask   Ask
		text  string
		taken bool
	}{
		{"a stranger", from(eve), letter, true},
		{"wrapped and loud", from(eve), wrapped, true},
		{"a third of it", from(eve), letter[150:], true},
		{"a participant", from(bob), letter, false},
		{"in the thread itself", from(eve, "1@example.net"), letter, false},
		{"other words", from(eve), strings.Repeat("Dear friend, I am the widow of a banker and want to share a large sum with you. ", 5), false},
		{"a few words", from(eve), "The roof of the southern hall", false},
		{"nothing", from(eve), "", false},
	} {
		got := tab.Taken(noon, c.ask, c.text)
		if (got.Prints >= 3) != c.taken || got.Prints > 0 && !got.Ours {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	// A signature that stands in several threads is nobody's.
	tab.Learn(noon, Message{Tenant: us, Ours: true, MessageID: "9@example.net", From: ann, People: []Mailbox{{Address: "x@other.example"}}, Text: letter})
	if got := tab.Taken(noon, from(eve), letter); got.Prints != 0 {
		t.Errorf("text of several threads is taken: %+v", got)
	}
}

func TestSave(t *testing.T) {
	m, tab := memory.New(), newTable(t, Config{})
	begin(tab)
	if n, err := tab.Flush(t.Context(), noon, m); n == 0 || err != nil {
		t.Fatal(n, err)
	}
	if err := m.EachMemo(t.Context(), MemoKind, func(m sluice.Memo) error {
		for _, clear := range []string{"bob", "builder", "roof", "example"} {
			if strings.Contains(strings.ToLower(string(m.Value)), clear) {
				t.Errorf("%q stands in clear in the store", clear)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	again := newTable(t, Config{})
	if _, err := again.Load(t.Context(), noon, m); err != nil {
		t.Fatal(err)
	}
	for _, a := range []Ask{from(bob, "1@example.net"), from(eve, "1@example.net")} {
		if x, y := tab.Place(noon, a), again.Place(noon, a); x != y || !x.Known {
			t.Errorf("%+v before, %+v after", x, y)
		}
	}
	if x, y := tab.Taken(noon, from(eve), letter), again.Taken(noon, from(eve), letter); x != y || x.Prints == 0 {
		t.Errorf("%+v before, %+v after", x, y)
	}
	other, err := New(Config{Key: []byte("another key, long enough")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Load(t.Context(), noon, m); !errors.Is(err, shelf.ErrKey) {
		t.Errorf("another key: %v", err)
	}
}

// A flood of strangers' threads doesn't push out what our side wrote.
func TestFlood(t *testing.T) {
	tab := newTable(t, Config{Capacity: 4000})
	begin(tab)
	for i := range 50_000 {
		tab.Learn(noon.Add(day), Message{Tenant: us, MessageID: fmt.Sprintf("%d@spam.example", i), From: Mailbox{Address: fmt.Sprintf("a%d@spam%d.example", i, i)}, People: []Mailbox{ann}})
	}
	if s := tab.Stats(); s.IDs.Len > s.IDs.Capacity || s.Threads.Len > s.Threads.Capacity {
		t.Errorf("%+v", s)
	}
	if p := tab.Place(noon.Add(day), from(bob, "1@example.net")); !p.In {
		t.Errorf("our thread is forgotten: %+v", p)
	}
}

func TestShortKey(t *testing.T) {
	if _, err := New(Config{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
}

func FuzzLearn(f *testing.F) {
	f.Add("1@example.net", "0@x", "bob@builder.example", letter)
	f.Add("<>", "", "@", "日本語のメールを書きます。今日は天気がいいので、公園に行きました。")
	tab := newTable(f, Config{Capacity: 1000})
	f.Fuzz(func(t *testing.T, id, ref, address, text string) {
		box := Mailbox{Name: address, Address: address}
		tab.Learn(noon, Message{Tenant: us, MessageID: id, Refers: []string{ref}, From: box, People: []Mailbox{box}, Text: text})
		tab.Place(noon, Ask{Tenant: us, Refers: []string{id}, From: box, Visible: []Mailbox{box}, Recipients: []string{address}})
		tab.Taken(noon, from(eve, ref), text)
		if n := len(tab.shingles(us, text)); n > maxPrints {
			t.Errorf("%d prints", n)
		}
	})
}

func BenchmarkLearn(b *testing.B) {
	tab := newTable(b, Config{})
	for i := 0; b.Loop(); i++ {
		tab.Learn(noon, Message{Tenant: us, MessageID: fmt.Sprint(i, "@example.net"), Ours: true, From: ann, People: []Mailbox{bob}, Text: letter})
	}
}

func BenchmarkTaken(b *testing.B) {
	tab := newTable(b, Config{})
	begin(tab)
	for b.Loop() {
		tab.Taken(noon, from(eve), letter)
	}
}
