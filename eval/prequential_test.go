package eval

import (
	"math/rand/v2"
	"testing"

	"sluice/internal/shared"
	"sluice/learn/text"
	"sluice/message"
)

// TestPrequential is the protocol of the TREC spam track on the part "train" of
// the SpamAssassin corpus: every message is scored before it is learned from, by a
// learner that knew nothing at first; no headers but the subject. It reports
// 1-ROCA%, also with a tenth of the labels wrong, and fails only where the
// learner is plainly broken.
func TestPrequential(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	dir := shared.Dir(t, "corpora")
	split, err := Corpora(dir)
	if err != nil {
		t.Fatal(err)
	}
	type mail struct {
		doc  *text.Document
		spam bool
	}
	var mails []mail
	for i := range split {
		e := &split[i]
		if e.Corpus != "spamassassin" || e.Part != "train" {
			continue
		}
		b, err := ReadMail(dir, e)
		if err != nil {
			t.Fatal(err)
		}
		mails = append(mails, mail{text.FromMessage(message.Parse(b, message.DefaultLimits())), e.Class() == Bad})
	}
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(mails), func(i, j int) { mails[i], mails[j] = mails[j], mails[i] })
	for _, tt := range []struct {
		name  string
		trust text.Trust
		noise float64
		worst float64 // 1-ROCA%
	}{
		{"clean labels, trusted", text.Trusted, 0, 0.6},
		{"a tenth of the labels wrong, users", text.User, 0.1, 1.5},
		{"a tenth of the labels wrong, trusted", text.Trusted, 0.1, 100},
	} {
		trainer := text.NewTrainer(text.Fit(text.Fitting{}, nil), nil)
		r := rand.New(rand.NewPCG(2, 2))
		var good, bad []float64
		for _, m := range mails {
			score := trainer.Score(m.doc).Margin
			if m.spam {
				bad = append(bad, score)
			} else {
				good = append(good, score)
			}
			trainer.Learn(m.doc, m.spam != (r.Float64() < tt.noise), tt.trust)
		}
		area := Area(good, bad)
		one, _ := Recall(good, bad, 0.01)
		tenth, _ := Recall(good, bad, 0.001)
		t.Logf("%s: 1-ROCA%% %.3f, recall at 1 %% false positives %.3f, at 0.1 %% %.3f (%d good, %d bad)",
			tt.name, area, one.Value(), tenth.Value(), len(good), len(bad))
		if !(area <= tt.worst) {
			t.Errorf("%s: 1-ROCA%% %.3f is over %v", tt.name, area, tt.worst)
		}
	}
}
