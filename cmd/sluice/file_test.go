package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/store/sqlite"
	"sluice/store/storetest"
)

// TestFindByFile: what a message carried is found by digest or name, and shown.
func TestFindByFile(t *testing.T) {
	data := t.TempDir()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(data, "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Minute)
	s.Append(storetest.Record("carrier", at))
	s.Append(&sluice.Record{ID: "plain", Time: at})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sluice := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append(args, "--data", data), strings.NewReader(""), &out, &errs); code != want {
			t.Fatalf("%v: status %d, %s", args, code, &errs)
		}
		return out.String() + errs.String()
	}
	sum := storetest.Sum("zip").String()
	for _, args := range [][]string{{"--sha256", sum}, {"--sha256", strings.ToUpper(sum)}, {"--file", "invoice.EXE"}, {"--sha256", sum, "--file", "zip"}, {"--inside", "Files.example"}, {"--inside", "password_worked", "--sha256", sum}} {
		if out := sluice(0, append([]string{"log"}, args...)...); !strings.Contains(out, "carrier") || strings.Contains(out, "plain") {
			t.Errorf("%v:\n%s", args, out)
		}
	}
	if out := sluice(0, "log", "--sha256", storetest.Sum("other").String()); !strings.Contains(out, "nothing in the log") {
		t.Error(out)
	}
	for _, bad := range []string{"ab", sum + "0", "z" + sum[1:]} {
		if out := sluice(1, "log", "--sha256", bad); !strings.Contains(out, "64 hexadecimal digits") {
			t.Error(out)
		}
	}
	out := sluice(0, "explain", "carrier")
	for _, want := range []string{"files\n  Invoice.ZIP  zip, archive, 900 octets\n    sha256 " + sum + "\n    found PASSWORD_WORKED\n    leads to https://files.example/a\n", "\n    in/Invoice.exe  pe, executable, 2000 octets, locked by a password\n", "and 3 more"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var got struct {
		Files []struct{ Name, SHA256, In string } `json:"files"`
		Left  int                                 `json:"files_left"`
	}
	if err := json.Unmarshal([]byte(sluice(0, "explain", "--json", "carrier")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 2 || got.Files[0].SHA256 != sum || got.Files[1].SHA256 != "" || got.Files[1].In != "Invoice.ZIP" || got.Left != 3 {
		t.Errorf("%+v", got)
	}
}
