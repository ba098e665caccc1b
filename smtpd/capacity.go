package smtpd

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// ownFiles are descriptors for what isn't a client: listeners, the store, the
	// console, name servers, the log.
	ownFiles = 256
	// hopFiles are for connections to next hops and the files of big messages.
	hopFiles = 2048
	// mostTurnedAway are clients that are refused at once and may still say QUIT.
	mostTurnedAway = 1024
	// mostConns bounds what a high file limit alone allows: about half a gigabyte
	// of memory when all are idle.
	mostConns = 100_000
)

// RaiseFileLimit raises the process's soft limit of open files to the hard one.
// Call it once at the start, before [Capacity].
func RaiseFileLimit() error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("smtpd: limit of open files: %w", err)
	}
	if lim.Cur >= lim.Max {
		return nil
	}
	lim.Cur = lim.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("smtpd: limit of open files: %w", err)
	}
	return nil
}

// Capacity says how many clients fit into the limit of open files beside what else
// the process opens.
func Capacity() int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 512
	}
	return capacity(lim.Cur)
}

func capacity(files uint64) int {
	n := int(min(files, 4*mostConns))
	n -= min(ownFiles, n/4) + min(hopFiles, n/4)
	return max(min(n-turnedAway(n), mostConns), 1)
}

// turnedAway is how many clients may be on their way out beside conns others.
func turnedAway(conns int) int { return max(min(conns/8, mostTurnedAway), 1) }
