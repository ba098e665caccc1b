package identity

import (
	"context"
	"slices"

	"sluice"
	"sluice/check"
	"sluice/learn/service"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// newFit compares the sender's name with its domain. Firms call themselves as their
// domain does; who borrows a name has to send from a domain that doesn't fit. People's
// names fit their local part.
func newFit() check.Checker {
	return check.Look(check.Info{
		Name: "identity/fit", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.FromNameForeign, reason.FromNameFits, reason.NameFitsProved, reason.NameLocalOnly, reason.NameAtFreeMail},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		s := check.SenderOf(ctx, in)
		if s.Author.Domain == "" || s.Traffic == check.List {
			return nil
		}
		f := h.Field("From")
		detail := check.Quote(s.Author.Name) + " at " + check.Quote(s.Author.Domain)
		if s.Free {
			if office(s) {
				return []sluice.Evidence{at(reason.NameAtFreeMail, detail, f)}
			}
			return nil
		}
		words := nameWords(s.Author.Name)
		if h.Field("In-Reply-To") != nil {
			return nil
		}
		if len(words) == 0 {
			if s.Mass() && s.Known && s.Carrier() == nil && hollowName(s.Author.Name) && s.WellKnown() == nil {
				return []sluice.Evidence{at(reason.FromNameForeign, detail+": an office of nobody", f)}
			}
			return nil
		}
		for _, d := range s.Proved() {
			if s.Mass() && fitsDomain(words, d) {
				return []sluice.Evidence{at(reason.NameFitsProved, detail+", proved: "+check.Quote(d), f)}
			}
		}
		own := service.Of(s.Author.Domain)
		switch {
		case !follows(in, s.Mass()):
		case fitsDomain(words, s.Author.Domain):
			return []sluice.Evidence{at(reason.FromNameFits, detail, f)}
		case own != nil && own.Kind != service.Hosting: // sent for somebody by a service
		case fitsLocal(words, s.Author.Local):
			if s.Mass() && s.Modern && (s.Traffic == check.Campaign || !person(s)) {
				return []sluice.Evidence{at(reason.FromNameForeign, detail, f), at(reason.NameLocalOnly, detail, f)}
			}
		case s.Traffic != check.Personal || !s.Known:
			return []sluice.Evidence{at(reason.FromNameForeign, detail, f)}
		}
		return nil
	})
}

// hollowName says whether a name has words, and all of them say nothing of who it is.
func hollowName(name string) bool {
	words := allWords(name)
	return len(words) > 0 && ascii(name) && !slices.ContainsFunc(words, func(w string) bool { return !hollow[w] })
}

// person says whether the name is one of a person at a mailbox of his own: a given
// name and another, and the address made of them.
func person(s *check.Sender) bool {
	words := allWords(s.Author.Name)
	if len(words) < 2 || len(words) > 3 || !given[words[0]] && !given[words[1]] {
		return false
	}
	local := header.Lower(s.Author.Local)
	first, last := words[0], words[len(words)-1]
	return local == first+"."+last || local == first[:1]+last || local == first[:1]+"."+last || local == first || local == first+last[:1]
}

// office says whether a name at a mailbox provider is a firm's or an office's.
func office(s *check.Sender) bool {
	for _, w := range allWords(s.Author.Name) {
		if business[w] {
			return true
		}
	}
	return false
}

// follows says whether the message has an anchor to the web, or one to write to.
func follows(in *check.Input, write bool) bool {
	v := in.Message.View()
	for i := range v.Links {
		if l := &v.Links[i]; l.Source == links.FromAnchor && (l.Scheme == "http" || l.Scheme == "https" || write && l.Scheme == "mailto") {
			return true
		}
	}
	return false
}
