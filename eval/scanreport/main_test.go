package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "corpora"), 0o700); err != nil {
		t.Fatal(err)
	}
	split := "path\tgroup\tyear\tpart\nc/ham/1.eml\ta\t2020\ttest\nc/spam/1.eml\tb\t2021\ttest\nc/spam/2.eml\tb\t2021\ttrain\n"
	if err := os.WriteFile(filepath.Join(dir, "corpora", "SPLIT.tsv"), []byte(split), 0o600); err != nil {
		t.Fatal(err)
	}
	in := `{"file":"c/ham/1.eml","verdict":{"points":-3,"action":"accept"}}
{"file":"c/spam/1.eml","verdict":{"points":14,"action":"quarantine"}}
{"file":"c/spam/2.eml","verdict":{"points":14,"action":"quarantine"}}
`
	var out strings.Builder
	if err := run([]string{"-shared", dir}, strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Part test: 2 messages judged; 0 results", "c/spam  1", "2021"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if err := run([]string{"-shared", dir + "/none"}, strings.NewReader(in), &out); err == nil {
		t.Error("a folder without a split was taken")
	}
}
