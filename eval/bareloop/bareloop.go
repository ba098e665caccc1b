// Package bareloop is the measure for what a refused client costs: a server that
// accepts, writes, reads, writes and closes, in plain Go with one goroutine a
// connection and nothing else. Benchmarks run it beside the real door in the same
// run and state the ratio, since times alone differ from machine to machine.
package bareloop

import (
	"errors"
	"net"
)

var (
	greeting = []byte("220 mx.example ESMTP\r\n")
	goodbye  = []byte("221 2.0.0 Bye\r\n")
)

// Serve accepts on l until it is closed; that is no error. Connections that are
// open then end by themselves.
func Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		go visit(c)
	}
}

func visit(c net.Conn) {
	defer c.Close()
	if _, err := c.Write(greeting); err != nil {
		return
	}
	var b [128]byte
	if _, err := c.Read(b[:]); err != nil {
		return
	}
	_, _ = c.Write(goodbye)
}
