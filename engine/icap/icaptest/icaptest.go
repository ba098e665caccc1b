// Package icaptest plays ICAP services, well-behaved ones and others, on loopback.
package icaptest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Server is one service. Set its fields before the first request.
type Server struct {
	// Options are the header lines of the answer to OPTIONS, without Encapsulated.
	Options []string
	// Answer is the whole answer to a message that has been read, or to its preview
	// where Early is set; nil: 204. The request's lines are its header's.
	Answer func(r Request) string
	// Early answers to the preview alone.
	Early bool
	// Raw, where set, takes the connection over from its first octet.
	Raw func(c net.Conn)

	Address string // host:port

	mu       sync.Mutex
	requests []Request
	conns    int
}

// Request is a RESPMOD as it came.
type Request struct {
	Header   []string
	HTTP     string // the encapsulated headers
	Body     []byte // what was read of the message
	Preview  int    // octets of the preview; -1: none
	Complete bool   // the whole message was in the preview (ieof)
	Conn     int    // number of the connection
}

// Clean is an answer.
const Clean = "ICAP/1.0 204 No Content\r\nISTag: \"t1\"\r\n\r\n"

// Start starts the service and stops it with the test.
func Start(t testing.TB, s *Server) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Address = l.Addr().String()
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			s.mu.Lock()
			s.conns++
			n := s.conns
			s.mu.Unlock()
			running.Go(func() {
				defer func() { _ = c.Close() }()
				if s.Raw != nil {
					s.Raw(c)
					return
				}
				s.serve(c, n)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

// URL is the service's.
func (s *Server) URL() string { return "icap://" + s.Address + "/scan" }

// Requests are the messages so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Modified is an answer that puts another HTTP response in the place of the message.
func Modified(code int, body string, icap ...string) string {
	head := fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Type: text/html\r\n\r\n", code)
	return Answer(200, head, body, icap...)
}

// Answer is an answer with a code, an encapsulated header, a body and ICAP header lines.
func Answer(code int, head, body string, icap ...string) string {
	out := fmt.Sprintf("ICAP/1.0 %d x\r\n", code)
	for _, f := range icap {
		out += f + "\r\n"
	}
	out += fmt.Sprintf("Encapsulated: res-hdr=0, res-body=%d\r\n\r\n%s", len(head), head)
	if body != "" {
		out += fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
	}
	return out + "0\r\n\r\n"
}

func (s *Server) serve(c net.Conn, n int) {
	r := bufio.NewReader(c)
	for {
		header, err := lines(r)
		if err != nil || len(header) == 0 {
			return
		}
		if strings.HasPrefix(header[0], "OPTIONS ") {
			_, _ = io.WriteString(c, "ICAP/1.0 200 OK\r\n"+strings.Join(append(s.Options, "Encapsulated: null-body=0"), "\r\n")+"\r\n\r\n")
			continue
		}
		q := Request{Header: header, Preview: -1, Conn: n}
		if err := s.message(c, r, &q); err != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, q)
		s.mu.Unlock()
		answer := Clean
		if s.Answer != nil {
			answer = s.Answer(q)
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

func (s *Server) message(c net.Conn, r *bufio.Reader, q *Request) error {
	offset := 0
	for _, h := range q.Header {
		name, value, _ := strings.Cut(h, ": ")
		switch strings.ToLower(name) {
		case "preview":
			q.Preview, _ = strconv.Atoi(value)
		case "encapsulated":
			_, at, _ := strings.Cut(value, "res-body=")
			offset, _ = strconv.Atoi(at)
		}
	}
	http := make([]byte, offset)
	if _, err := io.ReadFull(r, http); err != nil {
		return err
	}
	q.HTTP = string(http)
	var body bytes.Buffer
	ended, err := chunks(r, &body)
	if err != nil {
		return err
	}
	q.Complete = ended
	if q.Preview >= 0 && !ended && !s.Early {
		if _, err := io.WriteString(c, "ICAP/1.0 100 Continue\r\n\r\n"); err != nil {
			return err
		}
		if _, err := chunks(r, &body); err != nil {
			return err
		}
	}
	q.Body = body.Bytes()
	return nil
}

// chunks reads chunks to the empty one, and says whether it carried ieof.
func chunks(r *bufio.Reader, to *bytes.Buffer) (ieof bool, err error) {
	for {
		s, err := r.ReadString('\n')
		if err != nil {
			return false, err
		}
		size, extension, _ := strings.Cut(strings.TrimSpace(s), ";")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil {
			return false, err
		}
		if n == 0 {
			_, err := r.ReadString('\n')
			return strings.TrimSpace(extension) == "ieof", err
		}
		if _, err := io.CopyN(to, r, n); err != nil {
			return false, err
		}
		if _, err := r.ReadString('\n'); err != nil {
			return false, err
		}
	}
}

func lines(r *bufio.Reader) ([]string, error) {
	var out []string
	for {
		s, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if s = strings.TrimSuffix(s, "\r\n"); s == "" {
			return out, nil
		}
		out = append(out, s)
	}
}
