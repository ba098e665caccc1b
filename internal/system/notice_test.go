package system

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	netmail "net/mail"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/internal/browsertest"
	"sluice/store/sqlite"
)

// notices reads the mails of a Maildir that aren't the test's own.
func notices(t *testing.T, dir string) (out []*netmail.Message) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		m, err := netmail.ReadMessage(f)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("Auto-Submitted") != "" {
			out = append(out, m)
		}
	}
	return out
}

var selfLink = regexp.MustCompile(`https://mx\.a\.example(/self/[A-Za-z0-9_-]+)`)

// link is that of a notice's text.
func link(t *testing.T, m *netmail.Message) string {
	t.Helper()
	_, boundary, _ := strings.Cut(m.Header.Get("Content-Type"), `boundary="`)
	part, err := multipart.NewReader(m.Body, strings.TrimSuffix(boundary, `"`)).NextPart()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(part)
	if err != nil {
		t.Fatal(err)
	}
	found := selfLink.FindSubmatch(text)
	if found == nil || !strings.Contains(string(text), "help@a.example") {
		t.Fatalf("no link: %s", text)
	}
	return string(found[1])
}

// TestToldUser: an infected machine of ours sends; its owner is told by mail in a real
// mailbox, once, also where the daemon is killed; follows the link, does the steps, and
// what was held and is clean goes out. What isn't stays, and the case ends by itself.
func TestToldUser(t *testing.T) {
	i := &infected{door: FreePort(t), sink: NewSink(t, "X-Test", nil)}
	back := delivertest.NewServer(t, delivertest.Script{Users: map[string]string{"ann@a.example": "word", "bob@a.example": "word"}})
	cert, key := certificate(t, t.TempDir(), "mx.a.example")
	public, box := FreePort(t), filepath.Join(t.TempDir(), "mailbox")
	i.daemon = serve(t, setup{relay: "maildir:" + box, more: fmt.Sprintf("[public]\naddress = %q\n[tls]\ncert = %q\nkey = %q\n"+
		"[[listen]]\naddress = %q\nkind = \"submission\"\ntls = \"implicit\"\n"+
		"[submission]\nlogin = [\"smtp://%s\"]\nlogin_tls = \"none\"\nrelay = [\"smtp://%s\"]\n"+
		"[policy]\ntag_at = 0.02\nquarantine_at = 0.03\n"+
		"[[rule]]\nname = \"watches\"\nwhen = 'words(message.text, \"cheap watches\")'\npoints = 6.0\nwhy = \"a test\"\n"+
		"[subscribers]\non = true\nwatch = \"1s\"\nquiet_from = 5\nquiet_to = 5\n[subscribers.notice]\nhelp = \"help@a.example\"\n",
		public, cert, key, i.door, back.Addr, i.sink.Addr)})
	i.configure("public_url = \"https://mx.a.example\"\npostmaster = \"postmaster@a.example\"\n" + i.text())
	i.kill()

	for n := range 5 {
		id := strings.Repeat(string(rune('p'+n)), 5)
		i.submit("bob@a.example", id, unlike(id))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(i.log.String())
		}
	})
	if r := i.submit("bob@a.example", "clean", clean("clean")); !strings.HasPrefix(r, "250") {
		t.Fatal(r)
	}
	dirty := strings.Replace(clean("dirty"), "The minutes", "Cheap watches for all. The minutes", 1)
	if r := i.submit("bob@a.example", "dirty", dirty); !strings.HasPrefix(r, "250") {
		t.Fatal(r)
	}
	var came []*netmail.Message
	eventually(t, "a notice", func() bool { came = notices(t, box); return len(came) > 0 })
	path := link(t, came[0])
	i.kill()

	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(i.data, "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	state := func() *sluice.Case {
		t.Helper()
		list, err := store.ListCases(t.Context(), sluice.CaseQuery{})
		if err != nil || len(list) != 1 {
			t.Fatalf("%d cases, %v", len(list), err)
		}
		return list[0]
	}
	eventually(t, "proof that it was delivered", func() bool { return state().State == sluice.CaseNotified })
	if c := state(); len(c.Notices) != 1 || c.Notices[0].Delivered.IsZero() || c.Restrict != sluice.RestrictHold {
		t.Errorf("told: %+v", c.Notices)
	}

	page := "http://" + public + path
	client := &http.Client{Timeout: 10 * time.Second}
	ask := func(form url.Values) {
		t.Helper()
		res, err := client.Get(page)
		if form != nil {
			res, err = client.PostForm(page, form)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
	}
	ask(nil) // a scanner
	ask(url.Values{"act": {"release"}})
	if c := state(); c.State != sluice.CaseNotified || i.sink.Seen()["clean"] != 0 {
		t.Fatalf("released by a scanner: %+v", c)
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Log("chromium isn't installed: the page is asked without a browser")
		ask(url.Values{"act": {"release"}, "step": {"0", "1", "2", "3"}})
	} else {
		b := browsertest.Start(t)
		b.Open(page)
		b.Eval("document.querySelectorAll('input[type=checkbox]').forEach(i => i.click())")
		b.Press()
		if title := b.Eval("document.title"); title != "Your e-mail flows again" {
			t.Errorf("the page says %v", title)
		}
	}
	if c := state(); c.SelfReleases != 1 || c.Notices[0].Acknowledged.IsZero() || c.Restrict != sluice.RestrictNone {
		t.Fatalf("not released: %+v\n%s", c, i.log.String())
	}
	eventually(t, "clean mail goes out", func() bool { return i.sink.Seen()["clean"] == 1 })
	if r := i.submit("bob@a.example", "later", clean("later")); !strings.HasPrefix(r, "250") {
		t.Error(r)
	}
	eventually(t, "mail flows again", func() bool { return i.sink.Seen()["later"] == 1 })
	eventually(t, "the case ends", func() bool { return state().State == sluice.CaseClosed })
	if seen := i.sink.Seen(); seen["dirty"] != 0 || seen["clean"] != 1 {
		t.Errorf("arrived: %v\n%s", seen, i.log.String())
	}
	if n := len(notices(t, box)); n != 1 {
		t.Errorf("%d notices", n)
	}
}
