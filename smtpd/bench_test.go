package smtpd_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/smtpd"
)

// plainGate accepts everything and keeps nothing.
type plainGate struct{}

func (plainGate) Open(context.Context, *sluice.Conn) (sluice.Session, sluice.Reply) {
	return plainSession{}, sluice.Reply{Code: 220}
}

func (plainGate) Admit(sluice.Arrival) sluice.Admission { return sluice.Admission{} }

type plainSession struct{}

var fine = sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "OK"}

func (plainSession) Hello(context.Context) sluice.Reply                           { return fine }
func (plainSession) Auth(context.Context, sluice.Credentials) sluice.Reply        { return fine }
func (plainSession) Forwarded(context.Context)                                    {}
func (plainSession) MessageEach(context.Context, sluice.Content) []sluice.Reply   { return nil }
func (plainSession) TLS(context.Context)                                          {}
func (plainSession) Mail(context.Context, string, []sluice.Param) sluice.Reply    { return fine }
func (plainSession) Rcpt(context.Context, string, []sluice.Param) sluice.Reply    { return fine }
func (plainSession) Data(context.Context) sluice.Reply                            { return sluice.Reply{Code: 354} }
func (plainSession) Message(context.Context, sluice.Content) sluice.Reply         { return fine }
func (plainSession) Violation(context.Context, sluice.Violation) (r sluice.Reply) { return }
func (plainSession) Reset()                                                       {}
func (plainSession) Close(string)                                                 {}

// TestIdleMemory measures what an idle connection costs in user memory, stack
// included: after the greeting, and after EHLO.
func TestIdleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 2,000 connections")
	}
	if raceEnabled {
		t.Skip("the race detector's shadow memory is counted too")
	}
	const n, bar = 2000, 6 << 10
	_, addr := start(t, plainGate{}, smtpd.Settings{Limits: smtpd.Limits{Conns: 4 * n, ConnsPerClient: n + 1}})
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	// The client's side costs memory too: measure it on a listener that only
	// accepts and holds.
	bare := bareConns(t, n)

	before := used()
	buf := make([]byte, 512)
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond) // until all are parked
	greeted := (used() - before) / n
	for _, c := range conns {
		if _, err := io.WriteString(c, "EHLO client.example\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	ehlo := (used() - before) / n
	t.Logf("octets per idle connection, both ends: %d greeted, %d after EHLO; of these %d are the client's end and the two sockets", greeted, ehlo, bare)
	t.Logf("ours: %d greeted, %d after EHLO", greeted-bare/2, ehlo-bare/2)
	if got := max(greeted, ehlo) - bare/2; got > bar {
		t.Errorf("%d octets per idle connection, the bar is %d", got, bar)
	}
}

// bareConns returns what a connection costs whose both ends only exist, with no
// goroutine.
func bareConns(t *testing.T, n int) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := used()
	held := make([]net.Conn, 0, 2*n)
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c, s)
	}
	each := (used() - before) / n
	for _, c := range held {
		c.Close()
	}
	return each
}

// used is the memory in use by heap and stacks after collection.
func used() int {
	time.Sleep(50 * time.Millisecond)
	for range 3 { // stacks shrink by half at each collection
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

func benchmarkBody(size int) string {
	const line = "The quick brown fox jumps over the lazy dog, and so on to the end of line.\r\n"
	return "Subject: benchmark\r\n\r\n" + strings.Repeat(line, size/len(line)+1)[:size] + "\r\n"
}

// BenchmarkSession is a whole connection with one message, over loopback.
func BenchmarkSession(b *testing.B) {
	_, addr := start(b, plainGate{}, smtpd.Settings{})
	body := benchmarkBody(4 << 10)
	b.ReportAllocs()
	for b.Loop() {
		c := dial(b, addr)
		mailed(c)
		c.send(body + ".\r\n")
		c.want("", "250 ")
		c.want("QUIT", "221 ")
		c.conn.Close()
	}
}

// BenchmarkMessage is one message in an open connection, pipelined.
func BenchmarkMessage(b *testing.B) {
	for _, size := range []int{4 << 10, 10 << 10, 1 << 20} {
		b.Run(byteSize(size), func(b *testing.B) {
			_, addr := start(b, plainGate{}, smtpd.Settings{Limits: smtpd.Limits{Transactions: 1 << 30, Commands: 1 << 30}})
			body := benchmarkBody(size)
			c := dial(b, addr)
			c.want("", "220 ")
			c.want("EHLO client.example", "250-")
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				c.send("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
				for range 3 {
					c.reply()
				}
				c.send(body + ".\r\n")
				c.want("", "250 ")
			}
		})
	}
}

func byteSize(n int) string {
	if n >= 1<<20 {
		return "1MB"
	}
	return map[int]string{4 << 10: "4kB", 10 << 10: "10kB"}[n]
}

// BenchmarkMachine is a session without a network: parsing and framing only.
func BenchmarkMachine(b *testing.B) {
	cfg := smtpd.DefaultMachineConfig("mx.example")
	body := []byte(benchmarkBody(10<<10) + ".\r\n")
	group := []byte("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		m := smtpd.NewMachine(cfg)
		for _, in := range [][]byte{nil, []byte("EHLO client.example\r\n"), group, body} {
			for {
				n, ev := m.Next(in)
				if in = in[n:]; ev.Kind == smtpd.NeedInput {
					break
				}
				switch ev.Kind {
				case smtpd.Sync:
					m.Synced(nil)
				case smtpd.Content, smtpd.Flush:
				default:
					m.Answer(fine)
				}
			}
			m.TakeOutput()
		}
	}
}

// BenchmarkRefusedBot is a client refused at connect, beside a server that only
// accepts, writes, reads and closes.
func BenchmarkRefusedBot(b *testing.B) {
	const refusal = "554 5.7.1 No\r\n"
	visit := func(b *testing.B, addr string) {
		buf := make([]byte, 64)
		for b.Loop() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Read(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.WriteString(c, "QUIT\r\n"); err != nil {
				b.Fatal(err)
			}
			c.Close()
		}
	}
	b.Run("sluice", func(b *testing.B) {
		_, addr := start(b, refusingGate{}, smtpd.Settings{})
		visit(b, addr)
	})
	b.Run("bare", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = io.WriteString(c, refusal)
					_, _ = c.Read(make([]byte, 64))
				}()
			}
		}()
		visit(b, l.Addr().String())
	})
}

type refusingGate struct{ plainGate }

func (refusingGate) Open(context.Context, *sluice.Conn) (sluice.Session, sluice.Reply) {
	return plainSession{}, sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "No", Close: true}
}
