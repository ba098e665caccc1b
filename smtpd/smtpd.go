// Package smtpd is the SMTP door. [Machine] is the protocol as a pure state
// machine: bytes in, reply bytes and events out, without a socket, a clock or a
// goroutine. [Server] is the thin driver around it: listeners, deadlines, TLS,
// limits, buffers, and the calls of [sluice.Session].
package smtpd

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"

	"sluice"
)

// Config is what a Server needs for its life.
type Config struct {
	Gate     sluice.Gate
	Log      *slog.Logger // nil: slog.Default
	Settings Settings
	// Budget bounds the message bytes in flight over all sessions; beyond it a
	// client gets 452 4.3.1. 0: 256 MB.
	Budget int64
	// SpoolDir holds the unlinked files of messages over 256 KB. "": os.TempDir.
	SpoolDir string
	// Door is one of the sluice.Door… names of SMTP doors. "": sluice.DoorSMTP.
	Door string
}

// Settings can be changed by [Server.Reload]; a session keeps those it began with.
type Settings struct {
	// Hostname greets the client. It must be our own name.
	Hostname string
	// TLS enables STARTTLS where it isn't nil.
	TLS *tls.Config
	// ImplicitTLS begins each connection with the handshake (RFC 8314 3.3, port
	// 465). It needs TLS.
	ImplicitTLS bool
	// Proxies says which peers speak for clients with the PROXY protocol, version 1
	// or 2. The header is never looked for from others. nil: nobody.
	Proxies func(netip.Addr) bool
	// ProxyRequired closes connections of those peers that begin without a header.
	// Otherwise such a peer is the client itself.
	ProxyRequired bool
	// Mechanisms are those of AUTH on a submission door, as advertised: "PLAIN",
	// "LOGIN", "OAUTHBEARER". nil: no AUTH.
	Mechanisms []string
	// ClearTextAuth allows AUTH without TLS: for tests on loopback.
	ClearTextAuth bool
	// Peers says which clients may speak for others with XCLIENT and XFORWARD.
	// nil: nobody.
	Peers func(netip.Addr) Peer
	// Extensions says what all routes can take; asked at each EHLO. nil: none.
	Extensions func(context.Context) sluice.Extensions
	// Trusted says whether a client's mail was accepted by a host of ours. nil: nobody.
	Trusted func(netip.Addr) bool
	// AlreadyAccepted marks a listener behind a queue.
	AlreadyAccepted bool
	// Limits and Timeouts; zero fields take the default.
	Limits   Limits
	Timeouts Timeouts
}

// Limits bound what one client may ask for. A zero field takes the default.
type Limits struct {
	Conns          int   // connections in all; 0: what the file limit allows, see Capacity
	ConnsPerClient int   // connections of one IPv4 address or IPv6 /64; 50
	CommandLine    int   // octets of a command line with CRLF; 1,024
	TextLine       int   // octets of a message line without CRLF; 0: 16,384
	Message        int64 // octets of a message; 50 MB
	Swallow        int64 // octets read and thrown away after a refusal; 64 MB
	Recipients     int   // accepted recipients of a transaction; 1,000
	Errors         int   // refused commands of a session; 20
	Refusals       int   // MAIL, RCPT and the like refused for good by the gate; 100
	Commands       int   // commands of a session; 10,000
	Transactions   int   // MAIL commands of a session; 1,000
	Slow           int   // replies sent slowly at a time; a quarter of Conns
	// LogLines is how many sessions a second without a word of SMTP get a line in
	// the log; the others are counted. 10
	LogLines int
}

// Timeouts are total: they are not extended by single octets. A zero field takes
// the default.
type Timeouts struct {
	GreetPause time.Duration // the most that the gate may listen for early talkers before 220; 6 s
	Proxy      time.Duration // for the header of the PROXY protocol; 5 s
	Refused    time.Duration // waiting for QUIT after a refusal in place of the greeting; 5 s
	Slow       time.Duration // a reply that is sent slowly; 30 s
	Idle       time.Duration // waiting for a command's first octet; 5 min (RFC 5321 4.5.3.2.7)
	Command    time.Duration // from a command's first octet to its CRLF; 30 s
	Data       time.Duration // a whole message transfer; 30 min
	DataIdle   time.Duration // waiting for the next octets of a message; 3 min
	DataGrace  time.Duration // before MinRate counts; 60 s
	MinRate    int           // octets a second that a message transfer must reach; 500
	Write      time.Duration // writing replies; 60 s
	Handshake  time.Duration // TLS; 30 s
	Session    time.Duration // a whole session, but for the reply to its last message; 2 h
}
