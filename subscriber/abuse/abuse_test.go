package abuse_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/complaint"
	"sluice/dns/dnstest"
	"sluice/internal/golden"
	"sluice/mailauth/dkim"
	"sluice/message"
	"sluice/store/memory"
	"sluice/subscriber/abuse"
	"sluice/subscriber/feed"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// outbox keeps what was put into it.
type outbox struct {
	list []*sluice.Delivery
	err  error
}

func (o *outbox) Put(_ context.Context, d *sluice.Delivery) error {
	if o.err == nil {
		o.list = append(o.list, d)
	}
	return o.err
}

func (o *outbox) to() (list []string) {
	for _, d := range o.list {
		list = append(list, d.Envelope.Rcpts[0].Address)
	}
	return list
}

func local(domain string) bool { return domain == "ours.example" }

func config(o *outbox) abuse.Config {
	return abuse.Config{Outbox: o, Hostname: "mx.ours.example", From: "abuse-reports@ours.example", OrgName: "Ours & Söhne", Key: []byte("0123456789abcdef"), Local: local,
		Contacts: []abuse.Contact{{Network: netip.MustParsePrefix("0.0.0.0/0"), Address: "abuse@net.example"}}}
}

func reporter(t testing.TB, c abuse.Config) *abuse.Reporter {
	t.Helper()
	r, err := abuse.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const spam = "Received: from x (x [198.51.100.7])\r\n\tby mx.ours.example for <kim@OURS.example>\r\nFrom: Prizes <win@bad.example>\r\nTo: kim@ours.example, \"a b\"@ours.example, eve@other.example\r\n" +
	"Subject: kim@ours.example, you won\r\nMessage-ID: <1@bad.example>\r\nList-Unsubscribe: <mailto:u+kim=ours.example@bad.example>\r\n\r\nClick, kim@ours.example.\r\n"

func sighting(client string) abuse.Sighting {
	return abuse.Sighting{Client: netip.MustParseAddrPort(client), MailFrom: "bounce+kim=ours.example@bad.example", Threat: sluice.ThreatPhish, Message: []byte(spam)}
}

// bot lets an address bring n messages within 5 minutes, and reports an hour later.
func bot(t testing.TB, r *abuse.Reporter, client string, n int, now time.Time) int {
	t.Helper()
	for i := range n {
		r.Saw(now.Add(time.Duration(i)*time.Minute), sighting(client))
	}
	sent, err := r.Send(context.Background(), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// TestWritten writes one report in each form, which people can look at, and lets our
// parsers, the schema and another program read it.
func TestWritten(t *testing.T) {
	for _, c := range []struct {
		name   string
		format abuse.Format
		change func(*abuse.Sighting)
		typ    string
	}{
		{"arf", abuse.ARF, func(*abuse.Sighting) {}, "fraud"},
		{"arf-eightbit", abuse.ARF, func(s *abuse.Sighting) {
			s.Message, s.MailFrom, s.Threat = []byte(strings.Replace(spam, "Prizes", "Pr\xefzes\x00", 1)), "", sluice.ThreatMalware
		}, "virus"},
		{"xarf", abuse.XARF, func(*abuse.Sighting) {}, "messaging/spam"},
		{"xarf-trap", abuse.XARF, func(s *abuse.Sighting) { s.Trapped = true }, "messaging/spam"},
		{"xarf-bot", abuse.XARF, func(s *abuse.Sighting) { s.Message, s.MailFrom = nil, "" }, "connection/infected_host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var o outbox
			cfg := config(&o)
			cfg.Format = c.format
			r := reporter(t, cfg)
			s := sighting("[::ffff:198.51.100.7]:4711")
			c.change(&s)
			for i := range 5 {
				r.Saw(noon.Add(time.Duration(i)*time.Minute), s)
			}
			if n, err := r.Send(t.Context(), noon.Add(time.Hour)); n != 1 || err != nil || len(o.list) != 1 {
				t.Fatal(n, err)
			}
			d := o.list[0]
			golden.Check(t, "testdata/"+c.name+".eml", d.Body)
			if d.Envelope.From != "" || d.Envelope.Rcpts[0].Address != "abuse@net.example" || !d.Envelope.Outbound {
				t.Errorf("%+v", d.Envelope)
			}
			if low := strings.ToLower(string(decoded(d.Body))); strings.Contains(low, "kim@") || strings.Contains(low, "kim=") || strings.Contains(low, "a b\"@") || strings.Contains(low, "click,") {
				t.Errorf("one of our users can be read: %s", low)
			}
			m := message.Parse(d.Body, message.DefaultLimits())
			got := complaint.Read(m, complaint.Config{})
			if string(got.Form) != string(c.format) || got.Type != c.typ || got.Source.String() != "198.51.100.7" || !got.At.Equal(noon.Add(4*time.Minute)) {
				t.Errorf("read back: %+v", got)
			}
			if len(s.Message) > 0 && (len(got.Originals) != 1 || got.Originals[0].MessageID != "<1@bad.example>") {
				t.Errorf("read back: %+v", got.Originals)
			}
			if f, err := feed.Read(bytes.NewReader(d.Body), "own", feed.Config{}); err != nil || len(f.Reports) != 1 || f.Defective > 0 {
				t.Errorf("our intake: %+v, %v", f, err)
			}
			if c.format == abuse.XARF {
				file := attached(t, m)
				if bad := loadSchemas(t).validate(file); len(bad) > 0 {
					t.Errorf("%v\n%s", bad, file)
				}
			}
			python(t, d.Body, c.format, c.typ)
		})
	}
}

// attached is the XARF file of a report.
func attached(t testing.TB, m *message.Message) []byte {
	t.Helper()
	for _, p := range m.Parts {
		if p.Filename == "xarf.json" {
			return m.Decoded(p)
		}
	}
	t.Fatal("no xarf.json")
	return nil
}

// decoded is everything that can be read in a report.
func decoded(raw []byte) []byte {
	m := message.Parse(raw, message.DefaultLimits())
	out := bytes.Clone(raw)
	for _, p := range m.Parts {
		b := m.Decoded(p)
		out = append(out, b...)
		var f struct{ Evidence []struct{ Payload []byte } }
		if p.Filename == "xarf.json" && json.Unmarshal(b, &f) == nil {
			for _, e := range f.Evidence {
				out = append(out, e.Payload...)
			}
		}
	}
	return out
}

// script reads a report with another parser than ours and says what it is.
const script = `
import sys, json, email, email.policy
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
bad = [str(d) for p in m.walk() for d in p.defects]
kinds = [p.get_content_type() for p in m.iter_parts()]
out = {"type": m.get_content_type(), "report": m.get_param("report-type"), "parts": kinds, "defects": bad, "source": "", "kind": ""}
for p in m.iter_parts():
    if p.get_content_type() == "message/feedback-report":
        f = p.get_payload()[0]
        out["source"], out["kind"] = f["Source-IP"], f["Feedback-Type"]
    elif p.get_content_type() == "application/json":
        x = json.loads(p.get_content())
        out["source"], out["kind"] = x["source_identifier"], x["category"] + "/" + x["type"]
print(json.dumps(out))
`

type read struct {
	Type, Report string
	Parts        []string
	Defects      []string
	Source, Kind string
}

func python(t *testing.T, raw []byte, format abuse.Format, kind string) {
	t.Helper()
	program, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is absent: no other parser reads the reports")
	}
	cmd := exec.CommandContext(t.Context(), program, "-c", script)
	cmd.Stdin = bytes.NewReader(raw)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("python3: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	want := read{Type: "multipart/report", Report: "feedback-report", Parts: []string{"text/plain", "message/feedback-report", "text/rfc822-headers"}, Defects: []string{}, Source: "198.51.100.7", Kind: kind}
	if format == abuse.XARF {
		want.Type, want.Report, want.Parts = "multipart/mixed", "", []string{"text/plain", "application/json"}
	}
	var got read
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestContacts finds whom to tell by table and zone.
func TestContacts(t *testing.T) {
	zone, err := dnstest.Parse("zone.json", strings.NewReader(`{
		"7.100.51.198.contacts.example": {"TXT": ["abuse@isp.example"]},
		"8.100.51.198.contacts.example": {"TXT": ["ABUSE@isp.example,abuse@isp.example, not an address", "noc@isp.example", "third@isp.example"]},
		"9.100.51.198.contacts.example": {"TXT": ["postmaster@ours.example"]},
		"10.100.51.198.contacts.example": {"TXT": ["Test point"]},
		"11.100.51.198.contacts.example": {"TXT": "SERVFAIL"},
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.contacts.example": {"TXT": ["six@isp.example"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		client string
		want   []string
		later  bool
	}{
		{"198.51.100.7:25", []string{"abuse@isp.example"}, false},
		{"198.51.100.8:25", []string{"ABUSE@isp.example", "noc@isp.example"}, false},
		{"198.51.100.9:25", nil, false},
		{"198.51.100.10:25", nil, false},
		{"198.51.100.11:25", nil, true},
		{"198.51.100.12:25", nil, false},
		{"[2001:db8::1]:25", []string{"six@isp.example"}, false},
		{"203.0.113.1:25", []string{"wide@net.example"}, false},
		{"203.0.113.200:25", []string{"narrow@net.example"}, false},
		{"203.0.113.250:25", nil, false}, // the table says: nobody
		{"192.0.2.1:25", nil, false},     // our own
		{"10.0.0.1:25", nil, false},
		{"127.0.0.1:25", nil, false},
	} {
		var o outbox
		cfg := config(&o)
		cfg.Zone, cfg.Resolver, cfg.Own = "contacts.example", zone, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		cfg.Contacts = []abuse.Contact{{Network: netip.MustParsePrefix("203.0.113.0/24"), Address: "wide@net.example"},
			{Network: netip.MustParsePrefix("203.0.113.192/26"), Address: "narrow@net.example"}, {Network: netip.MustParsePrefix("203.0.113.250/32")}}
		r := reporter(t, cfg)
		for range 3 {
			r.Saw(noon, sighting(c.client))
		}
		_, err := r.Send(t.Context(), noon.Add(time.Hour))
		if d := cmp.Diff(c.want, o.to()); d != "" || (err != nil) != c.later || (r.Stats().Waiting > 0) != c.later {
			t.Errorf("%s: %v, %v waiting, %s", c.client, err, r.Stats().Waiting, d)
		}
	}
}

// TestSlowZone: addresses whose contacts can't be found are tried later, behind others.
func TestSlowZone(t *testing.T) {
	zone, err := dnstest.Parse("zone.json", strings.NewReader(`{"1.100.51.198.contacts.example": {"TXT": "TIMEOUT"}, "2.100.51.198.contacts.example": {"TXT": ["abuse@isp.example"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	var o outbox
	cfg := config(&o)
	cfg.Contacts, cfg.Zone, cfg.Resolver = nil, "contacts.example", zone
	r := reporter(t, cfg)
	for i := range 9 {
		r.Saw(noon, sighting("198.51.100.1:1"))
		if i < 3 {
			r.Saw(noon, sighting("198.51.100.2:1"))
		}
	}
	if n, err := r.Send(t.Context(), noon.Add(time.Hour)); n != 1 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := r.Send(t.Context(), noon.Add(90*time.Minute)); n != 0 || err != nil {
		t.Errorf("too soon: %d, %v", n, err)
	}
	if _, err := r.Send(t.Context(), noon.Add(2*time.Hour)); err == nil {
		t.Error("not tried again")
	}
	if r.Saw(noon.Add(50*time.Hour), sighting("198.51.100.3:1")); r.Stats().Waiting != 2 {
		t.Errorf("%+v", r.Stats())
	}
	if _, err := r.Send(t.Context(), noon.Add(50*time.Hour)); err != nil || r.Stats().Waiting != 1 {
		t.Errorf("kept for ever: %v, %+v", err, r.Stats())
	}
}

func TestLimits(t *testing.T) {
	var o outbox
	cfg := config(&o)
	cfg.PerContact, cfg.PerDay, cfg.Memos = 3, 4, memory.New()
	cfg.Contacts = append(cfg.Contacts, abuse.Contact{Network: netip.MustParsePrefix("203.0.113.0/24"), Address: "abuse@other.example"})
	r := reporter(t, cfg)
	if n := bot(t, r, "198.51.100.1:1", 2, noon); n != 0 {
		t.Error("two messages are reported")
	}
	if n := bot(t, r, "198.51.100.1:1", 1, noon.Add(time.Minute)); n != 1 {
		t.Error("the third isn't")
	}
	if n := bot(t, r, "198.51.100.1:2", 9, noon.Add(time.Hour)); n != 0 {
		t.Error("told again on the same day")
	}
	o.err = errors.New("full")
	for range 3 {
		r.Saw(noon, sighting("198.51.100.2:1"))
	}
	if _, err := r.Send(t.Context(), noon.Add(time.Hour)); !errors.Is(err, o.err) || r.Stats().Waiting != 1 {
		t.Errorf("%v, %+v", err, r.Stats())
	}
	o.err = nil
	if n, err := r.Send(t.Context(), noon.Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("not tried again: %d, %v", n, err)
	}
	if err := r.Save(t.Context(), noon, true); err != nil {
		t.Fatal(err)
	}
	r = reporter(t, cfg) // a restart
	if err := r.Load(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if n := bot(t, r, "198.51.100.2:2", 9, noon.Add(2*time.Hour)); n != 0 {
		t.Error("told again after a restart")
	}
	for i := range 20 {
		bot(t, r, fmt.Sprintf("198.51.100.%d:1", 50+i), 3, noon.Add(2*time.Hour))
		bot(t, r, fmt.Sprintf("203.0.113.%d:1", 50+i), 3, noon.Add(2*time.Hour))
	}
	if got, want := strings.Join(o.to(), " "), "abuse@net.example abuse@net.example abuse@net.example abuse@other.example"; got != want {
		t.Errorf("sent to %s", got)
	}
	if s := r.Stats(); s.Capped != 38 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if n := bot(t, r, "198.51.100.1:1", 3, noon.Add(25*time.Hour)); n != 1 {
		t.Error("not told on the next day")
	}
	seen := map[string]bool{}
	for _, d := range o.list {
		if seen[d.ID] {
			t.Errorf("the id %s twice", d.ID)
		}
		seen[d.ID] = true
	}
}

// TestOptIn: nobody is told who isn't configured.
func TestOptIn(t *testing.T) {
	var o outbox
	cfg := config(&o)
	cfg.Contacts = nil
	r := reporter(t, cfg)
	if n := bot(t, r, "198.51.100.1:1", 9, noon); n != 0 || r.Stats().Waiting != 0 {
		t.Error(n, r.Stats())
	}
	raw, sigs := signed(t, letter, "news.example")
	if n, err := r.Complain(t.Context(), noon, abuse.Complaint{User: "kim", Message: raw, DKIM: sigs}); n != 0 || !errors.Is(err, abuse.ErrNoLoop) {
		t.Error(n, err)
	}
	for _, change := range []func(*abuse.Config){
		func(c *abuse.Config) { c.Key = nil }, func(c *abuse.Config) { c.From = "x" }, func(c *abuse.Config) { c.Zone = "z.example" },
		func(c *abuse.Config) { c.CFBL = true }, func(c *abuse.Config) { c.Format = "pdf" }, func(c *abuse.Config) { c.Outbox = nil },
		func(c *abuse.Config) {
			c.Contacts = []abuse.Contact{{Network: netip.MustParsePrefix("::/0"), Address: "a@b.example\r\nBcc: x@y.example"}}
		},
		func(c *abuse.Config) { c.Loops = map[string]string{"x.example": "y"} },
	} {
		cfg := config(&o)
		change(&cfg)
		if _, err := abuse.New(cfg); err == nil {
			t.Errorf("taken: %+v", cfg)
		}
	}
}

const letter = "From: News <news@news.example>\r\nTo: kim@ours.example\r\nSubject: Deals\r\nMessage-ID: <n1@news.example>\r\nCFBL-Address: fbl@news.example; report=arf\r\nCFBL-Feedback-ID: 111:222\r\n\r\nBuy.\r\n"

var private = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))

// zone has the key of every domain below news.example and others.
func zone(t testing.TB) *dnstest.Zone {
	t.Helper()
	names := map[string]any{}
	for _, d := range []string{"news.example", "mail.news.example", "esp.example", "evil.example"} {
		names["s._domainkey."+d] = map[string]any{"TXT": []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))}}
	}
	b, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	z, err := dnstest.Parse("zone.json", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// signed signs a message, by each domain with or (behind "-") without the fields of
// feedback, and verifies it.
func signed(t testing.TB, raw string, domains ...string) (*message.Message, []dkim.Result) {
	t.Helper()
	for _, d := range domains {
		d, without := strings.CutPrefix(d, "-")
		headers := []string{"From", "To", "Subject", "Message-ID"}
		if !without {
			headers = append(headers, "CFBL-Address", "CFBL-Feedback-ID")
		}
		field, err := dkim.Sign([]byte(raw), noon, dkim.SignOptions{Domain: d, Selector: "s", Key: private, Headers: headers, OverSign: []string{"From"}})
		if err != nil {
			t.Fatal(err)
		}
		raw = string(field) + raw
	}
	return verified(t, raw)
}

func verified(t testing.TB, raw string) (*message.Message, []dkim.Result) {
	m := message.Parse([]byte(raw), message.DefaultLimits())
	return m, dkim.Verify(context.Background(), zone(t), m, noon, dkim.DefaultLimits())
}

// TestCFBL tries the rules of RFC 9477 3.1 with real signatures.
func TestCFBL(t *testing.T) {
	with := func(from, loop string) string {
		return strings.NewReplacer("news@news.example", "news@"+from, "fbl@news.example; report=arf", loop).Replace(letter)
	}
	for _, c := range []struct {
		name, raw string
		by        []string
		want      error
	}{
		{"strict", letter, []string{"news.example"}, nil},
		{"unsigned", letter, nil, abuse.ErrUnsigned},
		{"the field isn't signed", letter, []string{"-news.example"}, abuse.ErrUnsigned},
		{"another's signature", letter, []string{"esp.example"}, abuse.ErrAligned},
		{"another's covers, the author's doesn't", letter, []string{"esp.example", "-news.example"}, abuse.ErrAligned},
		{"relaxed: signed by the parent", with("mail.news.example", "fbl@mail.news.example"), []string{"news.example"}, nil},
		{"relaxed: the address is a child", with("news.example", "fbl@mail.news.example"), []string{"news.example"}, nil},
		{"signed by the child only", with("news.example", "fbl@mail.news.example"), []string{"mail.news.example"}, abuse.ErrAligned},
		{"third party", with("news.example", "fbl@esp.example"), []string{"news.example", "esp.example"}, nil},
		{"third party, signed before", with("news.example", "fbl@esp.example"), []string{"-news.example", "esp.example"}, nil},
		{"third party didn't agree", with("news.example", "fbl@esp.example"), []string{"news.example"}, abuse.ErrAligned},
		{"the author didn't", with("news.example", "fbl@esp.example"), []string{"esp.example"}, abuse.ErrAligned},
		{"a parent's address is a third party's", with("mail.news.example", "fbl@news.example"), []string{"mail.news.example"}, abuse.ErrAligned},
		{"… that agreed", with("mail.news.example", "fbl@news.example"), []string{"mail.news.example", "news.example"}, nil},
		{"none", strings.Replace(letter, "CFBL-Address", "X-Address", 1), []string{"news.example"}, abuse.ErrNoLoop},
		{"not an address", with("news.example", "everybody"), []string{"news.example"}, abuse.ErrNoLoop},
		{"no Message-ID", strings.Replace(letter, "Message-ID", "X-Message-ID", 1), []string{"news.example"}, abuse.ErrAmbiguous},
	} {
		got, err := abuse.CFBL(signed(t, c.raw, c.by...))
		if !errors.Is(err, c.want) || (err == nil) != (got.Address != "") {
			t.Errorf("%s: %+v, %v, want %v", c.name, got, err, c.want)
		}
	}
	suffix := message.Parse([]byte(strings.ReplaceAll(letter, "news.example", "news.co.uk")), message.DefaultLimits())
	if got, err := abuse.CFBL(suffix, []dkim.Result{{Status: dkim.Pass, Domain: "co.uk", FromSigned: true, Signed: []string{"cfbl-address", "cfbl-feedback-id"}}}); !errors.Is(err, abuse.ErrAligned) {
		t.Errorf("signed by a public suffix: %+v, %v", got, err)
	}
	m, _ := signed(t, letter, "news.example")
	for name, raw := range map[string]string{
		"an address put on top":    "CFBL-Address: victim@bank.example\r\n" + string(m.Raw),
		"a feedback id put on top": "CFBL-Feedback-ID: 9\r\n" + string(m.Raw),
		"the address changed":      strings.Replace(string(m.Raw), "fbl@", "victim@", 1),
		"a second author":          "From: a@evil.example\r\n" + string(m.Raw),
		"a second address, by evil": func() string {
			e, _ := signed(t, "CFBL-Address: v@bank.example\r\n"+string(m.Raw), "evil.example")
			return string(e.Raw)
		}(),
	} {
		if got, err := abuse.CFBL(verified(t, raw)); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got, err := abuse.CFBL(signed(t, with("news.example", "fbl@news.example; report=xarf"), "news.example")); err != nil || got.Format != abuse.XARF {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestComplain(t *testing.T) {
	var o outbox
	cfg := config(&o)
	cfg.CFBL, cfg.PerLoop = true, 2
	cfg.Loops = map[string]string{"esp.example": "loop@esp.example"}
	cfg.Sign = func(raw []byte, domain string, now time.Time) ([]byte, error) {
		return dkim.Sign(raw, now, dkim.SignOptions{Domain: domain, Selector: "s", Key: private})
	}
	r := reporter(t, cfg)
	say := func(user, raw string, by ...string) int {
		t.Helper()
		m, sigs := signed(t, raw, by...)
		n, err := r.Complain(t.Context(), noon, abuse.Complaint{User: user, Message: m, DKIM: sigs, Client: netip.MustParseAddrPort("198.51.100.7:4711"), MailFrom: "b@news.example", At: noon.Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := say("kim", letter, "news.example", "esp.example"); n != 2 {
		t.Errorf("%d reports, to %v", n, o.to())
	}
	golden.Check(t, "testdata/loop.eml", o.list[0].Body)
	if len(o.list[0].Header) == 0 || strings.Contains(string(decoded(o.list[0].Body)), "kim") || !strings.Contains(string(o.list[0].Body), "CFBL-Feedback-ID: 111:222\r\n") {
		t.Errorf("%s%s", o.list[0].Header, o.list[0].Body)
	}
	if got := complaint.Read(message.Parse(o.list[0].Body, message.DefaultLimits()), complaint.Config{}); got.Form != complaint.ARF || got.Type != "abuse" || len(got.Originals) != 1 || got.Originals[0].MessageID != "<n1@news.example>" {
		t.Errorf("read back: %+v", got)
	}
	if n := say("kim", letter, "news.example"); n != 0 {
		t.Error("the same word twice")
	}
	if n := say("eve", strings.Replace(letter, "report=arf", "report=xarf", 1), "news.example"); n != 1 {
		t.Error("another's word doesn't count")
	}
	file := attached(t, message.Parse(o.list[len(o.list)-1].Body, message.DefaultLimits()))
	if bad := loadSchemas(t).validate(file); len(bad) > 0 || !strings.Contains(string(file), `"user_complaint"`) {
		t.Errorf("%v\n%s", bad, file)
	}
	if n := say("bob", letter, "news.example"); n != 0 || r.Stats().Capped != 1 {
		t.Error("beyond the limit")
	}
	cfg.Sign = func([]byte, string, time.Time) ([]byte, error) { return nil, nil }
	m, sigs := signed(t, letter, "news.example")
	if n, err := reporter(t, cfg).Complain(t.Context(), noon, abuse.Complaint{User: "kim", Message: m, DKIM: sigs, At: noon}); n != 0 || err == nil {
		t.Errorf("an unsigned report left: %d, %v", n, err)
	}
	again := message.Parse(o.list[0].Body, message.DefaultLimits())
	if n, err := r.Complain(t.Context(), noon, abuse.Complaint{User: "kim", Message: again, DKIM: sigs, At: noon}); n != 0 || !errors.Is(err, abuse.ErrNoLoop) {
		t.Errorf("a report of a report: %d, %v", n, err)
	}
}

// FuzzReport writes reports about hostile messages: they can be read, fit the schema,
// and name none of our users.
func FuzzReport(f *testing.F) {
	f.Add([]byte(spam), "bounce@bad.example", true)
	f.Add([]byte("From: \xff\r\n--=_\r\nTo: <\"kim\"@ours.example\r\n"), "", false)
	f.Add([]byte("Subject: kim@ours.example=kim@ours.example.@ours.example\n\n"), "kim@ours.example", true)
	f.Fuzz(func(t *testing.T, raw []byte, from string, format bool) {
		var o outbox
		cfg := config(&o)
		if format {
			cfg.Format = abuse.XARF
		}
		r := reporter(t, cfg)
		for range 3 {
			r.Saw(noon, abuse.Sighting{Client: netip.MustParseAddrPort("198.51.100.7:1"), MailFrom: from, Message: raw})
		}
		if n, err := r.Send(context.Background(), noon.Add(time.Hour)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		b := o.list[0].Body
		for line := range bytes.Lines(b) {
			if !bytes.HasSuffix(line, []byte("\r\n")) || len(line) > 1000 || bytes.ContainsFunc(line[:len(line)-2], func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\t' }) {
				t.Fatalf("%q", line)
			}
		}
		if bytes.Contains(bytes.ToLower(decoded(b)), []byte("kim@ours.example")) {
			t.Errorf("named: %s", b)
		}
		m := message.Parse(b, message.DefaultLimits())
		if got := complaint.Read(m, complaint.Config{}); string(got.Form) != map[bool]string{true: "xarf", false: "arf"}[format] || got.Source.String() != "198.51.100.7" {
			t.Errorf("read back: %+v\n%s", got, b)
		}
		if format {
			if bad := loadSchemas(t).validate(attached(t, m)); len(bad) > 0 {
				t.Errorf("%v", bad)
			}
		}
	})
}

// FuzzCFBL reads hostile fields.
func FuzzCFBL(f *testing.F) {
	f.Add("fbl@news.example; report=xarf", "111")
	f.Add("(c) fbl@news.example\r\n ;report=arf", "\r\nCFBL-Address: b@news.example")
	f.Fuzz(func(t *testing.T, address, id string) {
		m := message.Parse([]byte("From: a@news.example\r\nMessage-ID: <1>\r\nCFBL-Address: "+address+"\r\nCFBL-Feedback-ID: "+id+"\r\n\r\n"), message.DefaultLimits())
		all := make([]string, 100)
		for i := range all {
			all[i] = []string{"cfbl-address", "cfbl-feedback-id"}[i%2]
		}
		c, err := abuse.CFBL(m, []dkim.Result{{Status: dkim.Pass, Domain: "news.example", FromSigned: true, Signed: all}})
		if (err == nil) != (c.Address != "") || strings.ContainsAny(c.Address, "\r\n, ;<>") {
			t.Errorf("%+v, %v", c, err)
		}
		if d := sluice.DomainOf(c.Address); err == nil && !strings.EqualFold(d, "news.example") && !strings.HasSuffix(strings.ToLower(d), ".news.example") {
			t.Errorf("%+v", c)
		}
	})
}
