package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// running says whether a daemon uses the data folder: it holds its lock.
func (x *examiner) running() bool {
	held, _ := locked(filepath.Join(x.cfg.Data, "lock")) // an unreadable lock is the data check's
	return held
}

// locked tries a lock, and gives it back at once.
func locked(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// data looks at the folder of everything that is kept.
func (x *examiner) data(context.Context) []Finding {
	dir := x.cfg.Data
	st, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return x.unborn(dir)
	}
	if err != nil {
		return one(Bad, err.Error(), "make the folder reachable for the daemon's user")
	}
	if !st.IsDir() {
		return one(Bad, "it is no folder", "choose another with data = …")
	}
	out := []Finding{x.access(dir, st)}
	switch held, err := locked(filepath.Join(dir, "lock")); {
	case err != nil:
		out = append(out, Finding{Level: Warn, Text: "whether a daemon uses it can't be seen: " + err.Error(), Fix: "run this as the daemon's user"})
	case held:
		out = append(out, Finding{Level: OK, Text: "a daemon uses it"})
	}
	return append(append(out, x.space(dir)), oneFileSystem(dir)...)
}

// unborn is a folder that the daemon will make, if it may.
func (x *examiner) unborn(dir string) []Finding {
	parent := filepath.Dir(dir)
	for parent != filepath.Dir(parent) {
		if _, err := os.Stat(parent); err == nil {
			break
		}
		parent = filepath.Dir(parent)
	}
	if err := unix.Access(parent, unix.W_OK|unix.X_OK); err != nil {
		return one(Bad, fmt.Sprintf("it isn't there, and this user can't make it in %s", parent), "make it for the daemon's user: install -d -m 700 -o USER "+dir)
	}
	return append(ok("it isn't there yet; sluice serve makes it"), x.space(parent))
}

func (x *examiner) access(dir string, st fs.FileInfo) Finding {
	sys, _ := st.Sys().(*syscall.Stat_t)
	switch {
	case sys != nil && x.m.user != 0 && int(sys.Uid) != x.m.user:
		return Finding{Level: Bad, Text: fmt.Sprintf("it belongs to user %d, and this is user %d", sys.Uid, x.m.user), Fix: "run this, and the daemon, as its owner"}
	case st.Mode().Perm()&0o077 != 0:
		return Finding{Level: Warn, Text: fmt.Sprintf("others may look into it (mode %04o)", st.Mode().Perm()), Fix: "chmod 700 " + dir}
	case unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK) != nil:
		return Finding{Level: Bad, Text: "it can't be written", Fix: "look at its rights and at whether the file system is mounted read-only"}
	}
	return Finding{Level: OK, Text: fmt.Sprintf("its owner's alone (mode %04o)", st.Mode().Perm())}
}

// Below leastFree the daemon's own health says no, and below enoughFree a day of
// mail may be too much.
const (
	leastFree  = 64 << 20
	enoughFree = 1 << 30
)

func (x *examiner) space(dir string) Finding {
	free, size, err := x.m.free(dir)
	text := fmt.Sprintf("%s of %s free", inBytes(free), inBytes(size))
	switch {
	case err != nil:
		return Finding{Level: Warn, Text: "the free space can't be seen: " + err.Error(), Fix: "look with df"}
	case free < leastFree:
		return Finding{Level: Bad, Text: text + ": no mail is taken any more", Fix: "make room, or lower keep.quarantine and keep.quarantine_size"}
	case free < enoughFree:
		return Finding{Level: Warn, Text: text, Fix: "make room, or lower keep.quarantine and keep.quarantine_size"}
	case free < uint64(x.cfg.Keep.QuarantineSize):
		return Finding{Level: Warn, Text: fmt.Sprintf("%s, and the quarantine may grow to %s", text, inBytes(uint64(x.cfg.Keep.QuarantineSize))), Fix: "make room, or lower keep.quarantine_size"}
	}
	return Finding{Level: OK, Text: text}
}

func inBytes(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	default:
		return fmt.Sprintf("%d MB", n>>20)
	}
}

// oneFileSystem finds folders of the quarantine and the outbox that are mounts of
// their own: files are written and then renamed into place, which works within one
// file system only.
func oneFileSystem(dir string) (out []Finding) {
	for _, room := range []string{"quarantine", "outbox"} {
		top := filepath.Join(dir, room)
		dev, there := device(top)
		if !there {
			continue
		}
		list, err := os.ReadDir(top)
		if err != nil {
			out = append(out, Finding{What: top, Level: Bad, Text: err.Error(), Fix: "give it back to the daemon's user"})
			continue
		}
		for _, d := range list {
			if sub, there := device(filepath.Join(top, d.Name())); there && d.IsDir() && sub != dev {
				out = append(out, Finding{What: filepath.Join(top, d.Name()), Level: Bad, Text: "it is a file system of its own: finished messages can't be moved into it", Fix: "mount the whole of " + top + " instead"})
			}
		}
	}
	return out
}

func device(path string) (uint64, bool) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0, false
	}
	return st.Dev, true
}
