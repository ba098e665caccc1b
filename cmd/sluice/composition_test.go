package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/gate"
	"sluice/mailauth/author/authortest"
	"sluice/mailauth/dkim"
	"sluice/mailauth/key"
)

var compositionTime = time.Date(2026, 11, 24, 8, 5, 0, 0, time.UTC)

// TestComposition runs the published attacks on authentication, and their
// benign twins with real signatures, through everything that a message meets.
// An attack must not arrive as simply accepted mail; a twin must.
func TestComposition(t *testing.T) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	honest := authortest.Honest()
	signed := map[string][]byte{}
	keys := map[string]bool{}
	for _, c := range honest {
		raw := []byte(real(c.Message))
		for _, d := range c.DKIM {
			if d.Result != "pass" || d.Domain == "" {
				continue
			}
			selector := d.Selector
			if selector == "" {
				selector = "s"
			}
			sig, err := dkim.Sign(raw, compositionTime.Add(-time.Minute), dkim.SignOptions{Domain: real(d.Domain), Selector: selector, Key: private})
			if err != nil {
				t.Fatalf("%s: %v", c.ID, err)
			}
			raw = append(sig, raw...)
			name, err := dns.Normalize(key.Name(real(d.Domain), selector))
			if err != nil {
				t.Fatal(err)
			}
			keys[name] = true
		}
		signed[c.Name] = raw
	}
	g := compositionGate(t, keys, pub)
	for _, c := range authortest.Attacks() {
		if c.NoPath || c.Vouched {
			continue // refused by the door; or the spoofed domain's own server vouches
		}
		action, found := meet(t, g, c, []byte(real(c.Message)))
		t.Logf("%-34s %-10s %s", c.ID, action, strings.Join(found, " "))
		if c.ID == "own empty" { // it shows its reader nobody, so it takes no name
			if !slices.Contains(found, "FROM_INVALID") || slices.Contains(found, "DMARC_PASS") {
				t.Errorf("%s: %v", c.ID, found)
			}
			continue
		}
		if action == sluice.Accept {
			t.Errorf("%s (%s): accepted with %v", c.ID, c.Name, found)
		}
	}
	hosts := map[string]string{"esp": "198.51.100.5", "lists": "198.51.100.7", "forwarder": "198.51.100.9", "xn--bcher-kva": "192.0.2.50", "bücher": "192.0.2.50"}
	for _, c := range honest {
		labels := strings.Split(c.SPF.Domain, ".")
		if ip := hosts[labels[max(0, len(labels)-2)]]; ip != "" {
			c.Client, c.Helo = ip, "mx."+c.SPF.Domain // the tables name the domain that passes, not its host
		}
		action, found := meet(t, g, c, signed[c.Name])
		t.Logf("%-60s %-10s %s", c.Name, action, strings.Join(found, " "))
		if action != sluice.Accept {
			t.Errorf("honest, %s: %v with %v", c.Name, action, found)
		}
	}
}

// compositionGate judges with the tables' DNS and the keys of the twins.
func compositionGate(t *testing.T, keys map[string]bool, pub ed25519.PublicKey) *gate.Gate {
	t.Helper()
	var records map[string]map[string]any
	if err := json.Unmarshal([]byte(real(authortest.Zone)), &records); err != nil {
		t.Fatal(err)
	}
	text, err := key.Text(pub)
	if err != nil {
		t.Fatal(err)
	}
	for name := range keys {
		records[name] = map[string]any{"TXT": []string{text}}
	}
	// Everybody has a confirmed reverse name and says it in HELO: the session must
	// not convict whom the author's reading should.
	for _, ip := range []string{"192.0.2.10", "192.0.2.11", "192.0.2.30", "192.0.2.40", "192.0.2.50", "203.0.113.66", "198.51.100.5", "198.51.100.7", "198.51.100.9"} {
		a := netip.MustParseAddr(ip)
		host := "mx" + strings.ReplaceAll(ip[strings.LastIndexByte(ip, '.')+1:], ".", "") + ".hosting.com"
		records[strings.TrimSuffix(dns.Reverse(a), ".")] = map[string]any{"PTR": []string{host + "."}}
		records[host] = map[string]any{"A": []string{ip}}
	}
	// A return path of its own that the tables say passes.
	records["news.bank.com"]["TXT"] = []string{"v=spf1 ip4:192.0.2.10 -all"}
	b, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := dnstest.Parse("zone.json", strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("", nil, config.Flags{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	set, err := build.Judge(cfg, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	set.Verifier = build.Verifier(cfg, zone)
	return gate.New(gate.Config{Settings: set, Clock: func() time.Time { return compositionTime }, Rand: rand.Reader})
}

// real puts the names of the tables under a top-level domain that exists: below
// ".example" nobody takes a name for an address.
func real(s string) string {
	s = strings.ReplaceAll(s, "c2VydmljZUBiYW5rLmV4YW1wbGU=", "c2VydmljZUBiYW5rLmNvbQ==") // service@bank…, in base64
	return strings.ReplaceAll(s, ".example", ".com")
}

// meet judges one session and returns what was done and the facts that count.
func meet(t *testing.T, g *gate.Gate, c authortest.Case, raw []byte) (sluice.Action, []string) {
	t.Helper()
	conn := &sluice.Conn{ID: c.ID, Door: "test", Start: compositionTime, Hello: sluice.Hello{Verb: "EHLO", Name: real(c.Helo)},
		Client: netip.AddrPortFrom(netip.MustParseAddr(c.Client), 4000)}
	env := sluice.Envelope{From: real(c.MailFrom), Rcpts: []sluice.Recipient{{Address: real("you@" + authortest.Victim)}}}
	ex := g.Examine(t.Context(), conn, env, raw)
	var found []string
	for _, l := range ex.Record.Verdict.Ledger {
		if l.State == sluice.Found && l.Group == sluice.GroupIdentity && l.Points != 0 {
			found = append(found, string(l.Reason))
		}
	}
	return ex.Action, found
}
