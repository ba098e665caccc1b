package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sluice/eval"
)

// measured is what a scanner made of messages.
type measured struct {
	CPU    float64            `json:"cpu_ms"` // a message
	Scores map[string]float64 `json:"scores"` // by corpus/label/name; higher is worse
}

// readScores reads what scanload -scores wrote: name, split, label, verdict, score,
// detail. Messages that failed are left out.
func readScores(r io.Reader) (map[string]float64, error) {
	out := map[string]float64{}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		f := strings.Split(sc.Text(), "\t")
		if len(f) < 5 {
			return nil, fmt.Errorf("scores: line %d has %d columns", n, len(f))
		}
		if f[3] == "error" {
			continue
		}
		v, err := strconv.ParseFloat(f[4], 64)
		if err != nil {
			return nil, fmt.Errorf("scores: line %d: %w", n, err)
		}
		out[f[0]] = v
	}
	return out, sc.Err()
}

// keep returns what an earlier run with the same work folder measured, and measures
// and keeps what it lacks of test.
func keep(work, name string, test []eval.Entry, measure func([]eval.Entry) (*measured, error)) (*measured, error) {
	file := filepath.Join(work, name+".json")
	kept := measured{Scores: map[string]float64{}}
	if b, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(b, &kept); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	lacking := slices.DeleteFunc(slices.Clone(test), func(e eval.Entry) bool {
		_, ok := kept.Scores[e.Path]
		return ok
	})
	if len(lacking) == 0 {
		return &kept, nil
	}
	m, err := measure(lacking)
	if err != nil {
		return nil, err
	}
	before, now := float64(len(kept.Scores)), float64(len(m.Scores))
	kept.CPU = (kept.CPU*before + m.CPU*now) / max(before+now, 1)
	maps.Copy(kept.Scores, m.Scores)
	b, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	return &kept, os.WriteFile(file, b, 0o644)
}
