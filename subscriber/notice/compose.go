package notice

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/subscriber"
	"sluice/subscriber/notice/ticket"
	"sluice/subscriber/notice/words"
)

// Text is a notice in words.
type Text struct {
	Subject string // mail, webhook
	Text    string // with LF line ends
	HTML    string // mail
}

// message is one notice, ready for its channel.
type message struct {
	Text
	c        *sluice.Case
	subject  *subscriber.Subject
	contact  subscriber.Contact
	try      string
	language string
	link     string // of the page; "" for the mailbox of a stolen account
	receipt  string // the ticket for a receipt
}

// name is the notice's name everywhere outside.
func (m *message) name() string { return m.c.ID + "." + m.try }

// Use is what a link proves that a contact got. Whoever reads a contact that goes to the
// account itself may be its thief.
func use(k subscriber.Contact) ticket.Use {
	switch {
	case k.Channel == ByCaptive:
		return ticket.Captive
	case k.Same:
		return ticket.MailedLink
	}
	return ticket.Second
}

func (n *Notifier) compose(c *sluice.Case, s *subscriber.Subject, next step, now time.Time) (*message, error) {
	t := ticket.Ticket{Use: use(next.contact), Case: c.ID, Try: next.id, Round: c.Held, Issued: now}
	page, err := n.cfg.Tickets.Seal(t)
	if err != nil {
		return nil, fmt.Errorf("notice: %w", err)
	}
	t.Use = ticket.Receipt
	receipt, err := n.cfg.Tickets.Seal(t)
	if err != nil {
		return nil, fmt.Errorf("notice: %w", err)
	}
	speech := n.cfg.Words.Of(s.Language)
	m := &message{c: c, subject: s, contact: next.contact, try: next.id, language: speech.Code, link: n.cfg.Page + page, receipt: receipt}
	if c.Kind == sluice.CaseStolen && next.contact.Same {
		m.link = "" // it would show nothing, and release nothing
	}
	m.Text = n.text(speech, next.contact.Channel, c, s, m.link)
	return m, nil
}

// Link makes a page's address for a case that was told of in another way, such as the
// reply to a message: it proves no more than a mailed link. "" where it can't be made.
func (n *Notifier) Link(c *sluice.Case, now time.Time) string {
	t, err := n.cfg.Tickets.Seal(ticket.Ticket{Use: ticket.MailedLink, Case: c.ID, Round: c.Held, Issued: now})
	if err != nil {
		return ""
	}
	return n.cfg.Page + t
}

// Preview is what a notice to somebody made up would say, in the words of a site.
func Preview(w *words.Words, site, help, page, lang, channel string, kind sluice.CaseKind, now time.Time) Text {
	c := &sluice.Case{ID: "C7K3FQ2M9XW4T", Kind: kind, Held: now.Add(-10 * time.Minute), Signals: []sluice.CaseSignal{{Kind: "SPAM_MAIL"}, {Kind: "RATE_JUMP"}}}
	if kind == sluice.CaseStolen {
		c.Signals = []sluice.CaseSignal{{Kind: "PHISH_MAIL"}, {Kind: "NEW_COUNTRY"}}
	}
	n := &Notifier{cfg: Config{Words: w, Site: site, Help: help, Page: page}}
	return n.text(w.Of(lang), channel, c, &subscriber.Subject{Account: "kim@example.com"}, page+"AbCdEf0123")
}

// mostSeen is how many kinds of signals a notice names.
const mostSeen = 6

func (n *Notifier) text(speech *words.Speech, channel string, c *sluice.Case, s *subscriber.Subject, link string) Text {
	kind := words.Kind(c)
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	var seen []string
	for _, g := range c.Signals {
		if len(seen) < mostSeen {
			seen = append(seen, "- "+speech.Saw(g.Kind))
		}
	}
	if len(seen) == 0 { // an admin's word alone
		seen = []string{"- " + speech.Saw("OTHER")}
	}
	values := []string{"link", link, "case", c.ID, "since", c.Held.In(zone).Format("2006-01-02 15:04 MST"), "seen", strings.Join(seen, "\n"),
		"site", line(n.cfg.Site), "help", line(cmp.Or(n.cfg.Help, n.cfg.Site)), "account", line(s.Account), "kept", strconv.Itoa(c.Kept)}
	if channel == BySMS {
		return Text{Text: strings.Join(strings.Fields(words.Fill(speech.SMS[kind], values...)), " ")}
	}
	text := "text_" + kind
	if link == "" {
		text = "text_own" // whoever has the account reads it
	}
	t := Text{Subject: line(words.Fill(speech.Mail["subject_"+kind], values...)), Text: strings.TrimSpace(words.Fill(speech.Mail[text], values...)) + "\n"}
	if channel == ByMail {
		t.HTML = page(speech.Code, t.Subject, t.Text, link)
	}
	return t
}

// line makes one line of words that come from a setting or directory.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// block is a paragraph, a list or the link of a mail.
type block struct {
	Lines, Items []string
	Link         string
}

var frame = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>{{.Title}}</title></head>
<body style="font-family:sans-serif;line-height:1.5;max-width:40em;margin:1em auto;padding:0 1em">
<h1 style="font-size:1.25em">{{.Title}}</h1>
{{range .Blocks}}{{if .Link}}<p><a href="{{.Link}}">{{.Link}}</a></p>
{{else if .Items}}<ul>{{range .Items}}<li>{{.}}</li>{{end}}</ul>
{{else}}<p>{{range $i, $l := .Lines}}{{if $i}}<br>{{end}}{{$l}}{{end}}</p>
{{end}}{{end}}</body></html>
`))

// page makes simple HTML of a text: paragraphs, lists whose lines begin with "- ", the
// link. It loads nothing.
func page(lang, title, text, link string) string {
	var blocks []block
	for p := range strings.SplitSeq(text, "\n\n") {
		var b block
		for l := range strings.SplitSeq(strings.TrimSpace(p), "\n") {
			if item, ok := strings.CutPrefix(l, "- "); ok {
				b.Items = append(b.Items, item)
			} else {
				b.Lines = append(b.Lines, l)
			}
		}
		switch {
		case len(b.Lines) == 1 && b.Lines[0] == link && len(b.Items) == 0:
			b = block{Link: link}
		case len(b.Lines) > 0 && len(b.Items) > 0:
			blocks = append(blocks, block{Lines: b.Lines})
			b.Lines = nil
		}
		blocks = append(blocks, b)
	}
	var out bytes.Buffer
	if err := frame.Execute(&out, map[string]any{"Lang": lang, "Title": title, "Blocks": blocks}); err != nil {
		return "" // the text says it too
	}
	return out.String()
}
