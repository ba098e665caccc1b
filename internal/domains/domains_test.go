package domains_test

import (
	"strings"
	"testing"

	"sluice/internal/domains"
)

func TestLists(t *testing.T) {
	for _, tc := range []struct {
		list string
		f    func(string) bool
		in   string
		want bool
	}{
		{"FreeMail", domains.FreeMail, "gmail.com", true},
		{"FreeMail", domains.FreeMail, "mail.gmail.com", false},
		{"FreeMail", domains.FreeMail, "", false},
		{"Shortener", domains.Shortener, "bit.ly", true},
		{"Shortener", domains.Shortener, "www.tinyurl.com", true},
		{"Shortener", domains.Shortener, "habit.ly", false},
		{"FreeHost", domains.FreeHost, "evil.pages.dev", true},
		{"FreeHost", domains.FreeHost, "a.b.web.core.windows.net", true},
		{"FreeHost", domains.FreeHost, "pages.dev.example.com", false},
		{"FreeHost", domains.FreeHost, strings.Repeat("a.", 50) + "pages.dev", false},
		{"Rewriter", domains.Rewriter, "eur01.safelinks.protection.outlook.com", true},
		{"Rewriter", domains.Rewriter, "outlook.com", false},
		{"Counter", domains.Counter, "u123.ct.sendgrid.net", true},
		{"Counter", domains.Counter, "sendgrid.net.example.com", false},
		{"RiskyTLD", domains.RiskyTLD, "win.click", true},
		{"RiskyTLD", domains.RiskyTLD, "click.com", false},
		{"RiskyTLD", domains.RiskyTLD, "", false},
		{"KnownTLD", domains.KnownTLD, "example.com", true},
		{"KnownTLD", domains.KnownTLD, "example.co.uk", true},
		{"KnownTLD", domains.KnownTLD, "host.localdomain", false},
		{"KnownTLD", domains.KnownTLD, "myhost", false},
	} {
		if got := tc.f(tc.in); got != tc.want {
			t.Errorf("%s(%q) = %v", tc.list, tc.in, got)
		}
	}
}

func TestPassing(t *testing.T) {
	for _, host := range []string{"bit.ly", "www.bit.ly", "x.bit.ly", "www.x.bit.ly", "habit.ly", "u123.ct.sendgrid.net", "sendgrid.net", "eur01.safelinks.protection.outlook.com",
		"outlook.com", "example.com", "www.example.com", "", ".", strings.Repeat("a.", 7) + "sendgrid.net"} {
		if got, want := domains.Passing(host), domains.Rewriter(host) || domains.Counter(host) || domains.Shortener(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}
