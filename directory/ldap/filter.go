package ldap

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"sluice/directory"
)

// template is a filter cut at its places: text, then a place's letter, in turn.
type template struct {
	text  []string // one more than places
	place []byte   // 's', 'u' or 'd'
}

// maxFilter bounds a filter of the configuration.
const maxFilter = 4096

func parseTemplate(s string) (template, error) {
	if len(s) > maxFilter {
		return template{}, fmt.Errorf("over %d octets", maxFilter)
	}
	var t template
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			text.WriteByte(s[i])
			continue
		}
		i++
		switch {
		case i < len(s) && s[i] == '%':
			text.WriteByte('%')
		case i < len(s) && strings.IndexByte("sud", s[i]) >= 0:
			t.place = append(t.place, s[i])
			t.text = append(t.text, text.String())
			text.Reset()
		default:
			return template{}, errors.New("there are %s (the address), %u (its local part), %d (its domain) and %%")
		}
	}
	t.text = append(t.text, text.String())
	if !t.has('s') && !t.has('u') {
		return template{}, errors.New("neither %s (the address) nor %u (its local part) is in it: it says the same of all")
	}
	sample := t.fill([]directory.Form{{Address: "a+c@b", Local: "a+c", Domain: "b"}, {Address: "a@b", Local: "a", Domain: "b"}})
	if _, err := ldap.CompileFilter(sample); err != nil {
		return template{}, fmt.Errorf("%q: %w", s, err)
	}
	return t, nil
}

func (t template) has(place byte) bool { return strings.IndexByte(string(t.place), place) >= 0 }

// fill makes one filter of all forms of an address. "@domain" is a whole address
// only, and a local part for all domains is for lists.
func (t template) fill(forms []directory.Form) string {
	var b strings.Builder
	n := 0
	for _, f := range forms {
		if f.Domain == "" || f.Local == "" && !t.has('s') {
			continue
		}
		n++
		for i, place := range t.place {
			b.WriteString(t.text[i])
			switch place {
			case 's':
				b.WriteString(ldap.EscapeFilter(f.Address))
			case 'u':
				b.WriteString(ldap.EscapeFilter(f.Local))
			case 'd':
				b.WriteString(ldap.EscapeFilter(f.Domain))
			}
		}
		b.WriteString(t.text[len(t.place)])
	}
	if n == 1 {
		return b.String()
	}
	return "(|" + b.String() + ")"
}
