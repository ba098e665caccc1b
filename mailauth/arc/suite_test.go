package arc

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sluice/dns"
	"sluice/internal/shared"
	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/message"
	"sluice/message/header"
)

// texts answers TXT questions from a map; what isn't there doesn't exist.
type texts map[string]string

func (z texts) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	text, ok := z[name]
	if !ok || t != dns.TXT {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrNXDomain}
	}
	return dns.Answer{Records: []dns.Record{{Name: name, Type: t, Text: text}}}, nil
}

// scenario is one document of the suite.
type scenario struct {
	Description string
	Domain      string
	Sel         string
	PrivateKey  string            `yaml:"privatekey"`
	Records     map[string]string `yaml:"txt-records"`
	Tests       yaml.Node         // names stand twice, so it is no map
}

// sample is one test of the suite: of validation or of signing.
type sample struct {
	name    string
	Message string
	CV      string
	T       int64
	Headers string `yaml:"sig-headers"`
	Server  string `yaml:"srv-id"`
	AS      string `yaml:"AS"`
	AMS     string `yaml:"AMS"`
	AAR     string `yaml:"AAR"`
}

func suite(t *testing.T, file string, each func(*scenario, sample)) (n int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shared.Dir(t, "suites", "arc-valimail", "tests"), file))
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var s scenario
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(s.Tests.Content); i += 2 {
			var c sample
			if err := s.Tests.Content[i+1].Decode(&c); err != nil {
				t.Fatal(err)
			}
			c.name = s.Tests.Content[i].Value
			each(&s, c)
			n++
		}
	}
}

func (s *scenario) zone() texts {
	z := texts{}
	for name, text := range s.Records {
		z[name] = strings.TrimSpace(text)
	}
	return z
}

// exceptions reads testdata/exceptions.txt: "name: why" per line.
func exceptions(t *testing.T) map[string]string {
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
		out[name] = why
	}
	return out
}

// TestValidationSuite runs the validation half of the ARC test suite. What it
// disagrees with is listed, with the reason, in testdata/exceptions.txt, and
// that list must not hold a name that no longer fails.
func TestValidationSuite(t *testing.T) {
	except := exceptions(t)
	failed := 0
	n := suite(t, "arc-draft-validation-tests.yml", func(s *scenario, c sample) {
		m := message.Parse(canon.CRLF([]byte(c.Message)), message.Limits{})
		r := Validate(context.Background(), s.zone(), m, Limits{})
		want := strings.ToLower(strings.TrimSpace(c.CV))
		if want == "" {
			want = "fail" // one test has an empty value, where the chain is broken
		}
		_, known := except[c.name]
		switch ok := string(r.Status) == want; {
		case !ok && !known:
			t.Errorf("%s: %s (%s), want %s", c.name, r.Status, r.Problem, want)
			failed++
		case !ok:
			failed++
			delete(except, c.name)
		}
	})
	for name := range except {
		t.Errorf("%s is listed as an exception and passes", name)
	}
	t.Logf("ARC validation suite: %d of %d as wanted", n-failed, n)
}

// TestSigningSuite runs the signing half: the three fields must be those of the
// suite, tag by tag, signatures included.
func TestSigningSuite(t *testing.T) {
	failed := 0
	n := suite(t, "arc-draft-sign-tests.yml", func(s *scenario, c sample) {
		if err := signSample(s, c); err != nil {
			t.Errorf("%s: %v", c.name, err)
			failed++
		}
	})
	t.Logf("ARC signing suite: %d of %d as wanted", n-failed, n)
}

func signSample(s *scenario, c sample) error {
	k := strings.NewReplacer("#PEM BEGIN RSA #", "-----BEGIN RSA "+"PRIVATE KEY-----",
		"#PEM END RSA #", "-----END RSA "+"PRIVATE KEY-----").Replace(s.PrivateKey)
	if b, _ := pem.Decode([]byte(k)); b == nil {
		return errors.New("the suite's key has another armour than expected")
	}
	signer, err := key.ParsePrivate([]byte(k))
	if err != nil {
		return err
	}
	raw := canon.CRLF([]byte(c.Message))
	m := message.Parse(raw, message.Limits{})
	var results []string
	status := ""
	for _, v := range m.Header().Values("Authentication-Results") {
		id, rest, _ := strings.Cut(v, ";")
		if strings.TrimSpace(id) != c.Server {
			continue
		}
		for _, r := range strings.Split(rest, ";") {
			results = append(results, strings.TrimSpace(r))
			if s, ok := strings.CutPrefix(strings.TrimSpace(r), "arc="); ok {
				status = s
			}
		}
	}
	chain := Validate(context.Background(), s.zone(), m, Limits{})
	if status == "fail" {
		chain.Status = Fail // the suite takes the state from the results
	}
	out, err := Seal(raw, time.Unix(c.T, 0), SealOptions{Domain: s.Domain, Selector: s.Sel, Key: signer,
		AuthServID: c.Server, Results: strings.Join(results, "; "), Chain: chain,
		Headers: strings.Split(strings.TrimSpace(c.Headers), ":")})
	if strings.TrimSpace(c.AS) == "" {
		if !errors.Is(err, ErrEnded) {
			return fmt.Errorf("sealed (%v), want none", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	h, _ := header.Parse(out, 0, 0)
	for name, want := range map[string]string{"ARC-Seal": c.AS, "ARC-Message-Signature": c.AMS, "ARC-Authentication-Results": c.AAR} {
		if got, want := tagsOf(h.Get(name)), tagsOf(want); !slices.Equal(got, want) {
			return fmt.Errorf("%s (chain %s %s):\n got %q\nwant %q", name, chain.Status, chain.Problem, got, want)
		}
	}
	return nil
}

// tagsOf splits a field at semicolons and drops white space.
func tagsOf(s string) []string {
	var out []string
	for _, t := range strings.Split(s, ";") {
		if t = strings.Join(strings.Fields(t), ""); t != "" {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}
