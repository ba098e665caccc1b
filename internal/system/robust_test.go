package system

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"sluice/deliver/delivertest"
)

// TestSmuggling sends what one server takes for the end of a message and another
// for text. None of it may pass, whatever the next hop would make of it.
func TestSmuggling(t *testing.T) {
	back := delivertest.NewServer(t, delivertest.Script{})
	d := serve(t, setup{relay: "smtp://" + back.Addr})
	const second = "MAIL FROM:<eve@evil.example>\r\nRCPT TO:<bob@a.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\r\n.\r\r\n"} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			c := d.dial()
			defer c.Close()
			r, err := c.Send("ann@sender.example", []string{"bob@a.example"}, strings.TrimSuffix(clean("outer"), "\r\n")+end+second)
			if err != nil || r[0] != '5' && r[0] != '4' {
				t.Errorf("%q %v", r, err)
			}
		})
	}
	// A chunk that is cut short is no message, and neither is text without a dot.
	for _, cut := range []string{"BDAT 1000 LAST\r\nSubject: half\r\n\r\nhalf", "DATA\r\n"} {
		c := d.dial()
		if _, err := c.Write([]byte("MAIL FROM:<ann@sender.example>\r\nRCPT TO:<bob@a.example>\r\n" + cut)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if r, err := c.Reply(); err != nil || r[0] != '2' {
				t.Fatal(r, err)
			}
		}
		if cut[0] == 'D' {
			if r, err := c.Reply(); err != nil || r[0] != '3' {
				t.Fatal(r, err)
			}
			if _, err := c.Write([]byte("Subject: half\r\n\r\nhalf\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
	}
	if r := d.send(clean("honest"), "bob@a.example"); r[0] != '2' {
		t.Fatal(r)
	}
	taken := back.Messages()
	if len(taken) != 1 || !strings.Contains(string(taken[0].Data), "X-Test: honest\r\n") {
		t.Errorf("the next hop has %d messages: %+v", len(taken), taken)
	}
	if a := back.Abuse(); len(a) > 0 {
		t.Errorf("said to the next hop: %q", a)
	}
}

// TestBudget: what doesn't fit the limits is put off or refused for good, as the
// limit's kind demands, and what fits goes on.
func TestBudget(t *testing.T) {
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, accepted: true,
		limits: "message_size = \"100KB\"\nbytes_in_flight = \"150KB\"\nrecipients = 3", more: "[keep]\nquarantine_size = \"20KB\"\n"})
	if r := d.send(mail("big", "Big.", 2000), "bob@a.example"); !strings.HasPrefix(r, "552 5.3.4 ") {
		t.Errorf("over the size: %s", r)
	}
	c := d.dial()
	defer c.Close()
	if r, err := c.Say("MAIL FROM:<ann@sender.example> SIZE=1000000"); err != nil || !strings.HasPrefix(r, "552 5.3.4 ") {
		t.Errorf("announced size: %s %v", r, err)
	}
	if r := d.send(clean("many"), "a@a.example", "b@a.example", "c@a.example", "d@a.example"); !strings.HasPrefix(r, "452 4.5.3 ") {
		t.Errorf("one recipient too many: %s", r)
	}

	half := mail("half", "Each of these is under the size, two are over what may be in flight.", 1500)
	for _, l := range []string{"MAIL FROM:<ann@sender.example>", "RCPT TO:<bob@a.example>", "DATA"} {
		if r, err := c.Say(l); err != nil || r[0] > '3' {
			t.Fatalf("%s: %s %v", l, r, err)
		}
	}
	if _, err := c.Write([]byte(half)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a second message doesn't fit", func() bool { return strings.HasPrefix(d.send(half, "bob@a.example"), "452 4.3.1 ") })
	if r, err := c.Say("."); err != nil || r[0] != '2' {
		t.Errorf("the first: %s %v", r, err)
	}
	if r := d.send(half, "bob@a.example"); r[0] != '2' {
		t.Errorf("and the second again: %s", r)
	}

	full, held := "", 0
	for i := range 60 {
		if full = d.send(spam(fmt.Sprint("q", i)), "bob@a.example"); full[0] != '2' {
			break
		}
		held++
	}
	if !strings.HasPrefix(full, "452 4.3.1 ") || held == 0 {
		t.Errorf("quarantine over its quota, after %d messages: %s", held, full)
	}
	if n := len(quarantined(t, filepath.Join(d.data, "quarantine"))); n != held {
		t.Errorf("%d messages in quarantine, %d were acknowledged", n, held)
	}
	if r := d.send(clean("goes on"), "bob@a.example"); r[0] != '2' {
		t.Errorf("relay beside a full quarantine: %s", r)
	}
}

// TestClientLeaves: a client that goes away behind its dot doesn't undo the
// message, and one that comes back is served.
func TestClientLeaves(t *testing.T) {
	back := delivertest.NewServer(t, delivertest.Script{Faults: fault(delivertest.Dot, delivertest.Fault{Accept: true, Slow: true, Raw: "250 2.0.0 " + strings.Repeat("slowly ", 50) + "\r\n"})})
	d := serve(t, setup{relay: "smtp://" + back.Addr})
	c := d.dial()
	for _, l := range []string{"MAIL FROM:<ann@sender.example>", "RCPT TO:<bob@a.example>", "DATA"} {
		if r, err := c.Say(l); err != nil || r[0] > '3' {
			t.Fatalf("%s: %s %v", l, r, err)
		}
	}
	if _, err := c.Write([]byte(clean("left") + "\r\n.\r\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next hop has the text", func() bool {
		cmds := back.Commands()
		return cmds[len(cmds)-1] == "DATA"
	})
	time.Sleep(20 * time.Millisecond)
	c.Close()
	// It may have left before or behind our final dot: what counts is that the log
	// and the next hop agree.
	var rows []map[string]any
	eventually(t, "the log has the message", func() bool {
		rows = lines(t, d.sluice("log", "--json"))
		return len(rows) == 1
	})
	taken := len(back.Messages())
	if said := fmt.Sprint(rows[0]["reply"]); (taken == 1) != strings.HasPrefix(said, "250 ") {
		t.Errorf("the next hop took %d, the log has the reply %q", taken, said)
	}
	if r := d.send(clean("back"), "bob@a.example"); r[0] != '2' {
		t.Errorf("afterwards: %s", r)
	}
}

// TestLockedDatabase: another process holds the database. Mail doesn't wait for
// the log, and quarantine not for its index.
func TestLockedDatabase(t *testing.T) {
	t.Parallel() // it mostly waits
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, accepted: true, limits: "connections_per_client = 100"})
	db, err := sql.Open("sqlite", filepath.Join(d.data, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			msg := clean(fmt.Sprint("c", i))
			if i%2 == 1 {
				msg = spam(fmt.Sprint("s", i))
			}
			start := time.Now()
			c, err := Dial(d.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = c.Say("EHLO client.sender.example")
			r, err := c.Send("ann@sender.example", []string{"bob@a.example"}, msg)
			took := time.Since(start)
			if err != nil || r[0] != '2' {
				t.Errorf("%d: %s %v", i, r, err)
			}
			if took > 10*time.Second { // SQLite itself waits for 5 s
				t.Errorf("%d: that took %v", i, took)
			}
		})
	}
	wg.Wait()
	if _, err := db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if n := len(quarantined(t, filepath.Join(d.data, "quarantine"))); n != 5 {
		t.Errorf("%d messages in quarantine", n)
	}
	d.sluice("quarantine", "reindex")
	if n := len(lines(t, d.sluice("quarantine", "list", "--json"))); n != 5 {
		t.Errorf("%d rows after reindex\n%s", n, d.log.String())
	}
}

// TestBrokenData: what lies broken in the data folder is a clear sentence at the
// start, and never thrown away.
func TestBrokenData(t *testing.T) {
	for _, tc := range []struct{ file, text, want string }{
		{"sluice.db", "this is no database, whatever its name says, and it is long enough to be looked at", "sluice.db"},
		{"ref.keys", "no keys", "ref.keys"},
		{"quarantine", "a file where the folder should be", "quarantine"},
		{"outbox", "a file where the folder should be", "outbox"},
	} {
		t.Run(tc.file, func(t *testing.T) {
			data := t.TempDir()
			path := filepath.Join(data, tc.file)
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, errs, err := run(t, "serve", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", data)
			if err == nil || !strings.Contains(errs, tc.want) || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "goroutine") {
				t.Errorf("%v, want one sentence with %q:\n%s", err, tc.want, errs)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != tc.text {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

// TestTrusted: what a trusted relay brings is judged, but never refused.
func TestTrusted(t *testing.T) {
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr})
	if r := d.send(spam("stranger"), "bob@a.example"); r[0] != '5' {
		t.Errorf("a stranger's: %s", r)
	}
	d.configure("trusted = [\"127.0.0.0/8\"]\n" + d.text())
	d.signal(syscall.SIGHUP)
	eventually(t, "the new settings are used", func() bool { return strings.Contains(d.log.String(), "new sessions use the new settings") })
	if r := d.send(spam("trusted"), "bob@a.example"); r[0] != '2' {
		t.Errorf("a trusted relay's: %s", r)
	}
	if held := quarantined(t, filepath.Join(d.data, "quarantine")); len(held) != 1 || held["trusted"] != 1 {
		t.Errorf("in quarantine: %v", held)
	}
	if n := len(sink.Seen()); n != 0 {
		t.Errorf("%d messages at the next hop", n)
	}
}
