package text

import (
	"strings"
	"testing"

	"sluice"
	"sluice/check"
	learned "sluice/learn/text"
	"sluice/message"
	"sluice/reason"
)

const toySpam = "buy cheap pills now, no prescription needed, click here for the best price and save money today"

// toy is a model that knows two kinds of text.
func toy() *learned.Model {
	const ham = "the minutes of the meeting are attached, please read them before we talk about the budget on monday"
	return learned.Fit(learned.Fitting{}, []learned.Labelled{
		{Document: &learned.Document{Text: toySpam}, Spam: true, Trust: learned.Trusted},
		{Document: &learned.Document{Text: ham}, Trust: learned.Trusted},
	})
}

func TestModel(t *testing.T) {
	c := Model(toy())
	for _, tt := range []struct {
		name, body string
		reason     sluice.Reason
		state      sluice.State
		detail     string
	}{
		{"spam", "Click here and save money today: cheap pills, best price!", reason.TextSpam, sluice.Found, "known"},
		{"ham", "Please read the minutes before the meeting about the budget.", reason.TextHam, sluice.Found, "known"},
		{"empty", "", reason.TextSpam, sluice.Unknown, "too little text: 0 features"},
		{"short", "ok", reason.TextSpam, sluice.Unknown, "too little text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := "Content-Type: text/plain; charset=utf-8\r\n\r\n" + tt.body + "\r\n"
			in := &check.Input{Message: message.Parse([]byte(raw), message.DefaultLimits())}
			out, err := c.Check(t.Context(), in)
			if err != nil || len(out) != 1 {
				t.Fatalf("got %v, %v", out, err)
			}
			e := out[0]
			if e.Reason != tt.reason || e.State != tt.state || !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("got %s, %v, %q; want %s, %v, … %q …", e.Reason, e.State, e.Detail, tt.reason, tt.state, tt.detail)
			}
			if (e.Raw > 0) != (e.Reason == reason.TextSpam && e.State == sluice.Found) || (e.Raw < 0) != (e.Reason == reason.TextHam) {
				t.Errorf("%s with raw %v", e.Reason, e.Raw)
			}
			if e.Group != sluice.GroupText || e.Hard != sluice.Soft {
				t.Errorf("group %v, hard %v", e.Group, e.Hard)
			}
		})
	}
}

// The words of a message are named where they speak against it.
func TestModelNamesWords(t *testing.T) {
	m := toy()
	d := &learned.Document{Text: toySpam}
	if e := judge(m, d); !strings.Contains(e.Detail, `"pills" +`) {
		t.Errorf("detail %q names no pills", e.Detail)
	}
}
