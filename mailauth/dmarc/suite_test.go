package dmarc_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/dns/dnstest"
	"sluice/internal/shared"
	"sluice/mailauth/author"
	"sluice/mailauth/authres"
	"sluice/mailauth/dmarc"
	"sluice/message"
)

// knownFailures are messages where another outcome is expected than ours, with
// the reason. It may only shrink.
var knownFailures = map[string]string{
	"google_apps_bad_space.eml":      "white space before the colon of From: some readers don't see the field (RFC 5322 4.5), so the author isn't clear, by design",
	"google_apps_bad_space.smtp.eml": "the same",
}

// TestSuite takes messages with the results that another implementation gives:
// what it found for SPF and DKIM goes in, what it found for DMARC must come out.
func TestSuite(t *testing.T) {
	dir := shared.Dir(t, "suites", "authmilter-fastmail", "t")
	raw, err := os.ReadFile(filepath.Join(dir, "zonefile"))
	if err != nil {
		t.Fatal(err)
	}
	var records bytes.Buffer // the file holds lines that aren't of a master file too
	for line := range bytes.Lines(raw) {
		if bytes.HasPrefix(line, []byte("_dmarc.")) {
			records.Write(line)
		}
	}
	z, err := dnstest.Parse("zonefile", &records)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "data", "example", "*.eml"))
	compared, several := 0, 0
	for _, path := range files {
		name := filepath.Base(path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := message.Parse(b, message.Limits{})
		in, want, froms := expected(m)
		if len(want) == 0 {
			continue
		}
		in.From = author.Of(m)
		r := dmarc.Evaluate(t.Context(), z, in)
		if len(want) > 1 || len(froms) != 1 {
			// Several authors: the other implementation judges each, ours none.
			several++
			if r.Value != dmarc.PermError && r.Value != dmarc.None {
				t.Errorf("%s: dmarc=%s for %v", name, r.Value, froms)
			}
			continue
		}
		compared++
		_, known := knownFailures[name]
		if ok := string(r.Value) == want[0] && r.Domain == froms[0]; ok == known {
			t.Errorf("%s: dmarc=%s for %s (%s), want %s for %s", name, r.Value, r.Domain, r.Why, want[0], froms[0])
		}
	}
	t.Logf("%d messages compared, %d with several or no authors", compared, several)
	if compared == 0 {
		t.Error("nothing compared")
	}
}

// expected reads the topmost field with a DMARC result.
func expected(m *message.Message) (in dmarc.Input, want, froms []string) {
	for _, v := range m.Header().Values("Authentication-Results") {
		f, err := authres.Parse(v)
		if err != nil || f.Get("dmarc") == nil {
			continue
		}
		for _, r := range f.Results {
			switch r.Method {
			case "spf":
				from := r.Prop("smtp", "mailfrom")
				in.SPF = dmarc.SPF{Result: r.Value, Domain: from[strings.LastIndexByte(from, '@')+1:]}
				if from == "" {
					in.SPF.Domain = r.Prop("smtp", "helo")
				}
			case "dkim":
				in.DKIM = append(in.DKIM, dmarc.Signature{Result: r.Value, Domain: r.Prop("header", "d"), Selector: r.Prop("header", "s")})
			case "dmarc":
				want = append(want, r.Value)
				if from := r.Prop("header", "from"); from != "" && !slices.Contains(froms, from) {
					froms = append(froms, from)
				}
			}
		}
		return in, want, froms
	}
	return in, nil, nil
}
