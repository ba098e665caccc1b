package pool

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/inspect"
	"sluice/inspect/child"
)

// bombs are decoders for containers that exist only here.
func bombs() []child.Decoder {
	emit := func(w *child.Work, body io.Reader) error {
		_, err := w.Emit(child.Entry{Name: "in." + string(w.Type()), Declared: string(w.Type()), Size: -1, Body: body})
		return err
	}
	return []child.Decoder{
		decoder{"gzip", func(w *child.Work) error {
			r, err := gzip.NewReader(bytes.NewReader(w.Bytes()))
			if err != nil {
				return err
			}
			return emit(w, r)
		}},
		// An archive of 100,000 entries that all overlap: each is the whole archive.
		decoder{"zip", func(w *child.Work) error {
			for range 100_000 {
				if _, err := w.Emit(child.Entry{Name: "x", Size: -1, Bytes: w.Bytes()}); err != nil {
					return err
				}
			}
			return nil
		}},
		// One that holds two others, and so on.
		decoder{"tree", func(w *child.Work) error {
			for i := range 2 {
				if err := emit(w, strings.NewReader(fmt.Sprint(w.Index(), i))); err != nil {
					return err
				}
			}
			return nil
		}},
		// Large files that must be kept until they are opened.
		decoder{"keep", func(w *child.Work) error {
			for i := range 1000 {
				if w.Depth() > 0 {
					return nil
				}
				if err := emit(w, io.MultiReader(strings.NewReader(fmt.Sprint(i)), io.LimitReader(zeros{}, 60<<20))); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func gzipped(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

// TestBombs: each ends within its budget, in the process's bounds, and the gateway's
// memory stays where it was.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, whose runs are short, needs several times the memory")
	}
	flat := gzipped(make([]byte, 300<<20))
	deep := []byte("x")
	for range 200 {
		deep = gzipped(deep)
	}
	open := inspect.Budget{Ratio: 1 << 20, File: 1 << 30}
	for _, tc := range []struct {
		name, typ string
		body      []byte
		budget    inspect.Budget
		want      inspect.Limit
		ended     inspect.Ended
	}{
		{"1:1000", "gzip", gzipped(make([]byte, 60<<20)), inspect.Budget{}, inspect.LimitRatio, inspect.Complete},
		{"1:1000, larger than is read", "gzip", flat, inspect.Budget{}, inspect.LimitFile, inspect.Complete},
		{"1:1000 without a bound on the ratio", "gzip", flat, open, inspect.LimitBytes, inspect.Complete},
		{"200 deep", "gzip", deep, inspect.Budget{}, inspect.LimitDepth, inspect.Complete},
		{"100,000 that overlap", "zip", make([]byte, 1<<20), inspect.Budget{}, inspect.LimitBytes, inspect.Complete},
		{"100,000 small", "zip", []byte("PK"), inspect.Budget{}, inspect.LimitEntries, inspect.Complete},
		{"two in each", "tree", []byte("x"), inspect.Budget{Depth: 60}, inspect.LimitEntries, inspect.Complete},
		{"large and kept", "keep", make([]byte, 4096), open, inspect.LimitBytes, inspect.Complete},
		{"a budget beyond the memory", "keep", make([]byte, 4096), inspect.Budget{Ratio: 1 << 20, Bytes: 4 << 30, Time: time.Minute}, 0, inspect.OutOfMemory},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := pool(t, Config{Size: 1, Memory: 384 << 20, Env: []string{asChild + "=1"}})
			if err := p.Ready(context.Background()); err != nil {
				t.Fatal(err)
			}
			before := memory()
			pid := p.Pids()[0]
			began := time.Now()
			r, err := p.Inspect(context.Background(), &inspect.Request{Inputs: []inspect.Input{{Name: "bomb", DeclaredType: tc.typ, Body: tc.body}}, Budget: tc.budget})
			took := time.Since(began)
			if err != nil || r.Ended != tc.ended || !r.Exhausted.Has(tc.want) {
				t.Fatalf("%v, %s, exhausted %q, %s", err, r.Ended, r.Exhausted, r.Reason)
			}
			t.Logf("%8d bytes: %d files, %s, %v, child's peak %d MB, our heap %+d KB", len(tc.body), len(r.Files), r.Exhausted, took.Round(time.Millisecond), peak(pid)>>20, (memory()-before)>>10)
			if grown := memory() - before; grown > 8<<20 {
				t.Errorf("our heap grew by %d bytes", grown)
			}
		})
	}
}

// peak is the most memory that a process has held; 0 where it is gone.
func peak(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(b), "VmHWM:")
	var kb int64
	_, _ = fmt.Sscan(after, &kb)
	return kb << 10
}
