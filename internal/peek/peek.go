// Package peek looks, without waiting, at what has arrived on a connection that is
// kept for later: octets that nothing asked for, taken for the answer to the next
// command, would make a refusal an acceptance one step later.
package peek

import (
	"errors"
	"net"
	"syscall"
)

// State is what has arrived.
type State uint8

// The states.
const (
	Nothing State = iota
	Data
	Closed
)

// At looks at a connection; what is there stays there. Where the connection can't
// be looked at, it says that nothing has arrived.
func At(nc net.Conn) State {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return Nothing
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return Closed
	}
	got := Nothing
	err = rc.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		case err != nil || n == 0:
			got = Closed
		default:
			got = Data
		}
		return true
	})
	if err != nil {
		return Closed
	}
	return got
}
