package lookalike_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/shared"
	"sluice/learn/lookalike"
	"sluice/message"
	"sluice/message/links"
)

// honest lists the organizational domains of good mail: authors' and links', with how
// many messages hold each, of the corpora's train part.
func honest(t *testing.T) map[string]int {
	root := shared.Dir(t, "corpora")
	f, err := os.Open(filepath.Join(root, "SPLIT.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]int{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		col := strings.Split(sc.Text(), "\t")
		elem := strings.Split(col[0], "/")
		if len(col) != 4 || col[3] != "train" || len(elem) != 3 || elem[1] != "ham" && elem[1] != "hardham" || elem[0] == "foff_milter" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(root, col[0]))
		if err != nil {
			t.Fatal(err)
		}
		m := message.Parse(raw, message.DefaultLimits())
		hosts := map[string]bool{}
		for _, name := range []string{"From", "Reply-To", "To"} {
			for _, a := range m.Addresses(name) {
				hosts[links.OrgDomain(a.Domain)] = true
			}
		}
		for _, l := range m.View().Links {
			hosts[links.OrgDomain(l.Host)] = true
		}
		for h := range hosts {
			if strings.Contains(h, ".") {
				seen[h]++
			}
		}
	}
	return seen
}

// Domains of good mail resemble brands, and each other, hardly ever.
func TestHonestNeighbours(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all good mail")
	}
	suite := shared.Dir(t, "suites")
	text, err := os.ReadFile(filepath.Join(suite, "sublime-static", "high_trust_sender_root_domains.txt"))
	if err != nil {
		t.Skip(err)
	}
	seen := honest(t)
	brands := index()
	for d := range strings.FieldsSeq(string(text)) {
		brands.Add(lookalike.Name{Domain: d, Kind: lookalike.Brand})
	}
	n := report(t, "brands", brands, seen)
	if n*200 > len(seen) {
		t.Errorf("%d of %d domains of good mail resemble a brand", n, len(seen))
	}
	each := index()
	for d := range seen {
		each.Add(lookalike.Name{Domain: d, Kind: lookalike.Correspondent})
	}
	// Each against all others: as if the first of them were unknown.
	alike := 0
	for _, d := range sorted(seen) {
		each.Remove(d, lookalike.Correspondent)
		if m := each.Lookup(d, nil); len(m) > 0 {
			alike++
			t.Logf("each other: %s resembles %s: %v, %.2f", d, m[0].Name.Domain, m[0].Family, m[0].Strength)
		}
		each.Add(lookalike.Name{Domain: d, Kind: lookalike.Correspondent})
	}
	t.Logf("%d of %d domains resemble another of them", alike, len(seen))
	if alike*50 > len(seen) {
		t.Errorf("%d of %d domains of good mail resemble another of them", alike, len(seen))
	}
}

func report(t *testing.T, what string, x *lookalike.Index, seen map[string]int) (n int) {
	for _, d := range sorted(seen) {
		for i, m := range x.Lookup(d, nil) {
			if i == 0 {
				n++
			}
			t.Logf("%s: %s (%d messages) resembles %s: %v, %.2f", what, d, seen[d], m.Name.Domain, m.Family, m.Strength)
		}
	}
	t.Logf("%s: %d of %d domains", what, n, len(seen))
	return n
}

func sorted(seen map[string]int) []string {
	out := make([]string, 0, len(seen))
	for d := range seen {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}
