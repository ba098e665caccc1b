package ole

import (
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/script"
)

// dangerous are functions of Excel 4 macros, and what they do.
var dangerous = []struct {
	call string
	kind inspect.Kind
}{
	{"EXEC(", inspect.CodeRuns}, {"CALL(", inspect.CodeRuns}, {"REGISTER(", inspect.CodeRuns}, {"INITIATE(", inspect.CodeRuns}, {"EXECUTE(", inspect.CodeRuns},
	{"FORMULA(", inspect.CodeObfuscated}, {"FORMULA.FILL(", inspect.CodeObfuscated}, {"FOPEN(", inspect.CodeWrites}, {"FWRITE", inspect.CodeWrites}, {"SAVE.AS(", inspect.CodeWrites},
	{"GET.WORKSPACE(", inspect.CodeEvades}, {"GET.WINDOW(", inspect.CodeEvades},
}

// StateFormulas states what formulas of Excel 4 macros do. The text is theirs, with
// constants worked out where that could be done.
func StateFormulas(w *child.Work, text string) {
	up := strings.ToUpper(text)
	for _, d := range dangerous {
		for i := 0; ; {
			n := strings.Index(up[i:], d.call)
			if n < 0 {
				break
			}
			i += n
			if i == 0 || !name(up[i-1]) {
				w.Fact(d.kind, strings.TrimRight(d.call, "("))
				break
			}
			i += len(d.call)
		}
	}
	script.Look(text).State(w)
	w.Text(inspect.OriginScript, text)
}

func name(c byte) bool { return 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' }
