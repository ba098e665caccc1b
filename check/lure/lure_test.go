package lure_test

import (
	"strings"
	"testing"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/lure"
)

func TestLures(t *testing.T) {
	mass := func(fields, text string) string {
		return checktest.Mail(fields+"\nContent-Type: text/html\nList-Unsubscribe: <https://x.example/>", `<p>`+text+`</p><a href="https://x.example/">Go</a>`)
	}
	checktest.Table(t, lure.Checks(), []checktest.Case{
		{"news", mass("", "Our opening hours have changed."), ""},
		{"one word", mass("", "A gift card is a fine present."), ""},
		{"a gift", mass("", "You have been selected for a gift card."), "LURE_GIFT"},
		{"a gift in the subject", mass("Subject: Claim your voucher", "Go"), "LURE_GIFT"},
		{"curly apostrophes", mass("Subject: You’ve won", "Go"), "LURE_GIFT"},
		{"a deadline", mass("", "Last chance, the offer ends tonight."), "LURE_DEADLINE"},
		{"a wonder", mass("", "The home remedy against belly fat."), "LURE_WONDER"},
		{"quotes", mass("", "Compare quotes for auto insurance."), "LURE_QUOTES"},
		{"an excuse", mass("", "We are not affiliated with the brand."), "LURE_STRANGERS"},
		{"services", checktest.Mail("", "We offer web design and SEO services."), "LURE_SERVICES"},
		{"an answer about services", checktest.Mail("In-Reply-To: <1@example.net>", "We offer web design and SEO services."), ""},
		{"a letter", checktest.Mail("", "You have been selected for a gift card."), ""},
		{"a list", mass("List-Id: <l.example.org>\nList-Post: <mailto:l@example.org>", "You have been selected for a gift card."), ""},
	})
}

func FuzzLures(f *testing.F) {
	f.Add("Subject: Claim your voucher\n\ngift card")
	f.Add(checktest.Mail("Content-Type: text/html", strings.Repeat("gift card ’", 100)))
	list := lure.Checks()
	f.Fuzz(func(t *testing.T, raw string) {
		in := checktest.Input(raw)
		in.Notes = &check.Notes{}
		checktest.Run(t, list, in)
	})
}
