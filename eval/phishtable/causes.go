package main

import (
	"strings"
	"unicode"

	"sluice"
	"sluice/internal/domains"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// cause is why a message may have passed. The first that fits is a message's.
type cause struct {
	name string
	fits func(*phish) bool
}

var causes = []cause{
	{"its words alone speak for it: the text model", func(p *phish) bool {
		return without(p.Ledger, func(r sluice.Reason) bool { return r == reason.TextHam }) >= heldAt
	}},
	{"near the threshold, by 3 dB", func(p *phish) bool { return p.Score >= heldAt-3 }},
	{"from the brand's own address, and nobody could ask whether it is proved", func(p *phish) bool {
		d := domainOf(p.m)
		return len(brand.Shipped().Of(d)) > 0 && service.Of(d) == nil
	}},
	{"a platform sends what its users write", func(p *phish) bool {
		s := service.Of(domainOf(p.m))
		return s != nil && s.Kind != service.Mailbox && s.Kind != service.Hosting
	}},
	{"a mailbox at a provider", func(p *phish) bool { return domains.FreeMail(domainOf(p.m)) }},
	{"a file or picture has it all", func(p *phish) bool {
		v := p.m.View()
		return len(strings.TrimSpace(v.Text)) < fewLetters && (files(p.m) || pictures(v))
	}},
	{"nothing to follow but an answer", func(p *phish) bool { return len(hosts(p.m)) == 0 }},
	{"leads to a platform, a shortener or a counter of clicks", func(p *phish) bool {
		for _, h := range hosts(p.m) {
			if service.Of(h) != nil || domains.FreeHost(h) || domains.Shortener(h) || domains.Counter(h) || domains.Rewriter(h) {
				return true
			}
		}
		return false
	}},
	{"a script that the text model hardly knows", func(p *phish) bool { return foreign(p.m.View().Text) }},
	{"no brand is named, or none that is listed", func(p *phish) bool {
		for _, e := range p.Ledger {
			if strings.HasPrefix(string(e.Reason), "BRAND_") && e.Raw > 0 {
				return false
			}
		}
		return true
	}},
	{"a brand is named, and little else is wrong", func(*phish) bool { return true }},
}

func causeOf(p *phish) string {
	for _, c := range causes {
		if c.fits(p) {
			return c.name
		}
	}
	return ""
}

func domainOf(m *message.Message) string {
	a, _ := m.From()
	return header.Lower(a.Domain)
}

// hosts lists where links lead that a person can follow.
func hosts(m *message.Message) (out []string) {
	v := m.View()
	for i := range v.Links {
		l := &v.Links[i]
		if (l.Source == links.FromAnchor || l.Source == links.FromText || l.Source == links.FromForm) && l.Host != "" && (l.Scheme == "http" || l.Scheme == "https") {
			out = append(out, l.Host)
		}
	}
	return out
}

// foreign says whether most letters of a text aren't Latin.
func foreign(s string) bool {
	latin, all := 0, 0
	for _, r := range s[:min(len(s), maxText)] {
		if unicode.IsLetter(r) {
			all++
			if unicode.Is(unicode.Latin, r) {
				latin++
			}
		}
	}
	return all > 0 && latin*2 < all
}
