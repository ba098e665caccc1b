package spf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sluice/dns"
	"sluice/internal/shared"
)

// exceptions are the published cases where we differ, with the RFC's word that
// bids us to. The list may only shrink: a case in it that passes is an error.
var exceptions = map[string]string{
	// RFC 7208 4.3: where the domain "is not a multi-label domain name", the
	// result is none at once. These cases send from domains such as "mx10"; the
	// RFC's own suite has helo-not-fqdn against it. TestEvaluation has what they
	// are about, with names of two labels.
	"blitirispf-tests.yml/MX resolution limits/mx-resolution-10-terms": oneLabel,
	"blitirispf-tests.yml/MX resolution limits/mx-resolution-11-terms": oneLabel,
	"blitirispf-tests.yml/NXDOMAIN tests/all-mx-not-found":             oneLabel,
	"blitirispf-tests.yml/NXDOMAIN tests/one-mx-not-found":             oneLabel,
	"blitirispf-tests.yml/NXDOMAIN tests/include-not-found":            oneLabel,
	"blitirispf-tests.yml/NXDOMAIN tests/redirect-not-found":           oneLabel,
	// RFC 7208 7.1: domain-end = ( "." toplabel [ "." ] ) / macro-expand, so
	// "include:d11" is a syntax error, as in the RFC's own a-only-toplabel.
	"blitirispf-tests.yml/Resolution limits/resolution-with-10-lookups": "include:d11 has no top label",
	// RFC 7208 6: unrecognized modifiers MUST be ignored. The case asks for the
	// lax mode of one library; the RFC's own default-modifier-obsolete has the
	// same record and says neutral.
	"pyspf-tests.yml/4/default-modifier": "default= is an unknown modifier",
	// RFC 7208 2.6 has no result "ambiguous": that library's mode again.
	"pyspf-tests.yml/4/default-modifier-harsh": "ambiguous is no result",
}

const oneLabel = "the sender's domain has one label"

// unaskable are the cases that need a name which the house's resolvers refuse,
// for [dns.Normalize] takes no spaces: with them they don't match.
var unaskable = []string{"macro-mania-in-domain"}

// houseNames asks only what every resolver of the house takes.
type houseNames struct{ dns.Resolver }

func (r houseNames) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	if _, err := dns.Normalize(name); err != nil {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrBadName, Err: err}
	}
	return r.Resolver.Lookup(ctx, name, t)
}

// suites are the files with the number of their cases, so that none gets lost.
var suites = []struct {
	file  string
	cases int
}{
	{"rfc7208-tests.yml", 203},
	{"rfc4408-tests.yml", 191},
	{"pyspf-tests.yml", 16},
	{"blitirispf-tests.yml", 21},
}

func TestSuites(t *testing.T) {
	shared.Dir(t, "suites", "spf-rfc7208") // skips here where it is absent
	seen := map[string]bool{}
	for _, s := range suites {
		t.Run(s.file, func(t *testing.T) {
			cases := loadSuite(t, s.file)
			good := 0
			for _, c := range cases {
				name := s.file + "/" + c.scenario + "/" + c.name
				seen[name] = true
				why := c.run(t.Context(), c.zone)
				_, except := exceptions[name]
				if house := c.run(t.Context(), houseNames{c.zone}); (house == why) == slices.Contains(unaskable, c.name) {
					t.Errorf("%q with a resolver of the house: %s", name, house)
				}
				switch {
				case why == "":
					good++
					if except {
						t.Errorf("%q passes: take it off the list of exceptions", name)
					}
				case !except:
					t.Errorf("%q: %s", name, why)
				}
			}
			t.Logf("%s: %d of %d", s.file, good, len(cases))
			if len(cases) != s.cases {
				t.Errorf("the file has %d cases, want %d", len(cases), s.cases)
			}
		})
	}
	for name := range exceptions {
		if !seen[name] {
			t.Errorf("exception %q names no case", name)
		}
	}
}

type suiteCase struct {
	scenario, name       string
	helo, host, mailfrom string
	results, explanation []string
	zone                 *suiteZone
}

func (c *suiteCase) run(ctx context.Context, r dns.Resolver) string {
	ip, err := netip.ParseAddr(c.host)
	if err != nil {
		return err.Error()
	}
	c.zone.asked = 0
	got := Check(ctx, r, Input{IP: ip, HELO: c.helo, MailFrom: c.mailfrom, Receiver: "mx.receiver.example", Now: time.Unix(1700000000, 0)}, Limits{})
	if !slices.Contains(c.results, string(got.Result)) {
		return fmt.Sprintf("got %s (%s), want %s\n%s", got.Result, got.Problem, c.results, trace(got))
	}
	if len(c.explanation) > 0 && got.Explanation != c.explanation[0] {
		return fmt.Sprintf("explanation %q, want %q\n%s", got.Explanation, c.explanation[0], trace(got))
	}
	if c.zone.asked > maxQuestions {
		return fmt.Sprintf("%d questions", c.zone.asked)
	}
	return ""
}

// maxQuestions is what one evaluation may ask: the record, ten terms with ten
// addresses each, and the explanation with the client's names.
const maxQuestions = 1 + 10*(1+10) + 1 + 1 + 10

func trace(r Result) string {
	var b strings.Builder
	for _, s := range r.Trace {
		fmt.Fprintf(&b, "%s%s %s: %s → %s (%s)\n", strings.Repeat("  ", s.Depth), s.Domain, s.Term, s.Query, s.Answer, s.Outcome)
	}
	return b.String()
}

func loadSuite(t *testing.T, file string) []*suiteCase {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(shared.Dir(t, "suites", "spf-rfc7208", "testdata"), file))
	if err != nil {
		t.Fatal(err)
	}
	var out []*suiteCase
	d := yaml.NewDecoder(bytes.NewReader(b))
	for n := 1; ; n++ {
		var doc struct {
			Description string
			Tests       map[string]struct {
				Helo, Host, Mailfrom string
				Result               yaml.Node
				Explanation          *string
			}
			Zonedata map[string][]yaml.Node
		}
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: document %d: %v", file, n, err)
		}
		if doc.Description == "" {
			doc.Description = fmt.Sprint(n)
		}
		zone := newSuiteZone(t, doc.Zonedata)
		for name, c := range doc.Tests {
			sc := &suiteCase{scenario: doc.Description, name: name, helo: c.Helo, host: c.Host, mailfrom: c.Mailfrom, results: texts(t, c.Result), zone: zone}
			if c.Explanation != nil {
				want := *c.Explanation
				if want == "DEFAULT" { // our default is none
					want = ""
				}
				sc.explanation = []string{want}
			}
			out = append(out, sc)
		}
	}
	slices.SortFunc(out, func(a, b *suiteCase) int { return strings.Compare(a.scenario+"/"+a.name, b.scenario+"/"+b.name) })
	return out
}

// texts reads a scalar or a list of them.
func texts(t *testing.T, n yaml.Node) []string {
	t.Helper()
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	out := []string{}
	for _, c := range n.Content {
		out = append(out, c.Value)
	}
	return out
}

// suiteZone answers from a scenario's zonedata. Names may be any that the DNS
// can carry, spaces too.
type suiteZone struct {
	names map[string]*suiteName
	asked int
}

type suiteName struct {
	records map[dns.Type][]dns.Record
	fail    bool // server failure for types without records
}

func newSuiteZone(t *testing.T, data map[string][]yaml.Node) *suiteZone {
	t.Helper()
	z := &suiteZone{names: map[string]*suiteName{}}
	for name, entries := range data {
		n := &suiteName{records: map[dns.Type][]dns.Record{}}
		z.names[suiteFold(name)] = n
		var policies []dns.Record
		txt := false
		for _, e := range entries {
			if e.Kind == yaml.ScalarNode && e.Value == "TIMEOUT" {
				n.fail = true
				continue
			}
			if e.Kind != yaml.MappingNode || len(e.Content) != 2 {
				t.Fatalf("%s: zonedata is malformed", name)
			}
			key, values := e.Content[0].Value, texts(t, *e.Content[1])
			add := func(typ dns.Type, r dns.Record) {
				r.Type = typ
				n.records[typ] = append(n.records[typ], r)
			}
			switch key {
			case "TIMEOUT", "SERVFAIL", "CNAMELOOP":
				n.fail = true
			case "A", "AAAA":
				typ, _ := dns.ParseType(key)
				add(typ, dns.Record{Addr: netip.MustParseAddr(values[0])})
			case "MX":
				pref, err := strconv.ParseUint(values[0], 10, 16)
				if err != nil {
					t.Fatal(err)
				}
				add(dns.MX, dns.Record{Host: suiteFold(values[1]), Pref: uint16(pref)})
			case "PTR":
				add(dns.PTR, dns.Record{Host: suiteFold(values[0])})
			case "CNAME":
				add(dns.CNAME, dns.Record{Host: suiteFold(values[0])})
			case "TXT":
				txt = true
				if values[0] != "NONE" {
					add(dns.TXT, dns.Record{Text: strings.Join(values, "")})
				}
			case "SPF":
				policies = append(policies, dns.Record{Type: dns.TXT, Text: strings.Join(values, "")})
			default:
				t.Fatalf("%s: unknown type %s", name, key)
			}
		}
		if !txt { // the suites' rule: SPF records stand for TXT where there are none
			n.records[dns.TXT] = policies
		}
	}
	return z
}

func suiteFold(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

func (z *suiteZone) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	z.asked++
	fail := func(kind error) (dns.Answer, error) {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: kind}
	}
	at := suiteFold(name)
	for range 8 {
		n := z.names[at]
		switch {
		case n == nil:
			return fail(dns.ErrNXDomain)
		case len(n.records[t]) > 0:
			return dns.Answer{Records: n.records[t], Canonical: at}, nil
		case n.fail:
			return fail(dns.ErrServFail)
		case len(n.records[dns.CNAME]) == 0:
			return fail(dns.ErrNoData)
		}
		at = n.records[dns.CNAME][0].Host
	}
	return fail(dns.ErrServFail)
}
