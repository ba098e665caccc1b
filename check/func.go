package check

import (
	"context"

	"sluice"
)

// Func makes a Checker of a declaration and a pure function: one that asks
// nobody, keeps nothing, and always has an answer.
func Func(info Info, run func(in *Input) []sluice.Evidence) Checker {
	return &pure{info: info, run: run}
}

type pure struct {
	info Info
	run  func(in *Input) []sluice.Evidence
}

// Ask makes a Checker of a declaration and a function that may ask the DNS
// through in.Auth. It isn't called where nobody can be asked.
func Ask(info Info, run func(ctx context.Context, in *Input) []sluice.Evidence) Checker {
	return &asking{info: info, run: run}
}

// Look is [Ask] for a function that has something to say though nobody can be asked:
// it is called with in.Auth nil too.
func Look(info Info, run func(ctx context.Context, in *Input) []sluice.Evidence) Checker {
	return &asking{info: info, run: run, alone: true}
}

type asking struct {
	info  Info
	run   func(ctx context.Context, in *Input) []sluice.Evidence
	alone bool // without Auth too
}

// Info returns the declaration.
func (a *asking) Info() Info { return a.info }

// Check runs the function.
func (a *asking) Check(ctx context.Context, in *Input) ([]sluice.Evidence, error) {
	if in.Auth == nil && !a.alone || in.Message == nil && a.info.Phase >= sluice.PhaseHeader {
		return nil, nil
	}
	out := a.run(ctx, in)
	for i := range out {
		out[i].Phase = a.info.Phase
	}
	return out, nil
}

// Info returns the declaration.
func (p *pure) Info() Info { return p.info }

// Check runs the function. A check of the message phase that is asked before
// there is a message has nothing to say.
func (p *pure) Check(ctx context.Context, in *Input) ([]sluice.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if in.Message == nil && p.info.Phase >= sluice.PhaseHeader {
		return nil, nil
	}
	out := p.run(in)
	for i := range out {
		out[i].Phase = p.info.Phase // the catalogue has the earliest one
	}
	return out, nil
}
