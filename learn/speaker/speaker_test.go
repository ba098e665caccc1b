package speaker_test

import (
	"slices"
	"testing"
	"time"

	"sluice"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/learn/speaker"
	"sluice/message"
	"sluice/store/memory"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func after(d int) time.Time { return start.Add(time.Duration(d) * 24 * time.Hour) }

func parse(fields string) *message.Message {
	return message.Parse([]byte(fields+"\r\n\r\nHello\r\n"), message.DefaultLimits())
}

func dmarc(domain string) sluice.Authenticated {
	return sluice.Authenticated{Domain: domain, By: "dmarc"}
}
func dkim(domain string) sluice.Authenticated {
	return sluice.Authenticated{Domain: domain, By: "dkim"}
}
func spf(domain string) sluice.Authenticated { return sluice.Authenticated{Domain: domain, By: "spf"} }

// What of a message is believed.
func TestOf(t *testing.T) {
	const from = "From: Elm Fittings <info@elmfittings.example>"
	for name, c := range map[string]struct {
		fields  string
		proved  []sluice.Authenticated
		from    string
		signers []string
		ok      bool
	}{
		"its own":              {from, []sluice.Authenticated{dmarc("elmfittings.example")}, "info@elmfittings.example", []string{"elmfittings.example"}, true},
		"its organization":     {from, []sluice.Authenticated{dkim("mail.elmfittings.example")}, "info@elmfittings.example", []string{"elmfittings.example"}, true},
		"by SPF":               {from, []sluice.Authenticated{spf("bounce.elmfittings.example")}, "info@elmfittings.example", nil, true},
		"a service signs":      {from, []sluice.Authenticated{dkim("mcsv.net")}, "", []string{"mcsv.net"}, true},
		"nothing is proved":    {from, nil, "", nil, false},
		"another's SPF":        {from, []sluice.Authenticated{spf("evil.example")}, "", nil, false},
		"no author":            {"Subject: x", []sluice.Authenticated{dmarc("elmfittings.example")}, "", nil, false},
		"two authors":          {from + ", b@evil.example", []sluice.Authenticated{dmarc("elmfittings.example")}, "", nil, false},
		"no name and a signer": {"From: info@elmfittings.example", []sluice.Authenticated{dkim("mcsv.net")}, "", []string{"mcsv.net"}, false},
	} {
		s, ok := speaker.Of("t", parse(c.fields), c.proved)
		if ok != c.ok || ok && (s.From != c.from || !slices.Equal(s.Signers, c.signers)) {
			t.Errorf("%s: %+v, %v", name, s, ok)
		}
	}
	if _, ok := speaker.Of("t", nil, nil); ok {
		t.Error("no message says something")
	}
}

// world is memories that know a firm, and the ledger that labels go to.
type world struct {
	names  *service.Memory
	brands *brand.Table
	store  *memory.Store
	said   speaker.Said
	ledger *speaker.Ledger
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: memory.New()}
	var err error
	if w.names, err = service.NewMemory(service.Config{Key: make([]byte, 16)}); err != nil {
		t.Fatal(err)
	}
	if w.brands, err = brand.New(brand.Config{Key: make([]byte, 16)}); err != nil {
		t.Fatal(err)
	}
	var ok bool
	if w.said, ok = speaker.Of("t", parse("From: Elm Fittings <info@elmfittings.example>"), []sluice.Authenticated{dmarc("elmfittings.example")}); !ok {
		t.Fatal("nothing said")
	}
	for d := 0; d <= 40; d += 5 {
		w.names.Received(after(d), "t", "Elm Fittings", w.said.Signers)
		w.brands.Received(after(d), brand.Incoming{Tenant: "t", From: w.said.From, Claims: []brand.Claim{brand.ClaimName("Elm Fittings")}})
	}
	w.ledger = speaker.NewLedger(speaker.Memories{Brands: w.brands, Names: w.names}, w.store)
	if !w.known(t, 41) {
		t.Fatal("the firm isn't known")
	}
	return w
}

// known says whether both memories know the firm.
func (w *world) known(t *testing.T, d int) bool {
	t.Helper()
	_, n := w.names.Known(after(d), "t", "Elm Fittings", w.said.Signers)
	right := w.brands.Right(after(d), "t", brand.ClaimName("Elm Fittings"), w.said.From)
	if n > 0 != right {
		t.Errorf("day %d: the memories differ: %d days, %v", d, n, right)
	}
	return n > 0
}

func label(seq int64, by string, trusted, spam bool) *sluice.Feedback {
	return &sluice.Feedback{Seq: seq, Kind: sluice.FeedbackLabel, By: by, Trusted: trusted, Spam: spam, State: sluice.FeedbackApplied, Time: after(42)}
}

func decision(seq, of int64, kind sluice.FeedbackKind) *sluice.Feedback {
	return &sluice.Feedback{Seq: seq, Kind: kind, Of: of, By: "admin", State: sluice.FeedbackApplied, Time: after(43)}
}

func TestLedger(t *testing.T) {
	held := func(f *sluice.Feedback, state sluice.FeedbackState) *sluice.Feedback { f.State = state; return f }
	for name, c := range map[string]struct {
		entries []*sluice.Feedback
		want    bool
	}{
		"an admin's spam":            {[]*sluice.Feedback{label(1, "admin", true, true)}, false},
		"the same entry twice":       {[]*sluice.Feedback{label(1, "admin", true, true), label(1, "admin", true, true), decision(2, 1, sluice.FeedbackUndo)}, true},
		"taken back":                 {[]*sluice.Feedback{label(1, "admin", true, true), decision(2, 1, sluice.FeedbackUndo)}, true},
		"countered":                  {[]*sluice.Feedback{label(1, "admin", true, true), decision(2, 1, sluice.FeedbackCounter)}, true},
		"a user's":                   {[]*sluice.Feedback{label(1, "ann", false, true)}, true},
		"two users'":                 {[]*sluice.Feedback{label(1, "ann", false, true), label(2, "bob", false, true)}, false},
		"a held one":                 {[]*sluice.Feedback{held(label(1, "ann", false, true), sluice.FeedbackHeld)}, true},
		"a held one, accepted":       {[]*sluice.Feedback{held(label(1, "ann", false, true), sluice.FeedbackHeld), decision(2, 1, sluice.FeedbackAccept)}, false},
		"and taken back":             {[]*sluice.Feedback{held(label(1, "ann", false, true), sluice.FeedbackHeld), decision(2, 1, sluice.FeedbackAccept), decision(3, 1, sluice.FeedbackUndo)}, true},
		"a refused one":              {[]*sluice.Feedback{held(label(1, "admin", true, true), sluice.FeedbackRefused), decision(2, 1, sluice.FeedbackAccept)}, true},
		"an admin's ham after users": {[]*sluice.Feedback{label(1, "ann", false, true), label(2, "bob", false, true), label(3, "admin", true, false)}, true},
		"of an unknown label":        {[]*sluice.Feedback{decision(2, 1, sluice.FeedbackUndo)}, true},
	} {
		w := newWorld(t)
		for _, f := range c.entries {
			var err error
			if f.Kind == sluice.FeedbackLabel {
				err = w.ledger.Label(t.Context(), f, w.said)
			} else {
				err = w.ledger.Decide(t.Context(), f)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := w.known(t, 44); got != c.want {
			t.Errorf("%s: known %v", name, got)
		}
	}
}

// A label is taken back after a restart as well, and what can't be read breaks nothing.
func TestLoad(t *testing.T) {
	w := newWorld(t)
	if err := w.ledger.Label(t.Context(), label(7, "admin", true, true), w.said); err != nil {
		t.Fatal(err)
	}
	if err := w.store.PutMemos(t.Context(), []sluice.Memo{{Kind: speaker.MemoKind, Key: "x", Value: []byte("{"), Updated: after(42)}}); err != nil {
		t.Fatal(err)
	}
	again := speaker.NewLedger(speaker.Memories{Brands: w.brands, Names: w.names}, w.store)
	if err := again.Load(t.Context(), after(43)); err == nil {
		t.Error("what can't be read isn't told of")
	}
	if err := again.Label(t.Context(), label(7, "admin", true, true), w.said); err != nil || w.known(t, 43) {
		t.Errorf("%v, known %v", err, w.known(t, 43))
	}
	if err := again.Decide(t.Context(), decision(8, 7, sluice.FeedbackUndo)); err != nil || !w.known(t, 44) {
		t.Errorf("%v, known %v", err, w.known(t, 44))
	}
	late := speaker.NewLedger(speaker.Memories{}, w.store)
	if err := late.Load(t.Context(), after(100)); err != nil {
		t.Errorf("a month later there is nothing to read: %v", err)
	}
	if err := late.Label(t.Context(), label(9, "admin", true, true), w.said); err != nil { // without memories
		t.Error(err)
	}
}
