package trial_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"sluice/eval/trial"
	"sluice/internal/golden"
)

// namer remembers whose mail it was trained on, and finds bad what it has seen bad.
type namer struct{ seen map[string]int }

func (n namer) Judge(doc any) trial.Outcome {
	name := doc.(string)
	corpus, label, _ := strings.Cut(name, "/")
	if n.seen[corpus] > 0 {
		return trial.Outcome{Score: -1}
	}
	if strings.HasPrefix(label, "ham") {
		return trial.Outcome{Score: 0.1, P: 0.1}
	}
	return trial.Outcome{Score: 1, P: 0.9}
}

func (n namer) Train(doc any, _ bool) {
	corpus, _, _ := strings.Cut(doc.(string), "/")
	n.seen[corpus]++
}

// TestLeaveOneOut checks who is trained on whom: what was left out is never seen, and
// foff_milter never trains.
func TestLeaveOneOut(t *testing.T) {
	t.Chdir(t.TempDir())
	split := "path\tgroup\tyear\tpart\n"
	for _, corpus := range []string{"a", "b", "foff_milter"} {
		for _, label := range []string{"ham", "spam"} {
			for i := range 240 {
				name := fmt.Sprintf("%s/%s/%04d.eml", corpus, label, i)
				write(t, name, i, 0.5, label)
				split += fmt.Sprintf("%s\tg%d\t2020\t%s\n", name, i, []string{"train", "test"}[i%2])
			}
		}
	}
	if err := os.WriteFile("SPLIT.tsv", []byte(split), 0o600); err != nil {
		t.Fatal(err)
	}
	var made []namer
	k := trial.Kind{Name: "namer", Learns: true,
		Read: func(_ context.Context, in *trial.Input) any { return in.ID },
		New: func() trial.Filter {
			made = append(made, namer{map[string]int{}})
			return made[len(made)-1]
		}}
	sources, err := trial.Corpora(".", "all", nil)
	if err != nil {
		t.Fatal(err)
	}
	box, err := trial.Read(t.Context(), k, sources, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := trial.LeaveOneOut(t.Context(), k, box.Mail, nil, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, corpus := range []string{"a", "b", "foff_milter"} {
		seen := made[i].seen
		if seen[corpus] != 0 || seen["foff_milter"] != 0 {
			t.Errorf("without %s: trained on %v", corpus, seen)
		}
		want := 240
		if corpus == "foff_milter" {
			want = 480
		}
		if got := seen["a"] + seen["b"]; got != want {
			t.Errorf("without %s: trained on %d messages, want %d", corpus, got, want)
		}
	}
	for _, r := range l.Rows {
		if r.N != 120 || r.Above[0].K != 120 {
			t.Errorf("%s: %d of %d above what the known ham scores, want all", r.Pool, r.Above[0].K, r.N)
		}
	}
	if l, err := trial.LeaveOneOut(t.Context(), k, box.Mail, []string{"a", "foff_milter"}, 1, nil); err == nil {
		t.Errorf("without a nothing is left to train on, and it was judged: %+v", l)
	}
	var b bytes.Buffer
	if err := l.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root(t))
	golden.Check(t, "testdata/leaveout.txt", b.Bytes())
	if _, err := trial.LeaveOneOut(t.Context(), stated(), box.Mail, nil, 1, nil); err == nil {
		t.Error("a filter that learns nothing was trained")
	}
}

func TestCorpora(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("SPLIT.tsv", []byte("path\tgroup\tyear\tpart\na/ham/1.eml\tg\t\ttest\na/unknown/2.eml\th\t\ttest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := trial.Corpora(".", "test", nil); err != nil || len(got) != 1 {
		t.Errorf("%v, %+v: want the labelled one", err, got)
	}
	for _, only := range []string{"b", "A"} {
		if _, err := trial.Corpora(".", "all", []string{only}); err == nil || !strings.Contains(err.Error(), "no corpus") {
			t.Errorf("corpus %s: %v", only, err)
		}
	}
	if _, err := trial.Corpora(".", "train", nil); err == nil {
		t.Error("an empty part was taken")
	}
}
