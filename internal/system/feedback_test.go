package system

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// phish is one message of a campaign that differs from copy to copy.
func phish(id, to string) string {
	return "From: Parcel Service <service@sender.example>\r\nTo: " + to + "\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\n" +
		"Subject: Your parcel waits " + id + "\r\nMessage-ID: <" + id + "@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" +
		"Dear customer " + id + ", your parcel could not be delivered because the customs fee was not paid in time.\r\n" +
		"Open the page of our service within two days, confirm your address and pay the small fee with your card.\r\n" +
		"After that the parcel is brought to your door by our driver on the next working day. Thank you for your trust.\r\n"
}

// forwarded is a user's report with a message attached.
func forwarded(from, to, original string) string {
	return "From: " + from + "\r\nTo: " + to + "\r\nDate: Tue, 24 Nov 2026 06:00:00 +0000\r\nSubject: Fwd\r\nMessage-ID: <r@a.example>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nthis one\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" +
		original + "\r\n--b--\r\n"
}

// report sends one message of bob's.
func (d *daemon) report(msg string, to ...string) string {
	d.t.Helper()
	c := d.dial()
	defer c.Close()
	r, err := c.Send("bob@a.example", to, msg)
	if err != nil {
		d.t.Fatalf("%v\n%s", err, d.log.String())
	}
	return r
}

// reasons are the ids in a message's ledger.
func reasons(rec map[string]any) string {
	var out []string
	for _, e := range rec["evidence"].([]any) {
		out = append(out, fmt.Sprint(e.(map[string]any)["id"]))
	}
	return strings.Join(out, " ")
}

// One message to a spamtrap, or one report, and the rest of the campaign is known;
// what was said can be taken back; all of it outlives a restart.
func TestFeedback(t *testing.T) {
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, more: "[traps]\naddresses = [\"old@a.example\"]\n" +
		"[feedback]\nspam = [\"spam@a.example\"]\nham = [\"notspam@a.example\"]\nnetworks = [\"127.0.0.0/8\"]\n"})
	known := func(id string) bool {
		reply := d.send(phish(id, "bob@a.example"), "bob@a.example")
		return strings.Contains(reasons(record(t, d, reply)), "CAMPAIGN_REPORTED")
	}
	if known("first") {
		t.Fatal("nobody reported it yet")
	}
	if r := d.send(phish("trapped", "old@a.example"), "old@a.example"); !strings.HasPrefix(r, "250") {
		t.Fatal(r)
	}
	eventually(t, "the trap's label counts", func() bool { return known("second") })

	// Not spam, says a user: one word against a trap's doesn't free it. An admin's does.
	if r := d.report(forwarded("bob@a.example", "notspam@a.example", phish("second", "bob@a.example")), "notspam@a.example"); !strings.HasPrefix(r, "250") {
		t.Errorf("a report: %s", r)
	}
	if r := d.report(forwarded("bob@a.example", "spam@a.example", phish("x", "bob@a.example")), "spam@a.example", "bob@a.example"); !strings.HasPrefix(r, "452 4.5.3") {
		t.Errorf("a report with another recipient: %s", r)
	}
	if r := d.report(strings.Replace(clean("nothing attached"), "ann@sender.example", "bob@a.example", 1), "spam@a.example"); !strings.HasPrefix(r, "550 5.6") {
		t.Errorf("a report of nothing: %s", r)
	}
	d.kill()
	if !known("third") {
		t.Error("forgotten after a restart")
	}

	var list []struct {
		Seq    int64
		Source string
	}
	out := d.sluice("feedback", "list", "--json")
	for line := range strings.Lines(out) {
		var e struct {
			Seq    int64
			Source string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		list = append(list, e)
	}
	if len(list) != 2 {
		t.Fatalf("labels: %s", out)
	}
	for _, e := range list {
		if e.Source == "trap" {
			d.sluice("feedback", "undo", fmt.Sprint(e.Seq))
		}
	}
	eventually(t, "the label is taken back", func() bool { return !known("fourth") })
}
