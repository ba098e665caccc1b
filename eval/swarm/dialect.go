package swarm

import (
	"crypto/sha256"
	"math/rand/v2"
	"strings"
	"time"

	"sluice/eval/swarm/talk"
)

// grammar is the dialect as a server can tell it apart, without the timing: what
// decides which split it belongs to.
func grammar(d talk.Dialect) string {
	d.Gap, d.TLS = 0, false
	return d.String()
}

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

// feature is one way for a dialect to be odd.
type feature struct {
	name   string
	weight int // of 100: how often a bot has it
	apply  func(*rand.Rand, *talk.Dialect)
}

// features is the grammar of hostile dialects: what has been seen in bots and
// mass mailers.
var features = []feature{
	{"greeting", 45, func(r *rand.Rand, d *talk.Dialect) { d.Greet = one(r, []string{"HELO", "HELO", "HELO EHLO", "EHLO"}) }},
	{"case", 30, func(r *rand.Rand, d *talk.Dialect) {
		d.Case = one(r, []string{"lower", "lower", "title", "mixed"})
		d.Mail, d.Rcpt = d.Verb("MAIL")+d.Mail[4:], d.Verb("RCPT")+d.Rcpt[4:]
	}},
	{"keyword", 20, func(r *rand.Rand, d *talk.Dialect) {
		f := one(r, []string{"from", "From"})
		d.Mail = strings.Replace(d.Mail, "FROM", f, 1)
		d.Rcpt = strings.Replace(d.Rcpt, "TO", map[string]string{"from": "to", "From": "To"}[f], 1)
	}},
	{"path", 50, func(r *rand.Rand, d *talk.Dialect) {
		form := one(r, []string{": <%s>", ": <%s>", ":%s", ": %s", " :<%s>", " <%s>", ":< %s >", ":  <%s>", ":<%s"})
		d.Mail = strings.Replace(d.Mail, ":<%s>", form, 1)
		if r.IntN(4) > 0 {
			d.Rcpt = strings.Replace(d.Rcpt, ":<%s>", form, 1)
		}
	}},
	{"parameters", 15, func(r *rand.Rand, d *talk.Dialect) {
		d.Params = one(r, []string{"BODY SIZE", "!SIZE", "!BODY", "!BODY !SIZE", "!RET SIZE"})
	}},
	{"line end", 12, func(_ *rand.Rand, d *talk.Dialect) { d.EOL = "\n" }},
	{"trail", 15, func(r *rand.Rand, d *talk.Dialect) { d.Trail = one(r, []string{" ", "  ", "\t"}) }},
	{"pipelining", 20, func(r *rand.Rand, d *talk.Dialect) { d.Pipeline = one(r, []string{"always", "always", "blast"}) }},
	{"reset", 20, func(r *rand.Rand, d *talk.Dialect) { d.Reset = one(r, []string{"first", "each", "storm"}) }},
	{"refusals", 50, func(_ *rand.Rand, d *talk.Dialect) { d.Refused = "ignore" }},
	{"dot", 25, func(_ *rand.Rand, d *talk.Dialect) { d.Dot = "alone" }},
	{"quit", 60, func(r *rand.Rand, d *talk.Dialect) { d.Quit = one(r, []string{"none", "none", "send", "abort"}) }},
	{"segments", 8, func(r *rand.Rand, d *talk.Dialect) { d.Segment = one(r, []int{1, 7, 16}) }},
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
func grow(r *rand.Rand, s Split, shape func(*rand.Rand, *talk.Dialect)) talk.Dialect {
	for {
		d := talk.Plain()
		for _, f := range features {
			if r.IntN(100) < f.weight {
				f.apply(r, &d)
			}
		}
		if shape != nil {
			shape(r, &d)
		}
		if grammar(d) == grammar(talk.Plain()) || splitOf("dialect/"+grammar(d)) != s {
			continue
		}
		d.Gap = paces[pick(r, "pace", paceNames, s)]
		return d
	}
}
