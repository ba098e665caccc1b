package dialect

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// TLSFingerprint names a TLS library by its ClientHello: "t13.c31.e10.4fa90c2e77"
// is TLS 1.3 at most, 31 cipher suites, 10 extensions, and a hash of the versions,
// suites, groups, point formats, signature schemes and application protocols in
// the client's order, and of the set of its extensions. GREASE values (RFC 8701)
// and the signalling suites (RFC 5746, RFC 7507) are left out, and so are the
// server's name, a session to resume, and padding, which change from one connection
// to the next; extensions are sorted, since some libraries shuffle them.
func TLSFingerprint(hello *tls.ClientHelloInfo) string {
	if hello == nil {
		return ""
	}
	h := newHash()
	list := func(tag uint16, n int, at func(int) uint16) (kept int) {
		h.add16(tag)
		for i := range min(n, maxList) {
			if v := at(i); !grease(v) {
				h.add16(v)
				kept++
			}
		}
		return kept
	}
	list(1, len(hello.SupportedVersions), func(i int) uint16 { return hello.SupportedVersions[i] })
	suites := ciphers(hello)
	list(2, len(suites), func(i int) uint16 { return suites[i] })
	list(3, len(hello.SupportedCurves), func(i int) uint16 { return uint16(hello.SupportedCurves[i]) })
	list(4, len(hello.SupportedPoints), func(i int) uint16 { return uint16(hello.SupportedPoints[i]) })
	list(5, len(hello.SignatureSchemes), func(i int) uint16 { return uint16(hello.SignatureSchemes[i]) })
	extensions := lasting(hello.Extensions)
	list(6, len(extensions), func(i int) uint16 { return extensions[i] })
	h.add16(7)
	for _, p := range hello.SupportedProtos[:min(len(hello.SupportedProtos), maxList)] {
		for i := range min(len(p), 255) {
			h.add(p[i])
		}
		h.add16(0xffff)
	}
	return fmt.Sprintf("t%s.c%d.e%d.%s", versionDigits(highest(hello)), len(suites), len(extensions), h)
}

// maxList bounds what of one list is read: a ClientHello may hold 65,535 octets.
const maxList = 256

// grease says whether a value is one of those that mean nothing (RFC 8701).
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

func ciphers(hello *tls.ClientHelloInfo) []uint16 {
	const renegotiation, fallback = 0x00ff, tls.TLS_FALLBACK_SCSV
	out := make([]uint16, 0, min(len(hello.CipherSuites), maxList))
	for _, c := range hello.CipherSuites[:min(len(hello.CipherSuites), maxList)] {
		if !grease(c) && c != renegotiation && c != fallback {
			out = append(out, c)
		}
	}
	return out
}

// lasting sorts the extensions and leaves out those that come and go.
func lasting(extensions []uint16) []uint16 {
	const serverName, padding, ticket, preSharedKey, earlyData, cookie = 0, 21, 35, 41, 42, 44
	out := make([]uint16, 0, min(len(extensions), maxList))
	for _, e := range extensions[:min(len(extensions), maxList)] {
		switch e {
		case serverName, padding, ticket, preSharedKey, earlyData, cookie:
		default:
			if !grease(e) {
				out = append(out, e)
			}
		}
	}
	slices.Sort(out)
	return out
}

func highest(hello *tls.ClientHelloInfo) uint16 {
	var top uint16
	for _, v := range hello.SupportedVersions[:min(len(hello.SupportedVersions), maxList)] {
		if !grease(v) {
			top = max(top, v)
		}
	}
	return top
}

// versionDigits writes a version as two digits: "13" for TLS 1.3.
func versionDigits(v uint16) string {
	switch v {
	case tls.VersionTLS13:
		return "13"
	case tls.VersionTLS12:
		return "12"
	case tls.VersionTLS11:
		return "11"
	case tls.VersionTLS10:
		return "10"
	}
	return "00"
}

// DescribeTLS puts a ClientHello into words for a person.
func DescribeTLS(hello *tls.ClientHelloInfo) string {
	if hello == nil {
		return ""
	}
	suites := ciphers(hello)
	parts := []string{cmp.Or(tls.VersionName(highest(hello)), "no version"), fmt.Sprintf("%d cipher suites", len(suites))}
	if len(suites) > 0 {
		parts[1] += ", first " + tls.CipherSuiteName(suites[0])
	}
	groups := make([]string, 0, 4)
	for _, c := range hello.SupportedCurves[:min(len(hello.SupportedCurves), maxList)] {
		if !grease(uint16(c)) && len(groups) < cap(groups) {
			groups = append(groups, c.String())
		}
	}
	if len(groups) > 0 {
		parts = append(parts, "groups "+strings.Join(groups, ", "))
	}
	parts = append(parts, fmt.Sprintf("%d signature schemes", len(hello.SignatureSchemes)), fmt.Sprintf("%d extensions", len(lasting(hello.Extensions))))
	if n := len(hello.SupportedProtos); n > 0 {
		parts = append(parts, fmt.Sprintf("%d application protocols", n))
	}
	return strings.Join(parts, "; ")
}
