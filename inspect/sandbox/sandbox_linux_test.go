package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The test program runs itself again with this variable: "how what".
const errand = "SLUICE_SANDBOX_ERRAND"

// refused is how a child says that the attempt was refused.
const refused = "refused: "

func TestMain(m *testing.M) {
	if e := os.Getenv(errand); e != "" {
		how, what, _ := strings.Cut(e, " ")
		child(how, what)
	}
	os.Exit(m.Run())
}

// child enters the sandbox in one of several ways, and tries something.
func child(how, what string) {
	var layers []Layer
	var err error
	switch how {
	case "whole":
		layers, err = Enter(Config{})
	case "tools":
		layers, err = Enter(Config{Profile: Tools, Programs: strings.Split(os.Getenv("SLUICE_SANDBOX_PROGRAMS"), ":")})
	case "tool":
		layers, err = Enter(Config{Profile: Tool, Programs: strings.Split(os.Getenv("SLUICE_SANDBOX_PROGRAMS"), ":")})
	case "cpu":
		layers, err = Enter(Config{CPU: time.Second})
	case "landlock": // alone: what holds where seccomp is missing
		for _, step := range []func(Config) (Layer, error){dropPrivileges, landlock} {
			var l Layer
			if l, err = step(Config{}); err != nil {
				break
			}
			layers = append(layers, l)
		}
	case "limits":
		var l Layer
		l, err = setLimits(Config{})
		layers = append(layers, l)
	}
	if err != nil {
		fmt.Println("setting up:", err)
		os.Exit(3)
	}
	if what == "layers" {
		for _, l := range layers {
			fmt.Println(l)
		}
		os.Exit(0)
	}
	if err := attempts[what](); err != nil {
		fmt.Println(refused + err.Error())
		os.Exit(4)
	}
	fmt.Println("it worked")
	os.Exit(0)
}

// attempts are what an intruder would try. Each returns what it was told.
var attempts = map[string]func() error{
	"read a file":        func() error { _, err := os.ReadFile("/etc/passwd"); return err },
	"list a folder":      func() error { _, err := os.ReadDir("/"); return err },
	"write a file":       func() error { return os.WriteFile(os.Getenv("SLUICE_SANDBOX_FILE"), []byte("x"), 0o600) },
	"remove a file":      func() error { return os.Remove(os.Getenv("SLUICE_SANDBOX_FILE")) },
	"read own maps":      func() error { _, err := os.ReadFile("/proc/self/maps"); return err },
	"make a socket":      func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err },
	"make a unix socket": func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
	"run a program":      func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) },
	"start a process":    func() error { return exec.Command("/bin/true").Run() }, // begins by opening /dev/null
	"fork": func() error {
		pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			return errno
		}
		if pid == 0 {
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
		}
		return nil
	},
	"clone3": func() error {
		var args [11]uint64
		args[4] = uint64(unix.SIGCHLD)
		if _, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0); errno != 0 {
			return errno
		}
		return nil
	},
	"trace the parent":           func() error { return unix.PtraceSeize(os.Getppid()) },
	"signal the parent":          func() error { return unix.Kill(os.Getppid(), 0) },
	"signal the parent's thread": func() error { return unix.Tgkill(os.Getppid(), os.Getppid(), 0) },
	"read the parent's memory": func() error {
		b := make([]byte, 1)
		_, err := unix.ProcessVMReadv(os.Getppid(), []unix.Iovec{{Base: &b[0], Len: 1}}, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&b[0])), Len: 1}}, 0)
		return err
	},
	"run memory": func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	},
	"make memory run": func() error {
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return nil
		}
		return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
	},
	"raise a limit": func() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}) },
	"new user":      func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"io_uring": func() error {
		_, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
		if errno == unix.EFAULT {
			return nil
		}
		return errno
	},
	"memfd":             func() error { _, err := unix.MemfdCreate("x", 0); return err },
	"copy a descriptor": func() error { _, err := unix.Dup(0); return err },
	// What an honest decoder needs.
	"live": func() error {
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				runtime.LockOSThread() // each a thread of its own
				b := make([]byte, 1<<20)
				for i := range b {
					b[i] = byte(i)
				}
				time.Sleep(time.Millisecond)
			})
		}
		wg.Wait()
		runtime.GC()
		defer func() { _ = recover() }() // of a fault that the kernel signals
		_ = *(*byte)(nilPointer)
		return nil
	},
	"spin": func() error {
		for n := 0; ; n++ {
			spun.Store(int64(n))
		}
	},
	"run the named": func() error {
		out, err := exec.Command(strings.Split(os.Getenv("SLUICE_SANDBOX_PROGRAMS"), ":")[0], "-n", "said").Output()
		if err == nil && string(out) != "said" {
			err = fmt.Errorf("it said %q", out)
		}
		return err
	},
	"run another": func() error {
		if err := exec.Command("/bin/true").Run(); errors.Is(err, os.ErrPermission) {
			return err
		} else if err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
		return nil
	},
	"run another by the loader": func() error {
		loader, err := filepath.Glob("/lib64/ld-linux*")
		if err != nil || len(loader) == 0 {
			return errors.New("no loader")
		}
		return exec.Command(loader[0], "/bin/true").Run()
	},
}

// spun is what a process that spins does.
var spun atomic.Int64

var nilPointer unsafe.Pointer

// outcome is what became of a child.
type outcome struct {
	out    string
	signal syscall.Signal
	code   int
}

func send(t *testing.T, how, what string, env ...string) outcome {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append([]string{errand + "=" + how + " " + what, "GODEBUG=containermaxprocs=0"}, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(3*time.Minute, func() { cmd.Process.Kill() })
	_ = cmd.Wait()
	if !timer.Stop() {
		t.Fatalf("%s %s: it was still there after three minutes", how, what)
	}
	st := cmd.ProcessState.Sys().(syscall.WaitStatus)
	o := outcome{out: strings.TrimSpace(out.String()), code: st.ExitStatus()}
	if st.Signaled() {
		o.signal = st.Signal()
	}
	return o
}

func (o outcome) refused() bool {
	return o.signal == syscall.SIGSYS || o.code == 4 && strings.HasPrefix(o.out, refused)
}

func layers(t *testing.T) map[string]Layer {
	t.Helper()
	out := map[string]Layer{}
	for _, l := range Available() {
		out[l.Name] = l
	}
	return out
}

// needs skips where the kernel lacks a layer.
func needs(t *testing.T, name string) {
	t.Helper()
	if l := layers(t)[name]; !l.Holds {
		t.Skip(l)
	}
	if name == LayerLandlock && landlockVersion() < allThreads && !canReachThreads() {
		t.Skip("built with C code: Landlock can't reach all threads")
	}
}

func canReachThreads() bool {
	ok, _ := everywhere(unix.SYS_GETPID, 0, 0, 0)
	return ok
}

// TestEscapes sends a child per attempt. Each attempt works without a sandbox, or it
// would prove nothing.
func TestEscapes(t *testing.T) {
	needs(t, LayerSeccomp)
	killed := map[string]bool{"make a socket": true, "make a unix socket": true, "run a program": true, "fork": true,
		"trace the parent": true, "signal the parent": true, "signal the parent's thread": true, "read the parent's memory": true, "new user": true, "io_uring": true}
	// These need rights or kernels that a test may not have; the sandbox must refuse
	// them all the same.
	mayFail := map[string]bool{"trace the parent": true, "read the parent's memory": true, "new user": true, "io_uring": true, "clone3": true, "raise a limit": true}
	for what := range attempts {
		switch what {
		case "live", "spin", "run the named", "run another", "run another by the loader":
			continue
		}
		t.Run(what, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			env := "SLUICE_SANDBOX_FILE=" + file
			o := send(t, "whole", what, env)
			if !o.refused() {
				t.Errorf("not refused: %+v", o)
			}
			if killed[what] != (o.signal == syscall.SIGSYS) {
				t.Errorf("killed: %+v", o)
			}
			if _, err := os.Stat(file); err != nil {
				t.Error("the file is gone")
			}
			if free := send(t, "none", what, env); free.code != 0 && !mayFail[what] {
				t.Errorf("doesn't work without a sandbox either: %+v", free)
			}
		})
	}
}

func TestLives(t *testing.T) {
	if o := send(t, "whole", "live"); o.code != 0 || o.signal != 0 {
		t.Errorf("%+v", o)
	}
}

// TestLandlockAlone shows what holds where seccomp is missing.
func TestLandlockAlone(t *testing.T) {
	needs(t, LayerLandlock)
	for _, what := range []string{"read a file", "list a folder", "write a file", "remove a file", "read own maps", "run a program", "start a process"} {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if o := send(t, "landlock", what, "SLUICE_SANDBOX_FILE="+file); !o.refused() {
			t.Errorf("%s: %+v", what, o)
		}
	}
}

func TestLimitsAlone(t *testing.T) {
	for _, what := range []string{"read a file", "make a socket", "memfd", "copy a descriptor", "write a file"} {
		if o := send(t, "limits", what, "SLUICE_SANDBOX_FILE="+filepath.Join(t.TempDir(), "f")); !o.refused() {
			t.Errorf("%s: %+v", what, o)
		}
	}
}

func TestProcessorTime(t *testing.T) {
	began := time.Now()
	if o := send(t, "cpu", "spin"); o.signal != syscall.SIGKILL && o.signal != syscall.SIGXCPU {
		t.Errorf("after %v: %+v", time.Since(began), o)
	}
}

func TestTools(t *testing.T) {
	needs(t, LayerLandlock)
	needs(t, LayerSeccomp)
	const echo = "/bin/echo"
	if _, err := os.Stat(echo); err != nil {
		t.Skip(err)
	}
	env := "SLUICE_SANDBOX_PROGRAMS=" + echo
	if o := send(t, "tools", "run the named", env); o.code != 0 {
		t.Errorf("the named program: %+v", o)
	}
	for _, what := range []string{"run another", "run another by the loader", "read a file", "make a socket", "trace the parent", "write a file"} {
		if o := send(t, "tools", what, env, "SLUICE_SANDBOX_FILE="+filepath.Join(t.TempDir(), "f")); !o.refused() {
			t.Errorf("%s: %+v", what, o)
		}
	}
}

// TestTool: what becomes a program can do that, and less than what starts it.
func TestTool(t *testing.T) {
	needs(t, LayerLandlock)
	needs(t, LayerSeccomp)
	const program = "/bin/true"
	if _, err := os.Stat(program); err != nil {
		t.Skip(err)
	}
	env := "SLUICE_SANDBOX_PROGRAMS=" + program
	if o := send(t, "tool", "run a program", env); o.code != 0 {
		t.Errorf("it can't become the program: %+v", o)
	}
	for _, what := range []string{"run another", "run another by the loader", "read a file", "write a file", "make a socket", "fork", "clone3", "signal the parent",
		"signal the parent's thread", "trace the parent", "read the parent's memory", "new user"} {
		if o := send(t, "tool", what, env, "SLUICE_SANDBOX_FILE="+filepath.Join(t.TempDir(), "f")); !o.refused() {
			t.Errorf("%s: %+v", what, o)
		}
	}
}

func TestLayers(t *testing.T) {
	o := send(t, "whole", "layers")
	want := []string{LayerPrivileges, LayerLandlock, LayerLimits, LayerSeccomp}
	got := strings.Split(o.out, "\n")
	if len(got) != len(want) {
		t.Fatalf("%+v", o)
	}
	for i, name := range want {
		if !strings.HasPrefix(got[i], name+": ") {
			t.Errorf("%q, want %q", got[i], name)
		}
		t.Log(got[i])
	}
}

func TestWatch(t *testing.T) {
	over := make(chan struct{})
	stop := Watch(1<<20, time.Millisecond, func() { close(over) }) // a test needs more than a megabyte
	defer stop()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("not called")
	}
}

func TestStrict(t *testing.T) {
	for i, want := range []bool{false, false, false, true, true, true} {
		l := [][]Layer{
			nil, {{LayerPrivileges, true, ""}}, {{LayerSeccomp, true, ""}},
			{{LayerPrivileges, true, ""}, {LayerSeccomp, true, ""}}, {{LayerPrivileges, true, ""}, {LayerLandlock, true, ""}, {LayerSeccomp, false, ""}},
			{{LayerPrivileges, true, ""}, {LayerLandlock, true, ""}, {LayerSeccomp, true, ""}},
		}[i]
		if Strict(l) != want {
			t.Errorf("%v: %s", l, strconv.FormatBool(!want))
		}
	}
}
