package sandbox

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Available says what the kernel offers, for an examination of the machine. It
// changes nothing.
func Available() []Layer {
	l := []Layer{{Name: LayerPrivileges, Holds: true}, {Name: LayerLimits, Holds: true}}
	if v := landlockVersion(); v > 0 {
		l = append(l, Layer{LayerLandlock, true, "version " + strconv.Itoa(v)})
	} else {
		l = append(l, Layer{LayerLandlock, false, noLandlock})
	}
	if why := seccompMissing(); why != "" {
		return append(l, Layer{LayerSeccomp, false, why})
	}
	return append(l, Layer{LayerSeccomp, true, ""})
}

// Enter takes away what the profile doesn't need, for all threads of this process
// and for good. Call it once, when everything the process needs is open and
// before it reads anything hostile. The layers say what holds; the error is about a
// layer that should hold and can't be put up.
func Enter(cfg Config) ([]Layer, error) {
	// The first timer opens the runtime's poller, which can't be done afterwards.
	time.AfterFunc(time.Hour, func() {}).Stop()
	closeOthers(3 + cfg.Files)
	var out []Layer
	for _, step := range []func(Config) (Layer, error){dropPrivileges, landlock, setLimits, seccomp} {
		l, err := step(cfg)
		if err != nil {
			return out, fmt.Errorf("inspect/sandbox: %s: %w", l.Name, err)
		}
		out = append(out, l)
	}
	if cfg.Profile == Tool && cfg.Memory > 0 { // the last: from here on an allocation may fail
		if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: uint64(cfg.Memory), Max: uint64(cfg.Memory)}); err != nil {
			return out, fmt.Errorf("inspect/sandbox: %s: %w", LayerLimits, err)
		}
	}
	return out, nil
}

// closeOthers closes what the process inherited from file first on: who
// started the gateway may have left something open, such as its listeners. The
// runtime's poller stays.
func closeOthers(first int) {
	const folder = "/proc/self/fd"
	entries, err := os.ReadDir(folder)
	if err != nil {
		return // no /proc: what is open stays
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < first {
			continue
		}
		if target, err := os.Readlink(folder + "/" + e.Name()); err == nil && target != "anon_inode:[eventpoll]" && target != "anon_inode:[eventfd]" {
			_ = unix.Close(fd)
		}
	}
}

// everywhere makes a system call on all threads of the process. Where the program is
// linked with C code that can't be done, and ok is false.
func everywhere(trap, a, b, c uintptr) (ok bool, err error) {
	switch _, _, errno := syscall.AllThreadsSyscall(trap, a, b, c); errno {
	case 0:
		return true, nil
	case syscall.ENOTSUP:
		return false, nil
	default:
		return true, errno
	}
}

// dropPrivileges makes sure that no program gains anything, that no capability is
// left, and that nobody may trace the process.
func dropPrivileges(Config) (Layer, error) {
	l := Layer{Name: LayerPrivileges, Holds: true}
	// seccomp's way of reaching all threads carries no_new_privs along.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return l, err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return l, err
	}
	if ok, err := everywhere(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return l, err
	} else if !ok {
		l.Detail = "capabilities of other threads stay: built with C code"
		return l, nil
	}
	if _, err := everywhere(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return l, err
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, err := everywhere(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&none)), 0)
	return l, err
}

// maxFiles is how many files a program may have open: what it scans, and its libraries.
const maxFiles = 320

// setLimits forbids new files, writing to files, core dumps and locked memory, and
// ends the process after its processor time.
func setLimits(cfg Config) (Layer, error) {
	l := Layer{Name: LayerLimits, Holds: true}
	files, size := uint64(0), uint64(0)
	if cfg.Profile != Decoders {
		files = maxFiles
	}
	if cfg.Profile == Tools {
		size = uint64(max(cfg.Write, 0))
	}
	type limit struct {
		what      int
		soft, top uint64
	}
	limits := []limit{{unix.RLIMIT_NOFILE, files, files}, {unix.RLIMIT_FSIZE, size, size}, {unix.RLIMIT_CORE, 0, 0}, {unix.RLIMIT_MEMLOCK, 0, 0}, {unix.RLIMIT_MSGQUEUE, 0, 0}}
	if cfg.CPU > 0 {
		// SIGXCPU first, so that the parent can tell this end from others.
		seconds := uint64((cfg.CPU + time.Second - 1) / time.Second)
		limits = append(limits, limit{unix.RLIMIT_CPU, seconds, seconds + 2})
		l.Detail = "processor time " + (time.Duration(seconds) * time.Second).String()
	}
	for _, r := range limits {
		if err := unix.Setrlimit(r.what, &unix.Rlimit{Cur: r.soft, Max: r.top}); err != nil {
			return l, err
		}
	}
	return l, nil
}

const noLandlock = "the kernel has none, or it is not in its lsm= list"

// landlockVersion is the version of the kernel's interface; 0: not there.
func landlockVersion() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// Rights by version of the interface (landlock(7)).
func landlockRights(version int) unix.LandlockRulesetAttr {
	a := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
		unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM}
	if version >= 2 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		a.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 5 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		// Signals are seccomp's: Landlock's scope kept Go's threads from each other
		// in some kernels (version 6, erratum 2).
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	return a
}

// allThreads is the version that restricts all threads in one call.
const allThreads = 8

// landlock forbids all files, and to programs those that they don't need.
func landlock(cfg Config) (Layer, error) {
	l := Layer{Name: LayerLandlock}
	v := landlockVersion()
	if v == 0 {
		l.Detail = noLandlock
		return l, nil
	}
	// An older kernel knows a shorter struct, and takes this one as its end is zero.
	attr := landlockRights(v)
	var rules []rule
	if cfg.Profile != Decoders {
		var err error
		if rules, err = toolRules(cfg); err != nil {
			return l, err
		}
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return l, errno
	}
	defer unix.Close(int(fd))
	for _, r := range rules {
		if err := r.add(int(fd), attr.Handled_access_fs); err != nil {
			return l, err
		}
	}
	if v >= allThreads {
		if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, unix.LANDLOCK_RESTRICT_SELF_TSYNC, 0); errno != 0 {
			return l, errno
		}
	} else if ok, err := everywhere(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); err != nil {
		return l, err
	} else if !ok {
		l.Detail = "built with C code, which needs version 8 of the kernel's; it has " + strconv.Itoa(v)
		return l, nil
	}
	l.Holds, l.Detail = true, "version "+strconv.Itoa(v)+", no files, no TCP"
	if cfg.Profile != Decoders {
		l.Detail = "version " + strconv.Itoa(v) + ", runs only what is named"
	}
	return l, nil
}

// rule lets a path, and what is below it, be used.
type rule struct {
	path   string
	rights uint64
}

const (
	readFiles = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	runFile   = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
)

// libraries are where programs have theirs, and their data.
var libraries = []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share", "/etc/ld.so.cache", "/dev/null", "/dev/urandom"}

// toolRules let the named programs and their loaders run, and read what is shared.
func toolRules(cfg Config) ([]rule, error) {
	var rules []rule
	for _, p := range cfg.Programs {
		if !filepath.IsAbs(p) {
			return nil, fmt.Errorf("%s is not an absolute path", p)
		}
		rules = append(rules, rule{p, runFile})
		switch loader, err := loaderOf(p); {
		case err != nil:
			return nil, err
		case loader != "" && !slices.Contains(rules, rule{loader, runFile}):
			rules = append(rules, rule{loader, runFile})
		}
	}
	for _, p := range slices.Concat(libraries, cfg.Read) {
		if _, err := os.Stat(p); err == nil {
			rules = append(rules, rule{p, readFiles})
		}
	}
	return rules, nil
}

// loaderOf names the program that loads another's libraries; "" where it has none.
func loaderOf(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			name := make([]byte, p.Filesz)
			if _, err := p.ReadAt(name, 0); err != nil {
				return "", err
			}
			return string(bytes.TrimRight(name, "\x00")), nil
		}
	}
	return "", nil
}

func (r rule) add(ruleset int, handled uint64) error {
	fd, err := unix.Open(r.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	defer unix.Close(fd)
	rights := r.rights & handled
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("%s: %w", r.path, errno)
	}
	return nil
}
