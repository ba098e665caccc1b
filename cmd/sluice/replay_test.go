package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/reason"
	"sluice/store/sqlite"
)

// judgedRecord is a record of mail whose text says so much against it.
func judgedRecord(id string, at time.Time, text float64) *sluice.Record {
	e := []sluice.Evidence{
		{Reason: reason.TextSpam, Phase: sluice.PhaseMessage, Group: sluice.GroupText, Raw: text, Threat: sluice.ThreatSpam, State: sluice.Found, Detail: "words: cheap, pills"},
		{Reason: reason.LinkShortener, Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Raw: 1, State: sluice.Found, Detail: "bit.ly"},
	}
	r := &sluice.Record{ID: id, Time: at, Phase: sluice.PhaseMessage, Subject: "Cheap pills", Size: 4000, Tenant: "a.example",
		Conn:     sluice.Conn{Client: netip.MustParseAddrPort("192.0.2.1:4000")},
		Envelope: sluice.Envelope{ID: id, From: "ann@b.example", Rcpts: []sluice.Recipient{{Address: "bob@a.example"}}},
		Verdict:  verdict.Weigh(e, verdict.DefaultWeights()), Reply: sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Message taken"}}
	r.Verdict.Versions = sluice.Versions{Program: "devel", Catalogue: reason.Hash(), Model: "x", Config: "y"}
	r.Decisions = []sluice.Decision{policy.Decide(r.Verdict, policy.Default(), "bob@a.example", policy.Circumstances{})}
	return r
}

// TestReplay judges a log again under other settings: those that flip are shown, and
// under the same settings none does. SLUICE_REPLAY=100000 makes the log that long.
func TestReplay(t *testing.T) {
	n := 1200 // more than two pages
	if s := os.Getenv("SLUICE_REPLAY"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	data := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(data, "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(-24 * time.Hour)
	for i := range n {
		s.Append(judgedRecord(fmt.Sprintf("M%d", i), start.Add(time.Duration(i)*time.Millisecond), float64(i%30)))
		if i%500 == 0 {
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(data, "new.toml")
	if err := os.WriteFile(settings, []byte("[policy]\nquarantine_at = 0.8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append(args, "--data", data), strings.NewReader(""), &out, &errs); code != 0 {
			t.Fatalf("%v: status %d, %s", args, code, &errs)
		}
		return out.String()
	}
	var same, other struct {
		Messages, Same int
		Text           int `json:"text_as_then"`
		Flips          []struct {
			Was, Is  string
			Count    int
			Reasons  map[string]int
			Examples []struct{ ID string }
		}
	}
	if err := json.Unmarshal([]byte(run("replay", "--json")), &same); err != nil {
		t.Fatal(err)
	}
	if same.Messages != n || same.Same != n || len(same.Flips) != 0 || same.Text != n {
		t.Errorf("the same settings: %+v", same)
	}
	clock := time.Now()
	if err := json.Unmarshal([]byte(run("replay", "--json", "--config", settings, "--since", "2d", "--examples", "3")), &other); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages in %v", n, time.Since(clock))
	if other.Messages != n || len(other.Flips) != 1 {
		t.Fatalf("%+v", other)
	}
	if f := other.Flips[0]; f.Was != "tag" || f.Is != "quarantine" || f.Count != n-other.Same || f.Count < n/30 || f.Reasons["TEXT_SPAM"] != f.Count || len(f.Examples) != 3 {
		t.Errorf("%+v", f)
	}
	if text := run("replay", "--config", settings); !strings.Contains(text, "tag → quarantine  "+fmt.Sprint(other.Flips[0].Count)) || !strings.Contains(text, "<ann@b.example> → <bob@a.example>") {
		t.Error(text)
	}
	held := fmt.Sprintf("M%d", n-n%30-1) // the last of 29 decibel
	if text := run("explain", held); !strings.Contains(text, "would be delivered without: TEXT_SPAM\n") {
		t.Error(text)
	}
}
