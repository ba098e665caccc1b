package reports

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/gate"
	"sluice/internal/shared"
	"sluice/message"
)

// carry wraps a report file in a message.
func carry(kind, name string, file []byte) []byte {
	return fmt.Appendf(nil, "From: <a@known.example>\r\nSubject: a report\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"+
		"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: %s; name=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n",
		kind, name, base64.StdEncoding.EncodeToString(file))
}

const aggregateXML = `<feedback><report_metadata><org_name>Big &lt;b&gt;</org_name><email>x@big.example</email><report_id>77</report_id>
<date_range><begin>946684800</begin><end>946771199</end></date_range></report_metadata>
<policy_published><domain>ours.example</domain><p>none</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>7</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>ours.example</header_from></identifiers></record>
<record><row><source_ip>198.51.100.1</source_ip><count>9</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>ours.example</header_from></identifiers></record>
<record><row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>ours.example</header_from></identifiers></record>
</feedback>`

const tlsJSON = `{"organization-name":"Big","date-range":{"start-datetime":"2000-01-01T00:00:00Z","end-datetime":"2000-01-01T23:59:59Z"},
"contact-info":"x@big.example","report-id":"t1","policies":[{"policy":{"policy-type":"sts","policy-domain":"ours.example"},
"summary":{"total-successful-session-count":20,"total-failure-session-count":3},
"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.9","failed-session-count":3}]}]}`

const arf = "From: <a@known.example>\r\nSubject: fbl\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\n\r\nabuse\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" +
	"Feedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\nSource-IP: 192.0.2.5\r\nOriginal-Mail-From: <n@ours.example>\r\n\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: n@ours.example\r\nSubject: Buy\r\n\r\nnow\r\n--b--\r\n"

func gz(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b) // memory
	_ = z.Close()
	return out.Bytes()
}

// received runs r over messages and lists what is stored, oldest first.
func (w *world) received(list ...incoming) []*sluice.ReceivedReport {
	w.t.Helper()
	r := w.reporter()
	stop := w.run(r)
	for i, m := range list {
		m.at = time.Date(2000, 1, 1, 0, i, 0, 0, time.UTC)
		o := w.observation(m)
		o.Envelope.ID = fmt.Sprint("M", i)
		r.Observe(o)
	}
	synctest.Wait()
	stop()
	rows, err := w.store.ReceivedReports(w.t.Context(), sluice.Query{Limit: 500})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []*sluice.ReceivedReport
	for i := len(rows) - 1; i >= 0; i-- {
		out = append(out, rows[i])
	}
	return out
}

func TestReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		to := func(m incoming) incoming {
			if m.to == "" {
				m.to = "reports@OURS.example"
			}
			m.envelope = "b@known.example"
			return m
		}
		got := w.received(
			to(incoming{raw: carry("application/gzip", "x.xml.gz", gz([]byte(aggregateXML)))}),
			to(incoming{raw: carry("application/tlsrpt+gzip", "x.json.gz", gz([]byte(tlsJSON))), ip: "198.51.100.1"}),
			to(incoming{raw: []byte(arf)}),
			to(incoming{raw: carry("text/xml", "x.xml", []byte("<feedback><rep"))}),
			to(incoming{raw: []byte("From: <a@known.example>\r\nSubject: no report\r\n\r\nhi\r\n")}),
			to(incoming{raw: []byte(arf), to: "somebody@ours.example"}),
			to(incoming{raw: []byte(arf), action: sluice.QuarantineIt}),
			to(incoming{raw: []byte(arf), action: sluice.Reject, code: 550}),
			to(incoming{raw: []byte(arf), code: 451}),
		)
		at := func(i int) time.Time { return time.Date(2000, 1, 1, 0, i, 0, 0, time.UTC) }
		begin, end := at(0), time.Date(2000, 1, 1, 23, 59, 59, 0, time.UTC)
		want := []*sluice.ReceivedReport{
			{ID: "M0-1", Time: at(0), Kind: "dmarc", Proven: true, Org: "Big <b>", Domain: "ours.example", Report: "77", Begin: begin, End: end, Pass: 7, Fail: 10, Of: 2,
				Sources: []sluice.ReportSource{{Addr: netip.MustParseAddr("198.51.100.1"), Fail: 9}, {Addr: netip.MustParseAddr("192.0.2.1"), Pass: 7, Fail: 1}}},
			{ID: "M1-1", Time: at(1), Kind: "tls", Org: "Big", Domain: "ours.example", Report: "t1", Begin: begin, End: end, Pass: 20, Fail: 3, Of: 1,
				Sources: []sluice.ReportSource{{Addr: netip.MustParseAddr("192.0.2.9"), Fail: 3}}, Detail: "certificate-expired"},
			{ID: "M2-1", Time: at(2), Kind: "abuse", Proven: true, Org: "x/1", Domain: "ours.example", Fail: 1, Of: 1,
				Sources: []sluice.ReportSource{{Addr: netip.MustParseAddr("192.0.2.5"), Fail: 1}}, Detail: "abuse: Buy"},
			{ID: "M3-1", Time: at(3), Kind: "unreadable", Proven: true, Detail: "a report"},
			{ID: "M4-1", Time: at(4), Kind: "unreadable", Proven: true, Detail: "no report", Problem: "no report in the message"},
		}
		for _, x := range want {
			x.Tenant, x.Sender, x.Author = "ours", "b@known.example", "known.example"
		}
		if len(got) > 3 {
			if got[3].Problem == "" {
				t.Error("a damaged report without words on what is wrong")
			}
			got[3].Problem = ""
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// TestInboxIsBounded: what is too large, or too much at once, costs nothing.
func TestInboxIsBounded(t *testing.T) {
	w := newWorld(t)
	r := w.reporter() // nobody reads
	o := w.observation(incoming{from: "a@known.example", to: "reports@ours.example"})
	for range maxQueue + 3 {
		r.Observe(o)
	}
	if s := r.Stats(); s.Skipped != 3 || len(r.inbox.queue) != maxQueue {
		t.Errorf("%d skipped, %d wait", s.Skipped, len(r.inbox.queue))
	}
	if want := int64(maxQueue * len(o.Message.Raw)); r.inbox.bytes.Load() != want {
		t.Errorf("%d octets wait, want %d", r.inbox.bytes.Load(), want)
	}
	r = w.reporter()
	big := *o
	big.Message = &message.Message{Raw: make([]byte, maxMessage+1)}
	r.collect(&big)
	big.Message = &message.Message{Raw: make([]byte, maxMessage)}
	for range 3 {
		r.collect(&big)
	}
	if s := r.Stats(); s.Skipped != 2 || r.inbox.bytes.Load() != 2*maxMessage {
		t.Errorf("large ones: %d skipped, %d octets wait", s.Skipped, r.inbox.bytes.Load())
	}
}

// TestPanics: whatever goes wrong while a report is read stays there.
func TestPanics(t *testing.T) {
	w := newWorld(t)
	r := w.reporter()
	r.Observe(&gate.Observation{Reply: sluice.Reply{Code: 250}}) // nothing is there
	if s := r.Stats(); s.Panics != 1 {
		t.Errorf("%+v, want one panic that ended here", s)
	}
}

func TestSum(t *testing.T) {
	for _, test := range [][3]int{{1, 2, 3}, {-5, 2, 2}, {math.MaxInt, 1, math.MaxInt}, {math.MaxInt, math.MaxInt, math.MaxInt}, {0, math.MinInt, 0}} {
		if got := sum(test[0], test[1]); got != test[2] {
			t.Errorf("sum(%d, %d) = %d, want %d", test[0], test[1], got, test[2])
		}
	}
}

// TestSamples reads the messages of a published suite, all through the inbox.
func TestSamples(t *testing.T) {
	dir := filepath.Join(shared.Dir(t, "suites"), "parsedmarc/samples")
	var list []incoming
	var names []string
	for _, sub := range []string{"aggregate", "failure", "smtp_tls"} {
		files, err := filepath.Glob(filepath.Join(dir, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			m := incoming{raw: b, to: "reports@ours.example"}
			switch filepath.Ext(f) {
			case ".eml":
			case ".xml":
				m.raw = carry("text/xml", "r.xml", b)
			case ".gz":
				m.raw = carry("application/gzip", "r.xml.gz", b)
			case ".zip":
				m.raw = carry("application/zip", "r.zip", b)
			case ".json":
				m.raw = carry("application/tlsrpt+json", "r.json", b)
			default:
				continue
			}
			list, names = append(list, m), append(names, sub+"/"+filepath.Base(f))
		}
	}
	if len(list) < 20 {
		t.Fatalf("%d samples: the suite isn't what it was", len(list))
	}
	// An element that never ends, and prose without a report.
	bad := map[string]bool{"aggregate/invalid_xml.xml": true, "failure/exim_plain_text_only_no_arf_part.eml": true}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		kinds := map[string]int{}
		for _, x := range w.received(list...) {
			kinds[x.Kind]++
			var i int
			if _, err := fmt.Sscanf(x.ID, "M%d-", &i); err != nil {
				t.Fatal(err)
			}
			if name := names[i]; (x.Kind == unreadable) != bad[name] {
				t.Errorf("%s: %s %s", name, x.Kind, x.Problem)
			} else if x.Kind == "dmarc" && (x.Domain == "" || strings.TrimSpace(x.Org) == "" && x.Problem == "") {
				t.Errorf("%s: %+v", name, x)
			}
		}
		t.Logf("%d messages: %v", len(list), kinds)
	})
}
