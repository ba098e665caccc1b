package feed

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"sluice/complaint"
	"sluice/message"
	"sluice/message/header"
	"sluice/subscriber"
	"sluice/subscriber/signal"
)

// mostObjects bounds what few octets of JSON can make, in a whole file.
const mostObjects = 200_000

// xarf reads a file of XARF reports: one, several behind each other, or a list.
func (x *reader) xarf(b []byte) {
	if bytes.Count(b, []byte("{"))+bytes.Count(b, []byte("[")) > mostObjects {
		x.is(XARF)
		x.defect(1, "more than %d objects", mostObjects)
		return
	}
	d := json.NewDecoder(bytes.NewReader(b))
	n := 0
	one := func(raw json.RawMessage) {
		n++
		c, ok := complaint.ReadXARF(raw, x.cfg.Complaint)
		if !ok {
			x.defect(n, "not a XARF report")
			return
		}
		x.is(XARF)
		x.complaint(n, c)
	}
	for {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			if !errors.Is(err, io.EOF) {
				x.defect(n+1, "%v", err)
			}
			return
		}
		var list []json.RawMessage
		if raw[0] == '[' && json.Unmarshal(raw, &list) == nil {
			for _, raw := range list {
				one(raw)
			}
			continue
		}
		one(raw)
	}
}

// mail reads a mail: a report itself, or one that carries files.
func (x *reader) mail(b []byte) {
	m := message.Parse(b, message.DefaultLimits())
	h := m.Header()
	if h.Get("From") == "" && h.Get("Date") == "" && h.Get("MIME-Version") == "" {
		return // no mail, nor anything else that is known
	}
	x.is(Mail)
	n := 0
	for _, p := range m.Parts {
		name := header.Lower(strings.TrimRight(p.Filename, " ."))
		if p.Ghost || p.IsMultipart() || p.IsMessage() || n >= mostFiles || p.Type != "text/csv" && !strings.HasSuffix(name, ".csv") {
			continue
		}
		if body := m.Decoded(p); table(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))) {
			n++
			x.file(body, p.Filename)
		}
	}
	if n > 0 {
		return
	}
	c := complaint.Read(m, x.cfg.Complaint)
	if c.Form == complaint.ARF || c.Form == complaint.XARF {
		x.out.Format = Format(c.Form)
	}
	x.complaint(1, c)
}

// mostFiles bounds the tables in one mail.
const mostFiles = 20

// kindOf is what a report says by its type: none for what isn't about mail or a device.
func kindOf(c *complaint.Complaint) signal.Kind {
	if c.Form == complaint.ARF {
		switch c.Type {
		case "auth-failure", "dmarc": // RFC 6591, RFC 9991
			return signal.DMARCFail
		case "not-spam": // RFC 6430
			return signal.NotSpam
		case "abuse", "fraud", "virus", "other", "":
			return signal.AbuseReport
		}
		return signal.None // opt-out is a wish, no complaint
	}
	class, kind, _ := strings.Cut(c.Type, "/")
	switch {
	case c.Form != complaint.XARF || c.Told || class == "messaging":
		return signal.AbuseReport
	case class == "connection", c.Type == "infrastructure/botnet", c.Type == "infrastructure/compromised_server",
		class == "system", class == "network", class == "activity" && slices.Contains(acts, kind): // the last three: version 3
		return signal.FeedReport
	case c.Type == "reputation/blocklist":
		return signal.AddressList
	}
	return signal.None
}

// acts are types of version 3 that say what a device does.
var acts = []string{"login-attack", "port-scan", "ddos", "botnet"}

// complaint takes what one report says. It counts by the mail that it names; without
// one, by the address and time.
func (x *reader) complaint(n int, c *complaint.Complaint) {
	kind := kindOf(c)
	if kind == signal.None {
		x.out.Other++
		return
	}
	detail := x.name + ": " + strings.TrimSpace(string(c.Form)+" "+c.Type)
	named := false
	for i := range c.Originals {
		o := &c.Originals[i]
		r := subscriber.Report{Kind: kind, MessageID: o.MessageID, At: c.At, Detail: detail}
		if x.cfg.Trace != nil {
			if id, at, ok := x.cfg.Trace(o.Attached); ok {
				r.ID, r.At = id, at
			}
		}
		if r.ID != "" || r.MessageID != "" {
			named = true
			x.add(r)
		}
	}
	x.out.Left += c.Left
	switch {
	case named:
	case c.MessageID != "" && len(c.Originals) == 0:
		x.add(subscriber.Report{Kind: kind, MessageID: c.MessageID, At: c.At, Detail: detail})
	case c.Source.IsValid() && !c.At.IsZero() && !strings.HasPrefix(c.Type, "content/") && kind != signal.NotSpam && kind != signal.DMARCFail:
		if kind == signal.AbuseReport {
			kind = signal.FeedReport // no mail is named
		}
		x.add(subscriber.Report{Kind: kind, Client: c.Source, At: c.At, Detail: detail})
	case c.Form == complaint.XARF && strings.HasPrefix(c.Type, "content/"):
		x.out.Other++ // a web site
	default:
		x.defect(n, "names neither a message nor an address with a time")
	}
}
