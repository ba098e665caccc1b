package journal_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"sluice"
	"sluice/guard/journal"
	"sluice/store/memory"
)

// failing is a store whose second write fails.
type failing struct {
	*memory.Store
	puts int
}

var errFull = errors.New("disk full")

func (f *failing) PutMemos(ctx context.Context, memos []sluice.Memo) error {
	if f.puts++; f.puts == 2 {
		return errFull
	}
	return f.Store.PutMemos(ctx, memos)
}

func rows(t *testing.T, memos sluice.Memos) (n int) {
	if err := memos.EachMemo(context.Background(), "test", func(sluice.Memo) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func render(k int) (sluice.Memo, bool) {
	return sluice.Memo{Kind: "test", Key: strconv.Itoa(k), Updated: time.Unix(1e9, 0)}, k%10 != 0
}

// TestSave: what couldn't be written is written the next time, and nothing twice.
func TestSave(t *testing.T) {
	j := journal.New[int](10_000)
	for i := range 1000 {
		j.Note(i)
		j.Note(i)
	}
	memos := &failing{Store: memory.New()}
	first, err := j.Save(context.Background(), memos, render)
	if !errors.Is(err, errFull) || first == 0 || rows(t, memos) != first {
		t.Fatalf("%d written, %d on disk, %v", first, rows(t, memos), err)
	}
	second, err := j.Save(context.Background(), memos, render)
	if err != nil || first+second != 900 || rows(t, memos) != 900 {
		t.Fatalf("second try: %d and %d written, %d on disk, %v", first, second, rows(t, memos), err)
	}
	if n, err := j.Save(context.Background(), memos, render); n != 0 || err != nil {
		t.Fatalf("third: %d, %v", n, err)
	}
}

func TestBound(t *testing.T) {
	j := journal.New[int](100)
	for i := range 1000 {
		j.Note(i*10 + 1)
	}
	if n, err := j.Save(context.Background(), memory.New(), render); n != 100 || err != nil {
		t.Errorf("%d written, %v", n, err)
	}
}
