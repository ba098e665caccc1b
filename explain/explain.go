// Package explain renders what was found and decided, for the sender (the SMTP
// reply and the why page), the recipient (a sentence) and the admin (the
// ledger). It is the only way by which hostile text reaches people: all of it
// goes through [Escape] or [ASCII].
//
// A reply never names a recipient, a threshold, a number of points, or what a
// model or list looked at.
package explain

import (
	"cmp"
	"strings"

	"sluice"
	"sluice/reason"
)

// Options are what a reply needs beside the reasons.
type Options struct {
	Ref        string // the transaction's reference, "" for none
	PublicURL  string // base of the public pages, "" for none
	Token      string // sealed facts for the why page
	Postmaster string // address for questions where there is no page
	Page       string // a page of the peer's own, in place of the why page; "" for none
}

// MaxText is the room for a reply's text in one line: 512 octets with the code,
// the enhanced code, two spaces and CRLF (RFC 5321 4.5.3.1.5).
const MaxText = 512 - len("550 5.7.26 \r\n")

// Reply renders the reply to a message or a phase that was decided upon: by the
// reason that leads, in the words of the verdict's threat. An action that takes
// the message gets 250. A reason whose code doesn't fit the action is told in
// its own words with a fitting code: a refusal in words of "later" would
// contradict itself.
func Reply(action sluice.Action, why sluice.Reason, v sluice.Verdict, o Options) sluice.Reply {
	switch action {
	case sluice.Reject:
		e := lookup(why, 5, reason.Unwanted)
		if v.HardKind != sluice.HardStop {
			return refusal(summed(e), cmp.Or(v.Threat, sluice.ThreatSpam), o)
		}
		return refusal(named(e, v), threatOf(e), o)
	case sluice.Defer:
		return refusal(lookup(why, 4, reason.CheckIncomplete), sluice.ThreatNone, o)
	}
	return sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: strings.TrimSpace("Message taken." + mark(o))}
}

// named adds to a scanner's finding what the scanner calls it: a sender who knows the
// name can look for it. The detail is the name, and behind it who says so.
func named(e reason.Entry, v sluice.Verdict) reason.Entry {
	if e.ID != reason.EngineMalware {
		return e
	}
	for _, c := range v.Ledger {
		if string(c.Reason) != e.ID || c.State != sluice.Found {
			continue
		}
		if name, _, _ := strings.Cut(c.Detail, " (by "); name != "" {
			e.Reply += " (" + ASCII(name, maxNamed) + ")"
		}
		break
	}
	return e
}

// maxNamed bounds the name of a signature in a reply.
const maxNamed = 60

// summed gives a soft reason that leads a sum the code of a refusal for what the
// message is (RFC 3463 X.7.1): the sum decided, not the fault that the reason's
// own code would name.
func summed(e reason.Entry) reason.Entry {
	if !strings.HasPrefix(e.Enhanced, "5.7.") {
		e.Code, e.Enhanced = 550, "5.7.1"
	}
	return e
}

// Reason renders a refusal that one reason of the catalogue makes alone: a
// protocol violation, a limit, a recipient that isn't served, trouble of our
// own. One that the catalogue doesn't know is our own trouble.
func Reason(why sluice.Reason, o Options) sluice.Reply {
	e, ok := reason.Lookup(string(why))
	if !ok || e.Code == 0 {
		e, _ = reason.Lookup(reason.LocalError)
	}
	return refusal(e, threatOf(e), o)
}

// Failure renders an error for the peer: an [*sluice.Error] with a reason of
// the catalogue by that, any other by [sluice.ReplyTo], with the reference.
func Failure(err error, o Options) sluice.Reply {
	if e, ok := asError(err); ok {
		if c, known := reason.Lookup(string(e.Why)); known && c.Code/100 == e.Reply.Code/100 {
			return refusal(c, threatOf(c), o)
		}
	}
	r := sluice.ReplyTo(err)
	r.Text = fit(ASCII(r.Text, 300), "", o)
	return r
}

// Relayed renders the next hop's own refusal: its code and words, bounded and
// escaped, with our reference. Addresses are left out of the words: behind an alias
// they may be ones that the sender doesn't know. The class and the page are those of
// [RelayedReason]; a refusal that isn't the sender's trouble is told in our words.
func Relayed(r sluice.Reply, o Options) sluice.Reply {
	why, code := RelayedReason(r)
	if why == reason.BackendGarbage {
		return Reason(why, o)
	}
	e, _ := reason.Lookup(string(why))
	out := sluice.Reply{Code: code, Enhanced: e.Enhanced}
	if validEnhanced(r.Enhanced, r.Code) {
		out.Enhanced = r.Enhanced
	}
	words := strings.TrimRight(ASCII(withoutAddresses(r.Text), 200), " .")
	if words == "" {
		words = e.Reply
	}
	out.Text = fit(Class(sluice.ThreatNone, false, code, e.Enhanced)+": "+words, "", o)
	return out
}

// RelayedReason says which reason of the catalogue stands for the next hop's own
// refusal, and with which code it is passed on. A reply that is no refusal at all, or
// that finds fault with how we speak to it, is not the sender's trouble, and temporary.
func RelayedReason(r sluice.Reply) (why sluice.Reason, code int) {
	if !r.Temporary() && !r.Permanent() || r.Code/10 == 50 || r.Code/10 == 53 {
		e, _ := reason.Lookup(reason.BackendGarbage)
		return reason.BackendGarbage, e.Code
	}
	code = r.Code
	if code == 421 { // it ends its session with us, not ours with the sender
		code = 451
	}
	if why, ok := relayed[r.Enhanced]; ok && validEnhanced(r.Enhanced, r.Code) {
		return why, code
	}
	if r.Temporary() {
		return reason.BackendDeferred, code
	}
	return reason.BackendRejected, code
}

// relayed are the enhanced codes that say more than refused or deferred (RFC 3463 3).
// The relay's own words for a next hop that can't be used carry them too.
var relayed = map[string]sluice.Reason{
	"4.3.2": reason.BackendBusy,
	"4.4.1": reason.BackendDown,
	"4.4.2": reason.BackendLost,
	"4.5.0": reason.BackendGarbage,
	"4.7.5": reason.BackendTLS,
	"5.6.3": reason.No8BitRoute,
	"5.6.7": reason.NoSMTPUTF8Route,
}

// withoutAddresses makes one line of s and takes mail addresses out.
func withoutAddresses(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if !strings.Contains(w, "@") {
			continue
		}
		end := strings.TrimRight(w, ".,;:!?")
		words[i] = "<address>" + w[len(end):]
	}
	return strings.Join(words, " ")
}

// lookup returns the entry of why if it has a code of the class, else that of
// the substitute.
func lookup(why sluice.Reason, class int, substitute string) reason.Entry {
	e, ok := reason.Lookup(string(why))
	if !ok || e.Code/100 != class {
		e, _ = reason.Lookup(substitute)
	}
	return e
}

func refusal(e reason.Entry, t sluice.Threat, o Options) sluice.Reply {
	class := Class(t, e.Hard == "stop", e.Code, e.Enhanced)
	return sluice.Reply{Code: e.Code, Enhanced: e.Enhanced, Text: fit(class+": "+e.Reply, e.Fix, o), Close: closes(e.Code)}
}

// closes says which codes end the session: 421 (RFC 5321 3.8) and 521 (RFC 7504).
func closes(code int) bool { return code == 421 || code == 521 }

// fit joins what, the advice and the mark into one line. Where the line would be
// too long, the postmaster or link goes first, then the advice: the reference
// leads to both.
func fit(what, fix string, o Options) string {
	bare := Options{Ref: o.Ref}
	advice := what
	if fix != "" {
		advice += "; " + fix
	}
	for _, text := range [...]string{advice + "." + mark(o), advice + "." + mark(bare), what + "." + mark(bare)} {
		if len(text) <= MaxText {
			return text
		}
	}
	return ASCII(what, MaxText)
}

// mark is the tail of a reply: the reference and where to ask.
func mark(o Options) string {
	var b strings.Builder
	if o.Ref != "" {
		b.WriteString(" ref " + ASCII(o.Ref, 40))
	}
	switch {
	case o.Page != "":
		b.WriteString(" " + ASCII(o.Page, 340))
	case o.PublicURL != "" && o.Token != "":
		b.WriteString(" " + WhyURL(o))
	case o.Postmaster != "":
		b.WriteString(" " + ASCII(o.Postmaster, 120))
	}
	return b.String()
}

// WhyURL is the address of the why page.
func WhyURL(o Options) string {
	return ASCII(strings.TrimSuffix(o.PublicURL, "/"), 200) + "/why/" + ASCII(o.Token, 300)
}

// validEnhanced checks class.subject.detail against the code (RFC 2034 4).
func validEnhanced(s string, code int) bool {
	class, rest, ok := strings.Cut(s, ".")
	subject, detail, ok2 := strings.Cut(rest, ".")
	return ok && ok2 && len(class) == 1 && int(class[0]-'0') == code/100 && digits(subject) && digits(detail)
}

func digits(s string) bool {
	return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}
