package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/eval"
	"sluice/learn/text"
)

// Every choice of the templates is filled in, and the same way each time.
func TestOrdinary(t *testing.T) {
	mails, again := ordinary(), ordinary()
	if len(mails) < 50*perTemplate {
		t.Errorf("%d messages", len(mails))
	}
	subjects := map[string]bool{}
	for i, m := range mails {
		if strings.ContainsAny(m.doc.Subject+m.doc.Text, "{}=") || len(m.doc.Text) < 80 {
			t.Errorf("message %d: %q\n%s", i, m.doc.Subject, m.doc.Text)
		}
		if m.doc.Text != again[i].doc.Text {
			t.Fatalf("message %d is another one the second time", i)
		}
		if m.entry.Class() != eval.Good || trainable(m.entry) {
			t.Fatalf("message %d is %+v", i, m.entry)
		}
		subjects[m.doc.Subject] = true
	}
	if len(subjects) < len(mails)/4 {
		t.Errorf("only %d different subjects in %d messages", len(subjects), len(mails))
	}
}

func TestTrainable(t *testing.T) {
	for _, tt := range []struct {
		e    eval.Entry
		want bool
	}{
		{eval.Entry{Corpus: "spamassassin", Label: "spam", Part: "train"}, true},
		{eval.Entry{Corpus: "spamassassin", Label: "spam", Part: "test"}, false},
		{eval.Entry{Corpus: "lists_2019_2026", Label: "unknown", Part: "train"}, false},
		{eval.Entry{Corpus: "phishing_pot", Label: "phish", Part: "train"}, false},
		{eval.Entry{Corpus: "foff_milter", Label: "ham", Part: "train"}, false},
		{eval.Entry{Corpus: "nazario", Label: "phish", Part: "train"}, false},
		{eval.Entry{Corpus: "kfcreview", Label: "ham", Part: "train"}, false},
	} {
		if got := trainable(&tt.e); got != tt.want {
			t.Errorf("%+v: %v", tt.e, got)
		}
	}
}

// outcomesOf makes scores around a mean.
func outcomesOf(r *rand.Rand, corpus, label string, n int, mean float64, left bool) []outcome {
	out := make([]outcome, n)
	for i := range out {
		out[i] = outcome{&mail{entry: &eval.Entry{Corpus: corpus, Label: label}}, mean + r.NormFloat64()/4, left, false}
	}
	return out
}

// The line is never nearer than the good mail allows: the slope gives way.
func TestCalibrate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	base := append(outcomesOf(r, "spamassassin", "spam", 1000, 1, false), outcomesOf(r, "spamassassin", "ham", 2000, -1, false)...)
	var log strings.Builder
	free := calibrate(&log, text.Calibration{}, base)
	if strings.Contains(log.String(), "lowered") {
		t.Errorf("lowered without need:\n%s", &log)
	}
	strange := append(base, outcomesOf(r, "enron_raw", "ham", 970, -1, true)...)
	strange = append(strange, outcomesOf(r, "enron_raw", "ham", 30, 1.2, true)...)
	held := calibrate(&log, text.Calibration{}, strange)
	over := 0
	for _, o := range strange {
		if o.new && held.Slope*o.margin+held.Offset > line+1e-9 {
			over++
		}
	}
	if !strings.Contains(log.String(), "lowered") || over > 10 || held.Slope >= free.Slope {
		t.Errorf("%d of 1000 strange good mails over the line, slope %v after %v", over, held.Slope, free.Slope)
	}
	if held.Ceiling != ceiling || held.Floor != floor {
		t.Errorf("bounds %+v", held)
	}
}

func TestTricks(t *testing.T) {
	good := &eval.Entry{Corpus: "spamassassin", Label: "ham", Part: "train"}
	p := newPadding([]mail{{good, &text.Document{Text: strings.Repeat("good ", padWords)}}})
	for i, trick := range p.tricks() {
		d := &text.Document{Text: "cheap pills"}
		if got := trick.do(0, d).Text; (got == d.Text) != (i == 0) || !strings.Contains(d.Text, "cheap pills") {
			t.Errorf("%s gives %.40q of %q", trick.name, got, d.Text)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"-report", "-out", "x"}, {"-report", "-shared", t.TempDir()}} {
		if err := run(args, io.Discard); err == nil {
			t.Errorf("%s: no error", fmt.Sprint(args))
		}
	}
}
