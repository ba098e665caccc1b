package main

import (
	"strings"
	"testing"
)

// TestReport: a text that alone holds a message flips; what four kinds of evidence hold
// doesn't; points that don't add up are counted.
func TestReport(t *testing.T) {
	in := `{"file":"c/spam/1.eml","verdict":{"points":15,"action":"quarantine"},"evidence":[{"id":"TEXT_SPAM","group":"text","raw":25,"points":25},{"id":"PRIOR","group":"prior","raw":-10,"points":-10}]}
{"file":"c/spam/2.eml","verdict":{"points":44,"action":"reject"},"evidence":[{"id":"PRIOR","group":"prior","points":-10},{"id":"TEXT_SPAM","group":"text","raw":24,"points":24},{"id":"LINK_SHORTENER","group":"link","raw":14,"points":14},{"id":"ADVANCE_FEE","group":"scam","raw":14,"points":14},{"id":"HELO_NO_FQDN","group":"session","raw":12,"points":12},{"id":"FROM_RISKY_TLD","group":"identity","raw":12,"points":12},{"id":"MIME_BROKEN","group":"structure","raw":12,"points":12},{"id":"FILE_X","group":"attachment","raw":14,"points":14}]}
{"file":"c/ham/3.eml","verdict":{"points":-10,"action":"accept"},"evidence":[{"id":"PRIOR","group":"prior","points":-10}]}
`
	var out strings.Builder
	if err := report(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	want := `                                     held flip without 3      share    inexact
c/ham                                   0              0          –          0
c/spam                                  2              1     50.0 %          1
all                                     2              1     50.0 %          1
3 messages; the fewest reasons that would have done are 1.00 on average, where any do
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if err := report(strings.NewReader("{"), &out); err == nil {
		t.Error("half a line is an error")
	}
}
