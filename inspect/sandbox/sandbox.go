// Package sandbox takes from a process what it doesn't need before it reads hostile
// bytes: files, network, programs, new processes, privileges. It is Linux'
// no_new_privs, capabilities, rlimits, Landlock and seccomp, each where the kernel
// has it; [Available] says which it has, [Enter] which hold now.
//
// There are three profiles. Decoders may use its open pipes, memory and threads of its
// own, and nothing else. Tools is a process that runs the programs it is given, for
// tesseract and yara; it may read their libraries and data. Tool is what it starts: it
// is about to become one of those programs, which may run nothing else, start no
// process, and send no signal to any other.
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
	Tool
)

// Config sets up a sandbox.
type Config struct {
	Profile Profile
	// CPU is the processor time after which the kernel ends the process; 0: no end.
	CPU time.Duration
	// Programs are the absolute paths that Tools and Tool may run. Their loader is added.
	Programs []string
	// Read are files and folders that they may read beside the system's libraries.
	Read []string
	// Files is how many files stay open behind the three standard ones.
	Files int
	// Memory bounds the address space of Tool, in bytes; 0: no bound. The Go runtime
	// needs more than most programs: what comes next must be the program.
	Memory int64
	// Write is how large a file may become that Tools writes to, in bytes. There is none
	// but memory of its own (memfd_create(2)).
	Write int64
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

// StrictTools says whether programs may be run on hostile bytes behind layers: their
// system calls are too many for a list, so that Landlock alone keeps files from them.
func StrictTools(layers []Layer) bool {
	for _, l := range layers {
		if l.Name == LayerLandlock && !l.Holds {
			return false
		}
	}
	return Strict(layers)
}

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
