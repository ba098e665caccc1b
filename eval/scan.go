package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"sluice"
)

// Judged is a message of the corpora and what was made of it.
type Judged struct {
	Entry  *Entry
	Score  float64 // higher is worse
	Action string  // accept, tag, banner, strip, quarantine, defer, reject, …; "" for none
	// Ledger is the evidence that was found, without PRIOR: reason, group and raw
	// decibel. Hard evidence isn't told from soft.
	Ledger []sluice.Evidence
}

// hardScore stands in for hard stops and passes, which sort above every sum.
const hardScore = 1000

// line is what is read of one line of `sluice scan --json`.
type line struct {
	File    string `json:"file"`
	Verdict *struct {
		Points float64 `json:"points"`
		Action string  `json:"action"`
		Hard   string  `json:"hard"`
	} `json:"verdict"`
	Evidence []struct {
		ID    sluice.Reason `json:"id"`
		Group sluice.Group  `json:"group"`
		Raw   float64       `json:"raw"`
		State string        `json:"state"`
	} `json:"evidence"`
}

// FromScan reads the output of `sluice scan --json` and matches it with the
// split by the last three elements of the file's path. Messages that aren't in
// the split, and those that could not be scanned, are counted and left out.
func FromScan(r io.Reader, split []Entry) (judged []Judged, left int, err error) {
	byPath := make(map[string]*Entry, len(split))
	for i := range split {
		byPath[split[i].Path] = &split[i]
	}
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var l line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return judged, left, nil
		} else if err != nil {
			return judged, left, fmt.Errorf("eval: scan output, object %d: %w", n, err)
		}
		e := byPath[lastThree(l.File)]
		if e == nil || l.Verdict == nil {
			left++
			continue
		}
		j := Judged{Entry: e, Score: l.Verdict.Points, Action: l.Verdict.Action}
		if l.Verdict.Hard != "" {
			if Mild(j.Action) {
				j.Score -= hardScore
			} else {
				j.Score += hardScore
			}
		}
		for _, e := range l.Evidence {
			if e.State == "" && e.Group != sluice.GroupPrior {
				j.Ledger = append(j.Ledger, sluice.Evidence{Reason: e.ID, Group: e.Group, Raw: e.Raw})
			}
		}
		judged = append(judged, j)
	}
}

// Mild says whether the message reaches its mailbox.
func Mild(action string) bool {
	switch action {
	case "", "accept", "tag", "banner", "strip":
		return true
	}
	return false
}

func lastThree(file string) string {
	p := strings.Split(path.Clean(filepath.ToSlash(file)), "/")
	return strings.Join(p[max(0, len(p)-3):], "/")
}
