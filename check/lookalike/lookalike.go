// Package lookalike holds the checks for domains that are made to be taken for others:
// for our own, for those of people whom our users write to, for those of brands. Who
// is protected, and who has earned a name of their own, is the caller's to say.
package lookalike

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/learn/lookalike"
	"sluice/mailauth/dkim"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// Config says who is protected.
type Config struct {
	Index *lookalike.Index
	// Established says whether an organizational domain has a name of its own: it has
	// authenticated with a good history of its own, or the admin says so. Such a
	// domain resembles nobody. nil: none has.
	Established func(org string) bool
	// Title is what people call the owner of a protected domain, "" for the domain
	// itself; nil: always the domain.
	Title func(domain string) string
}

// Checks returns the checks of this folder; none without an index.
func Checks(c Config) []check.Checker {
	if c.Index == nil {
		return nil
	}
	k := &checks{c}
	return []check.Checker{&sender{k}, &leads{k}}
}

type checks struct{ Config }

// sure is the strength from which a likeness is no chance.
const sure = 0.5

// judged says whether a stranger writes to us. What own users send goes to others.
func judged(in *check.Input) bool {
	return in.Message != nil && (in.Conn == nil || in.Conn.Auth == "") && (in.Envelope == nil || !in.Envelope.Outbound)
}

// Likeness is a domain of the sender's that resembles a protected one. Others find the
// surest of a message with [check.Noted], to tell people whom it resembles.
type Likeness struct {
	Where  string // "From", "Reply-To", "envelope sender", "DKIM signature", "HELO"
	Domain string // as sent, lower case; hostile
	Match  lookalike.Match
	Title  string // of whom it resembles
}

// Senders are the likenesses of a message's senders, the most visible first.
type Senders []Likeness

// lookup asks the index about a domain; the surest match.
func (k *checks) lookup(domain string, orgs *check.Orgs) (lookalike.Match, bool) {
	if domain == "" || strings.HasPrefix(domain, "[") || domains.FreeMail(domain) {
		return lookalike.Match{}, false
	}
	m := k.Index.LookupIn(domain, orgs.Of(domain), k.Established)
	if len(m) == 0 {
		return lookalike.Match{}, false
	}
	return m[0], true
}

func (k *checks) title(domain string) string {
	if k.Title != nil {
		if t := k.Title(domain); t != "" {
			return t
		}
	}
	return domain
}

func (k *checks) words(where, domain string, m lookalike.Match) string {
	s := fmt.Sprintf("%s %s resembles %s (%v)", where, check.Quote(domain), check.Quote(m.Name.Domain), m.Family)
	if t := k.title(m.Name.Domain); t != m.Name.Domain {
		s += " of " + check.Quote(t)
	}
	return s
}

// sender looks at the domains that a message comes from.
type sender struct{ *checks }

// Info returns the declaration.
func (s *sender) Info() check.Info {
	return check.Info{
		Name: "lookalike/sender", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.FromLooksLikeUs, reason.FromLooksLikeCorrespondent, reason.FromLooksLikeBrand, reason.FromNamesBrand,
			reason.FromMixedAlphabets, reason.ReplyToLooksLike, reason.SenderLooksLike},
	}
}

// Check states the surest likeness of what people see, and one of what they don't.
func (s *sender) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if err := ctx.Err(); err != nil || !judged(in) {
		return nil, err
	}
	var out []sluice.Evidence
	for _, l := range check.Note(in.Notes, func() Senders { return s.senders(in) }) {
		if e, ok := s.state(l, in.Message, out); ok {
			out = append(out, e)
		}
	}
	for _, d := range named(in) {
		if lookalike.MixedScripts(d.domain) {
			out = append(out, check.FoundAt(reason.FromMixedAlphabets, d.where+" "+check.Quote(d.domain), d.at, 0))
			break
		}
	}
	for i := range out {
		out[i].Phase = sluice.PhaseMessage
	}
	return out, nil
}

// state turns a likeness into evidence, each reason once.
func (s *sender) state(l Likeness, m *message.Message, so []sluice.Evidence) (sluice.Evidence, bool) {
	var id sluice.Reason
	kind := l.Match.Name.Kind
	switch {
	case l.Where == inFrom && l.Match.Strength < sure:
		id = reason.FromNamesBrand
	case l.Match.Strength < sure:
		return sluice.Evidence{}, false
	case l.Where == inFrom && kind&lookalike.Own != 0:
		id = reason.FromLooksLikeUs
	case l.Where == inFrom && kind&lookalike.Brand != 0:
		id = reason.FromLooksLikeBrand
	case l.Where == inFrom:
		id = reason.FromLooksLikeCorrespondent
	case l.Where == inReplyTo:
		id = reason.ReplyToLooksLike
	default:
		id = reason.SenderLooksLike
	}
	for _, e := range so {
		if e.Reason == id {
			return sluice.Evidence{}, false
		}
	}
	e := check.Found(id, s.words(l.Where, l.Domain, l.Match))
	if f := m.Header().Field(l.Where); f != nil {
		e.Range = sluice.Range{Off: f.Range.Off, Len: f.Range.Len}
	}
	return e, true
}

// Where domains stand.
const (
	inFrom     = "From"
	inReplyTo  = "Reply-To"
	inEnvelope = "envelope sender"
	inDKIM     = "DKIM signature"
	inHello    = "HELO"
)

type place struct {
	where, domain string
	at            message.Range
}

// maxNamed bounds the domains of one message's senders.
const maxNamed = 12

// named lists the domains that a message says it comes from, what people see first.
func named(in *check.Input) (out []place) {
	add := func(where, domain string, at message.Range) {
		if domain = strings.ToLower(domain); domain != "" && len(out) < maxNamed {
			out = append(out, place{where, domain, at})
		}
	}
	for _, name := range []string{inFrom, inReplyTo} {
		f := in.Message.Header().Field(name)
		for i, a := range in.Message.Addresses(name) {
			if f != nil && i < 3 {
				add(name, a.Domain, f.Range)
			}
		}
	}
	if in.Envelope != nil {
		add(inEnvelope, sluice.DomainOf(in.Envelope.From), message.Range{})
	}
	for i, r := range in.Auth.Known().DKIM {
		if i == 3 {
			break
		}
		if r.Status == dkim.Pass {
			add(inDKIM, r.Domain, message.Range{})
		}
	}
	if in.Conn != nil {
		add(inHello, in.Conn.Hello.Name, message.Range{})
	}
	return out
}

// senders looks all of them up, each organization once.
func (k *checks) senders(in *check.Input) (out Senders) {
	seen, orgs := map[string]bool{}, check.OrgsOf(in)
	for _, d := range named(in) {
		org := orgs.Of(d.domain)
		if d.where != inFrom && seen[org] {
			continue
		}
		seen[org] = true
		if m, ok := k.lookup(d.domain, orgs); ok {
			out = append(out, Likeness{Where: d.where, Domain: d.domain, Match: m, Title: k.title(m.Name.Domain)})
		}
	}
	return out
}

// leads looks at the hosts that links lead to.
type leads struct{ *checks }

// Info returns the declaration.
func (l *leads) Info() check.Info {
	return check.Info{
		Name: "lookalike/link", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap, Reasons: linkReasons,
	}
}

var linkReasons = []sluice.Reason{reason.LinkLooksLikeUs, reason.LinkLooksLikeBrand, reason.LinkNamesBrand}

// LinkReasons are what [InLinks] may state.
func LinkReasons() []sluice.Reason { return slices.Clone(linkReasons) }

// Bounds of one message: links that are looked at, and hosts that are looked up.
const (
	maxLinks = 500
	maxHosts = 100
)

// Check looks each host up once.
func (l *leads) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if err := ctx.Err(); err != nil || !judged(in) {
		return nil, err
	}
	v := in.Message.View()
	list := make([]*links.Link, 0, len(v.Links))
	for i := range v.Links {
		k := &v.Links[i]
		if k.Source == links.FromImage || k.Source == links.FromOther {
			continue
		}
		list = append(list, k)
		for _, u := range links.Carried(k.Path) { // where a redirector or a gateway's link leads on
			on := links.Parse(u)
			on.Part, on.Range = k.Part, k.Range
			list = append(list, &on)
		}
		if len(list) >= maxLinks {
			break
		}
	}
	return l.links(list, check.OrgsOf(in)), nil
}

// InLinks states likenesses of hosts that were found elsewhere: in attached files, or
// where a shortener leads.
func InLinks(c Config, urls []string, where string) []sluice.Evidence {
	if c.Index == nil {
		return nil
	}
	var list []*links.Link
	for _, u := range urls[:min(len(urls), maxHosts)] {
		l := links.Parse(u)
		list = append(list, &l)
	}
	out := (&checks{c}).links(list, new(check.Orgs))
	for i := range out {
		out[i].Detail += " (" + where + ")"
	}
	return out
}

func (k *checks) links(list []*links.Link, orgs *check.Orgs) (out []sluice.Evidence) {
	seen := make(map[string]bool, min(len(list), maxHosts))
	for _, l := range list {
		if l.Host == "" || seen[l.Host] || l.Scheme != "http" && l.Scheme != "https" {
			continue
		}
		if len(seen) == maxHosts {
			break
		}
		seen[l.Host] = true
		if domains.Passing(l.Host) {
			continue
		}
		m, ok := k.lookup(l.Host, orgs)
		if !ok {
			continue
		}
		id := sluice.Reason(reason.LinkLooksLikeBrand)
		switch {
		case m.Strength < sure:
			id = reason.LinkNamesBrand
		case m.Name.Kind&lookalike.Own != 0:
			id = reason.LinkLooksLikeUs
		}
		if !stated(out, id) {
			e := check.FoundAt(id, k.words("link to", l.Host, m), message.Range{Off: l.Range.Off, Len: l.Range.Len}, l.Part)
			e.Phase = sluice.PhaseMessage
			out = append(out, e)
		}
	}
	return out
}

func stated(list []sluice.Evidence, id sluice.Reason) bool {
	for _, e := range list {
		if e.Reason == id {
			return true
		}
	}
	return false
}
