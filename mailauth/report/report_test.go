package report

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/golden"
	"sluice/message"
)

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zipped makes an archive; stored leaves the data as it is.
func zipped(t testing.TB, b []byte, method uint16) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "report.xml", Method: method})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func example() *Aggregate {
	return &Aggregate{
		Namespace: Namespace, Version: "1.0", Org: "Victim & Sons", Email: "dmarc@victim.example", ExtraContact: "https://victim.example/", ID: "20261124.1@victim.example",
		Begin: time.Unix(1795478400, 0).UTC(), End: time.Unix(1795564799, 0).UTC(), Errors: []string{"one name was slow"}, Generator: "Sluice",
		Policy: Published{Domain: "bank.example", P: "reject", SP: "quarantine", NP: "reject", ADKIM: "r", ASPF: "s", FO: "0", Testing: "n", Discovery: "treewalk"},
		Records: []Record{
			{Source: netip.MustParseAddr("192.0.2.10"), Count: 12, Disposition: "pass", DKIM: "pass", SPF: "pass", HeaderFrom: "bank.example", EnvelopeFrom: "bank.example", EnvelopeTo: "victim.example",
				AuthDKIM: []AuthDKIM{{"bank.example", "s1", "pass", "2048 bits"}, {"esp.example", "e", "fail", ""}}, AuthSPF: []AuthSPF{{"bank.example", "mfrom", "pass", ""}}},
			{Source: netip.MustParseAddr("2001:db8::66"), Count: 1, Disposition: "none", DKIM: "fail", SPF: "fail", HeaderFrom: "pay.bank.example",
				Overrides: []Override{{"mailing_list", `List-Id <talk> & "arc=pass"`}, {"local_policy", ""}}},
		},
	}
}

func TestWriteAggregate(t *testing.T) {
	var b bytes.Buffer
	if err := WriteAggregate(&b, example()); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/aggregate.golden", b.Bytes())
	for name, packed := range map[string][]byte{"plain": b.Bytes(), "gzip": gz(t, b.Bytes()), "zip": zipped(t, b.Bytes(), zip.Deflate), "BOM": append([]byte("\ufeff\r\n"), b.Bytes()...)} {
		r, err := Parse(packed, Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(example(), r.Aggregate, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
	a := example()
	if got, want := a.Filename("mx.victim.example", "u/1"), "mx.victim.example!bank.example!1795478400!1795564799!u1.xml"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := a.Subject("victim.example\r\nX: y"), "Report Domain: bank.example Submitter: victim.exampleXy Report-ID: <20261124.1@victim.example>"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestWriteAggregateErrors(t *testing.T) {
	for name, spoil := range map[string]func(*Aggregate){
		"no org":         func(a *Aggregate) { a.Org = " " },
		"no id":          func(a *Aggregate) { a.ID = "" },
		"no dates":       func(a *Aggregate) { a.Begin = time.Time{} },
		"dates reversed": func(a *Aggregate) { a.End = a.Begin.Add(-time.Second) },
		"no domain":      func(a *Aggregate) { a.Policy.Domain = "" },
		"no records":     func(a *Aggregate) { a.Records = nil },
		"bad policy":     func(a *Aggregate) { a.Policy.P = "refuse" },
		"bad outcome":    func(a *Aggregate) { a.Records[0].DKIM = "softfail" },
		"old override":   func(a *Aggregate) { a.Records[0].Overrides = []Override{{Type: "sampled_out"}} },
		"no source":      func(a *Aggregate) { a.Records[1].Source = netip.Addr{} },
		"no count":       func(a *Aggregate) { a.Records[1].Count = 0 },
		"two SPF":        func(a *Aggregate) { a.Records[0].AuthSPF = append(a.Records[0].AuthSPF, AuthSPF{Domain: "x"}) },
		"no selector":    func(a *Aggregate) { a.Records[0].AuthDKIM[0].Selector = "" },
	} {
		a := example()
		spoil(a)
		if err := WriteAggregate(&bytes.Buffer{}, a); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestWhatIsWrittenIsRead: any text in any field survives, but for what XML can't
// hold and space at the ends.
func TestWhatIsWrittenIsRead(t *testing.T) {
	text := rapid.StringMatching(`[ -~é☃]{1,40}`).Filter(func(s string) bool { return strings.TrimSpace(s) == s && s != "" })
	rapid.Check(t, func(t *rapid.T) {
		a := example()
		a.Org, a.ID, a.Records[0].HeaderFrom, a.Records[0].AuthDKIM[0].Human, a.Records[1].Overrides[0].Comment = text.Draw(t, "org"), text.Draw(t, "id"), text.Draw(t, "from"), text.Draw(t, "human"), text.Draw(t, "comment")
		var b bytes.Buffer
		if err := WriteAggregate(&b, a); err != nil {
			t.Fatal(err)
		}
		got, err := ParseAggregate(b.Bytes(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(a, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Fatal(d)
		}
	})
}

// TestBombs: what a report unpacks to, nests and lists is bounded.
func TestBombs(t *testing.T) {
	small := Limits{Bytes: 1 << 20, Ratio: 50, Records: 10, Text: 100}
	record := "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>"
	zeros := make([]byte, 8<<20)
	tests := []struct {
		name string
		in   []byte
		l    Limits
		want error
	}{
		{"gzip over the size", gz(t, zeros), small, ErrTooLarge},
		{"gzip over the ratio", gz(t, zeros), Limits{}, ErrTooLarge},
		{"zip over the size", zipped(t, zeros, zip.Deflate), small, ErrTooLarge},
		{"zip over the ratio", zipped(t, zeros, zip.Deflate), Limits{}, ErrTooLarge},
		{"gzip in gzip", gz(t, gz(t, []byte("<feedback/>"))), Limits{}, ErrFormat},
		{"plain over the size", append([]byte("<feedback>"), zeros...), small, ErrTooLarge},
		{"records", []byte("<feedback>" + strings.Repeat(record, 11) + "</feedback>"), small, ErrTooLarge},
		{"depth", []byte("<feedback>" + strings.Repeat("<a>", 100000)), Limits{}, ErrTooLarge},
		{"entities", []byte(`<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><feedback>` + strings.Repeat("&b;", 1000)), Limits{}, ErrFormat},
		{"JSON depth", []byte(`{"policies":` + strings.Repeat("[", 100000)), Limits{}, ErrTooLarge},
		{"JSON policies", []byte(`{"report-id":"x","policies":[` + strings.Repeat("{},", 2000) + `{}]}`), Limits{}, ErrTooLarge},
		{"JSON failures", []byte(`{"report-id":"x","policies":[{"failure-details":[` + strings.Repeat("{},", 20) + `{}]}]}`), small, ErrTooLarge},
		{"other XML", []byte("<html><body/></html>"), Limits{}, ErrFormat},
		{"other JSON", []byte(`{"a":1}`), Limits{}, ErrFormat},
		{"text", []byte("hello"), Limits{}, ErrFormat},
		{"nothing", nil, Limits{}, ErrFormat},
		{"cut gzip header", []byte("\x1f\x8b\x08"), Limits{}, ErrFormat},
		{"cut zip header", []byte("PK\x03\x04\x00"), Limits{}, ErrFormat},
		{"encrypted zip", append([]byte("PK\x03\x04\x14\x00\x01\x00\x08\x00"), make([]byte, 60)...), Limits{}, ErrFormat},
	}
	for _, tt := range tests {
		if _, err := Parse(tt.in, tt.l); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestDamaged(t *testing.T) {
	in := "<feedback><report_metadata><org_name>A & B \xff</org_name><date_range><begin>2026-11-24 00:00:00</begin><end>never</end></date_range></report_metadata>" +
		"<policy_published><domain>example.com</domain><p>Reject</p><adkim>x</adkim></policy_published>" +
		"<record><row><source_ip>192.0.2.1:25</source_ip><count>-1</count><policy_evaluated><dkim>Pass</dkim><spf>hardfail</spf></policy_evaluated></row>" +
		"<identities><header_from>" + strings.Repeat("a", 5000) + "</header_from></identities></record></feedback>junk<"
	a, err := ParseAggregate([]byte(in), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r := a.Records[0]
	got := fmt.Sprintf("%s|%s|%v|%s|%s|%v|%d|%s|%s|%d|%d", a.Org, a.Begin.Format(time.DateOnly), a.End.IsZero(), a.Policy.P, a.Policy.ADKIM, r.Source.IsValid(), r.Count, r.DKIM, r.SPF, len(r.HeaderFrom), len(a.Problems))
	if want := "A & B \uFFFD|2026-11-24|true|reject||false|0|pass|fail|1024|4"; got != want {
		t.Errorf("got  %s\nwant %s\n%v", got, want, a.Problems)
	}
}

func TestCharsets(t *testing.T) {
	latin := "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><feedback><report_metadata><org_name>M\xfcller</org_name></report_metadata></feedback>"
	a, err := ParseAggregate([]byte(latin), Limits{})
	if err != nil || a.Org != "Müller" {
		t.Errorf("%v, %v", a, err)
	}
	if _, err := ParseAggregate([]byte(strings.Replace(latin, "iso-8859-1", "x-nonsense", 1)), Limits{}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

const failure = "From: reporter@victim.example\r\nSubject: failure\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\n\r\nA message failed.\r\n" +
	"--b\r\nContent-Type: message/feedback-report\r\n\r\n" +
	"Feedback-Type: auth-failure\r\nUser-Agent: Sluice/1 (test)\r\nVersion: 1\r\nOriginal-Mail-From: <any@attacker.example>\r\nOriginal-Rcpt-To: <you@victim.example>\r\n" +
	"Original-Rcpt-To: <me@victim.example>\r\nArrival-Date: Tue, 24 Nov 2026 08:00:00 +0100\r\nReporting-MTA: dns; mx.victim.example\r\nSource-IP: 203.0.113.66\r\nSource-Port: 4711\r\n" +
	"Authentication-Results: mx.victim.example;\r\n dmarc=fail header.from=bank.example\r\nReported-Domain: bank.example\r\nIncidents: 3\r\n" +
	"Auth-Failure: dmarc\r\nDelivery-Result: reject\r\nIdentity-Alignment: none\r\nDKIM-Domain: attacker.example\r\n" +
	"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: =?utf-8?Q?B=C3=A4nk?= <service@bank.example>\r\nSubject: your account\r\nMessage-ID: <1@attacker.example>\r\n--b--\r\n"

func TestFailureReport(t *testing.T) {
	list, err := FromMessage(message.Parse([]byte(failure), message.Limits{}), Limits{})
	if err != nil || len(list) != 1 || list[0].Feedback == nil {
		t.Fatal(list, err)
	}
	f := list[0].Feedback
	got := fmt.Sprint(f.Type, "|", f.MailFrom, "|", f.RcptTo, "|", f.Arrival.UTC().Format(time.DateTime), "|", f.MTA, "|", f.SourceIP, "|", f.SourcePort, "|", f.Incidents, "|",
		f.Auth[0].Get("dmarc").Prop("header", "from"), "|", f.Domains, "|", f.AuthFailure, "|", f.Delivery, "|", f.Alignment, "|", f.DKIMDomain, "|", f.OnlyHeader, "|", f.From, "|", f.Subject, "|", f.MessageID)
	want := "auth-failure|<any@attacker.example>|[<you@victim.example> <me@victim.example>]|2026-11-24 07:00:00|mx.victim.example|203.0.113.66|4711|3|" +
		"bank.example|[bank.example]|dmarc|reject|none|attacker.example|true|Bänk <service@bank.example>|your account|<1@attacker.example>"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := ParseFeedback([]byte("User-Agent: x\r\n")); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := ParseFeedback(make([]byte, maxFeedback+1)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// TestManyReports: a message can't make us read more than a few.
func TestManyReports(t *testing.T) {
	var b strings.Builder
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n")
	for range 50 {
		b.WriteString("--b\r\nContent-Type: text/xml\r\n\r\n<feedback><report_metadata/></feedback>\r\n")
	}
	b.WriteString("--b--\r\n")
	list, err := FromMessage(message.Parse([]byte(b.String()), message.Limits{}), Limits{})
	if len(list) != DefaultLimits().Reports || !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d reports, %v", len(list), err)
	}
}

func FuzzAggregate(f *testing.F) {
	var b bytes.Buffer
	if err := WriteAggregate(&b, example()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><feedback><record><row><count>1</count></row></record>`))
	f.Add([]byte("<schema><feedback><report_metadata><org_name>&x;<![CDATA[y]]></org_name></feedback>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAggregate(b, Limits{Bytes: 1 << 20, Records: 100})
		if err != nil {
			return
		}
		if len(a.Records) > 100 || len(a.Problems) > maxProblems || a.Total() < 0 {
			t.Fatalf("%+v", a)
		}
		var out bytes.Buffer
		if WriteAggregate(&out, a) == nil { // what can be written can be read
			if _, err := ParseAggregate(out.Bytes(), Limits{}); err != nil {
				t.Fatalf("%v\n%s", err, out.Bytes())
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(gz(f, []byte("<feedback/>")))
	f.Add(zipped(f, []byte("<feedback/>"), zip.Deflate))
	f.Add(zipped(f, []byte("<feedback/>"), zip.Store))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := Limits{Bytes: 1 << 16, Ratio: 10}.withDefaults()
		if out, err := unpack(b, l); err == nil && len(out) > max(l.Bytes, ratioFrom) {
			t.Fatal(len(out))
		}
	})
}

func FuzzFeedback(f *testing.F) {
	f.Add([]byte("Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\nSource-IP: [192.0.2.1]\r\nArrival-Date: Thu, 8 Mar 2005 14:00:00 EDT\r\n"))
	f.Add([]byte("feedback-type: Auth-Failure (x)\nIncidents: 99999999999\nAuthentication-Results: a; b=c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseFeedback(b)
		if err == nil && (r.Type == "" || r.Incidents < 1 || len(r.RcptTo) > maxLists || len(r.Auth) > maxLists) {
			t.Fatalf("%+v", r)
		}
	})
}

func FuzzTLS(f *testing.F) {
	f.Add([]byte(`{"organization-name":"a","report-id":1,"policies":[{"policy":{"policy-type":"STS","policy-string":"x","mx-host":["a",2]},"summary":{"total-successful-session-count":"5"},"failure-details":[{"sending-mta-ip":"[2001:db8::1]","failed-session-count":1e9}]}]}`))
	f.Add([]byte(`{"date-range":{"start-datetime":"2016-04-01T00:00:00Z"},"policies":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseTLS(b, Limits{Records: 50})
		if err != nil {
			return
		}
		for _, p := range r.Policies {
			if p.Success < 0 || p.Failure < 0 || len(p.Failures) > 50 || len(p.Strings) > maxLists || len(p.MX) > maxLists {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func BenchmarkParseAggregate(b *testing.B) {
	a := example()
	for len(a.Records) < 1000 {
		a.Records = append(a.Records, a.Records[:2]...)
	}
	var out bytes.Buffer
	if err := WriteAggregate(&out, a); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(out.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAggregate(out.Bytes(), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
