// Package attachment holds the checks of attached files: by their names, by
// their first octets and by the directory of zip archives. It unpacks nothing
// and reads no document format; that is the sandbox's work.
package attachment

import (
	"iter"
	"slices"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message"
)

// Checks returns the checks of this folder; without that of archives where somebody
// looks into files.
func Checks(inspected bool) []check.Checker {
	out := []check.Checker{newEICAR(), newProgram(), newName(), newPage(), newConflict()}
	if !inspected {
		out = append(out, newArchive())
	}
	return out
}

// file is one part and the message that it belongs to: the one at hand, or one
// that stands encoded inside of it.
type file struct {
	*message.Part
	m     *message.Message
	inner bool
}

func (f file) data() []byte { return f.m.Decoded(f.Part) }

// files walks the parts that aren't containers: what somebody could save or
// open, the message's own text included.
func files(m *message.Message) iter.Seq[file] {
	return func(yield func(file) bool) {
		for in, p := range m.All() {
			if len(p.Children) > 0 && (p.IsMultipart() || p.IsMessage()) {
				continue
			}
			if !yield(file{p, in, in != m}) {
				return
			}
		}
	}
}

// found states id of a file; at is where in its message. Places in an encoded
// inner message have no place in the outer one.
func (f file) found(id sluice.Reason, detail string, at message.Range) sluice.Evidence {
	if f.inner {
		return check.Found(id, detail+" (in an encoded part)")
	}
	return check.FoundAt(id, detail, at, f.Index)
}

// attached says whether a client shows p as a file, not as text.
func attached(p file) bool {
	return p.Filename != "" || p.Disposition == "attachment" || !strings.HasPrefix(p.Type, "text/") && !strings.HasPrefix(p.Type, "message/")
}

// candidate is one name that a client may give to a part.
type candidate struct {
	name
	why string // "" for the plain reading, else the defect that allows another
}

// names lists all names that clients may read for p.
func names(p file) []candidate {
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
		return check.Quote(c.raw)
	}
	return check.Quote(c.raw) + " (as some read it: " + c.why + ")"
}
