package smtpd

// This file reads the header of the PROXY protocol, versions 1 and 2, as its
// specification of 2020 has it (haproxy.org, proxy-protocol.txt).

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
)

const (
	// maxProxyLine is the longest header of version 1, with its CRLF (2.1).
	maxProxyLine = 107
	// maxProxyHeader bounds one of version 2. The addresses take 36 octets; the
	// rest are extensions, which proxies in use keep below a kilobyte.
	maxProxyHeader = 4 << 10
	proxyStart     = 16 // octets of version 2 before the addresses
)

var (
	proxyLine      = []byte("PROXY ")
	proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Why there is no header to be had.
var (
	errProxyShort   = errors.New("smtpd: PROXY header: more octets are needed")
	errProxyNone    = errors.New("smtpd: PROXY header: there is none")
	errProxyInvalid = errors.New("smtpd: PROXY header: invalid")
)

// proxyHeader is what a header says. Where it names nobody (LOCAL, UNKNOWN and
// families that aren't TCP over IP) both are zero: the peer speaks for itself.
type proxyHeader struct{ client, local netip.AddrPort }

// parseProxyHeader reads a header from the start of b and returns how many octets
// it has.
func parseProxyHeader(b []byte) (h proxyHeader, n int, err error) {
	switch {
	case startsAs(b, proxySignature):
		return parseProxy2(b)
	case startsAs(b, proxyLine):
		return parseProxy1(b)
	}
	return h, 0, errProxyNone
}

// startsAs says whether b begins with mark, or ends inside it.
func startsAs(b, mark []byte) bool {
	n := min(len(b), len(mark))
	return bytes.Equal(b[:n], mark[:n])
}

// parseProxy1 reads "PROXY TCP4 192.0.2.1 192.0.2.2 1234 25" and its like (2.1).
func parseProxy1(b []byte) (h proxyHeader, n int, err error) {
	b = b[:min(len(b), maxProxyLine)]
	end := bytes.IndexByte(b, '\n')
	switch {
	case end < 0 && len(b) < maxProxyLine:
		return h, 0, errProxyShort
	case end < len(proxyLine) || b[end-1] != '\r':
		return h, 0, errProxyInvalid
	}
	n = end + 1
	words := bytes.Split(b[len(proxyLine):end-1], []byte(" "))
	kind := string(words[0])
	if kind == "UNKNOWN" { // whatever follows is to be ignored
		return h, n, nil
	}
	if len(words) != 5 || kind != "TCP4" && kind != "TCP6" {
		return h, 0, errProxyInvalid
	}
	var ok [2]bool
	h.client, ok[0] = proxyAddress(words[1], words[3], kind == "TCP4")
	h.local, ok[1] = proxyAddress(words[2], words[4], kind == "TCP4")
	if !ok[0] || !ok[1] {
		return proxyHeader{}, 0, errProxyInvalid
	}
	return h, n, nil
}

func proxyAddress(host, port []byte, four bool) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(string(host))
	if err != nil || addr.Is4() != four || addr.Zone() != "" {
		return netip.AddrPort{}, false
	}
	p, err := strconv.ParseUint(string(port), 10, 16)
	if err != nil || len(port) > 1 && port[0] == '0' || port[0] == '+' {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(p)), true
}

// parseProxy2 reads the binary form (2.2).
func parseProxy2(b []byte) (h proxyHeader, n int, err error) {
	if len(b) < proxyStart {
		return h, 0, errProxyShort
	}
	version, command := b[12]>>4, b[12]&0xf
	size := int(binary.BigEndian.Uint16(b[14:]))
	n = proxyStart + size
	switch {
	case version != 2 || command > 1 || n > maxProxyHeader:
		return h, 0, errProxyInvalid
	case len(b) < n:
		return h, 0, errProxyShort
	}
	rest := b[proxyStart:n]
	var octets int
	switch family := b[13]; {
	case command == 0: // LOCAL: the proxy's own, such as a health check
		return h, n, nil
	case family == 0x11:
		octets = 4
	case family == 0x21:
		octets = 16
	case family>>4 <= 3 && family&0xf <= 2:
		return h, n, nil // unspecified, datagrams, or a socket of UNIX
	default:
		return h, 0, errProxyInvalid
	}
	if size < 2*octets+4 {
		return h, 0, errProxyInvalid
	}
	from, _ := netip.AddrFromSlice(rest[:octets])
	to, _ := netip.AddrFromSlice(rest[octets : 2*octets])
	ports := rest[2*octets:]
	h.client = netip.AddrPortFrom(from.Unmap(), binary.BigEndian.Uint16(ports))
	h.local = netip.AddrPortFrom(to.Unmap(), binary.BigEndian.Uint16(ports[2:]))
	return h, n, nil
}
