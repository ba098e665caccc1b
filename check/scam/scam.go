// Package scam holds the checks of group scam: what a message wants its reader to do,
// and which known fraud that belongs to.
//
// A message is read once ([Read]): a lexicon of asks, pretexts and pressure in several
// languages is matched in one pass over the words as the text learner sees them, so
// that look-alike letters and invisible characters change nothing; account numbers and
// coin addresses are put through their check digits; and what is known of the sender
// is looked up. Each class of fraud then weighs what it has to do with (weights.txt,
// fitted by eval/scam), and the one that explains the message best is stated.
//
// What is quoted from somebody else counts less, and so does a text that talks about
// fraud. A known correspondent counts less too, but never for nothing: accounts are
// stolen.
package scam

import (
	"context"
	"fmt"
	"math"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/learn/correspondent"
	"sluice/learn/service"
	"sluice/message/header"
	"sluice/reason"
)

// Config is what the checks may ask. The zero value works.
type Config struct {
	// Correspondents knows who writes to whom; nil: every sender is a stranger that
	// nothing is said about.
	Correspondents *correspondent.Table
}

// Checks returns the checks of this folder.
func Checks(c Config) []check.Checker {
	return []check.Checker{&fraud{c.Correspondents}}
}

// A fraud is stated from odds of two to one on, and hinted at from one to four. The odds
// are those of a mix that has more fraud than mail has: of 6,113 good messages, each
// judged by a model that it wasn't fitted on, two came so far (eval/scam -held).
var (
	stateAt = logit(0.66)
	hintAt  = logit(0.2)
)

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// fraud is the check that states which class of fraud a message belongs to.
type fraud struct{ table *correspondent.Table }

// Info returns the declaration.
func (f *fraud) Info() check.Info {
	info := check.Info{Name: "scam/fraud", Phase: sluice.PhaseMessage, Group: sluice.GroupScam, Cost: check.Heavy}
	for _, c := range classes {
		info.Reasons = append(info.Reasons, c.reason)
		if c.surer != "" {
			info.Reasons = append(info.Reasons, c.surer)
		}
	}
	for _, l := range lures {
		info.Reasons = append(info.Reasons, l.reason)
	}
	info.Reasons = append(info.Reasons, reason.ScamHint, reason.CoinAddress)
	return info
}

// Check reads the message and states the class that explains it best.
func (f *fraud) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if in.Message == nil {
		return nil, nil
	}
	r := Read(in, tiesOf(ctx, in, f.table))
	var out []sluice.Evidence
	switch c := r.class; {
	case c == nil:
	case (r.odds < stateAt || c.reason == reason.CallbackInvoice) && itself(ctx, in, r):
	case r.odds < stateAt:
		out = append(out, check.Found(reason.ScamHint, fmt.Sprintf("resembles %s: %s", c.reason, r.why())))
	case c.surer != "" && r.odds >= c.surerAt:
		out = append(out, check.Found(c.surer, r.why()))
	default:
		out = append(out, check.Found(c.reason, r.why()))
	}
	if r.coin != "" && (len(out) == 0 || !r.class.coins) {
		out = append(out, check.Found(reason.CoinAddress, r.coin))
	}
	out = append(out, r.lures()...)
	for i := range out {
		out[i].Phase = sluice.PhaseMessage
	}
	return out, nil
}

// itself says whether programs of a proved sender, whose name is its own, speak of its
// own trade: a real invoice has a sum and a number to call, and offers share words with
// frauds. A name that fits costs a registration, so one who names a well-known firm
// beside it isn't believed, and who writes through an open platform is not the platform.
func itself(ctx context.Context, in *check.Input, r *Reading) bool {
	s := check.SenderOf(ctx, in)
	if !s.Known || !s.Coherent || !s.Mass() {
		return false
	}
	if s.WellKnown() != nil {
		return true
	}
	c := service.Of(header.Lower(s.Author.Domain))
	return (c == nil || !c.Kind.Open()) && !r.has("brand")
}

// mostWhy is how many facts a detail names.
const mostWhy = 6

// why names what weighs most, with the words that were met.
func (r *Reading) why() string {
	var out []string
	for _, f := range r.because {
		if w := r.words[f.name]; w != "" {
			f.name += " (" + w + ")"
		}
		out = append(out, f.name)
	}
	return strings.Join(out, ", ")
}
