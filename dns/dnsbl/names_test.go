package dnsbl_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
)

const digest = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

// name looks a name up, with a bound on time.
func (w *world) name(name string) dnsbl.Result {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return w.LookupName(ctx, name)
}

func TestNames(t *testing.T) {
	lists := []dnsbl.List{{Zone: "hash.example.org", Names: true, Weight: 5, Page: "https://example.org/?q={addr}"}, {Zone: "bl.example.org"}}
	play(t, lists, func(l *dnsbltest.Lists) {
		l.AddNames("hash.example.org").PutName(digest, "127.0.0.2")
		l.Add("bl.example.org").Put("192.0.2.7", "127.0.0.2")
	}, func(t *testing.T, w *world) {
		w.health(t, 0, dnsbl.Healthy, "")
		r := w.name(strings.ToUpper(digest))
		if r.Block != 5 || r.Asked != 1 || len(r.Answers) != 1 || r.Answers[0].Page != "https://example.org/?q="+digest {
			t.Errorf("%+v", r)
		}
		unlisted(t, w.name(strings.Repeat("ab", 20)))
		// Neither kind of list hears of the other's business.
		if r := w.look("192.0.2.7"); r.Asked != 1 || r.Answers[0].List != "bl.example.org" {
			t.Errorf("%+v", r)
		}
		asked := w.lists.Questions()
		w.name(digest)
		for _, bad := range []string{"", ".", "a..b", "a b", "ü", strings.Repeat("a", 64), strings.Repeat("a.", 80), "x.", "a/b", "*", "a\x00"} {
			unlisted(t, w.name(bad))
		}
		if n := w.lists.Questions(); n != asked {
			t.Errorf("%d questions about what is remembered, or no name", n-asked)
		}
	})
}

func TestSickListsOfNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*dnsbltest.List)
		why     string
	}{
		{"lists invalid", func(l *dnsbltest.List) { l.PutName("invalid", "127.0.0.2") }, "lists invalid, which no list may (RFC 5782 5)"},
		{"no test point", func(l *dnsbltest.List) { l.PutName("test") }, "doesn't list its test point test (RFC 5782 5)"},
		{"everything", func(l *dnsbltest.List) { l.Behave(dnsbltest.Always("127.0.0.2")) }, "lists everything"},
		{"refuses", func(l *dnsbltest.List) { l.Behave(dnsbltest.Always("127.255.255.254")) }, "public resolver"},
		{"silent", func(l *dnsbltest.List) { l.Behave(dnsbltest.Never(dns.ErrTimeout)) }, "not tested yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, []dnsbl.List{{Zone: "hash.example.org", Names: true}}, func(l *dnsbltest.Lists) {
				z := l.AddNames("hash.example.org")
				z.PutName(digest, "127.0.0.2")
				c.prepare(z)
			}, func(t *testing.T, w *world) {
				unlisted(t, w.name(digest))
				if h := w.Health()[0]; h.State == dnsbl.Healthy || h.Believed || !strings.Contains(h.Why, c.why) {
					t.Errorf("%+v", h)
				}
			})
		})
	}
}

func TestOwnTestPoint(t *testing.T) {
	for _, l := range []dnsbl.List{{Names: true, TestPoint: digest}, {Names: true, Untested: true}} {
		l.Zone = "hash.example.org"
		play(t, []dnsbl.List{l}, func(l *dnsbltest.Lists) {
			z := l.AddNames("hash.example.org")
			z.PutName("test")
			z.PutName(digest, "127.0.0.2")
		}, func(t *testing.T, w *world) {
			w.health(t, 0, dnsbl.Healthy, "")
			if r := w.name(digest); r.Block != 3 {
				t.Errorf("%+v", r)
			}
		})
	}
	for _, bad := range []dnsbl.List{{Names: true, IPv6: true}, {Names: true, TestPoint: "a..b"}, {Names: true, Zone: strings.Repeat("abcdefghi.", 11)}} {
		if bad.Zone == "" {
			bad.Zone = "hash.example.org"
		}
		if _, err := bad.Complete(); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
