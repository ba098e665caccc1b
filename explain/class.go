package explain

import (
	"strings"

	"sluice"
	"sluice/reason"
)

// Class returns the words that begin a refusal: what kind of trouble it is.
// They follow the code where the sender should merely come back or mend
// something, the threat else. Receivers of refusals sort them by their first
// words and the code, so both stay the same for the same trouble.
func Class(t sluice.Threat, hard bool, code int, enhanced string) string {
	_, detail, _ := strings.Cut(enhanced, ".")
	if code/100 == 4 {
		return laterClass(code, detail)
	}
	switch t {
	case sluice.ThreatPhish:
		return "Looks like phishing"
	case sluice.ThreatSpam:
		return "Looks like spam"
	case sluice.ThreatBulk:
		return "Looks like unwanted bulk mail"
	case sluice.ThreatScam:
		return "Looks like a scam"
	case sluice.ThreatCopycat:
		return "Looks like an imitation"
	case sluice.ThreatMalware:
		if hard {
			return "Carries malware"
		}
		return "Looks like malware"
	case sluice.ThreatBot:
		return "Acts like a bot"
	case sluice.ThreatAttack:
		if breaks := brokenClass(detail); breaks != "" {
			return breaks
		}
		return "Looks like an attack"
	}
	return plainClass(detail)
}

func laterClass(code int, detail string) string {
	switch {
	case detail == "5.3":
		return "Limit reached"
	case detail == "7.0" || detail == "7.1" || detail == "7.28":
		if code == 454 {
			return "Try again later"
		}
		return "Slow down"
	case code == 421 && detail == "4.2":
		return "Time is up"
	}
	return "Try again later"
}

func brokenClass(detail string) string {
	switch {
	case strings.HasPrefix(detail, "5."):
		return "Breaks the SMTP protocol"
	case strings.HasPrefix(detail, "6."):
		return "Breaks the mail format"
	}
	return ""
}

func plainClass(detail string) string {
	switch detail {
	case "1.8", "1.7", "7.27":
		return "Bad sender address"
	case "3.2":
		return "No mail here"
	case "3.4":
		return "Too large"
	case "4.6":
		return "Mail loop"
	case "6.1":
		return "Nothing learned"
	case "6.3", "6.7":
		return "Can't be delivered"
	case "0.0":
		return "Refused by the mailbox's server"
	}
	switch subject, _, _ := strings.Cut(detail, "."); subject {
	case "1":
		return "Bad recipient address"
	case "2":
		return "Mailbox trouble"
	case "5", "6":
		return brokenClass(detail)
	}
	return "Not allowed"
}

// threatOf is the threat that the catalogue gives a reason.
func threatOf(e reason.Entry) sluice.Threat {
	var t sluice.Threat
	if t.UnmarshalText([]byte(e.Threat)) != nil {
		return sluice.ThreatNone
	}
	return t
}
