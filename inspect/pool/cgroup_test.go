package pool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCgroup works on a folder that looks like cgroup v2: the kernel's is not there
// for tests on every machine.
func TestCgroup(t *testing.T) {
	root := t.TempDir()
	unit := filepath.Join(root, "system.slice/sluice.service")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(unit, "cgroup.subtree_control"), "pids\n")
	group := filepath.Join(unit, "g")
	write(filepath.Join(group, "memory.max"), "max\n")
	write(filepath.Join(group, "memory.events"), "low 0\noom 1\noom_kill 1\n")
	self := unified("4:memory:/elsewhere\n0::/system.slice/sluice.service/main\n")
	if self != "/system.slice/sluice.service/main" {
		t.Fatalf("self %q", self)
	}

	was := delegated
	defer func() { delegated = was }()
	delegated = func(path string) bool { return path == unit }
	g, err := newCgroup(root, self, "g", 800)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(unit, "cgroup.subtree_control"): "+memory", filepath.Join(group, "memory.max"): "900"} {
		if b, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	if g.killed() {
		t.Error("an old kill counts")
	}
	write(filepath.Join(group, "memory.events"), "oom_kill 2\n")
	if !g.killed() || g.killed() {
		t.Error("a kill counts once")
	}
	g.remove()

	for name, self := range map[string]string{"not delegated": "/user.slice/a/b", "v1": "", "the root": "/"} {
		if _, err := newCgroup(root, self, "g", 800); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	var none *cgroup
	none.remove()
	if none.killed() {
		t.Error("none has killed")
	}
}
