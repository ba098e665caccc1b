// Package rewrite builds the header fields that Sluice puts on top of a message
// and removes incoming forgeries of them. Every other byte stays as it came, so
// that signatures hold. It works on the ranges that the parser of the verdict
// found: one parser for verdict and delivery.
package rewrite

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/smtp"
)

// Options are the facts that go into the fields.
type Options struct {
	Hostname string // who says so: Received "by" and the authserv-id
	Conn     *sluice.Conn
	Envelope *sluice.Envelope
	Verdict  *sluice.Verdict
	Action   sluice.Action
	Results  string    // the whole Authentication-Results field with its CRLF; "" writes that there are none
	Required float64   // points at which mail is tagged, for X-Spam-Status
	Now      time.Time // for the Received date
	// Trace is the value of the field by which we know our own mail again (package trace);
	// "" for mail that isn't.
	Trace string
}

// TraceField is its name.
const TraceField = "X-Sluice-Trace"

const (
	lineLen    = 78 // RFC 5322 2.1.1
	maxStars   = 50
	maxReasons = 60
	dateFormat = "Mon, 2 Jan 2006 15:04:05 -0700" // RFC 5322 3.3
)

// Headers builds the block to put on top of a message, each line with CRLF:
// Received (RFC 5321 4.4), Authentication-Results (RFC 8601), and the verdict
// for people and filters:
//
//	X-Sluice-Trace: v=1; …
//	X-Sluice-ID: 7K3F…
//	X-Sluice-Verdict: threat=phish; action=tag; probability=0.912; points=10.2
//	X-Sluice-Reasons: LINK_TEXT_MISMATCH(4.0), …, PRIOR(-3.0)
//	X-Spam-Flag: YES
//	X-Spam-Status: Yes, score=10.2 required=3.7 tests=LINK_TEXT_MISMATCH,…
//	X-Spam-Level: **********
//
// Mail of our own users that leaves to other systems has Received and the trace only:
// what we think of it is nobody's business outside.
//
// X-Spam-Flag is YES for mail that was not simply accepted. The points in
// X-Sluice-Reasons sum to the verdict's, unless there are more than 60.
func Headers(o Options) []byte {
	var b block
	b.received(&o)
	if o.Trace != "" {
		b.field(TraceField, strings.Fields(o.Trace)...)
	}
	if o.Envelope.Outbound {
		return b.b
	}
	if o.Results != "" {
		b.b = append(b.b, o.Results...)
	} else {
		b.field("Authentication-Results", word(o.Hostname)+";", "none")
	}
	v := o.Verdict
	b.field("X-Sluice-ID", word(o.Envelope.ID))
	verdict := []string{"threat=" + v.Threat.String() + ";", "action=" + o.Action.String() + ";",
		"probability=" + strconv.FormatFloat(v.Probability, 'f', 3, 64) + ";", "points=" + points(v.Points)}
	if v.Hard != "" {
		verdict[3] += ";"
		verdict = append(verdict, "hard="+word(string(v.Hard)))
	}
	b.field("X-Sluice-Verdict", verdict...)
	reasons, tests := reasons(v)
	b.field("X-Sluice-Reasons", reasons...)
	flag, status := "NO", "No,"
	if unwanted(o.Action) {
		flag, status = "YES", "Yes,"
	}
	b.field("X-Spam-Flag", flag)
	b.field("X-Spam-Status", append([]string{status, "score=" + points(v.Points), "required=" + points(o.Required)}, tests...)...)
	if n := min(int(max(v.Points, 0)), maxStars); n > 0 {
		b.field("X-Spam-Level", strings.Repeat("*", n))
	}
	return b.b
}

func unwanted(a sluice.Action) bool {
	return a == sluice.Tag || a >= sluice.QuarantineIt
}

// points writes a number to 0.1 as the ledger prints it.
func points(p float64) string {
	if math.IsNaN(p) || math.IsInf(p, 0) {
		return "0.0"
	}
	if s := strconv.FormatFloat(p, 'f', 1, 64); s != "-0.0" {
		return s
	}
	return "0.0"
}

// reasons lists what brought points or decided, strongest first as in the
// ledger: once with points, once as the words of tests= to be joined by commas.
func reasons(v *sluice.Verdict) (list, tests []string) {
	for _, c := range v.Ledger {
		if c.State != sluice.Found || c.Points == 0 && c.Hard == sluice.Soft {
			continue
		}
		if len(list) == maxReasons {
			list = append(list, "and-more,")
			break
		}
		name := word(string(c.Reason))
		list = append(list, name+"("+points(c.Points)+"),")
		if c.Group == sluice.GroupPrior {
			continue
		}
		if len(tests) > 0 {
			name = glued + name // readers of tests= stop at a space
		}
		tests = append(tests, name+",")
	}
	if len(list) == 0 {
		list = []string{"none,"}
	}
	if len(tests) == 0 {
		tests = []string{"none,"}
	}
	tests[0] = "tests=" + tests[0]
	trimComma(list)
	trimComma(tests)
	return list, tests
}

func trimComma(s []string) { s[len(s)-1] = strings.TrimSuffix(s[len(s)-1], ",") }

// block is a header being written.
type block struct{ b []byte }

// glued begins a word that is not set off by a space, though a fold may come
// before it.
const glued = "~"

// field writes one field and folds it between words.
func (b *block) field(name string, words ...string) {
	b.b = append(append(b.b, name...), ':')
	col := len(name) + 1
	for i, w := range words {
		w, tight := strings.CutPrefix(w, glued)
		if i > 0 && col+1+len(w) > lineLen {
			b.b = append(b.b, '\r', '\n', '\t')
			col = 8
		} else if !tight {
			b.b = append(b.b, ' ')
			col++
		}
		b.b = append(b.b, w...)
		col += len(w)
	}
	b.b = append(b.b, '\r', '\n')
}

// received writes the trace field. What the client said of itself is cleaned;
// what we know of it stands in the comment.
func (b *block) received(o *Options) {
	words := []string{"from", helo(o.Conn.Hello.Name), "(" + literal(o.Conn.Client.Addr()) + ")",
		"by", word(o.Hostname), "(Sluice)", "with", protocol(o.Conn, o.Envelope), "id", word(o.Envelope.ID)}
	// More than one would tell each of the others (RFC 5321 7.2).
	if r := o.Envelope.Rcpts; len(r) == 1 && plainAddress(r[0].Address) {
		words = append(words, "for", "<"+r[0].Address+">;")
	} else {
		words[len(words)-1] += ";"
	}
	b.field("Received", append(words, o.Now.Format(dateFormat))...)
}

// helo cleans a greeting: in Received nothing may end the field, open a comment
// or look like another word.
func helo(name string) string {
	if name == "" {
		return "unknown"
	}
	if smtp.ClassifyHello(name) == smtp.HelloLiteral {
		return name
	}
	return word(name)
}

// literal is an address as RFC 5321 4.1.3 writes it.
func literal(a netip.Addr) string {
	switch a = a.Unmap(); {
	case !a.IsValid():
		return "unknown"
	case a.Is4():
		return "[" + a.String() + "]"
	}
	return "[IPv6:" + a.WithZone("").String() + "]"
}

// protocol is the "with" word of the IANA registry of mail transmission types
// (RFC 3848, RFC 6531 4.3).
func protocol(c *sluice.Conn, e *sluice.Envelope) string {
	p, utf8 := "ESMTP", "UTF8SMTP"
	switch c.Hello.Verb {
	case "EHLO":
	case "LHLO":
		p, utf8 = "LMTP", "UTF8LMTP"
	default:
		return "SMTP"
	}
	if e.SMTPUTF8 {
		p = utf8
	}
	if c.TLS != nil {
		p += "S"
	}
	if c.Auth != "" {
		p += "A"
	}
	return p
}

// word makes s one word: letters, digits and a few marks stay, all else becomes
// "?".
func word(s string) string {
	const most = 255
	if s == "" {
		return "?"
	}
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune(".-_:", r)) {
			return r
		}
		return '?'
	}, s[:min(len(s), most)])
}

func plainAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && len(s) < 255 && local != "" && domain != "" && word(domain) == domain &&
		!strings.ContainsFunc(local, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>()[]\,;:@`, r)
		})
}
