package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"sluice"
	"sluice/guard/journal"
	"sluice/guard/network"
)

// The kinds of the guard's memos.
const (
	KindBan   = "ban"   // key: network
	KindLogin = "login" // key: account; where it logged in, nothing else
)

// banMemo is a ban on disk.
type banMemo struct {
	Since  time.Time     `json:"since"`
	Until  time.Time     `json:"until"`
	Times  int           `json:"times"`
	Reason sluice.Reason `json:"reason"`
}

// placeMemo is a place of an account on disk.
type placeMemo struct {
	Client netip.Prefix `json:"client"`
	Last   time.Time    `json:"last"`
}

// Save writes bans and places of login that changed since the last time, and says how
// many; it drops what is over. Passwords and what is made of them never leave memory.
func (g *Guard) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	bans, err := g.bansChanged.Save(ctx, memos, func(k network.Key) (sluice.Memo, bool) {
		v, ok := g.bans.Get(k)
		if !ok {
			return sluice.Memo{}, false
		}
		return memo(now, KindBan, k.String(), banMemo{time.Unix(0, v.since).UTC(), time.Unix(0, v.until).UTC(), v.times, v.why})
	})
	if err != nil {
		return bans, fmt.Errorf("guard: bans: %w", err)
	}
	homes, err := g.homesChanged.Save(ctx, memos, func(account string) (sluice.Memo, bool) {
		v, ok := g.homes.Get(account)
		if !ok {
			return sluice.Memo{}, false
		}
		list := make([]placeMemo, 0, len(v.places))
		for _, p := range v.places {
			list = append(list, placeMemo{p.host.Netip(), time.Unix(0, p.last).UTC()})
		}
		return memo(now, KindLogin, account, list)
	})
	if err != nil {
		return bans + homes, fmt.Errorf("guard: logins: %w", err)
	}
	if !g.sweep(now) {
		return bans + homes, nil
	}
	// A ban and its memory last two days at most, unless the longest is set longer.
	if _, err := memos.DropMemos(ctx, KindBan, now.Add(-g.config.Bans.Longest-recent)); err != nil {
		return bans + homes, fmt.Errorf("guard: bans: %w", err)
	}
	if _, err := memos.DropMemos(ctx, KindLogin, now.Add(-loginFor-time.Hour)); err != nil {
		return bans + homes, fmt.Errorf("guard: logins: %w", err)
	}
	return bans + homes, nil
}

// sweep says whether it is time to drop old memos.
func (g *Guard) sweep(now time.Time) bool {
	last := g.swept.Load()
	return now.UnixNano()-last > int64(time.Hour) && g.swept.CompareAndSwap(last, now.UnixNano())
}

func memo(now time.Time, kind, key string, value any) (sluice.Memo, bool) {
	b, err := json.Marshal(value)
	return sluice.Memo{Kind: kind, Key: key, Value: b, Updated: now}, err == nil && len(b) <= sluice.MaxMemo
}

// Load reads what Save wrote and says how much of it still holds. What can't be read
// is left out: a ban less is better than no start. The error counts it.
func (g *Guard) Load(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	bans, err := journal.Load(ctx, memos, KindBan, func(m sluice.Memo) (bool, error) { return g.loadBan(now, m) })
	if err != nil {
		err = fmt.Errorf("guard: %w", err)
	}
	homes, second := journal.Load(ctx, memos, KindLogin, func(m sluice.Memo) (bool, error) { return g.loadHome(now, m) })
	if second != nil {
		err = errors.Join(err, fmt.Errorf("guard: %w", second))
	}
	return bans + homes, err
}

func (g *Guard) loadBan(now time.Time, m sluice.Memo) (bool, error) {
	k, err := network.Parse(m.Key)
	if err != nil {
		return false, err
	}
	var b banMemo
	if err := json.Unmarshal(m.Value, &b); err != nil {
		return false, err
	}
	// A clock that was wrong once must not ban for ever.
	if b.Times < 0 || b.Until.Sub(b.Since) > g.config.Bans.Longest || b.Since.After(now.Add(time.Hour)) {
		return false, fmt.Errorf("ban of %v from %v until %v", k, b.Since, b.Until)
	}
	if now.Sub(b.Until) >= recent {
		return false, nil
	}
	g.bans.Update(k, now, func(v *ban) {
		if v.until < b.Until.UnixNano() {
			*v = ban{b.Since.UnixNano(), b.Until.UnixNano(), b.Times, b.Reason}
		}
	})
	return true, nil
}

func (g *Guard) loadHome(now time.Time, m sluice.Memo) (bool, error) {
	var list []placeMemo
	if err := json.Unmarshal(m.Value, &list); err != nil {
		return false, err
	}
	if len(m.Key) == 0 || len(m.Key) > longestAccount || len(list) > places {
		return false, fmt.Errorf("%d places of an account", len(list))
	}
	var kept []place
	for _, p := range list {
		k, err := network.Of(p.Client)
		if err != nil {
			return false, err
		}
		if age := now.Sub(p.Last); age < loginFor && age > -time.Hour {
			kept = append(kept, place{host: k, last: p.Last.UnixNano(), noted: p.Last.UnixNano()})
			g.logged.Update(k, now, func(v *login) { v.last, v.account = max(v.last, p.Last.UnixNano()), g.account(m.Key) })
		}
	}
	if len(kept) == 0 {
		return false, nil
	}
	g.homes.Update(m.Key, now, func(v *home) { v.places = kept })
	return true, nil
}
