package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/mailauth/arc"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/signature"
	"sluice/message/header"
	"sluice/reason"
)

// newDKIM states what the signatures came to: one fact about the best of them,
// and what is wrong with how they were made.
func newDKIM() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/dkim", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Remote, Always: true,
		Reasons: []sluice.Reason{reason.DKIMKeyUnknown, reason.DKIMNone, reason.DKIMPassAligned, reason.DKIMPassForeign, reason.DKIMFail,
			reason.DKIMKeyMissing, reason.DKIMKeyRevoked, reason.DKIMKeyBroken, reason.DKIMShortKey, reason.DKIMWeakKey, reason.DKIMSha1,
			reason.DKIMExpired, reason.DKIMSyntax, reason.DKIMPublicSuffix, reason.DKIMBodyLength, reason.DKIMFromUnsigned,
			reason.DKIMDuplicateFrom, reason.DKIMFieldAdded, reason.DKIMReplayMarks},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.InTransaction() {
			return nil
		}
		list := in.Auth.DKIM(ctx, in.Message, in.Now)
		if len(list) == 0 {
			if !in.Auth.Live() && in.Auth.Upstream(in.Message) == nil {
				return nil // nobody looked: no recorded result is no evidence
			}
			return []sluice.Evidence{check.Found(reason.DKIMNone, "")}
		}
		d := in.Auth.DMARC(ctx, in.Message, in.Now)
		out := signatures(list, d)
		if out[0].Reason == reason.DKIMPassForeign && speaksForItself(in, d.Identifiers) {
			out[0].Raw, out[0].Detail = 0, "the mailing list's own; "+out[0].Detail
		}
		if out[0].Reason == reason.DKIMPassAligned {
			// What is proved speaks for who is proved, and that isn't who it says. Services
			// have customers who let them speak.
			if s := check.SenderOf(ctx, in); s.Borrows != nil && s.Carrier() == nil {
				out[0].Raw, out[0].Detail = 0, "not "+check.Quote(s.Borrows.String())+"'s, whose name it bears; "+out[0].Detail
			}
		}
		return out
	})
}

// signatures picks the fact that counts. A passing signature makes the failures
// of others beside it unimportant (RFC 6376 4.2).
func signatures(list []dkim.Result, d dmarc.Result) []sluice.Evidence {
	var out []sluice.Evidence
	var best *dkim.Result
	aligned := false
	for i := range list {
		r := &list[i]
		if r.Status != dkim.Pass {
			continue
		}
		if a := alignedBy(d, r.Domain); best == nil || a && !aligned {
			best, aligned = r, a
		}
	}
	switch {
	case best == nil:
		return failed(list)
	case aligned:
		out = append(out, check.Found(reason.DKIMPassAligned, describe(best)))
	default:
		out = append(out, check.Found(reason.DKIMPassForeign, describe(best)+", From is of "+d.Domain))
	}
	return append(out, marks(best)...)
}

// alignedBy says whether DMARC found a passing signature's domain aligned.
func alignedBy(d dmarc.Result, domain string) bool {
	return slices.ContainsFunc(d.Identifiers, func(id dmarc.Identifier) bool {
		return id.Method == "dkim" && id.Aligned && id.Result == "pass" && header.EqualFold(id.Domain, domain)
	})
}

// marks are what speaks against relying on a signature that passes.
func marks(r *dkim.Result) []sluice.Evidence {
	var out []sluice.Evidence
	add := func(id sluice.Reason, detail string) { out = append(out, check.Found(id, detail)) }
	if r.Weak {
		add(reason.DKIMWeakKey, fmt.Sprintf("%s has %d bits", r.KeyName, r.KeyBits))
	}
	for _, f := range r.Unsigned {
		if slices.Contains(r.Signed, f) { // signed once, there twice
			add(reason.DKIMFieldAdded, f+", not signed by "+r.Domain)
			break
		}
	}
	if len(r.Replay) > 0 {
		add(reason.DKIMReplayMarks, strings.Join(r.Replay, "; "))
	}
	return out
}

// failed tells why no signature passes, by the one that came furthest.
func failed(list []dkim.Result) []sluice.Evidence {
	r := &list[0]
	for i := range list {
		if list[i].Status == dkim.TempError {
			return []sluice.Evidence{check.Unknown(reason.DKIMKeyUnknown, describe(&list[i]))}
		}
		if list[i].HeaderMatches && !r.HeaderMatches {
			r = &list[i]
		}
	}
	if r.Testing {
		return []sluice.Evidence{check.Found(reason.DKIMNone, "only test signatures: "+describe(r))} // RFC 6376 3.6.1
	}
	id, ok := causes[r.Cause]
	if !ok {
		id = reason.DKIMFail
	}
	return []sluice.Evidence{check.Found(id, describe(r))}
}

// causes are the reasons for a signature that doesn't pass; the rest is DKIM_FAIL.
var causes = map[dkim.Cause]sluice.Reason{
	signature.Syntax:       reason.DKIMSyntax,
	signature.Unsupported:  reason.DKIMSyntax,
	signature.KeyMissing:   reason.DKIMKeyMissing,
	signature.KeyBroken:    reason.DKIMKeyBroken,
	signature.KeyUnfit:     reason.DKIMKeyBroken,
	signature.KeyRevoked:   reason.DKIMKeyRevoked,
	signature.KeySize:      reason.DKIMShortKey,
	signature.SHA1:         reason.DKIMSha1,
	signature.BodyPartial:  reason.DKIMBodyLength,
	signature.FromUnsigned: reason.DKIMFromUnsigned,
	signature.FromAdded:    reason.DKIMDuplicateFrom,
	signature.Expired:      reason.DKIMExpired,
	signature.PublicSuffix: reason.DKIMPublicSuffix,
}

// describe names a signature and its fault.
func describe(r *dkim.Result) string {
	s := fmt.Sprintf("d=%s s=%s %s", r.Domain, r.Selector, r.Algorithm)
	if r.KeyBits > 0 {
		s += fmt.Sprintf(" %d bits", r.KeyBits)
	}
	if r.Problem != "" {
		s += ": " + r.Problem
	}
	return s
}

// newARC states what a chain of sealers says. Only seals of configured sealers
// count for a message: anybody can make a chain.
func newARC() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/arc", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Remote, Always: true,
		Reasons: []sluice.Reason{reason.ARCUnknown, reason.ARCPass, reason.ARCPassTrusted, reason.ARCFail},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.InTransaction() {
			return nil
		}
		r := in.Auth.ARC(ctx, in.Message)
		sealers := strings.Join(r.Sealers, ", ")
		switch {
		case r.Status == arc.None:
			return nil
		case r.Temporary:
			return []sluice.Evidence{check.Unknown(reason.ARCUnknown, r.Problem)}
		case r.Status != arc.Pass:
			return []sluice.Evidence{check.Found(reason.ARCFail, sealers+": "+r.Problem)}
		case in.Auth.TrustedSealer(r) != "":
			return []sluice.Evidence{check.Found(reason.ARCPassTrusted, sealers+"; the newest found: "+r.Sets[len(r.Sets)-1].Results)}
		}
		return []sluice.Evidence{check.Found(reason.ARCPass, sealers)}
	})
}
