package main

import (
	"time"

	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/evaluate"
)

type evalCmd struct{ evaluate.Command }

// Run tries a filter on labelled mail.
func (c *evalCmd) Run(a *app) error {
	return c.Evaluate(a.ctx, evaluate.Env{Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr, CPU: cpuTime})
}

// cpuTime is how much processor time the process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
