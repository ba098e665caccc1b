package trial

import (
	"context"
	"fmt"
	"strings"

	"sluice"
	checktext "sluice/check/text"
	"sluice/gate"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/learn/text"
	"sluice/learn/text/online"
	"sluice/reason"
	"sluice/scan"
)

// hardPoints stand in for hard stops and passes, which sort above every sum.
const hardPoints = 1000

// mostWhy is how many reasons an outcome names.
const mostWhy = 4

// Whole is what of the gate is tried.
type Whole struct {
	Gate  *gate.Gate
	Model *text.Model // the one in the gate's pipeline
	// Site lays the online learner over the text model as it learns, as at a site that
	// is told what its mail was. Trusted labels are an admin's.
	Site, Trusted bool
	// Learned is what the learner knows at the start, which the gate judges by as well;
	// nil: nothing. It stays as it is.
	Learned *online.State
	// Refit keeps the text of all messages, so that a text model can be made anew.
	Refit bool
}

// Kind is all that the gate finds in a stored message, as `sluice scan` says it.
func (c Whole) Kind() Kind {
	w := &whole{c}
	k := Kind{Name: "verdict", Learns: c.Site, Read: w.read, New: func() Filter { return w.filter(nil) }}
	if c.Site {
		k.Name = "site"
	}
	if c.Refit {
		k.Refit = func(train []*Mail) Kind {
			model := refit(c.Model, train, func(doc any) *text.Document { return doc.(*found).text })
			other := k
			other.New = func() Filter { return w.filter(model) }
			return other
		}
	}
	return k
}

// whole reads messages for filters that look at everything.
type whole struct{ Whole }

// filter judges with another text model than the gate's, or with the gate's own where
// model is nil.
func (w *whole) filter(model *text.Model) Filter {
	f := &wholeFilter{whole: w, other: model}
	if w.Site {
		f.learner = &learner{online.NewState(), w.Trusted}
		if w.Learned != nil {
			f.learner.state = w.Learned.Clone()
		}
	}
	return f
}

// found is what is in a message, whatever has been learned.
type found struct {
	verdict  sluice.Verdict // by the pipeline's own model
	action   sluice.Action
	ledger   []sluice.Evidence
	words    int              // index in ledger of what the text model said
	score    text.Score       // by the pipeline's own model
	text     *text.Document   // nil but for Refit
	features *online.Features // nil but for Site
	to       online.Recipient
}

func (w *whole) read(ctx context.Context, in *Input) any {
	o := scan.Stored(in.Mail, in.Message)
	conn, env := o.Session(in.ID, in.Message, w.Gate.Now())
	ex := w.Gate.Examine(ctx, conn, env, in.Mail.Raw)
	f := &found{verdict: ex.Record.Verdict, action: ex.Action, words: -1}
	for _, c := range f.verdict.Ledger {
		e := c.Evidence
		e.Detail = "" // long, and not weighed
		if e.Reason == reason.TextSpam || e.Reason == reason.TextHam {
			f.words = len(f.ledger)
		}
		f.ledger = append(f.ledger, e)
	}
	doc := text.FromMessage(in.Message)
	if w.Refit {
		f.text = doc
	}
	if w.Site {
		f.score = w.Model.Score(doc)
		f.features, f.to = online.Extract(in.Message).Sorted(), checktext.Recipient(&env)
	}
	return f
}

// wholeFilter judges by the evidence, with the text model's word exchanged.
type wholeFilter struct {
	*whole
	other   *text.Model // nil: the gate's own
	learner *learner    // nil: nothing is learned

	snapshot *online.Model
	since    int // labels
}

func (w *wholeFilter) Judge(doc any) Outcome {
	f := doc.(*found)
	v, action := f.verdict, f.action
	if (w.other != nil || w.learner != nil) && f.words >= 0 {
		v, action = w.weigh(f)
	}
	out := Outcome{Score: v.Points, P: v.Probability, Action: action.String(), Why: why(v)}
	switch v.HardKind {
	case sluice.HardStop:
		out.Score, out.P = out.Score+hardPoints, 1
	case sluice.HardPass:
		out.Score, out.P = out.Score-hardPoints, 0
	}
	return out
}

func (w *wholeFilter) weigh(f *found) (sluice.Verdict, sluice.Action) {
	score := f.score
	if w.other != nil {
		score = w.other.Score(f.text)
	}
	var here *online.Model
	var o online.Outcome
	if w.learner != nil {
		here, o = w.counts(), w.learner.state.Score(f.features, f.to)
	}
	ledger := append([]sluice.Evidence(nil), f.ledger...)
	ledger[f.words] = checktext.Over(w.Model.Calibration(), score, here, o)
	set := w.Gate.Settings()
	v := verdict.Weigh(ledger, set.Weights)
	return v, policy.Decide(v, set.Policy, "", policy.Circumstances{}).Action
}

// snapshotEvery is how many labels are learned between two snapshots.
const snapshotEvery = 32

// counts is a snapshot that knows how many labels there were, or a few less: to take
// one costs a copy of the weights that changed. The weights in use are the newest.
func (w *wholeFilter) counts() *online.Model {
	if w.snapshot == nil || w.since >= snapshotEvery {
		w.snapshot, w.since = w.learner.state.Model(), 0
	}
	return w.snapshot
}

func (w *wholeFilter) Train(doc any, spam bool) {
	if w.learner != nil {
		w.learner.Train(doc.(*found).features, spam)
		w.since++
	}
}

// why names what weighed most, and a hard reason first.
func why(v sluice.Verdict) string {
	var b strings.Builder
	n := 0
	if v.Hard != "" {
		b.WriteString(string(v.Hard))
		n++
	}
	for _, c := range v.Ledger {
		if n == mostWhy || c.Points == 0 || c.Reason == reason.Prior {
			continue
		}
		if n++; b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %+.1f", c.Reason, c.Points)
	}
	return b.String()
}
