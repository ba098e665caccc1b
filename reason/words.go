package reason

import (
	"slices"
	"strings"
)

// Words are one reason in another language than English: what a page needs. Replies
// stay English, in ASCII.
type Words struct {
	ID   string
	Page string // as [Entry.Page]
	Fix  string // as [Entry.Fix], but whole sentences; "" where that is
}

// tongue is one language.
type tongue struct {
	code  string
	words []Words
}

// In returns the words of id in a language of two letters, and whether there are any.
// English is the language of [Lookup].
func In(lang, id string) (Words, bool) {
	for i := range tongues {
		if tongues[i].code != lang {
			continue
		}
		words := tongues[i].words
		if n, ok := slices.BinarySearchFunc(words, id, func(w Words, id string) int { return strings.Compare(w.ID, id) }); ok {
			return words[n], true
		}
	}
	return Words{}, false
}

// Languages lists the codes of the languages beside English, sorted.
func Languages() []string {
	out := make([]string, len(tongues))
	for i, t := range tongues {
		out[i] = t.code
	}
	return out
}
