package lookalike_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/lookalike"
	index "sluice/learn/lookalike"
)

func config() lookalike.Config {
	x := index.New(index.Config{Seed: 3})
	for d, k := range map[string]index.Kind{"gardenworks.example": index.Own, "paypal.com": index.Brand, "microsoft.com": index.Brand, "smithandsons.com": index.Correspondent, "netflix.com": index.Brand} {
		x.Add(index.Name{Domain: d, Kind: k})
	}
	return lookalike.Config{
		Index:       x,
		Established: func(org string) bool { return org == "microsoftt.com" },
		Title: func(d string) string {
			if d == "paypal.com" {
				return "PayPal"
			}
			return ""
		},
	}
}

func TestMessages(t *testing.T) {
	from := func(address string) string { return checktest.Mail("From: X <"+address+">", "Hello\n") }
	link := func(url string) string {
		return checktest.Mail("Content-Type: text/html", `<p>Hello, all of you who read this.</p><a href="`+url+`">here</a>`)
	}
	checktest.Table(t, lookalike.Checks(config()), []checktest.Case{
		{"a stranger", from("x@shop.example"), ""},
		{"a protected one", from("x@mail.paypal.com"), ""},
		{"free mail", from("x@gmail.com"), ""},
		{"us", from("x@gardenw0rks.example"), "FROM_LOOKS_LIKE_US"},
		{"us, with a word", from("x@gardenworks-payroll.net"), "FROM_LOOKS_LIKE_US"},
		{"a supplier", from("x@smithandson.s.smlthandsons.com"), "FROM_LOOKS_LIKE_CORRESPONDENT"},
		{"a brand", from("x@paypa1.com"), "FROM_LOOKS_LIKE_BRAND"},
		{"a brand in two alphabets", from("x@xn--pypal-4ve.com"), "FROM_LOOKS_LIKE_BRAND FROM_MIXED_ALPHABETS"},
		{"another top-level domain", from("x@netflix.example"), "FROM_NAMES_BRAND"},
		{"established", from("x@microsoftt.com"), ""},
		{"answers", checktest.Mail("Reply-To: y@rnicrosoft.com", "Hello\n"), "REPLY_TO_LOOKS_LIKE"},
		{"link to us", link("https://gardenworks.example.login.net/x"), "LINK_LOOKS_LIKE_US"},
		{"link to a brand", link("https://www.paypal-secure-login.net/x"), "LINK_LOOKS_LIKE_BRAND"},
		{"link to a brand's name", link("https://netflix.evil-host.net/x"), "LINK_NAMES_BRAND"},
		{"link to a brand", link("https://www.paypal.com/x"), ""},
		{"behind a gateway's link", link("https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Frnicrosoft.com%2F&amp;data=x"), "LINK_LOOKS_LIKE_BRAND"},
		{"picture", checktest.Mail("Content-Type: text/html", `<img src="https://paypa1.com/x">`), ""},
	})
}

func TestPlaces(t *testing.T) {
	in := checktest.Input(checktest.Mail("", "Hello\n"))
	in.Envelope.From = "bounce@paypall.com"
	in.Notes = new(check.Notes)
	ev := checktest.Run(t, lookalike.Checks(config()), in)
	if len(ev) != 1 || ev[0].Reason != "SENDER_LOOKS_LIKE" || !strings.Contains(ev[0].Detail, `"paypal.com" (doubled letter) of "PayPal"`) {
		t.Errorf("%+v", ev)
	}
	if s, ok := check.Noted[lookalike.Senders](in.Notes); !ok || len(s) != 1 || s[0].Title != "PayPal" || s[0].Domain != "paypall.com" {
		t.Errorf("note: %+v", s)
	}
	in = checktest.Input(checktest.Mail("", "Hello\n"))
	in.Conn.Hello.Name = "mail.paypall.com"
	if got := checktest.Reasons(checktest.Run(t, lookalike.Checks(config()), in)); len(got) != 1 {
		t.Error(got)
	}
	// What own users send is theirs.
	in.Conn.Auth = "ann"
	if got := checktest.Reasons(checktest.Run(t, lookalike.Checks(config()), in)); len(got) != 0 {
		t.Error(got)
	}
	in.Conn.Auth, in.Envelope = "", &sluice.Envelope{Outbound: true}
	if got := checktest.Reasons(checktest.Run(t, lookalike.Checks(config()), in)); len(got) != 0 {
		t.Error(got)
	}
}

func TestInLinks(t *testing.T) {
	out := lookalike.InLinks(config(), []string{"https://rnicrosoft.com/", "mailto:x@paypa1.com", ":", ""}, "where a shortener leads")
	if len(out) != 1 || out[0].Reason != "LINK_LOOKS_LIKE_BRAND" || !strings.Contains(out[0].Detail, "shortener") {
		t.Errorf("%+v", out)
	}
	if !slices.Contains(lookalike.LinkReasons(), out[0].Reason) {
		t.Errorf("%s isn't declared", out[0].Reason)
	}
	if out := lookalike.InLinks(lookalike.Config{}, []string{"https://paypa1.com/"}, ""); out != nil {
		t.Error(out)
	}
	if lookalike.Checks(lookalike.Config{}) != nil {
		t.Error("checks without an index")
	}
}

func BenchmarkLinks(b *testing.B) {
	var html strings.Builder
	for i := range 50 {
		html.WriteString(`<a href="https://www.shop` + strings.Repeat("x", i%9) + string(rune('a'+i%26)) + `.com/item?n=1">An item</a> `)
	}
	in := checktest.Input(checktest.Mail("Content-Type: text/html", html.String()))
	in.Message.View()
	in.Notes = new(check.Notes) // the checks of links have asked for organizations
	c := lookalike.Checks(config())[1]
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		if _, err := c.Check(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
}

// cpu is the time that the process has used; other programs don't count.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // a failure shows as 0
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
