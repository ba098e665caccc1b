package scan

import (
	"net/netip"
	"strings"

	"sluice/message"
	"sluice/message/header"
)

// Origin is what a stored message says about the session that brought it.
type Origin struct {
	Client  netip.Addr // invalid where no Received field names one
	Hello   string
	Name    string // the client's name as the receiver looked it up
	Hop     Received
	From    string // envelope sender, "" for the null sender
	HasFrom bool   // false: the message doesn't tell
	Rcpts   []string
}

// The most that is read of a header that anybody may have written.
const (
	maxHops  = 30
	maxRcpts = 100
)

// Stored derives the origin of a stored message, m being its parsed form. The
// client is that of the topmost Received field which names a public address:
// fields above it were written when one of the receiver's own hosts handed on to
// another, or by a program that fetched the mail. Where none is public, the
// topmost address counts.
func Stored(mail *Mail, m *message.Message) Origin {
	if len(m.Parts) == 0 {
		return Origin{}
	}
	h := &m.Parts[0].Header
	var o Origin
	o.hop(h.Values("Received"))
	o.From, o.HasFrom = separatorFrom(mail.FromLine)
	if !o.HasFrom {
		for _, v := range h.Values("Return-Path") {
			o.From, o.HasFrom = address(v), true
			break
		}
	}
	o.rcpts(h)
	return o
}

func (o *Origin) hop(received []string) {
	var first *Received
	for _, v := range received[:min(len(received), maxHops)] {
		r := ParseReceived(v)
		if !r.Addr.IsValid() {
			continue
		}
		if first == nil {
			first = &r
		}
		if isPublic(r.Addr) && !fetched(r.With) {
			first = &r
			break
		}
	}
	if first != nil {
		o.Hop, o.Client, o.Hello, o.Name = *first, first.Addr, first.Hello, first.Name
	}
}

// inner are networks whose hosts hand mail on inside one carrier or provider:
// carriers' shared space (RFC 6598 7) and the hosts of Exchange Online, which
// write several hops above the one at their border.
var inner = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("2603:1000::/24")}

func isPublic(a netip.Addr) bool {
	for _, p := range inner {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate()
}

// fetched says whether a hop's protocol shows that the receiver went and got the
// mail: then the other side is the mailbox's server, not a client.
func fetched(with string) bool {
	for _, p := range []string{"POP3", "POP3S", "IMAP", "IMAPS"} {
		if strings.EqualFold(with, p) {
			return true
		}
	}
	return false
}

// rcpts takes the envelope's recipient where the delivering host wrote it down,
// else those whom the message names.
func (o *Origin) rcpts(h *header.Header) {
	for _, name := range []string{"X-Original-To", "Delivered-To", "Envelope-To"} {
		if v := h.Values(name); len(v) > 0 {
			if a := address(v[0]); a != "" {
				o.Rcpts = []string{a}
				return
			}
		}
	}
	if strings.Contains(o.Hop.For, "@") {
		o.Rcpts = []string{o.Hop.For}
		return
	}
	for _, name := range []string{"To", "Cc"} {
		for _, v := range h.Values(name) {
			list, _ := header.ParseAddressList(v)
			for _, a := range list {
				if a.Domain != "" && len(o.Rcpts) < maxRcpts {
					o.Rcpts = append(o.Rcpts, a.String())
				}
			}
		}
	}
}

// address is the one address of a trace field, without brackets; "" for "<>".
func address(v string) string {
	v = strings.TrimSpace(v)
	if open := strings.IndexByte(v, '<'); open >= 0 {
		v, _, _ = strings.Cut(v[open+1:], ">")
	}
	if i := strings.LastIndexAny(v, " \t"); i >= 0 { // qmail: "mailing list a@b"
		v = v[i+1:]
	}
	return v
}

// separatorFrom is the envelope sender in an mbox separator line. Some programs
// write "-" for unknown, the null sender is MAILER-DAEMON, and public archives
// write "a at b".
func separatorFrom(line string) (sender string, ok bool) {
	f, ok := separatorSender("From " + line)
	if !ok || len(f) == 0 {
		f = strings.Fields(line)
	}
	switch {
	case len(f) == 0 || f[0] == "-":
		return "", false
	case f[0] == "<>" || strings.EqualFold(f[0], "MAILER-DAEMON"):
		return "", true
	case len(f) == 3 && f[1] == "at":
		return f[0] + "@" + f[2], true
	}
	return strings.Trim(f[0], "<>"), true
}
