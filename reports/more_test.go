package reports

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/dns/dnstest"
	"sluice/mailauth"
	"sluice/mailauth/arc"
)

// TestAccounts: mail that our own users hand in isn't what domains ask about.
func TestAccounts(t *testing.T) {
	w := newWorld(t)
	o := w.observation(incoming{from: "a@known.example", envelope: "b@known.example"})
	for name, change := range map[string]func(*sluice.Conn){
		"an account":     func(c *sluice.Conn) { c.Auth = "ann" },
		"a stored one":   func(c *sluice.Conn) { c.Stored = true },
		"without client": func(c *sluice.Conn) { *c = sluice.Conn{} },
	} {
		conn := *o.Conn
		change(&conn)
		x := *o
		x.Conn = &conn
		if _, ok := rowOf(&x); ok {
			t.Errorf("%s: counted", name)
		}
	}
}

// TestTrustedForwarder: an ARC seal that the settings trust is the reason that is
// reported where mail was let in against its policy; any other isn't.
func TestTrustedForwarder(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	w := newWorld(t)
	z, err := dnstest.Parse("zone", strings.NewReader(zone+
		`x._domainkey.list.example. IN TXT "v=DKIM1; k=ed25519; p=`+base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))+"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	w.dns.Zone = z
	now := time.Now()
	raw := "From: a@known.example\r\nTo: l@list.example\r\nDate: Sat, 14 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@known.example>\r\nSubject: x\r\n\r\nbody\r\n"
	set, err := arc.Seal([]byte(raw), now, arc.SealOptions{Domain: "list.example", Selector: "x", Key: key, AuthServID: "mx.list.example", Chain: arc.Result{Status: arc.None}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		sealers []string
		want    sluice.DMARCReason
	}{
		{[]string{"list.example"}, sluice.DMARCReason{Type: "trusted_forwarder", Comment: "arc=pass"}},
		{[]string{"other.example"}, sluice.DMARCReason{Type: "local_policy"}},
	} {
		o := w.observation(incoming{raw: append(set[:len(set):len(set)], raw...), envelope: "l@list.example", ip: "198.51.100.1"})
		auth := mailauth.New(mailauth.Config{Resolver: w.dns, Sealers: test.sealers}).Open(o.Conn).Begin(o.Envelope)
		auth.DMARC(t.Context(), o.Message, now)
		if r := auth.ARC(t.Context(), o.Message); r.Status != arc.Pass {
			t.Fatalf("the chain is %s: %s", r.Status, r.Problem)
		}
		o.Auth = auth
		row, ok := rowOf(o)
		if d := cmp.Diff([]sluice.DMARCReason{test.want}, row.Reasons); !ok || d != "" || row.Disposition != "none" {
			t.Errorf("sealers %v: %v, disposition %s (-want +got):\n%s", test.sealers, ok, row.Disposition, d)
		}
	}
}

// TestPolicyChanges: the report names the policy that covers most messages, and
// says that there was another.
func TestPolicyChanges(t *testing.T) {
	r := newWorld(t).reporter()
	row := func(p string, count int) sluice.DMARCRow {
		return sluice.DMARCRow{Policy: sluice.DMARCPolicy{P: p}, Count: count}
	}
	for _, test := range []struct {
		rows  []sluice.DMARCRow
		want  string
		notes int
	}{
		{[]sluice.DMARCRow{row("none", 3), row("none", 2)}, "none", 0},
		{[]sluice.DMARCRow{row("none", 4), row("reject", 3), row("reject", 2)}, "reject", 1},
		{[]sluice.DMARCRow{row("none", 6), row("reject", 3), row("reject", 2)}, "none", 1},
	} {
		a := r.aggregate(sluice.DMARCDay{Domain: "known.example"}, test.rows)
		if a.Policy.P != test.want || len(a.Errors) != test.notes {
			t.Errorf("%v: policy %s, notes %q", test.rows, a.Policy.P, a.Errors)
		}
	}
}

// TestDestinations: what the record says now counts, and few addresses of it.
func TestDestinations(t *testing.T) {
	w := newWorld(t)
	z, err := dnstest.Parse("zone", strings.NewReader(`$TTL 60
twice.example.        IN MX 10 mx.twice.example.
_dmarc.twice.example. IN TXT "v=DMARC1; p=none; rua=mailto:a@twice.example"
_dmarc.twice.example. IN TXT "v=DMARC1; p=none; rua=mailto:b@twice.example"
_dmarc.twice.example. IN TXT "something else"
many.example.         IN MX 10 mx.many.example.
_dmarc.many.example.  IN TXT "v=DMARC1; p=none; rua=mailto:a@many.example,mailto:b@many.example,mailto:c@sub.many.example,mailto:d@many.example,mailto:e@many.example"
sub.many.example.     IN MX 10 mx.many.example.
none.example.         IN MX 10 mx.none.example.
_dmarc.none.example.  IN TXT "v=DMARC1; p=none"
`))
	if err != nil {
		t.Fatal(err)
	}
	w.dns.Zone = z
	r := w.reporter()
	for domain, want := range map[string]string{"twice.example": "", "many.example": "a@many.example b@many.example c@sub.many.example d@many.example",
		"none.example": "", "gone.example": ""} {
		to, why, err := r.destinations(t.Context(), domain)
		if got := strings.Join(to, " "); got != want || err != nil || (want == "") != (why == "the domain asks for no reports any more") {
			t.Errorf("%s: %q, %q, %v; want %q", domain, got, why, err, want)
		}
	}
}

// FuzzKeep: whatever is sent to the inbox ends as rows within their bounds.
func FuzzKeep(f *testing.F) {
	f.Add(carry("application/gzip", "x.xml.gz", gz([]byte(aggregateXML))))
	f.Add(carry("application/tlsrpt+json", "x.json", []byte(tlsJSON)))
	f.Add([]byte(arf))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := &Reporter{}
		r.cfg.defaults()
		for _, x := range r.parse(&letter{raw: raw, id: "a"}) {
			if x.Kind == "" || x.Pass < 0 || x.Fail < 0 || len(x.Sources) > maxSources || len(x.Sources) > x.Of || x.Kind == unreadable && x.Problem == "" {
				t.Errorf("%+v", x)
			}
		}
		if r.panics.Load() > 0 {
			t.Error("a panic")
		}
	})
}
