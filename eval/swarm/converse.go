package swarm

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// recipient is one address of a message and what became of it.
type recipient struct {
	addr string
	dead bool // nobody has it, and the sender can't know: a refusal is right
	code int  // 0 while undecided; 4xx is tried again
}

// mail is one message on its way.
type mail struct {
	from     string
	rcpts    []recipient
	body     []byte // CRLF, dots not yet stuffed
	eightBit bool

	phase    string    // where the last refusal of an undead recipient came
	accepted time.Time // when the last one was accepted
}

// pending are the recipients still to be tried.
func (m *mail) pending() []int {
	var out []int
	for i, r := range m.rcpts {
		if r.code == 0 || r.code/100 == 4 {
			out = append(out, i)
		}
	}
	return out
}

// decide gives a code to recipients.
func (m *mail) decide(who []int, code int, phase string) {
	for _, i := range who {
		m.rcpts[i].code = code
		if code >= 400 && !m.rcpts[i].dead {
			m.phase = phase
		}
	}
	if code/100 == 2 {
		m.accepted = time.Now()
	}
}

// errRefused ends a conversation that the server has refused, politely.
var errRefused = errors.New("swarm: refused")

// converse holds a whole conversation: greeting, mails, QUIT.
func (c *client) converse(mails []*mail) error {
	err := c.open()
	for i := 0; err == nil && i < len(mails); i++ {
		err = c.transaction(mails[i], i == len(mails)-1)
	}
	if errors.Is(err, errRefused) {
		for _, m := range mails {
			m.decide(m.pending(), c.s.Code, c.s.Phase)
		}
		err = nil
	}
	if err != nil {
		return err
	}
	return c.quit()
}

// open brings the session to where MAIL may be sent.
func (c *client) open() error {
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
		rep, _, err := c.ask("tls", c.d.verb("STARTTLS"))
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
func (c *client) greeting() error {
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
func (c *client) greeted() error {
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
func (c *client) hello() error {
	for i, v := range strings.Fields(c.d.Greet) {
		if err := c.send("helo", c.d.line(c.d.verb(v)+" "+c.s.Helo)); err != nil {
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

// account is a name and a password.
type account struct{ User, Secret string }

// login proves an account with the mechanism that is offered.
func (c *client) login(a account) error {
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
func (c *client) try(a account, plain bool) (Reply, error) {
	b64 := base64.StdEncoding.EncodeToString
	if plain {
		rep, _, err := c.ask("auth", c.d.verb("AUTH")+" PLAIN "+b64([]byte("\x00"+a.User+"\x00"+a.Secret)))
		return rep, err
	}
	rep, _, err := c.ask("auth", c.d.verb("AUTH")+" LOGIN")
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
	rcpt        int // index, for RCPT
}

// envelope is the transaction's commands up to the last RCPT.
func (c *client) envelope(m *mail, who []int) []step {
	from := fmt.Sprintf(c.d.Mail, m.from)
	for p := range strings.FieldsSeq(c.d.Params) {
		name, forced := strings.CutPrefix(p, "!")
		_, offered := c.offers[map[string]string{"BODY": "8BITMIME", "RET": "DSN", "SIZE": "SIZE"}[name]]
		switch {
		case !forced && !offered:
		case name == "SIZE":
			from += fmt.Sprintf(" SIZE=%d", len(m.body))
		case name == "BODY" && (m.eightBit || forced):
			from += " BODY=8BITMIME"
		case name == "RET":
			from += " RET=HDRS"
		}
	}
	if c.d.Case == "lower" {
		from = strings.Replace(from, " SIZE=", " size=", 1)
	}
	steps := []step{{phase: "mail", line: from}}
	for _, i := range who {
		to := fmt.Sprintf(c.d.Rcpt, m.rcpts[i].addr)
		if _, ok := c.offers["DSN"]; ok && c.d.RcptParams == "ORCPT" {
			to += " ORCPT=rfc822;" + m.rcpts[i].addr
		} else if ok && c.d.RcptParams == "NOTIFY" {
			to += " NOTIFY=FAILURE,DELAY"
		}
		steps = append(steps, step{"rcpt", to, i})
	}
	return steps
}

// transaction sends one message and decides its recipients.
func (c *client) transaction(m *mail, last bool) error {
	who := m.pending()
	if c.d.Pipeline == "blast" {
		return c.blast(m, who)
	}
	if c.d.Reset == "first" {
		if _, _, err := c.ask("mail", c.d.verb("RSET")); err != nil {
			return err
		}
	}
	_, pipelining := c.offers["PIPELINING"]
	_, chunking := c.offers["CHUNKING"]
	pipelining = c.d.Pipeline == "always" || pipelining && c.d.Pipeline == "offered"
	chunking = chunking && c.d.Chunking
	steps := c.envelope(m, who)
	if !chunking {
		steps = append(steps, step{phase: "data", line: c.d.verb("DATA")})
	}
	taken, data, err := c.run(m, steps, pipelining, chunking)
	if err != nil {
		return err
	}
	switch {
	case data && len(taken) == 0 && c.d.Refused == "obey":
		err = c.raw([]byte("."+c.d.EOL), 0, 0) // RFC 2920 3.1: DATA was pipelined and taken with no recipient
		if err == nil {
			_, _, err = c.read("data")
		}
	case data:
		err = c.body(m, taken, "dot", chunking, pipelining && last)
	case c.d.Refused == "obey" && !last:
		_, _, err = c.ask("mail", c.d.verb("RSET"))
	case c.d.Refused != "obey":
		// The body goes out all the same, and its lines are taken for commands.
		if err = c.body(m, taken, "data", false, false); err == nil {
			err = errRefused
		}
	}
	for n := resets[c.d.Reset]; err == nil && n > 0; n-- {
		_, _, err = c.ask("mail", c.d.verb("RSET"))
	}
	return err
}

// resets are the RSETs after a message.
var resets = map[string]int{"each": 1, "storm": 30}

// run carries out a transaction's steps. It returns who was taken, and whether
// the message may be sent now.
func (c *client) run(m *mail, steps []step, pipelining, chunking bool) (taken []int, data bool, err error) {
	if pipelining {
		var b strings.Builder
		for _, s := range steps {
			b.WriteString(c.d.line(s.line))
		}
		if err := c.send("rcpt", b.String()); err != nil {
			_, _, err = c.last("mail", err)
			return nil, false, err
		}
	}
	obey, fromRefused := c.d.Refused == "obey", false
	for _, s := range steps {
		if obey && !pipelining && s.phase == "data" && len(taken) == 0 {
			break
		}
		var rep Reply
		if pipelining {
			rep, _, err = c.read(s.phase)
		} else {
			rep, _, err = c.ask(s.phase, s.line)
		}
		if err != nil {
			return taken, false, err
		}
		switch {
		case s.phase == "mail" && rep.refusal():
			m.decide(m.pending(), rep.Code, "mail")
			fromRefused = true
			if obey && !pipelining {
				return nil, false, nil
			}
		case s.phase == "rcpt" && rep.refusal():
			if !fromRefused {
				m.decide([]int{s.rcpt}, rep.Code, "rcpt")
			}
		case s.phase == "rcpt":
			taken = append(taken, s.rcpt)
		case s.phase == "data" && rep.Code == 354:
			return taken, true, nil
		case s.phase == "data" && rep.refusal():
			m.decide(taken, rep.Code, "data")
		}
	}
	return taken, chunking && (len(taken) > 0 || !obey), nil
}

// body sends the message and reads the verdict.
func (c *client) body(m *mail, taken []int, phase string, chunking, quit bool) error {
	if len(taken) == 0 && chunking {
		phase = "data" // BDAT without a recipient is refused like DATA
	}
	var b string
	if chunking {
		b = fmt.Sprintf("%s %d LAST\r\n%s", c.d.verb("BDAT"), len(m.body), m.body)
	} else {
		b = strings.ReplaceAll(stuff(m.body), "\r\n", c.d.EOL)
	}
	dot := "." + c.d.EOL
	if c.d.Quit == "dot" && quit && !chunking {
		dot += c.d.line(c.d.verb("QUIT"))
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
	m.decide(taken, rep.Code, phase)
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
func (c *client) blast(m *mail, who []int) error {
	c.s.reach("greeting")
	if c.d.Wait != "none" {
		if err := c.greeted(); err != nil {
			return err
		}
	}
	steps := append([]step{{phase: "helo", line: c.d.verb(strings.Fields(c.d.Greet)[0]) + " " + c.s.Helo}}, c.envelope(m, who)...)
	steps = append(steps, step{phase: "data", line: c.d.verb("DATA")})
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(c.d.line(s.line))
	}
	b.WriteString(strings.ReplaceAll(stuff(m.body), "\r\n", c.d.EOL) + "." + c.d.EOL)
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
		m.decide(taken, rep.Code, "dot")
	}
	return err
}

// quit ends the session as the dialect does.
func (c *client) quit() error {
	switch {
	case c.quitting:
		_, _, err := c.read("quit")
		return err
	case c.d.Quit == "wait" || c.d.Quit == "dot":
		_, _, err := c.ask("quit", c.d.verb("QUIT"))
		return err
	case c.d.Quit == "send":
		return c.send("quit", c.d.line(c.d.verb("QUIT")))
	}
	return nil
}
