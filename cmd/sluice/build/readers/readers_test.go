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
