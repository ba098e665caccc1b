package dialect_test

import (
	"crypto/tls"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/learn/dialect"
)

func hello() *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		CipherSuites:      []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_CHACHA20_POLY1305_SHA256},
		SupportedCurves:   []tls.CurveID{tls.X25519, tls.CurveP256},
		SupportedPoints:   []uint8{0},
		SignatureSchemes:  []tls.SignatureScheme{tls.Ed25519, tls.PSSWithSHA256},
		SupportedVersions: []uint16{tls.VersionTLS13, tls.VersionTLS12},
		SupportedProtos:   []string{"smtp"},
		Extensions:        []uint16{10, 13, 16, 43, 51},
		ServerName:        "mx.example",
	}
}

func TestTLSFingerprint(t *testing.T) {
	base := dialect.TLSFingerprint(hello())
	if !regexp.MustCompile(`^t13\.c2\.e5\.[0-9a-f]{10}$`).MatchString(base) {
		t.Errorf("form: %s", base)
	}
	for name, tc := range map[string]struct {
		change func(*tls.ClientHelloInfo)
		same   bool
	}{
		"another server":                   {func(h *tls.ClientHelloInfo) { h.ServerName = "" }, true},
		"shuffled":                         {func(h *tls.ClientHelloInfo) { slices.Reverse(h.Extensions) }, true},
		"server name, padding, resumption": {func(h *tls.ClientHelloInfo) { h.Extensions = append(h.Extensions, 0, 21, 35, 41, 42) }, true},
		"GREASE": {func(h *tls.ClientHelloInfo) {
			h.CipherSuites = append([]uint16{0x3a3a}, h.CipherSuites...)
			h.Extensions = append(h.Extensions, 0xfafa)
			h.SupportedCurves = append([]tls.CurveID{0x0a0a}, h.SupportedCurves...)
			h.SupportedVersions = append([]uint16{0xbaba}, h.SupportedVersions...)
		}, true},
		"signalling suites": {func(h *tls.ClientHelloInfo) { h.CipherSuites = append(h.CipherSuites, 0x00ff, 0x5600) }, true},
		"order of suites":   {func(h *tls.ClientHelloInfo) { slices.Reverse(h.CipherSuites) }, false},
		"order of groups":   {func(h *tls.ClientHelloInfo) { slices.Reverse(h.SupportedCurves) }, false},
		"schemes":           {func(h *tls.ClientHelloInfo) { h.SignatureSchemes = h.SignatureSchemes[:1] }, false},
		"points":            {func(h *tls.ClientHelloInfo) { h.SupportedPoints = nil }, false},
		"protocols":         {func(h *tls.ClientHelloInfo) { h.SupportedProtos = nil }, false},
		"versions":          {func(h *tls.ClientHelloInfo) { h.SupportedVersions = h.SupportedVersions[1:] }, false},
		"extensions":        {func(h *tls.ClientHelloInfo) { h.Extensions = append(h.Extensions, 23) }, false},
	} {
		h := hello()
		tc.change(h)
		if got := dialect.TLSFingerprint(h); (got == base) != tc.same {
			t.Errorf("%s: %s and %s", name, base, got)
		}
	}
	if got := dialect.TLSFingerprint(nil); got != "" {
		t.Errorf("nothing: %q", got)
	}
	huge := &tls.ClientHelloInfo{CipherSuites: make([]uint16, 1<<15), Extensions: make([]uint16, 1<<15), SupportedProtos: []string{strings.Repeat("x", 1<<10)}}
	if got := dialect.TLSFingerprint(huge); len(got) > 40 {
		t.Errorf("a large one: %q", got)
	}
}

func TestDescribeTLS(t *testing.T) {
	const want = "TLS 1.3; 2 cipher suites, first TLS_AES_128_GCM_SHA256; groups X25519, CurveP256; 2 signature schemes; 5 extensions; 1 application protocols"
	if got := dialect.DescribeTLS(hello()); got != want {
		t.Errorf("got %s", got)
	}
}

// The libraries that were recorded differ, and programs with one library share it.
func TestRecordedHellos(t *testing.T) {
	by := map[string]string{}
	for _, r := range dialect.Recordings() {
		if r.TLS != "" {
			if by[r.Client] != "" && by[r.Client] != r.TLS {
				t.Errorf("%s has %s and %s", r.Client, by[r.Client], r.TLS)
			}
			by[r.Client] = r.TLS
			if !slices.Contains(dialect.TLSClients(r.TLS), r.Client) {
				t.Errorf("%s isn't among those with %s", r.Client, r.TLS)
			}
		}
	}
	if by["Exim"] == by["Postfix"] || by["Postfix"] == by["Go net/smtp"] || len(by) < 8 {
		t.Errorf("%v", by)
	}
}
