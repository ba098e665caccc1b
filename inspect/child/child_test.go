package child_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
)

// box is a decoder made of a function.
type box struct {
	name  string
	types []inspect.Type
	open  func(ctx context.Context, w *child.Work) error
}

func (b box) Name() string                                  { return b.name }
func (b box) Types() []inspect.Type                         { return b.types }
func (b box) Open(ctx context.Context, w *child.Work) error { return b.open(ctx, w) }
func decoder(t inspect.Type, open func(w *child.Work) error) box {
	return box{string(t), []inspect.Type{t}, func(_ context.Context, w *child.Work) error { return open(w) }}
}

// list is a container for tests: lines "name content", where \n is written |.
var list = decoder("list", func(w *child.Work) error {
	for line := range strings.Lines(string(w.Bytes())) {
		name, body, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if name == "" {
			return errors.New("a line without a name")
		}
		if _, err := w.Emit(child.Entry{Name: name, Size: -1, Body: strings.NewReader(strings.ReplaceAll(body, "|", "\n"))}); err != nil {
			return err
		}
	}
	return nil
})

var gz = decoder("gz", func(w *child.Work) error {
	r, err := gzip.NewReader(bytes.NewReader(w.Bytes()))
	if err != nil {
		return err
	}
	_, err = w.Emit(child.Entry{Name: strings.TrimSuffix(w.Name(), ".gz"), Method: "deflate", Size: -1, Body: r})
	return err
})

func pack(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, 9)
	w.Write(body)
	w.Close()
	return b.Bytes()
}

func run(t *testing.T, b inspect.Budget, inputs []inspect.Input, ds ...child.Decoder) *inspect.Report {
	t.Helper()
	return childtest.Run(t, child.Config{Decoders: ds}, &inspect.Request{Inputs: inputs, Budget: b})
}

func in(name, body string) inspect.Input { return inspect.Input{Name: name, Body: []byte(body)} }

// tree shows files and facts as lines.
func tree(r *inspect.Report) string {
	var b strings.Builder
	for i, f := range r.Files {
		fmt.Fprintf(&b, "%d<%d %s %s %d %s", i, f.Parent, f.Name, f.Type, f.Size, f.Content)
		if f.Same >= 0 {
			fmt.Fprintf(&b, " same as %d", f.Same)
		}
		b.WriteString("\n")
	}
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "%d %s %s\n", f.File, f.Kind, f.Detail)
	}
	if r.Exhausted != 0 {
		fmt.Fprintf(&b, "exhausted: %s\n", r.Exhausted)
	}
	return b.String()
}

func same(t *testing.T, got *inspect.Report, want string) {
	t.Helper()
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), tree(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWalkIsBreadthFirst(t *testing.T) {
	r := run(t, inspect.Budget{}, []inspect.Input{in("a.list", "x.list y.txt deep\nz.txt flat"), in("b.list", "q.txt other")}, list)
	same(t, r, `
0<-1 a.list list 28 whole
1<-1 b.list list 11 whole
2<0 x.list list 10 whole
3<0 z.txt txt 4 whole
4<1 q.txt txt 5 whole
5<2 y.txt txt 4 whole
`)
}

func TestEntries(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("half"), failing{errors.New("checksum")})
	d := decoder("box", func(w *child.Work) error {
		for _, e := range []child.Entry{
			{Name: "locked.exe", Encrypted: true, Size: 7},
			{Name: "only listed", Size: 9},
			{Name: "broken.txt", Size: 8, Body: broken},
			{Name: "../../etc/cron", Size: 3, Bytes: []byte("four")},
			{Name: "empty", Size: 0, Bytes: []byte{}},
			{Name: "bad\xffname", Size: -1, Bytes: []byte("x")},
		} {
			if _, err := w.Emit(e); err != nil {
				return err
			}
		}
		w.Mark(inspect.Archive)
		w.Fact("TWICE", "once")
		w.Fact("TWICE", "once")
		return errors.New("cut short")
	})
	r := run(t, inspect.Budget{}, []inspect.Input{in("a.box", "b")}, d)
	same(t, r, `
0<-1 a.box box 1 whole
1<0 locked.exe  7 locked
2<0 only listed  9 listed
3<0 broken.txt txt 4 partial
4<0 ../../etc/cron  4 whole
5<0 empty  0 whole
6<0 bad`+"\uFFFD"+`name  1 whole
3 DAMAGED checksum
4 NAME_CLIMBS ../../etc/cron
4 SIZE_MISMATCH declared 3, is 4
0 TWICE once
0 DAMAGED box: cut short
`)
	if r.Files[0].Class != inspect.Archive || !r.Files[1].Class.Has(inspect.Encrypted) || !r.Files[1].Encrypted {
		t.Errorf("classes: %v, %v", r.Files[0].Class, r.Files[1].Class)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

func TestPanicIsAFact(t *testing.T) {
	bad := decoder("bad", func(w *child.Work) error {
		w.Fact("SEEN", "before")
		return fmt.Errorf("%d", w.Bytes()[7])
	})
	r := run(t, inspect.Budget{}, []inspect.Input{in("a.bad", "1"), in("b.list", "c.txt 2")}, bad, list)
	if !childtest.Has(r, "SEEN", "before") || !childtest.Has(r, inspect.DecoderPanic, "bad: runtime error: index out of range [7] with length 1 at child_test.go:") || len(r.Files) != 3 {
		t.Error(tree(r))
	}
}

func TestRefine(t *testing.T) {
	var order []string
	note := func(name string, types ...inspect.Type) box {
		return box{name, types, func(_ context.Context, w *child.Work) error { order = append(order, name); return nil }}
	}
	zip := decoder("zip", func(w *child.Work) error { order = append(order, "zip"); w.Refine(inspect.DOCX); return nil })
	r := run(t, inspect.Budget{}, []inspect.Input{in("a.zip", "1")}, note("docs", inspect.DOCX), zip, note("all", child.Any), note("both", inspect.Zip, inspect.DOCX))
	if got := strings.Join(order, " "); got != "zip docs all both" || r.Files[0].Type != inspect.DOCX {
		t.Errorf("%s, %s", got, r.Files[0].Type)
	}
}

func TestContainsItself(t *testing.T) {
	quine := decoder("quine", func(w *child.Work) error {
		_, err := w.Emit(child.Entry{Name: "again.quine", Size: -1, Bytes: w.Bytes()})
		return err
	})
	same(t, run(t, inspect.Budget{}, []inspect.Input{in("a.quine", "Q")}, quine), `
0<-1 a.quine quine 1 whole
1<0 again.quine quine 1 whole same as 0
0 CONTAINS_ITSELF again.quine
`)
}

func TestDepth(t *testing.T) {
	body := []byte("the end")
	for range 30 {
		body = pack(body)
	}
	r := run(t, inspect.Budget{Depth: 5}, []inspect.Input{{Name: "a" + strings.Repeat(".gz", 30), Body: body}}, gz)
	if len(r.Files) != 6 || r.Exhausted != inspect.LimitDepth {
		t.Error(tree(r))
	}
}

func TestBombs(t *testing.T) {
	zeros := pack(make([]byte, 40<<20))
	t.Run("ratio", func(t *testing.T) {
		r := run(t, inspect.Budget{}, []inspect.Input{{Name: "a.gz", Body: zeros}, in("b.list", "c.txt honest")}, gz, list)
		if !childtest.Has(r, inspect.Bomb, "250 times") || !r.Exhausted.Has(inspect.LimitRatio) || len(r.Files) != 4 || r.Files[2].Content != inspect.Partial || r.Files[3].Name != "c.txt" {
			t.Error(tree(r))
		}
	})
	t.Run("share", func(t *testing.T) {
		b := inspect.Budget{Ratio: 1 << 20, Bytes: 16 << 20}
		r := run(t, b, []inspect.Input{{Name: "a.gz", Body: zeros}, {Name: "b.gz", Body: pack(make([]byte, 3<<20))}}, gz)
		if r.Exhausted != inspect.LimitBytes || len(r.Files) != 4 || r.Files[2].Content != inspect.Partial || r.Files[2].Size > 8<<20+256<<10 || r.Files[3].Size != 3<<20 {
			t.Error(tree(r))
		}
	})
	t.Run("file", func(t *testing.T) {
		r := run(t, inspect.Budget{Ratio: 1 << 20, File: 1 << 20}, []inspect.Input{{Name: "a.gz", Body: zeros}}, gz)
		if r.Exhausted != inspect.LimitFile || r.Files[1].Size != 1<<20 || r.Files[1].Content != inspect.Partial {
			t.Error(tree(r))
		}
	})
	t.Run("entries", func(t *testing.T) {
		r := run(t, inspect.Budget{Entries: 100}, []inspect.Input{in("a.list", strings.Repeat("f same\n", 100000)), in("b.list", "c d")}, list)
		if r.Exhausted != inspect.LimitEntries || r.Files[len(r.Files)-1].Name != "c" {
			t.Errorf("%d files, %s", len(r.Files), r.Exhausted)
		}
	})
	t.Run("facts", func(t *testing.T) {
		many := decoder("many", func(w *child.Work) error {
			long := strings.Repeat("é", 40000)
			for i := range 5000 {
				w.Fact("MANY", fmt.Sprint(i))
				w.Link(inspect.ViaText, fmt.Sprint("http://a.example/", i))
				w.Text(inspect.OriginBody, long)
				w.Image(inspect.Image{Width: 1, Codes: make([]inspect.Code, 100)})
			}
			return nil
		})
		r := run(t, inspect.Budget{}, []inspect.Input{in("a.many", "1")}, many)
		if len(r.Facts) != inspect.MaxFactsOfKind || len(r.Links) != inspect.MaxLinks || len(r.Images) != inspect.MaxImages || len(r.Texts) > 9 ||
			r.Exhausted != inspect.LimitFacts|inspect.LimitLinks|inspect.LimitTexts|inspect.LimitImages {
			t.Errorf("%d %d %d %d %s", len(r.Facts), len(r.Links), len(r.Images), len(r.Texts), r.Exhausted)
		}
	})
	t.Run("pixels", func(t *testing.T) {
		big := decoder("png", func(w *child.Work) error { return w.Pixels(1<<31-1, 1<<31-1) })
		if r := run(t, inspect.Budget{}, []inspect.Input{in("a.png", "1")}, big); r.Exhausted != inspect.LimitPixels || len(r.Facts) > 0 {
			t.Error(tree(r))
		}
	})
}

// TestToldWhole has the clock run so fast that everything is told at once: a file is
// told when it is fully described, or not at all.
func TestToldWhole(t *testing.T) {
	now := time.Unix(0, 0)
	d := decoder("box", func(w *child.Work) error {
		for _, name := range []string{"/a", "/b", "/c"} {
			if _, err := w.Emit(child.Entry{Name: name, Size: 9, Body: strings.NewReader("same")}); err != nil {
				return err
			}
		}
		w.Fact("LAST", "")
		w.Refine(inspect.DOCX)
		w.Mark(inspect.Macro)
		return nil
	})
	cfg := child.Config{Decoders: []child.Decoder{d}, Now: func() time.Time { now = now.Add(60 * time.Millisecond); return now }}
	r := childtest.Run(t, cfg, &inspect.Request{Inputs: []inspect.Input{in("a.box", "1")}, Budget: inspect.Budget{Time: time.Minute}})
	if len(r.Files) != 4 || r.Files[3].Same != 1 || r.Files[0].Type != inspect.DOCX || r.Files[0].Class != inspect.Macro {
		t.Error(tree(r))
	}
}

// TestTime has a decoder that works on for ever, asking whether it may.
func TestTime(t *testing.T) {
	slow := decoder("slow", func(w *child.Work) error {
		for {
			if err := w.Err(); err != nil {
				return err
			}
		}
	})
	began := time.Now()
	r := run(t, inspect.Budget{Time: 200 * time.Millisecond}, []inspect.Input{in("a.slow", "1"), in("b.list", "c d")}, slow, list)
	if took := time.Since(began); took > 2*time.Second || r.Exhausted != inspect.LimitTime || len(r.Files) != 3 {
		t.Errorf("%v\n%s", took, tree(r))
	}
}

func TestNew(t *testing.T) {
	id := func(string, string, []byte) (inspect.Type, inspect.Class) { return "", 0 }
	for name, cfg := range map[string]child.Config{
		"no identify": {},
		"twice":       {Identify: id, Decoders: []child.Decoder{list, list}},
		"bad type":    {Identify: id, Decoders: []child.Decoder{decoder("BAD", nil)}},
		"no name":     {Identify: id, Decoders: []child.Decoder{decoder("", nil)}},
	} {
		if _, err := child.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// BenchmarkEmit is the frame's cost of one small file: hashing, naming, counting.
func BenchmarkEmit(b *testing.B) {
	const entries = 1000
	body := bytes.Repeat([]byte("x"), 1000)
	d := decoder("box", func(w *child.Work) error {
		for i := range entries {
			body[0], body[1] = byte(i), byte(i>>8)
			if _, err := w.Emit(child.Entry{Name: "dir/file.txt", Size: -1, Body: bytes.NewReader(body)}); err != nil {
				return err
			}
		}
		return nil
	})
	f, err := child.New(child.Config{Decoders: []child.Decoder{d}, Identify: func(name, _ string, _ []byte) (inspect.Type, inspect.Class) {
		if name == "a.box" {
			return "box", 0
		}
		return inspect.PlainText, 0
	}})
	if err != nil {
		b.Fatal(err)
	}
	q := &inspect.Request{Inputs: []inspect.Input{in("a.box", "1")}}
	b.ReportAllocs()
	for b.Loop() {
		if r := f.Inspect(b.Context(), q, nil); len(r.Files) != entries+1 {
			b.Fatal(len(r.Files))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/file")
}
