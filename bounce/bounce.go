// Package bounce reads what mail servers send back: delivery status
// notifications (RFC 3464), and the notices of programs that came before the
// standard or don't care for it; and it tells them from automatic answers (RFC
// 3834), disposition notifications (RFC 8098) and abuse reports (RFC 5965).
//
// The machine's part is read first, then the text for people, by one reader that
// knows the shapes such notices have rather than by one parser for each program.
// What a receiver said is classified by package reply.
//
// A bounce proves nothing by itself: anybody can write one. Whether the mail it
// speaks of was ours is for the caller to decide, from Original.
package bounce

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"sluice/message"
	"sluice/message/header"
	"sluice/reply"
)

// Kind says what sort of automatic mail it is.
type Kind string

// The kinds.
const (
	None        Kind = "none"        // no automatic mail, as far as can be seen
	Failure     Kind = "failure"     // at least one recipient failed for good
	Delay       Kind = "delay"       // not delivered yet, still trying
	Success     Kind = "success"     // delivered, relayed or expanded, as asked for
	AutoReply   Kind = "auto_reply"  // vacation and the like
	Disposition Kind = "disposition" // read or deleted (MDN)
	Feedback    Kind = "feedback"    // an abuse report (ARF)
)

// Limits bound the work. Zero fields take the default.
type Limits struct {
	Recipients int // of one notice; more are counted
	Text       int // octets of the notice for people
	Lines      int
}

// DefaultLimits fit every honest notice.
func DefaultLimits() Limits { return Limits{Recipients: 500, Text: 64 << 10, Lines: 2000} }

// Config says what reading needs to know.
type Config struct {
	Limits
	// TraceField is the header field by which this site knows its own mail again;
	// its value in the returned message comes back in Original.Trace.
	TraceField string
}

// Bounce is what a notice says. All strings are hostile.
type Bounce struct {
	Kind       Kind        `json:"kind"`
	Format     string      `json:"format"`             // "dsn", or the program whose notice it looks like, "text" where unknown
	Reporter   string      `json:"reporter,omitempty"` // the host that reports
	Recipients []Recipient `json:"recipients,omitempty"`
	Left       int         `json:"left,omitempty"` // recipients beyond the limit
	Original   Original    `json:"original"`
}

// Recipient is what became of the mail for one address.
type Recipient struct {
	Address   string       `json:"address"`             // the address that failed, as the reporter knows it; "" where it says none
	Asked     string       `json:"asked,omitempty"`     // the address that the sender wrote, where it differs
	Action    string       `json:"action"`              // RFC 3464 2.3.3: failed, delayed, delivered, relayed, expanded
	Status    string       `json:"status"`              // RFC 3463, worked out where it isn't written
	Written   string       `json:"written,omitempty"`   // the Status field as it stands
	Remote    string       `json:"remote,omitempty"`    // the host that said it
	Command   string       `json:"command,omitempty"`   // what it answered: "RCPT", "DATA", …
	Said      string       `json:"said,omitempty"`      // what it said, clipped
	Answer    reply.Answer `json:"answer"`              // what that means
	Guessed   bool         `json:"guessed,omitempty"`   // the address was taken from the returned message
	Suggested string       `json:"suggested,omitempty"` // another address that the reply names
}

// Original is what came back of the mail itself: the hook by which a site finds
// out whether it sent it. A notice without one, or whose Message-ID and trace
// were never given out, is about mail that somebody forged.
type Original struct {
	Returned   bool     `json:"returned"` // the message or its header came back
	MessageID  string   `json:"message_id,omitempty"`
	EnvelopeID string   `json:"envelope_id,omitempty"` // RFC 3461 4.4
	From       string   `json:"from,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	Recipients []string `json:"recipients,omitempty"` // To and Cc, at most 100
	Trace      string   `json:"trace,omitempty"`      // Config.TraceField
}

// maxTrace bounds the site's own field; what is longer isn't ours.
const maxTrace = 500

// maxSaid bounds what is kept of a receiver's words.
const maxSaid = 2048

// Parse reads a stored message. Mail whose lines end with bare CR, as one old
// system wrote them, is read too.
func Parse(raw []byte, c Config) *Bounce {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') >= 0 {
		raw = bytes.ReplaceAll(raw, []byte{'\r'}, []byte{'\n'})
	}
	return Read(message.Parse(raw, message.Limits{}), c)
}

// Read reads a parsed message. It never fails: what isn't a notice is None.
func Read(m *message.Message, c Config) *Bounce {
	r := newReader(m, c)
	r.original()
	switch {
	case r.feedback || r.complaint():
		r.b.Kind, r.b.Format = Feedback, "arf"
	case r.disposition:
		r.b.Kind, r.b.Format = Disposition, "mdn"
	case len(r.groups) > 0:
		r.b.Format = r.format()
		r.status()
	case r.amazon():
	case r.looksLikeNotice():
		r.b.Format = r.format()
		r.text()
	case r.looksLikeAnswer():
		r.b.Kind, r.b.Format = AutoReply, "rfc3834"
	}
	return r.b
}

// Returned is the header of the message that a notice gives back, as an attached message,
// as header fields alone, or below the text for people; ok is false where it gives none.
// Whoever looks for a field of the own site there has to look at all of that name: what
// comes back may have been made up, or hold another's beside it.
func Returned(m *message.Message, c Config) (h header.Header, ok bool) {
	if r := newReader(m, c); r.returned != nil {
		return *r.returned, true
	}
	return header.Header{}, false
}

// newReader finds the parts of a notice.
func newReader(m *message.Message, c Config) *reader {
	d := DefaultLimits()
	for _, f := range []struct{ to, from *int }{{&c.Recipients, &d.Recipients}, {&c.Text, &d.Text}, {&c.Lines, &d.Lines}} {
		if *f.to <= 0 {
			*f.to = *f.from
		}
	}
	r := &reader{m: m, c: c, b: &Bounce{Kind: None}}
	r.parts()
	return r
}

// reader holds what the steps of reading share.
type reader struct {
	m *message.Message
	c Config
	b *Bounce

	notice      []string        // lines of the text for people, up to the returned message
	lower       []string        // the same in lower case, without the space around
	returned    *header.Header  // of the returned message
	groups      []header.Header // recipients' fields of the delivery status
	feedback    bool
	disposition bool
}

// parts finds the notice, the machine's part and the returned message among the
// parts outside of embedded messages.
func (r *reader) parts() {
	var text strings.Builder
	inner := map[*message.Part]bool{}
	for _, p := range r.m.Parts {
		if p.Ghost || p.Parent != nil && inner[p.Parent] || p.Embedded && p.Parent != nil {
			inner[p] = true
			if p.Embedded && r.returned == nil && !(p.Parent != nil && inner[p.Parent]) {
				h := p.Header
				r.returned = &h
			}
			continue
		}
		switch t := p.Type; {
		case t == "message/feedback-report":
			r.feedback = true
		case t == "message/disposition-notification" || t == "message/global-disposition-notification":
			r.disposition = true
			r.receipt(r.m.Decoded(p))
		case t == "message/delivery-status" || t == "message/global-delivery-status":
			r.fields(r.m.Decoded(p))
		case t == "text/rfc822-headers" || t == "message/rfc822-headers" || t == "message/global-headers":
			r.block(string(r.m.Decoded(p)))
		case strings.HasPrefix(t, "text/plain") && text.Len() < r.c.Text:
			text.WriteString(r.m.Text(p))
			text.WriteByte('\n')
		}
	}
	s := text.String()
	if strings.TrimSpace(s) == "" {
		s = r.m.View().Text
	}
	r.take(s)
}

// receipt takes the message's id out of a disposition notification (RFC 8098 3.2.5).
func (r *reader) receipt(body []byte) {
	h, _ := header.Parse(bytes.TrimLeft(body, "\r\n"), 0, 100)
	if id := h.Get("Original-Message-Id"); id != "" {
		r.b.Original.MessageID = header.Clip(strings.Trim(id, "<> "))
	}
}

// block takes a header block as that of the returned message, unless there is one.
func (r *reader) block(s string) {
	if r.returned != nil {
		return
	}
	s = strings.TrimLeft(s, "\r\n")
	if i := strings.Index(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n"); i >= 0 {
		s = strings.ReplaceAll(s, "\r\n", "\n")[:i]
	}
	if h, _ := header.Parse([]byte(s), 0, 500); len(h.Fields) > 0 {
		r.returned = &h
	}
}

// original fills in what came back.
func (r *reader) original() {
	o := &r.b.Original
	if h := r.returned; h != nil {
		o.Returned = true
		o.MessageID = header.Clip(strings.Trim(h.Get("Message-Id"), "<> \t"))
		o.Subject = header.Clip(h.Decoded("Subject"))
		if r.c.TraceField != "" {
			o.Trace = clip(h.Get(r.c.TraceField), maxTrace)
		}
		if from, _ := header.ParseAddressList(h.Get("From")); len(from) > 0 {
			o.From = from[0].String()
		}
		for _, f := range []string{"To", "Cc", "X-Original-To", "Apparently-To"} {
			list, _ := header.ParseAddressList(h.Get(f))
			for _, a := range list {
				if a.Domain != "" && len(o.Recipients) < 100 && !slices.Contains(o.Recipients, a.String()) {
					o.Recipients = append(o.Recipients, a.String())
				}
			}
		}
	}
	if o.MessageID == "" {
		root := r.m.Header()
		for _, f := range []string{"X-Original-Message-Id", "In-Reply-To", "References"} {
			if ids := strings.Fields(root.Get(f)); len(ids) > 0 {
				o.MessageID = header.Clip(strings.Trim(ids[len(ids)-1], "<>"))
				return
			}
		}
	}
}

// actionKind is the kind of a notice by what it says of its recipients.
func (r *reader) actionKind() Kind {
	kind := Success
	for _, rc := range r.b.Recipients {
		switch rc.Action {
		case "failed":
			return Failure
		case "delayed":
			kind = Delay
		}
	}
	return kind
}

// finish works out status, action and class of one recipient from what was said.
func (r *reader) finish(rc *Recipient, answer reply.Answer) {
	rc.Answer = answer
	rc.Said = clip(rc.Said, maxSaid)
	if rc.Command == "" {
		rc.Command = reply.Command(rc.Said)
	}
	if rc.Action == "" {
		rc.Action = "failed"
		if r.delayed() {
			rc.Action = "delayed"
		}
	}
	if answer.Code == 0 && rc.Action == "delayed" {
		rc.Answer.Temporary = true
	}
	rc.Status = better(rc, answer)
	if answer.Likely == reply.Moved {
		rc.Suggested = firstAddress(strings.NewReplacer(cmp.Or(rc.Address, " "), " ", cmp.Or(rc.Asked, " "), " ").Replace(rc.Said))
	}
	if rc.Asked == rc.Address {
		rc.Asked = ""
	}
}

// better chooses between the reply's own code and the Status field, which the
// reporter made up where it didn't look at the reply: a code that names a thing
// beats one that names none.
func better(rc *Recipient, a reply.Answer) string {
	w := firstStatus(rc.Written)
	_, e := reply.Codes(rc.Said)
	switch {
	case e != "" && !reply.Vague(e) && e[0] != '2':
		return e
	case w != "" && !reply.Vague(w):
		return w
	case e != "" && e[0] != '2':
		return e
	case w != "":
		return w
	case e != "":
		return e
	}
	// Without a code the reporter decides: who gave up means never.
	a.Temporary = rc.Action == "delayed" || a.Code/100 == 4
	return reply.StatusOf(a)
}

// firstStatus is the enhanced code that a Status field begins with.
func firstStatus(s string) string {
	_, e := reply.Codes(s)
	return e
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD")
}
