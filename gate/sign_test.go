package gate_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/dns/dnstest"
	"sluice/gate"
	"sluice/mailauth/dkim"
	parsed "sluice/message"
)

// ring is a key of each kind for sender.example, and what the DNS says of them.
func ring(t *testing.T) (*dkim.Keyring, *dnstest.Zone) {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, e, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := dkim.NewKeyring(dkim.RingKey{Domain: "sender.example", Selector: "r", Key: r}, dkim.RingKey{Domain: "sender.example", Selector: "e", Key: e})
	if err != nil {
		t.Fatal(err)
	}
	records, err := k.Records()
	if err != nil {
		t.Fatal(err)
	}
	zone, err := dnstest.Parse("zone.json", strings.NewReader(fmt.Sprintf("{%q: {\"TXT\": [%q]}, %q: {\"TXT\": [%q]}}",
		records[0][0], records[0][1], records[1][0], records[1][1])))
	if err != nil {
		t.Fatal(err)
	}
	return k, zone
}

// signed says which selectors' signatures hold on a message as it leaves.
func signed(t *testing.T, zone *dnstest.Zone, d *sluice.Delivery) (out []string) {
	t.Helper()
	whole := append(bytes.Clone(d.Header), d.Body...)
	for _, r := range dkim.Verify(context.Background(), zone, parsed.Parse(whole, parsed.DefaultLimits()), time.Now(), dkim.DefaultLimits()) {
		if r.Status != "pass" {
			t.Errorf("selector %s: %s %s", r.Selector, r.Status, r.Problem)
		}
		out = append(out, r.Selector)
	}
	return out
}

func TestSign(t *testing.T) {
	keys, zone := ring(t)
	sign := func(raw []byte, domain string, now time.Time) ([]byte, error) {
		opts := keys.At(domain, now)
		return dkim.Sign(raw, now, opts...)
	}
	trusted := func(netip.Addr) bool { return true }
	plain := message("")
	for _, tc := range []struct {
		name   string
		change func(*gate.Settings)
		auth   string
		msg    string
		to     string
		want   string // selectors from the top down
		log    string
	}{
		{name: "a trusted relay's", change: func(s *gate.Settings) { s.Trusted = trusted }, want: "r e"},
		{name: "an account's", auth: "ann", want: "r e"},
		{name: "a stranger's"},
		{name: "another way", auth: "ann", to: "bob@c.example"},
		{name: "a domain without keys", auth: "ann", msg: strings.Replace(plain, "ann@sender", "ann@other", 1)},
		{name: "a subdomain", auth: "ann", msg: strings.Replace(plain, "ann@sender", "ann@sub.sender", 1)},
		{name: "two authors", auth: "ann", msg: "From: eve@evil.example\r\n" + plain, log: "readers could differ"},
		{name: "no author", auth: "ann", msg: strings.Replace(plain, "From: ", "X-From: ", 1), log: "readers could differ"},
		{name: "no signer", auth: "ann", change: func(s *gate.Settings) { s.Sign = nil }},
		{name: "the signer fails", auth: "ann", log: "without a DKIM signature", change: func(s *gate.Settings) {
			s.Sign = func([]byte, string, time.Time) ([]byte, error) { return []byte("half: a"), errors.New("no key") }
		}},
		{name: "the signer panics", auth: "ann", log: "without a DKIM signature", change: func(s *gate.Settings) {
			s.Sign = func([]byte, string, time.Time) ([]byte, error) { panic("broken") }
		}},
		{name: "rewritten", auth: "ann", msg: "X-Sluice-Verdict: mine\r\n" + message("spam"), want: "r e", change: func(s *gate.Settings) {
			s.SubjectTag, s.Policy.TagAt, s.Policy.QuarantineAt, s.Policy.RejectAt = "[spam?]", 1e-9, 1, 1
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			w := newWorld(t, func(c *gate.Config) {
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
				c.Settings.Sign = sign
				c.Settings.Routes.ByDomain["a.example"].Sign = true
				if tc.change != nil {
					tc.change(&c.Settings)
				}
			})
			w.conn.Auth = tc.auth
			if tc.msg == "" {
				tc.msg = plain
			}
			if tc.to == "" {
				tc.to = "bob@a.example"
			}
			if r := w.sendText(w.open(), tc.msg, tc.to); r.Code != 250 {
				t.Fatal(r)
			}
			got := append(w.hop.got, w.other.got...)
			if len(got) != 1 {
				t.Fatalf("%d deliveries", len(got))
			}
			if s := strings.Join(signed(t, zone, got[0]), " "); s != tc.want {
				t.Errorf("signed by %q, want %q", s, tc.want)
			}
			if !strings.Contains(log.String(), tc.log) || tc.log == "" && strings.Contains(log.String(), "igned") {
				t.Errorf("log: %s", &log)
			}
			head := string(got[0].Header)
			if tc.want == "" {
				if !strings.Contains(head, "\r\nX-Spam-Status: ") || strings.Contains(head, "half") {
					t.Errorf("header:\n%s", head)
				}
				return
			}
			// Below our trace fields: hops that rewrite those leave it whole.
			if at := strings.Index(head, "DKIM-Signature:"); strings.Contains(head[at:], "X-Spam") || strings.Contains(head[at:], "Received:") || !strings.HasPrefix(head, "Received:") {
				t.Errorf("header:\n%s", head)
			}
			if strings.Contains(tc.name, "rewritten") && !bytes.Contains(got[0].Body, []byte("Subject: [spam?]")) {
				t.Errorf("not tagged:\n%s", got[0].Body)
			}
		})
	}
}

// TestSignReleased signs our own mail that an admin lets go, and no stranger's.
func TestSignReleased(t *testing.T) {
	keys, zone := ring(t)
	for account, want := range map[string]string{"ann": "r e", "": ""} {
		w := newWorld(t, func(c *gate.Config) {
			c.Settings.Routes.ByDomain["a.example"].Sign = true
			c.Settings.Sign = func(raw []byte, domain string, now time.Time) ([]byte, error) {
				return dkim.Sign(raw, now, keys.At(domain, now)...)
			}
		})
		w.conn.Auth = account
		if r := w.sendText(w.open(), message("spam"), "bob@a.example"); r.Code != 250 {
			t.Fatal(r)
		}
		held := w.held()
		if len(held) != 1 {
			t.Fatalf("%d held", len(held))
		}
		if err := w.gate.Release(t.Context(), held[0].ID, "admin"); err != nil {
			t.Fatal(err)
		}
		if s := strings.Join(signed(t, zone, w.outbox.got[0]), " "); s != want {
			t.Errorf("account %q: signed by %q, want %q", account, s, want)
		}
	}
}
