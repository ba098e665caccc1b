package dnstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	wire "github.com/miekg/dns"

	"sluice/dns"
)

// Server is a name server on the loopback interface, over UDP and TCP, that
// answers from a zone. A fault TIMEOUT is a question never answered.
type Server struct {
	reply    Handler
	addr     netip.AddrPort
	udp, tcp *wire.Server
	done     sync.WaitGroup

	mu    sync.Mutex
	asked map[Question]int
}

// Question is one question that a server was asked.
type Question struct {
	Name string // normalized
	Type dns.Type
	Net  string // "udp" or "tcp"
}

// Handler gives the messages, as they go on the wire, that a server sends in
// return for a question; none is silence. It is how a test lies, stutters and
// sends garbage. The network is "udp" or "tcp".
type Handler func(q *wire.Msg, network string) [][]byte

// Serve starts a server on a free port that answers from a zone. Close it.
func Serve(z *Zone) (*Server, error) { return ServeFunc(z.Reply) }

// ServeFunc starts a server on a free port that answers as a function does. Close
// it; questions under way are waited for.
func ServeFunc(h Handler) (*Server, error) {
	// UDP and TCP on one port: another process may hold a port's TCP half, so
	// the kernel's choice is tried a few times.
	var err error
	for range 10 {
		var s *Server
		if s, err = listen(h); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("dnstest: %w", err)
}

func listen(h Handler) (*Server, error) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	s := &Server{reply: h, addr: tcp.Addr().(*net.TCPAddr).AddrPort(), asked: map[Question]int{}}
	s.udp, s.tcp = s.start(&wire.Server{PacketConn: udp}, "udp"), s.start(&wire.Server{Listener: tcp}, "tcp")
	return s, nil
}

func (s *Server) start(w *wire.Server, network string) *wire.Server {
	w.Handler = wire.HandlerFunc(func(rw wire.ResponseWriter, q *wire.Msg) { s.serve(rw, q, network) })
	ready := make(chan struct{})
	w.NotifyStartedFunc = func() { close(ready) }
	s.done.Go(func() { _ = w.ActivateAndServe() }) // ends by Close only: the sockets are open
	<-ready
	return w
}

// Addr is where the server listens, for UDP and TCP.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Asked says how often each question came.
func (s *Server) Asked() map[Question]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[Question]int, len(s.asked))
	for q, n := range s.asked {
		out[q] = n
	}
	return out
}

// Close stops the server and waits for its goroutines.
func (s *Server) Close() error {
	err := errors.Join(s.udp.ShutdownContext(context.Background()), s.tcp.ShutdownContext(context.Background()))
	s.done.Wait()
	return err
}

func (s *Server) serve(w wire.ResponseWriter, q *wire.Msg, network string) {
	if len(q.Question) == 1 {
		if name, err := asked(q.Question[0]); err == nil {
			s.mu.Lock()
			s.asked[Question{name, dns.Type(q.Question[0].Qtype), network}]++
			s.mu.Unlock()
		}
	}
	for _, b := range s.reply(q, network) {
		_, _ = w.Write(b) // a client that has gone away is the client's business
	}
}

// asked is a question's name in the form in which it is looked up.
func asked(q wire.Question) (string, error) {
	return dns.Normalize(dns.FromWire(&wire.ANY{Hdr: wire.RR_Header{Name: q.Name}}).Name)
}

// Reply is a [Handler] that answers from the zone as a recursive server does, and
// says nothing where the zone has TIMEOUT.
func (z *Zone) Reply(q *wire.Msg, network string) [][]byte {
	m := new(wire.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	if len(q.Question) != 1 || q.Opcode != wire.OpcodeQuery || q.Question[0].Qclass != wire.ClassINET {
		m.Rcode = wire.RcodeNotImplemented
	} else if !z.fill(m, q.Question[0]) {
		return nil
	}
	size := wire.MaxMsgSize
	if network == "udp" {
		size = wire.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = max(size, int(o.UDPSize()))
		}
	}
	m.Truncate(size)
	b, err := m.Pack()
	if err != nil { // a zone's record that can't be sent
		b, _ = new(wire.Msg).SetRcode(q, wire.RcodeServerFailure).Pack()
	}
	return [][]byte{b}
}

// fill puts the answer into m; false means: say nothing.
func (z *Zone) fill(m *wire.Msg, q wire.Question) bool {
	name, err := asked(q)
	if err != nil {
		m.Rcode = wire.RcodeNameError
		return true
	}
	t := dns.Type(q.Qtype)
	chain, kind := z.answer(name, t)
	owner := q.Name
	for _, rr := range chain {
		rr = wire.Copy(rr)
		rr.Header().Name = owner // as asked, case and all; a wildcard's too
		if c, ok := rr.(*wire.CNAME); ok && t != dns.CNAME {
			owner = c.Target
		}
		m.Answer = append(m.Answer, rr)
	}
	switch kind {
	case nil:
		return true
	case dns.ErrTimeout:
		return false
	case dns.ErrServFail:
		m.Rcode, m.Answer = wire.RcodeServerFailure, nil
		return true
	case dns.ErrNXDomain:
		m.Rcode = wire.RcodeNameError
	}
	// A denial's time is its zone's to say (RFC 2308 3). This server is the root's.
	m.Ns = []wire.RR{&wire.SOA{Hdr: wire.RR_Header{Name: ".", Rrtype: wire.TypeSOA, Class: wire.ClassINET, Ttl: denialTTL},
		Ns: ".", Mbox: ".", Minttl: denialTTL}}
	return true
}
