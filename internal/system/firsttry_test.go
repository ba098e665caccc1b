package system

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// started is a daemon as a new user runs it: a few flags, and no settings but
// that it asks no outside DNS.
type started struct {
	cmd              *exec.Cmd
	smtp, web, setup string
	data             string
	log              output
}

// start runs sluice serve and reads what it says about itself.
func start(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{data: filepath.Join(t.TempDir(), "data")}
	config := filepath.Join(t.TempDir(), "quiet.toml")
	if err := os.WriteFile(config, []byte(quiet), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = command(Binary(t), append([]string{"serve", "--config", config, "--listen", "127.0.0.1:0", "--console", FreePort(t), "--data", s.data}, args...)...)
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	in := bufio.NewScanner(out)
	for in.Scan() {
		line := in.Text()
		f := strings.Fields(line)
		switch {
		case strings.Contains(line, "/setup/"):
			s.setup = f[0]
		case len(f) >= 2 && f[0] == "mail":
			s.smtp = strings.TrimPrefix(f[1], "smtp://")
		case len(f) == 2 && f[0] == "console":
			s.web = f[1]
		}
		if s.setup != "" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s
		}
	}
	t.Fatalf("the daemon did not come up:\n%s", s.log.String())
	return nil
}

// stop asks for a graceful end.
func (s *started) stop(t *testing.T) {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	time.AfterFunc(40*time.Second, func() { _ = s.cmd.Process.Kill() })
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("stopping: %v\n%s", err, s.log.String())
	}
}

// sluice runs an admin's command beside the daemon.
func (s *started) sluice(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(Binary(t), append(args, "--data", s.data)...).CombinedOutput()
	if err != nil {
		t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *started) send(t *testing.T, from, to, msg string) string {
	t.Helper()
	c, err := Dial(s.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Say("EHLO client.sender.example"); err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(from, []string{to}, msg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFirstTry is the README's first command and what a new user does next.
func TestFirstTry(t *testing.T) {
	s := start(t)
	if r := s.send(t, "ann@sender.example", "bob@example.com", clean("first")); !strings.HasPrefix(r, "250 2.0.0") {
		t.Errorf("clean: %s", r)
	}
	files, err := filepath.Glob(filepath.Join(s.data, "maildir", "new", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("in the Maildir: %v %v\n%s", files, err, s.log.String())
	}
	got, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(got), "X-Test: first\n") || !strings.Contains(string(got), "X-Sluice-Verdict:") {
		t.Errorf("delivered: %v\n%s", err, got)
	}
	bad := strings.Replace(clean("eicar"), "The minutes", eicar, 1)
	r := s.send(t, "ann@sender.example", "bob@example.com", bad)
	if !strings.HasPrefix(r, "554 5.7.1 ") || !strings.Contains(r, "malware") {
		t.Errorf("EICAR: %s", r)
	}
	if r := s.send(t, "ann@sender.example", "bob@elsewhere.test", "x"); !strings.HasPrefix(r, "550 5.7.1 ") {
		t.Errorf("relaying: %s", r)
	}
	// The refused message can be explained by the reference in the reply.
	id := regexp.MustCompile(`ref ([0-9A-Z]{16})`).FindStringSubmatch(r)
	if id == nil {
		t.Fatalf("no reference in %q", r)
	}
	var out string
	for range 50 { // the log is written in batches
		b, _, err := run(t, "explain", strings.ToLower(id[1]), "--data", s.data)
		if out = b; err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !strings.Contains(out, "EICAR") || !strings.Contains(out, "HARD") || !strings.Contains(out, "ann@sender.example") {
		t.Errorf("explain:\n%s", out)
	}
	if out := s.sluice(t, "log", "--action", "reject"); strings.Count(out, "\n") < 2 {
		t.Errorf("log:\n%s", out)
	}
}

// TestConsole sets the password, looks at a held message and releases it, all
// by forms, as a browser without JavaScript would.
func TestConsole(t *testing.T) {
	s := start(t)
	// A held message: the address postmaster refuses nothing but holds malware.
	bad := strings.Replace(clean("held"), "The minutes", eicar, 1)
	if r := s.send(t, "ann@sender.example", "postmaster@example.com", bad); !strings.HasPrefix(r, "250") {
		t.Fatalf("held: %s", r)
	}
	jar, _ := cookiejar.New(nil)
	web := &browser{t: t, base: s.web, Client: http.Client{Jar: jar, Timeout: 10 * time.Second}}
	if page := web.get("/"); !strings.Contains(page, "password") {
		t.Errorf("without a login one sees:\n%s", page)
	}
	web.submit(s.setup, url.Values{"name": {"admin"}, "password": {"correct horse battery"}, "again": {"correct horse battery"}})
	list := web.get("/quarantine")
	link := regexp.MustCompile(`/quarantine/([0-9A-Z]{16})`).FindStringSubmatch(list)
	if link == nil {
		t.Fatalf("nothing in quarantine:\n%s", list)
	}
	page := web.get(link[0])
	if !strings.Contains(page, "EICAR") {
		t.Errorf("the page doesn't say why:\n%s", page)
	}
	if resp, err := web.Client.Get(web.base + link[0] + "/release"); err == nil {
		resp.Body.Close() // a GET may show a question; it must not act
	}
	if out := s.sluice(t, "quarantine", "list", "--json"); strings.Contains(out, `"released"`) {
		t.Fatalf("a GET released the message:\n%s", out)
	}
	web.submit(web.base+link[0]+"/release", nil)
	deadline := time.Now().Add(20 * time.Second)
	for {
		files, _ := filepath.Glob(filepath.Join(s.data, "maildir", "new", "*"))
		if len(files) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the released message is not delivered:\n%s\n%s", web.get(link[0]), s.log.String())
		}
		time.Sleep(100 * time.Millisecond)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/metrics": "sluice_messages_total"} {
		if got := web.get(path); !strings.Contains(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// browser gets pages and submits their forms.
type browser struct {
	http.Client
	t    *testing.T
	base string
}

func (b *browser) get(path string) string {
	b.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = b.base + path
	}
	resp, err := b.Client.Get(target)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(body)
}

// submit gets a page, fills in its main form and posts it with all hidden fields.
func (b *browser) submit(page string, values url.Values) {
	b.t.Helper()
	html := b.get(page)
	form := values
	if form == nil {
		form = url.Values{}
	}
	// The last form of a page is its own; the first is the way out.
	forms := regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*>.*?</form>`).FindAllString(html, -1)
	if len(forms) == 0 {
		b.t.Fatalf("no form on %s:\n%s", page, html)
	}
	last := forms[len(forms)-1]
	for _, in := range regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`).FindAllString(last, -1) {
		name := regexp.MustCompile(`name="([^"]*)"`).FindStringSubmatch(in)
		value := regexp.MustCompile(`value="([^"]*)"`).FindStringSubmatch(in)
		if name != nil && value != nil {
			form.Set(name[1], value[1])
		}
	}
	action := page
	if m := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(last); m != nil {
		action = b.base + m[1]
	}
	req, err := http.NewRequest(http.MethodPost, action, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", b.base)
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("POST %s: %s\n%s", action, resp.Status, body)
	}
}

// TestReload changes the configuration under a running session: it goes on by
// the old one, new sessions follow the new, and bad settings change nothing.
func TestReload(t *testing.T) {
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr})
	c := d.dial()
	defer c.Close()
	reload := func(text string) {
		d.configure(text)
		d.signal(syscall.SIGHUP)
	}
	reload(strings.Replace(d.text(), `"a.example"`, `"b.example"`, 1))
	eventually(t, "new sessions serve b.example", func() bool { return rcpt(t, d.addr, "bob@b.example")[0] == '2' })
	if r, err := c.Send("ann@sender.example", []string{"bob@a.example"}, clean("old")); err != nil || r[0] != '2' {
		t.Errorf("the old session: %s %v", r, err)
	}
	if sink.Seen()["old"] != 1 {
		t.Error("the old session's message did not arrive")
	}
	reload("hostnam = 1\n")
	eventually(t, "the log says that the settings are bad", func() bool {
		return strings.Contains(d.log.String(), "the old settings stay in force") && strings.Contains(d.log.String(), "hostnam")
	})
	if r := rcpt(t, d.addr, "bob@b.example"); r[0] != '2' {
		t.Errorf("after bad settings: %s", r)
	}
}

func rcpt(t *testing.T, addr, to string) string {
	t.Helper()
	c, err := Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var last string
	for _, l := range []string{"EHLO client.sender.example", "MAIL FROM:<>", "RCPT TO:<" + to + ">"} {
		if last, err = c.Say(l); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// TestBadStart: what goes wrong at the start is one clear sentence and status 1.
func TestBadStart(t *testing.T) {
	s := start(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.toml")
	if err := os.WriteFile(bad, []byte("[limits]\nmesage_size = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	uncertified := filepath.Join(t.TempDir(), "tls.toml")
	if err := os.WriteFile(uncertified, []byte("[tls]\ncert = \"/nonexistent/cert.pem\"\nkey = \"/nonexistent/key.pem\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"port taken", []string{"--listen", s.smtp, "--data", other}, "is taken by another program"},
		{"console port taken", []string{"--listen", "127.0.0.1:0", "--console", strings.TrimPrefix(s.web, "http://"), "--data", other}, "is taken by another program"},
		{"data in use", []string{"--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", s.data}, "another sluice serve uses"},
		{"data is a file", []string{"--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", file}, "choose another with --data"},
		{"bad key", []string{"--config", bad}, `bad.toml:2:1: unknown key "limits.mesage_size"`},
		{"no such file", []string{"--config", "/nonexistent/sluice.toml"}, "no such file"},
		{"settings are a folder", []string{"--config", filepath.Dir(bad)}, "is a directory"},
		{"no certificate", []string{"--config", uncertified, "--listen", "127.0.0.1:0", "--data", other}, "no such file"},
		{"bad address", []string{"--listen", "nonsense", "--data", other}, "want ADDRESS:PORT"},
		{"bad relay", []string{"--relay", "ftp://x"}, "want smtp://HOST:PORT"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := exec.Command(Binary(t), append([]string{"serve"}, tc.args...)...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), tc.want) || strings.Count(strings.TrimSpace(string(out)), "\n") > 1 {
				t.Errorf("%v, want one sentence with %q:\n%s", err, tc.want, out)
			}
		})
	}
}

// TestScanOutput holds the documented shape of scan --json.
func TestScanOutput(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.eml"), []byte(spam("scan")), 0o600); err != nil {
		t.Fatal(err)
	}
	batch := filepath.Join(dir, "batch.jsonl")
	line := `{"id":"one","file":"a.eml","ip":"192.0.2.1","helo":"localhost","mail_from":"<a@b.example>","rcpt":["bob@a.example"],"authenticated":false}` + "\n"
	if err := os.WriteFile(batch, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	zone := filepath.Join(dir, "zone.json")
	if err := os.WriteFile(zone, []byte(`{"b.example": {"MX": ["10 mx.b.example."]}, "slow.example": {"A": "TIMEOUT"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(Binary(t), "scan", "--json", "--batch", batch, "--dns-zone", zone, "--now", "2026-11-24T06:00:00Z").Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var r struct {
		ID, File string
		Verdict  struct {
			Threat, Action, Hard string
			Probability, Points  float64
		}
		Evidence []struct {
			ID, Group, Reason, Detail string
			Points, Raw               float64
		}
		TimeUS int64 `json:"time_us"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sum, prior := 0.0, false
	for _, e := range r.Evidence {
		sum += e.Points
		prior = prior || e.ID == "PRIOR"
	}
	if r.ID != "one" || r.Verdict.Hard != "GTUBE" || r.Verdict.Action != "reject" || !prior {
		t.Errorf("result: %s", out)
	}
	if fmt.Sprintf("%.1f", sum) != fmt.Sprintf("%.1f", r.Verdict.Points) {
		t.Errorf("points sum to %.1f, the verdict says %.1f", sum, r.Verdict.Points)
	}
}
