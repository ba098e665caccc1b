package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/eval"
	"sluice/reason"
)

func TestDraw(t *testing.T) {
	var split []eval.Entry
	for i := range 200 {
		part := []string{"train", "test"}[i%2]
		split = append(split, eval.Entry{Path: fmt.Sprintf("c/ham/%05d.eml", i), Part: part, Corpus: "c", Label: "ham"})
	}
	few, more := draw(split, 10), draw(split, 30)
	slices.Reverse(split)
	if diff := cmp.Diff(few, draw(split, 10)); diff != "" {
		t.Errorf("the sample hangs on the order: %s", diff)
	}
	for _, part := range []string{"train/c/ham", "test/c/ham"} {
		if len(few[part]) != 10 || len(more[part]) != 30 {
			t.Fatalf("%s: %d and %d drawn", part, len(few[part]), len(more[part]))
		}
		if diff := cmp.Diff(few[part], more[part][:10]); diff != "" {
			t.Errorf("%s: the smaller sample is no part of the larger: %s", part, diff)
		}
	}
	if got := draw(split, 1000); len(got["test/c/ham"]) != 100 {
		t.Errorf("%d of 100", len(got["test/c/ham"]))
	}
}

// TestRows keeps what must only judge out of what is learned, and every row whole.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.name] {
			t.Errorf("%s is there twice", r.name)
		}
		seen[r.name] = true
		for _, p := range r.train {
			if strings.HasPrefix(p, "foff_milter/") {
				t.Errorf("%s learns from %s", r.name, p)
			}
		}
		for _, pools := range [][]string{r.good, r.bad, r.train} {
			if len(pools) == 0 {
				t.Errorf("%s lacks a pool", r.name)
			}
		}
	}
}

func TestArriving(t *testing.T) {
	const mbox = "From joe@example.com Mon Jan  1 10:00:00 2024\n"
	for _, tt := range []struct{ file, want string }{
		{"Subject: x\nX-MS-Exchange-A: b\n c\nTo: y\n\nX-Spam-Flag: in the body\n", "Subject: x\nTo: y\n\nX-Spam-Flag: in the body\n"},
		{mbox + "Subject: x\n\nbody\n", "From joe@example.com Thu Jan  1 00:00:00 1970\nSubject: x\n\nbody\n"},
		{"Return-Path: <ann@example.com>\r\nSubject: x\r\n\r\nbody\r\n", "From ann@example.com Thu Jan  1 00:00:00 1970\nSubject: x\r\n\r\nbody\r\n"},
		{"Return-Path: <>\nARC-Seal: i=1;\n\tb=x\nsubject: x\n", "subject: x\n"},
		{"Status: RO\nSTATUSES: kept\n\n", "STATUSES: kept\n\n"},
	} {
		_, message, _ := strings.Cut(tt.file, mbox)
		if message == "" {
			message = tt.file
		}
		if got := string(arriving([]byte(tt.file), []byte(message))); got != tt.want {
			t.Errorf("%q gives %q, want %q", tt.file, got, tt.want)
		}
	}
}

func TestReadScores(t *testing.T) {
	const in = "c/ham/1.eml\ttest\tham\tadd_header\t6.5\tA(1),B\nc/ham/2.eml\ttest\tham\terror\t0\t\nc/spam/1.eml\ttest\tspam\tFalse\t-1e-3\t\n"
	got, err := readScores(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"c/ham/1.eml": 6.5, "c/spam/1.eml": -0.001}, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"a\tb\n", "a\tb\tc\td\tx\t\n"} {
		if got, err := readScores(strings.NewReader(bad)); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}

// TestKeep measures only what an earlier run didn't.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	entries := []eval.Entry{{Path: "a"}, {Path: "b"}, {Path: "c"}}
	var asked [][]string
	measure := func(test []eval.Entry) (*measured, error) {
		m := &measured{CPU: float64(len(test)), Scores: map[string]float64{}}
		var paths []string
		for _, e := range test {
			paths = append(paths, e.Path)
			m.Scores[e.Path] = 1
		}
		asked = append(asked, paths)
		return m, nil
	}
	for _, upTo := range []int{1, 3, 3} {
		m, err := keep(dir, "x", entries[:upTo], measure)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Scores) != upTo {
			t.Errorf("%d scores of %d", len(m.Scores), upTo)
		}
		if upTo == 3 && m.CPU != (1*1+2*2)/3.0 {
			t.Errorf("CPU %v", m.CPU)
		}
	}
	if diff := cmp.Diff([][]string{{"a"}, {"b", "c"}}, asked); diff != "" {
		t.Error(diff)
	}
}

func TestWith(t *testing.T) {
	j := &eval.Judged{Score: 12, Ledger: []sluice.Evidence{
		{Reason: reason.TextSpam, Group: sluice.GroupText, Raw: 10}, {Reason: "X", Group: sluice.GroupLink, Raw: 2},
	}}
	if got := with(j, 10); got != 12 {
		t.Errorf("the same reading gives %v, not 12", got)
	}
	if got := with(j, -3); got >= 12-10 {
		t.Errorf("a reading for ham gives %v", got)
	}
	if len(j.Ledger) != 2 || j.Ledger[0].Raw != 10 {
		t.Errorf("the ledger was changed: %v", j.Ledger)
	}
}

func TestTable(t *testing.T) {
	r := row{name: "x", title: "mail", good: []string{"c/ham"}, bad: []string{"c/spam"}, train: []string{"c/ham"}}
	s := &sample{pools: map[string][]eval.Entry{
		"test/c/ham":  {{Path: "h1"}, {Path: "h2"}},
		"test/c/spam": {{Path: "s1"}, {Path: "s2"}, {Path: "s3"}},
	}}
	var b strings.Builder
	err := writeTable(&b, s, []row{r}, []result{
		{"One", &r, &measured{1.25, map[string]float64{"h1": 1, "h2": 2, "s1": 3, "s2": 3, "s3": 0}}},
		{"Two", &r, &measured{0.5, map[string]float64{"h1": 1, "s1": 2, "s2": 2, "s3": 2}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `| mail | scanner | AUC | recall at 1 % | 95 % | at 0.1 % | CPU, ms a message |
| --- | --- | --- | --- | --- | --- | --- |
| mail (2 good, 3 bad; learned 0) | One | 0.6667 | 0.667 | 0.094–0.992 | – | 1.25 |
|  | Two (1 failed) | 1.0000 | 1.000 | 0.292–1.000 | – | 0.50 |
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestAbsent says in one line what is absent, and is no failure.
func TestAbsent(t *testing.T) {
	dir := t.TempDir()
	var out, log strings.Builder
	if err := run(t.Context(), []string{"-shared", dir}, &out, &log); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "skipped") || !strings.Contains(got, filepath.Join(dir, "corpora", "SPLIT.tsv")) {
		t.Errorf("%q", got)
	}
	t.Setenv("PATH", dir)
	m := measurement{settings: &settings{}, log: &log}
	if err := m.peers(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for i := range peers {
		if !strings.Contains(log.String(), peers[i].title+" skipped: "+peers[i].programs[0]+" is absent") {
			t.Errorf("no word of %s in %q", peers[i].title, log.String())
		}
	}
}

func TestParse(t *testing.T) {
	c, err := parse([]string{"-n", "5", "-rows", "lists,foff", "-scanners", "ours,rspamd"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.rows) != 2 || c.rows[0].name != "lists" || c.rows[1].name != "foff" || !c.wants("ours") || c.wants("bogofilter") {
		t.Errorf("%+v", c)
	}
	for _, bad := range [][]string{{"-rows", "x"}, {"-scanners", "x"}, {"-n", "0"}, {"x"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// TestOurs runs our own side on a handful of made-up messages.
func TestOurs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	dir := t.TempDir()
	pools := map[string][]eval.Entry{}
	for _, label := range []string{"ham", "spam"} {
		for i, part := range []string{"train", "train", "test"} {
			e := eval.Entry{Path: fmt.Sprintf("c/%s/%d.eml", label, i), Part: part, Corpus: "c", Label: label}
			to := filepath.Join(dir, "corpora", filepath.FromSlash(e.Path))
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				t.Fatal(err)
			}
			words := map[string]string{"ham": "the minutes of the meeting about the compiler", "spam": "cheap pills and a prize for you"}[label]
			if err := os.WriteFile(to, []byte("From: a@example.com\nSubject: "+words+"\n\n"+strings.Repeat(words+"\n", 10)), 0o600); err != nil {
				t.Fatal(err)
			}
			pools[part+"/c/"+label] = append(pools[part+"/c/"+label], e)
		}
	}
	r := row{name: "x", good: []string{"c/ham"}, bad: []string{"c/spam"}, train: []string{"c/ham", "c/spam"}}
	s, err := write(filepath.Join(dir, "corpora"), filepath.Join(dir, "mail"), pools, []row{r})
	if err != nil {
		t.Fatal(err)
	}
	o, err := judge(t.Context(), dir, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r.strange = range []bool{false, true} {
		got, err := o.results(&r)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 {
			t.Errorf("%d lines", len(got))
		}
		for _, g := range got {
			if len(g.Scores) != 2 || g.CPU <= 0 {
				t.Errorf("%s: %+v", g.scanner, g.measured)
			}
			if g.scanner != "Sluice as shipped" && g.Scores["c/spam/2.eml"] <= g.Scores["c/ham/2.eml"] {
				t.Errorf("%s has learned nothing: %v", g.scanner, g.Scores)
			}
		}
	}
}
