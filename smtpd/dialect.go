package smtpd

import (
	"crypto/tls"
	"net"
	"time"

	"sluice"
	"sluice/learn/dialect"
)

// The hooks through which a session's dialect is collected. Each is called at one
// place of the machine or its driver and costs no memory.

// Dialect is how the client has spoken so far. The command that an event stands
// for is part of it. How a host of ours speaks says nothing of those for whom it
// speaks: then it is zero.
func (m *Machine) Dialect() sluice.Dialect {
	if m.hop != nil {
		return sluice.Dialect{}
	}
	return m.trace.Value()
}

// Waited says how long after our last reply the next octets came.
func (m *Machine) Waited(d time.Duration) { m.trace.Waited(d) }

// traceSync notes whether the client spoke where it had to wait.
func (m *Machine) traceSync(at syncPoint, early []byte) {
	switch {
	case len(early) == 0:
	case at == syncGreeting:
		m.trace.Early()
	default:
		m.trace.Hasty()
	}
}

// traceEnd notes how the connection ended and returns the whole dialect.
func (m *Machine) traceEnd(ended string) sluice.Dialect {
	m.trace.End(ended)
	return m.Dialect()
}

// hearing is a connection on which a ClientHello is about to come.
type hearing struct {
	net.Conn
	fingerprint string
}

// listening returns a configuration that notes the fingerprint of the ClientHello
// where the connection is a hearing. The rest is as in cfg; nil stays nil.
func listening(cfg *tls.Config) *tls.Config {
	if cfg == nil {
		return nil
	}
	choose := cfg.GetConfigForClient
	cfg = cfg.Clone()
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if h, ok := hello.Conn.(*hearing); ok && !hello.HelloRetryRequest {
			h.fingerprint = dialect.TLSFingerprint(hello)
		}
		if choose == nil {
			return nil, nil
		}
		return choose(hello)
	}
	return cfg
}
