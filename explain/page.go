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
	Lang   string // of Words and Fix
}

// WhyPageIn is [WhyPage] in another language, as far as the catalogue has it: what isn't
// translated stays English, and says so in Cause.Lang. Title and facts' names stay
// English too; they are few and closed, so the page has its own table of them. What is
// the reply's sentence, which is English always, and left out.
func WhyPageIn(f ref.Facts, lang string) Page {
	p := WhyPage(f)
	if lang == "en" {
		return p
	}
	p.What = ""
	for i := range p.Causes {
		c := &p.Causes[i]
		if w, ok := reason.In(lang, c.ID); ok {
			c.Words, c.Fix, c.Lang = w.Page, w.Fix, lang
		}
	}
	if len(p.Causes) > 0 {
		p.Fix = p.Causes[0].Fix
	} else if w, ok := reason.In(lang, reason.Unwanted); ok && !p.Retry {
		p.What, p.Fix = w.Page, w.Fix
	}
	return p
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
		p.Causes = append(p.Causes, Cause{ID: e.ID, Words: e.Page, Fix: sentence(e.Fix), Source: e.Source, Lang: "en"})
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
// refused message stands for a sum, and so does [reason.Unwanted]; a sum has the words
// of the verdict's threat ([Reply]). Every other reason speaks for itself ([Reason]).
func titleOf(f ref.Facts, e reason.Entry) string {
	if f.Phase == sluice.PhaseMessage && f.Code/100 == 5 && e.Code/100 == 5 && e.Hard == "" && (e.Group != "delivery" || e.ID == reason.Unwanted) {
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
