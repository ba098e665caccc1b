package callahead

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/directory"
	"sluice/directory/directorytest"
	"sluice/internal/golden"
	"sluice/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const unknown = "550 5.1.1 No such user\r\n"

// honest answers RCPT as a back end that knows the fixture's mailboxes.
func honest(arg string) string {
	a := strings.TrimSuffix(strings.TrimPrefix(arg, "TO:<"), ">")
	at := strings.LastIndexByte(a, '@')
	local := a[:at]
	if strings.HasPrefix(local, `"`) {
		local = strings.ReplaceAll(local[1:len(local)-1], `\`, "")
	}
	known := append([]string{"postmaster@" + directorytest.Domain}, directorytest.Mailboxes...)
	if slices.Contains(known, strings.ToLower(local)+a[at:]) {
		return ""
	}
	return unknown
}

func open(t testing.TB, cfg Config) *Source {
	t.Helper()
	if cfg.Hello == "" {
		cfg.Hello = "gate.example"
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	for name, lmtp := range map[string]bool{"SMTP": false, "LMTP": true} {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, func(t *testing.T) directorytest.Fixture {
				srv := delivertest.NewServer(t, delivertest.Script{Answer: honest, LMTP: lmtp})
				var broken atomic.Bool
				var count dials
				s := open(t, Config{Hosts: []string{srv.Addr}, LMTP: lmtp, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
					if broken.Load() {
						return nil, errors.New("connection refused")
					}
					return count.dial(ctx, network, addr)
				}})
				t.Cleanup(func() {
					if a := srv.Abuse(); a != nil {
						t.Errorf("the back end complains: %q", a)
					}
					if most := count.most.Load(); most > 2 {
						t.Errorf("%d connections at a time", most)
					}
					for _, c := range srv.Commands() {
						if v, _, _ := strings.Cut(c, " "); !slices.Contains([]string{"EHLO", "LHLO", "MAIL", "RCPT", "RSET", "QUIT"}, v) {
							t.Errorf("command %q", c)
						}
					}
				})
				return directorytest.Fixture{Source: s, Break: func() { broken.Store(true); srv.DropAll() }, Mend: func() { broken.Store(false) }}
			})
		})
	}
}

// dials counts the connections that are open on our side: the back end learns
// late that one has ended.
type dials struct{ open, most atomic.Int32 }

func (d *dials) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	n := d.open.Add(1)
	for most := d.most.Load(); n > most && !d.most.CompareAndSwap(most, n); most = d.most.Load() {
	}
	return &dialled{TCPConn: nc.(*net.TCPConn), d: d}, nil
}

type dialled struct {
	*net.TCPConn
	d    *dials
	once sync.Once
}

func (c *dialled) Close() error {
	c.once.Do(func() { c.d.open.Add(-1) })
	return c.TCPConn.Close()
}

func reply(t testing.TB, text string) smtp.Reply {
	t.Helper()
	var p smtp.ReplyParser
	n, done, err := p.Feed([]byte(text + "\r\n"))
	if err != nil || !done || n != len(text)+2 {
		t.Fatalf("%q is no reply: %v", text, err)
	}
	return p.Reply()
}

func TestVerdict(t *testing.T) {
	const (
		yes  = "present"
		no   = "absent"
		shut = "present, and its words"
		dark = "can't tell"
		told = "can't tell, and its words"
	)
	for text, want := range map[string]string{
		"250 2.1.5 Ok":                                            yes,
		"250":                                                     yes,
		"251 User not local; will forward":                        yes,
		"252 2.1.5 Cannot VRFY user":                              dark,
		"354 what":                                                dark,
		"550 5.1.1 <x>: User unknown":                             no,
		"550 No such user here":                                   no,
		"550-5.1.1 no\r\n550 5.1.1 such user":                     no,
		"551 5.1.6 moved":                                         no,
		"551 User not local":                                      no,
		"553 5.1.3 bad mailbox":                                   no,
		"553 sorry, no mailbox here (#5.1.1)":                     no,
		"554 5.1.1 no such user":                                  no,
		"550 5.1.10 RESOLVER.ADR.RecipientNotFound":               no,
		"550 5.4.1 Recipient address rejected: Access denied":     no,
		"553 sorry, not in my list of allowed rcpthosts (#5.7.1)": dark,
		"550 5.7.1 Relaying denied":                               dark,
		"554 5.7.1 blocked":                                       dark,
		"550 5.1.8 sender's domain doesn't exist":                 dark,
		"550 5.1.4 ambiguous":                                     dark,
		"550 5.2.1 mailbox disabled":                              shut,
		"552 5.2.2 mailbox full":                                  shut,
		"552 quota exceeded":                                      dark,
		"554 no":                                                  dark,
		"501 Syntax":                                              dark,
		"555 5.5.4 parameters":                                    dark,
		"550 5.4.4 no route":                                      dark,
		"550 4.1.1 mixed up":                                      no, // an enhanced code of another class is none
		"452 4.2.2 mailbox full":                                  told,
		"450 4.1.1 try again":                                     dark,
		"450 4.2.0 greylisted":                                    dark,
		"552 5.2.3 too long":                                      dark,
		"451 trouble":                                             dark,
	} {
		p, keep := verdict(reply(t, text))
		got := p.String()
		if keep {
			got += ", and its words"
		}
		if got != want {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
}

func TestSaid(t *testing.T) {
	got := said(reply(t, "552 5.2.2 full\x1b[31m \xe2\x80\xaeevil "+strings.Repeat("x", 600)))
	want := sluice.Reply{Code: 552, Enhanced: "5.2.2", Text: ("full?[31m ???evil " + strings.Repeat("x", 600))[:300]}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestDialogs reads what is said to back ends of each character, with minutes
// between the lookups.
func TestDialogs(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(string) string
		fault  map[delivertest.Step]delivertest.Fault
		ask    []string
	}{
		{name: "honest", answer: honest, ask: []string{"alice", "nobody", "O'Hara"}},
		{name: "takes-all", answer: func(string) string { return "" }, ask: []string{"alice", "nobody"}},
		{name: "refuses-all", answer: func(string) string { return "550 relaying denied\r\n" }, ask: []string{"alice", "nobody"}},
		{name: "full", answer: func(a string) string {
			if strings.Contains(a, "alice") {
				return "552 5.2.2 Mailbox full\r\n"
			}
			return honest(a)
		}, ask: []string{"alice"}},
		{name: "policy", answer: func(a string) string {
			if strings.Contains(a, "alice") {
				return "550 5.7.1 No bounces to her\r\n"
			}
			return honest(a)
		}, ask: []string{"alice"}},
		{name: "greylists", answer: func(string) string { return "450 4.7.1 Later\r\n" }, ask: []string{"alice", "alice"}},
		{name: "hangs-up", answer: func(a string) string {
			if strings.Contains(a, "alice") {
				return "421 4.3.2 Shutting down\r\n"
			}
			return honest(a)
		}, ask: []string{"alice", "bob.jones"}},
		{name: "refuses-null-sender", answer: honest, fault: map[delivertest.Step]delivertest.Fault{delivertest.Mail: {Raw: "550 5.7.1 No bounces here\r\n"}},
			ask: []string{"alice"}},
		{name: "unknown-verbs", answer: honest, fault: map[delivertest.Step]delivertest.Fault{delivertest.Ehlo: {Raw: "502 5.5.1 What?\r\n"}}, ask: []string{"käthe", "alice"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := delivertest.NewPipeServer(t, delivertest.Script{Answer: c.answer, Faults: c.fault, Extensions: []string{"8BITMIME"}})
				s := open(t, Config{Hosts: []string{"back.example:25"}, Dial: srv.Dial, MadeUp: func() string { return "made.up" }})
				d := directorytest.Directory(t, s)
				var out strings.Builder
				said := 0
				for _, a := range c.ask {
					l, err := d.Lookup(t.Context(), a+"@"+directorytest.Domain)
					fmt.Fprintf(&out, "? %s\n", a)
					synctest.Wait()
					for _, line := range srv.Commands()[said:] {
						fmt.Fprintf(&out, "C: %s\n", line)
						said++
					}
					fmt.Fprintf(&out, "= %s", l.Presence)
					if l.Reply.Code != 0 {
						fmt.Fprintf(&out, ", %s", l.Reply)
					}
					if err != nil {
						fmt.Fprintf(&out, " (%v)", err)
					}
					out.WriteByte('\n')
					time.Sleep(5 * time.Second)
				}
				fmt.Fprintf(&out, "! %s\n", d.Health()[0])
				golden.Check(t, "testdata/"+c.name+".txt", []byte(out.String()))
				time.Sleep(time.Minute)
				_ = s.Close()
				srv.Close()
				if _, most := srv.Connections(); most > 1 {
					t.Errorf("%d connections", most)
				}
				if a := srv.Abuse(); a != nil {
					t.Errorf("the back end complains: %q", a)
				}
			})
		})
	}
}

// A back end changes its character, and the source finds out.
func TestCharacter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer atomic.Value
		answer.Store(func(string) string { return "" })
		srv := delivertest.NewPipeServer(t, delivertest.Script{Bare: true, Answer: func(a string) string { return answer.Load().(func(string) string)(a) }})
		s := open(t, Config{Hosts: []string{"back.example:25"}, Dial: srv.Dial})
		ask := func(local string, want sluice.Presence, trouble string) {
			t.Helper()
			q := &directory.Query{Address: local + "@example.com", Domain: "example.com"}
			l, err := s.Lookup(t.Context(), q)
			if l.Presence != want || err != nil {
				t.Errorf("%s: %s, %v; want %s", local, l.Presence, err, want)
			}
			if got := s.Trouble(); (got == "") != (trouble == "") || !strings.Contains(got, trouble) {
				t.Errorf("trouble %q; want %q", got, trouble)
			}
		}
		ask("alice", sluice.CantTell, "takes every address")
		answer.Store(honest)
		ask("alice", sluice.CantTell, "takes every address")
		ask("nobody", sluice.Absent, "takes every address") // what it refuses now doesn't exist
		time.Sleep(time.Hour)
		ask("alice", sluice.Present, "")
		answer.Store(func(string) string { return "550 denied\r\n" })
		time.Sleep(time.Hour)
		ask("bob.jones", sluice.Absent, "") // it has known somebody: believed
		answer.Store(func(string) string { return "450 busy\r\n" })
		time.Sleep(time.Hour)
		ask("alice", sluice.CantTell, "")
		answer.Store(func(string) string { return "" })
		ask("alice", sluice.Present, "") // the next probe is a minute away
		time.Sleep(time.Minute)
		ask("alice", sluice.CantTell, "takes every address")

		// One that refuses all, until it takes somebody.
		answer.Store(func(string) string { return "550 denied\r\n" })
		other := open(t, Config{Hosts: []string{"back.example:25"}, Dial: srv.Dial})
		s = other
		ask("alice", sluice.CantTell, "refuses every address")
		answer.Store(func(a string) string {
			if strings.Contains(a, "postmaster") {
				return unknown
			}
			return honest(a)
		})
		ask("nobody", sluice.CantTell, "refuses every address")
		ask("alice", sluice.Present, "")
		ask("nobody", sluice.Absent, "")
		time.Sleep(time.Hour)
		ask("nobody", sluice.Absent, "")
		_ = s.Close()
		srv.Close()
	})
}

// Many questions before the first probe wait for it, and are one each.
func TestFirstProbe(t *testing.T) {
	srv := delivertest.NewServer(t, delivertest.Script{}) // takes all
	d := directorytest.Directory(t, open(t, Config{Hosts: []string{srv.Addr}, MadeUp: func() string { return "made.up" }}))
	done := make(chan sluice.Listing)
	for i := range 20 {
		go func() {
			l, _ := d.Lookup(t.Context(), fmt.Sprintf("user%d@example.com", i))
			done <- l
		}()
	}
	for range 20 {
		if l := <-done; l.Presence != sluice.CantTell {
			t.Errorf("%s", l.Presence)
		}
	}
	probes := 0
	for _, c := range srv.Commands() {
		if strings.Contains(c, "made.up") {
			probes++
		}
	}
	if probes != 1 {
		t.Errorf("%d probes", probes)
	}
}

// Each connection asks a few times only, is reset between, and the refusals that
// servers count against a client end it.
func TestConnections(t *testing.T) {
	srv := delivertest.NewServer(t, delivertest.Script{Answer: func(a string) string {
		if strings.HasPrefix(a, "TO:<alice+") {
			return ""
		}
		return honest(a)
	}})
	var count dials
	d := directorytest.Directory(t, open(t, Config{Hosts: []string{srv.Addr}, MaxConns: 1, Dial: count.dial}))
	for i := range 40 {
		if l, err := d.Lookup(t.Context(), fmt.Sprintf("nobody%d@example.com", i)); l.Presence != sluice.Absent {
			t.Fatalf("%s, %v", l.Presence, err)
		}
	}
	all, _ := srv.Connections()
	if most := count.most.Load(); most > 1 || all < 5 || all > 7 {
		t.Errorf("%d connections, %d at a time", all, most)
	}
	// Those that exist are asked for on one connection, up to a bound.
	for i := range 250 {
		a := "alice+" + fmt.Sprint(i) + "@example.com"
		if l, err := d.Lookup(t.Context(), a); l.Presence != sluice.Present {
			t.Fatalf("%s, %v", l.Presence, err)
		}
	}
	if more, _ := srv.Connections(); more-all < 2 || more-all > 4 {
		t.Errorf("%d connections for 250 that exist", more-all)
	}
	// All are dropped behind our back: nobody notices.
	srv.DropAll()
	if l, err := d.Lookup(t.Context(), "alice@example.com"); l.Presence != sluice.Present || err != nil {
		t.Errorf("after a restart: %s, %v", l.Presence, err)
	}
}

// Octets that nothing asked for are never taken for an answer.
func TestNoise(t *testing.T) {
	pair := httptest.NewTLSServer(nil)
	defer pair.Close()
	for name, c := range map[string]delivertest.Script{
		"behind MAIL":     {Faults: map[delivertest.Step]delivertest.Fault{delivertest.Mail: {Raw: "250 ok\r\n550 5.1.1 no\r\n"}}},
		"behind RCPT":     {Faults: map[delivertest.Step]delivertest.Fault{delivertest.Rcpt: {Raw: "250 ok\r\n250 yes\r\n"}}},
		"behind STARTTLS": {TLS: pair.TLS, Faults: map[delivertest.Step]delivertest.Fault{delivertest.StartTLS: {Raw: "220 go\r\n250 injected\r\n", Times: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.Answer = honest
			srv := delivertest.NewServer(t, c)
			mode := TLSMay
			if c.TLS != nil {
				mode = TLSVerify
			}
			d := directorytest.Directory(t, open(t, Config{Hosts: []string{srv.Addr}, TLS: mode}))
			l, err := d.Lookup(t.Context(), "nobody@example.com")
			if l.Presence != sluice.CantTell || !errors.Is(err, errNoise) {
				t.Errorf("%s, %v", l.Presence, err)
			}
		})
	}
}

// A back end that says nothing costs the time of one command or of the lookup,
// whichever is less; more lookups than the queue holds are told so at once.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := delivertest.NewPipeServer(t, delivertest.Script{Bare: true, Answer: honest, Faults: map[delivertest.Step]delivertest.Fault{delivertest.Mail: {Hang: true}}})
		s := open(t, Config{Hosts: []string{"back.example:25"}, Dial: srv.Dial, Timeout: 3 * time.Second, MaxConns: 1, MaxQueue: 2})
		q := &directory.Query{Address: "alice@example.com", Domain: "example.com"}
		for _, limit := range []time.Duration{time.Second, 10 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			began := time.Now()
			l, err := s.Lookup(ctx, q)
			if took := time.Since(began); l.Presence != sluice.CantTell || err == nil || took != min(limit, 3*time.Second) {
				t.Errorf("%s, %v, after %v", l.Presence, err, took)
			}
			cancel()
		}
		var busy, slow atomic.Int32
		s.domain("example.com").learn(time.Now(), time.Hour, sluice.Absent, sluice.Present, "")
		for range 10 {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := s.Lookup(ctx, q)
				if errors.Is(err, directory.ErrBusy) && ctx.Err() == nil {
					busy.Add(1)
				} else if err != nil {
					slow.Add(1)
				}
			}()
		}
		time.Sleep(2 * time.Second)
		if busy.Load() != 7 || slow.Load() != 3 {
			t.Errorf("%d busy, %d slow", busy.Load(), slow.Load())
		}
		_ = s.Close()
		srv.Close()
	})
}

// "Mailbox full" is an answer even of a back end that takes made-up addresses.
func TestTakesAllButFull(t *testing.T) {
	srv := delivertest.NewServer(t, delivertest.Script{Answer: func(a string) string {
		if strings.Contains(a, "alice") {
			return "552 5.2.2 Mailbox full\r\n"
		}
		return ""
	}})
	d := directorytest.Directory(t, open(t, Config{Hosts: []string{srv.Addr}}))
	if l, err := d.Lookup(t.Context(), "alice@example.com"); l.Presence != sluice.Present || l.Reply.Code != 552 || err != nil {
		t.Errorf("%v, %v", l, err)
	}
}

// A kept connection that ends when it is used again costs no answer; a fresh one
// that does is trouble.
func TestEndsWhileUsed(t *testing.T) {
	srv := delivertest.NewServer(t, delivertest.Script{Answer: honest})
	d := directorytest.Directory(t, open(t, Config{Hosts: []string{srv.Addr}}))
	look := func(i int, want sluice.Presence) {
		t.Helper()
		if l, err := d.Lookup(t.Context(), directorytest.Mailboxes[i]); l.Presence != want {
			t.Errorf("%s, %v; want %s", l.Presence, err, want)
		}
	}
	look(0, sluice.Present)
	srv.SetFault(delivertest.Rset, delivertest.Fault{Close: true})
	look(1, sluice.Present)
	srv.SetFault(delivertest.Rcpt, delivertest.Fault{Close: true, Times: 1})
	look(2, sluice.CantTell)
	look(2, sluice.Present)
}

func TestFailover(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := delivertest.NewServer(t, delivertest.Script{Answer: honest})
	_ = gone.Close() // not before: the server might get its port
	dialled := map[string]int{}
	s := open(t, Config{Hosts: []string{gone.Addr().String(), srv.Addr}, MaxConns: 1, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled[addr]++
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}})
	d := directorytest.Directory(t, s)
	for _, m := range directorytest.Mailboxes[:3] {
		if l, err := d.Lookup(t.Context(), m); l.Presence != sluice.Present {
			t.Fatalf("%s, %v", l.Presence, err)
		}
		srv.DropAll()
	}
	if n := dialled[gone.Addr().String()]; n != 1 {
		t.Errorf("the host that is away was tried %d times", n)
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	pair, roots := web.TLS.Certificates, x509.NewCertPool()
	roots.AddCert(web.Certificate())
	web.Close()
	good := &tls.Config{Certificates: pair, MinVersion: tls.VersionTLS12}
	bad := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("no certificate") }}
	for name, c := range map[string]struct {
		server *tls.Config
		cfg    Config
		want   sluice.Presence
		clear  bool // in clear text in the end
	}{
		"may":             {server: good, want: sluice.Present},
		"may, broken":     {server: bad, want: sluice.Present, clear: true},
		"may, none":       {want: sluice.Present, clear: true},
		"none":            {server: good, cfg: Config{TLS: TLSNone}, want: sluice.Present, clear: true},
		"verify":          {server: good, cfg: Config{TLS: TLSVerify, TLSConfig: &tls.Config{RootCAs: roots}}, want: sluice.Present},
		"verify, unknown": {server: good, cfg: Config{TLS: TLSVerify, TLSConfig: &tls.Config{RootCAs: x509.NewCertPool()}}},
		"verify, none":    {cfg: Config{TLS: TLSVerify}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := delivertest.NewServer(t, delivertest.Script{TLS: c.server, Answer: honest})
			c.cfg.Hosts = []string{srv.Addr}
			s := open(t, c.cfg)
			d := directorytest.Directory(t, s)
			l, err := d.Lookup(t.Context(), "alice@example.com")
			if l.Presence != c.want {
				t.Fatalf("%s, %v; want %s", l.Presence, err, c.want)
			}
			if c.want != sluice.Present {
				return
			}
			k, reused, err := s.pool.Take(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if _, secure := k.Conn.(*tls.Conn); secure == c.clear || !reused {
				t.Errorf("through TLS: %v; kept: %v", secure, reused)
			}
			s.pool.Give(k, true)
		})
	}
}

func TestNew(t *testing.T) {
	for want, cfg := range map[string]Config{
		"no hosts":     {Hello: "x.example"},
		"want HOST":    {Hello: "x.example", Hosts: []string{"mail.example"}},
		"our name":     {Hello: "x y", Hosts: []string{"mail.example:25"}},
		"our name in ": {Hosts: []string{"unix:/run/lmtp"}},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	if a, b := madeUp(), madeUp(); a == b || len(a) != 20 || strings.ToLower(a) != a {
		t.Errorf("made up: %s, %s", a, b)
	}
}

// canned is a back end that says the same whatever it is asked.
type canned struct {
	net.Conn
	r *strings.Reader
}

func (c canned) Read(b []byte) (int, error)       { return c.r.Read(b[:min(len(b), 7)]) }
func (c canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c canned) Close() error                     { return nil }
func (c canned) SetDeadline(time.Time) error      { return nil }
func (c canned) SetReadDeadline(time.Time) error  { return nil }
func (c canned) SetWriteDeadline(time.Time) error { return nil }

// FuzzReplies says that a back end can do no more than answer: no panic, no yes or
// no without a reply that says so, no words that a terminal would obey.
func FuzzReplies(f *testing.F) {
	for _, s := range []string{
		"220 hi\r\n250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n250 yes\r\n",
		"220 hi\r\n250 ok\r\n250 ok\r\n550 no\r\n550 no\r\n550 no\r\n",
		"220 hi\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n",
		"220 hi\r\n250 ok\r\n250 ok\r\n250 all\r\n552 5.2.2 full\x1b[2J\r\n",
		"220 hi\r\n500 what\r\n250 ok\r\n421 bye\r\n", "220 hi\n", "\x16\x03\x01", "999 x\r\n", "220-a\r\n221 b\r\n", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, said string) {
		s := open(t, Config{Hosts: []string{"back.example:25"}, Timeout: time.Second, MadeUp: func() string { return "x" },
			Dial: func(context.Context, string, string) (net.Conn, error) {
				return canned{r: strings.NewReader(said)}, nil
			}})
		l, err := s.Lookup(t.Context(), &directory.Query{Address: "alice@example.com", Domain: "example.com"})
		switch {
		case err != nil && l != (sluice.Listing{}):
			t.Errorf("%v and %v", l, err)
		case l.Presence == sluice.Absent && !strings.Contains(said, "\n55"):
			t.Errorf("a no without a refusal")
		case l.Presence == sluice.Present && !strings.Contains(said, "\n25") && !strings.Contains(said, "\n55"):
			t.Errorf("a yes without an answer")
		}
		for _, c := range []byte(l.Reply.Text) {
			if c < ' ' || c > '~' {
				t.Fatalf("words %q", l.Reply.Text)
			}
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\r\x1b\x00") || len(err.Error()) > 2000) {
			t.Errorf("error %q", err)
		}
		_, _ = io.WriteString(io.Discard, s.Trouble())
	})
}

// BenchmarkLookup is one question to a back end on loopback, without the cache.
func BenchmarkLookup(b *testing.B) {
	srv := delivertest.NewServer(b, delivertest.Script{Answer: honest})
	s := open(b, Config{Hosts: []string{srv.Addr}})
	q := &directory.Query{Address: "alice@example.com", Domain: "example.com"}
	b.ReportAllocs()
	for b.Loop() {
		if l, err := s.Lookup(b.Context(), q); l.Presence != sluice.Present {
			b.Fatal(l, err)
		}
	}
}
