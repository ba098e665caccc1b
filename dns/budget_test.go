package dns_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	wire "github.com/miekg/dns"

	"sluice/dns"
)

// slow is a resolver that takes time, or the caller's.
type slow struct {
	r    dns.Resolver
	took time.Duration
}

func (s slow) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	select {
	case <-time.After(s.took):
		return s.r.Lookup(ctx, name, t)
	case <-ctx.Done():
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrTimeout, Err: ctx.Err()}
	}
}

func TestBudget(t *testing.T) {
	z := zone(t, "here.example. 60 IN A 192.0.2.1\n")
	look := func(r dns.Resolver) error {
		_, err := r.Lookup(t.Context(), "here.example", dns.A)
		return kind(err)
	}
	session := dns.NewBudget(5, time.Minute)
	for i, want := range [][]error{
		{nil, nil, nil, dns.ErrBudget},
		{nil, nil, dns.ErrBudget, dns.ErrBudget}, // the session's is spent
	} {
		message := dns.NewBudget(3, time.Minute)
		r := dns.Limited(z, message, session)
		for j, want := range want {
			if err := look(r); err != want {
				t.Errorf("message %d, lookup %d: %v, want %v", i, j, err, want)
			}
		}
	}
	if n, _ := session.Left(); n != 0 || session.Denied() != 1 {
		t.Errorf("session: %d left, %d denied", n, session.Denied())
	}
	if err := look(dns.Limited(z)); err != nil {
		t.Errorf("without a budget: %v", err)
	}
	if err := look(dns.Limited(z, dns.NewBudget(-1, time.Hour))); err != dns.ErrBudget {
		t.Errorf("below zero: %v", err)
	}
	_, err := dns.Limited(z, dns.NewBudget(1, 0)).Lookup(t.Context(), "here.example", dns.A)
	if !dns.Temporary(err) || dns.NotFound(err) || err.Error() != `dns: "here.example" A: lookup budget spent: no time left` {
		t.Errorf("no time: %v", err)
	}

	synctest.Test(t, func(t *testing.T) {
		b := dns.NewBudget(10, 5*time.Second)
		r := dns.Limited(slow{z, 2 * time.Second}, b)
		for i, want := range []error{nil, nil, dns.ErrBudget, dns.ErrBudget} {
			begin := time.Now()
			if _, err := r.Lookup(t.Context(), "here.example", dns.A); kind(err) != want {
				t.Errorf("lookup %d: %v, want %v", i, err, want)
			}
			if took, want := time.Since(begin), []time.Duration{2, 2, 1, 0}[i]*time.Second; took != want {
				t.Errorf("lookup %d took %v, want %v", i, took, want)
			}
		}
		begin := time.Now()
		r = dns.Limited(slow{z, 2 * time.Second}, dns.NewBudget(10, time.Minute), dns.NewBudget(10, time.Second))
		if _, err := r.Lookup(t.Context(), "here.example", dns.A); kind(err) != dns.ErrBudget || time.Since(begin) != time.Second {
			t.Errorf("the least of two times: %v after %v", err, time.Since(begin))
		}
		// The caller's own end is no spent budget.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r = dns.Limited(slow{z, 2 * time.Second}, dns.NewBudget(10, time.Minute))
		if _, err := r.Lookup(ctx, "here.example", dns.A); kind(err) != dns.ErrTimeout {
			t.Errorf("the caller's time: %v", err)
		}
	})
}

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := zone(t, "here.example. 60 IN A 192.0.2.1\nhere.example. 60 IN A 192.0.2.2\nalias.example. 60 IN CNAME one.example.\none.example. 60 IN A 192.0.2.3\nloop.example. IN CNAME loop.example.\n")
		c := piped(t, dns.Config{}, z.Reply)
		tr := dns.NewTrace(slow{c, time.Second}, 7)
		for _, name := range []string{"here.example", "Here.Example", "alias.example", "gone.example", "loop.example", "a..b"} {
			_, _ = tr.Lookup(t.Context(), name, dns.A)
		}
		_, _ = dns.Limited(tr, dns.NewBudget(1, 1)).Lookup(t.Context(), "here.example", dns.A)
		_, _ = tr.Lookup(t.Context(), "one.example", dns.A)
		got, more := tr.Asked()
		const sec = time.Second
		want := []dns.Asked{
			{Name: "here.example", Type: "A", Outcome: "2 records", TTL: 60 * sec, Took: sec, Authentic: false},
			{Name: "Here.Example", Type: "A", Outcome: "2 records", TTL: 59 * sec, Took: sec, Cached: true},
			{Name: "alias.example", Type: "A", Outcome: "1 record", Canonical: "one.example", TTL: 60 * sec, Took: sec},
			{Name: "gone.example", Type: "A", Outcome: "no such name", Error: `dns: "gone.example" A: no such name`, RCode: 3, TTL: 300 * sec, Took: sec},
			{Name: "loop.example", Type: "A", Outcome: "server failure", Error: `dns: "loop.example" A: server failure: 127.0.0.1:53: SERVFAIL`, RCode: 2, Took: sec, Temporary: true},
			{Name: "a..b", Type: "A", Outcome: "not a domain name", Error: `dns: "a..b" A: not a domain name: dns: "a..b": not a domain name: empty label`, Took: sec},
			{Name: "here.example", Type: "A", Outcome: "no answer in time", Error: `dns: "here.example" A: no answer in time: context deadline exceeded`, Took: 1, Temporary: true},
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(dns.Asked{}, "Records")); d != "" || more != 1 {
			t.Errorf("%d more, (-want +got):\n%s", more, d)
		}
		if len(got[0].Records) != 2 {
			t.Errorf("records: %v", got[0].Records)
		}
	})
}

// TestRace has many ask a small cache for names that come and go, and checks that
// every answer is that of its name.
func TestRace(t *testing.T) {
	h := packed(func(q, m *wire.Msg, network string) {
		var n byte
		if _, err := fmt.Sscanf(q.Question[0].Name, "n%d.", &n); err != nil {
			m.Rcode = wire.RcodeNameError
			return
		}
		switch n % 8 {
		case 0:
			m.Rcode = wire.RcodeServerFailure
		case 1:
			m.Rcode = wire.RcodeNameError
		case 2:
			m.Truncated = network == "udp"
			fallthrough
		default:
			m.Answer = []wire.RR{&wire.A{Hdr: header(q.Question[0].Name, dns.A), A: net.IPv4(192, 0, 2, n)}}
		}
	})
	c := over(t, dns.Config{Entries: 64, Flights: 4, Timeout: 5 * time.Second, Total: 10 * time.Second}, h)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			limited := dns.NewTrace(dns.Limited(c, dns.NewBudget(250, time.Hour)), 10)
			for range 300 {
				n := r.IntN(200)
				a, err := limited.Lookup(t.Context(), fmt.Sprintf("n%d.example", n), dns.A)
				switch {
				case errors.Is(err, dns.ErrBudget):
				case n%8 == 0 && kind(err) != dns.ErrServFail, n%8 == 1 && kind(err) != dns.ErrNXDomain:
					t.Errorf("n%d: %v", n, err)
				case n%8 > 1 && (err != nil || !strings.HasSuffix(a.Records[0].Addr.String(), fmt.Sprintf(".%d", n))):
					t.Errorf("n%d: %v, %v", n, a, err)
				}
				if r.IntN(20) == 0 {
					_ = c.Stats()
				}
			}
		})
	}
	wg.Wait()
	st := c.Stats()
	if st.Lookups != 8*250 || st.Hits+st.Misses != st.Lookups || st.Flights != 0 || st.Entries > 64 {
		t.Errorf("stats: %+v", st)
	}
}

func benchmark(b *testing.B, name string, wrap func(dns.Resolver) dns.Resolver) {
	c := over(b, dns.Config{}, zone(b, "mail.example.com. 86400 IN A 192.0.2.1\nwww.example.com. 86400 IN CNAME mail.example.com.\n").Reply)
	r := wrap(c)
	_, first := r.Lookup(b.Context(), name, dns.A)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Lookup(b.Context(), name, dns.A); kind(err) != kind(first) {
			b.Fatal(err)
		}
	}
}

func BenchmarkCached(b *testing.B) {
	same := func(r dns.Resolver) dns.Resolver { return r }
	b.Run("hit", func(b *testing.B) { benchmark(b, "mail.example.com", same) })
	b.Run("alias", func(b *testing.B) { benchmark(b, "www.example.com", same) })
	b.Run("upper", func(b *testing.B) { benchmark(b, "Mail.Example.COM", same) })
	b.Run("denial", func(b *testing.B) { benchmark(b, "gone.example.com", same) })
	b.Run("limited", func(b *testing.B) {
		benchmark(b, "mail.example.com", func(r dns.Resolver) dns.Resolver { return dns.Limited(r, dns.NewBudget(1<<40, 1<<60)) })
	})
	b.Run("parallel", func(b *testing.B) {
		c := over(b, dns.Config{}, honest)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Lookup(b.Context(), "mail.example.com", dns.A); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkUncached is a lookup with a server on the loopback interface; the
// server's work is in it.
func BenchmarkUncached(b *testing.B) {
	c := over(b, dns.Config{Entries: 1}, honest)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := c.Lookup(b.Context(), fmt.Sprintf("n%d.example", i), dns.A); err != nil {
			b.Fatal(err)
		}
	}
}
