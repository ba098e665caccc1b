package explain

import (
	"fmt"
	"strings"

	"sluice"
	"sluice/reason"
)

// Note is the text that stands in a message in place of a file that was taken out or
// turned into text: for its reader, in whole sentences.
func Note(why sluice.Reason, file string, o Options) string {
	e, ok := reason.Lookup(string(why))
	if !ok {
		e, _ = reason.Lookup(reason.FileStripped)
	}
	name := "A file without a name"
	if file != "" {
		name = "The file \"" + Escape(file, 200) + "\""
	}
	what := "was taken out of this message"
	if why == reason.FileConverted {
		what = "was a page with programs in it; this is its text"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s.\n\n%s\n", name, what, oneLine(e.User))
	if o.Postmaster != "" {
		fmt.Fprintf(&b, "\nIf you need it as it came, ask %s and name this reference: %s\n", Escape(o.Postmaster, 254), Escape(o.Ref, 64))
	} else {
		fmt.Fprintf(&b, "\nIf you need it as it came, name this reference to your postmaster: %s\n", Escape(o.Ref, 64))
	}
	return b.String()
}
