package child

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/inspect"
)

// Progress is told how far the walk has come: before a decoder gets a file, and now
// and then while it works. The report is the same each time, and longer; changed
// lists files that it had before and that are different now. A process uses it to
// send what it knows before it might die.
type Progress func(r *inspect.Report, changed []int, at int, by string)

// walk is the state of one request.
type walk struct {
	frame     *Frame
	ctx       context.Context
	req       *inspect.Request
	budget    inspect.Budget
	began     time.Time
	report    *inspect.Report
	progress  Progress
	told      time.Time // when progress was last called
	fresh     int       // findings since then
	held      bool      // a file is half described: nothing is told
	changed   []int
	at        int
	by        string
	queue     []pending
	roots     []spent // by input
	used      spent   // sum of roots, without the running clock
	rootOf    []int   // by file
	first     map[content]int
	facts     map[factKey]int
	textBytes int
	grey      int    // pictures that were kept
	scratch   []byte // of the file that is being read
}

// spent is what was used of the budget.
type spent struct {
	bytes   int64
	entries int
	time    time.Duration
	kept    int64
}

// pending is a file that waits for its decoders.
type pending struct {
	index   int
	content []byte
}

// content tells files that need not be opened twice.
type content struct {
	sum [32]byte
	typ inspect.Type
}

type factKey struct {
	file int
	kind inspect.Kind
}

// Inspect looks into the files of one request. The report is complete unless
// Exhausted says otherwise. progress may be nil.
func (f *Frame) Inspect(ctx context.Context, req *inspect.Request, progress Progress) *inspect.Report {
	w := &walk{frame: f, req: req, budget: req.Budget.WithDefaults(), began: f.cfg.Now(), progress: progress,
		report: &inspect.Report{At: -1}, at: -1,
		first: map[content]int{}, facts: map[factKey]int{}}
	w.told = w.began
	ctx, cancel := context.WithTimeout(ctx, w.budget.Time)
	defer cancel()
	w.ctx = ctx
	w.held = true
	inputs := req.Inputs[:min(len(req.Inputs), inspect.MaxInputs)]
	w.roots = make([]spent, len(inputs))
	for i, in := range inputs {
		w.rootOf = append(w.rootOf, i)
		w.report.Files = append(w.report.Files, inspect.File{Parent: -1, Same: -1, Depth: 0,
			Name: clip(in.Name, inspect.MaxName), Declared: clip(in.DeclaredType, inspect.MaxDeclared)})
		w.settle(i, in.Body, false)
		w.remark(i)
	}
	w.held = false
	w.tell(true)
	for len(w.queue) > 0 {
		p := w.queue[0]
		w.queue[0] = pending{} // lets its content go
		w.queue = w.queue[1:]
		w.open(p)
	}
	w.at, w.by = -1, ""
	w.report.Took = w.frame.cfg.Now().Sub(w.began)
	w.tell(true)
	return w.report
}

// open gives a file to its decoders. One of them may find a closer type, and those
// that open that come next; each gets the file once.
func (w *walk) open(p pending) {
	work := &Work{walk: w, index: p.index, content: p.content}
	var done []string
	for {
		ds := w.frame.decoders(w.report.Files[p.index].Type)
		i := slices.IndexFunc(ds, func(d Decoder) bool { return !slices.Contains(done, d.Name()) })
		if i < 0 {
			return
		}
		d := ds[i]
		done = append(done, d.Name())
		if work.Err() != nil {
			return
		}
		w.at, w.by = p.index, d.Name()
		w.tell(true)
		began := w.frame.cfg.Now()
		work.began = began
		err := w.run(d, work)
		took := w.frame.cfg.Now().Sub(began)
		work.began = time.Time{}
		w.roots[w.rootOf[p.index]].time += took
		w.used.time += took
		if err != nil && !errors.Is(err, ErrBudget) && w.ctx.Err() == nil {
			work.Fact(inspect.Damaged, d.Name()+": "+err.Error())
		}
	}
}

// run calls a decoder and catches its panic. What it found before stands.
func (w *walk) run(d Decoder, work *Work) (err error) {
	defer func() {
		if v := recover(); v != nil {
			work.Fact(inspect.DecoderPanic, fmt.Sprintf("%s: %v at %s", d.Name(), v, panicSite(debug.Stack())))
			err = nil
		}
	}()
	return d.Open(w.ctx, work)
}

// panicSite is the first place in a stack trace behind the panic: "zip.go:123".
func panicSite(stack []byte) string {
	_, after, _ := bytes.Cut(stack, []byte("\npanic("))
	for line := range bytes.Lines(after) {
		if at, ok := bytes.CutPrefix(line, []byte("\t")); ok && !bytes.Contains(at, []byte("/runtime/")) {
			at = at[bytes.LastIndexByte(at, '/')+1:]
			place, _, _ := bytes.Cut(at, []byte(" "))
			return string(bytes.TrimSpace(place))
		}
	}
	return "an unknown place"
}

// settle fills in what a file's content says, and queues it where a decoder opens
// its type. The content is copied for that where it stands in the scratch buffer.
func (w *walk) settle(i int, body []byte, scratch bool) {
	f := &w.report.Files[i]
	f.Size = int64(len(body))
	f.SHA256 = sha256.Sum256(body)
	if w.frame.cfg.TLSH != nil {
		f.TLSH = clip(w.frame.cfg.TLSH(body), inspect.MaxTLSH)
	}
	typ, class := w.identify(i, body)
	if f.Type == "" {
		f.Type = typ
	}
	f.Class |= class
	if len(body) == 0 {
		return
	}
	key := content{f.SHA256, f.Type}
	if first, ok := w.first[key]; ok {
		f.Same = first
		for up := f.Parent; up >= 0; up = w.report.Files[up].Parent {
			if up == first {
				w.fact(first, inspect.ContainsItself, f.Name)
			}
		}
		return
	}
	w.first[key] = i
	opened := len(w.frame.decoders(f.Type)) > 0
	if opened && f.Depth >= w.budget.Depth {
		w.limit(inspect.LimitDepth)
		opened = false
	}
	kept := w.keeps(i, int64(len(body)))
	if !opened && !kept {
		return
	}
	switch {
	case scratch && len(body) > 1<<20:
		w.scratch = nil // it is the file's now
	case scratch:
		body = bytes.Clone(body)
	}
	if kept {
		w.report.Kept = append(w.report.Kept, inspect.Kept{File: i, Form: inspect.Octets, Body: body})
	}
	if opened {
		w.queue = append(w.queue, pending{i, body})
	}
}

// keeps says whether a file's content goes into the report: it was found in another, and
// there is room for it. The room is shared like the budget.
func (w *walk) keeps(i int, size int64) bool {
	room := w.req.Keep.Within().Bytes
	if room == 0 || w.report.Files[i].Parent < 0 {
		return false
	}
	root := &w.roots[w.rootOf[i]]
	if w.over(w.used.kept+size, root.kept+size, room) {
		w.limit(inspect.LimitKept)
		return false
	}
	w.used.kept += size
	root.kept += size
	return true
}

// identify asks for the type; a panic there is a fact like one in a decoder.
func (w *walk) identify(i int, body []byte) (t inspect.Type, c inspect.Class) {
	defer func() {
		if v := recover(); v != nil {
			w.fact(i, inspect.DecoderPanic, fmt.Sprintf("identify: %v at %s", v, panicSite(debug.Stack())))
			t, c = "", 0
		}
	}()
	f := &w.report.Files[i]
	t, c = w.frame.cfg.Identify(f.Name, f.Declared, body)
	if !t.Valid() || !c.Valid() {
		panic(fmt.Sprintf("inspect/child: Identify gave the type %q and class %#x", t, uint32(c)))
	}
	return t, c
}

// remark states what a file's description alone shows.
func (w *walk) remark(i int) {
	if w.frame.cfg.Remark != nil {
		w.frame.cfg.Remark(w.report.Files[i], func(kind inspect.Kind, detail string) { w.fact(i, kind, detail) })
	}
}

func (w *walk) limit(l inspect.Limit) { w.report.Exhausted |= l }

// fact adds a finding unless it is there, or there are too many of its kind.
func (w *walk) fact(file int, kind inspect.Kind, detail string) {
	if !kind.Valid() {
		panic(fmt.Sprintf("inspect/child: %q has not the form of a kind", kind))
	}
	k := factKey{file, kind}
	if len(w.report.Facts) >= inspect.MaxFacts || w.facts[k] >= inspect.MaxFactsOfKind {
		w.limit(inspect.LimitFacts)
		return
	}
	f := inspect.Fact{File: file, Kind: kind, Detail: clip(detail, inspect.MaxDetail)}
	if w.facts[k] > 0 && slices.Contains(w.report.Facts, f) {
		return
	}
	w.facts[k]++
	w.report.Facts = append(w.report.Facts, f)
	w.found()
}

// found counts a finding, and tells where much or much time has gathered: what a
// decoder found before it hangs must be known.
func (w *walk) found() {
	w.fresh++
	w.tell(false)
}

const (
	tellAfter = 50 * time.Millisecond
	tellCount = 64
)

func (w *walk) tell(now bool) {
	if w.progress == nil || w.held {
		return
	}
	if !now && w.fresh < tellCount && w.frame.cfg.Now().Sub(w.told) < tellAfter {
		return
	}
	w.progress(w.report, w.changed, w.at, w.by)
	w.changed = w.changed[:0]
	w.fresh = 0
	w.told = w.frame.cfg.Now()
}

// change notes that a file which may be known already is different now.
func (w *walk) change(i int) {
	if !slices.Contains(w.changed, i) {
		w.changed = append(w.changed, i)
	}
}

// read takes in an entry's content, into scratch: what there is of it, and what
// ended it early. The budget's error is wrapped, any other is the entry's own.
func (w *Work) read(r io.Reader) ([]byte, error) {
	buf := w.scratch[:0]
	defer func() { w.scratch = buf[:0] }()
	m := w.Reader(r)
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(32<<10, min(len(buf), 16<<20)))
		}
		n, err := m.Read(buf[len(buf):min(cap(buf), len(buf)+256<<10)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > w.budget.File:
			buf = buf[:w.budget.File]
			w.limit(inspect.LimitFile)
			return buf, errFile
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// clip bounds a string at a rune and makes it valid UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		cut := n
		for cut > n-utf8.UTFMax && cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	if v := strings.ToValidUTF8(s, "\uFFFD"); len(v) <= n {
		return v
	}
	return strings.ToValidUTF8(s, "?") // no longer than it was
}
