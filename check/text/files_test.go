package text

import (
	"strings"
	"testing"

	"sluice/reason"
)

func TestInFiles(t *testing.T) {
	m := toy()
	if out := InFiles(m, toySpam); len(out) != 1 || out[0].Reason != reason.TextInFile || out[0].Raw <= 0 || out[0].Raw > 6 {
		t.Errorf("bad words: %+v", out)
	}
	for name, text := range map[string]string{
		"good words": "the minutes of the meeting are attached, please read them before we talk about the budget on monday",
		"too few":    "buy", "none": "",
	} {
		if out := InFiles(m, text); len(out) != 0 {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if out := InFiles(m, strings.Repeat(toySpam+" ", 5000)); len(out) != 1 || out[0].Raw > 6 {
		t.Errorf("a long text: %+v", out)
	}
}
