package console

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/learn/feedback"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/store/memory"
)

// TestReview: what is marked in the queue is learned, once.
func TestReview(t *testing.T) {
	text := online.New(online.Config{})
	defer text.Close()
	var store *memory.Store
	var room *feedback.Room
	d := signedInDesk(t, func(c *Config) {
		store = c.Store.(*memory.Store)
		var err error
		room, err = feedback.New(feedback.Config{Log: store, Text: text, Folder: filepath.Join(t.TempDir(), "x"), Clock: c.Clock})
		if err != nil {
			t.Fatal(err)
		}
		c.Labels, c.Teacher, c.Reviews = c.Store, room, store
	})
	about, err := room.Describe(message.Parse([]byte("From: x@bad.example\r\nSubject: You won\r\n\r\nClick here for your prize, my dear friend.\r\n"), message.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"a", "b", "c", "d"} {
		r := &sluice.Review{ID: id, Time: time.Date(2026, 3, 14, 12, i, 0, 0, time.UTC), From: "<script>@x.example", Subject: "<b>\x1b[31mpay", Score: 0.99,
			Why: []string{"a sender hardly seen before"}, Extractor: about.Extractor, Features: about.Features, Print: about.Print}
		if id == "d" {
			r.Extractor = -1 // another version's
		}
		if err := store.PutReview(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	_, body := d.get("/review")
	if strings.Count(body, `/bad"`) != 4 || strings.Contains(body, "<script>@") || strings.Contains(body, "\x1b") || !strings.Contains(body, "a sender hardly seen before") {
		t.Errorf("page:\n%s", body)
	}
	res, _ := d.get("/review/a/bad")
	want(t, "a GET", res, 404)
	if r, err := store.Review(t.Context(), "a"); err != nil || r.State != sluice.ReviewNew {
		t.Error("a GET marked it")
	}
	for _, c := range []struct {
		id, act string
		status  int
	}{{"a", "seen", 303}, {"a", "bad", 303}, {"a", "bad", 303}, {"a", "good", 409}, {"b", "good", 303}, {"c", "new", 404}, {"x", "bad", 404}, {"d", "bad", 500}} {
		res, _ := d.post("/review", "/review/"+c.id+"/"+c.act, url.Values{})
		want(t, c.id+" "+c.act, res, c.status)
	}
	list, err := store.ListFeedback(t.Context(), sluice.FeedbackQuery{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%d labels, %v", len(list), err)
	}
	for i, spam := range []bool{false, true} {
		if f := list[i]; f.Spam != spam || !f.Trusted || f.Source != sluice.SourceAdmin || f.State == sluice.FeedbackRefused {
			t.Errorf("label %+v", f)
		}
	}
	if r, err := store.Review(t.Context(), "a"); err != nil || r.State != sluice.ReviewBad || r.By == "" || r.Decided.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	status, b := d.ask("GET", "/api/v1/reviews?state=new&limit=1", "")
	if status != 200 || !strings.Contains(b, `"id": "d"`) || !strings.Contains(b, `"next": "d"`) || strings.Contains(b, `"id": "c"`) {
		t.Errorf("%d %s", status, b)
	}
	if status, b := d.ask("POST", "/api/v1/reviews/c/seen", ""); status != 200 || !strings.Contains(b, `"label": 0`) {
		t.Errorf("%d %s", status, b)
	}
	if status, b := d.ask("GET", "/api/v1/reviews/c", ""); status != 200 || !strings.Contains(b, `"state": "seen"`) {
		t.Errorf("%d %s", status, b)
	}
	if status, _ := d.ask("GET", "/api/v1/reviews?state=odd", ""); status != 400 {
		t.Errorf("an odd filter: %d", status)
	}
	_, body = d.get("/review?state=bad&limit=1")
	if strings.Count(body, `/messages/`) < 1 || !strings.Contains(body, "before=a") {
		t.Errorf("second page:\n%s", body)
	}
}
