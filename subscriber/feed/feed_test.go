package feed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/internal/shared"
	"sluice/store/memory"
	"sluice/subscriber"
	"sluice/subscriber/feed"
	"sluice/subscriber/signal"
	"sluice/trace"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func read(t testing.TB, text, name string, c feed.Config) *feed.Found {
	t.Helper()
	f, err := feed.Read(strings.NewReader(text), name, c)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

// line is a report in short.
func line(r subscriber.Report) string {
	w := signal.DefaultWeights()
	s := w.Kinds[r.Kind].Name
	if r.ID != "" {
		s += " id " + r.ID
	}
	if r.MessageID != "" {
		s += " " + r.MessageID
	}
	if r.Client.IsValid() {
		s += " " + r.Client.String()
	}
	if !r.At.IsZero() {
		s += " " + r.At.Format(time.RFC3339)
	}
	return s + " | " + r.Detail
}

func lines(f *feed.Found) []string {
	var out []string
	for _, r := range f.Reports {
		out = append(out, line(r))
	}
	return out
}

const sinkhole = `"timestamp","protocol","src_ip","src_port","src_asn","dst_ip","infection","family","tag"
"2026-03-14 09:15:01","tcp","192.0.2.7",51234,64500,"198.51.100.9","andromeda","avalanche","sinkhole"
"2026-03-14 09:15:02","tcp","::ffff:192.0.2.8",51235,64500,"198.51.100.9","ip-spoofer","",""
"2026-03-14 09:15:03","tcp","192.0.2.900",51235,64500,"198.51.100.9","mirai","",""
"noon","tcp","192.0.2.9",51235,64500,"198.51.100.9","mirai","",""
"2026-03-14 09:15:04","tcp","192.0.2.9"
2026-03-14T10:15:04+01:00,tcp,2001:db8::9,1,64500,"198.51.100.9",mirai,mirai,"a ""b"" tag"
`

func TestShadowserver(t *testing.T) {
	f := read(t, sinkhole, `C:\feeds\2026-03-14-event4_sinkhole-net-asn.csv`, feed.Config{Reporter: "shadowserver", Proven: true})
	want := []string{
		"FEED_REPORT 192.0.2.7 2026-03-14T09:15:01Z | 2026-03-14-event4_sinkhole-net-asn.csv: andromeda avalanche (sinkhole)",
		`FEED_REPORT 2001:db8::9 2026-03-14T09:15:04Z | 2026-03-14-event4_sinkhole-net-asn.csv: mirai (a "b" tag)`,
	}
	if d := cmp.Diff(want, lines(f)); d != "" {
		t.Error(d)
	}
	if f.Format != feed.Shadowserver || f.Other != 1 || f.Defective != 3 || f.Reports[0].Reporter != "shadowserver" || !f.Reports[0].Proven {
		t.Errorf("%+v", f)
	}
	if got := fmt.Sprint(f.Defects); got != `[4: "192.0.2.900" isn't an address 5: "noon" isn't a time 6: 3 columns, not 9]` {
		t.Error(got)
	}
	old := "\xef\xbb\xbftimestamp,ip,port,infection,agent\r\n2026-03-14 01:02:03,192.0.2.7,4711,conficker,x\r\n"
	if got := lines(read(t, old, "drone.csv", feed.Config{})); len(got) != 1 || got[0] != "FEED_REPORT 192.0.2.7 2026-03-14T01:02:03Z | drone.csv: conficker" {
		t.Error(got)
	}
	list := "timestamp,ip,hostname,source,reason,asn\n2026-03-14 01:02:03,192.0.2.7,,PBL,spam,1\n"
	if got := lines(read(t, list, "blocklist.csv", feed.Config{})); len(got) != 1 || got[0] != "ADDRESS_LIST 192.0.2.7 2026-03-14T01:02:03Z | blocklist.csv: PBL spam" {
		t.Error(got)
	}
	open := "timestamp,ip,port,protocol,tag\n2026-03-14 01:02:03,192.0.2.7,53,udp,openresolver\n"
	if f := read(t, open, "scan_dns.csv", feed.Config{}); len(f.Reports) != 0 || f.Other != 1 {
		t.Errorf("an open port: %+v", f)
	}
	carried := "From: feeds@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello.\r\n" +
		"--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=drone.csv\r\n\r\n" + strings.TrimPrefix(old, "\xef\xbb\xbf") + "\r\n--b--\r\n"
	if f := read(t, carried, "mail.eml", feed.Config{}); f.Format != feed.Mail || len(f.Reports) != 1 || !strings.Contains(f.Reports[0].Detail, "drone.csv") {
		t.Errorf("in a mail: %+v", f)
	}
}

// arf is a report about a message with this header.
func arf(kind, fields, original string) string {
	return "From: fbl@example.org\r\nTo: abuse@ours.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nSpam.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: " + kind + "\r\nUser-Agent: X/1\r\nVersion: 1\r\n" + fields +
		"\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n" + original + "\r\n--b--\r\n"
}

const header = "From: bob@ours.example\r\nMessage-ID: <1@ours.example>\r\nSubject: x\r\n"

func TestReports(t *testing.T) {
	keys, err := trace.New([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	marked := trace.Field + ": " + keys.Value("7K3FQ2M9ZX0ABCDE", "bob@ours.example", noon) + "\r\n" + header
	forged := trace.Field + ": v=1; id=7K3FQ2M9ZX0ABCDE; t=1795543200; h=aaaaaaaaaaaaaaaa; s=aaaaaaaaaaaaaaaa\r\n" + header
	xarf := func(s string) string {
		return `{"xarf_version":"4.2.0","source_identifier":"192.0.2.7","timestamp":"2026-03-14T08:00:00Z",` + s + "}"
	}
	for _, c := range []struct{ name, text, want string }{
		{"abuse", arf("abuse", "", header), "ABUSE_REPORT <1@ours.example> | f: arf abuse"},
		{"our trace", arf("abuse", "", marked), "ABUSE_REPORT id 7K3FQ2M9ZX0ABCDE <1@ours.example> 2026-03-14T12:00:00Z | f: arf abuse"},
		{"forged trace", arf("abuse", "", forged), "ABUSE_REPORT <1@ours.example> | f: arf abuse"},
		{"taken back", arf("not-spam", "", header), "NOT_SPAM <1@ours.example> | f: arf not-spam"},
		{"failure", arf("auth-failure", "Auth-Failure: dmarc\r\n", header), "DMARC_FAIL <1@ours.example> | f: arf auth-failure"},
		{"opt-out", arf("opt-out", "", header), "other 1"},
		{"redacted", arf("abuse", "Source-IP: 192.0.2.7\r\nArrival-Date: Sat, 14 Mar 2026 08:00:00 +0000\r\n", "Subject: x\r\n"), "FEED_REPORT 192.0.2.7 2026-03-14T08:00:00Z | f: arf abuse"},
		{"about nothing", arf("abuse", "", "Subject: x\r\n"), "[1: names neither a message nor an address with a time]"},
		{"a bot", xarf(`"category":"connection","type":"infected_host"`), "FEED_REPORT 192.0.2.7 2026-03-14T08:00:00Z | f: xarf connection/infected_host"},
		{"a listing", xarf(`"category":"reputation","type":"blocklist"`), "ADDRESS_LIST 192.0.2.7 2026-03-14T08:00:00Z | f: xarf reputation/blocklist"},
		{"a name of a message", xarf(`"category":"messaging","type":"spam","message_id":"<2@ours.example>"`), "ABUSE_REPORT <2@ours.example> 2026-03-14T08:00:00Z | f: xarf messaging/spam"},
		{"a site", xarf(`"category":"content","type":"phishing","url":"https://x.example/"`), "other 1"},
		{"an old program", xarf(`"category":"vulnerability","type":"cve"`), "other 1"},
		{"many", "[" + xarf(`"category":"connection","type":"ddos"`) + ",{}] \n" + xarf(`"category":"connection","type":"ddos"`) + " {",
			"FEED_REPORT 192.0.2.7 2026-03-14T08:00:00Z | f: xarf connection/ddos\nFEED_REPORT 192.0.2.7 2026-03-14T08:00:00Z | f: xarf connection/ddos\n[2: not a XARF report 4: unexpected EOF]"},
		{"odd types", `{"xarf_version":"4.2.0","source_identifier":7,"timestamp":{},"message_id":["x"],"category":"messaging","type":"spam"}`, "[1: names neither a message nor an address with a time]"},
	} {
		f := read(t, c.text, "f", feed.Config{Trace: keys.Read})
		got := lines(f)
		if f.Other > 0 {
			got = append(got, fmt.Sprint("other ", f.Other))
		}
		if f.Defective > 0 {
			got = append(got, fmt.Sprint(f.Defects))
		}
		if d := cmp.Diff(c.want, strings.Join(got, "\n")); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	for _, s := range []string{"", "\x00\x01", "name,value\n1,2\n", "{}", "[", strings.Repeat("[", 1<<20), "PK\x03\x04 zipped"} {
		if f, err := feed.Read(strings.NewReader(s), "f", feed.Config{}); err == nil && len(f.Reports)+f.Defective == 0 {
			t.Errorf("%.20q: read as %+v", s, f)
		}
	}
}

// TestSuites reads the published samples: each is a report, something else, or a defect
// that is known.
func TestSuites(t *testing.T) {
	for _, c := range []struct {
		glob           string
		files, reports int
		other          int
	}{
		{"suites/xarf/samples/v3/*.json", 4, 3, 1},
		{"suites/xarf/samples/v4/*.json", 32, 12, 19},
		{"suites/arf-perl/t/messages/*.msg", 3, 2, 1},
	} {
		paths, err := filepath.Glob(filepath.Join(shared.Dir(t), filepath.FromSlash(c.glob)))
		if err != nil || len(paths) != c.files {
			t.Fatalf("%s: %d files, %v", c.glob, len(paths), err)
		}
		reports, other := 0, 0
		for _, p := range paths {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			f := read(t, string(b), p, feed.Config{Reporter: "suite", Proven: true})
			if filepath.Base(p) == "messaging-bulk-messaging.json" { // names a domain as the source, and no message
				if f.Defective != 1 || len(f.Reports)+f.Other != 0 {
					t.Errorf("%s: %v, defects %v", filepath.Base(p), lines(f), f.Defects)
				}
				continue
			}
			if f.Defective > 0 || f.Left > 0 || len(f.Reports)+f.Other != 1 {
				t.Errorf("%s: %v, %d other, defects %v", filepath.Base(p), lines(f), f.Other, f.Defects)
			}
			reports += len(f.Reports)
			other += f.Other
		}
		if reports != c.reports || other != c.other {
			t.Errorf("%s: %d reports, %d other", c.glob, reports, other)
		}
	}
}

// relayed knows mail and a line of bob's.
type relayed struct{}

func (relayed) Mail(_ context.Context, id, messageID string) (subscriber.Trace, bool, error) {
	return subscriber.Trace{Account: "bob"}, id != "" || strings.HasSuffix(messageID, "@ours.example>"), nil
}

func (relayed) Line(_ context.Context, client netip.Addr, _ time.Time) (subscriber.Trace, bool, error) {
	return subscriber.Trace{Account: "bob"}, client == netip.MustParseAddr("192.0.2.7"), nil
}

func warden(t testing.TB) *subscriber.Warden {
	t.Helper()
	n := 0
	w, err := subscriber.New(subscriber.Config{Key: []byte("0123456789abcdef"), Cases: memory.New(), Relayed: relayed{}, ID: func() string { n++; return fmt.Sprintf("C%07d", n) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Load(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestAbuse gives what enemies would send to a real Warden: nobody is held, no case is
// opened, nobody is told, and what isn't ours or isn't proven doesn't count.
func TestAbuse(t *testing.T) {
	w := warden(t)
	bob := &subscriber.Subject{Key: "bob", Account: "bob"}
	stand := func(what string) {
		t.Helper()
		if d := w.Standing(noon, bob); d != (subscriber.Decision{}) {
			t.Errorf("%s: %+v", what, d)
		}
		if s := w.Stats(); s.Opened != 0 || s.Live != 0 || len(w.Untold(9)) != 0 {
			t.Errorf("%s: %+v", what, s)
		}
	}
	tell := func(what, text string, c feed.Config, want map[subscriber.Counted]int) {
		t.Helper()
		got, err := feed.Tell(t.Context(), noon, w, read(t, text, what, c))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", what, d)
		}
		stand(what)
	}
	proven := func(by string) feed.Config { return feed.Config{Reporter: by, Proven: true} }

	// Forged: nobody proved to be the reporter, or the mail isn't ours.
	tell("unproven", arf("abuse", "", header), feed.Config{Reporter: "example.org"}, map[subscriber.Counted]int{subscriber.ReportUnproven: 1})
	tell("foreign", arf("abuse", "", "From: a@b.example\r\nMessage-ID: <1@b.example>\r\n"), proven("example.org"), map[subscriber.Counted]int{subscriber.ReportForeign: 1})

	// Floods: many of one reporter, one by many reporters, a table of a line each second.
	var all strings.Builder
	for i := range 500 {
		fmt.Fprintf(&all, `{"xarf_version":"4.2.0","timestamp":"2026-03-14T08:00:00Z","category":"messaging","type":"spam","message_id":"<%d@ours.example>"}`, i)
	}
	tell("one reporter", all.String(), proven("example.org"), map[subscriber.Counted]int{subscriber.ReportCounted: 5, subscriber.ReportTooMany: 495})
	for i := range 300 {
		by := proven(fmt.Sprintf("r%d.example", i))
		tell("many reporters", arf("fraud", "", header), by, map[subscriber.Counted]int{subscriber.ReportCounted: 1})
	}
	all.Reset()
	all.WriteString("timestamp,ip,infection\n")
	for i := range 20_500 {
		fmt.Fprintf(&all, "2026-03-14 0%d:%02d:%02d,192.0.2.7,mirai\n", i/3600, i/60%60, i%60)
	}
	f := read(t, all.String(), "flood.csv", proven("feed"))
	if len(f.Reports) != 20_000 || f.Left != 500 {
		t.Errorf("%d reports, %d left", len(f.Reports), f.Left)
	}
	got, err := feed.Tell(t.Context(), noon, w, f)
	if err != nil || got[subscriber.ReportCounted] != 1 || got[subscriber.ReportDuplicate] != 19_999 {
		t.Errorf("%v, %v", got, err)
	}
	stand("a table")

	// Bombs: they are read within bounds, or refused.
	for _, b := range []struct{ name, text string }{
		{"depth", strings.Repeat(`{"Report":`, 200_000)},
		{"empty evidence", `{"xarf_version":"4.2.0","category":"messaging","type":"spam","evidence":[` + strings.Repeat("{},", 100_000) + "{}]}"},
		{"empty reports", "[" + strings.Repeat("{},", 150_000) + "{}]"},
		{"lists", strings.Repeat("[]", 200_000)},
		{"a cell without end", "timestamp,ip,infection\n\"" + strings.Repeat("a,\n", 200_000)},
		{"columns", "timestamp,ip" + strings.Repeat(",a", 7_000) + "\n"},
		{"empty cells", "timestamp,ip,infection\n" + strings.Repeat(",,\n", 200_000)},
		{"parts", "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: text/csv\r\n\r\ntimestamp,ip,infection\r\n\r\n", 20_000)},
	} {
		f, err := feed.Read(strings.NewReader(b.text), b.name, proven("bomb.example"))
		if err == nil {
			if len(f.Reports) > 20_000 || len(f.Defects) > 50 {
				t.Errorf("%s: %d reports, %d defects kept", b.name, len(f.Reports), len(f.Defects))
			}
			if _, err := feed.Tell(t.Context(), noon, w, f); err != nil {
				t.Error(err)
			}
		}
		stand(b.name)
	}
	if _, err := feed.Read(io.LimitReader(zeros{}, 1<<30), "zeros", feed.Config{}); err == nil {
		t.Error("a file of 1 GB is read")
	}

	// And a message that is clean leaves as ever.
	m := &subscriber.Message{ID: "m1", Recipients: []string{"a@example.org"}, Print: "p", Verdict: sluice.Verdict{Points: -5}}
	if d := w.Judge(t.Context(), noon, bob, m); d.Restrict != sluice.RestrictNone || d.Case != "" {
		t.Errorf("after all that: %+v", d)
	}
}

// away is a Warden whose store is away after some reports.
type away struct{ left int }

var errAway = errors.New("away")

func (a *away) Report(context.Context, time.Time, subscriber.Report) (subscriber.Counted, error) {
	if a.left--; a.left < 0 {
		return subscriber.ReportForeign, errAway
	}
	return subscriber.ReportCounted, nil
}

func TestTell(t *testing.T) {
	f := &feed.Found{Reports: make([]subscriber.Report, 5)}
	if got, err := feed.Tell(t.Context(), noon, &away{left: 3}, f); !errors.Is(err, errAway) || got[subscriber.ReportCounted] != 3 || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := feed.Tell(ctx, noon, &away{left: 9}, f); !errors.Is(err, context.Canceled) || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// seeds are what all targets begin with.
func seeds(f *testing.F) {
	f.Add(sinkhole)
	f.Add(arf("abuse", "Source-IP: 192.0.2.7\r\n", header))
	f.Add(`{"xarf_version":"4.2.0","category":"connection","type":"ddos","source_identifier":"192.0.2.7","timestamp":"2026-03-14T08:00:00Z"}`)
	f.Add(`[{"Version":"3","Report":{"ReportClass":"Activity","ReportType":"Spam","Date":"2026-03-14T08:00:00Z","Source":{"IP":"192.0.2.7"},"Attachment":[{"ContentType":"message/rfc822","Data":"RnJvbTogYQ=="}]}}]`)
}

func check(t *testing.T, f *feed.Found) {
	if len(f.Reports) > 100 || len(f.Defects) > 50 || len(f.Defects) > f.Defective {
		t.Errorf("%d reports, %d of %d defects", len(f.Reports), len(f.Defects), f.Defective)
	}
	for _, r := range f.Reports {
		if r.ID == "" && r.MessageID == "" && (!r.Client.IsValid() || r.At.IsZero()) {
			t.Errorf("about nothing: %+v", r)
		}
		if r.Reporter != "r" || r.Kind == signal.None || strings.ContainsAny(r.Detail, "\r\n\x00") {
			t.Errorf("%+v", r)
		}
	}
}

// FuzzRead reads anything by its content.
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		if found, err := feed.Read(strings.NewReader(s), "f", feed.Config{Reporter: "r", Reports: 100}); err == nil {
			check(t, found)
		}
	})
}

// FuzzTable reads tables whose columns are right.
func FuzzTable(f *testing.F) {
	_, rows, _ := strings.Cut(sinkhole, "\n")
	f.Add(rows)
	f.Add("2026-03-14 0:00:00,tcp,192.0.2.7,,,,\"a\nb\",\"c\rd\",\"e\x00f\"")
	f.Fuzz(func(t *testing.T, s string) {
		found, err := feed.Read(strings.NewReader("timestamp,protocol,src_ip,src_port,src_asn,dst_ip,infection,family,tag\n"+s), "f", feed.Config{Reporter: "r", Reports: 100})
		if err != nil {
			t.Fatal(err)
		}
		check(t, found)
	})
}

// FuzzXARF reads what is inside a report.
func FuzzXARF(f *testing.F) {
	f.Add(`"category":"messaging","type":"spam","message_id":"<1@a.example>"`)
	f.Add(`"Report":{"ReportClass":"Messaging","ReportType":"spam","Source":"192.0.2.7"}`)
	f.Fuzz(func(t *testing.T, s string) {
		if found, err := feed.Read(strings.NewReader(`{"xarf_version":"4.0.0",`+s+"}"), "f", feed.Config{Reporter: "r", Reports: 100}); err == nil {
			check(t, found)
		}
	})
}

// FuzzARF reads the machine's part and the header of a report.
func FuzzARF(f *testing.F) {
	f.Add("Source-IP: 192.0.2.7\r\nArrival-Date: Sat, 14 Mar 2026 08:00:00 +0000\r\n", header)
	f.Fuzz(func(t *testing.T, fields, original string) {
		if found, err := feed.Read(strings.NewReader(arf("abuse", fields, original)), "f", feed.Config{Reporter: "r", Reports: 100}); err == nil {
			check(t, found)
		}
	})
}
