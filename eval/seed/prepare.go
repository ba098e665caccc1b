package main

import (
	"bytes"
	"net/mail"
	"net/netip"
	"regexp"
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
	name   reverse
	when   time.Time
	stub   bool // a few lines written for a test: no way of any mail
	proved bool // the border host wrote down what authentication came to
}

// reverse is what the border host wrote of the client's name.
type reverse struct {
	known  bool
	name   string // "": the client has none
	forged bool   // it doesn't lead back
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
	hop, value := borderHop(h, l.origin)
	l.origin.Hop, l.origin.Client, l.origin.Hello, l.origin.Name = hop, hop.Addr, hop.Hello, hop.Name
	l.name = readReverse(value, hop.Addr)
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

// maxHops bounds how far the border is looked for.
const maxHops = 10

// borderHop is the hop at which the message came in: where hosts of one site hand on
// to each other, the last that an outsider spoke to.
func borderHop(h *header.Header, o scan.Origin) (scan.Received, string) {
	values := h.Values("Received")
	at := -1
	for i, v := range values {
		if r := scan.ParseReceived(v); r.Addr == o.Client && r.Addr.IsValid() {
			at = i
			break
		}
	}
	if at < 0 {
		return o.Hop, ""
	}
	hop := scan.ParseReceived(values[at])
	for i := at; i+1 < len(values) && i < at+maxHops; i++ {
		next := scan.ParseReceived(values[i+1])
		if !next.Addr.IsValid() || !strings.EqualFold(next.By, hop.Hello) || site(next.By) != site(hop.By) {
			break
		}
		hop, at = next, i+1
	}
	if site(hop.Hello) == site(hop.By) && site(hop.By) != "" { // what the border host wrote is lost
		return scan.Received{By: hop.Hello, Time: hop.Time}, ""
	}
	return hop, values[at]
}

// site is what hosts of one site share in their names.
func site(host string) string {
	_, rest, _ := strings.Cut(strings.ToLower(host), ".")
	return rest
}

// looked is how Sendmail and Postfix write a client: name and address in brackets.
var looked = regexp.MustCompile(`\(([^()\s\[\]]*)\s*\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]\s*(\(may be forged\))?\s*\)`)

func readReverse(received string, client netip.Addr) reverse {
	for _, m := range looked.FindAllStringSubmatch(received, -1) {
		if a, err := netip.ParseAddr(m[2]); err != nil || a != client {
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(m[1], "."))
		if i := strings.LastIndexByte(name, '@'); i >= 0 { // an ident user
			name = name[i+1:]
		}
		if name == "unknown" {
			name = ""
		}
		return reverse{known: true, name: name, forged: m[3] != ""}
	}
	return reverse{}
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
