package gate_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/check/inspect"
	"sluice/gate"
	files "sluice/inspect"
	"sluice/judge/pipeline"
	"sluice/judge/verdict"
)

// looker finds a program in whatever it is given.
type looker struct{}

func (looker) Inspect(_ context.Context, r *files.Request) (*files.Report, error) {
	return &files.Report{At: -1, Files: []files.File{
		{Parent: -1, Name: r.Inputs[0].Name, Type: files.Zip, Class: files.Archive, Size: 7, SHA256: [32]byte{1}},
		{Parent: 0, Depth: 1, Name: "run.exe", Type: files.PE, Class: files.Executable, Size: 9, SHA256: [32]byte{2}},
	}}, nil
}

// TestRecordTellsOfFiles: the record of a message, live or scanned, has what was found in
// its files, and is found by them.
func TestRecordTellsOfFiles(t *testing.T) {
	table := inspect.DefaultTable()
	table.Classes[files.Executable] = inspect.Hold
	w := newWorld(t, func(c *gate.Config) {
		c.Settings.Pipeline = pipeline.New(inspect.Checks(inspect.Config{Inspector: looker{}, Table: table}),
			pipeline.Config{Clock: time.Now, Weights: verdict.DefaultWeights()})
	})
	want(t, w.sendText(w.open(), withFile, "bob@a.example"), "250")
	expect := []sluice.FileSeen{
		{Name: "plan.html", Type: "zip", Class: "archive", Size: 7, SHA256: [32]byte{1}, Content: "whole"},
		{Name: "run.exe", In: "plan.html", Depth: 1, Type: "pe", Class: "executable", Size: 9, SHA256: [32]byte{2}, Content: "whole", Marked: true},
	}
	for _, q := range []sluice.Query{{SHA256: [32]byte{2}}, {File: "RUN.exe"}} {
		list, err := w.store.Records(t.Context(), q)
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v: %d records, %v", q, len(list), err)
		}
		if d := cmp.Diff(expect, list[0].Files); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	ex := w.gate.Examine(t.Context(), new(sluice.Conn), sluice.Envelope{}, []byte(withFile))
	if d := cmp.Diff(expect, ex.Record.Files); d != "" {
		t.Errorf("examined (-want +got):\n%s", d)
	}
}
