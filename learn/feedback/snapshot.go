package feedback

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/durable"
	"sluice/learn/text/online"
)

// Snapshots keeps snapshots of the text model, named by the entry up to which the
// log is learned. Nodes with one log may share them: what has one name is the same
// but for what it knows of undoing.
type Snapshots interface {
	// List returns the names, rising.
	List(ctx context.Context) ([]int64, error)
	// Open opens one for reading.
	Open(ctx context.Context, seq int64) (io.ReadCloser, error)
	// Write keeps what write writes, wholly or not at all, in place of an earlier one.
	Write(ctx context.Context, seq int64, write func(io.Writer) error) error
	// Remove deletes one; one that isn't there is no error.
	Remove(ctx context.Context, seq int64) error
}

// Files are snapshots in a folder.
type Files struct {
	FS     durable.FS
	Folder string
}

const filePrefix = "labels-"

func (f *Files) name(seq int64) string {
	return path.Join(f.Folder, fmt.Sprintf("%s%016d", filePrefix, seq))
}

// List implements Snapshots.
func (f *Files) List(context.Context) ([]int64, error) {
	entries, err := f.FS.List(f.Folder)
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name, filePrefix)
		if seq, err := strconv.ParseInt(rest, 10, 64); ours && err == nil && seq > 0 && f.name(seq) == path.Join(f.Folder, e.Name) {
			out = append(out, seq)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Open implements Snapshots.
func (f *Files) Open(_ context.Context, seq int64) (io.ReadCloser, error) {
	file, err := f.FS.Open(f.name(seq))
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, 0, file.Size()), file}, nil
}

// Write implements Snapshots.
func (f *Files) Write(_ context.Context, seq int64, write func(io.Writer) error) error {
	if err := f.FS.MkdirAll(f.Folder); err != nil {
		return err
	}
	return durable.Replace(f.FS, f.name(seq), write)
}

// Remove implements Snapshots.
func (f *Files) Remove(_ context.Context, seq int64) error {
	if err := f.FS.Remove(f.name(seq)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.FS.SyncDir(f.Folder)
}

// head is the beginning of a snapshot; the state follows, which has a checksum of
// its own.
type head struct {
	Mark      [8]byte
	Extractor uint32
	Seq       int64 // the last entry that is learned
	Knows     int64 // labels taken back up to this entry are left out
	Time      int64 // of entry Seq, seconds since 1970
	Sum       uint32
}

var snapshotMark = [8]byte{'S', 'L', 'U', 'F', 'B', 'K', '0', '1'}

func (h *head) sum() uint32 {
	var b bytes.Buffer
	c := *h
	c.Sum = 0
	_ = binary.Write(&b, binary.LittleEndian, &c) // a Buffer never fails
	return crc32.ChecksumIEEE(b.Bytes())
}

var errSnapshot = errors.New("the snapshot is damaged")

// readHead reads and checks the beginning.
func readHead(r io.Reader, seq int64) (h head, err error) {
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil {
		return h, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if h.Mark != snapshotMark || h.Sum != h.sum() || h.Seq != seq || h.Seq <= 0 || h.Knows < h.Seq {
		return h, errSnapshot
	}
	return h, nil
}

// save writes a snapshot of s, which stands at seq.
func (r *Room) save(ctx context.Context, s *online.State, seq, knows int64, at time.Time) error {
	h := head{Mark: snapshotMark, Extractor: online.Extractor, Seq: seq, Knows: knows, Time: at.Unix()}
	h.Sum = h.sum()
	err := r.cfg.Snapshots.Write(ctx, seq, func(w io.Writer) error {
		if err := binary.Write(w, binary.LittleEndian, &h); err != nil {
			return err
		}
		return s.Write(w)
	})
	if err != nil {
		return fmt.Errorf("feedback: snapshot %d: %w", seq, err)
	}
	return nil
}

// heads lists the snapshots whose beginning is sound, rising. Others are left where
// they are; a start names them.
func (r *Room) heads(ctx context.Context) ([]head, error) {
	names, err := r.cfg.Snapshots.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("feedback: the snapshots can't be listed: %w", err)
	}
	var out []head
	for _, seq := range names {
		h, err := r.head(ctx, seq)
		if err != nil {
			if !r.stats.loaded.Load() {
				r.unusable(seq, err)
			}
			continue
		}
		out = append(out, h)
	}
	return out, nil
}

func (r *Room) unusable(seq int64, err error) {
	r.cfg.Trace.Error("a snapshot of the labels can't be used", slog.Int64("snapshot", seq), slog.Any("error", err))
}

func (r *Room) head(ctx context.Context, seq int64) (head, error) {
	f, err := r.cfg.Snapshots.Open(ctx, seq)
	if err != nil {
		return head{}, err
	}
	defer f.Close()
	return readHead(f, seq)
}

// open loads a snapshot.
func (r *Room) open(ctx context.Context, seq int64) (*online.State, error) {
	f, err := r.cfg.Snapshots.Open(ctx, seq)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := readHead(f, seq); err != nil {
		return nil, err
	}
	return online.Load(f)
}

// usable says whether a snapshot leaves out all that was taken back up to knows.
func (l *ledger) usable(h *head, knows int64) bool {
	if h.Extractor != online.Extractor {
		return false
	}
	for of, fate := range l.gone {
		if !fate.counter && fate.by > h.Knows && fate.by <= knows && of <= h.Seq {
			return false
		}
	}
	return true
}

// replayable says whether the model can be made again without the entry at seq: a
// snapshot from before it is there, or the whole log.
func (r *Room) replayable(ctx context.Context, seq int64, given time.Time) (bool, error) {
	if r.cfg.Clock().Sub(given) > r.cfg.Keep {
		return false, nil
	}
	heads, err := r.heads(ctx)
	if err != nil {
		return false, err
	}
	for i := range heads {
		if heads[i].Seq < seq && r.ledger.usable(&heads[i], r.ledger.seq) {
			return true, nil
		}
	}
	return r.whole(ctx)
}

// whole says whether the log still has its first entry.
func (r *Room) whole(ctx context.Context) (bool, error) {
	first, err := r.cfg.Log.FeedbackSince(ctx, 0, 1)
	if err != nil {
		return false, fmt.Errorf("feedback: the log of labels can't be read: %w", err)
	}
	return len(first) == 0 || first[0].Seq == 1, nil
}

// sweep removes snapshots that are too many, and entries that are too old; work is
// held. The newest snapshot from before Keep stays, so that all that is younger can
// be taken back.
func (r *Room) sweep(ctx context.Context) error {
	r.mu.Lock()
	err := r.know(ctx)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	heads, err := r.heads(ctx)
	if err != nil {
		return err
	}
	now := r.cfg.Clock()
	r.mu.Lock()
	unusable := func(h head) bool { return !r.ledger.usable(&h, r.ledger.seq) }
	old := func(h head) bool { return now.Sub(time.Unix(h.Time, 0)) > r.cfg.Keep }
	var drop []int64
	for i := range heads {
		if unusable(heads[i]) && old(heads[i]) {
			drop = append(drop, heads[i].Seq)
		}
	}
	heads = slices.DeleteFunc(heads, unusable)
	r.mu.Unlock()
	base := 0
	for i := range heads {
		if old(heads[i]) {
			base = i
		}
	}
	keep := thin(heads[min(base, len(heads)):], r.cfg.SnapshotsKept)
	for i := range heads {
		if !slices.Contains(keep, heads[i].Seq) {
			drop = append(drop, heads[i].Seq)
		}
	}
	for _, seq := range drop {
		if err := r.cfg.Snapshots.Remove(ctx, seq); err != nil {
			return fmt.Errorf("feedback: snapshot %d: %w", seq, err)
		}
	}
	if len(keep) < 2 {
		return nil // a damaged one must not be the end of all that was learned
	}
	n, err := r.cfg.Log.SweepFeedback(ctx, now.Add(-r.cfg.Remember), keep[0])
	if err != nil {
		return fmt.Errorf("feedback: old labels can't be removed: %w", err)
	}
	if n > 0 {
		r.cfg.Trace.Info("old labels removed", slog.Int("entries", n))
	}
	return nil
}

// thin picks at most n: the oldest, the newest two, and of the others those that
// leave the smallest gaps between labels.
func thin(heads []head, n int) []int64 {
	var out []int64
	for i := range heads {
		out = append(out, heads[i].Seq)
	}
	for len(out) > n {
		best, gap := 1, int64(0)
		for i := 1; i < len(out)-2; i++ {
			if g := out[i+1] - out[i-1]; gap == 0 || g < gap {
				best, gap = i, g
			}
		}
		out = slices.Delete(out, best, best+1)
	}
	return out
}
