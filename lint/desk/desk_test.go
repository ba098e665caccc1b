package desk

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/dns/dnstest"
	"sluice/lint"
	"sluice/lint/report"
	"sluice/mailauth"
	"sluice/mailauth/dkim"
	"sluice/message"
)

type bench struct {
	*Desk
	now   time.Time
	sent  []string // recipients
	mail  []byte
	looks int
	fail  error
}

type counter struct{ n byte }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		c.n++
		b[i] = c.n
	}
	return len(b), nil
}

func open(t *testing.T) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 3, 20, 12, 0, 30, 0, time.UTC)}
	var err error
	b.Desk, err = New(Config{Domain: "mx.example.net", Key: bytes.Repeat([]byte{1}, 32), Rand: &counter{}, Clock: func() time.Time { return b.now }, MaxSize: 10_000, Postmaster: "help@example.net",
		Lint: func(_ context.Context, in lint.Input) *report.Report {
			b.looks++
			if in.Guessed || in.Conn == nil {
				t.Error("the session is lost")
			}
			return &report.Report{Message: report.Message{Subject: "Hi\x1b[31m"}, Verdict: &report.Verdict{Points: 77.7}, Class: report.Delivered,
				Advice: []report.Advice{{ID: "dkim", What: "The message isn't signed.", Do: "Sign it.", Standard: true, Effect: -4.1}, {ID: "x", What: "hidden words", Do: "x"}}}
		},
		Send: func(_ context.Context, to string, raw []byte) error {
			if b.fail != nil {
				return b.fail
			}
			b.sent, b.mail = append(b.sent, to), raw
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var publicKey = base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)).Public().(ed25519.PublicKey))

const good = "From: Ann <ann@example.org>\r\nTo: x@mx.example.net\r\nSubject: try\r\nMessage-ID: <1@example.org>\r\n\r\nHello\r\n"

// take sends a message from an address that example.org lists, or another.
func (b *bench) take(t *testing.T, to, from, raw, ip string) sluice.Reply {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(`{"example.org": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]}, "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]},
		"s._domainkey.example.org": {"TXT": ["v=DKIM1; k=ed25519; p=`+publicKey+`"]},
		"late.example.com": {"TXT": "TIMEOUT"}, "_dmarc.late.example.com": {"TXT": "TIMEOUT"}}`))
	if err != nil {
		t.Fatal(err)
	}
	conn := &sluice.Conn{Client: netip.AddrPortFrom(netip.MustParseAddr(ip), 25), Hello: sluice.Hello{Verb: "EHLO", Name: "mx.example.org"}}
	env := &sluice.Envelope{From: from, Rcpts: []sluice.Recipient{{Address: to}}}
	auth := mailauth.New(mailauth.Config{Resolver: z}).Open(conn).Begin(env)
	r, err := b.Take(context.Background(), conn, env, auth, message.Parse([]byte(raw), message.DefaultLimits()))
	if err != nil && b.fail == nil {
		t.Error(err)
	}
	return r
}

func TestTake(t *testing.T) {
	b := open(t)
	to, err := b.Address()
	if err != nil || len(sluice.LocalOf(to)) > 64 || !b.Takes(to) || !b.Takes(strings.ToUpper(to)) {
		t.Fatalf("%q %v, taken %v", to, err, b.Takes(to))
	}
	if r := b.take(t, to, "ann@example.org", good, "192.0.2.1"); r.Code != 250 {
		t.Fatalf("%+v", r)
	}
	text := string(b.mail)
	if len(b.sent) != 1 || b.sent[0] != "ann@example.org" {
		t.Errorf("sent to %q", b.sent)
	}
	for _, want := range []string{"Auto-Submitted: auto-replied\r\n", "To: <ann@example.org>\r\n", "In-Reply-To: <1@example.org>\r\n", "The message isn't signed.", "would be delivered"} {
		if !strings.Contains(text, want) {
			t.Errorf("the answer lacks %q:\n%s", want, text)
		}
	}
	for _, not := range []string{"77.7", "hidden words", "4.1", "\x1b"} {
		if strings.Contains(text, not) {
			t.Errorf("the answer holds %q", not)
		}
	}
	if bytes.Count(b.mail, []byte("\n")) != bytes.Count(b.mail, []byte("\r\n")) {
		t.Error("a line ends without CR")
	}
	// Who comes again is told why not, and not that there is no such address.
	if r := b.take(t, to, "ann@example.org", good, "192.0.2.1"); r.Code != 550 || r.Enhanced != "5.2.1" || !b.Takes(to) || len(b.sent) != 1 {
		t.Errorf("the second: %+v", r)
	}
}

// TestRefused: who isn't proved, and whatever a program wrote, is refused in the session
// and nothing is sent; the address stays good.
func TestRefused(t *testing.T) {
	b := open(t)
	to, _ := b.Address()
	for _, test := range []struct {
		name, from, raw, ip string
		code                int
	}{
		{"forged", "ann@example.org", good, "203.0.113.9", 550},
		{"another's envelope", "bob@example.com", good, "192.0.2.1", 550},
		{"a bounce", "", good, "192.0.2.1", 550},
		{"an automaton", "ann@example.org", "Auto-Submitted: auto-replied\r\n" + good, "192.0.2.1", 550},
		{"two authors", "ann@example.org", "From: bob@example.net\r\n" + good, "192.0.2.1", 550},
		{"no policy", "a@example.com", "From: a@example.com\r\n\r\nx", "192.0.2.1", 550},
		{"the DNS is away", "a@late.example.com", "From: a@late.example.com\r\n\r\nx", "192.0.2.1", 451},
		{"too large", "ann@example.org", good + strings.Repeat("x", 10_000), "192.0.2.1", 552},
	} {
		if r := b.take(t, to, test.from, test.raw, test.ip); r.Code != test.code || len(b.sent) > 0 || b.looks > 0 {
			t.Errorf("%s: %+v, want %d; sent %q, %d looks", test.name, r, test.code, b.sent, b.looks)
		}
	}
	if r, err := b.Take(t.Context(), &sluice.Conn{Auth: "ann"}, &sluice.Envelope{From: "ann@example.org", Rcpts: []sluice.Recipient{{Address: to}}}, nil, message.Parse([]byte(good), message.DefaultLimits())); r.Code != 550 || err != nil {
		t.Errorf("of a user who logged in: %+v, %v", r, err)
	}
	if r := b.take(t, to, "ann@example.org", "Auto-Submitted: no\r\n"+good, "192.0.2.1"); r.Code != 250 {
		t.Errorf("Auto-Submitted: no: %+v", r)
	}
}

func TestAddresses(t *testing.T) {
	b := open(t)
	to, _ := b.Address()
	other, _ := b.Address()
	if to == other {
		t.Error("two addresses are one")
	}
	changed := []byte(to)
	changed[len(prefix)+20] ^= 1
	for _, bad := range []string{string(changed), strings.Replace(to, "mx.", "my.", 1), "lint-@mx.example.net", "lint-aaaa@mx.example.net", strings.TrimPrefix(to, prefix), "", "@", to + "x", strings.Repeat("a", 1000) + to} {
		if b.Takes(bad) {
			t.Errorf("takes %q", bad)
		}
	}
	for _, later := range []time.Duration{61 * time.Minute, -63 * time.Minute} { // too old, not yet made
		b.now = b.now.Add(later)
		if r := b.take(t, to, "ann@example.org", good, "192.0.2.1"); r.Enhanced != "5.2.1" || !b.Takes(to) || b.looks > 0 {
			t.Errorf("%v later: %+v", later, r)
		}
	}
	var none *Desk
	if none.Takes(to) {
		t.Error("no desk takes mail")
	}
}

// TestSigned: a signature alone proves the author, and that the message was meant for this
// address only where that stands in the signed To.
func TestSigned(t *testing.T) {
	for _, test := range []struct {
		name, head string // behind From; TO is the address
		add        string // by somebody on the way
		unsigned   bool   // To is left out of the signature
		code       int
	}{
		{name: "to us", head: "To: <TO>\r\n", code: 250},
		{name: "one of several", head: "To: Bob <bob@example.org>, <TO>\r\n", code: 250},
		{name: "sent once more", head: "To: bob@example.com\r\n", code: 550},
		{name: "no To", code: 550},
		{name: "To was free", head: "To: <TO>\r\n", unsigned: true, code: 550},
		{name: "a To on top of it", head: "To: bob@example.com\r\n", unsigned: true, add: "To: <TO>\r\n", code: 550},
	} {
		b := open(t)
		to, _ := b.Address()
		opts := dkim.SignOptions{Domain: "example.org", Selector: "s", Key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))}
		if test.unsigned {
			opts.Headers, opts.OverSign = []string{"From", "Subject"}, []string{"From"}
		}
		raw := []byte(strings.ReplaceAll("From: ann@example.org\r\n"+test.head+"Subject: try\r\n\r\nHello\r\n", "TO", to))
		sig, err := dkim.Sign(raw, b.now, opts)
		if err != nil {
			t.Fatal(err)
		}
		raw = append([]byte(strings.ReplaceAll(test.add, "TO", to)), append(sig, raw...)...)
		if r := b.take(t, to, "bounce@example.com", string(raw), "203.0.113.9"); r.Code != test.code || len(b.sent) != map[bool]int{true: 1}[r.Code == 250] {
			t.Errorf("%s: %+v, want %d", test.name, r, test.code)
		}
	}
}

// TestTrouble: where the answer can't be kept, the sender comes again.
func TestTrouble(t *testing.T) {
	b := open(t)
	to, _ := b.Address()
	b.fail = errors.New("disk full")
	if r := b.take(t, to, "ann@example.org", good, "192.0.2.1"); r.Code != 451 || !b.Takes(to) {
		t.Errorf("%+v, good %v", r, b.Takes(to))
	}
	b.fail = nil
	if r := b.take(t, to, "ann@example.org", good, "192.0.2.1"); r.Code != 250 {
		t.Errorf("again: %+v", r)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("made of nothing")
	}
}

// TestFull: what is remembered is bounded, and frees itself.
func TestFull(t *testing.T) {
	b := open(t)
	for i := range maxUsed {
		if !b.use(strings.Repeat("a", i%7)+string(rune('a'+i%26))+time.Duration(i).String(), b.now) {
			t.Fatalf("full at %d", i)
		}
	}
	if b.use("one more", b.now) {
		t.Error("there is no bound")
	}
	b.now = b.now.Add(2 * time.Hour)
	if !b.use("one more", b.now) || len(b.used) != 1 {
		t.Errorf("%d are kept", len(b.used))
	}
}

func FuzzBorn(f *testing.F) {
	f.Add("lint-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@mx.example.net")
	f.Add("LINT-@")
	f.Fuzz(func(t *testing.T, addr string) {
		d := &Desk{c: Config{Domain: "mx.example.net", Key: bytes.Repeat([]byte{9}, 32)}}
		if _, _, ok := d.born(addr); ok {
			t.Errorf("%q is taken for ours", addr)
		}
	})
}
