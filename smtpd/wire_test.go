package smtpd_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/golden"
	"sluice/smtpd"
	"sluice/smtpd/smtpdtest"
)

// record is a client of a real connection that writes down both sides.
type record struct {
	t    *testing.T
	conn net.Conn
	name string
	out  *strings.Builder
	left []byte
}

// dial opens a connection whose lines begin with the name.
func (r *record) dial(addr, name string) *record {
	r.t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return &record{t: r.t, conn: conn, name: name, out: r.out}
}

func (r *record) note(format string, args ...any) {
	fmt.Fprintf(r.out, strings.TrimLeft(r.name+" ", " ")+format+"\n", args...)
}

// send sends a line.
func (r *record) send(line string) { r.t.Helper(); r.octets(line + "\r\n") }

// octets sends as they are.
func (r *record) octets(s string) {
	r.t.Helper()
	q := strconv.QuoteToASCII(s)
	r.note("C: %s", strings.TrimSuffix(q[1:len(q)-1], `\r\n`))
	if _, err := io.WriteString(r.conn, s); err != nil {
		r.t.Fatalf("send: %v", err)
	}
}

// line reads one line.
func (r *record) line() {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for !bytes.Contains(r.left, []byte("\r\n")) {
		b := make([]byte, 1024)
		n, err := r.conn.Read(b)
		if err != nil {
			r.t.Fatalf("after %q: %v\n%s", r.left, err, r.out)
		}
		r.left = append(r.left, b[:n]...)
	}
	line, rest, _ := bytes.Cut(r.left, []byte("\r\n"))
	r.left = rest
	r.note("S: %s", line)
}

// lines reads to the end of a reply.
func (r *record) reply() {
	r.t.Helper()
	for {
		r.line()
		all := strings.Split(strings.TrimSpace(r.out.String()), "\n")
		if _, text, _ := strings.Cut(all[len(all)-1], "S: "); len(text) < 4 || text[3] != '-' {
			return
		}
	}
}

// end reads to the end of the connection: by a close, not by a reset.
func (r *record) end() {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	rest, err := io.ReadAll(r.conn)
	for line := range strings.Lines(string(r.left) + string(rest)) {
		r.note("S: %s", strings.TrimRight(line, "\r\n"))
	}
	if err != nil {
		r.t.Fatalf("the connection didn't end well: %v", err)
	}
	r.note("closed")
}

// conversation is a golden dialog over a real connection.
type conversation struct {
	name string
	set  smtpd.Settings
	gate smtpdtest.Gate
	play func(r *record, addr string)
}

func admits(r sluice.Reply) smtpdtest.Gate {
	return smtpdtest.Gate{OnAdmit: func(sluice.Arrival) sluice.Admission { return sluice.Admission{Refuse: r} }}
}

func opens(r sluice.Reply) smtpdtest.Gate {
	return smtpdtest.Gate{OnOpen: func(*sluice.Conn) sluice.Reply { return r }}
}

var (
	listed    = sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "Refused: your address is listed; ask the list to remove it", Close: true}
	unwelcome = sluice.Reply{Code: 521, Enhanced: "5.7.1", Text: "Refused: no mail from here", Close: true}
	busy      = sluice.Reply{Code: 421, Enhanced: "4.7.0", Text: "Deferred: too many connections; slow down", Close: true}
	waiting   = sluice.Reply{Code: 220, Pause: 200 * time.Millisecond}
	everybody = func(netip.Addr) bool { return true }
)

func conversations(t *testing.T) []*conversation {
	serverTLS, roots := certificate(t)
	return []*conversation{
		{name: "admission-refused-quit", gate: admits(listed), play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.line()
			c.send("quit")
			c.end()
		}},
		{name: "admission-refused-talks-on", gate: admits(listed), play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.line()
			c.send("EHLO client.example")
			c.octets("QU")
			time.Sleep(20 * time.Millisecond)
			c.send("IT")
			c.end()
		}},
		{name: "admission-refused-says-nothing", gate: admits(listed), set: smtpd.Settings{Timeouts: smtpd.Timeouts{Refused: 50 * time.Millisecond}},
			play: func(r *record, addr string) {
				c := r.dial(addr, "")
				c.line()
				c.end()
			}},
		{name: "admission-521", gate: admits(unwelcome), play: func(r *record, addr string) {
			r.dial(addr, "").end()
		}},
		{name: "admission-421", gate: admits(busy), play: func(r *record, addr string) {
			r.dial(addr, "").end()
		}},
		{name: "admission-odd-code", gate: admits(sluice.Reply{Code: 250, Text: "what?"}), play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.line()
			c.send("QUIT")
			c.end()
		}},
		{name: "refused-by-the-gate-says-nothing", gate: opens(sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "Refused"}),
			set: smtpd.Settings{Timeouts: smtpd.Timeouts{Refused: 50 * time.Millisecond}}, play: func(r *record, addr string) {
				c := r.dial(addr, "")
				c.line()
				c.end()
			}},
		{name: "pause-early-talker", gate: opens(waiting), play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.line()
			c.send("EHLO bot.example")
			c.end()
		}},
		{name: "pause-waits", gate: opens(waiting), play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.reply()
			c.send("EHLO client.example")
			c.reply()
			c.send("QUIT")
			c.end()
		}},
		{name: "proxy-1", set: smtpd.Settings{Proxies: everybody, ProxyRequired: true}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.octets("PROXY TCP4 192.0.2.1 198.51.100.25 4321")
			time.Sleep(20 * time.Millisecond)
			c.send(" 25")
			c.line()
			c.send("QUIT")
			c.end()
		}},
		{name: "proxy-2", set: smtpd.Settings{Proxies: everybody, ProxyRequired: true}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.octets("\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x27" + string(netip.MustParseAddr("2001:db8::1").AsSlice()) +
				string(netip.MustParseAddr("2001:db8::25").AsSlice()) + "\x10\xe1\x00\x19\x04\x00\x00")
			c.line()
			c.send("QUIT")
			c.end()
		}},
		{name: "proxy-2-local", set: smtpd.Settings{Proxies: everybody, ProxyRequired: true}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.octets("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00")
			c.line()
			c.send("QUIT")
			c.end()
		}},
		{name: "proxy-required-and-missing", set: smtpd.Settings{Proxies: everybody, ProxyRequired: true}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.send("EHLO client.example")
			if _, err := c.conn.Read(make([]byte, 1)); err == nil {
				r.t.Error("something was said")
			}
			c.note("closed")
		}},
		{name: "proxy-optional-and-missing", set: smtpd.Settings{Proxies: everybody, Timeouts: smtpd.Timeouts{Proxy: 50 * time.Millisecond}}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.line()
			c.send("QUIT")
			c.end()
		}},
		{name: "proxy-header-from-a-stranger", set: smtpd.Settings{Proxies: func(netip.Addr) bool { return false }}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.line()
			c.send("PROXY TCP4 192.0.2.1 198.51.100.25 4321 25")
			c.line()
			c.send("QUIT")
			c.end()
		}},
		{name: "proxy-client-refused", set: smtpd.Settings{Proxies: everybody}, gate: smtpdtest.Gate{OnAdmit: func(a sluice.Arrival) (answer sluice.Admission) {
			if a.Client.Addr() == netip.MustParseAddr("192.0.2.1") && a.Mine == 0 && a.Open == 0 {
				answer.Refuse = listed
			}
			return answer
		}}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.send("PROXY TCP4 192.0.2.1 198.51.100.25 4321 25")
			c.line()
			c.send("QUIT")
			c.end()
		}},
		{name: "implicit-tls", set: smtpd.Settings{TLS: serverTLS, ImplicitTLS: true}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.conn = tls.Client(c.conn, &tls.Config{RootCAs: roots, ServerName: "mx.example"})
			c.line()
			c.send("EHLO client.example")
			c.reply()
			c.send("QUIT")
			c.end()
		}},
		{name: "implicit-tls-behind-a-proxy", set: smtpd.Settings{TLS: serverTLS, ImplicitTLS: true, Proxies: everybody}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.send("PROXY TCP6 2001:db8::1 2001:db8::25 4321 465")
			c.conn = tls.Client(c.conn, &tls.Config{RootCAs: roots, ServerName: "mx.example"})
			c.line()
			c.send("QUIT")
			c.end()
		}},
		{name: "idle-gives-way", set: smtpd.Settings{Limits: smtpd.Limits{Conns: 4}}, play: func(r *record, addr string) {
			var idle []*record
			for i := range 5 {
				// Three are all that unknown clients may take; then two known ones.
				c := r.dial(addr, strconv.Itoa(i+1))
				c.line()
				idle = append(idle, c)
				if i == 1 {
					c.send("MAIL FROM:<>") // no transaction: it must greet first
					c.line()
				}
			}
			idle[0].end()
			over := r.dial(addr, "6")
			over.end()
		}},
		{name: "slow-reply", gate: opens(sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "Refused", Close: true, Slow: true}),
			set: smtpd.Settings{Timeouts: smtpd.Timeouts{Slow: 120 * time.Millisecond}}, play: func(r *record, addr string) {
				began := time.Now()
				r.dial(addr, "").end()
				if d := time.Since(began); d < 100*time.Millisecond {
					r.t.Errorf("it took %v", d)
				}
			}},
		{name: "slow-reply-and-on", gate: smtpdtest.Gate{OnRcpt: func(string) sluice.Reply {
			return sluice.Reply{Code: 550, Enhanced: "5.1.1", Text: "Refused: unknown", Slow: true}
		}}, set: smtpd.Settings{Timeouts: smtpd.Timeouts{Slow: 60 * time.Millisecond}}, play: func(r *record, addr string) {
			c := r.dial(addr, "")
			c.line()
			c.send("HELO client.example")
			c.line()
			c.send("MAIL FROM:<a@client.example>")
			c.line()
			c.send("RCPT TO:<b@example.org>")
			c.line()
			c.send("QUIT")
			c.end()
		}},
	}
}

// TestWire plays what the driver does over real connections, with the gate's side
// behind it.
func TestWire(t *testing.T) {
	for _, c := range conversations(t) {
		t.Run(c.name, func(t *testing.T) {
			gate := &c.gate
			n := 0
			if c.name == "idle-gives-way" {
				gate.OnAdmit = func(sluice.Arrival) sluice.Admission {
					n++
					return sluice.Admission{Known: n == 4 || n == 5}
				}
			}
			open := gate.OnOpen
			var out strings.Builder
			parties := make(chan string, 10)
			gate.OnOpen = func(c *sluice.Conn) sluice.Reply {
				if c.Via.IsValid() {
					parties <- fmt.Sprintf("client %v to %v, via a proxy: %v", c.Client, c.Local, c.Via.Addr())
				} else {
					parties <- fmt.Sprintf("client %v, trusted %v", c.Client.Addr(), c.Trusted)
				}
				if open != nil {
					return open(c)
				}
				return sluice.Reply{Code: 220}
			}
			srv, addr := start(t, gate, c.set)
			c.play(&record{t: t, out: &out}, addr)
			waitFor(t, func() bool {
				return srv.Stats().Open <= 4 && len(gate.Ended()) == countCalls(gate, "connect")-int(srv.Stats().Open)
			})
			close(parties)
			for p := range parties {
				fmt.Fprintf(&out, "E: %s\n", p)
			}
			calls := gate.Calls()
			if countCalls(gate, "connect") > 1 {
				slices.Sort(calls) // sessions run side by side
			}
			for _, call := range calls {
				fmt.Fprintf(&out, "E: %s\n", call)
			}
			golden.Check(t, filepath.Join("testdata", "wire", c.name+".txt"), []byte(out.String()))
		})
	}
}

func countCalls(g *smtpdtest.Gate, call string) (n int) {
	for _, c := range g.Calls() {
		if c == call {
			n++
		}
	}
	return n
}

// A client that was refused at admission and keeps sending is cut.
func TestRefusedTalksWithoutEnd(t *testing.T) {
	gate := admits(listed)
	_, addr := start(t, &gate, smtpd.Settings{})
	c := dial(t, addr)
	c.want("", "554 ")
	junk := bytes.Repeat([]byte("x"), 64<<10)
	began := time.Now()
	for {
		if _, err := c.conn.Write(junk); err != nil {
			break
		}
		if time.Since(began) > 3*time.Second {
			t.Fatal("it may talk on")
		}
	}
}

// The places of those who were refused and may say QUIT are bounded, and a stop
// doesn't wait for them.
func TestRefusedWithoutPlace(t *testing.T) {
	gate := admits(listed)
	srv, addr := start(t, &gate, smtpd.Settings{Limits: smtpd.Limits{Conns: 16}}) // two may stay
	var stay []*client
	for range 2 {
		c := dial(t, addr)
		c.want("", "554 ")
		stay = append(stay, c)
	}
	over := dial(t, addr)
	over.want("", "554 ")
	over.closed()
	stay[0].want("QUIT", "221 ")
	stay[0].closed()
	began := time.Now()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	stay[1].closed()
	if d := time.Since(began); d > time.Second {
		t.Errorf("stopping took %v", d)
	}
	if s := srv.Stats(); s.TurnedAway != 3 || s.Accepted != 0 {
		t.Errorf("%+v", s)
	}
}

// A panic at admission lets the client in and keeps the listener alive.
func TestAdmissionPanics(t *testing.T) {
	gate := &smtpdtest.Gate{OnAdmit: func(sluice.Arrival) sluice.Admission { panic("boom") }}
	srv, addr := start(t, gate, smtpd.Settings{})
	for range 2 {
		dial(t, addr).want("", "220 ")
	}
	if n := srv.Stats().Panics; n != 2 {
		t.Errorf("%d panics", n)
	}
}

// Behind a proxy the limit counts the client, never the proxy.
func TestProxyCountsTheClient(t *testing.T) {
	gate := &smtpdtest.Gate{}
	_, addr := start(t, gate, smtpd.Settings{Proxies: everybody, Limits: smtpd.Limits{ConnsPerClient: 1}})
	for i := range 5 {
		c := dial(t, addr)
		c.send(fmt.Sprintf("PROXY TCP4 192.0.2.%d 198.51.100.25 4321 25\r\n", i))
		c.want("", "220 ")
	}
	c := dial(t, addr)
	c.send("PROXY TCP4 192.0.2.3 198.51.100.25 4321 25\r\n")
	c.want("", "421 4.7.0 ")
}

// What a proxy sends before it is known who speaks holds a place of its own.
func TestProxiesWithoutHeader(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{Proxies: everybody, ProxyRequired: true, Limits: smtpd.Limits{Conns: 2}})
	a, b := dial(t, addr), dial(t, addr)
	a.send("PROXY TCP4 ")
	waitFor(t, func() bool { // until both are there
		over := dial(t, addr)
		_ = over.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, _ := over.conn.Read(make([]byte, 100))
		over.conn.Close()
		return n > 0
	})
	began := time.Now()
	if err := srv.Shutdown(t.Context()); err != nil || time.Since(began) > time.Second {
		t.Errorf("stopping: %v after %v", err, time.Since(began))
	}
	a.closed()
	b.closed()
}

// A broken header is a broken connection, and no session.
func TestProxyHeaderInvalid(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{Proxies: everybody})
	for _, header := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.25 4321\r\n",
		"PROXY " + strings.Repeat("x", 200),
		"\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x0c",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff" + strings.Repeat("x", 100),
	} {
		c := dial(t, addr)
		c.send(header)
		if n, err := c.conn.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("%q was answered", header)
		} else if errors.As(err, new(net.Error)) && err.(net.Error).Timeout() {
			t.Errorf("%q: %v", header, err)
		}
	}
	if s := srv.Stats(); s.Refused != 4 || s.Accepted != 0 || len(gate.Calls()) != 0 {
		t.Errorf("%+v, %q", s, gate.Calls())
	}
}
