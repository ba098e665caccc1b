package swarm

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// plain is a small server that knows the rules and notes who breaks them. It is
// no filter: it defers, refuses or cuts only as its fields say.
type plain struct {
	offers   []string
	greeting string // "" for one line
	pause    time.Duration
	line     time.Duration // pause behind the first line of the greeting, where longer
	exists   func(addr string) bool
	first    int // code for RCPT on a source's first connection, 0 for none
	refuse   int // greeting code
	cutAfter int // commands until 421 and the end
	logins   map[string]string
	idle     time.Duration
	implicit bool // TLS from the start
	lenient  bool // takes MAIL and RCPT in any form

	l  net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	seen  map[string]int // connections by source
	talks []*call
}

// call is what the server saw of one connection.
type call struct {
	source  string
	lines   []string // commands as received, with line ends
	more    []bool   // octets came with the line in one piece
	faults  []string
	early   bool // octets before the greeting was out
	quit    bool
	bodies  []string
	tls     bool
	aborted bool
}

var cert = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func (p *plain) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.l, p.seen = l, map[string]int{}
	if p.idle == 0 {
		p.idle = 2 * time.Second
	}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); p.wg.Wait() })
	return l.Addr().String()
}

func (p *plain) serve(c net.Conn) {
	defer func() { c.Close() }()
	host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	tk := &call{source: host}
	p.mu.Lock()
	p.seen[host]++
	try := p.seen[host]
	p.talks = append(p.talks, tk)
	p.mu.Unlock()
	s := &served{plain: p, call: tk, c: c, try: try}
	if p.implicit {
		s.c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert()}})
	}
	s.run()
}

type served struct {
	*plain
	*call
	c    net.Conn
	r    *bufio.Reader
	try  int
	from bool
	to   []string
	n    int
	auth bool
}

func (s *served) say(f string, a ...any) { fmt.Fprintf(s.c, f+"\r\n", a...) }

func (s *served) fault(f string, a ...any) {
	s.mu.Lock()
	s.faults = append(s.faults, fmt.Sprintf(f, a...))
	s.mu.Unlock()
}

// before says whether the client writes while it should wait.
func (s *served) before(d time.Duration) bool {
	_ = s.c.SetReadDeadline(time.Now().Add(d))
	_, err := s.r.Peek(1)
	return err == nil
}

func (s *served) run() {
	s.r = bufio.NewReader(s.c)
	if s.pause > 0 && s.before(s.pause) {
		s.early = true
	}
	if s.refuse != 0 {
		s.say("%d go away", s.refuse)
		return
	}
	if s.greeting != "" {
		s.say("220-%s", s.greeting)
		if s.before(max(s.pause, s.line)) {
			s.early = true
		}
	}
	s.say("220 plain ESMTP")
	for {
		_ = s.c.SetReadDeadline(time.Now().Add(s.idle))
		l, err := s.r.ReadString('\n')
		if err != nil || len(l) > 10_000 {
			s.aborted = err == nil
			return
		}
		s.mu.Lock()
		s.lines, s.more = append(s.lines, l), append(s.more, s.r.Buffered() > 0)
		s.mu.Unlock()
		if s.n++; s.cutAfter > 0 && s.n > s.cutAfter {
			s.say("421 4.7.0 enough")
			return
		}
		if !s.command(l) {
			return
		}
	}
}

var (
	mailForm = regexp.MustCompile(`^(?i:MAIL FROM):<([^<>\s]*)>((?: [A-Za-z0-9-]+(?:=[^\s=]+)?)*)\r\n$`)
	rcptForm = regexp.MustCompile(`^(?i:RCPT TO):<([^<>\s]+)>((?: [A-Za-z0-9-]+(?:=[^\s=]+)?)*)\r\n$`)
)

// anyForm finds the address in whatever a bot makes of MAIL and RCPT.
var anyForm = regexp.MustCompile(`^\S+\s+\S+?[\s:<]+([^<>\s]*)()`)

func (s *served) match(form *regexp.Regexp, l string) []string {
	if m := form.FindStringSubmatch(l); m != nil || !s.lenient {
		return m
	}
	return anyForm.FindStringSubmatch(l)
}

// needs maps parameters to the extension that allows them.
var needs = map[string]string{"SIZE": "SIZE", "BODY": "8BITMIME", "RET": "DSN", "NOTIFY": "DSN", "ORCPT": "DSN", "SMTPUTF8": "SMTPUTF8"}

func (s *served) params(list string) {
	for p := range strings.FieldsSeq(list) {
		name, _, _ := strings.Cut(strings.ToUpper(p), "=")
		if !slices.Contains(s.offers, needs[name]) {
			s.fault("parameter %s was not offered", name)
		}
	}
}

// command answers one command; false ends the connection.
func (s *served) command(l string) bool {
	verb := strings.ToUpper(strings.TrimSpace(l[:min(4, len(l))]))
	if !strings.HasSuffix(l, "\r\n") {
		s.fault("bare LF")
	}
	if s.r.Buffered() > 0 && verb != "BDAT" && !slices.Contains(s.offers, "PIPELINING") {
		s.fault("pipelined behind %q without offer", l)
	}
	switch verb {
	case "EHLO":
		s.from, s.to = false, nil
		out := "250-plain\r\n"
		for _, o := range s.offers {
			if o != "STARTTLS" || !s.call.tls {
				out += "250-" + o + "\r\n"
			}
		}
		s.say("%s250 HELP", out)
	case "HELO":
		s.say("250 plain")
	case "STAR":
		return s.starttls()
	case "AUTH":
		s.login(l)
	case "MAIL":
		m := s.match(mailForm, l)
		if m == nil || s.from {
			s.fault("MAIL: %q", l)
			s.say("501 5.5.4 no")
			return true
		}
		s.params(m[2])
		s.from = true
		s.say("250 ok")
	case "RCPT":
		s.rcpt(l)
	case "DATA":
		return s.data()
	case "BDAT":
		return s.bdat(l)
	case "RSET":
		s.from, s.to = false, nil
		s.say("250 ok")
	case "QUIT":
		s.quit = true
		s.say("221 bye")
		return false
	case "NOOP":
		s.say("250 ok")
	default:
		s.fault("command %.40q", l)
		s.say("500 5.5.2 what")
	}
	return true
}

func (s *served) starttls() bool {
	s.say("220 go ahead")
	s.call.tls = true
	s.c = tls.Server(s.c, &tls.Config{Certificates: []tls.Certificate{cert()}})
	s.r = bufio.NewReader(s.c) // what was pipelined in clear is dropped
	return true
}

func (s *served) login(l string) {
	f := strings.Fields(l)
	if len(f) == 2 {
		for range 2 {
			s.say("334 ")
			if _, err := s.r.ReadString('\n'); err != nil {
				return
			}
		}
		s.say("535 5.7.8 no")
		return
	}
	for user, pass := range s.logins {
		if len(f) == 3 && f[2] == plainToken(user, pass) {
			s.auth = true
			s.say("235 ok")
			return
		}
	}
	s.say("535 5.7.8 no")
}

func (s *served) rcpt(l string) {
	m := s.match(rcptForm, l)
	switch {
	case m == nil || !s.from:
		s.fault("RCPT: %q", l)
		s.say("503 5.5.1 no")
	case s.first != 0 && s.try == 1:
		s.say("%d 4.7.1 later", s.first)
	case s.exists != nil && !s.exists(m[1]):
		s.say("550 5.1.1 unknown")
	default:
		s.params(m[2])
		s.to = append(s.to, m[1])
		s.say("250 ok")
	}
}

func (s *served) data() bool {
	if len(s.to) == 0 {
		if !slices.Contains(s.offers, "PIPELINING") {
			s.fault("DATA without a recipient")
		}
		s.say("503 5.5.1 no recipient")
		return true
	}
	s.say("354 go")
	var b strings.Builder
	for {
		l, err := s.r.ReadString('\n')
		if err != nil {
			return false
		}
		if l == ".\r\n" {
			break
		}
		if !strings.HasSuffix(l, "\r\n") || len(l) > 1000 {
			s.fault("body line %.40q", l)
		}
		b.WriteString(strings.TrimPrefix(l, "."))
	}
	s.done(b.String())
	return true
}

func (s *served) done(body string) {
	s.mu.Lock()
	s.bodies = append(s.bodies, body)
	s.mu.Unlock()
	s.from, s.to = false, nil
	s.say("250 2.0.0 taken")
}

func (s *served) bdat(l string) bool {
	f := strings.Fields(l)
	n := -1
	if len(f) > 1 {
		n, _ = strconv.Atoi(f[1])
	}
	if n < 0 || n > 1<<20 || len(f) > 3 || len(f) == 3 && f[2] != "LAST" {
		s.fault("BDAT: %q", l)
		s.say("501 5.5.4 no")
		return true
	}
	b := make([]byte, n)
	for i := range b {
		c, err := s.r.ReadByte()
		if err != nil {
			return false
		}
		b[i] = c
	}
	switch {
	case len(s.to) == 0:
		s.say("503 5.5.1 no recipient")
	case len(f) == 3:
		s.done(string(b))
	default:
		s.say("250 chunk")
	}
	return true
}
