package expand_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/expand"
	engine "sluice/engine/expand"
	"sluice/message/links"
	"sluice/reason"
)

func TestExpand(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		to := map[string]string{"/a": "https://evil.example/x", "/in": "http://10.0.0.1/", "/ok": "https://good.example/"}[r.URL.Path]
		if to == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	short := "http://short.example:" + u.Port()
	client := engine.New(engine.Config{
		Follow:  func(l *links.Link) bool { return l.Host == "short.example" },
		Allowed: func(a netip.AddrPort) bool { return a.Addr().IsLoopback() },
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	})
	judge := expand.Judge{
		Reasons: []sluice.Reason{reason.URLListed},
		Run: func(_ context.Context, _ *check.Input, urls []string, where string) (out []sluice.Evidence) {
			for _, u := range urls {
				if strings.Contains(u, "evil.example") {
					out = append(out, check.Found(reason.URLListed, u+" ("+where+")"))
				}
			}
			return out
		},
	}
	checks := expand.Checks(expand.Config{Client: client, Judges: []expand.Judge{judge}, Links: 2})
	link := func(paths ...string) string {
		var b strings.Builder
		for _, p := range paths {
			b.WriteString(`<a href="` + short + p + `">here</a> `)
		}
		return checktest.Mail("List-Unsubscribe: <"+short+"/leave>\nContent-Type: text/html", b.String())
	}
	checktest.Table(t, checks, []checktest.Case{
		{"nothing", link(), ""},
		{"an evil place", link("/a"), "LINK_EXPANDED URL_LISTED"},
		{"a good place", link("/ok"), "LINK_EXPANDED"},
		{"inside", link("/in"), "LINK_EXPANDED LINK_LEADS_INSIDE"},
		{"ill", link("/ill"), "LINK_EXPANSION_UNKNOWN"},
		{"two at most", link("/ok", "/ok", "/ill", "/in"), "LINK_EXPANDED LINK_EXPANSION_UNKNOWN"},
		{"hidden", checktest.Mail("Content-Type: text/html", `<div style="display:none"><a href="`+short+`/a">x</a></div>`), ""},
	})
	before := asked.Load()
	checktest.Table(t, checks, []checktest.Case{
		{"leaves the list", link("/leave"), ""},
		{"somebody's own", link("/x?who=ann@example.net", "/unsubscribe"), ""},
		{"the recipient's name", checktest.Mail("To: annabel@example.net\nContent-Type: text/html", `<a href="`+short+`/annabel">x</a>`), ""},
		{"another host", checktest.Mail("Content-Type: text/html", `<a href="http://other.example/x">x</a>`), ""},
	})
	in := checktest.Input(link("/fresh"))
	in.Conn.Stored = true
	checktest.Run(t, checks, in)
	in.Conn.Stored, in.Conn.Auth = false, "ann"
	checktest.Run(t, checks, in)
	if n := asked.Load(); n != before {
		t.Errorf("%d links were asked that must not be", n-before)
	}
	if expand.Checks(expand.Config{}) != nil {
		t.Error("checks without a client")
	}
}
