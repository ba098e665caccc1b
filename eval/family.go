package eval

import (
	"strings"

	"sluice"
	"sluice/reason"
)

// Families are the kinds of evidence that an ablation leaves out one by one.
var Families = []string{"authentication", "transport", "domain", "identity", "brand", "obfuscation", "links", "bulk", "lures", "text", "structure", "other"}

// named are the reasons whose family their names don't tell.
var named = map[sluice.Reason]string{
	reason.FromRiskyTLD: "domain", reason.FromTenantName: "domain", reason.FromFreeHost: "domain", reason.FromOddLocal: "domain", reason.FromDomainUnknown: "domain",
	reason.FromDomainLookalike: "domain",
	reason.ToMissing:           "bulk", reason.ToUndisclosed: "bulk", reason.ReplyToFreeMail: "bulk", reason.ReplyToDiffers: "bulk", reason.ReplyToOtherMailbox: "bulk",
}

// begins are the beginnings of reasons' names, the first that fits counts.
var begins = []struct{ prefix, family string }{
	{"DKIM_", "authentication"}, {"DMARC_", "authentication"}, {"ARC_", "authentication"}, {"SPF_", "authentication"},
	{"HELO_", "transport"}, {"IPREV_", "transport"}, {"CLIENT_", "transport"}, {"DIALECT_", "transport"},
	{"DOMAIN_", "domain"}, {"FROM_CHEAP", "domain"}, {"SENDER_UNKNOWN", "domain"},
	{"HEADER_", "obfuscation"}, {"TEXT_INVISIBLE", "obfuscation"}, {"TEXT_MIXED", "obfuscation"}, {"TEXT_STYLED", "obfuscation"}, {"TEXT_HIDDEN", "obfuscation"},
	{"TEXT_SPACED", "obfuscation"}, {"TEXT_SPELLED", "obfuscation"}, {"TEXT_TAG", "obfuscation"},
	{"BULK_UNSIGNED", "authentication"}, {"AUTH_", "authentication"}, {"FROM_OURS_", "authentication"}, {"BULK_", "bulk"}, {"LEAVE_", "bulk"}, {"FROM_", "identity"}, {"NAME_", "identity"},
}

// Family is the kind of evidence that a reason belongs to.
func Family(id sluice.Reason) string {
	if f := named[id]; f != "" {
		return f
	}
	for _, b := range begins {
		if strings.HasPrefix(string(id), b.prefix) {
			return b.family
		}
	}
	e, ok := reason.Lookup(string(id))
	if !ok {
		return "other"
	}
	switch e.Group {
	case "brand", "text", "structure":
		return e.Group
	case "link":
		return "links"
	case "scam":
		return "lures"
	case "identity":
		return "identity"
	}
	return "other"
}
