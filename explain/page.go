package explain

import (
	"cmp"
	"strings"
	"time"

	"sluice"
	"sluice/explain/ref"
	"sluice/reason"
)

// Page is the text of the public why page: words and facts, no markup. Whoever
// has the link may read it, so it holds no more than the token did.
type Page struct {
	Title  string       // the class words
	What   string       // what is wrong, a sentence
	Fix    string       // what to do, a sentence
	Retry  bool         // temporary: the sender's server tries again by itself
	Causes []Cause      // the leading one first
	Facts  [][2]string  // name and value, to be quoted when asking
	Phase  sluice.Phase // when it was refused
}

// Cause is one reason on the page.
type Cause struct {
	ID     string
	Words  string // the paragraph
	Fix    string
	Source string
}

// WhyPage renders the facts of a token.
func WhyPage(f ref.Facts) Page {
	p := Page{Retry: f.Code/100 == 4, Phase: f.Phase}
	for i, id := range f.Reasons {
		e, ok := reason.Lookup(string(id))
		if !ok {
			continue
		}
		if p.Title == "" && i == 0 && e.Code != 0 {
			p.Title = titleOf(f, e)
			p.What, p.Fix = sentence(e.Reply), sentence(e.Fix)
		}
		p.Causes = append(p.Causes, Cause{ID: e.ID, Words: e.Page, Fix: sentence(e.Fix), Source: e.Source})
	}
	if p.Title == "" {
		e, _ := reason.Lookup(reason.Unwanted)
		if p.Retry {
			e, _ = reason.Lookup(reason.LocalError)
		}
		p.Title = Class(f.Threat, false, e.Code, e.Enhanced)
		p.What, p.Fix = sentence(e.Reply), sentence(e.Fix)
	}
	p.Facts = pageFacts(f)
	return p
}

// titleOf are the class words that the reply began with. A soft fact that leads a
// refused message stands for a sum, which has the words of the verdict's threat
// ([Reply]); every other reason speaks for itself ([Reason]).
func titleOf(f ref.Facts, e reason.Entry) string {
	if f.Phase == sluice.PhaseMessage && f.Code/100 == 5 && e.Code/100 == 5 && e.Hard == "" && e.Group != "delivery" {
		return Class(cmp.Or(f.Threat, sluice.ThreatSpam), false, f.Code, summed(e).Enhanced)
	}
	return Class(threatOf(e), e.Hard == "stop", f.Code, e.Enhanced)
}

func pageFacts(f ref.Facts) [][2]string {
	facts := [][2]string{
		{"Reference", Escape(f.ID, 40)},
		{"Time", f.Time.UTC().Format(time.RFC1123)},
		{"Phase", f.Phase.String()},
	}
	if f.Client.IsValid() {
		facts = append(facts, [2]string{"Your server", Escape(f.Client.String(), 60)})
	}
	if f.Helo != "" {
		facts = append(facts, [2]string{"Its greeting", Escape(f.Helo, 100)})
	}
	if f.Node != "" {
		facts = append(facts, [2]string{"Our server", Escape(f.Node, 60)})
	}
	return facts
}

// sentence makes a sentence of the catalogue's words.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
