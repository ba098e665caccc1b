package link

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// newPersonal looks for the reader's own address in links. Behind "#" it is there for a
// script on the page, which fills in the name on a false login: servers never see that
// part. In the query plain addresses are common in honest mail; in disguise they are
// less so.
func newPersonal() check.Checker {
	return check.Func(check.Info{
		Name: "link/personal", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.LinkHoldsRecipient, reason.LinkRecipientEncoded},
	}, func(in *check.Input) []sluice.Evidence { return personal(in, clickable(in.Message.View())) })
}

// minNeedle is the shortest form of an address that is looked for.
const minNeedle = 8

func personal(in *check.Input, list []*links.Link) []sluice.Evidence {
	var s statements
	var mine *needles
	var long paths
	last := ""
	for _, l := range list {
		if !web(l) || len(l.Path) < minNeedle || l.Path == last {
			continue
		}
		last = l.Path
		path := l.Path[:min(len(l.Path), maxPath)]
		path, fragment, behind := strings.Cut(path, "#")
		if behind && len(fragment) >= 6 {
			if mine == nil {
				mine = needlesOf(in)
			}
			fragment = unescape(fragment)
			if mine.in(fragment, true) {
				s.add(reason.LinkHoldsRecipient, l, check.Quote(l.Raw))
			}
		}
		if !hasLong(path) {
			continue
		}
		if mine == nil {
			mine = needlesOf(in)
		}
		if long.links == nil {
			long.grow(len(list))
		}
		if long.add(l, path); long.full() {
			long.look(&s, mine)
		}
	}
	long.look(&s, mine)
	return s.list
}

// paths are looked through together: next to none holds anything.
type paths struct {
	links []*links.Link
	ends  []int // in text
	text  strings.Builder
}

const (
	maxPath  = 2000
	maxPaths = 32 << 10 // octets
)

// grow makes room for n links of common length.
func (p *paths) grow(n int) {
	p.links, p.ends = make([]*links.Link, 0, n), make([]int, 0, n)
	p.text.Grow(min(64*n, maxPaths))
}

func (p *paths) add(l *links.Link, path string) {
	p.text.WriteString(path)
	p.links, p.ends = append(p.links, l), append(p.ends, p.text.Len())
	p.text.WriteByte('\n')
}

func (p *paths) full() bool { return p.text.Len() > maxPaths }

// look states the first path that holds the reader's address in disguise, and forgets
// all.
func (p *paths) look(s *statements, mine *needles) {
	text, start := p.text.String(), 0
	if text != "" && mine.in(text, false) {
		for i, l := range p.links {
			if mine.in(text[start:p.ends[i]], false) {
				s.add(reason.LinkRecipientEncoded, l, check.Quote(l.Raw))
			}
			start = p.ends[i] + 1
		}
	}
	p.links, p.ends = p.links[:0], p.ends[:0]
	p.text.Reset()
}

// hasLong says whether a path has a word in which an encoded address could stand.
func hasLong(path string) bool {
	n := 0
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/' || c == '?' || c == '&' || c == '=' || c == '-' && n < minNeedle:
			n = 0
		default:
			if n++; n >= minNeedle {
				return true
			}
		}
	}
	return false
}

func unescape(s string) string {
	for range 3 {
		d, err := url.PathUnescape(s)
		if err != nil || d == s {
			return s
		}
		s = d
	}
	return s
}

// maxRecipients bounds how many addresses are looked for.
const maxRecipients = 5

// needles are the recipients' addresses as they may stand in a link.
type needles struct {
	plain  []string // lower case
	folded []string // encoded, in lower case whatever the link has
	exact  []string // encoded, as it is
}

func (n *needles) in(s string, plain bool) bool {
	has := func(s string, list []string) bool {
		return slices.ContainsFunc(list, func(x string) bool { return strings.Contains(s, x) })
	}
	low := header.Lower(s)
	return plain && has(low, n.plain) || has(s, n.exact) || has(low, n.folded)
}

func needlesOf(in *check.Input) *needles {
	n := &needles{}
	if in.Envelope != nil {
		for i, r := range in.Envelope.Rcpts {
			if i == maxRecipients {
				break
			}
			n.add(r.Address)
		}
	}
	for i, a := range in.Message.Addresses("To") {
		if i == maxRecipients {
			break
		}
		n.add(a.String())
	}
	return n
}

// urlSafe turns base64 into that of addresses (RFC 4648 5).
var urlSafe = strings.NewReplacer("+", "-", "/", "_")

func (n *needles) add(a string) {
	a = header.Lower(a)
	if len(a) < minNeedle || !strings.Contains(a, "@") || slices.Contains(n.plain, a) {
		return
	}
	n.plain = append(n.plain, a)
	n.folded = append(n.folded, hex.EncodeToString([]byte(a)), rot13(a), backwards(a))
	// The address may stand anywhere in what was encoded: at each of three places in a
	// group of base64. What depends on the neighbours is cut off.
	for before := range 3 {
		b := base64.RawStdEncoding.EncodeToString([]byte("xx"[:before] + a))
		b = b[(before*8+5)/6:]
		if (before+len(a))%3 != 0 {
			b = b[:len(b)-1]
		}
		n.exact = append(n.exact, b)
		if u := urlSafe.Replace(b); u != b {
			n.exact = append(n.exact, u)
		}
	}
}

func rot13(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return 'a' + (r-'a'+13)%26
		}
		return r
	}, s)
}

func backwards(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
