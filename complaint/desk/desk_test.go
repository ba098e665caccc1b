package desk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/complaint"
	"sluice/dns/dnstest"
	"sluice/mailauth"
	"sluice/message"
)

// school is a teacher that writes down what it is taught.
type school struct {
	labels []*sluice.Label
	state  func(n int) sluice.FeedbackState
	err    func(n int) error

	unwritten bool
}

func (s *school) Teach(_ context.Context, l *sluice.Label) (*sluice.Feedback, error) {
	n := len(s.labels)
	if s.err != nil && s.err(n) != nil {
		return nil, s.err(n)
	}
	s.labels = append(s.labels, l)
	f := &sluice.Feedback{Seq: int64(n + 1), Spam: l.Spam, State: sluice.FeedbackApplied}
	if s.unwritten {
		f.Seq, f.State = 0, sluice.FeedbackRefused
	}
	if s.state != nil {
		f.State = s.state(n)
	}
	return f, nil
}

func (*school) Undo(context.Context, int64, string) (*sluice.Feedback, error) { panic("not used") }
func (*school) Accept(context.Context, int64, string) (*sluice.Feedback, error) {
	panic("not used")
}
func (*school) Reporters(context.Context, int) ([]sluice.Reporter, error) { panic("not used") }

const original = "From: win@bad.example\r\nSubject: You won\r\nMessage-ID: <1@bad.example>\r\n\r\nClick\r\n"

// delivered is the original with our fields on top.
const delivered = "Received: from x by mx.ours.example with ESMTP id REF1; now\r\nX-Sluice-ID: REF1\r\nX-Spam-Flag: NO\r\n" + original

func report(n int, attached string) *message.Message {
	var b strings.Builder
	b.WriteString("From: Anna <Anna@ours.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n")
	for range n {
		b.WriteString("--bb\r\nContent-Type: message/rfc822\r\n\r\n" + attached + "\r\n")
	}
	b.WriteString("--bb--\r\n")
	return message.Parse([]byte(b.String()), message.DefaultLimits())
}

func headerOnly() *message.Message {
	head, _, _ := strings.Cut(delivered, "\r\n\r\n")
	return message.Parse([]byte("From: anna@ours.example\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\nContent-Type: text/rfc822-headers\r\n\r\n"+head+"\r\n\r\n--bb--\r\n"), message.DefaultLimits())
}

func config(s *school, now *time.Time) Config {
	return Config{Spam: []string{"spam@ours.example", "Spam@xn--mller-kva.example"}, Ham: []string{"ham@ours.example"}, Phish: []string{"phish@ours.example"}, Teacher: s,
		Local: func(d string) bool { return d == "ours.example" }, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Clock: func() time.Time { return *now }, Burst: 30, Every: time.Minute, Reading: complaint.Config{Hostname: "mx.ours.example"}, Postmaster: "postmaster@ours.example",
		Record: func(_ context.Context, id string) (*sluice.Record, error) {
			if id != "REF1" {
				return nil, sluice.ErrNotFound
			}
			return &sluice.Record{ID: id, MessageID: "1@bad.example"}, nil
		}}
}

func newDesk(t *testing.T, s *school, change func(*Config)) (*Desk, *time.Time) {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	c := config(s, &now)
	if change != nil {
		change(&c)
	}
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d, &now
}

func to(addrs ...string) *sluice.Envelope {
	e := &sluice.Envelope{ID: "E1", From: "anna@ours.example", Tenant: "ours"}
	for _, a := range addrs {
		e.Rcpts = append(e.Rcpts, sluice.Recipient{Address: a})
	}
	return e
}

var (
	loggedIn = &sluice.Conn{Auth: "anna@ours.example"}
	inside   = &sluice.Conn{Client: netip.MustParseAddrPort("10.1.2.3:25")}
	outside  = &sluice.Conn{Client: netip.MustParseAddrPort("192.0.2.1:25")}
	behind   = &sluice.Conn{Client: netip.MustParseAddrPort("10.1.2.3:25"), Via: netip.MustParseAddrPort("10.9.9.9:25")}
)

func TestReplies(t *testing.T) {
	oops := errors.New("disk on fire")
	var list []string
	for i, test := range []struct {
		name   string
		conn   *sluice.Conn
		to     []string
		m      *message.Message
		change func(*Config)
		s      school
		labels string
		want   string
	}{
		{name: "spam", conn: loggedIn, to: []string{"SPAM@Ours.Example"}, m: report(1, delivered),
			labels: "spam spam anna@ours.example REF1 [anna@ours.example]", want: "250 2.0.0 Thank you: 1 message learned as spam. ref 1"},
		{name: "ham, by network", conn: inside, to: []string{"ham@ours.example"}, m: report(2, original),
			labels: "ham none anna@ours.example  [anna@ours.example]; ham none anna@ours.example  [anna@ours.example]", want: "250 2.0.0 Thank you: 2 messages learned as wanted. ref 1, 2"},
		{name: "phish", conn: loggedIn, to: []string{"phish@ours.example"}, m: report(1, original),
			labels: "spam phish anna@ours.example  [anna@ours.example]", want: "250 2.0.0 Thank you: 1 message learned as spam. ref 1"},
		{name: "spam and phish don't contradict", conn: loggedIn, to: []string{"spam@ours.example", "phish@ours.example"}, m: report(1, original),
			labels: "spam phish anna@ours.example  [anna@ours.example]", want: "250 2.0.0 Thank you: 1 message learned as spam. ref 1"},
		{name: "an account without a domain", conn: &sluice.Conn{Auth: "anna"}, to: []string{"spam@ours.example"}, m: report(1, original),
			labels: "spam spam anna  []", want: "250 2.0.0 Thank you: 1 message learned as spam. ref 1"},
		{name: "an id that isn't its", conn: loggedIn, to: []string{"spam@ours.example"}, m: report(1, strings.Replace(delivered, "<1@", "<2@", 1)),
			labels: "spam spam anna@ours.example  [anna@ours.example]", want: "250 2.0.0 Thank you: 1 message learned as spam. ref 1"},
		{name: "held and refused", conn: loggedIn, to: []string{"spam@ours.example"}, m: report(4, original),
			s: school{state: func(n int) sluice.FeedbackState {
				return []sluice.FeedbackState{sluice.FeedbackApplied, sluice.FeedbackHeld, sluice.FeedbackHeld, sluice.FeedbackRefused}[n]
			}},
			labels: "4", want: "250 2.0.0 Thank you: 1 message learned as spam, 2 messages wait for an administrator, 1 message not used. ref 1, 2, 3, 4"},
		{name: "too many: not even written down", conn: loggedIn, to: []string{"spam@ours.example"}, m: report(1, original), s: school{unwritten: true},
			labels: "1", want: "250 2.0.0 Thank you: 1 message not used."},
		{name: "more than the limit", conn: loggedIn, to: []string{"spam@ours.example"}, m: report(22, original),
			labels: "20", want: "250 2.0.0 Thank you: 20 messages learned as spam, 2 left out (too many, or too large). ref 1, 2, 3, 4, 5 and more"},
		{name: "trouble", conn: loggedIn, to: []string{"spam@ours.example"}, m: report(2, original), s: school{err: func(int) error { return oops }},
			want: "451 4.3.0 Local trouble, not your fault; please try again later; desk: disk on fire"},
		{name: "trouble half way: no second try", conn: loggedIn, to: []string{"spam@ours.example"}, m: report(2, original),
			s: school{err: func(n int) error {
				if n == 1 {
					return oops
				}
				return nil
			}}, labels: "1", want: "250 2.0.0 Thank you: 1 message learned as spam, 1 left out (trouble here). ref 1"},
		{name: "only the header", conn: loggedIn, to: []string{"spam@ours.example"}, m: headerOnly(),
			want: "550 5.6.1 Nothing learned: only the header of a message is attached, and the message is no longer here; attach the whole message. ref E1 postmaster@ours.example"},
		{name: "only the header, and we have the rest", conn: loggedIn, to: []string{"spam@ours.example"}, m: headerOnly(),
			change: func(c *Config) {
				c.Find = func(_ context.Context, o complaint.Original) ([]byte, error) {
					if o.ID != "REF1" || o.MessageID != "<1@bad.example>" {
						return nil, fmt.Errorf("asked for %q %q: %w", o.ID, o.MessageID, sluice.ErrNotFound)
					}
					return []byte(original), nil
				}
			}, labels: "spam spam anna@ours.example REF1 [anna@ours.example]", want: "250 2.0.0 Thank you: 1 message learned as spam. ref 1"},
		{name: "only the header, and we had the rest", conn: loggedIn, to: []string{"spam@ours.example"}, m: headerOnly(),
			change: func(c *Config) {
				c.Find = func(context.Context, complaint.Original) ([]byte, error) { return nil, sluice.ErrNotFound }
			},
			want: "550 5.6.1 Nothing learned: only the header of a message is attached, and the message is no longer here; attach the whole message. ref E1 postmaster@ours.example"},
		{name: "a stranger", conn: outside, to: []string{"spam@ours.example"}, m: report(1, original),
			want: "550 5.7.1 Not allowed: only users of this site, proved to be so, may report here; log in to send it, or write to the postmaster. ref E1 postmaster@ours.example"},
		{name: "a stranger by a hop of ours", conn: behind, to: []string{"spam@ours.example"}, m: report(1, original),
			want: "550 5.7.1 Not allowed: only users of this site, proved to be so, may report here; log in to send it, or write to the postmaster. ref E1 postmaster@ours.example"},
		{name: "spam and ham", conn: loggedIn, to: []string{"spam@ours.example", "ham@ours.example"}, m: report(1, original),
			want: "550 5.6.1 Nothing learned: the report doesn't say whether the message was wanted; send it to one report address only. ref E1 postmaster@ours.example"},
		{name: "nothing attached", conn: loggedIn, to: []string{"spam@ours.example"}, m: message.Parse([]byte("From: anna@ours.example\r\n\r\nspam!\r\n"), message.DefaultLimits()),
			want: "550 5.6.1 Nothing learned: no attached message was found in this report; forward the message as an attachment. ref E1 postmaster@ours.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, _ := newDesk(t, &test.s, test.change)
			r, err := d.Take(t.Context(), test.conn, to(test.to...), nil, test.m)
			got := r.String()
			if err != nil {
				got += "; " + err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if len(r.String())+2 > 512 {
				t.Errorf("a reply of %d octets", len(r.String()))
			}
			var labels []string
			for _, l := range test.s.labels {
				kind := "ham"
				if l.Spam {
					kind = "spam"
				}
				labels = append(labels, fmt.Sprintf("%s %s %s %s %v", kind, l.Threat, l.By, l.ID, l.To))
				if strings.TrimSpace(string(l.Raw)) != strings.TrimSpace(original) && !strings.Contains(test.name, "isn't its") {
					t.Errorf("taught %q", l.Raw)
				}
				if l.Source != sluice.SourceReport || l.Tenant != "ours" {
					t.Errorf("source %q, tenant %q", l.Source, l.Tenant)
				}
			}
			want := test.labels
			if len(want) < 3 && want != "" {
				if fmt.Sprint(len(labels)) != want {
					t.Errorf("%d labels, want %s", len(labels), want)
				}
			} else if diff := cmp.Diff(want, strings.Join(labels, "; ")); diff != "" {
				t.Error(diff)
			}
		})
		list = append(list, fmt.Sprint(i))
	}
	if len(list) < 15 {
		t.Error("cases are missing")
	}
}

func TestPace(t *testing.T) {
	var s school
	d, now := newDesk(t, &s, nil)
	for i, test := range []struct {
		n    int
		wait time.Duration
		code int
	}{{20, 0, 250}, {10, 0, 250}, {1, 0, 450}, {1, time.Minute, 250}, {1, 0, 450}} {
		*now = now.Add(test.wait)
		r, err := d.Take(t.Context(), loggedIn, to("spam@ours.example"), nil, report(test.n, original))
		if err != nil || r.Code != test.code {
			t.Errorf("step %d: %v, %v; want %d", i, r, err, test.code)
		}
	}
	if r, _ := d.Take(t.Context(), &sluice.Conn{Auth: "bert"}, to("spam@ours.example"), nil, report(1, original)); r.Code != 250 {
		t.Errorf("another one pays: %v", r)
	}
}

func TestTakes(t *testing.T) {
	d, _ := newDesk(t, &school{}, nil)
	for addr, want := range map[string]bool{"spam@ours.example": true, "sPam@OURS.example.": true, "spam@müller.example": true, "ham@ours.example": true,
		"phish@ours.example": true, "anna@ours.example": false, "spam@other.example": false, "": false, "spam": false, "spam+x@ours.example": false} {
		if got := d.Takes(addr); got != want {
			t.Errorf("%q: %v", addr, got)
		}
	}
	if (*Desk)(nil).Takes("spam@ours.example") {
		t.Error("no desk takes mail")
	}
}

func TestBadConfig(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Teacher = nil }, "desk: no teacher, no local domains or no clock"},
		{func(c *Config) { c.Spam = []string{"spam"} }, `desk: "spam" is no address`},
		{func(c *Config) { c.Ham = c.Spam }, "desk: spam@ours.example stands twice among the report addresses"},
		{func(c *Config) { c.Ham = []string{"abuse@ours.example"} }, "desk: abuse@ours.example must reach a person, and can't be a report address"},
		{func(c *Config) { c.Ham = []string{"Postmaster@ours.example"} }, "desk: postmaster@ours.example must reach a person, and can't be a report address"},
	} {
		c := config(&school{}, &now)
		test.change(&c)
		if test.want == "desk: spam@ours.example stands twice among the report addresses" {
			c.Spam, c.Ham = c.Spam[:1], c.Ham[:1]
		}
		if _, err := New(c); err == nil || err.Error() != test.want {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}

func TestClean(t *testing.T) {
	d, _ := newDesk(t, &school{}, nil)
	for raw, id := range map[string]string{delivered: "REF1", original: "", strings.Replace(delivered, "REF1", "REF2", 2): "", strings.Replace(delivered, "<1@", "<2@", 1): ""} {
		clean, got := d.Clean(t.Context(), []byte("Delivered-To: anna@ours.example\r\n"+raw))
		if got != id || strings.Replace(string(clean), "<2@", "<1@", 1) != original {
			t.Errorf("%q: id %q, %q", raw, got, clean)
		}
	}
}

// TestDMARC: a report from outside counts where its author is proved to be of a domain
// of ours, and for nobody else's proof.
func TestDMARC(t *testing.T) {
	zone, err := dnstest.Parse("zone", strings.NewReader(`
$TTL 60
ours.example.         TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.ours.example.  TXT "v=DMARC1; p=reject"
other.example.        TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.other.example. TXT "v=DMARC1; p=reject"
`))
	if err != nil {
		t.Fatal(err)
	}
	raw := string(report(1, original).Raw)
	for _, test := range []struct{ name, client, sender, raw, by string }{
		{"aligned", "192.0.2.1:25", "bounces@ours.example", raw, "anna@ours.example"},
		{"from elsewhere", "198.51.100.1:25", "anna@ours.example", raw, ""},
		{"aligned with another domain", "192.0.2.1:25", "x@other.example", raw, ""},
		{"proved, but not ours", "192.0.2.1:25", "x@other.example", strings.Replace(raw, "Anna@ours.example", "x@other.example", 1), ""},
		{"two authors", "192.0.2.1:25", "anna@ours.example", strings.Replace(raw, "<Anna@ours.example>", "<Anna@ours.example>, <boss@ours.example>", 1), ""},
		{"two From fields", "192.0.2.1:25", "anna@ours.example", "From: boss@ours.example\r\n" + raw, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s school
			d, _ := newDesk(t, &s, nil)
			conn := &sluice.Conn{Client: netip.MustParseAddrPort(test.client)}
			env := to("spam@ours.example")
			env.From = test.sender
			auth := mailauth.New(mailauth.Config{Resolver: zone, Hostname: "mx.ours.example"}).Open(conn).Begin(env)
			r, err := d.Take(t.Context(), conn, env, auth, message.Parse([]byte(test.raw), message.DefaultLimits()))
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.by == "" && (r.Code != 550 || r.Enhanced != "5.7.1" || len(s.labels) > 0):
				t.Errorf("%v, %d labels", r, len(s.labels))
			case test.by != "" && (r.Code != 250 || len(s.labels) != 1 || s.labels[0].By != test.by):
				t.Errorf("%v, labels %+v", r, s.labels)
			}
		})
	}
}
