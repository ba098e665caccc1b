// Package shelf is a bounded table ([table.Table]) of hashed keys and small values of
// fixed size that outlives the process: it knows which of its parts changed, and
// writes only those.
//
// Keys are hashes that their owner makes under a secret, so what is stored tells
// nothing to who has the store and not the secret.
package shelf

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

// A shelf is stored as 1024 buckets, by the highest bits of the key: a memo each,
// which is written anew where an entry of it changed. So the store never has more
// than what the table holds, without sweeping.
const (
	bucketBits = 10
	buckets    = 1 << bucketBits
	version    = 1
	batch      = 100
	keyMemo    = "key" // shows whether the owner's key is still the one of the stored hashes
)

// Shelf is the table. V has fields of fixed size. Methods are safe for concurrent use;
// the key 0 is nobody's.
type Shelf[K ~uint64, V any] struct {
	name  string
	t     *table.Table[K, V]
	worth func(*V, time.Time) float64
	dirty [buckets]atomic.Bool
}

// New makes an empty shelf. The name is part of what is stored; see [table.Config] for
// the rest.
func New[K ~uint64, V any](name string, capacity int, worth func(*V, time.Time) float64) *Shelf[K, V] {
	return &Shelf[K, V]{name: name, worth: worth, t: table.New[K](table.Config[V]{Capacity: capacity, Worth: worth})}
}

func bucketOf(h uint64) int { return int(h >> (64 - bucketBits)) }

// Get returns the value of a key.
func (s *Shelf[K, V]) Get(h K) (v V, ok bool) {
	if h == 0 {
		return v, false
	}
	return s.t.Get(h)
}

// Update changes an entry, the zero value where the key is new; f says whether there
// is anything to save. It runs under a lock.
func (s *Shelf[K, V]) Update(h K, now time.Time, f func(*V) bool) {
	if h == 0 {
		return
	}
	s.t.Update(h, now, func(v *V) {
		if f(v) {
			s.dirty[bucketOf(uint64(h))].Store(true)
		}
	})
}

// Dirty lets the next save write everything.
func (s *Shelf[K, V]) Dirty() {
	for i := range s.dirty {
		s.dirty[i].Store(true)
	}
}

// Stats counts the entries.
func (s *Shelf[K, V]) Stats() table.Stats { return s.t.Stats() }

// entry is one of a bucket, in the stored form.
type entry struct {
	key   uint64
	value []byte
}

// collect writes the changed buckets and clears their marks.
func (s *Shelf[K, V]) collect(now time.Time, kind string) (list []sluice.Memo, taken []int) {
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
		b := bucketOf(uint64(h))
		if es, ok := found[b]; ok && s.worth(&v, now) >= 0 {
			var buf bytes.Buffer
			if binary.Write(&buf, binary.BigEndian, &v) == nil {
				found[b] = append(es, entry{uint64(h), buf.Bytes()})
			}
		}
	}
	for _, b := range taken {
		es := found[b]
		slices.SortFunc(es, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
		value := []byte{version}
		for _, e := range es {
			if len(value)+8+len(e.value) > sluice.MaxMemo {
				break // many times what a bucket holds on average
			}
			value = binary.BigEndian.AppendUint64(value, e.key)
			value = append(value, e.value...)
		}
		list = append(list, sluice.Memo{Kind: kind, Key: s.name + "/" + strconv.Itoa(b), Value: value, Updated: now})
	}
	return list, taken
}

// restore takes in one bucket.
func (s *Shelf[K, V]) restore(now time.Time, bucket string, value []byte) error {
	b, err := strconv.Atoi(bucket)
	if err != nil || b < 0 || b >= buckets {
		return fmt.Errorf("no bucket %.20q", bucket)
	}
	var zero V
	size := 8 + binary.Size(&zero)
	if len(value) == 0 || value[0] != version || (len(value)-1)%size != 0 || len(value) > sluice.MaxMemo {
		return fmt.Errorf("bucket %s/%d can't be read", s.name, b)
	}
	for rest := value[1:]; len(rest) > 0; rest = rest[size:] {
		h := binary.BigEndian.Uint64(rest)
		var v V
		if _, err := binary.Decode(rest[8:size], binary.BigEndian, &v); err != nil || h == 0 || bucketOf(h) != b {
			return fmt.Errorf("bucket %s/%d holds what isn't its own", s.name, b)
		}
		if s.worth(&v, now) >= 0 {
			s.t.Update(K(h), now, func(to *V) { *to = v })
		}
	}
	return nil
}

func (s *Shelf[K, V]) label() string { return s.name }

func (s *Shelf[K, V]) save(ctx context.Context, now time.Time, kind string, memos sluice.Memos) (written int, err error) {
	list, taken := s.collect(now, kind)
	for i := 0; i < len(list); i += batch {
		end := min(i+batch, len(list))
		if err := memos.PutMemos(ctx, list[i:end]); err != nil {
			for _, b := range taken[i:] {
				s.dirty[b].Store(true)
			}
			return written, err
		}
		written += end - i
	}
	return written, nil
}

// Kept is a [Shelf] of any kind, for a [Keeper].
type Kept interface {
	label() string
	restore(now time.Time, bucket string, value []byte) error
	save(ctx context.Context, now time.Time, kind string, memos sluice.Memos) (int, error)
}

// Keeper saves shelves of one owner together.
type Keeper struct {
	// Kind is the [sluice.Memo.Kind], and the prefix of errors.
	Kind string
	// Mark shows that the owner's key is the same, and not what it is.
	Mark string
	// Every is the shortest time between two saves.
	Every   time.Duration
	Shelves []Kept

	mu   sync.Mutex // one save at a time
	last time.Time
	key  bool // the store has the mark of the key
}

// ErrKey says that the stored hashes were made with another key. They stay unknown,
// and are replaced as new ones are saved.
var ErrKey = errors.New("what is stored was hashed with another key")

// Load takes in what was saved. Call it before anything is learned. Buckets that can't
// be read are left out; the error names the first, and the rest is loaded.
func (k *Keeper) Load(ctx context.Context, now time.Time, memos sluice.Memos) (loaded int, err error) {
	var list []sluice.Memo
	other := false
	err = memos.EachMemo(ctx, k.Kind, func(m sluice.Memo) error {
		if m.Key == keyMemo {
			other = string(m.Value) != k.Mark
			k.key = !other
			return ctx.Err()
		}
		list = append(list, m)
		return ctx.Err()
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: load: %w", k.Kind, err)
	case other:
		return 0, fmt.Errorf("%s: %w", k.Kind, ErrKey)
	}
	bad, first := 0, error(nil)
	for _, m := range list {
		if err := k.restore(now, m); err != nil {
			if bad++; first == nil {
				first = err
			}
			continue
		}
		loaded++
	}
	if bad > 0 {
		return loaded, fmt.Errorf("%s: %d of %d stored buckets left out, such as: %w", k.Kind, bad, len(list), first)
	}
	return loaded, nil
}

func (k *Keeper) restore(now time.Time, m sluice.Memo) error {
	name, bucket, _ := strings.Cut(m.Key, "/")
	for _, s := range k.Shelves {
		if s.label() == name {
			return s.restore(now, bucket, m.Value)
		}
	}
	return fmt.Errorf("unknown entry %.40q", m.Key)
}

// Save writes what changed, unless the last save was less than Every ago. It says how
// many buckets were written; those of a failed batch are written the next time.
func (k *Keeper) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if since := now.Sub(k.last); since >= 0 && since < k.Every {
		return 0, nil
	}
	return k.save(ctx, now, memos)
}

// Flush is Save at once, for the end of the program.
func (k *Keeper) Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.save(ctx, now, memos)
}

func (k *Keeper) save(ctx context.Context, now time.Time, memos sluice.Memos) (written int, err error) {
	k.last = now
	if !k.key {
		if err := k.begin(ctx, now, memos); err != nil {
			return 0, err
		}
	}
	for _, s := range k.Shelves {
		n, err1 := s.save(ctx, now, k.Kind, memos)
		written += n
		err = errors.Join(err, err1)
	}
	if err != nil {
		return written, fmt.Errorf("%s: save: %w", k.Kind, err)
	}
	return written, nil
}

// begin drops what another key has hashed and marks the store with this one. It
// looks for itself, since Load may have failed.
func (k *Keeper) begin(ctx context.Context, now time.Time, memos sluice.Memos) error {
	same := false
	err := memos.EachMemo(ctx, k.Kind, func(m sluice.Memo) error {
		same = same || m.Key == keyMemo && string(m.Value) == k.Mark
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("%s: save: %w", k.Kind, err)
	}
	if k.key = same; same {
		return nil
	}
	if _, err := memos.DropMemos(ctx, k.Kind, now.Add(time.Second)); err != nil {
		return fmt.Errorf("%s: save: %w", k.Kind, err)
	}
	err = memos.PutMemos(ctx, []sluice.Memo{{Kind: k.Kind, Key: keyMemo, Value: []byte(k.Mark), Updated: now}})
	if err != nil {
		return fmt.Errorf("%s: save: %w", k.Kind, err)
	}
	k.key = true
	return nil
}
