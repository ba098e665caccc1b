package guard

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/reason"
)

// TestConnectionRate: a minute's worth at once, then at the pace of the rate.
func TestConnectionRate(t *testing.T) {
	g := New(Config{})
	for i := range 60 {
		if d := g.Admit(noon, bot); !d.Allow {
			t.Fatalf("connection %d is refused", i+1)
		}
	}
	d := g.Admit(noon, bot)
	if d.Allow || d.Reason != reason.ConnectionRate || !d.Until.Equal(noon.Add(time.Second)) || !strings.Contains(d.Detail, "198.51.100.66/32") {
		t.Fatalf("%+v", d)
	}
	for range 100 { // what is refused costs nothing
		g.Admit(noon, bot)
	}
	if d := g.Admit(noon.Add(time.Second), bot); !d.Allow {
		t.Errorf("a second later: %+v", d)
	}
	if d := g.Admit(noon.Add(time.Second), bot); d.Allow {
		t.Error("two in that second")
	}
	if d := g.Admit(noon, in("198.51.100.0", 1)); !d.Allow {
		t.Errorf("a neighbour: %+v", d)
	}
}

// TestPrefixConnectionRate: the network has a rate of its own.
func TestPrefixConnectionRate(t *testing.T) {
	g := New(Config{})
	n := 0
	for i := range 256 {
		for range 10 {
			if g.Admit(noon, in("198.51.100.0", i)).Allow {
				n++
			}
		}
	}
	if n != 300 {
		t.Errorf("%d connections of a network, want 300", n)
	}
}

// TestKnownConnectsFaster: known clients and users get a multiple, at whichever level
// the limit is reached.
func TestKnownConnectsFaster(t *testing.T) {
	for name, introduce := range map[string]func(*Guard){
		"good":  func(g *Guard) { g.Good(noon, owner) },
		"login": func(g *Guard) { g.LoginOK(noon, owner, "ann") },
	} {
		g := New(Config{})
		introduce(g)
		n := 0
		for ms := range 60_000 / 50 {
			if g.Admit(noon.Add(time.Duration(ms)*50*time.Millisecond), owner).Allow {
				n++
			}
		}
		if n < 500 || n > 700 {
			t.Errorf("%s: %d connections a minute, want ten times 60", name, n)
		}
	}
}

func TestNoRate(t *testing.T) {
	g := New(Config{Rates: Rates{Connections: -1, PrefixConnections: -1, Messages: -1, PrefixMessages: -1, DomainMessages: -1, UserMessages: -1, UserRecipients: -1}})
	for range 20_000 {
		if d := g.Admit(noon, bot); !d.Allow {
			t.Fatalf("%+v", d)
		}
		if d := g.Message(noon, Sending{Client: bot, Domain: "a.example", Recipients: 100}); !d.Allow {
			t.Fatalf("%+v", d)
		}
		if d := g.Message(noon, Sending{Client: bot, User: "ann", Recipients: 100}); !d.Allow {
			t.Fatalf("%+v", d)
		}
	}
}

// TestBucket holds the generic cell rate algorithm to what a rate means: in any
// stretch of time no more passes than its share and a period's worth; and what waits
// as long as it was told passes.
func TestBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		r := per(time.Minute, limit)
		var v bucket
		now, passed := noon.UnixNano(), []int64{}
		for range rapid.IntRange(1, 300).Draw(t, "events") {
			now += rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "gap")
			if w := v.wait(now, r.every, r); w > 0 {
				if rapid.Bool().Draw(t, "patient") {
					now += int64(w)
					if v.wait(now, r.every, r) != 0 {
						t.Fatalf("told to wait %v, and again", w)
					}
				} else {
					continue
				}
			}
			v.take(now, r.every)
			passed = append(passed, now)
		}
		for i := range passed {
			for j := i; j < len(passed); j++ {
				if most := limit + int((passed[j]-passed[i])/r.every) + 1; j-i+1 > most {
					t.Fatalf("%d events in %v, at most %d", j-i+1, time.Duration(passed[j]-passed[i]), most)
				}
			}
		}
	})
}

func count(g *Guard, n int, s func(i int) Sending) (passed int) {
	for i := range n {
		if g.Message(noon, s(i)).Allow {
			passed++
		}
	}
	return passed
}

func TestMessageRates(t *testing.T) {
	rates := Rates{Messages: 100, PrefixMessages: 500, DomainMessages: 300, UserMessages: 50, UserRecipients: 400}
	client := func(i int) netip.Addr { return in("198.51.100.0", i%200) }
	for _, test := range []struct {
		name string
		send func(i int) Sending
		want int
	}{
		{"client", func(int) Sending { return Sending{Client: bot, Recipients: 1} }, 100},
		{"asking costs nothing", func(int) Sending { return Sending{Client: bot} }, 2000},
		{"recipients of strangers cost nothing", func(int) Sending { return Sending{Client: bot, Recipients: 90} }, 100},
		{"network", func(i int) Sending { return Sending{Client: client(i), Recipients: 1} }, 500},
		{"domain", func(i int) Sending {
			return Sending{Client: v4(i << 8), Domain: "a.example", Authenticated: true, Recipients: 1}
		}, 300},
		{"its letters' case", func(i int) Sending {
			return Sending{Client: v4(i << 8), Domain: []string{"A.example", "a.EXAMPLE"}[i%2], Authenticated: true, Recipients: 1}
		}, 300},
		{"claimed domain", func(i int) Sending { return Sending{Client: v4(i << 8), Domain: "a.example", Recipients: 1} }, 2000},
		{"claimed domain in one network", func(i int) Sending { return Sending{Client: client(i), Domain: "a.example", Recipients: 1} }, 300},
		{"user", func(i int) Sending {
			return Sending{Client: v4(i << 8), User: "ann", Domain: "a.example", Recipients: 1}
		}, 50},
		{"user's recipients", func(i int) Sending { return Sending{Client: v4(i << 8), User: "ann", Recipients: 100} }, 4},
		{"immune", func(int) Sending { return Sending{Client: proxy, Domain: "a.example", Recipients: 1} }, 2000},
		{"immune user", func(int) Sending { return Sending{Client: proxy, User: "ann", Recipients: 1} }, 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := New(Config{Rates: rates, Immune: func(a netip.Addr) bool { return a == proxy }})
			if got := count(g, 2000, test.send); got != test.want {
				t.Errorf("%d messages, want %d", got, test.want)
			}
			g = New(Config{Rates: rates})
			g.Good(noon, bot)
			if test.name == "client" {
				if got := count(g, 2000, test.send); got != 1000 {
					t.Errorf("good client: %d messages, want ten times as many", got)
				}
			}
		})
	}

	g := New(Config{Rates: rates})
	for range 100 {
		g.Message(noon, Sending{Client: bot, Recipients: 1})
	}
	d := g.Message(noon, Sending{Client: bot, Recipients: 1})
	if d.Reason != reason.SenderRate || !d.Until.Equal(noon.Add(36*time.Second)) || d.Detail != "198.51.100.66/32 sent more than 100 messages in an hour" {
		t.Errorf("%+v", d)
	}
	if d := g.Message(d.Until, Sending{Client: bot, Recipients: 1}); !d.Allow {
		t.Errorf("refused at the time that was told: %+v", d)
	}
	// One message to more recipients than a day has is not refused for ever.
	if d := g.Message(noon, Sending{Client: bot, User: "bob", Recipients: 1000}); !d.Allow {
		t.Errorf("%+v", d)
	}
	if d := g.Message(noon, Sending{Client: bot, User: "bob", Recipients: 1}); d.Allow || d.Detail != `user "bob": more than 400 recipients in one day` {
		t.Errorf("%+v", d)
	}
	// What is refused at one level isn't charged at another.
	g = New(Config{Rates: rates})
	for range 1000 {
		g.Message(noon, Sending{Client: bot, Recipients: 1})
	}
	if n := count(g, 1000, func(i int) Sending { return Sending{Client: in("198.51.100.0", 100+i%100), Recipients: 1} }); n != 400 {
		t.Errorf("%d messages of the neighbours, want 400", n)
	}
}

func TestSample(t *testing.T) {
	g := New(Config{})
	n := 0
	for range 1000 {
		if g.Sample(noon) {
			n++
		}
	}
	if n != 200 || g.Suppressed() != 800 {
		t.Errorf("%d rows at once, %d suppressed", n, g.Suppressed())
	}
	for i := range 100 * 10 {
		if g.Sample(noon.Add(time.Duration(i) * 10 * time.Millisecond)) {
			n++
		}
	}
	if n < 398 || n > 401 {
		t.Errorf("%d rows after ten seconds, want 200 more", n)
	}
}
