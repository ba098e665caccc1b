package store

import (
	"time"

	"sluice"
)

// NormalCase brings a case into the form in which stores keep one: times in UTC without
// a monotonic reading, empty lists as nil.
func NormalCase(c *sluice.Case) {
	utc := func(list ...*time.Time) {
		for _, t := range list {
			if t.IsZero() {
				*t = time.Time{}
			} else {
				*t = t.Round(0).UTC()
			}
		}
	}
	utc(&c.Opened, &c.FirstAbuse, &c.Held, &c.Told, &c.Notified, &c.Confirmed, &c.Remediated, &c.Watched, &c.Until, &c.Escalated, &c.Closed, &c.Updated)
	for i := range c.Signals {
		utc(&c.Signals[i].First, &c.Signals[i].Last)
	}
	for i := range c.Notices {
		n := &c.Notices[i]
		utc(&n.Tried, &n.Accepted, &n.Delivered, &n.Opened, &n.Acknowledged, &n.Failed)
	}
	for i := range c.Steps {
		utc(&c.Steps[i].Time)
	}
	if len(c.Signals) == 0 {
		c.Signals = nil
	}
	if len(c.Notices) == 0 {
		c.Notices = nil
	}
	if len(c.Steps) == 0 {
		c.Steps = nil
	}
	if len(c.Merged) == 0 {
		c.Merged = nil
	}
}
