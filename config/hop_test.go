package config

import (
	"testing"
	"time"
)

func TestNextHop(t *testing.T) {
	c, err := Parse("x", []byte(`
[[domain]]
names         = ["a.example"]
relay         = ["smtp://smart.example:587"]
user          = "gateway"
password_file = "/etc/password"
sign          = true
[[domain]]
names        = ["b.example"]
relay        = ["smtp://b.example"]
tls          = "fingerprint"
fingerprints = [
  "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
  "sha256:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F",
]
[[sign]]
domain     = "Bücher.example."
selector   = "2027A"
key        = "k.pem"
not_before = "2027-01-01"
`), Flags{})
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Domains[0]; d.TLS.Mode != "verify" || !d.Sign || d.User != "gateway" {
		t.Errorf("a login verifies by default: %+v", d)
	}
	d := c.Domains[1]
	if d.TLS.Mode != "fingerprint" || len(d.Fingerprints) != 2 || d.Fingerprints[0] != d.Fingerprints[1] || d.Fingerprints[0][31] != 0x1f || d.Sign {
		t.Errorf("fingerprints: %+v", d)
	}
	k := c.Sign[0]
	if k.Domain != "xn--bcher-kva.example" || k.Selector != "2027a" || !k.NotBefore.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("sign: %+v", k)
	}
}
