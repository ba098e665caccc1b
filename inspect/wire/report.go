package wire

import (
	"bufio"
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/inspect"
)

// Writer sends one report as it grows.
type Writer struct {
	w                                          *bufio.Writer
	buf                                        record
	files, facts, links, texts, pictures, kept int // sent
}

// NewWriter begins a report on w.
func NewWriter(w *bufio.Writer) *Writer { return &Writer{w: w} }

// Progress sends what r holds beyond what was sent, the new type and class of files
// that changed, and what is being opened now.
func (w *Writer) Progress(r *inspect.Report, changed []int, at int, by string) error {
	for _, i := range changed {
		if i < w.files {
			w.buf = w.buf[:0]
			w.buf.num(int64(i))
			w.buf.text(string(r.Files[i].Type))
			w.buf.bits(uint64(r.Files[i].Class))
			if err := writeRecord(w.w, kindUpdate, w.buf); err != nil {
				return err
			}
		}
	}
	for ; w.files < len(r.Files); w.files++ {
		w.file(w.files, &r.Files[w.files])
		if err := writeRecord(w.w, kindFile, w.buf); err != nil {
			return err
		}
	}
	if err := w.findings(r); err != nil {
		return err
	}
	w.buf = w.buf[:0]
	w.buf.num(int64(at))
	w.buf.text(by)
	if err := writeRecord(w.w, kindAt, w.buf); err != nil {
		return err
	}
	return flush(w.w)
}

func (w *Writer) file(i int, f *inspect.File) {
	b := &w.buf
	*b = (*b)[:0]
	b.num(int64(i))
	b.num(int64(f.Parent))
	b.text(f.Name)
	b.text(f.Declared)
	b.text(string(f.Type))
	b.bits(uint64(f.Class))
	b.num(f.Size)
	b.raw(f.SHA256[:])
	b.text(f.TLSH)
	b.num(int64(f.Depth))
	b.truth(f.Encrypted)
	b.text(f.Method)
	b.bits(uint64(f.Content))
	b.num(int64(f.Same))
}

func (w *Writer) findings(r *inspect.Report) error {
	b := &w.buf
	for ; w.facts < len(r.Facts); w.facts++ {
		f := &r.Facts[w.facts]
		*b = (*b)[:0]
		b.num(int64(f.File))
		b.text(string(f.Kind))
		b.text(f.Detail)
		if err := writeRecord(w.w, kindFact, *b); err != nil {
			return err
		}
	}
	for ; w.links < len(r.Links); w.links++ {
		l := &r.Links[w.links]
		*b = (*b)[:0]
		b.num(int64(l.File))
		b.text(l.URL)
		b.text(string(l.Via))
		if err := writeRecord(w.w, kindLink, *b); err != nil {
			return err
		}
	}
	for ; w.texts < len(r.Texts); w.texts++ {
		t := &r.Texts[w.texts]
		*b = (*b)[:0]
		b.num(int64(t.File))
		b.text(string(t.Origin))
		b.text(t.Text)
		if err := writeRecord(w.w, kindText, *b); err != nil {
			return err
		}
	}
	for ; w.pictures < len(r.Images); w.pictures++ {
		m := &r.Images[w.pictures]
		*b = (*b)[:0]
		b.num(int64(m.File))
		b.num(int64(m.Width))
		b.num(int64(m.Height))
		b.fixed(m.PHash)
		b.fixed(m.DHash)
		b.bits(uint64(len(m.Codes)))
		for _, c := range m.Codes {
			b.texts([]string{c.Format, c.Text, c.Trait})
		}
		if err := writeRecord(w.w, kindImage, *b); err != nil {
			return err
		}
	}
	for ; w.kept < len(r.Kept); w.kept++ {
		if err := w.content(&r.Kept[w.kept]); err != nil {
			return err
		}
	}
	return nil
}

// piece is how much of a content goes into one record.
const piece = 32 << 10

// content sends one that was kept, in pieces. An empty one isn't sent.
func (w *Writer) content(k *inspect.Kept) error {
	first := true
	for part := range slices.Chunk(k.Body, piece) {
		b := &w.buf
		*b = (*b)[:0]
		b.num(int64(k.File))
		b.bits(uint64(k.Form))
		b.truth(first)
		b.raw(part)
		if err := writeRecord(w.w, kindKept, *b); err != nil {
			return err
		}
		first = false
	}
	return nil
}

// End says that the report is complete. All of it was sent by Progress.
func (w *Writer) End(r *inspect.Report) error {
	w.buf = w.buf[:0]
	w.buf.bits(uint64(r.Exhausted))
	w.buf.num(int64(r.Took))
	if err := writeRecord(w.w, kindEnd, w.buf); err != nil {
		return err
	}
	return flush(w.w)
}

// Begin is the report on a request before anything is known.
func Begin(q *inspect.Request) *inspect.Report {
	r := &inspect.Report{At: -1}
	for _, in := range q.Inputs {
		r.Files = append(r.Files, inspect.File{Parent: -1, Same: -1, Name: in.Name, Declared: in.DeclaredType,
			Size: int64(len(in.Body)), Content: inspect.Listed})
	}
	return r
}

// reader checks what the process says about one request.
type reader struct {
	q      *inspect.Request
	r      *inspect.Report
	inputs int // that were sent
	texts  int // bytes
	kept   int64
	grey   int // pictures that were kept
}

// ReadReport reads what the process says about q into r, which [Begin] made. What
// was read stands when the error isn't nil.
func ReadReport(from *bufio.Reader, q *inspect.Request, r *inspect.Report) error {
	d := reader{q: q, r: r}
	var buf []byte
	// More records than a report can need are nonsense: updates and places could go on
	// for ever.
	for range 32*(len(q.Inputs)+q.Budget.WithDefaults().Entries) + 4*(inspect.MaxFacts+inspect.MaxLinks+inspect.MaxTextCount+inspect.MaxImages) + pieces(q) {
		kind, p, err := readRecord(from, buf, maxRecord)
		if err != nil {
			return fmt.Errorf("inspect/wire: report: %w", err)
		}
		buf = p
		f := fields{b: p}
		if kind == kindEnd {
			spent, took := inspect.Limit(f.bits(math.MaxUint32)), time.Duration(f.num(0, maxTime))
			if f.end() != nil || !spent.Valid() || d.inputs != len(q.Inputs) {
				return fmt.Errorf("inspect/wire: report: %w", errForm)
			}
			r.Exhausted, r.Took, r.At, r.By = spent, took, -1, ""
			return nil
		}
		if err := d.take(kind, &f); err != nil {
			return fmt.Errorf("inspect/wire: report: record %q: %w", kind, err)
		}
	}
	return fmt.Errorf("inspect/wire: report: %w", errTooMany)
}

// known is the highest index that a finding may name.
func (d *reader) known() int {
	if d.inputs < len(d.q.Inputs) {
		return d.inputs - 1
	}
	return len(d.r.Files) - 1
}

func (d *reader) take(kind byte, f *fields) error {
	r := d.r
	switch kind {
	case kindFile:
		return d.file(f)
	case kindUpdate:
		i := f.int(0, d.known())
		t, c := inspect.Type(f.text(inspect.MaxType)), inspect.Class(f.bits(math.MaxUint32))
		if f.end() != nil || !t.Valid() || !c.Valid() {
			return errForm
		}
		r.Files[i].Type, r.Files[i].Class = t, c
	case kindAt:
		at, by := f.int(-1, d.known()), f.text(inspect.MaxWord)
		if f.end() != nil {
			return errForm
		}
		r.At, r.By = at, by
	case kindFact:
		v := inspect.Fact{File: f.int(0, d.known()), Kind: inspect.Kind(f.text(inspect.MaxKind)), Detail: f.text(inspect.MaxDetail)}
		return add(f, &r.Facts, v, inspect.MaxFacts, v.Kind.Valid())
	case kindLink:
		v := inspect.Link{File: f.int(0, d.known()), URL: f.text(inspect.MaxURL), Via: inspect.Via(f.text(inspect.MaxWord))}
		return add(f, &r.Links, v, inspect.MaxLinks, true)
	case kindText:
		v := inspect.Text{File: f.int(0, d.known()), Origin: inspect.Origin(f.text(inspect.MaxWord)), Text: f.text(inspect.MaxText)}
		d.texts += len(v.Text)
		return add(f, &r.Texts, v, inspect.MaxTextCount, d.texts <= inspect.MaxTexts)
	case kindImage:
		v := inspect.Image{File: f.int(0, d.known()), Width: f.int(0, math.MaxInt32), Height: f.int(0, math.MaxInt32), PHash: f.fixed(), DHash: f.fixed()}
		for range f.bits(inspect.MaxCodes) {
			v.Codes = append(v.Codes, inspect.Code{Format: f.text(inspect.MaxWord), Text: f.text(inspect.MaxPayload), Trait: f.text(inspect.MaxWord)})
		}
		return add(f, &r.Images, v, inspect.MaxImages, true)
	case kindKept:
		return d.content(f)
	default:
		return errForm
	}
	return nil
}

// pieces bounds the records of contents: whole ones, and a last one of each file.
func pieces(q *inspect.Request) int {
	k := q.Keep.Within()
	n := (k.Bytes + int64(k.Pictures)*inspect.MaxPixels) / piece
	if n > 0 {
		n += int64(len(q.Inputs) + q.Budget.WithDefaults().Entries + k.Pictures)
	}
	return int(n)
}

// content takes a piece of a content that was asked for.
func (d *reader) content(f *fields) error {
	file, form, first := f.int(0, d.known()), inspect.Form(f.bits(math.MaxUint8)), f.truth()
	part := f.b
	if f.err != nil || !form.Valid() || len(part) == 0 || len(part) > piece {
		return errForm
	}
	r, k := d.r, d.q.Keep.Within()
	if first {
		if form == inspect.Pixels {
			d.grey++
		}
		r.Kept = append(r.Kept, inspect.Kept{File: file, Form: form})
	}
	n := len(r.Kept) - 1
	if n < 0 || r.Kept[n].File != file || r.Kept[n].Form != form {
		return errForm
	}
	if form == inspect.Octets {
		d.kept += int64(len(part))
	}
	if d.kept > k.Bytes || d.grey > k.Pictures || form == inspect.Pixels && len(r.Kept[n].Body)+len(part) > inspect.MaxPixels {
		if first {
			r.Kept = r.Kept[:n]
		}
		return errTooMany
	}
	r.Kept[n].Body = append(r.Kept[n].Body, part...)
	return nil
}

// add appends a finding that has its form.
func add[T any](f *fields, list *[]T, v T, limit int, ok bool) error {
	switch {
	case f.end() != nil || !ok:
		return errForm
	case len(*list) >= limit:
		return errTooMany
	}
	*list = append(*list, v)
	return nil
}

// file takes an input's description, in order, or adds a file that another holds.
func (d *reader) file(f *fields) error {
	input := d.inputs < len(d.q.Inputs)
	next := len(d.r.Files)
	if input {
		next = d.inputs
	} else if next >= len(d.q.Inputs)+d.q.Budget.WithDefaults().Entries {
		return errTooMany
	}
	i := f.int(0, next)
	v := inspect.File{Parent: f.int(-1, next-1), Name: f.text(inspect.MaxName), Declared: f.text(inspect.MaxDeclared),
		Type: inspect.Type(f.text(inspect.MaxType)), Class: inspect.Class(f.bits(math.MaxUint32)), Size: f.num(0, math.MaxInt64)}
	f.raw(v.SHA256[:])
	v.TLSH = f.text(inspect.MaxTLSH)
	v.Depth = f.int(0, d.q.Budget.WithDefaults().Depth+1)
	v.Encrypted = f.truth()
	v.Method = f.text(inspect.MaxWord)
	v.Content = inspect.Content(f.bits(uint64(inspect.Locked)))
	v.Same = f.int(-1, next-1)
	if f.end() != nil || i != next || !v.Type.Valid() || !v.Class.Valid() || input != (v.Parent < 0) {
		return errForm
	}
	if input {
		in := &d.q.Inputs[i]
		v.Name, v.Declared, v.Depth = in.Name, in.DeclaredType, 0 // we know better
		d.r.Files[i] = v
		d.inputs++
		return nil
	}
	if v.Depth != d.r.Files[v.Parent].Depth+1 {
		return errForm
	}
	d.r.Files = append(d.r.Files, v)
	return nil
}
