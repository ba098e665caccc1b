package journal

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"sluice"
)

// disk keeps memos in a map and fails when told to.
type disk struct {
	rows map[string]sluice.Memo
	puts int
	fail int // the put that fails, counted from 1
}

var errFull = errors.New("disk full")

func (d *disk) PutMemos(_ context.Context, memos []sluice.Memo) error {
	if d.puts++; d.puts == d.fail {
		return errFull
	}
	for _, m := range memos {
		d.rows[m.Key] = m
	}
	return nil
}

func (d *disk) EachMemo(context.Context, string, func(sluice.Memo) error) error { return nil }
func (d *disk) DropMemos(context.Context, string, time.Time) (int, error)       { return 0, nil }

func render(k int) (sluice.Memo, bool) {
	return sluice.Memo{Kind: "test", Key: strconv.Itoa(k)}, k%10 != 0
}

func TestSave(t *testing.T) {
	j := New[int](10_000)
	for i := range 1000 {
		j.Note(i)
		j.Note(i)
	}
	d := &disk{rows: map[string]sluice.Memo{}, fail: 2}
	n, err := j.Save(context.Background(), d, render)
	if !errors.Is(err, errFull) || n != batch || len(d.rows) != batch {
		t.Fatalf("%d written, %d on disk, %v", n, len(d.rows), err)
	}
	n, err = j.Save(context.Background(), d, render)
	if err != nil || n != 900-batch || len(d.rows) != 900 {
		t.Fatalf("second try: %d written, %d on disk, %v", n, len(d.rows), err)
	}
	if n, err = j.Save(context.Background(), d, render); n != 0 || err != nil {
		t.Fatalf("third: %d, %v", n, err)
	}
}

func TestBound(t *testing.T) {
	j := New[int](100)
	for i := range 1000 {
		j.Note(i + 1)
	}
	if len(j.keys) != 100 {
		t.Errorf("%d keys", len(j.keys))
	}
}
