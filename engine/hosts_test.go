package engine_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/engine"
)

// echo answers each line with its name and the number of the connection.
type echo struct {
	name  string
	l     net.Listener
	mu    sync.Mutex
	conns []net.Conn
	done  sync.WaitGroup
}

func newEcho(t *testing.T, name string, l net.Listener) *echo {
	t.Helper()
	e := &echo{name: name, l: l}
	e.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns = append(e.conns, c)
			n := len(e.conns)
			e.mu.Unlock()
			e.done.Go(func() {
				defer func() { _ = c.Close() }()
				r := bufio.NewReader(c)
				for {
					if _, err := r.ReadString('\n'); err != nil {
						return
					}
					_, _ = fmt.Fprintf(c, "%s%d\n", name, n)
				}
			})
		}
	})
	t.Cleanup(e.stop)
	return e
}

func (e *echo) stop() {
	_ = e.l.Close()
	e.hangUp()
	e.done.Wait()
}

// hangUp closes all connections.
func (e *echo) hangUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.conns {
		_ = c.Close()
	}
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ask sends a line and returns who answered.
func ask(h *engine.Hosts) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer := ""
	err := h.Do(ctx, func(c *engine.Conn) error {
		s, err := line(c)
		answer, c.Keep = s, err == nil
		c.Count++
		return err
	})
	return answer, err
}

func line(c net.Conn) (string, error) {
	if _, err := io.WriteString(c, "x\n"); err != nil {
		return "", fmt.Errorf("%w: %w", engine.ErrLost, err)
	}
	b := make([]byte, 20)
	n, err := c.Read(b)
	if err != nil {
		return "", fmt.Errorf("%w: %w", engine.ErrLost, err)
	}
	return strings.TrimSpace(string(b[:n])), nil
}

func hosts(t *testing.T, c engine.HostsConfig) *engine.Hosts {
	t.Helper()
	h, err := engine.NewHosts(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func TestHosts(t *testing.T) {
	defer goleak.VerifyNone(t)
	clock := time.Unix(1_000_000, 0)
	path := filepath.Join(t.TempDir(), "s")
	a := newEcho(t, "a", listen(t, "unix", path))
	h := hosts(t, engine.HostsConfig{Addresses: []string{"unix:" + path}, Now: func() time.Time { return clock }})
	expect := func(what, want string) {
		t.Helper()
		if got, err := ask(h); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", what, got, err, want)
		}
	}
	expect("first", "a1")
	expect("again", "a1")
	clock = clock.Add(21 * time.Second)
	expect("idle for too long", "a2")
	a.hangUp()
	expect("hung up", "a3")
	// What a function doesn't keep is closed.
	ctx := context.Background()
	if err := h.Do(ctx, func(*engine.Conn) error { return nil }); err != nil {
		t.Error(err)
	}
	expect("not kept", "a4")
	if err := h.Do(ctx, func(*engine.Conn) error { return errIll }); !errors.Is(err, errIll) {
		t.Errorf("%v", err)
	}
	_ = h.Close()
	a.stop()
	if got, err := ask(h); err == nil {
		t.Errorf("nobody is there, and %q answers", got)
	}
}

func TestHostsTakeTurns(t *testing.T) {
	clock := time.Unix(1_000_000, 0)
	la := listen(t, "tcp", "127.0.0.1:0")
	lb := listen(t, "tcp", "127.0.0.1:0")
	a, _ := newEcho(t, "a", la), newEcho(t, "b", lb)
	h := hosts(t, engine.HostsConfig{Addresses: []string{la.Addr().String(), "tcp:" + lb.Addr().String()}, Now: func() time.Time { return clock }})
	count := func(n int) (as, bs int) {
		t.Helper()
		for range n {
			got, err := ask(h)
			if err != nil {
				t.Fatal(err)
			}
			as += strings.Count(got, "a")
			bs += strings.Count(got, "b")
		}
		return as, bs
	}
	if as, bs := count(10); as != 5 || bs != 5 {
		t.Errorf("%d and %d", as, bs)
	}
	a.stop()
	if as, bs := count(10); as != 0 || bs != 10 {
		t.Errorf("one is gone: %d and %d", as, bs)
	}
	newEcho(t, "a", listen(t, "tcp", la.Addr().String()))
	if as, _ := count(4); as != 0 {
		t.Errorf("asked %d times while it is taken for ill", as)
	}
	clock = clock.Add(time.Minute)
	if as, bs := count(10); as != 5 || bs != 5 {
		t.Errorf("it is back: %d and %d", as, bs)
	}
	each := h.Each(context.Background(), func(c *engine.Conn) error { _, err := line(c); return err })
	for host, err := range each {
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if len(each) != h.Len() {
		t.Errorf("%d hosts", len(each))
	}
}

// TestHostsStop ends what waits when its context does.
func TestHostsStop(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0") // takes connections and never answers
	defer func() { _ = l.Close() }()
	h := hosts(t, engine.HostsConfig{Addresses: []string{l.Addr().String()}})
	for name, c := range map[string]struct {
		with func() (context.Context, context.CancelFunc)
	}{
		"deadline": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 50*time.Millisecond)
		}},
		"cancel": {func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		}},
	} {
		ctx, cancel := c.with()
		start := time.Now()
		err := h.Do(ctx, func(c *engine.Conn) error { _, err := line(c); return err })
		if err == nil || time.Since(start) > 3*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(start))
		}
		cancel()
	}
}

func TestHostsTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, "tcp", "127.0.0.1:0")
	newEcho(t, "t", tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}))
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	h := hosts(t, engine.HostsConfig{Addresses: []string{l.Addr().String()}, TLS: &tls.Config{RootCAs: roots}})
	for range 2 {
		if got, err := ask(h); got != "t1" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	h = hosts(t, engine.HostsConfig{Addresses: []string{l.Addr().String()}, TLS: &tls.Config{}})
	if got, err := ask(h); err == nil {
		t.Errorf("%q from a host that nobody vouches for", got)
	}
}

func TestAddresses(t *testing.T) {
	for _, bad := range []string{"", "unix:s", "host", "tcp:host", ":3310", "host:", "unix:"} {
		if _, err := engine.NewHosts(engine.HostsConfig{Addresses: []string{bad}}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := engine.NewHosts(engine.HostsConfig{}); err == nil {
		t.Error("no address was taken")
	}
	for _, good := range []string{"/run/s", "unix:/run/s", "host:3310", "tcp:host:3310", "[::1]:3310"} {
		if _, err := engine.NewHosts(engine.HostsConfig{Addresses: []string{good}}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}
