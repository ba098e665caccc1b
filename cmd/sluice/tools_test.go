package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTools has sluice scan run yara by its settings, in the real processes, and say
// what is wrong with a rule.
func TestTools(t *testing.T) {
	for _, p := range []string{"yara", "yarac"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed: scripts/install-test-deps")
		}
	}
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rules := put("site.yar", "rule Dropper { meta: malware = \"Needle\" strings: $a = \"the needle\" condition: $a }\n")
	settings := put("sluice.toml", fmt.Sprintf("data = %q\n[tools]\nyara_rules = [%q]\n", filepath.Join(dir, "data"), filepath.Join(dir, "*.yar")))
	mail := put("m.eml", "From: a@example.org\r\nTo: b@example.net\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee the file.\r\n"+
		"--b\r\nContent-Type: application/octet-stream; name=x.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"+base64.StdEncoding.EncodeToString([]byte("hay the needle hay"))+"\r\n--b--\r\n")
	scan := func() (string, string) {
		var out, errs bytes.Buffer
		run(t.Context(), []string{"scan", "--json", "--config", settings, mail}, strings.NewReader(""), &out, &errs)
		return out.String(), errs.String()
	}
	out, errs := scan()
	var got struct {
		Evidence []struct{ ID, Detail string } `json:"evidence"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s %s", err, out, errs)
	}
	found := ""
	for _, e := range got.Evidence {
		if e.ID == "ENGINE_MALWARE" {
			found = e.Detail
		}
	}
	if !strings.HasPrefix(found, "Needle (by yara, rule site:Dropper, in ") {
		t.Errorf("%q in %s", found, out)
	}
	put("site.yar", "rule Dropper { condition: true }\nrule Broken { condition: $a }\n")
	if _, errs := scan(); !strings.Contains(errs, rules+"(2): undefined string") {
		t.Errorf("a bad rule: %s", errs)
	}
}
