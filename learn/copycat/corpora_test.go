package copycat_test

import (
	"cmp"
	mailtime "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/eval"
	"sluice/internal/shared"
	"sluice/learn/campaign"
	"sluice/learn/copycat"
	"sluice/message"
	"sluice/message/links"
)

// TestHam plays stored good mail through the memory, in the order of its dates, at its
// hardest: every message teaches as if its author's domain had authenticated it and had
// a history, and one recipient proves a campaign; and before that each is judged as if
// nobody had authenticated it, so that all that is known for it is where it leads.
func TestHam(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads ten thousand messages")
	}
	dir := shared.Dir(t, "corpora")
	entries, err := eval.Corpora(dir)
	if err != nil {
		t.Fatal(err)
	}
	type mail struct {
		path string
		raw  []byte
		date time.Time
	}
	byPool := map[string][]mail{}
	for i := range entries {
		e := &entries[i]
		if e.Class() != eval.Good {
			continue
		}
		raw, err := eval.ReadMail(dir, e)
		if err != nil {
			t.Fatal(err)
		}
		m := mail{path: e.Path, raw: raw, date: time.Date(max(e.Year, 1990), 7, 1, 0, 0, 0, 0, time.UTC)}
		if h := message.Parse(raw, message.DefaultLimits()).Header(); h != nil {
			if d, err := mailtime.ParseDate(h.Get("Date")); err == nil && d.Year() == e.Year {
				m.date = d
			}
		}
		byPool[e.Pool()] = append(byPool[e.Pool()], m)
	}
	for pool, mails := range byPool {
		slices.SortFunc(mails, func(a, b mail) int { return cmp.Or(a.date.Compare(b.date), strings.Compare(a.path, b.path)) })
		w := newWorld(t, func(c *copycat.Config) { c.Campaigns, c.Recipients = 50_000, 1 })
		copies, hints := 0, 0
		for _, m := range mails {
			msg := message.Parse(m.raw, message.DefaultLimits())
			p := w.mem.Print(msg, w.prints.Print(msg))
			at := campaign.Sighting{Time: m.date, Recipients: []string{"ann@example.net"}}
			f := w.mem.Look(p, at)
			if f.Verdict == copycat.Copy {
				copies++
			}
			if f.Verdict >= copycat.Hint {
				hints++
				t.Logf("%s: %+v", m.path, f)
			}
			a, _ := msg.From()
			at.Domain, at.History = links.OrgDomain(a.Domain), true
			w.mem.Observe(p, at)
		}
		t.Logf("%s: %d messages, %d campaigns, %d copies and hints, %d of them hints", pool, len(mails), w.mem.Stats().Campaigns, hints, hints-copies)
		if copies > 0 || 500*hints > len(mails)+500 {
			t.Errorf("%s: %d of %d good messages are copies or hints, %d copies", pool, hints, len(mails), copies)
		}
	}
}
