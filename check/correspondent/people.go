package correspondent

import (
	"slices"
	"strings"
	"unicode"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/learn/correspondent"
	"sluice/learn/service"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// PeopleChecks returns the checks that protect names and offices of our own people,
// without any memory: people gives the admin's list in force, nil for none.
func PeopleChecks(people func() *correspondent.People) []check.Checker {
	return []check.Checker{check.Func(check.Info{
		Name: "correspondent/people", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.ProtectedName, reason.OfficeOfOurs, reason.NamesakeMailbox},
	}, func(in *check.Input) []sluice.Evidence {
		author, _ := in.Message.From()
		f := in.Message.Header().Field("From")
		if !judged(in) || f == nil || author.Name == "" || ours(in, author.Domain) {
			return nil
		}
		switch {
		case people != nil && people().Uses(correspondent.Mailbox{Name: author.Name, Address: author.String()}):
			out := []sluice.Evidence{check.FoundAt(reason.ProtectedName, quote(author.Name)+" is a protected name, and "+quote(author.String())+" is no address of that person", f.Range, 0)}
			return append(out, mailbox(in, author)...)
		case office(in, author):
			return []sluice.Evidence{check.FoundAt(reason.OfficeOfOurs, quote(author.Name)+" at "+quote(author.String()), f.Range, 0)}
		}
		return nil
	})}
}

// ours says whether a domain is of a recipient's organization.
func ours(in *check.Input, domain string) bool {
	org := links.OrgDomain(domain)
	return slices.ContainsFunc(recipients(in.Envelope), func(a string) bool { return links.OrgDomain(sluice.DomainOf(a)) == org })
}

// mailbox says whether who has somebody's name wants the answer at a mailbox that
// anybody gets: he writes from one, or his Reply-To leads to one elsewhere.
func mailbox(in *check.Input, author header.Address) []sluice.Evidence {
	if free(author.Domain) {
		return []sluice.Evidence{check.Found(reason.NamesakeMailbox, "writes from "+quote(author.String()))}
	}
	for _, a := range in.Message.Addresses("Reply-To") {
		if free(a.Domain) {
			return []sluice.Evidence{check.FoundAt(reason.NamesakeMailbox, "answers go to "+quote(a.String()), in.Message.Header().Field("Reply-To").Range, 0)}
		}
	}
	return nil
}

func free(domain string) bool {
	return domains.FreeMail(domain) || domains.FreeMail(links.OrgDomain(domain))
}

// office says whether a display name is an office of a firm and no person: one who leads
// it, from a mailbox that anybody gets; or a department with the recipient's own firm
// beside it, from elsewhere.
func office(in *check.Input, author header.Address) bool {
	if len(author.Name) > 100 || author.Domain == "" {
		return false
	}
	words := strings.FieldsFunc(strings.ToLower(author.Name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 || len(words) > 6 {
		return false
	}
	var lead, department, firm bool
	for _, w := range words {
		switch {
		case leaders[w]:
			lead = true
		case departments[w]:
			department = true
		case slices.ContainsFunc(recipients(in.Envelope), func(a string) bool { return label(a) == w }):
			firm = true
		case fillers[w]:
		default:
			return false
		}
	}
	return lead && free(author.Domain) || firm && (lead || department) && service.Of(author.Domain) == nil
}

// label is what an address's organization is called in its domain; "" at mailbox
// providers.
func label(address string) string {
	org := links.OrgDomain(sluice.DomainOf(address))
	if domains.FreeMail(org) {
		return ""
	}
	l, _, _ := strings.Cut(org, ".")
	return l
}

func set(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

var (
	leaders = set(`chief ceo cfo coo cto chairman president geschäftsführer geschäftsführerin geschäftsführung geschäftsleitung vorstand pdg gérant
		presidente bestuurder directeur amministratore gerente vd`)
	departments = set(`hr payroll it helpdesk finance accounting accounts security admin administrator administration support personal personalabteilung buchhaltung
		rechnungswesen lohnbuchhaltung edv comptabilité rh paie recursos humanos nómina contabilidad personale contabilità salarisadministratie personeelszaken webmail mail email server`)
	fillers = set(`the of and executive officer financial operating office team department dept desk service services human resources resource help abteilung
		der die das le la de du del el di van managing director general system portal internal`)
)
