package gate_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/deliver/quarantine"
	"sluice/explain/ref"
	"sluice/gate"
	"sluice/gate/route"
	"sluice/judge/pipeline"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/reason"
	"sluice/store/memory"
)

// hop is a next hop that answers as told: by recipient, or 250.
type hop struct {
	mu      sync.Mutex
	answers map[string]sluice.Outcome
	panics  bool
	got     []*sluice.Delivery
}

func (h *hop) Deliver(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.panics {
		panic("next hop code is broken")
	}
	h.got = append(h.got, d)
	var out []sluice.Outcome
	for _, r := range d.Envelope.Rcpts {
		o, ok := h.answers[r.Address]
		if !ok {
			o = sluice.Outcome{Reply: sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "ok"}}
		}
		o.Recipient = r.Address
		out = append(out, o)
	}
	return out
}
func (h *hop) Extensions(context.Context) sluice.Extensions {
	return sluice.Extensions{EightBit: true, SMTPUTF8: true, Known: true}
}
func (h *hop) Close() error { return nil }

// queue is an outbox in memory.
type queue struct{ got []*sluice.Delivery }

func (q *queue) Put(_ context.Context, d *sluice.Delivery) error {
	q.got = append(q.got, d)
	return nil
}

// broken is a quarantine whose disk is full.
type broken struct{ sluice.Quarantine }

func (broken) Put(context.Context, *sluice.Quarantined, []byte) error {
	return errors.New("no space left on device")
}

// bytesContent is a message in memory.
type bytesContent []byte

func (b bytesContent) Bytes() []byte { return b }

// world is a gate with fakes around it.
type world struct {
	t          *testing.T
	gate       *gate.Gate
	hop, other *hop
	outbox     *queue
	store      sluice.Store
	quarantine *quarantine.Store
	conn       sluice.Conn
}

// scripted states the facts that a message's X-Test field asks for.
func scripted() check.Checker {
	info := check.Info{Name: "test/scripted", Phase: sluice.PhaseMessage, Group: sluice.GroupText,
		Reasons: []sluice.Reason{reason.Unwanted, reason.AdminBlock}}
	return check.Func(info, func(in *check.Input) []sluice.Evidence {
		e := sluice.Evidence{Reason: reason.Unwanted, Group: sluice.GroupText, Threat: sluice.ThreatSpam}
		switch in.Message.Header().Get("X-Test") {
		case "spam":
			e.Raw = 24
		case "malware":
			e = sluice.Evidence{Reason: reason.AdminBlock, Hard: sluice.HardStop, Threat: sluice.ThreatMalware}
		case "panic":
			panic("check code is broken")
		default:
			return nil
		}
		return []sluice.Evidence{e}
	})
}

func newWorld(t *testing.T, change func(*gate.Config)) *world {
	t.Helper()
	w := &world{t: t, hop: &hop{answers: map[string]sluice.Outcome{}}, other: &hop{}, outbox: &queue{}, store: memory.New()}
	var err error
	if w.quarantine, err = quarantine.New(quarantine.Config{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	key := bytes.Repeat([]byte{7}, ref.KeySize)
	sealer, err := ref.New(ref.Config{Keys: [][]byte{key}, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	ours := &route.Route{Key: "ours", Tenant: "a", Deliverer: w.hop}
	theirs := &route.Route{Key: "theirs", Tenant: "c", Deliverer: w.other}
	cfg := gate.Config{
		Settings: gate.Settings{Hostname: "mx.a.example", Node: "mx", Weights: verdict.DefaultWeights(), Policy: policy.Default(),
			Routes:     route.Table{ByDomain: map[string]*route.Route{"a.example": ours, "b.example": ours, "c.example": theirs}, Default: "a.example"},
			Pipeline:   pipeline.New([]check.Checker{scripted()}, pipeline.Config{Clock: time.Now, Weights: verdict.DefaultWeights()}),
			Postmaster: "postmaster@a.example"},
		Quarantine: w.quarantine, Index: w.store, Outbox: w.outbox, Log: w.store, Sealer: sealer, Clock: time.Now, Rand: rand.Reader,
	}
	if change != nil {
		change(&cfg)
	}
	w.gate = gate.New(cfg)
	w.conn = sluice.Conn{ID: "s1", Door: "test", Client: netip.MustParseAddrPort("192.0.2.7:4000"), Start: time.Now()}
	return w
}

// open starts a session and says EHLO.
func (w *world) open() sluice.Session {
	w.t.Helper()
	s, r := w.gate.Open(w.t.Context(), &w.conn)
	w.t.Cleanup(func() { s.Close(sluice.EndedQuit) })
	if r.Code != 220 {
		w.t.Fatalf("greeting: %v", r)
	}
	w.conn.Hello = sluice.Hello{Verb: "EHLO", Name: "client.example"}
	if r := s.Hello(w.t.Context()); r.Code != 250 {
		w.t.Fatalf("hello: %v", r)
	}
	return s
}

func message(test string) string {
	m := "From: ann@sender.example\r\nTo: bob@a.example\r\nSubject: minutes\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n"
	if test != "" {
		m += "X-Test: " + test + "\r\n"
	}
	return m + "\r\nThe minutes are on the wiki.\r\n"
}

// send runs one transaction and returns the last reply.
func (w *world) send(s sluice.Session, test string, to ...string) sluice.Reply {
	w.t.Helper()
	return w.sendText(s, message(test), to...)
}

// sendText is send for a whole message.
func (w *world) sendText(s sluice.Session, msg string, to ...string) sluice.Reply {
	w.t.Helper()
	if r := s.Mail(w.t.Context(), "ann@sender.example", nil); r.Code != 250 {
		w.t.Fatalf("MAIL: %v", r)
	}
	for _, a := range to {
		if r := s.Rcpt(w.t.Context(), a, nil); r.Code != 250 {
			return r
		}
	}
	if r := s.Data(w.t.Context()); r.Code != 354 {
		return r
	}
	return s.Message(w.t.Context(), bytesContent(msg))
}

// held lists quarantined messages as index and files agree on them.
func (w *world) held() []*sluice.Quarantined {
	w.t.Helper()
	var files []*sluice.Quarantined
	err := w.quarantine.Each(w.t.Context(), func(q *sluice.Quarantined, err error) error {
		files = append(files, q)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	rows, err := w.store.Quarantined(w.t.Context(), sluice.Query{})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(rows) != len(files) {
		w.t.Errorf("%d rows in the index, %d files", len(rows), len(files))
	}
	return files
}

func outcome(code int, err error) sluice.Outcome {
	enhanced := map[int]string{2: "2.0.0", 4: "4.2.0", 5: "5.1.1"}[code/100]
	return sluice.Outcome{Reply: sluice.Reply{Code: code, Enhanced: enhanced, Text: "next hop says so"}, Err: err}
}

func TestMessage(t *testing.T) {
	refusedErr := errors.New("refused")
	for _, tc := range []struct {
		name      string
		test      string
		to        []string
		answers   map[string]sluice.Outcome
		conn      func(*sluice.Conn)
		want      string // beginning of the reply
		delivered int    // deliveries handed to the next hop
		held      int
		outbox    int
	}{
		{name: "clean", to: []string{"bob@a.example"}, want: "250 2.0.0 Message taken. ref ", delivered: 1},
		{name: "two domains on one route", to: []string{"bob@a.example", "eve@b.example"}, want: "250", delivered: 1},
		{name: "spam is held and the sender not told", test: "spam", to: []string{"bob@a.example"}, want: "250 2.0.0 Message taken. ref ", held: 1},
		{name: "hard stop", test: "malware", to: []string{"bob@a.example"}, want: "550 5.7.1"},
		{name: "hard stop and postmaster", test: "malware", to: []string{"bob@a.example", "postmaster@a.example"}, want: "250", held: 1},
		{name: "hard stop behind a queue", test: "malware", to: []string{"bob@a.example"}, want: "250", held: 1,
			conn: func(c *sluice.Conn) { c.AlreadyAccepted = true }},
		{name: "a check panics", test: "panic", to: []string{"bob@a.example"}, want: "451"},
		{name: "next hop down", to: []string{"bob@a.example"}, want: "451",
			answers: map[string]sluice.Outcome{"bob@a.example": outcome(451, refusedErr)}, delivered: 1},
		{name: "next hop refuses", to: []string{"bob@a.example"}, want: "550 5.1.1",
			answers: map[string]sluice.Outcome{"bob@a.example": outcome(550, refusedErr)}, delivered: 1},
		{name: "4xx before 5xx", to: []string{"bob@a.example", "eve@a.example"}, want: "450",
			answers: map[string]sluice.Outcome{"bob@a.example": outcome(550, refusedErr), "eve@a.example": outcome(450, refusedErr)}, delivered: 1},
		{name: "mixed: the rest is kept", to: []string{"bob@a.example", "eve@a.example", "kim@a.example"}, want: "250",
			answers:   map[string]sluice.Outcome{"bob@a.example": outcome(550, refusedErr), "eve@a.example": outcome(450, refusedErr)},
			delivered: 1, held: 1, outbox: 1},
		{name: "a success code with an error is no success", to: []string{"bob@a.example"}, want: "451",
			answers: map[string]sluice.Outcome{"bob@a.example": outcome(250, refusedErr)}, delivered: 1},
		{name: "a code that makes no sense", to: []string{"bob@a.example"}, want: "451",
			answers: map[string]sluice.Outcome{"bob@a.example": {Reply: sluice.Reply{Code: 354, Text: "go on"}, Err: refusedErr}}, delivered: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			if tc.conn != nil {
				tc.conn(&w.conn)
			}
			for k, v := range tc.answers {
				w.hop.answers[k] = v
			}
			r := w.send(w.open(), tc.test, tc.to...)
			if !strings.HasPrefix(r.String(), tc.want) {
				t.Errorf("reply %q, want %q…", r, tc.want)
			}
			if len(w.hop.got) != tc.delivered {
				t.Errorf("%d deliveries, want %d", len(w.hop.got), tc.delivered)
			}
			if held := w.held(); len(held) != tc.held {
				t.Errorf("%d held, want %d", len(held), tc.held)
			}
			if len(w.outbox.got) != tc.outbox {
				t.Errorf("%d in the outbox, want %d", len(w.outbox.got), tc.outbox)
			}
			recs, err := w.store.Records(t.Context(), sluice.Query{})
			if err != nil || len(recs) != 1 {
				t.Fatalf("%d records, %v", len(recs), err)
			}
			if recs[0].Reply != r || !strings.Contains(r.Text, recs[0].ID) {
				t.Errorf("the log says %q and the sender read %q", recs[0].Reply, r)
			}
		})
	}
}

func TestQuarantineAndRelayTogether(t *testing.T) {
	// Postmaster takes what others refuse, so one message goes both ways.
	for _, tc := range []struct {
		name string
		hop  sluice.Outcome
		want string
		held int
	}{
		{"taken", outcome(250, nil), "250", 1},
		{"not taken", outcome(451, errors.New("down")), "451", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.hop.answers["postmaster@a.example"] = tc.hop
			r := w.send(w.open(), "spam", "bob@a.example", "postmaster@a.example")
			if !strings.HasPrefix(r.String(), tc.want) {
				t.Errorf("reply %q, want %q…", r, tc.want)
			}
			held := w.held()
			if len(held) != tc.held {
				t.Fatalf("%d held, want %d", len(held), tc.held)
			}
			for _, q := range held {
				if q.Pending || len(q.Envelope.Rcpts) != 1 || q.Envelope.Rcpts[0].Address != "bob@a.example" {
					t.Errorf("held: %+v", q.Envelope)
				}
			}
		})
	}
}

func TestRecipients(t *testing.T) {
	w := newWorld(t, nil)
	s := w.open()
	if r := s.Mail(t.Context(), "", nil); r.Code != 250 {
		t.Fatalf("null sender: %v", r)
	}
	for _, tc := range []struct{ to, want string }{
		{"bob@elsewhere.example", "550 5.7.1"},
		{"bob%elsewhere.example@a.example", "550 5.7.1"},
		{"elsewhere.example!bob@a.example", "550 5.7.1"},
		{`"bob@elsewhere.example"@a.example`, "550 5.7.1"},
		{"bob", "550 5.7.1"},
		{"postmaster", "250 2.1.5"},
		{"bob@A.Example", "250 2.1.5"},
		{"bob@a.example.", "250 2.1.5"},
		{"kim@c.example", "452 4.5.3"},
		{"postmaster@elsewhere.example", "550 5.7.1"},
	} {
		if r := s.Rcpt(t.Context(), tc.to, nil); !strings.HasPrefix(r.String(), tc.want) {
			t.Errorf("RCPT %s: %q, want %q…", tc.to, r, tc.want)
		}
	}
	s.Data(t.Context())
	if r := s.Message(t.Context(), bytesContent(message(""))); r.Code != 250 {
		t.Fatalf("dot: %v", r)
	}
	got := w.hop.got[0].Envelope.Addresses()
	if len(got) != 3 || got[0] != "postmaster@a.example" {
		t.Errorf("delivered to %v", got)
	}
}

func TestRefusedRecipientsAreLogged(t *testing.T) {
	w := newWorld(t, nil)
	s := w.open()
	s.Mail(t.Context(), "ann@sender.example", nil)
	s.Rcpt(t.Context(), "x@elsewhere.example", nil)
	s.Reset()
	recs, err := w.store.Records(t.Context(), sluice.Query{})
	if err != nil || len(recs) != 1 {
		t.Fatalf("%d records, %v", len(recs), err)
	}
	if r := recs[0]; r.Phase != sluice.PhaseRcpt || r.Outcomes[0].Recipient != "x@elsewhere.example" || r.Reply.Code != 550 {
		t.Errorf("record: %+v", r)
	}
}

func TestFullDisk(t *testing.T) {
	w := newWorld(t, func(c *gate.Config) { c.Quarantine = broken{} })
	r := w.send(w.open(), "spam", "bob@a.example")
	if !r.Temporary() {
		t.Errorf("reply %q, want a temporary one: the sender must keep the message", r)
	}
}

func TestPanicIsTemporary(t *testing.T) {
	w := newWorld(t, nil)
	w.hop.panics = true
	r := w.send(w.open(), "", "bob@a.example")
	if !r.Temporary() {
		t.Errorf("reply %q", r)
	}
	if recs, _ := w.store.Records(t.Context(), sluice.Query{}); len(recs) != 1 {
		t.Errorf("%d records", len(recs))
	}
}

func TestViolation(t *testing.T) {
	w := newWorld(t, nil)
	s := w.open()
	s.Mail(t.Context(), "ann@sender.example", nil)
	s.Rcpt(t.Context(), "bob@a.example", nil)
	r := s.Violation(t.Context(), sluice.Violation{Kind: "BARE_LF", Phase: sluice.PhaseMessage, Offset: 4711, Detail: `"a\nb"`})
	if r.Code != 554 || !strings.Contains(r.Text, "ref ") {
		t.Errorf("reply %q", r)
	}
	s.Violation(t.Context(), sluice.Violation{Kind: "SMTP_SMUGGLING", Phase: sluice.PhaseMessage, Offset: 4720})
	if r := s.Data(t.Context()); r.Positive() {
		t.Errorf("the transaction went on: %q", r)
	}
	if r := s.Message(t.Context(), bytesContent(message(""))); r.Positive() {
		t.Errorf("the transaction went on: %q", r)
	}
	s.Close(sluice.EndedRefused)
	recs, _ := w.store.Records(t.Context(), sluice.Query{})
	if len(recs) != 1 || recs[0].Envelope.From != "ann@sender.example" {
		t.Fatalf("%d records, want one of the transaction: %+v", len(recs), recs)
	}
	var kinds []string
	for _, c := range recs[0].Verdict.Ledger {
		if c.Group == sluice.GroupSession {
			kinds = append(kinds, fmt.Sprint(c.Reason, " at ", c.Range.Off))
		}
	}
	slices.Sort(kinds)
	if want := []string{"BARE_LF at 4711", "SMTP_SMUGGLING at 4720"}; !slices.Equal(kinds, want) {
		t.Errorf("evidence %q, want %q", kinds, want)
	}
}

func TestLink(t *testing.T) {
	w := newWorld(t, func(c *gate.Config) { c.Settings.PublicURL = "https://why.a.example" })
	r := w.send(w.open(), "malware", "bob@a.example")
	if !strings.Contains(r.Text, "https://why.a.example/why/") || len(r.String()) > 510 {
		t.Errorf("reply %q", r)
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, nil)
	w.send(w.open(), "", "bob@a.example")
	d := w.hop.got[0]
	for _, want := range []string{"Received: from client.example", "X-Sluice-Verdict:", "X-Spam-Flag: NO", "Authentication-Results: mx.a.example"} {
		if !strings.Contains(string(d.Header), want) {
			t.Errorf("%q is missing in\n%s", want, d.Header)
		}
	}
	if string(d.Body) != message("") {
		t.Error("the body was changed")
	}
}

func TestReleaseAndDelete(t *testing.T) {
	w := newWorld(t, nil)
	w.send(w.open(), "spam", "bob@a.example")
	id := w.held()[0].ID
	if err := w.gate.Release(t.Context(), id, "admin"); err != nil {
		t.Fatal(err)
	}
	if len(w.outbox.got) != 1 || w.outbox.got[0].Envelope.Rcpts[0].Address != "bob@a.example" || w.outbox.got[0].Envelope.From != "ann@sender.example" {
		t.Fatalf("outbox: %+v", w.outbox.got)
	}
	if err := w.gate.Release(t.Context(), id, "admin"); err == nil {
		t.Error("released twice")
	}
	if rows, _ := w.store.Quarantined(t.Context(), sluice.Query{}); len(rows) != 1 || rows[0].Released.IsZero() {
		t.Errorf("index: %+v", rows)
	}
	if err := w.gate.Delete(t.Context(), id, "admin"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.quarantine.Open(t.Context(), id); !errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
	if len(w.held()) != 0 {
		t.Error("still there")
	}
}

func TestTrustedClient(t *testing.T) {
	w := newWorld(t, func(c *gate.Config) {
		c.Settings.Trusted = func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.7") }
	})
	if r := w.send(w.open(), "malware", "bob@a.example"); r.Code != 250 {
		t.Errorf("reply %q", r)
	}
	if len(w.held()) != 1 {
		t.Error("malware of a trusted client belongs into quarantine")
	}
}

func TestReloadLeavesSessionsAlone(t *testing.T) {
	w := newWorld(t, nil)
	s := w.open()
	set := *w.gate.Settings()
	set.Routes = route.Table{ByDomain: map[string]*route.Route{}, Default: "a.example"}
	w.gate.Reload(set)
	if r := w.send(s, "", "bob@a.example"); r.Code != 250 {
		t.Errorf("the old session: %q", r)
	}
	if r := w.send(w.open(), "", "bob@a.example"); r.Code != 550 {
		t.Errorf("a new session: %q", r)
	}
}
