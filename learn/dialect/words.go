package dialect

import (
	"strings"

	"sluice"
)

// Describe puts a dialect into words for a person: "EHLO with a domain name; upper
// case; SIZE; several commands in one segment; QUIT".
func Describe(d sluice.Dialect) string {
	var out []string
	say := func(s string) {
		if s != "" {
			out = append(out, s)
		}
	}
	m := d.Marks
	if m&Early != 0 {
		say("speaks before the greeting")
	}
	say(greeting(d))
	say(cases(m))
	if c := get(m, sizeCase, 2); c != 0 {
		say([...]string{"", "SIZE", "size in lower case", "SIZE in mixed case"}[c])
	}
	for _, w := range markWords {
		if m&w.mark == w.mark {
			say(w.words)
		}
	}
	if strings.Contains(habits(d.Order), " ") {
		say("order " + habits(d.Order))
	}
	if r := get(m, afterTemp, 3); r != 0 {
		say("after 4xx to a recipient: " + reactionWords[r])
	}
	if r := get(m, afterPerm, 3); r != 0 {
		say("after 5xx to a recipient: " + reactionWords[r])
	}
	if p := get(m, timing, 3); p != 0 && p < uint64(len(paceWords)) {
		say("MAIL " + paceWords[p])
	}
	say(endingWords[get(m, ending, 2)])
	return strings.Join(out, "; ")
}

// markWords are the marks that are one bit, in the order of Describe.
var markWords = []struct {
	mark  uint64
	words string
	odd   bool // it would be unusual if no recorded program did it
}{
	{HelloSpace, "more than one space in the greeting", true},
	{HelloTrail, "a space behind the name in the greeting", true},
	{MailSpaceBefore, "a space before the colon of MAIL", true},
	{MailSpaceAfter, "a space after the colon of MAIL", true},
	{MailNoBrackets, "no angle brackets at MAIL", true},
	{MailSpace, "odd spaces in MAIL", true},
	{MailTrail, "a space at the end of MAIL", true},
	{ParamBody, "BODY", false},
	{ParamUTF8, "SMTPUTF8", false},
	{ParamAuth, "AUTH parameter", false},
	{ParamDSN, "DSN parameters", false},
	{ParamOther, "other parameters", false},
	{SizeLater, "SIZE behind others", false},
	{NullSender, "null sender", false},
	{Groups, "several commands in one segment", false},
	{RcptSpaceBefore, "a space before the colon of RCPT", true},
	{RcptSpaceAfter, "a space after the colon of RCPT", true},
	{RcptNoBrackets, "no angle brackets at RCPT", true},
	{RcptSpace, "odd spaces in RCPT", true},
	{RcptTrail, "a space at the end of RCPT", true},
	{RcptParams, "parameters at RCPT", false},
	{DataSpace, "odd spaces at DATA", true},
	{Tab, "a tab in a command", true},
	{Probes, "VRFY or EXPN", false},
	{Garbage, "a line that is no command", true},
	{AuthNotOffered, "AUTH though not offered", true},
	{LFOnly, "lines that end with LF alone", true},
	{Long, "a command line over 512 octets", false},
	{UsesTLS, "STARTTLS", false},
	{NoHelloAfterTLS, "no greeting after STARTTLS", true},
	{Hasty, "doesn't wait for replies", true},
	{Varies, "changes its ways", true},
	{Deaf, "goes on after a refusal", true},
}

func greeting(d sluice.Dialect) string {
	f := get(d.Marks, helloForm, 4)
	if f == 0 || f >= uint64(len(formWords)) {
		return ""
	}
	first := none
	for _, v := range order(d.Order) {
		if v.greets() {
			first = v
			break
		}
	}
	return verbWords[first] + " with " + formWords[f]
}

// caseFields are the words whose case is noted, but for SIZE.
var caseFields = []struct {
	at   int
	word string
}{{helloCase, "greeting"}, {mailCase, "MAIL"}, {fromCase, "FROM"}, {rcptCase, "RCPT"}, {toCase, "TO"}, {dataCase, "DATA"}}

// cases says how the commands are written, word by word only where they differ.
func cases(m uint64) string {
	var parts []string
	all, same := uint64(0), true
	for _, f := range caseFields {
		c := get(m, f.at, 2)
		if c == 0 {
			continue
		}
		if all == 0 {
			all = c
		}
		same = same && c == all
		parts = append(parts, f.word+" "+caseWords[c])
	}
	if same {
		return caseWords[all]
	}
	return strings.Join(parts, ", ")
}

// Commands are a client's first sixteen, in order; a command that is repeated at once,
// such as RCPT, stands once.
func Commands(d sluice.Dialect) []string {
	var out []string
	for _, v := range order(d.Order) {
		out = append(out, verbWords[v])
	}
	return out
}

// habits lists the commands where they aren't the usual ones in the usual order.
func habits(o uint64) string {
	var words []string
	plain := true
	usual := [...]verb{none, vMAIL, vRCPT, vDATA, vQUIT}
	at := 0
	for i, v := range order(o) {
		words = append(words, verbWords[v])
		switch {
		case v == vSTARTTLS || v == vAUTH || v.greets() && (i == 0 || i == 2 && o>>4&0xf == uint64(vSTARTTLS)):
		case at+1 < len(usual) && (v == usual[at+1] || v == vBDAT && usual[at+1] == vDATA):
			at++
		case v == vBDAT && usual[at] == vDATA, v == vQUIT:
		default:
			plain = false
		}
	}
	if plain {
		return ""
	}
	return strings.Join(words, " ")
}
