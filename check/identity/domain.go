package identity

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/reason"
)

// longLocal is more than any person's mailbox name; bounce and notification
// addresses of services are as long, so it counts little.
const longLocal = 22

// newDomain looks at what kind of address the author's is.
func newDomain() check.Checker {
	return check.Func(check.Info{
		Name: "identity/domain", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.FromRiskyTLD, reason.FromTenantName, reason.FromFreeHost, reason.FromOddLocal},
	}, func(in *check.Input) []sluice.Evidence {
		author, ok := from(in.Message)
		if !ok {
			return nil
		}
		f := in.Message.Header().Field("From")
		var out []sluice.Evidence
		switch d := author.Domain; {
		case strings.HasSuffix(d, ".onmicrosoft.com"):
			out = append(out, at(reason.FromTenantName, check.Quote(d), f))
		case domains.RiskyTLD(d):
			out = append(out, at(reason.FromRiskyTLD, check.Quote(d), f))
		case domains.FreeHost(d):
			out = append(out, at(reason.FromFreeHost, check.Quote(d), f))
		}
		if oddLocal(author.Local) && !list(in.Message.Header()) {
			out = append(out, at(reason.FromOddLocal, check.Quote(author.Local), f))
		}
		return out
	})
}

// oddLocal says whether the local part is long and no compound of words.
func oddLocal(s string) bool {
	return len(s) >= longLocal && !strings.ContainsAny(s, ".-_+=")
}
