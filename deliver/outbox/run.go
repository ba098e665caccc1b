package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime/debug"
	"sync"
	"time"

	"sluice"
	"sluice/internal/durable"
	"sluice/internal/durable/box"
)

// rescan is how often the folder is looked at for files that other processes
// have put there.
const rescan = 10 * time.Second

// Run delivers until ctx ends, and returns after the last delivery has. One
// process at a time may run a queue.
func (o *Outbox) Run(ctx context.Context) error {
	if err := o.tidy(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, o.cfg.Workers)
	freed := make(chan struct{}, 1)
	var trouble error
	for {
		err := o.scan()
		if err != nil && trouble == nil {
			o.cfg.Alarm(Alarm{File: path.Join(o.cfg.Dir, queueDir), Err: err})
		}
		trouble = err // what is known already goes on
		wait := rescan
		for ctx.Err() == nil {
			id, e, next := o.due(time.Now())
			if e == nil {
				wait = min(wait, next)
				break
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				o.done(id, e)
				return nil
			}
			wg.Go(func() {
				o.attempt(ctx, id, e)
				o.done(id, e)
				<-slots
				select {
				case freed <- struct{}{}:
				default:
				}
			})
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-o.wake:
		case <-freed:
		}
		timer.Stop()
	}
}

// due takes a message whose time has come, or says how long until the next one.
func (o *Outbox) due(now time.Time) (string, *entry, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wait := rescan
	for id, e := range o.entries {
		if e.busy {
			continue
		}
		if left := e.state.Next.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		e.busy = true
		return id, e, 0
	}
	return "", nil, wait
}

// done gives an entry back, or drops one whose file is gone.
func (o *Outbox) done(id string, e *entry) {
	r, err := o.fs.Open(o.name(queueDir, id, extMessage))
	if err == nil {
		_ = r.Close()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e.busy = false
	if errors.Is(err, fs.ErrNotExist) {
		delete(o.entries, id)
	}
}

// attempt tries the recipients that are left, once.
func (o *Outbox) attempt(ctx context.Context, id string, e *entry) {
	st := e.state // the entry is ours while busy; others read Next only when it is not
	d, queued, err := o.load(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return // an admin took it away
	case errors.Is(err, box.ErrTorn):
		err = errors.Join(fmt.Errorf("outbox: %s: %w", id, err), o.fail(id, st))
		o.later(e, st)
		o.cfg.Alarm(Alarm{ID: id, File: o.name(failedDir, id, extMessage), Err: err})
		return
	case err != nil:
		o.later(e, st)
		o.cfg.Alarm(Alarm{ID: id, File: o.name(queueDir, id, extMessage), Err: fmt.Errorf("outbox: %s: %w", id, err)})
		return
	}
	if len(st.Rcpts) != len(d.Envelope.Rcpts) {
		st.Rcpts = make([]progress, len(d.Envelope.Rcpts))
	}
	if left := open(&st); len(left) > 0 {
		if !o.try(ctx, d, &st, left) {
			return // stopped: as if it had not been tried
		}
	}
	expired := false
	if time.Since(queued) >= o.cfg.Expire {
		for _, i := range open(&st) {
			st.Rcpts[i].Failed, expired = true, true
		}
	}
	o.settle(id, e, d, st, expired)
}

// open lists the recipients that are neither delivered nor given up.
func open(st *state) (left []int) {
	for i, p := range st.Rcpts {
		if !p.Done && !p.Failed {
			left = append(left, i)
		}
	}
	return left
}

// try delivers to the recipients in left and notes what became of them. It is
// false where ctx ended before anything came of it.
func (o *Outbox) try(ctx context.Context, d *sluice.Delivery, st *state, left []int) bool {
	env := *d.Envelope
	env.Rcpts = nil
	for _, i := range left {
		env.Rcpts = append(env.Rcpts, d.Envelope.Rcpts[i])
	}
	part := *d
	part.Envelope = &env
	news := false
	for k, out := range o.deliver(ctx, &part) {
		p := &st.Rcpts[left[k]]
		*p = progress{Done: out.Delivered(), Failed: out.Reply.Permanent(), Reply: out.Reply, Unknown: out.Unknown}
		if out.Err != nil {
			p.Error = out.Err.Error()
		}
		news = news || p.Done || p.Failed || p.Unknown
	}
	if !news && ctx.Err() != nil {
		return false
	}
	st.Attempts++
	return true
}

// deliver keeps a panic of a next hop's client, or a wrong number of outcomes,
// from stopping the queue.
func (o *Outbox) deliver(ctx context.Context, d *sluice.Delivery) (out []sluice.Outcome) {
	trouble := func(err error) {
		out = make([]sluice.Outcome, len(d.Envelope.Rcpts))
		for i, rc := range d.Envelope.Rcpts {
			out[i] = sluice.Outcome{Recipient: rc.Address, Reply: sluice.ReplyTo(err), Err: err}
		}
	}
	defer func() {
		if v := recover(); v != nil {
			trouble(fmt.Errorf("outbox: panic: %v\n%s", v, debug.Stack()))
		}
	}()
	out = o.cfg.Deliver(ctx, d)
	if len(out) != len(d.Envelope.Rcpts) {
		trouble(fmt.Errorf("outbox: %d outcomes for %d recipients", len(out), len(d.Envelope.Rcpts)))
	}
	return out
}

// settle makes the outcome last: the message goes, stays for later, or moves to
// the folder of the failed.
func (o *Outbox) settle(id string, e *entry, d *sluice.Delivery, st state, expired bool) {
	var failed []sluice.Outcome
	for i, p := range st.Rcpts {
		if p.Failed {
			failed = append(failed, sluice.Outcome{Recipient: d.Envelope.Rcpts[i].Address,
				Reply: p.Reply, Err: errors.New(p.Error), Unknown: p.Unknown})
		}
	}
	var err error
	alarm := Alarm{ID: d.ID, Outcomes: failed, Expired: expired}
	switch {
	case len(open(&st)) > 0:
		st.Next = time.Now().Add(o.cfg.Backoff(st.Attempts)).UTC()
		err = o.writeState(queueDir, id, st)
		alarm.File, alarm.Outcomes = o.name(queueDir, id, extMessage), nil
	case len(failed) > 0:
		err = o.fail(id, st)
		alarm.File = o.name(failedDir, id, extMessage)
	default:
		err = o.remove(id)
		alarm.File = o.name(queueDir, id, extMessage)
	}
	if err != nil {
		// The disk's trouble: what is known stays in memory, so that nobody
		// gets it twice as long as this process lives.
		st.Next = time.Now().Add(o.cfg.Backoff(max(st.Attempts, 1))).UTC()
		alarm.Err = fmt.Errorf("outbox: %s: %w", id, err)
	}
	o.mu.Lock()
	e.state = st
	o.mu.Unlock()
	if err != nil || len(alarm.Outcomes) > 0 {
		o.cfg.Alarm(alarm)
	}
}

// later puts a message off without having tried it.
func (o *Outbox) later(e *entry, st state) {
	st.Attempts++
	st.Next = time.Now().Add(o.cfg.Backoff(st.Attempts)).UTC()
	o.mu.Lock()
	defer o.mu.Unlock()
	e.state = st
}

func (o *Outbox) writeState(dir, id string, st state) error {
	js, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return durable.WriteFile(o.fs, o.name(dir, id, extState), js)
}

// fail moves a message to the failed ones: written anew there and then removed
// here, since a rename between folders need not be atomic in a crash.
func (o *Outbox) fail(id string, st state) error {
	r, err := o.fs.Open(o.name(queueDir, id, extMessage))
	if err != nil {
		return err
	}
	defer r.Close()
	if err := o.writeState(failedDir, id, st); err != nil {
		return err
	}
	err = durable.Replace(o.fs, o.name(failedDir, id, extMessage), func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(r, 0, r.Size()))
		return err
	})
	if err != nil {
		return err
	}
	return o.remove(id)
}

func (o *Outbox) remove(id string) error {
	for _, ext := range []string{extMessage, extState} {
		if err := o.fs.Remove(o.name(queueDir, id, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return o.fs.SyncDir(path.Join(o.cfg.Dir, queueDir))
}
