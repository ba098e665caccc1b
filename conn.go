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
	Local  netip.AddrPort // our side
	Start  time.Time
	Door   string // "smtp", "scan", …: the room the message came in by
	Hello  Hello
	TLS    *TLSInfo // nil in clear text
	Auth   string   // authenticated account, "" for none

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
}
