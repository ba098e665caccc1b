package complaint

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"sluice"
	"sluice/message/header"
)

// maxXARF bounds a file: the limit of one original in base64, and the words.
const maxXARF = 40 << 20

// maxObjects bounds what a file can make of few octets: an empty piece of evidence
// takes two.
const maxObjects = 500

// xarfFile is what counts here of XARF 4, and of 3 below Report.
type xarfFile struct {
	Version  string         `json:"xarf_version"`
	Category string         `json:"category"`
	Type     string         `json:"type"`
	Evidence []xarfEvidence `json:"evidence"`

	Source    text `json:"source_identifier"`
	Timestamp text `json:"timestamp"`
	MessageID text `json:"message_id"`

	Report *xarfReport `json:"Report"`
}

// xarfReport is version 3. Its source is a field of its own or an object, its samples
// are called so or attachments.
type xarfReport struct {
	Class       string         `json:"ReportClass"`
	Type        string         `json:"ReportType"`
	Date        text           `json:"Date"`
	SourceIP    text           `json:"SourceIp"`
	Source      source         `json:"Source"`
	Samples     []xarfEvidence `json:"Samples"`
	Attachments []xarfEvidence `json:"Attachment"`
}

// xarfEvidence is a file in base64; version 3 names its fields otherwise.
type xarfEvidence struct {
	Type     string `json:"content_type"`
	Old      string `json:"ContentType"`
	Encoding string `json:"TransferEncoding"` // version 3; "" is base64
	Payload  string `json:"payload"`
	Data     string `json:"Data"` // version 3
}

// text is a string of which nothing depends: of another type it is "".
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

// source is an address, or an object with one.
type source string

// UnmarshalJSON implements [json.Unmarshaler].
func (s *source) UnmarshalJSON(b []byte) error {
	var o struct {
		IP text `json:"IP"`
	}
	var t text
	_ = t.UnmarshalJSON(b)
	if t == "" && json.Unmarshal(b, &o) == nil {
		t = o.IP
	}
	*s = source(t)
	return nil
}

// xarfTypes are those that say something of a message.
var xarfTypes = map[string]told{
	"messaging/spam":           {true, true, sluice.ThreatSpam},
	"messaging/bulk_messaging": {true, true, sluice.ThreatBulk},
	"content/phishing":         {true, true, sluice.ThreatPhish},
	"content/fraud":            {true, true, sluice.ThreatScam},
	"content/malware":          {true, true, sluice.ThreatMalware},
	"activity/spam":            {true, true, sluice.ThreatSpam}, // version 3
	"activity/phishing":        {true, true, sluice.ThreatPhish},
	"activity/malware":         {true, true, sluice.ThreatMalware},
	"content/phish":            {true, true, sluice.ThreatPhish},
}

// ReadXARF reads a XARF file that came without a mail around it, version 3 or 4; ok
// says whether it is one.
func ReadXARF(b []byte, c Config) (out *Complaint, ok bool) {
	r := &reader{cfg: c, lim: c.withDefaults(), out: &Complaint{Form: None}}
	r.xarf(b)
	return r.out, r.out.Form == XARF
}

// xarf reads a XARF file: its evidence of type message/rfc822 is what it is about.
// A payload may be cut to a header; then it can't be learned from.
func (r *reader) xarf(b []byte) {
	var f xarfFile
	if len(b) > maxXARF || bytes.Count(b, []byte("{")) > maxObjects || r.out.Type != "" || json.Unmarshal(b, &f) != nil {
		return
	}
	evidence := f.Evidence
	if v3 := f.Report; v3 != nil {
		f.Category, f.Type, evidence = v3.Class, v3.Type, append(v3.Samples, v3.Attachments...)
		f.Source, f.Timestamp, f.MessageID = cmp.Or(v3.SourceIP, text(v3.Source)), v3.Date, ""
	} else if f.Version == "" {
		return
	}
	kind := header.Lower(f.Category) + "/" + header.Lower(f.Type)
	r.out.Form, r.out.Type = XARF, header.Clip(kind)
	r.tell(xarfTypes[kind])
	r.out.MessageID = header.Clip(string(f.MessageID))
	if a, err := netip.ParseAddr(strings.TrimSpace(string(f.Source))); err == nil && a.Zone() == "" {
		r.out.Source = a.Unmap()
	}
	if t, err := time.Parse(time.RFC3339, strings.TrimSpace(string(f.Timestamp))); err == nil {
		r.out.At = t.UTC()
	}
	for _, e := range evidence {
		if !strings.HasPrefix(header.Lower(e.Type+e.Old), "message/rfc822") {
			continue
		}
		e.Payload = cmp.Or(e.Payload, e.Data)
		payload := []byte(e.Payload)
		if e.Encoding == "" || header.EqualFold(e.Encoding, "base64") {
			var err error
			if payload, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.Payload), "")); err != nil {
				continue
			}
		}
		r.add(payload, !hasBody(payload))
	}
}

// hasBody says whether anything stands behind the header.
func hasBody(b []byte) bool {
	s := strings.ReplaceAll(string(b), "\r\n", "\n")
	_, body, ok := strings.Cut(s, "\n\n")
	return ok && strings.TrimSpace(body) != ""
}
