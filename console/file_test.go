package console

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/live"
	"sluice/store/storetest"
)

// TestFiles: what a message carried stands on its page, in and out of quarantine, and
// finds it again.
func TestFiles(t *testing.T) {
	d := signedInDesk(t, nil)
	d.add(storetest.Record("carrier", d.clock), &sluice.Record{ID: "plain", Time: d.clock})
	d.q.put(t, storetest.Quarantined("carrier", d.clock), "Content-Type: application/zip; name=\"Invoice.ZIP\"\r\n\r\nx\r\n")
	d.q.put(t, storetest.Quarantined("unlogged", d.clock), "Content-Type: application/zip; name=\"Other.ZIP\"\r\n\r\nx\r\n")
	sum := storetest.Sum("zip").String()
	for _, path := range []string{"/messages/carrier", "/quarantine/carrier"} {
		res, body := d.get(path)
		want(t, path, res, http.StatusOK)
		body = html.UnescapeString(body)
		for _, w := range []string{`<b>Invoice.ZIP</b>`, `<code>` + sum + `</code> <a href="/messages?q=` + sum + `"`, `<span class="chip">archive</span>`,
			`<tr class="marked"><td class="wide d1"><b>in/Invoice.exe</b> <span class="quiet">locked by a password</span></td>`, "<td>pe</td>", "and 3 more"} {
			if !strings.Contains(body, w) {
				t.Errorf("%s lacks %q", path, w)
			}
		}
		if strings.Contains(body, "Attachments") {
			t.Errorf("%s tells the files twice", path)
		}
	}
	if _, body := d.get("/messages/plain"); strings.Contains(body, `id="files"`) {
		t.Error("a message without files has a list of them")
	}
	if _, body := d.get("/quarantine/unlogged"); strings.Contains(body, `id="files"`) || !strings.Contains(body, "<h3>Attachments</h3>") || !strings.Contains(body, "Other.ZIP") {
		t.Error("what the log doesn't know isn't told from the message itself")
	}
	for query, found := range map[string]bool{"q=" + sum: true, "q=+" + strings.ToUpper(sum) + "+": true, "sha256=" + sum: true, "file=invoice.EXE": true, "inside=files.EXAMPLE": true, "q=inside:password_worked": true, "q=inside:nothing": false, "q=file:invoice": true,
		"q=" + storetest.Sum("other").String(): false, "file=none": false, "q=file:none": false} {
		for _, path := range []string{"/messages", "/quarantine"} {
			res, body := d.get(path + "?" + query)
			want(t, path+query, res, http.StatusOK)
			if got := strings.Contains(body, "/carrier\""); got != found || strings.Contains(body, "/plain\"") || strings.Contains(body, "/unlogged\"") {
				t.Errorf("%s?%s: found %v, want %v, and nothing else", path, query, got, found)
			}
			if !strings.Contains(body, ">Clear</a>") {
				t.Errorf("%s?%s: no way back", path, query)
			}
		}
	}
	res, _ := d.get("/messages?sha256=abc")
	want(t, "no digest", res, http.StatusBadRequest)
	for _, path := range []string{"/api/v1/messages/carrier", "/api/v1/quarantine/carrier"} {
		var got struct {
			Files []sluice.FileSeen
			Left  int `json:"files_left"`
		}
		res, body := d.get(path)
		want(t, path, res, http.StatusOK)
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Files) != 2 || got.Files[0].SHA256.String() != sum || got.Left != 3 {
			t.Errorf("%s: %v, %+v", path, err, got)
		}
	}
	res, body := d.get("/api/v1/messages?" + url.Values{"sha256": {sum}}.Encode())
	want(t, "by API", res, http.StatusOK)
	if !strings.Contains(body, `"id": "carrier"`) || strings.Contains(body, `"id": "plain"`) {
		t.Errorf("by API: %s", body)
	}
}

// TestScanners: the page Live shows those that look into files, if there are any.
func TestScanners(t *testing.T) {
	var list []live.Scanner
	d := signedInDesk(t, func(c *Config) {
		h := newHarbour(c.Clock())
		h.into(c)
		c.Port.Live = live.New(c.Clock(), live.Config{Scanners: func(time.Time) []live.Scanner { return list }}).Snapshot
	})
	if _, body := d.get("/live"); strings.Contains(body, `id="scanners"`) {
		t.Error("nobody is shown")
	}
	list = []live.Scanner{{Name: "sandbox", Kind: live.ScannerProcesses, State: "up", Well: true, Processes: 2, Running: 1, Deaths: 7, Asked: 40, Words: "seccomp: holds"},
		{Name: "clamd", Kind: live.ScannerEngine, State: "down", Trouble: []string{"refused <b>\x1b"}, Found: 3},
		{Name: "own", Kind: live.ScannerList, State: "up", Well: true, Entries: 12, Since: d.clock}}
	_, body := d.get("/live")
	for _, w := range []string{"1 of 2", `>7</td>`, "seccomp: holds", `<span class="chip a-reject">down</span>`, "refused &lt;b&gt;\\x1b", "12 entries", "read 0 s ago"} {
		if !strings.Contains(body, w) {
			t.Errorf("no %q", w)
		}
	}
}
