package dkim

import (
	"context"
	"crypto"
	"strings"
	"testing"

	"sluice/message"
)

// BenchmarkVerify checks one signature of a 10 kB message, the DNS answered from
// memory: parsing of the message left out, parsing of the key included.
func BenchmarkVerify(b *testing.B) {
	_, rsaKey := testRSA(b)
	_, ed := testEd25519()
	raw := strings.Replace(plain, "At noon?\r\n", strings.Repeat("A line of some sixty octets, as people write them by hand.  \r\n", 160), 1)
	for name, k := range map[string]crypto.Signer{"rsa2048": rsaKey, "ed25519": ed} {
		z := zoneOf(b, "", map[string]crypto.Signer{"ed._domainkey.example.org": k})
		m := message.Parse([]byte(sign(b, raw, SignOptions{Key: k})+raw), message.Limits{})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := Verify(context.Background(), z, m, now, Limits{}); r[0].Status != Pass {
					b.Fatal(r[0].Problem)
				}
			}
		})
	}
}

// BenchmarkUnsigned is what mail without signatures pays.
func BenchmarkUnsigned(b *testing.B) {
	m := message.Parse([]byte(plain), message.Limits{})
	b.ReportAllocs()
	for b.Loop() {
		Verify(context.Background(), texts{}, m, now, Limits{})
	}
}

// BenchmarkHostile has as many signatures as are looked at, each with a hundred
// kilobytes of h=, over a header of a hundred kilobytes.
func BenchmarkHostile(b *testing.B) {
	_, ed := testEd25519()
	z := zoneOf(b, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed})
	var raw strings.Builder
	for range 10 {
		raw.WriteString("DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=ed; bh=AAAA; b=AAAA; h=from" + strings.Repeat(":x", 5000) + "\r\n")
	}
	raw.WriteString(strings.Repeat("X: yyyyyyyyyyyyyy\r\n", 4000) + plain)
	m := message.Parse([]byte(raw.String()), message.Limits{})
	b.SetBytes(int64(raw.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if r := Verify(context.Background(), z, m, now, Limits{}); len(r) != 10 {
			b.Fatal(len(r))
		}
	}
}
