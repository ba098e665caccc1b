// Package sandbox takes from a process what it doesn't need before it reads hostile
// bytes: files, network, programs, new processes, privileges. It is Linux'
// no_new_privs, capabilities, rlimits, Landlock and seccomp, each where the kernel
// has it; [Available] says which it has, [Enter] which hold now.
//
// There are two profiles. Decoders may use its open pipes, memory and threads of its
// own, and nothing else. Tools may besides run the programs that it is given, which
// may read their libraries and data; for tesseract and yara.
//
// What is left out, and why. RLIMIT_AS breaks Go, which reserves address space it
// doesn't use: [Watch] looks at resident memory instead, beside the parent and a
// cgroup. RLIMIT_NPROC counts all threads of the user, the gateway's too, and a Go
// process that may not start a thread dies: seccomp refuses new processes, and lets
// threads be.
package sandbox

import (
	"fmt"
	"time"
)

// Profile is what a process is for.
type Profile uint8

// The profiles.
const (
	Decoders Profile = iota
	Tools
)

// Config sets up a sandbox.
type Config struct {
	Profile Profile
	// CPU is the processor time after which the kernel ends the process; 0: no end.
	CPU time.Duration
	// Programs are the absolute paths that Tools may run. Their loader is added.
	Programs []string
	// Read are files and folders that Tools may read beside the system's libraries.
	Read []string
}

// Layer is one part of the sandbox.
type Layer struct {
	Name   string // "landlock"
	Holds  bool
	Detail string // how far, or why not
}

// String is a line for the operator: "seccomp: holds (…)".
func (l Layer) String() string {
	state := "holds"
	if !l.Holds {
		state = "does not hold"
	}
	if l.Detail == "" {
		return l.Name + ": " + state
	}
	return fmt.Sprintf("%s: %s (%s)", l.Name, state, l.Detail)
}

// The layers' names.
const (
	LayerPrivileges = "no new privileges"
	LayerLimits     = "rlimits"
	LayerLandlock   = "landlock"
	LayerSeccomp    = "seccomp"
)

// Strict says whether hostile decoders may run behind layers: seccomp or Landlock
// keeps files and programs away, and nothing can be gained by running a program.
func Strict(layers []Layer) bool {
	var privileges, kept bool
	for _, l := range layers {
		switch l.Name {
		case LayerPrivileges:
			privileges = l.Holds
		case LayerLandlock, LayerSeccomp:
			kept = kept || l.Holds
		}
	}
	return privileges && kept
}
