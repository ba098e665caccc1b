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

// trained is the verdict with what the online learner makes of the words once it
// has learned train: laid over the shipped weights, and instead of them.
func (o *ours) trained(train, test []eval.Entry) (over, alone *measured, err error) {
	train = slices.SortedFunc(slices.Values(train), func(a, b eval.Entry) int { return cmp.Compare(hash(a.Path), hash(b.Path)) })
	state := online.NewState()
	for i := range train {
		m, err := o.read(&train[i])
		if err != nil {
			return nil, nil, err
		}
		state.Learn(online.Label{Features: online.Extract(m).Sorted(), Spam: train[i].Class() == eval.Bad, Trusted: true})
	}
	model, base := state.Model(), text.Default()
	over, alone = &measured{Scores: map[string]float64{}}, &measured{Scores: map[string]float64{}}
	begin := cpuTime()
	for i := range test {
		j := o.judged[test[i].Path]
		if j == nil {
			continue
		}
		m, err := o.read(&test[i])
		if err != nil {
			return nil, nil, err
		}
		here := model.Score(online.Extract(m), online.Recipient{})
		c := base.Calibration()
		over.Scores[test[i].Path] = with(j, model.Over(base.Score(text.FromMessage(m)), c, here))
		alone.Scores[test[i].Path] = with(j, min(max(here.DB, c.Floor), c.Ceiling))
	}
	over.CPU = o.cpu + (cpuTime()-begin).Seconds()*1000/float64(len(test))
	alone.CPU = over.CPU
	return over, alone, nil
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
