package document_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document"
	"sluice/inspect/child/identify"
	"sluice/internal/shared"
)

// Every document of the published suite through everything that the process links,
// as an attachment comes: nothing but its name is known.
func TestSuite(t *testing.T) {
	dir := shared.Dir(t, "suites", "eicar")
	cfg := child.Config{Decoders: append(archive.Decoders(archive.Config{}), document.Decoders()...), Identify: identify.Identify}
	kinds := map[string][]inspect.Kind{
		"macro-cmd":        {inspect.MacroCode, inspect.MacroAutorun, inspect.CodeRuns},
		"macro-powershell": {inspect.MacroCode, inspect.MacroAutorun, inspect.CodeRuns, inspect.CodeEvades},
		"macro-write":      {inspect.MacroCode, inspect.MacroAutorun, inspect.CodeWrites},
		"word-macro-msg":   {inspect.MacroCode, inspect.MacroAutorun},
		"excel-macro-msg":  {inspect.MacroCode, inspect.MacroAutorun},
		"action-macro":     {inspect.MacroCode, inspect.ActionRuns},
		"action-power":     {inspect.ActionRuns, inspect.CodeRuns},
		"dde-cmd":          {inspect.DDECommand, inspect.CodeRuns},
		"acrobat-attach":   {inspect.PDFAttachment},
		"javascript-alert": {inspect.PDFScript},
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range files {
		for part, want := range kinds {
			if !strings.Contains(e.Name(), part) {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			seen++
			r := childtest.Run(t, cfg, &inspect.Request{Inputs: []inspect.Input{{Name: e.Name(), Body: b}}})
			for _, k := range want {
				if !childtest.Has(r, k, "") {
					t.Errorf("%s: no %s in %v", e.Name(), k, r.Facts)
				}
			}
			if strings.Contains(part, "macro") && !r.Files[0].Class.Has(inspect.Macro) {
				t.Errorf("%s: %s", e.Name(), r.Files[0].Class)
			}
			for _, k := range []inspect.Kind{inspect.DecoderPanic, inspect.Damaged} {
				if childtest.Has(r, k, "") {
					t.Errorf("%s: %v", e.Name(), r.Facts)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d files", seen)
	}
}

// Names of decoders are stable and told apart.
func TestDecoders(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range document.Decoders() {
		if seen[d.Name()] || len(d.Types()) == 0 {
			t.Errorf("%s", d.Name())
		}
		seen[d.Name()] = true
	}
}
