package lint

import (
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/internal/domains"
	"sluice/learn/dialect"
	"sluice/learn/service"
	"sluice/lint/report"
	"sluice/mailauth/bimi"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/nullmx"
	"sluice/mailauth/spf"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// Whose rules for bulk senders a fact or an advice follows; docs/lint.md says where
// they stand.
const (
	google    = "Google"
	yahoo     = "Yahoo"
	microsoft = "Outlook"
	bulkRules = "bulk-sender rules of Google, Yahoo and Outlook"
	bulkTwo   = "bulk-sender rules of Google and Yahoo"
)

// spfLimit is how many terms of an SPF policy may ask the DNS (RFC 7208 4.6.4).
const spfLimit = 10

// connection tells what is known of how the message came.
func (s *subject) connection() {
	s.section("connection", "How it came", true)
	c := s.in.Conn
	if !c.Client.Addr().IsValid() {
		s.fact(report.Unknown, "client", "no address is known").Why = "what depends on it is left out: SPF, reverse DNS, reputation; name the sending address"
		return
	}
	f := s.fact(report.Info, "client", c.Client.Addr().String())
	if s.in.Guessed {
		f.Why = "as the topmost Received field of a public address says"
	}
	if c.Hello.Name != "" {
		s.fact(report.Info, "greeting", quote(c.Hello.Verb+" "+c.Hello.Name))
	}
	switch {
	case c.TLS != nil:
		s.fact(report.Good, "encryption", quote(c.TLS.Version+" "+c.TLS.Cipher))
	case s.encrypted():
		s.fact(report.Good, "encryption", quote(s.in.With)).Why = "as the Received field says"
	case !s.in.Guessed:
		s.fact(report.Bad, "encryption", "none").Source = google
		s.advise(fix{Advice: report.Advice{ID: "tls", Area: "connection", Need: report.Must, Standard: true,
			What: "The message came without encryption.", Do: "Let the sending server use STARTTLS wherever it is offered.", Source: "Google's sender guidelines"}})
	}
	s.fact(report.Info, "envelope sender", quote("<"+s.in.Envelope.From+">"))
	if s.live {
		s.ptr()
	}
	if !s.in.Guessed {
		s.transcript()
	}
}

// transcript is what the client said, with what was agreed upon. It isn't the bytes: of a
// command that came several times, the last one's words are known.
func (s *subject) transcript() {
	c, env := s.in.Conn, &s.in.Envelope
	said := dialect.Commands(c.Dialect)
	if len(said) == 0 {
		return
	}
	s.fact(report.Info, "way of speaking", quote(dialect.Describe(c.Dialect))).Closed = true // bots would learn what is looked at
	f := s.fact(report.Info, "session", fmt.Sprintf("%d commands", len(said)))
	if !c.Start.IsZero() {
		f.More = append(f.More, "connected at "+c.Start.UTC().Format("2006-01-02 15:04:05 UTC")+" from "+c.Client.String())
	}
	for i, verb := range said {
		line := verb
		switch last := !slices.Contains(said[i+1:], verb); {
		case verb == "EHLO" || verb == "HELO" || verb == "LHLO":
			line += " " + c.Hello.Name
		case verb == "STARTTLS" && c.TLS != nil:
			line += " (" + c.TLS.Version + ", " + c.TLS.Cipher + ")"
		case verb == "MAIL" && last:
			line += " FROM:<" + env.From + ">" + params(env.Params)
		case verb == "RCPT" && last:
			for _, rc := range env.Rcpts {
				line += " TO:<" + rc.Address + ">" + params(rc.Params)
			}
		case (verb == "DATA" || verb == "BDAT") && last:
			line += fmt.Sprintf(" (%d octets)", len(s.in.Raw))
		}
		f.More = append(f.More, quote(line))
	}
}

// params are those of a command, as they were sent.
func params(list []sluice.Param) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(" " + p.Key)
		if p.Value != "" {
			b.WriteString("=" + p.Value)
		}
	}
	return b.String()
}

// encrypted says whether the message is known to have come encrypted. That a Received
// field names a protocol without an S says nothing: many programs don't follow RFC 3848.
func (s *subject) encrypted() bool {
	with := strings.ToUpper(s.in.With)
	return s.in.Conn.TLS != nil || s.in.Guessed && slices.Contains([]string{"ESMTPS", "ESMTPSA", "LMTPS", "LMTPSA", "UTF8SMTPS", "UTF8SMTPSA", "UTF8LMTPS", "UTF8LMTPSA"}, with)
}

// ptr is the address's name and whether it leads back.
func (s *subject) ptr() {
	r := &s.reverse
	value := r.Name
	if value == "" {
		value = list(r.Names, 3)
	}
	level := map[iprev.Class]report.Level{iprev.Confirmed: report.Good, iprev.Unknown: report.Unknown}[r.Class]
	if r.Class == iprev.NoName || r.Class == iprev.Unconfirmed {
		level = report.Bad
	}
	f := s.fact(level, "reverse DNS", quote(strings.TrimSpace(string(r.Class)+" "+value)))
	f.Why, f.Source = quote(r.Problem), "RFC 8601 3"
	for _, t := range r.Trace {
		f.More = append(f.More, quote(fmt.Sprintf("%s: %s %s", t.Query, t.Outcome, t.Answer)))
	}
	switch {
	case level == report.Bad:
		s.advise(fix{Advice: report.Advice{ID: "reverse-dns", Area: "connection", Need: report.Must, Standard: true,
			What: "The sending address has no name that leads back to it.", Seen: quote(r.Problem),
			Do:     "Set a PTR record for " + r.IP.String() + " to the server's host name, and let that name have the address as A or AAAA.",
			Source: bulkTwo},
			takes: []sluice.Reason{reason.IprevNone, reason.IprevFail, reason.ClientGeneric}, gives: []sluice.Reason{reason.IprevPass}})
	case r.Generic.Kind != "":
		f.Level = report.Warn
		what, do := "The sending address has a name that a provider made for it.", "Have the provider set a name of your own, such as mail."+s.orgOr("example.com")+"; at a sending service that takes a dedicated address."
		if links.OrgDomain(r.Name) == s.org {
			what, do = "The sending host's name holds numbers as an access provider's names do.", "Name it by words alone, such as mail."+s.org+"."
		}
		s.advise(fix{Advice: report.Advice{ID: "generic-name", Area: "connection", Need: report.Should, Standard: true,
			What: what, Seen: quote(r.Name + ": " + r.Generic.Why), Do: do, Source: "practice; M3AAWG sender best practices"},
			takes: []sluice.Reason{reason.IprevDynamic, reason.IprevNumbered, reason.ClientGeneric, reason.HeloGeneric}, gives: []sluice.Reason{reason.IprevPass}})
	}
}

func (s *subject) orgOr(other string) string {
	if s.org != "" {
		return s.org
	}
	return other
}

// authentication is who the message is from, and who proves it.
func (s *subject) authentication() {
	s.section("authentication", "Who it is from", true)
	s.authorFact()
	if s.live {
		s.spfFact()
	}
	s.signatures()
	if s.arc.Instances > 0 {
		s.fact(report.Info, "ARC", fmt.Sprintf("%s, %d sealers", s.arc.Status, len(s.arc.Sets))).Why = quote(s.arc.Problem)
	}
	if s.author.Domain != "" {
		s.policyFact()
	}
	s.replies()
	s.bimiFact()
}

func (s *subject) authorFact() {
	level, value := report.Good, s.author.Address
	if !s.author.Clear {
		level = report.Bad
	}
	if s.author.Display != "" {
		value = s.author.Display + " <" + value + ">"
	}
	f := s.fact(level, "author", quote(value))
	for _, p := range s.author.Problems {
		f.More = append(f.More, quote(string(p.Code)+": "+p.Detail))
	}
	if !s.author.Clear {
		s.advise(fix{Advice: report.Advice{ID: "from", Area: "authentication", Need: report.Must, Standard: true,
			What: "The From field isn't one plain address, so mail programs differ on who the author is.", Seen: strings.Join(f.More, "; "),
			Do: `Write From as one address with an optional name: Example Shop <news@example.com>.`, Source: "RFC 5322 3.6.2; RFC 9989"},
			takes: []sluice.Reason{reason.FromUnclear, reason.FromAmbiguous, reason.FromInvalid, reason.FromMissing, reason.FromDuplicate, reason.FromMultiple}})
	}
}

// spfFact is the policy of the envelope's domain.
func (s *subject) spfFact() {
	r := &s.spf
	level := report.Bad
	switch r.Result {
	case spf.Pass:
		level = report.Good
	case spf.TempError:
		level = report.Unknown
	case spf.Neutral:
		level = report.Warn
	}
	f := s.fact(level, "SPF", quote(fmt.Sprintf("%s for %s", r.Result, r.Domain)))
	f.Why, f.Source = quote(r.String()), "RFC 7208"
	f.More = append(f.More, fmt.Sprintf("%d of at most %d look-ups, %d of them void", r.Lookups, spfLimit, r.Voids))
	for _, t := range r.Trace {
		if t.Outcome == "record" {
			f.More = append(f.More, quote(strings.Repeat("  ", min(t.Depth, 10))+t.Domain+": "+t.Answer))
		}
	}
	if s.forwarded() {
		f.Why = "a forwarder's envelope: what SPF says of it isn't about the author; look at the message as it arrives without the forwarder"
		return
	}
	if level != report.Good && level != report.Unknown {
		do := "Publish an SPF policy for " + quote(r.Domain) + " that lists the servers it sends from, and ends in -all or ~all."
		if s.sender.Free && domains.FreeMail(r.Domain) {
			do = "Send it through the servers of " + quote(r.Domain) + ", or from a domain of your own."
		} else if at := service.Of(r.Domain); at != nil && at.Kind.Sends() && links.OrgDomain(r.Domain) != s.org {
			do = "The policy is the service's own: ask it to list " + r.IP.String() + ", or use a bounce address below " + quote(s.orgOr("your domain")) + " (custom return path, in its settings)."
		} else if r.Result == spf.PermError {
			do = "Mend the policy of " + quote(r.Domain) + ": " + quote(r.Problem) + "."
		} else if r.Result != spf.None {
			do = "Add " + r.IP.String() + " to the SPF policy of " + quote(r.Domain) + ", or send from a server that it lists."
		}
		s.advise(fix{Advice: report.Advice{ID: "spf", Area: "authentication", Need: report.Must, Standard: true,
			What: "SPF doesn't pass for the envelope's sender.", Seen: f.Why, Do: do, Source: "RFC 7208; " + bulkRules},
			takes: []sluice.Reason{reason.SPFFail, reason.SPFSoftfail, reason.SPFNeutral, reason.SPFNone, reason.SPFPermerror, reason.AuthNothingPasses},
			gives: []sluice.Reason{reason.SPFPass}})
	}
	s.spfHygiene()
}

// forwarded says whether the envelope is a reader's, whose mailbox sent the message on:
// mailbox providers write their own domain into it.
func (s *subject) forwarded() bool {
	return !s.sender.Free && domains.FreeMail(s.spf.Domain) && links.OrgDomain(s.spf.Domain) != s.org
}

// spfHygiene is what is wrong with a policy that works.
func (s *subject) spfHygiene() {
	r := &s.spf
	if r.Result != spf.PermError && r.Lookups >= spfLimit-1 {
		s.advise(fix{Advice: report.Advice{ID: "spf-lookups", Area: "authentication", Need: report.Should, Standard: true,
			What: fmt.Sprintf("The SPF policy takes %d look-ups up to the term that matches; at more than %d receivers give up.", r.Lookups, spfLimit),
			Do:   "Drop includes of services that you no longer use, or give each service a subdomain of its own.", Source: "RFC 7208 4.6.4"}})
	}
	for _, t := range r.Trace {
		if t.Outcome != "record" || t.Domain != r.Domain && t.Depth > 0 {
			continue
		}
		terms := strings.Fields(header.Lower(t.Answer))
		if slices.Contains(terms, "+all") || slices.Contains(terms, "all") {
			s.advise(fix{Advice: report.Advice{ID: "spf-all", Area: "authentication", Need: report.Must, Standard: true,
				What: "The SPF policy lets everybody send for the domain.", Seen: quote(t.Answer), Do: "End it in -all or ~all.", Source: "RFC 7208 5.1"}})
		}
		if slices.ContainsFunc(terms, func(x string) bool { return strings.TrimLeft(x, "+-~?") == "ptr" || strings.Contains(x, "ptr:") }) {
			s.advise(fix{Advice: report.Advice{ID: "spf-ptr", Area: "authentication", Need: report.Should, Standard: true,
				What: "The SPF policy uses ptr, which is slow and which receivers may skip.", Seen: quote(t.Answer), Do: "Name the addresses with ip4, ip6 or a.", Source: "RFC 7208 5.5"}})
		}
	}
}

// alignedDKIM says whether a passing signature speaks for the author's domain.
func (s *subject) alignedDKIM() bool { return s.aligned("dkim") }

// aligned says whether what a method proves is the author's domain, by the record's
// mode, and without a record by the organization.
func (s *subject) aligned(method string) bool {
	if s.dmarc.Record == nil && s.org != "" {
		if method == "spf" {
			return s.spf.Result == spf.Pass && links.OrgDomain(s.spf.Domain) == s.org
		}
		return slices.ContainsFunc(s.passing(), func(d string) bool { return links.OrgDomain(d) == s.org })
	}
	return slices.ContainsFunc(s.dmarc.Identifiers, func(id dmarc.Identifier) bool {
		return id.Method == method && id.Result == "pass" && id.Aligned
	})
}

// unsigned is the evidence that goes where a message is signed for its author.
var unsigned = []sluice.Reason{reason.DKIMNone, reason.DKIMFail, reason.DKIMKeyMissing, reason.DKIMKeyRevoked, reason.DKIMKeyBroken, reason.DKIMSyntax,
	reason.DKIMShortKey, reason.DKIMSha1, reason.DKIMBodyLength, reason.DKIMExpired, reason.DKIMFromUnsigned, reason.DKIMDuplicateFrom, reason.DKIMPublicSuffix,
	reason.DKIMPassForeign, reason.AuthNothingPasses, reason.BulkUnsigned, reason.DMARCFailNone, reason.DMARCFailQuarantine, reason.DMARCFailReject}

// signatures are the DKIM signatures, their keys and what they cover.
func (s *subject) signatures() {
	if len(s.dkim) == 0 {
		s.fact(report.Bad, "DKIM", "no signature").Source = "RFC 6376"
	}
	for i := range s.dkim {
		s.signature(&s.dkim[i])
	}
	if s.alignedDKIM() || s.borrowed() { // a customer can't sign as the service
		return
	}
	tried := slices.ContainsFunc(s.dkim, func(r dkim.Result) bool { return r.Status == dkim.TempError })
	if len(s.dkim) > 0 && (!s.asked || tried) {
		return // the keys could not be asked for
	}
	a := report.Advice{ID: "dkim-align", Area: "authentication", Need: report.Must, Standard: true, Source: "RFC 6376; " + bulkRules}
	domain := quote(s.orgOr("your domain"))
	passing := s.passing()
	switch {
	case s.sender.Free:
		a.ID, a.What = "dkim", "The message isn't signed by the author's mailbox provider."
		a.Do = "Send it through the servers of " + quote(s.author.Domain) + ", with a login there, or from a domain of your own."
	case len(s.dkim) == 0:
		a.ID, a.What = "dkim", "The message isn't signed."
		a.Do = "Sign it with DKIM as " + domain + ", with a key of 2048 bits RSA. If this is a draft, look at it again as it arrives."
	case slices.ContainsFunc(passing, func(d string) bool { return links.OrgDomain(d) == s.org }):
		a.ID, a.What = "dmarc-strict", "The message is signed by "+list(passing, 3)+", and the DMARC record insists on exactly "+quote(s.dmarc.Domain)+"."
		a.Do = "Take adkim=s out of the record, or sign as " + quote(s.dmarc.Domain) + "."
	case len(passing) > 0:
		a.What = "The message is signed by " + list(passing, 3) + ", not by its author's domain."
		a.Do = "Have the service sign as " + domain + " too: publish its keys there as CNAME or TXT records (custom or authenticated domain, in its settings)."
	default:
		a.ID, a.What, a.Seen = "dkim-broken", "No signature passes.", quote(s.dkim[0].Problem)
		a.Do = "Sign as " + domain + " as the last thing that happens to the message, and publish the key at " + quote(s.dkim[0].KeyName) + "."
	}
	gives := []sluice.Reason{reason.DKIMPassAligned}
	if s.dmarc.Record != nil {
		gives = append(gives, reason.DMARCPass)
	}
	s.advise(fix{Advice: a, takes: unsigned, gives: gives})
}

// passing lists the domains of signatures that pass.
func (s *subject) passing() (out []string) {
	for i := range s.dkim {
		if s.dkim[i].Status == dkim.Pass && !slices.Contains(out, s.dkim[i].Domain) {
			out = append(out, s.dkim[i].Domain)
		}
	}
	return out
}

func (s *subject) signature(r *dkim.Result) {
	level := map[dkim.Status]report.Level{dkim.Pass: report.Good, dkim.TempError: report.Unknown, dkim.Neutral: report.Warn}[r.Status]
	if level == report.Info {
		level = report.Bad
	}
	aligned := "not the author's domain"
	if s.org != "" && links.OrgDomain(r.Domain) == s.org {
		aligned = "the author's domain"
	} else if level == report.Good {
		level = report.Info
	}
	f := s.fact(level, "DKIM", quote(fmt.Sprintf("%s, d=%s (%s), s=%s", r.Status, r.Domain, aligned, r.Selector)))
	f.Why, f.Source = quote(r.Problem), "RFC 6376"
	if r.KeyBits > 0 {
		f.More = append(f.More, quote(fmt.Sprintf("key %s: %s, %d bits", r.KeyName, r.KeyType, r.KeyBits)))
	}
	f.More = append(f.More, quote("signs "+strings.Join(r.Signed, " ")))
	if len(r.Unsigned) > 0 {
		f.More = append(f.More, quote("doesn't sign "+strings.Join(r.Unsigned, " ")))
	}
	if r.Status != dkim.Pass {
		return
	}
	where := " (d=" + quote(r.Domain) + ")"
	if r.Weak {
		s.advise(fix{Advice: report.Advice{ID: "dkim-key", Area: "authentication", Need: report.Should, Standard: true,
			What: fmt.Sprintf("The signing key has %d bits%s.", r.KeyBits, where), Do: "Make a key of 2048 bits under a new selector, sign with it, and revoke the old one a week later.", Source: "RFC 8301 3.2"},
			takes: []sluice.Reason{reason.DKIMWeakKey}})
	}
	if r.BodyLength >= 0 {
		s.advise(fix{Advice: report.Advice{ID: "dkim-length", Area: "authentication", Need: report.Must, Standard: true,
			What: "The signature covers only the beginning of the body (l=)" + where + ".", Do: "Sign without l=: anybody can put text behind the signed part.", Source: "RFC 6376 8.2"},
			takes: []sluice.Reason{reason.DKIMBodyLength}})
	}
	if r.Testing {
		s.advise(fix{Advice: report.Advice{ID: "dkim-testing", Area: "authentication", Need: report.Should, Standard: true,
			What: "The key is marked as being tested (t=y)" + where + ".", Do: "Take t=y out of the key's record: receivers may ignore such signatures.", Source: "RFC 6376 3.6.1"}})
	}
	if missing := important(r); len(missing) > 0 {
		s.advise(fix{Advice: report.Advice{ID: "dkim-fields", Area: "authentication", Need: report.Should, Standard: true,
			What: "The signature leaves out fields that people read" + where + ".", Seen: list(missing, 8), Do: "Sign From, To, Subject, Date, Reply-To, MIME-Version, Content-Type and the List fields, and name From, To and Subject once more in h= than they stand there.",
			Source: "RFC 6376 5.4"}, takes: []sluice.Reason{reason.DKIMReplayMarks}})
	}
}

// important are the unsigned fields whose forging changes what a reader sees.
func important(r *dkim.Result) (out []string) {
	for _, f := range r.Unsigned {
		switch header.Lower(f) {
		case "from", "subject", "to", "reply-to", "date", "content-type", "content-transfer-encoding", "mime-version":
			out = append(out, f)
		}
	}
	return out
}

// policyFact is what the author's domain asks receivers to do.
func (s *subject) policyFact() {
	d := &s.dmarc
	level := map[dmarc.Value]report.Level{dmarc.Pass: report.Good, dmarc.TempError: report.Unknown}[d.Value]
	if level == report.Info {
		level = report.Bad
	}
	if !s.live && len(s.dkim) == 0 || !s.asked {
		level = report.Unknown
	}
	f := s.fact(level, "DMARC", quote(fmt.Sprintf("%s for %s", d.Value, d.Domain)))
	f.Why, f.Source = quote(d.Why), "RFC 9989"
	for _, id := range d.Identifiers {
		word := "not aligned"
		if id.Aligned {
			word = "aligned"
		}
		f.More = append(f.More, quote(strings.TrimSpace(fmt.Sprintf("%s %s: %s, %s %s", id.Method, id.Domain, id.Result, word, id.Why))))
	}
	if d.Record == nil {
		if s.asked && d.Value != dmarc.TempError && d.Value != dmarc.PermError && !s.borrowed() {
			s.noPolicy()
		}
		return
	}
	f.More = append(f.More, quote("record at "+d.RecordAt+": "+d.Record.Raw))
	for _, p := range d.Record.Problems {
		f.More = append(f.More, quote("in the record: "+p))
	}
	if !s.borrowed() {
		s.policyAdvice()
	}
}

// noPolicy is the advice for a domain without a record.
func (s *subject) noPolicy() {
	takes, gives := []sluice.Reason{reason.DMARCNone}, []sluice.Reason(nil)
	if s.alignedDKIM() || s.aligned("spf") {
		gives = append(gives, reason.DMARCPass)
	}
	if s.alignedDKIM() { // without a policy nothing says what aligned means
		takes, gives = append(takes, reason.DKIMPassForeign), append(gives, reason.DKIMPassAligned)
	}
	s.advise(fix{Advice: report.Advice{ID: "dmarc", Area: "authentication", Need: report.Must, Standard: true,
		What: "The author's domain publishes no DMARC policy.",
		Do:   "Publish a TXT record at _dmarc." + quote(s.orgOr(s.author.Domain)) + ": v=DMARC1; p=none; rua=mailto:dmarc@" + quote(s.orgOr(s.author.Domain)) + ". Read the reports, and go on to p=quarantine, then p=reject.", Source: "RFC 9989; " + bulkRules},
		takes: takes, gives: gives,
		copied: []sluice.Reason{reason.DMARCFailNone}, copiedFor: []sluice.Reason{reason.DMARCNone}})
}

// policyAdvice is what to make better about a record.
func (s *subject) policyAdvice() {
	d := &s.dmarc
	record := quote(d.Record.Raw)
	if d.Value == dmarc.Pass && s.alignedDKIM() != s.aligned("spf") && s.live {
		s.onlyOne()
	}
	if len(d.Record.Aggregate) == 0 {
		s.advise(fix{Advice: report.Advice{ID: "dmarc-reports", Area: "authentication", Need: report.Should, Standard: true,
			What: "The DMARC record asks for no reports, so nobody sees who sends in the domain's name.", Seen: record,
			Do: "Add rua=mailto: with a mailbox that a program reads.", Source: "RFC 9990"}})
	}
	if len(d.Record.Problems) > 0 {
		s.advise(fix{Advice: report.Advice{ID: "dmarc-record", Area: "authentication", Need: report.Could, Standard: true,
			What: "The DMARC record isn't as the standard has it now.", Seen: list(d.Record.Problems, 3), Do: "Write the record anew by RFC 9989; tags such as pct, ri and rf are gone.", Source: "RFC 9989 4.7"}})
	}
}

// onlyOne is a pass that hangs by one thread.
func (s *subject) onlyOne() {
	if s.alignedDKIM() && !s.forwarded() {
		s.advise(fix{Advice: report.Advice{ID: "spf-align", Area: "authentication", Need: report.Could, Standard: true,
			What: "Only DKIM speaks for the author's domain; the envelope's sender is of " + quote(s.spf.Domain) + ".",
			Do:   "Use a bounce address below " + quote(s.org) + " (custom return path, in the service's settings): then a signature that breaks on the way does no harm.", Source: microsoft}})
	}
}

// replies is whether the sender can be written to.
func (s *subject) replies() {
	if s.asked && s.mx.Domain != "" {
		bad := s.mx.Answer == nullmx.Null || s.mx.Answer == nullmx.NXDomain || s.mx.Answer == nullmx.Nothing
		if bad {
			s.fact(report.Bad, "bounces", quote(s.mx.Domain+" takes no mail: "+s.mx.Answer.String())).Source = "RFC 7505"
			s.advise(fix{Advice: report.Advice{ID: "bounces", Area: "authentication", Need: report.Must, Standard: true,
				What: "The envelope's domain takes no mail, so no bounce and no complaint can reach the sender.", Seen: quote(s.mx.Domain),
				Do: "Send from a domain that has an MX record, and read what comes back.", Source: "RFC 5321 4.4; RFC 7505 4.2"},
				takes: []sluice.Reason{reason.NullMXSender, reason.SenderDomainNxdomain, reason.SenderDomainNoMail}})
		}
	}
	list := s.m.Addresses("Reply-To")
	s.unread(list)
	if len(list) == 0 || s.org == "" {
		return
	}
	if to := links.OrgDomain(list[0].Domain); to != "" && to != s.org && !s.borrowed() {
		s.fact(report.Warn, "replies", quote("go to "+list[0].String()))
		s.advise(fix{Advice: report.Advice{ID: "reply-to", Area: "authentication", Need: report.Should, Standard: true,
			What: "Replies go to another organization than the author's.", Seen: quote(list[0].String()), Do: "Let Reply-To stand below " + quote(s.org) + "; forward from there.", Source: "practice"},
			takes: []sluice.Reason{reason.ReplyToDiffers, reason.ReplyToFreeMail, reason.ReplyToOtherMailbox}})
	}
}

// unread is whether replies go where nobody reads them.
func (s *subject) unread(to []header.Address) {
	address := s.author.Address
	if len(to) > 0 {
		address = to[0].String()
	}
	local := strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(sluice.LocalOf(address)))
	if s.mass && (strings.Contains(local, "noreply") || strings.Contains(local, "donotreply")) {
		s.advise(fix{Advice: report.Advice{ID: "no-reply", Area: "authentication", Need: report.Could, Standard: true,
			What: "Replies go where nobody reads them.", Seen: quote(address), Do: "Set Reply-To to a mailbox that somebody reads: replies are the best sign to receivers that mail is wanted, and some people ask to be taken off by one.", Source: "practice; M3AAWG sender best practices"}})
	}
}

// bimiFact is whether the domain shows a logo.
func (s *subject) bimiFact() {
	if !s.asked || s.author.Domain == "" || s.sender.Free {
		return
	}
	level := report.Info
	if s.bimi.Value == bimi.Pass {
		level = report.Good
	}
	f := s.fact(level, "BIMI", quote(strings.TrimSpace(string(s.bimi.Value)+" "+s.bimi.Record.Logo)))
	f.Why, f.Source = quote(s.bimi.Why), "draft-brand-indicators-for-message-identification"
}
