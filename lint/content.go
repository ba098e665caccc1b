package lint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"sluice"
	"sluice/internal/domains"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/lint/report"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// web says whether a link leads to a web page that people may open.
func web(l *links.Link) bool {
	return (l.Scheme == "http" || l.Scheme == "https") && l.Host != "" && (l.Source == links.FromAnchor || l.Source == links.FromText)
}

// places are where the links lead: the organizations, by how many links.
type places struct {
	all   int // links
	own   int // of them, to the author's own domain
	count map[string]int
}

// order lists the organizations, most linked to first.
func (p *places) order() []string {
	return slices.SortedFunc(maps.Keys(p.count), func(a, b string) int {
		return cmp.Or(-cmp.Compare(p.count[a], p.count[b]), strings.Compare(a, b))
	})
}

// ownPlace says whether a host is the author's: of the same organization, or of the same
// well-known brand.
func (s *subject) ownPlace(host string) bool {
	if s.org == "" || s.sender.Free {
		return false
	}
	if links.OrgDomain(host) == s.org {
		return true
	}
	return slices.ContainsFunc(brand.Shipped().Of(s.author.Domain), func(b *brand.Brand) bool { return b.Owns(host) })
}

// places counts the links.
func (s *subject) places() places {
	p := places{count: map[string]int{}}
	for i := range s.view.Links {
		l := &s.view.Links[i]
		if !web(l) || l.Hidden {
			continue
		}
		p.all++
		if s.ownPlace(l.Host) {
			p.own++
		}
		p.count[links.OrgDomain(l.Host)]++
	}
	return p
}

// links is where the message leads.
func (s *subject) links() {
	s.section("links", "Where it leads", true)
	p := s.places()
	if p.all == 0 {
		s.fact(report.Info, "links", "none")
		return
	}
	f := s.fact(report.Info, "links", fmt.Sprintf("%d, %d of them to the author's own domain", p.all, p.own))
	for i, o := range p.order() {
		if i == 10 {
			f.More = append(f.More, fmt.Sprintf("and %d more places", len(p.count)-i))
			break
		}
		line := fmt.Sprintf("%d to %s", p.count[o], o)
		if c := service.Of(o); c != nil {
			line += " (a service)"
		}
		f.More = append(f.More, quote(line))
	}
	s.kinds()
}

// kinds looks at how links are written and at what kind of place they lead to.
func (s *subject) kinds() {
	type kind struct {
		id, what, do string
		need         report.Need
		takes        []sluice.Reason
		is           func(l *links.Link) bool
	}
	for _, k := range []kind{
		{"link-http", "Links without encryption.", "Link with https: browsers warn of the rest.", report.Should, nil,
			func(l *links.Link) bool { return strings.HasPrefix(header.Lower(strings.TrimSpace(l.Raw)), "http:") }},
		{"link-shortener", "Links by a shortener, whose targets nobody sees and which many lists block.", "Link to the page itself, or to a redirector under your own domain.", report.Should,
			[]sluice.Reason{reason.LinkShortener}, func(l *links.Link) bool { return domains.Shortener(l.Host) }},
		{"link-ip", "Links to an address in place of a name.", "Link to a host name of your own.", report.Must,
			[]sluice.Reason{reason.LinkIPHost, reason.LinkNumberHost}, func(l *links.Link) bool {
				return strings.Trim(l.Host, "0123456789.") == "" || strings.Contains(l.Host, ":")
			}},
		{"link-text", "A link shows the address of one site and leads to another.", "Show words instead of an address, or lead to the address that is shown; count clicks under a subdomain of your own.", report.Must,
			[]sluice.Reason{reason.LinkTextMismatch, reason.LinkTextTracked}, func(l *links.Link) bool { return s.mismatched(l) && !s.ownPlace(l.Host) }},
		{"link-counted", "A link shows the address of a site and leads through your counter of clicks.", "Show words instead of an address: readers are taught to distrust a text that differs from where it leads.", report.Should,
			[]sluice.Reason{reason.LinkTextTracked}, func(l *links.Link) bool { return s.mismatched(l) && s.ownPlace(l.Host) }},
		{"link-odd", "Links are spelled in ways that browsers have to mend.", "Write them plainly: https://host/path.", report.Should,
			[]sluice.Reason{reason.LinkOddSpelling, reason.LinkUser, reason.LinkPort, reason.LinkMixedScript},
			func(l *links.Link) bool { return l.Odd&^(links.OddIDN|links.OddDot) != 0 }},
	} {
		n, first := 0, ""
		for i := range s.view.Links {
			if l := &s.view.Links[i]; web(l) && !l.Hidden && k.is(l) {
				if n++; n == 1 {
					first = l.Raw
					if k.id == "link-text" || k.id == "link-counted" {
						first = l.Text + " leads to " + l.Host
					}
				}
			}
		}
		if n == 0 {
			continue
		}
		level := report.Warn
		if k.need == report.Must {
			level = report.Bad
		}
		s.fact(level, strings.TrimSuffix(k.what, "."), fmt.Sprint(n))
		s.advise(fix{Advice: report.Advice{ID: k.id, Area: "links", Need: k.need, Standard: true, What: k.what, Seen: quote(first), Do: k.do, Source: "practice"}, takes: k.takes})
	}
}

// mismatched says whether a link's text is an address of another organization.
func (s *subject) mismatched(l *links.Link) bool {
	text := strings.TrimSpace(l.Text)
	if l.Source != links.FromAnchor || text == "" || len(text) > 500 || strings.ContainsFunc(text, unicode.IsSpace) {
		return false
	}
	found := links.FindInText(text, 1)
	if len(found) == 0 || found[0].Scheme == "mailto" || found[0].Host == "" {
		return false
	}
	return links.OrgDomain(found[0].Host) != links.OrgDomain(l.Host)
}

// fewLetters is text that says less than the pictures beside it.
const fewLetters = 150

// pictures is how the message looks without and with its pictures.
func (s *subject) pictures() {
	list := s.html.pictures
	if len(list) == 0 {
		return
	}
	s.section("pictures", "Pictures", true)
	var pixels, noAlt, noSize, plain, data, shown int
	hosts := map[string]int{}
	for i := range list {
		p := &list[i]
		if p.host != "" {
			hosts[links.OrgDomain(p.host)]++
			if !p.secure {
				plain++
			}
		}
		if p.data {
			data++
		}
		if p.pixel() {
			pixels++
			continue
		}
		shown++
		if !p.alt {
			noAlt++
		}
		if p.width < 0 {
			noSize++
		}
	}
	letters := 0
	for _, r := range s.view.Text {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	f := s.fact(report.Info, "pictures", fmt.Sprintf("%d that show, %d letters of text", shown, letters))
	f.More = append(f.More, from(hosts)...)
	if shown > 0 && letters < fewLetters || s.has(reason.ImageOnly) {
		f.Level = report.Bad
		s.advise(fix{Advice: report.Advice{ID: "image-only", Area: "pictures", Need: report.Should, Standard: true,
			What: fmt.Sprintf("The message is pictures with %d letters of text.", letters), Do: "Write what matters as text: many readers see no pictures, and filters can't read them.", Source: "practice"},
			takes: []sluice.Reason{reason.ImageOnly, reason.ImageMap}})
	}
	if noAlt > 0 {
		s.fact(report.Warn, "without alt text", fmt.Sprint(noAlt))
		s.advise(fix{Advice: report.Advice{ID: "alt", Area: "pictures", Need: report.Could, Standard: true,
			What: counted(noAlt, "picture has", "pictures have") + " no alternative text.", Do: `Give each an alt text, alt="" for ornaments.`, Source: "WCAG 1.1.1"}})
	}
	if noSize > 0 {
		s.fact(report.Info, "without width", fmt.Sprint(noSize))
	}
	if plain > 0 {
		s.fact(report.Warn, "fetched without encryption", fmt.Sprint(plain))
		s.advise(fix{Advice: report.Advice{ID: "image-http", Area: "pictures", Need: report.Could, Standard: true,
			What: counted(plain, "picture is", "pictures are") + " fetched without encryption.", Do: "Serve them by https.", Source: "practice"}})
	}
	if data > 0 {
		s.fact(report.Warn, "data: pictures", fmt.Sprint(data))
		s.advise(fix{Advice: report.Advice{ID: "image-data", Area: "pictures", Need: report.Could, Standard: true,
			What: counted(data, "picture stands", "pictures stand") + " inside the HTML as data: addresses, which Gmail and Outlook don't show.", Do: "Serve them by https, or attach them and refer to them by cid:.", Source: "practice"}})
	}
	if pixels > 0 {
		s.fact(report.Info, "tracking pixels", fmt.Sprint(pixels)).Why = "readers who care about their privacy, and Apple's and Google's proxies, make what they count unreliable"
	}
}

func from(hosts map[string]int) (out []string) {
	p := places{count: hosts}
	for i, o := range p.order() {
		if i == 5 {
			return append(out, fmt.Sprintf("and from %d more places", len(hosts)-i))
		}
		out = append(out, quote(fmt.Sprintf("%d from %s", hosts[o], o)))
	}
	return out
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
