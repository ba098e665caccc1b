package dns

import (
	"bytes"
	"crypto/rand"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	wire "github.com/miekg/dns"
)

func TestResolvConf(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "127.0.0.1:53"},
		{"# nameserver 192.0.2.1\nsearch example.com\noptions trust-ad\n", "127.0.0.1:53"},
		{"nameserver 192.0.2.1\n nameserver\t2001:db8::1 # home\nnameserver fe80::1%eth0\nnameserver nonsense\nnameserver", "192.0.2.1:53 [2001:db8::1]:53 [fe80::1%eth0]:53"},
		{strings.Repeat("nameserver 192.0.2.1\n", 100), strings.TrimSpace(strings.Repeat("192.0.2.1:53 ", 8))},
	} {
		var got []string
		for _, a := range parseResolvConf(strings.NewReader(tc.in)) {
			got = append(got, a.String())
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%q: %s, want %s", tc.in, s, tc.want)
		}
	}
	if len(SystemServers()) == 0 {
		t.Error("this machine has no name server, not even itself")
	}
}

func TestQuery(t *testing.T) {
	ids := map[uint16]bool{}
	for range 200 {
		q, err := newQuery(rand.Reader, "mail.example.com", A, true, true)
		if err != nil {
			t.Fatal(err)
		}
		m := new(wire.Msg)
		if err := m.Unpack(q.msg); err != nil {
			t.Fatal(err)
		}
		if !m.RecursionDesired || m.CheckingDisabled || m.IsEdns0().UDPSize() != ednsSize || m.IsEdns0().Do() || lower(m.Question[0].Name) != "mail.example.com." {
			t.Fatalf("query: %v", m)
		}
		ids[m.Id] = true
	}
	if len(ids) < 190 {
		t.Errorf("%d identifiers in 200 queries", len(ids))
	}
	if _, err := newQuery(bytes.NewReader(nil), "example.com", A, true, true); err == nil {
		t.Error("a query without randomness")
	}
	root, err := newQuery(rand.Reader, ".", NS, false, true)
	if err != nil || len(root.question) != 5 {
		t.Errorf("root: %v, %v", root, err)
	}
}

// TestMemoryBytes compares the estimate of what is kept with what is used.
func TestMemoryBytes(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for name, answer := range map[string]func(i int) known{
		"one address": func(i int) known {
			return known{answer: Answer{Records: []Record{{Name: strings.Clone("mail.example.com"), Addr: netip.AddrFrom4([4]byte{1})}}}}
		},
		"a text": func(i int) known {
			return known{answer: Answer{Records: []Record{{Text: strings.Repeat("x", 500)}, {Text: strings.Repeat("y", 70)}}}}
		},
		"a denial": func(i int) known { return failed(key{}, Answer{}, ErrNXDomain, nil) },
	} {
		m := new(memory)
		m.init(1<<20, 1<<30)
		now := time.Now()
		before := heap()
		for i := range 50_000 {
			k := key{strings.Repeat("n", 10) + string(rune('0'+i%10)) + string(rune(i)) + ".example.com", A}
			what := answer(i)
			if what.err != nil {
				what.err.Name = k.name
			}
			m.keep(k, what, now.Add(time.Hour))
		}
		used := heap() - before
		kept, entries := 0, 0
		for i := range m.shards {
			kept += m.shards[i].bytes
			entries += len(m.shards[i].entries)
		}
		t.Logf("%s: %d entries, %d octets each, estimated %d", name, entries, used/uint64(entries), kept/entries)
		if r := float64(kept) / float64(used); r < 0.95 || r > 2 {
			t.Errorf("%s: estimate %d for %d used", name, kept, used)
		}
		runtime.KeepAlive(m)
	}
}

// FuzzResponse reads arbitrary octets as the response to a question. The wire
// library, which reads all of a message, is the oracle for what we read of it.
func FuzzResponse(f *testing.F) {
	seed := func(name string, t Type, rcode int, answer, ns string) {
		q, err := newQuery(rand.Reader, name, t, true, false)
		if err != nil {
			f.Fatal(err)
		}
		m := new(wire.Msg)
		if err := m.Unpack(q.msg); err != nil {
			f.Fatal(err)
		}
		m.SetRcode(m, rcode)
		for s := range strings.Lines(answer) {
			rr, err := wire.NewRR(s)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		if ns != "" {
			rr, err := wire.NewRR(ns)
			if err != nil {
				f.Fatal(err)
			}
			m.Ns = append(m.Ns, rr)
		}
		m.Compress = true
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(t), b)
	}
	const n = "example.com"
	seed(n, A, 0, n+". 60 IN A 192.0.2.1\n"+n+". IN A 192.0.2.2\n", "")
	seed(n, TXT, 0, n+`. 60 IN TXT "a" "\000\255"`, n+". IN NS ns.example.com.")
	seed(n, MX, 0, n+". 60 IN CNAME a.example.\na.example. IN CNAME b.example.\nb.example. IN MX 10 c.b.example.\n", "")
	seed(n, A, 0, n+". 60 IN CNAME example.com.", "")
	seed(n, AAAA, 3, "", "com. 900 IN SOA a. b. 1 2 3 4 300")
	seed(n, TLSA, 0, n+". 60 IN TLSA 3 1 1 abcd", "")
	seed(n, 65280, 0, n+`. 60 IN TYPE65280 \# 2 abcd`, "")
	seed(n, PTR, 2, "", "")
	f.Add(uint16(A), []byte{})
	f.Add(uint16(TXT), bytes.Repeat([]byte{0xc0, 0}, 40))
	f.Fuzz(func(t *testing.T, typ uint16, msg []byte) {
		q, err := newQuery(bytes.NewReader(make([]byte, 34)), n, Type(typ), false, false)
		if err != nil {
			t.Fatal(err)
		}
		// Most inputs shall get past the door.
		if len(msg) >= 2 {
			msg = bytes.Clone(msg)
			copy(msg, q.msg[:2])
		}
		if !q.matches(msg) {
			return
		}
		r, err := q.parse(msg)
		if len(r.records) > maxRecords || len(r.denials) > 2 {
			t.Fatalf("%d records, %d denials", len(r.records), len(r.denials))
		}
		a, seen, kind := r.follow(Answer{Canonical: n, TTL: maxTTL}, []string{n}, q.t)
		if (kind == nil) != (len(a.Records) > 0) || len(seen) > maxCNAMEs+2 {
			t.Fatalf("%d records, %d names, kind %v", len(a.Records), len(seen), kind)
		}
		for _, rec := range a.Records {
			if rec.Name != a.Canonical || rec.Type != q.t || rec.TTL < a.TTL || rec.TTL < 0 {
				t.Fatalf("record %+v of %+v", rec, a)
			}
			if (q.t == A && !rec.Addr.Is4()) || (q.t == AAAA && !rec.Addr.Is6()) {
				t.Fatalf("record without an address: %+v", rec)
			}
		}
		m := new(wire.Msg)
		if err != nil || r.truncated || r.cut || m.Unpack(msg) != nil || len(m.Question) != 1 {
			return
		}
		var want []Record
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Class != wire.ClassINET || Type(h.Rrtype) != q.t && Type(h.Rrtype) != CNAME {
				continue
			}
			if h.Ttl>>31 != 0 {
				h.Ttl = 0
			}
			want = append(want, FromWire(rr))
		}
		if d := cmp.Diff(want, r.records, cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Fatalf("(-library +ours):\n%s", d)
		}
	})
}
