package click_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/console/public"
	"sluice/console/public/click"
	"sluice/deliver/protect"
	"sluice/reason"
)

// browser is a Chromium without a window, spoken to over two pipes by its own protocol.
type browser struct {
	t       *testing.T
	in      io.Writer
	out     *bufio.Reader
	id      int
	session string
	loaded  int // load events seen
}

// start runs a Chromium, and skips the test where there is none.
func start(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium isn't installed: the page isn't tried in a browser")
	}
	theirs, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirsToo, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sluice-browser-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	c := exec.CommandContext(ctx, path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "--remote-debugging-pipe", "--user-data-dir="+dir, "about:blank")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.ExtraFiles = []*os.File{theirs, theirsToo}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	theirsToo.Close()
	b := &browser{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	t.Cleanup(func() {
		b.session = ""
		b.send("Browser.close", nil)
		_ = c.Wait() // it was asked to go, or killed
		// Its helpers may outlive it a little, and write.
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = os.RemoveAll(dir)
		cancel()
		in.Close()
		out.Close()
	})
	var target struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	b.call("Page.enable", nil, nil)
	return b
}

func (b *browser) send(method string, params any) {
	b.id++
	m := map[string]any{"id": b.id, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	j, err := json.Marshal(m)
	if err == nil {
		_, err = b.in.Write(append(j, 0))
	}
	if err != nil {
		b.t.Log(err)
	}
}

type reply struct {
	ID     int
	Method string
	Result json.RawMessage
	Error  *struct{ Message string }
}

func (b *browser) next() (r reply) {
	b.t.Helper()
	line, err := b.out.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser is gone: %v", err)
	}
	if err := json.Unmarshal(bytes.TrimRight(line, "\x00"), &r); err != nil {
		b.t.Fatal(err)
	}
	if r.Method == "Page.loadEventFired" {
		b.loaded++
	}
	return r
}

func (b *browser) call(method string, params, into any) {
	b.t.Helper()
	b.send(method, params)
	for {
		r := b.next()
		if r.ID != b.id {
			continue
		}
		if r.Error != nil {
			b.t.Fatalf("%s: %s", method, r.Error.Message)
		}
		if into != nil {
			if err := json.Unmarshal(r.Result, into); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

// open goes to a page and waits until it is there.
func (b *browser) open(u string) {
	b.t.Helper()
	n := b.loaded
	b.call("Page.navigate", map[string]any{"url": u}, nil)
	for {
		for b.loaded == n {
			b.next()
		}
		n = b.loaded
		if b.eval("document.URL") != "about:blank" { // whose own event may come late
			return
		}
	}
}

// eval runs a script in the page.
func (b *browser) eval(script string) any {
	b.t.Helper()
	var r struct{ Result struct{ Value any } }
	b.call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &r)
	return r.Result.Value
}

// press presses the page's button and waits for what comes.
func (b *browser) press() {
	b.t.Helper()
	n := b.loaded
	b.eval("document.querySelector('button').click()")
	for b.loaded == n {
		b.next()
	}
}

func (b *browser) size(width, height int, phone bool, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// picture writes what is seen into the folder SLUICE_SCREENSHOTS, where it is set.
func (b *browser) picture(name string) {
	dir := os.Getenv("SLUICE_SCREENSHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), raw, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// elsewhere is a site that links lead to.
type elsewhere struct {
	mu   sync.Mutex
	seen []string // method, path and referrer of requests
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/favicon.ico" {
		e.mu.Lock()
		e.seen = append(e.seen, r.Method+" "+r.URL.String()+r.Referer())
		e.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/html")
	if to := r.URL.Query().Get("to"); to != "" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	if form := r.URL.Query().Get("form"); form != "" {
		fmt.Fprintf(w, `<form method="post" action="%s"><input name="go" value="1"><input name="sure" value="1"><button>x</button></form>`, form)
		return
	}
	fmt.Fprint(w, "<title>There</title>")
}

func (e *elsewhere) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.seen
	e.seen = nil
	return out
}

// TestBrowser follows links as a person does, in a real browser.
func TestBrowser(t *testing.T) {
	b := start(t)
	far := &elsewhere{}
	there := httptest.NewServer(far)
	defer there.Close()
	sealer, err := protect.NewSealer([][]byte{bytes.Repeat([]byte{7}, protect.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	judge := func(_ context.Context, target click.Target) ([]click.Finding, error) {
		switch {
		case strings.Contains(target.Address, "warn"):
			return []click.Finding{{Reason: reason.LinkLooksLikeBrand, Like: "paypal.com"}, {Reason: reason.CampaignReported}}, nil
		case strings.Contains(target.Address, "stop"):
			return []click.Finding{{Reason: reason.URLListed, Stop: true}}, nil
		}
		return nil, nil
	}
	h, err := click.New(click.Config{Judges: []click.Judge{judge}, Postmaster: "postmaster@acme.example", Node: "mx.acme.example", Clock: func() time.Time { return now },
		Open: func(path string) (click.Link, error) {
			l, err := sealer.Open(path)
			if err != nil {
				return click.Link{}, click.ErrInvalid
			}
			return click.Link{URL: l.URL, Ref: l.Ref, Time: l.Time}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := public.New(public.Config{Click: h, Open: func(string) (public.Facts, error) { return public.Facts{}, public.ErrInvalid }})
	if err != nil {
		t.Fatal(err)
	}
	ours := httptest.NewServer(pages)
	defer ours.Close()
	link := func(u string) string {
		return ours.URL + "/c/" + sealer.Seal(protect.Link{URL: u, Ref: "7K3FQ2M9XW4T0021", Time: now.Add(-time.Hour)})
	}
	_, port, _ := net.SplitHostPort(there.Listener.Addr().String())
	other := "http://localhost:" + port

	t.Run("look and go", func(t *testing.T) {
		b.t = t
		b.open(link(there.URL + "/a?b=1&c=2"))
		if s := far.take(); len(s) > 0 {
			t.Fatalf("looking asked for %v", s)
		}
		b.press()
		if u := b.eval("location.href"); u != there.URL+"/a?b=1&c=2" {
			t.Errorf("at %v", u)
		}
		if s := far.take(); len(s) != 1 || s[0] != "GET /a?b=1&c=2" {
			t.Errorf("asked for %v", s)
		}
	})
	t.Run("where the site redirects on", func(t *testing.T) {
		b.t = t
		b.open(link(there.URL + "/?to=" + other + "/b"))
		b.press()
		if u := b.eval("location.href"); u != other+"/b" {
			t.Errorf("at %v", u)
		}
		far.take()
	})
	t.Run("warned", func(t *testing.T) {
		b.t = t
		b.open(link(there.URL + "/warn"))
		b.eval("document.querySelector('button').click()")
		if ok := b.eval("document.querySelector('form').checkValidity()"); ok != false {
			t.Error("it goes on without the tick")
		}
		if s := far.take(); len(s) > 0 {
			t.Fatalf("asked for %v", s)
		}
		b.eval("document.querySelector('input[name=sure]').click()")
		b.press()
		if u := b.eval("location.href"); u != there.URL+"/warn" {
			t.Errorf("at %v", u)
		}
		far.take()
	})
	t.Run("sent by another page", func(t *testing.T) {
		b.t = t
		b.open(other + "/?form=" + link(there.URL+"/victim"))
		b.press()
		for _, s := range far.take() {
			if strings.Contains(s, "/victim") {
				t.Errorf("another page sent the browser to %s", s)
			}
		}
		if u, _ := b.eval("location.href").(string); !strings.HasPrefix(u, ours.URL+"/c/") {
			t.Errorf("at %v", u)
		}
	})
	t.Run("layout", func(t *testing.T) {
		b.t = t
		long := "https://secure-login.accounts.paypal.com.account-verification.evil-example.co.uk/" + strings.Repeat("path/", 30) + "?id=" + strings.Repeat("0123456789abcdef", 40)
		for name, u := range map[string]string{
			"look": link("https://www.shop.example/offers?id=17&u=3"), "warn": link("https://xn--pypal-4ve.example/warn"), "stop": link("http://bank.example@evil.example/stop"),
			"expired": ours.URL + "/c/" + sealer.Seal(protect.Link{URL: "https://www.shop.example/offers", Ref: "7K3FQ2M9XW4T0021", Time: now.AddDate(-2, 0, 0)}),
			"invalid": ours.URL + "/c/shop.example/AAAA", "long": link(long),
		} {
			for _, lang := range []string{"en", "de"} {
				b.call("Network.enable", nil, nil)
				b.call("Network.setExtraHTTPHeaders", map[string]any{"headers": map[string]string{"Accept-Language": lang}}, nil)
				for _, width := range []int{1200, 390, 320} {
					scheme := "light"
					if lang == "de" {
						scheme = "dark"
					}
					b.size(width, 820, width < 800, scheme)
					b.open(u)
					if wide, _ := b.eval("document.documentElement.scrollWidth").(float64); int(wide) > width {
						t.Errorf("%s, %s: %v wide at %d", name, lang, wide, width)
					}
					if n := b.eval("document.fonts.size + document.scripts.length"); n != float64(0) {
						t.Errorf("%s: scripts or fonts: %v", name, n)
					}
					if bg := b.eval("getComputedStyle(document.querySelector('main')).borderTopWidth"); bg == "" {
						t.Errorf("%s: no style", name)
					}
					b.picture(fmt.Sprintf("%s-%s-%d", name, lang, width))
				}
			}
		}
	})
}

// TestMounted: the public pages hand /c/ on, with limits of its own, and nothing else.
func TestMounted(t *testing.T) {
	h, err := click.New(click.Config{Open: func(string) (click.Link, error) {
		return click.Link{URL: "https://shop.example/", Time: time.Now()}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	facts := func(string) (public.Facts, error) { return public.Facts{}, public.ErrInvalid }
	for _, c := range []struct {
		click http.Handler
		path  string
		want  int
	}{{h, "/c/shop.example/x", 200}, {nil, "/c/shop.example/x", 404}, {h, "/why/x", 404}, {h, "/assets/public.css", 200}, {h, "/", 200}} {
		pages, err := public.New(public.Config{Click: c.click, Open: facts})
		if err != nil {
			t.Fatal(err)
		}
		for range 40 { // more than strangers may ask of the other pages
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
			if w.Code != c.want && (c.path == "/c/shop.example/x" && c.click != nil || w.Code != 429) {
				t.Errorf("%s: %d, want %d", c.path, w.Code, c.want)
			}
		}
	}
}
