package link

import (
	"sluice"
	"sluice/check"
	"sluice/message/links"
)

// InFiles states what can be said of links that attached files hold: a code in a
// picture, a button of a document. A reader follows them as those of the message.
func InFiles(in *check.Input, urls []string) []sluice.Evidence {
	var list []*links.Link
	for _, u := range urls[:min(len(urls), maxLinks)] {
		l := links.Parse(u)
		l.Source, l.Text = links.FromAnchor, u
		list = append(list, &l)
	}
	var s statements
	hosts(&s, list)
	places(&s, in, list)
	out := append(s.list, personal(in, list)...)
	for i := range out {
		out[i].Detail += " (in an attached file)"
		out[i].Phase = sluice.PhaseMessage
	}
	return out
}
