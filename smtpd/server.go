package smtpd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice"
	"sluice/internal/spool"
)

// Server accepts connections and runs a session for each, in a goroutine of its
// own.
type Server struct {
	gate  sluice.Gate
	log   *slog.Logger
	door  string
	spool *spool.Pool
	set   atomic.Pointer[settings]
	bufs  sync.Pool // of *[]byte, readSize long

	base    context.Context // ends when Shutdown's patience does
	cancel  context.CancelFunc
	closing atomic.Bool
	open    atomic.Int64 // sessions now
	// relieved is when idle sessions were last told of stress, in Unix ns.
	relieved atomic.Int64
	stats    counters
	brief    logCap // for lines about sessions without a word of SMTP
	slow     tarpit
	lot      lot

	mu        sync.Mutex // guards what follows; nothing is called under it
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	clients   map[netip.Addr]int    // sessions by clientKey
	leaving   map[net.Conn]struct{} // turned away and may still say QUIT
	nameless  map[net.Conn]struct{} // a proxy's, before their header
	waiters   waiters
	done      sync.WaitGroup
}

// readSize is the size of the pooled read buffers.
const readSize = 32 << 10

type counters struct {
	accepted, refused, turnedAway, gaveWay, slowed, unlogged, messages, panics atomic.Uint64
}

// Stats counts since the start, but for Open and InFlight, which are now.
type Stats struct {
	Accepted uint64 // connections that got a session
	Refused  uint64 // connections over a limit, or without the header they owe
	// TurnedAway are connections that the gate refused before a session.
	TurnedAway uint64
	GaveWay    uint64 // idle sessions ended for a known client
	Slowed     uint64 // replies sent slowly
	Unlogged   uint64 // sessions without a word of SMTP that the log doesn't show
	Messages   uint64 // messages answered 2xx
	Panics     uint64
	Open       int64 // sessions
	Slow       int64 // replies being sent slowly
	InFlight   int64 // octets of messages
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	return Stats{
		Accepted:   s.stats.accepted.Load(),
		Refused:    s.stats.refused.Load(),
		TurnedAway: s.stats.turnedAway.Load(),
		GaveWay:    s.stats.gaveWay.Load(),
		Slowed:     s.stats.slowed.Load(),
		Unlogged:   s.stats.unlogged.Load(),
		Messages:   s.stats.messages.Load(),
		Panics:     s.stats.panics.Load(),
		Open:       s.open.Load(),
		Slow:       s.slow.count.Load(),
		InFlight:   s.spool.Used(),
	}
}

// New makes a server.
func New(cfg Config) *Server {
	s := &Server{
		gate:      cfg.Gate,
		log:       cmp.Or(cfg.Log, slog.Default()),
		door:      cmp.Or(cfg.Door, sluice.DoorSMTP),
		spool:     spool.New(spool.Config{Dir: cfg.SpoolDir, Budget: cfg.Budget}),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
		clients:   make(map[netip.Addr]int),
		leaving:   make(map[net.Conn]struct{}),
		nameless:  make(map[net.Conn]struct{}),
	}
	s.waiters.sweep = s.sweep
	s.bufs.New = func() any { b := make([]byte, readSize); return &b }
	s.base, s.cancel = context.WithCancel(context.Background())
	s.set.Store(newSettings(cfg.Settings, s.door))
	return s
}

// Reload changes the settings for new sessions and drops none.
func (s *Server) Reload(set Settings) { s.set.Store(newSettings(set, s.door)) }

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("smtpd: server closed")

// Serve accepts on l until Shutdown, then returns [ErrServerClosed]. It may run
// for several listeners. It closes l.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()

	var backOff time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			if backOff > 0 {
				s.log.Info("smtp: accepting again", "listener", l.Addr().String())
				backOff = 0
			}
			s.arrived(nc)
		case s.closing.Load():
			return ErrServerClosed
		case passing(err):
			// Out of descriptors or memory: wait for sessions to end. The
			// kernel's queue holds what comes in meanwhile.
			if backOff == 0 {
				s.log.Error("smtp: cannot accept connections for now, waiting", "listener", l.Addr().String(), "err", err, "open", s.open.Load())
			}
			backOff = min(max(2*backOff, 10*time.Millisecond), time.Second)
			select {
			case <-time.After(backOff):
			case <-s.base.Done():
				return ErrServerClosed
			}
		default:
			return fmt.Errorf("smtpd: accept: %w", err)
		}
	}
}

// passing says whether accept may work again later.
func passing(err error) bool {
	for _, e := range [...]syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO, syscall.ENETDOWN,
		syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENONET,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// relieve makes idle sessions look at their deadlines, which are shorter now that
// the server is under stress.
func (s *Server) relieve() {
	const pause = 5 * time.Second
	now := time.Now().UnixNano()
	last := s.relieved.Load()
	if now-last < int64(pause) || !s.relieved.CompareAndSwap(last, now) {
		return
	}
	for _, c := range s.sessions() {
		c.wake()
	}
	s.slow.release()
}

func (s *Server) sessions() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	return open
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if n := s.clients[c.key]; n > 1 {
		s.clients[c.key] = n - 1
	} else {
		delete(s.clients, c.key)
	}
	s.waiters.remove(c)
	s.mu.Unlock()
	s.open.Add(-1)
	s.done.Done()
}

// clientKey is what counts as one client: an IPv4 address, an IPv6 /64.
func clientKey(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// stressed says whether three quarters of the connections are in use. Then limits
// and times shrink.
func (s *Server) stressed(set *settings) bool {
	return s.open.Load() >= max(1, int64(set.Limits.Conns)*3/4)
}

// Shutdown stops accepting, sends 421 to idle sessions and lets running
// transactions end. When ctx is done it cuts what is left and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	for l := range s.listeners {
		l.Close()
	}
	for _, strangers := range []map[net.Conn]struct{}{s.leaving, s.nameless} {
		for nc := range strangers {
			_ = nc.SetReadDeadline(longAgo) // they see closing
		}
	}
	s.mu.Unlock()
	open := s.sessions()
	for _, c := range open {
		c.wake()
	}
	s.slow.release()

	ended := make(chan struct{})
	go func() {
		s.done.Wait()
		close(ended)
	}()
	defer s.cancel()
	select {
	case <-ended:
		s.lot.close()
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	for _, c := range open {
		c.cut()
	}
	// A gate that doesn't heed its context must not hold the process.
	select {
	case <-ended:
		s.lot.close()
	case <-time.After(5 * time.Second):
		s.log.Error("smtp: sessions did not end", "open", s.open.Load())
	}
	return ctx.Err()
}
