package smtpd

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The queue is in the order in which the waits began, whatever enters and leaves.
func TestWaitersInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w waiters
		var model []*conn
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			switch {
			case len(model) == 0 || rapid.Bool().Draw(t, "push"):
				c := &conn{known: rapid.Bool().Draw(t, "known")}
				c.links.since = time.Unix(int64(rapid.IntRange(0, 20).Draw(t, "since")), 0)
				w.idle.push(c)
				at := len(model)
				for at > 0 && model[at-1].links.since.After(c.links.since) {
					at--
				}
				model = slices.Insert(model, at, c)
			case rapid.Bool().Draw(t, "longest"):
				want := slices.IndexFunc(model, func(c *conn) bool { return !c.known })
				got := w.longest()
				if want < 0 && got != nil || want >= 0 && got != model[want] {
					t.Fatal("another one is the longest")
				}
				if want >= 0 {
					model = slices.Delete(model, want, want+1)
				}
			default:
				i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				w.remove(model[i])
				w.remove(model[i]) // once more is nothing
				model = slices.Delete(model, i, i+1)
			}
			var forth, back []*conn
			for c := w.idle.first; c != nil; c = c.links.next {
				forth = append(forth, c)
			}
			for c := w.idle.last; c != nil; c = c.links.prev {
				back = append(back, c)
			}
			slices.Reverse(back)
			if !slices.Equal(forth, model) || !slices.Equal(back, model) {
				t.Fatalf("%d forth, %d back, want %d", len(forth), len(back), len(model))
			}
		}
	})
}
