package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/message/charset"
)

// Bounds on the XML beside Limits.
const (
	maxDepth    = 32
	maxLists    = 100 // overrides and results of one record
	maxCount    = 1 << 40
	maxProblems = 16
)

// ParseAggregate reads an aggregate report in any of its forms; namespaces and
// unknown elements are read over. Damage that a lenient reader can pass is
// passed; XML that breaks off is an error.
func ParseAggregate(b []byte, l Limits) (*Aggregate, error) {
	l = l.withDefaults()
	if len(b) > l.Bytes {
		return nil, fmt.Errorf("%w: %d octets", ErrTooLarge, len(b))
	}
	d := xml.NewDecoder(bytes.NewReader(utf8Text(b)))
	d.Strict = false // stray ampersands; no entity is ever expanded
	d.CharsetReader = func(label string, r io.Reader) (io.Reader, error) {
		if !charset.Known(label) {
			return nil, fmt.Errorf("unknown charset %.40q", label)
		}
		rest, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		text, _ := charset.Decode(label, rest)
		return strings.NewReader(text), nil
	}
	p := aggregateParser{l: l}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && p.closed { // what follows the report doesn't matter
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: XML: %w", ErrFormat, err)
		}
		if err := p.token(t); err != nil {
			return nil, err
		}
	}
	if !p.root {
		return nil, fmt.Errorf("%w: no feedback element", ErrFormat)
	}
	if !p.metadata && len(p.a.Records) == 0 {
		return nil, fmt.Errorf("%w: neither metadata nor records", ErrFormat)
	}
	return &p.a, nil
}

// utf8Text makes the document valid UTF-8 where it claims to be UTF-8.
func utf8Text(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		text, _ := charset.Decode("utf-16", b)
		return []byte(text)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	b = bytes.TrimLeft(b, " \t\r\n")
	if utf8.Valid(b) {
		return b
	}
	head := strings.ToLower(string(b[:min(len(b), 200)]))
	if i := strings.Index(head, "encoding="); i >= 0 && !strings.HasPrefix(strings.TrimLeft(head[i+9:], `"'`), "utf-8") {
		return b
	}
	return bytes.ToValidUTF8(b, []byte("\uFFFD"))
}

type aggregateParser struct {
	l        Limits
	a        Aggregate
	root     bool
	metadata bool
	closed   bool // the feedback element has ended
	path     []string
	text     []byte // of the innermost element, up to Limits.Text
	leaf     bool   // no child was met since it opened
	record   *Record
}

func (p *aggregateParser) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.StartElement:
		name := strings.ToLower(t.Name.Local)
		switch {
		case len(p.path) >= maxDepth:
			return fmt.Errorf("%w: XML nests deeper than %d", ErrTooLarge, maxDepth)
		case p.closed:
			return nil
		case name == "feedback" && !p.root:
			p.root, p.a.Namespace = true, clip(t.Name.Space, p.l.Text)
		case !p.root && len(p.path) > 0: // some wrap the report into one element
			return fmt.Errorf("%w: no feedback in %.40q", ErrFormat, p.path[0])
		}
		p.path = append(p.path, name)
		p.text, p.leaf = p.text[:0], true
		return p.open(name)
	case xml.EndElement:
		if len(p.path) == 0 || p.closed {
			return nil
		}
		name := p.path[len(p.path)-1]
		if p.leaf {
			p.set(p.up(1), name, strings.TrimSpace(strings.ToValidUTF8(string(p.text), "")))
		}
		p.path, p.leaf, p.text = p.path[:len(p.path)-1], false, p.text[:0]
		switch name {
		case "record":
			p.record = nil
		case "feedback":
			p.closed = true
		}
	case xml.CharData:
		if n := p.l.Text - len(p.text); n > 0 && p.leaf {
			p.text = append(p.text, t[:min(len(t), n)]...)
		}
	}
	return nil
}

// up is the name of the element n levels above the innermost, "" above the root.
func (p *aggregateParser) up(n int) string {
	if i := len(p.path) - 1 - n; i >= 0 {
		return p.path[i]
	}
	return ""
}

// open makes room for what an element will hold.
func (p *aggregateParser) open(name string) error {
	switch parent := p.up(1); {
	case name == "record" && parent == "feedback":
		if len(p.a.Records) >= p.l.Records {
			return fmt.Errorf("%w: more than %d records", ErrTooLarge, p.l.Records)
		}
		p.a.Records = append(p.a.Records, Record{})
		p.record = &p.a.Records[len(p.a.Records)-1]
	case name == "report_metadata":
		p.metadata = true
	case p.record == nil:
	case name == "reason" && parent == "policy_evaluated" && len(p.record.Overrides) < maxLists:
		p.record.Overrides = append(p.record.Overrides, Override{})
	case name == "dkim" && parent == "auth_results" && len(p.record.AuthDKIM) < maxLists:
		p.record.AuthDKIM = append(p.record.AuthDKIM, AuthDKIM{})
	case name == "spf" && parent == "auth_results" && len(p.record.AuthSPF) < maxLists:
		p.record.AuthSPF = append(p.record.AuthSPF, AuthSPF{})
	}
	return nil
}

// set takes the text of a leaf.
func (p *aggregateParser) set(parent, name, v string) {
	switch parent {
	case "feedback":
		if name == "version" {
			p.a.Version = v
		}
	case "report_metadata", "date_range":
		p.setMetadata(name, v)
	case "policy_published":
		p.setPolicy(name, v)
	}
	if p.record != nil {
		p.setRecord(parent, name, v)
	}
}

func (p *aggregateParser) setMetadata(name, v string) {
	switch name {
	case "org_name":
		p.a.Org = v
	case "email":
		p.a.Email = v
	case "extra_contact_info":
		p.a.ExtraContact = v
	case "report_id":
		p.a.ID = v
	case "begin":
		p.a.Begin = p.time(v)
	case "end":
		p.a.End = p.time(v)
	case "generator":
		p.a.Generator = v
	case "error":
		if len(p.a.Errors) < maxLists && v != "" {
			p.a.Errors = append(p.a.Errors, v)
		}
	}
}

func (p *aggregateParser) setPolicy(name, v string) {
	q := &p.a.Policy
	switch name {
	case "domain":
		q.Domain = v
	case "p":
		q.P = p.word(policies, name, v)
	case "sp":
		q.SP = p.word(policies, name, v)
	case "np":
		q.NP = p.word(policies, name, v)
	case "adkim":
		q.ADKIM = p.word(alignments, name, v)
	case "aspf":
		q.ASPF = p.word(alignments, name, v)
	case "fo":
		q.FO = v
	case "testing":
		q.Testing = p.word(yesNo, name, v)
	case "discovery_method":
		q.Discovery = p.word(discoveries, name, v)
	case "pct":
		q.Percent = v
	}
}

func (p *aggregateParser) setRecord(parent, name, v string) {
	r := p.record
	switch parent {
	case "row":
		switch name {
		case "source_ip":
			addr, err := netip.ParseAddr(v)
			if err != nil || addr.Zone() != "" {
				p.problem("source_ip", v)
				return
			}
			r.Source = addr
		case "count":
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil || n < 0 || n > maxCount {
				p.problem("count", v)
				return
			}
			r.Count = int(n)
		}
	case "policy_evaluated":
		switch name {
		case "disposition":
			r.Disposition = p.word(dispositions, name, v)
		case "dkim":
			r.DKIM = p.word(outcomes, name, v)
		case "spf":
			r.SPF = p.word(outcomes, name, v)
		}
	case "reason":
		if n := len(r.Overrides); n > 0 && p.up(2) == "policy_evaluated" {
			switch o := &r.Overrides[n-1]; name {
			case "type":
				o.Type = p.word(overrides, name, v)
			case "comment":
				o.Comment = v
			}
		}
	case "identifiers", "identities": // the latter in early reports
		switch name {
		case "header_from":
			r.HeaderFrom = v
		case "envelope_from":
			r.EnvelopeFrom = v
		case "envelope_to":
			r.EnvelopeTo = v
		}
	case "dkim", "spf":
		if p.up(2) == "auth_results" {
			p.setAuth(parent, name, v)
		}
	}
}

func (p *aggregateParser) setAuth(method, name, v string) {
	if n := len(p.record.AuthDKIM); method == "dkim" && n > 0 {
		switch d := &p.record.AuthDKIM[n-1]; name {
		case "domain":
			d.Domain = v
		case "selector":
			d.Selector = v
		case "result":
			d.Result = p.word(dkimResults, name, v)
		case "human_result":
			d.Human = v
		}
	}
	if n := len(p.record.AuthSPF); method == "spf" && n > 0 {
		switch s := &p.record.AuthSPF[n-1]; name {
		case "domain":
			s.Domain = v
		case "scope":
			s.Scope = p.word(scopes, name, v)
		case "result":
			s.Result = p.word(spfResults, name, v)
		case "human_result":
			s.Human = v
		}
	}
}

// word takes a word of a fixed set, in any case; another one is noted and dropped.
func (p *aggregateParser) word(set map[string]bool, name, v string) string {
	w := strings.ToLower(v)
	if set[w] {
		return w
	}
	if o := older[w]; o != "" && set[o] {
		return o
	}
	if v != "" {
		p.problem(name, v)
	}
	return ""
}

func (p *aggregateParser) problem(name, v string) {
	if len(p.a.Problems) < maxProblems {
		p.a.Problems = append(p.a.Problems, fmt.Sprintf("%s %.60q", name, v))
	}
}

// time reads seconds since 1970, or the dates that some reporters write.
func (p *aggregateParser) time(v string) time.Time {
	whole, _, _ := strings.Cut(v, ".")
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil && n >= 0 && n < 1<<36 {
		return time.Unix(n, 0).UTC()
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC()
		}
	}
	if v != "" {
		p.problem("time", v)
	}
	return time.Time{}
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
