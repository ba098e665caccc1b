package trial

import (
	"context"

	"sluice/judge/verdict"
	"sluice/learn/text"
	"sluice/learn/text/online"
)

// Text is the online learner alone, which knows nothing at the start. Trusted labels
// are those of an admin; others, of users who may err, move less.
func Text(trusted bool) Kind {
	return Kind{Name: "text", Learns: true,
		Read: func(_ context.Context, in *Input) any { return online.Extract(in.Message).Sorted() },
		New:  func() Filter { return &learner{state: online.NewState(), trusted: trusted} },
	}
}

type learner struct {
	state   *online.State
	trusted bool
}

func (l *learner) Judge(doc any) Outcome {
	o := l.state.Score(doc.(*online.Features), online.Recipient{})
	return Outcome{Score: o.Margin, P: o.P}
}

func (l *learner) Train(doc any, spam bool) {
	l.state.Learn(online.Label{Features: doc.(*online.Features), Spam: spam, Trusted: l.trusted})
}

// Shipped is a text model alone, such as the one that the program is shipped with.
// Its probability is that of a message of which nothing but the text is known, spam
// and ham being as frequent.
func Shipped(m *text.Model) Kind {
	return Kind{Name: "shipped",
		Read: func(_ context.Context, in *Input) any { return text.FromMessage(in.Message) },
		New:  func() Filter { return shipped{m} },
		Refit: func(train []*Mail) Kind {
			return Shipped(refit(m, train, func(doc any) *text.Document { return doc.(*text.Document) }))
		},
	}
}

type shipped struct{ model *text.Model }

func (s shipped) Judge(doc any) Outcome {
	db := s.model.Score(doc.(*text.Document)).DB
	return Outcome{Score: db, P: verdict.Probability(db)}
}

func (shipped) Train(any, bool) {}

// refit makes weights of other mail, in place of m's. The line that turns margins
// into decibel stays m's.
func refit(m *text.Model, train []*Mail, of func(doc any) *text.Document) *text.Model {
	labelled := make([]text.Labelled, len(train))
	for i, t := range train {
		labelled[i] = text.Labelled{Document: of(t.doc), Spam: t.Spam, Trust: text.Trusted}
	}
	return text.Fit(text.Fitting{Seed: 1}, labelled).Recalibrated(m.Calibration())
}
