package correspondent

import (
	"errors"
	"fmt"
	"strings"
)

// Protected is somebody whose name strangers must not use: an entry of the admin's list, or
// of a directory.
type Protected struct {
	Name      string
	Addresses []string // all that are really theirs, private ones too
}

// People are persons by their names. They don't change, and are safe for concurrent use.
type People struct{ owners map[string][]string }

// maxPeople bounds a list.
const maxPeople = 100_000

// NewPeople makes a list. Names must be a first and a last name at least, since shorter
// ones are many people's.
func NewPeople(list []Protected) (*People, error) {
	if len(list) > maxPeople {
		return nil, fmt.Errorf("correspondent: %d people, at most %d", len(list), maxPeople)
	}
	p := &People{owners: map[string][]string{}}
	for i, person := range list {
		name := FoldName(person.Name)
		if name == "" {
			return nil, fmt.Errorf("correspondent: person %d: %.80q is no first and last name", i+1, person.Name)
		}
		if len(person.Addresses) == 0 {
			return nil, errors.New("correspondent: " + person.Name + " has no address")
		}
		for _, a := range person.Addresses {
			n := Normal(a)
			if n == "" {
				return nil, fmt.Errorf("correspondent: %s: %.80q is no address", person.Name, a)
			}
			p.owners[name] = append(p.owners[name], n)
		}
	}
	return p, nil
}

// Uses says whether a display name is a listed person's and the address none of theirs.
// Titles beside the name don't matter.
func (p *People) Uses(from Mailbox) bool {
	if p == nil || len(p.owners) == 0 {
		return false
	}
	theirs, owners := Normal(from.Address), p.owners[FoldName(withoutTitles(from.Name))]
	if len(owners) == 0 {
		return false
	}
	for _, o := range owners {
		if o == theirs {
			return false
		}
	}
	return true
}

// Titles are words for who leads a firm, and for those before and behind names.
var titles = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`ceo cfo coo cto cio chairman chairwoman president director directeur directrice direktor direktorin geschäftsführer geschäftsführerin
		vorstand inhaber pdg dg gérant director presidente consejero amministratore direttore bestuurder directeur vd dr prof ing dipl mr mrs ms mag phd msc mba herr frau`) {
		m[w] = true
	}
	return m
}()

func withoutTitles(name string) string {
	if len(name) > maxName {
		return name
	}
	var out []string
	for w := range strings.FieldsSeq(name) {
		if !titles[strings.ToLower(strings.Trim(w, ".,;:()[]-–|/"))] {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}
