// Package outbox is the one small durable queue: mail that we write ourselves,
// mail released from quarantine, and the rest of a split transaction. It never
// writes a bounce: what can't be delivered ends in a folder and an alarm. The
// sender is kept as given; own mail has the null sender, so that nobody else
// writes a bounce either.
//
// DIR/queue/ID.msg is a message in the format of package box, written once;
// ID.state beside it says how far it got. What failed is moved to DIR/failed;
// moving ID.msg back into queue, without its state, tries it again. A message
// is delivered at least once: a crash between the next hop's 250 and our note of
// it sends it again.
//
// Other processes may Put while one runs the queue.
package outbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice"
	"sluice/deliver/internal/filed"
	"sluice/internal/durable"
	"sluice/internal/durable/box"
)

const (
	extMessage = ".msg"
	extState   = ".state"
	queueDir   = "queue"
	failedDir  = "failed"

	formatName = "sluice-outbox 1"
)

// Config says where the queue lies and who takes its mail.
type Config struct {
	Dir     string
	FS      durable.FS // nil: the operating system's
	Deliver func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome
	Backoff func(attempt int) time.Duration // after the nth failed attempt; default: 1 min doubling to 1 h
	Expire  time.Duration                   // default 5 days
	Workers int                             // deliveries at a time; default 4
	Alarm   func(Alarm)                     // may be nil; called from the runner's goroutines
}

// Alarm tells an admin about mail that could not be delivered. The message
// stays in the folder "failed".
type Alarm struct {
	ID       string           // the delivery's
	File     string           // where the message lies now
	Outcomes []sluice.Outcome // of the recipients that failed
	Expired  bool             // gave up after Config.Expire; else refused for good
	Err      error            // trouble of ours: a damaged file, a disk that fails; nil otherwise
}

// Outbox is a [sluice.Outbox] over files. It is safe for concurrent use.
type Outbox struct {
	cfg    Config
	fs     durable.FS
	format *box.Format
	wake   chan struct{}

	mu      sync.Mutex
	entries map[string]*entry // by the file's id
	writing map[string]bool   // ids that Put is busy with
}

var _ sluice.Outbox = (*Outbox)(nil)

// entry is one message in the queue. Its worker owns it while busy.
type entry struct {
	busy  bool
	state state
}

// description is the box's JSON.
type description struct {
	ID       string
	Envelope sluice.Envelope
	Header   int // octets of the content that are our header
	Utf8     bool
	EightBit bool
	Queued   time.Time
}

// state is how far a message got: the file ID.state.
type state struct {
	Attempts int
	Next     time.Time
	Rcpts    []progress // in the envelope's order; empty before the first attempt
}

// progress is what became of one recipient so far.
type progress struct {
	Done    bool // delivered
	Failed  bool // refused for good, or expired
	Reply   sluice.Reply
	Error   string `json:",omitempty"`
	Unknown bool   `json:",omitempty"`
}

// maxState bounds a state file: some hundred octets for each of 1000 recipients.
const maxState = 4 << 20

// New opens the queue and finds what waits there. Nothing is sent before Run.
func New(cfg Config) (*Outbox, error) {
	if cfg.Dir == "" {
		return nil, errors.New("outbox: no folder given")
	}
	if cfg.FS == nil {
		cfg.FS = durable.OS{}
	}
	if cfg.Backoff == nil {
		cfg.Backoff = backoff
	}
	if cfg.Expire == 0 {
		cfg.Expire = 5 * 24 * time.Hour
	}
	if cfg.Workers == 0 {
		cfg.Workers = 4
	}
	if cfg.Alarm == nil {
		cfg.Alarm = func(Alarm) {}
	}
	o := &Outbox{cfg: cfg, fs: cfg.FS, format: box.NewFormat(formatName), wake: make(chan struct{}, 1), entries: map[string]*entry{}, writing: map[string]bool{}}
	for _, dir := range []string{queueDir, failedDir} {
		if err := o.fs.MkdirAll(path.Join(cfg.Dir, dir)); err != nil {
			return nil, fmt.Errorf("outbox: %w", err)
		}
	}
	return o, o.scan()
}

// backoff is 1 min, 2, 4 … up to 1 h.
func backoff(attempt int) time.Duration {
	return min(time.Minute<<min(max(attempt-1, 0), 6), time.Hour)
}

func (o *Outbox) name(dir, id, ext string) string { return path.Join(o.cfg.Dir, dir, id+ext) }

// Put implements [sluice.Outbox]. On a full disk the error carries the reply
// 452 4.3.1.
func (o *Outbox) Put(ctx context.Context, d *sluice.Delivery) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if len(d.Envelope.Rcpts) == 0 {
		return errors.New("outbox: a message without recipients")
	}
	id := rand.Text()
	desc := description{ID: d.ID, Envelope: filed.Pack(*d.Envelope), Header: len(d.Header), Utf8: d.Utf8, EightBit: d.EightBit, Queued: time.Now().UTC()}
	o.setWriting(id, true)
	defer o.setWriting(id, false)
	err := durable.Replace(o.fs, o.name(queueDir, id, extMessage), func(w io.Writer) error {
		content := make([]byte, 0, len(d.Header)+len(d.Body))
		return o.format.Write(w, desc, append(append(content, d.Header...), d.Body...))
	})
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &sluice.Error{Reply: sluice.Reply{Code: 452, Enhanced: "4.3.1", Text: "Storage is full; please try again later"}, Err: fmt.Errorf("outbox: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	o.mu.Lock()
	if o.entries[id] == nil { // a scan may have found it already
		o.entries[id] = &entry{}
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil
}

func (o *Outbox) setWriting(id string, on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if on {
		o.writing[id] = true
	} else {
		delete(o.writing, id)
	}
}

// Len is the number of messages that wait, as far as this process knows.
func (o *Outbox) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.entries)
}

// scan finds files that this process doesn't know yet.
func (o *Outbox) scan() error {
	list, err := o.fs.List(path.Join(o.cfg.Dir, queueDir))
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	for _, e := range list {
		id, ok := strings.CutSuffix(e.Name, extMessage)
		if !ok || e.Dir {
			continue
		}
		o.mu.Lock()
		known := o.entries[id] != nil
		o.mu.Unlock()
		if known {
			continue
		}
		st := o.readState(id)
		o.mu.Lock()
		if o.entries[id] == nil {
			o.entries[id] = &entry{state: st}
		}
		o.mu.Unlock()
	}
	return nil
}

// readState reads how far a message got. Where that can't be read the message
// starts anew: twice delivered is better than lost.
func (o *Outbox) readState(id string) state {
	r, err := o.fs.Open(o.name(queueDir, id, extState))
	if err != nil {
		return state{}
	}
	defer r.Close()
	var st state
	if r.Size() > maxState || json.NewDecoder(io.NewSectionReader(r, 0, r.Size())).Decode(&st) != nil {
		return state{}
	}
	return st
}

// load reads a message from the queue.
func (o *Outbox) load(id string) (*sluice.Delivery, time.Time, error) {
	r, err := o.fs.Open(o.name(queueDir, id, extMessage))
	if err != nil {
		return nil, time.Time{}, err
	}
	b, err := o.format.Open(r)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer b.Close()
	var desc description
	if err := json.Unmarshal(b.Meta, &desc); err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: %w", box.ErrTorn, err)
	}
	rc, err := b.Read()
	if err != nil {
		return nil, time.Time{}, err
	}
	content, err := io.ReadAll(rc)
	if err == nil && (desc.Header < 0 || desc.Header > len(content)) {
		err = fmt.Errorf("%w: header of %d octets", box.ErrTorn, desc.Header)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	env := filed.Unpack(desc.Envelope)
	return &sluice.Delivery{ID: desc.ID, Envelope: &env, Utf8: desc.Utf8, EightBit: desc.EightBit,
		Header: content[:desc.Header:desc.Header], Body: content[desc.Header:]}, desc.Queued, nil
}

// tidy removes what a crash left behind: unfinished files, and states whose
// message is gone.
func (o *Outbox) tidy() error {
	for _, dir := range []string{queueDir, failedDir} {
		list, err := o.fs.List(path.Join(o.cfg.Dir, dir))
		if err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		have := map[string]bool{}
		for _, e := range list {
			have[e.Name] = true
		}
		for _, e := range list {
			id, isState := strings.CutSuffix(e.Name, extState)
			tmp, isTemp := strings.CutSuffix(e.Name, extMessage+durable.TempSuffix)
			o.mu.Lock()
			writing := isTemp && o.writing[tmp]
			o.mu.Unlock()
			if writing || !strings.HasSuffix(e.Name, durable.TempSuffix) && (!isState || have[id+extMessage]) {
				continue
			}
			if err := o.fs.Remove(path.Join(o.cfg.Dir, dir, e.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("outbox: %w", err)
			}
		}
	}
	return nil
}
