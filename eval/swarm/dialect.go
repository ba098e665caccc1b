package swarm

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Dialect is how a program speaks SMTP: every choice that a server can see and
// that differs between programs. The zero value isn't useful; honest dialects
// stand in a table, hostile ones come out of a grammar.
type Dialect struct {
	Greet string // the greeting verbs in the order tried: "EHLO HELO", "EHLO", "HELO"
	Case  string // of verbs: "upper", "lower", "title", "mixed"
	Mail  string // the line without its end, %s for the path: "MAIL FROM:<%s>"
	Rcpt  string
	// Params are parameters of MAIL in order, each sent only where it is
	// offered and fits: SIZE, BODY, RET. A "!" before one sends it unasked.
	Params     string
	RcptParams string // ORCPT or NOTIFY, where DSN is offered

	EOL   string // "\r\n" or "\n"
	Trail string // white space before the line's end

	Wait     string // "220" (the whole greeting), "line" (its first line), "none"
	Pipeline string // "never", "offered", "always" (without offer), "blast" (everything without reading)
	Chunking bool   // BDAT where offered
	TLS      bool   // STARTTLS where offered
	Reset    string // RSET: "", "first" (before MAIL), "each" (after each message), "storm"
	Refused  string // after a refusal: "obey", "ignore"
	Dot      string // the final dot: "body" (in the body's last write) or "alone"
	Quit     string // "wait" (for 221), "send" (and close), "dot" (behind the dot where pipelining is offered), "none", "abort" (TCP reset)

	Gap     time.Duration // pause before each command
	Segment int           // octets of one write, 0 for whole commands
}

// String is the dialect in one line: equal dialects have equal strings.
func (d Dialect) String() string {
	return fmt.Sprintf("greet=%q case=%s mail=%q rcpt=%q params=%q rcptparams=%q eol=%q trail=%q wait=%s pipeline=%s chunking=%t tls=%t reset=%q refused=%s dot=%s quit=%s gap=%s segment=%d",
		d.Greet, d.Case, d.Mail, d.Rcpt, d.Params, d.RcptParams, d.EOL, d.Trail, d.Wait, d.Pipeline, d.Chunking, d.TLS, d.Reset, d.Refused, d.Dot, d.Quit, d.Gap, d.Segment)
}

// grammar is the dialect as a server can tell it apart, without the timing: what
// decides which split it belongs to.
func (d Dialect) grammar() string {
	d.Gap, d.TLS = 0, false
	return d.String()
}

// verb writes v in the dialect's case.
func (d Dialect) verb(v string) string {
	switch d.Case {
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

// Split names a half of the hostile families. Whoever tunes looks at Train only.
type Split string

// The splits.
const (
	Train Split = "train"
	Test  Split = "test"
)

// splitOf puts a choice into one half for ever: by a hash of what it is, so that
// neither a seed nor the order of a table moves it.
func splitOf(choice string) Split {
	if sha256.Sum256([]byte("split/" + choice))[0]&1 == 0 {
		return Train
	}
	return Test
}

// halved is the part of a pool that belongs to a split. What a pool holds is
// never seen on both sides.
func halved(pool string, options []string, s Split) []string {
	var out []string
	for _, o := range options {
		if splitOf(pool+"/"+o) == s {
			out = append(out, o)
		}
	}
	return out
}

// pick takes one of a split's options; a pool with one side empty is a fault of
// the table, which a test finds.
func pick(r *rand.Rand, pool string, options []string, s Split) string {
	return one(r, halved(pool, options, s))
}

func one[T any](r *rand.Rand, options []T) T { return options[r.IntN(len(options))] }

// clean is the plain dialect that any library speaks: hostile dialects are this
// one with features changed.
func clean() Dialect {
	return Dialect{Greet: "EHLO HELO", Case: "upper", Mail: "MAIL FROM:<%s>", Rcpt: "RCPT TO:<%s>", EOL: "\r\n",
		Wait: "220", Pipeline: "never", Refused: "obey", Dot: "body", Quit: "wait"}
}

// feature is one way for a dialect to be odd.
type feature struct {
	name   string
	weight int // of 100: how often a bot has it
	apply  func(*rand.Rand, *Dialect)
}

// features is the grammar of hostile dialects: what has been seen in bots and
// mass mailers.
var features = []feature{
	{"greeting", 45, func(r *rand.Rand, d *Dialect) { d.Greet = one(r, []string{"HELO", "HELO", "HELO EHLO", "EHLO"}) }},
	{"case", 30, func(r *rand.Rand, d *Dialect) {
		d.Case = one(r, []string{"lower", "lower", "title", "mixed"})
		d.Mail, d.Rcpt = d.verb("MAIL")+d.Mail[4:], d.verb("RCPT")+d.Rcpt[4:]
	}},
	{"keyword", 20, func(r *rand.Rand, d *Dialect) {
		f := one(r, []string{"from", "From"})
		d.Mail = strings.Replace(d.Mail, "FROM", f, 1)
		d.Rcpt = strings.Replace(d.Rcpt, "TO", map[string]string{"from": "to", "From": "To"}[f], 1)
	}},
	{"path", 50, func(r *rand.Rand, d *Dialect) {
		form := one(r, []string{": <%s>", ": <%s>", ":%s", ": %s", " :<%s>", " <%s>", ":< %s >", ":  <%s>", ":<%s"})
		d.Mail = strings.Replace(d.Mail, ":<%s>", form, 1)
		if r.IntN(4) > 0 {
			d.Rcpt = strings.Replace(d.Rcpt, ":<%s>", form, 1)
		}
	}},
	{"parameters", 15, func(r *rand.Rand, d *Dialect) {
		d.Params = one(r, []string{"BODY SIZE", "!SIZE", "!BODY", "!BODY !SIZE", "!RET SIZE"})
	}},
	{"line end", 12, func(_ *rand.Rand, d *Dialect) { d.EOL = "\n" }},
	{"trail", 15, func(r *rand.Rand, d *Dialect) { d.Trail = one(r, []string{" ", "  ", "\t"}) }},
	{"pipelining", 20, func(r *rand.Rand, d *Dialect) { d.Pipeline = one(r, []string{"always", "always", "blast"}) }},
	{"reset", 20, func(r *rand.Rand, d *Dialect) { d.Reset = one(r, []string{"first", "each", "storm"}) }},
	{"refusals", 50, func(_ *rand.Rand, d *Dialect) { d.Refused = "ignore" }},
	{"dot", 25, func(_ *rand.Rand, d *Dialect) { d.Dot = "alone" }},
	{"quit", 60, func(r *rand.Rand, d *Dialect) { d.Quit = one(r, []string{"none", "none", "send", "abort"}) }},
	{"segments", 8, func(r *rand.Rand, d *Dialect) { d.Segment = one(r, []int{1, 7, 16}) }},
}

// paces are the timing classes of bots: a name and the pause before commands.
var paces = map[string]time.Duration{
	"none": 0, "0.2ms": 200 * time.Microsecond, "1ms": time.Millisecond, "3ms": 3 * time.Millisecond, "15ms": 15 * time.Millisecond,
	"40ms": 40 * time.Millisecond, "100ms": 100 * time.Millisecond, "250ms": 250 * time.Millisecond, "600ms": 600 * time.Millisecond, "1s": time.Second,
}

// paceNames is the pool in a fixed order.
var paceNames = []string{"none", "0.2ms", "1ms", "3ms", "15ms", "40ms", "100ms", "250ms", "600ms", "1s"}

// grow makes a hostile dialect of a split: at least one feature differs from
// what libraries do.
func grow(r *rand.Rand, s Split, shape func(*rand.Rand, *Dialect)) Dialect {
	for {
		d := clean()
		for _, f := range features {
			if r.IntN(100) < f.weight {
				f.apply(r, &d)
			}
		}
		if shape != nil {
			shape(r, &d)
		}
		if d.grammar() == clean().grammar() || splitOf("dialect/"+d.grammar()) != s {
			continue
		}
		d.Gap = paces[pick(r, "pace", paceNames, s)]
		return d
	}
}
