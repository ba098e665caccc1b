package reports

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"sluice"
	"sluice/mailauth/report"
)

// mail makes the message that carries a report (RFC 9990 3.5). It has the null
// sender: nobody shall write a bounce to anybody.
func (r *Reporter) mail(a *report.Aggregate, file []byte, to []string, now time.Time) (*sluice.Delivery, error) {
	raw := r.message(a, file, to, now)
	d := &sluice.Delivery{ID: prefix + strings.SplitN(a.ID, "@", 2)[0], Body: raw,
		Envelope: &sluice.Envelope{Body: "7BIT", Received: now}}
	d.Envelope.ID = d.ID
	for _, addr := range to {
		d.Envelope.Rcpts = append(d.Envelope.Rcpts, sluice.Recipient{Address: addr})
	}
	if r.cfg.Sign != nil {
		fields, err := r.cfg.Sign(raw, sluice.DomainOf(r.cfg.From), now)
		if err != nil {
			return nil, fmt.Errorf("reports: signing: %w", err)
		}
		d.Header = fields
	}
	return d, nil
}

func (r *Reporter) message(a *report.Aggregate, file []byte, to []string, now time.Time) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	boundary := "=_" + strings.SplitN(a.ID, "@", 2)[0]
	filename := a.Filename(r.cfg.Hostname, "") + ".gz"
	from := mail.Address{Name: r.cfg.OrgName, Address: r.cfg.From}
	line("From: %s", from.String())
	line("To: %s", strings.Join(to, ",\r\n "))
	line("Subject: %s", fold(a.Subject(r.cfg.Hostname)))
	line("Date: %s", now.UTC().Format(time.RFC1123Z))
	line("Message-ID: <%s>", a.ID)
	line("Auto-Submitted: auto-generated")
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/mixed; boundary=\"%s\"", boundary)
	line("")
	line("--%s", boundary)
	line("Content-Type: text/plain; charset=us-ascii")
	line("")
	line("This is a DMARC aggregate report (RFC 9990) on mail with")
	line("%s as its author's domain,", a.Policy.Domain)
	line("received on %s (UTC): %d messages.", a.Begin.UTC().Format("2 January 2006"), a.Total())
	line("")
	line("--%s", boundary)
	line("Content-Type: application/gzip;\r\n name=\"%s\"", filename)
	line("Content-Disposition: attachment;\r\n filename=\"%s\"", filename)
	line("Content-Transfer-Encoding: base64")
	line("")
	text := base64.StdEncoding.EncodeToString(file)
	for len(text) > 76 {
		line("%s", text[:76])
		text = text[76:]
	}
	line("%s", text)
	line("--%s--", boundary)
	return b.Bytes()
}

// fold breaks a subject where a line would be long (RFC 5322 2.2.3).
func fold(s string) string {
	s = strings.Replace(s, " Submitter:", "\r\n Submitter:", 1)
	return strings.Replace(s, " Report-ID:", "\r\n Report-ID:", 1)
}
