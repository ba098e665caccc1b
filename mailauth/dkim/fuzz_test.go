package dkim

import (
	"context"
	"crypto"
	"strings"
	"testing"

	"sluice/mailauth/canon"
	"sluice/message"
)

// FuzzVerify takes any message. Nothing that isn't signed by the key passes: the
// one signature that does is of the text it was made for.
func FuzzVerify(f *testing.F) {
	_, ed := testEd25519()
	z := zoneOf(f, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed})
	field := sign(f, plain, SignOptions{})
	f.Add([]byte(field + plain))
	f.Add([]byte(field + field + "From: x@example.com\r\n" + plain))
	f.Add([]byte("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=ed; h=from; l=99999999999; bh=AAAA; b=AAAA\n\nx"))
	f.Add([]byte("DKIM-Signature: v=1;\r\n \r\n\tb\r\n\r\n"))
	body := "At noon?"
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := message.Parse(canon.CRLF(raw), message.Limits{})
		for _, r := range Verify(context.Background(), z, m, now, Limits{}) {
			switch {
			case r.Status == "" || r.Status == None || (r.Status == Pass) != (r.Problem == ""):
				t.Fatalf("%+v", r)
			case r.Status != Pass:
				continue
			case !r.FromSigned || !r.HeaderMatches || !r.BodyMatches || m.Header().Count("From") != 1:
				t.Fatalf("%+v", r)
			}
			if a, _ := m.From(); a.Local != "ann" || a.Domain != "example.org" || !strings.Contains(string(m.Body(m.Parts[0])), body) {
				t.Fatalf("passes for %v: %q", a, raw)
			}
		}
	})
}

// FuzzSign signs any message that can be signed, and verifies it.
func FuzzSign(f *testing.F) {
	_, ed := testEd25519()
	z := zoneOf(f, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed})
	for name := range awkward {
		f.Add([]byte(awkward[name]), name == "plain")
	}
	f.Fuzz(func(t *testing.T, raw []byte, simple bool) {
		field, err := Sign(raw, now, SignOptions{Domain: "example.org", Selector: "ed", Key: ed, Simple: simple})
		if err != nil {
			return
		}
		m := message.Parse(append(field, raw...), message.Limits{})
		if h := m.Header(); h.Count("From") == 0 || h.Count("DKIM-Signature") != 1 || len(m.Defects) > 0 {
			return // a header that readers may cut elsewhere
		}
		if r := Verify(context.Background(), z, m, now, Limits{}); len(r) != 1 || r[0].Status != Pass {
			t.Fatalf("%q: %+v", raw, r)
		}
	})
}
