package main

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"sync/atomic"
	"time"

	"sluice"
	checktext "sluice/check/text"
	"sluice/dns"
	"sluice/gate"
	"sluice/judge/checks"
	"sluice/judge/pipeline"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/learn/text"
	"sluice/mailauth"
	"sluice/mailauth/authres"
	"sluice/message"
)

// engine is the gate that a scan of stored mail has, with one difference: what can be
// asked of the DNS is what the border host wrote down of one client.
type engine struct {
	gate *gate.Gate
	dns  *witness
	now  atomic.Pointer[time.Time]
}

func newEngine() *engine {
	e := &engine{dns: &witness{}}
	start := time.Unix(0, 0)
	e.now.Store(&start)
	clock := func() time.Time { return *e.now.Load() }
	list := append(checks.Checks(checks.Config{Names: []string{border}}), checktext.Model(text.Default(), nil))
	weights := verdict.DefaultWeights()
	e.gate = gate.New(gate.Config{
		Settings: gate.Settings{
			Hostname: border, Node: border, Pipeline: pipeline.New(list, pipeline.Config{Clock: clock, Weights: weights}),
			Weights: weights, Policy: policy.Default(), Budget: 5 * time.Minute,
			Verifier: mailauth.New(mailauth.Config{Resolver: e.dns, Hostname: border, Upstream: authres.Trust{IDs: []string{border}}}),
		},
		Clock: clock, Rand: &noise{},
	})
	return e
}

// outcome is a letter and what was made of it.
type outcome struct {
	*letter
	verdict sluice.Verdict
	action  sluice.Action
	subject string
	from    string
}

func (o *outcome) score() float64 { return o.verdict.Points }

// judge judges one letter as if it came at its own time.
func (e *engine) judge(ctx context.Context, l *letter) outcome {
	now := l.when
	if now.IsZero() {
		now = time.Date(max(l.entry.Year, 2000), 7, 1, 0, 0, 0, 0, time.UTC)
	}
	e.now.Store(&now)
	m := message.Parse(l.raw, message.DefaultLimits())
	conn, env := l.origin.Session(l.entry.Path, m, now)
	e.dns.client, e.dns.name = l.origin.Client, l.name
	ex := e.gate.Examine(ctx, conn, env, l.raw)
	return outcome{letter: l, verdict: ex.Record.Verdict, action: ex.Action, subject: ex.Record.Subject, from: m.Header().Decoded("From")}
}

// run judges letters in order.
func (e *engine) run(ctx context.Context, list []letter) []outcome {
	out := make([]outcome, 0, len(list))
	for i := range list {
		out = append(out, e.judge(ctx, &list[i]))
	}
	return out
}

// witness answers what the border host found out of its client, and for all else that
// no answer came. It serves one letter at a time.
type witness struct {
	client netip.Addr
	name   reverse
}

var _ dns.Resolver = (*witness)(nil)

// Lookup implements [dns.Resolver].
func (w *witness) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	const ttl = time.Hour
	switch {
	case !w.name.known || !w.client.IsValid():
	case t == dns.PTR && name == dns.Reverse(w.client.Unmap()):
		if w.name.name == "" {
			return dns.Answer{RCode: 3}, &dns.Error{Name: name, Type: t, Kind: dns.ErrNXDomain}
		}
		return dns.Answer{Records: []dns.Record{{Name: name, Type: t, TTL: ttl, Host: w.name.name}}, Canonical: name, TTL: ttl}, nil
	case (t == dns.A || t == dns.AAAA) && name == w.name.name:
		if w.name.forged {
			return dns.Answer{RCode: 3}, &dns.Error{Name: name, Type: t, Kind: dns.ErrNXDomain}
		}
		return dns.Answer{Records: []dns.Record{{Name: name, Type: t, TTL: ttl, Addr: w.client.Unmap()}}, Canonical: name, TTL: ttl}, nil
	}
	return dns.Answer{RCode: 2}, &dns.Error{Name: name, Type: t, Kind: dns.ErrServFail}
}

// noise is the same sequence of octets in each run; it only makes identifiers.
type noise struct{ n [32]byte }

func (r *noise) Read(b []byte) (int, error) {
	for i := 0; i < len(b); {
		r.n = sha256.Sum256(r.n[:])
		i += copy(b[i:], r.n[:])
	}
	return len(b), nil
}
