package readers

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice"
	checklookalike "sluice/check/lookalike"
	checkurllist "sluice/check/urllist"
	"sluice/config"
	"sluice/deliver/rewrite"
	"sluice/engine/urllist"
	"sluice/judge/verdict"
	"sluice/learn/campaign"
	"sluice/learn/lookalike"
	"sluice/message"
	"sluice/reason"
)

const letter = "From: Shop <news@shop.example>\r\nTo: bob@acme.example\r\nSubject: sale\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>Look: <a href=\"https://bad.example/sale?x=1&amp;y=2\">the sale</a>, <a href=\"https://intra.acme.example/\">ours</a></p></body></html>\r\n"

func settings(t *testing.T, more string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("test.toml", []byte("hostname = \"mx.acme.example\"\npublic_url = \"https://mx.acme.example\"\n"+more+
		"\n[[domain]]\nnames = [\"acme.example\"]\n"), config.Flags{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func parse(s string) *message.Message { return message.Parse([]byte(s), message.DefaultLimits()) }

func suspicious() *sluice.Verdict {
	v := verdict.Weigh([]sluice.Evidence{{Reason: reason.FromLooksLikeUs, Group: sluice.GroupBrand, Raw: 6, State: sluice.Found}}, verdict.DefaultWeights())
	return &v
}

// TestWriters: what is written into a message for its reader comes off again when our
// user passes it on, and when he reports it.
func TestWriters(t *testing.T) {
	none, err := Annotator(settings(t, ""))
	if err != nil || none != nil {
		t.Fatalf("nothing is asked for: %v", err)
	}
	cfg := settings(t, "[banner]\non = true\n[protect]\non = true\n")
	annotate, err := Annotator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	in, env := &sluice.Conn{}, &sluice.Envelope{ID: "REF1", Received: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	written := rewrite.Apply([]byte(letter), annotate(in, env, parse(letter), suspicious()))
	text := parse(string(written)).View().Text
	if !strings.Contains(text, "Caution") || strings.Contains(string(written), "\"https://bad.example") || !strings.Contains(string(written), "https://mx.acme.example/c/bad.example/") {
		t.Fatalf("written:\n%s", written)
	}
	if !strings.Contains(string(written), "https://intra.acme.example/") {
		t.Error("our own link is rewritten")
	}
	out := &sluice.Conn{Auth: "bob@acme.example"}
	back := string(rewrite.Apply(written, annotate(out, env, parse(string(written)), suspicious())))
	if strings.Contains(back, "Caution") || strings.Contains(back, "/c/bad.example") || !strings.Contains(back, "https://bad.example/sale?x=1&amp;y=2") {
		t.Errorf("passed on:\n%s", back)
	}
	restore, err := Restorer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if back := string(rewrite.Apply(written, restore(parse(string(written))))); strings.Contains(back, "/c/bad.example") {
		t.Errorf("reported:\n%s", back)
	}
}

// TestClicks: the page behind a link asks the lists of the moment, and forwards nobody
// to what is listed.
func TestClicks(t *testing.T) {
	cfg := settings(t, "[protect]\non = true\n")
	list := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(list, []byte("listed.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := urllist.New(urllist.Config{Files: []urllist.File{{Path: list, Name: "ours", Kind: urllist.Bad}}})
	if err != nil {
		t.Fatal(err)
	}
	annotate, err := Annotator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Clicks(cfg, nil, Known{Lists: checkurllist.Config{Files: files}, Alike: checklookalike.Config{Index: lookalike.New(lookalike.Config{})}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sealed := regexp.MustCompile(`https://mx\.acme\.example(/c/[^"]+)"`)
	link := func(host string) string {
		m := strings.ReplaceAll(letter, "bad.example", host)
		b := rewrite.Apply([]byte(m), annotate(&sluice.Conn{}, &sluice.Envelope{ID: "REF1", Received: time.Now()}, parse(m), &sluice.Verdict{}))
		found := sealed.FindSubmatch(b)
		if found == nil {
			t.Fatalf("no link in\n%s", b)
		}
		return string(found[1])
	}
	get := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://mx.acme.example"+path, nil))
		b, _ := io.ReadAll(w.Result().Body)
		if w.Code >= 300 && w.Code < 400 {
			t.Errorf("a look forwards: %d", w.Code)
		}
		return string(b)
	}
	if page := get(link("listed.example")); strings.Contains(page, "<button") {
		t.Errorf("a listed place has a button:\n%s", page)
	}
	if page := get(link("honest.example")); !strings.Contains(page, "<button") || !strings.Contains(page, "honest.example") {
		t.Errorf("an honest one has none:\n%s", page)
	}
}

// TestBannerLanguage: words are in the language of those who read them; a copy that
// several read in different ones is in the site's.
func TestBannerLanguage(t *testing.T) {
	cfg := settings(t, "[banner]\non = true\nlanguages = { \"Ann@acme.example\" = \"fr\" }\n")
	cfg.Domains[0].Language = "de"
	annotate, err := Annotator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ to, want string }{
		{"bob@acme.example", "Vorsicht"},
		{"ANN@acme.example", "Attention"},
		{"eve@other.example", "Caution"},
		{"bob@acme.example ann@acme.example", "Caution"},
		{"bob@acme.example tim@ACME.example", "Vorsicht"},
	} {
		env := &sluice.Envelope{ID: "REF1", Received: time.Now()}
		for _, a := range strings.Fields(tc.to) {
			env.Rcpts = append(env.Rcpts, sluice.Recipient{Address: a})
		}
		b := rewrite.Apply([]byte(letter), annotate(&sluice.Conn{}, env, parse(letter), suspicious()))
		if text := parse(string(b)).View().Text; !strings.Contains(text, tc.want) {
			t.Errorf("to %s: want %s in\n%s", tc.to, tc.want, text)
		}
	}
	cfg.Domains[0].Language = "tlh"
	if _, err := Annotator(cfg); err == nil || !strings.Contains(err.Error(), "tlh") {
		t.Errorf("a language without words: %v", err)
	}
}

// TestReportedSince: the page behind a link says that the message was reported after its
// delivery, and only of that message's campaign.
func TestReportedSince(t *testing.T) {
	cfg := settings(t, "[protect]\non = true\n")
	annotate, err := Annotator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	memory := campaign.New(campaign.Config{Key: 1, Fingerprints: 10_000})
	sent := NewDelivered(memory)
	h, err := Clicks(cfg, nil, Known{Alike: checklookalike.Config{Index: lookalike.New(lookalike.Config{})}, Sent: sent}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Replace(letter, "<p>Look:", "<p>Our autumn sale of kettles, lamps and chairs ends on Sunday at noon. "+
		"Everything that is marked red costs half of what it cost in June, and we send it to your door for nothing. Look:", 1)
	link := func(id, text string) string {
		m := parse(text)
		sent.Sent(id, memory.Print(m), campaign.Sighting{Time: time.Now()})
		b := rewrite.Apply([]byte(text), annotate(&sluice.Conn{}, &sluice.Envelope{ID: id, Received: time.Now()}, m, &sluice.Verdict{}))
		found := regexp.MustCompile(`https://mx\.acme\.example(/c/[^"]+)"`).FindSubmatch(b)
		if found == nil {
			t.Fatalf("no link in\n%s", b)
		}
		return string(found[1])
	}
	page := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Body.String()
	}
	bad := link("REF1", long)
	good := link("REF2", strings.Replace(long, "Our autumn sale of kettles, lamps and chairs ends on Sunday at noon. Everything that is marked red costs half of what it cost in June, and we send it to your door for nothing.",
		"The minutes of the meeting on Tuesday are on the server now; tell Ann by Friday whether item four says what we agreed on about the roof of the shed.", 1))
	const words = "have reported it"
	if p := page(bad); strings.Contains(p, words) {
		t.Fatalf("nobody has reported it yet:\n%s", p)
	}
	if !memory.Label(memory.Print(parse(long)), campaign.Label{Time: time.Now(), Bad: true, Trust: 1, By: "admin", Threat: sluice.ThreatPhish}) {
		t.Fatal("the label does nothing")
	}
	if p := page(bad); !strings.Contains(p, words) {
		t.Errorf("reported since, and the page doesn't say so:\n%s", p)
	}
	if p := page(good); strings.Contains(p, words) {
		t.Errorf("another message is taken for the reported one:\n%s", p)
	}
}
