// Package words writes times, numbers and sizes for people.
package words

import (
	"fmt"
	"strings"
	"time"
)

// Short is a time in a list: the clock today, the day before that.
func Short(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch {
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return t.Format("15:04:05")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006")
}

// Ago is a distance in time, either way.
func Ago(t, now time.Time) string {
	d := now.Sub(t)
	form := "%s ago"
	if d < 0 {
		d, form = -d, "in %s"
	}
	return fmt.Sprintf(form, Span(d))
}

// Span is a time as people say it.
func Span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// Signed prints points with a sign that lines up: a real minus.
func Signed(f float64) string {
	return strings.Replace(fmt.Sprintf("%+.1f", f), "-", "−", 1)
}

// Percent prints a probability without ever rounding to certainty.
func Percent(p float64) string {
	switch {
	case p > 0.999:
		return "> 99.9 %"
	case p > 0 && p < 0.001:
		return "< 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*p)
}

// Bytes is a size in the unit that fits.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// Period names the days, in UTC, that a report is about.
func Period(begin, end time.Time) string {
	b, e := begin.UTC().Format("2 Jan 2006"), end.UTC().Format("2 Jan 2006")
	switch {
	case begin.IsZero():
		return "no dates"
	case end.IsZero() || b == e:
		return b
	}
	return b + " – " + e
}
