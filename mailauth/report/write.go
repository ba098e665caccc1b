package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// WriteAggregate writes a report in the form of RFC 9990. Required are Org,
// Email, ID, the dates, Policy.Domain and at least one record with a source, a
// count and HeaderFrom. Words outside their sets are an error, so that a report
// always fits the schema.
func WriteAggregate(w io.Writer, a *Aggregate) error {
	x := xmlWriter{}
	x.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<feedback xmlns="` + Namespace + `">` + "\n")
	x.depth = 1
	x.leaf("version", "1.0")
	x.metadata(a)
	x.published(&a.Policy)
	if len(a.Records) == 0 {
		x.fail("no records")
	}
	for i := range a.Records {
		x.record(&a.Records[i])
	}
	x.b.WriteString("</feedback>\n")
	if x.err != nil {
		return x.err
	}
	if _, err := w.Write(x.b.Bytes()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

type xmlWriter struct {
	b     bytes.Buffer
	depth int
	err   error
}

func (x *xmlWriter) fail(format string, args ...any) {
	if x.err == nil {
		x.err = fmt.Errorf("report: "+format, args...)
	}
}

func (x *xmlWriter) indent() { x.b.WriteString(strings.Repeat("  ", x.depth)) }

func (x *xmlWriter) open(name string) {
	x.indent()
	x.b.WriteString("<" + name + ">\n")
	x.depth++
}

func (x *xmlWriter) close(name string) {
	x.depth--
	x.indent()
	x.b.WriteString("</" + name + ">\n")
}

// leaf writes an element with text, and nothing for no text.
func (x *xmlWriter) leaf(name, v string) {
	if v == "" {
		return
	}
	x.indent()
	x.b.WriteString("<" + name + ">")
	if err := xml.EscapeText(&x.b, []byte(strings.ToValidUTF8(v, "\uFFFD"))); err != nil {
		x.fail("%w", err)
	}
	x.b.WriteString("</" + name + ">\n")
}

func (x *xmlWriter) need(name, v string) {
	if strings.TrimSpace(v) == "" {
		x.fail("%s is missing", name)
	}
	x.leaf(name, v)
}

// word writes a word of a fixed set; "" is left out.
func (x *xmlWriter) word(name, v string, set map[string]bool) {
	if v != "" && !set[v] {
		x.fail("%s %.40q is no word of its set", name, v)
	}
	x.leaf(name, v)
}

// needWord writes a word of a fixed set, otherwise where there is none.
func (x *xmlWriter) needWord(name, v, otherwise string, set map[string]bool) {
	if v == "" {
		v = otherwise
	}
	x.word(name, v, set)
}

func (x *xmlWriter) metadata(a *Aggregate) {
	x.open("report_metadata")
	x.need("org_name", a.Org)
	x.need("email", a.Email)
	x.leaf("extra_contact_info", a.ExtraContact)
	x.need("report_id", a.ID)
	if a.Begin.IsZero() || a.End.Before(a.Begin) {
		x.fail("the dates are missing or in the wrong order")
	}
	x.open("date_range")
	x.leaf("begin", seconds(a.Begin))
	x.leaf("end", seconds(a.End))
	x.close("date_range")
	for _, e := range a.Errors {
		x.leaf("error", e)
	}
	x.leaf("generator", a.Generator)
	x.close("report_metadata")
}

func (x *xmlWriter) published(p *Published) {
	x.open("policy_published")
	x.need("domain", p.Domain)
	x.needWord("p", p.P, "none", policies)
	x.word("sp", p.SP, policies)
	x.word("np", p.NP, policies)
	x.word("adkim", p.ADKIM, alignments)
	x.word("aspf", p.ASPF, alignments)
	x.word("discovery_method", p.Discovery, discoveries)
	x.leaf("fo", p.FO)
	x.word("testing", p.Testing, yesNo)
	x.close("policy_published")
}

func (x *xmlWriter) record(r *Record) {
	x.open("record")
	x.open("row")
	if !r.Source.IsValid() || r.Source.Zone() != "" || r.Count <= 0 {
		x.fail("a record without source or count")
	}
	x.leaf("source_ip", r.Source.Unmap().String())
	x.leaf("count", strconv.Itoa(r.Count))
	x.open("policy_evaluated")
	x.needWord("disposition", r.Disposition, "none", dispositions)
	x.needWord("dkim", r.DKIM, "fail", outcomes)
	x.needWord("spf", r.SPF, "fail", outcomes)
	for _, o := range r.Overrides {
		x.open("reason")
		x.needWord("type", o.Type, "other", currentOverrides)
		x.leaf("comment", o.Comment)
		x.close("reason")
	}
	x.close("policy_evaluated")
	x.close("row")
	x.open("identifiers")
	x.need("header_from", r.HeaderFrom)
	x.leaf("envelope_from", r.EnvelopeFrom)
	x.leaf("envelope_to", r.EnvelopeTo)
	x.close("identifiers")
	x.authResults(r)
	x.close("record")
}

func (x *xmlWriter) authResults(r *Record) {
	x.open("auth_results")
	for _, d := range r.AuthDKIM {
		x.open("dkim")
		x.need("domain", d.Domain)
		x.need("selector", d.Selector)
		x.needWord("result", d.Result, "none", dkimResults)
		x.leaf("human_result", d.Human)
		x.close("dkim")
	}
	for i, s := range r.AuthSPF {
		if i > 0 {
			x.fail("several SPF results") // RFC 9990: the MAIL FROM identity alone
		}
		x.open("spf")
		x.need("domain", s.Domain)
		x.word("scope", s.Scope, scopes)
		x.needWord("result", s.Result, "none", spfResults)
		x.leaf("human_result", s.Human)
		x.close("spf")
	}
	x.close("auth_results")
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// Filename is the name of a report's file (RFC 9990 3.5.2): receiver, policy
// domain, begin, end, and a unique word where one is given. Add ".gz" for a
// compressed one.
func (a *Aggregate) Filename(receiver, unique string) string {
	name := nameWord(receiver) + "!" + nameWord(a.Policy.Domain) + "!" + seconds(a.Begin) + "!" + seconds(a.End)
	if unique != "" {
		name += "!" + nameWord(unique)
	}
	return name + ".xml"
}

// Subject is the subject of the message that carries a report (RFC 9990 3.5.2).
func (a *Aggregate) Subject(submitter string) string {
	return "Report Domain: " + nameWord(a.Policy.Domain) + " Submitter: " + nameWord(submitter) + " Report-ID: <" + nameWord(a.ID) + ">"
}

// nameWord keeps what is safe in a file name and a header field.
func nameWord(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_' || r == '@' {
			return r
		}
		return -1
	}, s)
}
