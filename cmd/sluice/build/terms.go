package build

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sluice"
	"sluice/config"
	"sluice/judge/verdict"
	"sluice/reason"
	"sluice/replay"
)

// Terms are what the settings judge by.
func Terms(cfg *config.Config) replay.Terms {
	t := replay.Terms{Weights: verdict.DefaultWeights(), Policy: buildPolicy(cfg), Rules: map[string]float64{}}
	for _, r := range cfg.Rules {
		if !r.DryRun {
			t.Rules[r.Name] = r.Points
		}
	}
	return t
}

// catalogueKind is the kind of memo under which the points of catalogues are kept, by
// the catalogue's version, so that what an older program judged can be judged again.
const catalogueKind = "catalogue"

// RememberCatalogue writes down what reasons count in this program.
func RememberCatalogue(ctx context.Context, memos sluice.Memos) error {
	points := map[sluice.Reason]float64{}
	for _, e := range reason.All() {
		points[sluice.Reason(e.ID)] = e.Points
	}
	value, err := json.Marshal(points)
	if err == nil {
		err = memos.PutMemos(ctx, []sluice.Memo{{Kind: catalogueKind, Key: reason.Hash(), Value: value, Updated: time.Now()}})
	}
	if err != nil {
		return fmt.Errorf("catalogue of reasons: its points can't be kept for sluice replay: %w", err)
	}
	return nil
}

// Catalogues are the points of all catalogues that were in force here, by version.
func Catalogues(ctx context.Context, memos sluice.Memos) (map[string]map[sluice.Reason]float64, error) {
	out := map[string]map[sluice.Reason]float64{}
	err := memos.EachMemo(ctx, catalogueKind, func(m sluice.Memo) error {
		points := map[sluice.Reason]float64{}
		if err := json.Unmarshal(m.Value, &points); err != nil {
			return fmt.Errorf("catalogue %s: %w", m.Key, err)
		}
		out[m.Key] = points
		return nil
	})
	return out, err
}
