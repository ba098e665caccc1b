package gate_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/dns/dnstest"
	"sluice/gate"
	"sluice/mailauth"
	"sluice/mailauth/arc"
	"sluice/mailauth/key"
	parser "sluice/message"
)

// TestSeal: a message whose subject we tag is sealed with what was found before,
// and the seal verifies behind us; one that we leave alone isn't.
func TestSeal(t *testing.T) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	record, err := key.Text(pub)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := dnstest.Parse("zone.json", strings.NewReader(fmt.Sprintf(`{"s._domainkey.a.example": {"TXT": [%q]}, "sender.example": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]}}`, record)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, tag string
		want      arc.Status
	}{{"changed", "[spam?]", arc.Pass}, {"left alone", "", arc.None}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(c *gate.Config) {
				c.Settings.SubjectTag = tc.tag
				c.Settings.Policy.TagAt = 0.01 // everything is tagged
				c.Settings.Verifier = mailauth.New(mailauth.Config{Resolver: zone, Hostname: "mx.a.example"})
				c.Settings.Seal = func(raw []byte, domain, results string, chain arc.Result, now time.Time) ([]byte, error) {
					return arc.Seal(raw, now, arc.SealOptions{Domain: domain, Selector: "s", Key: private, AuthServID: "mx.a.example", Results: results, Chain: chain})
				}
			})
			w.conn.Client = netip.MustParseAddrPort("192.0.2.7:4000")
			s := w.open()
			w.send(s, "", "bob@a.example")
			if len(w.hop.got) != 1 {
				t.Fatalf("%d deliveries", len(w.hop.got))
			}
			d := w.hop.got[0]
			sent := append(append([]byte(nil), d.Header...), d.Body...)
			r := arc.Validate(t.Context(), zone, parser.Parse(sent, parser.DefaultLimits()), arc.DefaultLimits())
			if r.Status != tc.want {
				t.Errorf("chain %s (%s), want %s\n%s", r.Status, r.Problem, tc.want, sent)
			}
		})
	}
}
