// Package browsertest tries pages in a real browser: a Chromium without a window, spoken
// to over two pipes by its own protocol.
package browsertest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Browser is a Chromium without a window, spoken to over two pipes by its own protocol.
type Browser struct {
	T       *testing.T // whose the steps are; may be changed for a part
	in      io.Writer
	out     *bufio.Reader
	id      int
	session string
	loaded  int // load events seen
}

// Start runs a Chromium, and skips the test where there is none. It ends with the test,
// and reaches loopback only.
func Start(t *testing.T) *Browser {
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
	b := &Browser{T: t, in: in, out: bufio.NewReaderSize(out, 1<<20)}
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

func (b *Browser) send(method string, params any) {
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
		b.T.Log(err)
	}
}

type reply struct {
	ID     int
	Method string
	Result json.RawMessage
	Error  *struct{ Message string }
}

func (b *Browser) next() (r reply) {
	b.T.Helper()
	line, err := b.out.ReadBytes(0)
	if err != nil {
		b.T.Fatalf("the browser is gone: %v", err)
	}
	if err := json.Unmarshal(bytes.TrimRight(line, "\x00"), &r); err != nil {
		b.T.Fatal(err)
	}
	if r.Method == "Page.loadEventFired" {
		b.loaded++
	}
	return r
}

func (b *Browser) call(method string, params, into any) {
	b.T.Helper()
	b.send(method, params)
	for {
		r := b.next()
		if r.ID != b.id {
			continue
		}
		if r.Error != nil {
			b.T.Fatalf("%s: %s", method, r.Error.Message)
		}
		if into != nil {
			if err := json.Unmarshal(r.Result, into); err != nil {
				b.T.Fatal(err)
			}
		}
		return
	}
}

// Open goes to a page and waits until it is there.
func (b *Browser) Open(u string) {
	b.T.Helper()
	n := b.loaded
	b.call("Page.navigate", map[string]any{"url": u}, nil)
	for {
		for b.loaded == n {
			b.next()
		}
		n = b.loaded
		if b.Eval("document.URL") != "about:blank" { // whose own event may come late
			return
		}
	}
}

// Eval runs a script in the page.
func (b *Browser) Eval(script string) any {
	b.T.Helper()
	var r struct{ Result struct{ Value any } }
	b.call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &r)
	return r.Result.Value
}

// Press presses the page's button and waits for what comes.
func (b *Browser) Press() {
	b.T.Helper()
	n := b.loaded
	b.Eval("document.querySelector('button').click()")
	for b.loaded == n {
		b.next()
	}
}

// Size sets the screen, in CSS pixels, and the colour scheme, "light" or "dark".
func (b *Browser) Size(width, height int, phone bool, scheme string) {
	b.T.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Language sets what the browser asks for.
func (b *Browser) Language(lang string) {
	b.T.Helper()
	b.call("Network.enable", nil, nil)
	b.call("Network.setExtraHTTPHeaders", map[string]any{"headers": map[string]string{"Accept-Language": lang}}, nil)
}

// Picture writes what is seen into the folder SLUICE_SCREENSHOTS, where it is set.
func (b *Browser) Picture(name string) {
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
		b.T.Fatal(err)
	}
}
