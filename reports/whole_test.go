package reports_test

import (
	"context"
	"crypto/rand"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice"
	"sluice/check"
	"sluice/deliver/outbox"
	"sluice/dns/dnstest"
	"sluice/gate"
	"sluice/gate/route"
	"sluice/judge/pipeline"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/mailauth"
	"sluice/mailauth/report"
	"sluice/message"
	"sluice/reason"
	"sluice/reports"
	"sluice/store/sqlite"
)

// node is a gateway as a daemon wires it: the gate, the database, the outbox on
// the disk, and a next hop and a smart host that take everything.
type node struct {
	gate  *gate.Gate
	close func()
}

// host is a next hop that keeps what it gets.
type host struct {
	mu   sync.Mutex
	down bool
	got  []*sluice.Delivery
}

func (h *host) Deliver(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := sluice.Reply{Code: 250, Enhanced: "2.0.0"}
	if h.down {
		r = sluice.Reply{Code: 451, Enhanced: "4.4.1"}
	} else {
		h.got = append(h.got, d)
	}
	return []sluice.Outcome{{Recipient: d.Envelope.Rcpts[0].Address, Reply: r}}
}
func (h *host) Extensions(context.Context) sluice.Extensions { return sluice.Extensions{} }
func (h *host) Close() error                                 { return nil }
func (h *host) taken() []*sluice.Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

func start(t *testing.T, dir string, z *dnstest.Zone, hop, relay *host) *node {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "db")})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{}
	box, err := outbox.New(outbox.Config{Dir: filepath.Join(dir, "outbox"),
		Deliver: reports.Deliver(relay, func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome { return n.gate.Deliver(ctx, d) })})
	if err != nil {
		t.Fatal(err)
	}
	r, err := reports.New(reports.Config{Store: store, Outbox: box, Resolver: z, Hostname: "mx.ours.example", From: "dmarc@ours.example"})
	if err != nil {
		t.Fatal(err)
	}
	asks := check.Func(check.Info{Name: "test/dmarc", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity,
		Reasons: []sluice.Reason{reason.DMARCPass}}, func(in *check.Input) []sluice.Evidence {
		in.Auth.DMARC(context.Background(), in.Message, in.Now)
		return nil
	})
	n.gate = gate.New(gate.Config{Outbox: box, Log: store, Index: store, Observe: r.Observe, Clock: time.Now, Rand: rand.Reader, Settings: gate.Settings{
		Hostname: "mx.ours.example", Weights: verdict.DefaultWeights(), Policy: policy.Default(),
		Routes:   route.Table{ByDomain: map[string]*route.Route{"ours.example": {Key: "ours", Tenant: "ours", Deliverer: hop}}},
		Pipeline: pipeline.New([]check.Checker{asks}, pipeline.Config{Clock: time.Now, Weights: verdict.DefaultWeights()}),
		Verifier: mailauth.New(mailauth.Config{Resolver: z, Hostname: "mx.ours.example"})}})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	wg.Go(func() {
		if err := box.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	n.close = func() {
		cancel()
		wg.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	return n
}

type content []byte

func (c content) Bytes() []byte { return c }

func (n *node) receive(t *testing.T, times int) {
	t.Helper()
	for range times {
		s, _ := n.gate.Open(t.Context(), &sluice.Conn{Client: netip.MustParseAddrPort("192.0.2.7:4711"), Hello: sluice.Hello{Verb: "EHLO", Name: "x.example"}, Start: time.Now()})
		s.Mail(t.Context(), "b@known.example", nil)
		s.Rcpt(t.Context(), "c@ours.example", nil)
		s.Data(t.Context())
		if r := s.Message(t.Context(), content("From: <a@known.example>\r\nSubject: x\r\n\r\nbody\r\n")); r.Code != 250 {
			t.Fatalf("not accepted: %s", r)
		}
		s.Close(sluice.EndedQuit)
	}
}

// TestWholeWay takes messages through a gate, and the report on them over a
// restart and a smart host that is down to the address that asked for it.
func TestWholeWay(t *testing.T) {
	z, err := dnstest.Parse("zone", strings.NewReader(`$TTL 60
known.example.        IN MX 10 mx.known.example.
known.example.        IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.known.example. IN TXT "v=DMARC1; p=reject; rua=mailto:rua@known.example"
`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		hop, relay := &host{}, &host{down: true}
		n := start(t, dir, z, hop, relay)
		n.receive(t, 8)
		n.close() // what is counted is written
		n = start(t, dir, z, hop, relay)
		n.receive(t, 4)
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		if len(relay.taken()) != 0 {
			t.Fatal("a report left by a host that is down")
		}
		n.close()
		relay.down = false
		n = start(t, dir, z, hop, relay)
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		n.close()
		if len(hop.taken()) != 12 || len(relay.taken()) != 1 {
			t.Fatalf("%d messages and %d reports, want 12 and 1", len(hop.taken()), len(relay.taken()))
		}
		d := relay.taken()[0]
		if d.Envelope.From != "" || d.Envelope.Rcpts[0].Address != "rua@known.example" {
			t.Errorf("from %q to %+v", d.Envelope.From, d.Envelope.Rcpts)
		}
		found, err := report.FromMessage(message.Parse(d.Body, message.DefaultLimits()), report.DefaultLimits())
		if err != nil || len(found) != 1 {
			t.Fatalf("%d reports, %v", len(found), err)
		}
		if a := found[0].Aggregate; a.Total() != 12 || a.Policy.P != "reject" || a.Records[0].SPF != "pass" {
			t.Errorf("report: %+v", a)
		}
	})
}
