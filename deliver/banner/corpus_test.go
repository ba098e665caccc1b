package banner

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/deliver/rewrite"
	"sluice/internal/shared"
	"sluice/message"
	"sluice/reason"
)

// every is how much of the corpora a test reads.
const every = 40

// TestCorpora puts a banner on real mail, looks at it, and takes it off again.
func TestCorpora(t *testing.T) {
	dir := shared.Dir(t, "corpora")
	n, carried, files := 0, 0, 0
	why := map[string]int{}
	w, list := writer(t), items(t, reason.FirstContact)
	langs := []string{"en", "de", "fr", "es"}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".tsv") || strings.HasSuffix(path, ".md") {
			return err
		}
		if files++; files%every != 0 {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > 2<<20 {
			return err
		}
		n++
		raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		m := message.Parse(raw, message.DefaultLimits())
		lang := langs[n%len(langs)]
		p := w.Add(m, list, lang)
		if p.Left != "" {
			why[p.Left]++
			return nil
		}
		carried++
		out := rewrite.Apply(raw, p.Changes)
		m2 := message.Parse(out, message.DefaultLimits())
		t.Run(filepath.Base(path), func(t *testing.T) {
			same(t, m, m2, p)
			if v := m2.View(); !strings.Contains(v.Text+v.Plain, w.token) && !v.Truncated { // text/enriched has none
				t.Errorf("%s: nobody sees the banner", path)
			}
			if n := longest(out); n > 999 && n > longest(raw) {
				t.Errorf("%s: a line of %d octets", path, n)
			}
			p2 := w.Add(m2, list, lang)
			if again := rewrite.Apply(out, p2.Changes); !bytes.Equal(again, out) {
				t.Errorf("%s: not idempotent", path)
			}
			m3 := message.Parse(rewrite.Apply(out, w.Remove(m2).Changes), message.DefaultLimits())
			same(t, m, m3, p)
			for i, part := range m.Parts {
				if (part.Type == "text/plain" || part.Type == "text/html") && !Present(m) && strings.TrimLeft(m.Text(part), "\ufeff") != strings.TrimLeft(m3.Text(m3.Parts[i]), "\ufeff") {
					t.Errorf("%s: part %d isn't as it was", path, i)
				}
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages, %d carried a banner; left: %v", n, carried, why)
}

// longest is the length of the longest line.
func longest(b []byte) (n int) {
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		n = max(n, len(line))
	}
	return n
}
