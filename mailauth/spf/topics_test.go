package spf

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/dns"
	"sluice/internal/shared"
)

// topicExceptions are the cases of a library's suite by topic where we differ,
// with the reason. The list may only shrink.
var topicExceptions = map[string]string{
	"all.yml/All test:14":             `RFC 7208 4.6: a syntax error anywhere is a permerror, "ip:10.0.0.1" behind all too (detect-errors-anywhere)`,
	"basic.yml/DNS Lookup Limits:112": "RFC 7208 4.6.4: more than two void lookups are a permerror; here are ten (void-over-limit)",
	"exists.yml/Exists:19":            "RFC 7208 5.7: exists asks for A alone; the name has AAAA (exists-ip6only)",
	"macro.yml/Macro expansion 2:35":  "RFC 7208 5.7 again: the name asked for with exists has AAAA alone",
	"ip.yml/IPv6 match:54":            "RFC 7208 5: an IPv4 client never matches ip6, not as ::ffff: either (ip4-mapped-ip6)",
}

// TestTopics runs another library's cases. They give the name in HELO, which has
// to pass first, and the sender (RFC 7208 2.3, 2.4).
func TestTopics(t *testing.T) {
	dir := shared.Dir(t, "suites", "dkim-mail-auth", "resources", "spf")
	files, err := filepath.Glob(filepath.Join(dir, "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	good := 0
	for _, file := range files {
		for _, c := range loadTopics(t, file) {
			seen[c.name] = true
			why := c.run(t)
			_, except := topicExceptions[c.name]
			switch {
			case why == "":
				good++
				if except {
					t.Errorf("%q passes: take it off the list of exceptions", c.name)
				}
			case !except:
				t.Errorf("%q: %s", c.name, why)
			}
		}
	}
	t.Logf("%d of %d", good, len(seen))
	if len(seen) != 163 {
		t.Errorf("%d cases, want 163", len(seen))
	}
	for name := range topicExceptions {
		if !seen[name] {
			t.Errorf("exception %q names no case", name)
		}
	}
}

type topicCase struct {
	name, domain, sender, ip string
	want, explanation        string
	zone                     *suiteZone
}

func (c *topicCase) run(t *testing.T) string {
	t.Helper()
	in := Input{IP: netip.MustParseAddr(c.ip), HELO: c.domain, MailFrom: c.sender, Receiver: "mx.receiver.example", Now: receivedAt}
	r := CheckHELO(t.Context(), c.zone, in, Limits{})
	if r.Result == Pass {
		r = Check(t.Context(), c.zone, in, Limits{})
	}
	if string(r.Result) != c.want || r.Explanation != c.explanation {
		return fmt.Sprintf("got %s %q (%s), want %s %q\n%s", r.Result, r.Explanation, r.Problem, c.want, c.explanation, trace(r))
	}
	return ""
}

// loadTopics reads a file: like YAML, but keys come again, and hold until they
// do.
func loadTopics(t *testing.T, file string) []topicCase {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []topicCase
	var now topicCase
	var title string
	zone := map[string]map[dns.Type][]dns.Record{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "---" {
			zone, now = map[string]map[dns.Type][]dns.Record{}, topicCase{}
		}
		key, value, ok := strings.Cut(strings.TrimPrefix(line, "- "), ":")
		if value = strings.TrimSpace(value); !ok || strings.HasPrefix(line, "#") || value == "" && key != "sender" {
			continue
		}
		switch key {
		case "name":
			title = value
		case "domain":
			now.domain = value
		case "sender":
			now.sender = value
		case "ip":
			now.ip = value
		case "expect":
			now.want, now.explanation, _ = strings.Cut(value, " ")
			now.name = fmt.Sprintf("%s/%s:%d", filepath.Base(file), title, n)
			now.zone = topicZone(zone)
			out = append(out, now)
		default:
			topicRecord(t, zone, key, value)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// topicRecord adds "owner value, value" as records of the key's type.
func topicRecord(t *testing.T, zone map[string]map[dns.Type][]dns.Record, key, value string) {
	t.Helper()
	owner, value, _ := strings.Cut(value, " ")
	set := func(name string, typ dns.Type, records ...dns.Record) {
		name = strings.ToLower(name)
		if zone[name] == nil {
			zone[name] = map[dns.Type][]dns.Record{}
		}
		zone[name][typ] = records
	}
	values := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
	var records []dns.Record
	switch key {
	case "spf", "exp":
		set(owner, dns.TXT, dns.Record{Type: dns.TXT, Text: value})
	case "a", "aaaa":
		for _, v := range values {
			records = append(records, dns.Record{Addr: netip.MustParseAddr(v)})
		}
		typ, _ := dns.ParseType(key)
		set(owner, typ, records...)
	case "ptr":
		for _, v := range values {
			records = append(records, dns.Record{Type: dns.PTR, Host: strings.ToLower(v)})
		}
		set(dns.Reverse(netip.MustParseAddr(owner)), dns.PTR, records...)
	case "mx": // hosts without names: give them some
		for i, v := range values {
			host := fmt.Sprintf("mx%d.%s", i, strings.ToLower(owner))
			addr := netip.MustParseAddr(v)
			typ := dns.AAAA
			if addr.Is4() {
				typ = dns.A
			}
			set(host, typ, dns.Record{Type: typ, Addr: addr})
			records = append(records, dns.Record{Type: dns.MX, Host: host})
		}
		set(owner, dns.MX, records...)
	default:
		t.Fatalf("unknown record %q", key)
	}
}

func topicZone(zone map[string]map[dns.Type][]dns.Record) *suiteZone {
	z := &suiteZone{names: map[string]*suiteName{"_dns_error.test.org": {fail: true}, "_dns_error.org": {fail: true}}}
	for name, sets := range zone {
		n := &suiteName{records: map[dns.Type][]dns.Record{}}
		for typ, records := range sets {
			n.records[typ] = slices.Clone(records)
		}
		z.names[name] = n
	}
	return z
}
