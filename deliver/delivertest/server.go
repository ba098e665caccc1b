package delivertest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Step is a place in the conversation where a back end can misbehave.
type Step string

// The steps. Text is before the dot, when part of the text has been read; Quit
// and Rset have no meaning for a message.
const (
	Greeting Step = "greeting"
	Ehlo     Step = "ehlo"
	Helo     Step = "helo"
	StartTLS Step = "starttls"
	Auth     Step = "auth" // each reply of the exchange
	Rset     Step = "rset"
	Mail     Step = "mail"
	Rcpt     Step = "rcpt"
	Data     Step = "data"
	Text     Step = "text"
	Dot      Step = "dot"
	Quit     Step = "quit"
)

// Fault is what the back end does at a step instead of its proper answer.
type Fault struct {
	Raw    string // octets to write in place of the reply
	Hang   bool   // then say nothing more until the peer leaves
	Close  bool   // then close the connection
	Slow   bool   // write the reply octet by octet, a little apart
	Rcpt   string // at Rcpt: only for this address
	Times  int    // how often; 0: always
	Accept bool   // at Dot: keep the message all the same
}

// Script is how a back end behaves.
type Script struct {
	Extensions []string // of EHLO, default: PIPELINING, 8BITMIME, SMTPUTF8, DSN, SIZE 10000000
	Bare       bool     // no extensions at all
	LMTP       bool
	TLS        *tls.Config // offers STARTTLS
	Implicit   bool        // TLS from the first octet on instead

	// Users and their passwords: MAIL is refused to others, and AUTH offered, with
	// TLS only where TLS is.
	Users      map[string]string
	Mechanisms string // default: "PLAIN LOGIN"

	// Answer gives the reply to RCPT by its argument, "" for the usual one; nil: the
	// usual one for all. A fault comes first.
	Answer func(arg string) string

	Faults map[Step]Fault
}

// Message is one message that the back end has taken responsibility for.
type Message struct {
	Mail  string   // the MAIL command's argument
	Rcpts []string // the RCPT commands' arguments that were accepted
	Data  []byte   // dots unstuffed
	TLS   bool     // came through TLS
	User  string   // who logged in
}

// Server is a back end that misbehaves on request. It keeps count of what it
// took, so that a test can compare that with what the sender was told.
type Server struct {
	Addr string // "127.0.0.1:port"; "" for one without a listener

	script Script
	l      net.Listener
	wg     sync.WaitGroup

	mu       sync.Mutex
	faults   map[Step]Fault
	conns    map[net.Conn]bool
	accepted int
	open     int
	most     int
	messages []Message
	commands []string
	abuse    []string
	closed   bool
}

// NewServer starts a back end on a loopback port; it ends with the test.
func NewServer(t testing.TB, script Script) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, script)
	s.Addr, s.l = l.Addr().String(), l
	s.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(nc)
		}
	})
	return s
}

// NewPipeServer makes a back end without a listener, for tests in a bubble of
// synctest: connect with [Server.Dial]. Offer it no PIPELINING, since a pipe
// has no room for replies that nobody reads.
func NewPipeServer(t testing.TB, script Script) *Server { return newServer(t, script) }

func newServer(t testing.TB, script Script) *Server {
	s := &Server{script: script, faults: map[Step]Fault{}, conns: map[net.Conn]bool{}}
	for step, f := range script.Faults {
		s.faults[step] = f
	}
	t.Cleanup(s.Close)
	return s
}

// Dial connects to the back end through a pipe.
func (s *Server) Dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	if !s.serve(ours) {
		return nil, errors.New("connection refused")
	}
	return theirs, nil
}

// Close stops listening and drops all connections.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	if s.l != nil {
		_ = s.l.Close()
	}
	s.mu.Unlock()
	s.DropAll()
	s.wg.Wait()
}

// DropAll closes the connections of now, as a restart of the back end would.
func (s *Server) DropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.conns {
		_ = nc.Close()
	}
}

// SetFault sets what happens at a step from now on.
func (s *Server) SetFault(step Step, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[step] = f
}

// Messages returns what the back end took, in order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Commands returns the command lines of all connections, in order.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Abuse returns what the client must never do and did: bare CR, LF or NUL, text
// behind the dot, commands out of place.
func (s *Server) Abuse() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.abuse)
}

// Connections returns how many there were in all, and the most at a time.
func (s *Server) Connections() (all, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, s.most
}

func (s *Server) note(list *[]string, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, fmt.Sprintf(format, args...))
}

func (s *Server) serve(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = nc.Close()
		return false
	}
	s.conns[nc] = true
	s.accepted++
	s.open++
	s.most = max(s.most, s.open)
	tcp := nc
	s.wg.Go(func() {
		if s.script.Implicit {
			nc = tls.Server(nc, s.script.TLS)
		}
		c := &peer{s: s, nc: nc, r: bufio.NewReader(nc)}
		c.run()
		_ = nc.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, tcp)
		s.open--
	})
	return true
}

// fault takes the fault of a step, if there is one for this argument.
func (s *Server) fault(step Step, arg string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.faults[step]
	if !ok || f.Rcpt != "" && !strings.Contains(arg, f.Rcpt) {
		return Fault{}, false
	}
	if f.Times == 1 {
		delete(s.faults, step)
	} else if f.Times > 1 {
		f.Times--
		s.faults[step] = f
	}
	return f, true
}

// peer is the back end's side of one connection.
type peer struct {
	s     *Server
	nc    net.Conn
	r     *bufio.Reader
	hello string
	user  string // logged in as
	mail  string
	inTx  bool
	rcpts []string
}

var errEnd = errors.New("end of connection")

// say answers at a step, or misbehaves.
func (p *peer) say(step Step, arg, reply string) error {
	f, ok := p.s.fault(step, arg)
	if !ok {
		_, err := io.WriteString(p.nc, reply)
		return err
	}
	return p.misbehave(f, reply)
}

func (p *peer) misbehave(f Fault, reply string) error {
	if f.Slow {
		if f.Raw == "" {
			f.Raw = reply
		}
		for i := range len(f.Raw) {
			if _, err := io.WriteString(p.nc, f.Raw[i:i+1]); err != nil {
				return err
			}
			time.Sleep(200 * time.Microsecond)
		}
	} else if _, err := io.WriteString(p.nc, f.Raw); err != nil {
		return err
	}
	switch {
	case f.Hang:
		_, _ = io.Copy(io.Discard, p.r)
		return errEnd
	case f.Close:
		return errEnd
	}
	return nil
}

// line reads up to CRLF and tells on anything else that looks like a line end.
func (p *peer) line() (string, error) {
	var b []byte
	for {
		c, err := p.r.ReadByte()
		if err != nil {
			return "", err
		}
		b = append(b, c)
		if bytes.HasSuffix(b, []byte("\r\n")) {
			line := string(b[:len(b)-2])
			if strings.ContainsAny(line, "\r\n\x00") {
				p.s.note(&p.s.abuse, "line %q", line)
			}
			return line, nil
		}
	}
}

func (p *peer) run() {
	if p.say(Greeting, "", "220 back.example ESMTP\r\n") != nil {
		return
	}
	for {
		line, err := p.line()
		if err != nil {
			return
		}
		p.s.note(&p.s.commands, "%s", line)
		if p.command(line) != nil {
			return
		}
	}
}

func (p *peer) command(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	switch verb {
	case "EHLO", "LHLO":
		p.hello = verb
		if (verb == "LHLO") != p.s.script.LMTP {
			return p.say(Ehlo, arg, "500 5.5.1 Other protocol\r\n")
		}
		return p.say(Ehlo, arg, p.greet())
	case "HELO":
		p.hello = verb
		return p.say(Helo, arg, "250 back.example\r\n")
	case "STARTTLS":
		return p.startTLS()
	case "AUTH":
		return p.auth(arg)
	case "RSET":
		p.inTx, p.rcpts = false, nil
		return p.say(Rset, "", "250 2.0.0 Ok\r\n")
	case "MAIL":
		if p.inTx || p.hello == "" {
			p.s.note(&p.s.abuse, "MAIL out of place")
		}
		if p.s.script.Users != nil && p.user == "" {
			return p.say(Mail, arg, "530 5.7.0 Authentication required\r\n")
		}
		p.mail, p.inTx, p.rcpts = arg, true, nil
		return p.say(Mail, arg, "250 2.1.0 Ok\r\n")
	case "RCPT":
		return p.rcpt(arg)
	case "DATA":
		if len(p.rcpts) == 0 {
			p.s.note(&p.s.abuse, "DATA without a recipient")
		}
		return p.data()
	case "QUIT":
		_ = p.say(Quit, "", "221 2.0.0 Bye\r\n")
		return errEnd
	}
	p.s.note(&p.s.abuse, "command %q", line)
	_, err := io.WriteString(p.nc, "500 5.5.1 Unknown\r\n")
	return err
}

func (p *peer) greet() string {
	ext := p.s.script.Extensions
	switch {
	case p.s.script.Bare:
		ext = nil
	case ext == nil:
		ext = []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 10000000"}
	}
	if _, secure := p.nc.(*tls.Conn); p.s.script.TLS != nil && !secure {
		ext = append(slices.Clone(ext), "STARTTLS")
	}
	if p.offersAuth() {
		ext = append(slices.Clone(ext), "AUTH "+p.mechanisms())
	}
	lines := append([]string{"back.example"}, ext...)
	var b strings.Builder
	for i, l := range lines {
		sep := '-'
		if i == len(lines)-1 {
			sep = ' '
		}
		fmt.Fprintf(&b, "250%c%s\r\n", sep, l)
	}
	return b.String()
}

func (p *peer) offersAuth() bool {
	_, secure := p.nc.(*tls.Conn)
	return p.s.script.Users != nil && (secure || p.s.script.TLS == nil)
}

func (p *peer) mechanisms() string { return cmp.Or(p.s.script.Mechanisms, "PLAIN LOGIN") }

// auth is RFC 4954 with PLAIN (RFC 4616), LOGIN and OAUTHBEARER.
func (p *peer) auth(arg string) error {
	mechanism, initial, _ := strings.Cut(arg, " ")
	if !p.offersAuth() || p.user != "" || p.inTx || !slices.Contains(strings.Fields(p.mechanisms()), mechanism) {
		p.s.note(&p.s.abuse, "AUTH out of place")
	}
	if len(arg) > 512-len("AUTH \r\n") {
		p.s.note(&p.s.abuse, "AUTH line too long")
	}
	ask := func(challenge string) (string, error) {
		if initial == "" {
			if err := p.say(Auth, arg, "334 "+challenge+"\r\n"); err != nil {
				return "", err
			}
			line, err := p.line()
			if err != nil {
				return "", err
			}
			initial = line
		}
		b, err := base64.StdEncoding.DecodeString(initial)
		initial = ""
		if err != nil {
			p.s.note(&p.s.abuse, "AUTH without base64")
		}
		return string(b), nil
	}
	var user, password string
	switch mechanism {
	case "OAUTHBEARER": // RFC 7628
		all, err := ask("")
		if err != nil {
			return err
		}
		head, rest, _ := strings.Cut(all, ",\x01auth=Bearer ")
		user, password = strings.TrimPrefix(head, "n,a="), strings.TrimSuffix(rest, "\x01\x01")
		if want, ok := p.s.script.Users[user]; !ok || password != want {
			if err := p.say(Auth, arg, "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"); err != nil {
				return err
			}
			if line, err := p.line(); err != nil || line != "AQ==" {
				p.s.note(&p.s.abuse, "OAUTHBEARER error answered by %q", line)
			}
		}
	case "PLAIN":
		all, err := ask("")
		if err != nil {
			return err
		}
		if parts := strings.Split(all, "\x00"); len(parts) == 3 && parts[0] == "" {
			user, password = parts[1], parts[2]
		} else {
			p.s.note(&p.s.abuse, "AUTH PLAIN with %d parts", len(parts))
		}
	default:
		var err error
		if user, err = ask("VXNlcm5hbWU6"); err != nil {
			return err
		}
		if password, err = ask("UGFzc3dvcmQ6"); err != nil {
			return err
		}
	}
	if want, ok := p.s.script.Users[user]; !ok || password != want {
		return p.say(Auth, arg, "535 5.7.8 Authentication credentials invalid\r\n")
	}
	p.user = user
	return p.say(Auth, arg, "235 2.7.0 Hello\r\n")
}

func (p *peer) startTLS() error {
	if err := p.say(StartTLS, "", "220 2.0.0 Go on\r\n"); err != nil {
		return err
	}
	if p.s.script.TLS == nil {
		return nil // the fault has answered
	}
	if p.r.Buffered() > 0 {
		p.s.note(&p.s.abuse, "clear text behind STARTTLS")
	}
	tc := tls.Server(p.nc, p.s.script.TLS)
	if err := tc.Handshake(); err != nil {
		return err
	}
	p.nc, p.hello = tc, ""
	p.r = bufio.NewReader(tc)
	return nil
}

func (p *peer) rcpt(arg string) error {
	if !p.inTx {
		p.s.note(&p.s.abuse, "RCPT out of place")
	}
	reply := "250 2.1.5 Ok\r\n"
	if p.s.script.Answer != nil {
		reply = cmp.Or(p.s.script.Answer(arg), reply)
	}
	f, ok := p.s.fault(Rcpt, arg)
	if !ok && strings.HasPrefix(reply, "25") || ok && f.Slow && f.Raw == "" || strings.HasPrefix(f.Raw, "25") {
		p.rcpts = append(p.rcpts, arg)
	}
	if ok {
		return p.misbehave(f, reply)
	}
	_, err := io.WriteString(p.nc, reply)
	return err
}

func (p *peer) data() error {
	const reply = "354 Go ahead\r\n"
	f, faulty := p.s.fault(Data, "")
	if !faulty {
		if _, err := io.WriteString(p.nc, reply); err != nil {
			return err
		}
	} else if err := p.misbehave(f, reply); err != nil {
		return err
	} else if f.Raw != "" && !strings.HasPrefix(f.Raw, "354") {
		return nil
	}
	text, err := p.text()
	if err != nil {
		return err
	}
	m := Message{Mail: p.mail, Rcpts: p.rcpts, Data: text, User: p.user}
	_, m.TLS = p.nc.(*tls.Conn)
	n := 1
	if p.s.script.LMTP {
		n = len(p.rcpts)
	}
	p.inTx, p.rcpts = false, nil
	p.s.mu.Lock()
	f, faulty = p.s.faults[Dot]
	if !faulty || f.Accept || f.Rcpt != "" || f.Slow && f.Raw == "" {
		p.s.messages = append(p.s.messages, m)
	}
	p.s.mu.Unlock()
	// Octets that are here already were sent before our answer: QUIT behind
	// the dot, say.
	if p.r.Buffered() > 0 {
		p.s.note(&p.s.abuse, "text behind the dot")
	}
	for i := range n {
		if err := p.say(Dot, m.Rcpts[i], "250 2.0.0 Taken as 4711\r\n"); err != nil {
			return err
		}
	}
	return nil
}

// text reads to CRLF.CRLF, octet by octet: simple on purpose, as an oracle.
func (p *peer) text() ([]byte, error) {
	b := []byte("\r\n") // DATA's own, so that a dot may come first
	f, faulty := p.s.fault(Text, "")
	for !bytes.HasSuffix(b, []byte("\r\n.\r\n")) {
		if faulty && len(b) >= 10 {
			if _, err := io.WriteString(p.nc, f.Raw); err != nil {
				return nil, err
			}
			if f.Hang {
				// Nothing is read any more either: the peer's writes block.
				for {
					p.s.mu.Lock()
					closed := p.s.closed
					p.s.mu.Unlock()
					if closed {
						return nil, errEnd
					}
					time.Sleep(5 * time.Millisecond)
				}
			}
			if f.Close {
				return nil, errEnd
			}
			faulty = false
		}
		c, err := p.r.ReadByte()
		if err != nil {
			return nil, err
		}
		b = append(b, c)
	}
	b = b[2 : len(b)-3]
	if bad := strings.NewReplacer("\r\n", "").Replace(string(b)); strings.ContainsAny(bad, "\r\n\x00") {
		p.s.note(&p.s.abuse, "bare CR, LF or NUL in the text")
	}
	var out []byte
	for line := range bytes.Lines(b) {
		if line[0] == '.' {
			line = line[1:]
			if line[0] != '.' && !bytes.Equal(line, []byte("\r\n")) {
				p.s.note(&p.s.abuse, "unstuffed dot line %q", line)
			}
		}
		out = append(out, line...)
	}
	return out, nil
}
