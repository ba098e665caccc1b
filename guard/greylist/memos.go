package greylist

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sluice"
	"sluice/guard/journal"
	"sluice/guard/network"
)

// Kind is that of the list's memos. The key is a domain or a network.
const Kind = "greylist"

// passMemo is a pass on disk.
type passMemo struct {
	Returns uint32    `json:"returns"`
	Last    time.Time `json:"last"`
}

// Save writes the passes that changed since the last time, says how many, and drops
// those that are over. Tries aren't written: a restart costs those who wait just then
// one more delay.
func (l *List) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	n, err := l.dirty.Save(ctx, memos, func(w who) (sluice.Memo, bool) {
		v, ok := l.passes.Get(w)
		if !ok {
			return sluice.Memo{}, false
		}
		b, err := json.Marshal(passMemo{v.returns, time.Unix(0, v.last).UTC()})
		return sluice.Memo{Kind: Kind, Key: w.String(), Value: b, Updated: now}, err == nil
	})
	if err != nil {
		return n, fmt.Errorf("greylist: %w", err)
	}
	if last := l.swept.Load(); now.UnixNano()-last > int64(every) && l.swept.CompareAndSwap(last, now.UnixNano()) {
		if _, err := memos.DropMemos(ctx, Kind, now.Add(-l.config.Pass-every)); err != nil {
			return n, fmt.Errorf("greylist: %w", err)
		}
	}
	return n, nil
}

// Load reads what Save wrote and says how much of it still holds. What can't be read
// is left out; the error counts it.
func (l *List) Load(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	n, err := journal.Load(ctx, memos, Kind, func(m sluice.Memo) (bool, error) { return l.load(now, m) })
	if err != nil {
		return n, fmt.Errorf("greylist: %w", err)
	}
	return n, nil
}

func (l *List) load(now time.Time, m sluice.Memo) (bool, error) {
	var p passMemo
	if err := json.Unmarshal(m.Value, &p); err != nil {
		return false, err
	}
	w := who{domain: m.Key}
	if strings.Contains(m.Key, "/") {
		k, err := network.Parse(m.Key)
		if err != nil {
			return false, err
		}
		w = who{net: k}
	}
	age := now.Sub(p.Last)
	if m.Key == "" || len(m.Key) > 253 || age < -time.Hour {
		return false, fmt.Errorf("a pass last used %v", p.Last)
	}
	if age >= l.config.Pass || p.Returns == 0 {
		return false, nil
	}
	l.passes.Update(w, now, func(v *pass) {
		v.domain = w.domain != ""
		v.returns, v.last = max(v.returns, p.Returns), max(v.last, p.Last.UnixNano())
		v.noted = v.last
	})
	return true, nil
}
