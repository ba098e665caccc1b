package notice

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"sluice"
	"sluice/bounce"
)

// Mail is the channel of e-mail.
type Mail struct {
	Outbox   sluice.Outbox
	From     string // the author's address
	Name     string // the author's name, "" for none
	Hostname string // for Message-IDs
	// Sign makes signatures of a domain for what we write; nil fields where it has no key.
	Sign func(raw []byte, domain string, now time.Time) ([]byte, error)
	// Final says whether the next hop that takes mail for an address holds its mailbox,
	// so that its 250 is proof of delivery; nil: none does.
	Final func(addr string) bool
	// Bounces is a domain of ours whose mail comes in here: notices then leave with a
	// reverse-path there, ask for a delivery status notification (RFC 3461), and what
	// comes back is to be given to Returned. "": the null sender.
	Bounces string
	Key     []byte // seals those reverse-paths, at least 16 octets
}

func (m *Mail) check() error {
	if m.Outbox == nil || m.Hostname == "" || m.Bounces != "" && len(m.Key) < 16 {
		return errors.New("notice: mail: the configuration lacks something")
	}
	if a, err := mail.ParseAddress(m.From); err != nil || a.Address != m.From {
		return fmt.Errorf("notice: mail: author %q isn't an address", m.From)
	}
	return nil
}

// mailable says whether an address can stand in our header and envelope.
func mailable(addr string) bool {
	a, err := mail.ParseAddress(addr)
	return err == nil && a.Address == addr && len(addr) <= 254
}

// deliveries begins the ids of ours in the outbox. A gate's ids have no "-".
const deliveries = "notice-"

func (m *Mail) send(ctx context.Context, now time.Time, n *message) error {
	raw, err := m.write(n, now)
	if err != nil {
		return err
	}
	id := deliveries + n.name()
	d := &sluice.Delivery{ID: id, Body: raw, Utf8: !ascii(n.contact.Address),
		Envelope: &sluice.Envelope{ID: id, From: m.returns(n), Body: "7BIT", Outbound: true, Received: now, SMTPUTF8: !ascii(n.contact.Address),
			Rcpts: []sluice.Recipient{{Address: n.contact.Address}}}}
	if d.Envelope.From != "" {
		d.Envelope.Params = []sluice.Param{{Key: "RET", Value: "HDRS"}}
		d.Envelope.Rcpts[0].Params = []sluice.Param{{Key: "NOTIFY", Value: "SUCCESS,FAILURE"}} // RFC 3461 4.1
	}
	if m.Sign != nil {
		if d.Header, err = m.Sign(raw, sluice.DomainOf(m.From), now); err != nil {
			return fmt.Errorf("notice: signing: %w", err)
		}
	}
	if err := m.Outbox.Put(ctx, d); err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	return nil
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// write makes the message: text and HTML, all in ASCII.
func (m *Mail) write(n *message, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	from := mail.Address{Name: m.Name, Address: m.From}
	to := mail.Address{Address: n.contact.Address}
	boundary := "=_" + strings.ReplaceAll(n.name(), ".", "_")
	line("From: %s", from.String())
	line("To: %s", to.String())
	line("Subject: %s", strings.ReplaceAll(mime.QEncoding.Encode("utf-8", n.Subject), "?= =?", "?=\r\n =?"))
	line("Date: %s", now.UTC().Format(time.RFC1123Z))
	line("Message-ID: <notice.%s@%s>", n.name(), m.Hostname)
	line("Auto-Submitted: auto-generated") // RFC 3834 5
	line("Content-Language: %s", n.language)
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/alternative; boundary=\"%s\"", boundary)
	for _, part := range []struct{ kind, text string }{{"plain", n.Text.Text}, {"html", n.HTML}} {
		if part.text == "" {
			continue
		}
		line("")
		line("--%s", boundary)
		line("Content-Type: text/%s; charset=utf-8", part.kind)
		line("Content-Transfer-Encoding: quoted-printable")
		line("")
		w := quotedprintable.NewWriter(&b)
		if _, err := w.Write([]byte(strings.ReplaceAll(part.text, "\n", "\r\n"))); err != nil {
			return nil, fmt.Errorf("notice: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("notice: %w", err)
		}
	}
	line("")
	line("--%s--", boundary)
	return b.Bytes(), nil
}

// letters are those of reverse-paths: systems on the way keep them, whatever they do to
// case.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const sealSize = 10 // octets of a reverse-path's seal

// returns is the reverse-path of a notice: it names the notice, and only we can make it.
func (m *Mail) returns(n *message) string {
	name := n.name()
	local := deliveries + letters.EncodeToString(append(m.seal(name), name...))
	if m.Bounces == "" || len(local) > 64 { // RFC 5321 4.5.3.1.1
		return ""
	}
	return local + "@" + m.Bounces
}

func (m *Mail) seal(name string) []byte {
	h := hmac.New(sha256.New, m.Key)
	h.Write([]byte("notice " + name))
	return h.Sum(nil)[:sealSize]
}

// notice reads the reverse-path of a notice; false where it isn't ours.
func (m *Mail) notice(addr string) (id, try string, ok bool) {
	if m == nil || m.Bounces == "" || !strings.EqualFold(sluice.DomainOf(addr), m.Bounces) {
		return "", "", false
	}
	local, ok := strings.CutPrefix(strings.ToLower(sluice.LocalOf(addr)), deliveries)
	if !ok || strings.ContainsAny(local, "\r\n") { // which the decoder skips
		return "", "", false
	}
	raw, err := letters.DecodeString(local)
	if err != nil || len(raw) <= sealSize || subtle.ConstantTimeCompare(raw[:sealSize], m.seal(string(raw[sealSize:]))) != 1 {
		return "", "", false
	}
	return split(string(raw[sealSize:]))
}

// split takes a notice's name apart.
func split(name string) (id, try string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || i == len(name)-1 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// Takes says whether an address is the reverse-path of a notice.
func (n *Notifier) Takes(addr string) bool {
	if n == nil {
		return false
	}
	_, _, ok := n.cfg.Mail.notice(addr)
	return ok
}

// Returned reads what came back to the reverse-path of a notice. Whoever knows that got
// the notice, or carried it.
func (n *Notifier) Returned(ctx context.Context, now time.Time, addr string, b *bounce.Bounce) {
	id, try, ok := n.cfg.Mail.notice(addr)
	if !ok {
		return
	}
	p := proof{id: id, try: try}
	for _, r := range b.Recipients {
		switch {
		case b.Kind == bounce.Failure && r.Action == "failed":
			p.level, p.detail = sluice.ProofFailed, clip(r.Status+" "+r.Said)
		case b.Kind == bounce.Success && r.Action == "delivered": // RFC 3464 2.3.3
			p.level, p.detail = sluice.ProofDelivered, "delivery status notification"
		case b.Kind == bounce.Success && p.level == "": // relayed to where no proof comes from, or expanded
			p.level, p.detail = sluice.ProofAccepted, "delivery status notification: "+clip(r.Action)
		}
	}
	if p.level == "" && b.Kind == bounce.Failure {
		p.level, p.detail = sluice.ProofFailed, "it came back"
	}
	if p.level != "" {
		n.prove(ctx, now, p)
	}
}

// Route is the outbox's way out, and learns there what became of notices by mail: by
// relay where others know no way to an address; all else is theirs.
func (n *Notifier) Route(others func(context.Context, *sluice.Delivery) []sluice.Outcome, relay sluice.Deliverer, known func(addr string) bool) func(context.Context, *sluice.Delivery) []sluice.Outcome {
	if n == nil || n.cfg.Mail == nil {
		return others
	}
	return func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
		name, ours := strings.CutPrefix(d.ID, deliveries)
		if !ours || len(d.Envelope.Rcpts) != 1 {
			return others(ctx, d)
		}
		var out []sluice.Outcome
		if relay != nil && !known(d.Envelope.Rcpts[0].Address) {
			out = relay.Deliver(ctx, d)
		} else {
			out = others(ctx, d)
		}
		if id, try, ok := split(name); ok && len(out) == 1 {
			n.came(ctx, id, try, out[0])
		}
		return out
	}
}

// came writes down what the next hop said of a notice. What it defers the outbox tries
// again, and meanwhile other contacts may be.
func (n *Notifier) came(ctx context.Context, id, try string, o sluice.Outcome) {
	now, said := n.cfg.Clock(), clip(fmt.Sprint(o.Reply.Code, " ", o.Reply.Enhanced, " ", o.Reply.Text))
	switch {
	case o.Delivered():
		n.prove(ctx, now, proof{id, try, sluice.ProofAccepted, said})
		if n.cfg.Mail.Final != nil && n.cfg.Mail.Final(o.Recipient) {
			n.prove(ctx, now, proof{id, try, sluice.ProofDelivered, ""})
		}
	case o.Reply.Permanent():
		n.prove(ctx, now, proof{id, try, sluice.ProofFailed, said})
	}
}

// Call puts a mail to an admin into the outbox, about a case that needs one. It is sent
// once and nothing is waited for: the console has the case too.
func (n *Notifier) Call(ctx context.Context, now time.Time, to string, c *sluice.Case, why, link string) error {
	if n == nil || n.cfg.Mail == nil {
		return nil
	}
	m := n.cfg.Mail
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	id := "call-" + base64.RawURLEncoding.EncodeToString(append([]byte(c.ID), byte(c.Version)))
	line("From: %s", (&mail.Address{Name: m.Name, Address: m.From}).String())
	line("To: %s", to)
	line("Subject: case %s: %s", c.ID, why)
	line("Date: %s", now.UTC().Format(time.RFC1123Z))
	line("Message-ID: <%s@%s>", id, m.Hostname)
	line("Auto-Submitted: auto-generated")
	line("MIME-Version: 1.0")
	line("Content-Type: text/plain; charset=us-ascii")
	line("")
	line("Case %s of %+q is %s (%s): %s.", c.ID, c.Subject, c.State, c.Kind, why)
	line("Held since %s, %d messages kept, %d notices tried.", c.Held.UTC().Format(time.RFC3339), c.Kept, len(c.Notices))
	if link != "" {
		line("")
		line("%s", link)
	}
	d := &sluice.Delivery{ID: id, Body: b.Bytes(), Envelope: &sluice.Envelope{ID: id, Body: "7BIT", Outbound: true, Received: now, Rcpts: []sluice.Recipient{{Address: to}}}}
	if m.Sign != nil {
		var err error
		if d.Header, err = m.Sign(d.Body, sluice.DomainOf(m.From), now); err != nil {
			return fmt.Errorf("notice: signing: %w", err)
		}
	}
	if err := m.Outbox.Put(ctx, d); err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	return nil
}

// clip bounds what others say.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	return s
}
