package shared

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDir(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "suites", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(Env, dir)
	if got, want := Dir(t, "suites", "x"), filepath.Join(dir, "suites", "x"); got != want {
		t.Errorf("Dir = %q, want %q", got, want)
	}
	absent := false
	t.Run("absent", func(t *testing.T) {
		defer func() { absent = t.Skipped() }()
		Dir(t, "suites", "y")
	})
	if !absent {
		t.Error("Dir doesn't skip where the folder is absent")
	}
}
