package identity

import (
	"context"
	"slices"
	"strconv"

	"sluice"
	"sluice/check"
	"sluice/learn/service"
	"sluice/reason"
)

// Known returns the check that asks whether the author's name is known here under one
// of the signatures that pass; none without a memory. It cures false alarms about firms
// that speak through others.
func Known(m *service.Memory) []check.Checker {
	if m == nil {
		return nil
	}
	return []check.Checker{check.Ask(check.Info{
		Name: "identity/known", Phase: sluice.PhaseMessage, Group: sluice.GroupReputation, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.NameSignerKnown},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		s := check.SenderOf(ctx, in)
		if in.Envelope == nil || !s.Clear || len(s.Signers) == 0 {
			return nil
		}
		own := slices.DeleteFunc(slices.Clone(s.Signers), func(d string) bool { return service.Of(d) != nil })
		raw := -knownName
		signer, n := m.Known(in.Now, in.Envelope.Tenant, s.Author.Name, own)
		if n == 0 { // a service signs for all its customers
			raw = -knownAtService
			signer, n = m.Known(in.Now, in.Envelope.Tenant, s.Author.Name, s.Signers)
		}
		if n == 0 {
			return nil
		}
		e := check.Found(reason.NameSignerKnown, check.Quote(s.Author.Name)+" signed by "+check.Quote(signer)+" on "+strconv.Itoa(n)+" days")
		e.Raw = raw
		return []sluice.Evidence{e}
	})}
}

// What a known name is worth in decibel. With a signature of its own it is as good as a
// name that fits its domain; under a service's, others could use it too.
const (
	knownName      = 6.0
	knownAtService = 3.0
)

// Learned is what a memory of names learns of a message that was delivered and that
// nobody found fault with, or, where one complains of it, forgets; ok is false for mail
// of our own and for what no signature stands behind.
func Learned(ctx context.Context, in *check.Input) (display string, signers []string, ok bool) {
	if in.Conn == nil || in.Envelope == nil || in.Conn.Auth != "" || in.Envelope.Outbound {
		return "", nil, false
	}
	s := check.SenderOf(ctx, in)
	if s.Traffic == check.List || !s.Clear || len(s.Signers) == 0 || s.Author.Name == "" {
		return "", nil, false
	}
	return s.Author.Name, s.Signers, true
}
