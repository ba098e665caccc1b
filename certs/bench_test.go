package certs

import (
	"crypto/tls"
	"testing"
)

// BenchmarkChoice is what a handshake pays for the choice.
func BenchmarkChoice(b *testing.B) {
	m, err := New(b.Context(), Config{Names: []string{"mx.example.org"}, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	hello := &tls.ClientHelloInfo{ServerName: "mx.example.org"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.certificate(hello); err != nil {
			b.Fatal(err)
		}
	}
}
