package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sluice/guard/network"
	"sluice/reason"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

var (
	bot   = netip.MustParseAddr("198.51.100.66")
	owner = netip.MustParseAddr("203.0.113.5")
	proxy = netip.MustParseAddr("10.0.0.1")
)

// v4 is an address of its own for each i.
func v4(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(20 + i>>24&63), byte(i >> 16), byte(i >> 8), byte(i)})
}

// in is the i-th client of a /24.
func in(prefix string, i int) netip.Addr {
	b := netip.MustParseAddr(prefix).As4()
	b[3] = byte(i)
	return netip.AddrFrom4(b)
}

func offend(g *Guard, now time.Time, a netip.Addr) Decision {
	return g.Offend(now, a, reason.SMTPSmuggling, Weight(reason.SMTPSmuggling))
}

func banned(g *Guard, now time.Time, a netip.Addr) bool {
	return g.Admit(now, a).Reason == reason.ClientBanned
}

// TestBanDoubles: bans of a client within a day grow from ten minutes to a day, end by
// themselves, and start anew after a quiet day.
func TestBanDoubles(t *testing.T) {
	g := New(Config{})
	now := noon
	for i, minutes := range []int{10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440} {
		d := offend(g, now, bot)
		if want := now.Add(time.Duration(minutes) * time.Minute); d.Allow || d.Reason != reason.ClientBanned || !d.Until.Equal(want) {
			t.Fatalf("ban %d: %+v, want until %v", i+1, d, want)
		}
		if !banned(g, d.Until.Add(-time.Nanosecond), bot) || banned(g, d.Until, bot) {
			t.Fatalf("ban %d doesn't end at %v", i+1, d.Until)
		}
		now = d.Until.Add(time.Hour)
	}
	now = now.Add(24 * time.Hour)
	if d := offend(g, now, bot); !d.Until.Equal(now.Add(10 * time.Minute)) {
		t.Errorf("after a quiet day: %v", d.Until.Sub(now))
	}
}

// TestOffencesAddUp: small offences add up and fade.
func TestOffencesAddUp(t *testing.T) {
	g := New(Config{})
	w := Weight(reason.EarlyTalker)
	for i := range 2 {
		if d := g.Offend(noon, bot, reason.EarlyTalker, w); !d.Allow {
			t.Fatalf("banned at offence %d", i+1)
		}
	}
	if d := g.Offend(noon.Add(6*time.Hour), bot, reason.EarlyTalker, w); !d.Allow {
		t.Fatal("offences of the morning count in the evening")
	}
	g.Offend(noon.Add(6*time.Hour), bot, reason.EarlyTalker, w)
	if d := g.Offend(noon.Add(6*time.Hour), bot, reason.EarlyTalker, w); d.Allow {
		t.Fatal("three early talks at once are no ban")
	}
	for _, w := range []float64{0, -5} {
		for range 100 {
			if d := g.Offend(noon, owner, reason.BareLF, w); !d.Allow {
				t.Fatalf("weight %v counts", w)
			}
		}
	}
}

// TestGoodIsSlowToBan: a client that sent wanted mail needs three times as much.
func TestGoodIsSlowToBan(t *testing.T) {
	g := New(Config{})
	g.Good(noon, owner)
	for i := range 3 {
		if d := offend(g, noon, owner); d.Allow != (i < 2) {
			t.Fatalf("offence %d: %+v", i+1, d)
		}
	}
}

// TestPrefixBan: a network is banned where many of its clients offend and none was
// ever good.
func TestPrefixBan(t *testing.T) {
	stranger := in("198.51.100.0", 200)
	flood := func(g *Guard) {
		for i := range 30 {
			offend(g, noon, in("198.51.100.0", i))
		}
	}
	g := New(Config{})
	for i := range 11 {
		offend(g, noon, in("198.51.100.0", i))
	}
	for range 50 { // one client often is not many
		offend(g, noon, in("198.51.100.0", 0))
	}
	if banned(g, noon, stranger) {
		t.Fatal("banned for eleven neighbours")
	}
	flood(g)
	if !banned(g, noon, stranger) {
		t.Fatal("not banned for thirty neighbours")
	}
	if banned(g, noon, netip.MustParseAddr("198.51.101.200")) {
		t.Fatal("the next network is banned too")
	}
	if banned(g, noon.Add(10*time.Minute), stranger) {
		t.Fatal("the ban of a network doesn't end")
	}

	for name, good := range map[string]func(*Guard){
		"wanted mail": func(g *Guard) { g.Good(noon.Add(-50*24*time.Hour), in("198.51.100.0", 77)) },
		"login":       func(g *Guard) { g.LoginOK(noon, in("198.51.100.0", 78), "ann"); g.Good(noon, in("198.51.100.0", 78)) },
	} {
		g := New(Config{})
		good(g)
		flood(g)
		if banned(g, noon, stranger) {
			t.Errorf("%s from a network doesn't keep it from a ban", name)
		}
		if !banned(g, noon, in("198.51.100.0", 3)) {
			t.Errorf("%s: the offender isn't banned", name)
		}
	}
	g = New(Config{Known: func(p netip.Prefix) bool { return p == netip.MustParsePrefix("198.51.100.0/24") }})
	if flood(g); banned(g, noon, stranger) {
		t.Error("banned a network that the reputation knows")
	}
	g = New(Config{})
	if flood(g); !banned(g, noon, stranger) {
		t.Fatal("no ban")
	}
	g.Good(noon, in("198.51.100.0", 99)) // a session that was open
	if banned(g, noon, stranger) {
		t.Error("wanted mail doesn't end the ban of a network")
	}
	g = New(Config{Bans: Bans{Neighbours: -1}})
	if flood(g); banned(g, noon, stranger) {
		t.Error("networks are banned though that is off")
	}
}

// TestIPv6: a machine picks its address freely inside its /64.
func TestIPv6(t *testing.T) {
	g := New(Config{})
	offend(g, noon, netip.MustParseAddr("2001:db8:1:2::1"))
	if !banned(g, noon, netip.MustParseAddr("2001:db8:1:2:3:4:5:6")) || banned(g, noon, netip.MustParseAddr("2001:db8:1:3::1")) {
		t.Error("a ban isn't for the /64")
	}
	for i := range 40 {
		offend(g, noon, netip.MustParseAddr(fmt.Sprintf("2001:db8:9:%x::1", i)))
	}
	if !banned(g, noon, netip.MustParseAddr("2001:db8:9:ffff::1")) || banned(g, noon, netip.MustParseAddr("2001:db8:a::1")) {
		t.Error("the /48 isn't banned")
	}
}

// What hurt users of other servers, each by what they reported.

// TestProxyIsNeverBanned is stalwart#2919: the ban hit the reverse proxy, and with it
// everybody.
func TestProxyIsNeverBanned(t *testing.T) {
	g := New(Config{Immune: func(a netip.Addr) bool { return a == proxy }})
	for range 1000 {
		if d := offend(g, noon, proxy); !d.Allow {
			t.Fatal("the proxy is banned")
		}
		if d := g.Admit(noon, proxy); !d.Allow {
			t.Fatalf("the proxy is limited: %+v", d)
		}
		g.LoginAllowed(noon, proxy, "ann")
		if g.LoginFailed(noon, proxy, "ann", 0); banned(g, noon, proxy) {
			t.Fatal("failed logins ban the proxy")
		}
	}
	if len(g.Bans(noon)) != 0 {
		t.Errorf("%v", g.Bans(noon))
	}
}

// TestAllowListedIsNeverBanned is stalwart#1922: allow-listed networks were banned all
// the same.
func TestAllowListedIsNeverBanned(t *testing.T) {
	allow := netip.MustParsePrefix("192.0.2.0/25")
	g := New(Config{Immune: allow.Contains})
	for i := range 128 { // more than enough for a ban of the network, if they counted
		offend(g, noon, in("192.0.2.0", i))
	}
	for i := range 256 {
		if banned(g, noon, in("192.0.2.0", i)) {
			t.Fatalf("192.0.2.%d is banned", i)
		}
	}
	// Their neighbours may earn a ban of the network; it isn't theirs.
	for i := range 40 {
		offend(g, noon, in("192.0.2.0", 128+i))
	}
	if !banned(g, noon, in("192.0.2.0", 255)) || banned(g, noon, in("192.0.2.0", 5)) {
		t.Error("the ban of a network must spare those who are allowed")
	}
}

// TestOwnHomeIsNeverBanned is stalwart#2441: a forgotten device at home got the whole
// family banned.
func TestOwnHomeIsNeverBanned(t *testing.T) {
	g := New(Config{})
	g.LoginOK(noon, owner, "ann")
	day := 24 * time.Hour
	for i := range 29 {
		for range 20 {
			if d := offend(g, noon.Add(time.Duration(i)*day), owner); !d.Allow {
				t.Fatalf("banned on day %d after a login", i)
			}
		}
	}
	// Immunity is for the client alone, and fades.
	if d := offend(g, noon, in("203.0.113.0", 6)); d.Allow {
		t.Error("a neighbour is immune too")
	}
	if d := offend(g, noon.Add(31*day), owner); d.Allow {
		t.Error("immune after 31 days without a login")
	}
	// A neighbourhood full of bots doesn't hit the owner.
	now := noon.Add(40 * day)
	g.Authenticated(now, owner, "ann")
	for i := 100; i < 140; i++ {
		offend(g, now, in("203.0.113.0", i))
	}
	if banned(g, now, owner) || !banned(g, now, in("203.0.113.0", 99)) {
		t.Error("a network's ban must spare who logged in")
	}
	// A login elsewhere in a banned network (a phone's open session) frees it.
	g.LoginOK(now, in("203.0.113.0", 7), "bob")
	if banned(g, now, in("203.0.113.0", 99)) {
		t.Error("a network with an owner in it stays banned")
	}
}

// TestUnban is the admin's way out, and the list that leads there.
func TestUnban(t *testing.T) {
	g := New(Config{})
	offend(g, noon, bot)
	offend(g, noon.Add(time.Minute), v4(9))
	list := g.Bans(noon.Add(2 * time.Minute))
	if len(list) != 2 || list[0].Network != network.Host(v4(9)).Netip() || list[1].Network.Addr() != bot || list[1].Times != 1 ||
		list[1].Reason != reason.SMTPSmuggling || !list[1].Until.Equal(noon.Add(10*time.Minute)) || !list[1].Since.Equal(noon) {
		t.Fatalf("%+v", list)
	}
	if !g.Unban(noon.Add(2*time.Minute), bot) || banned(g, noon.Add(2*time.Minute), bot) || g.Unban(noon.Add(2*time.Minute), bot) {
		t.Error("can't be lifted")
	}
	// It is as if it had never been.
	if d := offend(g, noon.Add(3*time.Minute), bot); !d.Until.Equal(noon.Add(13 * time.Minute)) {
		t.Errorf("the next ban lasts until %v", d.Until)
	}
	for i := range 20 {
		offend(g, noon, in("192.0.2.0", i))
	}
	if g.Unban(noon, in("192.0.2.0", 200)); banned(g, noon, in("192.0.2.0", 201)) {
		t.Error("the network's ban can't be lifted")
	}
	if n := len(g.Bans(noon.Add(48 * time.Hour))); n != 0 {
		t.Errorf("%d bans are listed that are over", n)
	}
}

// TestNoAddress: a client without an IP address (a socket) is nobody's.
func TestNoAddress(t *testing.T) {
	g := New(Config{})
	for range 1000 {
		if d := offend(g, noon, netip.Addr{}); !d.Allow {
			t.Fatal("no address is banned")
		}
		if d := g.Admit(noon, netip.Addr{}); !d.Allow {
			t.Fatal("no address is limited")
		}
		g.Good(noon, netip.Addr{})
		g.Authenticated(noon, netip.Addr{}, "ann")
		if h := g.Recipient(noon, Probe{Recipient: "x@example.org"}); h.State != Open {
			t.Fatal("no address harvests")
		}
	}
}
