package text

import (
	"fmt"
	"strings"
	"testing"

	"sluice"
	"sluice/check"
	learned "sluice/learn/text"
	"sluice/learn/text/online"
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
	c := Model(toy(), nil)
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

func mail(body string) *check.Input {
	raw := "Content-Type: text/plain; charset=utf-8\r\n\r\n" + body + "\r\n"
	return &check.Input{Message: message.Parse([]byte(raw), message.DefaultLimits()), Notes: new(check.Notes),
		Envelope: &sluice.Envelope{Rcpts: []sluice.Recipient{{Address: "Ann@Garden.example"}}}}
}

// What was learned here is laid over the shipped model, more with every label; until
// both kinds were seen it says nothing.
func TestModelLearnedHere(t *testing.T) {
	state := online.NewState()
	c := Model(toy(), func() *online.Model { return state.Model() })
	raw := func(body string) float64 {
		out, err := c.Check(t.Context(), mail(body))
		if err != nil || len(out) != 1 {
			t.Fatalf("got %v, %v", out, err)
		}
		return out[0].Raw
	}
	const newsletter = "Click here for the best price: our plants, no prescription needed, save money today and buy"
	before, alone := raw(newsletter), raw("ok")
	if before <= 0 || alone != 0 {
		t.Fatalf("by the shipped model alone: %v, %v", before, alone)
	}
	for i := range 40 {
		for _, l := range []struct {
			body string
			spam bool
		}{{newsletter, false}, {"your parcel waits, pay the customs fee within a day", true}} {
			f := Features(nil, mail(fmt.Sprintf("%s %d", l.body, i)).Message)
			state.Learn(online.Label{Features: f, Spam: l.spam, Trusted: true})
			if i == 0 && !l.spam && raw(newsletter) != before {
				t.Error("one kind alone moved the reading")
			}
		}
	}
	after := raw(newsletter)
	if after >= before {
		t.Errorf("forty labels moved %v to %v", before, after)
	}
	out, _ := c.Check(t.Context(), mail(newsletter))
	if !strings.Contains(out[0].Detail, "learned here from 40 wanted and 40 unwanted") {
		t.Errorf("detail %q", out[0].Detail)
	}
	if e, _ := c.Check(t.Context(), mail("ok")); e[0].State != sluice.Found {
		t.Errorf("a short text that the site has labels for: %+v", e[0])
	}
}

func TestRecipient(t *testing.T) {
	env := func(to ...string) *sluice.Envelope {
		e := &sluice.Envelope{}
		for _, a := range to {
			e.Rcpts = append(e.Rcpts, sluice.Recipient{Address: a})
		}
		return e
	}
	for _, tt := range []struct {
		env  *sluice.Envelope
		want online.Recipient
	}{
		{nil, online.Recipient{}},
		{env(), online.Recipient{}},
		{env("Ann@Garden.example"), online.Recipient{Domain: "garden.example", User: "ann@garden.example"}},
		{env("ann@garden.example", "bob@garden.example"), online.Recipient{Domain: "garden.example"}},
	} {
		if got := Recipient(tt.env); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.env, got, tt.want)
		}
	}
}

// The words of a message are named where they speak against it.
func TestModelNamesWords(t *testing.T) {
	in := mail(toySpam)
	if e := (models{shipped: toy()}).judge(in); !strings.Contains(e.Detail, `"pills" +`) {
		t.Errorf("detail %q names no pills", e.Detail)
	}
}
