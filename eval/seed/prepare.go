package main

import (
	"bytes"
	"net/mail"
	"slices"
	"strings"
	"time"

	"sluice/eval"
	"sluice/mailauth/authres"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/scan"
)

// letter is one message as the border host had it, with what that host knew.
type letter struct {
	entry  *eval.Entry
	raw    []byte
	origin scan.Origin
	name   scan.Reverse
	when   time.Time
	stub   bool // a few lines written for a test: no way of any mail
	proved bool // the border host wrote down what authentication came to
}

// border is the name under which the results of the border host are put in.
const border = "border.invalid"

// stubSize is less than any of the real messages has.
const stubSize = 1500

// added are the fields that receivers and the other filter put in, beside those by
// their beginnings.
var (
	added    = []string{"Authentication-Results", "Received-SPF", "X-Greylist", "X-Apparently-To", "Delivered-To", "DKIM-Filter", "X-Originating-IP-Verdict"}
	prefixes = []string{"ARC-", "X-MS-", "X-Forefront-", "X-Microsoft-", "X-Spam-", "X-Virus-", "X-SES-", "X-Gm-", "X-Google-", "X-FOFF-", "X-YMail", "X-Forwarded-", "X-EOP", "X-SID-"}
)

// prepare makes a letter of a file of the corpora. Without trust, what the receivers
// found out is dropped.
func prepare(e *eval.Entry, b []byte, trust bool) letter {
	l := letter{entry: e, raw: eval.Front(b)}
	stored := scan.NewMail(l.raw)
	m := message.Parse(stored.Raw, message.DefaultLimits())
	l.origin = scan.Stored(stored, m)
	h := m.Header()
	l.name = l.origin.Border(m)
	hop := l.origin.Hop
	if l.when = hop.Time; l.when.IsZero() {
		l.when, _ = mail.ParseDate(h.Get("Date"))
	}
	l.stub = h.Field("Received") == nil || len(l.raw) < stubSize
	results := ""
	if trust {
		results = recorded(h, hop.By)
	}
	l.proved = results != ""
	l.raw = rebuild(m, results)
	return l
}

// recorded is the value of the border host's Authentication-Results under our name:
// of those with its name, or where there are none, of its site's newest.
func recorded(h *header.Header, by string) string {
	var own []string
	site := ""
	for _, v := range h.Values("Authentication-Results") {
		f, err := authres.Parse(v)
		if err != nil {
			continue
		}
		rest := v
		if f.ID != "" {
			_, rest, _ = strings.Cut(v, ";")
		}
		rest = strings.Trim(rest, "; \t\r\n")
		switch {
		case rest == "":
		case strings.EqualFold(f.ID, by):
			own = append(own, rest)
		case site == "" && (f.ID == "" || links.OrgDomain(strings.ToLower(f.ID)) == links.OrgDomain(strings.ToLower(by))):
			site = rest // Exchange names nobody, Gmail its MX
		}
	}
	if len(own) > 0 {
		return strings.Join(own, "; ")
	}
	return site
}

// rebuild writes the message without the fields that receivers added, and with the
// border's results on top.
func rebuild(m *message.Message, results string) []byte {
	h := m.Header()
	var out bytes.Buffer
	if results != "" {
		out.WriteString("Authentication-Results: " + border + "; " + strings.Join(strings.Fields(results), " ") + "\r\n")
	}
	at := 0
	for i := range h.Fields {
		f := &h.Fields[i]
		if !receivers(f.Name) {
			continue
		}
		out.Write(m.Raw[at:f.Range.Off])
		at = f.Range.End()
	}
	out.Write(m.Raw[at:])
	return out.Bytes()
}

func receivers(name string) bool {
	if slices.ContainsFunc(added, func(a string) bool { return header.EqualFold(a, name) }) {
		return true
	}
	return slices.ContainsFunc(prefixes, func(p string) bool {
		return len(name) >= len(p) && header.EqualFold(name[:len(p)], p)
	})
}
