package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// saleMail is a shop's mailing with one button.
func saleMail(from, button string, n int) string {
	return "From: " + from + "\r\nTo: friends@example.net\r\nSubject: The spring sale has begun\r\nDate: Sun, 01 Nov 2026 09:00:00 +0000\r\n" +
		fmt.Sprintf("Message-ID: <%d@mailer>\r\n", n) + "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
		"<html><body><table><tr><td><h1>Harbour Lamps</h1><p>Our spring sale has begun, and this year it is larger than ever: lamps of brass for the reading corner, " +
		"lanterns for the garden path, and shades of linen in nine colours that our own workshop has sewn over the winter.</p>" +
		"<p>Order before Sunday evening and we pay for the parcel. Whoever comes to the shop by the old harbour gets a cup of tea and may look over our shoulders.</p>" +
		"<p><a href=\"" + button + "\" style=\"background:#036;color:#fff;padding:12px 30px;font-size:20px\">See the lamps</a></p>" +
		"<p><a href=\"https://harbourlamps.com/shops\">Our shops</a> <a href=\"https://harbourlamps.com/privacy\">Privacy</a></p>" +
		"<p>Harbour Lamps, Quay 3</p></td></tr></table></body></html>\r\n"
}

// TestRehearsal judges a batch with one memory: what came before, from whom, and whom
// our users write to, counts for what comes later.
func TestRehearsal(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("zone.json", `{"harbourlamps.com":{"TXT":["v=spf1 ip4:198.51.100.10 -all"],"MX":["10 mx.harbourlamps.com."],"A":["198.51.100.10"]},
"_dmarc.harbourlamps.com":{"TXT":["v=DMARC1; p=reject"]},"mx.harbourlamps.com":{"A":["198.51.100.10"]},"10.100.51.198.in-addr.arpa":{"PTR":["mx.harbourlamps.com."]},
"blue-sky-post.com":{"TXT":["v=spf1 ip4:203.0.113.9 -all"],"MX":["10 mx.blue-sky-post.com."],"A":["203.0.113.9"]},
"_dmarc.blue-sky-post.com":{"TXT":["v=DMARC1; p=none"]},"mx.blue-sky-post.com":{"A":["203.0.113.9"]},"9.113.0.203.in-addr.arpa":{"PTR":["mx.blue-sky-post.com."]}}`)
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	add := func(name, text string, job map[string]any) {
		t.Helper()
		write(name+".eml", text)
		job["id"], job["file"], job["time"] = name, name+".eml", at.Format(time.RFC3339)
		if err := enc.Encode(job); err != nil {
			t.Fatal(err)
		}
		at = at.Add(6 * time.Hour)
	}
	shop := func(n int, rcpt string) map[string]any {
		return map[string]any{"ip": "198.51.100.10", "helo": "mx.harbourlamps.com", "mail_from": "news@harbourlamps.com", "rcpt": []string{rcpt}}
	}
	for n := range 30 {
		add(fmt.Sprintf("shop%d", n), saleMail("Harbour Lamps <news@harbourlamps.com>", "https://harbourlamps.com/sale", n), shop(n, fmt.Sprintf("friend%d@example.net", n)))
	}
	stranger := map[string]any{"ip": "203.0.113.9", "helo": "mx.blue-sky-post.com", "mail_from": "a@blue-sky-post.com", "rcpt": []string{"friend1@example.net"}}
	add("copy", saleMail("Harbour Lamps <news@blue-sky-post.com>", "https://lamps-checkout.top/login", 100), stranger)
	add("genuine", saleMail("Harbour Lamps <news@harbourlamps.com>", "https://harbourlamps.com/sale", 101), shop(99, "friend1@example.net"))
	add("ours", "From: Bob Builder <bob@example.net>\r\nTo: Ann Archer <ann@partner.example>\r\nSubject: plans\r\nDate: Sun, 08 Nov 2026 09:00:00 +0000\r\nMessage-ID: <o@example.net>\r\n\r\nHello Ann,\r\nhere is what we spoke of.\r\nBob\r\n",
		map[string]any{"ip": "198.51.100.77", "helo": "laptop.example.net", "mail_from": "bob@example.net", "rcpt": []string{"ann@partner.example"}, "authenticated": true})
	add("namesake", "From: Ann Archer <ann.archer.office@blue-sky-post.com>\r\nTo: bob@example.net\r\nSubject: quick question\r\nDate: Mon, 09 Nov 2026 09:00:00 +0000\r\nMessage-ID: <n@blue-sky-post.com>\r\n\r\nBob, are you at your desk?\r\nAnn\r\n",
		map[string]any{"ip": "203.0.113.9", "helo": "mx.blue-sky-post.com", "mail_from": "ann.archer.office@blue-sky-post.com", "rcpt": []string{"bob@example.net"}})
	write("batch.jsonl", lines.String())

	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"scan", "--json", "--data", filepath.Join(dir, "data"), "--dns-zone", filepath.Join(dir, "zone.json"), "--batch", filepath.Join(dir, "batch.jsonl")},
		strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("status %d: %s", code, &errs)
	}
	said, done := map[string][]string{}, map[string]string{}
	for line := range strings.Lines(out.String()) {
		var r scanResult
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		done[r.ID] = r.Verdict.Action
		for _, e := range r.Evidence {
			if e.State == "" {
				said[r.ID] = append(said[r.ID], e.ID)
			}
		}
		t.Logf("%-9s %-10s %6.1f %s", r.ID, r.Verdict.Action, r.Verdict.Points, strings.Join(said[r.ID], " "))
	}
	for id, reasons := range map[string][]string{"copy": {"COPYCAT"}, "genuine": {"CAMPAIGN_WANTED"}, "namesake": {"NAME_OF_CORRESPONDENT"}} {
		for _, r := range reasons {
			if !slices.Contains(said[id], r) {
				t.Errorf("%s: no %s", id, r)
			}
		}
	}
	if done["copy"] != "quarantine" || done["genuine"] != "accept" {
		t.Errorf("the copy: %s, the genuine mail: %s", done["copy"], done["genuine"])
	}
	if slices.Contains(said["genuine"], "COPYCAT") || slices.Contains(said["shop0"], "CAMPAIGN_WANTED") {
		t.Error("the genuine mail is a copy, or was wanted before it came")
	}
}
