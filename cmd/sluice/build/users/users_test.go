package users

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/config"
	"sluice/gate"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/message"
	"sluice/reason"
	"sluice/store/memory"
)

// opened makes the room of a site whose only network client is followed.
func opened(t *testing.T, store *memory.Store, more string) *Users {
	t.Helper()
	cfg, err := config.Parse("test.toml", []byte("[subscribers]\non = true\n"+more), config.Flags{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	u, err := New(t.Context(), cfg, Config{Log: store, Cases: store, Memos: store, Trace: slog.New(slog.DiscardHandler), Page: func(id string) string { return "https://mx.a.example/self/" + id }})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// mail is what one user sends: spam where p is high. Each text is another.
func mail(account string, n int, p float64) *gate.Observation {
	ev := []sluice.Evidence{check.Found(reason.Unwanted, "")}
	ev[0].Raw, ev[0].Group, ev[0].Threat, ev[0].Hard = p, sluice.GroupText, sluice.ThreatSpam, sluice.Soft
	v := verdict.Weigh(ev, verdict.DefaultWeights())
	words := strings.Repeat(string(rune('a'+n%26)), 3+n/26)
	m := message.Parse([]byte("From: "+account+"\r\nTo: x@far.example\r\nSubject: about "+words+"\r\n\r\nHello "+words+"\r\n"), message.DefaultLimits())
	return &gate.Observation{Conn: &sluice.Conn{Auth: account, Client: netip.MustParseAddrPort("192.0.2.7:1000"), Start: time.Now()}, Message: m, Verdict: &v, Action: sluice.Accept, ID: fmt.Sprint("M", n),
		Envelope: &sluice.Envelope{ID: fmt.Sprint("M", n), From: account, Rcpts: []sluice.Recipient{{Address: fmt.Sprintf("p%d@far.example", n)}}}}
}

// TestHold: an account that sends one spam after another is held, all of its mail and
// nobody else's.
func TestHold(t *testing.T) {
	u := opened(t, memory.New(), "")
	if r := u.Judge(t.Context(), mail("bob@a.example", 0, -5), 0); r != (gate.Restricted{}) {
		t.Fatalf("clean mail: %+v", r)
	}
	held := 0
	for i := 1; i <= 10 && held == 0; i++ {
		if r := u.Judge(t.Context(), mail("bob@a.example", i, 24), 0); r.Restrict == sluice.RestrictHold {
			held = i
		}
	}
	if held == 0 || held > 4 {
		t.Fatalf("held after %d spams", held)
	}
	if r := u.Judge(t.Context(), mail("bob@a.example", 20, -5), 0); r.Restrict != sluice.RestrictHold || r.Case == "" {
		t.Errorf("clean mail of a held account: %+v", r)
	}
	if r := u.Judge(t.Context(), mail("ann@a.example", 21, -5), 0); r != (gate.Restricted{}) {
		t.Errorf("another account: %+v", r)
	}
	if r := u.Standing(t.Context(), mail("bob@a.example", 0, 0).Conn, "bob@a.example"); r.Restrict != sluice.RestrictHold {
		t.Errorf("standing: %+v", r)
	}
}

// TestReply: where the settings refuse, the refusal leads to the user's own page.
func TestReply(t *testing.T) {
	u := opened(t, memory.New(), "restrict = { person = \"reply\" }\n")
	for i := range 6 {
		u.Judge(t.Context(), mail("bob@a.example", i, 24), 0)
	}
	r := u.Standing(t.Context(), mail("bob@a.example", 0, 0).Conn, "bob@a.example")
	if r.Restrict != sluice.RestrictReply || r.Page != "https://mx.a.example/self/"+r.Case {
		t.Errorf("%+v", r)
	}
}

// TestRelay: a relay of ours that says no account is not one of our users; what the
// directory knows behind it is.
func TestRelay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "subscribers")
	if err := os.WriteFile(file, []byte(`{"account":"tim","addresses":["tim@a.example"]}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		from string
		want bool
	}{{"bob@a.example", false}, {"tim@a.example", true}} {
		u := opened(t, memory.New(), fmt.Sprintf("file = %q\n", file))
		var last gate.Restricted
		for i := range 6 {
			o := mail(tc.from, i, 24)
			o.Conn.Auth, o.Conn.Trusted, o.Envelope.Outbound = "", true, true
			last = u.Judge(t.Context(), o, 0)
		}
		if got := last.Restrict == sluice.RestrictHold; got != tc.want {
			t.Errorf("%s: %+v", tc.from, last)
		}
	}
}

// door lets mail go, and says what.
type door struct{ gone []string }

func (d *door) Release(_ context.Context, id, _ string) error {
	d.gone = append(d.gone, id)
	return nil
}
func (*door) Policy() policy.Policy { return policy.Default() }

// TestLetGo: what is clean goes out when the case is over, and not before; what is spam,
// another case's or gone already stays.
func TestLetGo(t *testing.T) {
	store := memory.New()
	u := opened(t, store, "")
	for i := range 6 {
		u.Judge(t.Context(), mail("bob@a.example", i, 24), 0)
	}
	id := u.Standing(t.Context(), mail("bob@a.example", 0, 0).Conn, "bob@a.example").Case
	put := func(name, ofCase string, p float64, released time.Time) {
		ev := []sluice.Evidence{check.Found(reason.AccountHeld, "case "+ofCase), check.Found(reason.Unwanted, "")}
		ev[1].Raw, ev[1].Group, ev[1].Threat, ev[1].Hard = p, sluice.GroupText, sluice.ThreatSpam, sluice.Soft
		q := &sluice.Quarantined{ID: name, Stored: time.Now(), Released: released, Verdict: verdict.Weigh(ev, verdict.DefaultWeights())}
		if err := store.IndexQuarantined(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	put("CLEAN", id, -5, time.Time{})
	put("SPAM", id, 24, time.Time{})
	put("OTHER", "C0", -5, time.Time{})
	put("GONE", id, -5, time.Now())
	d := &door{}
	u.letGo(t.Context(), d, store, id)
	if d.gone != nil {
		t.Fatalf("let go while the case holds: %v", d.gone)
	}
	if _, err := u.Warden.FalseAlarm(t.Context(), time.Now(), id, "admin", "a newsletter"); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-u.released:
		u.letGo(t.Context(), d, store, got)
	default:
		t.Fatal("nobody was told that the case is over")
	}
	if !slices.Equal(d.gone, []string{"CLEAN"}) {
		t.Errorf("let go: %v", d.gone)
	}
}

// TestRelayed: a report finds who sent it by what the log says, and who used an address
// at about that time.
func TestRelayed(t *testing.T) {
	store := memory.New()
	r := newRelayed(store)
	sent := &sluice.Record{ID: "M1", Time: time.Now(), MessageID: "<1@a.example>", Conn: sluice.Conn{Auth: "bob@a.example", Client: netip.MustParseAddrPort("192.0.2.7:1")},
		Envelope: sluice.Envelope{ID: "M1", From: "bob@a.example", Outbound: true}, Reply: sluice.Reply{Code: 250}}
	in := &sluice.Record{ID: "M2", Time: time.Now(), MessageID: "<2@far.example>", Reply: sluice.Reply{Code: 250}, Envelope: sluice.Envelope{ID: "M2"}}
	store.Append(sent)
	store.Append(in)
	if err := store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		id, messageID string
		want          bool
	}{
		{"M1", "", true}, {"M1", "1@a.example", true}, {"M1", "<other@a.example>", false},
		{"", "<1@a.example>", true}, {"", "<2@far.example>", false}, {"M2", "", false}, {"M9", "", false}, {"", "", false},
	} {
		trace, ok, err := r.Mail(t.Context(), tc.id, tc.messageID)
		if err != nil || ok != tc.want || ok && trace.Account != "bob@a.example" {
			t.Errorf("%q %q: %+v %v %v", tc.id, tc.messageID, trace, ok, err)
		}
	}
	for _, who := range []string{"bob", "ann", "bob", "c", "d", "e"} {
		r.saw(&sluice.Conn{Auth: who, Client: netip.MustParseAddrPort("192.0.2.7:1")}, &sluice.Envelope{})
	}
	now := time.Now()
	if trace, ok, _ := r.Line(t.Context(), netip.MustParseAddr("192.0.2.7"), now); !ok || trace.Account == "" {
		t.Errorf("at that time: %+v %v", trace, ok)
	}
	if _, ok, _ := r.Line(t.Context(), netip.MustParseAddr("192.0.2.7"), now.Add(-5*time.Hour)); ok {
		t.Error("found hours before")
	}
	if _, ok, _ := r.Line(t.Context(), netip.MustParseAddr("192.0.2.8"), now); ok {
		t.Error("another address is found")
	}
}
