package reputation

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice"
)

// MemoKind is the [sluice.Memo.Kind] under which reputations are kept.
const MemoKind = "reputation"

const (
	saveBatch  = 500            // memos of one transaction
	sweepEvery = 24 * time.Hour // how often the store is brought to what is in memory
	basePrefix = "base/"        // of the keys of base rates, before the kind
	sweepKey   = "sweep"        // has the time of the last sweep
)

// keeper is the state behind Save.
type keeper struct {
	mu    sync.Mutex // one save at a time
	last  time.Time
	swept time.Time
	fresh [TLSHello + 1]int // rows made since the last sweep
}

// Load takes in what was saved. Call it before the first Observe. Values that can't
// be read are left out; the error counts them, and the rest is loaded.
func (t *Table) Load(ctx context.Context, now time.Time, memos sluice.Memos) (loaded int, err error) {
	bad, first := 0, error(nil)
	err = memos.EachMemo(ctx, MemoKind, func(m sluice.Memo) error {
		if e := t.load(now, m); e != nil {
			if bad++; first == nil {
				first = e
			}
			return ctx.Err()
		}
		loaded++
		return ctx.Err()
	})
	if err != nil {
		return loaded, fmt.Errorf("reputation: load: %w", err)
	}
	if bad > 0 {
		return loaded, fmt.Errorf("reputation: %d of %d stored values can't be read, such as: %w", bad, bad+loaded, first)
	}
	return loaded, nil
}

func (t *Table) load(now time.Time, m sluice.Memo) error {
	if m.Key == sweepKey {
		s, err := strconv.ParseUint(string(m.Value), 10, 32)
		if err != nil {
			return fmt.Errorf("reputation: time of the last sweep: %w", err)
		}
		t.keep.mu.Lock()
		t.keep.swept = moment(uint32(s))
		t.keep.mu.Unlock()
		return nil
	}
	if kind, ok := strings.CutPrefix(m.Key, basePrefix); ok {
		for _, k := range Kinds {
			if k.String() == kind {
				c, err := parseCounts(m.Value, mostBase)
				if err == nil {
					t.bases[k].mu.Lock()
					t.bases[k].c = c
					t.bases[k].mu.Unlock()
				}
				return err
			}
		}
	}
	k, err := ParseKey(m.Key)
	if err != nil {
		return err
	}
	c, err := parseCounts(m.Value, mostWindow)
	if err != nil {
		return err
	}
	c.stored = true
	if t.worth(&c, now) >= 0 {
		t.update(k, now, func(to *counts) { *to = c })
	}
	return nil
}

// Save writes what changed, unless the last save was less than Config.SaveEvery
// ago. Once a day it writes everything and deletes what is only in the store, so
// that a flood of keys that were soon forgotten doesn't fill the disk; between
// sweeps at most as many new rows are made as the table has room for. It says how
// many values were written; those of a failed batch are written the next time.
func (t *Table) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	t.keep.mu.Lock()
	defer t.keep.mu.Unlock()
	if since := now.Sub(t.keep.last); since >= 0 && since < t.cfg.SaveEvery {
		return 0, nil
	}
	return t.save(ctx, now, memos)
}

// Flush is Save at once, for the end of the program.
func (t *Table) Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	t.keep.mu.Lock()
	defer t.keep.mu.Unlock()
	return t.save(ctx, now, memos)
}

func (t *Table) save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	t.keep.last = now
	w := writer{t: t, ctx: ctx, now: now, memos: memos}
	sweep := now.Sub(t.keep.swept) >= sweepEvery
	if t.keep.swept.IsZero() { // a new store
		sweep, t.keep.swept = false, now
	}
	if t.keep.swept.Equal(now) || sweep {
		w.add(Key{}, counts{}, sweepKey, strconv.AppendUint(nil, uint64(seconds(now)), 10))
	}
	for _, k := range Kinds {
		b := &t.bases[k]
		b.mu.Lock()
		c := b.c
		b.mu.Unlock()
		if c.dirty || sweep && c.at > 0 {
			w.add(Key{Kind: k}, c, basePrefix+k.String(), c.text())
		}
		t.all(k, func(key Key, c counts) {
			switch {
			case !sweep && !c.dirty:
			case !t.lasting(c, now):
			case !sweep && !c.stored && t.keep.fresh[k] >= t.capacity(k):
				// The sweep writes it, if it is still there.
			default:
				if !c.stored {
					t.keep.fresh[k]++
				}
				w.add(key, c, key.String(), c.text())
			}
		})
	}
	w.flush()
	if w.err != nil {
		return w.written, fmt.Errorf("reputation: save: %w", w.err)
	}
	if sweep {
		if _, err := memos.DropMemos(ctx, MemoKind, now); err != nil {
			return w.written, fmt.Errorf("reputation: sweep: %w", err)
		}
		t.keep.swept, t.keep.fresh = now, [TLSHello + 1]int{}
		t.forget(now)
	}
	return w.written, nil
}

// lasting says whether counts haven't faded away.
func (t *Table) lasting(c counts, now time.Time) bool { return t.worth(&c, now) >= 0 }

// forget deletes what has faded away.
func (t *Table) forget(now time.Time) {
	for _, k := range Kinds {
		if k.net() {
			t.nets[k].DeleteFunc(func(_ netip.Prefix, c *counts) bool { return t.worth(c, now) < 0 })
		} else {
			t.names[k].DeleteFunc(func(_ string, c *counts) bool { return t.worth(c, now) < 0 })
		}
	}
}

// writer puts memos in batches and marks what was written.
type writer struct {
	t       *Table
	ctx     context.Context
	now     time.Time
	memos   sluice.Memos
	batch   []sluice.Memo
	keys    []Key
	counts  []counts
	written int
	err     error
}

func (w *writer) add(k Key, c counts, name string, value []byte) {
	if w.err != nil {
		return
	}
	w.batch = append(w.batch, sluice.Memo{Kind: MemoKind, Key: name, Value: value, Updated: w.now})
	w.keys, w.counts = append(w.keys, k), append(w.counts, c)
	if len(w.batch) >= saveBatch {
		w.flush()
	}
}

func (w *writer) flush() {
	if len(w.batch) == 0 || w.err != nil {
		return
	}
	if w.err = w.memos.PutMemos(w.ctx, w.batch); w.err == nil {
		w.written += len(w.batch)
		for i, k := range w.keys {
			w.t.clean(k, w.now, w.counts[i])
		}
	}
	w.batch, w.keys, w.counts = w.batch[:0], w.keys[:0], w.counts[:0]
}

// clean marks counts as saved, if they are still those that were.
func (t *Table) clean(k Key, now time.Time, saved counts) {
	mark := func(c *counts) {
		c.stored = true
		if c.good == saved.good && c.bad == saved.bad && c.at == saved.at {
			c.dirty = false
		}
	}
	switch {
	case !k.Valid(): // a base rate, or the time of the sweep
		b := &t.bases[k.Kind]
		b.mu.Lock()
		mark(&b.c)
		b.mu.Unlock()
	case k.Kind.net():
		t.nets[k.Kind].Amend(k.Net, now, mark)
	default:
		t.names[k.Kind].Amend(k.Name, now, mark)
	}
}
