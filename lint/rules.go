package lint

import (
	"slices"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/lint/report"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/spf"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// rules is the checklist of what large receivers ask of those who send much: Google
// and Yahoo since February 2024, Microsoft since May 2025, each from 5,000 messages a
// day on.
func (s *subject) rules() {
	s.section("rules", "What Google, Yahoo and Microsoft ask of bulk senders", true)
	if !s.mass {
		s.fact(report.Info, "kind", "this looks like "+s.sender.Traffic.String()+" mail; the rules for bulk mail are shown for whoever sends many such")
	}
	spfOK, dkimOK := s.spf.Result == spf.Pass, len(s.passing()) > 0
	keysKnown := len(s.dkim) == 0 || s.asked && !slices.ContainsFunc(s.dkim, func(r dkim.Result) bool { return r.Status == dkim.TempError })
	s.rule("SPF passes", spfOK, s.live && s.spf.Result != spf.TempError && !s.forwarded(), google, yahoo, microsoft)
	s.rule("DKIM passes", dkimOK, keysKnown, google, yahoo, microsoft)
	s.rule("DKIM key of 1024 bits at least, better 2048", !slices.ContainsFunc(s.dkim, func(r dkim.Result) bool { return r.KeyType == "rsa" && r.KeyBits > 0 && r.KeyBits < 1024 }), dkimOK, google)
	s.rule("DMARC is published, p=none at least", s.dmarc.Record != nil, s.asked && s.dmarc.Value != dmarc.TempError, google, yahoo, microsoft)
	s.rule("From is aligned with SPF or DKIM", s.aligned("spf") || s.alignedDKIM(), keysKnown && (s.live || s.alignedDKIM()), google, yahoo, microsoft)
	s.rule("the address has a name that leads back", s.reverse.Class == iprev.Confirmed, s.live && s.reverse.Class != iprev.Unknown, google, yahoo)
	s.rule("sent with TLS", s.encrypted(), s.encrypted() || !s.in.Guessed && s.in.Conn.Client.Addr().IsValid(), google)
	s.rule("From isn't an address of a mailbox provider", !s.sender.Free, s.org != "", google, yahoo)
	s.rule("one Date, From, Message-ID and Subject each", s.once(), true, google, yahoo)
	s.leave()
	s.fact(report.Info, "not in the message", "spam complaints below 0.1 %, never 0.3 %; leaving takes effect within two days; lists are cleaned of addresses that bounce").Source = google + ", " + yahoo
	if s.sender.Free && s.mass {
		s.advise(fix{Advice: report.Advice{ID: "free-mail", Area: "rules", Need: report.Must, Standard: true,
			What: "Mail for many is sent in the name of a mailbox provider's domain.", Seen: quote(s.author.Address),
			Do: "Send from a domain of your own, which you can authenticate.", Source: bulkTwo},
			takes: []sluice.Reason{reason.NameAtFreeMail}})
	}
}

func (s *subject) rule(what string, met, known bool, sources ...string) {
	level, value := report.Bad, "no"
	switch {
	case !known:
		level, value = report.Unknown, "unknown"
	case met:
		level, value = report.Good, "yes"
	}
	s.fact(level, what, value).Source = strings.Join(sources, ", ")
}

func (s *subject) once() bool {
	for _, name := range []string{"Date", "From", "Message-ID", "Subject"} {
		if s.m.Header().Count(name) != 1 {
			return false
		}
	}
	return true
}

// leave is how a reader gets off the list: RFC 2369, RFC 8058, and a link that shows.
func (s *subject) leave() {
	h := s.m.Header()
	field := header.DecodeWords(h.Get("List-Unsubscribe"))
	uris := bracketed(field)
	https := slices.ContainsFunc(uris, func(u string) bool { return links.Parse(u).Scheme == "https" })
	post := header.EqualFold(strings.TrimSpace(h.Get("List-Unsubscribe-Post")), "List-Unsubscribe=One-Click")
	signed := slices.ContainsFunc(s.dkim, func(r dkim.Result) bool {
		return r.Status == dkim.Pass && slices.Contains(r.Signed, "list-unsubscribe") && slices.Contains(r.Signed, "list-unsubscribe-post")
	})
	// An upstream that verified for us doesn't say what is signed.
	told := slices.ContainsFunc(s.dkim, func(r dkim.Result) bool { return r.Status == dkim.Pass && len(r.Signed) > 0 })
	shown := s.leaveLink(uris)
	campaign := s.sender.Traffic == check.Campaign || s.sender.Traffic == check.List
	s.rule("List-Unsubscribe", len(uris) > 0, campaign || len(uris) > 0, google, yahoo)
	s.rule("one click leaves: List-Unsubscribe-Post, and an https address", post && https, campaign || len(uris) > 0, google, yahoo)
	s.rule("both fields are signed", signed, told && post, "RFC 8058 3.1")
	s.rule("a link to unsubscribe shows in the text", shown, campaign, google, yahoo, microsoft)
	if s.sender.Traffic != check.Campaign {
		return
	}
	a := report.Advice{ID: "one-click", Area: "rules", Need: report.Must, Standard: true, Source: "RFC 8058; " + bulkTwo}
	switch {
	case len(uris) == 0:
		a.What, a.Do = "The message can't be left with one click.", "Add List-Unsubscribe: <https://…> with an address for this reader, and List-Unsubscribe-Post: List-Unsubscribe=One-Click; answer the POST without a question."
	case !https:
		a.What, a.Seen, a.Do = "List-Unsubscribe has no https address.", quote(field), "Add one beside the mailto:, and List-Unsubscribe-Post: List-Unsubscribe=One-Click."
	case !post:
		a.What, a.Seen, a.Do = "List-Unsubscribe-Post is missing or isn't List-Unsubscribe=One-Click.", quote(h.Get("List-Unsubscribe-Post")), "Add List-Unsubscribe-Post: List-Unsubscribe=One-Click, and answer the POST without a question."
	case !signed && told:
		a.ID, a.What, a.Do = "one-click-signed", "The signature doesn't cover the List-Unsubscribe fields, so mail programs don't offer the button.", "Sign List-Unsubscribe and List-Unsubscribe-Post."
	default:
		a.ID = ""
	}
	if a.ID != "" {
		takes := []sluice.Reason{reason.BulkUnsubscribe}
		if len(uris) == 0 {
			takes = append(takes, reason.BulkNoLeave)
		}
		s.advise(fix{Advice: a, takes: takes, gives: []sluice.Reason{reason.BulkOneClick}})
	}
	if !shown {
		need, do := report.Must, "Put one where it can be found, in words that say so."
		if s.receipt() {
			need, do = report.Should, "A receipt or a notice needs none, as long as it sells nothing; else put one where it can be found."
		}
		s.advise(fix{Advice: report.Advice{ID: "leave-link", Area: "rules", Need: need, Standard: true,
			What: "No link to unsubscribe shows in the text.", Do: do, Source: bulkTwo},
			takes: []sluice.Reason{reason.BulkNoLeave}})
	}
}

// receipts are words that the subjects of receipts and notices begin or go with.
var receipts = strings.Fields(`order receipt invoice payment shipped delivery booking reservation ticket itinerary appointment statement
bestellung rechnung zahlung buchung lieferung termin commande facture paiement réservation pedido factura pago reserva ordine fattura`)

// receipt says whether the subject is that of a receipt: one of its words, and a number.
func (s *subject) receipt() bool {
	subject := strings.ToLower(s.view.Subject)
	digits := 0
	for i := 0; i < len(subject) && digits < 5; i++ {
		if digits++; subject[i] < '0' || subject[i] > '9' {
			digits = 0
		}
	}
	return digits >= 5 && slices.ContainsFunc(receipts, func(w string) bool { return strings.Contains(subject, w) })
}

// bracketed lists what stands in angle brackets (RFC 2369 2).
func bracketed(v string) (out []string) {
	for len(out) < 8 {
		_, rest, ok := strings.Cut(v, "<")
		if !ok {
			break
		}
		uri, rest, ok := strings.Cut(rest, ">")
		if !ok {
			break
		}
		out, v = append(out, strings.TrimSpace(uri)), rest
	}
	return out
}

// leaving are parts of words that such links have, in a dozen languages.
var leaving = strings.Fields(`unsubscri opt-out optout opt_out unsub abmeld abbestell austrag désinscri desinscri désabonn desabonn desuscri cancelar suscri
baja disiscri cancella annulla iscrizione afmeld uitschrijv avprenumer avregistr afmeld peruuta wypisz rezygn odhlá отпис 退订 配信停止 manage-preferences
preferences/ präferenz emailpreferences subscription`)

// leaveLink says whether a link that shows is for leaving: by its words, or its
// address, which may be that of the List-Unsubscribe field.
func (s *subject) leaveLink(uris []string) bool {
	var pages []string
	for _, u := range uris {
		if l := links.Parse(u); l.Host != "" && len(l.Path) > 1 {
			pages = append(pages, l.Host+l.Path)
		}
	}
	for i := range s.view.Links {
		l := &s.view.Links[i]
		if l.Hidden || l.Source == links.FromImage || l.Host == "" && l.Scheme != "mailto" {
			continue
		}
		if slices.Contains(pages, l.Host+l.Path) {
			return true
		}
		words := strings.ToLower(l.Text + " " + l.Raw)
		if len(words) > 4000 {
			words = words[:4000]
		}
		if slices.ContainsFunc(leaving, func(w string) bool { return strings.Contains(words, w) }) {
			return true
		}
	}
	// "click here" beside the word
	text := strings.ToLower(s.view.Text)
	return len(s.view.Links) > 0 && slices.ContainsFunc(leaving[:3], func(w string) bool { return strings.Contains(text, w) })
}
