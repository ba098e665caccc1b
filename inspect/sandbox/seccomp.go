//go:build linux && (amd64 || arm64)

package sandbox

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What the kernel does with a call.
const (
	allow  = unix.SECCOMP_RET_ALLOW
	refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	// kill ends the process with SIGSYS: no honest decoder makes such a call, so
	// somebody has taken it over, and that must be seen.
	kill = unix.SECCOMP_RET_KILL_PROCESS
)

// call is one line of a filter: the first that fits decides.
type call struct {
	number uintptr
	does   uint32
	// The line fits where this argument's lower half, masked, has this value; a mask
	// of zero fits always. An upper half that isn't zero fits nothing.
	arg, mask, value uint32
}

func lines(does uint32, numbers ...uintptr) (out []call) {
	for _, n := range numbers {
		out = append(out, call{number: n, does: does})
	}
	return out
}

// threadFlags are those with which Go and the C libraries begin a thread; without
// CLONE_THREAD it would be a process.
const threadFlags = unix.CLONE_VM | unix.CLONE_SIGHAND | unix.CLONE_THREAD

// decoderCalls let the Go runtime live (and the C library's threads, for builds with
// it), and pipes that are open be used. Everything else is refused; what serves an
// intruder only ends the process.
func decoderCalls() []call {
	pid := uint32(os.Getpid())
	c := lines(allow, unix.SYS_READ, unix.SYS_WRITE, unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME,
		unix.SYS_MADVISE, unix.SYS_MUNMAP, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CTL, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY,
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
		unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_GETRUSAGE,
		unix.SYS_GETTIMEOFDAY, unix.SYS_CLOCK_GETRES, unix.SYS_GETRANDOM, unix.SYS_CLOSE, unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_BRK, unix.SYS_MINCORE,
		unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_MEMBARRIER)
	c = append(c, lines(allow, runtimeCalls...)...)
	c = append(c,
		// Memory that can be run is an intruder's.
		call{unix.SYS_MMAP, allow, 2, unix.PROT_EXEC, 0},
		call{unix.SYS_MPROTECT, allow, 2, unix.PROT_EXEC, 0},
		// Signals to itself: Go stops its threads so.
		call{unix.SYS_TGKILL, allow, 0, ^uint32(0), pid},
		call{unix.SYS_CLONE, allow, 0, threadFlags, threadFlags},
		call{unix.SYS_FCNTL, allow, 1, ^uint32(0), unix.F_GETFL},
		// Its flags stand in memory, which a filter can't see. The C library then takes
		// the old one.
		call{number: unix.SYS_CLONE3, does: absent},
	)
	c = append(c, lines(kill, unix.SYS_CLONE, unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_TGKILL, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_EXECVE, unix.SYS_EXECVEAT)...)
	return append(c, intruders()...)
}

// toolCalls let programs do what programs do, network and the rest excepted.
// Capabilities are gone, and can only be given up once more: what becomes a program does.
func toolCalls() []call { return append(lines(allow, unix.SYS_CAPSET), intruders()...) }

// toolCall narrows that to one process, which may become a program.
func toolCall() []call {
	c := []call{
		{unix.SYS_TGKILL, allow, 0, ^uint32(0), uint32(os.Getpid())}, // abort(3); the program keeps the number
		{unix.SYS_CLONE, allow, 0, threadFlags, threadFlags},
		{number: unix.SYS_CLONE3, does: absent},
	}
	c = append(c, lines(kill, unix.SYS_CLONE, unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_TGKILL, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL,
		unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO)...)
	return append(append(c, lines(kill, oldForks...)...), intruders()...)
}

// intruders lists what neither a decoder nor a tool needs.
func intruders() []call {
	c := lines(kill, unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
		unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_RECVMSG, unix.SYS_RECVMMSG,
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD,
		unix.SYS_KCMP, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
		unix.SYS_FSOPEN, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT,
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
		unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_PERSONALITY, unix.SYS_MEMFD_SECRET, unix.SYS_VMSPLICE,
		unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID, unix.SYS_SETGROUPS, unix.SYS_CAPSET)
	return append(c, lines(kill, oldIntruders...)...)
}

// program writes a filter. The number is loaded once, and again behind each line
// that looked at an argument. Calls of another architecture's numbers end the
// process: the same number means something else there.
func program(calls []call, otherwise uint32) []bpf.Instruction {
	// struct seccomp_data: number, architecture, instruction pointer, six arguments of 64
	// bits (seccomp(2)), all little endian here.
	const number, arch, args = 0, 4, 16
	load := func(at uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: at, Size: 4} }
	out := []bpf.Instruction{
		load(arch),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1},
		bpf.RetConstant{Val: kill},
		load(number),
		// The x32 numbers of amd64 begin here.
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: 0x4000_0000, SkipTrue: 1},
		bpf.RetConstant{Val: kill},
	}
	for _, c := range calls {
		if c.mask == 0 {
			out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(c.number), SkipFalse: 1}, bpf.RetConstant{Val: c.does})
			continue
		}
		out = append(out,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(c.number), SkipFalse: 7},
			load(args+8*c.arg+4),
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipFalse: 4},
			load(args+8*c.arg),
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: c.mask},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: c.value, SkipFalse: 1},
			bpf.RetConstant{Val: c.does},
			load(number),
		)
	}
	return append(out, bpf.RetConstant{Val: otherwise})
}

// seccompMissing says why there is no seccomp, "" where there is.
func seccompMissing() string {
	action := uint32(kill)
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action))); errno != 0 {
		return "the kernel has no seccomp with filters: " + errno.Error()
	}
	return ""
}

// seccomp puts up the filter for all threads.
func seccomp(cfg Config) (Layer, error) {
	l := Layer{Name: LayerSeccomp}
	if l.Detail = seccompMissing(); l.Detail != "" {
		return l, nil
	}
	calls, otherwise := decoderCalls(), uint32(refuse)
	l.Detail = "open pipes and memory only"
	switch cfg.Profile {
	case Tools:
		calls, otherwise = toolCalls(), allow
		l.Detail = "no network, no tracing"
	case Tool:
		calls, otherwise = toolCall(), allow
		l.Detail = "no network, no tracing, no processes, no signals"
	}
	raw, err := bpf.Assemble(program(calls, otherwise))
	if err != nil {
		return l, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	switch {
	case errno != 0:
		return l, errno
	case thread != 0:
		return l, fmt.Errorf("thread %d has another filter", thread)
	}
	l.Holds = true
	return l, nil
}
