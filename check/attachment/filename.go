package attachment

import (
	"bytes"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newName reads the files' names, in every way in which a client may read them.
func newName() check.Checker {
	return check.Func(check.Info{
		Name: "attachment/name", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Trivial,
		Reasons: []sluice.Reason{
			reason.ExecutableName, reason.DoubleExtension, reason.NameDirectionOverride,
			reason.NamePadded, reason.NameControl, reason.MIMENameAmbiguous, reason.NameContainer, reason.NameMacro,
		},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		for p := range files(in.Message) {
			cs := names(p)
			for i, c := range cs {
				// Two names that mean the same to a desktop are a slip.
				if i > 0 && dangerous(c.kind()) != dangerous(cs[0].kind()) {
					s.add(reason.MIMENameAmbiguous, cs[0].String()+" and "+c.String(), p)
				}
				for _, id := range c.faults(p) {
					s.add(id, c.String(), p)
				}
			}
		}
		return s.list
	})
}

// dangerous parts what runs, opens as a page or hides a program from the rest.
func dangerous(k kind) kind { return max(k, document) }

// faults lists what is wrong with one name.
func (c candidate) faults(p file) []sluice.Reason {
	var out []sluice.Reason
	if c.bidi {
		out = append(out, reason.NameDirectionOverride)
	}
	if c.controls {
		out = append(out, reason.NameControl)
	}
	if c.padded {
		out = append(out, reason.NamePadded)
	}
	k := c.kind()
	// A name such as "example.com" or a saved page's address ends like a DOS
	// program; the content tells.
	if c.ext == "com" || c.ext == "url" || c.ext == "app" {
		switch sniff(p.data()) {
		case html, pdf, image, zipArchive, oleFile, gzipFile:
			k = harmless
		case internetShortcut:
			if leadsToWeb(p.data()) {
				k = harmless
			}
		case unknown:
			if p.Type == "text/html" || p.Type == "text/plain" {
				k = harmless
			}
		}
	}
	switch {
	case k == executable && c.double(), k == page && c.double():
		out = append(out, reason.DoubleExtension)
	case k == executable:
		out = append(out, reason.ExecutableName)
	case k == container:
		out = append(out, reason.NameContainer)
	case k == macro:
		out = append(out, reason.NameMacro)
	}
	return out
}

// leadsToWeb says whether an internet shortcut opens a web page, not a file or a
// program somewhere.
func leadsToWeb(shortcut []byte) bool {
	low := bytes.ToLower(shortcut[:min(len(shortcut), 4096)])
	return bytes.Count(low, []byte("url=")) == 1 && (bytes.Contains(low, []byte("\nurl=http://")) || bytes.Contains(low, []byte("\nurl=https://"))) &&
		!bytes.Contains(low, []byte("iconfile=\\\\")) && !bytes.Contains(low, []byte("workingdirectory="))
}

// statements keeps the first of each reason.
type statements struct{ list []sluice.Evidence }

func (s *statements) add(id sluice.Reason, detail string, p file) {
	for i := range s.list {
		if s.list[i].Reason == id {
			return
		}
	}
	s.list = append(s.list, p.found(id, detail, p.Header.Range))
}
