// Package run starts an installed program on hostile bytes: in a sandbox of its own,
// bounded in time, processor time, memory and output, with its input in memory instead of
// files.
//
// The process of profile tools can't put limits on a process before that runs. So it
// starts this program once more ([Become]), which takes away what the program doesn't
// need, and then becomes it. The program can read its libraries and data, and what it
// is given; it can't write, reach the network, start a process, run another program, or
// send a signal.
package run

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice/inspect/sandbox"
)

// Command is one run of a program.
type Command struct {
	Path string   // absolute
	Args []string // without the program's name
	Read []string // files and folders that it needs beside libraries and /usr/share
	Env  []string // its whole environment
	// Stdin is its standard input; nil: empty.
	Stdin *os.File
	// Files are open in it, from 3 on; Path of package run names them.
	Files  []*os.File
	CPU    time.Duration // processor time
	Memory int64         // bytes of address space
	Output int           // bytes of its standard output that are read; what comes behind is dropped
}

// Result is what came of it.
type Result struct {
	Output []byte // hostile
	Cut    bool   // there was more
	Words  string // what it said on its standard error, the beginning; hostile
	Code   int    // that it ended with; -1 by a signal
	Signal syscall.Signal
	Late   bool // it was killed at the end of its time, or its processor time was over
}

// maxWords bounds what is kept of a program's complaints.
const maxWords = 500

// Program starts programs. Self is the command line that leads to Become.
type Program struct{ Self []string }

// Run runs c until it ends or ctx does. The error is our own trouble: nothing ran.
func (p Program) Run(ctx context.Context, c Command) (*Result, error) {
	args := append([]string{}, p.Self[1:]...)
	args = append(args, "-files="+strconv.Itoa(len(c.Files)), "-memory="+strconv.FormatInt(c.Memory, 10), "-cpu="+c.CPU.String())
	for _, r := range c.Read {
		args = append(args, "-read="+r)
	}
	cmd := exec.CommandContext(ctx, p.Self[0], append(append(args, "--", c.Path), c.Args...)...)
	// Go makes one thread and no more for what comes next.
	cmd.Env = append([]string{"GOMAXPROCS=1"}, c.Env...)
	out, words := &bounded{most: c.Output}, &bounded{most: maxWords}
	cmd.Stdin = c.Stdin
	if c.Stdin == nil {
		empty, err := Memory("empty", nil)
		if err != nil {
			return nil, err
		}
		defer empty.Close()
		cmd.Stdin = empty
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, words, c.Files
	// It starts no process that could hold the pipes, but where seccomp is missing it
	// might.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	r := &Result{Output: out.kept.Bytes(), Cut: out.cut, Words: strings.Join(strings.Fields(strings.ToValidUTF8(words.kept.String(), "?")), " ")}
	if cmd.ProcessState == nil {
		return r, fmt.Errorf("inspect/child/tool/run: %w", err)
	}
	r.Code = cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.Signal = ws.Signal()
	}
	r.Late = ctx.Err() != nil && r.Code != 0 || r.Signal == syscall.SIGXCPU
	if r.Code == notRun {
		return r, errors.New("inspect/child/tool/run: " + r.Words)
	}
	return r, nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept bytes.Buffer
	most int
	cut  bool
}

// Write implements io.Writer. It never fails: the writer must not see a bound.
func (b *bounded) Write(p []byte) (int, error) {
	room := min(b.most-b.kept.Len(), len(p))
	b.cut = b.cut || room < len(p)
	b.kept.Write(p[:room])
	return len(p), nil
}

// Path names the i-th of Command.Files for the program.
func Path(i int) string { return "/proc/self/fd/" + strconv.Itoa(3+i) }

// notRun is the status of a process that could not become the program. No program uses
// it (sysexits.h ends at 78, shells begin at 126).
const notRun = 99

// Become is the process that becomes a program: it goes into the sandbox and runs what
// args say. It returns only where that fails.
func Become(args []string, stderr io.Writer) int {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.SetOutput(stderr)
	box := sandbox.Config{Profile: sandbox.Tool}
	fs.IntVar(&box.Files, "files", 0, "files that stay open from 3 on")
	fs.Int64Var(&box.Memory, "memory", 0, "bytes of address space")
	fs.DurationVar(&box.CPU, "cpu", 0, "processor time")
	fs.Func("read", "file or folder that may be read", func(s string) error { box.Read = append(box.Read, s); return nil })
	if err := fs.Parse(args); err != nil || fs.NArg() == 0 {
		return notRun
	}
	program := fs.Args()
	box.Programs = program[:1]
	env := os.Environ()
	if _, err := sandbox.Enter(box); err != nil {
		fmt.Fprintln(stderr, err)
		return notRun
	}
	err := syscall.Exec(program[0], program, env)
	fmt.Fprintf(stderr, "%s: %v\n", program[0], err)
	return notRun
}
