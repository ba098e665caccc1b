package dnsbl_test

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	dnsblcheck "sluice/check/dnsbl"
	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
	"sluice/explain"
	"sluice/judge/verdict"
)

const key = "k3ysecretk3y"

// world is three lists, well and tested, and the checks that ask them.
type world struct {
	lists             *dnsbltest.Lists
	zen, dnswl, other *dnsbltest.List
	connect, mail     check.Checker
	hello             check.Checker
}

func play(t *testing.T, c dnsblcheck.Config, f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{lists: dnsbltest.New()}
		w.zen, w.dnswl, w.other = w.lists.Add(key+".zen.dq.spamhaus.net"), w.lists.Add("list.dnswl.org"), w.lists.Add("bl.example.org")
		w.dnswl.Put("127.0.0.2", "127.0.10.0")
		set, err := dnsbl.New(dnsbl.Config{Resolver: w.lists, Lists: []dnsbl.List{
			{Zone: "zen.dq.spamhaus.net", Key: key, Name: "Spamhaus"}, {Zone: "list.dnswl.org"}, {Zone: "bl.example.org"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		for _, h := range set.Health() {
			if h, _ := set.Test(t.Context(), h.Name); h.State != dnsbl.Healthy {
				t.Fatalf("%+v", h)
			}
		}
		c.Lists = set
		checks := dnsblcheck.Checks(c)
		w.connect, w.mail, w.hello = checks[0], checks[1], checks[2]
		f(t, w)
	})
}

// conn is a session's input before there is a message.
func conn(id, client string) *check.Input {
	return &check.Input{Now: checktest.Now, Conn: &sluice.Conn{ID: id, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 4711), Door: sluice.DoorSMTP}}
}

func run(t *testing.T, c check.Checker, in *check.Input) []sluice.Evidence {
	t.Helper()
	return checktest.Run(t, []check.Checker{c}, in)
}

func want(t *testing.T, ev []sluice.Evidence, reasons string) {
	t.Helper()
	if got := strings.Join(checktest.Reasons(ev), " "); got != reasons {
		t.Errorf("got %q, want %q\n%+v", got, reasons, ev)
	}
}

func TestConnectNeverWaits(t *testing.T) {
	play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
		w.zen.Delay(time.Second)
		w.zen.Put("192.0.2.7", "127.0.0.4")
		begin := time.Now()
		in := conn("a", "192.0.2.7")
		want(t, run(t, w.connect, in), "")
		if took := time.Since(begin); took != 0 {
			t.Errorf("connect waited %v", took)
		}
		want(t, run(t, w.mail, in), "DNSBL_BLOCKED DNSBL_LISTED")
		if took := time.Since(begin); took != time.Second {
			t.Errorf("MAIL waited %v", took)
		}
		// The next one is refused at once.
		want(t, run(t, w.connect, conn("b", "192.0.2.7")), "DNSBL_BLOCKED DNSBL_LISTED")
		if took := time.Since(begin); took != time.Second {
			t.Errorf("connect waited %v", took-time.Second)
		}
	})
}

// TestAskedAtHello: who connects and says nothing costs no question; who greets is
// asked about at once, so that MAIL waits less.
func TestAskedAtHello(t *testing.T) {
	play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
		w.zen.Delay(time.Second)
		w.zen.Put("192.0.2.7", "127.0.0.4")
		want(t, run(t, w.connect, conn("a", "192.0.2.7")), "")
		time.Sleep(5 * time.Second)
		want(t, run(t, w.connect, conn("b", "192.0.2.7")), "")
		in := conn("c", "192.0.2.7")
		want(t, run(t, w.hello, in), "")
		time.Sleep(800 * time.Millisecond)
		begin := time.Now()
		want(t, run(t, w.mail, in), "DNSBL_BLOCKED DNSBL_LISTED")
		if took := time.Since(begin); took != 200*time.Millisecond {
			t.Errorf("MAIL waited %v", took)
		}
	})
}

func TestMailWaitsTwoSecondsInAll(t *testing.T) {
	play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
		w.zen.Delay(4 * time.Second)
		w.dnswl.Delay(3 * time.Second)
		w.other.Put("192.0.2.7", "127.0.0.2")
		begin := time.Now()
		ev := run(t, w.mail, conn("a", "192.0.2.7"))
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("waited %v", took)
		}
		want(t, ev, "DNSBL_LISTED DNSBL_UNKNOWN")
		u := ev[1]
		if u.State != sluice.Unknown || u.Raw != 0 || u.Detail != "Spamhaus: no answer yet; list.dnswl.org: no answer yet" {
			t.Errorf("%+v", u)
		}
		// The client leaves: the answers come all the same.
		time.Sleep(3 * time.Second)
		want(t, run(t, w.connect, conn("b", "192.0.2.7")), "DNSBL_LISTED")
	})
}

func TestWords(t *testing.T) {
	play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
		w.zen.Put("192.0.2.7", "127.0.0.4", "127.0.0.10")
		w.other.Put("192.0.2.7", "127.0.0.2")
		w.dnswl.Put("192.0.2.7", "127.0.4.1")
		ev := run(t, w.mail, conn("a", "192.0.2.7"))
		want(t, ev, "DNSBL_BLOCKED DNSBL_LISTED DNSBL_LISTED DNSWL_LISTED")
		for i, d := range []string{
			"lists weigh 10.0, from 8.0 on refused: Spamhaus: 127.0.0.4, 127.0.0.10 (XBL: infected or exploited machine), see https://check.spamhaus.org/results?query=192.0.2.7; bl.example.org: 127.0.0.2 (listed)",
			"Spamhaus: 127.0.0.4, 127.0.0.10 (XBL: infected or exploited machine), see https://check.spamhaus.org/results?query=192.0.2.7",
			"list.dnswl.org: 127.0.4.1 (low trust), see https://www.dnswl.org/s/?s=192.0.2.7",
			"bl.example.org: 127.0.0.2 (listed)",
		} {
			if ev[i].Detail != d {
				t.Errorf("detail %d:\n got %s\nwant %s", i, ev[i].Detail, d)
			}
		}
		if ev[0].Hard != sluice.HardStop || ev[0].Raw != 0 || ev[2].Raw != -1 {
			t.Errorf("%+v", ev)
		}
		if sum := ev[1].Raw + ev[3].Raw; math.Abs(sum-6) > 1e-9 || ev[1].Raw < 2*ev[3].Raw {
			t.Errorf("listings are worth %v and %v", ev[1].Raw, ev[3].Raw)
		}
	})
}

func TestThreshold(t *testing.T) {
	for _, tc := range []struct {
		threshold         float64
		zen, dnswl, other string // answers
		want              string
	}{
		{0, "127.0.0.10", "", "", "DNSBL_LISTED"},                                                          // 6 of 8
		{0, "127.0.0.2", "", "", "DNSBL_BLOCKED DNSBL_LISTED"},                                             // 8
		{0, "127.0.0.10", "", "127.0.0.2", "DNSBL_BLOCKED DNSBL_LISTED DNSBL_LISTED"},                      // 9
		{0, "127.0.0.2", "127.0.4.2", "", "DNSBL_LISTED DNSWL_LISTED"},                                     // 8 − 3
		{0, "127.0.0.2", "127.0.4.2", "127.0.0.2", "DNSBL_BLOCKED DNSBL_LISTED DNSBL_LISTED DNSWL_LISTED"}, // 8 + 3 − 3
		{0, "", "127.0.4.3", "", "DNSWL_LISTED"},
		{12, "127.0.0.2", "", "127.0.0.2", "DNSBL_LISTED DNSBL_LISTED"},
		{3, "", "", "127.0.0.2", "DNSBL_BLOCKED DNSBL_LISTED"},
		{-1, "127.0.0.2", "", "127.0.0.2", "DNSBL_LISTED DNSBL_LISTED"},
		{0, "", "", "", ""},
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			play(t, dnsblcheck.Config{Threshold: tc.threshold}, func(t *testing.T, w *world) {
				for l, a := range map[*dnsbltest.List]string{w.zen: tc.zen, w.dnswl: tc.dnswl, w.other: tc.other} {
					l.Put("192.0.2.7", strings.Fields(a)...)
				}
				want(t, run(t, w.mail, conn("a", "192.0.2.7")), tc.want)
				want(t, run(t, w.connect, conn("b", "192.0.2.7")), tc.want)
			})
		})
	}
}

// Connect refuses nobody while an allow list might still speak for the client.
func TestConnectDoesNotBlockOnHalfTheAnswers(t *testing.T) {
	play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
		w.zen.Put("192.0.2.7", "127.0.0.2")
		w.dnswl.Put("192.0.2.7", "127.0.4.2")
		w.dnswl.Delay(time.Second)
		in := conn("a", "192.0.2.7")
		want(t, run(t, w.connect, in), "")
		synctest.Wait()
		want(t, run(t, w.connect, conn("b", "192.0.2.7")), "")
		want(t, run(t, w.mail, in), "DNSBL_LISTED DNSWL_LISTED")
	})
}

// What connect has stated stands in the connection's ledger, so MAIL doesn't state it
// again, in no transaction; what MAIL states stands in one transaction's.
func TestNothingIsStatedTwice(t *testing.T) {
	play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
		w.other.Put("192.0.2.7", "127.0.0.2")
		first, second := conn("a", "192.0.2.7"), conn("b", "192.0.2.7")
		want(t, run(t, w.connect, first), "")
		for range 2 {
			want(t, run(t, w.mail, first), "DNSBL_LISTED")
		}
		want(t, run(t, w.connect, second), "DNSBL_LISTED")
		for range 2 {
			want(t, run(t, w.mail, second), "")
		}
		// A hop of ours now speaks for another client on the same connection.
		second.Conn.Client = netip.MustParseAddrPort("192.0.2.8:4711")
		w.other.Put("192.0.2.8", "127.0.0.2")
		want(t, run(t, w.connect, second), "")
		want(t, run(t, w.mail, second), "DNSBL_LISTED")
		// And once more, an hour later.
		second.Now = second.Now.Add(time.Hour)
		want(t, run(t, w.connect, second), "DNSBL_LISTED")
		second.Conn.Client, second.Now = netip.MustParseAddrPort("192.0.2.10:4711"), second.Now.Add(time.Hour)
		w.other.Put("192.0.2.10", "127.0.0.2")
		want(t, run(t, w.connect, second), "")
		want(t, run(t, w.mail, second), "DNSBL_LISTED")
		// A connection without a name can't be told from another.
		nameless := conn("", "192.0.2.7")
		want(t, run(t, w.connect, nameless), "")
		want(t, run(t, w.mail, nameless), "DNSBL_LISTED")
	})
}

// The memory of what was stated is bounded, and forgets after a session's time.
func TestStatedIsBounded(t *testing.T) {
	play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
		w.other.Put("192.0.2.7", "127.0.0.2")
		run(t, w.mail, conn("a", "192.0.2.7"))
		for i := range 1 << 16 {
			if ev, err := w.connect.Check(context.Background(), conn(fmt.Sprint(i), "192.0.2.7")); err != nil || len(ev) != 1 {
				t.Fatalf("%d: %v, %v", i, ev, err)
			}
		}
		full := conn("full", "192.0.2.7")
		want(t, run(t, w.connect, full), "")
		want(t, run(t, w.mail, full), "DNSBL_LISTED")
		want(t, run(t, w.mail, conn("7", "192.0.2.7")), "")
		w.zen.Put("192.0.2.9", "127.0.0.2") // refused at connect all the same
		run(t, w.mail, conn("a", "192.0.2.9"))
		want(t, run(t, w.connect, conn("blocked", "192.0.2.9")), "DNSBL_BLOCKED DNSBL_LISTED")
		for range 2 {
			full.Now = full.Now.Add(time.Hour)
			want(t, run(t, w.connect, full), "DNSBL_LISTED")
		}
		want(t, run(t, w.mail, conn("7", "192.0.2.7")), "DNSBL_LISTED")
	})
}

func TestNotAsked(t *testing.T) {
	for name, change := range map[string]func(*sluice.Conn){
		"trusted":         func(c *sluice.Conn) { c.Trusted = true },
		"logged in":       func(c *sluice.Conn) { c.Auth = "ann" },
		"to be logged in": func(c *sluice.Conn) { c.Door = sluice.DoorSubmission },
		"from a disk":     func(c *sluice.Conn) { c.Stored = true },
		"loopback":        func(c *sluice.Conn) { c.Client = netip.MustParseAddrPort("127.0.0.1:25") },
		"private":         func(c *sluice.Conn) { c.Client = netip.MustParseAddrPort("10.0.0.1:25") },
		"nobody":          func(c *sluice.Conn) { c.Client = netip.AddrPort{} },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
				w.zen.Behave(dnsbltest.Always("127.0.0.2"))
				before := w.lists.Questions()
				in := conn("a", "192.0.2.7")
				change(in.Conn)
				want(t, run(t, w.connect, in), "")
				want(t, run(t, w.mail, in), "")
				if n := w.lists.Questions() - before; n != 0 {
					t.Errorf("%d questions", n)
				}
			})
		})
	}
}

// Behind a proxy the client is the real one, and not the proxy.
func TestBehindAProxy(t *testing.T) {
	play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
		w.other.Put("192.0.2.7", "127.0.0.2")
		in := conn("a", "192.0.2.7")
		in.Conn.Via = netip.MustParseAddrPort("203.0.113.1:9")
		want(t, run(t, w.mail, in), "DNSBL_LISTED")
		if n := w.lists.Asked("1.113.0.203.bl.example.org"); n != 0 {
			t.Error("asked about the proxy")
		}
	})
}

// Whatever is wrong with the lists, nobody is refused for it, and no points are
// counted.
func TestSickListsAreNeverEvidence(t *testing.T) {
	for name, behave := range map[string]func(netip.Addr) ([]string, error){
		"refusing": dnsbltest.Always("127.255.255.254"), "parked": dnsbltest.Always("203.0.113.80"), "strange": dnsbltest.Always("127.0.0.99"),
		"servfail": dnsbltest.Never(dns.ErrServFail), "timeout": dnsbltest.Never(dns.ErrTimeout), "panic": func(netip.Addr) ([]string, error) { panic("x") },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
				for _, l := range []*dnsbltest.List{w.zen, w.dnswl, w.other} {
					l.Behave(behave)
				}
				var ledger []sluice.Evidence
				for i := range 20 {
					in := conn(fmt.Sprint("m", i), fmt.Sprintf("192.0.2.%d", i+1))
					ev := append(run(t, w.connect, in), run(t, w.mail, in)...)
					want(t, ev, "DNSBL_UNKNOWN")
					ledger = append(ledger, ev...)
				}
				w0 := verdict.DefaultWeights()
				if got, none := verdict.Weigh(ledger, w0), verdict.Weigh(nil, w0); got.Points != none.Points || got.Hard != "" {
					t.Errorf("%v points, %q", got.Points, got.Hard)
				}
			})
		})
	}
}

// The list's private key is nowhere: not in evidence, not in what the sender, the
// user and the admin read.
func TestKeyNeverShown(t *testing.T) {
	for name, behave := range map[string]func(netip.Addr) ([]string, error){
		"listing": dnsbltest.Always("127.0.0.2"), "refusing": dnsbltest.Always("127.255.255.252"), "servfail": dnsbltest.Never(dns.ErrServFail),
	} {
		t.Run(name, func(t *testing.T) {
			play(t, dnsblcheck.Config{}, func(t *testing.T, w *world) {
				w.zen.Behave(behave)
				ev := run(t, w.mail, conn("a", "192.0.2.7"))
				v := verdict.Weigh(ev, verdict.DefaultWeights())
				text := fmt.Sprintf("%+v %#v %+v %s", ev, ev, v, explain.User(v))
				for _, e := range ev {
					text += fmt.Sprintf(" %+v", explain.Reason(e.Reason, explain.Options{Ref: "ref", Postmaster: "postmaster@example.net"}))
				}
				if len(ev) == 0 || strings.Contains(strings.ToLower(text), key) {
					t.Errorf("the key is in %s", text)
				}
			})
		})
	}
}

// BenchmarkConnect is the price of a listed client whose answer is remembered.
func BenchmarkConnect(b *testing.B) {
	lists := dnsbltest.New()
	lists.Add("zen.spamhaus.org").Put("192.0.2.9", "127.0.0.2")
	set, err := dnsbl.New(dnsbl.Config{Resolver: lists, Lists: []dnsbl.List{{Zone: "zen.spamhaus.org"}}})
	if err != nil {
		b.Fatal(err)
	}
	defer set.Close()
	set.Test(b.Context(), "zen.spamhaus.org")
	connect := dnsblcheck.Checks(dnsblcheck.Config{Lists: set})[0]
	for name, client := range map[string]string{"clean": "192.0.2.7", "listed": "192.0.2.9"} {
		b.Run(name, func(b *testing.B) {
			in := conn("a", client)
			set.Lookup(b.Context(), in.Conn.Client.Addr())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := connect.Check(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
