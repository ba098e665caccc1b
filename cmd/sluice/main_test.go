package main

import (
	"os"
	"testing"
)

// TestMain lets the tests' program look into files as the real one does: it is started
// anew for that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == inspectCommand {
		os.Exit(inspectFiles(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}
