package trec_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"sluice/eval"
	"sluice/eval/trec"
	"sluice/internal/shared"
	"sluice/learn/text/online"
	"sluice/message"
)

// TestEvade trains on the part "train" of SpamAssassin's corpus and disguises the
// spam of the part "test". A short run takes a quarter; SLUICE_TREC takes all.
func TestEvade(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := shared.Dir(t, "corpora")
	split, err := eval.Corpora(dir)
	if err != nil {
		t.Fatal(err)
	}
	full := os.Getenv("SLUICE_TREC") != ""
	part := func(name string) []trec.Message {
		n := 0
		out, err := trec.Corpus(dir, split, func(e *eval.Entry) bool {
			n++
			return e.Corpus == "spamassassin" && e.Part == name && (full || n%4 == 0)
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got, err := trec.Evade(t.Context(), trec.EvasionConfig{
		Train: part("train"), Test: part("test"), Seed: 1, Filter: trec.Online(true)(),
		Load: func(_ context.Context, m *trec.Message) ([]byte, error) {
			return eval.ReadMail(dir, &eval.Entry{Path: m.ID})
		},
		Extract: func(m *message.Message) any { return online.Extract(m) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", trec.EvasionText(got))
	if got[0].Recall < 0.6 {
		t.Errorf("recall without a trick is %.3f", got[0].Recall)
	}
	for _, e := range got[1:] {
		least := 0.9 // tricks with characters
		switch {
		case e.Trick == "image only":
			continue // nothing is left to read but header and links
		case strings.Contains(e.Trick, "good words"):
			if least = 0.75; !full {
				least = 0.4 // parts count less while little is known
			}
		}
		if !(e.OfClean >= least) {
			t.Errorf("%s: %.3f of clean recall, less than %.2f", e.Trick, e.OfClean, least)
		}
	}
}
