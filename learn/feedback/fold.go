package feedback

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"

	"sluice"
	"sluice/internal/durable"
	"sluice/learn/text/online"
)

// pageSize is how many entries are read at a time, about a megabyte.
const pageSize = 100

// CatchUp learns what the log has by now, this node's own labels and others'. It
// returns once all that was there when it began is in the model.
func (r *Room) CatchUp(ctx context.Context) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	return r.catchUp(ctx)
}

// catchUp does it; work is held.
func (r *Room) catchUp(ctx context.Context) error {
	for {
		r.mu.Lock()
		err := r.know(ctx)
		stale := err == nil && r.text.loaded && r.stale()
		to := r.ledger.seq
		r.mu.Unlock()
		if err != nil {
			return err
		}
		if !r.text.loaded || stale {
			if err := r.rebuild(ctx, to); err != nil {
				return err
			}
			continue
		}
		r.text.knows = max(r.text.knows, to)
		if r.text.seq >= to {
			break
		}
		if err := r.learn(ctx, to); err != nil {
			return err
		}
		if r.text.guard >= r.cfg.GuardEvery {
			if err := r.watch(ctx); err != nil {
				return err
			}
		}
	}
	if err := r.cfg.Text.Flush(ctx); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	return nil
}

// stale says whether a label that the model has was taken back since; mu is held.
func (r *Room) stale() bool {
	for of, fate := range r.ledger.gone {
		if !fate.counter && fate.by > r.text.knows && of <= r.text.seq {
			return true
		}
	}
	return false
}

// counts says whether the entry's operation belongs to the model: what was taken
// back up to knows doesn't, nor what says for a second time that a label counts or
// doesn't. mu is held.
func (l *ledger) counts(f *sluice.Feedback, knows int64) bool {
	of := f.Of
	switch f.Kind {
	case sluice.FeedbackLabel:
		of = f.Seq
	case sluice.FeedbackAccept:
		if l.accepted[f.Of] != f.Seq {
			return false
		}
	case sluice.FeedbackCounter:
		return l.gone[f.Of].by == f.Seq
	}
	fate, ok := l.gone[of]
	switch {
	case !ok:
		return true
	case fate.counter:
		return fate.by > f.Seq // an accept after the label was taken back
	}
	return fate.by > knows
}

// learn hands one page to the learner.
func (r *Room) learn(ctx context.Context, to int64) error {
	page, err := r.page(ctx, r.text.seq, to)
	if err != nil {
		return err
	}
	if len(page) == 0 {
		r.text.seq = to // what was there is swept
		return nil
	}
	for _, f := range page {
		if f.teaches {
			if o := r.operation(f.Feedback); o != nil {
				if o.against {
					err = r.cfg.Text.Do(ctx, func(s *online.State) error { o.apply(s); return nil })
				} else {
					err = r.cfg.Text.Learn(ctx, o.label)
				}
				if err != nil {
					return fmt.Errorf("feedback: %w", err)
				}
				r.stats.learned.Add(1)
				r.text.snapshot++
				r.text.guard++
			}
			r.dropGolden(f.Feedback)
		}
		r.text.seq = f.Seq
		r.stats.seq.Store(f.Seq)
		if r.text.snapshot >= r.cfg.SnapshotEvery {
			err := r.cfg.Text.Do(ctx, func(s *online.State) error { return r.save(ctx, s, f.Seq, r.text.knows, f.Time) })
			if err != nil {
				// The model is right all the same; the next one may succeed.
				r.cfg.Trace.Error("a snapshot of the labels can't be written", slog.Any("error", err))
			}
			r.text.snapshot = 0
		}
	}
	return nil
}

// step is an entry, and whether it belongs to the model.
type step struct {
	*sluice.Feedback
	teaches bool
}

// page reads entries after seq up to to.
func (r *Room) page(ctx context.Context, seq, to int64) ([]step, error) {
	page, err := r.cfg.Log.FeedbackSince(ctx, seq, pageSize)
	if err != nil {
		return nil, fmt.Errorf("feedback: the log of labels can't be read: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []step
	for _, f := range page {
		if f.Seq > to {
			break
		}
		out = append(out, step{f, r.ledger.counts(f, to)})
	}
	return out, nil
}

// rebuild makes the model anew: at the start, and without what was taken back. The
// newest snapshot that can be used is taken and the log replayed from there up to
// to; readers keep the old model until then.
func (r *Room) rebuild(ctx context.Context, to int64) error {
	began := r.cfg.Clock()
	r.stats.rebuilding.Store(true)
	defer r.stats.rebuilding.Store(false)
	s, from, exact, err := r.base(ctx, to)
	if err != nil {
		return err
	}
	if !exact && r.text.loaded {
		return r.against(ctx, to)
	}
	n, since, seq := 0, 0, from
	for seq < to {
		page, err := r.page(ctx, seq, to)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, f := range page {
			seq = f.Seq
			if !f.teaches {
				continue
			}
			read := r.operation // counts what can't be read, once
			if r.text.loaded {
				read = quietly
			}
			o := read(f.Feedback)
			if o == nil {
				continue
			}
			o.apply(s)
			n++
			if since++; since >= r.cfg.SnapshotEvery {
				since = 0
				if err := r.save(ctx, s, seq, to, f.Time); err != nil {
					r.cfg.Trace.Error("a snapshot of the labels can't be written", slog.Any("error", err))
				}
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	// From here on it must not be in doubt whose state the learner has.
	if err := r.cfg.Text.Replace(context.WithoutCancel(ctx), s); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	first := !r.text.loaded
	r.stats.loaded.Store(true)
	r.text = cursor{loaded: true, seq: to, knows: to, snapshot: since, guard: r.text.guard}
	r.stats.seq.Store(to)
	r.stats.rebuilds.Add(1)
	if n > 0 || !first {
		r.cfg.Trace.Info("labels replayed", slog.Bool("start", first), slog.Int64("from", from), slog.Int64("to", to),
			slog.Int("labels", n), slog.Duration("took", r.cfg.Clock().Sub(began)))
	}
	if first {
		r.guard = baseline{model: r.cfg.Text.Model(), seq: to}
	}
	return r.dropStale(ctx, to)
}

// base returns the state to replay from: the newest snapshot that can be used, else
// nothing, from the log's start. exact is false where the log's start is gone.
func (r *Room) base(ctx context.Context, to int64) (s *online.State, from int64, exact bool, err error) {
	heads, err := r.heads(ctx)
	if err != nil {
		return nil, 0, false, err
	}
	for i := len(heads) - 1; i >= 0; i-- {
		h := &heads[i]
		r.mu.Lock()
		usable := h.Seq <= to && r.ledger.usable(h, to)
		r.mu.Unlock()
		if !usable {
			continue
		}
		s, err := r.open(ctx, h.Seq)
		if err == nil {
			return s, h.Seq, true, nil
		}
		if ctx.Err() != nil {
			return nil, 0, false, fmt.Errorf("feedback: %w", ctx.Err())
		}
		r.unusable(h.Seq, err)
	}
	whole, err := r.whole(ctx)
	if err != nil {
		return nil, 0, false, err
	}
	if !whole && !r.text.loaded {
		r.cfg.Trace.Error("no snapshot of the labels can be used: what is left of the log is learned, older labels are lost")
	}
	return online.NewState(), 0, whole, nil
}

// against trains against labels that were taken back and can't be replayed here: no
// snapshot from before them is left. From then on this node's model is near that of
// others, but not the same, until it starts from a snapshot of theirs.
func (r *Room) against(ctx context.Context, to int64) error {
	r.mu.Lock()
	var gone []int64
	for of, fate := range r.ledger.gone {
		if !fate.counter && fate.by > r.text.knows && of <= r.text.seq {
			gone = append(gone, of)
		}
	}
	slices.Sort(gone) // nodes in the same trouble do the same
	accepted := make(map[int64]int64)
	for _, of := range gone {
		if by, ok := r.ledger.accepted[of]; ok {
			accepted[of] = by
		}
	}
	r.mu.Unlock()
	for _, of := range gone {
		at := of
		if by, ok := accepted[of]; ok {
			at = by
		}
		f, err := r.cfg.Log.FeedbackEntry(ctx, at)
		if errors.Is(err, sluice.ErrNotFound) || err == nil && at > r.text.seq {
			continue
		}
		if err != nil {
			return fmt.Errorf("feedback: the log of labels can't be read: %w", err)
		}
		if o := quietly(f); o != nil {
			o.against = true
			if err := r.cfg.Text.Do(context.WithoutCancel(ctx), func(s *online.State) error { o.apply(s); return nil }); err != nil {
				return fmt.Errorf("feedback: %w", err)
			}
			r.stats.inexact.Add(1)
		}
		r.cfg.Trace.Error("a label was taken back that can't be replayed here: trained against it, this model is no longer the same as others'", slog.Int64("label", of))
	}
	r.text.knows = to
	return nil
}

// dropStale removes snapshots that have what was taken back.
func (r *Room) dropStale(ctx context.Context, to int64) error {
	heads, err := r.heads(ctx)
	if err != nil {
		return err
	}
	for i := range heads {
		r.mu.Lock()
		usable := r.ledger.usable(&heads[i], to)
		r.mu.Unlock()
		if usable || heads[i].Extractor != online.Extractor { // another program may need it
			continue
		}
		if err := r.cfg.Snapshots.Remove(ctx, heads[i].Seq); err != nil {
			return fmt.Errorf("feedback: snapshot %d: %w", heads[i].Seq, err)
		}
	}
	return nil
}

// campaignsFile says which labels the campaign memory's file has.
func (r *Room) campaignsFile() string { return path.Join(r.cfg.Folder, "campaigns.seq") }

func (r *Room) goldenFile() string { return path.Join(r.cfg.Folder, "golden") }

func (r *Room) noteCampaigns() error {
	if err := r.cfg.FS.MkdirAll(r.cfg.Folder); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	if err := durable.WriteFile(r.cfg.FS, r.campaignsFile(), binary.LittleEndian.AppendUint64(nil, uint64(r.ledger.campaigns))); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	return nil
}

func (r *Room) readCampaigns() error {
	if r.cfg.CampaignsEmpty {
		return nil
	}
	f, err := r.cfg.FS.Open(r.campaignsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	defer f.Close()
	var b [8]byte
	if n, _ := f.ReadAt(b[:], 0); n == len(b) && f.Size() == int64(len(b)) {
		r.ledger.campaigns = max(int64(binary.LittleEndian.Uint64(b[:])), 0)
	}
	return nil
}
