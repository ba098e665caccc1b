package scan

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/shared"
	"sluice/message"
)

// TestCorpora walks the real mail: one item a file, none unreadable, and where a
// corpus has Received fields, a client for nearly all of it.
func TestCorpora(t *testing.T) {
	dir := shared.Dir(t, "corpora")
	for corpus, least := range map[string]float64{ // share of messages whose client is found
		"spamassassin": .97, "lists_2019_2026": .97, "phishing_pot": .97, "nazario": .9, "glitchyzorua_419": .9, "enron_raw": 0,
	} {
		root := filepath.Join(dir, corpus)
		files := 0
		err := filepath.WalkDir(root, func(_ string, d os.DirEntry, err error) error {
			if err == nil && filepath.Ext(d.Name()) == ".eml" {
				files++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		items, clients, hellos, senders, rcpts := 0, 0, 0, 0, 0
		for i := range Sources(Config{Paths: []string{root}}) {
			m, err := i.Open()
			if err != nil {
				t.Errorf("%s: %v", i.ID, err)
				continue
			}
			items++
			o := Stored(m, message.Parse(m.Raw, message.DefaultLimits()))
			if o.Client.IsValid() {
				clients++
			}
			if o.Hello != "" {
				hellos++
			}
			if o.HasFrom {
				senders++
			}
			if len(o.Rcpts) > 0 {
				rcpts++
			}
		}
		t.Logf("%s: %d messages, client of %d, greeting of %d, sender of %d, recipient of %d", corpus, items, clients, hellos, senders, rcpts)
		if items != files {
			t.Errorf("%s: %d items of %d files", corpus, items, files)
		}
		if float64(clients) < least*float64(items) {
			t.Errorf("%s: found the client of %d of %d messages, want %g", corpus, clients, items, least)
		}
	}
}
