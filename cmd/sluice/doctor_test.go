package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDoctor fails where something is broken, and only there.
func TestDoctor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sluice.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	const quiet = "[[listen]]\naddress = \"127.0.0.1:0\"\n[console]\naddress = \"127.0.0.1:0\"\n[dns]\nservers = [\"none\"]\n"
	write(quiet)
	code, out, stderr := sluiceRun(t, "doctor", "--config", file, "--data", data)
	if code != 0 || stderr != "" || !strings.Contains(out, "\nNothing is broken: ") || !strings.Contains(out, "  warn  resolver  nobody is asked") {
		t.Errorf("%d %s\n%s", code, stderr, out)
	}
	write("[[dnsbl]]\nzone = \"bl.example.net\"\n" + quiet)
	code, out, _ = sluiceRun(t, "doctor", "--json", "--config", file, "--data", data)
	var r struct {
		Broken   int
		Findings []struct{ Area, Level string }
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 || r.Broken != 2 || len(r.Findings) < 10 {
		t.Errorf("%d %v %s", code, err, out)
	}
	write("listn = 1\n")
	code, out, stderr = sluiceRun(t, "doctor", "--config", file)
	if code != 1 || stderr != "" || !strings.Contains(out, "  bad   settings  "+file+":1:1: unknown key \"listn\"") {
		t.Errorf("%d %s\n%s", code, stderr, out)
	}
}
