package click

import (
	"bytes"
	"context"
	"errors"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/reason"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// door is the pages under test. What stands behind /c/ says what it is: "x/URL" leads to
// a URL, which is query-escaped.
type door struct {
	h      http.Handler
	log    bytes.Buffer
	now    time.Time
	judged []string
	events []Event
}

func open(t testing.TB, cfg Config, found ...Finding) *door {
	t.Helper()
	d := &door{now: noon}
	cfg.Clock = func() time.Time { return d.now }
	cfg.Log = slog.New(slog.NewTextHandler(&d.log, nil))
	cfg.Open = func(path string) (Link, error) {
		switch path {
		case "cut":
			return Link{}, ErrCut
		case "broken":
			return Link{}, errors.New("no keys in /secret")
		case "panic":
			panic("sealer gone")
		}
		u, ok := strings.CutPrefix(path, "x/")
		if !ok {
			return Link{}, ErrInvalid
		}
		u, err := url.QueryUnescape(u)
		return Link{URL: u, Ref: "7K3FQ2M9XW4T0021", Time: noon.Add(-time.Hour)}, err
	}
	cfg.Record = func(e Event) { d.events = append(d.events, e) }
	if cfg.Judges == nil {
		cfg.Judges = []Judge{func(_ context.Context, t Target) ([]Finding, error) {
			d.judged = append(d.judged, t.Address)
			return found, nil
		}}
	}
	var err error
	if d.h, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return d
}

const shop = "https://shop.example/a?b=1&c=2"

func to(u string) string { return "/c/x/" + url.PathEscape(url.QueryEscape(u)) }

func (d *door) ask(method, path, body string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w
}

func TestLook(t *testing.T) {
	d := open(t, Config{Node: "mx.acme.example", Postmaster: "postmaster@acme.example"})
	w := d.ask("GET", to("https://login.shop.co.uk/a?b=1&c=2"), "")
	body := html.UnescapeString(w.Body.String())
	for _, want := range []string{"You are leaving your mail", "login.<b>shop.co.uk</b>", "https://login.shop.co.uk/a?b=1&c=2", "know nothing against it", "<button>Go to login.shop.co.uk</button>",
		`method="post"`, "7K3FQ2M9XW4T0021", "2026-03-14", "mailto:postmaster@acme.example", "mx.acme.example", `<html lang="en">`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if w.Code != 200 || w.Header().Get("Location") != "" || strings.Contains(body, "http-equiv") || strings.Contains(body, "<script") || regexp.MustCompile(`href="[^"]*shop`).MatchString(body) {
		t.Errorf("%d %v: the page leads on by itself\n%s", w.Code, w.Header(), body)
	}
	for name, part := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Robots-Tag": "noindex", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "Cache-Control": "no-store"} {
		if !strings.Contains(w.Header().Get(name), part) {
			t.Errorf("%s: %q", name, w.Header().Get(name))
		}
	}
	if len(d.events) != 1 || d.events[0].Forward || d.events[0].Target.Org != "shop.co.uk" {
		t.Errorf("%+v", d.events)
	}
}

// TestScanners: what programs do with every link of a message changes and asks nothing.
func TestScanners(t *testing.T) {
	d := open(t, Config{}, Finding{Reason: reason.URLListed})
	if w := d.ask("HEAD", to(shop), ""); w.Code != 200 || w.Body.Len() > 0 || len(d.judged) > 0 || len(d.events) > 0 {
		t.Errorf("HEAD: %d, judged %v", w.Code, d.judged)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"} {
		if w := d.ask(method, to(shop), "go=1"); w.Code != 405 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	for _, query := range []string{"?go=1&sure=1&seen=URL_LISTED", "?url=https://evil.example/"} {
		w := d.ask("GET", to(shop)+query, "")
		if w.Code != 200 || w.Header().Get("Location") != "" || strings.Contains(w.Body.String(), "evil") {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
}

func TestFollow(t *testing.T) {
	listed := Finding{Reason: reason.URLListed}
	for _, c := range []struct {
		name  string
		body  string
		found []Finding
		extra []string
		want  string // where to; "" for nowhere
		says  string
	}{
		{"pressed", "go=1&seen=", nil, nil, shop, ""},
		{"not pressed", "", nil, nil, "", "Go to shop.example"},
		{"from another page", "go=1", nil, []string{"Sec-Fetch-Site", "cross-site"}, "", "Go to shop.example"},
		{"from a neighbour", "go=1", nil, []string{"Sec-Fetch-Site", "same-site"}, "", "Go to shop.example"},
		{"an old browser, from another page", "go=1", nil, []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, "", "Go to shop.example"},
		{"an old browser", "go=1", nil, []string{"Sec-Fetch-Site", "", "Origin", "http://example.com"}, shop, ""},
		{"a form of the message", "user=a&password=secret", nil, []string{"Sec-Fetch-Site", "cross-site"}, "", "has not been sent"},
		{"too much", "go=1&x=" + strings.Repeat("x", 1<<20), nil, nil, "", "has not been sent"},
		{"not a form", "go=1", nil, []string{"Content-Type", "text/plain"}, "", "has not been sent"},
		{"warned and sure", "go=1&seen=URL_LISTED&sure=1", []Finding{listed}, nil, shop, ""},
		{"warned, not sure", "go=1&seen=URL_LISTED", []Finding{listed}, nil, "", "Why we warn you"},
		{"found since", "go=1&seen=&sure=1", []Finding{listed}, nil, "", "Why we warn you"},
		{"more found since", "go=1&seen=URL_LISTED&sure=1", []Finding{listed, {Reason: reason.CampaignReported}}, nil, "", "have reported it"},
		{"stopped", "go=1&seen=URL_LISTED&sure=1", []Finding{{Reason: reason.URLListed, Stop: true}}, nil, "", "is blocked"},
	} {
		d := open(t, Config{}, c.found...)
		w := d.ask("POST", to(shop), c.body, c.extra...)
		if got := w.Header().Get("Location"); got != c.want || c.want != "" && w.Code != 303 || c.want == "" && w.Code != 200 {
			t.Errorf("%s: %d to %q, want %q", c.name, w.Code, got, c.want)
		}
		if body := w.Body.String(); !strings.Contains(body, c.says) || strings.Contains(body, "secret") {
			t.Errorf("%s: the page doesn't say %q:\n%s", c.name, c.says, body)
		}
		if c.want != "" && (w.Header().Get("Referrer-Policy") != "no-referrer" || len(d.events) != 1 || !d.events[0].Forward) {
			t.Errorf("%s: %v %+v", c.name, w.Header(), d.events)
		}
		if strings.Contains(d.log.String(), "secret") {
			t.Errorf("%s: logged", c.name)
		}
	}
}

func TestWarn(t *testing.T) {
	found := []Finding{{Reason: reason.LinkLooksLikeBrand, Like: "shop.org"}, {Reason: reason.CampaignReported}, {Reason: "NEVER_HEARD_OF"}, {Reason: reason.CampaignReported}, {}}
	d := open(t, Config{}, found...)
	body := html.UnescapeString(d.ask("GET", to(shop), "").Body.String())
	for _, want := range []string{"Be careful", "resembles that of shop.org", "have reported it", "is suspicious", `value="CAMPAIGN_REPORTED,LINK_LOOKS_LIKE_BRAND,NEVER_HEARD_OF"`, "required", "Go there all the same", "nothing has been opened"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	d = open(t, Config{}, Finding{Reason: reason.LinkMixedScript}, Finding{Reason: reason.URLListed, Stop: true})
	body = html.UnescapeString(d.ask("GET", to(shop), "").Body.String())
	for _, want := range []string{"is blocked", "known for fraud", "made to be taken for another"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<form") || strings.Contains(body, "<button") {
		t.Error("a way through")
	}
}

func TestOthers(t *testing.T) {
	d := open(t, Config{})
	for path, c := range map[string]struct {
		status int
		says   string
	}{
		"/c/wrong": {404, "isn't known here"}, "/c/": {404, "isn't known here"}, "/c/cut": {404, "is incomplete"}, "/c/broken": {404, "isn't known here"},
		"/c/panic": {500, "our side"}, "/c/" + strings.Repeat("A", 9000): {404, "isn't known here"},
		to("javascript:alert(1)"): {200, "leads nowhere"}, to("https://a b.example/"): {200, "leads nowhere"}, to("https:///"): {200, "leads nowhere"},
	} {
		for _, method := range []string{"GET", "POST"} {
			w := d.ask(method, path, "go=1&sure=1")
			if body := html.UnescapeString(w.Body.String()); w.Code != c.status || !strings.Contains(body, c.says) || w.Header().Get("Location") != "" || strings.Contains(body, "<button") {
				t.Errorf("%s %.40s: %d, want %d and %q in\n%s", method, path, w.Code, c.status, c.says, body)
			}
		}
	}
	if !strings.Contains(d.log.String(), "no keys") {
		t.Error("an opener's own trouble isn't logged")
	}
	d = open(t, Config{Lifetime: 30 * time.Minute})
	for _, method := range []string{"GET", "POST"} {
		w := d.ask(method, to(shop), "go=1")
		if body := html.UnescapeString(w.Body.String()); w.Code != 410 || !strings.Contains(body, "too old") || !strings.Contains(body, shop) || strings.Contains(body, "<button") || w.Header().Get("Location") != "" || len(d.judged) > 0 {
			t.Errorf("expired: %d\n%s", w.Code, body)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("made without an opener")
	}
}

// TestNotes: what a person should see about an address.
func TestNotes(t *testing.T) {
	d := open(t, Config{})
	for u, want := range map[string]string{
		"http://shop.example/":                     "isn't encrypted",
		"https://bank.example@evil.example/":       "no part of where it leads",
		"https://xn--mnchen-3ya.example/":          "in letters: münchen.example",
		"https://xn--pypal-4ve.example/":           "letters of another alphabet",
		"https://xn--80ak6aa92e.com/":              "letters of another alphabet", // all Cyrillic
		"https://xn--e1afmkfd.example/":            "in letters: пример.example",
		"HTTPS:\\\\Shop.example\\x":                "https://shop.example/x",
		"https://shop.example/\r\nSet-Cookie: a=b": "https://shop.example/Set-Cookie:%20a=b",
		"http://0x7f000001/":                       "127.0.0.1",
	} {
		if body := html.UnescapeString(d.ask("GET", to(u), "").Body.String()); !strings.Contains(body, want) {
			t.Errorf("%q: the page lacks %q", u, want)
		}
	}
	w := d.ask("POST", to("https://shop.example/\r\nSet-Cookie: a=b"), "go=1")
	if w.Header().Get("Location") != "https://shop.example/Set-Cookie:%20a=b" || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("%v", w.Header())
	}
}

func TestHostile(t *testing.T) {
	for _, a := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\x1b[31m\x00", "rtl \u202e \u200b", "\xff\xfe", strings.Repeat("A", 5000), "{host}{like}{date}"} {
		for _, u := range []string{a, "https://shop.example/" + a, "https://" + a + "/", "https://" + a + "@shop.example/"} {
			d := open(t, Config{Node: a}, Finding{Reason: reason.LinkLooksLikeBrand, Like: a})
			w := d.ask("GET", to(u), "")
			body := w.Body.String()
			if regexp.MustCompile(`(?i)<script|<img src=x|[\x00-\x08\x0b-\x1f\x7f]|\x{202e}|\x{200b}|href="javascript`).MatchString(body) || w.Code == 500 {
				t.Errorf("%.30q is alive:\n%s", u, body)
			}
		}
	}
}

// TestJudges: one that fails, panics or hangs doesn't hide what the others say, and is
// told to the person.
func TestJudges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := func(context.Context, Target) ([]Finding, error) { return nil, errors.New("no answer") }
		dead := func(context.Context, Target) ([]Finding, error) { panic("gone") }
		slow := func(ctx context.Context, _ Target) ([]Finding, error) { <-ctx.Done(); return nil, ctx.Err() }
		says := func(context.Context, Target) ([]Finding, error) { return []Finding{{Reason: reason.URLListed}}, nil }
		for _, j := range []Judge{bad, dead, slow} {
			for _, c := range []struct {
				judges []Judge
				want   string
			}{{[]Judge{j}, "Go to shop.example"}, {[]Judge{j, says}, "known for fraud"}} {
				d := open(t, Config{Judges: c.judges})
				body := d.ask("GET", to(shop), "").Body.String()
				if !strings.Contains(body, c.want) || !strings.Contains(body, "Not everything could be checked") || strings.Contains(body, "know nothing against") {
					t.Errorf("%s", body)
				}
			}
		}
		d := open(t, Config{Judges: []Judge{}})
		if body := d.ask("GET", to(shop), "").Body.String(); strings.Contains(body, "know nothing against") {
			t.Error("nobody was asked, and it says that nothing is known")
		}
		synctest.Wait()
	})
}

func TestLimits(t *testing.T) {
	d := open(t, Config{})
	for range 20 {
		if w := d.ask("GET", "/c/wrong", ""); w.Code != 404 {
			t.Fatalf("%d", w.Code)
		}
	}
	w := d.ask("GET", "/c/wrong", "")
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Too many requests") {
		t.Errorf("after 20 guesses: %d", w.Code)
	}
	if w := d.ask("GET", to(shop), ""); w.Code != 200 {
		t.Errorf("a real link after guesses: %d", w.Code)
	}
	for range 120 {
		w = d.ask("GET", to(shop), "")
	}
	if w.Code != 429 {
		t.Errorf("after 120 clicks: %d", w.Code)
	}
	if d.now = d.now.Add(time.Second); d.ask("GET", to(shop), "").Code != 200 {
		t.Error("a second later still limited")
	}
}

func TestLanguages(t *testing.T) {
	d := open(t, Config{})
	for accept, want := range map[string]string{
		"": "en", "de": "de", "de-AT,de;q=0.9,en;q=0.8": "de", "fr-CA": "fr", "es-419, en": "es", "ja": "en", "ja, fr;q=0.5": "fr", "*": "en", "xx;;;q=": "en",
		strings.Repeat("de,", 100): "de", strings.Repeat("x", 1000): "en", "\xff": "en", "en-GB,de": "en",
	} {
		w := d.ask("GET", to(shop), "", "Accept-Language", accept)
		if got := w.Header().Get("Content-Language"); got != want || !strings.Contains(w.Body.String(), `<html lang="`+want+`">`) {
			t.Errorf("%.40q: %s, want %s", accept, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	c, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.codes) != 4 {
		t.Errorf("languages %v", c.codes)
	}
	holes := regexp.MustCompile(`\{\w+\}`)
	check := func(code, name string, en, s any) {
		a, _ := en.(string)
		b, _ := s.(string)
		if b == "" || strings.ContainsAny(b, "<>\n") || strings.Join(holes.FindAllString(a, -1), "") != strings.Join(holes.FindAllString(b, -1), "") {
			t.Errorf("%s: %s: %q for %q", code, name, b, a)
		}
	}
	for code, s := range c.languages {
		if len(s) != len(c.languages["en"]) {
			t.Errorf("%s: %d sentences", code, len(s))
		}
		for name, en := range c.languages["en"] {
			kinds, ok := en.(map[string]any)
			if !ok {
				check(code, name, en, s[name])
				continue
			}
			for k, en := range kinds {
				check(code, k, en, s[name].(map[string]any)[k])
			}
		}
	}
	for r, k := range c.kinds {
		if _, ok := reason.Lookup(string(r)); !ok || c.languages["en"].kind(k, "x") == "" {
			t.Errorf("%s: %s", r, k)
		}
	}
}
