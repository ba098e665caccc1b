// Package complaint reads what a user's mail program, or another system, sends to
// a report address: which messages it is about, and whether they were wanted.
//
// Three forms carry the message itself and can be learned from: messages forwarded
// as attachments, abuse reports (ARF, RFC 5965; not-spam: RFC 6430), and XARF files
// with a message as evidence. Everything else gets an answer that says what to do.
//
// Read believes nothing that it reads about who sends: [Who] decides that from what
// the caller can prove.
package complaint

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/mailauth/report"
	"sluice/message"
	"sluice/message/header"
	"sluice/reason"
)

// Limits bound the work of reading one report. Zero fields take the default.
type Limits struct {
	Messages int // originals that are taken; more are counted
	Bytes    int // of one original; a longer one is left out
	Total    int // of all originals
}

// DefaultLimits fit a morning's worth of spam.
func DefaultLimits() Limits { return Limits{Messages: 20, Bytes: 25 << 20, Total: 50 << 20} }

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ to, from *int }{{&l.Messages, &d.Messages}, {&l.Bytes, &d.Bytes}, {&l.Total, &d.Total}} {
		if *f.to <= 0 {
			*f.to = *f.from
		}
	}
	return l
}

// Form is how a report carries what it is about.
type Form string

// The forms.
const (
	Attached Form = "attached" // one or several attached messages
	ARF      Form = "arf"      // RFC 5965
	XARF     Form = "xarf"     // a JSON file, XARF 3 or 4
	Inline   Form = "inline"   // quoted in the text: nothing to learn from
	None     Form = "none"
)

// Config says what reading needs to know of this site.
type Config struct {
	Limits
	// Hostname is the authserv-id under which our own fields stand on top of what
	// we delivered.
	Hostname string
	// SubjectTag is what we put before the subject of suspicious mail; "" for none.
	SubjectTag string
	// Restore takes off what we wrote into messages for their readers: banners, links of
	// ours. nil: nothing is.
	Restore func(m *message.Message) []rewrite.Change
}

// Complaint is what a report says.
type Complaint struct {
	Form Form
	// Told says that the report itself tells whether the messages were wanted, by
	// its feedback type; then Spam and Threat are set. Else the address counts that
	// it was sent to.
	Told   bool
	Spam   bool
	Threat sluice.Threat
	// Originals are the messages that it is about, as near to how they came as can
	// be told.
	Originals []Original
	// Left counts attached messages beyond the limits.
	Left int
	// Unreadable names attached files that may hold a message in a form from which
	// it can't be had: hostile text, at most a few.
	Unreadable []string
	// Type is the feedback type of ARF, or category/type of XARF, as sent.
	Type string
	// To are the recipients that the report names (Original-Rcpt-To).
	To []string
	// Source is the address that it says the mail, or the attack, came from, and At
	// when: both may be missing.
	Source netip.Addr
	At     time.Time
	// MessageID is named by a report that needn't carry the message (XARF 4).
	MessageID string
}

// Original is one message that a report is about.
type Original struct {
	Raw []byte // CRLF or LF line ends, as attached
	// Attached is the same with what was put on top of it, fields of ours among them.
	Attached []byte
	// HeaderOnly originals have no body: they can only be looked up.
	HeaderOnly bool
	MessageID  string // with its angle brackets, as written; "" without one
	// ID is the id under which we delivered it, by the trace fields that we put on
	// top. Whoever attaches a message can write them: compare the Message-ID with
	// the log's before believing it.
	ID string
}

// maxNames bounds Unreadable, maxTo To.
const (
	maxNames = 5
	maxTo    = 20
)

// Read reads a report. It never fails: what holds nothing to learn from is
// [Inline] or [None].
func Read(m *message.Message, c Config) *Complaint {
	r := &reader{cfg: c, lim: c.withDefaults(), out: &Complaint{Form: None}}
	r.walk(m)
	if len(r.out.Originals) == 0 && r.out.Form == Attached {
		r.out.Form = None // all were beyond the limits
	}
	if r.out.Form == None && r.out.Left == 0 && len(r.out.Unreadable) == 0 && quotes(m) {
		r.out.Form = Inline
	}
	return r.out
}

// Problem is the reason why nothing can be learned, "" where something can. byAddress
// says whether the address that the report went to tells spam from ham.
func (c *Complaint) Problem(byAddress bool) sluice.Reason {
	whole := slices.ContainsFunc(c.Originals, func(o Original) bool { return !o.HeaderOnly })
	switch {
	case c.silent(), !c.Told && !byAddress:
		return reason.ReportUnclear
	case whole:
		return ""
	case len(c.Originals) > 0:
		return reason.ReportHeaderOnly
	case len(c.Unreadable) > 0 || c.Left > 0:
		return reason.ReportUnreadable
	case c.Form == Inline:
		return reason.ReportInline
	}
	return reason.ReportEmpty
}

// silent says whether the report is of a kind that means something else than wanted
// or unwanted, whatever address it went to.
func (c *Complaint) silent() bool {
	switch c.Type {
	case "opt-out", "opt-out-list", "auth-failure", "dmarc": // the first two: drafts of RFC 5965; RFC 6591; RFC 9991
		return c.Form == ARF
	}
	return false
}

// reader walks one report.
type reader struct {
	cfg   Config
	lim   Limits
	out   *Complaint
	total int
}

// walk looks at every part of the report but those inside the messages that it is
// about. Multiparts under a transfer encoding count: some clients send them so.
func (r *reader) walk(m *message.Message) {
	todo := []*message.Message{m}
	for len(todo) > 0 {
		cur := todo[0]
		todo = todo[1:]
		var inside []int // indexes of messages that are taken
		for _, p := range cur.Parts {
			if p.Ghost || p.Parent != nil && slices.Contains(inside, p.Parent.Index) {
				if !p.Ghost {
					inside = append(inside, p.Index)
				}
				continue
			}
			if p.IsMessage() {
				inside = append(inside, p.Index)
			}
			r.part(cur, p)
			if p.IsMultipart() {
				if in := cur.Inner(p); in != nil && len(todo) < 4 { // parsed within the limits of cur
					todo = append(todo, in)
				}
			}
		}
	}
}

// part looks at one part.
func (r *reader) part(m *message.Message, p *message.Part) {
	name := strings.ToLower(p.Filename)
	switch {
	case p.IsMultipart():
	case p.Type == "message/feedback-report":
		r.feedback(m.Decoded(p))
	case p.Type == "text/rfc822-headers", p.Type == "message/rfc822-headers", p.Type == "text/rfc822-header": // RFC 6522 4; the others are written all the same
		r.add(m.Decoded(p), true)
	case p.IsMessage(), p.Type == "text/rfc822":
		r.add(m.Decoded(p), false)
	case p.Type == "application/ms-tnef", p.Type == "application/vnd.ms-tnef", name == "winmail.dat",
		p.Type == "application/vnd.ms-outlook", hasSuffix(name, ".msg"),
		p.Type == "application/pkcs7-mime", p.Type == "application/x-pkcs7-mime", p.Type == "application/pgp-encrypted",
		p.Type == "application/zip", hasSuffix(name, ".zip"):
		if len(r.out.Unreadable) < maxNames {
			r.out.Unreadable = append(r.out.Unreadable, header.Clip(cmp.Or(p.Filename, p.Type)))
		}
	case p.Type == "application/json" && strings.Contains(name, "xarf"), p.Type == "application/xarf+json", name == "xarf.json":
		r.xarf(m.Decoded(p))
	case hasSuffix(name, ".eml"):
		// Mail programs that don't know the type send it as octets or text.
		if b := m.Decoded(p); isMessage(b) {
			r.add(b, false)
		}
	}
}

// hasSuffix is for names in lower case, with the blanks and dots that some systems
// add.
func hasSuffix(name, suffix string) bool {
	return strings.HasSuffix(strings.TrimRight(name, " ."), suffix)
}

// add takes a message.
func (r *reader) add(b []byte, headerOnly bool) {
	if r.out.Form == None {
		r.out.Form = Attached
	}
	if !headerOnly && !isMessage(b) {
		return
	}
	if len(b) > r.lim.Bytes || len(r.out.Originals) >= r.lim.Messages || r.total+len(b) > r.lim.Total {
		r.out.Left++
		return
	}
	r.total += len(b)
	r.out.Originals = append(r.out.Originals, r.cfg.original(b, headerOnly))
}

// known are the fields of which a message has some.
var known = []string{"from", "date", "subject", "to", "received", "message-id", "mime-version", "return-path", "content-type", "delivered-to"}

// isMessage says whether b begins with a header of two fields that messages have.
func isMessage(b []byte) bool {
	b = bytes.TrimLeft(b, "\r\n")
	if bytes.HasPrefix(b, []byte("From ")) { // an mbox's first line
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	var seen [16]bool
	n := 0
	for range 200 {
		i := bytes.IndexByte(b, '\n')
		line := b
		if i >= 0 {
			line = b[:i]
		}
		if j := bytes.IndexByte(line, ':'); j > 0 && j < 20 {
			k := slices.Index(known, header.Lower(string(bytes.TrimRight(line[:j], " \t"))))
			if k >= 0 && !seen[k] {
				seen[k] = true
				if n++; n == 2 {
					return true
				}
			}
		}
		if i < 0 || len(bytes.TrimSpace(line)) == 0 {
			break
		}
		b = b[i+1:]
	}
	return false
}

// feedback reads the machine's part of an ARF report.
func (r *reader) feedback(b []byte) {
	f, err := report.ParseFeedback(b)
	if err != nil || r.out.Type != "" {
		return // without it the attached message still counts, as the address says
	}
	r.out.Form, r.out.Type = ARF, header.Clip(f.Type)
	r.out.Source, r.out.At = f.SourceIP.Unmap(), f.Arrival
	for _, to := range f.RcptTo {
		if len(r.out.To) < maxTo {
			r.out.To = append(r.out.To, strings.Trim(to, "<> "))
		}
	}
	r.tell(feedbackTypes[f.Type])
}

// told is what a type of report says.
type told struct {
	known, spam bool
	threat      sluice.Threat
}

// tell takes what the report itself says.
func (r *reader) tell(t told) {
	r.out.Told, r.out.Spam, r.out.Threat = t.known, t.spam, t.threat
}

// feedbackTypes are those that say something of the message (RFC 5965 7.3, RFC 6430).
// "other" leaves it to the address.
var feedbackTypes = map[string]told{
	"abuse":    {true, true, sluice.ThreatSpam},
	"fraud":    {true, true, sluice.ThreatPhish},
	"virus":    {true, true, sluice.ThreatMalware},
	"not-spam": {true, false, sluice.ThreatNone},
}
