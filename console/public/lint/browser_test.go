package lint_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/console/public"
	"sluice/console/public/lint"
	"sluice/lint/report"
)

// newsletter is a report as a real one looks: long words, long records, all levels.
func newsletter() *report.Report {
	return &report.Report{
		Message: report.Message{From: "Northwind Yoga <hello@example-northwind-yoga.org>", Subject: "April timetable and two new teachers", Size: 1683, Kind: "campaign"},
		Class:   report.Marked,
		Verdict: &report.Verdict{Action: "tag", Points: 4.6, Mended: -17.1, MendedAction: "accept",
			Ledger: []report.Entry{{ID: "PRIOR", Points: -10}, {ID: "LINK_NONE_OWN", Points: 5.5, Detail: `"example-blastmail.org", from "example-northwind-yoga.org"`}},
			Words:  []report.Word{{Word: "monday", DB: -3.4}, {Word: "hello", DB: 2.7}, {Word: "workshop", DB: -2.6}, {Word: "unsubscribe", DB: 1.3}}},
		Advice: []report.Advice{
			{ID: "dkim-align", Need: report.Must, What: "The message is signed by example-blastmail.org, not by its author's domain.", Effect: -6.1, Standard: true,
				Do: "Have the service sign as example-northwind-yoga.org too: publish its keys there as CNAME or TXT records (custom or authenticated domain, in its settings).", Source: "RFC 6376; bulk-sender rules of Google, Yahoo and Outlook"},
			{ID: "dmarc", Need: report.Must, What: "The author's domain publishes no DMARC policy.", Effect: -0.5, Copy: 2, Standard: true,
				Do: "Publish a TXT record at _dmarc.example-northwind-yoga.org: v=DMARC1; p=none; rua=mailto:dmarc@example-northwind-yoga.org. Read the reports, and go on to p=quarantine, then p=reject."},
			{ID: "link-http", Need: report.Should, What: "Links without encryption.", Do: "Link with https: browsers warn of the rest.", Seen: "http://click.example-blastmail.org/99/4471/" + strings.Repeat("1f", 60), Standard: true},
			{ID: "no-plain", Need: report.Could, What: "There is no plain-text alternative.", Do: "Send multipart/alternative with the same words as text/plain first.", Standard: true},
		},
		Sections: []report.Section{
			{Title: "Who it is from", Open: true, Facts: []report.Fact{
				{Level: report.Good, What: "author", Value: "Northwind Yoga <hello@example-northwind-yoga.org>"},
				{Level: report.Good, What: "SPF", Value: "pass for e.example-blastmail.org", Why: "pass: e.example-blastmail.org lists 203.0.113.61 (ip4:203.0.113.0/24)", More: []string{"0 of at most 10 look-ups, 0 of them void", "e.example-blastmail.org: v=spf1 ip4:203.0.113.0/24 -all"}},
				{Level: report.Bad, What: "DMARC", Value: "none for example-northwind-yoga.org", Why: "no policy record for example-northwind-yoga.org"},
			}},
			{Title: "What Google, Yahoo and Microsoft ask of bulk senders", Open: true, Facts: []report.Fact{
				{Level: report.Good, What: "SPF passes", Value: "yes"}, {Level: report.Unknown, What: "sent with TLS", Value: "unknown"}, {Level: report.Bad, What: "one click leaves: List-Unsubscribe-Post, and an https address", Value: "no"},
				{Level: report.Warn, What: "replies", Value: "go to team@example-northwind-replies-and-a-very-long-name-without-a-place-to-break-it.org"}}},
		},
		Imitation: report.Imitation{Risk: "high", Own: 4.6, Copy: -2.6, Class: report.Delivered, Facts: []report.Fact{
			{Level: report.Bad, What: "DMARC", Value: "no policy", Why: "receivers don't know that mail without your signature isn't yours"}}},
	}
}

// TestBrowser opens the page and a report in a real browser, at the width of a desk and
// of a phone, and checks that nothing is wider than the screen. With SLUICE_SCREENSHOTS
// it leaves pictures in that folder.
func TestBrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium isn't installed: the page isn't tried in a browser")
	}
	page, err := lint.New(lint.Config{Node: "mx.example.net", Postmaster: "postmaster@example.net", Token: func(string) bool { return true }, Address: func() (string, error) { return "lint-abc@mx.example.net", nil },
		Lint: func(context.Context, []byte) (*report.Report, error) { return newsletter(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	all, err := public.New(public.Config{Lint: page, Open: func(string) (public.Facts, error) { return public.Facts{}, public.ErrInvalid }})
	if err != nil {
		t.Fatal(err)
	}
	post := func(w http.ResponseWriter, token string) {
		r := httptest.NewRequest("POST", "/lint", strings.NewReader("message=x"))
		r.Header.Set("Content-Type", form)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		all.ServeHTTP(w, r)
		w.Header().Del("X-Frame-Options")
		w.Header().Del("Content-Security-Policy")
	}
	mux := http.NewServeMux()
	mux.Handle("/", all)
	bare := func(h func(w http.ResponseWriter)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			rec := httptest.NewRecorder()
			h(rec)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(rec.Body.Bytes()) // a frame's page, without the headers that forbid frames
		}
	}
	mux.HandleFunc("/form", bare(func(w http.ResponseWriter) { all.ServeHTTP(w, httptest.NewRequest("GET", "/lint", nil)) }))
	mux.HandleFunc("/report", bare(func(w http.ResponseWriter) { post(w, "") }))
	mux.HandleFunc("/full", bare(func(w http.ResponseWriter) { post(w, "any") }))
	mux.HandleFunc("/frame", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<!doctype html><body style="margin:0"><iframe id=f style="border:0;width:%[1]spx;height:%[2]spx" src="%[3]s"></iframe><script>
f.onload = () => { const d = f.contentDocument.documentElement; f.style.height = d.scrollHeight + 'px';
 document.body.dataset.width = d.scrollWidth + '/' + d.clientWidth + '/' + f.contentDocument.styleSheets.length }</script>`,
			r.FormValue("w"), r.FormValue("h"), r.FormValue("src"))
	})
	ours := httptest.NewServer(mux)
	defer ours.Close()
	run := func(t *testing.T, args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		args = append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--virtual-time-budget=3000",
			"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--user-data-dir=" + t.TempDir()}, args...)
		c := exec.CommandContext(ctx, path, args...)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		return out.String()
	}
	sizes := regexp.MustCompile(`data-width="(\d+)/(\d+)/(\d+)"`)
	for _, width := range []int{800, 390} {
		for _, src := range []string{"form", "report", "full"} {
			t.Run(fmt.Sprint(src, " ", width), func(t *testing.T) {
				u := fmt.Sprintf("%s/frame?w=%d&h=800&src=/%s", ours.URL, width, src)
				m := sizes.FindStringSubmatch(run(t, "--dump-dom", u))
				if m == nil || m[1] != m[2] || m[2] != fmt.Sprint(width) || m[3] != "2" {
					t.Errorf("wide, visible and style sheets: %v, want %d, %d, 2", m, width, width)
				}
				if dir := os.Getenv("SLUICE_SCREENSHOTS"); dir != "" {
					run(t, fmt.Sprintf("--window-size=%d,1200", width), "--screenshot="+filepath.Join(dir, fmt.Sprintf("lint-%s-%d.png", src, width)), u)
				}
			})
		}
	}
}
