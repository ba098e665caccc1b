package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadWords(t *testing.T) {
	c := []entry{{ID: "A", Fix: "do it"}, {ID: "B"}}
	for _, tt := range []struct{ name, text, want string }{
		{"de.toml", "[A]\npage = \"Ein Satz.\"\nfix = \"Noch einer.\"\n[B]\npage = \"Satz.\"\n", ""},
		{"de.toml", "[C]\npage = \"Satz.\"\n", "C: there is no such reason"},
		{"de.toml", "[A]\npage = \"Satz.\"\n", "A: want a fix"},
		{"de.toml", "[B]\npage = \"Satz.\"\nfix = \"Satz.\"\n", "B: want a fix"},
		{"de.toml", "[B]\nfix = \"Satz.\"\n", "B: want a page"},
		{"de.toml", "[B]\npage = \"Kein Satz\"\n", "B: want whole sentences"},
		{"de.toml", "[B]\npage = \"<b>Satz</b>.\"\n", "B: no markup"},
		{"de.toml", "[B]\npage = \"Satz.\"\nuser = \"Satz.\"\n", "de.toml"},
		{"german.toml", "[B]\npage = \"Satz.\"\n", "two letters"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, tt.name), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readWords(dir, c)
		switch {
		case tt.want == "" && (err != nil || len(got) != 1 || len(got[0].words) != 2):
			t.Errorf("%+v, %v", got, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
	if got, err := readWords(filepath.Join(t.TempDir(), "none"), c); err != nil || len(got) != 0 {
		t.Errorf("without a folder: %v, %v", got, err)
	}
}
