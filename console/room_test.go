package console

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"sluice/learn/feedback"
	"sluice/learn/text/online"
	"sluice/store/memory"
)

// TestFeedbackOfARoom: what the API takes and the page takes back, with whoever really
// learns.
func TestFeedbackOfARoom(t *testing.T) {
	text := online.New(online.Config{})
	defer text.Close()
	var room *feedback.Room
	d := signedInDesk(t, func(c *Config) {
		var err error
		room, err = feedback.New(feedback.Config{Log: c.Store.(*memory.Store), Text: text, Folder: t.TempDir(), Clock: c.Clock})
		if err != nil {
			t.Fatal(err)
		}
		c.Labels, c.Teacher = c.Store, room
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const raw = "From: x@bad.example\r\nSubject: You won\r\n\r\nClick here for your prize of one million, my dear friend.\r\n"
	for i := range 3 {
		if status, b := d.ask("POST", fmt.Sprintf("/api/v1/labels?spam=%d&by=anna@ours.example&to=anna@ours.example", i%2), raw+fmt.Sprint(i)); status != 201 {
			t.Fatalf("%d %s", status, b)
		}
	}
	if err := room.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	_, body := d.get("/feedback")
	if strings.Count(body, `<tr id="e`) != 3 || !strings.Contains(body, `href="/feedback?by=anna%40ours.example"`) {
		t.Errorf("the page lacks labels, or who gave them:\n%s", body)
	}
	res, _ := d.post("/feedback", "/feedback/2/undo", url.Values{})
	want(t, "undo", res, 303)
	res, body = d.post("/feedback", "/feedback/2/undo", url.Values{})
	want(t, "undo twice", res, 409)
	if !strings.Contains(body, "it was taken back already") {
		t.Error("the page doesn't say why")
	}
	if status, b := d.ask("POST", "/api/v1/labels/2/undo", ""); status != 409 || !strings.Contains(b, "taken back already") {
		t.Errorf("%d %s", status, b)
	}
	if status, b := d.ask("POST", "/api/v1/labels/1/accept", ""); status != 409 || !strings.Contains(b, "not held") {
		t.Errorf("%d %s", status, b)
	}
	_, body = d.get("/feedback")
	if !strings.Contains(body, "taken back") || strings.Contains(body, `action="/feedback/2/undo"`) {
		t.Error("the page offers to take back what was taken back")
	}
}
