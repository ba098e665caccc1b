package lint

import (
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/lint/report"
	"sluice/mailauth/bimi"
	"sluice/mailauth/dmarc"
	"sluice/message/links"
	"sluice/reason"
)

// proofs are reasons outside the groups of identity, session and reputation that rest
// on who sent the message, and that a copy doesn't have.
var proofs = []sluice.Reason{reason.BrandRight, reason.CorrespondentKnown, reason.ReplyToOurs, reason.ThreadKnown, reason.CampaignWanted, reason.AdminAllow}

// copyOf is the ledger of an exact copy that a stranger sends in the author's name, as
// well as a stranger can: from a server in order, with an envelope and SPF of his own.
func (s *subject) copyOf(ledger []sluice.Evidence) []sluice.Evidence {
	if s.sender.Free { // he opens an account at the same provider
		return ledger
	}
	var out []sluice.Evidence
	for _, e := range ledger {
		switch e.Group {
		case sluice.GroupIdentity, sluice.GroupSession, sluice.GroupReputation:
			continue
		}
		if !slices.Contains(proofs, e.Reason) {
			out = append(out, e)
		}
	}
	gives := []sluice.Reason{reason.SPFPass, reason.IprevPass, reason.DKIMNone, reason.DMARCNone}
	if s.dmarc.Record != nil {
		gives[3] = refusal(s.dmarc.Policy, s.dmarc.Testing)
	}
	if s.has(reason.BrandRight) {
		gives = append(gives, reason.BrandUnproved)
	}
	return changed(out, nil, gives)
}

// refusal is the evidence that a policy makes of mail that fails.
func refusal(p dmarc.Policy, testing bool) sluice.Reason {
	switch {
	case testing && p == dmarc.PolicyReject:
		return reason.DMARCFailQuarantine
	case testing || p == dmarc.PolicyNone:
		return reason.DMARCFailNone
	case p == dmarc.PolicyQuarantine:
		return reason.DMARCFailQuarantine
	case p == dmarc.PolicyReject:
		return reason.DMARCFailReject
	}
	return reason.DMARCFailNone
}

// imitation is how easily others could pass off a copy as the message.
func (s *subject) imitation() {
	if s.asked { // without the policy nothing can be said of a copy
		own, _ := s.judge(s.ledger())
		other, act := s.judge(s.copyOf(s.ledger()))
		s.copies = report.Imitation{Own: own.Points, Copy: other.Points, Class: class(act)}
	}
	s.nameRisk()
	s.policyRisk()
	s.linkRisk()
	s.markRisk()
	s.copies.Risk = s.risk()
}

func (s *subject) risk() string {
	bad, warn, unknown := 0, 0, 0
	for _, f := range s.copies.Facts {
		switch f.Level {
		case report.Bad:
			bad++
		case report.Warn:
			warn++
		case report.Unknown:
			unknown++
		}
	}
	switch {
	case bad > 0:
		return "high"
	case unknown > 0:
		return "unknown"
	case warn > 1:
		return "medium"
	}
	return "low"
}

func (s *subject) risky(level report.Level, what, value, why string) {
	s.copies.Facts = append(s.copies.Facts, report.Fact{Level: level, What: what, Value: value, Why: why})
}

// nameRisk is whether the domain is one by which a reader knows the sender.
func (s *subject) nameRisk() {
	d := s.author.Domain
	if d == "" {
		return
	}
	switch {
	case s.sender.Free:
		s.risky(report.Bad, "domain", quote(d), "anybody opens an account there, and is as well authenticated")
		if !s.mass { // the checklist says it of mail for many
			s.advise(fix{Advice: report.Advice{ID: "own-domain", Area: "imitation", Need: report.Could, Standard: true,
				What: "The author's domain is a mailbox provider's.", Seen: quote(s.author.Address), Do: "Write from a domain of your own.", Source: "practice"},
				takes: []sluice.Reason{reason.NameAtFreeMail}})
		}
		return
	case s.borrowed():
		s.risky(report.Bad, "domain", quote(d), "it is the sending service's, which signs for all its customers")
		need := report.Should
		if s.mass {
			need = report.Must
		}
		s.advise(fix{Advice: report.Advice{ID: "own-domain", Area: "imitation", Need: need, Standard: true,
			What: "The author's domain is the sending service's, not the sender's: nothing proves who the sender is.", Seen: quote(s.author.Address),
			Do: "Send from a domain of your own, and let the service authenticate it: its keys as CNAME or TXT records, a DMARC record, a bounce address below it.", Source: bulkRules},
			takes: unsigned, gives: []sluice.Reason{reason.DKIMPassAligned}})
		return
	}
	if home := s.cousin(); home != "" {
		s.risky(report.Warn, "domain", quote(d), quote("its links lead to "+home+": readers can't tell one more domain with that name from a forger's"))
		s.advise(fix{Advice: report.Advice{ID: "cousin", Area: "imitation", Need: report.Should, Standard: true,
			What: "The message comes from another domain than the one it leads to.", Seen: quote(s.org + " and " + home),
			Do: quote("Send from a subdomain, such as news." + home + ": a domain that merely holds the name can be registered by anybody."), Source: "practice"}})
	} else if name := s.author.Display; name != "" && !brand.Fits(name, s.author.Address) && len(brand.Shipped().Of(d)) == 0 && s.mass {
		s.risky(report.Warn, "name", quote(name+", from "+d), "the name doesn't stand in the domain, so nobody can tell by it who may use the name")
		s.advise(fix{Advice: report.Advice{ID: "name", Area: "imitation", Need: report.Could, Standard: true,
			What: "The author's name doesn't stand in the author's domain.", Seen: quote(name + " <" + s.author.Address + ">"), Do: "Use the name by which the domain is known, or send from the domain of that name.", Source: "practice"},
			takes: strangeName, gives: s.nameGives()})
	} else {
		s.risky(report.Good, "domain", quote(d), "")
	}
}

// strangeName is the evidence that rests on a name which doesn't fit its domain.
var strangeName = []sluice.Reason{reason.FromNameForeign, reason.NameLocalOnly, reason.LureGift, reason.LureDeadline, reason.LureWonder}

// borrowed says whether the author's domain is a sending service's, and the author
// isn't the service.
func (s *subject) borrowed() bool {
	at := service.Of(s.author.Domain)
	if at == nil || !at.Kind.Sends() || brand.Fits(s.author.Display, "x@"+s.author.Domain) {
		return false
	}
	name := strings.ToLower(s.author.Display)
	return !slices.ContainsFunc(brand.Shipped().Of(s.author.Domain), func(b *brand.Brand) bool { return strings.Contains(name, strings.ToLower(b.String())) })
}

// nameGives is what a name that fits earns, where the domain is proved.
func (s *subject) nameGives() []sluice.Reason {
	if s.sender.Aligned {
		return []sluice.Reason{reason.NameFitsProved}
	}
	return nil
}

// minName is the shortest label that is taken for a name.
const minName = 4

// cousin is the domain that most links lead to, where its name is part of the author's
// domain, which is another: acme.example of acme-mail.example.
func (s *subject) cousin() string {
	label, _, _ := strings.Cut(s.org, ".")
	p := s.places()
	for _, o := range p.order() {
		home, _, _ := strings.Cut(o, ".")
		if o == s.org || s.ownPlace(o) || len(home) < minName || service.Of(o) != nil || p.count[o]*3 < p.all {
			continue
		}
		if label != home && strings.Contains(label, home) {
			return o
		}
	}
	return ""
}

// policyRisk is whether receivers turn away exact copies.
func (s *subject) policyRisk() {
	d := &s.dmarc
	if s.sender.Free || s.author.Domain == "" || s.borrowed() {
		return // its policy is another's
	}
	switch {
	case !s.asked || d.Value == dmarc.TempError:
		s.risky(report.Unknown, "DMARC", "unknown", "nobody could be asked")
		return
	case d.Record == nil:
		s.risky(report.Bad, "DMARC", "no policy", "receivers don't know that mail without your signature isn't yours") // the advice is authentication's
	case d.Policy == dmarc.PolicyNone || d.Testing && d.Policy == dmarc.PolicyQuarantine:
		why := "receivers deliver forged mail in the domain's name as if it had no policy"
		s.risky(report.Bad, "DMARC", quote(d.Record.Raw), why)
		s.advise(fix{Advice: report.Advice{ID: "dmarc-enforce", Area: "imitation", Need: report.Should, Standard: true,
			What: "DMARC asks receivers to do nothing against forged mail.", Seen: quote(d.Record.Raw),
			Do: "When the reports show that all your own mail passes, go to p=quarantine, then p=reject, for subdomains too.", Source: "RFC 9989 7"},
			copied: []sluice.Reason{reason.DMARCFailReject}, copiedFor: []sluice.Reason{reason.DMARCFailNone}})
	case d.Policy == dmarc.PolicyQuarantine || d.Testing:
		s.risky(report.Good, "DMARC", quote(d.Record.Raw), "forged mail is set apart")
		s.advise(fix{Advice: report.Advice{ID: "dmarc-reject", Area: "imitation", Need: report.Could, Standard: true,
			What: "DMARC asks to set forged mail apart, not to refuse it.", Seen: quote(d.Record.Raw), Do: "Go on to p=reject when the reports are clean and no mailing lists are written to from the domain.", Source: "RFC 9989 7"},
			copied: []sluice.Reason{reason.DMARCFailReject}, copiedFor: []sluice.Reason{reason.DMARCFailQuarantine}})
	default:
		s.risky(report.Good, "DMARC", quote(d.Record.Raw), "forged mail is refused")
	}
	if d.Record != nil && d.Record.SP == dmarc.PolicyNone && d.Policy != dmarc.PolicyNone {
		s.risky(report.Warn, "subdomains", quote(d.Record.Raw), "sp=none lets anybody invent one")
		s.advise(fix{Advice: report.Advice{ID: "dmarc-sp", Area: "imitation", Need: report.Should, Standard: true,
			What: "Any subdomain can be forged: sp=none.", Seen: quote(d.Record.Raw), Do: "Take sp=none out, or make it sp=reject.", Source: "RFC 9989 4.7"}})
	}
	if !s.alignedDKIM() && (len(s.dkim) == 0 || s.asked) {
		value := "not the author's domain"
		if len(s.passing()) == 0 {
			value = "none that passes"
		}
		s.risky(report.Warn, "signature", value, "a receiver can't tell this message from a copy by its signature")
	}
}

// linkRisk is whether links show whose mail it is.
func (s *subject) linkRisk() {
	p := s.places()
	if s.borrowed() {
		return // the domain is no place of the sender's to link to
	}
	if p.all == 0 || s.sender.Free || s.org == "" || s.cousin() != "" {
		return
	}
	value := fmt.Sprintf("%d of %d lead to %s", p.own, p.all, quote(s.org))
	if p.own*2 >= p.all {
		s.risky(report.Good, "links", value, "")
		return
	}
	s.risky(report.Warn, "links", value, "readers who look where links lead can't tell a copy's from yours")
	takes := []sluice.Reason{reason.LinkNoneOwn, reason.LinkSingleOwner, reason.LinkOneStranger}
	if p.own > 0 {
		takes = nil
	}
	s.advise(fix{Advice: report.Advice{ID: "own-links", Area: "imitation", Need: report.Should, Standard: true,
		What: "Most links lead to domains of others.", Seen: list(strangers(p, s.org), 4),
		Do: quote("Link to your own domain; let the service count clicks under a subdomain of it, such as click." + s.org + " (custom tracking domain, in its settings)."), Source: "practice"}, takes: takes})
}

func strangers(p places, own string) []string {
	return slices.DeleteFunc(p.order(), func(o string) bool { return links.OrgDomain(o) == own })
}

// markRisk is a logo that receivers show, and a signature that can be sent again.
func (s *subject) markRisk() {
	if s.asked && !s.sender.Free && s.author.Domain != "" && s.mass {
		if s.bimi.Value == bimi.Pass {
			s.risky(report.Good, "BIMI", quote(s.bimi.Record.Logo), "")
		} else {
			s.risky(report.Info, "BIMI", "no logo", "receivers show none beside the author's name")
			s.advise(fix{Advice: report.Advice{ID: "bimi", Area: "imitation", Need: report.Could, Standard: true,
				What: "The domain publishes no logo (BIMI).", Do: "Once DMARC is at quarantine or reject: publish default._bimi with an SVG logo, and a mark certificate for Gmail and Apple.",
				Source: "draft-brand-indicators-for-message-identification"}})
		}
	}
	for i := range s.dkim {
		if r := &s.dkim[i]; links.OrgDomain(r.Domain) == s.org && len(important(r)) > 0 && r.BodyMatches && r.HeaderMatches {
			s.risky(report.Warn, "signature", list(r.Replay, 3), "the signed message can be sent on to others with another look")
			return
		}
	}
}
