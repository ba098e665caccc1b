package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/inspect"
	"sluice/inspect/wire"
)

var asked = &inspect.Request{
	Inputs:    []inspect.Input{{Name: "a.zip", DeclaredType: "application/zip", Body: []byte("PK")}, {Name: "b.pdf", Body: []byte("%PDF")}},
	Passwords: []string{"sesame", "ünïcode"},
	Budget:    inspect.Budget{Entries: 8, Depth: 3}.WithDefaults(),
	Keep:      inspect.Keep{Bytes: 100 << 10, Pictures: 1},
}

func report() *inspect.Report {
	return &inspect.Report{
		Files: []inspect.File{
			{Parent: -1, Same: -1, Name: "a.zip", Declared: "application/zip", Type: inspect.Zip, Class: inspect.Archive, Size: 2, SHA256: [32]byte{1, 2}},
			{Parent: -1, Same: -1, Name: "b.pdf", Type: inspect.PDF, Size: 4, TLSH: "T1"},
			{Parent: 0, Same: 1, Name: "c.pdf", Depth: 1, Encrypted: true, Method: "aes-256", Content: inspect.Partial, Size: 1 << 40},
		},
		Facts:     []inspect.Fact{{File: 2, Kind: inspect.PasswordWorked, Detail: "sesame"}},
		Links:     []inspect.Link{{File: 1, URL: "https://a.example/", Via: inspect.ViaAnchor}},
		Texts:     []inspect.Text{{File: 1, Origin: inspect.OriginBody, Text: "grüße"}},
		Images:    []inspect.Image{{File: 2, Width: 3, Height: 4, PHash: 1<<63 + 5, DHash: 7, Codes: []inspect.Code{{Format: "qr", Text: "https://b.example/", Trait: "pale"}}}},
		Kept:      []inspect.Kept{{File: 2, Body: []byte("content")}, {File: 1, Form: inspect.Pixels, Body: []byte("P5")}, {File: 2, Body: []byte("x")}},
		Exhausted: inspect.LimitDepth | inspect.LimitSteps, At: -1, Took: time.Millisecond,
	}
}

func encode(t testing.TB, r *inspect.Report) []byte {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	out := wire.NewWriter(w)
	if err := errors.Join(out.Progress(r, nil, -1, ""), out.End(r)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(q *inspect.Request, b []byte) (*inspect.Report, error) {
	r := wire.Begin(q)
	err := wire.ReadReport(bufio.NewReader(bytes.NewReader(b)), q, r)
	return r, err
}

func TestReport(t *testing.T) {
	want := report()
	want.Kept = append(want.Kept, inspect.Kept{File: 2, Body: bytes.Repeat([]byte("in pieces "), 8<<10)})
	got, err := decode(asked, encode(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestCutShort has the process die at each byte: what is known stands and is valid.
func TestCutShort(t *testing.T) {
	whole := encode(t, report())
	for n := range whole {
		got, err := decode(asked, whole[:n])
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		check(t, asked, got)
	}
}

// TestNonsense: a process that was taken over says what it likes, and is not believed.
func TestNonsense(t *testing.T) {
	for name, spoil := range map[string]func(r *inspect.Report){
		"parent behind":  func(r *inspect.Report) { r.Files[2].Parent = 2 },
		"no parent":      func(r *inspect.Report) { r.Files[2].Parent = -1 },
		"input in input": func(r *inspect.Report) { r.Files[1].Parent = 0 },
		"input missing": func(r *inspect.Report) {
			r.Files = r.Files[:1]
			r.Facts, r.Links, r.Texts, r.Images = nil, nil, nil, nil
		},
		"same behind":      func(r *inspect.Report) { r.Files[1].Same = 1 },
		"depth":            func(r *inspect.Report) { r.Files[2].Depth = 2 },
		"type":             func(r *inspect.Report) { r.Files[0].Type = "Zip!" },
		"class":            func(r *inspect.Report) { r.Files[0].Class = 1 << 31 },
		"content":          func(r *inspect.Report) { r.Files[0].Content = 9 },
		"size":             func(r *inspect.Report) { r.Files[0].Size = -1 },
		"long name":        func(r *inspect.Report) { r.Files[2].Name = strings.Repeat("x", inspect.MaxName+1) },
		"bad utf-8":        func(r *inspect.Report) { r.Files[2].Name = "\xff" },
		"kind":             func(r *inspect.Report) { r.Facts[0].Kind = "no kind" },
		"fact of nothing":  func(r *inspect.Report) { r.Facts[0].File = 3 },
		"link of nothing":  func(r *inspect.Report) { r.Links[0].File = -1 },
		"long detail":      func(r *inspect.Report) { r.Facts[0].Detail = strings.Repeat("x", inspect.MaxDetail+1) },
		"long text":        func(r *inspect.Report) { r.Texts[0].Text = strings.Repeat("x", inspect.MaxText+1) },
		"huge text":        func(r *inspect.Report) { r.Texts[0].Text = strings.Repeat("x", 10<<20) },
		"many texts":       func(r *inspect.Report) { r.Texts = repeat(inspect.Text{Text: strings.Repeat("x", inspect.MaxText)}, 9) },
		"many facts":       func(r *inspect.Report) { r.Facts = repeat(r.Facts[0], inspect.MaxFacts+1) },
		"many links":       func(r *inspect.Report) { r.Links = repeat(r.Links[0], inspect.MaxLinks+1) },
		"many images":      func(r *inspect.Report) { r.Images = repeat(r.Images[0], inspect.MaxImages+1) },
		"much content":     func(r *inspect.Report) { r.Kept = repeat(inspect.Kept{Body: make([]byte, 64<<10)}, 2) },
		"many pictures":    func(r *inspect.Report) { r.Kept = repeat(r.Kept[1], 2) },
		"huge picture":     func(r *inspect.Report) { r.Kept[1].Body = make([]byte, inspect.MaxPixels+1) },
		"unknown form":     func(r *inspect.Report) { r.Kept[1].Form = 9 },
		"content of none":  func(r *inspect.Report) { r.Kept[1].File = 3 },
		"many codes":       func(r *inspect.Report) { r.Images[0].Codes = repeat(inspect.Code{}, inspect.MaxCodes+1) },
		"many files":       func(r *inspect.Report) { r.Files = append(r.Files, repeat(r.Files[2], 8)...) },
		"negative width":   func(r *inspect.Report) { r.Images[0].Width = -1 },
		"unknown limit":    func(r *inspect.Report) { r.Exhausted = 1 << 30 },
		"took for ever":    func(r *inspect.Report) { r.Took = 1 << 62 },
		"long declaration": func(r *inspect.Report) { r.Files[2].Declared = strings.Repeat("x", inspect.MaxDeclared+1) },
	} {
		r := report()
		spoil(r)
		got, err := decode(asked, encode(t, r))
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
		check(t, asked, got)
	}
	for name, b := range map[string]string{
		"unknown record": "Z\x00", "huge length": "A\xff\xff\xff\xff\x7f", "endless length": "A\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"trailing bytes": string(encode(t, report())[:0]) + "E\x09\x00\x00zzzzzzz",
	} {
		if _, err := decode(asked, []byte(b)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A process that never comes to its end.
	if _, err := decode(&inspect.Request{}, bytes.Repeat([]byte("O\x02\x01\x00"), 1<<20)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("endless places: %v", err)
	}
}

func repeat[T any](v T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// check holds a report, whoever made it, to what its readers rely on.
func check(t testing.TB, q *inspect.Request, r *inspect.Report) {
	t.Helper()
	ok := len(r.Files) >= len(q.Inputs) && len(r.Files) <= len(q.Inputs)+q.Budget.WithDefaults().Entries && len(r.Facts) <= inspect.MaxFacts &&
		len(r.Links) <= inspect.MaxLinks && len(r.Images) <= inspect.MaxImages && r.At >= -1 && r.At < len(r.Files) && r.Exhausted.Valid()
	for i, f := range r.Files {
		if i < len(q.Inputs) {
			ok = ok && f.Parent == -1 && f.Name == q.Inputs[i].Name && f.Depth == 0
		} else {
			ok = ok && f.Parent >= 0 && f.Parent < i && f.Depth == r.Files[f.Parent].Depth+1
		}
		ok = ok && f.Same < i && f.Type.Valid() && f.Class.Valid() && utf8.ValidString(f.Name) && len(f.Name) <= inspect.MaxName && f.Size >= 0
	}
	at := func(i int) { ok = ok && i >= 0 && i < len(r.Files) }
	for _, f := range r.Facts {
		at(f.File)
		ok = ok && f.Kind.Valid() && len(f.Detail) <= inspect.MaxDetail
	}
	for _, l := range r.Links {
		at(l.File)
	}
	texts := 0
	for _, v := range r.Texts {
		at(v.File)
		texts += len(v.Text)
	}
	for _, m := range r.Images {
		at(m.File)
		ok = ok && m.Width >= 0 && len(m.Codes) <= inspect.MaxCodes
	}
	kept, grey := int64(0), 0
	for _, k := range r.Kept {
		at(k.File)
		if k.Form == inspect.Pixels {
			grey++
			ok = ok && len(k.Body) <= inspect.MaxPixels
		} else {
			kept += int64(len(k.Body))
		}
	}
	if !ok || texts > inspect.MaxTexts || kept > q.Keep.Bytes || grey > q.Keep.Pictures {
		t.Errorf("not a valid report: %+v", r)
	}
}

func TestRequest(t *testing.T) {
	var b bytes.Buffer
	for range 2 {
		if err := wire.WriteRequest(bufio.NewWriter(&b), asked); err != nil {
			t.Fatal(err)
		}
	}
	r := bufio.NewReader(&b)
	var room []byte
	for range 2 {
		got, rest, err := wire.ReadRequest(r, room)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(asked, got); d != "" {
			t.Error(d)
		}
		room = rest
	}
	if _, _, err := wire.ReadRequest(r, nil); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestClip(t *testing.T) {
	q, err := wire.Clip(&inspect.Request{Inputs: repeat(inspect.Input{Name: strings.Repeat("é", 600)}, inspect.MaxInputs+1),
		Passwords: append(repeat("p", 1000), "", strings.Repeat("long", 100))})
	if err != nil || len(q.Inputs) != inspect.MaxInputs || len(q.Passwords) != inspect.MaxPasswords || len(q.Inputs[0].Name) > inspect.MaxName || !utf8.ValidString(q.Inputs[0].Name) {
		t.Error(err, len(q.Inputs), len(q.Passwords))
	}
	if _, err := wire.Clip(&inspect.Request{Inputs: []inspect.Input{{Body: make([]byte, inspect.MaxBody+1)}}}); err == nil {
		t.Error("a body beyond all bounds is taken")
	}
}

func TestHello(t *testing.T) {
	var b bytes.Buffer
	h := wire.Hello{Version: wire.Version, Sandbox: []string{"seccomp: on", strings.Repeat("x", 5000)}}
	if err := wire.WriteHello(bufio.NewWriter(&b), h); err != nil {
		t.Fatal(err)
	}
	got, err := wire.ReadHello(bufio.NewReader(&b))
	if err != nil || got.Sandbox[0] != "seccomp: on" {
		t.Error(got, err)
	}
	if err := wire.WriteHello(bufio.NewWriter(&b), wire.Hello{Version: wire.Version + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.ReadHello(bufio.NewReader(&b)); err == nil {
		t.Error("another version is taken")
	}
}

// TestAnyPieces sends a report in random pieces, as a walk does.
func TestAnyPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		out := wire.NewWriter(w)
		full := report()
		part := &inspect.Report{At: -1, Took: full.Took, Exhausted: full.Exhausted}
		for len(part.Files) < len(full.Files) || len(part.Facts) < len(full.Facts) {
			if len(part.Files) < len(full.Files) {
				part.Files = full.Files[:len(part.Files)+rapid.IntRange(0, 1).Draw(t, "files")]
			} else {
				part.Facts, part.Links, part.Texts, part.Images, part.Kept = full.Facts, full.Links, full.Texts, full.Images, full.Kept
			}
			if err := out.Progress(part, nil, len(part.Files)-1, "zip"); err != nil {
				t.Fatal(err)
			}
		}
		full.Files[2].Type = inspect.DOCX
		if err := errors.Join(out.Progress(part, []int{2}, -1, ""), out.End(part)); err != nil {
			t.Fatal(err)
		}
		got, err := decode(asked, b.Bytes())
		if err != nil || cmp.Diff(full, got) != "" {
			t.Fatalf("%v\n%s", err, cmp.Diff(full, got))
		}
	})
}

func FuzzReadReport(f *testing.F) {
	whole := encode(f, report())
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("E\x02\x00\x00"))
	f.Add([]byte("F\x04\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(asked, b)
		check(t, asked, r)
		if err != nil {
			return
		}
		// What was taken must be writable and read the same.
		again, err := decode(asked, encode(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, again); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzReadRequest(f *testing.F) {
	var b bytes.Buffer
	if err := wire.WriteRequest(bufio.NewWriter(&b), asked); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, _, err := wire.ReadRequest(bufio.NewReader(bytes.NewReader(b)), nil); err == nil && len(q.Inputs) > inspect.MaxInputs {
			t.Fatal(len(q.Inputs))
		}
	})
}
