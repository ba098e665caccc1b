package relay

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"sluice"
	"sluice/smtp"
)

// failure is why a message was not handed on, for all recipients alike.
type failure struct {
	reply   sluice.Reply
	err     error
	unknown bool // sluice.Outcome.Unknown
	final   bool // trying elsewhere would be wrong or useless
	stale   bool // a kept connection turned out to be dead: a new one may do
	noLogin bool // our login was refused
}

// The replies for trouble between us and the next hop: always temporary.
var (
	noConnection = sluice.Reply{Code: 451, Enhanced: "4.4.1", Text: "The next mail server can't be reached now; please try again later"}
	broken       = sluice.Reply{Code: 451, Enhanced: "4.4.2", Text: "The connection to the next mail server broke; please try again later"}
	nonsense     = sluice.Reply{Code: 451, Enhanced: "4.5.0", Text: "The next mail server gave no valid answer; please try again later"}
	busy         = sluice.Reply{Code: 451, Enhanced: "4.3.2", Text: "All connections to the next mail server are in use; please try again later"}
	setUp        = sluice.Reply{Code: 451, Enhanced: "4.3.5", Text: "The next mail server does not talk to this one as set up; please try again later"}
	noTLS        = sluice.Reply{Code: 451, Enhanced: "4.7.5", Text: "No secure connection to the next mail server; please try again later"}
)

// The refusals that are ours to give: the message can't pass as it is.
var (
	badText     = sluice.Reply{Code: 554, Enhanced: "5.6.0", Text: "Message has a bare CR, a bare LF or a NUL octet; send lines that end in CRLF"}
	badMail     = sluice.Reply{Code: 553, Enhanced: "5.1.7", Text: "Sender address or a parameter can't be passed on"}
	badRcpt     = sluice.Reply{Code: 553, Enhanced: "5.1.3", Text: "Recipient address or a parameter can't be passed on"}
	noEightBit  = sluice.Reply{Code: 554, Enhanced: "5.6.3", Text: "The next mail server takes no 8-bit text; encode the message"}
	noSMTPUTF8  = sluice.Reply{Code: 553, Enhanced: "5.6.7", Text: "The next mail server takes no internationalized mail; use ASCII addresses and headers"}
	tooLarge    = sluice.Reply{Code: 552, Enhanced: "5.3.4", Text: "Message is larger than the next mail server takes"}
	ownHeadFail = sluice.Reply{Code: 451, Enhanced: "4.3.0", Text: "Local trouble, not your fault; please try again later"}
)

// lost makes the failure of a connection that broke, timed out or spoke
// nonsense.
func lost(where string, err error) *failure {
	f := &failure{reply: broken, err: fmt.Errorf("relay: %s: %w", where, err)}
	for _, bad := range []error{smtp.ErrReplySyntax, smtp.ErrReplyTooLong, smtp.ErrReplyCodes, smtp.ErrReplyLineEnd, errNonsense, errEarly} {
		if errors.Is(err, bad) {
			f.reply = nonsense
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.err = fmt.Errorf("relay: %s: no answer in time: %w", where, err)
	}
	return f
}

var (
	errNonsense = errors.New("reply makes no sense here")
	errEarly    = errors.New("reply that nothing asked for")
)

// refused makes the failure of a 4xx or 5xx, or of a reply that has no place
// where it came.
func refused(where string, r smtp.Reply) *failure {
	if r.Code < 400 {
		return lost(where, fmt.Errorf("%w: %s", errNonsense, quote(r)))
	}
	f := &failure{reply: passOn(r), err: fmt.Errorf("relay: %s: %s", where, quote(r))}
	if aboutUs(r) {
		f.reply = setUp
	}
	return f
}

// quote shows a reply to the operator.
func quote(r smtp.Reply) string {
	return fmt.Sprintf("%d %s %q", r.Code, r.Enhanced, cut(r.Text(), 300))
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// passOn makes the reply for the sender out of the next hop's.
func passOn(r smtp.Reply) sluice.Reply {
	out := sluice.Reply{Code: r.Code, Enhanced: r.Enhanced.String(), Text: printable(cut(r.Text(), 400))}
	if r.Code == 421 { // it closes its connection to us; ours to the sender may stay
		out.Code = 451
	}
	if out.Enhanced == "" || int(out.Enhanced[0]-'0') != out.Code/100 {
		out.Enhanced = fmt.Sprintf("%d.0.0", out.Code/100)
	}
	if out.Text == "" {
		out.Text = "Said by the next mail server"
	}
	return out
}

// aboutUs says whether a refusal speaks of our commands, their order or our login
// and not of the message: a fault of the set-up must not bounce mail (RFC 5321
// 4.2.2, RFC 4954 6). Codes of syntax and order count only with an enhanced code
// of the protocol (X.5.X) or none: some servers say 500 for anything.
func aboutUs(r smtp.Reply) bool {
	switch r.Code {
	case 530, 534, 535, 538:
		return true
	case 500, 502, 503, 504:
		return r.Enhanced == smtp.EnhancedCode{} || r.Enhanced.Subject == 5
	}
	return false
}

// printable replaces what could hurt a terminal or split a reply.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
