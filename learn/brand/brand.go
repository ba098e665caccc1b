// Package brand knows brands: the names that mail is forged in, and who has the right
// to use them.
//
// A [List] holds brands with their names and the domains that they send from and link
// to. One ships with the program, written by hand and dated ([Shipped]); an admin adds
// to it ([List.With]). [List.Find] finds all names of all brands in one pass over a
// text, however they are dressed up: look-alike letters, digits for letters, letters
// that stand apart.
//
// A [Table] remembers what a site has seen: which domains spoke under which name, were
// proved, and were delivered without a complaint, for how long; and whom our own people
// write to. See table.go for what makes a right of that, and what doesn't.
//
// # The file
//
// brands.txt has a brand a line, three columns parted by "|":
//
//	kind countries | name; another name | domain domain
//
// Countries are ISO 3166 codes in lower case, "-" is everywhere. A name with "*" behind
// it is a word of a language too, and "**" is what people are called: the bare word is no
// claim. A
// domain with "~" before it is linked to, and gives no right: anybody may send from there.
package brand

import (
	"bufio"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/message/links"
)

//go:embed brands.txt
var file string

// Kind is a line of business.
type Kind string

// The kinds.
const (
	Bank       Kind = "bank" // with brokers and credit agencies
	Payment    Kind = "payment"
	Parcel     Kind = "parcel"
	Post       Kind = "post"
	Telecom    Kind = "telecom"
	Streaming  Kind = "streaming" // with games
	Shop       Kind = "shop"
	Cloud      Kind = "cloud" // with mailboxes and hosting
	Software   Kind = "software"
	Signature  Kind = "esign" // with shared documents and protected mail
	Crypto     Kind = "crypto"
	Social     Kind = "social"
	Travel     Kind = "airline" // with railways, hotels and tolls
	Insurer    Kind = "insurer" // with health
	Government Kind = "government"
	Energy     Kind = "energy"
	Admins     Kind = "admin" // of the admin's own list
)

var kinds = []Kind{Bank, Payment, Parcel, Post, Telecom, Streaming, Shop, Cloud, Software, Signature, Crypto, Social, Travel, Insurer, Government, Energy, Admins}

// Name is one of a brand's names.
type Name struct {
	Text   string // as people write it
	Common bool   // it is a word of a language too: more must speak for a claim
	Person bool   // and it is what people are called
}

// Brand is one entry of a list.
type Brand struct {
	ID        string // stable: the first name in lower-case letters and digits
	Names     []Name // the first is the one to show
	Domains   []string
	Links     []string // domains that it links to and that give no right to speak
	Kind      Kind
	Countries []string // empty: everywhere
}

// String is the name to show.
func (b *Brand) String() string { return b.Names[0].Text }

// Sends says whether a host, or the domain of an address, is the brand's to speak from.
func (b *Brand) Sends(host string) bool { return within(b.Domains, host) }

// Owns says whether the brand links to a host: it speaks from there, or uses it.
func (b *Brand) Owns(host string) bool { return within(b.Domains, host) || within(b.Links, host) }

// Called says whether an organizational domain is called as one of the brand's, under
// another top-level domain: firms have more of them than any list knows.
func (b *Brand) Called(org string) bool {
	label, _, _ := strings.Cut(org, ".")
	return len(label) > 2 && len(label) < len(org) && slices.ContainsFunc(b.Domains, func(d string) bool {
		own, suffix, _ := strings.Cut(links.OrgDomain(d), ".")
		return own == label && suffix != "" // a top-level domain may be called as a product
	})
}

// within says whether host is one of domains or lies below one. Nobody writes from a
// top-level domain itself.
func within(domains []string, host string) bool {
	for _, d := range domains {
		if rest, ok := strings.CutSuffix(host, d); ok && (rest == "" && strings.Contains(d, ".") || strings.HasSuffix(rest, ".")) {
			return true
		}
	}
	return false
}

// List is a set of brands that doesn't change. It is safe for concurrent use.
type List struct {
	date     time.Time
	brands   []*Brand
	byID     map[string]*Brand
	byDomain map[string][]*Brand
	index    index
}

// Shipped is the list that goes with the program.
var Shipped = sync.OnceValue(func() *List {
	l, err := Parse(file)
	if err != nil {
		panic(err) // a test reads it
	}
	return l
})

// Bounds of a list.
const (
	maxBrands = 100_000
	maxName   = 80 // octets
)

// Parse reads a list in the form that the package comment describes. A line "date
// 2026-01-31" dates it; lines that begin with "#" are comments.
func Parse(text string) (*List, error) {
	var date time.Time
	var brands []Brand
	s := bufio.NewScanner(strings.NewReader(text))
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if d, ok := strings.CutPrefix(line, "date "); ok {
			t, err := time.Parse(time.DateOnly, d)
			if err != nil {
				return nil, fmt.Errorf("brand: line %d: %w", n, err)
			}
			date = t
			continue
		}
		b, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("brand: line %d: %w", n, err)
		}
		brands = append(brands, b)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("brand: %w", err)
	}
	return build(date, brands)
}

func parseLine(line string) (b Brand, err error) {
	cols := strings.Split(line, "|")
	if len(cols) != 3 {
		return b, fmt.Errorf("%d columns, want 3", len(cols))
	}
	head := strings.Fields(cols[0])
	if len(head) < 2 || !slices.Contains(kinds, Kind(head[0])) {
		return b, fmt.Errorf("want a kind and countries, have %.40q", cols[0])
	}
	b.Kind = Kind(head[0])
	if head[1] != "-" {
		b.Countries = head[1:]
	}
	for n := range strings.SplitSeq(cols[1], ";") {
		text := strings.TrimRight(n, " *")
		marks := strings.Count(n[len(text):], "*")
		b.Names = append(b.Names, Name{Text: strings.TrimSpace(text), Common: marks > 0, Person: marks > 1})
	}
	for _, d := range strings.Fields(cols[2]) {
		if link, ok := strings.CutPrefix(d, "~"); ok {
			b.Links = append(b.Links, link)
			continue
		}
		b.Domains = append(b.Domains, d)
	}
	return b, nil
}

// build checks brands and makes a list of them.
func build(date time.Time, brands []Brand) (*List, error) {
	if len(brands) > maxBrands {
		return nil, fmt.Errorf("brand: %d brands, at most %d", len(brands), maxBrands)
	}
	l := &List{date: date, byID: map[string]*Brand{}, byDomain: map[string][]*Brand{}}
	for i := range brands {
		b := &brands[i]
		if len(b.Names) == 0 || len(b.Domains) == 0 {
			return nil, fmt.Errorf("brand: entry %d has no name or no domain", i+1)
		}
		for _, n := range b.Names {
			if len(n.Text) > maxName || len(squash(n.Text)) < 2 {
				return nil, fmt.Errorf("brand: %.100q is no name of 2 letters to %d octets", n.Text, maxName)
			}
		}
		for _, d := range slices.Concat(b.Domains, b.Links) {
			if d == "" || strings.Trim(d, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || strings.Contains(d, "..") || d[0] == '.' || d[len(d)-1] == '.' {
				return nil, fmt.Errorf("brand: %s: %.100q is no domain in lower-case A-labels", b.Names[0].Text, d)
			}
		}
		if b.ID == "" {
			b.ID = squash(b.Names[0].Text)
		}
		if old := l.byID[b.ID]; old != nil {
			return nil, fmt.Errorf("brand: %s stands twice", b.ID)
		}
		l.byID[b.ID] = b
		l.brands = append(l.brands, b)
		for _, d := range b.Domains {
			l.byDomain[d] = append(l.byDomain[d], b)
		}
	}
	l.index.fill(l.brands)
	return l, nil
}

// Date is when the list was written; zero for one without a date.
func (l *List) Date() time.Time { return l.date }

// Len counts the brands.
func (l *List) Len() int { return len(l.brands) }

// All lists the brands in the order of the file. They must not be changed.
func (l *List) All() []*Brand { return l.brands }

// Lookup finds a brand by its ID or one of its names; nil where there is none.
func (l *List) Lookup(name string) *Brand {
	if b := l.byID[name]; b != nil {
		return b
	}
	return l.index.exact(squash(name))
}

// Of lists the brands that speak from a host or the domain of an address.
func (l *List) Of(host string) (list []*Brand) {
	for i := range 8 {
		if found := l.byDomain[host]; found != nil && (i > 0 || strings.Contains(host, ".")) {
			list = append(list, found...)
		}
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			break
		}
		host = rest
	}
	return list
}

// With is the list with more brands. One with the ID of a brand that is there adds
// names, domains and links to it.
func (l *List) With(more []Brand) (*List, error) {
	var brands []Brand
	at := map[string]int{}
	for _, list := range [][]Brand{copies(l.brands), more} {
		for _, b := range list {
			if b.ID == "" && len(b.Names) > 0 {
				b.ID = squash(b.Names[0].Text)
			}
			i, ok := at[b.ID]
			if !ok {
				at[b.ID] = len(brands)
				brands = append(brands, b)
				continue
			}
			old := &brands[i]
			for _, n := range b.Names {
				if !slices.ContainsFunc(old.Names, func(o Name) bool { return squash(o.Text) == squash(n.Text) }) {
					old.Names = append(slices.Clip(old.Names), n)
				}
			}
			old.Domains = append(slices.Clip(old.Domains), b.Domains...)
			old.Links = append(slices.Clip(old.Links), b.Links...)
		}
	}
	return build(l.date, brands)
}

func copies(list []*Brand) (out []Brand) {
	for _, b := range list {
		out = append(out, *b)
	}
	return out
}
