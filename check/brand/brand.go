// Package brand holds the check that asks whose name a message uses, and whether its
// sender may: claim and right.
//
// A claim is a brand's name where a reader takes it for who is speaking: the display
// name, a subject or text about "your account" there, the team's signature, the owner of
// the copyright line, the logo on top. Merely to name a brand claims nothing.
//
// The right has who writes from the brand's own domain and authenticates, or signs with
// it; whom the memory (learn/brand) knows for the name; and whom the admin's list names.
// Where nobody has looked at authentication, the brand's own address is no evidence, for
// or against.
package brand

import (
	"context"
	"slices"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/mailauth"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// Config sets up the check.
type Config struct {
	// List gives the brands in force, the shipped ones with the admin's; nil: as shipped.
	List func() *brand.List
	// Memory is what was learned of names; nil: nothing.
	Memory *brand.Table
}

// Checks returns the check of this folder.
func Checks(c Config) []check.Checker {
	if c.List == nil {
		c.List = brand.Shipped
	}
	return []check.Checker{check.Look(check.Info{
		Name: "brand/claim", Phase: sluice.PhaseMessage, Group: sluice.GroupBrand, Cost: check.Heavy,
		Reasons: []sluice.Reason{reason.BrandName, reason.BrandNamePart, reason.BrandDisguised, reason.BrandSubject, reason.BrandText, reason.BrandFooter,
			reason.BrandLogoAlt, reason.BrandLinksAway, reason.BrandWritesAway, reason.BrandUnproved, reason.BrandTaken, reason.BrandRight},
	}, c.check)}
}

// found are the claims of a message, for its notes.
type found struct{ claims []claim }

func (c *Config) claims(in *check.Input, s *check.Sender) []claim {
	return check.Note(in.Notes, func() found {
		return found{claims(c.List(), in.Message, s.Author, s.Traffic == check.Personal)}
	}).claims
}

// check judges the claims of a message.
func (c *Config) check(ctx context.Context, in *check.Input) []sluice.Evidence {
	if in.Conn != nil && in.Conn.Auth != "" || in.Envelope != nil && in.Envelope.Outbound {
		return nil // own users
	}
	s := check.SenderOf(ctx, in)
	if bounce(in) {
		return nil
	}
	all := c.claims(in, s)
	j := judgement{cfg: c, in: in, sender: s}
	if i, r := j.best(all); r != none {
		return j.rightful(&all[i], r)
	}
	if s.Traffic == check.List { // who writes to one keeps his name, and the list its own small print
		all = slices.DeleteFunc(slices.Clone(all), func(c claim) bool {
			return c.at&inName == 0 || c.brand.Kind == brand.Cloud || c.brand.Kind == brand.Software
		})
	} else if reply(in.Message) {
		all = slices.DeleteFunc(slices.Clone(all), func(c claim) bool { return c.at&(inName|inNamePart|inWord) == 0 })
	}
	if out := j.wrongful(all); len(out) > 0 {
		return out
	}
	return j.taken()
}

// bounce says whether a mail system returns a message: it quotes.
func bounce(in *check.Input) bool {
	t := in.Message.Parts[0].Type
	return t == "multipart/report" || in.Envelope != nil && in.Envelope.From == "" && header.Lower(in.Message.Header().Get("Auto-Submitted")) != ""
}

// reply says whether a message answers another or passes one on, with its text.
func reply(m *message.Message) bool {
	h := m.Header()
	return h.Field("In-Reply-To") != nil || h.Field("References") != nil || h.Field("Resent-From") != nil
}

// right is why a sender may use a name.
type right uint8

const (
	none    right = iota
	proved        // the brand's own domain
	unasked       // the brand's own domain, and nobody has looked whether it is proved
	forged        // the brand's own domain, and nothing proves it
	signed        // another domain, with the brand's signature
	learned       // another domain that has spoken so for long
)

type judgement struct {
	cfg    *Config
	in     *check.Input
	sender *check.Sender
}

func (j *judgement) right(c *claim) right {
	s := j.sender
	if c.brand.Sends(s.Author.Domain) {
		switch {
		case s.Aligned:
			return proved
		case !s.Known:
			return unasked
		}
		return forged
	}
	for _, d := range s.Signers {
		// What a platform signs, its customers wrote.
		if c.brand.Sends(d) && service.Of(d) == nil && c.brand.Kind != brand.Cloud {
			return signed
		}
	}
	if s.Aligned && j.cfg.Memory.Right(j.in.Now, j.tenant(), brand.ClaimOf(c.brand), s.Author.String()) {
		return learned
	}
	return none
}

// best is the claim that the sender has a right to. Who may speak for one brand may name
// others, but not as the sender: not everybody whose mail a platform carries is who he
// says.
func (j *judgement) best(all []claim) (int, right) {
	at, best := -1, none
	for i := range all {
		r := j.right(&all[i])
		switch {
		case r != none && all[i].at&(inName|inNamePart|inWord) != 0:
			return i, r
		case r != none && best == none:
			at, best = i, r
		}
	}
	if slices.ContainsFunc(all, func(c claim) bool { return c.at&inName != 0 }) {
		return -1, none
	}
	return at, best
}

func (j *judgement) tenant() string {
	if j.in.Envelope == nil {
		return ""
	}
	return j.in.Envelope.Tenant
}

func (j *judgement) rightful(c *claim, r right) []sluice.Evidence {
	f := j.in.Message.Header().Field("From")
	switch {
	case f == nil:
	case r == forged && c.at&inName != 0:
		return []sluice.Evidence{check.FoundAt(reason.BrandUnproved, check.Quote(j.sender.Author.String())+" is of "+check.Quote(c.brand.String())+", and nothing proves it", f.Range, 0)}
	case r == unasked && c.form != 0:
		return []sluice.Evidence{j.disguised(c)}
	case r == proved && c.at&inName != 0 && !open(j.sender.Author.Domain):
		return []sluice.Evidence{check.FoundAt(reason.BrandRight, check.Quote(c.brand.String())+" from its own "+check.Quote(j.sender.Author.Domain), f.Range, 0)}
	}
	return nil
}

// open says whether anybody may have mail sent from a domain, with words of his own.
func open(domain string) bool {
	s := service.Of(domain)
	return s != nil && (s.Kind.Open() || s.Kind == service.Mailbox) || domains.FreeMail(domain)
}

// wrongful states the claims of a sender who has none of the rights.
func (j *judgement) wrongful(all []claim) (out []sluice.Evidence) {
	main := j.main(all)
	if main == nil {
		return nil
	}
	at := main.at
	who := check.Quote(main.seen) + " from " + check.Quote(j.sender.Author.String())
	if main.brand.String() != main.seen {
		who = check.Quote(main.seen) + " (" + check.Quote(main.brand.String()) + ") from " + check.Quote(j.sender.Author.String())
	}
	h := j.in.Message.Header()
	state := func(id sluice.Reason, field, detail string) {
		if f := h.Field(field); f != nil {
			out = append(out, check.FoundAt(id, detail, f.Range, 0))
			return
		}
		out = append(out, check.Found(id, detail))
	}
	w := j.ways(main.brand)
	switch {
	case at&inName != 0 && (w.homeward() || j.namesake(main.brand)):
		state(reason.BrandNamePart, "From", who)
	case at&inName != 0, at&(inNamePart|inWord) != 0 && main.brand.Kind != brand.Social && at&^(inName|inNamePart|inWord) != 0 && j.bulk():
		state(reason.BrandName, "From", who)
	case at&inNamePart != 0 && j.bulk():
		state(reason.BrandNamePart, "From", who)
	}
	for _, p := range []struct {
		at    place
		id    sluice.Reason
		field string
	}{{inSubject, reason.BrandSubject, "Subject"}, {inText, reason.BrandText, ""}, {inFooter, reason.BrandFooter, ""}, {inAlt, reason.BrandLogoAlt, ""}} {
		if at&p.at != 0 && j.bulk() {
			state(p.id, p.field, who)
		}
	}
	if main.form != 0 && at&^inAlt != 0 {
		out = append(out, j.disguised(main))
	}
	if len(out) > 0 && strong(at) {
		if away, ok := w.away(); ok {
			state(reason.BrandLinksAway, "", away)
		} else if w.letter != "" && w.home+w.veiled+w.others == 0 {
			state(reason.BrandWritesAway, "", "its links write to a mailbox at "+check.Quote(w.letter))
		}
	}
	return out
}

func (j *judgement) disguised(c *claim) sluice.Evidence {
	return check.Found(reason.BrandDisguised, check.Quote(c.fake)+" for "+check.Quote(c.brand.String())+": "+c.form.Words())
}

// main is the brand that the message claims most to be; nil where it claims none enough.
func (j *judgement) main(all []claim) (best *claim) {
	most := 0
	for i := range all {
		c := &all[i]
		switch {
		case c.at&(inName|inSubject) == 0 && j.carries(c.brand): // a platform's own small print
			continue
		case c.at == inWord: // Tim
			continue
		}
		w := 0
		for _, p := range []struct {
			at    place
			worth int
		}{{inName, 8}, {inNamePart, 3}, {inWord, 1}, {inSubject, 2}, {inText, 3}, {inFooter, 3}, {inAlt, 1}} {
			if c.at&p.at != 0 {
				w += p.worth
			}
		}
		if c.form != 0 {
			w += 5
		}
		if w > most {
			most, best = w, c
		}
	}
	return best
}

// carries says whether the brand is a service that the message came through.
func (j *judgement) carries(b *brand.Brand) bool {
	s := j.sender
	for _, org := range append([]string{s.Client, s.Envelope, s.Greeting}, s.Signers...) {
		if org != "" && b.Sends(org) {
			return true
		}
	}
	return false
}

// bulk says whether a program sent the message to somebody.
func (j *judgement) bulk() bool { return j.sender.Traffic != check.Personal }

// namesake says whether the sender's own domain is called as the brand, under another
// top-level domain: firms have more of them than any list knows. Whether it only looks
// so is asked elsewhere.
func (j *judgement) namesake(b *brand.Brand) bool {
	return (j.sender.Aligned || !j.sender.Known) && b.Called(j.sender.Org)
}

// strong says whether claims are enough to ask where the links lead.
func strong(at place) bool {
	if at&inName != 0 {
		return true
	}
	n := 0
	for p := inNamePart; p <= inAlt; p <<= 1 {
		if at&p != 0 {
			n++
		}
	}
	return n >= 2
}

// ways is where a message's links lead, seen from a brand.
type ways struct {
	home   int    // to the brand's own sites
	others int    // elsewhere, networks left out
	veiled int    // through a service that counts clicks, or a gateway that rewrites links
	other  string // the first host elsewhere
	button string // the first one behind a button or a form
	letter string // the first mailbox at a provider that an anchor writes to, its domain
}

func (j *judgement) ways(b *brand.Brand) (w ways) {
	v := j.in.Message.View()
	homeButton := false
	for i := range v.Links {
		l := &v.Links[i]
		if l.Scheme == "mailto" && l.Source == links.FromAnchor && w.letter == "" && domains.FreeMail(l.Host) && !b.Owns(l.Host) {
			w.letter = l.Host
		}
		if l.Host == "" || l.Hidden || l.Scheme != "http" && l.Scheme != "https" || l.Source == links.FromImage || l.Source == links.FromOther {
			continue
		}
		push := l.Look.Button || l.Source == links.FromForm
		switch {
		case b.Owns(l.Host), b.Called(links.OrgDomain(l.Host)):
			w.home++
			homeButton = homeButton || push
		case domains.Rewriter(l.Host), domains.Counter(l.Host):
			w.veiled++
		case j.network(l.Host):
		default:
			w.others++
			if w.other == "" {
				w.other = l.Host
			}
			if push && w.button == "" {
				w.button = l.Host
			}
		}
	}
	if homeButton {
		w.button = ""
	}
	return w
}

// away says where a message leads that should lead to a brand: its button goes
// elsewhere, or no link goes there.
func (w *ways) away() (detail string, ok bool) {
	switch {
	case w.button != "":
		return "the button leads to " + check.Quote(w.button), true
	case w.other != "" && w.home == 0 && w.veiled == 0:
		return "links lead to " + check.Quote(w.other), true
	}
	return "", false
}

// homeward says whether little could be won by forging the message: what there is to
// click leads to the brand.
func (w *ways) homeward() bool {
	return w.button == "" && w.home > w.veiled && w.others*8 <= w.home
}

// network says whether a host is a social network's or a shop's of programs, which
// newsletters have in their footers.
func (j *judgement) network(host string) bool {
	return host == "apps.apple.com" || host == "itunes.apple.com" || host == "play.google.com" ||
		slices.ContainsFunc(j.cfg.List().Of(host), func(b *brand.Brand) bool { return b.Kind == brand.Social })
}

// taken asks the memory whether a name that isn't in the list belongs to somebody else.
func (j *judgement) taken() []sluice.Evidence {
	a := j.sender.Author
	c := brand.ClaimName(a.Name)
	f := j.in.Message.Header().Field("From")
	if f == nil || !j.cfg.Memory.Taken(j.in.Now, j.tenant(), c, a.String()) {
		return nil
	}
	return []sluice.Evidence{check.FoundAt(reason.BrandTaken, check.Quote(a.Name)+" is known from another domain than "+check.Quote(a.Domain), f.Range, 0)}
}

// Incoming is what the memory learns of a message that was accepted and that nobody
// found fault with; ok is false where the author isn't authenticated, or where the name
// can't be learned.
func (c Config) Incoming(conn *sluice.Conn, e *sluice.Envelope, m *message.Message, k mailauth.Known) (in brand.Incoming, ok bool) {
	if conn == nil || e == nil || m == nil || conn.Auth != "" || e.Outbound || conn.Stored {
		return in, false
	}
	author, clear := m.From()
	if !clear || !k.Aligned() || !header.EqualFold(k.DMARC.Domain, author.Domain) {
		return in, false
	}
	return c.Named(e, author)
}

// Named is what a message from an author claims by its display name.
func (c Config) Named(e *sluice.Envelope, author header.Address) (in brand.Incoming, ok bool) {
	if c.List == nil {
		c.List = brand.Shipped
	}
	in = brand.Incoming{Tenant: e.Tenant, From: author.String(), Claims: c.List().Claimed(author.Name, author.String())}
	return in, len(in.Claims) > 0
}
