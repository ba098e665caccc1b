package mailauth

import (
	"slices"

	"sluice/mailauth/arc"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/spf"
	"sluice/message/links"
)

// Known is what has been found out about a session and its transaction; nil is what
// nobody asked for.
type Known struct {
	Reverse *iprev.Result
	HELO    *spf.Result // of the session's present greeting
	SPF     *spf.Result
	DKIM    []dkim.Result
	ARC     *arc.Result
	DMARC   *dmarc.Result
}

// Known returns the results that there are. It asks nothing.
func (a *Auth) Known() Known {
	var k Known
	if a == nil {
		return k
	}
	s := a.root()
	if r, ok := s.reverse.peek(); ok {
		k.Reverse = &r
	}
	s.helo.mu.Lock()
	if s.helo.done && s.heloFor == s.conn.Hello.Name {
		r := s.helo.v
		k.HELO = &r
	}
	s.helo.mu.Unlock()
	if !a.InTransaction() {
		return k
	}
	if r, ok := a.spf.peek(); ok {
		k.SPF = &r
	}
	if r, ok := a.arc.peek(); ok {
		k.ARC = &r
	}
	if r, ok := a.dmarc.peek(); ok {
		k.DMARC = &r
	}
	k.DKIM, _ = a.dkim.peek()
	return k
}

// Aligned says whether the author's own domain is proved: DMARC passed, or, where the
// domain has no policy, or one that can't be applied (RFC 9989 4.10.1), SPF or DKIM
// passed for it or its organization. It is false where nobody asked for DMARC.
func (k Known) Aligned() bool {
	switch {
	case k.DMARC == nil:
		return false
	case k.DMARC.Value == dmarc.PermError && k.DMARC.Record != nil: // one author, a broken record
	case k.DMARC.Value != dmarc.None:
		return k.DMARC.Value == dmarc.Pass
	}
	org := links.OrgDomain(k.DMARC.Domain)
	own := func(d string) bool { return d != "" && links.OrgDomain(d) == org }
	return k.SPF != nil && k.SPF.Result == spf.Pass && k.SPF.Identity == spf.MailFrom && own(k.SPF.Domain) ||
		slices.ContainsFunc(k.DKIM, func(r dkim.Result) bool { return r.Status == dkim.Pass && own(r.Domain) }) ||
		slices.ContainsFunc(k.DMARC.Identifiers, func(i dmarc.Identifier) bool { return i.Aligned && i.Result == "pass" })
}
