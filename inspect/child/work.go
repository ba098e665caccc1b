package child

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"sluice/inspect"
)

// ErrBudget is wrapped by every error of a [Work] that says: stop, the budget is
// spent. The report says which part of it.
var ErrBudget = errors.New("inspect/child: budget is spent")

type budgetError struct{ l inspect.Limit }

func (e budgetError) Error() string { return "inspect/child: budget is spent: " + e.l.String() }
func (budgetError) Unwrap() error   { return ErrBudget }

// errFile ends one entry, and no decoder.
var errFile = errors.New("larger than is read")

// Work is one file on a decoder's table, and the decoder's only way to the world.
type Work struct {
	*walk
	index   int
	content []byte
	made    int64     // bytes that this file yielded
	began   time.Time // when its present decoder began
	spent   error     // this file's own budget is spent
}

// Index is the file's place in the report.
func (w *Work) Index() int { return w.index }

// Bytes is the whole content. It must not be changed.
func (w *Work) Bytes() []byte { return w.content }

// Name is what the file is called; hostile.
func (w *Work) Name() string { return w.report.Files[w.index].Name }

// Type is the file's type as known now.
func (w *Work) Type() inspect.Type { return w.report.Files[w.index].Type }

// Depth is 0 for inputs.
func (w *Work) Depth() int { return w.report.Files[w.index].Depth }

// Inputs are all files of the request, for a decoder that needs what stands beside
// its own: an image that was cut to pieces. They must not be changed.
func (w *Work) Inputs() []inspect.Input {
	return w.req.Inputs[:min(len(w.req.Inputs), inspect.MaxInputs)]
}

// Passwords are words of the message to try on what is encrypted, the likeliest
// first. Trying costs time: ask Err between them.
func (w *Work) Passwords() []string {
	return w.req.Passwords[:min(len(w.req.Passwords), inspect.MaxPasswords)]
}

// Budget is what the request allows. It doesn't shrink.
func (w *Work) Budget() inspect.Budget { return w.budget }

// Err is not nil where the decoder must stop: time is up, or something else of the
// budget is spent. Loops that neither read from Reader nor emit ask it now and then
// (it reads the clock: every few thousand steps).
func (w *Work) Err() error { return w.Charge(0) }

// Charge counts n bytes that the decoder unpacked on its own, without Reader.
func (w *Work) Charge(n int) error {
	if w.spent != nil {
		return w.spent
	}
	root := &w.roots[w.rootOf[w.index]]
	root.bytes += int64(n)
	w.used.bytes += int64(n)
	w.made += int64(n)
	switch {
	case w.ctx.Err() != nil:
		return w.stop(inspect.LimitTime)
	case w.over(w.used.bytes, root.bytes, w.budget.Bytes):
		return w.stop(inspect.LimitBytes)
	case w.made > inspect.RatioFree && w.made/w.budget.Ratio > int64(len(w.content)):
		w.fact(w.index, inspect.Bomb, "more than "+itoa(w.budget.Ratio)+" times its size")
		return w.stop(inspect.LimitRatio)
	}
	var running time.Duration
	if now := w.frame.cfg.Now(); !w.began.IsZero() {
		running = now.Sub(w.began)
	}
	if w.over(int64(w.used.time+running), int64(root.time+running), int64(w.budget.Time)) {
		return w.stop(inspect.LimitTime)
	}
	return nil
}

// over says whether one input took more than its share: half of what the others
// leave, or all where it is the only one.
func (w *walk) over(all, own, budget int64) bool {
	if len(w.roots) == 1 {
		return all > budget
	}
	return own > (budget-(all-own))/2
}

func (w *Work) stop(l inspect.Limit) error {
	w.limit(l)
	w.spent = budgetError{l}
	return w.spent
}

// Steps is for a decoder's own bound on work (objects, records, passwords): it
// notes that the bound was met, and returns the error to give up with.
func (w *Work) Steps() error {
	w.limit(inspect.LimitSteps)
	return budgetError{inspect.LimitSteps}
}

// Pixels says whether an image of that size may be decoded. Ask before anything is
// allocated for it.
func (w *Work) Pixels(width, height int) error {
	if width <= 0 || height <= 0 || int64(width) > w.budget.Pixels/int64(height) {
		w.limit(inspect.LimitPixels)
		return budgetError{inspect.LimitPixels}
	}
	return w.Err()
}

// Reader charges what is read through it. r is a decompressor or the like; its
// errors are passed on as they are. Reading ends with an error that wraps
// [ErrBudget] when the budget is spent.
func (w *Work) Reader(r io.Reader) io.Reader { return &meter{w, r} }

type meter struct {
	w *Work
	r io.Reader
}

func (m *meter) Read(p []byte) (int, error) {
	if m.w.spent != nil {
		return 0, m.w.spent
	}
	// Short reads let the budget end what would fill a large buffer.
	n, err := m.r.Read(p[:min(len(p), 256<<10)])
	if over := m.w.Charge(n); over != nil {
		return n, over
	}
	return n, err
}

// ReadAll reads r through Reader, at most limit bytes. It returns what it got beside
// the error: io.ErrShortBuffer where there was more.
func (w *Work) ReadAll(r io.Reader, limit int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(w.Reader(r), int64(limit)+1))
	if len(b) > limit {
		return b[:limit], io.ErrShortBuffer
	}
	return b, err
}

// Entry is a file that a decoder found in its own. Where neither Body nor Bytes is
// set, it is listed only.
type Entry struct {
	Name      string // with folders, as the container writes it
	Declared  string // media type given by the container
	Type      inspect.Type
	Class     inspect.Class // added to what the content says
	Method    string        // how it is stored
	Size      int64         // as declared; below 0 where unknown. Compared with what is read
	Encrypted bool          // it is stored encrypted; without Body and Bytes: no password worked
	Body      io.Reader     // the content, unpacked; read to its end by Emit, and charged
	Bytes     []byte        // the content where it is at hand; kept, not copied, and charged
}

// WantsPicture says whether the request asks for one more picture that carries text.
func (w *Work) WantsPicture() bool { return w.grey < w.req.Keep.Within().Pictures }

// KeepPicture hands over a picture that looks as if it carried text, as PGM. One that
// is too large is left out.
func (w *Work) KeepPicture(pgm []byte) {
	if !w.WantsPicture() || len(pgm) == 0 || len(pgm) > inspect.MaxPixels {
		w.limit(inspect.LimitKept)
		return
	}
	w.grey++
	w.report.Kept = append(w.report.Kept, inspect.Kept{File: w.index, Form: inspect.Pixels, Body: pgm})
	w.found()
}

// Emit adds a file that this one contains, reads it, names its type and queues it
// for the decoders that open it. It returns the file's index. The error is not nil
// where the budget is spent, and must end the decoder. A body that fails to unpack
// is not an error: what came out is kept as Partial, with a fact.
func (w *Work) Emit(e Entry) (int, error) {
	if err := w.Err(); err != nil {
		return -1, err
	}
	root := &w.roots[w.rootOf[w.index]]
	if w.over(int64(w.used.entries+1), int64(root.entries+1), int64(w.budget.Entries)) {
		return -1, w.stop(inspect.LimitEntries)
	}
	w.used.entries++
	root.entries++

	var body []byte
	var err error
	scratch := e.Body != nil
	switch {
	case e.Body != nil:
		body, err = w.read(e.Body)
	case e.Bytes != nil:
		body = e.Bytes
		if int64(len(body)) > w.budget.File {
			body, err = body[:w.budget.File], errFile
			w.limit(inspect.LimitFile)
		} else {
			err = w.Charge(len(body))
		}
	}
	i := len(w.report.Files)
	f := inspect.File{Parent: w.index, Same: -1, Depth: w.report.Files[w.index].Depth + 1,
		Name: clip(e.Name, inspect.MaxName), Declared: clip(e.Declared, inspect.MaxDeclared), Method: clip(e.Method, inspect.MaxWord),
		Type: e.Type, Class: e.Class, Encrypted: e.Encrypted}
	if e.Encrypted {
		f.Class |= inspect.Encrypted
	}
	switch {
	case e.Body == nil && e.Bytes == nil:
		f.Content, f.Size = inspect.Listed, max(e.Size, 0)
		if e.Encrypted {
			f.Content = inspect.Locked
		}
	case err != nil:
		f.Content = inspect.Partial
	}
	w.rootOf = append(w.rootOf, w.rootOf[w.index])
	w.report.Files = append(w.report.Files, f)
	w.held = true
	defer func() { w.held = false; w.found() }()
	if climbs(f.Name) {
		w.fact(i, inspect.NameClimbs, f.Name)
	}
	switch {
	case f.Content == inspect.Listed || f.Content == inspect.Locked:
		_, class := w.identify(i, nil)
		w.report.Files[i].Class |= class
	case len(body) > 0 || err == nil:
		w.settle(i, body, scratch)
	}
	w.remark(i)
	switch {
	case errors.Is(err, ErrBudget):
		return i, err
	case err != nil && err != errFile:
		w.fact(i, inspect.Damaged, err.Error())
	case err == nil && f.Content == inspect.Whole && e.Size >= 0 && e.Size != int64(len(body)):
		w.fact(i, inspect.SizeMismatch, "declared "+itoa(e.Size)+", is "+itoa(int64(len(body))))
	}
	return i, nil
}

// climbs says whether unpacking to a folder could write outside of it.
func climbs(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	return strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") || strings.HasSuffix(name, "/..") || strings.Contains(name, "/../") ||
		len(name) > 2 && name[1] == ':' && name[2] == '/'
}

// Fact states a finding in this file. The same one twice counts once.
func (w *Work) Fact(kind inspect.Kind, detail string) { w.fact(w.index, kind, detail) }

// FactOf states a finding in a file that Emit added.
func (w *Work) FactOf(index int, kind inspect.Kind, detail string) {
	if index < w.index || index >= len(w.report.Files) {
		panic("inspect/child: fact about a file that isn't this one or in it")
	}
	w.fact(index, kind, detail)
}

// Mark adds to this file's class.
func (w *Work) Mark(c inspect.Class) {
	if !c.Valid() {
		panic("inspect/child: unknown class")
	}
	if f := &w.report.Files[w.index]; !f.Class.Has(c) {
		f.Class |= c
		w.change(w.index)
	}
}

// Refine replaces this file's type by a closer one. Decoders that open that type,
// and have not had the file, get it when this one returns.
func (w *Work) Refine(t inspect.Type) {
	if t == "" || !t.Valid() {
		panic("inspect/child: " + string(t) + " has not the form of a type")
	}
	if f := &w.report.Files[w.index]; f.Type != t {
		f.Type = t
		w.change(w.index)
	}
}

// Link states a URL found in this file.
func (w *Work) Link(via inspect.Via, url string) {
	if url == "" {
		return
	}
	if len(w.report.Links) >= inspect.MaxLinks {
		w.limit(inspect.LimitLinks)
		return
	}
	w.report.Links = append(w.report.Links, inspect.Link{File: w.index, URL: clip(url, inspect.MaxURL), Via: inspect.Via(clip(string(via), inspect.MaxWord))})
	w.found()
}

// Text hands over readable text of this file, cut to what the report may hold.
func (w *Work) Text(origin inspect.Origin, text string) {
	room := min(inspect.MaxText, inspect.MaxTexts-w.textBytes)
	if text == "" {
		return
	}
	if len(text) > room || len(w.report.Texts) >= inspect.MaxTextCount {
		w.limit(inspect.LimitTexts)
	}
	if room <= 0 || len(w.report.Texts) >= inspect.MaxTextCount {
		return
	}
	text = clip(text, room)
	w.textBytes += len(text)
	w.report.Texts = append(w.report.Texts, inspect.Text{File: w.index, Origin: inspect.Origin(clip(string(origin), inspect.MaxWord)), Text: text})
	w.found()
}

// Image hands over what was found in this file's pixels. File is filled in.
func (w *Work) Image(m inspect.Image) {
	if len(w.report.Images) >= inspect.MaxImages {
		w.limit(inspect.LimitImages)
		return
	}
	m.File = w.index
	if len(m.Codes) > inspect.MaxCodes {
		m.Codes = m.Codes[:inspect.MaxCodes]
		w.limit(inspect.LimitImages)
	}
	m.Width, m.Height = max(m.Width, 0), max(m.Height, 0)
	var codes []inspect.Code
	for _, c := range m.Codes {
		codes = append(codes, inspect.Code{Format: clip(c.Format, inspect.MaxWord), Text: clip(c.Text, inspect.MaxPayload), Trait: clip(c.Trait, inspect.MaxWord)})
	}
	m.Codes = codes
	w.report.Images = append(w.report.Images, m)
	w.found()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
