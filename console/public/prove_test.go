package public

import (
	"bytes"
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/console/public/proof"
	"sluice/reason"
)

// texts is a DNS of TXT records.
type texts map[string][]string

func (z texts) TXT(_ context.Context, name string) ([]string, error) {
	if z["*"] != nil {
		return nil, errors.New("no answer")
	}
	return z[name], nil
}

func proverOf(t *testing.T, z texts) *proof.Prover {
	t.Helper()
	p, err := proof.New(proof.Config{Keys: [][]byte{bytes.Repeat([]byte{3}, 32)}, TXT: z.TXT})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// provedRecord is the event of f, in which two domains authenticated and much was found.
func provedRecord(f Facts) *sluice.Record {
	line := func(id sluice.Reason, group sluice.Group, points float64, detail string) sluice.Contribution {
		return sluice.Contribution{Points: points, Evidence: sluice.Evidence{Reason: id, Group: group, Detail: detail, Raw: points}}
	}
	unknown := line(reason.ARCUnknown, sluice.GroupIdentity, 0, "no answer")
	unknown.State = sluice.Unknown
	notRun := line(reason.DKIMNone, sluice.GroupIdentity, 0, "veiled")
	notRun.State = sluice.NotRun
	stop := line(reason.EICAR, sluice.GroupAttachment, 0, "veiled file name")
	stop.Hard = sluice.HardStop
	return &sluice.Record{ID: f.Ref, Conn: sluice.Conn{Client: netip.AddrPortFrom(f.Client, 25)},
		Envelope:      sluice.Envelope{From: "ann@sender.example", Rcpts: []sluice.Recipient{{Address: "very.private.name@a.example"}}},
		Authenticated: []sluice.Authenticated{{Domain: "sender.example", By: "dmarc"}, {Domain: "esp.example", By: "dkim"}},
		Verdict: sluice.Verdict{Points: 31.4, Probability: 0.9993, Ledger: []sluice.Contribution{
			stop,
			line(reason.TextSpam, sluice.GroupText, 12.3, "words: veiled viagra"),
			line(reason.DNSBLListed, sluice.GroupReputation, 6.2, "veiled-key.list.example"),
			line(reason.Spamtrap, sluice.GroupReputation, 6.7, "trap@a.example"),
			line(reason.DMARCPass, sluice.GroupIdentity, -2.5, "sender.example: <b>p=none</b>\x1b[31m, told to very.private.name@a.example"),
			line(reason.SPFPass, sluice.GroupIdentity, -1, "ip4:203.0.113.0/24"),
			unknown, notRun,
			line(reason.LinkTextMismatch, sluice.GroupLink, 4, "https://veiled.example"),
			line(reason.ImageMap, sluice.GroupLink, -0.5, ""),
			line("PRIOR", sluice.GroupPrior, -6.7, ""),
		}}}
}

// hiddenFrom are what no page tells, whoever reads it.
var hiddenFrom = []string{"very.private.name", "veiled", "viagra", "SPAMTRAP", "12.9", "6.7", "31.4", "0.99", "PRIOR", "\x1b"}

func postmaster(t *testing.T, z texts, change func(*sluice.Record, *Config)) (*door, *proof.Prover) {
	t.Helper()
	rec, p := provedRecord(good()), proverOf(t, z)
	cfg := Config{Proof: p, Record: func(context.Context, string) (*sluice.Record, error) { return rec, nil }}
	if change != nil {
		change(rec, &cfg)
	}
	return open(t, cfg), p
}

// postProof posts the form of a domain.
func (d *door) postProof(path, domain string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	return d.postForm(path, url.Values{"domain": {domain}}, change...)
}

func TestProof(t *testing.T) {
	z := texts{}
	d, p := postmaster(t, z, nil)
	_, before, _ := d.get("/why/good")
	page := html.UnescapeString(before)
	for _, want := range []string{"Are you the postmaster?", `_sluice-proof.sender.example. TXT "` + p.Challenge("good", "sender.example") + `"`, "_sluice-proof.esp.example."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "dB") || strings.Contains(page, "p=none") {
		t.Error("the page tells strangers more")
	}
	tellsNone(t, page)

	w := d.postProof("/why/good/proof?lang=de", "sender.example")
	if w.Code != 422 || !strings.Contains(w.Body.String(), "Der Eintrag ist nicht da") || !strings.Contains(w.Body.String(), `/why/good?lang=fr"`) {
		t.Fatalf("without a record: %d\n%s", w.Code, w.Body)
	}
	z["_sluice-proof.sender.example"] = []string{"v=spf1 -all", p.Challenge("good", "sender.example")}
	w = d.postProof("/why/good/proof?lang=de", "sender.example")
	to := w.Header().Get("Location")
	if w.Code != 303 || !strings.HasPrefix(to, "/why/good?lang=de&proof=") || !strings.HasSuffix(to, "#proof") {
		t.Fatalf("%d to %q", w.Code, to)
	}
	to, _, _ = strings.Cut(to, "#")
	_, body, _ := d.get(strings.Replace(to, "lang=de", "lang=en", 1))
	page = html.UnescapeString(body)
	text, _ := reason.Lookup(reason.TextSpam)
	for _, want := range []string{"More for the postmaster of <small>sender.example", "<code>esp.example</code> has signed, and DKIM passed", "p=none", "ip4:203.0.113.0/24",
		"<code>ARC_UNKNOWN</code> <b>could not be told", "its text <small>+12.3 dB", "<code>TEXT_SPAM</code> +12.3 dB", text.Page, "what is known of the sender <small>+6.2 dB", "its links <small>+3.5 dB",
		"<code>LINK_TEXT_MISMATCH</code> +4.0 dB", "<code>EICAR</code> <b>decides alone", "/why/good?lang=de&proof="} {
		if !strings.Contains(page, want) {
			t.Errorf("the postmaster's page lacks %q in\n%s", want, page)
		}
	}
	tellsNone(t, page)
	if strings.Contains(body, "<b>p=") {
		t.Error("a detail is markup")
	}
	for _, e := range []string{"IMAGE_MAP", "Are you the postmaster?"} {
		if strings.Contains(page, e) {
			t.Errorf("the postmaster's page has %q", e)
		}
	}
	for _, lang := range languages {
		if _, body, _ := d.get(strings.Replace(to, "lang=de", "lang="+lang, 1)); !strings.Contains(body, `class="more"`) || strings.Contains(body, "<h4> ") {
			t.Errorf("%s: not the postmaster's page", lang)
		}
	}
	// It ends by itself, and is for this reference.
	d.now = noon.Add(proof.Lifetime)
	if _, body, _ := d.get(to); strings.Contains(body, `class="more"`) {
		t.Error("a pass for ever")
	}
}

func tellsNone(t *testing.T, page string) {
	t.Helper()
	for _, s := range hiddenFrom {
		if strings.Contains(page, s) {
			t.Errorf("the page tells %q:\n%s", s, page)
		}
	}
}

// TestProofRefused: nothing is proved but a domain that authenticated in that event.
func TestProofRefused(t *testing.T) {
	z := texts{}
	d, p := postmaster(t, z, nil)
	for _, domain := range []string{"sender.example", "other.example", "a.example", "example", "mail.sender.example"} {
		z[proof.Name(domain)] = []string{p.Challenge("good", domain), p.Challenge("other", domain)}
	}
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	for _, tt := range []struct {
		path, domain string
		status       int
		change       []func(*http.Request)
	}{
		{"/why/good/proof", "other.example", 404, nil},
		{"/why/good/proof", "a.example", 404, nil},
		{"/why/good/proof", "mail.sender.example", 404, nil},
		{"/why/good/proof", "SENDER.example", 404, nil},
		{"/why/good/proof", "", 404, nil},
		{"/why/good/proof", strings.Repeat("x", 100_000), 404, nil},
		{"/why/wrong/proof", "sender.example", 404, nil},
		{"/why/old/proof", "sender.example", 410, nil},
		{"/why/good/proof", "sender.example", 403, []func(*http.Request){foreign}},
	} {
		if w := d.postProof(tt.path, tt.domain, tt.change...); w.Code != tt.status {
			t.Errorf("%s %.30q: %d, want %d", tt.path, tt.domain, w.Code, tt.status)
		}
	}
	if code, body, _ := d.get("/why/good/proof"); code != 404 || strings.Contains(body, `class="more"`) {
		t.Errorf("a GET proves: %d", code)
	}
	// A pass for a domain that didn't authenticate opens nothing, nor one of another event.
	for _, pass := range []string{p.Pass("good", "other.example", noon), p.Pass("other", "sender.example", noon), "x.y", strings.Repeat("9", 1000)} {
		if _, body, _ := d.get("/why/good?proof=" + pass); strings.Contains(body, `class="more"`) {
			t.Errorf("opened by %.40s", pass)
		}
	}
	pass := p.Pass("good", "sender.example", noon)
	for name, change := range map[string]func(*sluice.Record, *Config){
		"no record":        func(_ *sluice.Record, c *Config) { c.Record = nil },
		"another's record": func(r *sluice.Record, _ *Config) { r.Conn.Client = netip.MustParseAddrPort("198.51.100.1:25") },
		"nobody proved":    func(r *sluice.Record, _ *Config) { r.Authenticated = nil },
		"switched off":     func(_ *sluice.Record, c *Config) { c.Proof = nil },
	} {
		d, _ := postmaster(t, z, change)
		if _, body, _ := d.get("/why/good?proof=" + pass); strings.Contains(body, `class="more"`) || strings.Contains(body, "Are you the postmaster?") {
			t.Errorf("%s: offered", name)
		}
		if w := d.postProof("/why/good/proof", "sender.example"); w.Code != 404 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// TestProofOfDelivery: where the next hop refused, what we found isn't the cause.
func TestProofOfDelivery(t *testing.T) {
	f := good()
	f.Reasons, f.Code = []sluice.Reason{reason.BackendRejected}, 550
	d, p := postmaster(t, texts{}, func(_ *sluice.Record, c *Config) { c.Open = func(string) (Facts, error) { return f, nil } })
	_, body, _ := d.get("/why/x?proof=" + p.Pass("x", "sender.example", noon))
	if !strings.Contains(body, `class="more"`) || strings.Contains(body, "dB") {
		t.Errorf("the page says\n%s", body)
	}
}

func TestProofRates(t *testing.T) {
	d, _ := postmaster(t, texts{}, nil)
	from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr + ":1" } }
	try := func(domain, addr string) int { return d.postProof("/why/good/proof", domain, from(addr)).Code }
	for i := range 7 {
		if got, want := try("sender.example", "198.51.100.1"), map[bool]int{true: 422, false: 429}[i < 6]; got != want {
			t.Errorf("try %d: %d, want %d", i+1, got, want)
		}
	}
	if got := try("sender.example", "198.51.100.2"); got != 429 {
		t.Errorf("another reader, the same domain: %d", got)
	}
	if got := try("esp.example", "198.51.100.2"); got != 422 {
		t.Errorf("another domain: %d", got)
	}
	d.now = noon.Add(10 * time.Minute)
	if got := try("sender.example", "198.51.100.1"); got != 422 {
		t.Errorf("later: %d", got)
	}
}

func TestProofTrouble(t *testing.T) {
	d, _ := postmaster(t, texts{"*": {""}}, nil)
	if w := d.postProof("/why/good/proof", "sender.example"); w.Code != 503 || !strings.Contains(html.UnescapeString(w.Body.String()), "didn't answer") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
}
