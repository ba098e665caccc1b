package main

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
	"time"

	"sluice"
	checktext "sluice/check/text"
	"sluice/gate"
	"sluice/judge/checks"
	"sluice/judge/pipeline"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/learn/text"
	"sluice/mailauth"
	"sluice/mailauth/authres"
	"sluice/message"
	"sluice/scan"
)

// engine is the gate that a scan of stored mail has, with one difference: what can be
// asked of the DNS is what the border host wrote down of one client.
type engine struct {
	gate *gate.Gate
	dns  *scan.Witness
	now  atomic.Pointer[time.Time]
}

func newEngine() *engine {
	e := &engine{dns: &scan.Witness{}}
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
	e.dns.Testify(l.origin.Client, l.name)
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

// noise is the same sequence of octets in each run; it only makes identifiers.
type noise struct{ n [32]byte }

func (r *noise) Read(b []byte) (int, error) {
	for i := 0; i < len(b); {
		r.n = sha256.Sum256(r.n[:])
		i += copy(b[i:], r.n[:])
	}
	return len(b), nil
}
