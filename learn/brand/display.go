package brand

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice"
)

// Standing is how a brand stands in a display name.
type Standing uint8

// The standings.
const (
	Writer Standing = iota // it is who writes: "PayPal Service Team"
	Part                   // it is a part of who writes: "Ann via DocuSign"
	Word                   // a part, and a word or a person's name as well: "Orange Marmalade"
)

// Naming is a brand in a display name.
type Naming struct {
	Match
	Written  string // the name as written
	Standing Standing
}

// maxNamings bounds how many brands of one display name are told.
const maxNamings = 12

// Display finds the brands in an author's display name, or in the local part where there
// is no name: mail programs show that then.
func (l *List) Display(name, local string) []Naming {
	name = head(name, maxDisplay)
	bare := strings.TrimSpace(name) == ""
	if bare {
		name = strings.Map(func(r rune) rune {
			if r == '.' || r == '-' || r == '_' || r == '+' {
				return ' '
			}
			return r
		}, head(local, maxDisplay))
	}
	found := l.display(name)
	if len(found) == 0 {
		if apart := camel(name); apart != name {
			found = l.display(apart)
		}
	}
	if bare {
		found = slices.DeleteFunc(found, func(n Naming) bool { return n.Name.Common })
	}
	return found
}

// Claimed is what a message claims by its author's display name and address: to be the
// brands that aren't the address's own, or, where it names none, its name, if that fits
// the domain ([Fits]).
func (l *List) Claimed(name, address string) (out []Claim) {
	domain := sluice.DomainOf(address)
	found := l.Display(name, strings.TrimSuffix(address, "@"+domain))
	for _, n := range found {
		if c := ClaimOf(n.Brand); n.Standing == Writer && !n.Brand.Sends(strings.ToLower(domain)) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	if len(found) == 0 && Fits(name, address) {
		out = append(out, ClaimName(name))
	}
	return out
}

func (l *List) display(name string) (out []Naming) {
	l.Find(name, func(m Match) bool {
		out = append(out, Naming{Match: m, Written: name[m.Start:m.End]})
		return len(out) < maxNamings
	})
	rest := []byte(name) // without brands: "Yeti Tractor Supply" is led by none but them
	sure := slices.ContainsFunc(out, func(n Naming) bool { return !n.Name.Common })
	for _, m := range out {
		for i := m.Start; sure && i < m.End; i++ {
			rest[i] = ' '
		}
	}
	for i := range out {
		out[i].Standing = standing(string(rest), &out[i].Match)
	}
	return out
}

// standing says how a brand stands in a display name, of which others are the words that
// are no brand's.
func standing(others string, m *Match) Standing {
	before, after := Words(others[:m.Start]), Words(others[m.End:])
	part := Part
	if m.Name.Common {
		part = Word
	}
	for _, w := range after {
		if about[w] {
			return part // "PayPal users group"
		}
	}
	lead := 0
	for _, w := range before {
		if via[w] {
			return part // "Ann via DocuSign"
		}
		if !Hollow(w) && !leads[w] {
			lead++
		}
	}
	if lead > 0 {
		return part
	}
	rest, role := 0, len(before) > 0
	for _, w := range after {
		if Hollow(w) {
			role = true
		} else {
			rest++
		}
	}
	switch {
	case m.Name.Common && rest > 0, m.Name.Person && !role:
		return Word // "Orange Marmalade", "Chase", and not "Chase Alerts"
	case m.Name.Common && !role:
		return Part // "Apple"
	case rest > 4:
		return Part
	}
	return Writer
}

func set(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

// about are words behind a brand that make a name speak of it, not for it.
var about = set(`users user owners owner club fans fan forum podcast meetup magazine alumni enthusiasts course courses community watch tracker weekly blog wiki
	competitors alternative alternatives collectors consultants developers jobs`)

var via = set(`via through über`)

// leads are words before a brand that don't say who else writes: "Banco Bradesco".
var leads = set(`bank banco banca banque bankhaus shop store company firm society empresa societe société technical technischer technische technik soporte tecnico técnico técnica
	gerencia gerência relacionamento notificacao notificação notificaciones taxa taxas importante important wichtig wichtige attention achtung atencion atención atenção ultimo último último
	final last second welcome willkommen bienvenue bienvenido bienvenida bem vindo benvenuto equipo équipe equipe team your customer`)

// Words splits at all but letters and digits, in lower case.
func Words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// camel parts the words of "NetflixSupport".
func camel(s string) string {
	var b strings.Builder
	last := rune(0)
	for _, r := range s {
		if unicode.IsLower(last) && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// head is the beginning of s, at most n octets.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
