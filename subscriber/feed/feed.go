// Package feed reads what others say of our users' devices and of mail that left here:
// abuse reports (ARF, RFC 5965, RFC 6591), XARF 3 and 4, and the CSV files of
// Shadowserver, as files or as mail that carries them. What it finds are
// [subscriber.Report]s for a [subscriber.Warden], which decides what counts.
//
// Nothing that a report says of its reporter is believed: who it comes from, and whether
// that is proven, is the caller's word. Reading is bounded in octets, reports and
// defects, whatever a file holds.
package feed

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode"

	"sluice/complaint"
	"sluice/message/header"
	"sluice/subscriber"
)

// Config says who reports, and bounds the work. Zero limits take the default.
type Config struct {
	// Reporter is the name of the feed in the configuration, or the domain of the mail's
	// author that DMARC proved; Proven says that it is one of both.
	Reporter string
	Proven   bool
	// Trace finds the field of ours in a reported header whose seal holds, and the id in
	// it; nil: mail is known by its Message-ID only.
	Trace func(header []byte) (id string, at time.Time, ok bool)
	// Complaint is what reading abuse reports needs to know of this site.
	Complaint complaint.Config

	Bytes   int // of a file; default 32 MB
	Reports int // taken from a file; default 20,000
}

func (c Config) withDefaults() Config {
	if c.Bytes <= 0 {
		c.Bytes = 32 << 20
	}
	if c.Reports <= 0 {
		c.Reports = 20_000
	}
	return c
}

// Format is how a file says it.
type Format string

// The formats.
const (
	XARF         Format = "xarf"
	ARF          Format = "arf"
	Mail         Format = "mail" // with attached messages or files
	Shadowserver Format = "shadowserver"
)

// Defect is something in a file that can't be read; the rest counts.
type Defect struct {
	Line int    // of a CSV file; the number of the report in others; from 1
	What string // may hold hostile text, clipped
}

func (d Defect) String() string { return fmt.Sprintf("%d: %s", d.Line, d.What) }

// mostDefects bounds what is kept of them; the others are counted.
const mostDefects = 50

// Found is what a file says.
type Found struct {
	Format  Format
	Reports []subscriber.Report
	Other   int // entries about something else than a device that acts, or mail: open ports, web sites
	Left    int // beyond the limits
	// Defects are the first of those that were met, Defective their number.
	Defects   []Defect
	Defective int
}

// Why a file can't be read at all.
var (
	ErrTooLarge = errors.New("feed: larger than the limit")
	ErrFormat   = errors.New("feed: neither an abuse report (ARF, XARF) nor a table with the columns timestamp and ip; unpack it if it is compressed")
)

// Read reads a file. The name, of which the last element counts, is shown with each
// report. An error says that nothing was read; what can be read of a broken file is.
func Read(r io.Reader, name string, c Config) (*Found, error) {
	c = c.withDefaults()
	b, err := io.ReadAll(io.LimitReader(r, int64(c.Bytes)+1))
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	if len(b) > c.Bytes {
		return nil, fmt.Errorf("%w of %d octets", ErrTooLarge, c.Bytes)
	}
	x := &reader{cfg: c, out: &Found{}}
	x.file(b, name)
	if x.out.Format == "" {
		return nil, ErrFormat
	}
	return x.out, nil
}

// reader reads one file.
type reader struct {
	cfg  Config
	out  *Found
	name string // of the file at hand, for words
}

// file reads one file by its content.
func (x *reader) file(b []byte, name string) {
	x.name = words(path.Base(strings.ReplaceAll(cmp.Or(name, "report"), `\`, "/")))
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	start := bytes.TrimLeft(b, " \t\r\n")
	switch {
	case len(start) > 0 && (start[0] == '{' || start[0] == '['):
		x.xarf(start)
	case table(b):
		x.shadowserver(b)
	default:
		x.mail(b)
	}
}

// is names the format of the outermost file.
func (x *reader) is(f Format) {
	if x.out.Format == "" {
		x.out.Format = f
	}
}

func (x *reader) defect(line int, format string, args ...any) {
	if x.out.Defective++; len(x.out.Defects) < mostDefects {
		x.out.Defects = append(x.out.Defects, Defect{line, words(fmt.Sprintf(format, args...))})
	}
}

func (x *reader) add(r subscriber.Report) {
	if len(x.out.Reports) >= x.cfg.Reports {
		x.out.Left++
		return
	}
	r.Reporter, r.Proven = x.cfg.Reporter, x.cfg.Proven
	r.Detail = words(r.Detail)
	x.out.Reports = append(x.out.Reports, r)
}

// words makes one line of hostile text, of limited length.
func words(s string) string {
	return header.Clip(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s))
}

// Warden takes reports; it is a [subscriber.Warden].
type Warden interface {
	Report(ctx context.Context, now time.Time, r subscriber.Report) (subscriber.Counted, error)
}

// Tell gives all reports to a Warden and says what became of how many. It stops at the
// first error: then the file may be told again, since what counted once doesn't again.
func Tell(ctx context.Context, now time.Time, w Warden, f *Found) (map[subscriber.Counted]int, error) {
	became := map[subscriber.Counted]int{}
	for i := range f.Reports {
		if err := ctx.Err(); err != nil {
			return became, fmt.Errorf("feed: %w", err)
		}
		counted, err := w.Report(ctx, now, f.Reports[i])
		if err != nil {
			return became, fmt.Errorf("feed: report %d: %w", i+1, err)
		}
		became[counted]++
	}
	return became, nil
}
