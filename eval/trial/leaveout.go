package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sluice/eval"
)

// judgesOnly are corpora that nothing is ever trained on: their terms of use in this
// project say that they judge.
var judgesOnly = []string{"foff_milter"}

// Trainable says whether a corpus may be trained on for measuring.
func Trainable(corpus string) bool { return !slices.Contains(judgesOnly, corpus) }

// LeaveOut is what LeaveOneOut returns: each corpus judged by what the others teach.
type LeaveOut struct {
	Filter string        `json:"filter"`
	Rows   []LeaveOutRow `json:"rows"`
	Notes  []string      `json:"notes,omitempty"`

	judged []Judged
}

// Judged is every message, each judged by the filter that hasn't seen its corpus.
func (l *LeaveOut) Judged() []Judged { return l.judged }

// LeaveOutRow is a pool of the corpus that was left out.
type LeaveOutRow struct {
	Corpus  string `json:"corpus"`
	Pool    string `json:"pool"`
	Spam    bool   `json:"spam"`
	N       int    `json:"n"`
	Trained int    `json:"trained"` // messages of the other corpora
	Known   int    `json:"known_ham"`
	// Above is the share above the thresholds that 1 % and 0.1 % of the good mail of
	// the other corpora's part "test" exceed: recall of bad mail, false positives of
	// good mail of a kind that was never seen.
	Above [2]Share `json:"above"`
	Half  Share    `json:"half"` // P ≥ 0.5
	// Own measures bad mail against the good mail of its own corpus, where that has
	// any.
	OwnHam int     `json:"own_ham"`
	AUC    number  `json:"auc_known"`
	OwnAUC number  `json:"auc_own"`
	Own    []Point `json:"own"`
}

// LeaveOneOut takes each corpus out in turn, trains on the part "train" of the others
// and judges its part "test". Mail holds both parts of all. Only corpora that from
// names are trained on; where it is empty, all that may be.
func LeaveOneOut(ctx context.Context, k Kind, mail []*Mail, from []string, seed uint64, step func()) (*LeaveOut, error) {
	if k.Refit == nil && !k.Learns {
		return nil, errors.New("trial: this filter is never trained, so that nothing can be left out")
	}
	trains := func(corpus string) bool {
		return Trainable(corpus) && (len(from) == 0 || slices.Contains(from, corpus))
	}
	out := &LeaveOut{Filter: k.Name}
	corpora := map[string]bool{}
	for _, m := range mail {
		corpora[m.Corpus] = corpora[m.Corpus] || m.Part == "test"
	}
	for _, corpus := range slices.Sorted(maps.Keys(corpora)) {
		if !corpora[corpus] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("trial: %w", err)
		}
		var train, others, left []*Mail
		for _, m := range mail {
			switch {
			case m.Part == "train" && m.Corpus != corpus && trains(m.Corpus):
				train = append(train, m)
			case m.Part == "test" && m.Corpus != corpus && !m.Spam && trains(m.Corpus):
				others = append(others, m)
			case m.Part == "test" && m.Corpus == corpus:
				left = append(left, m)
			}
		}
		if len(train) == 0 {
			return nil, fmt.Errorf("trial: without %s there is nothing to train on", corpus)
		}
		kind := k
		if k.Refit != nil {
			kind = k.Refit(train)
		}
		f := kind.New()
		learn(f, train, seed)
		all := judgeAll(f, left, step)
		known, _ := scores(judgeAll(f, others, step))
		out.add(corpus, all, known, len(train))
		out.judged = append(out.judged, all...)
	}
	return out, nil
}

func judgeAll(f Filter, mail []*Mail, step func()) []Judged {
	out := make([]Judged, len(mail))
	for i, m := range mail {
		out[i] = Judged{m, f.Judge(m.doc)}
		if step != nil {
			step()
		}
	}
	return out
}

func (l *LeaveOut) add(corpus string, all []Judged, known []float64, trained int) {
	own, _ := scores(all)
	names, by := pools(all)
	cuts := points(known, nil, rates[:2])
	for _, name := range names {
		pool := by[name]
		row := LeaveOutRow{Corpus: corpus, Pool: name, Spam: pool[0].Spam, N: len(pool), Trained: trained, Known: len(known),
			Above: [2]Share{above(pool, cuts[0]), above(pool, cuts[1])}, Half: called(pool), OwnHam: len(own)}
		_, bad := scores(pool)
		row.AUC, row.OwnAUC = number(eval.AUC(known, bad)), number(eval.AUC(own, bad))
		if row.Spam {
			row.Own = points(own, bad, rates[:2])
		}
		l.Rows = append(l.Rows, row)
	}
}
