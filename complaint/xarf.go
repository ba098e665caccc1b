package complaint

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

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
	Report   *struct {
		Class   string         `json:"ReportClass"`
		Type    string         `json:"ReportType"`
		Samples []xarfEvidence `json:"Samples"`
	} `json:"Report"`
}

// xarfEvidence is a file in base64; version 3 names its fields otherwise.
type xarfEvidence struct {
	Type     string `json:"content_type"`
	Old      string `json:"ContentType"`
	Encoding string `json:"TransferEncoding"` // version 3; "" is base64
	Payload  string `json:"payload"`
}

// xarfTypes are those that say something of a message.
var xarfTypes = map[string]told{
	"messaging/spam":           {true, true, sluice.ThreatSpam},
	"messaging/bulk_messaging": {true, true, sluice.ThreatBulk},
	"content/phishing":         {true, true, sluice.ThreatPhish},
	"content/fraud":            {true, true, sluice.ThreatScam},
	"content/malware":          {true, true, sluice.ThreatMalware},
	"activity/spam":            {true, true, sluice.ThreatSpam}, // version 3
	"content/phish":            {true, true, sluice.ThreatPhish},
}

// xarf reads a XARF file: its evidence of type message/rfc822 is what it is about.
// A payload may be cut to a header; then it can't be learned from.
func (r *reader) xarf(b []byte) {
	var f xarfFile
	if len(b) > maxXARF || bytes.Count(b, []byte("{")) > maxObjects || r.out.Type != "" || json.Unmarshal(b, &f) != nil {
		return
	}
	evidence := f.Evidence
	if f.Report != nil {
		f.Category, f.Type, evidence = f.Report.Class, f.Report.Type, f.Report.Samples
	} else if f.Version == "" {
		return
	}
	kind := header.Lower(f.Category) + "/" + header.Lower(f.Type)
	r.out.Form, r.out.Type = XARF, header.Clip(kind)
	r.tell(xarfTypes[kind])
	for _, e := range evidence {
		if !strings.HasPrefix(header.Lower(e.Type+e.Old), "message/rfc822") {
			continue
		}
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
