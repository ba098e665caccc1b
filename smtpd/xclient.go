package smtpd

import (
	"net/netip"
	"strconv"
	"strings"

	"sluice"
	"sluice/smtp"
)

// This file is how hosts of ours speak for their clients: XCLIENT and XFORWARD, as
// Postfix has them (XCLIENT_README, XFORWARD_README). No RFC has.

const (
	xclientKeyword  = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
	xforwardKeyword = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"
)

// Forward is whom a host of ours speaks for.
type Forward struct {
	Client netip.AddrPort // not valid: the host speaks for itself
	Local  netip.AddrPort // where the client connected to; not valid: not said
	Hello  sluice.Hello   // as the client greeted; zero: not said
	Login  string         // the client's account, proved to the host; "" for none
}

// hop is what such a host has said.
type hop struct {
	client    attributes // XCLIENT: for the rest of the connection
	next      attributes // XFORWARD: for the next transaction
	told      attributes // and those of the client that the session knows of
	forwarded bool       // it knows of one
}

// attributes are those that have a use here. NAME, IDENT and SOURCE are read and
// dropped: we look names up ourselves.
type attributes struct {
	addr, dest         netip.Addr
	port, destPort     uint16
	proto, helo, login string
}

func (a attributes) forward() *Forward {
	f := &Forward{Login: a.login, Hello: a.hello()}
	if a.addr.IsValid() {
		f.Client = netip.AddrPortFrom(a.addr, a.port)
	}
	if a.dest.IsValid() {
		f.Local = netip.AddrPortFrom(a.dest, a.destPort)
	}
	return f
}

// hello is the client's greeting, zero where it isn't known.
func (a attributes) hello() sluice.Hello {
	switch {
	case a.helo == "":
		return sluice.Hello{}
	case a.proto == "SMTP":
		return sluice.Hello{Verb: "HELO", Name: a.helo}
	}
	return sluice.Hello{Verb: "EHLO", Name: a.helo}
}

// hello is the client's greeting as XCLIENT had it.
func (h *hop) hello() sluice.Hello {
	if h == nil {
		return sluice.Hello{}
	}
	return h.client.hello()
}

// forMail returns what the session must hear before MAIL, nil for nothing new.
func (h *hop) forMail() *Forward {
	switch {
	case h == nil:
		return nil
	case h.next.addr.IsValid():
		if h.forwarded && h.told == h.next {
			return nil
		}
		h.forwarded, h.told = true, h.next
		return h.next.forward()
	case h.forwarded:
		// An unknown address means the host's own mail.
		h.forwarded, h.told = false, attributes{}
		return &Forward{}
	}
	return nil
}

func (h *hop) endTransaction() {
	if h != nil {
		h.next = attributes{}
	}
}

// xclient makes the peer another client: the session begins anew.
func (m *Machine) xclient(arg string) {
	if !m.peer.XClient {
		m.unknown()
		return
	}
	a, ok := m.attributes(arg, false)
	if !ok {
		return
	}
	m.hold(syncXClient, sluice.Reply{})
	*m.theHop() = hop{client: a}
	m.greeted, m.esmtp, m.authed, m.offer = false, false, a.login != "", sluice.Extensions{}
}

// xforward notes for whom the next transaction is.
func (m *Machine) xforward(arg string) {
	if !m.peer.XForward {
		m.unknown()
		return
	}
	a, ok := m.attributes(arg, true)
	if !ok {
		return
	}
	m.theHop().next = a
	m.say(250, "2.0.0", "OK")
}

func (m *Machine) theHop() *hop {
	if m.hop == nil {
		m.hop = &hop{}
	}
	return m.hop
}

// attributes reads those of one command on top of those of the commands before.
func (m *Machine) attributes(arg string, forward bool) (a attributes, ok bool) {
	switch {
	case !m.greeted || !m.esmtp:
		m.failGreet()
		return a, false
	case m.trans:
		m.fail(503, "5.5.1", "Finish the transaction first")
		return a, false
	}
	if m.hop != nil && forward {
		a = m.hop.next
	} else if m.hop != nil {
		a = m.hop.client
	}
	const most = 16 // attributes of one command; there are nine
	n := 0
	for word := range strings.FieldsSeq(arg) {
		key, text, has := strings.Cut(word, "=")
		value, valid := xtext(text)
		if n++; n > most || !has || !valid || !a.set(key, value, forward) {
			m.fail(501, "5.5.4", "Bad attribute")
			return a, false
		}
	}
	if n == 0 {
		m.fail(501, "5.5.4", "Attributes are missing")
		return a, false
	}
	return a, true
}

// set sets one attribute and says whether it is one.
func (a *attributes) set(key, value string, forward bool) (ok bool) {
	unknown := smtp.EqualFold(value, "[UNAVAILABLE]") || smtp.EqualFold(value, "[TEMPUNAVAIL]")
	if unknown {
		value = ""
	}
	is := func(name string) bool { return smtp.EqualFold(key, name) }
	switch {
	case is("NAME"), forward && (is("IDENT") || is("SOURCE")):
		return true
	case is("ADDR"):
		a.addr, ok = address(value)
		return ok || forward // XFORWARD_README: may be something else than IP
	case is("PORT"):
		a.port, ok = port(value)
	case is("HELO"):
		a.helo, ok = value, true
	case is("PROTO"):
		a.proto = "ESMTP"
		if smtp.EqualFold(value, "SMTP") {
			a.proto = "SMTP"
		}
		ok = unknown || forward || a.proto == "SMTP" || smtp.EqualFold(value, "ESMTP")
	case forward:
	case is("LOGIN"):
		a.login, ok = value, true
	case is("DESTADDR"):
		a.dest, ok = address(value)
	case is("DESTPORT"):
		a.destPort, ok = port(value)
	}
	return ok
}

// address reads an IP address as XCLIENT writes it; "" is the zero address.
func address(s string) (netip.Addr, bool) {
	if s == "" {
		return netip.Addr{}, true
	}
	const six = "IPV6:"
	v6 := len(s) > len(six) && smtp.EqualFold(s[:len(six)], six)
	if v6 {
		s = s[len(six):]
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || v6 && !a.Is6() || a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

func port(s string) (uint16, bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}

// xtext decodes a value (RFC 3461 4). Only printable ASCII without spaces comes
// out (XFORWARD_README, note 1), 255 octets at most.
func xtext(s string) (string, bool) {
	const most = 255
	if s == "" || len(s) > 3*most {
		return "", false
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			if i+2 >= len(s) {
				return "", false
			}
			v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c, i = byte(v), i+2
		} else if c == '=' {
			return "", false
		}
		if c <= ' ' || c > '~' {
			return "", false
		}
		b = append(b, c)
	}
	return string(b), len(b) <= most
}
