package notice

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/bounce"
	"sluice/store/memory"
	"sluice/subscriber"
	"sluice/subscriber/cases"
	"sluice/subscriber/notice/ticket"
	"sluice/subscriber/notice/words"
)

var start = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// world is a site with a clock of its own.
type world struct {
	t      *testing.T
	now    time.Time
	store  *flaky
	warden *subscriber.Warden
	roll   roll
	box    *box
	n      *Notifier
	cfg    Config
	ids    int
}

// flaky is a store that can be made to fail.
type flaky struct {
	*memory.Store
	fail bool
}

func (f *flaky) PutCase(ctx context.Context, c *sluice.Case) error {
	if f.fail {
		return errors.New("no disk")
	}
	return f.Store.PutCase(ctx, c)
}

// roll is a directory.
type roll map[string]subscriber.Subject

func (r roll) Find(_ context.Context, t subscriber.Trace) (subscriber.Subject, bool, error) {
	s, ok := r["account:"+t.Account]
	return s, ok, nil
}

func (r roll) Subject(_ context.Context, key string) (subscriber.Subject, bool, error) {
	if key == "account:trouble@a.example" {
		return subscriber.Subject{}, false, errors.New("away")
	}
	s, ok := r[key]
	return s, ok, nil
}

// box is an outbox that keeps what it is given.
type box struct {
	mu   sync.Mutex
	list []*sluice.Delivery
	err  error
}

func (b *box) Put(_ context.Context, d *sluice.Delivery) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.list = append(b.list, d)
	}
	return b.err
}

func (b *box) take() []*sluice.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.list
	b.list = nil
	return l
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, now: start, store: &flaky{Store: memory.New()}, roll: roll{}, box: &box{}}
	ws, err := words.New("", "")
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := ticket.New(ticket.Config{Keys: [][]byte{bytes.Repeat([]byte{1}, 32)}, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = Config{Directory: w.roll, Words: ws, Tickets: tickets, Page: "https://mx.a.example/self/", Site: "A Example", Help: "help@a.example", Clock: func() time.Time { return w.now },
		Mail: &Mail{Outbox: w.box, From: "postmaster@a.example", Hostname: "mx.a.example", Bounces: "a.example", Key: bytes.Repeat([]byte{5}, 32),
			Final: func(addr string) bool { return strings.HasSuffix(addr, "@a.example") }}}
	if change != nil {
		change(&w.cfg)
	}
	w.restart()
	return w
}

// restart is a kill: all but the store is forgotten.
func (w *world) restart() {
	w.t.Helper()
	var err error
	if w.warden, err = subscriber.New(subscriber.Config{Key: bytes.Repeat([]byte{9}, 32), Cases: w.store, ID: func() string { w.ids++; return fmt.Sprintf("C%012d", w.ids) }, Directory: w.roll,
		Changed: func(c *sluice.Case, what cases.What) { w.n.Changed(c, what) }}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.warden.Load(w.t.Context(), w.now); err != nil {
		w.t.Fatal(err)
	}
	w.cfg.Warden = w.warden
	if w.n, err = New(w.cfg); err != nil {
		w.t.Fatal(err)
	}
}

// hold holds a subject's mail.
func (w *world) hold(account string, contacts ...subscriber.Contact) string {
	w.t.Helper()
	s := subscriber.Subject{Key: "account:" + account, Account: account, Contacts: contacts}
	if contacts != nil {
		w.roll[s.Key] = s
	}
	c, err := w.warden.Hold(w.t.Context(), w.now, &s, "", "admin", "")
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID
}

// stolen makes a case one of a stolen account.
func (w *world) stolen(id string) {
	w.t.Helper()
	c, err := w.store.Case(w.t.Context(), id)
	if err == nil {
		c.Kind = sluice.CaseStolen
		err = w.store.PutCase(w.t.Context(), c)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.restart()
}

func (w *world) step(d time.Duration) {
	w.now = w.now.Add(d)
	w.n.Step(w.t.Context(), w.now)
}

func (w *world) at(id string) *sluice.Case {
	w.t.Helper()
	c, err := w.warden.Case(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// deliver has the next hop answer what waits in the outbox.
func (w *world) deliver(r sluice.Reply) int {
	w.t.Helper()
	list := w.box.take()
	out := w.n.Route(func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
		o := sluice.Outcome{Recipient: d.Envelope.Rcpts[0].Address, Reply: r}
		if r.Code/100 != 2 {
			o.Err = errors.New("refused")
		}
		return []sluice.Outcome{o}
	}, nil, nil)
	for _, d := range list {
		out(w.t.Context(), d)
	}
	return len(list)
}

var (
	own   = subscriber.Contact{Channel: ByMail, Address: "bob@a.example", Same: true}
	other = subscriber.Contact{Channel: ByMail, Address: "bob@far.example"}
	phone = subscriber.Contact{Channel: BySMS, Address: "+49301234567"}
	taken = sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "ok"}
)

// gateway is an SMS gateway or the like.
type gateway struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	said   string
	asked  []map[string]string
	keys   []string
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{status: 202}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m map[string]string
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asked, g.keys = append(g.asked, m), append(g.keys, r.Header.Get("Idempotency-Key"))
		w.WriteHeader(g.status)
		_, _ = io.WriteString(w, g.said)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) set(status int, said string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status, g.said = status, said
}

func (g *gateway) last(t *testing.T) map[string]string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.asked) == 0 {
		t.Fatal("nobody asked")
	}
	return g.asked[len(g.asked)-1]
}

// TestMail: an account that is an address is told at it; the 250 of the hop with its
// mailbox is proof, and nothing is sent twice.
func TestMail(t *testing.T) {
	w := newWorld(t, nil)
	id := w.hold("bob@a.example")
	w.step(0)
	w.step(time.Minute)
	if c := w.at(id); len(c.Notices) != 1 || c.State != sluice.CaseHeld {
		t.Fatalf("before the outbox: %+v", c)
	}
	if n := w.deliver(taken); n != 1 {
		t.Fatalf("%d mails", n)
	}
	c := w.at(id)
	if c.State != sluice.CaseNotified || c.Notices[0].Accepted.IsZero() || c.Notices[0].Delivered.IsZero() {
		t.Errorf("after it: %s %+v", c.State, c.Notices)
	}
	w.step(48 * time.Hour)
	if n := len(w.box.take()); n != 0 {
		t.Errorf("%d more", n)
	}
}

// TestToTheEnd: told, released by the user, watched, and closed by time alone; abuse during
// the watch begins a new round, of which the user is told anew.
func TestToTheEnd(t *testing.T) {
	w := newWorld(t, nil)
	id := w.hold("bob@a.example")
	w.step(0)
	w.deliver(taken)
	w.step(time.Hour)
	if _, err := w.warden.Confirm(t.Context(), w.now, id, cases.MailedLink); err != nil {
		t.Fatal(err)
	}
	w.step(24 * time.Hour)
	if again := w.hold("bob@a.example"); again != id || w.at(id).Recurred != 1 {
		t.Fatalf("another case: %+v", w.at(id))
	}
	w.step(time.Minute)
	if n := w.deliver(taken); n != 1 || w.at(id).State != sluice.CaseNotified || len(w.at(id).Notices) != 2 {
		t.Fatalf("%d mails in the second round, %+v", n, w.at(id).Notices)
	}
	if _, err := w.warden.Confirm(t.Context(), w.now, id, cases.MailedLink); !errors.Is(err, cases.ErrOnce) {
		t.Fatalf("a second time: %v", err)
	}
	if _, err := w.warden.Remedy(t.Context(), w.now, id, "admin", "cleaned together"); err != nil {
		t.Fatal(err)
	}
	for day := range 15 {
		w.step(24 * time.Hour)
		if err := w.warden.Tick(t.Context(), w.now); err != nil {
			t.Fatal(err)
		}
		want := sluice.CaseWatched
		if day >= 13 { // seven days, and seven for the recurrence
			want = sluice.CaseClosed
		}
		if c := w.at(id); c.State != want {
			t.Fatalf("day %d: %s", day, c.State)
		}
	}
	if n := len(w.box.take()); n != 0 {
		t.Errorf("%d mails after the release", n)
	}
}

// TestNextContact: what isn't proven in time goes to the next contact, what fails at once;
// and then from the first one again, slower and slower.
func TestNextContact(t *testing.T) {
	g := newGateway(t)
	w := newWorld(t, func(c *Config) {
		c.SMS = &Service{URL: g.URL + "/send", Receipts: "https://mx.a.example/self/delivered/"}
	})
	id := w.hold("bob@a.example", other, phone)
	w.step(0)
	w.deliver(taken) // by a hop that isn't the last
	w.step(119 * time.Minute)
	if c := w.at(id); len(c.Notices) != 1 || c.State != sluice.CaseHeld || c.Notices[0].Accepted.IsZero() {
		t.Fatalf("accepted: %+v", c.Notices)
	}
	g.set(503, "")
	w.step(time.Minute)
	c := w.at(id)
	if len(c.Notices) != 2 || c.Notices[1].Channel != BySMS || c.Notices[1].Failed.IsZero() {
		t.Fatalf("the second: %+v", c.Notices)
	}
	var at []time.Duration
	for range 26 * 60 {
		before := len(w.at(id).Notices)
		w.step(time.Minute)
		if len(w.at(id).Notices) > before {
			at = append(at, w.now.Sub(start).Round(time.Minute))
		}
	}
	// The gateway is away: 15 min, 30 min, 1, 2, 4 and 6 h; the mail is sent once a day.
	want := []time.Duration{135 * time.Minute, 165 * time.Minute, 225 * time.Minute, 345 * time.Minute, 585 * time.Minute, 945 * time.Minute, 1305 * time.Minute, 24 * time.Hour, 1665 * time.Minute}
	if !slices.Equal(at, want[:len(at)]) || len(at) < 8 {
		t.Errorf("tried at %v, want %v", at, want)
	}
	w.deliver(sluice.Reply{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
	g.set(202, "")
	w.step(6 * time.Hour)
	m := g.last(t)
	if m["number"] != phone.Address || !strings.Contains(m["text"], "https://mx.a.example/self/") || m["receipt"] == "" {
		t.Fatalf("asked: %v", m)
	}
	token := strings.TrimPrefix(m["receipt"], "https://mx.a.example/self/delivered/")
	page := strings.TrimPrefix(m["link"], w.cfg.Page)
	for _, tc := range []struct{ token, status string }{{page, "delivered"}, {token, "perhaps"}, {token + "A", "delivered"}, {"", "delivered"}} {
		if err := w.n.Receipt(t.Context(), w.now, tc.token, tc.status, ""); err == nil {
			t.Errorf("%q %q is taken", tc.token, tc.status)
		}
	}
	if c := w.at(id); c.State != sluice.CaseHeld {
		t.Fatalf("told without proof: %+v", c.Notices)
	}
	for range 2 {
		if err := w.n.Receipt(t.Context(), w.now, token, "DELIVRD", "on the phone"); err != nil {
			t.Fatal(err)
		}
	}
	if c := w.at(id); c.State != sluice.CaseNotified {
		t.Errorf("%s %+v", c.State, c.Notices)
	}
}

// TestKilled: a process that dies after a try was journalled, and before it was sent, is
// followed by one that sends it once more under the same name.
func TestKilled(t *testing.T) {
	g := newGateway(t)
	w := newWorld(t, func(c *Config) { c.SMS = &Service{URL: g.URL} })
	id := w.hold("bob@a.example", phone)
	ctx, kill := context.WithCancel(t.Context())
	if _, err := w.warden.Try(ctx, w.now, id, sluice.CaseNotice{ID: "sms-1", Channel: BySMS, Address: phone.Address}); err != nil {
		t.Fatal(err)
	}
	kill()
	w.restart()
	w.step(time.Minute)
	if len(g.keys) != 0 {
		t.Fatal("another process may still be at it")
	}
	w.step(time.Minute)
	w.step(time.Minute)
	if c := w.at(id); !slices.Equal(g.keys, []string{id + ".sms-1.on"}) || len(c.Notices) != 1 || c.Notices[0].Accepted.IsZero() {
		t.Errorf("sent %v: %+v", g.keys, c.Notices)
	}
}

// TestStoreFails: nothing is sent that isn't journalled, and what came of what was sent is
// written later.
func TestStoreFails(t *testing.T) {
	w := newWorld(t, nil)
	id := w.hold("bob@a.example")
	w.store.fail = true
	w.step(0)
	if n := len(w.box.take()); n != 0 {
		t.Fatalf("%d mails without a journal", n)
	}
	w.store.fail = false
	w.step(time.Minute)
	w.store.fail = true
	if n := w.deliver(taken); n != 1 || w.n.Stats().Pending == 0 {
		t.Fatalf("%d mails, %+v", n, w.n.Stats())
	}
	w.store.fail = false
	w.step(time.Minute)
	if c := w.at(id); c.State != sluice.CaseNotified || w.n.Stats().Pending != 0 {
		t.Errorf("%s %+v", c.State, w.n.Stats())
	}
}

// TestStolen: a thief isn't told while there is another way, and what he may read has no
// link; one that he has proves nothing more.
func TestStolen(t *testing.T) {
	g := newGateway(t)
	w := newWorld(t, func(c *Config) { c.SMS, c.Captive = &Service{URL: g.URL}, &Service{URL: g.URL} })
	id := w.hold("bob@a.example", own, phone)
	only := w.hold("ann@a.example", subscriber.Contact{Channel: ByMail, Address: "ann@a.example", Same: true})
	none := w.hold("tim@a.example") // its mailbox alone
	for _, id := range []string{id, only, none} {
		w.stolen(id)
	}
	w.step(0)
	for _, d := range w.box.take() { // who has nothing else
		if to := d.Envelope.Rcpts[0].Address; to == own.Address || strings.Contains(string(d.Body), w.cfg.Page) {
			t.Errorf("to %s:\n%s", to, d.Body)
		}
	}
	if len(w.at(only).Notices) != 1 || len(w.at(none).Notices) != 1 {
		t.Errorf("told: %+v %+v %+v", w.at(only).Notices, w.at(none).Notices, w.n.Stats())
	}
	for range 4 {
		w.step(time.Hour)
	}
	if n := len(w.box.take()); n != 0 {
		t.Errorf("%d mails to a thief while the telephone may still ring", n)
	}
	for range 40 {
		w.step(time.Hour)
	}
	bob := 0
	for _, d := range w.box.take() {
		if strings.Contains(string(d.Body), w.cfg.Page) {
			t.Errorf("a link for a thief:\n%s", d.Body)
		}
		if d.Envelope.Rcpts[0].Address == own.Address {
			bob++
		}
	}
	if bob == 0 {
		t.Error("nothing proves that the telephone rang, and the mailbox isn't tried")
	}
	for _, m := range g.asked {
		tk, err := w.cfg.Tickets.Open(strings.TrimPrefix(m["link"], w.cfg.Page), w.now)
		if m["number"] != phone.Address || err != nil && !errors.Is(err, ticket.ErrExpired) || tk.Use.Means() != cases.Second {
			t.Errorf("%v: %+v %v", m, tk, err)
		}
	}
	tk, err := w.cfg.Tickets.Open(strings.TrimPrefix(w.n.Link(w.at(id), w.now), w.cfg.Page), w.now)
	if err != nil || tk.Use.Means() != cases.MailedLink {
		t.Errorf("the link of a refusal: %+v %v", tk, err)
	}
}

// TestLimits: quiet hours, a directory in trouble, and a flood of cases.
func TestLimits(t *testing.T) {
	w := newWorld(t, nil)
	w.now = start.Add(13 * time.Hour) // 23:00
	id := w.hold("bob@a.example")
	w.hold("trouble@a.example")
	for range 7 {
		w.step(time.Hour)
		if n := len(w.box.take()); n != 0 {
			t.Fatalf("%d mails at %v", n, w.now)
		}
	}
	w.step(time.Hour)
	if c := w.at(id); len(c.Notices) != 1 || w.deliver(taken) != 1 {
		t.Errorf("in the morning: %+v", c.Notices)
	}
	for i := range 1200 {
		w.hold(fmt.Sprintf("u%d@a.example", i))
	}
	w.step(time.Minute)
	if n := len(w.box.take()); n < 900 || n > 1000 || w.n.Stats().Later == 0 {
		t.Errorf("%d at once, %+v", n, w.n.Stats())
	}
}

// TestReturned: notifications that come back to a notice are its proof, and nobody else
// can make one.
func TestReturned(t *testing.T) {
	w := newWorld(t, nil)
	id := w.hold("bob@a.example", other)
	w.step(0)
	d := w.box.take()[0]
	back := d.Envelope.From
	if !w.n.Takes(back) || !w.n.Takes(strings.ToUpper(back)) || w.n.Takes("notice-aaaa@a.example") || w.n.Takes("bob@a.example") || w.n.Takes(strings.Replace(back, "a.example", "b.example", 1)) {
		t.Fatalf("reverse-path %q", back)
	}
	if p, _ := d.Envelope.Rcpts[0].Params, d.Envelope.Params; len(p) != 1 || p[0].Value != "SUCCESS,FAILURE" {
		t.Errorf("asked for: %v", p)
	}
	for _, tc := range []struct {
		kind   bounce.Kind
		action string
		want   sluice.CaseState
	}{{bounce.Delay, "delayed", sluice.CaseHeld}, {bounce.AutoReply, "", sluice.CaseHeld}, {bounce.Success, "relayed", sluice.CaseHeld}, {bounce.Success, "delivered", sluice.CaseNotified}} {
		b := &bounce.Bounce{Kind: tc.kind, Recipients: []bounce.Recipient{{Action: tc.action, Status: "2.0.0"}}}
		w.n.Returned(t.Context(), w.now, back, b)
		if c := w.at(id); c.State != tc.want {
			t.Errorf("%s %s: %s", tc.kind, tc.action, c.State)
		}
	}
	gone := w.hold("ann@a.example", subscriber.Contact{Channel: ByMail, Address: "ann@far.example"})
	w.step(time.Minute)
	w.n.Returned(t.Context(), w.now, w.box.take()[0].Envelope.From, &bounce.Bounce{Kind: bounce.Failure, Recipients: []bounce.Recipient{{Action: "failed", Status: "5.1.1"}}})
	if c := w.at(gone); c.Notices[0].Failed.IsZero() {
		t.Errorf("failed: %+v", c.Notices)
	}
}

// TestCaptive: a network's portal is turned on, proves nothing, and is lifted when the case
// is over, also after a failure.
func TestCaptive(t *testing.T) {
	g := newGateway(t)
	g.set(200, `{"status":"delivered"}`)
	w := newWorld(t, func(c *Config) { c.Captive = &Service{URL: g.URL} })
	id := w.hold("bob@a.example", own)
	w.step(0)
	if m := g.last(t); m["action"] != "on" || m["subject"] != "account:bob@a.example" || w.at(id).State != sluice.CaseHeld || len(w.box.take()) != 0 {
		t.Fatalf("%v, %+v", m, w.at(id).Notices)
	}
	w.step(time.Hour)
	if w.deliver(taken) != 1 {
		t.Fatal("the next contact isn't tried")
	}
	g.set(500, "")
	if _, err := w.warden.Confirm(t.Context(), w.now, id, cases.Captive); err != nil {
		t.Fatal(err)
	}
	w.step(time.Minute)
	g.set(200, "")
	n := len(g.asked)
	w.step(time.Minute)
	w.step(time.Minute)
	if m := g.last(t); m["action"] != "off" || len(g.asked) != n+1 {
		t.Errorf("%v", g.asked)
	}
}

// TestWebhook: a contact that is an address itself is asked, and may say that it delivered.
func TestWebhook(t *testing.T) {
	g := newGateway(t)
	g.set(200, `{"status":"delivered"}`)
	w := newWorld(t, func(c *Config) { c.Webhook = &Service{URL: "{address}"} })
	id := w.hold("bob@a.example", subscriber.Contact{Channel: ByWebhook, Address: "http://far.example/clear"}, subscriber.Contact{Channel: ByWebhook, Address: g.URL + "/x"})
	w.step(0)
	w.step(time.Minute)
	if c := w.at(id); len(c.Notices) != 2 || c.Notices[0].Failed.IsZero() || c.State != sluice.CaseNotified {
		t.Errorf("%s %+v", c.State, c.Notices)
	}
}

// TestFill: values stay values in an address, a form and JSON.
func TestFill(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	evil := `+49 "&to=all\` + "\n{case}"
	var got *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer srv.Close()
	for _, s := range []*Service{
		{URL: srv.URL + "/send?to={number}", Body: "to={number}&text={text}", ContentType: "application/x-www-form-urlencoded", TokenFile: token},
		{URL: srv.URL + "/send?to={number}", Body: `{"to":"{number}","text":"{text}"}`, TokenFile: token},
	} {
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ask(t.Context(), "", map[string]string{"number": evil, "text": "grüße", "case": "C1"}); err != nil {
			t.Fatal(err)
		}
		if got.URL.Query().Get("to") != evil || len(got.URL.Query()) != 1 || got.Header.Get("Authorization") != "Bearer s3cret" {
			t.Errorf("%s %v", got.URL, got.Header)
		}
		var m map[string]string
		if f, err := url.ParseQuery(string(body)); s.ContentType != "application/json" && (err != nil || f.Get("to") != evil || f.Get("text") != "grüße") {
			t.Errorf("form %q", body)
		} else if s.ContentType == "application/json" && (json.Unmarshal(body, &m) != nil || m["to"] != evil || len(m) != 2) {
			t.Errorf("JSON %q", body)
		}
	}
	for _, bad := range []*Service{{URL: "http://far.example/"}, {URL: "ftp://far.example/"}, {URL: "https://u:p@far.example/"}, {URL: ""}, {URL: srv.URL, Body: "{"}, {URL: srv.URL, ContentType: ";"}} {
		if err := bad.check(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestMessage: the mail reads back as it was written, in all languages, as text and HTML;
// names of a directory break nothing.
func TestMessage(t *testing.T) {
	w := newWorld(t, nil)
	for _, lang := range words.Languages() {
		for _, kind := range []sluice.CaseKind{sluice.CaseInfected, sluice.CaseStolen} {
			c := &sluice.Case{ID: "C1234567", Kind: kind, Held: start, Signals: []sluice.CaseSignal{{Kind: "SPAM_MAIL", Detail: "<script>victim@far.example"}}}
			s := &subscriber.Subject{Language: lang, Account: "<b>bob\r\nBcc: x@far.example"}
			m, err := w.n.compose(c, s, step{contact: other, id: "mail-1"}, w.now)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := w.cfg.Mail.write(m, w.now)
			if err != nil {
				t.Fatal(err)
			}
			msg, err := mail.ReadMessage(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
			if err != nil || subject != m.Subject || msg.Header.Get("Bcc") != "" {
				t.Errorf("%s: subject %q %v", lang, subject, err)
			}
			for l := range strings.SplitSeq(string(raw), "\r\n") {
				if len(l) > 200 || !ascii(l) || strings.ContainsAny(l, "\r\n") {
					t.Errorf("%s: line %q", lang, l)
				}
			}
			_, p, _ := mime.ParseMediaType(msg.Header.Get("Content-Type"))
			parts := multipart.NewReader(msg.Body, p["boundary"])
			for i, want := range []string{m.Text.Text, m.HTML} {
				part, err := parts.NextRawPart()
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(quotedprintable.NewReader(part))
				text := strings.ReplaceAll(string(got), "\r\n", "\n")
				if err != nil || strings.TrimSpace(text) != strings.TrimSpace(want) || !strings.Contains(text, m.link) || strings.Contains(text, "victim@") || strings.Contains(text, "{") && i == 0 {
					t.Errorf("%s: part %d: %q %v", lang, i, text, err)
				}
				if i == 1 && (strings.Contains(text, "<b>") || !strings.Contains(text, `<a href="`+m.link+`">`) || !strings.Contains(text, "<li>")) {
					t.Errorf("%s: HTML %s", lang, text)
				}
			}
			for _, channel := range []string{ByMail, BySMS, ByWebhook} {
				if p := Preview(w.cfg.Words, "A Example", "help@a.example", w.cfg.Page, lang, channel, kind, w.now); p.Text == "" || strings.Contains(p.Text, "{") || (p.HTML != "") != (channel == ByMail) {
					t.Errorf("%s %s: %+v", lang, channel, p)
				}
			}
		}
	}
}
