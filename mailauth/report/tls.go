package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// TLS is an SMTP TLS report (RFC 8460 4.4).
type TLS struct {
	Org        string
	Begin, End time.Time
	Contact    string
	ID         string
	Policies   []TLSPolicy
}

// TLSPolicy is what one policy met.
type TLSPolicy struct {
	Type     string   // tlsa, sts, no-policy-found
	Strings  []string // the policy's lines
	Domain   string
	MX       []string
	Success  int
	Failure  int
	Failures []TLSFailure
}

// TLSFailure counts failed sessions of one kind.
type TLSFailure struct {
	Result      string // RFC 8460 4.3: "certificate-expired"
	SendingIP   netip.Addr
	ReceivingMX string
	Helo        string
	ReceivingIP netip.Addr
	Count       int
	Info        string
	Reason      string
}

// maxPolicies bounds one TLS report.
const maxPolicies = 1000

// ParseTLS reads a TLS report. Numbers may be strings, and lists single values,
// as some senders write them; an address that can't be read is left out.
func ParseTLS(b []byte, l Limits) (*TLS, error) {
	l = l.withDefaults()
	if len(b) > l.Bytes {
		return nil, fmt.Errorf("%w: %d octets", ErrTooLarge, len(b))
	}
	if err := shallow(b); err != nil {
		return nil, err
	}
	var in struct {
		Org     text `json:"organization-name"`
		Contact text `json:"contact-info"`
		ID      text `json:"report-id"`
		Dates   struct {
			Start text `json:"start-datetime"`
			End   text `json:"end-datetime"`
		} `json:"date-range"`
		Policies []struct {
			Policy struct {
				Type    text  `json:"policy-type"`
				Strings texts `json:"policy-string"`
				Domain  text  `json:"policy-domain"`
				MX      texts `json:"mx-host"`
			}
			Summary struct {
				Success number `json:"total-successful-session-count"`
				Failure number `json:"total-failure-session-count"`
			}
			Failures []struct {
				Result      text   `json:"result-type"`
				SendingIP   text   `json:"sending-mta-ip"`
				ReceivingMX text   `json:"receiving-mx-hostname"`
				Helo        text   `json:"receiving-mx-helo"`
				ReceivingIP text   `json:"receiving-ip"`
				Count       number `json:"failed-session-count"`
				Info        text   `json:"additional-information"`
				Reason      text   `json:"failure-reason-code"`
			} `json:"failure-details"`
		}
	}
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\ufeff")), &in); err != nil {
		return nil, fmt.Errorf("%w: JSON: %w", ErrFormat, err)
	}
	if in.ID == "" && in.Org == "" && len(in.Policies) == 0 {
		return nil, fmt.Errorf("%w: no TLS report", ErrFormat)
	}
	if len(in.Policies) > maxPolicies {
		return nil, fmt.Errorf("%w: %d policies", ErrTooLarge, len(in.Policies))
	}
	out := &TLS{Org: in.Org.clip(l), Contact: in.Contact.clip(l), ID: in.ID.clip(l), Begin: in.Dates.Start.time(), End: in.Dates.End.time()}
	room := l.Records
	for _, p := range in.Policies {
		q := TLSPolicy{Type: lowerWord(p.Policy.Type, l), Strings: p.Policy.Strings.clip(l), Domain: p.Policy.Domain.clip(l), MX: p.Policy.MX.clip(l),
			Success: int(p.Summary.Success), Failure: int(p.Summary.Failure)}
		for _, f := range p.Failures {
			if room--; room < 0 {
				return nil, fmt.Errorf("%w: more than %d failure details", ErrTooLarge, l.Records)
			}
			q.Failures = append(q.Failures, TLSFailure{Result: lowerWord(f.Result, l), SendingIP: f.SendingIP.addr(), ReceivingMX: f.ReceivingMX.clip(l), Helo: f.Helo.clip(l),
				ReceivingIP: f.ReceivingIP.addr(), Count: int(f.Count), Info: f.Info.clip(l), Reason: f.Reason.clip(l)})
		}
		out.Policies = append(out.Policies, q)
	}
	return out, nil
}

// lowerWord is a word of a registry, in lower case.
func lowerWord(t text, l Limits) string { return strings.ToLower(t.clip(l)) }

// shallow refuses JSON that nests deeper than any report, before it is read.
func shallow(b []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: JSON nests deeper than %d", ErrTooLarge, maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// text is a JSON string; any other value is "".
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(strings.TrimSpace(s))
	}
	return nil
}

func (t text) clip(l Limits) string { return clip(string(t), l.Text) }

func (t text) addr() netip.Addr {
	a, err := netip.ParseAddr(strings.Trim(string(t), "[] "))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a
}

func (t text) time() time.Time {
	at, err := time.Parse(time.RFC3339, string(t))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// texts is a list of strings, or one string.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	var list []text
	if json.Unmarshal(b, &list) != nil {
		var one text
		if json.Unmarshal(b, &one) != nil || one == "" {
			return nil
		}
		list = []text{one}
	}
	for _, s := range list[:min(len(list), maxLists)] {
		*t = append(*t, string(s))
	}
	return nil
}

func (t texts) clip(l Limits) []string {
	for i := range t {
		t[i] = clip(t[i], l.Text)
	}
	return t
}

// number is a count: a JSON number or a string of digits; anything else is 0.
type number int

func (n *number) UnmarshalJSON(b []byte) error {
	var v json.Number
	if json.Unmarshal(bytes.Trim(b, `"`), &v) == nil {
		if i, err := v.Int64(); err == nil && i >= 0 && i <= maxCount {
			*n = number(i)
		}
	}
	return nil
}
