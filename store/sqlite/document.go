package sqlite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"sluice"
)

// Documents are the stored shape of records and quarantine rows. Their keys are
// part of the file format: they may be added, never renamed, so a file outlives
// the Go names. Zero values are left out.

type recordDoc struct {
	ID        string        `json:"id"`
	Tenant    string        `json:"tenant,omitzero"`
	Time      time.Time     `json:"time,omitzero"`
	Conn      connDoc       `json:"conn"`
	Envelope  envelopeDoc   `json:"env"`
	Subject   string        `json:"subject,omitzero"`
	MessageID string        `json:"msgid,omitzero"`
	Size      int64         `json:"size,omitzero"`
	Phase     sluice.Phase  `json:"phase,omitzero"`
	Verdict   verdictDoc    `json:"verdict"`
	Decisions []decisionDoc `json:"decisions,omitzero"`
	Outcomes  []outcomeDoc  `json:"outcomes,omitzero"`
	Reply     replyDoc      `json:"reply,omitzero"`
	Micros    int64         `json:"us,omitzero"`
	Files     []fileDoc     `json:"files,omitzero"`
	FilesLeft int           `json:"filesleft,omitzero"`
	Proved    []provedDoc   `json:"proved,omitzero"`
}

type provedDoc [2]string // domain, method

type fileDoc struct {
	Name    string        `json:"name,omitzero"`
	In      string        `json:"in,omitzero"`
	Depth   int           `json:"depth,omitzero"`
	Type    string        `json:"type,omitzero"`
	Class   string        `json:"class,omitzero"`
	Size    int64         `json:"size,omitzero"`
	SHA256  sluice.Digest `json:"sha256,omitzero"`
	Content string        `json:"content,omitzero"`
	Marked  bool          `json:"marked,omitzero"`
	Links   []string      `json:"links,omitzero"`
	Signs   []string      `json:"signs,omitzero"`
}

type quarantinedDoc struct {
	ID       string      `json:"id"`
	Tenant   string      `json:"tenant,omitzero"`
	Envelope envelopeDoc `json:"env"`
	Conn     connDoc     `json:"conn"`
	Verdict  verdictDoc  `json:"verdict"`
	Stored   time.Time   `json:"stored,omitzero"`
	Expires  time.Time   `json:"expires,omitzero"`
	Size     int64       `json:"size,omitzero"`
	Subject  string      `json:"subject,omitzero"`
	Pending  bool        `json:"pending,omitzero"`
	Released time.Time   `json:"released,omitzero"`
}

type connDoc struct {
	ID      string         `json:"id,omitzero"`
	Client  netip.AddrPort `json:"client,omitzero"`
	Via     netip.AddrPort `json:"via,omitzero"`
	Local   netip.AddrPort `json:"local,omitzero"`
	Start   time.Time      `json:"start,omitzero"`
	Door    string         `json:"door,omitzero"`
	Verb    string         `json:"verb,omitzero"`
	Hello   string         `json:"hello,omitzero"`
	TLS     *tlsDoc        `json:"tls,omitzero"`
	Auth    string         `json:"auth,omitzero"`
	Trusted bool           `json:"trusted,omitzero"`
	Already bool           `json:"already,omitzero"`
	Stored  bool           `json:"stored,omitzero"`
}

type tlsDoc struct {
	Version string `json:"version,omitzero"`
	Cipher  string `json:"cipher,omitzero"`
	Name    string `json:"sni,omitzero"`
}

type envelopeDoc struct {
	ID       string     `json:"id,omitzero"`
	From     string     `json:"from,omitzero"`
	Params   []paramDoc `json:"params,omitzero"`
	Rcpts    []rcptDoc  `json:"rcpts,omitzero"`
	Size     int64      `json:"size,omitzero"`
	Body     string     `json:"body,omitzero"`
	SMTPUTF8 bool       `json:"utf8,omitzero"`
	Tenant   string     `json:"tenant,omitzero"`
	Outbound bool       `json:"outbound,omitzero"`
	Received time.Time  `json:"received,omitzero"`
}

type paramDoc [2]string

type rcptDoc struct {
	Address string     `json:"to"`
	Params  []paramDoc `json:"params,omitzero"`
}

type verdictDoc struct {
	Threat      sluice.Threat   `json:"threat,omitzero"`
	Points      float64         `json:"points"`
	Probability float64         `json:"p"`
	Hard        string          `json:"hard,omitzero"`
	HardKind    sluice.Hard     `json:"kind,omitzero"`
	Ledger      []lineDoc       `json:"ledger,omitzero"`
	Versions    sluice.Versions `json:"versions,omitzero"`
	Threats     sluice.Threats  `json:"threats,omitzero"`
}

type lineDoc struct {
	Reason string        `json:"id"`
	Points float64       `json:"points,omitzero"`
	Raw    float64       `json:"raw,omitzero"`
	Phase  sluice.Phase  `json:"phase,omitzero"`
	Group  sluice.Group  `json:"group,omitzero"`
	Threat sluice.Threat `json:"threat,omitzero"`
	State  sluice.State  `json:"state,omitzero"`
	Hard   sluice.Hard   `json:"hard,omitzero"`
	Detail string        `json:"detail,omitzero"`
	Off    int           `json:"off,omitzero"`
	Len    int           `json:"len,omitzero"`
	Part   int           `json:"part,omitzero"`
}

type decisionDoc struct {
	Recipient string        `json:"to"`
	Action    sluice.Action `json:"action"`
	Why       string        `json:"why,omitzero"`
}

type outcomeDoc struct {
	Recipient string   `json:"to"`
	Reply     replyDoc `json:"reply,omitzero"`
	Err       string   `json:"err,omitzero"`
	Unknown   bool     `json:"unknown,omitzero"`
}

type replyDoc struct {
	Code     int    `json:"code,omitzero"`
	Enhanced string `json:"enh,omitzero"`
	Text     string `json:"text,omitzero"`
	Close    bool   `json:"close,omitzero"`
	Slow     bool   `json:"slow,omitzero"`
}

func encodeRecord(r *sluice.Record) (string, error) {
	if r.ID == "" {
		return "", errors.New("record without an id")
	}
	return encode(&recordDoc{
		ID: escape(r.ID), Tenant: escape(r.Tenant), Time: utc(r.Time),
		Conn: fromConn(&r.Conn), Envelope: fromEnvelope(&r.Envelope),
		Subject: escape(r.Subject), MessageID: escape(r.MessageID),
		Size: r.Size, Phase: r.Phase, Verdict: fromVerdict(&r.Verdict),
		Decisions: convert(r.Decisions, func(d sluice.Decision) decisionDoc {
			return decisionDoc{escape(d.Recipient), d.Action, escape(string(d.Why))}
		}),
		Outcomes: convert(r.Outcomes, func(o sluice.Outcome) outcomeDoc {
			d := outcomeDoc{Recipient: escape(o.Recipient), Reply: fromReply(o.Reply), Unknown: o.Unknown}
			if o.Err != nil {
				d.Err = escape(o.Err.Error())
			}
			return d
		}),
		Reply: fromReply(r.Reply), Micros: r.Micros, FilesLeft: r.FilesLeft,
		Proved: convert(r.Authenticated, func(a sluice.Authenticated) provedDoc { return provedDoc{escape(a.Domain), escape(a.By)} }),
		Files: convert(r.Files, func(f sluice.FileSeen) fileDoc {
			return fileDoc{escape(f.Name), escape(f.In), f.Depth, escape(f.Type), escape(f.Class), f.Size, f.SHA256, escape(f.Content), f.Marked, convert(f.Links, escape), convert(f.Signs, escape)}
		}),
	})
}

// decodeRecord is encodeRecord's inverse, but that an outcome's error keeps its
// text only.
func decodeRecord(text string) (*sluice.Record, error) {
	var d recordDoc
	if err := decode(text, &d); err != nil {
		return nil, err
	}
	return &sluice.Record{
		ID: unescape(d.ID), Tenant: unescape(d.Tenant), Time: d.Time,
		Conn: d.Conn.value(), Envelope: d.Envelope.value(),
		Subject: unescape(d.Subject), MessageID: unescape(d.MessageID),
		Size: d.Size, Phase: d.Phase, Verdict: d.Verdict.value(),
		Decisions: convert(d.Decisions, func(d decisionDoc) sluice.Decision {
			return sluice.Decision{Recipient: unescape(d.Recipient), Action: d.Action, Why: sluice.Reason(unescape(d.Why))}
		}),
		Outcomes: convert(d.Outcomes, func(d outcomeDoc) sluice.Outcome {
			o := sluice.Outcome{Recipient: unescape(d.Recipient), Reply: d.Reply.value(), Unknown: d.Unknown}
			if d.Err != "" {
				o.Err = errors.New(unescape(d.Err))
			}
			return o
		}),
		Reply: d.Reply.value(), Micros: d.Micros, FilesLeft: d.FilesLeft,
		Authenticated: convert(d.Proved, func(d provedDoc) sluice.Authenticated {
			return sluice.Authenticated{Domain: unescape(d[0]), By: unescape(d[1])}
		}),
		Files: convert(d.Files, func(d fileDoc) sluice.FileSeen {
			return sluice.FileSeen{Name: unescape(d.Name), In: unescape(d.In), Depth: d.Depth, Type: unescape(d.Type),
				Class: unescape(d.Class), Size: d.Size, SHA256: d.SHA256, Content: unescape(d.Content), Marked: d.Marked,
				Links: convert(d.Links, unescape), Signs: convert(d.Signs, unescape)}
		}),
	}, nil
}

func encodeQuarantined(q *sluice.Quarantined) (string, error) {
	if q.ID == "" {
		return "", errors.New("quarantined message without an id")
	}
	return encode(&quarantinedDoc{
		ID: escape(q.ID), Tenant: escape(q.Tenant), Envelope: fromEnvelope(&q.Envelope), Conn: fromConn(&q.Conn),
		Verdict: fromVerdict(&q.Verdict), Stored: utc(q.Stored), Expires: utc(q.Expires), Size: q.Size,
		Subject: escape(q.Subject), Pending: q.Pending, Released: utc(q.Released),
	})
}

func decodeQuarantined(text string) (*sluice.Quarantined, error) {
	var d quarantinedDoc
	if err := decode(text, &d); err != nil {
		return nil, err
	}
	return &sluice.Quarantined{
		ID: unescape(d.ID), Tenant: unescape(d.Tenant), Envelope: d.Envelope.value(), Conn: d.Conn.value(),
		Verdict: d.Verdict.value(), Stored: d.Stored, Expires: d.Expires, Size: d.Size,
		Subject: unescape(d.Subject), Pending: d.Pending, Released: d.Released,
	}, nil
}

func encode(doc any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return "", fmt.Errorf("document: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func decode(text string, doc any) error {
	if err := json.Unmarshal([]byte(text), doc); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	return nil
}

func fromConn(c *sluice.Conn) connDoc {
	d := connDoc{
		ID: escape(c.ID), Client: c.Client, Via: c.Via, Local: c.Local, Start: utc(c.Start), Door: escape(c.Door),
		Verb: escape(c.Hello.Verb), Hello: escape(c.Hello.Name), Auth: escape(c.Auth),
		Trusted: c.Trusted, Already: c.AlreadyAccepted, Stored: c.Stored,
	}
	if c.TLS != nil {
		d.TLS = &tlsDoc{escape(c.TLS.Version), escape(c.TLS.Cipher), escape(c.TLS.ServerName)}
	}
	return d
}

func (d *connDoc) value() sluice.Conn {
	c := sluice.Conn{
		ID: unescape(d.ID), Client: d.Client, Via: d.Via, Local: d.Local, Start: d.Start, Door: unescape(d.Door),
		Hello: sluice.Hello{Verb: unescape(d.Verb), Name: unescape(d.Hello)}, Auth: unescape(d.Auth),
		Trusted: d.Trusted, AlreadyAccepted: d.Already, Stored: d.Stored,
	}
	if d.TLS != nil {
		c.TLS = &sluice.TLSInfo{Version: unescape(d.TLS.Version), Cipher: unescape(d.TLS.Cipher), ServerName: unescape(d.TLS.Name)}
	}
	return c
}

func fromEnvelope(e *sluice.Envelope) envelopeDoc {
	return envelopeDoc{
		ID: escape(e.ID), From: escape(e.From), Params: fromParams(e.Params),
		Rcpts: convert(e.Rcpts, func(r sluice.Recipient) rcptDoc { return rcptDoc{escape(r.Address), fromParams(r.Params)} }),
		Size:  e.Size, Body: escape(e.Body), SMTPUTF8: e.SMTPUTF8, Tenant: escape(e.Tenant), Outbound: e.Outbound, Received: utc(e.Received),
	}
}

func (d *envelopeDoc) value() sluice.Envelope {
	return sluice.Envelope{
		ID: unescape(d.ID), From: unescape(d.From), Params: params(d.Params),
		Rcpts: convert(d.Rcpts, func(d rcptDoc) sluice.Recipient {
			return sluice.Recipient{Address: unescape(d.Address), Params: params(d.Params)}
		}),
		Size: d.Size, Body: unescape(d.Body), SMTPUTF8: d.SMTPUTF8, Tenant: unescape(d.Tenant), Outbound: d.Outbound, Received: d.Received,
	}
}

func fromParams(p []sluice.Param) []paramDoc {
	return convert(p, func(p sluice.Param) paramDoc { return paramDoc{escape(p.Key), escape(p.Value)} })
}

func params(d []paramDoc) []sluice.Param {
	return convert(d, func(d paramDoc) sluice.Param { return sluice.Param{Key: unescape(d[0]), Value: unescape(d[1])} })
}

func fromVerdict(v *sluice.Verdict) verdictDoc {
	return verdictDoc{
		Threat: v.Threat, Points: finite(v.Points), Probability: finite(v.Probability),
		Hard: escape(string(v.Hard)), HardKind: v.HardKind, Versions: v.Versions, Threats: v.Threats,
		Ledger: convert(v.Ledger, func(c sluice.Contribution) lineDoc {
			return lineDoc{
				Reason: escape(string(c.Reason)), Points: finite(c.Points), Raw: finite(c.Raw), Phase: c.Phase, Group: c.Group,
				Threat: c.Threat, State: c.State, Hard: c.Hard, Detail: escape(c.Detail),
				Off: c.Range.Off, Len: c.Range.Len, Part: c.Part,
			}
		}),
	}
}

func (d *verdictDoc) value() sluice.Verdict {
	return sluice.Verdict{
		Threat: d.Threat, Points: d.Points, Probability: d.Probability,
		Hard: sluice.Reason(unescape(d.Hard)), HardKind: d.HardKind, Versions: d.Versions, Threats: d.Threats,
		Ledger: convert(d.Ledger, func(d lineDoc) sluice.Contribution {
			return sluice.Contribution{Points: d.Points, Evidence: sluice.Evidence{
				Reason: sluice.Reason(unescape(d.Reason)), Raw: d.Raw, Phase: d.Phase, Group: d.Group,
				Threat: d.Threat, State: d.State, Hard: d.Hard, Detail: unescape(d.Detail),
				Range: sluice.Range{Off: d.Off, Len: d.Len}, Part: d.Part,
			}}
		}),
	}
}

func fromReply(r sluice.Reply) replyDoc {
	return replyDoc{r.Code, escape(r.Enhanced), escape(r.Text), r.Close, r.Slow}
}

func (d *replyDoc) value() sluice.Reply {
	return sluice.Reply{Code: d.Code, Enhanced: unescape(d.Enhanced), Text: unescape(d.Text), Close: d.Close, Slow: d.Slow}
}

// convert maps a slice and keeps nil.
func convert[A, B any](in []A, f func(A) B) []B {
	if in == nil {
		return nil
	}
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// JSON strings hold Unicode, a sender's strings any octets. Octets that aren't
// UTF-8 become the runes escapeBase+0x80 … escapeBase+0xff at the end of the
// last private plane; these runes themselves, should a sender use them, are
// escaped octet by octet. Everything else stays as it is, so documents remain
// readable.
const escapeBase = 0x10ff00

func escape(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || reserved(r) {
			for _, c := range []byte(s[i : i+n]) {
				b.WriteRune(escapeBase + rune(c))
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func unescape(s string) string {
	if clean(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if reserved(r) {
			b = append(b, byte(r-escapeBase))
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}

func reserved(r rune) bool { return r >= escapeBase+0x80 && r <= escapeBase+0xff }

// clean says that s is its own escape. The reserved runes all start with f4 8f.
func clean(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\xf4\x8f") }

func escapeAll(in []string) []string   { return convert(in, escape) }
func unescapeAll(in []string) []string { return convert(in, unescape) }

// finite keeps a number that JSON can't write from losing the record.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Round(0).UTC()
}

// nanos is a time column's value; the zero time sorts before all others.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

func moment(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
