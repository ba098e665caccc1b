package text

import (
	"fmt"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// Hidden text counts when it is prose and not a preheader or a block for other
// screens: this many words, and so large a share of the text that is shown.
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
		hidden, shown := words(v.Hidden), words(v.Text)
		if hidden < hiddenWords || float64(hidden) < hiddenShare*float64(shown) {
			return nil
		}
		return []sluice.Evidence{check.Found(reason.TextHidden, fmt.Sprintf("%d words hidden, %d shown", hidden, shown))}
	})
}

// words counts words of three letters or more: padding isn't prose.
func words(s string) int {
	n := 0
	for w := range strings.FieldsSeq(s) {
		if len(w) >= 3 {
			n++
		}
	}
	return n
}
