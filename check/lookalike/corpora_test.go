package lookalike_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/lookalike"
	"sluice/internal/shared"
	index "sluice/learn/lookalike"
	"sluice/message"
)

// Good mail is hardly ever taken for a look-alike of large senders' domains; how much of
// the phish is, is logged.
func TestCorpora(t *testing.T) {
	if testing.Short() {
		t.Skip("reads stored mail")
	}
	root := shared.Dir(t, "corpora")
	text, err := os.ReadFile(filepath.Join(shared.Dir(t, "suites"), "sublime-static", "high_trust_sender_root_domains.txt"))
	if err != nil {
		t.Skip(err)
	}
	x := index.New(index.Config{})
	for d := range strings.FieldsSeq(string(text)) {
		x.Add(index.Name{Domain: d, Kind: index.Brand})
	}
	checks := lookalike.Checks(lookalike.Config{Index: x})
	f, err := os.Open(filepath.Join(root, "SPLIT.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, hits := map[string]int{}, map[string]map[string]int{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		col := strings.Split(sc.Text(), "\t")
		elem := strings.Split(col[0], "/")
		if len(col) != 4 || col[3] != "train" || len(elem) != 3 || elem[0] == "foff_milter" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(root, col[0]))
		if err != nil {
			t.Fatal(err)
		}
		in := &check.Input{Conn: &sluice.Conn{Stored: true}, Envelope: &sluice.Envelope{}, Message: message.Parse(raw, message.DefaultLimits()), Now: checktest.Now}
		key := elem[0] + "/" + elem[1]
		n[key]++
		for _, e := range checktest.Run(t, checks, in) {
			if hits[key] == nil {
				hits[key] = map[string]int{}
			}
			hits[key][string(e.Reason)]++
			if strings.HasSuffix(key, "ham") {
				t.Logf("%s: %s %s", col[0], e.Reason, e.Detail)
			}
		}
	}
	good, alarms := 0, 0
	for key, of := range n {
		t.Logf("%s: %d messages, %v", key, of, hits[key])
		if strings.HasSuffix(key, "ham") {
			good += of
			for id, k := range hits[key] {
				if !strings.Contains(id, "NAMES") { // those are weak by design
					alarms += k
				}
			}
		}
	}
	if alarms*500 > good {
		t.Errorf("%d likenesses in %d good messages", alarms, good)
	}
}
