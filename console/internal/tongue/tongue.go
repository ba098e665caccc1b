// Package tongue chooses the language of a page for strangers: the one that a link on
// the page asks for, else what the browser prefers, else English.
package tongue

import (
	"net/http"
	"slices"

	"golang.org/x/text/language"
)

// maxHeader bounds how much of Accept-Language is read, in octets: ten languages with
// their weights.
const maxHeader = 200

// Choose returns one of have, which are two-letter codes; the first is the default.
func Choose(r *http.Request, have []string) string {
	if len(have) == 0 {
		return ""
	}
	if want := r.FormValue("lang"); slices.Contains(have, want) {
		return want
	}
	header := r.Header.Get("Accept-Language")
	if header == "" || len(header) > maxHeader {
		return have[0]
	}
	wanted, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return have[0]
	}
	for _, w := range wanted { // best first
		base, sure := w.Base()
		if sure != language.No && slices.Contains(have, base.String()) {
			return base.String()
		}
	}
	return have[0]
}
