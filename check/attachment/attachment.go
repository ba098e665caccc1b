// Package attachment holds the checks of attached files: by their names, by
// their first octets and by the directory of zip archives. It unpacks nothing
// and reads no document format; that is the sandbox's work.
package attachment

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"sluice/check"
	"sluice/message"
)

// Checks returns the checks of this folder.
func Checks() []check.Checker {
	return []check.Checker{newEICAR(), newProgram(), newName(), newArchive(), newPage(), newConflict(), newUuencode()}
}

// files walks the parts that aren't containers: what somebody could save or
// open, the message's own text included.
func files(m *message.Message) iter.Seq[*message.Part] {
	return func(yield func(*message.Part) bool) {
		for _, p := range m.Parts {
			if len(p.Children) == 0 && !yield(p) {
				return
			}
		}
	}
}

// attached says whether a client shows p as a file, not as text.
func attached(p *message.Part) bool {
	return p.Filename != "" || p.Disposition == "attachment" || !strings.HasPrefix(p.Type, "text/") && !strings.HasPrefix(p.Type, "message/")
}

// candidate is one name that a client may give to a part.
type candidate struct {
	name
	why string // "" for the plain reading, else the defect that allows another
}

// names lists all names that clients may read for p.
func names(p *message.Part) []candidate {
	var out []candidate
	add := func(s, why string) {
		if s != "" && !slices.ContainsFunc(out, func(c candidate) bool { return c.raw == s }) {
			out = append(out, candidate{parseName(s), why})
		}
	}
	add(p.Filename, "")
	for _, r := range p.Readings {
		add(r.Filename, r.Why)
	}
	add(p.Params["name"], "")
	return out
}

func (c candidate) String() string {
	if c.why == "" {
		return quote(c.raw)
	}
	return quote(c.raw) + " (as some read it: " + c.why + ")"
}

// quote makes a name fit for a detail: bounded, and every control, direction
// mark and invisible character escaped.
func quote(s string) string {
	if len(s) > 160 {
		s = s[:80] + "…" + s[len(s)-76:]
	}
	return strconv.QuoteToGraphic(s)
}
