package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/mailauth/author"
	"sluice/mailauth/dmarc"
	"sluice/reason"
)

// newDMARC states whether the author's domain stands behind the message, and
// what its owner asks for where it doesn't. What is done about it is policy's
// (RFC 9989 5.4: nobody rejects on p=reject alone).
func newDMARC() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/dmarc", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Remote, Always: true,
		Reasons: []sluice.Reason{reason.DMARCTemperror, reason.DMARCPass, reason.DMARCFailNone, reason.DMARCFailQuarantine,
			reason.DMARCFailReject, reason.DMARCNone, reason.DMARCPermerror},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.InTransaction() || !in.Auth.Live() && in.Auth.Upstream(in.Message) == nil {
			return nil
		}
		r := in.Auth.DMARC(ctx, in.Message, in.Now)
		detail := evaluation(&r)
		switch r.Value {
		case dmarc.Pass:
			return []sluice.Evidence{check.Found(reason.DMARCPass, detail)}
		case dmarc.TempError:
			return []sluice.Evidence{check.Unknown(reason.DMARCTemperror, detail)}
		case dmarc.None:
			if in.Auth.Upstream(in.Message) != nil {
				return nil // it may not have looked: what it doesn't say is no evidence
			}
			return []sluice.Evidence{check.Found(reason.DMARCNone, detail)}
		case dmarc.PermError:
			if a := in.Auth.Author(in.Message); a.Clear {
				return []sluice.Evidence{check.Found(reason.DMARCPermerror, detail)}
			}
			// RFC 9989 11.5: where readers could see several authors, the strictest
			// of their policies is the one to go by.
			if id := failure(r.Strictest); id != reason.DMARCFailNone {
				return []sluice.Evidence{check.Found(id, "no single author; the strictest policy of those that readers could see is "+r.StrictestAt+"'s")}
			}
			return nil // identity/author tells it
		}
		e := check.Found(failure(r.Disposition), detail)
		if speaksForItself(in, r.Identifiers) {
			// A list changes what it forwards, and signs for itself: the failure
			// is no news. What the owner asks for stays policy's to weigh.
			e.Raw, e.Detail = 0, "by a mailing list that authenticates as itself; "+detail
		}
		return []sluice.Evidence{e}
	})
}

// failure is the reason of a message that fails, by what its owner asks for.
func failure(p dmarc.Policy) sluice.Reason {
	switch p {
	case dmarc.PolicyReject:
		return reason.DMARCFailReject
	case dmarc.PolicyQuarantine:
		return reason.DMARCFailQuarantine
	}
	return reason.DMARCFailNone
}

// speaksForItself says whether a mailing list stands behind the message: its
// List-Id is of an organization that SPF or DKIM passes for.
func speaksForItself(in *check.Input, passed []dmarc.Identifier) bool {
	h := in.Message.Header()
	if !list(h) {
		return false
	}
	id := h.Get("List-Id")
	if i := strings.LastIndexByte(id, '<'); i >= 0 {
		id = id[i+1:]
	}
	owner := org(strings.ToLower(strings.TrimRight(strings.TrimSpace(id), ">")))
	return owner != "" && slices.ContainsFunc(passed, func(p dmarc.Identifier) bool {
		return p.Result == "pass" && org(p.Domain) == owner
	})
}

// evaluation is a DMARC outcome in one line.
func evaluation(r *dmarc.Result) string {
	parts := []string{fmt.Sprintf("%s: %s", r.Domain, r.Why)}
	if r.Record != nil {
		parts = append(parts, fmt.Sprintf("record at %s: %s", r.RecordAt, r.Record.Raw))
	}
	for _, id := range r.Identifiers {
		parts = append(parts, fmt.Sprintf("%s %s %s (%s)", id.Method, id.Result, id.Domain, id.Why))
	}
	return strings.Join(parts, "; ")
}

// newAuthor states where readers could see another author than the one that
// authentication speaks of: such a message is made to deceive, or broken.
func newAuthor() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/author", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.FromUnclear, reason.FromDomainLookalike},
	}, func(_ context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.InTransaction() {
			return nil
		}
		a := in.Auth.Author(in.Message)
		var out []sluice.Evidence
		// Several authors of one domain are odd, and no riddle for anybody.
		if _, one := a.AuthorDomain(); !one && !a.Clear && !onlyMissing(&a) {
			out = append(out, check.Found(reason.FromUnclear, problems(&a)))
		}
		if a.Has(author.MixedScript) || a.Has(author.Confusable) {
			out = append(out, check.Found(reason.FromDomainLookalike, problems(&a)))
		}
		return out
	})
}

// onlyMissing says whether the From field is just absent or holds no address:
// other checks weigh that.
func onlyMissing(a *author.Author) bool {
	for _, p := range a.Problems {
		if p.Grave && p.Code != author.Missing && p.Code != author.NoAddress {
			return false
		}
	}
	return true
}

func problems(a *author.Author) string {
	var parts []string
	for _, p := range a.Problems {
		parts = append(parts, strings.ToLower(strings.ReplaceAll(string(p.Code), "_", " "))+": "+p.Detail)
	}
	return strings.Join(parts, "; ") + "; domains: " + strings.Join(a.Domains, ", ")
}
