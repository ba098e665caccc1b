package outside

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/console"
	"sluice/directory"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
	"sluice/guard"
	"sluice/learn/dialect"
	"sluice/learn/reputation"
	"sluice/live"
	"sluice/reason"
)

var client = netip.MustParseAddr("192.0.2.7")

// rooms have one of everything.
func rooms(t *testing.T, now time.Time) Rooms {
	t.Helper()
	r := Rooms{Guard: guard.New(guard.Config{}), Reputation: reputation.New(reputation.Config{})}
	r.Guard.Offend(now, client, reason.SMTPSmuggling, guard.Weight(reason.SMTPSmuggling))
	for range 5 {
		r.Reputation.Observe(now, reputation.Outcome{Bad: 1}, reputation.AddressKey(client), reputation.PrefixKey(client),
			reputation.DialectKey("d1m.0123456789"), reputation.HeloKey("evil<b>.example", false))
	}
	set, err := dnsbl.New(dnsbl.Config{Lists: []dnsbl.List{{Zone: "bl.example.org", Weight: 2}}, Resolver: dnsbltest.New()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = set.Close() })
	list, err := directory.NewList("list staff", []string{"anna@example.com"}, false)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := directory.New(directory.Config{Domains: map[string]directory.Domain{"example.com": {Sources: []directory.Use{{Source: list}}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	r.Lists, r.Directory = func() *dnsbl.Set { return set }, func() *directory.Directory { return dir }
	return r
}

func TestPages(t *testing.T) {
	now := time.Now()
	r := rooms(t, now)
	board := live.New(now, r.Board())
	p := r.Pages(board)
	if p.Live == nil || p.Certificates != nil {
		t.Error("a page too few, or one too many")
	}
	for _, k := range console.Kinds {
		for _, o := range console.Orders {
			rows := p.Hosts(now, k.ID, o.ID, 10)
			if n := map[string]int{"address": 1, "prefix": 1, "helo": 1, "dialect": 1}[k.ID]; len(rows) != n {
				t.Errorf("%s %s: %d rows, want %d", k.ID, o.ID, len(rows), n)
			}
		}
	}
	if h := p.Hosts(now, "address", "worst", 1)[0]; h.Key != "192.0.2.7" || h.Kind != "address" || h.Bad < 4.9 || h.Decibel <= 0 || h.Known || h.Last.IsZero() {
		t.Errorf("%+v", h)
	}
	if h := p.Host(now, client); len(h) != 2 || h[1].Key != "192.0.2.0/24" {
		t.Errorf("%+v", h)
	}
	if l := p.Lists(now); len(l) != 1 || l[0].Zone != "bl.example.org" || l[0].Kind != "block" || l[0].State != "untested" {
		t.Errorf("%+v", l)
	}
	if d := p.Directories(now); len(d) != 1 || d[0].Source != "list staff" || !d[0].Fine {
		t.Errorf("%+v", d)
	}
}

func TestLift(t *testing.T) {
	now := time.Now()
	r := rooms(t, now)
	p := r.Pages(nil)
	bans := p.Bans(now)
	if len(bans) != 1 || bans[0].Network.String() != "192.0.2.7/32" || bans[0].Reason != reason.SMTPSmuggling {
		t.Fatalf("%+v", bans)
	}
	if err := p.Lift(t.Context(), bans[0].Network, "anna"); err != nil {
		t.Error(err)
	}
	if err := p.Lift(t.Context(), bans[0].Network, "anna"); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	if len(p.Bans(time.Now())) != 0 {
		t.Error("it still runs")
	}
}

func TestBoard(t *testing.T) {
	now := time.Now()
	board := live.New(now, rooms(t, now).Board())
	var d sluice.Dialect
	for _, rec := range dialect.Recordings() {
		if rec.Client == "Postfix" {
			d = rec.Replay(dialect.OurName)
			break
		}
	}
	v := board.Opened(now, client)
	v.Dialect(now, "d1m.0123456789", d)
	v.Closed(now)
	s := board.Snapshot(now)
	if n := s.Networks[0]; n.Bans != 1 || n.Banned {
		t.Errorf("%+v", n)
	}
	if x := s.Dialects[0]; !x.Known || x.Bad <= 0.6 || !strings.Contains(x.Words, "(as ") || !strings.Contains(x.Words, "Postfix") {
		t.Errorf("%+v", x)
	}
}

// TestSpeakers: names of programs stand beside the ids that a page lists.
func TestSpeakers(t *testing.T) {
	recs := dialect.Recordings()
	if len(recs) == 0 {
		t.Fatal("no recordings")
	}
	for _, rec := range recs {
		id := dialect.ID(rec.Replay(dialect.OurName), dialect.StageMail)
		if id != "" && !strings.Contains(strings.Join(speakers()[id], ","), rec.Client) {
			t.Errorf("%s isn't among those who speak %s: %v", rec.Client, id, speakers()[id])
		}
	}
}

// TestEmpty: rooms that aren't there hide their parts.
func TestEmpty(t *testing.T) {
	p := Rooms{Lists: func() *dnsbl.Set { return nil }, Directory: func() *directory.Directory { return nil }}.Pages(nil)
	if p.Live != nil || p.Hosts != nil || p.Bans != nil || p.Lift != nil || len(p.Lists(time.Now())) != 0 || len(p.Directories(time.Now())) != 0 {
		t.Errorf("%+v", p)
	}
	if c := (Rooms{}).Board(); c.Bans != nil || c.Bad != nil {
		t.Errorf("%+v", c)
	}
}
