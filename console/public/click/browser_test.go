package click_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/console/public"
	"sluice/console/public/click"
	"sluice/deliver/protect"
	"sluice/internal/browsertest"
	"sluice/reason"
)

// elsewhere is a site that links lead to.
type elsewhere struct {
	mu   sync.Mutex
	seen []string // method, path and referrer of requests
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/favicon.ico" {
		e.mu.Lock()
		e.seen = append(e.seen, r.Method+" "+r.URL.String()+r.Referer())
		e.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/html")
	if to := r.URL.Query().Get("to"); to != "" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	if form := r.URL.Query().Get("form"); form != "" {
		fmt.Fprintf(w, `<form method="post" action="%s"><input name="go" value="1"><input name="sure" value="1"><button>x</button></form>`, form)
		return
	}
	fmt.Fprint(w, "<title>There</title>")
}

func (e *elsewhere) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.seen
	e.seen = nil
	return out
}

// TestBrowser follows links as a person does, in a real browser.
func TestBrowser(t *testing.T) {
	b := browsertest.Start(t)
	far := &elsewhere{}
	there := httptest.NewServer(far)
	defer there.Close()
	sealer, err := protect.NewSealer([][]byte{bytes.Repeat([]byte{7}, protect.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	judge := func(_ context.Context, target click.Target) ([]click.Finding, error) {
		switch {
		case strings.Contains(target.Address, "warn"):
			return []click.Finding{{Reason: reason.LinkLooksLikeBrand, Like: "paypal.com"}, {Reason: reason.CampaignReported}}, nil
		case strings.Contains(target.Address, "stop"):
			return []click.Finding{{Reason: reason.URLListed, Stop: true}}, nil
		}
		return nil, nil
	}
	h, err := click.New(click.Config{Judges: []click.Judge{judge}, Postmaster: "postmaster@acme.example", Node: "mx.acme.example", Clock: func() time.Time { return now },
		Open: func(path string) (click.Link, error) {
			l, err := sealer.Open(path)
			if err != nil {
				return click.Link{}, click.ErrInvalid
			}
			return click.Link{URL: l.URL, Ref: l.Ref, Time: l.Time}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := public.New(public.Config{Click: h, Open: func(string) (public.Facts, error) { return public.Facts{}, public.ErrInvalid }})
	if err != nil {
		t.Fatal(err)
	}
	ours := httptest.NewServer(pages)
	defer ours.Close()
	link := func(u string) string {
		return ours.URL + "/c/" + sealer.Seal(protect.Link{URL: u, Ref: "7K3FQ2M9XW4T0021", Time: now.Add(-time.Hour)})
	}
	_, port, _ := net.SplitHostPort(there.Listener.Addr().String())
	other := "http://localhost:" + port

	t.Run("look and go", func(t *testing.T) {
		b.T = t
		b.Open(link(there.URL + "/a?b=1&c=2"))
		if s := far.take(); len(s) > 0 {
			t.Fatalf("looking asked for %v", s)
		}
		b.Press()
		if u := b.Eval("location.href"); u != there.URL+"/a?b=1&c=2" {
			t.Errorf("at %v", u)
		}
		if s := far.take(); len(s) != 1 || s[0] != "GET /a?b=1&c=2" {
			t.Errorf("asked for %v", s)
		}
	})
	t.Run("where the site redirects on", func(t *testing.T) {
		b.T = t
		b.Open(link(there.URL + "/?to=" + other + "/b"))
		b.Press()
		if u := b.Eval("location.href"); u != other+"/b" {
			t.Errorf("at %v", u)
		}
		far.take()
	})
	t.Run("warned", func(t *testing.T) {
		b.T = t
		b.Open(link(there.URL + "/warn"))
		b.Eval("document.querySelector('button').click()")
		if ok := b.Eval("document.querySelector('form').checkValidity()"); ok != false {
			t.Error("it goes on without the tick")
		}
		if s := far.take(); len(s) > 0 {
			t.Fatalf("asked for %v", s)
		}
		b.Eval("document.querySelector('input[name=sure]').click()")
		b.Press()
		if u := b.Eval("location.href"); u != there.URL+"/warn" {
			t.Errorf("at %v", u)
		}
		far.take()
	})
	t.Run("sent by another page", func(t *testing.T) {
		b.T = t
		b.Open(other + "/?form=" + link(there.URL+"/victim"))
		b.Press()
		for _, s := range far.take() {
			if strings.Contains(s, "/victim") {
				t.Errorf("another page sent the browser to %s", s)
			}
		}
		if u, _ := b.Eval("location.href").(string); !strings.HasPrefix(u, ours.URL+"/c/") {
			t.Errorf("at %v", u)
		}
	})
	t.Run("layout", func(t *testing.T) {
		b.T = t
		long := "https://secure-login.accounts.paypal.com.account-verification.evil-example.co.uk/" + strings.Repeat("path/", 30) + "?id=" + strings.Repeat("0123456789abcdef", 40)
		for name, u := range map[string]string{
			"look": link("https://www.shop.example/offers?id=17&u=3"), "warn": link("https://xn--pypal-4ve.example/warn"), "stop": link("http://bank.example@evil.example/stop"),
			"expired": ours.URL + "/c/" + sealer.Seal(protect.Link{URL: "https://www.shop.example/offers", Ref: "7K3FQ2M9XW4T0021", Time: now.AddDate(-2, 0, 0)}),
			"invalid": ours.URL + "/c/shop.example/AAAA", "long": link(long),
		} {
			for _, lang := range []string{"en", "de"} {
				b.Language(lang)
				for _, width := range []int{1200, 390, 320} {
					scheme := "light"
					if lang == "de" {
						scheme = "dark"
					}
					b.Size(width, 820, width < 800, scheme)
					b.Open(u)
					if wide, _ := b.Eval("document.documentElement.scrollWidth").(float64); int(wide) > width {
						t.Errorf("%s, %s: %v wide at %d", name, lang, wide, width)
					}
					if n := b.Eval("document.fonts.size + document.scripts.length"); n != float64(0) {
						t.Errorf("%s: scripts or fonts: %v", name, n)
					}
					if bg := b.Eval("getComputedStyle(document.querySelector('main')).borderTopWidth"); bg == "" {
						t.Errorf("%s: no style", name)
					}
					b.Picture(fmt.Sprintf("%s-%s-%d", name, lang, width))
				}
			}
		}
	})
}

// TestMounted: the public pages hand /c/ on, with limits of its own, and nothing else.
func TestMounted(t *testing.T) {
	h, err := click.New(click.Config{Open: func(string) (click.Link, error) {
		return click.Link{URL: "https://shop.example/", Time: time.Now()}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	facts := func(string) (public.Facts, error) { return public.Facts{}, public.ErrInvalid }
	for _, c := range []struct {
		click http.Handler
		path  string
		want  int
	}{{h, "/c/shop.example/x", 200}, {nil, "/c/shop.example/x", 404}, {h, "/why/x", 404}, {h, "/assets/public.css", 200}, {h, "/", 200}} {
		pages, err := public.New(public.Config{Click: c.click, Open: facts})
		if err != nil {
			t.Fatal(err)
		}
		for range 40 { // more than strangers may ask of the other pages
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
			if w.Code != c.want && (c.path == "/c/shop.example/x" && c.click != nil || w.Code != 429) {
				t.Errorf("%s: %d, want %d", c.path, w.Code, c.want)
			}
		}
	}
}
