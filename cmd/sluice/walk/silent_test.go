package walk

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check/identity"
	checksession "sluice/check/session"
	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/judge/pipeline"
	"sluice/mailauth"
	"sluice/mailauth/arc"
	"sluice/mailauth/dkim"
	"sluice/reason"
)

// certificate makes one for STARTTLS.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.a.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// temporary are the facts that checks state where the DNS doesn't answer. They have a
// code, for a reply that speaks of one is about something that passes; but nothing is
// refused for what could not be found out.
var temporary = []string{reason.ARCUnknown, reason.DKIMKeyUnknown, reason.DMARCTemperror, reason.HeloSPFTemperror, reason.IprevTemperror,
	reason.SenderDomainTemperror, reason.SPFTemperror}

// asks lets the real checks of senders look at a zone.
func asks(zone string) func(*world) {
	return func(w *world) {
		z, err := dnstest.Parse("zone", strings.NewReader(zone))
		if err != nil {
			w.t.Fatal(err)
		}
		set := &w.gate.Settings
		set.Verifier = mailauth.New(mailauth.Config{Resolver: z, Hostname: "mx.a.example"})
		set.Pipeline = pipeline.New(identity.Checks(), pipeline.Config{Clock: time.Now, Weights: set.Weights})
	}
}

// away is a DNS that never answers.
type away struct{}

func (away) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrTimeout}
}

// sealed is a message with a signature and a chain of one.
func sealed(t *testing.T) string {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	raw := []byte(strings.TrimSuffix(text, ".\r\n"))
	sig, err := dkim.Sign(raw, time.Now(), dkim.SignOptions{Domain: "sender.example", Selector: "s", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	raw = append(sig, raw...)
	set, err := arc.Seal(raw, time.Now(), arc.SealOptions{Domain: "list.example", Selector: "s", Key: key, AuthServID: "mx.list.example", Results: "dkim=pass header.d=sender.example",
		Chain: arc.Result{Status: arc.None}})
	if err != nil {
		t.Fatal(err)
	}
	return string(set) + string(raw) + ".\r\n"
}

// TestTemporary: with a DNS that is away every one of the temporary facts is stated of a
// message, and it is taken. Even if one weighed enough to refuse, it would not lead: the
// reply is UNWANTED's, with a code that doesn't send the sender's server round in circles.
func TestTemporary(t *testing.T) {
	w := newWorld(t)
	set := &w.gate.Settings
	set.Verifier = mailauth.New(mailauth.Config{Resolver: away{}, Hostname: "mx.a.example"})
	set.Pipeline = pipeline.New(slices.Concat(identity.Checks(), checksession.Checks(checksession.Config{})), pipeline.Config{Clock: time.Now, Weights: set.Weights})
	w.start()
	c := w.dial()
	c.read()
	var got []string
	for _, raw := range whole(sealed(t)) {
		if got = c.say(raw); got[0][0] > '3' {
			t.Fatalf("to %.40q: %q", raw, got)
		}
	}
	list, err := w.log.Records(t.Context(), sluice.Query{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d rows, %v", len(list), err)
	}
	for _, id := range temporary {
		i := slices.IndexFunc(list[0].Verdict.Ledger, func(c sluice.Contribution) bool { return c.Reason == sluice.Reason(id) })
		if i < 0 {
			t.Errorf("%s isn't stated", id)
			continue
		}
		if e := list[0].Verdict.Ledger[i]; e.State != sluice.Unknown || e.Points != 0 || e.Hard != sluice.Soft {
			t.Errorf("%s counts: %+v", id, e)
		}
	}

	for _, e := range reason.All() {
		if e.Code/100 != 4 || e.Group == "delivery" || e.Hard == "stop" || inSteps(e.ID) || e.ID == reason.BDATCutShort {
			continue // not what a check states
		}
		if !slices.Contains(temporary, e.ID) {
			t.Errorf("%s is a temporary fact that this test doesn't know", e.ID)
		}
		t.Run(e.ID, func(t *testing.T) {
			for _, s := range []step{
				{why: reason.Unwanted, phase: sluice.PhaseMessage, say: whole("X-State: " + e.ID + "\r\n" + text)},
				{why: reason.Unwanted, phase: sluice.PhaseRcpt, say: []string{ehlo, "MAIL FROM:<" + strings.ToLower(e.ID) + "@sender.example>\r\n", rcpt}},
			} {
				s.want = "550 5.7.1"
				w := newWorld(t)
				w.start()
				before := time.Now()
				r := parse(t, s.walk(w))
				if got := fmt.Sprintf("%d %s", r.code, r.enhanced); got != s.want || strings.Contains(r.text, e.Reply) {
					t.Errorf("%q, want %s", r.lines, s.want)
				}
				fits(t, &s, r)
				opens(t, w, &s, r, before)
			}
		})
	}
}

// TestCutShort: who leaves inside a chunk hears nothing, but it is written down; and no
// message is made of the piece.
func TestCutShort(t *testing.T) {
	w := newWorld(t)
	w.start()
	c := w.dial()
	c.read()
	for _, raw := range []string{ehlo, mail, rcpt} {
		c.say(raw)
	}
	fmt.Fprint(c.conn, "BDAT 100 LAST\r\nonly this\r\n")
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil {
		t.Errorf("heard %q, %v", rest, err)
	}
	if err := w.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := w.log.Records(t.Context(), sluice.Query{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d rows, %v", len(list), err)
	}
	rec := list[0]
	if !slices.ContainsFunc(rec.Verdict.Ledger, func(c sluice.Contribution) bool { return c.Reason == reason.BDATCutShort }) || rec.Reply.Code != 451 || rec.Phase != sluice.PhaseData {
		t.Errorf("the row: %+v", rec)
	}
}
