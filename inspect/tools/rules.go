package tools

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Rules are compiled YARA rules.
type Rules struct {
	Files    []string // that they come from, sorted
	Warnings []string // of the compiler

	file  *os.File // in memory, sealed
	print [32]byte
}

// Close lets go of them. It may be called on nil.
func (r *Rules) Close() {
	if r != nil && r.file != nil {
		r.file.Close()
	}
}

// compileTime bounds the compiler: sets of ten thousand rules take seconds.
const compileTime = 2 * time.Minute

// maxRuleFiles bounds the files of rules.
const maxRuleFiles = 2000

// badRules is an error in the rules, and the files' state at that time.
type badRules struct {
	error
	print [32]byte
}

func (b badRules) Unwrap() error { return b.error }

func printOf(err error) [32]byte {
	if b, ok := errors.AsType[badRules](err); ok {
		return b.print
	}
	return [32]byte{}
}

// Compile compiles the files that patterns name. The namespace of a rule is the name of
// its file without extension. An error of a rule names file and line.
func (p *Programs) Compile(ctx context.Context, patterns []string) (*Rules, error) {
	r := &Rules{print: fingerprint(patterns)}
	err := r.compile(ctx, p.Compiler, patterns)
	if err != nil {
		r.Close()
		return nil, badRules{err, r.print}
	}
	return r, nil
}

func (r *Rules) compile(ctx context.Context, compiler string, patterns []string) (err error) {
	if r.Files, err = files(patterns); err != nil {
		return err
	}
	var args []string
	seen := map[string]string{}
	for _, f := range r.Files {
		ns := namespace(f)
		if other, ok := seen[ns]; ok {
			return fmt.Errorf("inspect/tools: yara_rules: %s and %s would have the same namespace, %s; rename one", other, f, ns)
		}
		seen[ns] = f
		args = append(args, ns+":"+f)
	}
	if r.file, err = memoryFile(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, compileTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, compiler, append(args, "/proc/self/fd/3")...)
	cmd.ExtraFiles = []*os.File{r.file}
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Run()
	var wrong []string
	for line := range strings.Lines(said.String()) {
		line = strings.TrimSpace(line)
		if w, ok := strings.CutPrefix(line, "warning: "); ok {
			r.Warnings = append(r.Warnings, w)
		} else if line != "" {
			wrong = append(wrong, strings.TrimPrefix(line, "error: "))
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("inspect/tools: yara_rules: %w after %v", ctx.Err(), compileTime)
	case err != nil && len(wrong) > 0:
		return fmt.Errorf("inspect/tools: yara_rules: %s", strings.ToValidUTF8(strings.Join(wrong[:min(len(wrong), 5)], "; "), "?"))
	case err != nil:
		return fmt.Errorf("inspect/tools: yara_rules: %s: %w", compiler, err)
	}
	return seal(r.file)
}

// files lists what patterns name.
func files(patterns []string) (out []string, err error) {
	for _, p := range patterns {
		list, err := filepath.Glob(p)
		switch {
		case err != nil:
			return nil, fmt.Errorf("inspect/tools: yara_rules: %q: %w", p, err)
		case len(list) == 0:
			return nil, fmt.Errorf("inspect/tools: yara_rules: no file is called %s", p)
		}
		for _, f := range list {
			if st, err := os.Stat(f); err == nil && st.IsDir() {
				return nil, fmt.Errorf("inspect/tools: yara_rules: %s is a folder; write %s", f, filepath.Join(f, "*.yar"))
			}
		}
		out = append(out, list...)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > maxRuleFiles {
		return nil, fmt.Errorf("inspect/tools: yara_rules: %d files, at most %d are taken", len(out), maxRuleFiles)
	}
	return out, nil
}

// namespace is a file's name without extension, of the letters that a reader expects.
func namespace(path string) string {
	name := filepath.Base(path)
	name = strings.TrimSuffix(name, filepath.Ext(name))
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, name)
}

// fingerprint is the state of the files that patterns name, by which a change is seen. What
// they include isn't in it.
func fingerprint(patterns []string) [32]byte {
	h := sha256.New()
	for _, p := range patterns {
		list, _ := filepath.Glob(p)
		for _, f := range list {
			if st, err := os.Stat(f); err == nil {
				fmt.Fprintf(h, "%q %d %d\n", f, st.Size(), st.ModTime().UnixNano())
			} else {
				fmt.Fprintf(h, "%q %v\n", f, err)
			}
		}
	}
	return [32]byte(h.Sum(nil))
}
