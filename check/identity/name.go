package identity

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message/header"
	"sluice/reason"
)

// nameable says whether mail can be answered there: a domain of two labels or
// more below a top-level domain that exists, or an address literal.
func nameable(domain string) bool {
	return strings.HasPrefix(domain, "[") || strings.Contains(domain, ".") && domains.KnownTLD(domain)
}

// newName compares the display name with the address behind it. Many clients
// show the name only, so an address in the name is what the reader believes.
func newName() check.Checker {
	return check.Func(check.Info{
		Name: "identity/name", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.FromNameOurs, reason.FromNameAddress},
	}, func(in *check.Input) []sluice.Evidence {
		author, ok := from(in.Message)
		h := in.Message.Header()
		if !ok || author.Name == "" || list(h) {
			return nil
		}
		for _, a := range addressesIn(author.Name) {
			if org(a.domain) == org(author.Domain) {
				continue
			}
			id := sluice.Reason(reason.FromNameAddress)
			if ours(in.Envelope, a.domain) {
				id = reason.FromNameOurs
			}
			return []sluice.Evidence{at(id, check.Quote(author.Name)+" is really "+check.Quote(author.String()), h.Field("From"))}
		}
		return nil
	})
}

// ours says whether domain is a recipient's.
func ours(e *sluice.Envelope, domain string) bool {
	if e == nil {
		return false
	}
	for _, r := range e.Rcpts {
		if d := sluice.DomainOf(r.Address); d != "" && org(d) == org(domain) {
			return true
		}
	}
	return false
}

type mailbox struct{ local, domain string }

var ats = strings.NewReplacer("＠", "@", "﹫", "@", " @ ", "@", "(at)", "@", "[at]", "@")

// addressesIn finds addresses in a display name, also with the look-alikes of
// "@" that people don't notice.
func addressesIn(name string) []mailbox {
	if len(name) > 1000 {
		name = name[:1000]
	}
	name = ats.Replace(name)
	var out []mailbox
	for i := strings.IndexByte(name, '@'); i >= 0 && len(out) < 4; {
		start, end := i, i+1
		for start > 0 && addressByte(name[start-1]) {
			start--
		}
		for end < len(name) && (addressByte(name[end])) {
			end++
		}
		local, domain := name[start:i], header.Lower(strings.Trim(name[i+1:end], ".-_"))
		if local != "" && strings.Contains(domain, ".") && domains.KnownTLD(domain) {
			out = append(out, mailbox{local, domain})
		}
		next := strings.IndexByte(name[end:], '@')
		if next < 0 {
			break
		}
		i = end + next
	}
	return out
}

func addressByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' || c == '+' || c >= 0x80
}
