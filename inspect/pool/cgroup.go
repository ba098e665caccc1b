package pool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sluice/inspect/sandbox"
)

// cgroup bounds the memory of one worker's processes, one after the other
// (cgroup v2). A nil one does nothing.
type cgroup struct {
	path string
	dir  *os.File
	seen int // kills for want of memory that were there when we looked last
}

// selfCgroup is the path of this process's cgroup below the root; "" where there is
// no cgroup v2.
func selfCgroup() string {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	return unified(string(b))
}

// unified finds the entry of cgroup v2 in /proc/self/cgroup (cgroups(7)).
func unified(list string) string {
	for line := range strings.Lines(list) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path
		}
	}
	return ""
}

// delegated says whether the manager of the machine has given a cgroup to us
// (systemd: Delegate= with DelegateSubgroup=, which sets this mark).
var delegated = func(path string) bool { return hasMark(path, "user.delegate") }

// newCgroup makes a cgroup beside the one that this process is in, in what was
// delegated to us. It can't be one below: a cgroup with processes has no children
// that are bounded.
func newCgroup(root, self, name string, memory int64) (*cgroup, error) {
	if self == "" || self == "/" {
		return nil, errors.New("inspect/pool: no cgroup v2 of our own")
	}
	parent := filepath.Join(root, filepath.Dir(self))
	if !delegated(parent) {
		return nil, fmt.Errorf("inspect/pool: cgroup %s is not delegated (systemd: Delegate=memory and DelegateSubgroup=)", filepath.Dir(self))
	}
	const control = "cgroup.subtree_control"
	on, err := os.ReadFile(filepath.Join(parent, control))
	if err != nil {
		return nil, fmt.Errorf("inspect/pool: %w", err)
	}
	if !slices.Contains(strings.Fields(string(on)), "memory") {
		if err := set1(parent, control, "+memory"); err != nil {
			return nil, err
		}
	}
	path := filepath.Join(parent, name)
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("inspect/pool: %w", err)
	}
	g := &cgroup{path: path}
	// A little above what the watchers allow: they say better what happened.
	if err := set1(path, "memory.max", strconv.FormatInt(memory+memory/8, 10)); err != nil {
		g.remove()
		return nil, err
	}
	_ = set1(path, "memory.swap.max", "0") // not there without swap accounting
	if g.dir, err = os.Open(path); err != nil {
		g.remove()
		return nil, fmt.Errorf("inspect/pool: %w", err)
	}
	g.seen = g.kills()
	return g, nil
}

func set1(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("inspect/pool: %w", err)
	}
	_, err = f.WriteString(value)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("inspect/pool: %s: %w", name, err)
	}
	return nil
}

// killed says whether the kernel has killed for want of memory since the last call.
func (g *cgroup) killed() bool {
	if g == nil {
		return false
	}
	n := g.kills()
	more := n > g.seen
	g.seen = n
	return more
}

func (g *cgroup) kills() int {
	b, err := os.ReadFile(filepath.Join(g.path, "memory.events"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			v, _ := strconv.Atoi(strings.TrimSpace(n))
			return v
		}
	}
	return 0
}

func (g *cgroup) remove() {
	if g == nil {
		return
	}
	if g.dir != nil {
		g.dir.Close()
		g.dir = nil
	}
	_ = os.Remove(g.path)
}

// Available says what this machine has to hold inspection processes with, for an
// examination of the set-up. It changes nothing.
func Available() []sandbox.Layer {
	l := sandbox.Layer{Name: "memory cgroup", Detail: "the gateway watches memory every " + look.String()}
	if self := selfCgroup(); self != "" && self != "/" && delegated(filepath.Join("/sys/fs/cgroup", filepath.Dir(self))) {
		l.Holds, l.Detail = true, "delegated"
	}
	return append(sandbox.Available(), l)
}
