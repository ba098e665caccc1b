// Package yara has an installed yara scan files with the admin's rules, which the
// gateway compiled. It runs in the process of profile tools.
package yara

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/tool/run"
)

// Config says how yara is run.
type Config struct {
	Program run.Program
	Path    string   // of yara
	Rules   *os.File // compiled
	Memory  int64    // bytes of address space
}

// Decoder is yara as a decoder of inputs that are to be scanned. One run scans all of a
// request: to load rules costs more than to scan a small file.
func Decoder(c Config) child.Decoder { return scanner{c} }

type scanner struct{ cfg Config }

// Name implements child.Decoder.
func (scanner) Name() string { return "yara" }

// Types implements child.Decoder.
func (scanner) Types() []inspect.Type { return []inspect.Type{inspect.ForRules} }

// maxOutput bounds what is read of one run. A rule with its meta takes some hundred
// bytes.
const maxOutput = 256 << 10

// MaxFiles is how many files one run scans; more are left out.
const MaxFiles = 256

// Open implements child.Decoder.
func (s scanner) Open(ctx context.Context, w *child.Work) error {
	inputs := w.Inputs()
	// The first scans all that are behind it. An empty one is never opened.
	for i := range w.Index() {
		if inspect.Type(inputs[i].DeclaredType) == inspect.ForRules && len(inputs[i].Body) > 0 {
			return nil
		}
	}
	files := []*os.File{s.cfg.Rules, nil}
	defer func() {
		for _, f := range files[1:] {
			if f != nil {
				f.Close()
			}
		}
	}()
	var list []byte
	of := map[int]int{} // index in inputs by that in files
	others := false
	for i := w.Index(); i < len(inputs); i++ {
		if inspect.Type(inputs[i].DeclaredType) != inspect.ForRules {
			others = true
			continue
		}
		if len(of) == MaxFiles {
			w.Fact(inspect.ToolLate, "yara: more than "+strconv.Itoa(MaxFiles)+" files")
			break
		}
		f, err := run.Memory("file", inputs[i].Body)
		if err != nil {
			w.Fact(inspect.ToolFailed, "yara: "+err.Error())
			return nil
		}
		of[len(files)] = i
		list = append(append(list, run.Path(len(files))...), '\n')
		files = append(files, f)
	}
	var err error
	if files[1], err = run.Memory("list", list); err != nil {
		w.Fact(inspect.ToolFailed, "yara: "+err.Error())
		return nil
	}
	left := w.Budget().Time
	if at, ok := ctx.Deadline(); ok {
		left = time.Until(at)
	}
	if others {
		left /= 2 // the pictures' time
	}
	left -= left / 10
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	// yara knows a bound of its own, in whole seconds; ours is exact.
	r, err := s.cfg.Program.Run(ctx, run.Command{Path: s.cfg.Path, Files: files, CPU: left + time.Second, Memory: s.cfg.Memory, Output: maxOutput,
		Args: []string{"--compiled-rules", "--print-namespace", "--print-tags", "--print-meta", "--no-warnings", "--threads=1",
			"--scan-list", run.Path(0), run.Path(1)}})
	if err != nil {
		w.Fact(inspect.ToolFailed, "yara: "+err.Error())
		return nil
	}
	for _, m := range parse(r.Output) {
		if i, ok := of[m.file]; ok {
			w.FactOf(i, inspect.RuleMatch, m.rule.String())
		}
	}
	r.State(w, "yara")
	return nil
}

// match is a line of yara's output.
type match struct {
	rule inspect.Rule
	file int // index in the files of the run
}

// String is for tests.
func (m match) String() string { return fmt.Sprintf("%d %s", m.file, &m.rule) }
