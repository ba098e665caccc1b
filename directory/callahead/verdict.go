package callahead

import (
	"strings"

	"sluice"
	"sluice/smtp"
)

// verdict reads the answer to RCPT. A permanent refusal is a no only where it is
// about the address: codes that systems use for other things (policy, relaying,
// the sender) say nothing about whether the mailbox exists. They say nothing to
// other senders either, since ours is the null one: only words about the
// mailbox's state, which is the same for all, are kept to be passed on.
func verdict(r smtp.Reply) (p sluice.Presence, keep bool) {
	e := enhanced(r)
	switch {
	case r.Code == 250 || r.Code == 251:
		return sluice.Present, false // 251: it forwards (RFC 5321 3.4)
	case r.Code < 400:
		return sluice.CantTell, false // 252 says so itself
	case r.Code < 500:
		return sluice.CantTell, e == full
	case e == (smtp.EnhancedCode{}):
		// RFC 5321 4.2.3: 550 is also "no access" and "for policy reasons", but
		// without an enhanced code most servers mean the mailbox.
		if r.Code == 550 || r.Code == 551 || r.Code == 553 {
			return sluice.Absent, false
		}
	case e.Subject == 1 && aboutRecipient[e.Detail]:
		return sluice.Absent, false
	case r.Code == 550 && e.Subject == 4 && e.Detail == 1:
		return sluice.Absent, false // what Exchange Online says of an unknown recipient
	case e.Subject == 2 && (e.Detail == 1 || e.Detail == 2):
		return sluice.Present, true // disabled, full (RFC 3463 3.3)
	}
	return sluice.CantTell, false
}

// full is "mailbox full", for now. Its neighbours are used for greylisting.
var full = smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}

// aboutRecipient are details of x.1.x that say that an address leads nowhere
// (RFC 3463 3.2, RFC 7505). 4 and 5 mean that it leads somewhere; 7, 8 and 9 are
// about the sender, whom some servers judge at RCPT.
var aboutRecipient = map[int]bool{0: true, 1: true, 2: true, 3: true, 6: true, 10: true}

// enhanced is the enhanced code, also where it stands in the text as qmail writes
// it: "sorry, no mailbox here by that name (#5.1.1)".
func enhanced(r smtp.Reply) smtp.EnhancedCode {
	if r.Enhanced != (smtp.EnhancedCode{}) {
		return r.Enhanced
	}
	for _, line := range r.Lines {
		i := strings.IndexByte(line, '#')
		if i < 0 {
			continue
		}
		code := line[i+1:]
		if n := strings.IndexFunc(code, func(c rune) bool { return c != '.' && (c < '0' || c > '9') }); n >= 0 {
			code = code[:n]
		}
		if e, ok := smtp.ParseEnhancedCode(code); ok && e.Class == r.Code/100 {
			return e
		}
	}
	return smtp.EnhancedCode{}
}

// maxWords bounds the back end's words that are passed on.
const maxWords = 300

// said is the back end's reply, made fit to be shown: bounded, printable ASCII.
func said(r smtp.Reply) sluice.Reply {
	text := r.Text()
	if len(text) > maxWords {
		text = text[:maxWords]
	}
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return sluice.Reply{Code: r.Code, Enhanced: enhanced(r).String(), Text: string(b)}
}
