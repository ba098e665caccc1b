package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"sluice/config"
)

// listener looks at one [[listen]] address.
func (x *examiner) listener(l config.Listener) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		if strings.HasPrefix(l.Address, "/") {
			return ok("a socket of this machine, for " + l.Kind)
		}
		_, service, err := net.SplitHostPort(l.Address)
		if err != nil {
			return one(Bad, err.Error(), "want ADDRESS:PORT")
		}
		port, err := (&net.Resolver{}).LookupPort(ctx, "tcp", service)
		switch {
		case err != nil:
			return one(Bad, err.Error(), "name a port by its number")
		case l.Kind == "lmtp" && port == 25:
			return one(Bad, "LMTP must not run on port 25 (RFC 2033 5)", "choose another port, such as 24")
		}
		return x.address(ctx, l.Address, port, l.Kind, func() Finding { return x.greeting(ctx, l) })
	}
}

// address says whether we can listen on an address; who is there already is asked
// who it is.
func (x *examiner) address(ctx context.Context, address string, port int, what string, inUse func() Finding) []Finding {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = ln.Close()
		text := "free, for " + what
		if port > 0 && port < 1024 && x.m.user == 0 {
			text += "; tried as root: the daemon's user needs CAP_NET_BIND_SERVICE"
		}
		return ok(text)
	case errors.Is(err, syscall.EADDRINUSE):
		return []Finding{inUse()}
	case errors.Is(err, syscall.EACCES):
		return one(Bad, "no right to listen on a port below 1024", "give the binary CAP_NET_BIND_SERVICE (AmbientCapabilities= in its unit), or use a port above 1023")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return one(Bad, "this machine has no such address", "correct the address; 0.0.0.0 or [::] stands for all")
	}
	return one(Bad, err.Error(), "correct the address")
}

// greeting tells our own daemon from another mail server.
func (x *examiner) greeting(ctx context.Context, l config.Listener) Finding {
	taken := Finding{Level: Bad, Text: "taken by another program", Fix: "stop it (ss -ltnp shows which), or choose another address"}
	if !x.running() {
		return taken
	}
	if l.TLS == "implicit" || l.Proxy {
		return Finding{Level: OK, Text: "in use, and a daemon is running; for " + l.Kind}
	}
	nc, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", reachable(l.Address))
	if err != nil {
		return taken
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(2 * time.Second))
	line, err := bufio.NewReader(io.LimitReader(nc, 512)).ReadString('\n')
	_, _ = io.WriteString(nc, "QUIT\r\n") // whatever it is
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		// We may be a stranger to it, who has to wait (connect.greet_pause).
		return Finding{Level: OK, Text: "in use, and a daemon is running, which pauses before it greets; for " + l.Kind}
	case err != nil:
		return Finding{Level: Warn, Text: "in use, and whoever is there doesn't greet", Fix: "look who it is: ss -ltnp"}
	case !strings.Contains(strings.ToLower(line), x.cfg.Hostname):
		taken.Text += fmt.Sprintf(", which says %q", strings.TrimSpace(line))
		return taken
	}
	return Finding{Level: OK, Text: "served by a running daemon, for " + l.Kind}
}

// reachable is where to connect to for a listener on all addresses.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if a, aerr := netip.ParseAddr(host); err == nil && (host == "" || aerr == nil && a.IsUnspecified()) {
		if a.Is6() {
			return net.JoinHostPort("::1", port)
		}
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// web looks at the address of pages.
func (x *examiner) web(address, what string) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		_, service, err := net.SplitHostPort(address)
		if err != nil {
			return one(Bad, err.Error(), "want ADDRESS:PORT")
		}
		port, err := (&net.Resolver{}).LookupPort(ctx, "tcp", service)
		if err != nil {
			return one(Bad, err.Error(), "name a port by its number")
		}
		return x.address(ctx, address, port, what, func() Finding {
			if x.running() {
				return Finding{Level: OK, Text: "in use, and a daemon is running; for " + what}
			}
			return Finding{Level: Bad, Text: "taken by another program", Fix: "stop it (ss -ltnp shows which), or choose another address"}
		})
	}
}

// console says who can reach the admin's pages, and how.
func (x *examiner) console(context.Context) []Finding {
	c := x.cfg.Console
	u, _ := url.Parse(c.URL) // the zero URL where it is none
	https := u != nil && u.Scheme == "https"
	host, _, err := net.SplitHostPort(c.Address)
	a, aerr := netip.ParseAddr(host)
	local := err == nil && (host == "localhost" || aerr == nil && a.IsLoopback())
	switch {
	case local && c.URL == "":
		return ok("reachable from this machine only")
	case local && https:
		return ok("reachable from this machine, and over https by a web server in front")
	case local:
		return one(Bad, "people reach it at "+c.URL+": passwords cross the network in clear text", "let the web server in front speak https")
	case https:
		return one(Warn, "people use https, but "+c.Address+" itself answers everybody in clear text", "listen on 127.0.0.1 or on a network that only the web server in front reaches")
	}
	return one(Bad, "it answers on "+c.Address+" without https: passwords cross the network in clear text", `listen on 127.0.0.1, with a web server that speaks https in front and url = "https://…"`)
}
