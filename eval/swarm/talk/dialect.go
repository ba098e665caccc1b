package talk

import (
	"fmt"
	"strings"
	"time"
)

// Dialect is how a program speaks SMTP: every choice that a server can see and
// that differs between programs. The zero value isn't useful; honest dialects
// stand in a table, hostile ones come out of a grammar.
type Dialect struct {
	Greet string // the greeting verbs in the order tried: "EHLO HELO", "EHLO", "HELO"
	Case  string // of verbs: "upper", "lower", "title", "mixed", "smtplib" (lower but for STARTTLS and QUIT)
	Mail  string // the line without its end, %s for the path: "MAIL FROM:<%s>"
	Rcpt  string
	// Params are parameters of MAIL in order, each sent only where it is
	// offered and fits: SIZE, BODY, RET. A "!" before one sends it unasked.
	Params     string
	RcptParams string // ORCPT or NOTIFY, where DSN is offered

	EOL   string // "\r\n" or "\n"
	Trail string // white space before the line's end

	Wait     string // "220" (the whole greeting), "line" (its first line), "none"
	Pipeline string // "never", "offered", "rcpt" (where offered, behind MAIL's reply), "chunk" (where offered, BDAT too), "always" (without offer), "blast" (everything without reading)
	Chunking bool   // BDAT where offered
	TLS      bool   // STARTTLS where offered
	Reset    string // RSET: "", "first" (before MAIL), "each" (after each message), "storm"
	Refused  string // after a refusal: "obey", "ignore"
	Nobody   string // when no recipient was taken: "" (QUIT), "reset" (then QUIT), "reset+quit" (in one write), "drop" (the connection)
	Dot      string // the final dot: "body" (in the body's last write) or "alone"
	Quit     string // "wait" (for 221), "send" (and close), "dot" (behind the dot where pipelining is offered), "none", "abort" (TCP reset)

	Gap     time.Duration // pause before each command
	Segment int           // octets of one write, 0 for whole commands
}

// String is the dialect in one line: equal dialects have equal strings.
func (d Dialect) String() string {
	return fmt.Sprintf("greet=%q case=%s mail=%q rcpt=%q params=%q rcptparams=%q eol=%q trail=%q wait=%s pipeline=%s chunking=%t tls=%t reset=%q refused=%s nobody=%q dot=%s quit=%s gap=%s segment=%d",
		d.Greet, d.Case, d.Mail, d.Rcpt, d.Params, d.RcptParams, d.EOL, d.Trail, d.Wait, d.Pipeline, d.Chunking, d.TLS, d.Reset, d.Refused, d.Nobody, d.Dot, d.Quit, d.Gap, d.Segment)
}

// Verb writes v in the dialect's case.
func (d Dialect) Verb(v string) string {
	switch d.Case {
	case "smtplib":
		if v != "QUIT" && v != "STARTTLS" {
			return strings.ToLower(v)
		}
	case "lower":
		return strings.ToLower(v)
	case "title":
		return v[:1] + strings.ToLower(v[1:])
	case "mixed":
		b := []byte(strings.ToLower(v))
		for i := 0; i < len(b); i += 2 {
			b[i] &^= 0x20
		}
		return string(b)
	}
	return v
}

// line ends a command.
func (d Dialect) line(s string) string { return s + d.Trail + d.EOL }

// Plain is the plain dialect that any library speaks: hostile dialects are this
// one with features changed.
func Plain() Dialect {
	return Dialect{Greet: "EHLO HELO", Case: "upper", Mail: "MAIL FROM:<%s>", Rcpt: "RCPT TO:<%s>", EOL: "\r\n",
		Wait: "220", Pipeline: "never", Refused: "obey", Dot: "body", Quit: "wait"}
}
