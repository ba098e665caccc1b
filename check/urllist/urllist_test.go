package urllist_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sluice/check/checktest"
	"sluice/check/urllist"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
	engine "sluice/engine/urllist"
)

func files(t testing.TB) *engine.Set {
	path := filepath.Join(t.TempDir(), "l")
	if err := os.WriteFile(path, []byte("evil.example\nhttp://page.example/bad x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := engine.New(engine.Config{Files: []engine.File{{Path: path, Name: "ours"}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFiles(t *testing.T) {
	link := func(url string) string {
		return checktest.Mail("Content-Type: text/html", `<a href="`+url+`">here</a>`)
	}
	checktest.Table(t, urllist.Checks(urllist.Config{Files: files(t)}), []checktest.Case{
		{"nothing", link("https://www.example.com/"), ""},
		{"a domain", link("https://www.evil.example/x"), "URL_LISTED"},
		{"an address", link("https://page.example/bad?x#y"), "URL_LISTED"},
		{"another address", link("https://page.example/good"), ""},
		{"carried", link("https://www.google.com/url?q=https%3A%2F%2Fevil.example%2F"), "URL_LISTED"},
		{"a picture", checktest.Mail("Content-Type: text/html", `<img src="https://evil.example/x.png">`), "URL_LISTED"},
		{"in plain text", checktest.Mail("", "See http://evil.example/ there.\n"), "URL_LISTED"},
	})
	if urllist.Checks(urllist.Config{}) != nil {
		t.Error("checks without lists")
	}
}

func TestDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := dnsbltest.New()
		zone := names.AddNames("key.uri.example.org")
		zone.PutName("test", "127.0.0.2")
		zone.PutName("evil.com", "127.0.0.2")
		d, err := engine.NewDNS([]engine.DNSList{{List: dnsbl.List{Zone: "uri.example.org", Key: "key", Name: "the list"}}}, dnsbl.Config{Resolver: names})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		c := urllist.Config{DNS: d, Skip: func(org string) bool { return org == "ours.com" }}
		checks := urllist.Checks(c)
		run := func(body string) string {
			in := checktest.Input(checktest.Mail("Content-Type: text/html", body))
			var out []string
			for _, e := range checktest.Run(t, checks, in) {
				out = append(out, string(e.Reason)+" "+e.State.String()+" "+e.Detail)
			}
			return strings.Join(out, "\n")
		}
		const body = `<a href="https://www.evil.com/">x</a><a href="https://good.com/">x</a><a href="https://ours.com/">x</a>`
		if got := run(body); !strings.HasPrefix(got, "URL_LIST_UNKNOWN") || strings.Contains(got, "key.") {
			t.Errorf("before the test: %s", got)
		}
		go func() { d.Run(ctx); close(done) }()
		synctest.Wait()
		if got := run(body); !strings.Contains(got, `URL_LISTED`) || !strings.Contains(got, `the list: "evil.com" (listed)`) || strings.Contains(got, "\n") {
			t.Errorf("got %s", got)
		}
		asked := names.Questions()
		if got := run(`<a href="https://ours.com/">x</a> <a href="mailto:x@evil.com">y</a>`); got != "" || names.Questions() != asked {
			t.Errorf("got %s", got)
		}
		ev := urllist.InLinks(ctx, c, []string{"https://evil.com/x", "", "mailto:a@evil.com"}, "behind a shortener")
		if len(ev) != 1 || !strings.Contains(ev[0].Detail, "shortener") || !slices.Contains(urllist.Reasons(), ev[0].Reason) {
			t.Errorf("%+v", ev)
		}
		in := checktest.Input(checktest.Mail("Content-Type: text/html", body))
		in.Conn.Stored = true
		if ev := checktest.Run(t, checks, in); len(ev) != 0 {
			t.Errorf("stored: %+v", ev)
		}
		cancel()
		<-done
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkFiles(b *testing.B) {
	in := checktest.Input(checktest.Mail("Content-Type: text/html", strings.Repeat(`<a href="https://www.example.com/item?n=1">An item</a> <a href="https://cdn.shop.example/x/y/z">x</a>`, 25)))
	in.Message.View()
	c := urllist.Checks(urllist.Config{Files: files(b)})[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Check(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
