package report

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sluice/mailauth/authres"
	"sluice/message"
	"sluice/message/header"
)

// Feedback is an abuse report (ARF, RFC 5965) or an authentication failure report
// (RFC 6591, RFC 9991).
type Feedback struct {
	Type       string // lower case: abuse, fraud, virus, other, not-spam, auth-failure
	UserAgent  string
	Version    string
	EnvelopeID string
	MailFrom   string
	RcptTo     []string
	Arrival    time.Time // zero where not given or not readable
	MTA        string    // Reporting-MTA
	SourceIP   netip.Addr
	SourcePort int
	Incidents  int // 1 where not given
	Auth       []authres.Field
	Domains    []string // Reported-Domain
	URIs       []string // Reported-URI

	// Of failure reports (RFC 6591 3, RFC 9991 4).
	AuthFailure     string // adsp, bodyhash, revoked, signature, spf, dmarc
	Delivery        string // delivered, spam, policy, reject, other
	Alignment       string // Identity-Alignment: none, spf, dkim, or a list of them
	DKIMDomain      string
	DKIMIdentity    string
	DKIMSelector    string
	DKIMSelectorDNS string
	SPFDNS          string
	DKIMHeader      string // DKIM-Canonicalized-Header, in base64 as sent
	DKIMBody        string

	// Original is the reported message, or its header: what follows the feedback
	// part. OnlyHeader says which.
	Original   []byte
	OnlyHeader bool
	// Subject, From and MessageID are the original's, decoded.
	Subject, From, MessageID string
}

// Bounds on the feedback part.
const (
	maxFeedback = 256 << 10
	maxFields   = 500
)

// ParseFeedback reads the body of a message/feedback-report part.
func ParseFeedback(b []byte) (*Feedback, error) {
	if len(b) > maxFeedback {
		return nil, fmt.Errorf("%w: a feedback part of %d octets", ErrTooLarge, len(b))
	}
	h, _ := header.Parse([]byte(strings.TrimLeft(string(b), "\r\n")), 0, maxFields)
	f := &Feedback{Incidents: 1}
	for i := range h.Fields {
		f.field(&h.Fields[i])
	}
	if f.Type == "" { // RFC 5965 3.1: required
		return nil, fmt.Errorf("%w: no Feedback-Type", ErrFormat)
	}
	return f, nil
}

func (f *Feedback) field(h *header.Field) {
	v := clip(header.DecodeWords(h.Value), 4<<10)
	once := func(to *string) {
		if *to == "" {
			*to = v
		}
	}
	many := func(to *[]string) {
		if len(*to) < maxLists {
			*to = append(*to, v)
		}
	}
	switch header.Lower(h.Name) {
	case "feedback-type":
		if f.Type == "" {
			f.Type = firstWord(v)
		}
	case "user-agent":
		once(&f.UserAgent)
	case "version":
		once(&f.Version)
	case "original-envelope-id":
		once(&f.EnvelopeID)
	case "original-mail-from":
		once(&f.MailFrom)
	case "original-rcpt-to":
		many(&f.RcptTo)
	case "arrival-date", "received-date": // the latter in drafts
		if f.Arrival.IsZero() {
			f.Arrival = date(v)
		}
	case "reporting-mta":
		if kind, mta, ok := strings.Cut(v, ";"); ok && header.EqualFold(strings.TrimSpace(kind), "dns") { // RFC 3464 2.1.2
			v = strings.TrimSpace(mta)
		}
		once(&f.MTA)
	case "source-ip":
		f.source(v)
	case "source-port":
		if n, err := strconv.Atoi(firstWord(v)); err == nil && n > 0 && n < 1<<16 {
			f.SourcePort = n
		}
	case "incidents":
		if n, err := strconv.Atoi(firstWord(v)); err == nil && n > 0 && n < 1<<31 {
			f.Incidents = n
		}
	case "authentication-results":
		if a, err := authres.Parse(h.Value); err == nil && len(f.Auth) < maxLists {
			f.Auth = append(f.Auth, a)
		}
	case "reported-domain":
		many(&f.Domains)
	case "reported-uri":
		many(&f.URIs)
	default:
		f.failure(h, v, once)
	}
}

// failure reads the fields of failure reports.
func (f *Feedback) failure(h *header.Field, v string, once func(*string)) {
	switch header.Lower(h.Name) {
	case "auth-failure":
		if f.AuthFailure == "" {
			f.AuthFailure = firstWord(v)
		}
	case "delivery-result":
		if f.Delivery == "" {
			f.Delivery = firstWord(v)
		}
	case "identity-alignment":
		if f.Alignment == "" {
			f.Alignment = header.Lower(v)
		}
	case "dkim-domain":
		once(&f.DKIMDomain)
	case "dkim-identity":
		once(&f.DKIMIdentity)
	case "dkim-selector":
		once(&f.DKIMSelector)
	case "dkim-selector-dns":
		once(&f.DKIMSelectorDNS)
	case "spf-dns":
		once(&f.SPFDNS)
	case "dkim-canonicalized-header":
		once(&f.DKIMHeader)
	case "dkim-canonicalized-body":
		once(&f.DKIMBody)
	}
}

// firstWord is the value without comments and what follows, in lower case.
func firstWord(v string) string {
	main, _, _ := header.ParseParamList(v)
	if i := strings.IndexAny(main, " \t"); i > 0 {
		main = main[:i]
	}
	return main
}

func (f *Feedback) source(v string) {
	if f.SourceIP.IsValid() {
		return
	}
	v = strings.Trim(firstWord(v), "[]")
	a, err := netip.ParseAddr(strings.TrimPrefix(v, "ipv6:"))
	if err == nil && a.Zone() == "" {
		f.SourceIP = a
	}
}

// zones are the names of RFC 5322 4.3.
var zones = map[string]string{"UT": "+0000", "UTC": "+0000", "GMT": "+0000", "Z": "+0000", "EDT": "-0400", "EST": "-0500",
	"CDT": "-0500", "CST": "-0600", "MDT": "-0600", "MST": "-0700", "PDT": "-0700", "PST": "-0800"}

// date reads an RFC 5322 date in the forms that reporters write.
func date(v string) time.Time {
	if i := strings.IndexByte(v, '('); i > 0 {
		v = v[:i]
	}
	words := strings.Fields(v)
	if n := len(words); n > 0 && zones[words[n-1]] != "" {
		words[n-1] = zones[words[n-1]]
	}
	v = strings.Join(words, " ")
	for _, layout := range []string{"Mon, 2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 -0700", time.RFC3339, "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t
		}
	}
	return time.Time{}
}

// original takes the reported message from the part behind the feedback part.
func (f *Feedback) original(m *message.Message, feedback *message.Part) {
	if feedback.Parent == nil {
		return
	}
	for _, p := range feedback.Parent.Children {
		if p.Index <= feedback.Index {
			continue
		}
		var h *header.Header
		switch {
		case p.IsMessage() && len(p.Children) > 0:
			f.Original, h = m.Body(p), &p.Children[0].Header
		case p.IsMessage():
			f.Original = m.Decoded(p)
		case p.Type == "text/rfc822-headers", p.Type == "message/rfc822-headers", p.Type == "text/rfc822":
			f.Original, f.OnlyHeader = m.Decoded(p), p.Type != "text/rfc822"
		default:
			continue
		}
		if h == nil {
			h = message.Parse(f.Original, message.Limits{}).Header()
		}
		f.Subject, f.From, f.MessageID = clip(h.Decoded("Subject"), 1<<10), clip(h.Decoded("From"), 1<<10), clip(h.Get("Message-ID"), 1<<10)
		return
	}
}
