package system

import (
	"crypto/ed25519"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"sluice/dns/dnstest"
	"sluice/mailauth/dkim"
	"sluice/mailauth/key"
)

// names is a name server whose zone changes, and keys that sign for its domains.
type names struct {
	t       *testing.T
	zone    atomic.Pointer[dnstest.Zone]
	entries map[string]string
	keys    map[string]ed25519.PrivateKey
}

// newNames serves domains that sign and have a policy.
func newNames(t *testing.T, domains ...string) (n *names, addr string) {
	t.Helper()
	n = &names{t: t, entries: map[string]string{}, keys: map[string]ed25519.PrivateKey{}}
	for _, d := range domains {
		pub, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		record, err := key.Text(pub)
		if err != nil {
			t.Fatal(err)
		}
		n.keys[d] = private
		n.entries[d] = `{"MX": ["10 mx.` + d + `."], "TXT": ["v=spf1 -all"]}`
		n.entries["_dmarc."+d] = `{"TXT": ["v=DMARC1; p=none"]}`
		n.entries["s1._domainkey."+d] = fmt.Sprintf(`{"TXT": [%q]}`, record)
	}
	n.publish()
	server, err := dnstest.ServeFunc(func(q *wire.Msg, network string) [][]byte { return n.zone.Load().Reply(q, network) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return n, server.Addr().String()
}

// publish serves what the entries say now.
func (n *names) publish() {
	n.t.Helper()
	var list []string
	for name, e := range n.entries {
		list = append(list, fmt.Sprintf("%q: %s", name, e))
	}
	zone, err := dnstest.Parse("zone.json", strings.NewReader("{"+strings.Join(list, ",\n")+"}"))
	if err != nil {
		n.t.Fatal(err)
	}
	n.zone.Store(zone)
}

// sign puts signatures of domains on a message.
func (n *names) sign(msg string, domains ...string) string {
	n.t.Helper()
	out := msg
	for _, d := range domains {
		signature, err := dkim.Sign([]byte(msg), time.Now(), dkim.SignOptions{Domain: d, Selector: "s1", Key: n.keys[d]})
		if err != nil {
			n.t.Fatal(err)
		}
		out = string(signature) + out
	}
	return out
}

// reader reads the public pages of a daemon.
type reader struct {
	t    *testing.T
	base string
}

func (r reader) get(path string) (int, string) {
	r.t.Helper()
	resp, err := (&http.Client{Timeout: patience}).Get(r.base + path)
	return r.answer(resp, err)
}

// post sends a form, and follows where it leads.
func (r reader) post(path string, form url.Values) (int, string) {
	r.t.Helper()
	resp, err := (&http.Client{Timeout: patience}).PostForm(r.base+path, form)
	return r.answer(resp, err)
}

func (r reader) answer(resp *http.Response, err error) (int, string) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, html.UnescapeString(string(b))
}

var shownRecord = regexp.MustCompile(`(_sluice-proof\.[a-z.]+)\. TXT "(sluice-proof=[a-z0-9]+)"`)

// TestPostmasterProof: a message is refused; the postmasters of the domains that signed
// it, and nobody else, prove their domains and see more, also after a restart.
func TestPostmasterProof(t *testing.T) {
	n, addr := newNames(t, "sender.example", "esp.example", "other.example")
	public := FreePort(t)
	d := serve(t, setup{dns: addr, more: fmt.Sprintf("[public]\naddress = %q\n", public)})
	d.configure("public_url = \"https://why.a.example\"\n" + d.text())
	d.kill()
	page := reader{t, "http://" + public}
	refused := func(msg string) (path string) {
		t.Helper()
		c := d.dial()
		defer c.Close()
		r, err := c.Send("ann@sender.example", []string{"very.private.name@a.example"}, msg)
		_, path, ok := strings.Cut(r, "https://why.a.example")
		if err != nil || r[0] != '5' || !ok {
			t.Fatalf("%s %v\n%s", r, err, d.log.String())
		}
		return strings.TrimSpace(path)
	}
	signed := refused(n.sign(spam("signed"), "esp.example", "sender.example"))
	forged := refused(strings.Replace(n.sign(spam("forged"), "sender.example"), "One more line", "One less line", 1))
	logged := func(rows int) { // the page itself may be asked for now and then only
		t.Helper()
		eventually(t, "the log has the refusals", func() bool { return len(lines(t, d.sluice("log", "--json"))) == rows })
	}
	logged(2)
	_, body := page.get(signed)
	texts := map[string]string{}
	for _, m := range shownRecord.FindAllStringSubmatch(body, -1) {
		texts[m[1]] = m[2]
	}
	if len(texts) != 2 || texts["_sluice-proof.sender.example"] == "" || texts["_sluice-proof.esp.example"] == "" {
		t.Fatalf("offered: %v", texts)
	}

	for name, text := range texts {
		n.entries[name] = fmt.Sprintf(`{"TXT": [%q]}`, text)
	}
	n.entries["_sluice-proof.other.example"] = fmt.Sprintf(`{"TXT": [%q]}`, texts["_sluice-proof.sender.example"])
	n.publish()
	if code, body := page.post(signed+"/proof", url.Values{"domain": {"other.example"}}); code != 404 {
		t.Errorf("a domain that didn't sign: %d\n%s", code, body)
	}
	d.kill() // nothing of a proof is remembered
	for _, domain := range []string{"sender.example", "esp.example"} {
		code, body := page.post(signed+"/proof", url.Values{"domain": {domain}})
		if code != 200 || !strings.Contains(body, "More for the postmaster of <small>"+domain) || !strings.Contains(body, "DKIM_PASS") || !strings.Contains(body, "GTUBE") ||
			strings.Contains(body, "very.private") {
			t.Errorf("%s: %d\n%s", domain, code, body)
		}
	}
	// The records prove nothing of another refusal, least of all one in which the
	// signature was broken.
	if _, body := page.get(forged); strings.Contains(body, "Are you the postmaster?") {
		t.Error("offered where nothing authenticated")
	}
	if code, _ := page.post(forged+"/proof", url.Values{"domain": {"sender.example"}}); code != 404 {
		t.Errorf("the forged one's page: %d", code)
	}
	again := refused(n.sign(spam("again"), "sender.example"))
	logged(3)
	if code, body := page.post(again+"/proof", url.Values{"domain": {"sender.example"}}); code != 422 || strings.Contains(body, "More for the postmaster") {
		t.Errorf("with the record of another refusal: %d\n%s", code, body)
	}
}
