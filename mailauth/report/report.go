// Package report reads the reports that other receivers send about a domain's
// mail, and writes DMARC aggregate reports: DMARC aggregate (RFC 9990, and the
// older forms of RFC 7489), DMARC and authentication failure (RFC 9991, 6591),
// abuse (ARF, RFC 5965) and SMTP TLS (RFC 8460). Whoever sends a report is a
// stranger: sizes, ratios, counts and depth are bounded before anything is kept,
// and all strings are hostile.
package report

import (
	"errors"
	"fmt"
	"strings"

	"sluice/message"
)

// Limits bound the work of reading one report.
type Limits struct {
	Bytes   int // of one report after decompression
	Ratio   int // decompressed to compressed size; checked above 1 MB
	Records int // of an aggregate report; failure details of a TLS report
	Text    int // octets of one value; more is cut
	Reports int // in one message
}

// DefaultLimits fit the largest reports that big receivers send.
func DefaultLimits() Limits {
	return Limits{Bytes: 32 << 20, Ratio: 200, Records: 50_000, Text: 1 << 10, Reports: 10}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ to, from *int }{
		{&l.Bytes, &d.Bytes}, {&l.Ratio, &d.Ratio}, {&l.Records, &d.Records}, {&l.Text, &d.Text}, {&l.Reports, &d.Reports},
	} {
		if *f.to <= 0 {
			*f.to = *f.from
		}
	}
	return l
}

// Why a report can't be read.
var (
	ErrTooLarge = errors.New("report: over the limit")
	ErrFormat   = errors.New("report: not in the format")
)

// Report is one report out of a message; one of the pointers is set.
type Report struct {
	Aggregate *Aggregate
	Feedback  *Feedback
	TLS       *TLS
	Name      string // of the attached file; hostile
}

// FromMessage reads every report of a message: attached files by their names and
// types, compressed or not, and the feedback part of a multipart/report. Where
// some can't be read the others are returned with the joined errors.
func FromMessage(m *message.Message, l Limits) ([]Report, error) {
	l = l.withDefaults()
	var out []Report
	var errs []error
	add := func(r Report, err error) {
		if err != nil {
			errs = append(errs, err)
		} else {
			out = append(out, r)
		}
	}
	for _, p := range m.Parts {
		if len(out)+len(errs) >= l.Reports {
			errs = append(errs, fmt.Errorf("%w: more than %d reports in a message", ErrTooLarge, l.Reports))
			break
		}
		switch kind := kindOf(p); kind {
		case "feedback":
			f, err := ParseFeedback(m.Decoded(p))
			if err == nil {
				f.original(m, p)
			}
			add(Report{Feedback: f}, err)
		case "file":
			r, err := Parse(m.Decoded(p), l)
			r.Name = p.Filename
			add(r, err)
		}
	}
	return out, errors.Join(errs...)
}

// kindOf says whether a part may hold a report.
func kindOf(p *message.Part) string {
	switch p.Type {
	case "message/feedback-report":
		return "feedback"
	case "application/tlsrpt+gzip", "application/tlsrpt+json", "application/gzip", "application/x-gzip", "application/zip", "application/x-zip-compressed",
		"application/x-zip", "application/xml", "text/xml", "application/json":
		return "file"
	}
	name := strings.ToLower(p.Filename)
	for _, ext := range []string{".xml", ".xml.gz", ".json", ".json.gz", ".zip", ".gz"} {
		if strings.HasSuffix(name, ext) && !p.IsMultipart() && !p.IsMessage() {
			return "file"
		}
	}
	return ""
}

// Parse reads one report file: XML or JSON, plain, in gzip or in a zip file. What
// it is is told by its content.
func Parse(b []byte, l Limits) (Report, error) {
	l = l.withDefaults()
	b, err := unpack(b, l)
	if err != nil {
		return Report{}, err
	}
	switch text := strings.TrimLeft(string(b[:min(len(b), 64)]), "\ufeff \t\r\n"); {
	case strings.HasPrefix(text, "{"):
		t, err := ParseTLS(b, l)
		return Report{TLS: t}, err
	case strings.HasPrefix(text, "<"):
		a, err := ParseAggregate(b, l)
		return Report{Aggregate: a}, err
	}
	return Report{}, fmt.Errorf("%w: neither XML nor JSON", ErrFormat)
}
