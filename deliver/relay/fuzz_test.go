package relay_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/deliver/relay"
)

// scripted is a next hop that says one piece of its script for the greeting and
// for each write, whatever was written. At the end of the script it closes.
type scripted struct {
	mu     sync.Mutex
	script [][]byte
	out    bytes.Buffer
	dot    bool // the final dot was written
}

func (s *scripted) next() {
	if len(s.script) > 0 {
		s.out.Write(s.script[0])
		s.script = s.script[1:]
	}
}

func (s *scripted) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.Len() == 0 {
		return 0, io.EOF
	}
	return s.out.Read(b)
}

func (s *scripted) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dot = s.dot || bytes.HasSuffix(b, []byte("\r\n.\r\n"))
	s.next()
	return len(b), nil
}

func (*scripted) Close() error                     { return nil }
func (*scripted) LocalAddr() net.Addr              { return nil }
func (*scripted) RemoteAddr() net.Addr             { return nil }
func (*scripted) SetDeadline(time.Time) error      { return nil }
func (*scripted) SetReadDeadline(time.Time) error  { return nil }
func (*scripted) SetWriteDeadline(time.Time) error { return nil }

// The replies that make a delivery, as patterns: an oracle that shares nothing
// with the client.
var (
	greeting  = regexp.MustCompile(`^(220-[^\r\n]*\r\n)*220( [^\r\n]*)?\r\n$`)
	yes       = regexp.MustCompile(`^(250-[^\r\n]*\r\n)*250( [^\r\n]*)?\r\n$`)
	yes251    = regexp.MustCompile(`^(251-[^\r\n]*\r\n)*251( [^\r\n]*)?\r\n$`)
	goOn      = regexp.MustCompile(`^(354-[^\r\n]*\r\n)*354( [^\r\n]*)?\r\n$`)
	yesAtDot  = regexp.MustCompile(`^(250-[^\r\n]*\r\n)*250( [^\r\n]*)?\r\n`)
	permanent = regexp.MustCompile(`5[0-9][0-9]`)
)

// FuzzReplies: a message counts as delivered exactly where the next hop has said
// the right words at each step, and as refused for good only where it has said
// something with 5xx.
func FuzzReplies(f *testing.F) {
	f.Add([]byte("220 a\r\n\xff250 a\r\n\xff250 b\r\n\xff250 c\r\n\xff354 d\r\n\xff250 e\r\n"))
	f.Add([]byte("220-a\r\n220 b\r\n\xff250-a\r\n250 SIZE\r\n\xff250 2.1.0 b\r\n\xff251 c\r\n\xff354\r\n\xff250\r\n"))
	f.Add([]byte("220 a\r\n250 a\r\n\xff250 b\r\n"))
	f.Add([]byte("220 a\r\n\xff550 a\r\n\xff250 b\r\n\xff250 c\r\n\xff354 d\r\n\xff250 e\r\n"))
	f.Add([]byte("220 a\r\n\xff250 a\r\n\xff250 b\r\n\xff550 5.1.1 c\r\n"))
	f.Add([]byte("220 a\r\n\xff250 a\r\n\xff250 b\r\n\xff250 c\r\n\xff354 d\r\n250 e\r\n\xff421 e\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		script := bytes.Split(data, []byte{0xff})
		if len(data) > 20_000 || bytes.Contains(bytes.ToUpper(data), []byte("PIPELINING")) {
			return
		}
		s := &scripted{script: script}
		s.next()
		dials := 0
		r := newRelay(t, relay.Config{Hosts: []string{"a.example:25"}, Dial: func(context.Context, string, string) (net.Conn, error) {
			dials++
			return s, nil
		}})
		o := r.Deliver(t.Context(), delivery("x\r\n"))[0]
		if dials != 1 {
			t.Errorf("%d connections", dials)
		}
		at := func(i int) []byte {
			if i < len(script) {
				return script[i]
			}
			return nil
		}
		hello := 1
		if bytes.HasPrefix(at(1), []byte("5")) {
			hello = 2 // HELO after a refused EHLO
		}
		good := greeting.Match(at(0)) && yes.Match(at(hello)) && yes.Match(at(hello+1)) &&
			(yes.Match(at(hello+2)) || yes251.Match(at(hello+2))) && goOn.Match(at(hello+3)) && yesAtDot.Match(at(hello+4))
		if o.Delivered() && !good {
			t.Errorf("false success: %+v", o)
		}
		limited := bytes.Contains(bytes.ToUpper(data), []byte("SIZE ")) // and may be too small
		if good && len(data) < 2000 && !limited && !o.Delivered() {
			t.Errorf("false failure: %+v", o)
		}
		if o.Reply.Permanent() && !permanent.Match(data) || !o.Delivered() && !o.Reply.Permanent() && !o.Reply.Temporary() {
			t.Errorf("reply %s", o.Reply)
		}
		if o.Delivered() && !s.dot || o.Unknown && !s.dot {
			t.Errorf("no dot was sent: %+v", o)
		}
	})
}

// FuzzLogin: a server that says anything gets no mail before it has taken the
// login, and its words bring no password into a log or a reply.
func FuzzLogin(f *testing.F) {
	f.Add([]byte("220 a\r\n\xff250-a\r\n250 AUTH PLAIN\r\n\xff235 b\r\n\xff250 b\r\n\xff250 c\r\n\xff354 d\r\n\xff250 e\r\n"))
	f.Add([]byte("220 a\r\n\xff250-a\r\n250 auth=LOGIN login\r\n\xff334 b\r\n\xff334 c\r\n\xff235 2.7.0 d\r\n\xff250 b\r\n\xff250 c\r\n\xff354 d\r\n\xff250 e\r\n"))
	f.Add([]byte("220 a\r\n\xff250-a\r\n250 AUTH PLAIN\r\n\xff535 5.7.8 swordfish AHVzZXIAc3dvcmRmaXNo\r\n"))
	f.Add([]byte("220 a\r\n\xff250-a\r\n250 AUTH LOGIN\r\n\xff334 x\r\n\xff334 c\r\n\xff500-c3dvcmRmaXNo\r\n500 xc3dvcmRmx\r\n"))
	f.Add([]byte("220 a\r\n\xff250 a\r\n\xff235 b\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 20_000 {
			return
		}
		script := bytes.Split(data, []byte{0xff})
		s := &scripted{script: script}
		s.next()
		r := newRelay(t, relay.Config{Hosts: []string{"localhost:25"}, Login: &relay.Login{User: "user", Password: "swordfish"},
			Dial: func(context.Context, string, string) (net.Conn, error) { return loopback{s}, nil }})
		o := r.Deliver(t.Context(), delivery("x\r\n"))[0]
		if (s.dot || o.Delivered()) && !bytes.Contains(data, []byte("235")) {
			t.Errorf("mail for a server that took no login: %+v", o)
		}
		for _, said := range script[min(len(script), 3):] {
			if bytes.HasPrefix(said, []byte("250")) || bytes.HasPrefix(said, []byte("235")) {
				return // the login may be over: what is said to MAIL is passed on as it is
			}
		}
		if len(script) < 3 || bytes.HasPrefix(script[1], []byte("5")) {
			return // refused before any login
		}
		told := strings.ToLower(fmt.Sprintf("%s %v", o.Reply, o.Err))
		for _, secret := range []string{"swordfish", "wordfi", "c3dvcmrmaxno", "ahvzzxiac3dvcmrmaxno"} {
			if strings.Contains(told, secret) && !bytes.Contains(bytes.ToLower(bytes.Join(script[:2], nil)), []byte(secret)) {
				t.Errorf("tells the password: %s", told)
			}
		}
	})
}
