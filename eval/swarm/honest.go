package swarm

import (
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/eval/swarm/talk"
)

// program is software that honest people send mail with.
type program struct {
	name, about string
	weight      int    // of conversations
	hosts       int    // simulated hosts
	helo        string // host name; %d its number, %s its domain
	door        string // "" for the server's mail door
	mails       int    // messages in one connection, at most
	rcpts       int    // recipients of one message, at most
	retry       []time.Duration
	dialect     talk.Dialect
	letter      string        // template, "" for any
	held        bool          // plays in the test split only
	pool        bool          // retries come from another address of the domain's
	list        bool          // 5 % of the recipients are gone
	stale       bool          // the password is an old one
	shares      string        // sits behind the address of this program's host
	lag         time.Duration // of a slow link: added before every command
	rate        int           // octets in one write of a slow link
	received    string        // what it writes into Received, "" for no such field
	ptr         string        // class of PTR, "" for one that matches
}

// with is the plain dialect with changes.
func with(change func(*talk.Dialect)) talk.Dialect {
	d := talk.Plain()
	change(&d)
	return d
}

// minutes makes a retry schedule. The last wait repeats.
func minutes(m ...float64) []time.Duration {
	var out []time.Duration
	for _, x := range m {
		out = append(out, time.Duration(x*float64(time.Minute)))
	}
	return out
}

// postfix speaks as Postfix's smtp(8) does: everything up to DATA in one write
// where PIPELINING is offered, SIZE and BODY, ORCPT where DSN is, QUIT behind the
// final dot.
func postfix(d *talk.Dialect) {
	d.Params, d.RcptParams, d.Pipeline, d.TLS, d.Quit, d.Nobody = "SIZE BODY", "ORCPT", "offered", true, "dot", "reset+quit"
}

// exim uses BDAT since 4.88 and pipelines it with the rest.
func exim(d *talk.Dialect) {
	d.Params, d.Pipeline, d.Chunking, d.TLS = "SIZE BODY", "chunk", true, true
}

// programs is the table of honest senders. Retry schedules are the defaults of
// the software; programs without a queue have a person or a timer that tries
// again.
var programs = []program{
	{name: "postfix", about: "Postfix 3 on a company's server", weight: 16, hosts: 8, helo: "mail%d.%s", mails: 2, rcpts: 3,
		retry: minutes(5, 10, 20, 40, 66), received: "Postfix", dialect: with(postfix)},
	{name: "postfix-reuse", about: "Postfix relay with its connection cache: many messages in one connection", weight: 4, hosts: 2, helo: "out%d.%s", mails: 20, rcpts: 2,
		retry: minutes(5, 10, 20, 40, 66), received: "Postfix", dialect: with(func(d *talk.Dialect) { postfix(d); d.Quit, d.Reset = "wait", "" })},
	{name: "mailman", about: "a mailing list behind Postfix, 5 % of its readers gone", weight: 6, hosts: 2, helo: "lists%d.%s", mails: 2, rcpts: 20, list: true,
		retry: minutes(5, 10, 20, 40, 66), received: "Postfix", letter: "newsletter", dialect: with(postfix)},
	{name: "exim", about: "Exim 4.9x on a hosting server", weight: 10, hosts: 5, helo: "server%d.%s", mails: 2, rcpts: 3,
		retry: minutes(15, 15, 15, 15, 60), received: "Exim 4.96", dialect: with(exim)},
	{name: "sendmail", about: "Sendmail 8.17", weight: 4, hosts: 2, helo: "gate%d.%s", mails: 2, rcpts: 3,
		retry: minutes(10, 10, 10, 30), received: "8.17.1/8.17.1", dialect: with(func(d *talk.Dialect) {
			d.Mail, d.Rcpt, d.Params, d.TLS, d.Pipeline, d.Nobody = "MAIL From:<%s>", "RCPT To:<%s>", "SIZE BODY", true, "rcpt", "reset"
		})},
	{name: "exchange", about: "Exchange Server on a company's own machine", weight: 6, hosts: 3, helo: "ex%d.%s", mails: 2, rcpts: 4,
		retry: minutes(1, 1, 5, 10), received: "Microsoft SMTP Server", dialect: with(func(d *talk.Dialect) {
			d.Params, d.Pipeline, d.Chunking, d.TLS = "SIZE", "offered", true, true
		})},
	{name: "provider-g", about: "a large provider like Gmail: a pool of addresses, another one for every retry", weight: 12, hosts: 7, helo: "mail-lf1-f%d.%s", mails: 1, rcpts: 1, pool: true,
		retry: minutes(6, 9, 15, 30), received: "SMTP", letter: "family", dialect: with(func(d *talk.Dialect) {
			d.Params, d.Pipeline, d.Chunking, d.TLS = "BODY SIZE", "offered", true, true
		})},
	{name: "provider-o", about: "a large provider like Outlook.com", weight: 8, hosts: 6, helo: "eur05-am6-%d.outbound.%s", mails: 1, rcpts: 2, pool: true,
		retry: minutes(1, 2, 4, 10), received: "Microsoft SMTP Server", dialect: with(func(d *talk.Dialect) {
			d.Greet, d.Params, d.Pipeline, d.Chunking, d.TLS = "EHLO", "SIZE", "offered", true, true
		})},
	{name: "bulk", about: "a newsletter service that behaves: many conversations from few addresses", weight: 5, hosts: 3, helo: "a%d.mta.%s", mails: 10, rcpts: 1, list: true,
		retry: minutes(5, 10, 30, 60), letter: "newsletter", dialect: with(func(d *talk.Dialect) {
			d.Greet, d.Pipeline, d.Params, d.TLS = "EHLO", "offered", "BODY SIZE RET", true
		})},
	{name: "opensmtpd", about: "OpenSMTPD on a private server", weight: 2, hosts: 2, helo: "home%d.%s", mails: 1, rcpts: 2,
		retry: minutes(0.25, 1, 4, 16), received: "OpenSMTPD", dialect: with(func(d *talk.Dialect) { d.TLS, d.Nobody = true, "drop" })},
	{name: "qmail", about: "netqmail: HELO only, one recipient", weight: 2, hosts: 2, helo: "q%d.%s", mails: 1, rcpts: 1, held: true,
		retry: minutes(6.7, 20, 33, 47), received: "qmail", dialect: with(func(d *talk.Dialect) { d.Greet, d.Dot = "HELO", "body" })},
	{name: "javamail", about: "a shop's Java program", weight: 3, hosts: 2, helo: "shop%d.%s", mails: 1, rcpts: 1,
		retry: minutes(1, 5, 15), letter: "order", dialect: with(func(d *talk.Dialect) { d.TLS, d.Dot = true, "alone" })},
	{name: "phpmailer", about: "a web site with PHPMailer", weight: 4, hosts: 3, helo: "www%d.%s", mails: 1, rcpts: 1,
		retry: minutes(10), letter: "order", dialect: with(func(d *talk.Dialect) { d.Dot, d.TLS = "alone", true })},
	{name: "nodemailer", about: "a web site with Nodemailer", weight: 3, hosts: 2, helo: "app%d.%s", mails: 1, rcpts: 1, held: true,
		retry: minutes(2, 5), letter: "order", dialect: with(func(d *talk.Dialect) { d.TLS, d.Params = true, "BODY" })},
	{name: "smtplib", about: "Python's smtplib in a nightly job: lower-case verbs", weight: 4, hosts: 3, helo: "node%d.%s", mails: 1, rcpts: 1,
		retry: minutes(10), letter: "monitor", dialect: with(func(d *talk.Dialect) {
			d.Case, d.Mail, d.Rcpt, d.Params, d.Nobody = "smtplib", "mail FROM:<%s>", "rcpt TO:<%s>", "SIZE", "reset"
		})},
	{name: "swaks", about: "an admin's swaks", weight: 2, hosts: 2, helo: "desk%d.%s", mails: 1, rcpts: 1,
		retry: minutes(5), letter: "monitor", dialect: with(func(*talk.Dialect) {})},
	{name: "curl", about: "curl in a script", weight: 2, hosts: 2, helo: "job%d.%s", mails: 1, rcpts: 1,
		retry: minutes(10), letter: "monitor", dialect: with(func(d *talk.Dialect) { d.Params, d.Dot = "SIZE", "alone" })},
	{name: "slow-link", about: "Postfix behind a satellite: 300 ms before every command, the body in a trickle", weight: 3, hosts: 2, helo: "ship%d.%s", mails: 1, rcpts: 1,
		retry: minutes(5, 10, 20), received: "Postfix", lag: 300 * time.Millisecond, rate: 256, dialect: with(func(d *talk.Dialect) { postfix(d); d.TLS = false })},
	{name: "msmtp-user", about: "own users with msmtp on the submission door, from home", weight: 4, hosts: 6, helo: "localhost", door: "submission", mails: 1, rcpts: 1, ptr: "dynamic",
		retry: minutes(1, 5), letter: "project", dialect: with(func(d *talk.Dialect) { d.Greet, d.Pipeline, d.TLS, d.Nobody = "EHLO", "rcpt", true, "drop" })},
	{name: "phone-user", about: "own users' telephones on the TLS door", weight: 3, hosts: 6, helo: "[10.0.0.%d]", door: "smtps", mails: 1, rcpts: 2, ptr: "dynamic",
		retry: minutes(1, 5), letter: "family", dialect: with(func(d *talk.Dialect) { d.Greet, d.Params, d.TLS = "EHLO", "SIZE", true })},
	{name: "forgotten", about: "a scanner with an old password, behind the same address as an own user", weight: 2, hosts: 1, helo: "scanner%d", door: "submission", mails: 1, rcpts: 1, stale: true,
		shares: "msmtp-user", retry: minutes(1), dialect: with(func(d *talk.Dialect) { d.Greet, d.TLS = "EHLO", true })},
}

// letters writes the messages of one honest conversation.
func (p *Population) letters(r *rand.Rand, f *Family, src *Source, now time.Time) ([]*talk.Mail, error) {
	pr := f.program
	n := 1 + r.IntN(pr.mails)
	if pr.mails > 5 {
		n = pr.mails/2 + r.IntN(pr.mails/2+1)
	}
	var out []*talk.Mail
	for range n {
		m := &talk.Mail{From: fmt.Sprintf("%s.%s@%s", one(r, firsts), one(r, lasts), src.Domain)}
		if src.secret.User != "" {
			m.From = src.secret.User
		}
		m.Rcpts = p.addressees(r, pr)
		host := src.Helo
		if pr.door != "" {
			host = src.Domain
		}
		if p.honest != nil {
			b, err := p.honest.draw(r, m.From, m.Rcpts[0].Addr, host, now)
			if err != nil {
				return nil, err
			}
			m.Body = b
		} else {
			t := one(r, letters)
			for _, l := range letters {
				if l.name == pr.letter {
					t = l
				}
			}
			m.Body = compose(r, t, m.From, m.Rcpts[0].Addr, host, now, pr.received)
		}
		m.EightBit = !ascii(m.Body) || r.IntN(2) == 0 // a queue keeps what the submitter declared
		out = append(out, m)
	}
	return out, nil
}

// addressees are a message's recipients: some of a list's readers are gone, and
// people mistype addresses (3 %).
func (p *Population) addressees(r *rand.Rand, pr *program) []talk.Recipient {
	n, dead := 1+r.IntN(pr.rcpts), 3
	if pr.list {
		n, dead = (pr.rcpts+1)/2+r.IntN(pr.rcpts/2+1), 5
	}
	var out []talk.Recipient
	for _, i := range r.Perm(len(p.cfg.Mailbox))[:min(n, len(p.cfg.Mailbox))] {
		rc := talk.Recipient{Addr: p.cfg.Mailbox[i] + "@" + p.cfg.Domain}
		if r.IntN(100) < dead {
			rc = talk.Recipient{Addr: mistype(r, p.cfg.Mailbox[i]) + "@" + p.cfg.Domain, Dead: true}
		}
		out = append(out, rc)
	}
	return out
}

// mistype makes a name that nobody has out of one that somebody has.
func mistype(r *rand.Rand, local string) string {
	i := r.IntN(len(local))
	return local[:i] + string(rune('a'+r.IntN(26))) + local[i:] + "x"
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
