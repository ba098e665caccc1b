package main

import (
	"log/slog"
	"strings"
	"testing"

	"sluice"
	"sluice/check"
	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/gate"
	"sluice/message"
	"sluice/reason"
)

// TestAdminRules: a rule of the settings speaks in the ledger, and a bad one stops the
// start with its name and place.
func TestAdminRules(t *testing.T) {
	judge := func(rule string) (gate.Settings, error) {
		cfg, err := config.Parse("x", []byte("data = \""+t.TempDir()+"\"\n[[rule]]\n"+rule), config.Flags{})
		if err != nil {
			t.Fatal(err)
		}
		return build.Judge(cfg, slog.New(slog.DiscardHandler), false)
	}
	set, err := judge("name = \"lottery\"\nwhen = 'message.subject contains \"lottery\"'\npoints = 3.0\nwhy = \"nobody here plays\"\n")
	if err != nil {
		t.Fatal(err)
	}
	in := &check.Input{Conn: &sluice.Conn{Stored: true}, Envelope: &sluice.Envelope{},
		Message: message.Parse([]byte("Subject: Your lottery prize\r\n\r\nCome and get it.\r\n"), message.DefaultLimits())}
	found := false
	for _, e := range set.Pipeline.Run(t.Context(), sluice.PhaseMessage, in, nil) {
		found = found || e.Reason == reason.AdminRule && e.Raw == 3 && strings.Contains(e.Detail, "lottery")
	}
	if !found {
		t.Error("the rule says nothing")
	}
	if _, err := judge("name = \"broken\"\nwhen = 'message.subjekt == \"x\"'\npoints = 3.0\nwhy = \"x\"\n"); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a bad rule: %v", err)
	}
}
