package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/eval/carriers/carrier"
)

// unseen are cases of which the whole engine says nothing more than of their twins: the
// link of each is judged by where it leads, and these lead nowhere known. The list may
// only shrink.
var unseen = map[string]bool{"link-in-document": true, "calendar": true, "card": true}

// byClass are cases whose twin is refused or held too, for what kind of file it is: by
// the admin's table, not as malware.
var byClass = map[string]bool{"shortcut": true, "shortcut-in-iso": true, "internet-shortcut": true, "iso": true, "macro-autorun": true}

// TestEngine has `sluice scan --json` judge all of the mail, and prints what its
// evidence says of each carrier that it doesn't say of the twin.
func TestEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mail := filepath.Join(dir, "mail")
	if err := run(mail); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "scan", "--json", "-j", "1", "--dns-zone", "/dev/null", "--data", dir, mail)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		t.Fatalf("%v\n%s", err, errs.Bytes())
	}
	type verdict struct {
		File    string
		Verdict struct {
			Points float64
			Action string
			Hard   string
		}
		Evidence []struct {
			ID, Group string
			Points    float64
		}
	}
	said := map[string]verdict{}
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		var v verdict
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		said[filepath.Base(v.File)] = v
	}
	var table strings.Builder
	seen, clean := 0, 0
	all := carrier.Cases()
	for _, c := range all {
		bad, ok := said[c.Name+".carrier.eml"]
		twin, ok2 := said[c.Name+".twin.eml"]
		if !ok || !ok2 {
			t.Errorf("%s was not judged", c.Name)
			continue
		}
		var more []string
		for _, e := range bad.Evidence {
			known := false
			for _, o := range twin.Evidence {
				known = known || o.ID == e.ID && o.Points >= e.Points
			}
			if !known && slices.Contains([]string{"attachment", "link"}, e.Group) {
				more = append(more, fmt.Sprintf("%s %+.1f", e.ID, e.Points))
			}
		}
		switch {
		case len(more) > 0:
			seen++
			if unseen[c.Name] {
				t.Errorf("%s is seen: take it off the list", c.Name)
			}
		case !unseen[c.Name]:
			t.Errorf("%s: nothing is said of it", c.Name)
		}
		switch v := twin.Verdict; {
		case v.Action == "accept":
			clean++
		case !byClass[c.Name] || strings.Contains(v.Hard, "MALWARE") || v.Hard == "EICAR":
			t.Errorf("%s: its twin: %s %s, %.1f points", c.Name, v.Action, v.Hard, v.Points)
		}
		fmt.Fprintf(&table, "%-11s %-22s %-10s %6.1f %-10s twin %-10s %6.1f  %s\n", c.Line, c.Name, bad.Verdict.Action, bad.Verdict.Points, bad.Verdict.Hard,
			twin.Verdict.Action, twin.Verdict.Points, strings.Join(more, ", "))
	}
	fmt.Fprintf(&table, "%d of %d carriers seen, %d twins accepted\n", seen, len(all), clean)
	t.Log("\n" + table.String())
}
