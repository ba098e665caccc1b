package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	linted "sluice/lint/report"
)

// TestLint: the exit status tells scripts what to do, and JSON is one report.
func TestLint(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none := file("none.toml", "dns = { servers = [\"none\"] }\n")
	zone := file("zone.json", `{"example.org": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"], "MX": ["10 mx.example.org."]}, "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject; rua=mailto:d@example.org"]}}`)
	draft := file("draft.eml", "From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: minutes\nDate: Tue, 10 Mar 2026 09:00:00 +0000\nMessage-ID: <1@example.org>\n\nThe minutes are in the folder.\n")
	bad := file("bad.eml", "From: a@example.org\nFrom: b@example.org\nSubject: x\n\nX5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*\n")
	for _, test := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{draft}, 1, "isn't signed"},
		{[]string{"--dns-zone", zone, draft}, 1, "v=DMARC1; p=reject"},
		{[]string{"--public", draft}, 1, "would be delivered"},
		{[]string{bad}, 2, "would be withheld"},
		{[]string{filepath.Join(dir, "missing.eml")}, 3, ""},
		{[]string{"--ip", "here", draft}, 3, ""},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"lint", "--config", none, "--data", dir}, test.args...)
		if code := run(context.Background(), args, strings.NewReader(""), &out, &errs); code != test.code || !strings.Contains(out.String(), test.out) {
			t.Errorf("%v: status %d, want %d and %q in\n%s%s", test.args, code, test.code, test.out, out.String(), errs.String())
		}
	}
	var out, errs bytes.Buffer
	run(context.Background(), []string{"lint", "--config", none, "--data", dir, "--json", draft}, nil, &out, &errs)
	var r linted.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Verdict == nil || len(r.Sections) < 4 || r.Class != linted.Delivered {
		t.Errorf("%v in %s", err, out.String())
	}
}
