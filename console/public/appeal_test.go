package public

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/explain"
	"sluice/reason"
	"sluice/store/memory"
)

// post sends an appeal.
func (d *door) post(path, text string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	return d.postForm(path, url.Values{"text": {text}}, change...)
}

// postForm sends a form as a browser on the page does.
func (d *door) postForm(path string, form url.Values, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w
}

func TestAppeal(t *testing.T) {
	store := memory.New()
	d := open(t, Config{Appeals: store})
	if _, body, _ := d.get("/why/good"); !strings.Contains(body, `action="/why/good/appeal?lang=en"`) {
		t.Fatal("the page offers no appeal")
	}
	if list, _ := store.ListAppeals(t.Context(), sluice.AppealQuery{}); len(list) != 0 {
		t.Fatal("a GET appealed")
	}
	w := d.post("/why/good/appeal?lang=de", "  It was the test file.\r\nReally. \r\n")
	if w.Code != 303 || w.Header().Get("Location") != "/why/good?lang=de" {
		t.Fatalf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	a, err := store.Appeal(t.Context(), good().Ref)
	if err != nil {
		t.Fatal(err)
	}
	f := good()
	if a.Text != "It was the test file.\nReally." || a.State != sluice.AppealNew || !a.Time.Equal(noon) || a.Client != f.Client || a.Hello != f.Hello ||
		a.Phase != f.Phase || a.Threat != f.Threat || a.Code != 554 || len(a.Reasons) != 1 || a.Reasons[0] != reason.EICAR || a.Asker != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("%+v", a)
	}
	// Once: another text changes nothing, and the page offers no second try.
	if w := d.post("/why/good/appeal", "more"); w.Code != 303 {
		t.Errorf("again: %d", w.Code)
	}
	if b, _ := store.Appeal(t.Context(), f.Ref); b.Text != a.Text {
		t.Errorf("the second text replaced the first: %q", b.Text)
	}
	for state, key := range map[sluice.AppealState]string{sluice.AppealNew: "appeal_new", sluice.AppealGranted: "appeal_granted", sluice.AppealDeclined: "appeal_declined"} {
		if err := store.MarkAppeal(t.Context(), f.Ref, state, "anna", noon); err != nil {
			t.Fatal(err)
		}
		_, body, _ := d.get("/why/good?lang=fr")
		words, _ := load()
		if !strings.Contains(html.UnescapeString(body), words["fr"].Text[key]) || strings.Contains(body, "<form") || strings.Contains(body, "anna") || strings.Contains(body, a.Text) {
			t.Errorf("%s: the page says\n%s", state, body)
		}
	}
}

func TestAppealRefused(t *testing.T) {
	store := memory.New()
	temporary, login := good(), good()
	temporary.Code, temporary.Ref = 451, "TEMPORARY0000000"
	login.Code, login.Phase, login.Ref = 535, sluice.PhaseAuth, "LOGIN00000000000"
	d := open(t, Config{Appeals: store, Open: func(token string) (Facts, error) {
		switch token {
		case "good":
			return good(), nil
		case "temporary":
			return temporary, nil
		case "login":
			return login, nil
		case "old":
			return Facts{}, ErrExpired
		}
		return Facts{}, ErrInvalid
	}})
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	for _, tt := range []struct {
		path, text string
		status     int
		change     []func(*http.Request)
	}{
		{"/why/good/appeal", "", 400, nil},
		{"/why/good/appeal", " \r\n ", 400, nil},
		{"/why/good/appeal", strings.Repeat("ü", 1001), 400, nil},
		{"/why/good/appeal", strings.Repeat("x", 100_000), 400, nil},
		{"/why/good/appeal", "from elsewhere", 403, []func(*http.Request){foreign}},
		{"/why/temporary/appeal", "please", 404, nil},
		{"/why/login/appeal", "please", 404, nil},
		{"/why/wrong/appeal", "please", 404, nil},
		{"/why/old/appeal", "please", 410, nil},
		{"/why/good", "please", 404, nil},
	} {
		if w := d.post(tt.path, tt.text, tt.change...); w.Code != tt.status {
			t.Errorf("%s %.20q: %d, want %d", tt.path, tt.text, w.Code, tt.status)
		}
	}
	if list, _ := store.ListAppeals(t.Context(), sluice.AppealQuery{}); len(list) != 0 {
		t.Errorf("%d were taken", len(list))
	}
	if w := d.post("/why/good/appeal", strings.Repeat("ü", 1000)); w.Code != 303 {
		t.Errorf("1,000 characters: %d", w.Code)
	}
	bare := open(t, Config{})
	if w := bare.post("/why/good/appeal", "please"); w.Code != 404 {
		t.Errorf("where nobody reads appeals: %d", w.Code)
	}
	if _, body, _ := bare.get("/why/good"); strings.Contains(body, "<form") {
		t.Error("a form that nobody reads")
	}
}

// TestAppealRates: one address writes a few times, all together as much as can be read.
func TestAppealRates(t *testing.T) {
	n := 0
	d := open(t, Config{Appeals: memory.New(), Open: func(token string) (Facts, error) {
		f := good()
		f.Ref = token
		return f, nil
	}})
	try := func(addr string) int {
		n++
		return d.post("/why/T"+strings.Repeat("X", n)+"/appeal", "please", func(r *http.Request) { r.RemoteAddr = addr + ":1" }).Code
	}
	for i := range 4 {
		if got, want := try("198.51.100.1"), []int{303, 303, 303, 429}[i]; got != want {
			t.Errorf("try %d: %d, want %d", i+1, got, want)
		}
	}
	taken := 3
	for i := range 250 {
		if try(netip.AddrFrom4([4]byte{10, 0, byte(i), 1}).String()) == 303 {
			taken++
		}
	}
	if taken != 200 {
		t.Errorf("%d taken in a day, want 200", taken)
	}
	d.now = d.now.Add(24 * time.Hour)
	if got := try("198.51.100.1"); got != 303 {
		t.Errorf("a day later: %d", got)
	}
}

// broken is a queue whose disk is gone.
type broken struct{ sluice.Appeals }

var errDisk = errors.New("disk /secret is gone")

func (broken) Appeal(context.Context, string) (*sluice.Appeal, error)  { return nil, errDisk }
func (broken) PutAppeal(context.Context, *sluice.Appeal) (bool, error) { return false, errDisk }

func TestAppealTrouble(t *testing.T) {
	d := open(t, Config{Appeals: broken{}})
	if code, body, _ := d.get("/why/good"); code != 200 || strings.Contains(body, "secret") {
		t.Errorf("%d", code)
	}
	if w := d.post("/why/good/appeal", "please"); w.Code != 503 || strings.Contains(w.Body.String(), "secret") || !strings.Contains(w.Body.String(), "could not be stored") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	if !strings.Contains(d.log.String(), "is gone") {
		t.Error("the operator isn't told")
	}
}

// TestChecked: what authentication found comes from the record of this very event,
// without its details.
func TestChecked(t *testing.T) {
	rec := &sluice.Record{ID: good().Ref, Conn: sluice.Conn{Client: netip.AddrPortFrom(good().Client, 25)}, Verdict: sluice.Verdict{Ledger: []sluice.Contribution{
		{Evidence: sluice.Evidence{Reason: reason.DKIMNone, Detail: "secret detail"}},
		{Evidence: sluice.Evidence{Reason: reason.SPFFail, Detail: "secret detail"}},
		{Evidence: sluice.Evidence{Reason: reason.TextSpam, Detail: "secret words"}},
		{Evidence: sluice.Evidence{Reason: reason.DMARCNone, State: sluice.NotRun}},
	}}}
	d := open(t, Config{Record: func(_ context.Context, id string) (*sluice.Record, error) {
		if id != rec.ID {
			return nil, sluice.ErrNotFound
		}
		return rec, nil
	}})
	_, body, _ := d.get("/why/good")
	spf, dkim := strings.Index(body, "<code>SPF_FAIL"), strings.Index(body, "<code>DKIM_NONE")
	if spf < 0 || dkim < spf || strings.Contains(body, "secret") || strings.Contains(body, "TEXT_SPAM") || strings.Contains(body, "DMARC_NONE") {
		t.Errorf("the page says\n%s", body)
	}
	rec.Conn.Client = netip.MustParseAddrPort("198.51.100.1:25")
	if _, body, _ = d.get("/why/good"); strings.Contains(body, "SPF_FAIL") {
		t.Error("another client's results are shown")
	}
}

// TestLanguages: the page is in the language that the reader asks for; what isn't
// translated says that it is English.
func TestLanguages(t *testing.T) {
	f := good()
	f.Threat, f.Code, f.Reasons = sluice.ThreatSpam, 550, []sluice.Reason{reason.SPFFail, reason.ImageMap}
	d := open(t, Config{Open: func(string) (Facts, error) { return f, nil }})
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/why/x", nil)
	r.Header.Set("Accept-Language", "de-CH,de;q=0.8")
	d.h.ServeHTTP(w, r)
	body := html.UnescapeString(w.Body.String())
	spf, _ := reason.In("de", reason.SPFFail)
	for _, want := range []string{`<html lang="de">`, "Sieht aus wie Spam", "Ihre Nachricht wurde nicht angenommen", spf.Page, spf.Fix, "Ihr Server", "nachdem die Nachricht gelesen war", `href="/why/x?lang=fr"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if w.Header().Get("Content-Language") != "de" || w.Header().Get("Vary") != "Accept-Language" {
		t.Errorf("%v", w.Header())
	}
	if _, ok := reason.In("de", reason.ImageMap); !ok {
		e, _ := reason.Lookup(reason.ImageMap)
		if !strings.Contains(body, `<li lang="en">`) || !strings.Contains(body, e.Page) {
			t.Error("what isn't translated doesn't say that it is English")
		}
	}
}

// TestWords: every language has every word, and the same places for other words.
func TestWords(t *testing.T) {
	all, err := load()
	if err != nil {
		t.Fatal(err)
	}
	en := all["en"]
	for _, lang := range languages {
		w := all[lang]
		if names[lang] == "" {
			t.Errorf("%s has no name", lang)
		}
		for name, pair := range map[string][2]map[string]string{"text": {en.Text, w.Text}, "phase": {en.Phase, w.Phase}, "group": {en.Group, w.Group}, "class": {all["de"].Class, w.Class}, "fact": {all["de"].Fact, w.Fact}} {
			if lang == "en" && (name == "class" || name == "fact") {
				continue // they are the keys
			}
			for k := range pair[0] {
				if pair[1][k] == "" {
					t.Errorf("%s lacks %s.%s", lang, name, k)
				}
			}
			if len(pair[0]) != len(pair[1]) {
				t.Errorf("%s has %d of %s, want %d", lang, len(pair[1]), name, len(pair[0]))
			}
		}
	}
	for g := sluice.GroupSession; g < sluice.GroupPrior; g++ {
		if en.Group[g.String()] == "" {
			t.Errorf("no words for the group %v", g)
		}
	}
	for p := sluice.PhaseConnect; p <= sluice.PhaseMessage; p++ {
		if en.Phase[p.String()] == "" {
			t.Errorf("no words for the phase %v", p)
		}
	}
}

// TestClassesAreTranslated: every title that a reason can have is in every language.
func TestClassesAreTranslated(t *testing.T) {
	all, _ := load()
	for _, e := range reason.All() {
		for _, phase := range []sluice.Phase{sluice.PhaseRcpt, sluice.PhaseMessage} {
			f := good()
			f.Phase, f.Code, f.Reasons, f.Threat = phase, e.Code, []sluice.Reason{sluice.Reason(e.ID)}, sluice.ThreatNone
			title := titleOf(&f)
			for _, lang := range languages[1:] {
				if all[lang].Class[title] == "" {
					t.Errorf("%s: %q isn't in %s", e.ID, title, lang)
				}
			}
		}
	}
}

func titleOf(f *Facts) string {
	c := complete(*f)
	return explain.WhyPage(facts(&c, "")).Title
}
