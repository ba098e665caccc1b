package greylist

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice"
	"sluice/guard/network"
	"sluice/store/memory"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func key(client, domain, sender, recipient string) Key {
	return Key{Client: ip(client), Domain: domain, Hello: "mail." + sluice.DomainOf(sender), Sender: sender, Recipient: recipient}
}

// each is a schedule: n tries, so far apart.
func each(d time.Duration, n int) (out []time.Duration) {
	for i := range n {
		out = append(out, time.Duration(i)*d)
	}
	return out
}

func at(clocks ...string) (out []time.Duration) {
	for _, c := range clocks {
		var h, m, s int
		if _, err := fmt.Sscanf(c, "%d:%d:%d", &h, &m, &s); err != nil {
			panic(err)
		}
		out = append(out, time.Duration(h)*time.Hour+time.Duration(m)*time.Minute+time.Duration(s)*time.Second)
	}
	return out
}

// backoff is Postfix's: the wait doubles from the least to the most.
func backoff(least, most time.Duration, n int) (out []time.Duration) {
	var t time.Duration
	for wait := least; n > 0; n-- {
		out = append(out, t)
		t += wait
		wait = min(2*wait, most)
	}
	return out
}

var (
	gmailPool   = []string{"209.85.128.41", "209.85.166.50", "209.85.208.48", "209.85.221.44", "209.85.222.45", "209.85.219.46", "209.85.216.47"}
	hotmailPool = []string{"40.92.66.10", "40.92.90.11", "40.92.75.12", "40.107.20.13"}
	// Five networks of different providers, no two of them near each other.
	scattered = []string{"192.0.2.1", "198.51.100.1", "203.0.113.1", "20.1.1.1", "30.1.1.1", "40.1.1.1", "50.1.1.1"}
)

// TestRetrySchedules plays how real senders try again, from which machines and until
// when; what greylisting adds must be no more than their own pause after the wait.
func TestRetrySchedules(t *testing.T) {
	for _, test := range []struct {
		name    string
		clients []string
		domain  string // authenticated
		tries   []time.Duration
		most    time.Duration // the message is in after so long
	}{
		{"Postfix", []string{"192.0.2.1"}, "", backoff(5*time.Minute, 4000*time.Second, 20), 5 * time.Minute},
		{"Exim", []string{"192.0.2.1"}, "", each(15*time.Minute, 8), 15 * time.Minute},
		{"Sendmail", []string{"192.0.2.1"}, "", each(30*time.Minute, 8), 30 * time.Minute},
		{"qmail", []string{"192.0.2.1"}, "", at("0:0:0", "0:6:40", "0:26:40", "1:0:0"), 400 * time.Second},
		{"OpenSMTPD", []string{"192.0.2.1"}, "", at("0:0:0", "0:6:40", "0:26:40"), 400 * time.Second},
		{"gmail by SPF", gmailPool, "gmail.com", at("0:0:0", "0:6:2", "0:16:2", "0:44:0", "1:30:0"), 6*time.Minute + 2*time.Second},
		{"gmail without SPF", gmailPool, "", at("0:0:0", "0:6:2", "0:16:2", "0:44:0", "1:30:0"), 6*time.Minute + 2*time.Second},
		{"hotmail", hotmailPool, "", at("0:0:0", "0:1:1", "0:3:5", "0:5:0", "0:8:0"), 61 * time.Second},
		{"hotmail by SPF", hotmailPool, "hotmail.com", at("0:0:0", "0:1:1"), 61 * time.Second},
		{"yandex", []string{"77.88.29.1", "77.88.28.2"}, "", at("0:0:0", "0:1:39", "0:5:14", "0:16:0"), 99 * time.Second},
		{"AOL", []string{"74.6.131.1", "74.6.132.2"}, "aol.com", at("0:0:0", "0:1:30", "0:5:0", "0:14:0", "0:31:32"), 90 * time.Second},
		{"AOL's last", []string{"74.6.131.1", "98.137.64.2"}, "", at("0:0:0", "0:0:50", "0:14:59", "0:31:32"), 14*time.Minute + 59*time.Second},
		{"qq", []string{"183.3.255.1", "203.205.221.2", "59.36.132.3"}, "", at("0:0:0", "0:1:0", "0:2:0", "0:5:0", "0:16:0", "1:0:0"), 16 * time.Minute},
		{"impatient", []string{"192.0.2.1"}, "", each(10*time.Second, 30), time.Minute},
		{"a pool without a name, all over the world", scattered, "", each(4*time.Minute, 8), 16 * time.Minute},
		{"IPv6", []string{"2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:9::1"}, "", each(5*time.Minute, 5), 5 * time.Minute},
		{"by IPv6, then by IPv4", []string{"2001:db8:1::1", "192.0.2.1"}, "", each(5*time.Minute, 5), 10 * time.Minute},
		{"by IPv6, then by IPv4, with a name", []string{"2001:db8:1::1", "192.0.2.1"}, "example.org", each(5*time.Minute, 5), 5 * time.Minute},
	} {
		for _, sender := range []string{"ann@sender.example", ""} {
			t.Run(test.name+" from <"+sender+">", func(t *testing.T) {
				l := New(Config{})
				for i, after := range test.tries {
					k := key(test.clients[i%len(test.clients)], test.domain, sender, "bob@here.example")
					v := l.Check(noon.Add(after), k)
					if i == 0 && v.State != First {
						t.Fatalf("the first try: %+v", v)
					}
					if v.State == Pass {
						if after > test.most || !v.Retried {
							t.Fatalf("passed after %v, want %v: %+v", after, test.most, v)
						}
						return
					}
					if v.Until.After(noon.Add(15 * time.Minute)) {
						t.Fatalf("try after %v waits until %v", after, v.Until)
					}
				}
				t.Fatal("never passed")
			})
		}
	}
}

// TestCap: whatever machines a message comes from, and whenever: a try so long after
// the first passes, and one of the same network after the delay.
func TestCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{Delay: time.Duration(rapid.IntRange(1, 600).Draw(t, "delay")) * time.Second}
		l := New(c)
		c.defaults()
		if c.Delay > 5*time.Minute {
			t.Fatal("a delay over five minutes")
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		now, first := noon, map[netip.Prefix]time.Time{}
		for range 40 {
			client := netip.AddrFrom4([4]byte{byte(20 + r.IntN(3)), byte(r.IntN(2)), byte(r.IntN(2)), byte(r.IntN(256))})
			p := network.Prefix(client).Netip()
			if first[p].IsZero() {
				first[p] = now
			}
			v := l.Check(now, Key{Client: client, Sender: "ann@sender.example", Recipient: "bob@here.example"})
			if v.State != Pass && (!now.Before(noon.Add(15*time.Minute)) || !now.Before(first[p].Add(c.Delay))) {
				t.Fatalf("%v after the first try and %v after that of its network: %+v", now.Sub(noon), now.Sub(first[p]), v)
			}
			if v.State != Pass && l.Check(v.Until, Key{Client: client, Sender: "ann@sender.example", Recipient: "bob@here.example"}).State != Pass {
				t.Fatalf("a try at the time that was told doesn't pass: %+v", v)
			}
			if v.State == Pass {
				return
			}
			now = now.Add(time.Duration(r.IntN(200)) * time.Second)
		}
	})
}

// TestOnePassForAll: after success all of the domain or network passes at once, for 60
// days from its last use.
func TestOnePassForAll(t *testing.T) {
	const day = 24 * time.Hour
	l := New(Config{})
	come := func(now time.Time, k Key) {
		t.Helper()
		if v := l.Check(now, k); v.State != First {
			t.Fatalf("%+v", v)
		}
		if v := l.Check(now.Add(5*time.Minute), k); v.State != Pass {
			t.Fatalf("%+v", v)
		}
	}
	come(noon, key("192.0.2.1", "sender.example", "ann@sender.example", "bob@here.example"))
	now := noon.Add(time.Hour)
	v := l.Check(now, key("20.30.40.50", "Sender.Example.", "other@sender.example", "eve@elsewhere.example"))
	if v.State != Pass || v.Retried || v.Detail != "sender.example came back before" {
		t.Errorf("another machine of the domain: %+v", v)
	}
	for i := range 10 { // renewed by use
		if now = now.Add(59 * day); l.Check(now, key(scattered[i%7], "sender.example", "x@sender.example", "y@here.example")).State != Pass {
			t.Fatalf("use %d", i)
		}
	}
	if l.Check(now.Add(60*day), key("50.60.70.80", "sender.example", "x@sender.example", "y@here.example")).State == Pass {
		t.Error("passes after 60 days without use")
	}

	// A network without a name needs two.
	come(noon, key("198.51.100.1", "", "ann@a.example", "bob@here.example"))
	if l.Check(noon.Add(time.Hour), key("198.51.100.9", "", "ann@b.example", "bob@here.example")).State == Pass {
		t.Error("the network passes after one return")
	}
	if l.Check(noon.Add(65*time.Minute), key("198.51.100.9", "", "ann@b.example", "bob@here.example")).State != Pass {
		t.Error("the second one doesn't pass")
	}
	if v := l.Check(noon.Add(65*time.Minute), key("198.51.100.77", "", "ann@c.example", "bob@other.example")); v.State != Pass {
		t.Errorf("the network doesn't pass after two returns: %+v", v)
	}
	if l.Check(noon.Add(65*time.Minute), key("198.51.101.77", "", "ann@c.example", "bob@other.example")).State == Pass {
		t.Error("the next network passes")
	}
}

// TestBots that don't come back as servers do.
func TestBots(t *testing.T) {
	t.Run("another recipient each time", func(t *testing.T) {
		l := New(Config{})
		for i := range 1000 {
			k := key("198.51.100.66", "", fmt.Sprintf("x%d@forged%d.example", i, i), fmt.Sprintf("u%d@here.example", i))
			if v := l.Check(noon.Add(time.Duration(i)*time.Minute), k); v.State != First {
				t.Fatalf("message %d: %+v", i, v)
			}
		}
	})
	t.Run("a botnet with one forged sender", func(t *testing.T) {
		l := New(Config{})
		for i := range 1000 {
			k := key(netip.AddrFrom4([4]byte{byte(20 + i%200), byte(i), 1, 1}).String(), "", "ceo@bank.example", fmt.Sprintf("u%d@here.example", i))
			if v := l.Check(noon.Add(time.Duration(i)*time.Minute), k); v.State != First {
				t.Fatalf("message %d: %+v", i, v)
			}
		}
	})
	t.Run("at once again", func(t *testing.T) {
		l := New(Config{})
		k := key("198.51.100.66", "", "x@forged.example", "u@here.example")
		for i := range 59 {
			v := l.Check(noon.Add(time.Duration(i)*time.Second), k)
			if v.State == Pass || !v.Until.Equal(noon.Add(time.Minute)) {
				t.Fatalf("second %d: %+v: the wait must not grow", i, v)
			}
		}
	})
	t.Run("days later", func(t *testing.T) {
		l := New(Config{})
		k := key("198.51.100.66", "", "x@forged.example", "u@here.example")
		l.Check(noon, k)
		if v := l.Check(noon.Add(25*time.Hour), k); v.State != First {
			t.Fatalf("%+v", v)
		}
	})
}

// TestSpoil: who came back with spam must wait again; who sent much more before need
// not.
func TestSpoil(t *testing.T) {
	l := New(Config{})
	k := key("198.51.100.66", "bot.example", "x@bot.example", "u@here.example")
	l.Check(noon, k)
	l.Check(noon.Add(2*time.Minute), k)
	if l.Check(noon.Add(3*time.Minute), k).Retried {
		t.Fatal("has no pass")
	}
	l.Spoil(noon.Add(3*time.Minute), k)
	if v := l.Check(noon.Add(4*time.Minute), key("198.51.100.66", "bot.example", "y@bot.example", "v@other.example")); v.State != First {
		t.Errorf("%+v", v)
	}
	good := key("192.0.2.1", "good.example", "x@good.example", "u@here.example")
	l.Check(noon, good)
	for i := range 10 {
		l.Check(noon.Add(2*time.Minute+time.Duration(i)*7*time.Hour), good)
	}
	l.Spoil(noon.Add(80*time.Hour), good)
	if v := l.Check(noon.Add(80*time.Hour), good); v.State != Pass {
		t.Errorf("one spam against many good ones: %+v", v)
	}
}

// TestNoDuplicates is mox#396: one message to several recipients was greylisted for
// some and delivered for others, then again. Every delivery must happen exactly once,
// whatever recipients a retry names.
func TestNoDuplicates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := New(Config{})
		recipients := []string{"a@one.example", "b@one.example", "c@one.example", "d@two.example", "e@two.example"}
		client := rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.9", "20.30.40.50"})
		delivered, now := map[string]int{}, noon
		left := slices.Clone(recipients)
		for len(left) > 0 && now.Before(noon.Add(10*time.Hour)) {
			// One session: RCPT for some of those left, slowly; the message for those
			// who were accepted; some sessions have a second transaction.
			s := l.Session()
			c := client.Draw(t, "client")
			for range rapid.IntRange(1, 2).Draw(t, "transactions") {
				answers := map[string]State{}
				var accepted []string
				for _, r := range left {
					if !rapid.Bool().Draw(t, "names "+r) {
						continue
					}
					now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "slow")) * time.Second)
					v := s.Check(now, key(c, "", "ann@sender.example", r))
					d := sluice.DomainOf(r)
					if was, ok := answers[d]; ok && was != v.State {
						t.Fatalf("%s: %v, another of its domain in this transaction: %v", r, v.State, was)
					}
					if answers[d] = v.State; v.State == Pass {
						accepted = append(accepted, r)
					}
				}
				for _, r := range accepted {
					delivered[r]++
					left = slices.DeleteFunc(left, func(x string) bool { return x == r })
				}
			}
			now = now.Add(5 * time.Minute)
		}
		for _, r := range recipients {
			if delivered[r] != 1 {
				t.Fatalf("%s got %d copies: %v", r, delivered[r], delivered)
			}
		}
	})
}

// TestSession: the first answer stands though the wait is over meanwhile, but not for
// ever.
func TestSession(t *testing.T) {
	l := New(Config{})
	s := l.Session()
	k := key("192.0.2.1", "", "ann@sender.example", "a@one.example")
	first := s.Check(noon, k)
	for m := range 15 {
		k.Recipient, k.Sender = fmt.Sprintf("u%d@ONE.example", m), fmt.Sprintf("ann%d@sender.example", m)
		if v := s.Check(noon.Add(time.Duration(m)*time.Minute), k); v != first {
			t.Fatalf("minute %d: %+v, first %+v", m, v, first)
		}
	}
	if v := s.Check(noon.Add(15*time.Minute), k); v.State != Pass {
		t.Errorf("after the cap: %+v", v)
	}
	if v := l.Session().Check(noon.Add(2*time.Minute), k); v.State != Pass {
		t.Errorf("another session: %+v", v)
	}
	for i := range 10_000 {
		k.Recipient = fmt.Sprintf("u@d%d.example", i)
		s.Check(noon, k)
	}
	if len(s.answers) > most {
		t.Errorf("a session remembers %d answers", len(s.answers))
	}
}

func TestMemos(t *testing.T) {
	ctx, memos := context.Background(), memory.New()
	l := New(Config{})
	for i := range 5 {
		k := key(scattered[i], fmt.Sprintf("d%d.example", i), "x@y.example", "u@here.example")
		l.Check(noon, k)
		l.Check(noon.Add(2*time.Minute), k)
	}
	for i, sender := range []string{"x@a.example", "x@b.example"} {
		k := key("2001:db8::1", "", sender, "u@here.example")
		l.Check(noon.Add(time.Duration(i)*time.Hour), k)
		l.Check(noon.Add(time.Duration(i)*time.Hour+2*time.Minute), k)
	}
	now := noon.Add(2 * time.Hour)
	n, err := l.Save(ctx, now, memos)
	if err != nil || n != 5+5+1 { // domains, their networks, and the one without a name
		t.Fatalf("%d written, %v", n, err)
	}
	if n, err := l.Save(ctx, now, memos); n != 0 || err != nil {
		t.Fatalf("%d written again, %v", n, err)
	}
	for i, bad := range []sluice.Memo{{Key: "bad.example", Value: []byte("{")}, {Key: "1.2.3.4/33", Value: []byte(`{"returns":9}`)},
		{Key: strings.Repeat("x", 300), Value: []byte(`{"returns":9,"last":"2026-03-14T12:00:00Z"}`)},
		{Key: "future.example", Value: []byte(`{"returns":9,"last":"2036-03-14T12:00:00Z"}`)}} {
		bad.Kind, bad.Updated = Kind, now
		if err := memos.PutMemos(ctx, []sluice.Memo{bad}); err != nil {
			t.Fatal(i, err)
		}
	}
	again := New(Config{})
	loaded, err := again.Load(ctx, now, memos)
	if loaded != 11 || err == nil || !strings.Contains(err.Error(), "4 memos can't be read") {
		t.Fatalf("%d loaded, %v", loaded, err)
	}
	for _, k := range []Key{key("50.60.70.80", "d3.example", "a@b.example", "c@d.example"), key("2001:db8:0:7::9", "", "a@b.example", "c@d.example")} {
		if v := again.Check(now, k); v.State != Pass || v.Retried {
			t.Errorf("%v after a restart: %+v", k, v)
		}
	}
	if v := again.Check(now, key(scattered[1], "", "a@b.example", "c@d.example")); v.State != First {
		t.Errorf("one return of a network is two after a restart: %+v", v)
	}
	late := now.Add(61 * 24 * time.Hour)
	if n, err := New(Config{}).Load(ctx, late, memos); n != 0 || err == nil {
		t.Errorf("%d loaded after 61 days, %v", n, err)
	}
	if _, err := New(Config{}).Save(ctx, late, memos); err != nil {
		t.Fatal(err)
	}
	left := 0
	if err := memos.EachMemo(ctx, Kind, func(sluice.Memo) error { left++; return nil }); err != nil || left != 0 {
		t.Errorf("%d memos left after 61 days, %v", left, err)
	}
}

// TestFlood: millions of bots that come once, and many that come back, push out
// neither passes nor those who are about to come back.
func TestFlood(t *testing.T) {
	bots := 3_000_000
	if testing.Short() || raceEnabled {
		bots = 200_000
	}
	l := New(Config{Size: 40_000})
	domain := func(i int) Key {
		return Key{Client: netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 1}), Domain: fmt.Sprintf("good%d.example", i), Sender: "a@b.example", Recipient: "u@here.example"}
	}
	const known = 5000
	for i := range known {
		l.Check(noon, domain(i))
		l.Check(noon.Add(2*time.Minute), domain(i))
	}
	start := noon.Add(time.Hour)
	r := rand.New(rand.NewPCG(1, 2))
	waiting := domain(known + 1)
	waiting.Sender = "late@late.example"
	l.Check(start, waiting)
	for i := range bots {
		now := start.Add(time.Duration(i) * time.Second / 100) // a hundred a second
		k := Key{Client: netip.AddrFrom4([4]byte{byte(100 + r.IntN(50)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}), Sender: "x@y.example", Recipient: "u@here.example"}
		l.Check(now, k)
		if i == 60*100 {
			if v := l.Check(now, waiting); v.State != Pass {
				t.Fatalf("a first try was forgotten within a minute of 100 new ones a second: %+v", v)
			}
		}
	}
	s := l.Stats()
	if s.Tries.Len > s.Tries.Capacity || s.Passes.Len > s.Passes.Capacity || s.Tries.Capacity > 41_000 {
		t.Errorf("%+v", s)
	}
	end := start.Add(time.Duration(bots) * time.Second / 100)
	for i := range known {
		if v := l.Check(end, domain(i)); v.State != Pass {
			t.Fatalf("good domain %d was pushed out: %+v", i, v)
		}
	}
}

func BenchmarkCheckPass(b *testing.B) {
	l := New(Config{})
	k := key("192.0.2.1", "sender.example", "ann@sender.example", "bob@here.example")
	l.Check(noon, k)
	l.Check(noon.Add(2*time.Minute), k)
	b.ReportAllocs()
	for b.Loop() {
		l.Check(noon.Add(3*time.Minute), k)
	}
}

func BenchmarkCheckNew(b *testing.B) {
	l := New(Config{})
	k := key("192.0.2.1", "", "ann@sender.example", "bob@here.example")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k.Client = netip.AddrFrom4([4]byte{byte(20 + i>>24), byte(i >> 16), byte(i >> 8), byte(i)})
		l.Check(noon, k)
	}
}
