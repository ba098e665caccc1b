// Package report counts cases of a period as operators report them to each other
// (M3AAWG bot metrics, RFC 6561 section 5): how many subscribers were detected, told,
// and rid of what they had, each with its denominator, and how long that took.
package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice"
)

// Share is so many of so many.
type Share struct {
	N  int `json:"n"`
	Of int `json:"of"`
}

// Percent is 0 where there is nothing to have a share of: see Of.
func (s Share) Percent() float64 {
	if s.Of == 0 {
		return 0
	}
	return 100 * float64(s.N) / float64(s.Of)
}

func (s Share) String() string {
	if s.Of == 0 {
		return "0 of 0"
	}
	return fmt.Sprintf("%d of %d (%.2f %%)", s.N, s.Of, s.Percent())
}

// Span is the median of times, and their number.
type Span struct {
	Median time.Duration `json:"median"`
	Of     int           `json:"of"`
}

// Figures are those of cases opened in a period. Detected subscribers are those whose
// mail was restricted, false alarms included; a suspicion that came to nothing is
// counted apart. A subscriber with two cases in the period counts twice, as two
// incidents.
type Figures struct {
	From, To    time.Time
	AsOf        time.Time // when was counted: later, more of the period's cases have come further
	Subscribers int       // 0: not known

	Cases     int   // opened, merged ones left out
	Suspected int   // of them never restricted
	Detected  Share // of Subscribers

	// Shares of the detected.
	Notified    Share // with proof that the subscriber can know: delivered or acknowledged
	NotifiedDay Share // within 24 h of the restriction; of those restricted 24 h before AsOf or told
	Confirmed   Share // the subscriber answered
	SelfFreed   Share // released by the subscriber
	Remediated  Share
	Clean       Share // closed after a watch without more
	Recurred    Share // of the remediated
	FalseAlarms Share
	Escalated   Share

	// FalsePerDay is false alarms per 10,000 days of subscribers.
	FalsePerDay float64

	Let, Kept                                  int // messages that left from the first abuse to the hold; that were held
	ToHold, ToNotice, ToConfirm, ToRemedy, All Span
}

// Of counts. Cases of any time may be in the list: those opened in from ≤ t < to count.
func Of(list []*sluice.Case, from, to, asOf time.Time, subscribers int) Figures {
	f := Figures{From: from, To: to, AsOf: asOf, Subscribers: subscribers}
	var hold, notice, confirm, remedy, all []time.Duration
	detected := 0
	for _, c := range list {
		if c.State == sluice.CaseMerged || c.Opened.Before(from) || !c.Opened.Before(to) {
			continue
		}
		f.Cases++
		f.Let, f.Kept = f.Let+c.Let, f.Kept+c.Kept
		held := restricted(c)
		if held.IsZero() {
			f.Suspected++
			if c.State == sluice.CaseFalseAlarm {
				f.FalseAlarms.N++
			}
			continue
		}
		detected++
		count(&f.Notified, !c.Told.IsZero())
		if within := !c.Told.IsZero() && c.Told.Sub(held) <= day; within || asOf.Sub(held) >= day {
			f.NotifiedDay.Of++
			count(&f.NotifiedDay, within)
		}
		count(&f.Confirmed, !c.Confirmed.IsZero())
		count(&f.SelfFreed, c.SelfReleases > 0)
		remedied := reached(c, "confirmed", "remedied")
		count(&f.Remediated, !remedied.IsZero())
		count(&f.Clean, c.State == sluice.CaseClosed && !reached(c, "clean").IsZero())
		if !remedied.IsZero() {
			f.Recurred.Of++
			count(&f.Recurred, c.Recurred > 0)
		}
		count(&f.FalseAlarms, c.State == sluice.CaseFalseAlarm)
		count(&f.Escalated, !reached(c, "escalated").IsZero())
		span(&hold, c.FirstAbuse, held)
		span(&notice, held, c.Told)
		span(&confirm, c.Told, c.Confirmed)
		span(&remedy, held, remedied)
		span(&all, c.Opened, c.Closed)
	}
	f.Detected = Share{detected, subscribers}
	for _, s := range []*Share{&f.Notified, &f.Confirmed, &f.SelfFreed, &f.Remediated, &f.Clean, &f.Escalated} {
		s.Of = detected
	}
	f.FalseAlarms.Of = f.Cases
	if days := to.Sub(from).Hours() / 24 * float64(subscribers); days > 0 {
		f.FalsePerDay = math.Round(1e4*float64(f.FalseAlarms.N)/days*1e4) / 1e4
	}
	f.ToHold, f.ToNotice, f.ToConfirm, f.ToRemedy, f.All = median(hold), median(notice), median(confirm), median(remedy), median(all)
	return f
}

const day = 24 * time.Hour

func count(s *Share, is bool) {
	if is {
		s.N++
	}
}

// restricted is when the case's mail was first restricted, by its audit: Held is reset
// when it comes again.
func restricted(c *sluice.Case) time.Time {
	if t := reached(c, "held"); !t.IsZero() {
		return t
	}
	return c.Held
}

// reached is when one of the steps was first taken.
func reached(c *sluice.Case, what ...string) time.Time {
	for _, s := range c.Steps {
		if slices.Contains(what, s.What) {
			return s.Time
		}
	}
	return time.Time{}
}

func span(list *[]time.Duration, from, to time.Time) {
	if !from.IsZero() && !to.IsZero() {
		*list = append(*list, max(to.Sub(from), 0))
	}
}

func median(list []time.Duration) Span {
	n := len(list)
	if n == 0 {
		return Span{}
	}
	slices.Sort(list)
	return Span{(list[(n-1)/2] + list[n/2]) / 2, n}
}

// row is a figure by its name.
type row struct {
	name, value, of string
}

func (f *Figures) rows() []row {
	share := func(name string, s Share) row { return row{name, strconv.Itoa(s.N), strconv.Itoa(s.Of)} }
	number := func(name string, n int) row { return row{name, strconv.Itoa(n), ""} }
	span := func(name string, s Span) row {
		return row{name, strconv.FormatInt(int64(s.Median/time.Second), 10), strconv.Itoa(s.Of)}
	}
	return []row{
		number("cases", f.Cases), number("suspected_only", f.Suspected), share("detected", f.Detected),
		share("notified", f.Notified), share("notified_24h", f.NotifiedDay), share("confirmed", f.Confirmed),
		share("self_released", f.SelfFreed), share("remediated", f.Remediated), share("clean", f.Clean),
		share("recurred", f.Recurred), share("false_alarms", f.FalseAlarms), share("escalated", f.Escalated),
		{"false_alarms_per_10000_subscriber_days", strconv.FormatFloat(f.FalsePerDay, 'f', -1, 64), ""},
		number("messages_let", f.Let), number("messages_kept", f.Kept),
		span("median_seconds_to_hold", f.ToHold), span("median_seconds_to_notice", f.ToNotice), span("median_seconds_to_answer", f.ToConfirm),
		span("median_seconds_to_remedy", f.ToRemedy), span("median_seconds_open", f.All),
	}
}

// CSV writes one line for each figure of each period: from, to, figure, value, of. Lines
// are never added to or taken from what others compute with, but at the end.
func CSV(w io.Writer, periods ...Figures) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"from", "to", "figure", "value", "of"}) // Error tells
	for i := range periods {
		f := &periods[i]
		for _, r := range f.rows() {
			_ = c.Write([]string{f.From.UTC().Format(time.RFC3339), f.To.UTC().Format(time.RFC3339), r.name, r.value, r.of})
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// String is a table for people.
func (f Figures) String() string {
	var b strings.Builder
	line := func(name string, v any) { fmt.Fprintf(&b, "%-32s %v\n", name, v) }
	fmt.Fprintf(&b, "cases opened from %s until %s, as of %s\n", f.From.UTC().Format(time.DateOnly), f.To.UTC().Format(time.DateOnly), f.AsOf.UTC().Format(time.DateOnly))
	line("cases", f.Cases)
	line("suspected only", f.Suspected)
	line("detected, of subscribers", f.Detected)
	line("notified, of detected", f.Notified)
	line("notified within 24 h", f.NotifiedDay)
	line("answered", f.Confirmed)
	line("released by themselves", f.SelfFreed)
	line("remediated", f.Remediated)
	line("clean to the end of the watch", f.Clean)
	line("recurred, of remediated", f.Recurred)
	line("false alarms, of cases", f.FalseAlarms)
	line("  per 10,000 subscriber-days", f.FalsePerDay)
	line("an admin was called", f.Escalated)
	line("messages let out before the hold", f.Let)
	line("messages held", f.Kept)
	for _, s := range []struct {
		name string
		s    Span
	}{{"first abuse to hold", f.ToHold}, {"hold to notice", f.ToNotice}, {"notice to answer", f.ToConfirm}, {"hold to remedy", f.ToRemedy}, {"opened to closed", f.All}} {
		line("median "+s.name, fmt.Sprintf("%v of %d", s.s.Median.Round(time.Second), s.s.Of))
	}
	return b.String()
}
