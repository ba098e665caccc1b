package structure

import (
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// Bounds of an honest clock: nobody's is three days ahead.
const (
	farAhead = 3 * 24 * time.Hour
	maxDate  = 200
)

// newDate looks at the Date field (RFC 5322 3.3). Old dates say nothing: mail is
// held, retried and forwarded.
func newDate() check.Checker {
	return check.Func(check.Info{
		Name: "structure/date", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.DateMissing, reason.DateInvalid, reason.DateFuture, reason.DateZone},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		f := h.Field("Date")
		if f == nil {
			if sparse(in) {
				return nil
			}
			return []sluice.Evidence{check.Found(reason.DateMissing, "no Date field")}
		}
		t, err := parseDate(f.Value)
		switch {
		case err != nil:
			return []sluice.Evidence{at(reason.DateInvalid, check.Quote(f.Value), f)}
		case badZone(t):
			return []sluice.Evidence{at(reason.DateZone, check.Quote(f.Value), f)}
		case !in.Now.IsZero() && t.Sub(in.Now) > farAhead:
			return []sluice.Evidence{at(reason.DateFuture, fmt.Sprintf("%s, %.0f days ahead", check.Quote(f.Value), t.Sub(in.Now).Hours()/24), f)}
		}
		return nil
	})
}

// parseDate reads what mail programs write: the RFC's form, and the common
// slips that readers forgive.
func parseDate(s string) (time.Time, error) {
	if len(s) > maxDate {
		return time.Time{}, fmt.Errorf("structure: date of %d octets", len(s))
	}
	if t, err := time.Parse("Mon, 2 Jan 2006 15:04:05 -0700", s); err == nil { // what most programs write
		return t, nil
	}
	t, err := mail.ParseDate(s)
	if err == nil {
		return t, nil
	}
	s, _, _ = strings.Cut(s, "(")
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, ",", ", ")), " ")
	if i := strings.LastIndexByte(s, ' '); i > 0 && !strings.ContainsAny(s[i:], ":+-0123456789") {
		if t, err := mail.ParseDate(s[:i] + " +0000"); err == nil { // a zone by any name
			return t, nil
		}
		// Names behind a numeric zone say nothing new.
		if t, err := mail.ParseDate(s[:i]); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{
		"Mon, 2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05", "Mon, 2 Jan 2006 15:04", "Mon Jan 2 15:04:05 2006", "Mon Jan 2 15:04:05 MST 2006",
		"Mon Jan 2 15:04:05 2006 -0700", "Mon, 2 Jan 06 15:04:05 -0700", "2 January 2006 15:04:05 -0700", "Mon, 2 January 2006 15:04:05 -0700",
		"Monday, 2 Jan 2006 15:04:05 -0700", "Monday, 2 January 2006 15:04:05 -0700", "Mon, Jan 2 2006 15:04:05 -0700",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}

// badZone says whether the offset is one that no place on earth has: beyond
// UTC−12 or UTC+14, or minutes that aren't a multiple of 15.
func badZone(t time.Time) bool {
	_, off := t.Zone()
	return off < -12*3600 || off > 14*3600 || off%(15*60) != 0
}

func itoa(n int) string { return strconv.Itoa(n) }
