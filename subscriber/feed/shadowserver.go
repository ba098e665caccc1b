package feed

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sluice/message/header"
	"sluice/subscriber"
	"sluice/subscriber/signal"
)

// mostColumns bounds a table; the widest reports have about 150.
const mostColumns = 400

// table says whether a file begins with the names of columns that such reports have.
func table(b []byte) bool {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	if len(line) > 16<<10 {
		return false
	}
	cols := columns(strings.Split(strings.ReplaceAll(strings.TrimSpace(string(line)), `"`, ""), ","))
	return cols.at >= 0 && cols.ip >= 0
}

// cols are the places of columns, -1 for those that a report doesn't have.
type cols struct {
	at, ip                              int
	infection, family, tag, source, why int
}

// columns finds them. Older reports are about "ip"; in newer ones about events that is
// "src_ip", while "dst_ip" is whom it spoke to.
func columns(names []string) cols {
	find := func(name string) int {
		return slices.IndexFunc(names, func(n string) bool { return header.EqualFold(strings.TrimSpace(n), name) })
	}
	c := cols{at: find("timestamp"), ip: find("src_ip"), infection: find("infection"), family: find("family"), tag: find("tag"), source: find("source"), why: find("reason")}
	if c.ip < 0 {
		c.ip = find("ip")
	}
	return c
}

// shadowserver reads a table. Of the hundred kinds of reports those count that name a
// device that acts: the ones with an infection, and addresses on block lists. Open ports
// and old software are no sign of a bot.
func (x *reader) shadowserver(b []byte) {
	x.is(Shadowserver)
	r := csv.NewReader(bytes.NewReader(b))
	r.LazyQuotes, r.ReuseRecord, r.FieldsPerRecord = true, true, -1
	names, err := r.Read()
	if err != nil || len(names) > mostColumns {
		x.defect(1, "the names of the columns can't be read")
		return
	}
	width, c := len(names), columns(names)
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		line, _ := r.FieldPos(0)
		switch {
		case err != nil:
			x.defect(line, "%v", err)
		case len(row) != width:
			x.defect(line, "%d columns, not %d", len(row), width)
		default:
			x.row(line, row, c)
		}
	}
}

// harmless are infections that aren't any: a network that lets forged addresses out is
// no device.
var harmless = []string{"ip-spoofer"}

func (x *reader) row(line int, row []string, c cols) {
	field := func(i int) string {
		if i < 0 {
			return ""
		}
		return strings.TrimSpace(row[i])
	}
	kind, what := signal.FeedReport, field(c.infection)
	switch {
	case what != "" && !slices.Contains(harmless, header.Lower(what)):
		if f := field(c.family); f != "" && f != what {
			what += " " + f
		}
		if t := field(c.tag); t != "" && t != what {
			what += " (" + t + ")"
		}
	case what == "" && field(c.source) != "" && c.why >= 0: // the report of block lists
		kind, what = signal.AddressList, field(c.source)+" "+field(c.why)
	default:
		x.out.Other++
		return
	}
	ip, err := netip.ParseAddr(field(c.ip))
	if err != nil || ip.Zone() != "" {
		x.defect(line, "%q isn't an address", field(c.ip))
		return
	}
	at, ok := stamp(field(c.at))
	if !ok {
		x.defect(line, "%q isn't a time", field(c.at))
		return
	}
	x.add(subscriber.Report{Kind: kind, Client: ip.Unmap(), At: at, Detail: x.name + ": " + what})
}

// stamp reads a time; without a zone it is UTC.
func stamp(s string) (time.Time, bool) {
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04:05Z07:00", time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
