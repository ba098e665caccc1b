package correspondent

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/dns/dnstest"
	"sluice/learn/correspondent"
	"sluice/mailauth"
)

const zone = `{
"example.org":  {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"], "A": ["192.0.2.7"]},
"example.com":  {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"], "A": ["192.0.2.7"]}
}`

// world is a memory and the DNS around it.
type world struct {
	table *correspondent.Table
	auth  *mailauth.Verifier
}

func newWorld(t testing.TB) *world {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	tab, err := correspondent.New(correspondent.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return &world{tab, mailauth.New(mailauth.Config{Resolver: z, Hostname: "mx.example.net"})}
}

// input is a message to ann@example.net; from 192.0.2.7 it authenticates.
func (w *world) input(client, from, fields string) *check.Input {
	in := checktest.Input(checktest.Mail("From: "+from+"\n"+fields, "Hello\n"))
	in.Conn.Client = netip.AddrPortFrom(netip.MustParseAddr(client), 4711)
	a, _ := in.Message.From()
	in.Envelope.From = a.String()
	in.Auth = w.auth.Open(in.Conn).Begin(in.Envelope)
	return in
}

// send lets ann@example.net write a message.
func (w *world) send(t testing.TB, at time.Time, fields string, to ...string) bool {
	t.Helper()
	in := checktest.Input(checktest.Mail("From: Ann Archer <ann@example.net>\n"+fields, "Hello\n"))
	in.Conn.Auth, in.Envelope.Outbound, in.Envelope.From, in.Envelope.Rcpts = "ann", true, "ann@example.net", nil
	for _, a := range to {
		in.Envelope.Rcpts = append(in.Envelope.Rcpts, sluice.Recipient{Address: a})
	}
	o, ok := Outgoing(in.Conn, in.Envelope, in.Message)
	if ok {
		w.table.Sent(at, o)
	}
	return ok
}

func TestChecks(t *testing.T) {
	w := newWorld(t)
	w.send(t, checktest.Now.Add(-24*time.Hour), "To: \"Bob Jones\" <bob@example.org>\nMessage-ID: <ours-1@example.net>", "bob@example.org")
	const good, bad = "192.0.2.7", "198.51.100.1"
	for _, c := range []struct {
		name, client, from, fields, want string
	}{
		{"known", good, "Bob Jones <bob@example.org>", "", "CORRESPONDENT_KNOWN"},
		{"known and unauthenticated", bad, "Bob Jones <bob@example.org>", "", ""},
		{"a reply", good, "Bob Jones <bob@example.org>", "In-Reply-To: <ours-1@example.net>", "CORRESPONDENT_KNOWN REPLY_TO_OURS"},
		{"a forged reply", bad, "Bob Jones <bob@example.org>", "References: <x@example.org> <ours-1@example.net>", ""},
		{"a reply of somebody else", good, "Eve <eve@example.com>", "In-Reply-To: <ours-1@example.net>", "FIRST_CONTACT"},
		{"an impostor who authenticates", good, "Bob Jones <bob@example.com>", "", "FIRST_CONTACT NAME_OF_CORRESPONDENT"},
		{"an impostor who doesn't", bad, "\"Jones, Bob\" <bobjones12@gmail.com>", "", "FIRST_CONTACT NAMESAKE_MAILBOX NAME_OF_CORRESPONDENT"},
		{"a colleague's name", bad, "Ann Archer <private@gmail.com>", "", "FIRST_CONTACT NAMESAKE_MAILBOX NAME_OF_CORRESPONDENT"},
		{"a stranger", good, "Carl Stranger <carl@example.com>", "", "FIRST_CONTACT"},
		{"two authors", good, "Bob Jones <bob@example.org>, Eve <eve@example.com>", "", ""},
	} {
		ev := checktest.Run(t, Checks(w.table), w.input(c.client, c.from, c.fields))
		if got := strings.Join(checktest.Reasons(ev), " "); got != c.want {
			t.Errorf("%s: %q, want %q: %+v", c.name, got, c.want, ev)
		}
		sum := 0.0
		for _, e := range ev {
			sum += e.Raw
			if e.Raw < 0 && c.client == bad {
				t.Errorf("%s: %s speaks for mail that isn't authenticated", c.name, e.Reason)
			}
		}
		if sum < -6 {
			t.Errorf("%s: %v decibels for a mailbox that may be stolen", c.name, sum)
		}
	}
	// Own users and messages without an envelope aren't judged.
	own := w.input(good, "Bob Jones <bob@example.com>", "")
	own.Conn.Auth = "ann"
	if ev := checktest.Run(t, Checks(w.table), own); ev != nil {
		t.Errorf("own user: %+v", ev)
	}
	bare := w.input(good, "Bob Jones <bob@example.com>", "")
	bare.Envelope = nil
	if ev := checktest.Run(t, Checks(w.table), bare); ev != nil {
		t.Errorf("no envelope: %+v", ev)
	}
	if Checks(nil) != nil {
		t.Error("checks without a memory")
	}
}

func TestOutgoing(t *testing.T) {
	for name, fields := range map[string]string{
		"vacation": "Auto-Submitted: auto-replied", "list": "List-Id: <l.example.net>", "old vacation": "Precedence: bulk",
		"report": "Content-Type: multipart/report; boundary=b; report-type=delivery-status",
	} {
		w := newWorld(t)
		w.send(t, checktest.Now, fields, "bob@example.org")
		if n := w.table.Stats().Pairs.Len; n != 0 {
			t.Errorf("%s: %d pairs learned", name, n)
		}
	}
	in := checktest.Input(checktest.Mail("From: Bob <bob@example.org>", "x"))
	if _, ok := Outgoing(in.Conn, in.Envelope, in.Message); ok {
		t.Error("a stranger's message is one of ours")
	}
	// A user who writes another domain into From is taken for the envelope's address.
	in.Conn.Auth, in.Envelope.Outbound, in.Envelope.From = "ann", true, "ann@example.net"
	o, ok := Outgoing(in.Conn, in.Envelope, in.Message)
	if want := (correspondent.Mailbox{Address: "ann@example.net"}); !ok || o.From != want {
		t.Errorf("%+v", o)
	}
}

func TestIncoming(t *testing.T) {
	w := newWorld(t)
	in := w.input("192.0.2.7", "Bob Jones <bob@example.org>", "")
	if _, ok := Incoming(in.Conn, in.Envelope, in.Message, in.Auth.Known()); ok {
		t.Error("authenticated before anybody asked")
	}
	in.Auth.DMARC(t.Context(), in.Message, in.Now)
	got, ok := Incoming(in.Conn, in.Envelope, in.Message, in.Auth.Known())
	want := correspondent.Incoming{Tenant: "example", To: []string{"ann@example.net"}, From: correspondent.Mailbox{Name: "Bob Jones", Address: "bob@example.org"}}
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Error(ok, diff)
	}
	forged := w.input("198.51.100.1", "Bob Jones <bob@example.org>", "")
	forged.Auth.DMARC(t.Context(), forged.Message, forged.Now)
	if _, ok := Incoming(forged.Conn, forged.Envelope, forged.Message, forged.Auth.Known()); ok {
		t.Error("unauthenticated mail is learned")
	}
}

func BenchmarkName(b *testing.B) {
	w := newWorld(b)
	for i := range 10_000 {
		w.send(b, checktest.Now, fmt.Sprintf("To: \"Bob Jones\" <b@c%d.example>", i), fmt.Sprintf("b@c%d.example", i))
	}
	in := w.input("198.51.100.1", "Carl Stranger <carl@example.com>", "")
	check := Checks(w.table)[1]
	b.ReportAllocs()
	for b.Loop() {
		check.Check(b.Context(), in)
	}
}
