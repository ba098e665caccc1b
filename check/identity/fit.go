package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// newFit compares the sender's name with its domain in mail that has links to
// follow. Firms call themselves as their domain does; who borrows a name has to
// send from a domain that doesn't fit. People's names fit their local part.
func newFit() check.Checker {
	return check.Func(check.Info{
		Name: "identity/fit", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.FromNameForeign, reason.FromNameFits},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		author, ok := from(in.Message)
		if !ok || domains.FreeMail(org(author.Domain)) || onList(h) || !follows(in) {
			return nil
		}
		words := nameWords(author.Name)
		if len(words) == 0 {
			return nil
		}
		detail := check.Quote(author.Name) + " at " + check.Quote(author.Domain)
		switch {
		case fitsDomain(words, author.Domain):
			return []sluice.Evidence{at(reason.FromNameFits, detail, h.Field("From"))}
		case fitsLocal(words, author.Local), domains.Counter(author.Domain): // sent for somebody by a service
			return nil
		}
		return []sluice.Evidence{at(reason.FromNameForeign, detail, h.Field("From"))}
	})
}

// onList says whether a discussion list has had the message; newsletters have
// List-Unsubscribe alone.
func onList(h *header.Header) bool {
	for _, name := range [...]string{"List-Id", "List-Post", "X-Mailing-List", "X-BeenThere", "In-Reply-To"} {
		if h.Field(name) != nil {
			return true
		}
	}
	return false
}

// follows says whether the message has an anchor to the web.
func follows(in *check.Input) bool {
	v := in.Message.View()
	for i := range v.Links {
		if l := &v.Links[i]; l.Source == links.FromAnchor && (l.Scheme == "http" || l.Scheme == "https") {
			return true
		}
	}
	return false
}

// hollow words say nothing of who the sender is.
var hollow = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`the and von van der via from for your our new no not reply noreply team support service services customer customers client clients care info
		information account accounts alert alerts notification notifications notice news newsletter update updates security secure mail email e-mail online official admin
		administrator help helpdesk desk billing payment payments invoice invoices order orders shipping delivery department dept center centre office inc ltd llc corp gmbh group
		company com net org www kundenservice kundendienst servicio atencion cliente suporte atendimento mailer daemon postmaster system message messages center`) {
		m[w] = true
	}
	return m
}()

// nameWords lists the telling words of a name in lower-case ASCII; names in
// other scripts have none.
func nameWords(name string) []string {
	if len(name) > 200 {
		name = name[:200]
	}
	var out []string
	for w := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		if len(w) >= 3 && len(w) <= 30 && !hollow[w] && ascii(w) && strings.ContainsFunc(w, unicode.IsLetter) {
			if out = append(out, w); len(out) == 12 {
				break
			}
		}
	}
	return out
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// fitsDomain: a word stands in the domain, the domain's label in the joined
// words, or their initials are the label.
func fitsDomain(words []string, domain string) bool {
	label, _, _ := strings.Cut(org(domain), ".")
	label = strings.ReplaceAll(label, "-", "")
	rest := strings.ReplaceAll(domain, "-", "")
	for _, w := range words {
		if strings.Contains(label, w) || len(w) >= 4 && strings.Contains(rest, w) || len(label) >= 3 && strings.HasPrefix(w, label) {
			return true
		}
	}
	joined := strings.Join(words, "")
	if len(label) >= 3 && strings.Contains(joined, label) {
		return true
	}
	var initials strings.Builder
	for _, w := range words {
		initials.WriteByte(w[0])
	}
	return len(label) >= 2 && initials.String() == label
}

// fitsLocal: a word, or its beginning, stands in the local part.
func fitsLocal(words []string, local string) bool {
	local = header.Lower(local)
	for _, w := range words {
		if strings.Contains(local, w[:min(len(w), 5)]) {
			return true
		}
	}
	return false
}
