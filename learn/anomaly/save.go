package anomaly

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice"
)

// Kinds under which the lane is kept: senders and domains, and the windows.
const (
	MemoKind = "anomaly"
	RingKind = "anomaly-window"
)

// A window is stored in pieces of its ring, by place, so that a save writes what changed
// and little more: 4096 events are 48 kB.
const (
	piece     = 4096
	eventSize = 12
	ringForm  = 1
)

// head is a window without its events.
type head struct {
	Form   int      `json:"form"`
	Len    int      `json:"len"`
	Next   int      `json:"next"`
	Last   uint16   `json:"last"`
	Today  uint16   `json:"today"`
	Queued []queued `json:"queued,omitzero"`
}

// Load takes in what was saved. Call it before anything is observed. What can't be read
// is left out, and the error names the first.
func (l *Lane) Load(ctx context.Context, now time.Time, memos sluice.Memos) (loaded int, err error) {
	loaded, err = l.keep.Load(ctx, now, memos)
	heads, pieces := map[string]head{}, map[string][]byte{}
	err2 := memos.EachMemo(ctx, RingKind, func(m sluice.Memo) error {
		name, part, _ := strings.Cut(m.Key, "/")
		if part != "head" {
			pieces[m.Key] = slices.Clone(m.Value)
			return ctx.Err()
		}
		var h head
		if json.Unmarshal(m.Value, &h) == nil && h.Form == ringForm {
			heads[name] = h
		}
		return ctx.Err()
	})
	if err2 != nil {
		return loaded, errors.Join(err, fmt.Errorf("anomaly: load: %w", err2))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, h := range heads {
		tenant, err3 := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(name, "t"))
		r, ok := restore(&l.cfg, h, func(n int) []byte { return pieces[name+"/"+strconv.Itoa(n)] })
		if err3 != nil || !ok {
			err = errors.Join(err, fmt.Errorf("anomaly: the window of tenant %.40q can't be read", tenant))
			continue
		}
		if len(l.rings) < l.cfg.Tenants {
			l.rings[string(tenant)] = r
			loaded++
		}
	}
	return loaded, err
}

// restore puts a ring together. Events of another size of the window are put in order.
func restore(cfg *Config, h head, part func(int) []byte) (*ring, bool) {
	if h.Len < 0 || h.Len > 100_000 || h.Next < 0 || h.Next > h.Len || len(h.Queued) > 1000 {
		return nil, false
	}
	all := make([]event, 0, h.Len)
	for n := 0; n*piece < h.Len; n++ {
		b := part(n)
		if len(b) != min(piece, h.Len-n*piece)*eventSize {
			return nil, false
		}
		for ; len(b) > 0; b = b[eventSize:] {
			e := event{binary.BigEndian.Uint64(b), binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[10:])}
			if e.score > levels || e.point&guards != 0 {
				return nil, false
			}
			all = append(all, e)
		}
	}
	r := &ring{today: h.Today, queued: h.Queued[:min(len(h.Queued), cfg.Budget)]}
	// In order of arrival; the counts come by themselves.
	for _, e := range append(slices.Clone(all[h.Next:]), all[:h.Next]...) {
		if e.day != 0 {
			r.add(cfg.Window, e)
		}
	}
	r.last = max(r.last, h.Last)
	return r, true
}

// Save writes what changed, unless the last save was less than Config.SaveEvery ago. It
// says how many memos were written.
func (l *Lane) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	l.mu.Lock()
	since := now.Sub(l.saved)
	l.mu.Unlock()
	if since >= 0 && since < l.cfg.SaveEvery {
		return 0, nil
	}
	return l.Flush(ctx, now, memos)
}

// Flush is Save at once, for the end of the program.
func (l *Lane) Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	written, err := l.keep.Flush(ctx, now, memos)
	l.mu.Lock()
	l.saved = now
	lists := map[string][]sluice.Memo{}
	for tenant, r := range l.rings {
		if list := r.memos("t"+base64.RawURLEncoding.EncodeToString([]byte(tenant)), now); len(list) > 0 {
			lists[tenant] = list
		}
	}
	l.mu.Unlock()
	for tenant, list := range lists { // each in one step: head and pieces belong together
		if err2 := memos.PutMemos(ctx, list); err2 != nil {
			err = errors.Join(err, fmt.Errorf("anomaly: save: %w", err2))
			l.mu.Lock()
			if r := l.rings[tenant]; r != nil {
				r.all = true
			}
			l.mu.Unlock()
			continue
		}
		written += len(list)
	}
	return written, err
}

// memos are the pieces that changed.
func (r *ring) memos(name string, now time.Time) (out []sluice.Memo) {
	changed := r.all
	for n := 0; n*piece < len(r.events); n++ {
		if !r.dirty[n] && !r.all {
			continue
		}
		changed, r.dirty[n] = true, false
		b := make([]byte, 0, piece*eventSize)
		for _, e := range r.events[n*piece : min((n+1)*piece, len(r.events))] {
			b = binary.BigEndian.AppendUint64(b, e.point)
			b = binary.BigEndian.AppendUint16(b, e.score)
			b = binary.BigEndian.AppendUint16(b, e.day)
		}
		out = append(out, sluice.Memo{Kind: RingKind, Key: name + "/" + strconv.Itoa(n), Value: b, Updated: now})
	}
	r.all = false
	if !changed {
		return nil
	}
	b, err := json.Marshal(head{ringForm, len(r.events), r.next, r.last, r.today, r.queued})
	if err != nil {
		return nil // it has nothing that can't be written
	}
	return append(out, sluice.Memo{Kind: RingKind, Key: name + "/head", Value: b, Updated: now})
}
