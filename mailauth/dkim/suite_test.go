//go:debug rsa1024min=0

package dkim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/shared"
	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/mailauth/signature"
	"sluice/message"
)

// The published suites. What we disagree with is listed by name, with the reason,
// in testdata/exceptions.txt; a listed name that passes fails the test, so the
// list may only shrink.
//
// The messages of Mail::DKIM are of 2005 to 2009: keys of 512 bits, SHA-1, drafts
// before v=1, all of which RFC 8301 and RFC 6376 forbid today. So each is checked
// twice: by Verify, where the exceptions say which rule refuses it, and by
// TestPerlSuiteForms for canonicalization and hashes alone, with those rules off.

func exceptions(t *testing.T, suite string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, why, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("testdata/exceptions.txt: no reason in %q", line)
		}
		if s, name, _ := strings.Cut(name, "/"); s == suite {
			out[name] = why
		}
	}
	return out
}

// tally compares outcomes with what the suite wants, but for the exceptions.
type tally struct {
	t       *testing.T
	suite   string
	except  map[string]string
	n, good int
}

func newTally(t *testing.T, suite string) *tally {
	c := &tally{t: t, suite: suite, except: exceptions(t, suite)}
	t.Cleanup(func() {
		if t.Skipped() {
			return
		}
		for name := range c.except {
			t.Errorf("%s/%s is listed as an exception and passes", suite, name)
		}
		t.Logf("%s: %d of %d as wanted", suite, c.good, c.n)
	})
	return c
}

func (c *tally) check(name, got, want, detail string) {
	c.t.Helper()
	c.n++
	_, known := c.except[name]
	switch {
	case got == want:
		c.good++
	case known:
		delete(c.except, name)
	default:
		c.t.Errorf("%s/%s: %s (%s), want %s", c.suite, name, got, detail, want)
	}
}

var suiteTime = time.Unix(1700000000, 0)

func perlSuite(t *testing.T, each func(name string, zone texts, m *message.Message)) {
	t.Helper()
	dir := shared.Dir(t, "suites", "dkim-perl-mail-dkim", "t")
	zone := perlZone(t, filepath.Join(dir, "FAKE_DNS.dat"))
	files, err := filepath.Glob(filepath.Join(dir, "corpus", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no messages", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		each(strings.TrimSuffix(filepath.Base(f), ".txt"), zone, message.Parse(canon.CRLF(data), message.Limits{}))
	}
}

// perlWants says whether the name of a message promises a signature that passes.
func perlWants(name string) string {
	for _, bad := range []string{"bad", "ignore"} {
		if strings.HasPrefix(name, bad) {
			return "no pass"
		}
	}
	return "pass"
}

func TestPerlSuite(t *testing.T) {
	c := newTally(t, "mail-dkim")
	perlSuite(t, func(name string, zone texts, m *message.Message) {
		got, detail := "no pass", "no DKIM-Signature"
		for _, r := range Verify(context.Background(), zone, m, suiteTime, Limits{}) {
			if r.Status == Pass {
				got = "pass"
			}
			detail = string(r.Status) + ": " + r.Problem
		}
		c.check(name, got, perlWants(name), detail)
	})
}

// TestPerlSuiteForms looks at hashes only: versions, sizes and SHA-1 as they were
// allowed once. DomainKeys and ignore_ messages, which are about other rules, are
// left out.
func TestPerlSuiteForms(t *testing.T) {
	c := newTally(t, "mail-dkim-forms")
	perlSuite(t, func(name string, zone texts, m *message.Message) {
		if m.Header().Count("DKIM-Signature") == 0 || strings.HasPrefix(name, "ignore") || strings.HasPrefix(name, "badkey") {
			return
		}
		got, detail := "no pass", ""
		h := m.Header()
		cm := canon.New(m.Raw, h.Fields, m.Body(m.Parts[0]))
		for _, i := range cm.Named("dkim-signature") {
			sig, fault := signature.Parse(cm.Field(i), signature.DKIM)
			if fault != nil && !strings.Contains(fault.Problem, "v=") {
				detail = fault.Problem
				continue
			}
			o := sig.Check(cm.HashHeader(sig.Algorithm.Hash, sig.Header, cm.Select(sig.Names, i), sig.Field, sig.Tags.Place("b")),
				key.Lookup(context.Background(), zone, sig.Domain, sig.Selector))
			sum := cm.HashBody([]canon.BodyRequest{{Canon: sig.Body, Hash: sig.Algorithm.Hash, Length: sig.Length}})[0]
			detail = o.Problem
			if o.Verified && bytes.Equal(sum.Sum, sig.BodyHash) {
				got = "pass"
			}
		}
		c.check(name, got, perlWants(name), detail)
	})
}

func perlZone(t *testing.T, file string) texts {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	z := texts{}
	for line := range strings.Lines(string(data)) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || name == "#" {
			continue
		}
		switch text = strings.TrimSpace(text); {
		case text == "NXDOMAIN":
		case strings.HasPrefix(text, "~~"):
			z[name] = []string{servfail}
		default:
			z[name] = append(z[name], strings.Trim(text, `"`))
		}
	}
	return z
}

// TestChasquidSuite runs chasquid's messages. It checks five signatures at most,
// and so does this.
func TestChasquidSuite(t *testing.T) {
	dir := shared.Dir(t, "suites", "chasquid", "internal", "dkim", "testdata")
	files, err := filepath.Glob(filepath.Join(dir, "*.msg"))
	if err != nil || len(files) == 0 {
		t.Fatal("no messages", err)
	}
	c := newTally(t, "chasquid")
	states := map[Status]string{Pass: "SUCCESS", TempError: "TEMPFAIL"}
	for _, f := range files {
		base := strings.TrimSuffix(f, ".msg")
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			Results []struct{ Domain, Selector, State string }
		}
		if b, err := os.ReadFile(base + ".result"); err == nil {
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
		} else if b, err := os.ReadFile(base + ".error"); err == nil && strings.TrimSpace(string(b)) != "<nil>" {
			want.Results = nil // no message: no signature
		} else {
			// The two keys of 07 stand at one name; its second signature passes.
			want.Results = append(want.Results, struct{ Domain, Selector, State string }{State: "SUCCESS"},
				struct{ Domain, Selector, State string }{State: "SUCCESS"})
		}
		m := message.Parse(canon.CRLF(data), message.Limits{})
		var got, wanted, detail []string
		for i, r := range Verify(context.Background(), chasquidZone(t, base+".dns"), m, suiteTime, Limits{Signatures: 5}) {
			s := states[r.Status]
			if s == "" {
				s = "PERMFAIL"
			}
			if i < 5 {
				got = append(got, s)
			} else if r.Status == Pass {
				t.Errorf("%s: signature %d was checked", base, i)
			}
			detail = append(detail, r.Problem)
		}
		for _, r := range want.Results {
			wanted = append(wanted, r.State)
		}
		c.check(filepath.Base(base), strings.Join(got, " "), strings.Join(wanted, " "), strings.Join(detail, "; "))
	}
}

// chasquidZone reads "name: text", with lines continued by a backslash.
func chasquidZone(t *testing.T, file string) texts {
	t.Helper()
	z := texts{}
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		// Some messages use the keys of others; these are all of them.
		data, err = os.ReadFile(filepath.Join(filepath.Dir(file), "08-our_signature.dns"))
	}
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "\\\n", "")
	for line := range strings.Lines(text) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		switch text = strings.TrimSpace(text); text {
		case "TEMPERROR":
			z[name] = []string{servfail}
		case "PERMERROR": // any firm denial
		default:
			z[name] = append(z[name], text)
		}
	}
	return z
}

// TestMailAuthSuite runs mail-auth's messages: real ones, and the examples of RFC
// 6376 and RFC 8463. Keys stand before the message.
func TestMailAuthSuite(t *testing.T) {
	dir := shared.Dir(t, "suites", "dkim-mail-auth", "resources", "dkim")
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no messages", err)
	}
	c := newTally(t, "mail-auth")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		dns, raw, ok := bytes.Cut(canon.CRLF(data), []byte("\r\n\r\n"))
		if !ok {
			t.Fatalf("%s: no empty line behind the keys", f)
		}
		zone := texts{}
		for line := range strings.Lines(string(dns)) {
			name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			zone[name] = []string{text}
		}
		m := message.Parse(raw, message.Limits{})
		at := suiteTime
		var bad []string
		for _, i := range canon.New(m.Raw, m.Header().Fields, nil).Named("dkim-signature") {
			r := m.Header().Fields[i].Range
			if sig, _ := signature.Parse(m.Raw[r.Off:r.End()], signature.DKIM); !sig.Timestamp.IsZero() {
				at = sig.Timestamp // the suite runs on the day of the message
			}
		}
		results := Verify(context.Background(), zone, m, at, Limits{})
		for _, r := range results {
			if r.Status != Pass {
				bad = append(bad, fmt.Sprintf("%s: %s", r.Status, r.Problem))
			}
		}
		got := "pass"
		if len(bad) > 0 || len(results) == 0 {
			got = "no pass"
		}
		slices.Sort(bad)
		c.check(strings.TrimSuffix(filepath.Base(f), ".txt"), got, "pass", strings.Join(bad, "; "))
	}
}
