package portal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/console/public"
	"sluice/console/public/portal"
	"sluice/internal/browsertest"
	"sluice/store/memory"
	"sluice/subscriber"
	"sluice/subscriber/cases"
	"sluice/subscriber/notice/ticket"
	"sluice/subscriber/notice/words"
)

var now = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// world is a site whose pages stand over a real warden.
type world struct {
	t       *testing.T
	store   *memory.Store
	warden  *subscriber.Warden
	tickets *ticket.Sealer
	pages   http.Handler

	mu       sync.Mutex
	changed  bool
	receipts []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: memory.New()}
	var err error
	if w.warden, err = subscriber.New(subscriber.Config{Key: bytes.Repeat([]byte{9}, 32), Cases: w.store, ID: rand.Text}); err != nil {
		t.Fatal(err)
	}
	if w.tickets, err = ticket.New(ticket.Config{Keys: [][]byte{bytes.Repeat([]byte{1}, 32)}, Rand: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	ws, err := words.New("", "")
	if err != nil {
		t.Fatal(err)
	}
	taken := func(name, status string) error {
		if status != "delivered" {
			return errors.New("no such status")
		}
		w.receipts = append(w.receipts, name)
		return nil
	}
	self, err := portal.New(portal.Config{Tickets: w.tickets, Words: ws, Case: w.warden.Case, Proof: w.warden.Proof, Confirm: w.warden.Confirm,
		Changed: func(context.Context, string, time.Time) (bool, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.changed, nil
		},
		Receipt: func(_ context.Context, now time.Time, token, status, _ string) error {
			tk, err := w.tickets.Open(token, now)
			if err != nil {
				return err
			}
			return taken(tk.Case+"."+tk.Try, status)
		},
		ReceiptOf: func(_ context.Context, _ time.Time, name, status, _ string) error { return taken(name, status) },
		Token:     func() (string, error) { return "s3cret", nil },
		Help:      "help@a.example", Node: "mx.a.example", Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if w.pages, err = public.New(public.Config{Self: self, Open: func(string) (public.Facts, error) { return public.Facts{}, public.ErrInvalid }}); err != nil {
		t.Fatal(err)
	}
	return w
}

// hold holds a subject's mail and journals a notice.
func (w *world) hold(account string, kind sluice.CaseKind) *sluice.Case {
	w.t.Helper()
	ctx := w.t.Context()
	c := cases.New(rand.Text(), "", "account:"+account, cases.Event{Time: now.Add(-3 * time.Hour), Kind: kind})
	for _, e := range []cases.Event{
		{What: cases.Seen, Time: now.Add(-2 * time.Hour), Own: true, Points: 20, Signal: sluice.CaseSignal{Kind: "SPAM_MAIL", Count: 14, Detail: "to victim@far.example <script>"}},
		{What: cases.Seen, Time: now.Add(-2 * time.Hour), Own: true, Points: 20, Signal: sluice.CaseSignal{Kind: "RATE_JUMP"}},
		{What: cases.Held, Time: now.Add(-time.Hour), Restrict: sluice.RestrictHold},
		{What: cases.Noticed, Time: now.Add(-time.Hour), Level: sluice.ProofTried, Notice: sluice.CaseNotice{ID: "sms-1", Channel: "sms", Address: "+49301234567"}},
	} {
		if err := cases.Apply(c, e, cases.Rules{}); err != nil {
			w.t.Fatal(err)
		}
	}
	c.Kept = 17
	if err := w.store.PutCase(ctx, c); err != nil {
		w.t.Fatal(err)
	}
	if err := w.warden.Load(ctx, now); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) link(c *sluice.Case, use ticket.Use) string {
	w.t.Helper()
	s, err := w.tickets.Seal(ticket.Ticket{Use: use, Case: c.ID, Try: "sms-1", Round: c.Held, Issued: now})
	if err != nil {
		w.t.Fatal(err)
	}
	return portal.Path + s
}

// ask makes a request, and says status and page.
func (w *world) ask(method, path, form string, header ...string) (int, string) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.pages.ServeHTTP(rec, r)
	b, err := io.ReadAll(rec.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return rec.Code, string(b)
}

func (w *world) at(c *sluice.Case) *sluice.Case {
	w.t.Helper()
	got, err := w.warden.Case(w.t.Context(), c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

const all = "act=release&step=0&step=1&step=2&step=3"

// TestRelease: looking releases nothing, nor does a form with a step left out or from
// another site; the whole form does, once.
func TestRelease(t *testing.T) {
	w := newWorld(t)
	c := w.hold("bob@a.example", sluice.CaseInfected)
	link := w.link(c, ticket.MailedLink)
	for range 3 {
		code, body := w.ask("GET", link, "")
		if code != 200 || !strings.Contains(body, "unwanted advertising was sent") || !strings.Contains(body, "14 times") || !strings.Contains(body, "wait: 17") ||
			strings.Contains(body, "victim@") || strings.Contains(body, "+4930") || strings.Contains(body, "bob@") {
			t.Fatalf("%d %s", code, body)
		}
	}
	w.ask("HEAD", link, "")
	for _, lang := range words.Languages()[1:] {
		if _, body := w.ask("GET", link, "", "Accept-Language", lang); !strings.Contains(body, `lang="`+lang+`"`) || strings.Contains(body, "What we saw") || strings.Contains(body, "{") {
			t.Errorf("%s: %s", lang, body)
		}
	}
	opened := w.at(c)
	if opened.State != sluice.CaseHeld || opened.Notices[0].Opened.IsZero() || !opened.Told.IsZero() {
		t.Fatalf("looked at: %+v", opened)
	}
	for _, form := range []string{"act=release", "act=release&step=0&step=1&step=3", "act=other&step=0&step=1&step=2&step=3", ""} {
		if code, _ := w.ask("POST", link, form); code != 200 {
			t.Errorf("%q: %d", form, code)
		}
	}
	w.ask("POST", link, all, "Sec-Fetch-Site", "cross-site")
	w.ask("POST", link, all, "Origin", "https://evil.example")
	if s := w.at(c); s.State != sluice.CaseHeld || s.Version != opened.Version {
		t.Fatalf("released: %+v", s)
	}
	if _, body := w.ask("POST", link, "act=read"); !strings.Contains(body, "We know now") {
		t.Error(body)
	}
	if s := w.at(c); s.State != sluice.CaseNotified || s.Notices[0].Acknowledged.IsZero() {
		t.Fatalf("read: %+v", s)
	}
	for range 2 {
		if _, body := w.ask("POST", link, all, "Sec-Fetch-Site", "same-origin"); !strings.Contains(body, "flows again") {
			t.Fatal(body)
		}
	}
	if s := w.at(c); s.State != sluice.CaseWatched || s.SelfReleases != 1 || s.Restrict != sluice.RestrictNone {
		t.Fatalf("%+v", s)
	}

	// Abuse is seen again: the old link is void, and a new one releases nothing.
	if _, err := w.warden.Hold(t.Context(), now.Add(time.Minute), &subscriber.Subject{Key: c.Subject}, "", "admin", ""); err != nil {
		t.Fatal(err)
	}
	if _, body := w.ask("POST", link, all); !strings.Contains(body, "too old") {
		t.Error(body)
	}
	if _, body := w.ask("POST", w.link(w.at(c), ticket.Second), all); !strings.Contains(body, "Our staff has to help") {
		t.Error(body)
	}
	if s := w.at(c); s.State != sluice.CaseHeld {
		t.Fatalf("%+v", s)
	}
	if _, err := w.warden.Close(t.Context(), now.Add(time.Hour), c.ID, "admin", ""); err != nil {
		t.Fatal(err)
	}
	if _, body := w.ask("GET", link, ""); !strings.Contains(body, "This is over") {
		t.Error(body)
	}
}

// TestStolen: a mailed link shows nothing of a stolen account and isn't its owner's word;
// a second contact's releases, and so does a mailed one once the password is another.
func TestStolen(t *testing.T) {
	w := newWorld(t)
	c := w.hold("bob@a.example", sluice.CaseStolen)
	for _, use := range []ticket.Use{ticket.MailedLink, ticket.Captive} {
		for _, form := range []string{"act=read", all} {
			if _, body := w.ask("POST", w.link(c, use), form); !strings.Contains(body, "isn&#39;t enough") || strings.Contains(body, "advertising") {
				t.Error(body)
			}
		}
	}
	if s := w.at(c); s.State != sluice.CaseHeld || !s.Notices[0].Acknowledged.IsZero() {
		t.Fatalf("%+v", s)
	}
	w.ask("POST", w.link(c, ticket.Second), all)
	if s := w.at(c); s.State != sluice.CaseWatched {
		t.Errorf("%+v", s)
	}
	c = w.hold("ann@a.example", sluice.CaseStolen)
	w.changed = true
	w.ask("POST", w.link(c, ticket.MailedLink), all)
	if s := w.at(c); s.State != sluice.CaseWatched || !strings.Contains(s.Steps[len(s.Steps)-2].Note, string(cases.Credential)) {
		t.Errorf("%+v", s.Steps)
	}
}

// TestInvalid: what isn't a page's ticket opens none, and guessing is slowed down.
func TestInvalid(t *testing.T) {
	w := newWorld(t)
	c := w.hold("bob@a.example", sluice.CaseInfected)
	old, _ := w.tickets.Seal(ticket.Ticket{Use: ticket.Second, Case: c.ID, Round: c.Held, Issued: now.Add(-20 * 24 * time.Hour)})
	gone, _ := w.tickets.Seal(ticket.Ticket{Use: ticket.Second, Case: "C0", Round: c.Held, Issued: now})
	for path, want := range map[string]int{portal.Path + old: 410, portal.Path + gone: 200, w.link(c, ticket.Receipt): 404, portal.Path + "x": 404, portal.Path: 404, portal.Path + "a/b": 404, "/self": 404} {
		for _, form := range []string{"", all} {
			method := "GET"
			if form != "" {
				method = "POST"
			}
			if code, _ := w.ask(method, path, form); code != want && !(path == "/self" && code == 307) {
				t.Errorf("%s %s: %d, want %d", method, path, code, want)
			}
		}
	}
	code := 0
	for range 40 {
		code, _ = w.ask("GET", portal.Path+"guess", "")
	}
	if code != 429 {
		t.Errorf("guessing: %d", code)
	}
	if s := w.at(c); s.State != sluice.CaseHeld {
		t.Errorf("%+v", s)
	}
}

// TestReceipts: services are heard by their ticket, or by token and name.
func TestReceipts(t *testing.T) {
	w := newWorld(t)
	c := w.hold("bob@a.example", sluice.CaseInfected)
	token := strings.TrimPrefix(w.link(c, ticket.Receipt), portal.Path)
	for _, tc := range []struct {
		path, body, kind, auth string
		want                   int
	}{
		{portal.Receipts + token, "status=delivered", "", "", 204},
		{portal.Receipts + token, `{"status":"delivered","more":1}`, "application/json", "", 204},
		{portal.Receipts + token, "", "", "", 400},
		{portal.Receipts + token, "status=sold", "", "", 400},
		{portal.Receipts + token + "A", "status=delivered", "", "", 404},
		{portal.Path + "delivered", "id=C1.sms-1&status=delivered", "", "Bearer s3cret", 204},
		{portal.Path + "delivered", "id=C1.sms-1&status=delivered", "", "Bearer other", 401},
		{portal.Path + "delivered", "id=C1.sms-1&status=delivered", "", "", 401},
		{portal.Path + "delivered", "status=delivered", "", "Bearer s3cret", 400},
		{portal.Path + "delivered", "{", "application/json", "Bearer s3cret", 400},
	} {
		kind := tc.kind
		if kind == "" {
			kind = "application/x-www-form-urlencoded"
		}
		header := []string{"Content-Type", kind}
		if tc.auth != "" {
			header = append(header, "Authorization", tc.auth)
		}
		if code, body := w.ask("POST", tc.path, tc.body, header...); code != tc.want {
			t.Errorf("%s %q: %d %s, want %d", tc.path, tc.body, code, body, tc.want)
		}
	}
	if len(w.receipts) != 3 {
		t.Errorf("taken: %v", w.receipts)
	}
	if code, _ := w.ask("GET", portal.Receipts+token, ""); code != 404 {
		t.Errorf("looked at: %d", code)
	}
}

// TestBrowser: the page works and fits in a real browser, on desk and telephone.
func TestBrowser(t *testing.T) {
	b := browsertest.Start(t)
	w := newWorld(t)
	srv := httptest.NewServer(w.pages)
	defer srv.Close()
	bob, ann := w.hold("bob@a.example", sluice.CaseInfected), w.hold("ann@a.example", sluice.CaseStolen)
	for name, u := range map[string]string{"infected": w.link(bob, ticket.MailedLink), "stolen": w.link(ann, ticket.Second), "second": w.link(ann, ticket.MailedLink)} {
		for _, lang := range words.Languages() {
			b.Language(lang)
			for _, width := range []int{1200, 390, 320} {
				scheme := "light"
				if lang == "de" {
					scheme = "dark"
				}
				b.Size(width, 1400, width < 800, scheme)
				b.Open(srv.URL + u)
				if wide, _ := b.Eval("document.documentElement.scrollWidth").(float64); int(wide) > width {
					t.Errorf("%s, %s: %v wide at %d", name, lang, wide, width)
				}
				if n := b.Eval("document.fonts.size + document.scripts.length"); n != float64(0) {
					t.Errorf("%s: scripts or fonts: %v", name, n)
				}
				if lang == "en" || lang == "de" {
					b.Picture("self-" + name + "-" + lang + "-" + map[int]string{1200: "desk", 390: "phone", 320: "small"}[width])
				}
			}
		}
	}
	b.Language("en")
	b.Open(srv.URL + w.link(bob, ticket.MailedLink))
	b.Eval("document.querySelector('button').click()")
	if ok := b.Eval("document.querySelector('form').checkValidity()"); ok != false || w.at(bob).State != sluice.CaseHeld {
		t.Fatal("it goes on without the steps")
	}
	b.Eval("document.querySelectorAll('input[type=checkbox]').forEach(i => i.click())")
	b.Press()
	if title := b.Eval("document.title"); title != "Your e-mail flows again" || w.at(bob).State != sluice.CaseWatched {
		t.Errorf("%v: %+v", title, w.at(bob))
	}
	b.Picture("self-released")
}
