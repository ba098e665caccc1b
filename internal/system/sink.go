package system

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
)

// Sink is a next hop that takes nearly everything and remembers the value of one
// header field of each message it has answered 250.
type Sink struct {
	Addr   string
	field  string
	refuse map[string]string // recipient: the reply to RCPT
	ln     net.Listener
	mu     sync.Mutex
	seen   map[string]int
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

// NewSink starts one; field is the header field that tells messages apart, refuse
// holds the replies to the recipients it doesn't take.
func NewSink(t testing.TB, field string, refuse map[string]string) *Sink {
	t.Helper()
	return NewSinkAt(t, "127.0.0.1:0", field, refuse)
}

// NewSinkAt is NewSink on an address.
func NewSinkAt(t testing.TB, addr, field string, refuse map[string]string) *Sink {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sink{Addr: l.Addr().String(), field: strings.ToLower(field) + ":", refuse: refuse, ln: l, seen: map[string]int{}, conns: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *Sink) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *Sink) close() {
	_ = s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Seen returns how often each message was taken.
func (s *Sink) Seen() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.seen)
}

func (s *Sink) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	r := bufio.NewReaderSize(c, 32<<10)
	say := func(t string) bool { _, err := fmt.Fprintf(c, "%s\r\n", t); return err == nil }
	if !say("220 sink") {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, arg, _ := strings.Cut(strings.TrimSpace(line), " "); strings.ToUpper(verb) {
		case "EHLO":
			say("250-sink\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 8BITMIME")
		case "RCPT":
			say(s.rcpt(arg))
		case "DATA":
			say("354 go")
			id, ok := s.body(r)
			if !ok {
				return
			}
			s.mu.Lock()
			s.seen[id]++
			s.mu.Unlock()
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 2.0.0 ok")
		}
	}
}

func (s *Sink) rcpt(arg string) string {
	for a, reply := range s.refuse {
		if strings.Contains(arg, "<"+a+">") {
			return reply
		}
	}
	return "250 2.1.5 ok"
}

// body reads to the dot; without one there is no message.
func (s *Sink) body(r *bufio.Reader) (id string, ok bool) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", false
		}
		if line == ".\r\n" {
			return id, true
		}
		if id == "" && len(line) > len(s.field) && strings.EqualFold(line[:len(s.field)], s.field) {
			id = strings.TrimSpace(line[len(s.field):])
		}
	}
}
