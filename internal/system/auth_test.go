package system

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/dns/dnstest"
	"sluice/mailauth/dkim"
	"sluice/mailauth/key"
)

// TestAuthentication sends a signed message through the daemon, with a DNS of
// the test's own, and reads what the next hop is told.
func TestAuthentication(t *testing.T) {
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	record, err := key.Text(pub)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := dnstest.Parse("zone.json", strings.NewReader(fmt.Sprintf(`{
		"sender.example": {"MX": ["10 mx.sender.example."], "TXT": ["v=spf1 -all"]},
		"s1._domainkey.sender.example": {"TXT": [%q]},
		"_dmarc.sender.example": {"TXT": ["v=DMARC1; p=none"]}}`, record)))
	if err != nil {
		t.Fatal(err)
	}
	server, err := dnstest.Serve(zone)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	box := filepath.Join(t.TempDir(), "box")
	d := serve(t, setup{relay: "maildir:" + box, dns: server.Addr().String()})

	plain := mail("signed", "The minutes of the meeting are on the wiki. See you next week.", 3)
	signature, err := dkim.Sign([]byte(plain), time.Now(), dkim.SignOptions{Domain: "sender.example", Selector: "s1", Key: private})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, message, want string }{
		{"signed", string(signature) + plain, "dkim=pass"},
		{"changed", string(signature) + strings.Replace(plain, "wiki", "Wiki", 1), "dkim=fail"},
		{"forged results", "Authentication-Results: mx.a.example; dkim=pass header.d=sender.example\r\n" + plain, "dkim=none"},
	} {
		c, err := Dial(d.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Say("EHLO mail.sender.example"); err != nil {
			t.Fatal(err)
		}
		r, err := c.Send("ann@sender.example", []string{"bob@a.example"}, tc.message)
		if err != nil || !strings.HasPrefix(r, "250") {
			t.Fatalf("%s: %s %v", tc.name, r, err)
		}
		c.Close()
		files, err := filepath.Glob(filepath.Join(box, "new", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v %v\n%s", tc.name, files, err, d.log.String())
		}
		got, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(files[0])
		head := strings.ReplaceAll(strings.ReplaceAll(string(got), "\n ", " "), "\n\t", " ")
		if n := strings.Count(head, "\nAuthentication-Results: mx.a.example"); n != 1 || !strings.Contains(head, tc.want) {
			t.Errorf("%s: want %s in one field of ours:\n%s", tc.name, tc.want, head)
		}
	}
	if server.Asked() == nil {
		t.Error("nobody asked the test's DNS")
	}
}
