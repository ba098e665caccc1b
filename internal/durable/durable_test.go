package durable_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"path"
	"path/filepath"
	"testing"

	"sluice/internal/durable"
)

func read(t *testing.T, fsys durable.FS, name string) (string, bool) {
	t.Helper()
	r, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := make([]byte, r.Size())
	if _, err := r.ReadAt(b, 0); err != nil && len(b) > 0 {
		t.Fatal(err)
	}
	return string(b), true
}

// Both implementations answer alike.
func TestFS(t *testing.T) {
	for name, fsys := range map[string]durable.FS{"os": durable.OS{}, "mem": durable.NewMem()} {
		t.Run(name, func(t *testing.T) {
			dir := path.Join(filepath.ToSlash(t.TempDir()), "a/b")
			if got, err := fsys.List(dir); len(got) != 0 || err != nil {
				t.Fatalf("missing folder: %v, %v", got, err)
			}
			for range 2 {
				if err := fsys.MkdirAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			for _, text := range []string{"one", "", "three"} {
				if err := durable.WriteFile(fsys, path.Join(dir, "x"), []byte(text)); err != nil {
					t.Fatal(err)
				}
				if got, ok := read(t, fsys, path.Join(dir, "x")); !ok || got != text {
					t.Errorf("read %q, %v, want %q", got, ok, text)
				}
			}
			if _, err := fsys.Create(path.Join(dir, "x")); !errors.Is(err, fs.ErrExist) {
				t.Errorf("create over a file: %v", err)
			}
			if _, err := fsys.Create(path.Join(dir, "no/x")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("create without a folder: %v", err)
			}
			if err := fsys.Rename(path.Join(dir, "no"), path.Join(dir, "y")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("rename of nothing: %v", err)
			}
			if err := fsys.Remove(path.Join(dir, "no")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("remove of nothing: %v", err)
			}
			if err := fsys.MkdirAll(path.Join(dir, "x")); err == nil {
				t.Error("folder over a file")
			}
			// A leftover of a crash is in nobody's way.
			f, err := fsys.Create(path.Join(dir, "z"+durable.TempSuffix))
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if err := durable.WriteFile(fsys, path.Join(dir, "z"), []byte("z")); err != nil {
				t.Fatal(err)
			}
			list, err := fsys.List(dir)
			if err != nil || len(list) != 2 || list[0].Name != "x" || list[0].Size != 5 || list[1].Name != "z" {
				t.Errorf("list: %+v, %v", list, err)
			}
		})
	}
}

// What WriteFile has returned for survives; before that, the old content or the
// new one is there, whole, at each point of a crash.
func TestWriteFileCrash(t *testing.T) {
	points := 0
	m := durable.NewMem()
	if err := m.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(m, "d/x", []byte("old")); err != nil {
		t.Fatal(err)
	}
	check := func(want ...string) {
		for seed := range uint64(50) {
			var rnd *rand.Rand
			if seed > 0 {
				rnd = rand.New(rand.NewPCG(seed, 0))
			}
			got, ok := read(t, m.Crash(rnd), "d/x")
			if good := got == want[0] || got == want[len(want)-1]; !ok || !good {
				t.Fatalf("point %d, seed %d: %q, %v, want one of %q", points, seed, got, ok, want)
			}
		}
	}
	m.Before = func(durable.Op) error { points++; check("old", "new and longer"); return nil }
	if err := durable.WriteFile(m, "d/x", []byte("new and longer")); err != nil {
		t.Fatal(err)
	}
	check("new and longer")
	if points < 5 {
		t.Errorf("only %d points seen", points)
	}
}

// The double is able to lose: without syncs nothing is left.
func TestMemForgets(t *testing.T) {
	m := durable.NewMem()
	if err := m.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	f, err := m.Create("d/x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if _, ok := read(t, m.Crash(nil), "d/x"); ok {
		t.Error("an unsynced entry survived")
	}
	if err := m.SyncDir("d"); err != nil {
		t.Fatal(err)
	}
	if got, ok := read(t, m.Crash(nil), "d/x"); !ok || got != "" {
		t.Errorf("unsynced data survived: %q, %v", got, ok)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, m.Crash(nil), "d/x"); got != "text" {
		t.Errorf("synced data lost: %q", got)
	}
	if err := m.Rename("d/x", "d/y"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for seed := range uint64(20) {
		c := m.Crash(rand.New(rand.NewPCG(seed, 1)))
		_, x := read(t, c, "d/x")
		_, y := read(t, c, "d/y")
		if x == y {
			t.Fatal("a rename inside a folder is not atomic")
		}
		seen[map[bool]string{true: "x", false: "y"}[x]] = true
	}
	if len(seen) != 2 {
		t.Error("chance does not decide about a rename")
	}
}

// A disk that fails at any operation gives an error and leaves the old file.
func TestWriteFileFails(t *testing.T) {
	full := errors.New("no space left")
	for at := 1; ; at++ {
		m := durable.NewMem()
		if err := m.MkdirAll("d"); err != nil {
			t.Fatal(err)
		}
		if err := durable.WriteFile(m, "d/x", []byte("old")); err != nil {
			t.Fatal(err)
		}
		n := 0
		m.Before = func(durable.Op) error {
			if n++; n == at {
				return full
			}
			return nil
		}
		err := durable.WriteFile(m, "d/x", []byte("new"))
		if n < at {
			if at < 5 || err != nil {
				t.Errorf("ended at %d: %v", at, err)
			}
			return
		}
		if !errors.Is(err, full) {
			t.Errorf("failure %d: %v", at, err)
		}
		if got, ok := read(t, m.Crash(nil), "d/x"); !ok || got != "old" {
			t.Errorf("failure %d: %q, %v", at, got, ok)
		}
	}
}
