package arc

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/dns"
	"sluice/internal/shared"
	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/message"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const plain = "From: Ann <ann@example.org>\r\nTo: list@lists.example\r\nSubject: Lunch\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n\r\nAt noon?\r\n"

func testKey() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, "a seed for the tests of this package")
	return ed25519.NewKeyFromSeed(seed)
}

func testZone(t testing.TB, domains ...string) texts {
	t.Helper()
	return zoneOf(t, testKey(), domains...)
}

func zoneOf(t testing.TB, k crypto.Signer, domains ...string) texts {
	t.Helper()
	text, err := key.Text(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	z := texts{}
	for _, d := range domains {
		z[key.Name(d, "x")] = text
	}
	return z
}

func validate(z dns.Resolver, raw string) Result {
	return Validate(context.Background(), z, message.Parse([]byte(raw), message.Limits{}), Limits{})
}

// hop validates what arrives, changes it, and seals.
func hop(t testing.TB, z dns.Resolver, raw, domain string, change func(string) string) string {
	t.Helper()
	return hopWith(t, testKey(), z, raw, domain, change)
}

func hopWith(t testing.TB, k crypto.Signer, z dns.Resolver, raw, domain string, change func(string) string) string {
	t.Helper()
	chain := validate(z, raw)
	if change != nil {
		raw = change(raw)
	}
	set, err := Seal([]byte(raw), now, SealOptions{Domain: domain, Selector: "x", Key: k, AuthServID: "mx." + domain,
		Results: "arc=" + string(chain.Status) + "; dkim=pass header.d=example.org", Chain: chain})
	if err != nil {
		t.Fatal(err)
	}
	return string(set) + raw
}

// TestChain passes a message through three sealers; the second, a mailing list,
// changes subject and body.
func TestChain(t *testing.T) {
	z := testZone(t, "a.example", "list.example", "c.example")
	raw := hop(t, z, plain, "a.example", nil)
	raw = hop(t, z, "Received: by list\r\n"+raw, "list.example", func(s string) string {
		return strings.Replace(s, "Subject: ", "Subject: [list] ", 1) + "-- \r\nlist\r\n"
	})
	raw = hop(t, z, "Received: by c\r\n"+raw, "c.example", nil)
	r := validate(z, raw)
	want := Result{Status: Pass, Instances: 3, Sealers: []string{"a.example", "list.example", "c.example"}, OldestPass: 2,
		Sets: []Set{
			{Instance: 1, Sealer: "a.example", Chain: "none", Seal: Pass, Message: Fail, Problem: "message signature: the signature does not match the header",
				Results: "mx.a.example; arc=none; dkim=pass header.d=example.org"},
			{Instance: 2, Sealer: "list.example", Chain: "pass", Seal: Pass, Message: Pass, Results: "mx.list.example; arc=pass; dkim=pass header.d=example.org"},
			{Instance: 3, Sealer: "c.example", Chain: "pass", Seal: Pass, Message: Pass, Results: "mx.c.example; arc=pass; dkim=pass header.d=example.org"},
		}}
	for i := range want.Sets {
		s := &want.Sets[i]
		s.Selector, s.Signer, s.Time, s.KeyBits, s.FromSigned = "x", s.Sealer, now, 256, true
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

// TestForgeries changes a chain of two in the ways of forgers and of mistakes.
func TestForgeries(t *testing.T) {
	z := testZone(t, "a.example", "b.example", "evil.example")
	one := hop(t, z, plain, "a.example", nil)
	two := hop(t, z, one, "b.example", nil)
	cut := func(s, name string, n int) string { // drops the n-th field of a name
		out, seen, drop := "", 0, false
		for line := range strings.Lines(s) {
			if !strings.HasPrefix(line, " ") {
				drop = strings.HasPrefix(line, name+":")
				if drop {
					seen++
					drop = seen == n
				}
			}
			if !drop {
				out += line
			}
		}
		if seen < n {
			t.Fatalf("no %s to drop", name)
		}
		return out
	}
	replace := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(s, old, new, 1)
	}
	for _, c := range []struct {
		name, raw string
		status    Status
		problem   string
		at        int
	}{
		{"untouched", two, Pass, "", 0},
		{"no chain", plain, None, "", 0},
		{"trace added", "Received: x\r\n" + two, Pass, "", 0},
		{"body changed", two + "x\r\n", Fail, "ARC-Message-Signature i=2: the body was changed", 2},
		{"From changed", replace(two, "ann@example.org", "ann@example.com"), Fail, "does not match the header", 2},
		{"second From", "From: mallory@example.com\r\n" + two, Pass, "", 0}, // FromSigned says so, see below
		{"results changed", replace(two, "i=1;\r\n mx.a.example;\r\n arc=none;\r\n dkim=pass", "i=1;\r\n mx.a.example;\r\n arc=none;\r\n dkim=fail"), Fail, "ARC-Seal i=2", 2},
		{"newest set cut off", cut(cut(cut(two, "ARC-Seal", 1), "ARC-Message-Signature", 1), "ARC-Authentication-Results", 1), Pass, "", 0}, // what a. sent
		{"seal cut off", cut(two, "ARC-Seal", 1), Fail, "no ARC-Seal with i=2", 2},
		{"older seal cut off", cut(two, "ARC-Seal", 2), Fail, "no ARC-Seal with i=1", 1},
		{"results cut off", cut(two, "ARC-Authentication-Results", 2), Fail, "no ARC-Authentication-Results with i=1", 1},
		{"oldest set cut off", cut(cut(cut(two, "ARC-Seal", 2), "ARC-Message-Signature", 2), "ARC-Authentication-Results", 2), Fail, "with i=1", 1},
		{"results twice", "ARC-Authentication-Results: i=2; mx.evil.example; dkim=pass\r\n" + two, Fail, "i=2 stands twice", 0},
		{"a set without seal on top", "ARC-Authentication-Results: i=3; mx.evil.example; dkim=pass\r\n" + two, Fail, "no ARC-Message-Signature with i=3", 3},
		{"i=51", "ARC-Authentication-Results: i=51; mx.evil.example\r\n" + two, Fail, "number from 1 to 50", 0},
		{"i=0", "ARC-Authentication-Results: i=0; mx.evil.example\r\n" + two, Fail, "number from 1 to 50", 0},
		{"cv=pass at i=1", replace(one, "cv=none", "cv=pass"), Fail, "the seal i=1 has cv=pass", 1},
		{"cv=none at i=2", replace(two, "cv=pass", "cv=none"), Fail, "the seal i=2 has cv=none", 2},
		{"cv=fail", replace(two, "cv=pass", "cv=fail"), Fail, "the last sealer found the chain broken", 2},
		{"d= of the seal exchanged", replace(two, "cv=pass; d=b.example", "cv=pass; d=evil.example"), Fail, "ARC-Seal i=2", 2},
		{"selector unknown", replace(two, "i=2; s=x", "i=2; s=y"), Fail, "no key record at y._domainkey.b.example", 2},
		{"junk", "ARC-Seal: x\r\n" + plain, Fail, "ARC-Seal: syntax", 0},
	} {
		r := validate(z, c.raw)
		if r.Status != c.status || !strings.Contains(r.Problem, c.problem) || r.FailedAt != c.at || r.Temporary {
			t.Errorf("%s: %s (%s) at %d, want %s (%s) at %d", c.name, r.Status, r.Problem, r.FailedAt, c.status, c.problem, c.at)
		}
	}
	if r := validate(z, "From: mallory@example.com\r\n"+two); r.Sets[1].FromSigned {
		t.Error("two From fields are signed by a signature over one")
	}
}

type failing struct{ texts }

func (f failing) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	if strings.Contains(name, "a.example") {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrTimeout}
	}
	return f.texts.Lookup(ctx, name, t)
}

// TestTemporary fails a chain only because a key could not be asked for, and
// doesn't seal it.
func TestTemporary(t *testing.T) {
	z := testZone(t, "a.example", "b.example")
	raw := hop(t, z, hop(t, z, plain, "a.example", nil), "b.example", nil)
	r := validate(failing{z}, raw)
	if r.Status != Fail || !r.Temporary || r.FailedAt != 1 {
		t.Errorf("%+v", r)
	}
	if _, err := Seal([]byte(raw), now, SealOptions{Domain: "b.example", Selector: "x", Key: testKey(), AuthServID: "mx", Chain: r}); !errors.Is(err, ErrUnknown) {
		t.Errorf("sealed: %v", err)
	}
	if r := validate(failing{z}, raw+"x\r\n"); r.Temporary {
		t.Errorf("a chain broken for good is called temporary: %+v", r)
	}
}

// TestSealFailed seals a broken chain as failed, once.
func TestSealFailed(t *testing.T) {
	z := testZone(t, "a.example", "b.example")
	raw := strings.Replace(hop(t, z, plain, "a.example", nil), "arc=none", "arc=pass", 1)
	raw = hop(t, z, raw, "b.example", nil)
	r := validate(z, raw)
	if r.Status != Fail || r.FailedAt != 2 || r.Sets[1].Chain != "fail" {
		t.Errorf("%+v", r)
	}
	if _, err := Seal([]byte(raw), now, SealOptions{Domain: "b.example", Selector: "x", Key: testKey(), AuthServID: "mx", Chain: r}); !errors.Is(err, ErrEnded) {
		t.Errorf("sealed: %v", err)
	}
	// A result of another message doesn't fit.
	if _, err := Seal([]byte(plain), now, SealOptions{Domain: "b.example", Selector: "x", Key: testKey(), AuthServID: "mx", Chain: Result{Status: Pass, Instances: 1}}); err == nil {
		t.Error("sealed with a foreign result")
	}
}

// TestResults takes results as a header field has them, and refuses what would
// begin another field.
func TestResults(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "none",
		"spf=pass;\r\n dkim=pass":        "spf=pass; dkim=pass",
		"spf=pass; dkim=pass;":           "spf=pass; dkim=pass",
		"spf=pass\r\nBcc: x":             "",
		"spf=pass\nBcc: x":               "",
		"dkim=pass reason=\"a;\r\n\tb\"": "dkim=pass reason=\"a; b\"",
	} {
		out, err := Seal([]byte(plain), now, SealOptions{Domain: "a.example", Selector: "x", Key: testKey(), AuthServID: "mx", Results: in, Chain: Result{Status: None}})
		if want == "" {
			if err == nil {
				t.Errorf("%q: sealed as %q", in, out)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		r := validate(testZone(t, "a.example"), string(out)+plain)
		if r.Status != Pass || r.Sets[0].Results != "mx; "+want {
			t.Errorf("%q: %s (%s), results %q", in, r.Status, r.Problem, r.Sets[0].Results)
		}
	}
}

// TestLongChain grows a chain to its end.
func TestLongChain(t *testing.T) {
	z := testZone(t, "a.example")
	raw := plain
	for range 50 {
		raw = hop(t, z, raw, "a.example", nil)
	}
	r := validate(z, raw)
	if r.Status != Pass || r.Instances != 50 || r.OldestPass != 0 {
		t.Errorf("%s (%s), %d sets, oldest %d", r.Status, r.Problem, r.Instances, r.OldestPass)
	}
	if _, err := Seal([]byte(raw), now, SealOptions{Domain: "a.example", Selector: "x", Key: testKey(), AuthServID: "mx", Chain: r}); !errors.Is(err, ErrFull) {
		t.Errorf("sealed: %v", err)
	}
	if r := Validate(context.Background(), z, message.Parse([]byte(raw), message.Limits{}), Limits{Instances: 10}); r.Status != Fail {
		t.Errorf("%+v", r)
	}
}

// TestKeyBound refuses a chain that needs more keys than any honest one.
func TestKeyBound(t *testing.T) {
	var domains []string
	for i := range 21 {
		domains = append(domains, fmt.Sprintf("d%d.example", i))
	}
	z := testZone(t, domains...)
	raw := plain
	for _, d := range domains {
		raw = hop(t, z, raw, d, nil)
	}
	m := message.Parse([]byte(raw), message.Limits{})
	if r := Validate(context.Background(), z, m, Limits{}); r.Status != Pass {
		t.Errorf("%s (%s)", r.Status, r.Problem)
	}
	if r := Validate(context.Background(), z, m, Limits{Keys: 20}); r.Status != Fail || !strings.Contains(r.Problem, "more than 20 keys") {
		t.Errorf("%s (%s)", r.Status, r.Problem)
	}
}

// TestMailAuthSuite runs mail-auth's two sealed messages.
func TestMailAuthSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared.Dir(t, "suites", "dkim-mail-auth", "resources", "arc"), "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no messages", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		keys, raw, _ := bytes.Cut(canon.CRLF(data), []byte("\r\n\r\n"))
		z := texts{}
		for line := range strings.Lines(string(keys)) {
			name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			z[name] = text
		}
		if r := validate(z, string(raw)); r.Status != Pass {
			t.Errorf("%s: %s (%s)", filepath.Base(f), r.Status, r.Problem)
		}
	}
}

// FuzzValidate takes any message. A chain that passes ends in a seal of the key,
// over the text it was made for.
func FuzzValidate(f *testing.F) {
	z := testZone(f, "a.example")
	one := hop(f, z, plain, "a.example", nil)
	f.Add([]byte(one))
	f.Add([]byte(hop(f, z, one, "a.example", nil)))
	f.Add([]byte("ARC-Seal: i=1; cv=none\r\nARC-Seal: i=1\r\nARC-Authentication-Results: i=50;\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := message.Parse(canon.CRLF(raw), message.Limits{})
		r := Validate(context.Background(), z, m, Limits{})
		if r.Instances > 50 || len(r.Sets) != r.Instances || (r.Status == Fail) != (r.Problem != "") {
			t.Fatalf("%+v", r)
		}
		if r.Status != Pass {
			return
		}
		for _, s := range r.Sets {
			if s.Seal != Pass || s.Sealer != "a.example" {
				t.Fatalf("%+v", s)
			}
		}
		if last := r.Sets[r.Instances-1]; last.Message != Pass || !strings.Contains(string(m.Body(m.Parts[0])), "At noon?") {
			t.Fatalf("%+v passes for %q", last, raw)
		}
	})
}

// BenchmarkValidate checks a chain of three, the DNS answered from memory.
func BenchmarkValidate(b *testing.B) {
	z := testZone(b, "a.example", "b.example", "c.example")
	raw := hop(b, z, hop(b, z, hop(b, z, plain, "a.example", nil), "b.example", nil), "c.example", nil)
	m := message.Parse([]byte(raw), message.Limits{})
	b.ReportAllocs()
	for b.Loop() {
		if r := Validate(context.Background(), z, m, Limits{}); r.Status != Pass {
			b.Fatal(r.Problem)
		}
	}
}
