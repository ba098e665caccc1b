package lints

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice"
	"sluice/config"
	publiclint "sluice/console/public/lint"
	"sluice/lint"
)

// way notes what goes by it.
type way struct{ ids []string }

func (w *way) Deliver(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
	w.ids = append(w.ids, d.ID)
	return make([]sluice.Outcome, len(d.Envelope.Rcpts))
}
func (*way) Extensions(context.Context) sluice.Extensions { return sluice.Extensions{} }
func (*way) Close() error                                 { return nil }

func settings(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("x", []byte("hostname = \"mx.ours.example\"\n"+text), config.Flags{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestRoute: the relay for reports takes answers to where no route leads, and nothing else.
func TestRoute(t *testing.T) {
	relay, others := &way{}, &way{}
	r, err := New(Config{Settings: settings(t, ""), Relay: relay})
	if err != nil {
		t.Fatal(err)
	}
	out := r.Route(others.Deliver, func(addr string) bool { return sluice.DomainOf(addr) == "ours.example" })
	for _, d := range []struct{ id, from, to string }{{"lint-a", "", "x@else.example"}, {"lint-b", "", "x@ours.example"}, {"lint-c", "x@y.example", "x@else.example"}, {"ABC", "", "x@else.example"}} {
		out(t.Context(), &sluice.Delivery{ID: d.id, Envelope: &sluice.Envelope{From: d.from, Rcpts: []sluice.Recipient{{Address: d.to}}}})
	}
	if len(relay.ids) != 1 || relay.ids[0] != "lint-a" || len(others.ids) != 3 {
		t.Errorf("by the relay %q, by others %q", relay.ids, others.ids)
	}
}

// TestTurns: page and mail share the turns, and who waits in vain is told so.
func TestTurns(t *testing.T) {
	r, err := New(Config{Settings: settings(t, "[lint]\nat_once = 1\n")})
	if err != nil {
		t.Fatal(err)
	}
	done, err := r.turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.stored(ctx, nil); !errors.Is(err, publiclint.ErrBusy) {
		t.Errorf("the page: %v", err)
	}
	if rep := r.mailed(ctx, lint.Input{}); rep == nil { // the desk looks at ctx
		t.Error("mail: no report")
	}
	done()
	if again, err := r.turn(t.Context()); err != nil {
		t.Error(err)
	} else {
		again()
	}
}

// TestTokens: none is good but those of the settings.
func TestTokens(t *testing.T) {
	good := tokens(map[string]string{"ci": "a secret of twenty characters", "ops": "another of twenty characters"})
	for token, want := range map[string]bool{"a secret of twenty characters": true, "another of twenty characters": true, "ci": false, "": false, "a secret": false} {
		if good(token) != want {
			t.Errorf("%q: %v", token, !want)
		}
	}
	if tokens(nil)("") {
		t.Error("no tokens let the empty one in")
	}
}

// TestWanted: nothing is served where there are no public pages, or they are not wanted.
func TestWanted(t *testing.T) {
	const public = "[public]\naddress = \"127.0.0.1:1\"\n"
	for text, want := range map[string]bool{"": false, public: true, public + "[lint]\npage = false\n": false} {
		r, err := New(Config{Settings: settings(t, text)})
		if err != nil {
			t.Fatal(err)
		}
		if page, err := r.Page(nil); err != nil || (page != nil) != want {
			t.Errorf("%q: a page: %v, %v", text, page != nil, err)
		}
	}
	for text, want := range map[string]bool{public: true, public + "dictionary = false\n": false} {
		if page, err := Dictionary(settings(t, text), nil); err != nil || (page != nil) != want {
			t.Errorf("%q: a dictionary: %v, %v", text, page != nil, err)
		}
	}
}

// TestSend signs an answer where its author's domain has a key, and gives it to the queue.
func TestSend(t *testing.T) {
	var q queue
	r, err := New(Config{Settings: settings(t, "postmaster = \"help@ours.example\"\n"), Outbox: &q,
		Sign: func(_ []byte, domain string, _ time.Time) ([]byte, error) {
			return []byte("X-Signed: " + domain + "\r\n"), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.send(t.Context(), "ann@else.example", []byte("Subject: x\r\n\r\ny\r\n")); err != nil || len(q) != 1 {
		t.Fatalf("%v, %d", err, len(q))
	}
	if d := q[0]; string(d.Header) != "X-Signed: ours.example\r\n" || d.Envelope.From != "" || !d.Envelope.Outbound || d.Envelope.Rcpts[0].Address != "ann@else.example" {
		t.Errorf("%+v, %+v", d, d.Envelope)
	}
}

type queue []*sluice.Delivery

func (q *queue) Put(_ context.Context, d *sluice.Delivery) error {
	*q = append(*q, d)
	return nil
}
