package reply

import (
	"strings"

	"sluice/smtp"
)

// Codes finds the basic and the enhanced code of a reply: the first number of
// three digits that begins like a negative or positive reply and stands alone,
// and the first enhanced code (RFC 2034) in the text. 0 and "" where there are
// none.
func Codes(text string) (code int, enhanced string) {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	begin := 0 // behind a code and its hyphen: "550-5.1.1"
	for i := 0; i < len(text); i++ {
		if c := text[i]; c != '2' && c != '4' && c != '5' || i > 0 && i != begin && inWord(text[i-1]) {
			continue
		}
		end := i
		for end < len(text) && (isDigit(text[end]) || text[end] == '.') {
			end++
		}
		word := strings.TrimRight(text[i:end], ".")
		after := byte(' ')
		if i+len(word) < len(text) {
			after = text[i+len(word)]
		}
		switch {
		case len(word) == 3 && code < 400 && isCode(word, after):
			// A greeting may stand before the refusal.
			if n := int(word[0]-'0')*100 + int(word[1]-'0')*10 + int(word[2]-'0'); code == 0 || n >= 400 {
				code = n
			}
			begin = end + 1
		case enhanced == "":
			if e, ok := parseEnhanced(word); ok && !letter(after) && after != '/' {
				enhanced = e
			}
		}
		if code >= 400 && enhanced != "" {
			break
		}
		i = max(i, end-1)
	}
	return code, enhanced
}

// isCode says whether three digits are one of the codes that mail servers use,
// and are followed by space, punctuation or an end.
func isCode(s string, after byte) bool {
	if after > ' ' && strings.IndexByte("-:;,)]}'\"#_", after) < 0 {
		return false
	}
	switch s[:2] {
	case "22", "25":
		return s[2] <= '2'
	case "45", "50", "55", "57":
		return isDigit(s[2])
	}
	_, ok := otherCodes[s]
	return ok
}

// otherCodes are those outside of the common decades (RFC 4954, 5336, 7504, and
// what some programs use).
var otherCodes = map[string]struct{}{
	"421": {}, "422": {}, "431": {}, "432": {}, "441": {}, "442": {}, "446": {}, "447": {}, "449": {}, "471": {}, "472": {},
	"510": {}, "511": {}, "512": {}, "513": {}, "521": {}, "523": {}, "525": {}, "530": {}, "534": {}, "535": {}, "538": {}, "541": {}, "542": {}, "544": {}, "545": {}, "546": {},
}

// inWord says whether a code can't begin behind this octet.
func inWord(c byte) bool {
	return letter(c) || isDigit(c) || strings.IndexByte(".-/@_=%", c) >= 0
}

func letter(c byte) bool  { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseEnhanced reads class.subject.detail (RFC 3463 2).
func parseEnhanced(s string) (string, bool) {
	e, ok := smtp.ParseEnhancedCode(s)
	if !ok {
		return "", false
	}
	return e.String(), true
}

// Vague says whether an enhanced code names no thing, such as "5.0.0".
func Vague(e string) bool { return vague(e) }

// statusOf is the detail that a class has where no code was given.
var statusOf = map[Class]string{
	UnknownUser: "1.1", UnknownDomain: "1.2", Moved: "1.6", MailboxDisabled: "2.1", MailboxFull: "2.2", RecipientRefuses: "7.2", NoMail: "1.10", Suppressed: "7.0", Reputation: "7.1", Listed: "7.1", RateLimited: "7.28", Greylisted: "7.1",
	ReverseDNS: "7.25", Hello: "7.1", SenderRefused: "1.8", Authentication: "7.26", TLS: "7.10", Login: "7.0", RelayDenied: "7.1", Spam: "7.1", Malware: "7.1", Content: "6.0", TooLarge: "3.4", Policy: "7.1", Protocol: "5.0",
	TooManyRecipients: "5.3", Loop: "4.6", Capacity: "3.1", ReceiverError: "3.0", Network: "4.1", Expired: "4.7", Accepted: "0.0",
}

// StatusOf is an enhanced code for an answer that came without one, by its class
// (RFC 3463).
func StatusOf(a Answer) string {
	if a.Enhanced != "" {
		return a.Enhanced
	}
	d, ok := statusOf[a.Likely]
	switch {
	case a.Likely == Accepted:
		return "2.0.0"
	case !ok:
		d = "0.0"
	}
	if a.Temporary {
		return "4." + d
	}
	return "5." + d
}

// vague says whether an enhanced code tells nothing beyond its class.
func vague(e string) bool {
	d := afterDot(e)
	return d == "" || strings.HasPrefix(d, "0.") || strings.HasSuffix(d, ".0")
}

// specific says whether an enhanced code names one thing: not "other" in any of
// its places, and not 5.7.1, which is said of everything.
func specific(e string) bool {
	if vague(e) || e[0] == '2' {
		return false
	}
	switch afterDot(e) {
	case "7.1", "1.0", "5.1", "5.2", "5.4", "6.1", "3.2", "3.5", "4.1", "4.7":
		return false
	}
	return true
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return w
}

// afterDot is an enhanced code without its class: "1.1" of "5.1.1".
func afterDot(e string) string {
	_, d, _ := strings.Cut(e, ".")
	return d
}

// enhancedClass is what an enhanced code says, without its first digit. RFC 3463
// 3, RFC 4468, 5248, 6710, 7293, 7372, 7504, 7505, 8616, 8617 and the registry
// of IANA.
var enhancedClass = map[string]Class{
	"1.0": UnknownUser, "1.1": UnknownUser, "1.2": UnknownDomain, "1.3": UnknownUser, "1.4": UnknownUser, "1.6": Moved, "1.7": SenderRefused, "1.8": SenderRefused, "1.9": Protocol, "1.10": NoMail,
	"2.0": UnknownUser, "2.1": MailboxDisabled, "2.2": MailboxFull, "2.3": TooLarge, "2.4": ReceiverError,
	"3.1": Capacity, "3.2": NoMail, "3.3": ReceiverError, "3.4": TooLarge, "3.5": ReceiverError, "3.0": ReceiverError,
	"4.0": Network, "4.1": Network, "4.2": Network, "4.3": Network, "4.4": UnknownDomain, "4.5": Capacity, "4.6": Loop, "4.7": Expired,
	"5.0": Protocol, "5.1": Protocol, "5.2": Protocol, "5.3": TooManyRecipients, "5.4": Protocol, "5.5": Protocol, "5.6": Login,
	"6.0": Content, "6.1": Content, "6.2": Content, "6.3": Content, "6.4": Content, "6.5": Content, "6.6": Content, "6.7": Protocol, "6.8": Protocol, "6.9": Protocol, "6.10": Protocol,
	"7.0": Policy, "7.1": Policy, "7.2": RecipientRefuses, "7.3": Policy, "7.4": TLS, "7.5": TLS, "7.6": TLS, "7.7": TLS, "7.8": Login, "7.9": Login, "7.10": TLS, "7.11": Login, "7.12": Login, "7.13": MailboxDisabled, "7.14": Login,
	"7.15": Policy, "7.16": TooLarge, "7.17": Moved, "7.18": Moved, "7.19": Policy, "7.20": Authentication, "7.21": Authentication, "7.22": Authentication, "7.23": Authentication, "7.24": Authentication,
	"7.25": ReverseDNS, "7.26": Authentication, "7.27": SenderRefused, "7.28": RateLimited, "7.29": Authentication, "7.30": TLS,
}

// precise are enhanced codes that say one thing only, so that words which say
// another contradict them.
var precise = map[string]Class{
	"1.1": UnknownUser, "1.2": UnknownDomain, "1.6": Moved, "2.2": MailboxFull, "2.3": TooLarge, "3.4": TooLarge, "4.6": Loop, "5.3": TooManyRecipients,
	"7.20": Authentication, "7.21": Authentication, "7.22": Authentication, "7.23": Authentication, "7.24": Authentication, "7.25": ReverseDNS, "7.26": Authentication, "7.27": SenderRefused,
}

// basicClass is what a basic code says where there is nothing else (RFC 5321
// 4.2.3, RFC 7504, RFC 4954).
var basicClass = map[int]Class{
	421: Capacity, 450: MailboxDisabled, 451: ReceiverError, 452: Capacity, 454: TLS, 455: Protocol, 432: Login,
	500: Protocol, 501: Protocol, 502: Protocol, 503: Protocol, 504: Protocol, 521: NoMail, 523: TooLarge, 530: Login, 534: Login, 535: Login, 538: Login,
	550: Unknown, 551: Moved, 552: MailboxFull, 553: Unknown, 554: Unknown, 555: Protocol, 556: NoMail, 571: Policy,
}

// byCode reads the codes alone.
func byCode(code int, enhanced string) (Class, string) {
	if c, ok := enhancedClass[afterDot(enhanced)]; ok && enhanced[0] != '2' {
		return c, "enhanced"
	}
	if code/100 == 2 || code == 0 && strings.HasPrefix(enhanced, "2.") {
		return Accepted, "code"
	}
	if c, ok := basicClass[code]; ok && c != Unknown {
		return c, "code"
	}
	return Unknown, ""
}
