package system

import (
	"fmt"
	"strings"
	"testing"

	"sluice/deliver/delivertest"
)

// TestTrace: what a user sends leaves with a trace and without what we think of it; a
// notice that returns it is known, and one that returns something else in the user's name
// is known to be about a forgery.
func TestTrace(t *testing.T) {
	out := delivertest.NewServer(t, delivertest.Script{})
	back := delivertest.NewServer(t, delivertest.Script{Users: map[string]string{"ann@a.example": "word"}})
	cert, key := certificate(t, t.TempDir(), "mx.a.example")
	i := &infected{door: FreePort(t)}
	i.daemon = serve(t, setup{relay: "smtp://" + out.Addr, more: fmt.Sprintf("[tls]\ncert = %q\nkey = %q\n"+
		"[[listen]]\naddress = %q\nkind = \"submission\"\ntls = \"implicit\"\n"+
		"[submission]\nlogin = [\"smtp://%s\"]\nlogin_tls = \"none\"\nrelay = [\"smtp://%s\"]\nonly = [\"a.example\"]\n[subscribers]\non = true\n",
		cert, key, i.door, back.Addr, out.Addr)})
	stale := "X-Sluice-Trace: v=1; id=FORGED; t=1; h=AAAAAAAAAAAAAAAAAAAAAA; s=AAAAAAAAAAA\r\n"
	if r := i.submit("ann@a.example", "one", stale+clean("one")); !strings.HasPrefix(r, "250") {
		t.Fatal(r)
	}
	sent := out.Messages()
	if len(sent) != 1 {
		t.Fatalf("%d messages left", len(sent))
	}
	head, _, _ := strings.Cut(string(sent[0].Data), "\r\n\r\n")
	if n := strings.Count(head, "X-Sluice-Trace:"); n != 1 || strings.Contains(head, "FORGED") || strings.Contains(head, "X-Sluice-Reasons") || strings.Contains(head, "X-Spam") {
		t.Errorf("it left with\n%s", head)
	}
	notice := func(returned string) string {
		return "From: Mail Delivery System <MAILER-DAEMON@far.example>\r\nTo: ann@a.example\r\nSubject: Undelivered Mail Returned to Sender\r\n" +
			"Date: Tue, 24 Nov 2026 05:00:00 +0000\r\nMessage-ID: <n@far.example>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
			"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nI'm sorry, your message could not be delivered.\r\n" +
			"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; far.example\r\n\r\nFinal-Recipient: rfc822; pone@far.example\r\n" +
			"Action: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n" + returned + "\r\n\r\n--b--\r\n"
	}
	forged := strings.ReplaceAll(clean("forged"), "ann@sender.example", "ann@a.example")
	forged, _, _ = strings.Cut(forged, "\r\n\r\n")
	for returned, want := range map[string]string{head: "BOUNCE_OURS", stale + forged: "BOUNCE_NOT_OURS"} {
		c := i.dial()
		r, err := c.Send("", []string{"ann@a.example"}, notice(returned))
		c.Close()
		if err != nil || !strings.HasPrefix(r, "250") {
			t.Fatalf("%s: %s %v\n%s", want, r, err, i.log.String())
		}
		eventually(t, "the log has "+want, func() bool { return strings.Contains(i.log.String(), want) })
	}
	eventually(t, "who relayed it is told", func() bool { return strings.Contains(i.log.String(), "mail of ours came back") })
}
