package report

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/shared"
	"sluice/message"
)

// knownFailures lists files of the suites that can't be read, with the reason. It
// may only shrink.
var knownFailures = map[string]string{
	"parsedmarc/samples/aggregate/invalid_xml.xml":                    "an element that never ends: not XML, and what it means is a guess",
	"parsedmarc/samples/empty.xml":                                    "it is empty",
	"parsedmarc/samples/failure/exim_plain_text_only_no_arf_part.eml": "no feedback part, only prose",
}

// TestSuites reads every report of the published samples.
func TestSuites(t *testing.T) {
	root := shared.Dir(t, "suites")
	var read, failed int
	for _, dir := range []string{"parsedmarc/samples", "arf-perl/t/messages", "dkim-mail-auth/resources/arf", "dkim-mail-auth/resources/dmarc-feedback", "dkim-mail-auth/resources/tlsrpt"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || dir != "parsedmarc/samples" && strings.HasSuffix(path, ".json") {
				return err
			}
			name, _ := filepath.Rel(root, path)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			err = readAny(name, b)
			_, known := knownFailures[name]
			switch {
			case err != nil && !known:
				t.Errorf("%s: %v", name, err)
			case err == nil && known:
				t.Errorf("%s can be read: take it off the list", name)
			case err != nil:
				failed++
			default:
				read++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d read, %d known failures", read, failed)
}

// readAny reads a report file, or a message with at least one report.
func readAny(name string, b []byte) error {
	if !strings.HasSuffix(name, ".eml") && !strings.HasSuffix(name, ".msg") {
		_, err := Parse(b, Limits{})
		return err
	}
	reports, err := FromMessage(message.Parse(b, message.Limits{}), Limits{})
	if err == nil && len(reports) == 0 {
		err = fmt.Errorf("no report found")
	}
	return err
}

func load(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// first reads the one report of a file.
func first(t *testing.T, path string) Report {
	t.Helper()
	b := load(t, path)
	if !strings.HasSuffix(path, ".eml") {
		r, err := Parse(b, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return r
	}
	list, err := FromMessage(message.Parse(b, message.Limits{}), Limits{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%s: %d reports, %v", path, len(list), err)
	}
	return list[0]
}

// each calls f with the expectation and the file of each case.
func each(t *testing.T, kind string, f func(t *testing.T, want map[string]any, path string)) {
	dir := shared.Dir(t, "suites", "dkim-mail-auth", "resources", kind)
	list, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(list) == 0 {
		t.Fatal(err, len(list))
	}
	for _, js := range list {
		t.Run(filepath.Base(js), func(t *testing.T) {
			var want map[string]any
			if err := json.Unmarshal(load(t, js), &want); err != nil {
				t.Fatal(err)
			}
			for _, ext := range []string{".xml", ".eml"} {
				if path := strings.TrimSuffix(js, ".json") + ext; exists(path) {
					f(t, want, path)
				}
			}
		})
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// suiteWords are words that the suite spells in another way.
var suiteWords = map[string]string{"unspecified": "", "relaxed": "r", "strict": "s", "mailfrom": "mfrom", "mailinglist": "mailing_list", "localpolicy": "local_policy",
	"trustedforwarder": "trusted_forwarder", "sampledout": "sampled_out", "policytestmode": "policy_test_mode"}

func suiteWord(v any) string {
	s := strings.ToLower(str(v))
	if w, ok := suiteWords[s]; ok {
		return w
	}
	return s
}

func str(v any) string { s, _ := v.(string); return s }

// TestAggregateSuite compares the contents with another parser's.
func TestAggregateSuite(t *testing.T) {
	each(t, "dmarc-feedback", func(t *testing.T, want map[string]any, path string) {
		a := first(t, path).Aggregate
		if a == nil {
			t.Fatal("no aggregate report")
		}
		meta, pol := want["report_metadata"].(map[string]any), want["policy_published"].(map[string]any)
		dates := meta["date_range"].(map[string]any)
		var got, exp []string
		add := func(name, g, w string) { got, exp = append(got, name+" "+g), append(exp, name+" "+w) }
		add("org", a.Org, str(meta["org_name"]))
		add("email", a.Email, str(meta["email"]))
		add("extra", a.ExtraContact, str(meta["extra_contact_info"]))
		add("id", a.ID, str(meta["report_id"]))
		add("begin", seconds(a.Begin), strconv.FormatFloat(dates["begin"].(float64), 'f', 0, 64))
		add("end", seconds(a.End), strconv.FormatFloat(dates["end"].(float64), 'f', 0, 64))
		add("errors", fmt.Sprint(a.Errors), fmt.Sprint(meta["error"]))
		add("domain", a.Policy.Domain, str(pol["domain"]))
		for _, x := range [][2]string{{"p", a.Policy.P}, {"sp", a.Policy.SP}, {"adkim", a.Policy.ADKIM}, {"aspf", a.Policy.ASPF}} {
			add(x[0], x[1], suiteWord(pol[x[0]]))
		}
		add("testing", fmt.Sprint(a.Policy.Testing == "y"), fmt.Sprint(pol["testing"]))
		records := want["record"].([]any)
		add("records", strconv.Itoa(len(a.Records)), strconv.Itoa(len(records)))
		for i := range min(len(records), len(a.Records)) {
			w, r := records[i].(map[string]any), a.Records[i]
			row, ids, auth := w["row"].(map[string]any), w["identifiers"].(map[string]any), w["auth_results"].(map[string]any)
			ev := row["policy_evaluated"].(map[string]any)
			add("source", r.Source.String(), str(row["source_ip"]))
			add("count", strconv.Itoa(r.Count), strconv.FormatFloat(row["count"].(float64), 'f', 0, 64))
			add("disposition", r.Disposition, suiteWord(ev["disposition"]))
			add("dkim", r.DKIM, suiteWord(ev["dkim"]))
			add("spf", r.SPF, suiteWord(ev["spf"]))
			for j, o := range ev["reason"].([]any) {
				o := o.(map[string]any)
				kind := r.Overrides[j].Type
				if kind == "sampled_out" { // RFC 9990 knows no sampling; the suite's reader says "other"
					kind = "other"
				}
				add("reason", kind+" "+r.Overrides[j].Comment, suiteWord(o["type_"])+" "+str(o["comment"]))
			}
			add("from", r.HeaderFrom+" "+r.EnvelopeFrom+" "+r.EnvelopeTo, str(ids["header_from"])+" "+str(ids["envelope_from"])+" "+str(ids["envelope_to"]))
			dk, sp := auth["dkim"].([]any), auth["spf"].([]any)
			add("signatures", strconv.Itoa(len(r.AuthDKIM)), strconv.Itoa(len(dk)))
			for j := range min(len(dk), len(r.AuthDKIM)) {
				d := dk[j].(map[string]any)
				add("signature", fmt.Sprint(r.AuthDKIM[j]), fmt.Sprint(AuthDKIM{str(d["domain"]), str(d["selector"]), suiteWord(d["result"]), str(d["human_result"])}))
			}
			add("spfs", strconv.Itoa(len(r.AuthSPF)), strconv.Itoa(len(sp)))
			for j := range min(len(sp), len(r.AuthSPF)) {
				s := sp[j].(map[string]any)
				add("spf", fmt.Sprint(r.AuthSPF[j]), fmt.Sprint(AuthSPF{str(s["domain"]), suiteWord(s["scope"]), suiteWord(s["result"]), str(s["human_result"])}))
			}
		}
		if d := cmp.Diff(exp, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", path, d)
		}
	})
}

// TestFeedbackSuite compares abuse reports with another parser's reading.
func TestFeedbackSuite(t *testing.T) {
	each(t, "arf", func(t *testing.T, want map[string]any, path string) {
		f := first(t, path).Feedback
		if f == nil {
			t.Fatal("no feedback")
		}
		var got, exp []string
		add := func(name, g string, w any) {
			if w == nil {
				w = ""
			}
			got, exp = append(got, name+" "+g), append(exp, name+" "+fmt.Sprint(w))
		}
		add("type", strings.ReplaceAll(f.Type, "-", ""), strings.ToLower(str(want["feedback_type"])))
		add("agent", f.UserAgent, want["user_agent"])
		add("version", f.Version, want["version"])
		add("incidents", strconv.Itoa(f.Incidents), want["incidents"])
		add("envelope", f.EnvelopeID, want["original_envelope_id"])
		add("mail from", f.MailFrom, want["original_mail_from"])
		add("mta", f.MTA, want["reporting_mta"])
		add("domains", strings.Join(f.Domains, " "), joined(want["reported_domain"]))
		add("uris", strings.Join(f.URIs, " "), joined(want["reported_uri"]))
		add("auth", strconv.Itoa(len(f.Auth)), len(want["authentication_results"].([]any)))
		if v, ok := want["arrival_date"].(float64); ok {
			add("arrival", seconds(f.Arrival), strconv.FormatFloat(v, 'f', 0, 64))
		}
		if want["source_ip"] != nil {
			add("ip", f.SourceIP.String(), want["source_ip"])
		}
		add("port", strconv.Itoa(f.SourcePort), want["source_port"])
		add("failure", f.AuthFailure, suiteWord(want["auth_failure"]))
		add("delivery", f.Delivery, suiteWord(want["delivery_result"]))
		add("alignment", f.Alignment, suiteWord(want["identity_alignment"]))
		for name, g := range map[string]string{"dkim_domain": f.DKIMDomain, "dkim_identity": f.DKIMIdentity, "dkim_selector": f.DKIMSelector, "dkim_selector_dns": f.DKIMSelectorDNS, "spf_dns": f.SPFDNS} {
			if w := str(want[name]); g != w {
				t.Errorf("%s: %q, want %q", name, g, w)
			}
		}
		if d := cmp.Diff(exp, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", path, d)
		}
		if len(f.Original) == 0 || f.From == "" {
			t.Errorf("the original is missing: %d octets, %q", len(f.Original), f.From)
		}
	})
}

func joined(v any) string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		out = append(out, fmt.Sprint(x))
	}
	return strings.Join(out, " ")
}

// TestTLSSuite: a report in a message is the same as the report alone.
func TestTLSSuite(t *testing.T) {
	dir := shared.Dir(t, "suites", "dkim-mail-auth", "resources", "tlsrpt")
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(files) == 0 {
		t.Fatal("no cases")
	}
	for _, js := range files {
		var want map[string]any
		if err := json.Unmarshal(load(t, js), &want); err != nil {
			t.Fatal(err)
		}
		alone := first(t, js).TLS
		if alone.ID != str(want["report-id"]) || alone.Org != str(want["organization-name"]) || alone.Contact != str(want["contact-info"]) ||
			len(alone.Policies) != len(want["policies"].([]any)) || alone.Begin.IsZero() {
			t.Errorf("%s: %+v", js, alone)
		}
		for i, p := range want["policies"].([]any) {
			w := p.(map[string]any)
			sum := w["summary"].(map[string]any)
			failed, _ := sum["total-failure-session-count"].(float64)
			if alone.Policies[i].Success != int(sum["total-successful-session-count"].(float64)) || alone.Policies[i].Failure != int(failed) {
				t.Errorf("%s: %+v", js, alone.Policies[i])
			}
			details, _ := w["failure-details"].([]any)
			if len(alone.Policies[i].Failures) != len(details) {
				t.Errorf("%s: %+v", js, alone.Policies[i].Failures)
				continue
			}
			for j, x := range details {
				x := x.(map[string]any)
				f := alone.Policies[i].Failures[j]
				if f.Result != str(x["result-type"]) || f.Count != int(x["failed-session-count"].(float64)) || f.ReceivingMX != str(x["receiving-mx-hostname"]) || f.Reason != str(x["failure-reason-code"]) {
					t.Errorf("%s: %+v, want %v", js, f, x)
				}
			}
		}
		if eml := strings.TrimSuffix(js, ".json") + ".eml"; exists(eml) {
			if d := cmp.Diff(alone, first(t, eml).TLS, cmp.Comparer(func(a, b interface{ Is4() bool }) bool { return a == b })); d != "" {
				t.Errorf("%s differs from the report alone\n%s", eml, d)
			}
		}
	}
}
