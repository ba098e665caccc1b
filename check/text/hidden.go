package text

import (
	"fmt"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// Hidden text counts when it is prose and not a preheader or the same block for
// another screen: this many words that the reader doesn't see anywhere, and so
// large a share of those that are shown.
const (
	hiddenWords = 80
	hiddenShare = 0.5
)

// newHidden looks for long text that HTML keeps from the reader. Hidden text as
// such is no sign: real campaigns hide preheaders and blocks for small screens.
func newHidden() check.Checker {
	return check.Func(check.Info{
		Name: "text/hidden", Phase: sluice.PhaseMessage, Group: sluice.GroupText, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.TextHidden},
	}, func(in *check.Input) []sluice.Evidence {
		v := in.Message.View()
		if len(v.Hidden) < 3*hiddenWords {
			return nil
		}
		shown := words(v.Text)
		known := map[string]bool{}
		for _, w := range shown {
			known[w] = true
		}
		hidden, fresh := words(v.Hidden), 0
		for _, w := range hidden {
			if !known[w] {
				fresh++
			}
		}
		if fresh < hiddenWords || float64(fresh) < hiddenShare*float64(len(shown)) {
			return nil
		}
		return []sluice.Evidence{check.Found(reason.TextHidden, fmt.Sprintf("%d of %d hidden words are nowhere in the %d shown", fresh, len(hidden), len(shown)))}
	})
}

// words lists the first few thousand words of three to thirty letters: padding
// and addresses aren't prose.
func words(s string) []string {
	var out []string
	for w := range strings.FieldsSeq(s) {
		if len(w) >= 3 && len(w) <= 30 && !strings.ContainsAny(w, "/@{}=<>") {
			if out = append(out, strings.ToLower(w)); len(out) == 5000 {
				break
			}
		}
	}
	return out
}
