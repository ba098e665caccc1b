package mill

import (
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
)

// A Way is one in which genuine mail comes: to others, changed, passed on.
type Way struct {
	Name string
	do   func(g *Mail, r *rand.Rand, s *Sample) []byte
}

// Send sends the genuine mail of a campaign.
func (w *Way) Send(g *Mail, seed uint64) Sample {
	r := seeded(seed, g.Brand.id, 3)
	m := g.Copy()
	m.Address(fmt.Sprintf("reader%d@example.net", r.IntN(1000)), seed)
	s := Sample{Kind: w.Name, Domain: m.Brand.Domain, History: true}
	s.Raw = w.do(m, r, &s)
	return s
}

// person is somebody who passes a mail on: a stranger, one with free mail, or one whose
// company is known here.
func person(r *rand.Rand, s *Sample) (from, signature string) {
	switch r.IntN(3) {
	case 0:
		s.Domain, s.History = "gmail.com", true
		return "Pat Moss <pat.moss@gmail.com>", "Pat"
	case 1:
		s.Domain, s.History = fmt.Sprintf("carpenter%d.org", r.IntN(40)), r.IntN(2) == 0
		return "Kim Reed <kim@" + s.Domain + ">", `Kim Reed<br>Reed &amp; Sons<br><a href="https://www.` + s.Domain + `/">www.` + s.Domain + `</a>`
	}
	s.Domain, s.History = "", false
	return "Lee Hart <lee@hart.example>", `Lee Hart | <a href="https://www.hart.example/booking"><b>Book an appointment</b></a>`
}

// Ways are the kinds.
var Ways = []Way{
	{"to others", func(m *Mail, r *rand.Rand, s *Sample) []byte { return m.Bytes() }},
	{"to others, authentication broken", func(m *Mail, r *rand.Rand, s *Sample) []byte { s.Domain, s.History = "", false; return m.Bytes() }},
	{"from a new service", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		for i := range m.Blocks {
			if m.Blocks[i].Link != "" {
				m.Blocks[i].Link = "https://click.newservice" + fmt.Sprint(r.IntN(100)) + ".com/" + token(r, 30)
			}
		}
		return m.Bytes()
	}},
	{"other half of a test", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		m.Look = r.Uint64()
		m.Subject = "[" + m.Brand.Name + "] " + m.Subject
		m.reword(r, 0.1, false)
		return m.Bytes()
	}},
	{"next issue", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		return issue(m.Brand, int(r.Uint32N(8)), 1+r.IntN(50)).Bytes()
	}},
	{"next issue, authentication broken", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		s.Domain, s.History = "", false
		return issue(m.Brand, int(r.Uint32N(8)), 1+r.IntN(50)).Bytes()
	}},
	{"forwarded, marked", forwarded},
	{"forwarded, Outlook's head", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		from, sig := person(r, s)
		m.Above = "<p>Did you see this?</p><p>" + sig + "</p><hr><div><b>From:</b> " + html.EscapeString(m.FromName) + "<br><b>Sent:</b> Monday, 12 January 2026 09:00<br><b>To:</b> us<br><b>Subject:</b> " + html.EscapeString(m.Subject) + "</div>"
		m.Subject = "FW: " + m.Subject
		return m.as(from)
	}},
	{"forwarded as a file", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		inner := m.Bytes()
		from, _ := person(r, s)
		return []byte("From: " + from + "\r\nTo: ann@example.net\r\nSubject: Fwd: mail\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=mx\r\n\r\n--mx\r\nContent-Type: text/plain\r\n\r\nPlease have a look at the attached message and tell me what you think of it before Friday, since I would like to answer them: https://www.hart.example/notes\r\n--mx\r\nContent-Type: message/rfc822\r\n\r\n" + string(inner) + "\r\n--mx--\r\n")
	}},
	{"sent on without marks", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		from, sig := person(r, s)
		m.Above, m.Below = "<p>look at this one</p>", "<p>"+sig+"</p>"
		return m.as(from)
	}},
	{"reply, quoted below", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		from, sig := person(r, s)
		m.Above = "<div>Thank you, I will come back to this on Monday with the papers.</div><div>" + sig + "</div><br><div class=\"gmail_quote\">On Mon, 12 Jan 2026 at 09:00, " + html.EscapeString(m.FromName) + " wrote:<br><blockquote>"
		m.Below = "</blockquote></div>"
		m.Subject = "Re: " + m.Subject
		m.Fields = "In-Reply-To: <x@y>\r\n"
		return m.as(from)
	}},
	{"reply in Outlook's way", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		from, sig := person(r, s)
		m.Above = "<p>Thanks, this is done. See also our page.</p><p>" + sig + "</p>"
		m.Subject = "AW: " + m.Subject
		m.Fields = "References: <x@y>\r\n"
		return m.as(from)
	}},
	{"reply in plain text", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		from, _ := person(r, s)
		body := "Dear all,\r\n\r\nplease see below. Our own page on this is https://www.hart.example/info and explains the rest.\r\n\r\n> " + strings.ReplaceAll(m.Plain(), "\r\n", "\r\n> ")
		return []byte("From: " + from + "\r\nTo: ann@example.net\r\nSubject: Re: " + "mail" + "\r\nIn-Reply-To: <1@a>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body)
	}},
	{"through a list", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		s.Domain, s.History = "", false
		if r.IntN(2) == 0 {
			s.Domain, s.History = "lists.example.org", true
			m.From = "club@lists.example.org"
		}
		m.Subject = "[club] " + m.Subject
		m.Fields = "List-Id: <club.lists.example.org>\r\nList-Post: <mailto:club@lists.example.org>\r\n"
		m.Below = `<div>_______________________________________________<br>club mailing list<br><a href="https://lists.example.org/listinfo/club">https://lists.example.org/listinfo/club</a></div>`
		return m.Bytes()
	}},
	{"through a list, as text", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		s.Domain, s.History = "", false
		m.Only = true
		m.Fields = "List-Id: <club.lists.example.org>\r\n"
		m.Footer = append(m.Footer, Block{Kind: Small, Text: "_______________________________________________"}, Block{Kind: Small, Text: "club mailing list", Link: "https://lists.example.org/listinfo/club"})
		return m.Bytes()
	}},
	{"links rewritten by a gateway", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		s.Domain, s.History = "", false
		kind := r.IntN(3)
		for _, bs := range [][]Block{m.Blocks, m.Footer} {
			for i := range bs {
				if bs[i].Link == "" {
					continue
				}
				switch kind {
				case 0:
					bs[i].Link = "https://eur01.safelinks.protection.outlook.com/?url=" + url.QueryEscape(bs[i].Link) + "&data=05"
				case 1:
					bs[i].Link = "https://urldefense.com/v3/__" + bs[i].Link + "__;!!" + token(r, 20)
				case 2:
					bs[i].Link = "https://protect.mimecast.com/s/" + token(r, 20)
				}
			}
		}
		return m.Bytes()
	}},
	{"in another language", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		b := *m.Brand
		b.Lang = pick(r, languages)
		return issue(&b, int(r.Uint32N(8)), 0).Bytes()
	}},
	{"another brand, same template", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		other := stranger(m.Brand, r)
		c := issue(other, int(r.Uint32N(8)), 0)
		c.Layout, c.Look = m.Layout, m.Look
		s.Domain, s.History = other.Domain, r.IntN(2) == 0
		if r.IntN(4) == 0 {
			s.Domain, s.History = "", false
		}
		return c.Bytes()
	}},
	{"another brand, same words", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		other := stranger(m.Brand, r)
		c := m.Copy()
		c.Brand, c.FromName, c.From = other, other.Name, "info@"+other.Domain
		c.Home = "https://www." + other.Domain + "/"
		if c.Logo != "" {
			c.Logo = "https://cdn." + other.Domain + "/logo.png"
		}
		for _, bs := range [][]Block{c.Blocks, c.Footer} {
			for i := range bs {
				bs[i].Text = strings.ReplaceAll(bs[i].Text, m.Brand.Name, other.Name)
			}
		}
		c.Subject = strings.ReplaceAll(c.Subject, m.Brand.Name, other.Name)
		c.Address(c.To, 5)
		s.Domain, s.History = other.Domain, r.IntN(2) == 0
		return c.Bytes()
	}},
	{"another company of that name", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		other := *m.Brand
		other.id, other.Domain = 2_000_000+r.Uint64N(1_000_000), strings.Split(m.Brand.Domain, ".")[0]+".example"
		s.Domain, s.History = other.Domain, r.IntN(2) == 0
		if r.IntN(3) == 0 {
			s.Domain, s.History = "", false
		}
		c := issue(&other, int(r.Uint32N(8)), r.IntN(3))
		c.rewrite(r) // its subjects and buttons are everybody's, its sentences its own
		return c.Bytes()
	}},
	{"sponsored issue, authentication broken", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		s.Domain, s.History = "", false
		c := issue(m.Brand, int(r.Uint32N(8)), 1+r.IntN(50))
		c.Subject = m.Subject
		for range 1 + r.IntN(3) {
			c.Blocks = append(c.Blocks, Block{Kind: Card, Text: pick(r, heads) + " presents: " + pick(r, products[r.IntN(len(products))]), Link: "https://www." + strings.ToLower(pick(r, heads)+pick(r, heads)) + ".com/" + token(r, 5), Value: fmt.Sprintf("item-%d.jpg", r.IntN(10000))})
		}
		return c.Bytes()
	}},
	{"partner with their links", func(m *Mail, r *rand.Rand, s *Sample) []byte {
		other := stranger(m.Brand, r)
		c := issue(other, int(r.Uint32N(8)), 0)
		c.Blocks = append(c.Blocks, Block{Kind: Para, Text: "In cooperation with " + m.Brand.Name, Link: ""}, Block{Kind: Card, Text: "More about " + m.Brand.Name, Link: m.Home, Value: "https://cdn." + m.Brand.Domain + "/mail/logo.png"})
		s.Domain, s.History = other.Domain, r.IntN(2) == 0
		return c.Bytes()
	}},
}

// stranger is a brand that isn't known here yet.
func stranger(like *Brand, r *rand.Rand) *Brand {
	b := *like
	b.id = 1_000_000 + r.Uint64N(1_000_000)
	b.Name = pick(r, heads) + pick(r, heads)
	b.Domain = strings.ToLower(b.Name) + ".example"
	return &b
}

func forwarded(m *Mail, r *rand.Rand, s *Sample) []byte {
	from, sig := person(r, s)
	m.Above = "<p>For you.</p><p>" + sig + "</p><div>---------- Forwarded message ---------<br>From: " + html.EscapeString(m.FromName) + " &lt;" + m.From + "&gt;<br>Date: Mon, 12 Jan 2026<br>Subject: " + html.EscapeString(m.Subject) + "<br>To: us</div>"
	m.Subject = "Fwd: " + m.Subject
	return m.as(from)
}

// as is the message as another person sends it.
func (m *Mail) as(from string) []byte {
	raw := string(m.Bytes())
	_, rest, _ := strings.Cut(raw, "\r\n")
	return []byte("From: " + from + "\r\n" + rest)
}
