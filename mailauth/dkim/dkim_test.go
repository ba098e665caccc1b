package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/dns"
	"sluice/mailauth/key"
	"sluice/mailauth/signature"
	"sluice/message"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const plain = "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: Lunch\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n" +
	"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nAt noon?\r\n"

// zoneOf publishes a key under a selector of example.org.
func zoneOf(t testing.TB, extra string, keys map[string]crypto.Signer) texts {
	t.Helper()
	z := texts{}
	for name, k := range keys {
		text, err := key.Text(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		z[name] = []string{strings.Replace(text, "; p=", "; "+extra+"p=", 1)}
	}
	return z
}

func verify(t testing.TB, z dns.Resolver, raw string) []Result {
	t.Helper()
	return Verify(context.Background(), z, message.Parse([]byte(raw), message.Limits{}), now, Limits{})
}

func sign(t testing.TB, raw string, o SignOptions) string {
	t.Helper()
	if o.Domain == "" {
		o.Domain = "example.org"
	}
	if o.Selector == "" {
		o.Selector = "ed"
	}
	if o.Key == nil {
		_, o.Key = testEd25519()
	}
	field, err := Sign([]byte(raw), now, o)
	if err != nil {
		t.Fatal(err)
	}
	return string(field)
}

// TestVerify signs a message, changes it, and says what comes of it. The attacks
// are those of the literature on composition (espoofer, USENIX Security 2020, A
// and the numbers there; RFC 6376 8), each with a benign twin.
func TestVerify(t *testing.T) {
	_, ed := testEd25519()
	z := zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed, "ed._domainkey.com": ed,
		"ed._domainkey.co.uk": ed, "ed._domainkey.xn--mnchen-3ya.example": ed, "ed._domainkey.mail.example.org": ed})
	z["gone._domainkey.example.org"] = []string{"v=DKIM1; k=ed25519; p="}
	z["down._domainkey.example.org"] = []string{servfail}
	z["two._domainkey.example.org"] = []string{"v=DKIM1; p=broken", z["ed._domainkey.example.org"][0]}
	bottom := SignOptions{OverSign: []string{}} // as most of the world signs
	whole := sign(t, plain, SignOptions{})
	loose := sign(t, plain, bottom)
	change := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("no %q in the message", old)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	for _, c := range []struct {
		name    string
		raw     string
		status  Status
		problem string
	}{
		{"untouched", whole + plain, Pass, ""},
		{"a trace field is added", "Received: x\r\n" + whole + plain, Pass, ""},
		{"list footer", whole + plain + "-- \r\nlist\r\n", Fail, "body was changed; the signed header fields are intact"},
		{"list subject", whole + change("Lunch", "[list] Lunch")(plain), Fail, "does not match the header"},
		{"both", whole + change("Lunch", "x")(plain) + "x\r\n", Fail, "and the body was changed"},
		{"relaxed spaces", whole + change("Subject: Lunch", "Subject:\t Lunch ")(plain), Pass, ""},
		{"name's case", whole + change("Subject:", "SUBJECT:")(plain), Pass, ""},
		{"empty lines at the end", whole + plain + "\r\n\r\n", Pass, ""},

		{"second From above, over-signed", whole + "From: mallory@example.com\r\n" + plain, Fail, "does not match"},
		{"second From above, not over-signed", loose + "From: mallory@example.com\r\n" + plain, Policy, "another From field is not signed"},
		{"second From below", loose + change("To:", "From: mallory@example.com\r\nTo:")(plain), Fail, "does not match"},
		{"second From with a space in its name", loose + "From : mallory@example.com\r\n" + plain, Policy, "another From"},
		{"second From in capitals", loose + "FROM: mallory@example.com\r\n" + plain, Policy, "another From"},
		{"second From, folded", loose + "From:\r\n mallory@example.com\r\n" + plain, Policy, "another From"},
		{"From with another long s", loose + "\u017fender: x@example.com\r\n" + plain, Pass, ""},
		{"second Subject", loose + "Subject: Pay now\r\n" + plain, Pass, ""}, // reported as Unsigned, see TestUnsigned
		{"second Subject, over-signed", whole + "Subject: Pay now\r\n" + plain, Fail, "does not match"},
		{"From moved into the body", loose + change("From: Ann <ann@example.org>\r\n", "")(plain), Fail, "does not match"},
		{"From replaced", loose + change("ann@example.org", "ann@example.com")(plain), Fail, "does not match"},

		{"From not in h=", change("h=from:from:", "h=")(whole) + plain, PermError, "From is not signed"},
		{"no d=", change(" d=example.org;", "")(whole) + plain, PermError, "no d="},
		{"no b=", change("\r\n b=", "\r\n c0=")(whole) + plain, PermError, "no b="},
		{"b= twice", change("v=1;", "v=1; b=AAAA;")(whole) + plain, PermError, "b= stands twice"},
		{"d= twice", change("v=1;", "v=1; d=example.com;")(whole) + plain, PermError, "d= stands twice"},
		{"v=2", change("v=1;", "v=2;")(whole) + plain, Neutral, "is not version 1"},
		{"unknown algorithm", change("a=ed25519-sha256", "a=ed25519-sha512")(whole) + plain, Neutral, "algorithm ed25519-sha512 is unknown"},
		{"another algorithm than the key's", change("a=ed25519-sha256", "a=rsa-sha256")(whole) + plain, PermError, "the key is for ed25519"},
		{"unknown form", change("c=relaxed/relaxed", "c=relaxed/nofws")(whole) + plain, Neutral, "canonicalization"},
		{"i= elsewhere", change("v=1;", "v=1; i=ann@example.com;")(whole) + plain, PermError, "i= is not at or below d="},
		{"i= with d= as a suffix only", change("v=1;", "v=1; i=@evilexample.org;")(whole) + plain, PermError, "i= is not at or below d="},
		{"d= with the From domain inside", change("d=example.org", "d=example.org.evil.example")(whole) + plain, PermError, "no key record at ed._domainkey.example.org.evil.example"},
		{"d= with NUL", change("d=example.org", "d=example.org\x00.evil.example")(whole) + plain, PermError, "syntax"},
		{"d= with a dot at its end", change("d=example.org", "d=example.org.")(whole) + plain, PermError, "d= is no domain name"},
		{"s= that climbs out of _domainkey", change("s=ed", "s=ed._domainkey.example.org/")(whole) + plain, PermError, "s= is no domain name"},
		{"q= unknown", change("v=1;", "v=1; q=http;")(whole) + plain, Neutral, "no way to ask"},
		{"x= before t=", change("v=1;", "v=1; x=1;")(whole) + plain, PermError, "x= is not later than t="},
		{"t= no number", change("v=1;", "v=1; x=-5;")(whole) + plain, PermError, "x= is no number"},
		{"h= with an empty name", change("h=from:", "h=from::")(whole) + plain, PermError, "no field name"},
		{"empty field", "DKIM-Signature:\r\n" + plain, PermError, "an empty tag"},

		{"no such key", change("s=ed", "s=none")(whole) + plain, PermError, "no key record at none._domainkey"},
		{"revoked", change("s=ed", "s=gone")(whole) + plain, PermError, "revoked"},
		{"DNS down", change("s=ed", "s=down")(whole) + plain, TempError, "server failure"},
		{"several records", sign(t, plain, SignOptions{Selector: "two"}) + plain, Pass, ""},

		{"top-level d=", sign(t, plain, SignOptions{Domain: "com"}) + plain, Policy, "public suffix"},
		{"suffix d=", sign(t, plain, SignOptions{Domain: "co.uk"}) + plain, Policy, "public suffix"},
		{"subdomain d=", sign(t, plain, SignOptions{Domain: "mail.example.org"}) + plain, Pass, ""},
		{"U-label d=", sign(t, plain, SignOptions{Domain: "münchen.example"}) + plain, Pass, ""},
		{"expired", sign(t, plain, SignOptions{Validity: time.Second}) + plain, Pass, ""},
		{"own field named in h=", sign(t, plain, SignOptions{Headers: []string{"From", "DKIM-Signature"}, OverSign: []string{"DKIM-Signature"}}) + plain, Pass, ""},
	} {
		r := verify(t, z, c.raw)
		if len(r) != 1 {
			t.Errorf("%s: %d results", c.name, len(r))
			continue
		}
		if r[0].Status != c.status || !strings.Contains(r[0].Problem, c.problem) || (r[0].Status == Pass) != (r[0].Problem == "") || (r[0].Status == Pass) != (r[0].Cause == "") {
			t.Errorf("%s: %s (%s), want %s (%s)", c.name, r[0].Status, r[0].Problem, c.status, c.problem)
		}
	}
}

// TestCauses has each cause once.
func TestCauses(t *testing.T) {
	_, ed := testEd25519()
	_, rsaKey := testRSA(t)
	z := zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed, "ed._domainkey.com": ed, "rsa._domainkey.example.org": rsaKey})
	z["gone._domainkey.example.org"] = []string{"v=DKIM1; k=ed25519; p="}
	z["broken._domainkey.example.org"] = []string{"v=DKIM1; p=x"}
	z["down._domainkey.example.org"] = []string{servfail}
	z["huge._domainkey.example.org"] = []string{hugeKey(t)}
	field := sign(t, plain, SignOptions{OverSign: []string{}})
	swap := func(old, new string) string { return strings.Replace(field, old, new, 1) + plain }
	for want, raw := range map[Cause]string{
		"":                      field + plain,
		signature.Syntax:        swap("v=1;", "v=1;;"),
		signature.Unsupported:   swap("v=1;", "v=2;"),
		signature.KeyMissing:    swap("s=ed", "s=no"),
		signature.KeyUnknown:    swap("s=ed", "s=down"),
		signature.KeyBroken:     swap("s=ed", "s=broken"),
		signature.KeyRevoked:    swap("s=ed", "s=gone"),
		signature.KeyUnfit:      swap("s=ed", "s=rsa"),
		signature.KeySize:       strings.Replace(swap("s=ed", "s=huge"), "ed25519-", "rsa-", 1),
		signature.SHA1:          sha1Signed(t, plain, rsaKey) + plain,
		signature.HeaderChanged: swap("t=", "t=1"),
		signature.BodyChanged:   field + plain + "x\r\n",
		signature.BodyPartial:   withLength(t, 2) + plain,
		signature.FromUnsigned:  swap("h=from:", "h="),
		signature.FromAdded:     field + "From: x@example.com\r\n" + plain,
		signature.Expired:       sign(t, plain, SignOptions{Validity: time.Second}) + plain,
		signature.PublicSuffix:  swap("d=example.org", "d=com"),
	} {
		r := Verify(context.Background(), z, message.Parse([]byte(raw), message.Limits{}), now.Add(time.Minute), Limits{})
		if len(r) != 1 || r[0].Cause != want {
			t.Errorf("want %q: %+v", want, r)
		}
	}
}

func TestExpiry(t *testing.T) {
	_, ed := testEd25519()
	z := zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed})
	m := message.Parse([]byte(sign(t, plain, SignOptions{Validity: time.Hour})+plain), message.Limits{})
	for _, c := range []struct {
		after   time.Duration
		status  Status
		expired bool
	}{{0, Pass, false}, {time.Hour, Pass, false}, {time.Hour + time.Second, Policy, true}} {
		r := Verify(context.Background(), z, m, now.Add(c.after), Limits{})[0]
		if r.Status != c.status || r.Expired != c.expired || !r.HeaderMatches || !r.BodyMatches {
			t.Errorf("after %v: %+v", c.after, r)
		}
	}
}

func TestUnsigned(t *testing.T) {
	_, ed := testEd25519()
	z := zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed})
	loose := sign(t, plain, SignOptions{OverSign: []string{}, Headers: []string{"From", "To", "Subject"}})
	r := verify(t, z, loose+"Subject: Pay now\r\nReply-To: mallory@example.com\r\n"+plain)[0]
	if diff := cmp.Diff([]string{"reply-to", "subject", "date", "message-id", "mime-version", "content-type"}, r.Unsigned); diff != "" {
		t.Error(diff)
	}
	if r.Status != Pass || !r.FromSigned || !r.Covers("From") || !r.Covers("to") || r.Covers("Subject") || r.Covers("Date") {
		t.Errorf("%+v", r)
	}
	if want := []string{"date is not signed"}; !slices.Equal(r.Replay, want) {
		t.Errorf("replay marks %q, want %q", r.Replay, want)
	}
	late := Verify(context.Background(), z, message.Parse([]byte(loose+plain), message.Limits{}), now.Add(30*24*time.Hour), Limits{})[0]
	if want := []string{"signed 30 days ago", "date is not signed"}; late.Status != Pass || !slices.Equal(late.Replay, want) {
		t.Errorf("%s, replay marks %q, want %q", late.Status, late.Replay, want)
	}
}

// TestFlags has keys with t=y and t=s.
func TestFlags(t *testing.T) {
	_, ed := testEd25519()
	z := zoneOf(t, "t=y:s; ", map[string]crypto.Signer{"ed._domainkey.example.org": ed})
	if r := verify(t, z, sign(t, plain, SignOptions{})+plain)[0]; r.Status != Pass || !r.Testing {
		t.Errorf("%+v", r)
	}
	if r := verify(t, z, sign(t, plain, SignOptions{AUID: "ann@example.org"})+plain)[0]; r.Status != Pass || r.AUID != "ann@example.org" {
		t.Errorf("%+v", r)
	}
	odd := "an;n=\u00e4@example.org"
	if r := verify(t, z, sign(t, plain, SignOptions{AUID: odd})+plain)[0]; r.Status != Pass || r.AUID != odd {
		t.Errorf("%+v", r)
	}
	if r := verify(t, z, sign(t, plain, SignOptions{AUID: "@sub.example.org"})+plain)[0]; r.Status != PermError || !strings.Contains(r.Problem, "t=s") {
		t.Errorf("%+v", r)
	}
}

// withLength signs with l=, which Sign doesn't offer.
func withLength(t *testing.T, n int) string {
	t.Helper()
	_, ed := testEd25519()
	s, err := lengthSigned(plain, n, ed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBodyLength(t *testing.T) {
	_, ed := testEd25519()
	z := zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed})
	size := len("At noon?\r\n")
	for _, c := range []struct {
		name   string
		n      int
		add    string
		status Status
	}{
		{"all of the body", size, "", Pass},
		{"with text behind it", size, "<h1>Pay now</h1>\r\n", Policy},
		{"a part", 2, "", Policy},
		{"nothing", 0, "", Policy},
		{"more than there is", size + 1, "", Fail},
	} {
		r := verify(t, z, withLength(t, c.n)+plain+c.add)[0]
		if r.Status != c.status || r.BodyLength != int64(c.n) || r.BodyTotal != int64(size+len(c.add)) {
			t.Errorf("%s: %s (%s), l=%d of %d", c.name, r.Status, r.Problem, r.BodyLength, r.BodyTotal)
		}
	}
}

// counter counts questions.
type counter struct {
	texts
	asked chan string
}

func (c counter) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	c.asked <- name
	return c.texts.Lookup(ctx, name, t)
}

// TestBounds has more signatures than are checked: those of the author's domain
// are, and each key is asked for once.
func TestBounds(t *testing.T) {
	_, ed := testEd25519()
	z := counter{zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed}), make(chan string, 100)}
	good := sign(t, plain, SignOptions{})
	var head strings.Builder
	for i := range 25 {
		head.WriteString(strings.Replace(good, "d=example.org", fmt.Sprintf("d=other%d.example", i), 1))
	}
	r := Verify(context.Background(), z, message.Parse([]byte(head.String()+good+good+plain), message.Limits{}), now, Limits{})
	close(z.asked)
	var asked []string
	for name := range z.asked {
		asked = append(asked, name)
	}
	if len(asked) != 9 || len(r) != 27 {
		t.Errorf("%d results, %d questions: %v", len(r), len(asked), asked)
	}
	counts := map[Status]int{}
	for _, x := range r {
		counts[x.Status]++
	}
	if diff := cmp.Diff(map[Status]int{Pass: 2, PermError: 8, Neutral: 17}, counts); diff != "" {
		t.Error(diff)
	}
}

func TestSizesAndSHA1(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	z := zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": short})
	field := sign(t, plain, SignOptions{Key: short})
	if r := verify(t, z, field+plain)[0]; r.Status != Pass || !r.Weak || r.KeyBits != 1024 {
		t.Errorf("%+v", r)
	}
	tiny, err := rsa.GenerateKey(rand.Reader, 768)
	if err != nil {
		t.Skip("this Go makes no short keys")
	}
	z = zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": tiny})
	if r := verify(t, z, field+plain)[0]; r.Status != Policy || !strings.Contains(r.Problem, "768 bits") {
		t.Errorf("%s (%s)", r.Status, r.Problem)
	}
	if _, err := Sign([]byte(plain), now, SignOptions{Domain: "example.org", Selector: "x", Key: tiny}); err == nil {
		t.Error("signed with a short key")
	}
}

func TestSign(t *testing.T) {
	_, rsaKey := testRSA(t)
	_, ed := testEd25519()
	ring, err := NewKeyring(
		RingKey{Domain: "Example.ORG", Selector: "r2025", Key: rsaKey},
		RingKey{Domain: "example.org", Selector: "r2026", Key: rsaKey, NotBefore: now},
		RingKey{Domain: "example.org", Selector: "r2027", Key: rsaKey, NotBefore: now.Add(time.Hour)},
		RingKey{Domain: "example.org", Selector: "e2026", Key: ed, NotAfter: now.Add(time.Hour)},
	)
	if err != nil {
		t.Fatal(err)
	}
	selectors := func(at time.Time) (out []string) {
		for _, o := range ring.At("EXAMPLE.org", at) {
			out = append(out, o.Selector)
		}
		return out
	}
	for at, want := range map[time.Duration][]string{-time.Second: {"r2025", "e2026"}, 0: {"r2026", "e2026"}, 2 * time.Hour: {"r2027"}} {
		if got := selectors(now.Add(at)); !slices.Equal(got, want) {
			t.Errorf("at %v: %v, want %v", at, got, want)
		}
	}
	if len(ring.At("example.com", now)) != 0 {
		t.Error("keys for a foreign domain")
	}
	records, err := ring.Records()
	if err != nil {
		t.Fatal(err)
	}
	z := texts{}
	for _, r := range records {
		z[r[0]] = []string{r[1]}
	}
	fields, err := Sign([]byte(plain), now, ring.At("example.org", now)...)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(fields)) {
		if len(line) > 78+2 {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
	}
	r := verify(t, z, string(fields)+plain)
	if len(r) != 2 || r[0].Status != Pass || r[1].Status != Pass || r[0].Algorithm != "rsa-sha256" || r[1].Algorithm != "ed25519-sha256" {
		t.Errorf("%+v", r)
	}
	for name, raw := range map[string]string{"bare LF": strings.Replace(plain, "noon?\r\n", "noon?\n", 1), "bare CR": plain + "\r", "no From": "To: x\r\n\r\n"} {
		if _, err := Sign([]byte(raw), now, ring.At("example.org", now)...); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	if _, err := NewKeyring(RingKey{Domain: "example.org", Selector: "a", Key: ed}, RingKey{Domain: "example.org", Selector: "A", Key: rsaKey}); err == nil {
		t.Error("two keys under one selector")
	}
}

// TestSignOften signs and verifies with a hundred names in h=, and long ones.
func TestSignOften(t *testing.T) {
	_, ed := testEd25519()
	z := zoneOf(t, "", map[string]crypto.Signer{"ed._domainkey.example.org": ed})
	var raw bytes.Buffer
	var names []string
	for i := range 100 {
		name := fmt.Sprintf("X-%s%d", strings.Repeat("y", i), i)
		names = append(names, name)
		fmt.Fprintf(&raw, "%s: %d\r\n", name, i)
	}
	raw.WriteString(plain)
	if r := verify(t, z, sign(t, raw.String(), SignOptions{Headers: names})+raw.String())[0]; r.Status != Pass || len(r.Signed) != 102 {
		t.Errorf("%s (%s), %d names", r.Status, r.Problem, len(r.Signed))
	}
}
