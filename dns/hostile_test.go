package dns_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	wire "github.com/miekg/dns"

	"sluice/dns"
	"sluice/dns/dnstest"
)

func header(name string, t dns.Type) wire.RR_Header {
	return wire.RR_Header{Name: name, Rrtype: uint16(t), Class: wire.ClassINET, Ttl: 600}
}

func address(name, addr string) wire.RR {
	return &wire.A{Hdr: header(name, dns.A), A: net.ParseIP(addr)}
}

func alias(name, to string) wire.RR {
	return &wire.CNAME{Hdr: header(name, dns.CNAME), Target: to}
}

func text(name string, s ...string) wire.RR {
	return &wire.TXT{Hdr: header(name, dns.TXT), Txt: s}
}

// honest answers every question for addresses with one.
var honest = packed(func(q, m *wire.Msg, _ string) {
	m.Answer = []wire.RR{address(q.Question[0].Name, "192.0.2.1")}
})

// forged is honest's answer to victim.example, changed.
func forged(change func(m *wire.Msg)) dnstest.Handler {
	return packed(func(q, m *wire.Msg, _ string) {
		m.Answer = []wire.RR{address(q.Question[0].Name, "203.0.113.66")}
		change(m)
	})
}

// first sends one handler's messages and then the other's.
func first(a, b dnstest.Handler) dnstest.Handler {
	return func(q *wire.Msg, network string) [][]byte { return append(a(q, network), b(q, network)...) }
}

// bytesOf changes a handler's messages as octets.
func bytesOf(h dnstest.Handler, change func(b []byte) []byte) dnstest.Handler {
	return func(q *wire.Msg, network string) (out [][]byte) {
		for _, b := range h(q, network) {
			out = append(out, change(b))
		}
		return out
	}
}

// manyTXT answers over TCP with as many TXT records of a size as a message holds,
// at most n of them; over UDP with TC.
func manyTXT(n int, s string) dnstest.Handler {
	return packed(func(q, m *wire.Msg, network string) {
		if network == "udp" {
			m.Truncated = true
			return
		}
		for range min(n, (wire.MaxMsgSize-100)/(12+1+len(s))) {
			m.Answer = append(m.Answer, text(q.Question[0].Name, s))
		}
	})
}

// TestHostile has a server lie in every way: the answer is the true one, where it
// comes too, or a temporary error; it never is the forged one, and time, queries
// and memory stay bounded.
func TestHostile(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 61)+".", 3) + strings.Repeat("y", 57) + "."
	for _, tc := range []struct {
		name string
		h    dnstest.Handler
		t    dns.Type
		want string
	}{
		{"honest", honest, dns.A, "192.0.2.1"},
		{"wrong id, then the true answer", first(forged(func(m *wire.Msg) { m.Id++ }), honest), dns.A, "192.0.2.1"},
		{"wrong id", forged(func(m *wire.Msg) { m.Id ^= 0x8000 }), dns.A, "no answer in time"},
		{"wrong name, then the true answer", first(forged(func(m *wire.Msg) { m.Question[0].Name = "other.example." }), honest), dns.A, "192.0.2.1"},
		{"wrong name", forged(func(m *wire.Msg) { m.Question[0].Name = "wictim.example." }), dns.A, "no answer in time"},
		{"wrong type", forged(func(m *wire.Msg) { m.Question[0].Qtype = wire.TypeMX }), dns.A, "no answer in time"},
		{"wrong class", forged(func(m *wire.Msg) { m.Question[0].Qclass = wire.ClassCHAOS }), dns.A, "no answer in time"},
		{"no question", forged(func(m *wire.Msg) { m.Question = nil }), dns.A, "no answer in time"},
		{"two questions", forged(func(m *wire.Msg) { m.Question = append(m.Question, m.Question[0]) }), dns.A, "no answer in time"},
		{"a query", forged(func(m *wire.Msg) { m.Response = false }), dns.A, "no answer in time"},
		{"another opcode", forged(func(m *wire.Msg) { m.Opcode = wire.OpcodeNotify }), dns.A, "no answer in time"},
		{"letter case lost", packed(func(q, m *wire.Msg, _ string) {
			m.Question[0].Name = "VICTIM.example."
			m.Answer = []wire.RR{address("vICTIM.example.", "192.0.2.1")}
		}), dns.A, "192.0.2.1"},
		{"a thousand wrong ones", func(q *wire.Msg, network string) (out [][]byte) {
			b := forged(func(m *wire.Msg) { m.Id++ })(q, network)[0]
			for range 1000 {
				out = append(out, b)
			}
			return out
		}, dns.A, "server failure"},

		{"nothing", silent, dns.A, "no answer in time"},
		{"slow", func(q *wire.Msg, network string) [][]byte {
			time.Sleep(3 * time.Second)
			return honest(q, network)
		}, dns.A, "no answer in time"},
		{"no octets", bytesOf(honest, func([]byte) []byte { return nil }), dns.A, "no answer in time"},
		{"noise", bytesOf(honest, func(b []byte) []byte { return []byte(strings.Repeat("\xff\x00\xc0", 300)) }), dns.A, "no answer in time"},
		{"noise behind a good header", bytesOf(honest, func(b []byte) []byte { return append(b[:32], strings.Repeat("\xff\x00\xc0", 300)...) }), dns.A, "server failure"},
		{"header only", bytesOf(honest, func(b []byte) []byte { return b[:12] }), dns.A, "no answer in time"},
		{"header only, refused", bytesOf(packed(func(q, m *wire.Msg, _ string) { m.Rcode = wire.RcodeRefused }), func(b []byte) []byte { b[5] = 0; return b[:12] }), dns.A, "server failure"},
		{"cut short", bytesOf(honest, func(b []byte) []byte { return b[:len(b)-1] }), dns.A, "server failure"},
		{"counts that lie", bytesOf(honest, func(b []byte) []byte { b[6], b[8], b[10] = 255, 255, 255; return b }), dns.A, "server failure"},
		{"a pointer to itself", bytesOf(honest, func(b []byte) []byte { b[32], b[33] = 0xc0, 32; return b }), dns.A, "server failure"},
		{"an address of three octets", bytesOf(honest, func(b []byte) []byte { b[len(b)-5] = 3; return b[:len(b)-1] }), dns.A, "server failure"},
		{"an address of none", bytesOf(honest, func(b []byte) []byte { b[len(b)-5] = 0; return b[:len(b)-4] }), dns.A, "server failure"},
		{"truncated everywhere", packed(func(q, m *wire.Msg, _ string) { m.Truncated = true }), dns.A, "server failure"},
		{"truncated with data", packed(func(q, m *wire.Msg, network string) {
			m.Truncated = network == "udp"
			m.Answer = []wire.RR{address(q.Question[0].Name, map[string]string{"udp": "203.0.113.66", "tcp": "192.0.2.1"}[network])}
		}), dns.A, "192.0.2.1"},
		{"truncated in a record", func(q *wire.Msg, network string) [][]byte {
			out := honest(q, network)
			if network == "udp" {
				out[0] = out[0][:len(out[0])-2]
				out[0][2] |= 2
			}
			return out
		}, dns.A, "192.0.2.1"},
		{"wrong id over TCP", packed(func(q, m *wire.Msg, network string) {
			m.Truncated = network == "udp"
			if network == "tcp" {
				m.Id++
				m.Answer = []wire.RR{address(q.Question[0].Name, "203.0.113.66")}
			}
		}), dns.A, "server failure"},

		{"servfail", packed(func(q, m *wire.Msg, _ string) { m.Rcode = wire.RcodeServerFailure }), dns.A, "server failure"},
		{"refused", packed(func(q, m *wire.Msg, _ string) { m.Rcode = wire.RcodeRefused }), dns.A, "server failure"},
		{"lame: a referral", packed(func(q, m *wire.Msg, _ string) {
			m.RecursionAvailable = false
			m.Ns = []wire.RR{&wire.NS{Hdr: header("example.", dns.NS), Ns: "ns.example."}}
		}), dns.A, "server failure"},
		{"lame: a referral from one that says it recurses", packed(func(q, m *wire.Msg, _ string) {
			m.Ns = []wire.RR{&wire.NS{Hdr: header("example.", dns.NS), Ns: "ns.example."}}
		}), dns.A, "server failure"},
		{"lame: nothing at all", packed(func(q, m *wire.Msg, _ string) { m.RecursionAvailable = false }), dns.A, "server failure"},
		{"no EDNS", packed(func(q, m *wire.Msg, _ string) {
			if q.IsEdns0() != nil {
				m.Rcode = wire.RcodeFormatError
				return
			}
			m.Answer = []wire.RR{address(q.Question[0].Name, "192.0.2.1")}
		}), dns.A, "192.0.2.1"},
		{"bad EDNS version", packed(func(q, m *wire.Msg, _ string) {
			m.SetEdns0(1232, false)
			m.Rcode = wire.RcodeBadVers
		}), dns.A, "server failure"},

		{"an answer for another name", packed(func(q, m *wire.Msg, _ string) {
			m.Answer = []wire.RR{address("other.example.", "203.0.113.66")}
		}), dns.A, "server failure"},
		{"an answer for another name beside the true one", packed(func(q, m *wire.Msg, _ string) {
			m.Answer = []wire.RR{address("other.example.", "203.0.113.66"), address(q.Question[0].Name, "192.0.2.1"), address("example.", "203.0.113.66")}
			m.Extra = []wire.RR{address("other.example.", "203.0.113.66")}
			m.Ns = []wire.RR{&wire.NS{Hdr: header("example.", dns.NS), Ns: "other.example."}}
		}), dns.A, "192.0.2.1"},
		{"another class", packed(func(q, m *wire.Msg, _ string) {
			rr := address(q.Question[0].Name, "203.0.113.66")
			rr.Header().Class = wire.ClassCHAOS
			m.Answer = []wire.RR{rr}
		}), dns.A, "server failure"},
		{"CNAME to itself", packed(func(q, m *wire.Msg, _ string) {
			m.Answer = []wire.RR{alias(q.Question[0].Name, q.Question[0].Name)}
		}), dns.A, "server failure"},
		{"CNAME loop", packed(func(q, m *wire.Msg, _ string) {
			m.Answer = []wire.RR{alias("victim.example.", "b.example."), alias("b.example.", "victim.example.")}
		}), dns.A, "server failure"},
		{"CNAMEs one at a time, for ever", packed(func(q, m *wire.Msg, _ string) {
			m.Answer = []wire.RR{alias(q.Question[0].Name, "a."+q.Question[0].Name)}
		}), dns.A, "server failure"},
		{"thirty CNAMEs", packed(func(q, m *wire.Msg, _ string) {
			name := q.Question[0].Name
			for i := range 30 {
				m.Answer = append(m.Answer, alias(name, fmt.Sprintf("n%d.example.", i)))
				name = fmt.Sprintf("n%d.example.", i)
			}
			m.Answer = append(m.Answer, address(name, "203.0.113.66"))
		}), dns.A, "server failure"},
		{"two CNAMEs at one name", packed(func(q, m *wire.Msg, _ string) {
			m.Answer = []wire.RR{alias(q.Question[0].Name, "b.example."), alias(q.Question[0].Name, "c.example."), address("b.example.", "192.0.2.1")}
		}), dns.A, "192.0.2.1"},
		{"CNAME out of order", packed(func(q, m *wire.Msg, _ string) {
			m.Answer = []wire.RR{address("b.example.", "192.0.2.1"), alias(q.Question[0].Name, "b.example.")}
		}), dns.A, "192.0.2.1"},
		{"a CNAME the server doesn't follow", packed(func(q, m *wire.Msg, _ string) {
			if q.Question[0].Name == "victim.example." {
				m.Answer = []wire.RR{alias(q.Question[0].Name, "b.example.")}
				return
			}
			m.Answer = []wire.RR{address(q.Question[0].Name, "192.0.2.1")}
		}), dns.A, "192.0.2.1"},
		{"a CNAME nobody can ask for", packed(func(q, m *wire.Msg, _ string) {
			m.Answer = []wire.RR{alias(q.Question[0].Name, `a\.b\000.example.`)}
		}), dns.A, "server failure"},

		{"10,000 TXT", manyTXT(10000, ""), dns.TXT, "256 truncated"},
		{"thousands of long TXT", manyTXT(10000, strings.Repeat("x", 250)), dns.TXT, "125 truncated"},
		{"one TXT of 60 kB", packed(func(q, m *wire.Msg, network string) {
			if m.Truncated = network == "udp"; !m.Truncated {
				m.Answer = []wire.RR{text(q.Question[0].Name, strings.Split(strings.Repeat(strings.Repeat("x", 250)+" ", 240)+"x", " ")...)}
			}
		}), dns.TXT, "1"},
		{"huge names", packed(func(q, m *wire.Msg, network string) {
			if m.Truncated = network == "udp"; !m.Truncated {
				for i := range 1000 {
					m.Answer = append(m.Answer, &wire.MX{Hdr: header(q.Question[0].Name, dns.MX), Preference: uint16(i), Mx: long})
				}
			}
		}), dns.MX, "128 truncated"},
		{"the answer behind thousands of others", packed(func(q, m *wire.Msg, network string) {
			if m.Truncated = network == "udp"; !m.Truncated {
				for range 1000 {
					m.Answer = append(m.Answer, text("other.example.", "x"))
				}
				m.Answer = append(m.Answer, text(q.Question[0].Name, "x"))
				m.Ns = []wire.RR{&wire.SOA{Hdr: header("example.", dns.SOA), Ns: ".", Mbox: ".", Minttl: 600}}
			}
		}), dns.TXT, "server failure"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := piped(t, dns.Config{}, tc.h)
				begin := time.Now()
				a, err := c.Lookup(t.Context(), "victim.example", tc.t)
				took := time.Since(begin)
				got := fmt.Sprint(len(a.Records))
				switch {
				case err != nil:
					got = kind(err).Error()
				case tc.t == dns.A:
					got = a.Records[0].Addr.String()
				case a.Truncated:
					got += " truncated"
				}
				if got != tc.want {
					t.Errorf("got %s, %v, want %s", got, err, tc.want)
				}
				// Silence costs all the time there is; anything else costs none.
				if want := map[bool]time.Duration{true: 6 * time.Second}[kind(err) == dns.ErrTimeout]; took != want {
					t.Errorf("took %v, want %v", took, want)
				}
				st := c.Stats()
				if st.Panics != 0 || st.Bytes > 128<<10 || st.Servers[0].Sent > 12 {
					t.Errorf("stats: %+v", st)
				}
				// Nothing was learnt about other names.
				if st.Entries != 1 {
					t.Errorf("%d entries from one lookup", st.Entries)
				}
				_ = c.Close()
				time.Sleep(5 * time.Second) // for what is slow to see it
			})
		})
	}
}

// TestNextServer puts each kind of broken server before a good one.
func TestNextServer(t *testing.T) {
	for name, h := range map[string]dnstest.Handler{
		"silent":    silent,
		"servfail":  packed(func(q, m *wire.Msg, _ string) { m.Rcode = wire.RcodeServerFailure }),
		"lame":      packed(func(q, m *wire.Msg, _ string) { m.RecursionAvailable = false }),
		"malformed": bytesOf(honest, func(b []byte) []byte { return b[:len(b)-1] }),
		"truncated": packed(func(q, m *wire.Msg, _ string) { m.Truncated = true }),
		"forging":   forged(func(m *wire.Msg) { m.Id++ }),
	} {
		a, err := over(t, dns.Config{}, h, honest).Lookup(t.Context(), "victim.example", dns.A)
		if err != nil || a.Records[0].Addr.String() != "192.0.2.1" {
			t.Errorf("%s: %v, %v", name, a.Records, err)
		}
	}
	// A port where nobody listens is known at once.
	s, err := dnstest.ServeFunc(honest)
	if err != nil {
		t.Fatal(err)
	}
	closed := s.Addr()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := over(t, dns.Config{Servers: []netip.AddrPort{closed}}, honest)
	_, err = c.Lookup(t.Context(), "victim.example", dns.A)
	if st := c.Stats().Servers[0]; err != nil || st.Failed != 1 || st.Timeouts != 0 {
		t.Errorf("nobody listens: %v, %+v", err, st)
	}
}

// TestMixedCase has a server that keeps letter case, and one that loses it.
func TestMixedCase(t *testing.T) {
	const name = "quite-a-long-name-with-many-letters.example"
	var mixed atomic.Bool
	h := packed(func(q, m *wire.Msg, _ string) {
		mixed.Store(q.Question[0].Name != strings.ToLower(q.Question[0].Name))
		m.Answer = []wire.RR{address(q.Question[0].Name, "192.0.2.1")}
	})
	a, err := over(t, dns.Config{MixCase: true}, h).Lookup(t.Context(), name, dns.A)
	if err != nil || !mixed.Load() || a.Records[0].Name != name {
		t.Errorf("%v, %v, mixed %v", a, err, mixed.Load())
	}
	loses := packed(func(q, m *wire.Msg, _ string) {
		m.Question[0].Name = strings.ToLower(q.Question[0].Name)
		m.Answer = []wire.RR{address(m.Question[0].Name, "203.0.113.66")}
	})
	if a, err := over(t, dns.Config{MixCase: true, Timeout: 50 * time.Millisecond, Total: 60 * time.Millisecond}, loses).Lookup(t.Context(), name, dns.A); kind(err) != dns.ErrTimeout {
		t.Errorf("%v, %v", a, err)
	}
}

// TestStream has a server that promises more than it sends, and drips.
func TestStream(t *testing.T) {
	truncated := packed(func(q, m *wire.Msg, _ string) { m.Truncated = true })
	for name, send := range map[string]func(net.Conn){
		"promises": func(c net.Conn) { _, _ = c.Write([]byte{255, 255, 0}) },
		"drips": func(c net.Conn) {
			for {
				if _, err := c.Write([]byte{1}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		},
		"hangs up": func(c net.Conn) { _ = c.Close() },
		"empty":    func(c net.Conn) { _, _ = c.Write([]byte{0, 0}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			udp := pipes(t, func(string) dnstest.Handler { return truncated })
			c := piped(t, dns.Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				if network == "udp" {
					return udp(ctx, network, address)
				}
				client, server := net.Pipe()
				go func() {
					defer server.Close()
					if _, err := server.Read(make([]byte, 4096)); err == nil {
						send(server)
						_, _ = io.Copy(io.Discard, server)
					}
				}()
				return client, nil
			}}, nil)
			begin := time.Now()
			if a, err := c.Lookup(t.Context(), "victim.example", dns.A); !dns.Temporary(err) {
				t.Errorf("%s: %v, %v", name, a, err)
			}
			if took := time.Since(begin); took > 6*time.Second {
				t.Errorf("%s: took %v", name, took)
			}
			_ = c.Close()
			time.Sleep(time.Second) // for what drips to see it
		})
	}
}

// TestBarrier has a response break the reader: the lookup fails, the process
// doesn't.
func TestBarrier(t *testing.T) {
	c := piped(t, dns.Config{Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		return broken{client}, server.Close()
	}}, nil)
	for range 2 {
		if _, err := c.Lookup(t.Context(), "victim.example", dns.A); kind(err) != dns.ErrServFail {
			t.Error(err)
		}
	}
	if st := c.Stats(); st.Panics != 1 || st.Failures != 1 || st.Flights != 0 {
		t.Errorf("stats: %+v", st)
	}
}

type broken struct{ net.Conn }

func (broken) Write(b []byte) (int, error) { return len(b), nil }
func (broken) Read([]byte) (int, error)    { panic("broken") }

// TestHostileMemory measures what one lookup of the largest answers allocates.
func TestHostileMemory(t *testing.T) {
	var b []byte
	for _, rr := range manyTXT(10000, "")(new(wire.Msg).SetQuestion("victim.example.", wire.TypeTXT), "tcp") {
		b = rr
	}
	h := func(q *wire.Msg, network string) [][]byte {
		if network == "udp" {
			return packed(func(q, m *wire.Msg, _ string) { m.Truncated = true })(q, network)
		}
		out := append([]byte(nil), b...)
		binary.BigEndian.PutUint16(out, q.Id)
		return [][]byte{out}
	}
	c := over(t, dns.Config{Timeout: 2 * time.Second, Total: 6 * time.Second}, h)
	lookup := func() {
		if a, err := c.Lookup(t.Context(), "victim.example", dns.TXT); err != nil || !a.Truncated {
			t.Fatal(a, err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	lookup()
	runtime.ReadMemStats(&after)
	n := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d octets on the wire, %d allocated by client and server, %d kept", len(b), n, c.Stats().Bytes)
	if n > 1<<20 {
		t.Errorf("one lookup allocates %d octets", n)
	}
}
