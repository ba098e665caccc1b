package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/console/labels"
	"sluice/store/memory"
)

// school is a teacher over the store of a desk: it believes what it is told, but
// holds what the name "doubtful" says.
type school struct {
	log   *memory.Store
	now   time.Time
	raws  []string
	err   error
	trust []sluice.Reporter
}

func (s *school) add(ctx context.Context, f *sluice.Feedback) (*sluice.Feedback, error) {
	if s.err != nil {
		return nil, s.err
	}
	f.Time = s.now
	return f, s.log.AddFeedback(ctx, f)
}

func (s *school) Teach(ctx context.Context, l *sluice.Label) (*sluice.Feedback, error) {
	s.raws = append(s.raws, string(l.Raw))
	f := &sluice.Feedback{Kind: sluice.FeedbackLabel, ID: l.ID, Tenant: l.Tenant, Spam: l.Spam, Threat: l.Threat, Source: l.Source, By: l.By, To: l.To,
		State: sluice.FeedbackApplied, Trust: 0.62, Features: []byte("SECRET")}
	switch {
	case strings.HasPrefix(l.By, "doubtful"):
		f.State, f.Why, f.Trust = sluice.FeedbackHeld, "three of the golden set would turn <b>", 0.2
	case l.By == "liar":
		f.State, f.Why, f.Trust = sluice.FeedbackRefused, "too little trust", 0
	}
	return s.add(ctx, f)
}

func (s *school) about(ctx context.Context, kind sluice.FeedbackKind, seq int64, by string) (*sluice.Feedback, error) {
	if _, err := s.log.FeedbackEntry(ctx, seq); err != nil {
		return nil, err
	}
	return s.add(ctx, &sluice.Feedback{Kind: kind, Of: seq, By: by, Source: sluice.SourceAdmin, State: sluice.FeedbackApplied})
}

func (s *school) Undo(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	return s.about(ctx, sluice.FeedbackUndo, seq, by)
}

func (s *school) Accept(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	return s.about(ctx, sluice.FeedbackAccept, seq, by)
}

func (s *school) Reporters(_ context.Context, limit int) ([]sluice.Reporter, error) {
	return s.trust[:min(limit, len(s.trust))], nil
}

func feedbackDesk(t *testing.T) (*desk, *school) {
	s := &school{}
	d := signedInDesk(t, func(c *Config) {
		s.log = c.Store.(*memory.Store)
		c.Labels, c.Teacher = c.Store, s
		c.Clean = func(_ context.Context, raw []byte) ([]byte, string) {
			return []byte(strings.TrimPrefix(string(raw), "X-Sluice-ID: R1\r\n")), "R1"
		}
	})
	s.now = d.clock.Add(-5 * time.Minute)
	s.trust = []sluice.Reporter{{Name: "anna@ours.example", Labels: 41, Agreed: 38.2, Disputed: 1.5, Trust: 0.93, Last: s.now},
		{Name: "<script>@ours.example", Labels: 3, Agreed: 0, Disputed: 2, Trust: 0.2, Last: s.now.Add(-50 * time.Hour)}}
	return d, s
}

// fill labels by several people.
func (s *school) fill(t *testing.T) {
	t.Helper()
	for _, l := range []*sluice.Label{
		{By: "anna@ours.example", Spam: true, Threat: sluice.ThreatPhish, Source: sluice.SourceReport, To: []string{"anna@ours.example"}, ID: "7K3FQ2M9ZX0ABCDE"},
		{By: "bert@ours.example", Source: sluice.SourceRelease, To: []string{"bert@ours.example", "all@ours.example"}},
		{By: "doubtful@ours.example", Source: sluice.SourceFolder, ID: "8K3FQ2M9ZX0ABCDE"},
		{By: "liar", Spam: true, Threat: sluice.ThreatSpam, Source: sluice.SourceFolder},
		{By: "doubtful<i>\x1b[31m@ours.example", Spam: true, Threat: sluice.ThreatSpam, Source: sluice.SourceFolder},
		{By: "trap@ours.example", Spam: true, Threat: sluice.ThreatScam, Source: sluice.SourceTrap},
	} {
		if _, err := s.Teach(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFeedbackPage(t *testing.T) {
	d, s := feedbackDesk(t)
	res, body := d.get("/feedback")
	want(t, "an empty page", res, 200)
	if !strings.Contains(body, "Nobody has said anything yet") || !strings.Contains(body, `href="/feedback" aria-current="page"`) {
		t.Error("an empty page, or the way to it, is missing")
	}
	s.fill(t)
	_, body = d.get("/feedback")
	held, log, _ := strings.Cut(body, `id="log"`)
	for _, x := range []string{`action="/feedback/3/accept"`, `action="/feedback/3/undo"`, `action="/feedback/5/accept"`, "three of the golden set would turn &lt;b&gt;",
		"anna@ours.example", "93 %", "&lt;script&gt;@ours.example"} {
		if !strings.Contains(held, x) {
			t.Errorf("above the log is no %q", x)
		}
	}
	for _, x := range []string{`action="/feedback/1/undo"`, `action="/feedback/2/undo"`, `href="/messages/7K3FQ2M9ZX0ABCDE"`, "phishing", "wanted", "for bert@ours.example, all@ours.example", "too little trust", `action="/feedback/5/accept"`} {
		if !strings.Contains(log, x) {
			t.Errorf("in the log is no %q", x)
		}
	}
	for _, x := range []string{`action="/feedback/4/`, "<i>", "\x1b", "SECRET", "<script>@", `action="/feedback/1/accept"`} {
		if strings.Contains(body, x) {
			t.Errorf("the page has %q", x)
		}
	}
	for path, n := range map[string]int{"/feedback?by=liar": 1, "/feedback?state=held": 2, "/feedback?kind=undo": 0, "/feedback?state=applied&kind=label": 3} {
		_, body := d.get(path)
		if got := strings.Count(body, `<tr id="e`); got != n || strings.Contains(body, `id="held"`) {
			t.Errorf("%s: %d rows, want %d, without those that wait", path, got, n)
		}
	}
	for _, path := range []string{"/feedback?state=x", "/feedback?kind=x", "/feedback?before=x", "/feedback?limit=0", "/feedback?before=-1"} {
		res, _ := d.get(path)
		want(t, path, res, 400)
	}
}

func TestFeedbackActs(t *testing.T) {
	d, s := feedbackDesk(t)
	s.fill(t)
	res, _ := d.post("/feedback", "/feedback/3/accept", url.Values{})
	want(t, "accept", res, 303)
	res, _ = d.post("/feedback", "/feedback/5/undo", url.Values{})
	want(t, "refuse", res, 303)
	_, body := d.get(res.Header.Get("Location"))
	if strings.Contains(body, `id="held"`) || !strings.Contains(body, "taken back, as if it had never been") {
		t.Error("something waits still, or nothing says what was done")
	}
	if !strings.Contains(body, `action="/feedback/3/undo"`) || strings.Contains(body, `action="/feedback/5/`) || strings.Contains(body, `action="/feedback/7/`) {
		t.Error("an accepted label can be undone, an undone one and an undoing can't")
	}
	e, err := s.log.FeedbackEntry(t.Context(), 7)
	if err != nil || e.Kind != sluice.FeedbackAccept || e.Of != 3 || e.By != adminName {
		t.Errorf("entry %+v, %v", e, err)
	}
	for path, status := range map[string]int{"/feedback/99/undo": 404, "/feedback/x/undo": 404, "/feedback/-1/undo": 404, "/feedback/3/destroy": 404} {
		res, _ := d.post("/feedback", path, url.Values{})
		want(t, path, res, status)
	}
	s.err = fmt.Errorf("it was taken back already")
	res, body = d.post("/feedback", "/feedback/5/undo", url.Values{})
	want(t, "twice", res, 409)
	if !strings.Contains(body, "taken back already") {
		t.Error("the page doesn't say why")
	}
	// No GET, and no POST without its token, changes anything.
	res, _ = d.get("/feedback/1/undo")
	want(t, "GET", res, 404)
	req := d.request("POST", "/feedback/1/undo", strings.NewReader(""))
	res, _ = d.do(req)
	want(t, "without a token", res, 403)
}

func TestFeedbackPages(t *testing.T) {
	d, s := feedbackDesk(t)
	for range 60 {
		if _, err := s.Teach(t.Context(), &sluice.Label{By: "anna", Spam: true}); err != nil {
			t.Fatal(err)
		}
	}
	path, seen := "/feedback?by=anna&limit=25", 0
	for n := 0; path != ""; n++ {
		_, body := d.get(path)
		seen += strings.Count(body, `<tr id="e`)
		path = ""
		if _, after, ok := strings.Cut(body, `href="/feedback?before=`); ok {
			path, _, _ = strings.Cut(after, `"`)
			path = "/feedback?before=" + strings.ReplaceAll(path, "&amp;", "&")
		}
		if n > 5 {
			t.Fatal("the pages don't end")
		}
	}
	if seen != 60 {
		t.Errorf("%d rows on all pages", seen)
	}
}

func TestSayOfQuarantined(t *testing.T) {
	d, s := feedbackDesk(t)
	d.q.put(t, &sluice.Quarantined{ID: "Q1", Subject: "You won", Stored: d.clock, Envelope: sluice.Envelope{ID: "R9", Tenant: "ours", Rcpts: []sluice.Recipient{{Address: "anna@ours.example"}}}},
		"Subject: You won\r\n\r\nClick\r\n")
	_, body := d.get("/quarantine/Q1")
	if !strings.Contains(body, `action="/quarantine/Q1/label"`) || !strings.Contains(body, "/quarantine/Q1/release") {
		t.Fatal("the page has no buttons")
	}
	res, _ := d.post("/quarantine/Q1", "/quarantine/Q1/label", url.Values{"say": {"phish"}})
	want(t, "say", res, 303)
	_, body = d.get(res.Header.Get("Location"))
	if !strings.Contains(body, "Learned. The page Feedback can take it back.") {
		t.Error("the page doesn't say what was done")
	}
	f, err := s.log.FeedbackEntry(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %s %v %s %s %s %v %q", f.ID, f.Tenant, f.Spam, f.Threat, f.Source, f.By, f.To, s.raws)
	if got != "R9 ours true phish admin anna [anna@ours.example] [\"Subject: You won\\r\\n\\r\\nClick\\r\\n\"]" {
		t.Error(got)
	}
	res, _ = d.post("/quarantine/Q1", "/quarantine/Q1/label", url.Values{"say": {"nonsense"}})
	want(t, "nonsense", res, 400)
	res, _ = d.post("/quarantine/Q1", "/quarantine/Q9/label", url.Values{"say": {"spam"}})
	want(t, "another", res, 404)
}

// ask sends a request with the token of a program.
func (d *desk) ask(method, path, body string) (int, string) {
	d.t.Helper()
	req := d.request(method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+apiToken)
	res, b := d.do(req)
	return res.StatusCode, b
}

func TestLabelAPI(t *testing.T) {
	d, s := feedbackDesk(t)
	const raw = "X-Sluice-ID: R1\r\nSubject: You won\r\n\r\nClick\r\n"
	entry := func(b string) (e labels.Entry) {
		t.Helper()
		if err := json.Unmarshal([]byte(b), &e); err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		return e
	}
	status, b := d.ask("POST", "/api/v1/labels?spam=1&by=anna@ours.example&to=anna@ours.example&threat=phish", raw)
	if status != 201 || len(s.raws) != 1 || strings.HasPrefix(s.raws[0], "X-Sluice") {
		t.Fatalf("%d %s", status, b)
	}
	wantEntry := labels.Entry{Seq: 1, Kind: "label", Time: s.now, ID: "R1", Spam: true, Threat: sluice.ThreatPhish, Source: "folder", By: "anna@ours.example",
		To: []string{"anna@ours.example"}, State: "applied", Trust: 0.62}
	if diff := cmp.Diff(wantEntry, entry(b)); diff != "" {
		t.Error(diff)
	}
	if got := labels.NewEntry(wantEntry.Feedback()); !cmp.Equal(got, wantEntry) {
		t.Error("an entry doesn't survive: ", cmp.Diff(wantEntry, got))
	}
	_, b = d.ask("POST", "/api/v1/labels?spam=0", raw)
	if e := entry(b); e.Source != "admin" || e.By != "monitoring" || e.Spam {
		t.Errorf("a token for itself: %+v", e)
	}
	_, b = d.ask("POST", "/api/v1/labels?spam=0&by=anna&source=report", raw)
	if e := entry(b); e.Source != "report" {
		t.Errorf("a program that takes reports: %+v", e)
	}
	for query, status := range map[string]int{"": 400, "spam=maybe": 400, "spam=1&threat=fish": 400, "spam=0&threat=phish": 400, "spam=1&source=folder": 400, "spam=1&by=a&source=admin": 400,
		"spam=1&by=" + strings.Repeat("a", 300): 400, "spam=1" + strings.Repeat("&to=a@b", 21): 400} {
		if got, b := d.ask("POST", "/api/v1/labels?"+query, raw); got != status {
			t.Errorf("%q: %d %s", query, got, b)
		}
	}
	for body, status := range map[string]int{"": 400, "no header at all": 400, "Subject: x\r\n\r\n" + strings.Repeat("x", 25<<20): 413} {
		if got, b := d.ask("POST", "/api/v1/labels?spam=1", body); got != status {
			t.Errorf("%.20q: %d %s", body, got, b)
		}
	}
	if status, b := d.ask("POST", "/api/v1/labels/1/undo", ""); status != 200 || entry(b).Of != 1 || entry(b).Kind != "undo" {
		t.Errorf("undo: %d %s", status, b)
	}
	if status, _ := d.ask("POST", "/api/v1/labels/77/accept", ""); status != 404 {
		t.Errorf("accept of nothing: %d", status)
	}
	if status, b := d.ask("GET", "/api/v1/labels/1", ""); status != 200 || entry(b).Seq != 1 {
		t.Errorf("%d %s", status, b)
	}
	if status, _ := d.ask("GET", "/api/v1/labels/x", ""); status != 404 {
		t.Errorf("an entry x: %d", status)
	}
	var list struct {
		Labels []labels.Entry `json:"labels"`
		Next   string         `json:"next"`
	}
	_, b = d.ask("GET", "/api/v1/labels?limit=2", "")
	if err := json.Unmarshal([]byte(b), &list); err != nil || len(list.Labels) != 2 || list.Next != "3" || strings.Contains(b, "eature") {
		t.Errorf("%v %s", err, b)
	}
	if status, b := d.ask("GET", "/api/v1/reporters?limit=1", ""); status != 200 || strings.Count(b, `"trust"`) != 1 {
		t.Errorf("%d %s", status, b)
	}
	if status, _ := d.ask("GET", "/api/v1/reporters?limit=x", ""); status != 400 {
		t.Errorf("reporters?limit=x: %d", status)
	}
	s.err = fmt.Errorf("label 2: taken back already")
	if status, b := d.ask("POST", "/api/v1/labels/2/undo", ""); status != 409 || !strings.Contains(b, "taken back already") {
		t.Errorf("%d %s", status, b)
	}
	s.err = fmt.Errorf("disk on fire")
	if status, b := d.ask("POST", "/api/v1/labels?spam=1", raw); status != 500 || strings.Contains(b, "fire") {
		t.Errorf("%d %s", status, b)
	}
}

// TestLabelBySession: who is logged in speaks for themselves, with the session's token.
func TestLabelBySession(t *testing.T) {
	d, s := feedbackDesk(t)
	_, page := d.get("/feedback")
	token := tokenField.FindStringSubmatch(page)[1]
	send := func(query, token string) int {
		req := d.request("POST", "/api/v1/labels?"+query, strings.NewReader("Subject: x\r\n\r\nx\r\n"))
		req.Header.Set("X-CSRF-Token", token)
		res, _ := d.do(req)
		return res.StatusCode
	}
	if got := []int{send("spam=1", ""), send("spam=1&by=boss", token), send("spam=1", token)}; !slices.Equal(got, []int{403, 400, 201}) {
		t.Error(got)
	}
	if f, err := s.log.FeedbackEntry(t.Context(), 1); err != nil || f.By != adminName || f.Source != sluice.SourceAdmin {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestLabelPace: one reporter can't flood the log.
func TestLabelPace(t *testing.T) {
	d, _ := feedbackDesk(t)
	for i := range 500 {
		if status, b := d.ask("POST", "/api/v1/labels?spam=1&by=anna", "Subject: x\r\n\r\n"); status != 201 {
			t.Fatalf("label %d: %d %s", i, status, b)
		}
	}
	if status, _ := d.ask("POST", "/api/v1/labels?spam=1&by=anna", "Subject: x\r\n\r\n"); status != http.StatusTooManyRequests {
		t.Errorf("one more: %d", status)
	}
	if status, _ := d.ask("POST", "/api/v1/labels?spam=1&by=bert", "Subject: x\r\n\r\n"); status != 201 {
		t.Errorf("another reporter: %d", status)
	}
}

func TestWithoutFeedback(t *testing.T) {
	d := signedInDesk(t, func(c *Config) { c.Labels = c.Store }) // and no teacher
	for _, path := range []string{"/feedback", "/api/v1/labels", "/api/v1/reporters"} {
		res, body := d.get(path)
		want(t, path, res, 404)
		if strings.Contains(body, `href="/feedback"`) {
			t.Error("a way to a page that isn't there")
		}
	}
}
