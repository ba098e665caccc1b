package session

import (
	"context"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/mailauth/iprev"
	"sluice/mailauth/spf"
	"sluice/reason"
)

// Both checks here are of the session and wait for MAIL: a bot that only
// connects and greets isn't worth a question to the DNS.

// newReverse looks at the client's name in the reverse DNS. A mail server has
// one that leads back to it; a machine in an access network has a generic one.
func newReverse() check.Checker {
	return check.Ask(check.Info{
		Name: "session/reverse", Phase: sluice.PhaseMail, Group: sluice.GroupSession, Cost: check.Remote, Always: true,
		Reasons: []sluice.Reason{reason.IprevTemperror, reason.IprevNone, reason.IprevFail, reason.IprevPass,
			reason.IprevDynamic, reason.IprevNumbered},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.Live() || !check.Public(in.Conn.Client.Addr()) || in.Conn.Trusted {
			return nil
		}
		r := in.Auth.Reverse(ctx)
		switch r.Class {
		case iprev.Unknown:
			return []sluice.Evidence{check.Unknown(reason.IprevTemperror, r.Problem)}
		case iprev.NoName:
			return []sluice.Evidence{check.Found(reason.IprevNone, r.Problem)}
		case iprev.Unconfirmed:
			return append([]sluice.Evidence{check.Found(reason.IprevFail, strings.Join(r.Names, ", ")+": "+r.Problem)}, generic(r)...)
		}
		return append([]sluice.Evidence{check.Found(reason.IprevPass, r.Name)}, generic(r)...)
	})
}

// generic tells what kind of name the client has.
func generic(r iprev.Result) []sluice.Evidence {
	switch r.Generic.Kind {
	case iprev.Dynamic:
		return []sluice.Evidence{check.Found(reason.IprevDynamic, r.Name+": "+r.Generic.Why)}
	case iprev.Numbered:
		return []sluice.Evidence{check.Found(reason.IprevNumbered, r.Name+": "+r.Generic.Why)}
	}
	return nil
}

// newHelloSPF evaluates the SPF policy of the greeting's own name: a client that
// the named host's domain forbids to greet so is lying (RFC 7208 2.3).
func newHelloSPF() check.Checker {
	return check.Ask(check.Info{
		Name: "session/hello-spf", Phase: sluice.PhaseMail, Group: sluice.GroupSession, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.HeloSPFTemperror, reason.HeloSPFPass, reason.HeloSPFFail, reason.HeloSPFSoftfail, reason.HeloSPFPermerror},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.Live() || !check.Public(in.Conn.Client.Addr()) || in.Conn.Trusted || in.Conn.Hello.Name == "" {
			return nil
		}
		r := in.Auth.HELO(ctx, in.Now)
		switch r.Result {
		case spf.TempError:
			return []sluice.Evidence{check.Unknown(reason.HeloSPFTemperror, r.String())}
		case spf.Pass:
			return []sluice.Evidence{check.Found(reason.HeloSPFPass, r.String())}
		case spf.Fail:
			return []sluice.Evidence{check.Found(reason.HeloSPFFail, r.String())}
		case spf.SoftFail:
			return []sluice.Evidence{check.Found(reason.HeloSPFSoftfail, r.String())}
		case spf.PermError:
			return []sluice.Evidence{check.Found(reason.HeloSPFPermerror, r.String())}
		}
		return nil // none and neutral say nothing: hardly any host has a policy of its own
	})
}
