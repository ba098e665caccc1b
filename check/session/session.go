// Package session holds the checks of what a client says about itself before
// it sends a message: the greeting and the shape of the envelope.
package session

import (
	"net/netip"
	"strings"

	"sluice"
	"sluice/check"
)

// Config says who we are, so that a client that claims to be us is noticed.
type Config struct {
	Names []string     // our host names, as we greet with them
	Addrs []netip.Addr // our public addresses
	// Learned knows what came of a dialect and of a ClientHello before; nil: nothing.
	Learned Learned
}

// Checks returns the checks of this folder.
func Checks(c Config) []check.Checker {
	return []check.Checker{newHello(c), newBounce(), newReverse(), newHelloSPF(),
		newUnusual(), newUnusualLater(), newContradiction(c.Learned), newLearnedDialect(c.Learned), newLearnedTLS(c.Learned)}
}

// own answers whether a name or an address is ours.
type own struct {
	names map[string]bool
	addrs map[netip.Addr]bool
}

func newOwn(c Config) own {
	o := own{names: map[string]bool{}, addrs: map[netip.Addr]bool{}}
	for _, n := range c.Names {
		if n = strings.ToLower(strings.TrimSuffix(n, ".")); n != "" {
			o.names[n] = true
		}
	}
	for _, a := range c.Addrs {
		o.addrs[a.Unmap()] = true
	}
	return o
}

// local says whether the client stands inside: what it calls itself says
// nothing then.
func local(conn *sluice.Conn) bool { return conn.Trusted || conn.Auth != "" }
