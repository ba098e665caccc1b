package voices

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"sluice"
	"sluice/learn/service"
	"sluice/learn/speaker"
	"sluice/store/memory"
)

// scribe is a teacher that writes entries down.
type scribe struct {
	sluice.Teacher
	seq int64
}

func (s *scribe) entry(kind sluice.FeedbackKind, of int64, spam bool) *sluice.Feedback {
	s.seq++
	return &sluice.Feedback{Seq: s.seq, Kind: kind, Of: of, Time: time.Now(), Spam: spam, By: "admin", State: sluice.FeedbackApplied, Trust: 1, Trusted: true}
}
func (s *scribe) Teach(_ context.Context, l *sluice.Label) (*sluice.Feedback, error) {
	return s.entry(sluice.FeedbackLabel, 0, l.Spam), nil
}
func (s *scribe) Undo(_ context.Context, seq int64, _ string) (*sluice.Feedback, error) {
	return s.entry(sluice.FeedbackUndo, seq, false), nil
}

// TestVoices: a complaint ends what was learned of a name and its signer, as far as the
// signer was proved when the message came; taken back, it is known again.
func TestVoices(t *testing.T) {
	const raw = "From: Kettle Shop <news@mail.kettle.example>\r\nTo: bob@a.example\r\nSubject: sale\r\n\r\nKettles.\r\n"
	for _, tc := range []struct {
		name   string
		proved []sluice.Authenticated
		ends   bool
	}{
		{"proved", []sluice.Authenticated{{Domain: "kettle.example", By: "dkim"}}, true},
		{"forged", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Now()
			names, err := service.NewMemory(service.Config{Key: []byte("0123456789abcdef0123456789abcdef")})
			if err != nil {
				t.Fatal(err)
			}
			for d := 20; d > 0; d-- {
				names.Received(now.AddDate(0, 0, -d), "acme", "Kettle Shop", []string{"kettle.example"})
			}
			store := memory.New()
			store.Append(&sluice.Record{ID: "M1", Tenant: "acme", Time: now, Authenticated: tc.proved})
			if err := store.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			known := func() bool {
				_, n := names.Known(now, "acme", "Kettle Shop", []string{"kettle.example"})
				return n > 0
			}
			if !known() {
				t.Fatal("nothing was learned: the test says nothing")
			}
			v := Around(&scribe{}, speaker.NewLedger(speaker.Memories{Names: names}, store), store, slog.New(slog.DiscardHandler))
			f, err := v.Teach(t.Context(), &sluice.Label{Raw: []byte(raw), ID: "M1", Spam: true, By: "admin"})
			if err != nil || known() == tc.ends {
				t.Fatalf("after the complaint: known %v, %v", known(), err)
			}
			if _, err := v.Undo(t.Context(), f.Seq, "admin"); err != nil || !known() {
				t.Errorf("taken back: known %v, %v", known(), err)
			}
			if _, err := v.Teach(t.Context(), &sluice.Label{Raw: []byte(raw), ID: "none", Spam: true, By: "admin"}); err != nil || !known() {
				t.Errorf("a message that the log doesn't know: %v", err)
			}
		})
	}
}
