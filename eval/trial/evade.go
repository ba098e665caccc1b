package trial

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"sluice/eval"
	"sluice/eval/trec"
	"sluice/message"
	"sluice/scan"
)

// Evade trains the filter on train and measures what it catches of the bad mail of
// test in disguises, at 1 % false positives.
func Evade(ctx context.Context, k Kind, train, test []Source, seed uint64) ([]Disguise, error) {
	all := append(append([]Source(nil), train...), test...)
	var lists [2][]trec.Message
	ham := 0
	for i := range all {
		class := (&eval.Entry{Label: all[i].Label}).Class()
		m := trec.Message{ID: strconv.Itoa(i), Spam: class == eval.Bad}
		which := 0
		if i >= len(train) {
			which = 1
			if !m.Spam {
				ham++
			}
		}
		lists[which] = append(lists[which], m)
	}
	if ham < leastOwn {
		return nil, fmt.Errorf("trial: disguises are measured at 1 %% false positives, which can't be known from %d ham; %d needed", ham, leastOwn)
	}
	out, err := trec.Evade(ctx, trec.EvasionConfig{Train: lists[0], Test: lists[1], Seed: seed, Filter: bare{k.New()},
		Load: func(_ context.Context, m *trec.Message) ([]byte, error) {
			i, err := strconv.Atoi(m.ID)
			if err != nil {
				return nil, err
			}
			stored, err := all[i].Open()
			if errors.Is(err, scan.ErrNotMail) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			return stored.Raw, nil
		},
		Extract: func(m *message.Message) any {
			return k.Read(ctx, &Input{Mail: &scan.Mail{Raw: m.Raw}, Message: m})
		}})
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	disguises := make([]Disguise, len(out))
	for i, e := range out {
		disguises[i] = Disguise{e.Trick, number(e.Recall), number(e.OfClean)}
	}
	return disguises, nil
}

// bare is a filter for package trec.
type bare struct{ Filter }

func (b bare) Classify(doc any) (score, p float64) {
	o := b.Judge(doc)
	return o.Score, o.P
}
