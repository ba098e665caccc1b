package abuse

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sluice"
	"sluice/message"
	"sluice/message/header"
)

// report is one report, before it is written.
type report struct {
	seen
	about  string // what it is about: for its identity
	loop   bool   // a person's complaint, for a feedback loop
	signed bool   // it must be
	id     []byte
}

// mostHeader bounds what is quoted of a message.
const mostHeader = 8 << 10

// head is a copy of a message's header with CRLF ends, whole lines only.
func head(raw []byte) []byte {
	if len(raw) > 2*mostHeader {
		raw = raw[:2*mostHeader]
	}
	var out []byte
	for line := range bytes.Lines(raw) {
		line = bytes.ReplaceAll(bytes.TrimRight(line, "\r\n"), []byte("\r"), []byte(" "))
		if len(line) == 0 || len(line) > 900 || len(out)+len(line)+2 > mostHeader {
			break
		}
		out = append(append(out, line...), "\r\n"...)
	}
	return out
}

// feedback is the type of ARF for a threat (RFC 5965 7.3).
func feedback(t sluice.Threat) string {
	switch t {
	case sluice.ThreatPhish, sluice.ThreatScam, sluice.ThreatCopycat:
		return "fraud"
	case sluice.ThreatMalware:
		return "virus"
	}
	return "abuse"
}

// compose writes a report as a mail, all in ASCII.
func (r *Reporter) compose(now time.Time, c Contact, p *report) ([]byte, error) {
	s := p.sample
	quoted := s.header
	if !p.loop { // a loop's has been cut down to what its receiver wrote
		quoted = r.redact(quoted)
	}
	mailFrom := string(r.redact([]byte(s.mailFrom)))
	if !mailable(mailFrom) {
		mailFrom = ""
	}
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	boundary := "=_" + hex.EncodeToString(p.id[8:20])
	from, to := mail.Address{Name: r.cfg.OrgName, Address: r.cfg.From}, mail.Address{Address: c.Address}
	line("From: %s", from.String())
	line("To: %s", to.String())
	if p.loop {
		line("Subject: Complaint about mail from %s", s.client.Addr())
	} else {
		line("Subject: Abuse from %s: %s", s.client.Addr(), messages(p.n))
	}
	line("Date: %s", now.UTC().Format(time.RFC1123Z))
	line("Message-ID: <%s%s@%s>", prefix, hex.EncodeToString(p.id[:8]), r.cfg.Hostname)
	line("Auto-Submitted: auto-generated") // RFC 3834 5
	line("MIME-Version: 1.0")
	if c.Format == XARF {
		line("Content-Type: multipart/mixed; boundary=\"%s\"", boundary)
	} else {
		line("Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=\"%s\"", boundary) // RFC 5965 2
	}
	line("")
	line("--%s", boundary)
	line("Content-Type: text/plain; charset=us-ascii")
	line("")
	b.WriteString(strings.ReplaceAll(text(p), "\n", "\r\n"))
	if !p.loop && len(quoted) > 0 {
		line("The header of one of them is part of this report. The addresses of our\r\nusers in it are made unreadable.")
	}
	line("")
	line("--%s", boundary)
	if c.Format == XARF {
		file, err := r.xarf(p, mailFrom, quoted)
		if err != nil {
			return nil, err
		}
		line("Content-Type: application/json; name=\"xarf.json\"")
		line("Content-Disposition: attachment; filename=\"xarf.json\"")
		line("Content-Transfer-Encoding: base64")
		line("")
		for code := base64.StdEncoding.EncodeToString(file); code != ""; {
			n := min(76, len(code))
			line("%s", code[:n])
			code = code[n:]
		}
		line("--%s--", boundary)
		return b.Bytes(), nil
	}
	line("Content-Type: message/feedback-report")
	line("")
	r.fields(&b, p, mailFrom)
	line("")
	line("--%s", boundary)
	line("Content-Type: text/rfc822-headers")
	if plain(quoted) {
		line("")
		b.Write(quoted)
	} else {
		line("Content-Transfer-Encoding: quoted-printable")
		line("")
		w := quotedprintable.NewWriter(&b)
		if _, err := w.Write(quoted); err != nil {
			return nil, fmt.Errorf("abuse: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("abuse: %w", err)
		}
	}
	line("")
	line("--%s--", boundary)
	return b.Bytes(), nil
}

func plain(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\r' && r != '\n' && r != '\t' })
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprint(n, " messages")
}

// text is for people.
func text(p *report) string {
	s := p.sample
	if p.loop {
		return fmt.Sprintf("A recipient here calls a message spam that came from %s\non %s.\n", s.client.Addr(), s.at.UTC().Format(time.RFC1123))
	}
	return fmt.Sprintf("%s, from %s\nto %s, brought %s here that we refused as %s.\nIt may be infected.\n",
		s.client.Addr(), p.first.UTC().Format(time.RFC1123), p.last.UTC().Format(time.RFC1123), messages(p.n), threat(s.threat))
}

func threat(t sluice.Threat) string {
	if t == sluice.ThreatNone {
		return "spam"
	}
	return t.String()
}

// fields are the machine's part (RFC 5965 3.1, 3.2).
func (r *Reporter) fields(b *bytes.Buffer, p *report, mailFrom string) {
	s := p.sample
	line := func(format string, args ...any) { fmt.Fprintf(b, format+"\r\n", args...) }
	line("Feedback-Type: %s", feedback(s.threat))
	line("User-Agent: Sluice/1")
	line("Version: 1")
	if s.mailFrom == "" || mailFrom != "" {
		line("Original-Mail-From: <%s>", mailFrom)
	}
	line("Arrival-Date: %s", s.at.UTC().Format(time.RFC1123Z))
	line("Reporting-MTA: dns; %s", r.cfg.Hostname)
	line("Source-IP: %s", s.client.Addr())
	if s.client.Port() != 0 {
		line("Source-Port: %d", s.client.Port()) // RFC 6692
	}
	if p.n > 1 {
		line("Incidents: %d", p.n)
	}
}

type xarfParty struct {
	Org     string `json:"org"`
	Contact string `json:"contact"`
	Domain  string `json:"domain"`
}

type xarfEvidence struct {
	Type        string `json:"content_type"`
	Description string `json:"description"`
	Payload     []byte `json:"payload"`
	Hash        string `json:"hash"`
	Size        int    `json:"size"`
}

// xarf is a report of version 4: spam where a message shows it, else an infected host.
type xarf struct {
	Version     string         `json:"xarf_version"`
	ID          string         `json:"report_id"`
	Timestamp   time.Time      `json:"timestamp"`
	Reporter    xarfParty      `json:"reporter"`
	Sender      xarfParty      `json:"sender"`
	Source      string         `json:"source_identifier"`
	Port        int            `json:"source_port,omitzero"`
	Category    string         `json:"category"`
	Type        string         `json:"type"`
	From        string         `json:"evidence_source"`
	Protocol    string         `json:"protocol"`
	SMTPFrom    string         `json:"smtp_from,omitzero"`
	Subject     string         `json:"subject,omitzero"`
	MessageID   string         `json:"message_id,omitzero"`
	BotType     string         `json:"bot_type,omitzero"`
	Target      int            `json:"destination_port,omitzero"`
	First       time.Time      `json:"first_seen,omitzero"`
	Last        time.Time      `json:"last_seen,omitzero"`
	Description string         `json:"description"`
	Evidence    []xarfEvidence `json:"evidence,omitempty"`
}

func (r *Reporter) xarf(p *report, mailFrom string, quoted []byte) ([]byte, error) {
	s := p.sample
	us := xarfParty{Org: cut(r.cfg.OrgName, 200), Contact: r.cfg.From, Domain: sluice.DomainOf(r.cfg.From)}
	x := xarf{Version: "4.2.0", ID: uuid(p.id), Timestamp: s.at.UTC(), Reporter: us, Sender: us, Source: s.client.Addr().String(), Port: int(s.client.Port()),
		Description: cut(strings.Join(strings.Fields(text(p)), " "), 1000)}
	if len(quoted) > 0 && mailFrom != "" && x.Port != 0 {
		x.Category, x.Type, x.Protocol, x.SMTPFrom, x.From = "messaging", "spam", "smtp", mailFrom, "automated_filter"
		h := message.Parse(append(bytes.Clone(quoted), "\r\n"...), message.DefaultLimits()).Header()
		x.Subject, x.MessageID = cut(h.Decoded("Subject"), 500), cut(h.Get("Message-ID"), 200)
		switch {
		case p.loop:
			x.From = "user_complaint"
		case s.trapped:
			x.From = "spamtrap"
		}
	} else {
		x.Category, x.Type, x.Protocol, x.BotType, x.Target, x.From = "connection", "infected_host", "tcp", "malicious", 25, "automated_filter"
		x.First, x.Last = p.first.UTC(), p.last.UTC()
	}
	if len(quoted) > 0 {
		sum := sha256.Sum256(quoted)
		x.Evidence = []xarfEvidence{{Type: "message/rfc822", Description: "Header of a message", Payload: quoted, Hash: "sha256:" + hex.EncodeToString(sum[:]), Size: len(quoted)}}
	}
	b, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("abuse: %w", err)
	}
	return b, nil
}

// uuid makes one of version 4 (RFC 9562 5.4) of 16 octets that nobody can guess.
func uuid(id []byte) string {
	b := [16]byte(id[:16])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// cut makes one line of at most n characters.
func cut(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if utf8.RuneCountInString(s) > n {
		s = string([]rune(s)[:n])
	}
	return s
}

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// redact makes the local parts of our users' addresses unreadable: the same address
// always becomes the same word, which only we could make again (RFC 6590 3). An address
// inside of another, as in bounce+kim=ours.example@list.example, is one too.
func (r *Reporter) redact(b []byte) []byte {
	var out []byte
	at := 0
	for i := 0; i < len(b); i++ {
		if b[i] != '@' && b[i] != '=' {
			continue
		}
		end := i + 1
		for end < len(b) && domainByte(b[end]) {
			end++
		}
		domain := header.Lower(strings.TrimRight(string(b[i+1:end]), "."))
		if domain == "" || len(domain) > 253 || !r.cfg.Local(domain) {
			continue
		}
		start := i
		for start > at && localByte(b[start-1]) {
			start--
		}
		if start == i {
			if i == at || b[i-1] != '"' { // a quoted local part
				continue
			}
			for start--; start > at && b[start-1] != '"' && b[start-1] != '\n'; {
				start--
			}
			if start > at && b[start-1] == '"' {
				start--
			}
		}
		word := letters.EncodeToString(r.sum("redacted", header.Lower(string(b[start:i]))+"@"+domain)[:10])
		out = append(append(out, b[at:start]...), word...)
		at = i
	}
	return append(out, b[at:]...)
}

func domainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c >= 0x80
}

func localByte(c byte) bool {
	return domainByte(c) || c != '=' && strings.IndexByte("!#$%&'*+/?^_`{|}~", c) >= 0
}
