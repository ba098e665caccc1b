package text

import (
	"fmt"
	"math"
	"strings"

	"sluice"
	"sluice/check"
	learned "sluice/learn/text"
	"sluice/reason"
)

const (
	// From this many decibel on the words that weigh most are named: it takes
	// longer than the score.
	nameWords = 6
	topWords  = 5
	// Less than this many different features (three or four words) say nothing.
	fewest = 20
)

// Model returns the check that asks the text model. It states TEXT_SPAM or
// TEXT_HAM with the model's decibel, and an unknown TEXT_SPAM where there is too
// little text to judge.
func Model(m *learned.Model) check.Checker {
	return check.Func(check.Info{
		Name: "text/model", Phase: sluice.PhaseMessage, Group: sluice.GroupText, Cost: check.Heavy,
		Reasons: []sluice.Reason{reason.TextSpam, reason.TextHam},
	}, func(in *check.Input) []sluice.Evidence {
		return []sluice.Evidence{judge(m, learned.FromMessage(in.Message))}
	})
}

func judge(m *learned.Model, d *learned.Document) sluice.Evidence {
	s := m.Score(d)
	if s.Features < fewest {
		e := check.Found(reason.TextSpam, fmt.Sprintf("too little text: %d features", s.Features))
		e.State, e.Raw = sluice.Unknown, 0
		return e
	}
	id := sluice.Reason(reason.TextHam)
	if s.DB > 0 {
		id = reason.TextSpam
	}
	e := check.Found(id, detail(m, d, s))
	e.Raw = math.Round(s.DB*10) / 10
	return e
}

// detail is what the admin reads. The words are the message's own.
func detail(m *learned.Model, d *learned.Document, s learned.Score) string {
	var b strings.Builder
	fmt.Fprintf(&b, "margin %.2f", s.Margin)
	if s.From < s.To {
		fmt.Fprintf(&b, " of octets %d to %d, of all %.2f", s.From, s.To, s.Whole)
	}
	fmt.Fprintf(&b, "; %d features, %.0f %% known", s.Features, 100*s.Coverage)
	if s.DB >= nameWords {
		for k, t := range m.Top(d, topWords) {
			b.WriteString([]string{"; ", ", "}[min(k, 1)])
			fmt.Fprintf(&b, "%q %+.1f", t.Word, t.DB)
		}
	}
	return b.String()
}
