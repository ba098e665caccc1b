package console

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/live"
	"sluice/reason"
)

// harbour is a port with a board, two bans and one of everything else.
type harbour struct {
	board  *live.Board
	bans   []Ban
	lifted []string
	asked  []string
	err    error
}

func newHarbour(now time.Time) *harbour {
	return &harbour{board: live.New(now.Add(-26*time.Hour), live.Config{}), bans: []Ban{
		{netip.MustParsePrefix("192.0.2.0/24"), now.Add(-time.Hour), now.Add(3 * time.Hour), 2, reason.Harvest},
		{netip.MustParsePrefix("2001:db8:1:2::/64"), now.Add(-2 * time.Hour), now.Add(time.Hour), 1, reason.EarlyTalker}}}
}

func (h *harbour) into(c *Config) {
	c.Port = Port{Live: h.board.Snapshot,
		Hosts: func(now time.Time, kind, order string, n int) []Host {
			h.asked = append(h.asked, fmt.Sprint(kind, " ", order, " ", n))
			return []Host{{Kind: kind, Key: "198.51.100.7", Good: 0.3, Bad: 42, First: now.Add(-100 * time.Hour), Last: now.Add(-time.Minute), Probability: 0.98, Decibel: 5.25},
				{Kind: kind, Key: "mx.example.com", Good: 120, Probability: 0.004, Decibel: -9, Known: true}}
		},
		Host: func(_ time.Time, a netip.Addr) []Host {
			h.asked = append(h.asked, a.String())
			return []Host{{Kind: "address", Key: a.String(), Probability: 0.5}, {Kind: "asn", Key: "AS64500", Words: "Example Net", Probability: 0.5}}
		},
		Bans: func(time.Time) []Ban { return h.bans },
		Lift: func(_ context.Context, n netip.Prefix, by string) error {
			if h.err != nil {
				return h.err
			}
			i := slices.IndexFunc(h.bans, func(b Ban) bool { return b.Network == n })
			if i < 0 {
				return fmt.Errorf("harbour: %w", sluice.ErrNotFound)
			}
			h.bans = slices.Delete(slices.Clone(h.bans), i, i+1)
			h.lifted = append(h.lifted, n.String()+" by "+by)
			return nil
		},
		Lists: func(now time.Time) []List {
			return []List{{Name: "fine", Zone: "bl.example.org", Kind: "block", Weight: 3, State: "healthy", Believed: true, Recent: Answers{12, 30, 1, 2, 3}, Total: Answers{100, 200, 0, 0, 0}},
				{Name: "sick", Zone: "dead.example.org", State: "off", Since: now.Add(-time.Hour), Why: "it lists 127.0.0.1", Next: now.Add(time.Minute)}}
		},
		Directories: func(now time.Time) []Directory {
			return []Directory{{Source: "ldap", Domains: []string{"example.com", "example.org"}, State: "is down", Since: now.Add(-time.Hour), Retry: now.Add(time.Minute), Trouble: "no route", Asked: 31}}
		},
		Certificates: func(now time.Time) []Certificate {
			return []Certificate{{Names: []string{"mx.example.com"}, Source: "ACME", Issuer: "Some CA", Until: now.Add(3 * 24 * time.Hour)}}
		}}
}

// attack fills the last hour of a board.
func (h *harbour) attack(now time.Time) {
	for i := range 60 {
		at := now.Add(time.Duration(i-59) * time.Minute)
		for j := range 1 + i {
			v := h.board.Opened(at, netip.AddrFrom4([4]byte{192, 0, 2, byte(j)}))
			v.Refused(at, reason.EarlyTalker, sluice.PhaseConnect, 554)
			v.Dialect(at, "d1h.0000000001", sluice.Dialect{Marks: 1})
			v.Closed(at)
		}
		v := h.board.Opened(at, netip.MustParseAddr("198.51.100.1"))
		v.Judged(at, []sluice.Action{sluice.Accept, sluice.QuarantineIt, sluice.Reject}[i%3], sluice.ThreatSpam)
		if i < 59 {
			v.Closed(at)
		}
	}
}

func TestLivePage(t *testing.T) {
	h := &harbour{}
	d := signedInDesk(t, func(c *Config) {
		*h = *newHarbour(c.Clock())
		h.into(c)
	})
	res, page := d.get("/live")
	want(t, "empty", res, http.StatusOK)
	for _, s := range []string{"Nobody has come yet", "Nothing was refused", "No session has ended", "nothing in this time", `href="/live" aria-current="page">Live`, `href="/hosts">Hosts`} {
		if !strings.Contains(page, s) {
			t.Errorf("empty: %q is missing", s)
		}
	}
	h.attack(d.clock)
	res, page = d.get("/live")
	want(t, "attack", res, http.StatusOK)
	for _, s := range []string{`<b>1</b><span>connected now`, `<b>1890</b><span>connections in 1 d 2 h`, "<b>1830</b><span>of them refused",
		`<code class="rid">EARLY_TALKER</code> <span class="quiet">you spoke before the greeting`, "<code>192.0.2.0/24</code>", "refused before DATA <b>1830</b>",
		"accepted <b>20</b>", "quarantined <b>20</b>", "rejected at the dot <b>20</b>", "12:00: 61 connections, 60 refused before DATA so far",
		`hx-trigger="every 3s"`, `hx-get="/live"`} {
		if !strings.Contains(page, s) {
			t.Errorf("%q is missing", s)
		}
	}
	_, page = d.get("/live?range=day")
	if !strings.Contains(page, `hx-get="/live?range=day"`) || !strings.Contains(page, "accepted <b>20</b>") {
		t.Error("day: another page")
	}
	if res, _ := signedInDesk(t, nil).get("/live"); res.StatusCode != http.StatusNotFound {
		t.Errorf("without a board: %s", res.Status)
	}
}

func TestHostsPage(t *testing.T) {
	h := &harbour{}
	d := signedInDesk(t, func(c *Config) {
		*h = *newHarbour(c.Clock())
		h.into(c)
	})
	res, page := d.get("/hosts?kind=helo&order=most")
	want(t, "list", res, http.StatusOK)
	for _, s := range []string{`<option value="helo" selected>greetings`, `<option value="most" selected>most mail first`,
		`<code>198.51.100.7</code>`, `+5.2`, `x="50%" y="12" width="43.75%"`, `−9.0`, `x="0%" y="12" width="50%"`, `<span class="chip a-accept">known</span>`,
		`<code>192.0.2.0/24</code>`, `<code class="rid">HARVEST</code>`, `href="/hosts/lift?network=192.0.2.0%2f24"`, `href="/hosts/lift?network=2001%3adb8%3a1%3a2%3a%3a%2f64"`,
		"it lists 127.0.0.1", "its listings don't count", `<td class="num">48</td><td class="num">12</td><td class="num">6</td><td class="num">300</td>`,
		"example.com, example.org", "no route", "asked again in 1 min", "in 3 days", `class="warn"`} {
		if !strings.Contains(html.UnescapeString(page), s) {
			t.Errorf("%q is missing", s)
		}
	}
	_, _ = d.get("/hosts?kind=nothing&order=nothing")
	_, page = d.get("/hosts?address=+::ffff:203.0.113.9+")
	if !strings.Contains(page, "AS64500") || !strings.Contains(page, `<span class="quiet">operator</span>`) || !strings.Contains(page, "Example Net") {
		t.Error("search: nothing found")
	}
	_, page = d.get("/hosts?address=example.com")
	if !strings.Contains(page, "That is no IP address") {
		t.Error("a name was taken for an address")
	}
	if got := fmt.Sprint(h.asked); got != "[helo most 50 address worst 50 203.0.113.9]" {
		t.Errorf("asked %s", got)
	}
	h.bans = nil
	if _, page = d.get("/hosts"); !strings.Contains(page, "Nobody is banned") {
		t.Error("no bans: not said")
	}
	if res, _ := signedInDesk(t, nil).get("/hosts"); res.StatusCode != http.StatusNotFound {
		t.Errorf("without anything: %s", res.Status)
	}
	only := signedInDesk(t, func(c *Config) { c.Port.Bans = func(time.Time) []Ban { return h.bans } })
	_, page = only.get("/hosts")
	if strings.Contains(page, "Reputation") || strings.Contains(page, "DNS lists") || strings.Contains(page, "Lift") {
		t.Error("sections without a source are shown")
	}
	for _, path := range []string{"/hosts/lift?network=192.0.2.0/24", "/live"} {
		if res, _ = only.get(path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}

func TestLift(t *testing.T) {
	h := &harbour{}
	d := signedInDesk(t, func(c *Config) {
		*h = *newHarbour(c.Clock())
		h.into(c)
	})
	form := "/hosts/lift?network=192.0.2.0/24"
	res, page := d.get(form)
	want(t, "form", res, http.StatusOK)
	if !strings.Contains(page, "Lift this ban?") || !strings.Contains(page, `name="network" value="192.0.2.0/24"`) || len(h.lifted) > 0 {
		t.Error("it didn't ask first")
	}
	for _, bad := range []string{"198.51.100.0/24", "x", "", "192.0.2.1"} {
		res, _ = d.get("/hosts/lift?network=" + url.QueryEscape(bad))
		want(t, "form of "+bad, res, http.StatusNotFound)
	}
	// A forged form does nothing.
	req := d.request("POST", "/hosts/lift", strings.NewReader("network=192.0.2.0/24"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, _ = d.do(req)
	want(t, "without its token", res, http.StatusForbidden)
	h.err = errors.New("the disk is full")
	res, page = d.post(form, "/hosts/lift", url.Values{"network": {"192.0.2.0/24"}})
	want(t, "trouble", res, http.StatusConflict)
	if !strings.Contains(page, "the disk is full") {
		t.Error("the cause isn't shown")
	}
	h.err = nil
	res, _ = d.post(form, "/hosts/lift", url.Values{"network": {"192.0.2.0/24"}})
	want(t, "lift", res, http.StatusSeeOther)
	if got := fmt.Sprint(h.lifted); got != "[192.0.2.0/24 by anna]" || len(h.bans) != 1 {
		t.Errorf("lifted %s", got)
	}
	if !strings.Contains(d.logged(), "console: lift") || !strings.Contains(d.logged(), "by=anna") {
		t.Errorf("no audit: %s", d.logged())
	}
	if _, page = d.get(res.Header.Get("Location")); !strings.Contains(page, "The ban is lifted") {
		t.Error("no word about it")
	}
	res, _ = d.post("/hosts/lift?network=2001:db8:1:2::/64", "/hosts/lift", url.Values{"network": {"192.0.2.0/24"}})
	want(t, "again", res, http.StatusNotFound)
}

func (d *desk) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

func TestPortAPI(t *testing.T) {
	h := &harbour{}
	d := newDesk(t, func(c *Config) {
		*h = *newHarbour(c.Clock())
		h.into(c)
	})
	h.attack(d.clock)
	call := func(method, path, form string, status int, to any) string {
		t.Helper()
		req := d.request(method, path, strings.NewReader(form))
		req.Header.Set("Authorization", "Bearer "+apiToken)
		if form != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, body := d.do(req)
		want(t, method+" "+path, res, status)
		if to != nil {
			if err := json.Unmarshal([]byte(body), to); err != nil {
				t.Errorf("%s: %v in %.200s", path, err, body)
			}
		}
		return body
	}
	var s live.Snapshot
	call("GET", "/api/v1/live?minutes=90", "", 200, &s)
	if s.Total.Refused != 1830 || len(s.Minutes.Refused) != 90 || s.Networks[0].Why != reason.EarlyTalker {
		t.Errorf("live: %+v, %d minutes", s.Total, len(s.Minutes.Refused))
	}
	call("GET", "/api/v1/live?minutes=-1", "", 400, nil)
	var hosts struct{ Hosts []Host }
	call("GET", "/api/v1/hosts?kind=asn&order=best&limit=7", "", 200, &hosts)
	call("GET", "/api/v1/hosts?address=203.0.113.9", "", 200, nil)
	if len(hosts.Hosts) != 2 || hosts.Hosts[0].Bad != 42 || fmt.Sprint(h.asked) != "[asn best 7 203.0.113.9]" {
		t.Errorf("hosts %+v, asked %v", hosts, h.asked)
	}
	for _, bad := range []string{"kind=x", "order=x", "limit=0", "limit=1001", "address=x"} {
		call("GET", "/api/v1/hosts?"+bad, "", 400, nil)
	}
	var bans struct{ Bans []Ban }
	call("GET", "/api/v1/bans", "", 200, &bans)
	if len(bans.Bans) != 2 || bans.Bans[0] != h.bans[0] {
		t.Errorf("bans %+v", bans)
	}
	var sources struct {
		Lists        []List
		Directories  []Directory
		Certificates []Certificate
	}
	call("GET", "/api/v1/sources", "", 200, &sources)
	if len(sources.Lists) != 2 || sources.Lists[0].Recent.Failed() != 6 || len(sources.Directories) != 1 || len(sources.Certificates) != 1 {
		t.Errorf("sources %+v", sources)
	}
	call("POST", "/api/v1/bans/lift", "network=nothing", 400, nil)
	call("POST", "/api/v1/bans/lift", "network=198.51.100.1", 404, nil)
	call("GET", "/api/v1/bans/lift?network=192.0.2.0/24", "", 404, nil)
	call("POST", "/api/v1/bans/lift?network=192.0.2.0/24", "", 400, nil) // not in the address
	call("POST", "/api/v1/bans/lift", "network=2001:db8:1:2::77", 200, nil)
	if got := fmt.Sprint(h.lifted); got != "[2001:db8:1:2::/64 by monitoring]" {
		t.Errorf("lifted %s", got)
	}
	h.bans = nil
	if body := call("GET", "/api/v1/bans", "", 200, nil); !strings.Contains(body, `"bans": []`) {
		t.Errorf("no bans: %s", body)
	}
}

// TestPortNeedsALogin: none of it is for strangers, and no GET lifts a ban.
func TestPortNeedsALogin(t *testing.T) {
	h := &harbour{}
	d := signedInDesk(t, func(c *Config) {
		*h = *newHarbour(c.Clock())
		h.into(c)
	})
	_, page := d.get("/hosts")
	token := url.QueryEscape(tokenField.FindStringSubmatch(page)[1])
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{"/hosts/lift", "/api/v1/bans/lift"} {
			d.do(d.request(method, path+"?network=192.0.2.0/24&csrf="+token, nil))
		}
	}
	d.browser.Jar, _ = cookiejar.New(nil)
	for path, status := range map[string]int{"/live": 303, "/hosts": 303, "/hosts/lift?network=192.0.2.0/24": 303,
		"/api/v1/live": 401, "/api/v1/hosts": 401, "/api/v1/bans": 401, "/api/v1/sources": 401, "/api/v1/bans/lift": 401} {
		for _, method := range []string{"GET", "POST"} {
			res, body := d.do(d.request(method, path, nil))
			if method == "GET" || status == 303 {
				want(t, method+" "+path, res, status)
			}
			if strings.Contains(body, "HARVEST") || strings.Contains(body, "198.51.100.7") {
				t.Errorf("%s %s: tells of a host", method, path)
			}
		}
	}
	if len(h.lifted) > 0 {
		t.Errorf("lifted %v", h.lifted)
	}
}

// TestLivePageLetsGo: a screen that only refreshes itself logs out.
func TestLivePageLetsGo(t *testing.T) {
	h := &harbour{}
	d := signedInDesk(t, func(c *Config) {
		*h = *newHarbour(c.Clock())
		h.into(c)
	})
	for _, id := range []string{"list", "chart"} {
		_, page := d.get("/live")
		if !strings.Contains(page, ` id="`+id+`"`) {
			t.Fatalf("no element %s", id)
		}
		for range 3 {
			d.clock = d.clock.Add(25 * time.Minute)
			req := d.request("GET", "/live", nil)
			req.Header.Set("HX-Request", "true")
			req.Header.Set("HX-Trigger", id)
			d.do(req)
		}
		if res, _ := d.get("/live"); res.StatusCode != http.StatusSeeOther {
			t.Errorf("%s keeps the session alive: %s", id, res.Status)
		}
		d = signedInDesk(t, h.into)
	}
}

// TestHostilePort puts hostile strings wherever strangers have a say.
func TestHostilePort(t *testing.T) {
	attacks := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, "</title></svg><script>x</script>",
		"\x1b[31mred\x00\x07", "rtl \u202e gnp.exe \u200b", "bad \xff\xfe utf-8", strings.Repeat("A", 20_000), "javascript:alert(1)"}
	alive := regexp.MustCompile(`(?i)<script>|<img src=x|onmouseover='|="javascript:|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\x{202e}|\x{200b}`)
	for _, a := range attacks {
		h := &harbour{}
		d := signedInDesk(t, func(c *Config) {
			*h = *newHarbour(c.Clock())
			h.into(c)
			now := c.Clock()
			s := h.board.Snapshot(now)
			s.Refusals = []live.Refusal{{Reason: sluice.Reason(a), Words: a, Lately: live.Lately{Minute: 1, Hour: 1, Day: 1}, Phases: []live.RefusalAt{{}, {Phase: 77}}}}
			s.Networks = []live.Network{{Network: netip.MustParsePrefix("192.0.2.0/24"), Why: sluice.Reason(a)}}
			s.Dialects = []live.Dialect{{ID: a, Words: a}}
			c.Port.Live = func(time.Time) live.Snapshot { return s }
			c.Port.Hosts = func(time.Time, string, string, int) []Host { return []Host{{Kind: a, Key: a, Words: a}} }
			c.Port.Host = func(time.Time, netip.Addr) []Host { return []Host{{Kind: a, Key: a, Words: a}} }
			h.bans[0].Reason = sluice.Reason(a)
			c.Port.Lists = func(time.Time) []List { return []List{{Name: a, Zone: a, Kind: a, State: a, Why: a}} }
			c.Port.Directories = func(time.Time) []Directory {
				return []Directory{{Source: a, Domains: []string{a, a}, State: a, Trouble: a}}
			}
			c.Port.Certificates = func(time.Time) []Certificate {
				return []Certificate{{Names: []string{a}, Source: a, Issuer: a, Trouble: a}}
			}
		})
		for _, path := range []string{"/live", "/hosts", "/hosts?address=192.0.2.1", "/hosts/lift?network=192.0.2.0/24",
			"/hosts?kind=" + url.QueryEscape(a), "/hosts?address=" + url.QueryEscape(a), "/live?range=" + url.QueryEscape(a), "/hosts/lift?network=" + url.QueryEscape(a)} {
			res, body := d.get(path)
			if res.StatusCode >= 500 {
				t.Errorf("%.60q: %s", path, res.Status)
			}
			// The search field gives the reader's own text back, quoted by the template.
			if m := alive.FindString(body); m != "" && !(strings.Contains(path, "?address=") && !strings.HasPrefix(m, "<")) {
				t.Errorf("%.60q: %.40q is alive with %q", path, a, m)
			}
			if len(body) > 400_000 {
				t.Errorf("%.60q: %d octets", path, len(body))
			}
		}
	}
}

// TestPortPagesAreWellFormed: every tag is closed where it must be.
func TestPortPagesAreWellFormed(t *testing.T) {
	h := &harbour{}
	d := signedInDesk(t, func(c *Config) {
		*h = *newHarbour(c.Clock())
		h.into(c)
	})
	h.attack(d.clock)
	for _, path := range []string{"/live", "/live?range=day", "/hosts", "/hosts?address=192.0.2.1", "/hosts/lift?network=192.0.2.0/24"} {
		_, page := d.get(path)
		dec := xml.NewDecoder(strings.NewReader(page))
		dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		var open []string
		for {
			tok, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			switch x := tok.(type) {
			case xml.StartElement:
				open = append(open, x.Name.Local)
			case xml.EndElement:
				if len(open) == 0 || open[len(open)-1] != x.Name.Local {
					t.Fatalf("%s: </%s> ends %v", path, x.Name.Local, open)
				}
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Errorf("%s: %v isn't closed", path, open)
		}
	}
}
