package dnsbl_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
	"sluice/dns/dnstest"
)

// slow counts the questions under way.
type slow struct {
	dns.Resolver
	now, most atomic.Int64
	wait      time.Duration
}

func (s *slow) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	select {
	case <-time.After(s.wait):
	case <-ctx.Done():
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrTimeout, Err: ctx.Err()}
	}
	return s.Resolver.Lookup(ctx, name, t)
}

func two(l *dnsbltest.Lists) {
	l.Add("zen.spamhaus.org").Put("192.0.2.7", "127.0.0.4", "127.0.0.10")
	dnswl := l.Add("list.dnswl.org")
	dnswl.Put("127.0.0.2", "127.0.10.0")
	dnswl.Put("192.0.2.7", "127.0.4.2")
}

func TestWeightsAreSummed(t *testing.T) {
	play(t, zone("zen.spamhaus.org", "list.dnswl.org"), two, func(t *testing.T, w *world) {
		r := w.look("192.0.2.7")
		if r.Block != 8 || r.Allow != 3 || r.Asked != 2 || len(r.Answers) != 2 {
			t.Fatalf("%+v", r)
		}
		a := r.Answers[0]
		if a.List != "zen.spamhaus.org" || a.Meaning != "XBL: infected or exploited machine" || len(a.Codes) != 2 || a.Page != "https://check.spamhaus.org/results?query=192.0.2.7" {
			t.Errorf("%+v", a)
		}
		if r := w.look("192.0.2.8"); len(r.Answers) != 0 || r.Asked != 2 {
			t.Errorf("a client nobody knows: %+v", r)
		}
	})
}

func TestStartDoesNotWaitAndAsksOnce(t *testing.T) {
	play(t, zone("bl.example.org"), func(l *dnsbltest.Lists) { l.Add("bl.example.org").Put("192.0.2.7", "127.0.0.2") }, func(t *testing.T, w *world) {
		w.lists.Add("bl.example.org").Delay(time.Second)
		if _, complete := w.Cached(client); complete {
			t.Error("complete before anybody was asked")
		}
		begin := time.Now()
		for range 10 {
			w.Start(client)
		}
		if _, complete := w.Cached(client); complete || time.Since(begin) != 0 {
			t.Errorf("complete %v after %v", complete, time.Since(begin))
		}
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				if r := w.look("192.0.2.7"); len(r.Answers) != 0 || r.Asked != 1 {
					t.Errorf("%+v", r)
				}
			})
		}
		waiting.Wait()
		if took, n := time.Since(begin), w.lists.Asked("7.2.0.192.bl.example.org"); took != time.Second || n != 1 {
			t.Errorf("%d questions, %v", n, took)
		}
		if r, complete := w.Cached(client); !complete || len(r.Answers) != 0 {
			t.Errorf("%+v, %v", r, complete)
		}
	})
}

func TestLookupWaitsNoLongerThanItsContext(t *testing.T) {
	play(t, zone("a.example.org", "b.example.org"), func(l *dnsbltest.Lists) {
		l.Add("a.example.org")
		l.Add("b.example.org")
	}, func(t *testing.T, w *world) {
		w.lists.Add("a.example.org").Put("192.0.2.7", "127.0.0.2")
		w.lists.Add("b.example.org").Delay(4 * time.Second)
		begin := time.Now()
		r := w.look("192.0.2.7")
		if took := time.Since(begin); took != 2*time.Second || r.Block != 3 || len(r.Answers) != 2 || r.Answers[1].Why != "no answer yet" {
			t.Errorf("%v: %+v", took, r)
		}
		time.Sleep(3 * time.Second) // the answer still comes, and is remembered
		if r, complete := w.Cached(client); !complete || len(r.Answers) != 1 {
			t.Errorf("%+v, %v", r, complete)
		}
	})
}

func TestNobodyAsksAbout(t *testing.T) {
	lists := zone("bl.example.org")
	c := dnsbl.Config{Lists: lists, Trusted: func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.25") }}
	playWith(t, c, func(l *dnsbltest.Lists) { l.Add("bl.example.org").Behave(dnsbltest.Always("127.0.0.2")) }, func(t *testing.T, w *world) {
		before := w.lists.Questions()
		for _, a := range []string{"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.9", "169.254.1.1", "224.0.0.1", "0.0.0.0", "255.255.255.255",
			"::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:10.0.0.1", "192.0.2.25", "::ffff:192.0.2.25"} {
			r := w.look(a)
			if _, complete := w.Cached(netip.MustParseAddr(a)); !complete || r.Asked != 0 {
				t.Errorf("%s: %+v, %v", a, r, complete)
			}
		}
		if r, complete := w.Cached(netip.Addr{}); !complete || r.Asked != 0 {
			t.Errorf("no address: %+v", r)
		}
		if n := w.lists.Questions(); n != before {
			t.Errorf("%d questions", n-before)
		}
	})
}

func TestIPv6(t *testing.T) {
	lists := []dnsbl.List{{Zone: "zen.spamhaus.org"}, {Zone: "six.example.org", IPv6: true}, {Zone: "four.example.org"}}
	play(t, lists, func(l *dnsbltest.Lists) {
		zen := l.Add("zen.spamhaus.org")
		zen.Put("2001:db8::25", "127.0.0.3")
		// Its operator says that it has IPv6 addresses; its zone knows of none.
		l.Add("six.example.org").Put("::ffff:127.0.0.2")
		l.Add("four.example.org").Behave(func(a netip.Addr) ([]string, error) {
			if a.Is4() && a.String() != "127.0.0.2" {
				return nil, nil
			}
			return []string{"127.0.0.2"}, nil
		})
	}, func(t *testing.T, w *world) {
		r := w.look("2001:db8::25")
		if r.Asked != 1 || r.Block != 8 || r.Answers[0].Meaning != "CSS: sends spam" {
			t.Errorf("%+v", r)
		}
		for i, six := range []bool{true, false, false} {
			if h := w.health(t, i, dnsbl.Healthy, ""); h.IPv6 != six {
				t.Errorf("%s: IPv6 %v", h.Name, h.IPv6)
			}
		}
		if n := w.lists.Asked("5.2." + strings.Repeat("0.", 22) + "8.b.d.0.1.0.0.2.zen.spamhaus.org"); n != 1 {
			t.Errorf("%d questions by nibbles", n)
		}
	})
}

func TestAnswersGrowOld(t *testing.T) {
	play(t, zone("bl.example.org"), func(l *dnsbltest.Lists) { l.Add("bl.example.org").Put("192.0.2.7", "127.0.0.2") }, func(t *testing.T, w *world) {
		if r := w.look("192.0.2.7"); r.Block != 3 {
			t.Fatalf("%+v", r)
		}
		w.lists.Add("bl.example.org") // delisted
		time.Sleep(dnsbltest.TTL - time.Second)
		if r := w.look("192.0.2.7"); r.Block != 3 {
			t.Errorf("before its time: %+v", r)
		}
		time.Sleep(2 * time.Second)
		if _, complete := w.Cached(client); complete {
			t.Error("complete past its time")
		}
		if r := w.look("192.0.2.7"); r.Block != 0 {
			t.Errorf("past its time: %+v", r)
		}
		// A failure isn't asked for again with every connection.
		w.lists.Add("bl.example.org").Behave(dnsbltest.Never(dns.ErrServFail))
		for range 10 {
			unlisted(t, w.look("192.0.2.9"))
			time.Sleep(2 * time.Second)
		}
		if n := w.lists.Asked("9.2.0.192.bl.example.org"); n != 1 {
			t.Errorf("%d questions in 20 s", n)
		}
		time.Sleep(20 * time.Second)
		if w.look("192.0.2.9"); w.lists.Asked("9.2.0.192.bl.example.org") != 2 {
			t.Error("never asked again")
		}
	})
}

func TestTimesToLiveAreBounded(t *testing.T) {
	for _, tc := range []struct{ ttl, listed, clean time.Duration }{
		{0, time.Minute, time.Minute}, {time.Second, time.Minute, time.Minute}, {10 * time.Minute, 10 * time.Minute, 10 * time.Minute},
		{30 * time.Minute, 30 * time.Minute, 15 * time.Minute}, {1000 * time.Hour, time.Hour, 15 * time.Minute},
	} {
		play(t, zone("bl.example.org"), func(l *dnsbltest.Lists) {
			bl := l.Add("bl.example.org")
			bl.Put("192.0.2.7", "127.0.0.2")
			bl.Lasts(tc.ttl)
		}, func(t *testing.T, w *world) {
			for a, want := range map[string]time.Duration{"192.0.2.7": tc.listed, "192.0.2.8": tc.clean} {
				w.look(a)
				begin := time.Now()
				for complete := true; complete; _, complete = w.Cached(netip.MustParseAddr(a)) {
					time.Sleep(30 * time.Second)
				}
				if got := time.Since(begin); got != want {
					t.Errorf("TTL %v: %s is remembered for %v, want %v", tc.ttl, a, got, want)
				}
			}
		})
	}
}

// A test cut short by our own end is no silence of the list.
func TestStoppingIsNoSilence(t *testing.T) {
	play(t, zone("bl.example.org"), func(l *dnsbltest.Lists) { l.Add("bl.example.org") }, func(t *testing.T, w *world) {
		w.lists.Add("bl.example.org").Delay(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Test(ctx, "bl.example.org")
		w.health(t, 0, dnsbl.Healthy, "")
	})
}

// A list falls ill, is switched off with all that it said, is tried again less and
// less often, and is used again when it is well.
func TestSickListIsSwitchedOffAndComesBack(t *testing.T) {
	play(t, zone("sick.example.org", "well.example.org"), func(l *dnsbltest.Lists) {
		for _, z := range []string{"sick.example.org", "well.example.org"} {
			l.Add(z).Put("192.0.2.7", "127.0.0.2")
		}
	}, func(t *testing.T, w *world) {
		if r := w.look("192.0.2.7"); r.Block != 6 {
			t.Fatalf("%+v", r)
		}
		w.lists.Add("sick.example.org").Behave(dnsbltest.Always("127.0.0.2"))
		time.Sleep(16 * time.Minute)
		h := w.health(t, 0, dnsbl.Off, "lists 127.0.0.1")
		if h.Believed || h.Since.IsZero() || h.Next.Before(time.Now()) {
			t.Errorf("%+v", h)
		}
		r := w.look("192.0.2.7")
		if r.Block != 3 || len(r.Answers) != 2 || !strings.HasPrefix(r.Answers[0].Why, "switched off: lists 127.0.0.1") {
			t.Errorf("%+v", r)
		}
		tests := w.lists.Asked("2.0.0.127.sick.example.org")
		time.Sleep(5 * time.Hour)
		if n := w.lists.Asked("2.0.0.127.sick.example.org") - tests; n < 5 || n > 12 {
			t.Errorf("%d tests in five hours", n)
		}
		w.lists.Add("sick.example.org").Put("192.0.2.7", "127.0.0.2")
		time.Sleep(time.Hour + 2*time.Minute)
		w.health(t, 0, dnsbl.Healthy, "")
		if r := w.look("192.0.2.7"); r.Block != 6 {
			t.Errorf("after recovery: %+v", r)
		}
		if log := w.log.String(); !strings.Contains(log, "state=off") || !strings.Contains(log, "state=healthy") {
			t.Errorf("the log: %s", log)
		}
	})
}

// Clients' questions that stay without an answer switch a list off between two
// regular tests, so that mail doesn't wait for it.
func TestDeadListCostsNoTime(t *testing.T) {
	play(t, zone("bl.example.org"), func(l *dnsbltest.Lists) { l.Add("bl.example.org") }, func(t *testing.T, w *world) {
		w.lists.Add("bl.example.org").Delay(time.Hour)
		begin := time.Now()
		for i := range 200 {
			unlisted(t, w.look(fmt.Sprintf("192.0.2.%d", i+1)))
		}
		w.health(t, 0, dnsbl.Off, "no answer to its tests")
		if took := time.Since(begin); took > 40*time.Second {
			t.Errorf("200 clients waited %v", took)
		}
	})
}

// What a list has said stops to count when the list is doubted, not when the answer
// grows old; and counts again when the doubt is gone.
func TestDoubtHoldsForWhatIsRemembered(t *testing.T) {
	play(t, zone("bl.example.org"), func(l *dnsbltest.Lists) {
		bl := l.Add("bl.example.org")
		bl.Put("192.0.2.7", "127.0.0.2")
		bl.Delay(time.Second)
	}, func(t *testing.T, w *world) {
		// The first client comes before the first test has ended.
		w.health(t, 0, dnsbl.Untested, "not tested yet")
		w.lists.Add("bl.example.org").Put("192.0.2.7", "127.0.0.2")
		r := w.look("192.0.2.7")
		unlisted(t, r)
		if len(r.Answers) != 1 || r.Answers[0].Why != "it lists the client, and isn't believed now: not tested yet" || len(r.Answers[0].Codes) != 1 {
			t.Errorf("%+v", r)
		}
		time.Sleep(2 * time.Second)
		if r, complete := w.Cached(client); !complete || r.Block != 3 {
			t.Errorf("after the test: %+v, %v", r, complete)
		}
		// An answer from outside 127.0.0.0/8; the test that it asks for takes a second.
		bl := w.lists.Add("bl.example.org")
		bl.Put("192.0.2.8", "203.0.113.80")
		bl.Delay(time.Second)
		w.look("192.0.2.8")
		w.health(t, 0, dnsbl.Suspect, "203.0.113.80")
		if r, complete := w.Cached(client); !complete || r.Block != 0 {
			t.Errorf("in doubt: %+v, %v", r, complete)
		}
		time.Sleep(2 * time.Second) // one pass ends the doubt, two the suspicion
		w.health(t, 0, dnsbl.Suspect, "203.0.113.80")
		if r, complete := w.Cached(client); !complete || r.Block != 3 {
			t.Errorf("after the test: %+v, %v", r, complete)
		}
		time.Sleep(time.Minute)
		w.health(t, 0, dnsbl.Healthy, "")
		bl.Behave(dnsbltest.Always("127.0.0.2"))
		w.Test(t.Context(), "bl.example.org")
		w.health(t, 0, dnsbl.Off, "lists 127.0.0.1")
		if r, complete := w.Cached(client); !complete || r.Block != 0 {
			t.Errorf("off: %+v, %v", r, complete)
		}
	})
}

// Only what is missing is asked again.
func TestOneSilentListDoesNotRepeatTheOthers(t *testing.T) {
	play(t, zone("a.example.org", "b.example.org"), func(l *dnsbltest.Lists) {
		l.Add("a.example.org")
		l.Add("b.example.org")
	}, func(t *testing.T, w *world) {
		w.lists.Add("b.example.org").Behave(dnsbltest.Never(dns.ErrServFail))
		for range 4 {
			w.look("192.0.2.7")
			time.Sleep(31 * time.Second)
		}
		if a, b := w.lists.Asked("7.2.0.192.a.example.org"), w.lists.Asked("7.2.0.192.b.example.org"); a != 1 || b != 4 {
			t.Errorf("asked %d and %d times", a, b)
		}
	})
}

func TestQuestionsAreBounded(t *testing.T) {
	s := &slow{wait: time.Second}
	lists := dnsbltest.New()
	lists.Add("bl.example.org")
	s.Resolver = lists
	c := dnsbl.Config{Lists: zone("bl.example.org"), Resolver: s, Parallel: 8, Queue: 50, Rate: 40}
	playWith(t, c, func(*dnsbltest.Lists) {}, func(t *testing.T, w *world) {
		time.Sleep(time.Minute)
		s.most.Store(0)
		before := lists.Questions()
		for i := range 1000 { // at once: 40 pass the budget of that second
			w.Start(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
		}
		if st := w.Stats(); st.Waiting > 50 || st.Dropped != 960 {
			t.Errorf("%+v", st)
		}
		time.Sleep(time.Minute)
		if n := lists.Questions() - before; n != 40 || s.most.Load() != 8 {
			t.Errorf("%d questions, %d at once", n, s.most.Load())
		}
		// The one that wasn't asked for is unknown, and will be asked for.
		if r := w.look("198.51.3.231"); len(r.Answers) != 0 {
			t.Errorf("%+v", r)
		}
		w.health(t, 0, dnsbl.Healthy, "")
	})
}

func TestQueueIsBounded(t *testing.T) {
	s := &slow{Resolver: dnsbltest.New(), wait: time.Second}
	c := dnsbl.Config{Lists: zone("bl.example.org"), Resolver: s, Parallel: 2, Queue: 10, Rate: 10000}
	playWith(t, c, func(*dnsbltest.Lists) {}, func(t *testing.T, w *world) {
		for i := range 1000 {
			w.Start(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
			if st := w.Stats(); st.Waiting > 10 {
				t.Fatalf("%d are waiting", st.Waiting)
			}
		}
		r := w.look("198.51.3.231")
		if len(r.Answers) != 1 || r.Answers[0].Why == "" {
			t.Errorf("%+v", r)
		}
	})
}

// One IPv6 host has more addresses than anybody can ask for.
func TestOneNetworkCantSpendTheBudget(t *testing.T) {
	play(t, zone("zen.spamhaus.org"), func(l *dnsbltest.Lists) { l.Add("zen.spamhaus.org") }, func(t *testing.T, w *world) {
		before := w.lists.Questions()
		for i := range 1000 {
			w.Start(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)))
		}
		synctest.Wait()
		if n := w.lists.Questions() - before; n != 32 {
			t.Errorf("%d questions", n)
		}
		if r := w.look("2001:db8::3e8"); len(r.Answers) != 1 || r.Answers[0].Why != "too many new addresses of one network" {
			t.Errorf("%+v", r)
		}
		w.look("192.0.2.1")
		time.Sleep(time.Minute)
		if r := w.look("2001:db8::3e8"); len(r.Answers) != 0 {
			t.Errorf("a minute later: %+v", r)
		}
	})
}

// A flood of addresses that come once pushes out each other, and no regular client.
func TestFloodKeepsRegularClients(t *testing.T) {
	const regulars = 200
	c := dnsbl.Config{Lists: zone("bl.example.org"), Entries: 4096, Rate: 1 << 20, Queue: 1 << 16, MaxClean: 24 * time.Hour, MinTTL: 24 * time.Hour, MaxTTL: 24 * time.Hour}
	playWith(t, c, func(l *dnsbltest.Lists) { l.Add("bl.example.org") }, func(t *testing.T, w *world) {
		regular := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}) }
		for range 3 {
			for i := range regulars {
				w.Start(regular(i))
			}
			time.Sleep(10 * time.Minute)
		}
		for i := range 50_000 {
			w.Start(netip.AddrFrom4([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)}))
			if i%1000 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		missing := 0
		for i := range regulars {
			if _, complete := w.Cached(regular(i)); !complete {
				missing++
			}
		}
		st := w.Stats()
		if missing > 0 || st.Clients > 4096 || st.Evicted < 40_000 {
			t.Errorf("%d of %d regular clients forgotten; %+v", missing, regulars, st)
		}
	})
}

// All at once, with a list that changes its mind, a small table and an early end.
func TestConcurrentUse(t *testing.T) {
	defer goleak.VerifyNone(t)
	lists := dnsbltest.New()
	bl := lists.Add("bl.example.org")
	lists.Add("zen.spamhaus.org")
	set, err := dnsbl.New(dnsbl.Config{Lists: zone("bl.example.org", "zen.spamhaus.org"), Resolver: lists, Entries: 64, Queue: 32, Parallel: 4, Rate: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { set.Run(ctx) })
	for g := range 8 {
		all.Go(func() {
			for i := range 2000 {
				a := netip.AddrFrom4([4]byte{198, 51, 100, byte(i * (g + 1))})
				switch i % 4 {
				case 0:
					set.Start(a)
				case 1:
					set.Cached(a)
				case 2:
					within, stop := context.WithTimeout(ctx, 10*time.Millisecond)
					if r := set.Lookup(within, a); r.Block < 0 || r.Asked != 2 {
						t.Errorf("%+v", r)
					}
					stop()
				case 3:
					set.Health()
					set.Stats()
					if i%100 == 3 {
						bl.Behave([]func(netip.Addr) ([]string, error){nil, dnsbltest.Always("127.0.0.2"), dnsbltest.Never(dns.ErrServFail)}[g%3])
						set.Test(ctx, "bl.example.org")
					}
				}
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	set.Start(client)
	if err := set.Close(); err != nil { // while it is used
		t.Error(err)
	}
	cancel()
	all.Wait()
}

// The same over a socket and the resolver that is used in earnest.
func TestOverTheNetwork(t *testing.T) {
	defer goleak.VerifyNone(t)
	z, err := dnstest.Parse("lists.zone", strings.NewReader(`
$TTL 300
2.0.0.127.key1234.zen.dq.spamhaus.net. IN A 127.0.0.2
2.0.0.127.key1234.zen.dq.spamhaus.net. IN A 127.0.0.4
2.0.0.127.key1234.zen.dq.spamhaus.net. IN A 127.0.0.10
7.2.0.192.key1234.zen.dq.spamhaus.net. IN A 127.0.0.4
7.2.0.192.key1234.zen.dq.spamhaus.net. IN TXT "https://www.spamhaus.org/query/ip/192.0.2.7"
*.parked.example. IN A 203.0.113.80
2.0.0.127.list.dnswl.org. IN A 127.0.10.0
8.2.0.192.list.dnswl.org. IN A 127.0.4.3
`))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := dnstest.Serve(z)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	cache := dns.NewCache(dns.Config{Servers: []netip.AddrPort{srv.Addr()}})
	defer cache.Close()
	set, err := dnsbl.New(dnsbl.Config{Lists: zone("key1234.zen.dq.spamhaus.net", "parked.example", "list.dnswl.org"), Resolver: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for i, want := range []dnsbl.State{dnsbl.Healthy, dnsbl.Off, dnsbl.Healthy} {
		h, ok := set.Test(t.Context(), set.Health()[i].Name)
		if !ok || h.State != want {
			t.Errorf("%+v", h)
		}
	}
	if _, ok := set.Test(t.Context(), "no such list"); ok {
		t.Error("a test of no list")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if r := set.Lookup(ctx, client); r.Block != 8 || r.Allow != 0 {
		t.Errorf("%+v", r)
	}
	if r := set.Lookup(ctx, netip.MustParseAddr("192.0.2.8")); r.Block != 0 || r.Allow != 5 {
		t.Errorf("%+v", r)
	}
	for q := range srv.Asked() {
		if q.Type != dns.A {
			t.Errorf("asked for %s of %s", q.Type, q.Name)
		}
	}
}

func TestClosedSetAsksNobody(t *testing.T) {
	lists := dnsbltest.New()
	lists.Add("bl.example.org")
	set, err := dnsbl.New(dnsbl.Config{Lists: zone("bl.example.org"), Resolver: lists})
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Close(); err != nil {
		t.Error(err)
	}
	if r := set.Lookup(t.Context(), client); len(r.Answers) != 1 || r.Answers[0].Why == "" {
		t.Errorf("%+v", r)
	}
	if n := lists.Questions(); n != 0 {
		t.Errorf("%d questions", n)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]dnsbl.Config{
		"no resolver": {Lists: zone("bl.example.org")},
		"twice":       {Lists: zone("bl.example.org", "BL.example.org."), Resolver: dnsbltest.New()},
		"two names":   {Lists: []dnsbl.List{{Zone: "a.example.org", Name: "x"}, {Zone: "b.example.org", Name: "x"}}, Resolver: dnsbltest.New()},
		"bad zone":    {Lists: zone("..."), Resolver: dnsbltest.New()},
	} {
		if _, err := dnsbl.New(c); err == nil || !strings.HasPrefix(err.Error(), "dnsbl: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// cached is a set that knows a clean client and a listed one.
func cached(tb testing.TB) *dnsbl.Set {
	lists := dnsbltest.New()
	zones := []string{"zen.spamhaus.org", "bl.spamcop.net", "b.barracudacentral.org", "psbl.surriel.com", "list.dnswl.org"}
	for _, z := range zones {
		lists.Add(z).Put("192.0.2.9", "127.0.0.2")
	}
	set, err := dnsbl.New(dnsbl.Config{Lists: zone(zones...), Resolver: lists})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { set.Close() })
	for _, h := range set.Health() {
		set.Test(tb.Context(), h.Name)
	}
	for _, a := range []string{"192.0.2.7", "192.0.2.9"} {
		set.Lookup(tb.Context(), netip.MustParseAddr(a))
	}
	return set
}

func TestCachedTakesNoMemory(t *testing.T) {
	set := cached(t)
	for _, a := range []string{"192.0.2.7", "192.0.2.9", "::ffff:192.0.2.7", "10.0.0.1"} {
		a := netip.MustParseAddr(a)
		if n := testing.AllocsPerRun(1000, func() {
			if _, complete := set.Cached(a); !complete {
				t.Fatal("not complete")
			}
			set.Start(a)
		}); n != 0 {
			t.Errorf("%s: %v allocations", a, n)
		}
	}
}

func BenchmarkCached(b *testing.B) {
	set := cached(b)
	for name, a := range map[string]string{"clean": "192.0.2.7", "listed": "192.0.2.9"} {
		b.Run(name, func(b *testing.B) {
			a := netip.MustParseAddr(a)
			b.ReportAllocs()
			for b.Loop() {
				if _, complete := set.Cached(a); !complete {
					b.Fatal("not complete")
				}
			}
		})
	}
}

// BenchmarkFlood is what a client costs that was never seen, without the network.
func BenchmarkFlood(b *testing.B) {
	set := cached(b)
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		i++
		set.Start(netip.AddrFrom4([4]byte{byte(i>>24) + 11, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
}
