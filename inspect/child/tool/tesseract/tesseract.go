// Package tesseract has an installed tesseract read the text in pictures. It gets grey
// pixels that were decoded elsewhere (PGM), never a file of the sender's. It runs in
// the process of profile tools.
package tesseract

import (
	"context"
	"strings"
	"time"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/tool/run"
)

// Config says how tesseract is run.
type Config struct {
	Program   run.Program
	Path      string // of tesseract
	Data      string // folder of its languages
	Languages []string
	Memory    int64 // bytes of address space
}

// Decoder is tesseract as a decoder of pictures that are to be read.
func Decoder(c Config) child.Decoder { return reader{c} }

type reader struct{ cfg Config }

// Name implements child.Decoder.
func (reader) Name() string { return "tesseract" }

// Types implements child.Decoder.
func (reader) Types() []inspect.Type { return []inspect.Type{inspect.ForOCR} }

// maxOutput bounds what is read of one run: some sixty bytes a word.
const maxOutput = 512 << 10

// Open implements child.Decoder.
func (r reader) Open(ctx context.Context, w *child.Work) error {
	picture, err := run.Memory("picture", w.Bytes())
	if err != nil {
		w.Fact(inspect.ToolFailed, "tesseract: "+err.Error())
		return nil
	}
	defer picture.Close()
	// This one and those behind it share what is left.
	waiting := 1
	for _, in := range w.Inputs()[w.Index()+1:] {
		if inspect.Type(in.DeclaredType) == inspect.ForOCR {
			waiting++
		}
	}
	left := w.Budget().Time
	if at, ok := ctx.Deadline(); ok {
		left = time.Until(at) * 9 / 10
	}
	if waiting > 1 { // most pictures need less than their share
		left = left * 2 / time.Duration(waiting+1)
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	got, err := r.cfg.Program.Run(ctx, run.Command{Path: r.cfg.Path, Stdin: picture, CPU: left + time.Second, Memory: r.cfg.Memory, Output: maxOutput,
		Read: []string{r.cfg.Data}, Env: []string{"OMP_THREAD_LIMIT=1", "LC_ALL=C"},
		Args: []string{"stdin", "stdout", "--tessdata-dir", r.cfg.Data, "-l", strings.Join(r.cfg.Languages, "+"), "--psm", "3", "--dpi", "150",
			"-c", "tessedit_create_tsv=1"}})
	if err != nil {
		w.Fact(inspect.ToolFailed, "tesseract: "+err.Error())
		return nil
	}
	if text := parse(got.Output); text != "" {
		w.Text(inspect.OriginOCR, text)
	}
	got.State(w, "tesseract")
	return nil
}
