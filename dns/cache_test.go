package dns_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	wire "github.com/miekg/dns"
	"go.uber.org/goleak"

	"sluice/dns"
	"sluice/dns/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}

// over is a cache before a server that answers as h does. Its times are short.
func over(t testing.TB, cfg dns.Config, handlers ...dnstest.Handler) *dns.Cache {
	t.Helper()
	for _, h := range handlers {
		s, err := dnstest.ServeFunc(h)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		cfg.Servers = append(cfg.Servers, s.Addr())
	}
	if cfg.Timeout == 0 {
		cfg.Timeout, cfg.Total = 500*time.Millisecond, 1500*time.Millisecond
	}
	c := dns.NewCache(cfg)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// piped is a cache inside a synctest bubble: its network is pipes to h.
func piped(t testing.TB, cfg dns.Config, h dnstest.Handler) *dns.Cache {
	t.Helper()
	if cfg.Servers == nil {
		cfg.Servers = loopback
	}
	if cfg.Dial == nil {
		cfg.Dial = pipes(t, func(string) dnstest.Handler { return h })
	}
	c := dns.NewCache(cfg)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// pipes is a network on which each address has its handler.
func pipes(t testing.TB, at func(address string) dnstest.Handler) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, network, address string) (net.Conn, error) {
		client, server := net.Pipe()
		h := at(address)
		go func() {
			defer server.Close()
			buf := make([]byte, 4096)
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			if network == "tcp" {
				buf, n = buf[2:], n-2
			}
			q := new(wire.Msg)
			if err := q.Unpack(buf[:n]); err != nil {
				t.Errorf("query: %v", err)
				return
			}
			for _, b := range h(q, network) {
				if network == "tcp" {
					b = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
				}
				_, _ = server.Write(b)
			}
			_, _ = io.Copy(io.Discard, server) // until the client leaves
		}()
		return client, nil
	}
}

func zone(t testing.TB, text string) *dnstest.Zone {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func kind(err error) error {
	if e, ok := errors.AsType[*dns.Error](err); ok {
		return e.Kind
	}
	return err
}

// TestAlike asks a zone directly, and through a server and the cache, twice: the
// answers must be the same.
func TestAlike(t *testing.T) {
	var many, long strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "many IN A 10.0.0.%d\n", i)
		fmt.Fprintf(&long, "c%d IN CNAME c%d\n", i, i+1)
	}
	z := zone(t, "$ORIGIN example.com.\n$TTL 10m\n"+many.String()+long.String()+`
@    IN MX 10 Mail
     IN MX 0 backup
     IN TXT "v=spf1 " "mx -all"
     IN TXT "bytes \000\255\"\\"
     IN NS ns
mail 60 IN A 192.0.2.1
     IN A 192.0.2.2
     IN AAAA 2001:db8::1
www  IN CNAME mail
loop IN CNAME pool
pool IN CNAME loop
self IN CNAME self
away IN CNAME nowhere.example.net.
*.wild IN A 192.0.2.2
alias.wild IN CNAME x.wild
null IN MX 0 .
big  IN TXT "`+strings.Repeat("x", 255)+`" "`+strings.Repeat("y", 255)+`" "`+strings.Repeat("z", 255)+`" "`+strings.Repeat("z", 255)+`" "`+strings.Repeat("z", 255)+`"
bücher IN CNAME käse
käse IN A 192.0.2.4
odd  IN PTR a\.b\\c\000.example.com.
tlsa IN TLSA 3 1 1 abcd
new  IN TYPE65280 \# 2 abcd
eight 20 IN CNAME c193
`)
	j := zone(t, `{"slow.example": "TIMEOUT", "broken.example": {"TXT": "SERVFAIL", "A": ["192.0.2.1"]}, "to-slow.example": {"CNAME": ["slow.example"]}}`)
	type question struct {
		name string
		t    dns.Type
	}
	questions := map[*dnstest.Zone][]question{
		z: {{"example.com", dns.MX}, {"EXAMPLE.com.", dns.TXT}, {"example.com", dns.NS}, {"example.com", dns.AAAA}, {"example.com", dns.CNAME},
			{"mail.example.com", dns.A}, {"mail.example.com", dns.AAAA}, {"www.example.com", dns.A}, {"www.example.com", dns.CNAME},
			{"www.example.com", dns.TXT}, {"loop.example.com", dns.A}, {"self.example.com", dns.A}, {"away.example.com", dns.A},
			{"any.wild.example.com", dns.A}, {"alias.wild.example.com", dns.A}, {"wild.example.com", dns.A}, {"null.example.com", dns.MX},
			{"big.example.com", dns.TXT}, {"many.example.com", dns.A}, {"bücher.example.com", dns.A}, {"odd.example.com", dns.PTR},
			{"tlsa.example.com", dns.TLSA}, {"new.example.com", 65280}, {"absent.example.com", dns.A}, {"c0.example.com", dns.A},
			{"eight.example.com", dns.TXT}, {"a..b", dns.A}, {"", dns.A}, {`a\.b.example`, dns.A}, {".", dns.NS}, {"_dmarc.example.com", dns.TXT}},
		j: {{"slow.example", dns.A}, {"broken.example", dns.TXT}, {"broken.example", dns.A}, {"to-slow.example", dns.A}},
	}
	for z, qs := range questions {
		cfg := dns.Config{MixCase: true, Timeout: 2 * time.Second, Total: 6 * time.Second}
		if z == j { // whose silence we wait for
			cfg.Timeout, cfg.Total = 200*time.Millisecond, 300*time.Millisecond
		}
		c := over(t, cfg, z.Reply)
		for _, q := range qs {
			want, wantErr := z.Lookup(t.Context(), q.name, q.t)
			for _, time := range []string{"first", "second"} {
				got, err := c.Lookup(t.Context(), q.name, q.t)
				if kind(err) != kind(wantErr) {
					t.Errorf("%s %s, %s time: %v, want %v", q.name, q.t, time, err, wantErr)
					continue
				}
				if time == "second" && !got.Cached && !errors.Is(err, dns.ErrBadName) {
					t.Errorf("%s %s: asked again", q.name, q.t)
				}
				got.Cached = false
				if dns.Temporary(err) { // what was on the way to a failure may differ
					got.Canonical, want.Canonical = "", ""
				}
				got.TTL = got.TTL.Round(1e9)
				if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
					t.Errorf("%s %s, %s time (-zone +cache):\n%s", q.name, q.t, time, d)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Lookup(ctx, qs[0].name, qs[0].t); !errors.Is(err, dns.ErrTimeout) || !errors.Is(err, context.Canceled) {
			t.Errorf("an ended context gives %v", err)
		}
		if st := c.Stats(); st.Panics != 0 || st.Servers[0].Strays != 0 {
			t.Errorf("stats: %+v", st)
		}
	}
}

// counted counts what is asked.
func counted(h dnstest.Handler) (dnstest.Handler, *atomic.Int64) {
	n := new(atomic.Int64)
	return func(q *wire.Msg, network string) [][]byte { n.Add(1); return h(q, network) }, n
}

func silent(*wire.Msg, string) [][]byte { return nil }

func TestTimesToLive(t *testing.T) {
	for _, tc := range []struct {
		name string
		t    dns.Type
		want time.Duration
	}{
		{"usual.example", dns.A, 10 * time.Minute},
		{"never.example", dns.A, 5 * time.Second},
		{"forever.example", dns.A, 24 * time.Hour},
		{"chain.example", dns.A, 2 * time.Minute},
		{"mixed.example", dns.A, time.Minute},
		{"usual.example", dns.MX, 5 * time.Minute},   // no data
		{"absent.example", dns.A, 5 * time.Minute},   // no such name
		{"dangling.example", dns.A, 1 * time.Minute}, // a chain that ends nowhere
		{"bad.example", dns.TXT, 5 * time.Second},    // a failure
	} {
		t.Run(tc.name+" "+tc.t.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, n := counted(zone(t, `
usual.example. 600 IN A 192.0.2.1
never.example. 0 IN A 192.0.2.1
forever.example. 2147483647 IN A 192.0.2.1
chain.example. 120 IN CNAME usual.example.
mixed.example. 60 IN A 192.0.2.1
mixed.example. 600 IN A 192.0.2.2
dangling.example. 60 IN CNAME absent.example.
bad.example. IN CNAME bad.example.
`).Reply)
				c := piped(t, dns.Config{}, h)
				ask := func(cached bool, left time.Duration) {
					t.Helper()
					a, err := c.Lookup(t.Context(), tc.name, tc.t)
					if a.Cached != cached || a.Stale || !dns.Temporary(err) && a.TTL != left {
						t.Errorf("cached %v, stale %v, TTL %v, error %v; want cached %v, TTL %v", a.Cached, a.Stale, a.TTL, err, cached, left)
					}
				}
				ask(false, tc.want)
				time.Sleep(tc.want - 1)
				ask(true, 1)
				asked := n.Load()
				time.Sleep(time.Nanosecond)
				ask(false, tc.want)
				if n.Load() <= asked {
					t.Error("not asked again")
				}
			})
		})
	}
}

// denies is a denial with a SOA of our choice.
func denies(owner string, ttl, minimum uint32) dnstest.Handler {
	return packed(func(q, m *wire.Msg, _ string) {
		m.Rcode = wire.RcodeNameError
		m.Ns = []wire.RR{&wire.SOA{Hdr: wire.RR_Header{Name: owner, Rrtype: wire.TypeSOA, Class: wire.ClassINET, Ttl: ttl}, Ns: ".", Mbox: ".", Minttl: minimum}}
	})
}

// packed is a handler that sends one message, which f fills.
func packed(f func(q, m *wire.Msg, network string)) dnstest.Handler {
	return func(q *wire.Msg, network string) [][]byte {
		m := new(wire.Msg)
		m.SetReply(q)
		m.RecursionAvailable = true
		f(q, m, network)
		m.Compress = true
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		return [][]byte{b}
	}
}

func TestDenials(t *testing.T) {
	for _, tc := range []struct {
		owner        string
		ttl, minimum uint32
		want         time.Duration
	}{
		{"example.", 900, 600, 10 * time.Minute},
		{"example.", 300, 600, 5 * time.Minute},
		{"example.", 100000, 100000, time.Hour},
		{"example.", 0, 0, 5 * time.Second},
		{"a.example.", 600, 600, 10 * time.Minute},
		{"b.example.", 600, 600, 5 * time.Second},   // not above the name: says nothing
		{"xa.example.", 600, 600, 5 * time.Second},  // nor is this
		{"x.a.example.", 600, 600, 5 * time.Second}, // nor this
		{"ample.", 600, 600, 5 * time.Second},       // nor a part of a label
	} {
		synctest.Test(t, func(t *testing.T) {
			c := piped(t, dns.Config{}, denies(tc.owner, tc.ttl, tc.minimum))
			if a, err := c.Lookup(t.Context(), "a.example", dns.A); a.TTL != tc.want || !errors.Is(err, dns.ErrNXDomain) {
				t.Errorf("SOA %s %d %d: TTL %v, error %v, want %v", tc.owner, tc.ttl, tc.minimum, a.TTL, err, tc.want)
			}
		})
	}
}

// TestStale takes the servers away and brings them back.
func TestStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := zone(t, "here.example. 60 IN A 192.0.2.1\n")
		var away, mute atomic.Bool
		h, n := counted(func(q *wire.Msg, network string) [][]byte {
			switch {
			case mute.Load():
				return nil
			case away.Load():
				b, _ := new(wire.Msg).SetRcode(q, wire.RcodeServerFailure).Pack()
				return [][]byte{b}
			}
			return z.Reply(q, network)
		})
		c := piped(t, dns.Config{}, h)
		ask := func(name string, want string) {
			t.Helper()
			a, err := c.Lookup(t.Context(), name, dns.A)
			got := fmt.Sprintf("%d cached=%v stale=%v ttl=%v %v", len(a.Records), a.Cached, a.Stale, a.TTL, kind(err))
			if got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		ask("here.example", "1 cached=false stale=false ttl=1m0s <nil>")
		ask("gone.example", "0 cached=false stale=false ttl=5m0s no such name")
		away.Store(true)
		time.Sleep(time.Minute)
		ask("here.example", "1 cached=true stale=true ttl=30s <nil>")
		// RFC 8767 5: not asked again for half a minute.
		asked := n.Load()
		time.Sleep(29 * time.Second)
		ask("here.example", "1 cached=true stale=true ttl=30s <nil>")
		if n.Load() != asked {
			t.Error("asked again within the failure recheck time")
		}
		time.Sleep(time.Second)
		ask("here.example", "1 cached=true stale=true ttl=30s <nil>")
		if n.Load() == asked {
			t.Error("not asked again after the failure recheck time")
		}
		// A denial is never served past its time: it would refuse mail for good.
		time.Sleep(5 * time.Minute)
		ask("gone.example", "0 cached=false stale=false ttl=0s server failure")

		// Servers that say nothing: no longer than the client response time.
		mute.Store(true)
		time.Sleep(time.Minute)
		begin := time.Now()
		ask("here.example", "1 cached=true stale=true ttl=30s <nil>")
		if took := time.Since(begin); took != 1800*time.Millisecond {
			t.Errorf("waited %v for the servers, with data at hand", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if a, err := c.Lookup(ctx, "here.example", dns.A); err != nil || !a.Stale {
			t.Errorf("a caller in a hurry gets %v, %v", a, err)
		}
		time.Sleep(10 * time.Second) // the lookup under way has failed

		mute.Store(false)
		away.Store(false)
		time.Sleep(time.Minute)
		ask("here.example", "1 cached=false stale=false ttl=1m0s <nil>")
		away.Store(true)
		time.Sleep(time.Minute + 24*time.Hour - 1)
		ask("here.example", "1 cached=true stale=true ttl=30s <nil>")
		time.Sleep(30 * time.Second)
		ask("here.example", "0 cached=false stale=false ttl=0s server failure")
		if st := c.Stats(); st.Stale == 0 || st.Failures == 0 {
			t.Errorf("stats: %+v", st)
		}
	})
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, n := counted(silent)
		c := piped(t, dns.Config{}, h)
		begin := time.Now()
		_, err := c.Lookup(t.Context(), "example.com", dns.A)
		if took := time.Since(begin); took != 6*time.Second || !errors.Is(err, dns.ErrTimeout) || n.Load() != 3 {
			t.Errorf("a silent server costs %v and %d queries: %v", took, n.Load(), err)
		}
		if _, err := c.Lookup(t.Context(), "example.com", dns.A); !errors.Is(err, dns.ErrTimeout) || time.Since(begin) != 6*time.Second {
			t.Errorf("asked at once again: %v", err)
		}
		// A caller's time is its own.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		_, err = c.Lookup(ctx, "example.org", dns.A)
		if took := time.Since(begin); took != time.Second || !errors.Is(err, dns.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller with a second waits %v: %v", took, err)
		}
		// Closing doesn't wait for silent servers.
		begin = time.Now()
		if err := c.Close(); err != nil || time.Since(begin) != 0 {
			t.Errorf("closing took %v: %v", time.Since(begin), err)
		}
		if _, err := c.Lookup(t.Context(), "example.net", dns.A); !errors.Is(err, dns.ErrServFail) {
			t.Errorf("closed: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestTogether has many callers ask at one time: the server is asked once.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := zone(t, "here.example. 60 IN A 192.0.2.1\n")
		h, n := counted(func(q *wire.Msg, network string) [][]byte { time.Sleep(time.Second); return z.Reply(q, network) })
		c := piped(t, dns.Config{Flights: 1}, h)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				ctx := t.Context()
				if i%2 == 1 { // who leaves early doesn't end it for the others
					short, cancel := context.WithTimeout(ctx, time.Millisecond)
					defer cancel()
					if _, err := c.Lookup(short, "here.example", dns.A); !errors.Is(err, dns.ErrTimeout) {
						t.Error(err)
					}
					return
				}
				if a, err := c.Lookup(ctx, "here.example", dns.A); err != nil || len(a.Records) != 1 {
					t.Error(a, err)
				}
			})
		}
		wg.Wait()
		if n.Load() != 1 {
			t.Errorf("asked %d times", n.Load())
		}
		// One slot: another name waits for it, as long as its caller does.
		wg.Go(func() { _, _ = c.Lookup(t.Context(), "slow.example", dns.A) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := c.Lookup(ctx, "waits.example", dns.A); !errors.Is(err, dns.ErrTimeout) {
			t.Error(err)
		}
		if _, err := c.Lookup(t.Context(), "waits.example", dns.A); !errors.Is(err, dns.ErrNXDomain) {
			t.Error(err)
		}
		wg.Wait()
	})
}

// TestTogetherInLine has callers for one name wait for slots, and get two at one
// time: one flight is enough.
func TestTogetherInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := zone(t, "*.example. 60 IN A 192.0.2.1\n")
		var asked atomic.Int64
		c := piped(t, dns.Config{Flights: 2}, func(q *wire.Msg, network string) [][]byte {
			if q.Question[0].Name == "same.example." {
				asked.Add(1)
			}
			time.Sleep(time.Second)
			return z.Reply(q, network)
		})
		var wg sync.WaitGroup
		for _, name := range []string{"a.example", "b.example", "same.example", "same.example", "same.example"} {
			wg.Go(func() {
				if _, err := c.Lookup(t.Context(), name, dns.A); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if asked.Load() != 1 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

// TestServers has one server that is dead, then many.
func TestServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := zone(t, "*.example. 60 IN A 192.0.2.1\n")
		var to []string
		var alive bool
		d := piped(t, dns.Config{
			Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("192.0.2.2:53")},
			Dial: pipes(t, func(address string) dnstest.Handler {
				to = append(to, address)
				if address == "192.0.2.1:53" && !alive {
					return silent
				}
				return z.Reply
			}),
		}, nil)
		for i := range 5 {
			begin := time.Now()
			_, err := d.Lookup(t.Context(), fmt.Sprintf("a%d.example", i), dns.A)
			want := 2 * time.Second
			if i >= 3 {
				want = 0 // by now it is asked last
			}
			if took := time.Since(begin); err != nil || took != want {
				t.Errorf("lookup %d: %v after %v, want %v", i, err, took, want)
			}
		}
		if st := d.Stats().Servers; !st[0].Dead || st[0].Timeouts != 3 || st[1].Dead || st[1].Answered != 5 {
			t.Errorf("stats: %+v", st)
		}
		time.Sleep(30 * time.Second) // and then gets another chance
		to, alive = nil, true
		if _, err := d.Lookup(t.Context(), "b.example", dns.A); err != nil || to[0] != "192.0.2.1:53" {
			t.Errorf("%v, asked %v", err, to)
		}
		alive = false // one reply clears it: it takes three misses again
		for i := range 2 {
			_, _ = d.Lookup(t.Context(), fmt.Sprintf("c%d.example", i), dns.A)
		}
		if st := d.Stats().Servers[0]; st.Dead {
			t.Errorf("stats: %+v", st)
		}
	})
}

func TestAuthentic(t *testing.T) {
	h := packed(func(q, m *wire.Msg, _ string) {
		m.AuthenticatedData = q.AuthenticatedData // RFC 6840 5.7: it is asked for
		m.Answer = []wire.RR{&wire.A{Hdr: wire.RR_Header{Name: q.Question[0].Name, Rrtype: wire.TypeA, Class: wire.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
	})
	for _, tc := range []struct {
		trusted []netip.Prefix
		want    bool
	}{{nil, true}, {[]netip.Prefix{}, false}, {[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, false}, {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, true}} {
		a, err := over(t, dns.Config{Trusted: tc.trusted}, h).Lookup(t.Context(), "example.com", dns.A)
		if err != nil || a.Authentic != tc.want {
			t.Errorf("trusting %v: authentic %v, %v, want %v", tc.trusted, a.Authentic, err, tc.want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, dns.Config{Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}}, h)
		if a, err := c.Lookup(t.Context(), "example.com", dns.A); err != nil || a.Authentic {
			t.Errorf("a server elsewhere is trusted: %v, %v", a, err)
		}
	})
}

// TestMemory fills the cache over its bounds.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := zone(t, "*.small.example. 60 IN A 192.0.2.1\n*.big.example. 60 IN TXT "+strings.Repeat(`"`+strings.Repeat("x", 200)+`" `, 5)+"\n")
		c := piped(t, dns.Config{Entries: 160, Bytes: 160 << 10}, z.Reply)
		fill := func(zone string, typ dns.Type) dns.Stats {
			for i := range 1000 {
				if _, err := c.Lookup(t.Context(), fmt.Sprintf("n%d.%s.example", i, zone), typ); err != nil {
					t.Fatal(err)
				}
				// This one is used all the time, and must stay.
				if a, err := c.Lookup(t.Context(), "hot.small.example", dns.A); err != nil || a.Cached != (i > 0 || typ == dns.TXT) {
					t.Fatalf("%d: %v, cached %v", i, err, a.Cached)
				}
			}
			return c.Stats()
		}
		if st := fill("small", dns.A); st.Entries > 160 || st.Entries < 100 || st.Evicted != 1001-uint64(st.Entries) {
			t.Errorf("small answers: %+v", st)
		}
		if st := fill("big", dns.TXT); st.Bytes > 160<<10 || st.Bytes < 100<<10 || st.Entries > 110 {
			t.Errorf("big answers: %+v", st)
		}
	})
}
