package reports

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice"
	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/gate"
	"sluice/mailauth"
	"sluice/mailauth/report"
	"sluice/message"
	"sluice/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone is the world's DNS: known.example has mail and a policy; each other domain
// has one thing that is wrong.
const zone = `$TTL 60
known.example.         IN MX 10 mx.known.example.
known.example.         IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
mx.known.example.      IN A 192.0.2.1
_dmarc.known.example.  IN TXT "v=DMARC1; p=reject; sp=quarantine; adkim=s; rua=mailto:rua@known.example"
sub.known.example.     IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
news.example.          IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.news.example.   IN TXT "v=DMARC1; p=none; t=y; rua=mailto:a@agrees.example,mailto:b@refuses.example,mailto:a@agrees.example!10m,https://x.example/"
news.example._report._dmarc.agrees.example. IN TXT "v=DMARC1"
agrees.example.        IN MX 10 mx.known.example.
refuses.example.       IN MX 10 mx.known.example.
nullmx.example.        IN MX 0 .
nullmx.example.        IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.nullmx.example. IN TXT "v=DMARC1; p=none; rua=mailto:rua@nullmx.example"
nomail.example.        IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.nomail.example. IN TXT "v=DMARC1; p=none; rua=mailto:rua@gone.nomail.example"
quiet.example.         IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.quiet.example.  IN TXT "v=DMARC1; p=reject"
test.example.          IN TXT "v=spf1 -all"
_dmarc.test.example.   IN TXT "v=DMARC1; p=reject; t=y; rua=mailto:x@test.example"
`

// world is a reporter with what it stands on.
type world struct {
	t      testing.TB
	dns    *resolver
	store  *store
	outbox *outbox
	cfg    Config
}

// resolver is the zone, or trouble.
type resolver struct {
	*dnstest.Zone
	mu   sync.Mutex
	fail string // names that end so are not answered
}

func (r *resolver) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	r.mu.Lock()
	fail := r.fail
	r.mu.Unlock()
	if fail != "" && strings.HasSuffix(name, fail) {
		return dns.Answer{}, &dns.Error{Kind: dns.ErrTimeout, Name: name, Type: t}
	}
	return r.Zone.Lookup(ctx, name, t)
}

func (r *resolver) refuse(suffix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = suffix
}

// store is one in memory that fails on demand.
type store struct {
	*memory.Store
	mu             sync.Mutex
	count, settled error
}

func (s *store) errs(count, settled error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count, s.settled = count, settled
}

func (s *store) CountDMARC(ctx context.Context, rows []sluice.DMARCRow, most int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count != nil {
		return s.count
	}
	return s.Store.CountDMARC(ctx, rows, most)
}

func (s *store) SettleDMARC(ctx context.Context, r *sluice.SentReport) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settled != nil {
		return s.settled
	}
	return s.Store.SettleDMARC(ctx, r)
}

type outbox struct {
	mu  sync.Mutex
	got []*sluice.Delivery
	at  []time.Time
	err error
}

func (o *outbox) Put(_ context.Context, d *sluice.Delivery) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	o.got, o.at = append(o.got, d), append(o.at, time.Now().UTC())
	return nil
}

func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

func (o *outbox) to() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for i, d := range o.got {
		out = append(out, o.at[i].Format("02T15:04 ")+strings.Join(d.Envelope.Addresses(), ","))
	}
	return strings.Join(out, "; ")
}

func newWorld(t testing.TB) *world {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dns: &resolver{Zone: z}, store: &store{Store: memory.New()}, outbox: &outbox{}}
	w.cfg = Config{Store: w.store, Outbox: w.outbox, Resolver: w.dns, Hostname: "mx.ours.example", From: "dmarc@ours.example", OrgName: "Ours, Ltd",
		Inbox: []string{"Reports@ours.example"}}
	return w
}

func (w *world) reporter() *Reporter {
	w.t.Helper()
	r, err := New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// incoming says what came in.
type incoming struct {
	from, envelope, ip, header string
	to                         string
	raw                        []byte
	action                     sluice.Action
	code                       int
	trusted                    bool
	at                         time.Time
}

func (w *world) observation(m incoming) *gate.Observation {
	w.t.Helper()
	if m.ip == "" {
		m.ip = "192.0.2.7"
	}
	if m.code == 0 {
		m.code = 250
	}
	if m.at.IsZero() {
		m.at = time.Now()
	}
	if m.raw == nil {
		m.raw = []byte("From: <" + m.from + ">\r\n" + m.header + "Subject: hello\r\n\r\nbody\r\n")
	}
	conn := &sluice.Conn{Client: netip.AddrPortFrom(netip.MustParseAddr(m.ip), 4711), Hello: sluice.Hello{Verb: "EHLO", Name: "mx.known.example"}, Trusted: m.trusted}
	env := &sluice.Envelope{ID: "ABC", From: m.envelope, Tenant: "ours", Received: m.at, Rcpts: []sluice.Recipient{{Address: m.to}}}
	auth := mailauth.New(mailauth.Config{Resolver: w.dns, Hostname: "mx.ours.example"}).Open(conn).Begin(env)
	msg := message.Parse(m.raw, message.DefaultLimits())
	auth.DMARC(w.t.Context(), msg, m.at)
	return &gate.Observation{Conn: conn, Envelope: env, Auth: auth, Message: msg, Action: m.action, Reply: sluice.Reply{Code: m.code}}
}

// receive lets r see n messages of a domain that pass.
func (w *world) receive(r *Reporter, domain string, n int) {
	w.t.Helper()
	o := w.observation(incoming{from: "a@" + domain, envelope: "b@" + domain})
	for range n {
		r.Observe(o)
	}
}

func TestRows(t *testing.T) {
	w := newWorld(t)
	known := sluice.DMARCPolicy{P: "reject", SP: "quarantine", ADKIM: "s", ASPF: "r", FO: "0", Testing: "n"}
	inTest := sluice.DMARCPolicy{P: "reject", ADKIM: "r", ASPF: "r", FO: "0", Testing: "y"}
	at := time.Date(2026, 3, 14, 23, 59, 59, 0, time.FixedZone("", -3600))
	day := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
	row := func(change func(*sluice.DMARCRow)) *sluice.DMARCRow {
		r := sluice.DMARCRow{Day: day, Domain: "known.example", Policy: known, Source: netip.MustParseAddr("192.0.2.7"), HeaderFrom: "known.example",
			EnvelopeFrom: "known.example", Disposition: "pass", DKIM: "fail", SPF: "pass", SPFDomain: "known.example", SPFResult: "pass", Count: 1, Passed: 1}
		change(&r)
		return &r
	}
	failed := func(did, why string) *sluice.DMARCRow {
		return row(func(r *sluice.DMARCRow) {
			r.Source, r.SPF, r.SPFResult, r.Passed, r.Disposition = netip.MustParseAddr("198.51.100.1"), "fail", "fail", 0, did
			if why != "" {
				r.Reasons = []sluice.DMARCReason{{Type: why}}
			}
		})
	}
	const forger = "198.51.100.1"
	for _, test := range []struct {
		name string
		m    incoming
		want *sluice.DMARCRow
	}{
		{"passes", incoming{from: "a@known.example", envelope: "b@known.example"}, row(func(*sluice.DMARCRow) {})},
		{"of a subdomain", incoming{from: "a@sub.known.example", envelope: "b@SUB.known.example."},
			row(func(r *sluice.DMARCRow) {
				r.HeaderFrom, r.EnvelopeFrom, r.SPFDomain = "sub.known.example", "sub.known.example", "sub.known.example"
			})},
		{"an address in IPv6", incoming{from: "a@known.example", envelope: "b@known.example", ip: "::ffff:192.0.2.7"}, row(func(*sluice.DMARCRow) {})},
		{"passes, refused as spam", incoming{from: "a@known.example", envelope: "b@known.example", action: sluice.Reject, code: 550},
			row(func(r *sluice.DMARCRow) { r.Passed = 0 })},
		{"passes, quarantined", incoming{from: "a@known.example", envelope: "b@known.example", action: sluice.QuarantineIt},
			row(func(r *sluice.DMARCRow) { r.Passed = 0 })},
		{"passes, the next hop refuses", incoming{from: "a@known.example", envelope: "b@known.example", code: 550},
			row(func(r *sluice.DMARCRow) { r.Passed = 0 })},
		{"fails, rejected as asked", incoming{from: "a@known.example", envelope: "b@known.example", ip: forger, action: sluice.Reject, code: 550}, failed("reject", "")},
		{"fails, quarantined", incoming{from: "a@known.example", envelope: "b@known.example", ip: forger, action: sluice.QuarantineIt}, failed("quarantine", "local_policy")},
		{"fails, accepted", incoming{from: "a@known.example", envelope: "b@known.example", ip: forger}, failed("none", "local_policy")},
		{"fails, a list", incoming{from: "a@known.example", envelope: "b@known.example", ip: forger, header: "List-Id: <l.example>\r\n"}, failed("none", "mailing_list")},
		{"fails in test mode", incoming{from: "a@test.example", envelope: "", action: sluice.QuarantineIt},
			row(func(r *sluice.DMARCRow) {
				r.Domain, r.HeaderFrom, r.EnvelopeFrom, r.Policy, r.Disposition, r.SPF, r.Passed = "test.example", "test.example", "", inTest, "quarantine", "fail", 0
				r.SPFDomain, r.SPFResult, r.Reasons = "mx.known.example", "none", []sluice.DMARCReason{{Type: "policy_test_mode"}}
			})},
		{"deferred", incoming{from: "a@known.example", envelope: "b@known.example", action: sluice.Defer, code: 451}, nil},
		{"the next hop defers", incoming{from: "a@known.example", envelope: "b@known.example", code: 451}, nil},
		{"no reports wanted", incoming{from: "a@quiet.example", envelope: "b@quiet.example"}, nil},
		{"no policy", incoming{from: "a@nothing.example", envelope: "b@known.example"}, nil},
		{"no author", incoming{from: "", envelope: "b@known.example"}, nil},
		{"our own relay", incoming{from: "a@known.example", envelope: "b@known.example", trusted: true}, nil},
	} {
		test.m.at = at
		got, ok := rowOf(w.observation(test.m))
		if ok != (test.want != nil) {
			t.Errorf("%s: counted is %v", test.name, ok)
		}
		if test.want != nil {
			if d := cmp.Diff(*test.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, d)
			}
		}
	}
	o := w.observation(incoming{from: "a@known.example", envelope: "b@known.example"})
	o.Auth = nil
	if _, ok := rowOf(o); ok {
		t.Error("a message of which nothing is known was counted")
	}
}

func TestTally(t *testing.T) {
	w := newWorld(t)
	r := w.reporter()
	r.tally.most = 2
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { w.receive(r, "known.example", 10) })
	}
	wg.Wait()
	w.receive(r, "news.example", 3)
	w.receive(r, "nullmx.example", 4) // a third kind
	if s := r.Stats(); s.Counted != 103 || s.Dropped != 4 {
		t.Fatalf("stats %+v, want 103 counted and 4 dropped", s)
	}
	// A store in trouble costs nothing while there is room.
	w.store.errs(errors.New("disk"), nil)
	r.flush(t.Context())
	w.receive(r, "known.example", 1)
	w.store.errs(nil, nil)
	r.flush(t.Context())
	due, err := w.store.DueDMARC(t.Context(), time.Now().Add(day), 10)
	if err != nil || len(due) != 2 || due[0].Messages != 101 || due[1].Messages != 3 {
		t.Errorf("due %+v, %v; want 101 and 3 messages", due, err)
	}
	// With no room, what can't be written is dropped and said to be.
	w.receive(r, "known.example", 5)
	w.store.errs(errors.New("disk"), nil)
	r.tally.most = 0
	r.flush(t.Context())
	if s := r.Stats(); s.Counted != 104 || s.Dropped != 9 {
		t.Errorf("stats %+v, want 104 counted and 9 dropped", s)
	}
}

// run runs a reporter in a bubble and stops it again.
func (w *world) run(r *Reporter) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// until sleeps to a time of the bubble's first days.
func until(day, hour, minute int) {
	time.Sleep(time.Until(time.Date(2000, 1, day, hour, minute, 0, 0, time.UTC)))
	synctest.Wait()
}

func TestOneReportADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.reporter()
		stop := w.run(r)
		until(1, 9, 0)
		w.receive(r, "known.example", 12)
		until(1, 23, 59)
		time.Sleep(55 * time.Second)
		w.receive(r, "known.example", 1) // written after midnight, still of this day
		until(2, 0, 29)
		if got := w.outbox.to(); got != "" {
			t.Errorf("too early: %s", got)
		}
		until(2, 5, 0)
		stop()
		// A restart finds nothing to do, and the next day's report is its own.
		r = w.reporter()
		stop = w.run(r)
		until(2, 12, 0)
		w.receive(r, "known.example", 1)
		until(3, 12, 0)
		stop()
		if got, want := w.outbox.to(), "02T00:30 rua@known.example; 03T00:30 rua@known.example"; got != want {
			t.Fatalf("sent %q, want %q", got, want)
		}
		if a := w.read(w.outbox.got[0]); a.Total() != 13 || a.Begin.Day() != 1 || a.End.Sub(a.Begin) != day-time.Second {
			t.Errorf("first report: %d messages, %s to %s", a.Total(), a.Begin, a.End)
		}
		if a, b := w.read(w.outbox.got[0]), w.read(w.outbox.got[1]); a.ID == b.ID || b.Total() != 1 {
			t.Errorf("second report: %s after %s, %d messages", b.ID, a.ID, b.Total())
		}
		// Off over midnight: the report is made at the next start.
		until(3, 13, 0)
		r = w.reporter()
		stop = w.run(r)
		w.receive(r, "known.example", 1)
		stop()
		until(4, 17, 0)
		stop = w.run(w.reporter())
		synctest.Wait()
		stop()
		if got := w.outbox.to(); !strings.HasSuffix(got, "; 04T17:00 rua@known.example") {
			t.Errorf("after a night off: %s", got)
		}
	})
}

// TestCrashAfterPut: a report that the outbox has and nobody noted is sent again
// as the same report.
func TestCrashAfterPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.reporter()
		stop := w.run(r)
		w.receive(r, "known.example", 10)
		until(1, 12, 0)
		w.store.errs(nil, errors.New("killed"))
		until(2, 0, 45)
		stop()
		w.store.errs(nil, nil)
		stop = w.run(w.reporter())
		until(2, 23, 0)
		stop()
		if got, want := w.outbox.to(), "02T00:30 rua@known.example; 02T00:45 rua@known.example"; got != want {
			t.Fatalf("sent %q, want %q", got, want)
		}
		a, b := w.outbox.got[0], w.outbox.got[1]
		if a.ID != b.ID || w.read(a).ID != w.read(b).ID {
			t.Errorf("ids %s and %s: a duplicate must be known as one", a.ID, b.ID)
		}
	})
}

// TestOutboxFails: what the outbox doesn't take stays due.
func TestOutboxFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.reporter()
		stop := w.run(r)
		w.receive(r, "known.example", 10)
		w.outbox.fail(errors.New("disk full"))
		until(2, 1, 0)
		w.outbox.fail(nil)
		until(2, 23, 0)
		stop()
		if got, want := w.outbox.to(), "02T01:30 rua@known.example"; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

// why lists what became of each domain.
func (w *world) why() string {
	list, err := w.store.SentReports(w.t.Context(), time.Time{}, true, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%s: %s%s", s.Domain, strings.Join(s.To, ","), s.Why))
	}
	return strings.Join(out, "\n")
}

func TestWhoGetsReports(t *testing.T) {
	for _, test := range []struct {
		name, domain string
		passed       int
		change       func(*world)
		want         string
	}{
		{"known", "known.example", 10, nil, "known.example: rua@known.example"},
		{"too little mail", "known.example", 9, nil, "known.example: not known well enough: 9 accepted messages with a DMARC pass in 30 days, 10 are needed"},
		{"others only as they agree", "news.example", 10, nil, "news.example: a@agrees.example"},
		{"null MX", "nullmx.example", 10, nil, "nullmx.example: nullmx.example takes no mail"},
		{"no such domain", "nomail.example", 10, nil, "nomail.example: gone.nomail.example takes no mail"},
		{"record unknown now", "known.example", 10, func(w *world) { w.dns.refuse("_dmarc.known.example") }, ""},
		{"agreement unknown now", "news.example", 10, func(w *world) { w.dns.refuse("agrees.example") }, ""},
		{"hosts unknown now", "known.example", 10, func(w *world) { w.dns.refuse("known.example") }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				r := w.reporter()
				w.receive(r, test.domain, test.passed)
				r.flush(t.Context())
				if test.change != nil {
					test.change(w)
				}
				until(2, 1, 0)
				left := r.settleAll(t.Context(), time.Now())
				if got := w.why(); got != test.want || (left > 0) != (test.want == "") {
					t.Errorf("%d left, %q; want %q", left, got, test.want)
				}
				// What couldn't be known is asked again, until it is too late.
				if test.want == "" {
					until(2, 9, 0)
					w.dns.refuse("")
					if left := r.settleAll(t.Context(), time.Now()); left > 0 || len(w.outbox.got) != 1 {
						t.Errorf("once it is known: %d left, %d sent", left, len(w.outbox.got))
					}
				}
			})
		})
	}
}

// TestForgedMailBuysNothing: messages that fail, or that we don't accept, don't
// make a domain known.
func TestForgedMailBuysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.reporter()
		for range 50 {
			r.Observe(w.observation(incoming{from: "a@known.example", envelope: "b@known.example", ip: "198.51.100.1"}))
			r.Observe(w.observation(incoming{from: "a@known.example", envelope: "b@known.example", action: sluice.QuarantineIt}))
			r.Observe(w.observation(incoming{from: "a@known.example", envelope: "b@known.example", action: sluice.Reject, code: 550}))
		}
		r.flush(t.Context())
		until(2, 1, 0)
		r.settleAll(t.Context(), time.Now())
		if got := w.why(); !strings.Contains(got, "0 accepted messages") || len(w.outbox.got) > 0 {
			t.Errorf("%q, %d sent", got, len(w.outbox.got))
		}
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.MaxPerDay = 1
		r := w.reporter()
		w.receive(r, "news.example", 10)
		w.receive(r, "known.example", 20)
		r.flush(t.Context())
		until(2, 1, 0)
		r.settleAll(t.Context(), time.Now())
		// The limit is the day's, not the process's.
		r = w.reporter()
		w.receive(r, "nullmx.example", 10)
		r.flush(t.Context())
		for _, want := range []string{"known.example: rua@known.example", "news.example: over the limit of 1 reports a day"} {
			if !strings.Contains(w.why(), want) {
				t.Errorf("%q, want %q", w.why(), want)
			}
		}
		w.receive(r, "known.example", 20)
		r.flush(t.Context())
		until(7, 1, 0)
		r.settleAll(t.Context(), time.Now())
		if !strings.Contains(w.why(), "too late") || len(w.outbox.got) != 1 {
			t.Errorf("five days later: %q, %d sent", w.why(), len(w.outbox.got))
		}
	})
}

func TestSizeIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.MaxRows, w.cfg.MaxBytes = 150, 1300
		r := w.reporter()
		for i := range 200 {
			o := w.observation(incoming{from: "a@known.example", envelope: "b@known.example", ip: fmt.Sprint("192.0.2.", i+1)})
			for range 1 + i%3 {
				r.Observe(o)
			}
		}
		r.flush(t.Context())
		until(2, 1, 0)
		r.settleAll(t.Context(), time.Now())
		if len(w.outbox.got) != 1 {
			t.Fatalf("%d sent", len(w.outbox.got))
		}
		a := w.read(w.outbox.got[0])
		sent, err := w.store.SentReports(t.Context(), time.Time{}, false, 1)
		if err != nil || sent[0].Size > 1300 || sent[0].Rows != len(a.Records) || len(a.Records) > 75 {
			t.Errorf("%+v, %v, %d records", sent[0], err, len(a.Records))
		}
		if a.Records[0].Count != 3 || len(a.Errors) != 1 || a.Errors[0] != fmt.Sprintf("%d messages are left out: too many different ones", 399-a.Total()) {
			t.Errorf("first count %d, errors %q, total %d", a.Records[0].Count, a.Errors, a.Total())
		}
	})
}

// read takes a report out of the message that carries it.
func (w *world) read(d *sluice.Delivery) *report.Aggregate {
	w.t.Helper()
	list, err := report.FromMessage(message.Parse(d.Body, message.DefaultLimits()), report.DefaultLimits())
	if err != nil || len(list) != 1 || list[0].Aggregate == nil {
		w.t.Fatalf("%d reports, %v in\n%s", len(list), err, d.Body)
	}
	return list[0].Aggregate
}

func TestMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var signed string
		w.cfg.Contact = "https://ours.example/?a=1&b=<2>"
		w.cfg.Sign = func(raw []byte, domain string, now time.Time) ([]byte, error) {
			signed = domain
			return []byte("DKIM-Signature: v=1\r\n"), nil
		}
		r := w.reporter()
		w.receive(r, "known.example", 10)
		r.Observe(w.observation(incoming{from: "a@known.example", envelope: "b@known.example", ip: "198.51.100.1"}))
		r.flush(t.Context())
		until(2, 1, 0)
		r.settleAll(t.Context(), time.Now())
		if len(w.outbox.got) != 1 {
			t.Fatal("nothing sent: " + w.why())
		}
		d := w.outbox.got[0]
		a := w.read(d)
		if d.Envelope.From != "" || string(d.Header) != "DKIM-Signature: v=1\r\n" || signed != "ours.example" {
			t.Errorf("from %q, header %q, signed %q", d.Envelope.From, d.Header, signed)
		}
		m := message.Parse(d.Body, message.DefaultLimits())
		h := m.Header()
		for name, want := range map[string]string{
			"From": `"Ours, Ltd" <dmarc@ours.example>`, "To": "rua@known.example", "Message-Id": "<" + a.ID + ">", "Auto-Submitted": "auto-generated",
			"Subject": "Report Domain: known.example Submitter: mx.ours.example Report-ID: <" + a.ID + ">",
		} {
			if got := strings.Join(strings.Fields(h.Get(name)), " "); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if len(m.Defects) > 0 {
			t.Errorf("defects: %v", m.Defects)
		}
		if name := m.Attachments()[0].Filename; name != "mx.ours.example!known.example!946684800!946771199.xml.gz" {
			t.Errorf("file %q", name)
		}
		for l := range strings.SplitSeq(string(d.Body), "\r\n") {
			if len(l) > 998 || strings.ContainsAny(l, "\r\n") {
				t.Errorf("line of %d octets", len(l))
			}
		}
		want := &report.Aggregate{Namespace: report.Namespace, Version: "1.0", Org: "Ours, Ltd", Email: "dmarc@ours.example", ExtraContact: w.cfg.Contact, ID: a.ID,
			Begin: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2000, 1, 1, 23, 59, 59, 0, time.UTC), Generator: "Sluice",
			Policy: report.Published{Domain: "known.example", P: "reject", SP: "quarantine", ADKIM: "s", ASPF: "r", FO: "0", Testing: "n", Discovery: "treewalk"},
			Records: []report.Record{
				{Source: netip.MustParseAddr("192.0.2.7"), Count: 10, Disposition: "pass", DKIM: "fail", SPF: "pass", HeaderFrom: "known.example", EnvelopeFrom: "known.example",
					AuthSPF: []report.AuthSPF{{Domain: "known.example", Scope: "mfrom", Result: "pass"}}},
				{Source: netip.MustParseAddr("198.51.100.1"), Count: 1, Disposition: "none", DKIM: "fail", SPF: "fail", HeaderFrom: "known.example", EnvelopeFrom: "known.example",
					Overrides: []report.Override{{Type: "local_policy"}}, AuthSPF: []report.AuthSPF{{Domain: "known.example", Scope: "mfrom", Result: "fail"}}}}}
		if diff := cmp.Diff(want, a, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestSigningFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.Sign = func([]byte, string, time.Time) ([]byte, error) { return nil, errors.New("no key") }
		r := w.reporter()
		w.receive(r, "known.example", 10)
		r.flush(t.Context())
		until(2, 1, 0)
		if left := r.settleAll(t.Context(), time.Now()); left != 1 || len(w.outbox.got) > 0 {
			t.Errorf("%d left, %d sent; want it to wait", left, len(w.outbox.got))
		}
	})
}

func TestMailto(t *testing.T) {
	for uri, want := range map[string]string{
		"mailto:a@b.example":                                "a@b.example",
		"MAILTO:A.b+c@B.Example?subject=x":                  "A.b+c@b.example",
		"mailto:a%2bb@b.example":                            "a+b@b.example",
		"mailto:a@bücher.example":                           "",
		"mailto:a@xn--bcher-kva.example":                    "a@xn--bcher-kva.example",
		"mailto:a@b.example,c@d.example":                    "",
		"mailto:a%0d%0aBcc:x@b.example":                     "",
		"mailto:a%20b@b.example":                            "",
		"mailto:%22a%22@b.example":                          "",
		"mailto:a@b@c.example":                              "",
		"mailto:a@[192.0.2.1]":                              "",
		"mailto:a":                                          "",
		"mailto:%zz@b.example":                              "",
		"https://b.example/":                                "",
		"mailto:" + strings.Repeat("a", 300) + "@b.example": "",
	} {
		if got, ok := mailto(uri); got != want || ok != (want != "") {
			t.Errorf("%.60q: %q, %v; want %q", uri, got, ok, want)
		}
	}
}

// FuzzMailto: whatever a record holds, an address is safe in a header field and
// an envelope.
func FuzzMailto(f *testing.F) {
	f.Add("mailto:a@b.example?x")
	f.Add("mailto:%0d%0a@b.example")
	f.Fuzz(func(t *testing.T, uri string) {
		addr, ok := mailto(uri)
		if !ok {
			return
		}
		if !printable(addr) || len(addr) > 600 || strings.Count(addr, "@") != 1 || strings.ContainsAny(addr, `<>,;:"()`) {
			t.Errorf("%q from %q", addr, uri)
		}
	})
}

func TestDeliver(t *testing.T) {
	var by []string
	relay := deliverer(func(d *sluice.Delivery) { by = append(by, "relay "+d.ID) })
	others := func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
		by = append(by, "others "+d.ID)
		return nil
	}
	mine := func(id, from string) *sluice.Delivery {
		return &sluice.Delivery{ID: id, Envelope: &sluice.Envelope{From: from, Rcpts: []sluice.Recipient{{Address: "a@b.example"}}}}
	}
	send := Deliver(relay, others)
	for _, d := range []*sluice.Delivery{mine("report-1", ""), mine("0ABC", ""), mine("report-2", "x@y.example")} {
		send(t.Context(), d)
	}
	if d := cmp.Diff([]string{"relay report-1", "others 0ABC", "others report-2"}, by); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	out := Deliver(nil, others)(t.Context(), mine("report-1", ""))
	if len(out) != 1 || !out[0].Reply.Temporary() || out[0].Err == nil {
		t.Errorf("without a relay: %+v, want it to wait", out)
	}
}

type deliverer func(*sluice.Delivery)

func (f deliverer) Deliver(_ context.Context, d *sluice.Delivery) []sluice.Outcome { f(d); return nil }
func (deliverer) Extensions(context.Context) sluice.Extensions                     { return sluice.Extensions{} }
func (deliverer) Close() error                                                     { return nil }

func TestNewRefuses(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Config){
		"no store":    func(c *Config) { c.Store = nil },
		"no address":  func(c *Config) { c.From = "dmarc" },
		"two lines":   func(c *Config) { c.From = "a@b.example\r\nBcc: c@d.example" },
		"no outbox":   func(c *Config) { c.Outbox = nil },
		"no resolver": func(c *Config) { c.Resolver = nil },
	} {
		cfg := w.cfg
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// BenchmarkObserve is what counting adds to a message, within its session.
func BenchmarkObserve(b *testing.B) {
	w := newWorld(b)
	r := w.reporter()
	o := w.observation(incoming{from: "a@known.example", envelope: "b@known.example"})
	b.ReportAllocs()
	for b.Loop() {
		r.Observe(o)
	}
}
