package campaign_test

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/campaign"
	"sluice/check/checktest"
	"sluice/dns/dnstest"
	memory "sluice/learn/campaign"
	"sluice/mailauth"
	"sluice/mailauth/dmarc"
	"sluice/reason"
)

const zone = `{
"mail.garden.org": {"A": ["192.0.2.10"]},
"garden.org": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"], "A": ["192.0.2.10"]},
"_dmarc.garden.org": {"TXT": ["v=DMARC1; p=reject"]}
}`

const body = `Our spring catalogue is here, with two hundred new plants for balcony and garden.
Order before the end of the month and we send your plants without any charge.
Come and see us on one of our open days, walk through the greenhouses and ask our
gardeners anything you like: https://www.%s/catalogue
`

// world is a memory, and the DNS around it.
type world struct {
	t    testing.TB
	mem  *memory.Memory
	cfg  campaign.Config
	auth *mailauth.Verifier
}

func newWorld(t testing.TB) *world {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	m := memory.New(memory.Config{Fingerprints: 10_000})
	return &world{t: t, mem: m, auth: mailauth.New(mailauth.Config{Resolver: z, Hostname: "mx.example.net"}), cfg: campaign.Config{
		Memory:   m,
		History:  func(_ time.Time, domain string) bool { return domain == "garden.org" },
		Operator: func(*sluice.Conn) uint32 { return 0 },
	}}
}

// input is the newsletter as a client sends it.
func (w *world) input(client, site string, at time.Duration) *check.Input {
	in := checktest.Input(checktest.Mail("From: Garden <news@garden.org>", fmt.Sprintf(body, site)))
	in.Conn.Client = netip.AddrPortFrom(netip.MustParseAddr(client), 4711)
	in.Envelope.From = "news@garden.org"
	in.Now = checktest.Now.Add(at)
	in.Auth = w.auth.Open(in.Conn).Begin(in.Envelope)
	return in
}

// arrive checks a message and counts it, as the gate does.
func (w *world) arrive(in *check.Input) []sluice.Evidence {
	w.t.Helper()
	ev := checktest.Run(w.t, campaign.Checks(w.cfg), in)
	w.mem.Observe(w.mem.Print(in.Message), w.cfg.Sighting(in.Conn, in.Envelope, in.Auth.Known(), in.Now))
	return ev
}

func (w *world) want(ev []sluice.Evidence, id sluice.Reason, raw float64, words string) {
	w.t.Helper()
	if len(ev) != 1 || ev[0].Reason != id || math.Abs(ev[0].Raw-raw) > 0.11 || !strings.Contains(ev[0].Detail, words) {
		w.t.Errorf("got %+v, want %s of %v, %q", ev, id, raw, words)
	}
}

func TestReported(t *testing.T) {
	w := newWorld(t)
	first := w.input("203.0.113.9", "crook.com", 0)
	if ev := w.arrive(first); len(ev) != 0 {
		t.Errorf("%+v", ev)
	}
	report := memory.Label{Time: first.Now, Bad: true, Trust: 1, By: "trap", Threat: sluice.ThreatPhish}
	w.mem.Label(w.mem.Print(first.Message), report)
	ev := w.arrive(w.input("198.51.100.3", "villain.com", time.Minute))
	w.want(ev, reason.CampaignReported, 24, "reported 1.0 against 0.0")
	if len(ev) == 1 && ev[0].Threat != sluice.ThreatPhish {
		t.Errorf("threat %v", ev[0].Threat)
	}
	w.want(w.arrive(w.input("198.51.100.3", "villain.com", 360*24*time.Hour)), reason.CampaignReported, 12, "")
	if ev := w.arrive(w.input("198.51.100.3", "villain.com", 1200*24*time.Hour)); len(ev) != 0 {
		t.Errorf("three years later: %+v", ev)
	}
}

func TestOutbreak(t *testing.T) {
	w := newWorld(t)
	clients := []string{"24.0.0.1", "31.0.0.1", "46.0.0.1", "59.0.0.1"}
	for i, c := range clients {
		ev := w.arrive(w.input(c, fmt.Sprintf("site%d.com", i), time.Duration(i)*10*time.Second))
		if i < 3 && len(ev) != 0 {
			t.Errorf("%d: %+v", i, ev)
		}
		if i == 3 {
			w.want(ev, reason.CampaignOutbreak, 5, "4 unrelated networks within 30s")
		}
	}
}

func TestWanted(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		in := w.input("192.0.2.10", "garden.org", time.Duration(i)*time.Minute)
		in.Envelope.Rcpts[0].Address = fmt.Sprintf("reader%d@example.net", i)
		if ev := w.arrive(in); len(ev) != 0 {
			t.Errorf("%d: %+v", i, ev)
		}
	}
	w.want(w.arrive(w.input("192.0.2.10", "garden.org", 2*time.Hour)), reason.CampaignWanted, -5, "garden.org has sent it to about")
	if ev := w.arrive(w.input("203.0.113.9", "crook.com", 2*time.Hour)); len(ev) != 0 {
		t.Errorf("a copy gains: %+v", ev)
	}
	copied := w.input("203.0.113.9", "crook.com", 2*time.Hour)
	w.mem.Label(w.mem.Print(copied.Message), memory.Label{Time: copied.Now, Bad: true, Trust: 1, By: "trap"})
	w.want(w.arrive(copied), reason.CampaignReported, 24, "garden.org sends the like, last on")
	w.want(w.arrive(w.input("192.0.2.10", "garden.org", 3*time.Hour)), reason.CampaignWanted, -5, "")
}

func TestSighting(t *testing.T) {
	conn := &sluice.Conn{Client: netip.MustParseAddrPort("8.8.4.4:25")}
	env := &sluice.Envelope{Rcpts: []sluice.Recipient{{Address: "ann@example.net"}}}
	pass := mailauth.Known{DMARC: &dmarc.Result{Value: dmarc.Pass, Domain: "news.garden.org"}}
	cfg := campaign.Config{Operator: func(*sluice.Conn) uint32 { return 15169 }, History: func(_ time.Time, d string) bool { return d == "garden.org" }}
	s := cfg.Sighting(conn, env, pass, checktest.Now)
	if s.Domain != "garden.org" || !s.History || s.ASN != 15169 || !s.Client.IsValid() || len(s.Recipients) != 1 {
		t.Errorf("%+v", s)
	}
	if s = cfg.Sighting(conn, env, mailauth.Known{DMARC: &dmarc.Result{Value: dmarc.Fail, Domain: "garden.org"}}, checktest.Now); s.Domain != "" || s.History {
		t.Errorf("not authenticated: %+v", s)
	}
	for name, edit := range map[string]func(*sluice.Conn){
		"read from disk": func(c *sluice.Conn) { c.Stored = true },
		"a user of ours": func(c *sluice.Conn) { c.Auth = "ann" },
		"a trusted hop":  func(c *sluice.Conn) { c.Trusted = true },
		"a local client": func(c *sluice.Conn) { c.Client = netip.MustParseAddrPort("10.0.0.1:25") },
	} {
		from := *conn
		edit(&from)
		if s = cfg.Sighting(&from, env, pass, checktest.Now); s.Client.IsValid() || s.ASN != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s = (campaign.Config{}).Sighting(conn, env, pass, checktest.Now); s.History {
		t.Errorf("nobody knows of a history: %+v", s)
	}
}

func TestNothing(t *testing.T) {
	if got := campaign.Checks(campaign.Config{}); got != nil {
		t.Errorf("%d checks without a memory", len(got))
	}
	w := newWorld(t)
	for _, in := range []*check.Input{{}, {Conn: &sluice.Conn{}}, checktest.Input("\n"), checktest.Input(checktest.Mail("", "Hi\n"))} {
		if ev := checktest.Run(t, campaign.Checks(w.cfg), in); len(ev) != 0 {
			t.Errorf("%+v", ev)
		}
	}
}
