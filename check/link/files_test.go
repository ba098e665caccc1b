package link

import (
	"strings"
	"testing"

	"sluice/check/checktest"
	"sluice/reason"
)

func TestInFiles(t *testing.T) {
	in := checktest.Input(checktest.Mail("From: Ann <ann@sender.example>\nTo: bob@garden.example", "see the picture\n"))
	out := InFiles(in, []string{"https://192.0.2.7/login", "https://bit.ly/x", "https://x.example/#bob@garden.example", "javascript:run()", "no link at all"})
	var got []string
	for _, e := range out {
		got = append(got, string(e.Reason))
		if !strings.Contains(e.Detail, "attached file") {
			t.Errorf("%s says %q", e.Reason, e.Detail)
		}
	}
	for _, want := range []string{reason.LinkIPHost, reason.LinkShortener, reason.LinkHoldsRecipient, reason.LinkScriptURL} {
		if !strings.Contains(strings.Join(got, " "), want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if out := InFiles(in, nil); len(out) != 0 {
		t.Errorf("of nothing: %v", out)
	}
}
