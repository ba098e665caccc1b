package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"sluice"
	"sluice/eval"
	"sluice/judge/verdict"
	"sluice/learn/text"
	"sluice/message"
	"sluice/reason"
)

// The corpora that weights may be shipped from; the others only judge.
var shipping = []string{"enron_raw", "glitchyzorua_419", "lists_2019_2026", "spamassassin"}

// mail is a message of the corpora and the evidence that a scan found in it.
type mail struct {
	entry   *eval.Entry
	ledger  []sluice.Evidence
	points  float64 // as the scan printed them
	strange bool    // judged by a text model that hasn't learned its pool
}

// pool names the kind of a mail for weighing and reporting.
func (m *mail) pool() string {
	if m.strange {
		return m.entry.Pool() + " (left out)"
	}
	return m.entry.Pool()
}

func (m *mail) bad() bool { return m.entry.Class() == eval.Bad }

// scanned is what is read of a line of `sluice scan --json`.
type scanned struct {
	File    string `json:"file"`
	Verdict *struct {
		Points float64 `json:"points"`
		Hard   string  `json:"hard"`
	} `json:"verdict"`
	Evidence []struct {
		ID    string       `json:"id"`
		Group sluice.Group `json:"group"`
		Raw   float64      `json:"raw"`
		State string       `json:"state"`
	} `json:"evidence"`
}

// readScan returns the labelled messages of the split in its order, without those
// that something hard decided: nothing is to be learned from them about sums.
func readScan(r io.Reader, split []eval.Entry) ([]mail, error) {
	at := make(map[string]int, len(split))
	for i := range split {
		at[split[i].Path] = i
	}
	found := make([]*mail, len(split))
	in := bufio.NewReader(r)
	dec := json.NewDecoder(in)
	for n := 1; ; n++ {
		var s scanned
		if err := dec.Decode(&s); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("scan output, object %d: %w", n, err)
		}
		i, ok := at[lastThree(s.File)]
		if !ok || s.Verdict == nil || s.Verdict.Hard != "" || split[i].Class() == eval.Unlabelled {
			continue
		}
		m := &mail{entry: &split[i], points: s.Verdict.Points}
		for _, e := range s.Evidence {
			if e.State == "" && e.Group != sluice.GroupPrior {
				m.ledger = append(m.ledger, sluice.Evidence{Reason: sluice.Reason(e.ID), Group: e.Group, Raw: e.Raw, Threat: threatOf(e.ID)})
			}
		}
		found[i] = m
	}
	var out []mail
	for _, m := range found {
		if m != nil {
			out = append(out, *m)
		}
	}
	return out, nil
}

func lastThree(file string) string {
	p := strings.Split(filepath.ToSlash(file), "/")
	return strings.Join(p[max(0, len(p)-3):], "/")
}

// threatOf is the catalogue's: the scan's output doesn't have it.
func threatOf(id string) (t sluice.Threat) {
	e, _ := reason.Lookup(id)
	if t.UnmarshalText([]byte(e.Threat)) != nil {
		return sluice.ThreatNone
	}
	return t
}

func trainable(e *eval.Entry) bool {
	return e.Part == "train" && slices.Contains(shipping, e.Corpus)
}

func only(mails []mail, want func(*eval.Entry) bool) []mail {
	var out []mail
	for _, m := range mails {
		if want(m.entry) {
			out = append(out, m)
		}
	}
	return out
}

const folds = 5

// fold puts near duplicates into the same of five parts.
func fold(e *eval.Entry) int {
	h := fnv.New32a()
	h.Write([]byte(e.Group))
	return int(h.Sum32() % folds)
}

// Kinds of good mail that are left out of the text model in turn: good mail as it
// has never seen is what it will meet at a site.
var strangers = []string{"enron_raw/ham", "spamassassin/hardham", "lists_2019_2026/ham"}

// strangeness is what a left-out mail counts beside one of a known kind: no
// site's mail is all strange.
const strangeness = 0.25

// unlearned returns the mails with the decibel of a text model that hasn't learned
// their near-duplicate group in the place of the shipped one's, which has learned
// every one of them and is surer of it than it will be of any other. Five models
// are trained, each without a fifth of the groups; then one for each stranger
// without its pool, whose mails are in the result once more. They all take the
// shipped calibration.
func unlearned(dir string, mails []mail) ([]mail, error) {
	docs := make([]*text.Document, len(mails))
	for i := range mails {
		b, err := eval.ReadMail(dir, mails[i].entry)
		if err != nil {
			return nil, err
		}
		docs[i] = text.FromMessage(message.Parse(b, message.DefaultLimits()))
	}
	results := make([][]mail, folds+len(strangers))
	var wg sync.WaitGroup
	limit := make(chan struct{}, 2)
	for k := range results {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			out := func(e *eval.Entry) bool { return fold(e) == k }
			if k >= folds {
				out = func(e *eval.Entry) bool { return e.Pool() == strangers[k-folds] }
			}
			var learn []text.Labelled
			for i := range mails {
				if !out(mails[i].entry) {
					learn = append(learn, text.Labelled{Document: docs[i], Spam: mails[i].bad(), Trust: text.Trusted})
				}
			}
			model := text.Fit(text.Fitting{Seed: 1}, learn).Recalibrated(text.Default().Calibration())
			for i, m := range mails {
				if out(m.entry) {
					m.strange = k >= folds
					m.ledger = withText(m.ledger, model.Score(docs[i]).DB)
					results[k] = append(results[k], m)
				}
			}
		})
	}
	wg.Wait()
	return slices.Concat(results...), nil
}

// withText returns the ledger with another word of the text model, where it had
// said one.
func withText(ledger []sluice.Evidence, db float64) []sluice.Evidence {
	out := slices.Clone(ledger)
	for i := range out {
		if e := &out[i]; e.Reason == reason.TextSpam || e.Reason == reason.TextHam {
			e.Raw = math.Round(db*10) / 10
		}
	}
	return out
}

// samples weighs the mails for a fit: a pool counts by the root of its size, so
// that no large collection is the measure of all mail, and good and bad mail count
// the same. Altogether they weigh as many messages as there would be to estimate
// with as well if all weighed the same (Kish 1965).
func samples(mails []mail) []verdict.Sample {
	_, by := poolsOf(mails)
	out := make([]verdict.Sample, len(mails))
	var class [2]float64
	for i := range mails {
		m := &mails[i]
		w := 1 / math.Sqrt(float64(len(by[m.pool()])))
		if m.strange {
			w *= strangeness
		}
		out[i] = verdict.Sample{Sums: verdict.Sums(m.ledger), Unwanted: m.bad(), Weight: w}
		class[index(m.bad())] += w
	}
	var sum, squares float64
	for i := range out {
		s := &out[i]
		s.Weight /= class[index(s.Unwanted)]
		sum += s.Weight
		squares += s.Weight * s.Weight
	}
	for i := range out {
		out[i].Weight *= sum / squares
	}
	return out
}

func index(bad bool) int {
	if bad {
		return 1
	}
	return 0
}

func poolsOf(mails []mail) (names []string, by map[string][]mail) {
	by = map[string][]mail{}
	for _, m := range mails {
		by[m.pool()] = append(by[m.pool()], m)
	}
	return slices.Sorted(maps.Keys(by)), by
}
