package guard

import (
	"net/netip"
	"testing"
	"time"

	"sluice/reason"
)

// guess tries a wrong password and says whether it was looked at.
func guess(g *Guard, now time.Time, a netip.Addr, account string, password uint64) bool {
	if !g.LoginAllowed(now, a, account).Allow {
		return false
	}
	g.LoginFailed(now, a, account, password)
	return true
}

// enter logs in with the right password and says whether that was possible.
func enter(g *Guard, now time.Time, a netip.Addr, account string) bool {
	if !g.LoginAllowed(now, a, account).Allow {
		return false
	}
	g.LoginOK(now, a, account)
	return true
}

// TestGuessing: one network, one account. Delays grow, then it is refused; the times
// double.
func TestGuessing(t *testing.T) {
	g := New(Config{})
	var delays []time.Duration
	for i := range 10 {
		d := g.LoginAllowed(noon, bot, "ann")
		if !d.Allow {
			t.Fatalf("try %d: %+v", i+1, d)
		}
		delays = append(delays, d.Delay/time.Second)
		d = g.LoginFailed(noon, bot, "ann", uint64(i+1))
		if last := i == 9; d.Allow == last || last != (d.Reason == reason.AuthGuessing) || !last && d.Reason != reason.AuthFailed {
			t.Fatalf("failure %d: %+v", i+1, d)
		}
	}
	for i, want := range []time.Duration{0, 0, 0, 1, 2, 4, 8, 16, 30, 30} {
		if delays[i] != want {
			t.Fatalf("delays: %v", delays)
		}
	}
	d := g.LoginAllowed(noon, bot, "ANN") // letters' case gains nothing
	if d.Allow || d.Reason != reason.AuthGuessing || !d.Until.Equal(noon.Add(15*time.Minute)) {
		t.Fatalf("%+v", d)
	}
	if !banned(g, noon, bot) {
		t.Error("guessing is no offence")
	}
	if !enter(g, noon, in("198.51.100.0", 1), "bob") {
		t.Error("another account of the network is refused")
	}
	if !enter(g, noon, owner, "ann") {
		t.Error("the owner is refused elsewhere")
	}
	// Two days of it: what gets through.
	n := 0
	for s := range 2 * 24 * 60 {
		if guess(g, noon.Add(time.Duration(s)*time.Minute), bot, "ann", uint64(1000+s)) {
			n++
		}
	}
	if n > 75 { // eight refusals, each half of the limit or a little more apart
		t.Errorf("%d guesses in two days", n)
	}
}

// TestManyAtOnce: a thousand tries that begin before the first is decided are no more
// than ten.
func TestManyAtOnce(t *testing.T) {
	g := New(Config{})
	n := 0
	for range 1000 {
		if g.LoginAllowed(noon, bot, "ann").Allow {
			n++
		}
	}
	if n != 10 {
		t.Errorf("%d tries at once", n)
	}
	// A back end without an answer gives them back, and a caller that forgets loses
	// them for a minute only.
	for range n {
		g.LoginUndecided(noon, bot, "ann")
	}
	if d := g.LoginAllowed(noon, bot, "ann"); !d.Allow || d.Delay != 0 {
		t.Errorf("after the back end came to: %+v", d)
	}
	if !g.LoginAllowed(noon.Add(2*time.Minute), bot, "ann").Allow {
		t.Error("still waiting for what nobody will decide")
	}
}

// TestForgottenPhone: a device with the old password, every minute for a week, at home
// and in a network that the account never used.
func TestForgottenPhone(t *testing.T) {
	for name, phone := range map[string]netip.Addr{
		"at home":         owner,
		"a neighbour":     in("203.0.113.0", 77),
		"somewhere":       v4(1),
		"before we began": v4(2),
	} {
		g := New(Config{})
		if name != "before we began" {
			enter(g, noon, owner, "ann")
		}
		for i := range 7 * 24 * 60 {
			now := noon.Add(time.Duration(i) * time.Minute)
			if d := g.LoginAllowed(now, phone, "ann"); !d.Allow || d.Delay > 0 {
				t.Fatalf("%s, minute %d: %+v", name, i, d)
			}
			if d := g.LoginFailed(now, phone, "ann", 42); !d.Allow || d.Reason != reason.AuthFailed {
				t.Fatalf("%s, minute %d: %+v", name, i, d)
			}
			if d := g.Admit(now, phone); !d.Allow {
				t.Fatalf("%s, minute %d: %+v", name, i, d)
			}
			if i%60 == 0 && (!enter(g, now, owner, "ann") || banned(g, now, owner)) {
				t.Fatalf("%s, minute %d: the owner is locked out", name, i)
			}
		}
	}
}

// TestForgottenPhoneTravels: it fails from a hundred mobile networks, with one password.
func TestForgottenPhoneTravels(t *testing.T) {
	g := New(Config{})
	for i := range 7 * 24 * 60 {
		now := noon.Add(time.Duration(i) * time.Minute)
		guess(g, now, v4((i/60%100)<<8), "ann", 42)
		if i%60 == 0 && !enter(g, now, v4(1<<20+i), "ann") {
			t.Fatalf("minute %d: the owner can't log in on a journey", i)
		}
	}
}

// TestBotnet: ten thousand addresses guess the password of one account. It is closed
// to strangers after 30 of them; its owner comes and goes.
func TestBotnet(t *testing.T) {
	g := New(Config{})
	if !enter(g, noon.Add(-20*24*time.Hour), owner, "ann") {
		t.Fatal("the owner can't log in")
	}
	n := 0
	for i := range 10_000 {
		if guess(g, noon.Add(time.Duration(i)*time.Second), v4(i<<8), "ann", uint64(i+1)) {
			n++
		}
		if i%100 == 0 && !enter(g, noon.Add(time.Duration(i)*time.Second), owner, "ann") {
			t.Fatal("the owner is locked out")
		}
	}
	if n < 30 || n > 65 { // 30, and some more each time that it opens
		t.Errorf("%d guesses were looked at in three hours", n)
	}
	now := noon.Add(10_000 * time.Second)
	d := g.LoginAllowed(now, v4(7<<20), "ann")
	if d.Allow || d.Reason != reason.AuthGuessing || d.Until.Before(now) {
		t.Errorf("a stranger: %+v", d)
	}
	// A neighbour of the owner's is in a network that it used.
	if !enter(g, now, in("203.0.113.0", 200), "ann") {
		t.Error("the owner's network is closed")
	}
	if !enter(g, now, v4(9<<20), "bob") {
		t.Error("other accounts suffer")
	}
	if len(g.Bans(now)) != 0 {
		t.Error("a single try is an offence")
	}
	// It ends by itself.
	if !enter(g, now.Add(24*time.Hour), v4(8<<20), "ann") {
		t.Error("still closed a day later")
	}
}

// TestBotnetAtOnce: all begin before the first is decided.
func TestBotnetAtOnce(t *testing.T) {
	g := New(Config{})
	n := 0
	for i := range 10_000 {
		if g.LoginAllowed(noon, v4(i<<8), "ann").Allow {
			n++
		}
	}
	if n > 60 {
		t.Errorf("%d tries at once", n)
	}
}

// TestOneNetworkIsNoSiege: one attacker can't close an account to other networks.
func TestOneNetworkIsNoSiege(t *testing.T) {
	g := New(Config{})
	for i := range 5 * 24 * 60 {
		now := noon.Add(time.Duration(i) * time.Minute)
		guess(g, now, in("198.51.100.0", i%250), "ann", uint64(i+1))
		if i%60 == 0 && !enter(g, now, v4(1<<20+i<<8), "ann") {
			t.Fatalf("minute %d: the owner can't log in elsewhere", i)
		}
	}
}

// TestSpray: one /24 tries one password on a thousand accounts.
func TestSpray(t *testing.T) {
	g := New(Config{})
	enter(g, noon, in("198.51.100.0", 9), "carol")
	n := 0
	for i := range 1000 {
		if guess(g, noon.Add(time.Duration(i)*time.Second), in("198.51.100.0", i%200+10), account(i), 7) {
			n++
		}
	}
	if n < 20 || n > 45 {
		t.Errorf("%d of 1000 accounts were tried", n)
	}
	now := noon.Add(1000 * time.Second)
	if d := g.LoginAllowed(now, in("198.51.100.0", 3), "dave"); d.Allow || d.Reason != reason.AuthGuessing {
		t.Errorf("%+v", d)
	}
	if !enter(g, now, in("198.51.100.0", 5), "carol") {
		t.Error("who logged in from there before is locked out")
	}
	if !enter(g, now, owner, account(3)) {
		t.Error("an account that was tried is locked elsewhere")
	}
}

func account(i int) string {
	return "user" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
}

// TestOffice: forty people behind one address mistype now and then, and their devices
// have old passwords: nobody is stopped.
func TestOffice(t *testing.T) {
	g := New(Config{})
	for i := range 40 {
		enter(g, noon, owner, account(i))
	}
	for m := range 24 * 60 {
		now := noon.Add(time.Duration(m) * time.Minute)
		for i := range 40 {
			if i < 10 {
				guess(g, now, owner, account(i), uint64(i+1)) // old passwords
			}
			if (m+i)%200 == 0 {
				guess(g, now, owner, account(i), uint64(1000+m)) // a slip
			}
			if m%30 == 0 && !enter(g, now, owner, account(i)) {
				t.Fatalf("minute %d: user %d is locked out", m, i)
			}
		}
	}
	if !enter(g, noon.Add(24*time.Hour), owner, "a new colleague") {
		t.Error("a new colleague is locked out")
	}
}

// TestGuesserAtHome: somebody else in the owner's network guesses with new passwords.
// The owner's own device isn't slowed by that; the guesser is held to one a minute.
func TestGuesserAtHome(t *testing.T) {
	g := New(Config{})
	enter(g, noon, owner, "ann")
	n := 0
	for s := range 60 * 60 {
		now := noon.Add(time.Duration(s) * time.Second)
		if guess(g, now, in("203.0.113.0", 99), "ann", uint64(s+1)) {
			n++
		}
		if s%60 == 0 && !enter(g, now, owner, "ann") {
			t.Fatalf("second %d: the owner is locked out", s)
		}
	}
	if n < 60 || n > 70 {
		t.Errorf("%d guesses in an hour, want ten at once and one a minute", n)
	}
	// Another device of the owner's in that network must wait a minute at most.
	d := g.LoginAllowed(noon.Add(time.Hour), in("203.0.113.0", 50), "ann")
	if wait := d.Until.Sub(noon.Add(time.Hour)); !d.Allow && wait > time.Minute {
		t.Errorf("a neighbour waits %v", wait)
	}
}

// TestStolen: a password that is right amid failures at other accounts was probably
// guessed: the login is allowed, but earns nothing.
func TestStolen(t *testing.T) {
	g := New(Config{})
	for i := range 15 {
		guess(g, noon, bot, account(i), 7)
	}
	d := g.LoginOK(noon, bot, "victim")
	if !d.Allow || d.Reason != reason.AuthGuessing || d.Detail == "" {
		t.Errorf("%+v", d)
	}
	if g.hasLoggedIn(noon, g.attempt(noon, bot, "victim").key.who) || g.nearness(noon, bot, "victim") != strange {
		t.Error("it made the attacker at home")
	}
	if d := g.LoginOK(noon, owner, "victim"); d != allowed {
		t.Errorf("the owner: %+v", d)
	}
}

// TestPlaces: an account remembers its latest places, and no more.
func TestPlaces(t *testing.T) {
	g := New(Config{})
	for i := range 100 {
		enter(g, noon.Add(time.Duration(i)*time.Minute), v4(i<<8), "ann")
	}
	v, _ := g.homes.Get("ann")
	if len(v.places) != places {
		t.Fatalf("%d places", len(v.places))
	}
	now := noon.Add(100 * time.Minute)
	for i := range 100 {
		if got := g.nearness(now, v4(i<<8), "ANN") == exact; got != (i >= 100-places) {
			t.Errorf("place %d: %v", i, got)
		}
	}
	if g.nearness(now.Add(31*24*time.Hour), v4(99<<8), "ann") != strange {
		t.Error("at home after a month's absence")
	}
}

// TestSocketLogins: programs of our own machine share no network that could be banned.
func TestSocketLogins(t *testing.T) {
	g := New(Config{})
	for i := range 1000 {
		guess(g, noon, netip.Addr{}, account(i), 7)
	}
	if !enter(g, noon, netip.Addr{}, "ann") {
		t.Error("a socket is locked out for failures at other accounts")
	}
}
