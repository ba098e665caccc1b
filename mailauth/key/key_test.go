package key

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/dns"
)

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParse(t *testing.T) {
	k := rsaKey(t, 1024)
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	p := base64.StdEncoding.EncodeToString(spki)
	p1 := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&k.PublicKey))
	ed := "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" // RFC 8463 A.2
	for _, c := range []struct{ name, text, want string }{
		{"plain", "v=DKIM1; k=rsa; p=" + p, "rsa 1024 weak"},
		{"no version", "p=" + p, "rsa 1024 weak"},
		{"PKCS 1", "v=DKIM1; p=" + p1, "rsa 1024 weak"},
		{"white space in p=", "v=DKIM1; p=" + p[:50] + " \t" + p[50:], "rsa 1024 weak"},
		{"flags", "v=DKIM1; t=y : s:x; p=" + p, "rsa 1024 weak testing strict"},
		{"g= is gone", "v=DKIM1; g=nobody; p=" + p, "rsa 1024 weak"},
		{"Ed25519", "v=DKIM1; k=ed25519; p=" + ed, "ed25519 256"},
		{"revoked", "v=DKIM1; p=", "rsa 0 revoked"},
		{"version not first", "k=rsa; v=DKIM1; p=" + p, "broken"},
		{"other version", "v=DKIM2; p=" + p, "broken"},
		{"lower-case version", "v=dkim1; p=" + p, "broken"},
		{"no p=", "v=DKIM1; k=rsa", "broken"},
		{"two p=", "v=DKIM1; p=" + p + "; p=" + p, "broken"},
		{"no base64", "v=DKIM1; p=%%%", "broken"},
		{"cut", "v=DKIM1; p=" + p[:len(p)/2], "broken"},
		{"no key", "v=DKIM1; p=AAAA", "broken"},
		{"Ed25519 in ASN.1", "v=DKIM1; k=ed25519; p=MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "broken"},
		{"wrong k=", "v=DKIM1; k=dsa; p=" + p, "broken"},
		{"SPF", "v=spf1 -all", "broken"},
		{"huge", "v=DKIM1; n=" + strings.Repeat("x", maxRecord) + "; p=" + p, "broken"},
	} {
		r, err := Parse(c.text)
		got := "broken"
		if err == nil {
			got = fmt.Sprintf("%s %d", r.Type, r.Bits)
			for _, f := range []struct {
				on   bool
				name string
			}{{r.Weak(), "weak"}, {r.Testing, "testing"}, {r.Strict, "strict"}, {r.Revoked, "revoked"}} {
				if f.on {
					got += " " + f.name
				}
			}
		} else if !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v is no ErrSyntax", c.name, err)
		}
		if got != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, got, err, c.want)
		}
	}
}

func TestFits(t *testing.T) {
	ed := "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	for text, fits := range map[string]bool{
		"k=ed25519; " + ed:                        true,
		"k=ed25519; h=sha256:sha512; " + ed:       true,
		"k=ed25519; h=sha1; " + ed:                false,
		"k=ed25519; s=*; " + ed:                   true,
		"k=ed25519; s=tlsrpt : email; " + ed:      true,
		"k=ed25519; s=tlsrpt; " + ed:              false,
		"k=ed25519; h= sha1 : sha256 ; s=*;" + ed: true,
	} {
		r, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Fits(Ed25519SHA256, "email"); (err == nil) != fits {
			t.Errorf("%s: %v", text, err)
		}
		if r.Fits(RSASHA256, "email") == nil {
			t.Errorf("%s fits RSA", text)
		}
	}
}

// TestSizes holds the bounds of RFC 8301 3.2.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		bits     int
		ok, weak bool
	}{{768, false, false}, {1023, false, false}, {1024, true, true}, {2047, true, true}, {2048, true, false}, {4096, true, false}, {8193, false, false}} {
		r := &Record{Type: "rsa", Bits: c.bits}
		if (r.Acceptable() == nil) != c.ok || r.Weak() != c.weak {
			t.Errorf("%d bits: %v, weak %v", c.bits, r.Acceptable(), r.Weak())
		}
	}
}

func TestSignVerify(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("text"))
	other := sha256.Sum256([]byte("other"))
	for _, k := range []crypto.Signer{rsaKey(t, 2048), edKey} {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		read, err := ParsePrivate(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := Sign(read, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		text, err := Text(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := SigningAlgorithm(k)
		if !r.Verify(a, digest[:], sig) || r.Verify(a, other[:], sig) || r.Verify(a, digest[:], sig[1:]) || r.Verify(a, digest[:], nil) {
			t.Errorf("%s: verification is wrong", a)
		}
		for _, b := range []Algorithm{RSASHA256, Ed25519SHA256} {
			if b != a && r.Verify(b, digest[:], sig) {
				t.Errorf("a key for %s verifies %s", a, b)
			}
		}
	}
	for _, bad := range []string{"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := ParsePrivate([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a private key", bad)
		}
	}
}

type answer struct {
	texts []string
	err   error
}

func (a answer) Lookup(context.Context, string, dns.Type) (dns.Answer, error) {
	var out dns.Answer
	for _, t := range a.texts {
		out.Records = append(out.Records, dns.Record{Type: dns.TXT, Text: t})
	}
	return out, a.err
}

func TestLookup(t *testing.T) {
	good := "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	many := make([]string, 10000)
	for i := range many {
		many[i] = good
	}
	for _, c := range []struct {
		name    string
		answer  answer
		records int
		err     error
	}{
		{"one", answer{texts: []string{good}}, 1, nil},
		{"beside others", answer{texts: []string{"verification=1", "v=spf1 -all", good}}, 1, nil},
		{"two", answer{texts: []string{good, good}}, 2, nil},
		{"ten thousand", answer{texts: many}, maxRecords, nil},
		{"behind ten thousand", answer{texts: append(strings.Split(strings.Repeat("x ", 10000), " "), good)}, 0, ErrSyntax},
		{"broken", answer{texts: []string{"v=DKIM1; p=x"}}, 0, ErrSyntax},
		{"empty", answer{}, 0, ErrMissing},
		{"no name", answer{err: &dns.Error{Kind: dns.ErrNXDomain}}, 0, ErrMissing},
		{"no record", answer{err: &dns.Error{Kind: dns.ErrNoData}}, 0, ErrMissing},
		{"failure", answer{err: &dns.Error{Kind: dns.ErrServFail}}, 0, ErrTemporary},
		{"timeout", answer{err: &dns.Error{Kind: dns.ErrTimeout}}, 0, ErrTemporary},
	} {
		a := Lookup(context.Background(), c.answer, "example.org", "sel")
		if len(a.Records) != c.records || !errors.Is(a.Err, c.err) || (c.err == nil) != (a.Err == nil) {
			t.Errorf("%s: %d records, %v", c.name, len(a.Records), a.Err)
		}
		if a.Name != "sel._domainkey.example.org" {
			t.Errorf("asked for %s", a.Name)
		}
	}
}

type panicking struct{}

func (panicking) Lookup(context.Context, string, dns.Type) (dns.Answer, error) { panic("resolver") }

// TestLookupAll asks once for each, and panics where the caller can catch it.
func TestLookupAll(t *testing.T) {
	good := answer{texts: []string{"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}
	q := []Question{{"a.example", "x"}, {"b.example", "x"}, {"a.example", "x"}}
	if got := LookupAll(context.Background(), good, q); len(got) != 2 || len(got[q[1]].Records) != 1 || got[q[1]].Name != "x._domainkey.b.example" {
		t.Errorf("%+v", got)
	}
	defer func() {
		if p := recover(); p != "resolver" {
			t.Errorf("recovered %v", p)
		}
	}()
	LookupAll(context.Background(), panicking{}, q)
	t.Error("no panic")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "p=", "k=rsa; t=y:s; p=AAAA", "v=DKIM1; h=sha1:sha256; s=*; n=x; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"} {
		f.Add(s)
	}
	digest := sha256.Sum256(nil)
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			if r != nil || !errors.Is(err, ErrSyntax) {
				t.Fatalf("%q: %v with %v", s, r, err)
			}
			return
		}
		if !r.Revoked && (r.Public == nil || r.Bits <= 0) {
			t.Fatalf("%q: no key in %+v", s, r)
		}
		for _, a := range []Algorithm{RSASHA256, Ed25519SHA256} {
			if r.Fits(a, "email") == nil && r.Acceptable() == nil {
				r.Verify(a, digest[:], make([]byte, 64)) // whatever it says, it must not panic
			}
		}
	})
}
