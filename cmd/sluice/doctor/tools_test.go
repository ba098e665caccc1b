package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sluice/inspect/sandbox"
)

func TestTools(t *testing.T) {
	for _, p := range []string{"yara", "yarac", "tesseract"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed: scripts/install-test-deps")
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"good.yar": "rule A { condition: true }\n", "bad.yar": "rule A { condition: true }\nrule B { condition: no }\n",
		"slow.yar": "rule S { strings: $a = \"x\" condition: $a }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules := func(name string) string {
		return fmt.Sprintf("[tools]\nyara_rules = [%q]\n", filepath.Join(dir, name))
	}
	bare := []sandbox.Layer{{Name: sandbox.LayerPrivileges, Holds: true}, {Name: sandbox.LayerSeccomp, Holds: true}, {Name: sandbox.LayerLandlock}}
	for _, c := range []struct {
		name, settings string
		layers         []sandbox.Layer
		want           []string
	}{
		{"off", "", nil, nil},
		{"good", rules("good.yar"), nil, []string{"ok YARA "}},
		{"bad", rules("bad.yar"), nil, []string{"bad sluice serve would stop: yara_rules: "}},
		{"none", rules("*.yara"), nil, []string{"bad sluice serve would stop: yara_rules: no file is called "}},
		{"slow", rules("slow.yar"), nil, []string{"ok YARA ", "warn 1 warning of the rules' compiler, the first: rule \"S\""}},
		{"ocr", "[tools]\nocr = true\n", nil, []string{"ok tesseract "}},
		{"language", "[tools]\nocr = true\nocr_languages = [\"xyz\"]\n", nil, []string{"bad sluice serve would stop: ocr_languages: tesseract has no \"xyz\""}},
		{"no landlock", rules("good.yar"), bare, []string{"warn YARA "}},
		{"no landlock, strict", rules("good.yar") + "[files]\nstrict = true\n", bare, []string{"bad YARA "}},
	} {
		x := with(t, settings(t, c.settings), `{}`)
		if c.layers != nil {
			x.m.layers = func() []sandbox.Layer { return c.layers }
		}
		want(t, c.name, x.tools(t.Context()), c.want...)
	}
}
