// Package reply says what an SMTP reply of any receiver likely means: which
// class of refusal it is, at which phase, whether trying again helps, who can do
// something about it, and what.
//
// The knowledge is a table of phrases (rules/*.toml): texts that large receivers
// publish, those of common programs, this gateway's own replies by their reasons,
// and common words in five languages. All phrases are looked up in one pass over
// a bounded text. Where no phrase is known the enhanced code speaks (RFC 3463),
// then the basic code (RFC 5321 4.2). Where code and enhanced code, or a precise
// code and the words, contradict each other, that is a class of its own.
package reply

import (
	"strings"

	"sluice"
)

// MaxText is how many octets of a reply are looked at.
const MaxText = 8192

// Query is a reply and what is known about it. Only Text is needed.
type Query struct {
	Text    string // the reply as received, one or several lines
	Status  string // an enhanced code from elsewhere, such as a report's Status field
	Command string // what was answered: "CONN", "EHLO", "MAIL", "RCPT", "DATA", … ("" unknown)
	Host    string // the host that replied ("" unknown)
}

// Answer is what a reply likely means. Strings that come from the reply itself
// are hostile: escape them before a terminal or a page.
type Answer struct {
	Code     int    `json:"code,omitempty"`     // the basic code, 0 where none was seen
	Enhanced string `json:"enhanced,omitempty"` // the enhanced code, "" where none was seen
	// Class is what happened; Conflict where code and text contradict each other.
	// Likely is the best reading all the same.
	Class     Class        `json:"class"`
	Likely    Class        `json:"likely"`
	Conflict  string       `json:"conflict,omitempty"` // what contradicts what, for people
	Phase     sluice.Phase `json:"phase"`              // where it was said, or where such a thing is said
	Temporary bool         `json:"temporary"`          // trying again unchanged may succeed
	Fault     Fault        `json:"fault"`
	Means     string       `json:"means"`
	Advice    string       `json:"advice"`
	Receiver  string       `json:"receiver,omitempty"` // whose text it is, where that is known
	Rule      string       `json:"rule,omitempty"`     // the entry that spoke, or "code", "enhanced"
	Source    string       `json:"source,omitempty"`   // where the text is documented
	Date      string       `json:"date,omitempty"`     // when that was written down here
	// Weak says that only a code spoke, or words that are said of many things, or
	// such as tell how it ended and not why.
	Weak bool `json:"-"`
	// Reason is the entry of our own catalogue that the reply states, "" for
	// replies of others.
	Reason sluice.Reason `json:"reason,omitempty"`
}

// Classify says what a reply means. It never fails: a text that tells nothing is
// of the class Unknown.
func Classify(q Query) Answer {
	text := q.Text
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	a := Answer{Class: Unknown}
	a.Code, a.Enhanced = Codes(text)
	inText := a.Enhanced
	words := normal(text)
	status, ok := parseEnhanced(firstWord(q.Status))
	if ok && (a.Enhanced == "" || vague(a.Enhanced) && !vague(status)) {
		a.Enhanced = status
	}
	best := table().match(words, a, q)
	named, byStatus := enhancedClass[afterDot(a.Enhanced)]
	byStatus = byStatus && specific(a.Enhanced)
	switch {
	case byStatus && (best == nil || best.Weak):
		a.Class, a.Rule, best = named, "enhanced", nil
	case best != nil:
		a.Class, a.Rule, a.Receiver, a.Source, a.Date, a.Reason = best.Class, best.ID, best.Receiver, best.Source, best.Date, best.reason
	default:
		a.Class, a.Rule = byCode(a.Code, a.Enhanced)
	}
	a.Weak = best == nil && !byStatus || best != nil && (best.Weak || best.Last)
	p := phaseOf(q.Command, strings.ToLower(text))
	if a.Reason == "" {
		a.Class = inPhase(a, p)
	}
	a.Likely = a.Class
	c := classes[a.Class]
	a.Phase, a.Fault, a.Means, a.Advice = c.phase, c.fault, c.means, c.advice
	if best != nil {
		if best.phase != 0 {
			a.Phase = best.phase
		}
		if best.Means != "" {
			a.Means = best.Means
		}
		if best.Fix != "" {
			a.Advice = best.Fix
		}
	}
	if p != 0 {
		a.Phase = p
	}
	a.Temporary = temporary(a, c)
	if a.Conflict = conflict(a, inText, best); a.Conflict != "" {
		a.Class = Conflict
	}
	return a
}

// temporary decides whether another try may help: the basic code is what senders
// must go by (RFC 5321 4.2.1), then the enhanced one, then the class.
func temporary(a Answer, c class) bool {
	switch {
	case a.Code != 0:
		return a.Code/100 == 4
	case a.Enhanced != "":
		return a.Enhanced[0] == '4'
	}
	return c.temporary
}

// inPhase corrects a class by what was answered: "no such domain" in reply to
// MAIL is about the sender, and a refusal without a cause is about whom the phase
// shows.
func inPhase(a Answer, p sluice.Phase) Class {
	nameless := a.Class == UnknownUser || a.Class == UnknownDomain || a.Weak && (a.Class == Policy || a.Class == Unknown)
	switch {
	case a.Class == UnknownUser && afterDot(a.Enhanced) == "1.6":
		return Moved
	case a.Class == Spam && (p == sluice.PhaseConnect || p == sluice.PhaseHello):
		return Reputation // nothing but the client was seen
	case a.Rule == "enhanced" && !a.Weak || !nameless:
		return a.Class
	case p == sluice.PhaseMail:
		return SenderRefused
	case p == sluice.PhaseHello:
		return Hello
	case p == sluice.PhaseConnect && a.Weak:
		return Reputation
	}
	return a.Class
}

// conflict names a contradiction between the basic and the enhanced code, or
// between a precise code and the words; "" where there is none.
func conflict(a Answer, inText string, best *rule) string {
	if a.Code != 0 && inText != "" && int(inText[0]-'0') != a.Code/100 {
		return "the basic code says " + kindOf(byte('0'+a.Code/100)) + ", the enhanced code " + kindOf(inText[0])
	}
	if best == nil || best.reason != "" || inText == "" {
		return ""
	}
	if by, ok := precise[afterDot(a.Enhanced)]; ok && by != a.Likely && classes[by].fault != classes[a.Likely].fault && best.weight() >= strong {
		return "the enhanced code says: " + classes[by].means + "; the text says: " + classes[a.Likely].means
	}
	return ""
}

func kindOf(digit byte) string {
	switch digit {
	case '2':
		return "accepted"
	case '4':
		return "try again"
	case '5':
		return "never"
	}
	return "nothing known"
}

// phaseOf is the phase of the command that was answered, by the caller's word or
// by what the text says of it.
func phaseOf(command, words string) sluice.Phase {
	if command == "" {
		command = Command(words)
	}
	switch strings.ToUpper(command) {
	case "CONN", "CONNECT":
		return sluice.PhaseConnect
	case "HELO", "EHLO", "LHLO":
		return sluice.PhaseHello
	case "STARTTLS":
		return sluice.PhaseTLS
	case "AUTH":
		return sluice.PhaseAuth
	case "MAIL":
		return sluice.PhaseMail
	case "RCPT", "VRFY":
		return sluice.PhaseRcpt
	case "DATA", "BDAT", ".":
		return sluice.PhaseMessage
	}
	return 0
}

// spoken are the ways in which programs say what was answered. The order
// matters: "end of data" before "data".
var spoken = []struct {
	words, command string
	frame          bool // a program's words around the reply, not the reply itself
}{
	{"in reply to rcpt to", "RCPT", true}, {"in reply to mail from", "MAIL", true}, {"in reply to end of data", "DATA", true},
	{"in reply to data", "DATA", true}, {"in reply to ehlo", "EHLO", true}, {"in reply to helo", "HELO", true},
	{"in reply to starttls", "STARTTLS", true}, {"in reply to auth", "AUTH", true},
	{"while sending rcpt to", "RCPT", true}, {"while sending mail from", "MAIL", true}, {"while sending end of data", "DATA", true},
	{"while sending message body", "DATA", true}, {"while sending data", "DATA", true},
	{"while performing the ehlo", "EHLO", true}, {"while performing the helo", "HELO", true}, {"while receiving the initial server greeting", "CONN", true},
	{"after rcpt to", "RCPT", true}, {"after mail from", "MAIL", true}, {"after end of data", "DATA", true}, {"after initial connection", "CONN", true},
	{"after pipelined end of data", "DATA", true}, {"after pipelined mail from", "MAIL", true}, {"after pipelined rcpt to", "RCPT", true},
	{"after pipelined data", "DATA", true}, {"after rcpt command", "RCPT", true}, {"after mail command", "MAIL", true}, {"after data command", "DATA", true},
	{"after sending data", "DATA", true}, {"after ehlo", "EHLO", true}, {"after helo", "HELO", true}, {"after starttls", "STARTTLS", true}, {"after data", "DATA", true},
	{"response to rcpt to", "RCPT", true}, {"response to mail from", "MAIL", true}, {"response to end of data", "DATA", true}, {"response to data", "DATA", true},
	{">>> rcpt to", "RCPT", true}, {">>> mail from", "MAIL", true}, {">>> data", "DATA", true}, {">>> ehlo", "EHLO", true}, {">>> helo", "HELO", true}, {">>> starttls", "STARTTLS", true}, {">>> .", "DATA", true},
	{"does not like recipient", "RCPT", true}, {"does not like sender", "MAIL", true}, {"failed after i sent the message", "DATA", true},
	{"but sender was rejected", "MAIL", true}, {"but greeting failed", "CONN", true}, {"but my name was rejected", "HELO", true},
	{"refused to talk to me", "CONN", false}, {"smtp error from remote mail server after initial", "CONN", false},
	{"recipient address rejected", "RCPT", false}, {"sender address rejected", "MAIL", false}, {"helo command rejected", "HELO", false}, {"end-of-data", "DATA", false},
}

// Command is the SMTP command that a text of a program says was answered, in
// upper case, "" where it says nothing.
func Command(text string) string {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	words := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, s := range spoken {
		if strings.Contains(words, s.words) {
			return s.command
		}
	}
	return ""
}
