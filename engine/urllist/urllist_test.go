package urllist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
	"sluice/engine"
	"sluice/message/links"
)

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func set(t testing.TB, text string) *Set {
	t.Helper()
	s, err := New(Config{Files: []File{{Path: write(t, filepath.Join(t.TempDir(), "l"), text), Name: "ours"}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const feed = `# comment
evil.example
host.shared.example,phish
*.wild.example
0.0.0.0 hosts.example
||adblock.example^
http://page.example/login/index.html?id=1 phishing kit
https://whole.example/
plain.example/path
192.0.2.9
"3151","2026-01-02 03:04:05","http://198.51.100.7:8080/bin.sh","online","2026-01-02","malware_download","elf,mirai","https://urlhaus.example/url/3151/","someone"
com
@
`

func TestLookup(t *testing.T) {
	s := set(t, feed)
	for url, want := range map[string]string{
		"https://evil.example/x":                            "evil.example",
		"https://a.b.evil.example/x":                        "evil.example",
		"https://EVIL.example./":                            "evil.example",
		"https://notevil.example/":                          "",
		"https://host.shared.example/":                      "host.shared.example phish",
		"https://shared.example/":                           "",
		"https://x.wild.example/":                           "wild.example",
		"https://hosts.example":                             "hosts.example",
		"https://adblock.example":                           "adblock.example",
		"http://page.example/login/index.html?id=1":         "page.example/login/index.html?id=1 phishing kit",
		"https://page.example/a/../login/./index.html?id=1": "page.example/login/index.html?id=1 phishing kit",
		"http://page.example/login/index.html?id=2":         "",
		"http://page.example/":                              "",
		"https://whole.example/any":                         "whole.example",
		"https://sub.whole.example/any":                     "",
		"http://plain.example/path?q=1#f":                   "plain.example/path",
		"http://192.0.2.9/x":                                "192.0.2.9",
		"http://0xc0000209/x":                               "192.0.2.9",
		"http://198.51.100.7:8080/bin.sh":                   "198.51.100.7:8080/bin.sh malware_download",
		"http://198.51.100.7/bin.sh":                        "",
		"https://example.com/":                              "",
	} {
		l := links.Parse(url)
		got := ""
		for _, f := range s.Lookup(&l) {
			got += strings.TrimSpace(f.Entry + " " + f.Meaning)
			if f.List != "ours" || f.Kind != Bad {
				t.Errorf("%+v", f)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
	if h := s.Health()[0]; h.Entries != 10 || h.Skipped != 2 {
		t.Errorf("%+v", h)
	}
	var none *Set
	if l := links.Parse("https://evil.example/"); none.Lookup(&l) != nil || none.Health() != nil {
		t.Error("no lists know something")
	}
}

func TestReload(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "l"), "evil.example\n")
	s, err := New(Config{Files: []File{{Path: path, Kind: Abused}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Repeat("no list at all \x00\n", 50))
	if changed, err := s.Reload(); changed || !errors.Is(err, errNoList) {
		t.Errorf("%v %v", changed, err)
	}
	l := links.Parse("https://evil.example/")
	if f := s.Lookup(&l); len(f) != 1 || f[0].Kind != Abused || f[0].List != "URL list" {
		t.Errorf("what was read before isn't in use: %v", f)
	}
	if h := s.Health()[0]; h.Why == "" || h.Entries != 1 {
		t.Errorf("%+v", h)
	}
	write(t, path, "other.example\n")
	if changed, err := s.Reload(); !changed || err != nil || s.Lookup(&l) != nil {
		t.Errorf("%v %v", changed, err)
	}
	for _, c := range []Config{
		{Files: []File{{Path: path + "none"}}}, {Files: []File{{Path: path}}, MaxBytes: 5}, {Files: []File{{Path: write(t, path, "a.example\nb.example\n")}}, MaxEntries: 1},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestRun(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "l"), "")
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Files: []File{{Path: path}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		write(t, path, "evil.example\n")
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if h := s.Health()[0]; h.Entries != 1 {
			t.Errorf("%+v", h)
		}
		cancel()
		<-done
	})
}

func TestKnown(t *testing.T) {
	for _, k := range known() {
		if _, err := Known(DNSList{List: dnsbl.List{Zone: k.Zone}}).Complete(); err != nil {
			t.Error(err)
		}
	}
	l := Known(DNSList{List: dnsbl.List{Zone: "SECRETKEY.dbl.dq.spamhaus.net"}})
	if l.Key != "secretkey" || l.Zone != "dbl.dq.spamhaus.net" || !l.Hosts || l.Addresses {
		t.Errorf("%+v", l)
	}
	for code, want := range map[string]string{"127.0.0.8": "phishing", "127.0.0.80": "malware", "127.0.0.128": "cracked site", "127.0.0.254": "phishing"} {
		l := Known(DNSList{List: dnsbl.List{Zone: "multi.surbl.org"}})
		got := ""
		for _, a := range l.Answers {
			if a.Values == values(code) {
				got = a.Meaning
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
}

func TestDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := dnsbltest.New()
		surbl := names.AddNames("secretkey.multi.surbl.org")
		surbl.PutName("surbl-org-permanent-test-point.com", "127.0.0.254")
		surbl.PutName("evil.com", "127.0.0.8")
		surbl.PutName("broken.com", "127.0.0.128")
		surbl.PutName("7.100.51.198", "127.0.0.16")
		dbl := names.AddNames("dbl.spamhaus.org")
		dbl.PutName("dbltest.com", "127.0.1.2")
		dbl.PutName("page.evil.com", "127.0.1.4")
		d, err := NewDNS([]DNSList{
			{List: dnsbl.List{Zone: "secretkey.multi.surbl.org", Name: "surbl"}}, {List: dnsbl.List{Zone: "dbl.spamhaus.org", Name: "dbl"}},
		}, dnsbl.Config{Resolver: names})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		ask := func(hosts ...string) ([]Finding, []string) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return d.Lookup(ctx, hosts)
		}
		if f, unknown := ask("page.evil.com"); f != nil || len(unknown) != 2 {
			t.Errorf("before the test: %v %v", f, unknown)
		}
		go func() { d.Run(ctx); close(done) }()
		synctest.Wait()
		f, unknown := ask("page.evil.com", "www.evil.com", "broken.com", "198.51.100.7", "[2001:db8::1]", "10.0.0.1", "localhost", "nobody.org")
		want := []Finding{
			{"dbl", "page.evil.com", "phishing", Bad}, {"surbl", "evil.com", "phishing", Bad}, {"surbl", "broken.com", "cracked site", Abused}, {"surbl", "7.100.51.198", "malware", Bad},
		}
		if diff := cmp.Diff(want, f); diff != "" || unknown != nil {
			t.Error(diff, unknown)
		}
		// A blocked resolver is the list's trouble, never a listing.
		surbl.PutName("other.com", "127.0.0.1")
		if f, unknown := ask("other.com"); f != nil || len(unknown) != 1 || strings.Contains(unknown[0], "secretkey") {
			t.Errorf("%v %v", f, unknown)
		}
		dbl.Behave(dnsbltest.Never(dns.ErrServFail))
		if f, unknown := ask("further.com"); f != nil || len(unknown) != 1 {
			t.Errorf("no answer: %v %v", f, unknown)
		}
		if s := fmt.Sprintf("%+v %v", d.Health(), d.Hide("x.secretkey.multi.surbl.org")); strings.Contains(s, "secretkey") {
			t.Error(s)
		}
		cancel()
		<-done
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := NewDNS([]DNSList{{List: dnsbl.List{Zone: "a..b"}}}, dnsbl.Config{Resolver: dnsbltest.New()}); err == nil {
		t.Error("taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(feed))
	f.Add([]byte("\v\n"))
	f.Add([]byte("\xef\xbb\xbfhttp://[::1]/\n\"\",\"http://x\""))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parse(bytes.NewReader(b), maphash.MakeSeed(), 100)
		if err != nil {
			return
		}
		if len(e.keys) > 100 {
			t.Errorf("%d entries", len(e.keys))
		}
		for _, n := range e.names {
			if n != engine.Printable(n, maxName) {
				t.Errorf("name %q", n)
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	var text strings.Builder
	for i := range 500_000 {
		fmt.Fprintf(&text, "http://host%d.example/path/%d\n", i, i)
	}
	s := set(b, text.String())
	l := links.Parse("https://www.shop.example.co.uk/item/7?u=abc")
	b.ReportAllocs()
	for b.Loop() {
		s.Lookup(&l)
	}
}
