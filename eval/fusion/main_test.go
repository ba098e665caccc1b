package main

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice"
	"sluice/eval"
	"sluice/judge/verdict"
	"sluice/reason"
)

// drawn are forecasts that come true as often as they say, less shift.
func drawn(n int, shift float64) []forecast {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]forecast, n)
	for i := range out {
		p := r.Float64()
		out[i] = forecast{p: p, bad: r.Float64() < p-shift, weight: 1}
	}
	return out
}

func TestCalibrationError(t *testing.T) {
	for _, bins := range []func([]forecast) []bin{byWidth, byMass} {
		if e := calibrationError(bins(drawn(50000, 0))); e > 0.01 {
			t.Errorf("true forecasts have the error %.4f", e)
		}
		// Nothing is less than impossible, so a little less than 0.1 on average.
		if e := calibrationError(bins(drawn(50000, 0.1))); math.Abs(e-0.095) > 0.01 {
			t.Errorf("forecasts too high by 0.1 have the error %.4f", e)
		}
		// Weight is as good as number.
		light := drawn(1000, 0.3)
		twice := slices.Concat(light, light)
		for i := range light {
			light[i].weight = 2
		}
		if a, b := calibrationError(bins(light)), calibrationError(bins(twice)); math.Abs(a-b) > 1e-9 {
			t.Errorf("double weight has the error %v, double number %v", a, b)
		}
		// Nor does the order matter, with many equal ones.
		same := drawn(1000, 0.3)
		for i := range same {
			same[i].p = math.Round(10*same[i].p) / 10
		}
		a := calibrationError(bins(same))
		slices.Reverse(same)
		if b := calibrationError(bins(same)); math.Abs(a-b) > 1e-9 {
			t.Errorf("backwards the error is %v, was %v", b, a)
		}
	}
	if b := byMass(drawn(15000, 0)); len(b) != binCount {
		t.Errorf("%d bins", len(b))
	} else {
		for _, x := range b {
			if math.Abs(x.weight-1000) > 2 {
				t.Errorf("a bin has the mass %v", x.weight)
			}
		}
	}
	if x := brier([]forecast{{0.9, true, 1}, {0.2, false, 3}}); math.Abs(x-(0.01+3*0.04)/4) > 1e-12 {
		t.Errorf("Brier %v", x)
	}
}

// collection writes a small corpus with its split and the scan of it, and returns
// the folder and the scan.
func collection(t *testing.T) (dir, scan string) {
	dir = t.TempDir()
	var split, out strings.Builder
	split.WriteString("path\tgroup\tyear\tpart\n")
	enc := json.NewEncoder(&out)
	for _, c := range []struct {
		pool, words string
		bad         bool
	}{
		{"spamassassin/ham", "please find the minutes of the meeting on the new parser attached", false},
		{"enron_raw/ham", "the contract with the counterparty was signed on friday by legal", false},
		{"spamassassin/spam", "buy cheap watches and pills now limited offer act today winner", true},
		{"phishing_pot/phish", "verify your account password immediately or it will be closed", true},
	} {
		for k := range 12 {
			name := fmt.Sprintf("%s/%d.eml", c.pool, k)
			part := []string{"train", "test"}[k%2]
			fmt.Fprintf(&split, "%s\t%s%d\t2020\t%s\n", name, strings.ReplaceAll(c.pool, "/", ""), k, part)
			file := filepath.Join(dir, "corpora", filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			words := strings.Fields(c.words)
			mail := fmt.Sprintf("Subject: %s\n\n%s and %d\n", words[k%len(words)], c.words, k)
			if err := os.WriteFile(file, []byte(mail), 0o600); err != nil {
				t.Fatal(err)
			}
			id, raw := reason.TextHam, -6.0
			if c.bad {
				id, raw = reason.TextSpam, 20.0
			}
			ledger := []sluice.Evidence{{Reason: sluice.Reason(id), Group: sluice.GroupText, Raw: raw, Threat: threatOf(id)}}
			evidence := []map[string]any{{"id": "PRIOR", "group": "prior", "raw": -10}, {"id": id, "group": "text", "raw": raw},
				{"id": "LINK_SHORTENER", "group": "link", "raw": 9, "state": "not_run"}}
			err := enc.Encode(map[string]any{"file": file, "evidence": evidence,
				"verdict": map[string]any{"points": verdict.Weigh(ledger, verdict.DefaultWeights()).Points, "hard": ""}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "corpora", "SPLIT.tsv"), []byte(split.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, out.String()
}

func TestReport(t *testing.T) {
	dir, scan := collection(t)
	var out strings.Builder
	if err := run([]string{"-shared", dir, "-report"}, strings.NewReader(scan), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Part test: 24 messages; the scan printed other points than the shipped weights make for 0", "corpora of the fit  18     0.333   judged",
		"all corpora  24     0.500   fitted", "phishing_pot/phish  6", "spam 1.00"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestFit(t *testing.T) {
	dir, scan := collection(t)
	var files [2]string
	for i := range files {
		file := filepath.Join(t.TempDir(), "fitted.go")
		var out strings.Builder
		if err := run([]string{"-shared", dir, "-out", file, "-heldout"}, strings.NewReader(scan), &out); err != nil {
			t.Fatal(err)
		}
		// What may not be shipped from has no part in it.
		if strings.Contains(out.String(), "phishing_pot") || !strings.Contains(out.String(), "spamassassin/spam  6") {
			t.Errorf("fitted on\n%s", &out)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = string(b)
	}
	if files[0] != files[1] {
		t.Errorf("two fits differ:\n%s\n%s", files[0], files[1])
	}
	if _, err := parser.ParseFile(token.NewFileSet(), "fitted.go", files[0], 0); err != nil {
		t.Error(err)
	}
	if !strings.Contains(files[0], "sluice.GroupText:") || strings.Contains(files[0], "GroupLink") {
		t.Errorf("fitted are\n%s", files[0])
	}
}

func TestArguments(t *testing.T) {
	dir, scan := collection(t)
	for _, args := range [][]string{{}, {"-report", "-out", "x"}, {"-report", "-shared", dir + "/none"}, {"-report", "-shared", dir, dir + "/none"}} {
		if run(args, strings.NewReader(scan), &strings.Builder{}) == nil {
			t.Errorf("%q was taken", args)
		}
	}
	if run([]string{"-report", "-shared", dir}, strings.NewReader("{"), &strings.Builder{}) == nil {
		t.Error("half an object was taken")
	}
}

// TestSamples: good and bad mail count the same, a large pool less than its size,
// and a left-out one a quarter.
func TestSamples(t *testing.T) {
	var mails []mail
	add := func(n int, pool string, strange bool) {
		corpus, label, _ := strings.Cut(pool, "/")
		for range n {
			mails = append(mails, mail{entry: &eval.Entry{Corpus: corpus, Label: label}, strange: strange})
		}
	}
	add(400, "a/ham", false)
	add(100, "b/ham", false)
	add(100, "b/ham", true)
	add(100, "a/spam", false)
	var total, sum, bad float64
	by := map[string]float64{}
	for i, s := range samples(mails) {
		by[mails[i].pool()] += s.Weight
		total += s.Weight
		sum += s.Weight * s.Weight
		if s.Unwanted {
			bad += s.Weight
		}
	}
	if math.Abs(bad/total-0.5) > 1e-9 {
		t.Errorf("bad mail has %v of the weight", bad/total)
	}
	if a, b, c := by["a/ham"], by["b/ham"], by["b/ham (left out)"]; math.Abs(a/b-2) > 1e-9 || math.Abs(b/c-4) > 1e-9 {
		t.Errorf("weights %v", by)
	}
	// Kish: as many as would be as good if all weighed the same.
	if math.Abs(total-total*total/sum) > 1e-6 || total >= 700 {
		t.Errorf("they weigh %v", total)
	}
}
