package words

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/subscriber/signal"
)

// TestWords: all languages say the same things, all signals have words, and none is a
// copy of the English ones.
func TestWords(t *testing.T) {
	w, err := New("", "")
	if err != nil {
		t.Fatal(err)
	}
	en := w.Of("en")
	weights := signal.DefaultWeights()
	for _, code := range Languages() {
		s := w.Of(code)
		for k := range weights.Kinds {
			if name := weights.Kinds[k].Name; name != "" && s.Seen[name] == "" {
				t.Errorf("%s: no words for %s", code, name)
			}
		}
		for _, p := range []struct{ a, b map[string]string }{{en.Mail, s.Mail}, {en.SMS, s.SMS}, {en.Page, s.Page}, {en.Seen, s.Seen}} {
			if a, b := slices.Sorted(maps.Keys(p.a)), slices.Sorted(maps.Keys(p.b)); !slices.Equal(a, b) {
				t.Errorf("%s: %v instead of %v", code, b, a)
			}
			for k, text := range p.b {
				if code != "en" && text == p.a[k] && strings.Contains(text, " ") && !strings.HasPrefix(text, "{") {
					t.Errorf("%s: %s is in English", code, k)
				}
				if en, own := placeholders(p.a[k]), placeholders(text); !slices.Equal(en, own) {
					t.Errorf("%s: %s has %v, English %v", code, k, own, en)
				}
			}
		}
		for k, list := range en.Steps {
			if len(s.Steps[k]) != len(list) {
				t.Errorf("%s: %d steps for %s", code, len(s.Steps[k]), k)
			}
		}
		for k, text := range s.SMS { // two parts of a long SMS leave room for link and names
			if n := len([]rune(Fill(text, "site", "", "link", "", "help", "", "case", ""))); n > 140 {
				t.Errorf("%s: sms %s has %d letters", code, k, n)
			}
		}
	}
	if w.Of("de-AT").Code != "de" || w.Of("xx").Code != "en" || w.Of("").Code != "en" {
		t.Error("the choice of a language")
	}
	if en.Saw("NONE_SUCH") == "" {
		t.Error("a kind that nobody knows has no words")
	}
}

func placeholders(text string) []string {
	var out []string
	for _, m := range inBraces.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestEdited: an operator's words replace ours, and mistakes in them are told.
func TestEdited(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"[sms]\ninfected = \"Call us. {link}\"\n", ""},
		{"[sms]\ninfected = \"Call us.\"\n", "{link} is missing"},
		{"[sms]\ninfected = \"{link} {password}\"\n", "{password} means nothing"},
		{"[sms]\nother = \"{link}\"\n", "no such words"},
		{"[smss]\nother = \"{link}\"\n", "strict mode"},
		{"[page]\nrelease = \"\"\n", "no words"},
		{"[mail]\nsubject_stolen = \"a\\nBcc: b\"\n", "more than one line"},
		{"[steps]\nstolen = []\n", "want 1 to"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "de.toml"), []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := New(dir, "de")
		switch {
		case tc.want == "" && err != nil, tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%q: %v", tc.text, err)
		case tc.want == "" && (w.Of("").SMS["infected"] != "Call us. {link}" || w.Of("en").SMS["infected"] == w.Of("de").SMS["infected"]):
			t.Errorf("%q: %q", tc.text, w.Of("").SMS["infected"])
		}
	}
	if _, err := New(filepath.Join(t.TempDir(), "none"), ""); err == nil {
		t.Error("a folder that isn't there")
	}
	if _, err := New("", "xx"); err == nil {
		t.Error("a language that isn't there")
	}
}
