package service

import (
	"strings"
	"testing"

	"sluice/internal/domains"
)

func TestTable(t *testing.T) {
	_, n, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if n < 250 || n != Count() {
		t.Errorf("%d services, Count %d", n, Count())
	}
	seen := map[Kind]int{}
	for d, s := range shipped {
		seen[s.Kind]++
		if d != strings.ToLower(d) || strings.Count(d, ".") < 1 || strings.Count(d, ".") > 3 {
			t.Errorf("%s: %q is no domain as it is looked up", s.Name, d)
		}
		if !domains.KnownTLD(d) {
			t.Errorf("%s: %q is below no known top-level domain", s.Name, d)
		}
	}
	for k := Bulk; k < kinds; k++ {
		if seen[k] == 0 {
			t.Errorf("no domains of kind %v", k)
		}
	}
}

func TestOf(t *testing.T) {
	for host, want := range map[string]string{
		"mcsv.net": "bulk Mailchimp", "mail228.wdc02.mcdlv.net": "bulk Mailchimp", "u1.ct.sendgrid.net": "transactional SendGrid",
		"mta22-ab1.mtasv.net": "transactional Postmark", "a.b.c.d.e.f.g.h.i.sendgrid.net": "", "notsendgrid.net": "", "": "", ".": "",
		"docs.google.com": "form Google-Forms", "mail-sor-f41.google.com": "mailbox Google-Workspace",
	} {
		got := ""
		if s := Of(host); s != nil {
			got = s.Kind.String() + " " + s.Name
		}
		if got != want {
			t.Errorf("Of(%q) = %q, want %q", host, got, want)
		}
	}
	if a, b := Org("mail1.mcsv.net"), Org("us2.list-manage.com"); a != b {
		t.Errorf("Mailchimp is %q and %q", a, b)
	}
	if got := Org("www.example.co.uk"); got != "example.co.uk" {
		t.Errorf("Org = %q", got)
	}
}

func TestBadTables(t *testing.T) {
	for _, bad := range []string{"bulk Name", "none Name a.example", "bulk A a.example\nshop B a.example", "a"} {
		if _, _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	for b.Loop() {
		Of("mail228.wdc02.mcdlv.net")
		Of("www.example.co.uk")
	}
}
