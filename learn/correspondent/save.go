package correspondent

import (
	"context"
	"strconv"
	"time"

	"sluice"
	"sluice/internal/shelf"
)

// MemoKind is the [sluice.Memo.Kind] under which correspondents are kept.
const MemoKind = "correspondent"

// ErrKey says that the stored hashes were made with another key. They stay unknown,
// and are replaced as new ones are saved.
var ErrKey = shelf.ErrKey

func (t *Table) keeper() *shelf.Keeper {
	return &shelf.Keeper{Kind: MemoKind, Mark: strconv.FormatUint(uint64(t.hash("key")), 16), Every: t.cfg.SaveEvery,
		Shelves: []shelf.Kept{t.pairs, t.names, t.ids}}
}

// Load takes in what was saved. Call it before anything is learned. Buckets that can't
// be read are left out; the error names the first, and the rest is loaded.
func (t *Table) Load(ctx context.Context, now time.Time, memos sluice.Memos) (loaded int, err error) {
	return t.keep.Load(ctx, now, memos)
}

// Save writes what changed, unless the last save was less than Config.SaveEvery ago.
// It says how many buckets were written; those of a failed batch are written the next
// time.
func (t *Table) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return t.keep.Save(ctx, now, memos)
}

// Flush is Save at once, for the end of the program.
func (t *Table) Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return t.keep.Flush(ctx, now, memos)
}
