package urllist_test

import (
	"slices"
	"testing"

	"sluice/check/checktest"
	"sluice/check/urllist"
	"sluice/learn/domain"
)

func TestSeen(t *testing.T) {
	m := domain.New(domain.Config{})
	m.Meet(checktest.Now.AddDate(0, -2, 0), []string{"known.com"})
	checks := urllist.Checks(urllist.Config{Seen: m, Skip: func(org string) bool { return org == "ours.com" }})
	link := func(url string) string {
		return checktest.Mail("Content-Type: text/html", `<a href="`+url+`">here</a> <img src="https://pictures.com/x">`)
	}
	checktest.Table(t, checks, []checktest.Case{
		{"known", link("https://www.known.com/"), ""},
		{"new", link("https://www.fresh.com/"), "NEW_LINK_DOMAIN"},
		{"ours", link("https://www.ours.com/"), ""},
		{"the author's", checktest.Mail("From: x@fresh.com\nContent-Type: text/html", `<a href="https://www.fresh.com/">x</a>`), ""},
		{"no domain", link("https://host/"), ""},
		{"an address", link("https://192.0.2.1/"), ""},
	})
	in := checktest.Input(link("https://www.fresh.com/"))
	if got := urllist.Orgs(in.Message); !slices.Equal(got, []string{"fresh.com"}) {
		t.Error(got)
	}
	young := urllist.Checks(urllist.Config{Seen: domain.New(domain.Config{})})
	if ev := checktest.Run(t, young, in); len(ev) != 0 {
		t.Errorf("a young memory: %v", ev)
	}
}
