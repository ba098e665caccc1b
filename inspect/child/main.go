package child

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"sluice/inspect"
	"sluice/inspect/sandbox"
	"sluice/inspect/wire"
)

// Main is the process: it goes into the sandbox, says so, and answers requests from
// in on out until in ends. It returns the status to exit with. The program calls it
// before it does anything else, with the arguments behind the hidden command. Hashes
// by cfg.TLSH are made where these ask for them.
func Main(args []string, cfg Config, in io.Reader, out, stderr io.Writer) int {
	fs := flag.NewFlagSet("inspect", flag.ContinueOnError)
	fs.SetOutput(stderr)
	memory := fs.Int64("memory", 512<<20, "bytes of resident memory after which the process ends")
	cpu := fs.Duration("cpu", 0, "processor time after which the process ends")
	hash := fs.Bool("tlsh", false, "make locality sensitive hashes")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if !*hash {
		cfg.TLSH = nil
	}
	return Run(cfg, sandbox.Config{CPU: *cpu}, *memory, in, out, stderr)
}

// Run is [Main] with its settings: the sandbox to go into, and the bytes of memory after
// which the process ends itself.
func Run(cfg Config, box sandbox.Config, memory int64, in io.Reader, out, stderr io.Writer) int {
	// The collector works harder as memory comes near the limit, and a stack that
	// grows without end ends the process before it fills the memory.
	debug.SetMemoryLimit(memory * 3 / 4)
	debug.SetMaxStack(64 << 20)
	f, err := New(cfg)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	layers, err := sandbox.Enter(box)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	hello := wire.Hello{Version: wire.Version, Strict: sandbox.Strict(layers)}
	if box.Profile != sandbox.Decoders {
		hello.Strict = sandbox.StrictTools(layers)
	}
	for _, l := range layers {
		hello.Sandbox = append(hello.Sandbox, l.String())
	}
	// These end a process whose parent can't any more; it is quicker otherwise.
	guard := func(q *inspect.Request) (stop func()) {
		alarm := time.AfterFunc(q.Budget.WithDefaults().Time+grace, func() {
			fmt.Fprintln(stderr, "out of time")
			os.Exit(wire.ExitTime)
		})
		watch := sandbox.Watch(memory, 20*time.Millisecond, func() {
			fmt.Fprintf(stderr, "more than %d MB of memory\n", memory>>20)
			os.Exit(wire.ExitMemory)
		})
		return func() { alarm.Stop(); watch() }
	}
	if err := serve(f, hello, bufio.NewReaderSize(in, 64<<10), bufio.NewWriterSize(out, 64<<10), guard); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// grace is what a walk gets beyond its time before the process ends itself.
const grace = 5 * time.Second

// keepRoom bounds the buffer that is kept between requests.
const keepRoom = 8 << 20

func serve(f *Frame, hello wire.Hello, in *bufio.Reader, out *bufio.Writer, guard func(*inspect.Request) (stop func())) error {
	if err := wire.WriteHello(out, hello); err != nil {
		return err
	}
	var room []byte
	for {
		q, rest, err := wire.ReadRequest(in, room)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		stop := guard(q)
		err = answer(f, q, out)
		stop()
		if err != nil {
			return err
		}
		room = rest
		if cap(room) > keepRoom {
			room = nil
			runtime.GC() // large requests are few, and what they held is returned before the next
		}
	}
}

// answer sends a report as it grows. A parent that no longer listens ends the work.
func answer(f *Frame, q *inspect.Request, out *bufio.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := wire.NewWriter(out)
	var failed error
	r := f.Inspect(ctx, q, func(r *inspect.Report, changed []int, at int, by string) {
		if failed == nil {
			if failed = w.Progress(r, changed, at, by); failed != nil {
				cancel()
			}
		}
	})
	if failed != nil {
		return failed
	}
	return w.End(r)
}
