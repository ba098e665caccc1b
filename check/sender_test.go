package check_test

import (
	"context"
	"testing"

	"sluice/check"
	"sluice/check/checktest"
)

// What a message is taken for where nobody can be asked.
func TestTraffic(t *testing.T) {
	const picture = `<a href="https://x.example/">Read</a><img src="https://x.example/1.png">`
	html := func(fields, body string) string { return checktest.Mail(fields+"\nContent-Type: text/html", body) }
	for name, c := range map[string]struct {
		raw  string
		want check.Traffic
	}{
		"a letter":               {checktest.Mail("", "Dear Ann\n"), check.Personal},
		"a letter with a link":   {checktest.Mail("", "See https://x.example/\n"), check.Personal},
		"an answer in HTML":      {html("In-Reply-To: <1@example.net>", `<a href="https://x.example/">That</a>`), check.Personal},
		"HTML with a picture":    {html("", picture), check.Notice},
		"HTML of nobody":         {html("From: noreply@example.org", `<a href="https://x.example/">That</a>`), check.Notice},
		"a way to leave":         {html("", picture+`<a href="https://x.example/u">Unsubscribe</a>`), check.Campaign},
		"List-Unsubscribe":       {checktest.Mail("List-Unsubscribe: <mailto:u@example.org>", "News\n"), check.Campaign},
		"List-Id alone":          {checktest.Mail("List-Id: <l.example.org>", "News\n"), check.Campaign},
		"a list":                 {checktest.Mail("List-Id: <l.example.org>\nList-Post: <mailto:l@example.org>", "Re\n"), check.List},
		"a list by its software": {checktest.Mail("X-BeenThere: l@example.org\nPrecedence: list", "Re\n"), check.List},
		"a program":              {checktest.Mail("Auto-Submitted: auto-generated", "Done\n"), check.Notice},
	} {
		in := checktest.Input(c.raw)
		in.Notes = &check.Notes{}
		s := check.SenderOf(context.Background(), in)
		if s.Traffic != c.want {
			t.Errorf("%s: %v, want %v", name, s.Traffic, c.want)
		}
		if s != check.SenderOf(context.Background(), in) {
			t.Errorf("%s: worked out twice", name)
		}
		if s.Known || s.Aligned {
			t.Errorf("%s: known without anybody to ask", name)
		}
	}
}
