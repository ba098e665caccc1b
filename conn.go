package sluice

import (
	"net/netip"
	"time"
)

// Conn is what is known of one client connection. A door fills it; checks read
// it and never write.
type Conn struct {
	ID     string         // random, unique, safe in logs and headers
	Client netip.AddrPort // who connects; behind a trusted hop, the first untrusted one
	Via    netip.AddrPort `json:",omitzero"` // the hop of ours that spoke for the client (PROXY, XCLIENT, XFORWARD); zero: none
	Local  netip.AddrPort // our side
	Start  time.Time
	Door   string // "smtp", "submission", "lmtp", "scan", …: the door the message came in by
	Hello  Hello
	TLS    *TLSInfo // nil in clear text
	Auth   string   // authenticated account, "" for none
	// Dialect is how the client has spoken so far; package learn/dialect reads it.
	Dialect Dialect `json:",omitzero"`

	// Trusted clients (config) may send as they like: their mail is judged, but
	// rejections become quarantine, since they accepted it already.
	Trusted bool
	// AlreadyAccepted marks listeners behind a queue: there a 5xx would make
	// backscatter, so reject and defer become quarantine.
	AlreadyAccepted bool
	// Stored marks a message read from disk, without a live client.
	Stored bool
}

// Hello is the client's greeting as sent.
type Hello struct {
	Verb string // "EHLO" or "HELO", upper case; "" before the greeting
	Name string // the argument as written, never trusted, never echoed raw
}

// TLSInfo says what the handshake agreed on.
type TLSInfo struct {
	Version    string // "TLS1.3"
	Cipher     string // IANA name
	ServerName string // SNI
	// Fingerprint names the client's TLS library by its ClientHello; "" where it
	// wasn't seen.
	Fingerprint string `json:",omitzero"`
}

// Dialect is how a client speaks, beside what it means: the case of its verbs, its
// spaces, the order of its commands, its reaction to replies. A door collects it.
// It is a plain value, so that a connection costs no memory for it.
type Dialect struct {
	Marks uint64 // bits, named by package learn/dialect; 0: nothing seen
	Order uint64 // the first sixteen commands, 4 bits each, the first one lowest
}

// Doors, as [Conn.Door] names them.
const (
	DoorSMTP       = "smtp"
	DoorSubmission = "submission" // own users, who log in (RFC 6409)
	DoorLMTP       = "lmtp"       // RFC 2033
	DoorScan       = "scan"       // files
)
