package cases

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"sluice"
	"sluice/internal/golden"
	"sluice/store/memory"
	"sluice/store/storetest"
	"sluice/subscriber"
)

// book is [Book] with whoever really decides.
type book struct {
	*subscriber.Warden
	*memory.Store
}

func (b book) Case(ctx context.Context, id string) (*sluice.Case, error) {
	return b.Warden.Case(ctx, id)
}
func (b book) CloseCase(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error) {
	return b.Warden.Close(ctx, now, id, admin, note)
}
func (b book) Close() error { return nil }

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// shell runs command lines on two cases, one with hostile words.
func shell(t *testing.T) func(args ...string) (string, error) {
	t.Helper()
	store := memory.New()
	w, err := subscriber.New(subscriber.Config{Key: []byte("0123456789abcdef"), Cases: store, ID: func() string { return "CNEW" }})
	if err != nil {
		t.Fatal(err)
	}
	for i, subject := range []string{"account:bob@a.example", "account:\x1b[31mann"} {
		c := storetest.Case([]string{"CASE1", "CASE2"}[i], subject, now.Add(time.Duration(i-50)*time.Hour))
		c.State, c.Into, c.Merged, c.LeftSteps = sluice.CaseHeld, "", nil, 0
		c.Notified, c.Told, c.Confirmed, c.Remediated, c.Watched, c.Until, c.Closed = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
		if err := store.PutCase(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return func(args ...string) (string, error) {
		var out bytes.Buffer
		env := &Env{Context: t.Context(), Stdout: &out, User: "eve", Clock: func() time.Time { return now },
			Open: func(context.Context, string, string) (Book, error) { return book{w, store}, nil }}
		var c Command
		p, err := kong.New(&c, kong.Bind(env))
		if err != nil {
			t.Fatal(err)
		}
		line, err := p.Parse(args)
		if err == nil {
			err = line.Run()
		}
		return out.String(), err
	}
}

func TestCommand(t *testing.T) {
	sh := shell(t)
	var all strings.Builder
	for _, line := range []string{"list", "show CASE1", "note CASE1 called him", "release CASE1 --why reinstalled", "release CASE1", "show none", "close CASE2", "list", "list --all", "reopen CASE2 --why again",
		"false-alarm CASE2", "list --state odd", "list --limit 0", "figures", "figures --from x", "figures --from 2026-11-30", "figures --csv"} {
		out, err := sh(strings.Fields(line)...)
		all.WriteString("$ sluice case " + line + "\n" + out)
		if err != nil {
			all.WriteString("error: " + err.Error() + "\n")
		}
		all.WriteString("\n")
	}
	if strings.Contains(all.String(), "\x1b") {
		t.Error("hostile letters reach the terminal")
	}
	golden.Check(t, "testdata/session.golden", []byte(all.String()))
}

// TestJSON: what programs read is what the API says too.
func TestJSON(t *testing.T) {
	sh := shell(t)
	out, err := sh("list", "--json")
	if err != nil || strings.Count(out, "\n") != 2 {
		t.Fatalf("%v\n%s", err, out)
	}
	var one struct {
		ID    string
		State string
		Acts  []string
	}
	if out, err = sh("show", "CASE2", "--json"); err != nil || json.Unmarshal([]byte(out), &one) != nil || one.ID != "CASE2" || one.State != "held" || len(one.Acts) == 0 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = sh("release", "CASE2", "--json"); err != nil || json.Unmarshal([]byte(out), &one) != nil || one.State != "watched" {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = sh("figures", "--json"); err != nil || !json.Valid([]byte(out)) {
		t.Errorf("%v\n%s", err, out)
	}
}
