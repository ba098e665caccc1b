package trec

import (
	"context"
	"net/mail"
	"strings"
	"time"

	"sluice/eval"
	"sluice/learn/text/online"
	"sluice/message"
)

// Corpus returns the labelled messages of a split that keep wants. To learn when
// they came, it reads all of them.
func Corpus(dir string, split []eval.Entry, keep func(*eval.Entry) bool) ([]Message, error) {
	var out []Message
	for i := range split {
		e := &split[i]
		if e.Class() == eval.Unlabelled || !keep(e) {
			continue
		}
		b, err := eval.ReadMail(dir, e)
		if err != nil {
			return nil, err
		}
		at := arrived(message.Parse(b, message.DefaultLimits()), e.Year)
		out = append(out, Message{ID: e.Path, Pool: e.Pool(), Spam: e.Class() == eval.Bad, At: at})
	}
	return out, nil
}

// arrived is the time in the topmost Received, else in Date, unless it is more
// than a year off what the split says; then the middle of that year.
func arrived(m *message.Message, year int) time.Time {
	received := m.Header().Get("Received")
	for _, s := range []string{received[strings.LastIndexByte(received, ';')+1:], m.Header().Get("Date")} {
		t, err := mail.ParseDate(strings.TrimSpace(s))
		if err == nil && (year == 0 || t.Year() >= year-1 && t.Year() <= year+1) {
			return t
		}
	}
	if year == 0 {
		return time.Time{}
	}
	return time.Date(year, time.July, 1, 0, 0, 0, 0, time.UTC)
}

// Features reads messages of a corpus for filters that Online returns.
func Features(dir string) func(context.Context, *Message) (any, error) {
	return func(_ context.Context, m *Message) (any, error) {
		b, err := eval.ReadMail(dir, &eval.Entry{Path: m.ID})
		if err != nil {
			return nil, err
		}
		return online.Extract(message.Parse(b, message.DefaultLimits())).Sorted(), nil
	}
}

// Online returns makers of an empty online learner, whose labels are all trusted
// or all not.
func Online(trusted bool) func() Filter {
	return func() Filter { return &learner{online.NewState(), trusted} }
}

type learner struct {
	state   *online.State
	trusted bool
}

func (l *learner) Classify(doc any) (score, p float64) {
	o := l.state.Score(doc.(*online.Features), online.Recipient{})
	return o.Margin, o.P
}

func (l *learner) Train(doc any, spam bool) {
	l.state.Learn(online.Label{Features: doc.(*online.Features), Spam: spam, Trusted: l.trusted})
}
