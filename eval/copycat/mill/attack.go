package mill

import (
	"fmt"
	"html"
	"math/rand/v2"
	"strings"
)

// Sample is a message and what its authentication says.
type Sample struct {
	Kind    string
	Raw     []byte
	Domain  string // that it authenticated as, DMARC aligned; "" for none
	History bool   // mail of that domain was wanted here
}

// Noise is what a criminal changes beside the call to action.
type Noise struct {
	Name string
	do   func(m *Mail, r *rand.Rand)
}

// Noises are the kinds, from nothing to several at once.
var Noises = []Noise{
	{"nothing else", func(*Mail, *rand.Rand) {}},
	{"paraphrase", func(m *Mail, r *rand.Rand) { m.reword(r, 0.12, false) }},
	{"synonyms", func(m *Mail, r *rand.Rand) { m.reword(r, 0.5, false) }},
	{"all sentences new", func(m *Mail, r *rand.Rand) { m.rewrite(r) }},
	{"colours, fonts, classes", func(m *Mail, r *rand.Rand) { m.Look = r.Uint64() }},
	{"another layout", func(m *Mail, r *rand.Rand) { m.Layout = r.IntN(Layouts); m.Look = r.Uint64() }},
	{"tracker noise", tracked},
	{"footer changed", refooted},
	{"footer left out", func(m *Mail, r *rand.Rand) { m.Footer = nil }},
	{"good words added", func(m *Mail, r *rand.Rand) {
		m.Footer = append(m.Footer, Block{Kind: Small, Text: wordy["en"] + " " + strings.ToLower(wordy["en"])})
	}},
	{"hidden text", func(m *Mail, r *rand.Rand) { m.Hidden = wordy["en"] }},
	{"zero-width characters", func(m *Mail, r *rand.Rand) { m.eachWord(r, 0.3, split("\u200b")) }},
	{"look-alike letters", func(m *Mail, r *rand.Rand) { m.eachWord(r, 0.3, alike) }},
	{"picture for text", func(m *Mail, r *rand.Rand) { m.drawn(r) }},
	{"order changed", func(m *Mail, r *rand.Rand) {
		r.Shuffle(len(m.Blocks), func(i, j int) { m.Blocks[i], m.Blocks[j] = m.Blocks[j], m.Blocks[i] })
	}},
	{"a part of it", func(m *Mail, r *rand.Rand) { m.part(r) }},
	{"pictures moved", func(m *Mail, r *rand.Rand) { m.move(r) }},
	{"all links changed", func(m *Mail, r *rand.Rand) { m.strip(r) }},
	{"plain text only", func(m *Mail, r *rand.Rand) { m.Only = true }},
	{"posed as forwarded", posed},
	{"button words changed", func(m *Mail, r *rand.Rand) {
		for i := range m.Blocks {
			if m.Blocks[i].Kind == Button {
				m.Blocks[i].Text = pick(r, []string{"Go on", "Open", "Secure it now", "More", "Weiter", "Ok"})
			}
		}
	}},
	{"another subject", func(m *Mail, r *rand.Rand) {
		m.Subject = pick(r, []string{"Action required", "Your attention is needed", "Reminder: one step left", "Confirm before midnight", "Your account", "Last notice " + fmt.Sprint(r.IntN(10000)), ""})
	}},
	{"another subject and button", func(m *Mail, r *rand.Rand) {
		m.Subject = pick(r, []string{"Action required", "Your attention is needed", "Reminder: one step left", "Confirm before midnight"})
		for i := range m.Blocks {
			if m.Blocks[i].Kind == Button {
				m.Blocks[i].Text = pick(r, []string{"Go on", "Open", "Secure it now", "More", "Weiter", "Ok"})
			}
		}
	}},
	{"three at once", func(m *Mail, r *rand.Rand) {
		m.reword(r, 0.15, false)
		m.Look = r.Uint64()
		refooted(m, r)
		m.eachWord(r, 0.1, split("\u200d"))
	}},
}

// Attack makes a copy of a campaign that leads to a criminal.
func Attack(genuine *Mail, n *Noise, seed uint64) Sample {
	r := seeded(seed, genuine.Brand.id)
	m := genuine.Copy()
	m.Address(fmt.Sprintf("victim%d@example.net", r.IntN(1000)), seed)
	label := strings.Split(m.Brand.Domain, ".")[0]
	evil := pick(r, []string{
		"https://" + label + "-secure.com/login", "https://" + label + "." + pick(r, []string{"shop", "support", "top"}) + "/verify", "https://storage" + fmt.Sprint(r.IntN(900)) + "-files.top/a/" + token(r, 8),
		"https://www.bakery-" + strings.ToLower(token(r, 5)) + ".pl/wp-content/x/", label + "", "https://bit.ly/" + token(r, 7), "https://" + strings.ToLower(token(r, 8)) + ".web.app/",
		"https://docs.google.com/forms/d/" + token(r, 20) + "/viewform", "http://203.0.113." + fmt.Sprint(r.IntN(250)) + "/x", "https://u99" + fmt.Sprint(r.IntN(1000)) + ".ct.sendgrid.net/ls/click?upn=" + token(r, 50),
		"https://klclick" + "2.com/" + token(r, 20), "https://mail-" + label + ".net/session",
	})
	if evil == label {
		evil = "https://" + label + "-" + strings.ToLower(token(r, 4)) + ".info/a"
	}
	n.do(m, r)
	mode := r.IntN(3)
	if n.Name == "all links changed" {
		mode = 2
	}
	calls := 0
	for i := range m.Blocks {
		if b := &m.Blocks[i]; b.Call || mode > 0 && b.Link != "" {
			b.Link = evil
			calls++
		}
	}
	if mode == 2 {
		for i := range m.Footer {
			if m.Footer[i].Link != "" {
				m.Footer[i].Link = evil
			}
		}
	}
	s := Sample{Kind: n.Name}
	switch r.IntN(5) {
	case 0: // forged
	case 1:
		s.Domain = label + "-mailing.com"
		m.From = "service@" + s.Domain
	case 2:
		s.Domain, s.History = "gmail.com", true
		m.From = label + "." + token(r, 4) + "@gmail.com"
	case 3: // a stolen account of somebody with a good name
		s.Domain, s.History = fmt.Sprintf("bakery%d.org", r.IntN(50)), true
		m.From = "info@" + s.Domain
	case 4: // a stranger
		m.From = "info@" + strings.ToLower(token(r, 7)) + ".info"
	}
	if r.IntN(10) == 0 { // says in its name that it is nobody in particular
		m.FromName = pick(r, []string{"Customer Service", "Notification", "Support Team", "Info", "Account Security"})
	}
	s.Raw = m.Bytes()
	return s
}

// eachWord changes a share of the words of what shows.
func (m *Mail) eachWord(r *rand.Rand, share float64, f func(r *rand.Rand, w string) string) {
	for _, bs := range [][]Block{m.Blocks, m.Footer} {
		for i := range bs {
			ws := strings.Fields(bs[i].Text)
			for j, w := range ws {
				if r.Float64() < share {
					ws[j] = f(r, w)
				}
			}
			bs[i].Text = strings.Join(ws, " ")
		}
	}
}

func split(with string) func(*rand.Rand, string) string {
	return func(r *rand.Rand, w string) string {
		c := []rune(w)
		i := r.IntN(len(c) + 1)
		return string(c[:i]) + with + string(c[i:])
	}
}

var cyrillic = strings.NewReplacer("a", "а", "e", "е", "o", "о", "p", "р", "c", "с", "i", "і")

func alike(_ *rand.Rand, w string) string { return cyrillic.Replace(w) }

// reword swaps words for their synonyms, and with a chance of share any other word for
// one that is new.
func (m *Mail) reword(r *rand.Rand, share float64, _ bool) {
	for _, bs := range [][]Block{m.Blocks} {
		for i := range bs {
			if bs[i].Kind != Para && bs[i].Kind != Heading {
				continue
			}
			ws := strings.Fields(bs[i].Text)
			for j, w := range ws {
				bare := strings.ToLower(strings.Trim(w, ".,:;!?"))
				if s, ok := synonyms[bare]; ok && r.Float64() < 2*share {
					ws[j] = strings.Replace(w, strings.Trim(w, ".,:;!?"), s, 1)
				} else if r.Float64() < share*0.5 {
					ws[j] = pick(r, []string{"", "really ", "just ", "also ", "indeed ", "kindly "}) + w
				}
			}
			bs[i].Text = strings.Join(ws, " ")
		}
	}
}

// rewrite says all of it in new sentences, as a language model is asked to. The
// footer, the button and the frame stay.
func (m *Mail) rewrite(r *rand.Rand) {
	v := voices[m.Brand.Lang]
	for i := range m.Blocks {
		b := &m.Blocks[i]
		if b.Kind != Para && b.Kind != Heading || strings.HasSuffix(b.Text, ",") {
			continue
		}
		var out []string
		for range 1 + len(strings.Fields(b.Text))/12 {
			out = append(out, v.own(r, m.Brand.Name))
		}
		b.Text = strings.Join(out, " ")
	}
}

func tracked(m *Mail, r *rand.Rand) {
	for _, bs := range [][]Block{m.Blocks, m.Footer} {
		for i := range bs {
			if bs[i].Link != "" {
				bs[i].Link += "&" + token(r, 3) + "=" + token(r, 30)
			}
		}
	}
}

func refooted(m *Mail, r *rand.Rand) {
	for i := range m.Footer {
		if m.Footer[i].Link == "" {
			m.Footer[i].Text = fmt.Sprintf("%d Example Road, Springfield. Copyright 2026. All rights reserved by the sender of this mail, number %d.", r.IntN(900), r.IntN(1e6))
		}
	}
}

// drawn leaves the frame and makes a picture of the rest.
func (m *Mail) drawn(r *rand.Rand) {
	var out []Block
	for _, b := range m.Blocks {
		if b.Kind == Button || b.Kind == Picture {
			out = append(out, b)
		}
	}
	m.Blocks = append([]Block{{Kind: Picture, Value: "https://img" + token(r, 4) + ".example-pictures.com/" + token(r, 6) + ".png", Link: "x", Call: true}}, out...)
	m.Text = false
}

// part keeps some of the blocks, the call among them.
func (m *Mail) part(r *rand.Rand) {
	var out []Block
	for _, b := range m.Blocks {
		if b.Call || b.Kind == Heading || r.IntN(2) == 0 {
			out = append(out, b)
		}
	}
	m.Blocks = out
	m.Footer = m.Footer[:len(m.Footer)/2]
}

// move hosts the pictures elsewhere.
func (m *Mail) move(r *rand.Rand) {
	host := "https://" + strings.ToLower(token(r, 8)) + ".com/"
	m.Logo = host + "l.png"
	m.Cid = false
	for i := range m.Blocks {
		if m.Blocks[i].Value != "" && m.Blocks[i].Kind != Row {
			m.Blocks[i].Value = host + token(r, 5) + ".jpg"
		}
	}
}

// strip leaves nothing that leads to the owner.
func (m *Mail) strip(r *rand.Rand) {
	m.move(r)
	m.Home = m.Logo
}

func posed(m *Mail, r *rand.Rand) {
	m.Subject = "Fwd: " + m.Subject
	m.Above = "<p>FYI</p><div>From: " + html.EscapeString(m.FromName) + "<br>Sent: Monday<br>To: you<br>Subject: " + html.EscapeString(m.Subject) + "</div>"
}
