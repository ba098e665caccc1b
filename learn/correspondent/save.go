package correspondent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/internal/table"
)

// MemoKind is the [sluice.Memo.Kind] under which correspondents are kept.
const MemoKind = "correspondent"

// A shelf is stored as 1024 buckets, by the highest bits of the key: a memo each,
// which is written anew where an entry of it changed. So the store never has more
// than what the table holds, without sweeping.
const (
	bucketBits = 10
	buckets    = 1 << bucketBits
	version    = 1
	batch      = 100
	keyMemo    = "key" // shows whether the site's key is still the one of the stored hashes
)

// shelf is a bounded table that knows which of its buckets changed. V has fields of
// fixed size.
type shelf[V any] struct {
	name  string
	t     *table.Table[hash, V]
	worth func(*V, time.Time) float64
	dirty [buckets]atomic.Bool
}

func (s *shelf[V]) init(name string, capacity int, worth func(*V, time.Time) float64) {
	s.name, s.worth = name, worth
	s.t = table.New[hash](table.Config[V]{Capacity: capacity, Worth: worth})
}

func bucketOf(h hash) int { return int(h >> (64 - bucketBits)) }

func (s *shelf[V]) get(h hash) (v V, ok bool) {
	if h == 0 {
		return v, false
	}
	return s.t.Get(h)
}

// update changes an entry; f says whether there is anything to save.
func (s *shelf[V]) update(h hash, now time.Time, f func(*V) bool) {
	if h == 0 {
		return
	}
	s.t.Update(h, now, func(v *V) {
		if f(v) {
			s.dirty[bucketOf(h)].Store(true)
		}
	})
}

// entry is one of a bucket, in the stored form.
type entry struct {
	key   hash
	value []byte
}

// collect writes the changed buckets and clears their marks.
func (s *shelf[V]) collect(now time.Time) (list []sluice.Memo, taken []int) {
	found := map[int][]entry{}
	for i := range s.dirty {
		if s.dirty[i].Swap(false) {
			found[i] = nil
			taken = append(taken, i)
		}
	}
	if len(taken) == 0 {
		return nil, nil
	}
	for h, v := range s.t.All() {
		b := bucketOf(h)
		if es, ok := found[b]; ok && s.worth(&v, now) >= 0 {
			var buf bytes.Buffer
			if binary.Write(&buf, binary.BigEndian, &v) == nil {
				found[b] = append(es, entry{h, buf.Bytes()})
			}
		}
	}
	for _, b := range taken {
		es := found[b]
		slices.SortFunc(es, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
		value := []byte{version}
		for _, e := range es {
			if len(value)+8+len(e.value) > sluice.MaxMemo {
				break // thirty times what a bucket holds on average
			}
			value = binary.BigEndian.AppendUint64(value, uint64(e.key))
			value = append(value, e.value...)
		}
		list = append(list, sluice.Memo{Kind: MemoKind, Key: s.name + "/" + strconv.Itoa(b), Value: value, Updated: now})
	}
	return list, taken
}

// restore takes in one bucket.
func (s *shelf[V]) restore(now time.Time, bucket string, value []byte) error {
	b, err := strconv.Atoi(bucket)
	if err != nil || b < 0 || b >= buckets {
		return fmt.Errorf("correspondent: no bucket %.20q", bucket)
	}
	var zero V
	size := 8 + binary.Size(&zero)
	if len(value) == 0 || value[0] != version || (len(value)-1)%size != 0 || len(value) > sluice.MaxMemo {
		return fmt.Errorf("correspondent: bucket %s/%d can't be read", s.name, b)
	}
	for rest := value[1:]; len(rest) > 0; rest = rest[size:] {
		h := hash(binary.BigEndian.Uint64(rest))
		var v V
		if _, err := binary.Decode(rest[8:size], binary.BigEndian, &v); err != nil || h == 0 || bucketOf(h) != b {
			return fmt.Errorf("correspondent: bucket %s/%d holds what isn't its own", s.name, b)
		}
		if s.worth(&v, now) >= 0 {
			s.t.Update(h, now, func(to *V) { *to = v })
		}
	}
	return nil
}

// keeper is the state behind Save.
type keeper struct {
	mu   sync.Mutex // one save at a time
	last time.Time
	key  bool // the store has the mark of the key
}

// ErrKey says that the stored hashes were made with another key. They stay unknown,
// and are replaced as new ones are saved.
var ErrKey = errors.New("correspondent: what is stored was hashed with another key")

// Load takes in what was saved. Call it before anything is learned. Buckets that can't
// be read are left out; the error names the first, and the rest is loaded.
func (t *Table) Load(ctx context.Context, now time.Time, memos sluice.Memos) (loaded int, err error) {
	var list []sluice.Memo
	other := false
	err = memos.EachMemo(ctx, MemoKind, func(m sluice.Memo) error {
		if m.Key == keyMemo {
			other = string(m.Value) != t.keyMark()
			t.keep.key = !other
			return ctx.Err()
		}
		list = append(list, m)
		return ctx.Err()
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("correspondent: load: %w", err)
	case other:
		return 0, ErrKey
	}
	bad, first := 0, error(nil)
	for _, m := range list {
		if err := t.restore(now, m); err != nil {
			if bad++; first == nil {
				first = err
			}
			continue
		}
		loaded++
	}
	if bad > 0 {
		return loaded, fmt.Errorf("correspondent: %d of %d stored buckets left out, such as: %w", bad, len(list), first)
	}
	return loaded, nil
}

func (t *Table) restore(now time.Time, m sluice.Memo) error {
	kind, bucket, _ := strings.Cut(m.Key, "/")
	switch kind {
	case t.pairs.name:
		return t.pairs.restore(now, bucket, m.Value)
	case t.names.name:
		return t.names.restore(now, bucket, m.Value)
	case t.ids.name:
		return t.ids.restore(now, bucket, m.Value)
	}
	return fmt.Errorf("correspondent: unknown entry %.40q", m.Key)
}

// keyMark shows that the key is the same, and not what it is.
func (t *Table) keyMark() string { return strconv.FormatUint(uint64(t.hash("key")), 16) }

// Save writes what changed, unless the last save was less than Config.SaveEvery ago.
// It says how many buckets were written; those of a failed batch are written the next
// time.
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
	if !t.keep.key {
		if err := t.begin(ctx, now, memos); err != nil {
			return 0, err
		}
	}
	n1, err1 := t.pairs.save(ctx, now, memos)
	n2, err2 := t.names.save(ctx, now, memos)
	n3, err3 := t.ids.save(ctx, now, memos)
	return n1 + n2 + n3, errors.Join(err1, err2, err3)
}

// begin drops what another key has hashed and marks the store with this one. It
// looks for itself, since Load may have failed.
func (t *Table) begin(ctx context.Context, now time.Time, memos sluice.Memos) error {
	same := false
	err := memos.EachMemo(ctx, MemoKind, func(m sluice.Memo) error {
		same = same || m.Key == keyMemo && string(m.Value) == t.keyMark()
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("correspondent: save: %w", err)
	}
	if t.keep.key = same; same {
		return nil
	}
	if _, err := memos.DropMemos(ctx, MemoKind, now.Add(time.Second)); err != nil {
		return fmt.Errorf("correspondent: save: %w", err)
	}
	err = memos.PutMemos(ctx, []sluice.Memo{{Kind: MemoKind, Key: keyMemo, Value: []byte(t.keyMark()), Updated: now}})
	if err != nil {
		return fmt.Errorf("correspondent: save: %w", err)
	}
	t.keep.key = true
	return nil
}

func (s *shelf[V]) save(ctx context.Context, now time.Time, memos sluice.Memos) (written int, err error) {
	list, taken := s.collect(now)
	for i := 0; i < len(list); i += batch {
		end := min(i+batch, len(list))
		if err := memos.PutMemos(ctx, list[i:end]); err != nil {
			for _, b := range taken[i:] {
				s.dirty[b].Store(true)
			}
			return written, fmt.Errorf("correspondent: save: %w", err)
		}
		written += end - i
	}
	return written, nil
}
