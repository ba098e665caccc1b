package identity

import (
	"context"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/mailauth/nullmx"
	"sluice/mailauth/spf"
	"sluice/reason"
)

// newSPF states what the sender's domain says of the client. It never decides
// alone: plain forwarding breaks SPF for honest mail.
func newSPF() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/spf", Phase: sluice.PhaseMail, Group: sluice.GroupIdentity, Cost: check.Remote, Always: true,
		Reasons: spfReasons(),
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.Live() || !in.Auth.InTransaction() || !check.Public(in.Conn.Client.Addr()) || in.Conn.Trusted {
			return nil
		}
		r := in.Auth.SPF(ctx, in.Now)
		detail := r.String()
		if r.Explanation != "" {
			detail += "; the domain says: " + r.Explanation
		}
		return []sluice.Evidence{outcome(r.Result, detail)}
	})
}

// newUpstreamSPF states SPF as a trusted upstream has found it.
func newUpstreamSPF() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/upstream-spf", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Cheap,
		Reasons: spfReasons(),
	}, func(_ context.Context, in *check.Input) []sluice.Evidence {
		r, ok := in.Auth.UpstreamSPF(in.Message)
		if !ok {
			return nil
		}
		return []sluice.Evidence{outcome(r.Result, r.Domain+", "+r.Problem)}
	})
}

func spfReasons() []sluice.Reason {
	return []sluice.Reason{reason.SPFTemperror, reason.SPFPass, reason.SPFFail, reason.SPFSoftfail, reason.SPFNeutral,
		reason.SPFNone, reason.SPFPermerror}
}

// outcome is the evidence of one SPF result; a temporary error is none.
func outcome(v spf.Value, detail string) sluice.Evidence {
	id := map[spf.Value]sluice.Reason{spf.Pass: reason.SPFPass, spf.Fail: reason.SPFFail, spf.SoftFail: reason.SPFSoftfail,
		spf.Neutral: reason.SPFNeutral, spf.None: reason.SPFNone, spf.PermError: reason.SPFPermerror}[v]
	if id == "" {
		return check.Unknown(reason.SPFTemperror, detail)
	}
	return check.Found(id, detail)
}

// newSender looks at the sender's domain as a place for replies: one that takes
// no mail can't be answered (RFC 7505 4.2).
func newSender() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/sender-domain", Phase: sluice.PhaseMail, Group: sluice.GroupIdentity, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.SenderDomainTemperror, reason.NullMXSender, reason.SenderDomainNxdomain, reason.SenderDomainNoMail},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.Live() || !in.Auth.InTransaction() || in.Envelope == nil || sluice.DomainOf(in.Envelope.From) == "" {
			return nil
		}
		r := in.Auth.Sender(ctx)
		switch r.Answer {
		case nullmx.Null:
			return []sluice.Evidence{check.Found(reason.NullMXSender, r.Domain)}
		case nullmx.NXDomain, nullmx.Bad:
			return []sluice.Evidence{check.Found(reason.SenderDomainNxdomain, strings.TrimSuffix(r.Domain+": "+r.Problem, ": "))}
		case nullmx.Nothing:
			return []sluice.Evidence{check.Found(reason.SenderDomainNoMail, r.Domain+" has neither MX nor address")}
		case nullmx.Unknown:
			return []sluice.Evidence{check.Unknown(reason.SenderDomainTemperror, r.Problem)}
		}
		return nil
	})
}
