// Package lint tells a sender what a mail gateway thinks of a message, and what to
// change. It runs the very engine that judges live mail, looks at authentication as a
// receiver does, holds the message against the published rules of large receivers, and
// says how easily others could imitate it.
//
// Every advice is measured: the evidence that it would take away is taken out of the
// ledger, what a sound message earns in its place is put in, and the ledger is weighed
// again. How easily a message is imitated is measured in the same way: by what would
// be left for an exact copy that somebody else sends.
package lint

import (
	"context"
	"errors"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/dns"
	"sluice/explain"
	"sluice/gate"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/learn/text"
	"sluice/lint/report"
	"sluice/mailauth"
	"sluice/mailauth/arc"
	"sluice/mailauth/author"
	"sluice/mailauth/bimi"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/nullmx"
	"sluice/mailauth/spf"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
	"sluice/scan"
)

// Config sets up a Linter. Gate is needed.
type Config struct {
	// Gate judges the message: Examine is called once for each. Its pipeline shouldn't be
	// frugal, or checks that couldn't change the verdict are left out.
	Gate *gate.Gate
	// Verifier and Resolver are whom authentication is found out by; they should be those
	// of the gate, whose answers are then at hand. Nil: nobody is asked.
	Verifier *mailauth.Verifier
	Resolver dns.Resolver
	Weights  verdict.Weights
	Policy   policy.Policy
	// Words are those that weigh most in how a message reads. Where it is nil or knows
	// none, as a model that has learned nothing yet, the shipped model's are told.
	Words func(m *message.Message, most int) []text.Token
	// Campaigns says that the gate remembers what was reported, so that a message can be
	// held against it.
	Campaigns bool
	Clock     func() time.Time
}

// Linter looks at messages. It is safe for concurrent use.
type Linter struct{ c Config }

// New checks the configuration.
func New(c Config) (*Linter, error) {
	if c.Gate == nil || c.Clock == nil {
		return nil, errors.New("lint: no gate or no clock")
	}
	if c.Verifier == nil {
		c.Verifier = mailauth.New(mailauth.Config{Resolver: c.Resolver})
	}
	here := c.Words
	c.Words = func(m *message.Message, most int) []text.Token {
		if here != nil {
			if out := here(m, most); len(out) > 0 {
				return out
			}
		}
		return text.Default().Top(text.FromMessage(m), most)
	}
	return &Linter{c}, nil
}

// Input is one message, and how it came.
type Input struct {
	Raw      []byte // line ends are CRLF
	Conn     *sluice.Conn
	Envelope sluice.Envelope
	// Guessed says that client and envelope were read out of the message and weren't
	// seen on the wire.
	Guessed bool
	// With is the protocol that the Received field read for it names (RFC 3848).
	With string
}

// Lint looks at one message.
func (l *Linter) Lint(ctx context.Context, in Input) *report.Report {
	ex := l.c.Gate.Examine(ctx, in.Conn, in.Envelope, in.Raw)
	s := l.look(ctx, in, ex)
	for _, part := range []func(){s.connection, s.authentication, s.structure, s.rules, s.links, s.pictures, s.reading, s.imitation, s.rest} {
		part()
	}
	return s.report()
}

// subject is a message under examination, with all that is known of it.
type subject struct {
	*Linter
	in     Input
	ex     *gate.Examined
	m      *message.Message
	view   *message.View
	html   markup
	now    time.Time
	asked  bool // the DNS can be asked
	live   bool // and there is a client
	author author.Author
	org    string
	sender *check.Sender
	mass   bool // a program sent it to many, or looks like it

	reverse iprev.Result
	helo    spf.Result
	spf     spf.Result
	dkim    []dkim.Result
	arc     arc.Result
	dmarc   dmarc.Result
	bimi    bimi.Result
	mx      nullmx.Result

	words []text.Token // that weigh most

	sections []report.Section
	fixes    []fix
	copies   report.Imitation
}

// look finds out what every part of the report needs.
func (l *Linter) look(ctx context.Context, in Input, ex *gate.Examined) *subject {
	m := ex.Message
	s := &subject{Linter: l, in: in, ex: ex, m: m, view: m.View(), html: readMarkup(m), words: l.c.Words(m, 20), now: in.Envelope.Received}
	if s.now.IsZero() {
		s.now = l.c.Clock()
	}
	env := in.Envelope
	auth := l.c.Verifier.Open(in.Conn).Begin(&env)
	s.asked, s.live = l.c.Resolver != nil, auth.Live()
	s.author = auth.Author(m)
	s.org = links.OrgDomain(s.author.Domain)
	s.sender = check.SenderOf(ctx, &check.Input{Conn: in.Conn, Envelope: &env, Message: m, Auth: auth, Now: s.now})
	s.mass = s.sender.Mass() || s.sender.Traffic == check.List
	if s.live {
		s.reverse = auth.Reverse(ctx)
		s.helo = auth.HELO(ctx, s.now)
		s.spf = auth.SPF(ctx, s.now)
	}
	s.dkim = auth.DKIM(ctx, m, s.now)
	s.arc = auth.ARC(ctx, m)
	s.dmarc = auth.DMARC(ctx, m, s.now)
	if !s.asked {
		return s
	}
	if auth.Upstream(m) != nil { // it says what came out of a policy, and not what is published
		s.dmarc = s.policy(ctx)
	}
	if s.author.Domain != "" {
		s.bimi = bimi.Lookup(ctx, l.c.Resolver, s.author.Domain, s.dmarc.Org, "")
	}
	if sluice.DomainOf(env.From) != "" {
		s.mx = auth.Sender(ctx)
	}
	return s
}

// policy is what the author's domain publishes now, and what it makes of the results at
// hand.
func (s *subject) policy(ctx context.Context) dmarc.Result {
	in := dmarc.Input{From: s.author}
	if s.live {
		in.SPF = dmarc.SPF{Result: string(s.spf.Result), Domain: s.spf.Domain}
	}
	for i := range s.dkim {
		in.DKIM = append(in.DKIM, dmarc.Signature{Result: string(s.dkim[i].Status), Domain: s.dkim[i].Domain, Selector: s.dkim[i].Selector})
	}
	return dmarc.Evaluate(ctx, s.c.Resolver, in)
}

// section begins a new one.
func (s *subject) section(id, title string, open bool) {
	s.sections = append(s.sections, report.Section{ID: id, Title: title, Open: open})
}

// fact adds a line to the section begun last, and returns it for more.
func (s *subject) fact(level report.Level, what, value string) *report.Fact {
	at := &s.sections[len(s.sections)-1]
	at.Facts = append(at.Facts, report.Fact{Level: level, What: what, Value: value})
	return &at.Facts[len(at.Facts)-1]
}

// report puts it all together.
func (s *subject) report() *report.Report {
	v := &s.ex.Record.Verdict
	r := &report.Report{Class: class(s.ex.Action), Sections: s.sections, Imitation: s.copies,
		Message: report.Message{From: s.m.Header().Decoded("From"), Subject: s.view.Subject, Size: len(s.in.Raw), Envelope: s.in.Envelope.From,
			Kind: s.sender.Traffic.String()},
		Verdict: &report.Verdict{Action: s.ex.Action.String(), Threat: v.Threat.String(), Points: v.Points, Probability: v.Probability, Hard: string(v.Hard)}}
	if a := s.in.Conn.Client.Addr(); a.IsValid() {
		r.Message.Client = a.String()
	}
	for i := range v.Ledger {
		r.Verdict.Ledger = append(r.Verdict.Ledger, entry(&v.Ledger[i]))
	}
	for _, t := range s.words {
		r.Verdict.Words = append(r.Verdict.Words, report.Word{Word: t.Word, DB: t.DB})
	}
	s.weigh(r)
	return r
}

func entry(c *sluice.Contribution) report.Entry {
	e := report.Entry{ID: string(c.Reason), Group: c.Group.String(), Points: c.Points, Detail: c.Detail}
	if r, ok := reason.Lookup(e.ID); ok {
		e.Words = r.Admin
	}
	if c.State != sluice.Found {
		e.State = c.State.String()
	}
	return e
}

// class is the coarse word for an action.
func class(a sluice.Action) report.Class {
	switch {
	case a == sluice.Accept:
		return report.Delivered
	case a < sluice.QuarantineIt:
		return report.Marked
	}
	return report.Withheld
}

// quote makes what the message says fit to stand inside a sentence.
func quote(s string) string { return explain.Escape(s, 200) }

// list joins a few things in words.
func list(items []string, most int) string {
	if len(items) > most {
		items = append(items[:most:most], "…")
	}
	return quote(strings.Join(items, ", "))
}

// FromFile is the input for a message as it stands in a file or was pasted: what is
// known of its way is what it says itself. The connection is named id. change may set
// what is known better; nil changes nothing.
func FromFile(id string, mail *scan.Mail, now time.Time, change func(*scan.Origin)) Input {
	m := message.Parse(mail.Raw, message.DefaultLimits())
	o := scan.Stored(mail, m)
	if change != nil {
		change(&o)
	}
	conn, env := o.Session(id, m, now)
	return Input{Raw: mail.Raw, Conn: conn, Envelope: env, Guessed: true, With: o.Hop.With}
}

// Stored looks at a message of a file or a form.
func (l *Linter) Stored(ctx context.Context, id string, raw []byte) *report.Report {
	return l.Lint(ctx, FromFile(id, scan.NewMail(raw), l.c.Clock(), nil))
}
