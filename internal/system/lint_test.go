package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/deliver/delivertest"
	"sluice/dns/dnstest"
)

// lintZone has senders whom SPF and DMARC prove, and one whom nothing does.
const lintZone = `{
	"1.0.0.127.in-addr.arpa": {"PTR": ["client.sender.example."]},
	"client.sender.example": {"A": ["127.0.0.1"]},
	"sender.example": {"MX": ["10 mx.sender.example."], "TXT": ["v=spf1 include:_spf.sender.example -all"]},
	"_spf.sender.example": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
	"_dmarc.sender.example": {"TXT": ["v=DMARC1; p=none"]},
	"elsewhere.example": {"MX": ["10 mx.elsewhere.example."], "TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
	"_dmarc.elsewhere.example": {"TXT": ["v=DMARC1; p=reject"]},
	"victim.example": {"MX": ["10 mx.victim.example."], "TXT": ["v=spf1 -all"]},
	"_dmarc.victim.example": {"TXT": ["v=DMARC1; p=reject"]}}`

const lintToken = "a token of more than twenty characters"

// linting is a daemon whose public pages look at messages.
type linting struct {
	*daemon
	public string
	box    string // of sender.example, which is served here too
	out    *delivertest.Server
}

func serveLint(t *testing.T) *linting {
	t.Helper()
	zone, err := dnstest.Parse("zone.json", strings.NewReader(lintZone))
	if err != nil {
		t.Fatal(err)
	}
	server, err := dnstest.Serve(zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	l := &linting{box: filepath.Join(t.TempDir(), "box"), out: delivertest.NewServer(t, delivertest.Script{})}
	public := FreePort(t)
	l.public = "http://" + public
	l.daemon = serve(t, setup{dns: server.Addr().String(), more: fmt.Sprintf("[[domain]]\nnames = [\"sender.example\"]\nrelay = [%q]\n[public]\naddress = %q\n"+
		"[reports]\nrelay = \"smtp://%s\"\n[lint]\nmail = true\nmax_size = \"100KB\"\n[console.tokens]\nci = %q\n", "maildir:"+l.box, public, l.out.Addr, lintToken)})
	eventually(t, "the public pages are served", func() bool { // they are opened behind the port for mail
		c, err := net.Dial("tcp", public)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return l
}

// post asks the public pages, and returns status and body.
func (l *linting) post(path, kind, body string, header ...string) (int, string) {
	l.t.Helper()
	r, err := http.NewRequest("POST", l.public+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return l.do(r)
}

func (l *linting) do(r *http.Request) (int, string) {
	l.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, l.log.String())
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (l *linting) get(path string) (int, string) {
	l.t.Helper()
	r, err := http.NewRequest("GET", l.public+path, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.do(r)
}

// stored is a message as it lies in a mailbox.
func stored(text string) string {
	return "Return-Path: <ann@sender.example>\r\nReceived: from client.sender.example (client.sender.example [127.0.0.1]) by mx.reader.example with ESMTPS; Tue, 24 Nov 2026 05:00:00 +0000\r\n" +
		strings.Replace(clean("lint"), "The minutes", text+" The minutes", 1)
}

// TestLintPage: the page, the API for strangers and for those with a token, the
// dictionary; nothing of what is looked at is kept.
func TestLintPage(t *testing.T) {
	l := serveLint(t)
	if code, page := l.get("/lint"); code != 200 || !strings.Contains(page, "Check a message") || !strings.Contains(page, "/lint/address") {
		t.Errorf("the page: %d\n%s", code, page)
	}
	const rfc822 = "message/rfc822"
	code, out := l.post("/lint", rfc822, stored(""))
	if code != 200 || !strings.Contains(out, `"class": "delivered"`) || !strings.Contains(out, "signed") {
		t.Errorf("the API: %d\n%s", code, out)
	}
	bad := stored(eicar)
	code, out = l.post("/lint", rfc822, bad)
	if code != 200 || !strings.Contains(out, `"class": "withheld"`) {
		t.Errorf("malware: %d\n%s", code, out)
	}
	for _, secret := range []string{"points", "EICAR", "ledger", "probability", "reasons"} {
		if strings.Contains(out, secret) {
			t.Errorf("strangers are told %q:\n%s", secret, out)
		}
	}
	var full struct {
		Class   string
		Verdict *struct {
			Hard   string
			Points float64
			Ledger []struct {
				ID     string
				Points float64
			}
			Words []struct{ Word string }
		}
	}
	code, out = l.post("/lint", rfc822, bad, "Authorization", "Bearer "+lintToken)
	if err := json.Unmarshal([]byte(out), &full); err != nil || code != 200 || full.Verdict == nil || full.Verdict.Hard == "" || len(full.Verdict.Words) == 0 {
		t.Fatalf("with a token: %d %v\n%s", code, err, out)
	}
	sum := 0.0
	for _, e := range full.Verdict.Ledger {
		sum += e.Points
	}
	if d := sum - full.Verdict.Points; d > 0.01 || d < -0.01 {
		t.Errorf("the ledger sums to %.2f, not %.2f", sum, full.Verdict.Points)
	}
	if code, _ := l.post("/lint", rfc822, bad, "Authorization", "Bearer "+lintToken+"x"); code != 401 {
		t.Errorf("a wrong token: %d", code)
	}
	if code, _ := l.post("/lint", rfc822, strings.Repeat("x", 101<<10)); code != 413 {
		t.Errorf("too large: %d", code)
	}
	if code, page := l.post("/lint", "application/x-www-form-urlencoded", url.Values{"message": {bad}}.Encode()); code != 200 || !strings.Contains(page, "would not deliver it") {
		t.Errorf("the form: %d\n%s", code, page)
	}

	if code, page := l.get("/reply"); code != 200 || !strings.Contains(page, "What does this reply mean?") {
		t.Errorf("the dictionary: %d\n%s", code, page)
	}
	if code, page := l.post("/reply", "application/x-www-form-urlencoded", url.Values{"reply": {"552 5.2.2 The email account that you tried to reach is over quota"}}.Encode()); code != 200 || !strings.Contains(page, "mailbox is full") {
		t.Errorf("the dictionary's answer: %d\n%s", code, page)
	}

	// A reload changes the judge under the page's feet.
	l.configure(l.text() + "[policy]\ntag_at = 0.000001\n")
	l.signal(syscall.SIGHUP)
	eventually(t, "the new policy judges", func() bool {
		_, out := l.post("/lint", rfc822, stored(""), "Authorization", "Bearer "+lintToken)
		return strings.Contains(out, `"class": "marked"`)
	})
	if out := l.sluice("log", "--json"); strings.TrimSpace(out) != "" {
		t.Errorf("what was looked at is in the log:\n%s", out)
	}
	if got := files(t, filepath.Join(l.data, "quarantine"), ""); len(got) > 0 {
		t.Errorf("it is kept: %v", got)
	}
}

// address asks for one.
func (l *linting) address() string {
	l.t.Helper()
	code, out := l.post("/lint/address", "application/x-www-form-urlencoded", "", "Accept", "application/json")
	var v struct{ Address string }
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 200 || !strings.HasSuffix(v.Address, "@mx.a.example") {
		l.t.Fatalf("an address: %d %v %s", code, err, out)
	}
	return v.Address
}

// mailIn sends a message of from to an address and returns the last reply.
func (l *linting) mailIn(from, to string) string {
	l.t.Helper()
	c := l.dial()
	defer c.Close()
	msg := strings.NewReplacer("ann@sender.example", from, "To: bob@a.example", "To: "+to).Replace(clean("try"))
	r, err := c.Send(from, []string{to}, msg)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, l.log.String())
	}
	return r
}

// TestLintMail: who is proved by DMARC gets the answer in the mailbox, wherever that is;
// nobody else gets anything.
func TestLintMail(t *testing.T) {
	l := serveLint(t)
	to := l.address()
	if r := l.mailIn("boss@victim.example", to); !strings.HasPrefix(r, "550 5.7.1 ") || !strings.Contains(r, "DMARC") {
		t.Errorf("a forger: %s", r)
	}
	if r := l.mailIn("ann@sender.example", to); !strings.HasPrefix(r, "250 2.0.0 ") {
		t.Fatalf("a proved author: %s\n%s", r, l.log.String())
	}
	var answer []byte
	eventually(t, "the answer is in the mailbox", func() bool {
		got, err := filepath.Glob(filepath.Join(l.box, "new", "*"))
		if err != nil || len(got) != 1 {
			return false
		}
		answer, err = os.ReadFile(got[0])
		return err == nil
	})
	for _, want := range []string{"Return-Path: <>", "To: <ann@sender.example>", "Auto-Submitted: auto-replied", "This gateway: would be delivered",
		"reverse DNS: confirmed client.sender.example", "SPF: pass for sender.example", "1 of at most 10 look-ups", "DMARC: pass for sender.example",
		"EHLO client.sender.example", "MAIL FROM:<ann@sender.example>", "RCPT TO:<" + to + ">", "The message isn't signed."} {
		if !bytes.Contains(answer, []byte(want)) {
			t.Errorf("the answer lacks %q", want)
		}
	}
	for _, not := range []string{"points", "Ledger", "way of speaking"} {
		if bytes.Contains(answer, []byte(not)) {
			t.Errorf("the answer holds %q", not)
		}
	}
	if t.Failed() {
		t.Logf("the answer:\n%s", answer)
	}
	if r := l.mailIn("ann@sender.example", to); !strings.HasPrefix(r, "550 5.2.1 ") {
		t.Errorf("once more: %s", r)
	}
	if r := l.mailIn("ann@sender.example", "lint-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@mx.a.example"); !strings.HasPrefix(r, "550 5.7.1 ") || strings.Contains(r, "DMARC") {
		t.Errorf("an address of nobody's: %s", r)
	}
	// An author whose domain isn't served here is answered by the relay.
	if r := l.mailIn("eve@elsewhere.example", l.address()); !strings.HasPrefix(r, "250 2.0.0 ") {
		t.Fatalf("an author elsewhere: %s\n%s", r, l.log.String())
	}
	eventually(t, "the answer goes out", func() bool { return len(l.out.Messages()) == 1 })
	if m := l.out.Messages()[0]; !strings.Contains(m.Mail, "<>") || len(m.Rcpts) != 1 || !strings.Contains(m.Rcpts[0], "<eve@elsewhere.example>") {
		t.Errorf("it goes from %q to %q", m.Mail, m.Rcpts)
	}
	if got, _ := filepath.Glob(filepath.Join(l.box, "new", "*")); len(got) != 1 {
		t.Errorf("%d answers in the mailbox", len(got))
	}
}
