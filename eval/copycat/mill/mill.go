// Package mill writes mail as companies send it, copies of it as criminals make them,
// and what happens to the genuine article on its way: forwards, replies, lists. All of
// it comes from a seed, so that a run can be repeated. Brands, addresses and texts are
// made up; the domains are below names that are reserved for examples or that nobody
// is meant to ask for.
//
// It is not made to be easy for whoever tells the two apart. Brands share the
// templates of the service that sends for them, legal notices, and phrases; two brands
// of one trade write nearly the same of the same matter.
package mill

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Brand is a sender.
type Brand struct {
	Name   string
	Domain string
	Lang   string
	Habit  *Habit
	Trade  int // chooses products and kinds
	id     uint64
}

// Habit is how a sender's mail is made and sent.
type Habit struct {
	Name     string
	Tracks   func(b *Brand, r *rand.Rand, to string) string // makes a link that is counted
	Pictures func(b *Brand, name string) string             // where pictures are; "" for enclosed ones
	Text     bool                                           // a text alternative as well
	Only     bool                                           // plain text only
	Encoding string                                         // "qp", "base64", "8bit"
	Before   bool                                           // a hidden line for the list of messages
	First    int                                            // first of its layouts
	Layouts  int
	Classes  bool
}

// Kinds of blocks.
const (
	Heading = iota
	Para
	Button
	Picture
	Card
	Row // of a receipt
	Small
)

// Block is a piece of a message.
type Block struct {
	Kind  int
	Text  string
	Value string // of a Row
	Path  string // on the sender's site that it leads to; "": nowhere
	Link  string // how it leads there in this copy
	Call  bool   // the call to action
}

// Mail is a message before it is laid out.
type Mail struct {
	Brand    *Brand
	Kind     string
	FromName string
	From     string
	To       string
	Subject  string
	Before   string
	Blocks   []Block
	Footer   []Block
	Layout   int
	Look     uint64 // colours, fonts, names of classes
	Logo     string // address of the picture; "" for none
	Home     string // where the logo leads
	Cid      bool
	Hidden   string // text that isn't shown, in front
	Above    string // HTML in front of everything
	Below    string // HTML behind everything
	Fields   string // further header fields
	Only     bool
	Encoding string
	Text     bool
}

func seeded(parts ...uint64) *rand.Rand {
	var h uint64 = 0x9e3779b97f4a7c15
	for _, p := range parts {
		h = (h ^ p) * 0xff51afd7ed558ccd
		h ^= h >> 32
	}
	return rand.New(rand.NewPCG(h, 7))
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// capital writes a name with a capital; names are ASCII.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func token(r *rand.Rand, n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

// Brands makes n brands.
func Brands(n int) []*Brand {
	out := make([]*Brand, n)
	seen := map[string]bool{}
	r := seeded(1)
	for i := range out {
		b := &Brand{Lang: languages[i%len(languages)], Habit: &habits[i%len(habits)], Trade: r.IntN(len(products)), id: uint64(i + 1)}
		for b.Name == "" || seen[b.Name] {
			b.Name = pick(r, heads) + pick(r, tails)
		}
		seen[b.Name] = true
		label := strings.ToLower(b.Name)
		if i%5 == 4 { // two words
			b.Name = capital(label[:len(label)/2]) + " " + capital(label[len(label)/2:])
		}
		if i%7 == 6 { // the domain says less than the name
			b.Name += " " + pick(r, []string{"Group", "Direct", "Online", "Bank", "Market"})
		}
		b.Domain = label + pick(r, []string{".com", ".com", ".org", ".net", ".de", ".co.uk", ".fr", ".es", ".io"})
		out[i] = b
	}
	return out
}

var languages = []string{"en", "en", "de", "en", "fr", "es", "en", "it", "nl"}

var heads = strings.Fields(`Alta Bram Cedra Dorn Elvi Fenna Garo Halden Isera Jolan Kesto Lumen Marra Norda Ostra Pella Quira Rosto Savel Tarva Ulmo Venti Wexa Yaro Zell
	Ambra Birka Corvo Delta Estra Falco Grano Hexa Indi Juno Kappa Lyra Miro Nexa Orbi Polar Quanta Rivo Solar Terra`)

var tails = strings.Fields(`mart bank line shop post air fit wear cloud pay books kauf haus stream desk care lab works travel phone energy foods games bikes garden music parcel mobil optik`)

// Campaign writes the n-th campaign of a brand, as it goes to its first recipient.
func Campaign(b *Brand, n int) *Mail { return issue(b, n, 0) }

// issue writes a campaign; the same n and another issue is a later one with the same
// frame and other matter.
func issue(b *Brand, n, issue int) *Mail {
	r := seeded(b.id, uint64(n))
	bank := texts[b.Lang]
	kind := kindsOf(b.Lang)[r.IntN(len(kindsOf(b.Lang)))]
	k := bank[kind]
	m := &Mail{Brand: b, Kind: kind, FromName: b.Name, From: pick(r, []string{"news", "no-reply", "service", "hello", "info"}) + "@" + pick(r, []string{"", "mail.", "e."}) + b.Domain,
		Layout: b.Habit.First + r.IntN(b.Habit.Layouts), Look: b.id, Cid: b.Habit.Pictures == nil, Home: "https://www." + b.Domain + "/", Only: b.Habit.Only, Encoding: b.Habit.Encoding, Text: b.Habit.Text}
	if r.IntN(3) == 0 {
		m.FromName = b.Name + pick(r, []string{" Service", " Team", " News", ""})
	}
	if !m.Cid {
		m.Logo = b.Habit.Pictures(b, "logo.png")
	}
	slots := slotsOf(b, r)
	if issue > 0 {
		r = seeded(b.id, uint64(n), uint64(issue))
		slots = slotsOf(b, r)
	}
	say := func(s string) string { return fill(s, slots, r) }
	m.Subject = say(pick(r, k.subjects))
	m.Before = say(pick(r, k.sentences))
	m.Blocks = append(m.Blocks, Block{Kind: Heading, Text: say(pick(r, k.heads))})
	if r.IntN(3) > 0 {
		m.Blocks = append(m.Blocks, Block{Kind: Picture, Text: say(pick(r, k.heads)), Path: "/offer", Value: fmt.Sprintf("hero-%d-%d.jpg", n, issue)})
	}
	m.Blocks = append(m.Blocks, Block{Kind: Para, Text: greeting[b.Lang] + " {to},"})
	order := r.Perm(len(k.sentences))
	most := min(len(order), 4+r.IntN(5))
	para := ""
	v := voices[b.Lang]
	for i, at := range order[:most] {
		para += say(k.sentences[at]) + " "
		if r.IntN(3) > 0 { // two sentences of three have one beside them that only this brand writes
			para += v.own(r, b.Name) + " "
		}
		if i%2 == 1 || i == most-1 {
			m.Blocks = append(m.Blocks, Block{Kind: Para, Text: strings.TrimSpace(para)})
			para = ""
		}
		if i == most/2 {
			m.Blocks = append(m.Blocks, Block{Kind: Button, Text: say(pick(r, k.calls)), Path: "/action/" + kind, Call: true})
		}
	}
	switch kind {
	case "receipt", "invoice":
		for range 2 + r.IntN(4) {
			m.Blocks = append(m.Blocks, Block{Kind: Row, Text: pick(r, products[b.Trade]), Value: fmt.Sprintf("%d.%02d", 5+r.IntN(300), r.IntN(100))})
		}
	case "news", "sale":
		for range 2 + r.IntN(4) {
			m.Blocks = append(m.Blocks, Block{Kind: Card, Text: say(pick(r, cards[b.Lang])), Path: fmt.Sprintf("/item/%d", r.IntN(10000)), Value: fmt.Sprintf("item-%d.jpg", r.IntN(10000))})
		}
	}
	f := footers[b.Lang]
	fr := seeded(b.id, 99)
	m.Footer = append(m.Footer, Block{Kind: Small, Text: v.own(fr, b.Name)})
	for range 2 + fr.IntN(2) {
		m.Footer = append(m.Footer, Block{Kind: Small, Text: fill(pick(fr, f.notices), slots, fr)})
	}
	for i, l := range f.links {
		m.Footer = append(m.Footer, Block{Kind: Small, Text: l, Path: []string{"/browser", "/unsubscribe", "/privacy", "/help"}[i%4]})
	}
	m.Address("reader0@example.net", 0)
	return m
}

func slotsOf(b *Brand, r *rand.Rand) map[string]string {
	p := products[b.Trade]
	return map[string]string{"brand": b.Name, "product": pick(r, p), "product2": pick(r, p), "n": fmt.Sprint(10 + r.IntN(990)), "pct": fmt.Sprint(5 * (1 + r.IntN(14))),
		"date": fmt.Sprintf("%d. %d. 2026", 1+r.IntN(28), 1+r.IntN(12)), "city": pick(r, cities), "thing": pick(r, things[b.Lang])}
}

// fill chooses among [a|b] and puts {slots} in.
func fill(s string, slots map[string]string, r *rand.Rand) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "[{")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		end := strings.IndexAny(s[i:], "]}") + i
		word := s[i+1 : end]
		if s[i] == '[' {
			b.WriteString(pick(r, strings.Split(word, "|")))
		} else if v, ok := slots[word]; ok {
			b.WriteString(v)
		} else {
			b.WriteString("{" + word + "}")
		}
		s = s[end+1:]
	}
	return b.String()
}

// Address gives the copy for one recipient its address, name and links.
func (m *Mail) Address(to string, seed uint64) {
	r := seeded(m.Brand.id, seed, uint64(len(to)), uint64(to[len(to)/3]))
	m.To = to
	name := capital(strings.TrimRight(strings.Split(to, "@")[0], "0123456789"))
	link := func(b *Block) {
		if b.Path != "" {
			b.Link = m.Brand.Habit.Tracks(m.Brand, r, b.Path)
		}
	}
	m.Blocks, m.Footer = clone(m.Blocks), clone(m.Footer)
	for i := range m.Blocks {
		if m.Blocks[i].Kind == Para && strings.HasPrefix(m.Blocks[i].Text, greeting[m.Brand.Lang]+" ") {
			m.Blocks[i].Text = greeting[m.Brand.Lang] + " " + name + ","
		}
		link(&m.Blocks[i])
	}
	for i := range m.Footer {
		link(&m.Footer[i])
	}
}

func clone(b []Block) []Block { return append([]Block(nil), b...) }

// Copy is a deep copy.
func (m *Mail) Copy() *Mail {
	c := *m
	c.Blocks, c.Footer = clone(m.Blocks), clone(m.Footer)
	return &c
}
