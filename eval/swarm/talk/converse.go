package talk

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Recipient is one address of a message and what became of it.
type Recipient struct {
	Addr string
	Dead bool // nobody has it, and the sender can't know: a refusal is right
	Code int  // 0 while undecided; 4xx is tried again
}

// Mail is one message on its way.
type Mail struct {
	From     string
	Rcpts    []Recipient
	Body     []byte // CRLF, dots not yet stuffed
	EightBit bool

	Phase    string    // where the last refusal of an undead recipient came
	Accepted time.Time // when the last one was accepted
}

// Pending are the recipients still to be tried.
func (m *Mail) Pending() []int {
	var out []int
	for i, r := range m.Rcpts {
		if r.Code == 0 || r.Code/100 == 4 {
			out = append(out, i)
		}
	}
	return out
}

// All are all recipients.
func (m *Mail) All() []int {
	out := make([]int, len(m.Rcpts))
	for i := range out {
		out[i] = i
	}
	return out
}

// Decide gives a code to recipients.
func (m *Mail) Decide(who []int, code int, phase string) {
	for _, i := range who {
		m.Rcpts[i].Code = code
		if code >= 400 && !m.Rcpts[i].Dead {
			m.Phase = phase
		}
	}
	if code/100 == 2 {
		m.Accepted = time.Now()
	}
}

// errRefused ends a conversation that the server has refused, politely.
var errRefused = errors.New("talk: refused")

// Converse holds a whole conversation: greeting, mails, QUIT.
func (c *Client) Converse(mails []*Mail) error {
	err := c.open()
	for i := 0; err == nil && i < len(mails); i++ {
		err = c.transaction(mails[i], i == len(mails)-1)
	}
	if errors.Is(err, errRefused) {
		for _, m := range mails {
			m.Decide(m.Pending(), c.s.Code, c.s.Phase)
		}
		err = nil
	}
	if err != nil {
		return err
	}
	return c.quit()
}

// open brings the session to where MAIL may be sent.
func (c *Client) open() error {
	if c.d.Pipeline == "blast" {
		return nil
	}
	if err := c.greeting(); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if _, ok := c.offers["STARTTLS"]; ok && c.d.TLS && !c.s.TLS {
		rep, _, err := c.ask("tls", c.d.Verb("STARTTLS"))
		if err != nil {
			return err
		}
		if rep.Code == 220 {
			if err := c.startTLS(); err != nil {
				return err
			}
			if err := c.hello(); err != nil {
				return err
			}
		}
	}
	if c.secret.User != "" {
		return c.login(c.secret)
	}
	return nil
}

// greeting waits for 220 as far as the dialect waits.
func (c *Client) greeting() error {
	c.s.reach("greeting")
	switch c.d.Wait {
	case "none":
		return nil // the reply to the greeting verb reads it
	case "line":
		l, err := c.readLine()
		if err != nil {
			return err
		}
		c.first = l
		if _, more, _ := parseReply(l); more {
			return nil
		}
	}
	return c.greeted()
}

// greeted reads the greeting.
func (c *Client) greeted() error {
	rep, _, err := c.read("greeting")
	if err != nil {
		return err
	}
	c.s.Greeted = time.Since(c.s.Start)
	if rep.refusal() && c.d.Refused == "obey" {
		return errRefused
	}
	return nil
}

// hello greets with the dialect's verbs until one is taken.
func (c *Client) hello() error {
	for i, v := range strings.Fields(c.d.Greet) {
		if err := c.send("helo", c.d.line(c.d.Verb(v)+" "+c.s.Helo)); err != nil {
			_, _, err = c.last("helo", err)
			return err
		}
		if i == 0 && c.s.Greeted == 0 {
			if err := c.greeted(); err != nil {
				return err
			}
		}
		rep, lines, err := c.read("helo")
		if err != nil {
			return err
		}
		if !rep.refusal() {
			clear(c.offers)
			for _, l := range lines[1:] {
				name, arg, _ := strings.Cut(l[min(4, len(l)):], " ")
				c.offers[strings.ToUpper(name)] = arg
			}
			return nil
		}
		if rep.Code/100 == 4 {
			break
		}
	}
	if c.d.Refused == "obey" {
		return errRefused
	}
	return nil
}

// Account is a name and a password.
type Account struct{ User, Secret string }

// login proves an account with the mechanism that is offered.
func (c *Client) login(a Account) error {
	rep, err := c.try(a, strings.Contains(" "+c.offers["AUTH"]+" ", " PLAIN "))
	if err != nil {
		return err
	}
	if rep.Code != 235 {
		return errRefused
	}
	return nil
}

// try sends one AUTH PLAIN or LOGIN and reads the last reply to it.
func (c *Client) try(a Account, plain bool) (Reply, error) {
	b64 := base64.StdEncoding.EncodeToString
	if plain {
		rep, _, err := c.ask("auth", c.d.Verb("AUTH")+" PLAIN "+b64([]byte("\x00"+a.User+"\x00"+a.Secret)))
		return rep, err
	}
	rep, _, err := c.ask("auth", c.d.Verb("AUTH")+" LOGIN")
	for _, w := range []string{a.User, a.Secret} {
		if err != nil || rep.Code != 334 {
			return rep, err
		}
		rep, _, err = c.ask("auth", b64([]byte(w)))
	}
	return rep, err
}

// step is one command of a transaction.
type step struct {
	phase, line string
	rcpt        int    // index, for RCPT
	tail        []byte // octets behind the line, for BDAT
}

// envelope is the transaction's commands up to the last RCPT.
func (c *Client) envelope(m *Mail, who []int) []step {
	from := fmt.Sprintf(c.d.Mail, m.From)
	for p := range strings.FieldsSeq(c.d.Params) {
		name, forced := strings.CutPrefix(p, "!")
		_, offered := c.offers[map[string]string{"BODY": "8BITMIME", "RET": "DSN", "SIZE": "SIZE"}[name]]
		switch {
		case !forced && !offered:
		case name == "SIZE":
			from += fmt.Sprintf(" SIZE=%d", len(m.Body))
		case name == "BODY" && (m.EightBit || forced):
			from += " BODY=8BITMIME"
		case name == "RET":
			from += " RET=HDRS"
		}
	}
	if c.d.Case == "smtplib" {
		from = strings.Replace(from, " SIZE=", " size=", 1)
	}
	steps := []step{{phase: "mail", line: from}}
	for _, i := range who {
		to := fmt.Sprintf(c.d.Rcpt, m.Rcpts[i].Addr)
		if _, ok := c.offers["DSN"]; ok && c.d.RcptParams == "ORCPT" {
			to += " ORCPT=rfc822;" + m.Rcpts[i].Addr
		} else if ok && c.d.RcptParams == "NOTIFY" {
			to += " NOTIFY=FAILURE,DELAY"
		}
		steps = append(steps, step{phase: "rcpt", line: to, rcpt: i})
	}
	return steps
}

// transaction sends one message and decides its recipients.
func (c *Client) transaction(m *Mail, last bool) error {
	who := m.Pending()
	if c.d.Pipeline == "blast" {
		return c.blast(m, who)
	}
	if c.d.Reset == "first" {
		if _, _, err := c.ask("mail", c.d.Verb("RSET")); err != nil {
			return err
		}
	}
	_, pipelining := c.offers["PIPELINING"]
	_, chunking := c.offers["CHUNKING"]
	pipelining = c.d.Pipeline == "always" || pipelining && c.d.Pipeline != "never"
	chunking = chunking && c.d.Chunking
	steps := c.envelope(m, who)
	whole := chunking && pipelining && c.d.Pipeline == "chunk" // one write for all
	switch {
	case whole:
		steps = append(steps, step{phase: "data", line: fmt.Sprintf("%s %d LAST", c.d.Verb("BDAT"), len(m.Body)), tail: m.Body})
	case !chunking:
		steps = append(steps, step{phase: "data", line: c.d.Verb("DATA")})
	}
	taken, data, err := c.run(m, steps, pipelining, chunking)
	if err != nil {
		return err
	}
	switch {
	case whole && len(taken) > 0:
	case data && len(taken) == 0 && c.d.Refused == "obey":
		err = c.raw([]byte("."+c.d.EOL), 0, 0) // RFC 2920 3.1: DATA was pipelined and taken with no recipient
		if err == nil {
			_, _, err = c.read("data")
		}
	case data:
		err = c.body(m, taken, "dot", chunking, pipelining && last)
	case c.d.Refused == "obey":
		err = c.nobody(last)
	case c.d.Refused != "obey":
		// The body goes out all the same, and its lines are taken for commands.
		if err = c.body(m, taken, "data", false, false); err == nil {
			err = errRefused
		}
	}
	for n := resets[c.d.Reset]; err == nil && n > 0; n-- {
		_, _, err = c.ask("mail", c.d.Verb("RSET"))
	}
	return err
}

// nobody follows a transaction in which nobody was taken.
func (c *Client) nobody(last bool) error {
	_, pipelining := c.offers["PIPELINING"]
	switch {
	case last && c.d.Nobody == "drop":
		c.d.Quit = "none"
	case last && c.d.Nobody == "reset+quit" && pipelining:
		c.quitting = true
		if err := c.send("mail", c.d.line(c.d.Verb("RSET"))+c.d.line(c.d.Verb("QUIT"))); err != nil {
			return err
		}
		_, _, err := c.read("mail")
		return err
	case !last || c.d.Nobody != "":
		_, _, err := c.ask("mail", c.d.Verb("RSET"))
		return err
	}
	return nil
}

// resets are the RSETs after a message.
var resets = map[string]int{"each": 1, "storm": 30}

// run carries out a transaction's steps. It returns who was taken, and whether
// the message may be sent now.
func (c *Client) run(m *Mail, steps []step, pipelining, chunking bool) (taken []int, data bool, err error) {
	alone := 0 // steps before the ones that go out together
	if c.d.Pipeline == "rcpt" {
		alone = 1
	}
	together := func() error {
		var b strings.Builder
		for _, s := range steps[alone:] {
			b.WriteString(c.d.line(s.line))
			b.Write(s.tail)
		}
		err := c.send("rcpt", b.String())
		if err != nil {
			_, _, err = c.last("mail", err)
		}
		return err
	}
	obey, fromRefused := c.d.Refused == "obey", false
	for i, s := range steps {
		if obey && !pipelining && s.phase == "data" && len(taken) == 0 {
			break
		}
		if pipelining && i == alone {
			if err := together(); err != nil {
				return nil, false, err
			}
		}
		var rep Reply
		if s.tail != nil && len(taken) > 0 {
			s.phase = "dot" // BDAT with a recipient is answered like the final dot
			c.s.reach("dot")
		}
		if pipelining && i >= alone {
			rep, _, err = c.read(s.phase)
		} else {
			rep, _, err = c.ask(s.phase, s.line)
		}
		if err != nil {
			return taken, false, err
		}
		switch {
		case s.phase == "mail" && rep.refusal():
			m.Decide(m.Pending(), rep.Code, "mail")
			fromRefused = true
			if obey && (!pipelining || alone > 0) {
				return nil, false, nil
			}
		case s.phase == "rcpt" && rep.refusal():
			if !fromRefused {
				m.Decide([]int{s.rcpt}, rep.Code, "rcpt")
			}
		case s.phase == "rcpt":
			taken = append(taken, s.rcpt)
		case s.tail != nil:
			m.Decide(taken, rep.Code, s.phase)
			return taken, false, nil
		case s.phase == "data" && rep.Code == 354:
			return taken, true, nil
		case s.phase == "data" && rep.refusal():
			m.Decide(taken, rep.Code, "data")
		}
	}
	return taken, chunking && (len(taken) > 0 || !obey), nil
}

// body sends the message and reads the verdict.
func (c *Client) body(m *Mail, taken []int, phase string, chunking, quit bool) error {
	if len(taken) == 0 && chunking {
		phase = "data" // BDAT without a recipient is refused like DATA
	}
	var b string
	if chunking {
		b = fmt.Sprintf("%s %d LAST\r\n%s", c.d.Verb("BDAT"), len(m.Body), m.Body)
	} else {
		b = strings.ReplaceAll(stuff(m.Body), "\r\n", c.d.EOL)
	}
	dot := "." + c.d.EOL
	if c.d.Quit == "dot" && quit && !chunking {
		dot += c.d.line(c.d.Verb("QUIT"))
		c.quitting = true
	}
	if c.d.Dot == "body" && !chunking {
		b += dot
	}
	err := c.send(phase, b)
	if err == nil && c.d.Dot == "alone" && !chunking {
		err = c.send(phase, dot)
	}
	if err != nil {
		_, _, err = c.last(phase, err)
		return err
	}
	rep, _, err := c.read(phase)
	if err != nil {
		return err
	}
	m.Decide(taken, rep.Code, phase)
	return nil
}

// stuff doubles dots at the start of lines (RFC 5321 4.5.2).
func stuff(b []byte) string {
	s := strings.ReplaceAll(string(b), "\r\n.", "\r\n..")
	if strings.HasPrefix(s, ".") {
		s = "." + s
	}
	return s
}

// blast writes a whole conversation without reading, then looks what came back.
func (c *Client) blast(m *Mail, who []int) error {
	c.s.reach("greeting")
	if c.d.Wait != "none" {
		if err := c.greeted(); err != nil {
			return err
		}
	}
	steps := append([]step{{phase: "helo", line: c.d.Verb(strings.Fields(c.d.Greet)[0]) + " " + c.s.Helo}}, c.envelope(m, who)...)
	steps = append(steps, step{phase: "data", line: c.d.Verb("DATA")})
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(c.d.line(s.line))
	}
	b.WriteString(strings.ReplaceAll(stuff(m.Body), "\r\n", c.d.EOL) + "." + c.d.EOL)
	if err := c.send("data", b.String()); err != nil {
		_, _, err = c.last("helo", err)
		return err
	}
	if c.d.Wait == "none" {
		if err := c.greeted(); err != nil {
			return err
		}
	}
	var taken []int
	for _, s := range steps {
		rep, _, err := c.read(s.phase)
		switch {
		case err != nil:
			return err
		case s.phase == "rcpt" && !rep.refusal():
			taken = append(taken, s.rcpt)
		case s.phase == "data" && rep.Code != 354:
			return errRefused // what follows answers a body read as commands
		}
	}
	c.s.reach("dot")
	rep, _, err := c.read("dot")
	if err == nil {
		m.Decide(taken, rep.Code, "dot")
	}
	return err
}

// quit ends the session as the dialect does.
func (c *Client) quit() error {
	switch {
	case c.quitting:
		_, _, err := c.read("quit")
		return err
	case c.d.Quit == "wait" || c.d.Quit == "dot":
		_, _, err := c.ask("quit", c.d.Verb("QUIT"))
		return err
	case c.d.Quit == "send":
		return c.send("quit", c.d.line(c.d.Verb("QUIT")))
	}
	return nil
}
