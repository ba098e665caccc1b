package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice"
	checktext "sluice/check/text"
	"sluice/eval"
	"sluice/judge/verdict"
	"sluice/learn/text"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/reason"
	"sluice/scan"
)

// with returns the score of a judged message if the text models had said db.
func with(j *eval.Judged, db float64) float64 {
	w := verdict.DefaultWeights()
	ledger := slices.DeleteFunc(slices.Clone(j.Ledger), func(e sluice.Evidence) bool {
		return e.Reason == reason.TextSpam || e.Reason == reason.TextHam
	})
	ledger = append(ledger, sluice.Evidence{Reason: reason.TextSpam, Group: sluice.GroupText, Raw: db})
	return j.Score + verdict.Weigh(ledger, w).Points - verdict.Weigh(j.Ledger, w).Points
}

// ours judges with the program as it is shipped.
type ours struct {
	sample *sample
	cpu    float64 // milliseconds a message
	judged map[string]*eval.Judged
}

// judge builds the program and lets it judge all test messages.
func judge(ctx context.Context, work string, s *sample, jobs int) (*ours, error) {
	program := filepath.Join(work, "sluice")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building sluice: %w: %s", err, out)
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", program, "scan", "--json", "-j", strconv.Itoa(jobs), filepath.Join(s.dir, "test"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("sluice scan: %w", err)
	}
	var test []eval.Entry
	for key, entries := range s.pools {
		if strings.HasPrefix(key, "test/") {
			test = append(test, entries...)
		}
	}
	all, _, err := eval.FromScan(&out, test)
	if err != nil {
		return nil, err
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	o := &ours{sample: s, cpu: used.Seconds() * 1000 / float64(len(all)), judged: make(map[string]*eval.Judged, len(all))}
	for i := range all {
		o.judged[all[i].Entry.Path] = &all[i]
	}
	return o, nil
}

// shipped is the verdict as it comes.
func (o *ours) shipped(test []eval.Entry) *measured {
	m := &measured{CPU: o.cpu, Scores: map[string]float64{}}
	for _, e := range test {
		if j := o.judged[e.Path]; j != nil {
			m.Scores[e.Path] = j.Score
		}
	}
	return m
}

// trained is the verdict with what the text models make of the words that have
// learned train.
type trained struct {
	base  *measured // the shipped model's kind of weights alone, see results
	over  *measured // what the site's learner learned, over them
	alone *measured // without them
}

// trained teaches the site's learner and judges test by it and by base.
func (o *ours) trained(base *text.Model, train, test []eval.Entry) (*trained, error) {
	state := online.NewState()
	err := o.each(train, func(e *eval.Entry, m *message.Message) {
		state.Learn(online.Label{Features: online.Extract(m).Sorted(), Spam: e.Class() == eval.Bad, Trusted: true})
	})
	if err != nil {
		return nil, err
	}
	model, c := state.Model(), base.Calibration()
	out := &trained{&measured{Scores: map[string]float64{}}, &measured{Scores: map[string]float64{}}, &measured{Scores: map[string]float64{}}}
	begin := cpuTime()
	err = o.each(test, func(e *eval.Entry, m *message.Message) {
		j := o.judged[e.Path]
		if j == nil {
			return
		}
		shipped, here := base.Score(text.FromMessage(m)), model.Score(online.Extract(m), online.Recipient{})
		out.base.Scores[e.Path] = with(j, checktext.Over(c, shipped, nil, here).Raw)
		out.over.Scores[e.Path] = with(j, checktext.Over(c, shipped, model, here).Raw)
		out.alone.Scores[e.Path] = with(j, min(max(here.DB, c.Floor), c.Ceiling))
	})
	out.base.CPU = o.cpu
	out.over.CPU = o.cpu + (cpuTime()-begin).Seconds()*1000/float64(len(test))
	out.alone.CPU = out.over.CPU
	return out, err
}

// fitted returns weights of the shipped kind that know nothing but train.
func (o *ours) fitted(train []eval.Entry) (*text.Model, error) {
	var labelled []text.Labelled
	err := o.each(train, func(e *eval.Entry, m *message.Message) {
		labelled = append(labelled, text.Labelled{Document: text.FromMessage(m), Spam: e.Class() == eval.Bad, Trust: text.Trusted})
	})
	return text.Fit(text.Fitting{Seed: 1}, labelled).Recalibrated(text.Default().Calibration()), err
}

// results are our lines of a row. The shipped weights were fitted to messages of the
// part "train" of most corpora: where the row is about mail of a kind that wasn't
// learned, weights stand in that were fitted to what the row learns.
func (o *ours) results(r *row) ([]result, error) {
	train, test := o.sample.train(r), o.sample.test(r, r.good, r.bad)
	base := text.Default()
	if r.strange {
		var err error
		if base, err = o.fitted(train); err != nil {
			return nil, err
		}
	}
	t, err := o.trained(base, train, test)
	if err != nil {
		return nil, err
	}
	if r.strange {
		return []result{
			{"Sluice, shipped weights fitted to these alone", r, t.base}, {"Sluice, trained over those", r, t.over}, {"Sluice, trained, without them", r, t.alone},
		}, nil
	}
	return []result{
		{"Sluice as shipped", r, o.shipped(test)}, {"Sluice, trained", r, t.over}, {"Sluice, trained, without shipped weights", r, t.alone},
	}, nil
}

// each reads messages in the order of their hashes, so that kinds alternate.
func (o *ours) each(entries []eval.Entry, do func(*eval.Entry, *message.Message)) error {
	entries = slices.SortedFunc(slices.Values(entries), func(a, b eval.Entry) int { return cmp.Compare(hash(a.Path), hash(b.Path)) })
	for i := range entries {
		m, err := o.read(&entries[i])
		if err != nil {
			return err
		}
		do(&entries[i], m)
	}
	return nil
}

func (o *ours) read(e *eval.Entry) (*message.Message, error) {
	b, err := os.ReadFile(o.sample.path(e))
	if err != nil {
		return nil, err
	}
	return message.Parse(scan.NewMail(b).Raw, message.DefaultLimits()), nil
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
