package system

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/store/sqlite"
)

// infected is a daemon with a door for users, and who uses it.
type infected struct {
	*daemon
	door string
	sink *Sink
}

// serveUsers starts one whose users are ann and bob.
func serveUsers(t *testing.T, more string) *infected {
	t.Helper()
	i := &infected{door: FreePort(t), sink: NewSink(t, "X-Test", nil)}
	back := delivertest.NewServer(t, delivertest.Script{Users: map[string]string{"ann@a.example": "word", "bob@a.example": "word"}})
	cert, key := certificate(t, t.TempDir(), "mx.a.example")
	i.daemon = serve(t, setup{relay: "smtp://" + i.sink.Addr, more: fmt.Sprintf("[tls]\ncert = %q\nkey = %q\n"+
		"[[listen]]\naddress = %q\nkind = \"submission\"\ntls = \"implicit\"\n"+
		"[submission]\nlogin = [\"smtp://%s\"]\nlogin_tls = \"none\"\nrelay = [\"smtp://%s\"]\n[subscribers]\non = true\n%s",
		cert, key, i.door, back.Addr, i.sink.Addr, more)})
	return i
}

// submit has a user send one message to somebody far away.
func (i *infected) submit(user, id, msg string) string {
	i.t.Helper()
	nc, err := net.Dial("tcp", i.door)
	if err != nil {
		i.t.Fatal(err)
	}
	c := NewClient(tls.Client(nc, &tls.Config{InsecureSkipVerify: true}))
	defer c.Close()
	if r, err := c.Reply(); err != nil || !strings.HasPrefix(r, "220") {
		i.t.Fatalf("greeting: %s %v\n%s", r, err, i.log.String())
	}
	for _, line := range []string{"EHLO device.a.example", "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00word"))} {
		if r, err := c.Say(line); err != nil || r[0] != '2' {
			i.t.Fatalf("%s: %s %v\n%s", line, r, err, i.log.String())
		}
	}
	msg = strings.Replace(msg, "ann@sender.example", user, 1)
	r, err := c.Send(user, []string{"p" + id + "@far.example"}, msg)
	if err != nil {
		i.t.Fatalf("%v\n%s", err, i.log.String())
	}
	return r
}

// unlike is spam whose text is another than that of others: copies of one text may be one
// mistake, and hold nobody.
func unlike(id string) string { return mail(id, gtube+" "+strings.Repeat(id+" ", 4), 20) }

// TestInfectedUser: an infected machine of ours sends; soon all of its mail is kept, and
// nobody else's, also after a restart.
func TestInfectedUser(t *testing.T) {
	i := serveUsers(t, "")
	if r := i.submit("bob@a.example", "before", clean("before")); !strings.HasPrefix(r, "250") {
		t.Fatal(r)
	}
	for n := range 5 {
		id := strings.Repeat(string(rune('p'+n)), 5)
		i.submit("bob@a.example", id, unlike(id))
	}
	i.submit("bob@a.example", "kept", clean("kept"))
	i.submit("ann@a.example", "other", clean("other"))
	i.kill()
	i.submit("bob@a.example", "after", clean("after"))
	eventually(t, "mail of others arrives", func() bool { return i.sink.Seen()["other"] == 1 })
	seen := i.sink.Seen()
	if seen["before"] != 1 || seen["kept"]+seen["after"] != 0 {
		t.Errorf("arrived: %v\n%s", seen, i.log.String())
	}
	i.stop(os.Interrupt)
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(i.data, "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	cases, err := store.ListCases(t.Context(), sluice.CaseQuery{})
	if err != nil || len(cases) != 1 || cases[0].State != sluice.CaseHeld || cases[0].Subject != "account:bob@a.example" || cases[0].Kept == 0 {
		t.Errorf("%d cases, %v: %+v", len(cases), err, cases)
	}
}
