// Package shared finds the published test suites and corpora that tests read at
// run time. They are not part of the repository.
package shared

import (
	"os"
	"path/filepath"
	"testing"
)

// Env names the environment variable that points at the folder.
const Env = "SLUICE_SHARED"

// Dir returns the folder of shared data joined with elem: $SLUICE_SHARED, or
// "shared" beside the module's root. It skips the test where that is absent.
func Dir(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv(Env)
	if root == "" {
		root = filepath.Join(filepath.Dir(moduleRoot(t)), "shared")
	}
	dir := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("shared test data %s is absent: set %s to the folder that holds it", filepath.Join(elem...), Env)
	}
	return dir
}

// moduleRoot walks up from the test's folder to the one with go.mod.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("shared: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("shared: no go.mod above the test's folder")
		}
		dir = up
	}
}
