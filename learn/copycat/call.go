package copycat

import (
	"slices"
	"strings"

	"sluice/internal/domains"
	"sluice/message"
	"sluice/message/links"
)

// Call is a link that a message asks to be followed: a button, the largest words, the
// target that is repeated.
type Call struct {
	Site   string  // where it leads: the registrable domain; more of the address where anybody can have a place on it
	Host   string  // as a browser resolves it
	Words  string  // on it, in lower case; "" where it shows its own address
	Weight float64 // how prominent it is
	Button bool
	Index  int // of the link in the view

	first, last int    // of the links to the same place with the same words
	org         string // registrable domain of Host
	service     string // that counts the clicks; "" for none
	site, said  uint64 // hashes of Site and Words
	shape       uint64 // hash of the shape of Host, where clicks are counted; see shape
}

// Bounds of what is read of one message's links.
const (
	mostLinks = 400
	mostCalls = 6
)

// calls lists what a message leads to, the most prominent first, one for each site and
// words.
func (m *Memory) calls(v *message.View) []Call {
	var out []Call
	var last Call // most links of a message lead to one host
	type key struct{ site, words string }
	at := map[key]int{}
	repeated := map[string]int{}
	rank, read := 0, 0
	for i := range v.Links {
		l := &v.Links[i]
		if i == mostLinks {
			break
		}
		if l.Hidden || !clickable(l) {
			continue
		}
		t := unwrap(*l)
		if t.Host == "" {
			continue
		}
		if t.Host != last.Host {
			last = Call{Host: t.Host, org: links.OrgDomain(t.Host)}
			if s, ok := m.cfg.Tracker(t.Host); ok {
				last.service, last.shape = s, m.cfg.Prints.Hash(hashShape, shape(t.Host))
			}
		}
		c := Call{Site: place(&t, &last), Host: t.Host, Words: wording(l), Button: l.Look.Button, Index: i, first: i, last: i, org: last.org, service: last.service, shape: last.shape}
		if l.Source == links.FromText && (strings.Contains(l.Text, "://") || strings.HasPrefix(l.Text, "www.")) { // else it may be a file's name
			c.Words, read = before(v.Plain, l.Text, read)
		}
		if l.Conditional { // Outlook's twin of a button
			c.Words = ""
		}
		c.Weight = weight(l, c.Words, rank)
		rank++
		repeated[c.Site+l.Path]++
		if n := repeated[c.Site+l.Path]; n > 1 && n < 4 {
			c.Weight += 0.5
		}
		k := key{c.Site, c.Words}
		if j, ok := at[k]; ok {
			c.first, c.site, c.said = out[j].first, out[j].site, out[j].said
			if c.Weight > out[j].Weight {
				out[j] = c
			}
			out[j].last = i
			continue
		}
		at[k] = len(out)
		c.site = m.cfg.Prints.Hash(hashSite, c.Site)
		if c.Words != "" {
			c.said = m.cfg.Prints.Hash(hashWords, c.Words)
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Call) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return 0
	})
	return out
}

// clickable says whether a person can follow the link to a site, or sends a form
// there.
func clickable(l *links.Link) bool {
	switch l.Source {
	case links.FromAnchor, links.FromForm, links.FromText:
		return l.Host != "" && (l.Scheme == "http" || l.Scheme == "https" || l.Scheme == "ftp" || l.Scheme == "")
	}
	return false
}

// weight says how prominent a link is; rank counts the links before it.
func weight(l *links.Link, words string, rank int) float64 {
	const (
		logo   = 15_000 // px²: pictures up to here are logos and icons
		banner = 40_000
	)
	w := 2.0
	switch {
	case l.Source == links.FromForm:
		return 8
	case l.Source == links.FromText:
		w = 2.5 // stands there with its whole address
	case l.Look.Button:
		w = 7
	case l.Look.Area >= banner:
		w = 5
	case l.Look.Area >= logo:
		w = 4
	case l.Look.Area == links.Unsized:
		w = 2.5
	case l.Look.Area > 0 && l.Look.Size == 0:
		w = 1
	}
	switch s := l.Look.Size; {
	case s >= 20:
		w += 2
	case s >= 16:
		w += 0.5
	case s > 0 && s <= 12 && !l.Look.Button:
		w--
	}
	if rank == 0 {
		w += 0.5
	}
	if !l.Look.Button && l.Look.Area < banner && l.Look.Size < 18 && formal(words) {
		w -= 2
	}
	return max(w, 0)
}

// formalities are words of links that every campaign has, in the languages that we
// meet most.
var formalities = strings.Fields(`unsubscribe preferences privacy browser imprint terms legal cookies opt-out contact help faq
	abmelden abbestellen datenschutz impressum einstellungen newsletter agb kontakt hilfe désabonner désinscrire confidentialité préférences mentions navigateur
	baja cancelar privacidad preferencias navegador condiciones annulla disiscriviti iscrizione preferenze afmelden voorkeuren privacyverklaring
	facebook instagram twitter linkedin youtube tiktok pinterest`)

// formal says whether the words on a link are of the small print.
func formal(words string) bool {
	if words == "" || len(words) > 80 {
		return false
	}
	for f := range strings.FieldsSeq(words) {
		if slices.Contains(formalities, strings.Trim(f, ".,:!?()|»›>")) {
			return true
		}
	}
	return false
}

// wording is what a link says, without what differs between copies; "" where that is
// an address.
func wording(l *links.Link) string {
	const most = 120
	if l.Source != links.FromAnchor || strings.Contains(l.Text, "://") || strings.HasPrefix(l.Text, "www.") {
		return ""
	}
	s := lookalikes.Replace(normal(l.Text, 4*most))
	s = strings.Trim(s, " .,:;!?>»›→-[]()\"'")
	if strings.Trim(s, "0 .,-[]()") == "" || len(s) > most || strings.Contains(s, "@") || !strings.Contains(s, " ") && strings.Contains(s, ".") {
		return ""
	}
	return s
}

// lookalikes turns letters back that common fonts draw like Latin ones, also where
// they are a word of their own: wordings are only compared.
var lookalikes = strings.NewReplacer("а", "a", "е", "e", "о", "o", "р", "p", "с", "c", "х", "x", "у", "y", "і", "i", "ѕ", "s", "ј", "j", "ԁ", "d", "ο", "o", "ν", "v", "α", "a", "ρ", "p", "ι", "i")

// before is what a text says in front of an address on its line, or on the line above;
// it looks from an offset on, and returns the offset behind.
func before(s, address string, from int) (string, int) {
	i := strings.Index(s[from:], address)
	if i < 0 || address == "" {
		return "", from
	}
	i += from
	start := max(i-200, from, 0)
	lines := strings.Split(strings.TrimRight(s[start:i], " \t\r\n"), "\n")
	l := links.Link{Source: links.FromAnchor, Text: lines[len(lines)-1]}
	return wording(&l), i + len(address)
}

// place is what tells one owner's web space from another's: the registrable domain,
// and more where one domain serves many.
func place(l *links.Link, c *Call) string {
	switch {
	case domains.Shortener(l.Host):
		return l.Host + segments(l.Path, 1)
	case domains.FreeHost(l.Host) || shared[l.Host]:
		return l.Host + segments(l.Path, 3)
	case c.service != "":
		return l.Host
	}
	return c.org
}

// shape is what the hosts of a service that change have in common: a label that ends
// in digits with "0" for them, and "*" for one that digits run through.
func shape(host string) string {
	b := make([]byte, 0, len(host))
	for l := range strings.SplitSeq(host, ".") {
		if len(b) > 0 {
			b = append(b, '.')
		}
		name := strings.TrimRight(l, "0123456789")
		switch {
		case strings.ContainsAny(name, "0123456789"):
			b = append(b, '*')
		case len(name) < len(l):
			b = append(append(b, name...), '0')
		default:
			b = append(b, l...)
		}
	}
	return string(b)
}

// rotating are the shapes of those hosts of services of which a message uses several.
func rotating(calls []Call) map[uint64]bool {
	var out map[uint64]bool
	hosts := map[uint64][]string{}
	for i := range calls {
		c := &calls[i]
		if s := hosts[c.shape]; c.shape != 0 && len(s) < leastRotating && !slices.Contains(s, c.Host) {
			if hosts[c.shape] = append(s, c.Host); len(s)+1 == leastRotating {
				if out == nil {
					out = map[uint64]bool{}
				}
				out[c.shape] = true
			}
		}
	}
	return out
}

// leastRotating is from how many hosts of one shape on a message's links rotate.
const leastRotating = 3

// shared are hosts where anybody may put a form, a page or a file below a path.
var shared = map[string]bool{
	"docs.google.com": true, "drive.google.com": true, "sites.google.com": true, "forms.gle": true, "forms.office.com": true, "storage.googleapis.com": true,
	"1drv.ms": true, "onedrive.live.com": true, "www.dropbox.com": true, "dropbox.com": true, "telegra.ph": true, "www.canva.com": true, "sway.office.com": true,
	"www.google.com": true, "google.com": true, "linkedin.com": true, "www.linkedin.com": true, "t.me": true, "wa.me": true, "gist.github.com": true, "medium.com": true,
}

// segments is the beginning of a path.
func segments(path string, n int) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	for i := range len(path) {
		if path[i] == '/' && i > 0 {
			if n--; n == 0 {
				return path[:min(i, 120)]
			}
		}
	}
	return path[:min(len(path), 120)]
}

// unwrap takes off what mail gateways put around links, where it shows the target.
func unwrap(l links.Link) links.Link {
	for range 3 {
		if !domains.Rewriter(l.Host) {
			return l
		}
		t := target(&l)
		if t.Host == "" {
			return l
		}
		l = t
	}
	return l
}

// target is the address that a rewritten link carries.
func target(l *links.Link) links.Link {
	const most = 4096
	path := l.Path[:min(len(l.Path), most)]
	if i := strings.Index(path, "/v3/__"); i >= 0 { // urldefense.com/v3/__http://site/path__;…
		rest, _, _ := strings.Cut(path[i+6:], "__;")
		if strings.HasPrefix(rest, "http:/") && !strings.HasPrefix(rest, "http://") {
			rest = "http://" + rest[6:]
		} else if strings.HasPrefix(rest, "https:/") && !strings.HasPrefix(rest, "https://") {
			rest = "https://" + rest[7:]
		}
		return links.Parse(rest)
	}
	_, query, _ := strings.Cut(path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "url", "u", "a", "redirectUrl":
			if name == "u" && strings.Contains(l.Host, "urldefense") { // v1 and v2: "-" for "%", "_" for "/"
				value = strings.NewReplacer("-", "%", "_", "/").Replace(value)
			}
			if t := links.Parse(unescape(value)); t.Scheme == "http" || t.Scheme == "https" {
				return t
			}
		}
	}
	return links.Link{}
}

// unescape decodes percent signs; a bad one stays.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	hex := func(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0 {
			b.WriteByte(byte(hex(s[i+1])<<4 | hex(s[i+2])))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
