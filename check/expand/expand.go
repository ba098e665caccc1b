// Package expand holds the check that asks shorteners where links lead, and has others
// judge the places. It is off unless the admin allows it: whoever made the link may
// learn that somebody asked.
package expand

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/check"
	"sluice/engine/expand"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// Judge states what can be said of places where links lead on to; where says in words
// how they were found.
type Judge struct {
	Reasons []sluice.Reason // what it may state
	Run     func(ctx context.Context, in *check.Input, urls []string, where string) []sluice.Evidence
}

// Config says who asks, and who judges. Zero fields have defaults.
type Config struct {
	Client *expand.Client
	// Judges look at the stations behind the first.
	Judges []Judge
	// Links is how many links of one message are asked; 0: 5.
	Links int
	// Wait is how long they are waited for, all together; 0: 5 s.
	Wait time.Duration
}

// Checks returns the checks of this folder; none without a client.
func Checks(c Config) []check.Checker {
	if c.Client == nil {
		return nil
	}
	if c.Links <= 0 {
		c.Links = 5
	}
	if c.Wait <= 0 {
		c.Wait = 5 * time.Second
	}
	return []check.Checker{&ways{c}}
}

type ways struct{ Config }

// Info returns the declaration. The deadline leaves the judges time when the wait is
// over.
func (w *ways) Info() check.Info {
	reasons := []sluice.Reason{reason.LinkExpansionUnknown, reason.LinkExpanded, reason.LinkLeadsInside}
	for _, j := range w.Judges {
		for _, r := range j.Reasons {
			if !slices.Contains(reasons, r) {
				reasons = append(reasons, r)
			}
		}
	}
	return check.Info{
		Name: "expand/ways", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Remote, Deadline: 2*w.Wait + time.Second, Reasons: reasons,
	}
}

// Check follows the links of a message that a reader can follow. Those that leave a list
// by the header's word, and messages from a disk, are left alone.
func (w *ways) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if in.Message == nil || in.Conn != nil && (in.Conn.Stored || in.Conn.Auth != "") || in.Envelope != nil && in.Envelope.Outbound {
		return nil, nil
	}
	type answer struct {
		link *links.Link
		way  expand.Way
		ok   bool
	}
	asked := w.choose(in.Message)
	answers := make([]answer, len(asked))
	waiting, cancel := context.WithTimeout(ctx, w.Wait)
	defer cancel()
	var asking sync.WaitGroup
	for i, l := range asked {
		asking.Go(func() {
			way, ok := w.Client.Expand(waiting, l.Raw)
			answers[i] = answer{l, way, ok}
		})
	}
	asking.Wait()
	var out []sluice.Evidence
	var unknown, targets []string
	for _, a := range answers {
		if !a.ok {
			continue
		}
		if a.way.Inside {
			out = add(out, reason.LinkLeadsInside, a.link, strings.Join(quoted(a.way.URLs), " to "))
		}
		if a.way.Why != "" {
			unknown = append(unknown, check.Quote(a.link.Host)+": "+a.way.Why)
		}
		if a.way.Target() != "" {
			out = add(out, reason.LinkExpanded, a.link, strings.Join(quoted(a.way.URLs), " to "))
			targets = append(targets, a.way.URLs[1:]...)
		}
	}
	if len(unknown) > 0 {
		out = append(out, check.Unknown(reason.LinkExpansionUnknown, strings.Join(unknown, "; ")))
	}
	if len(targets) > 0 {
		for _, j := range w.Judges {
			out = append(out, j.Run(ctx, in, targets, "where a shortened link leads")...)
		}
	}
	for i := range out {
		out[i].Phase = sluice.PhaseMessage
	}
	return out, nil
}

// add states a reason once, with all its details.
func add(out []sluice.Evidence, id sluice.Reason, l *links.Link, detail string) []sluice.Evidence {
	for i := range out {
		if out[i].Reason == id {
			if len(out[i].Detail)+len(detail) < 2000 {
				out[i].Detail += "; " + detail
			}
			return out
		}
	}
	return append(out, check.FoundAt(id, detail, message.Range{Off: l.Range.Off, Len: l.Range.Len}, l.Part))
}

func quoted(urls []string) []string {
	out := make([]string, len(urls))
	for i, u := range urls {
		out[i] = check.Quote(u)
	}
	return out
}

// choose lists links to ask, each once. Which of them are a redirector's is for the
// client to say; it answers at once for the others, so all are offered to it up to a
// bound.
func (w *ways) choose(m *message.Message) (out []*links.Link) {
	leave := m.Header().Get("List-Unsubscribe")
	v := m.View()
	seen := map[string]bool{}
	for i := range v.Links {
		l := &v.Links[i]
		if l.Source != links.FromAnchor && l.Source != links.FromText || l.Hidden || l.Scheme != "http" && l.Scheme != "https" || seen[l.Raw] {
			continue
		}
		seen[l.Raw] = true
		if strings.Contains(leave, l.Raw) || own(m, l.Path) || !w.Client.Asks(l.Raw) {
			continue
		}
		if out = append(out, l); len(out) == w.Links {
			break
		}
	}
	return out
}

// own says whether a path holds the local part of a recipient: then it tells who asks.
func own(m *message.Message, path string) bool {
	low := strings.ToLower(path)
	for i, a := range m.Addresses("To") {
		if i == 5 {
			break
		}
		if len(a.Local) >= 4 && strings.Contains(low, strings.ToLower(a.Local)) {
			return true
		}
	}
	return false
}
