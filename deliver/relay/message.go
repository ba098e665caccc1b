package relay

import (
	"fmt"
	"strconv"
	"strings"

	"sluice"
	"sluice/smtp"
)

// message is a delivery that has been looked at: what it needs, and that
// nothing in it can break out of its place.
type message struct {
	d        *sluice.Delivery
	rcpts    []sluice.Recipient
	size     int64
	eightBit bool // octets above 127 in the text
	utf8     bool // needs SMTPUTF8
}

// prepare checks the octets that would leave, whatever the doors have checked:
// the next hop may be lax about them.
func prepare(d *sluice.Delivery) (*message, *failure) {
	m := &message{d: d, rcpts: d.Envelope.Rcpts, size: int64(len(d.Header) + len(d.Body))}
	// SMTPUTF8 is what the sender may need, 8-bit octets are what is there: a
	// message that turned out to be ASCII passes anywhere, and 8-bit header
	// octets from a sender who knows no SMTPUTF8 are old mail, not new.
	m.utf8 = d.Envelope.SMTPUTF8 && d.Utf8
	if faults := smtp.CheckText(d.Header, 0); len(faults) > 0 || len(d.Header) > 0 && d.Header[len(d.Header)-1] != '\n' {
		return nil, &failure{reply: ownHeadFail, final: true, err: fmt.Errorf("relay: our own header is broken: %v", faults)}
	}
	if faults := smtp.CheckText(d.Body, 0); len(faults) > 0 {
		return nil, &failure{reply: badText, final: true, err: fmt.Errorf("relay: %s at %d of the message", faults[0].Kind, faults[0].Offset)}
	}
	m.eightBit = d.EightBit || !ascii(d.Header) || !ascii(d.Body)
	if c, err := smtp.ParseMail(mailArg(d.Envelope.From, d.Envelope.Params)); err != nil || len(c.Params) != len(d.Envelope.Params) {
		return nil, &failure{reply: badMail, final: true, err: fmt.Errorf("relay: sender %.300q: %w", d.Envelope.From, orParam(err))}
	}
	m.utf8 = m.utf8 || !ascii(d.Envelope.From)
	for _, rc := range m.rcpts {
		if c, err := smtp.ParseRcpt(rcptArg(rc.Address, rc.Params)); err != nil || len(c.Params) != len(rc.Params) {
			return nil, &failure{reply: badRcpt, final: true, err: fmt.Errorf("relay: recipient %.300q: %w", rc.Address, orParam(err))}
		}
		m.utf8 = m.utf8 || !ascii(rc.Address)
	}
	return m, nil
}

func orParam(err error) error {
	if err == nil {
		return smtp.ErrParam // a parameter that is two, or none
	}
	return err
}

func ascii[T ~string | ~[]byte](b T) bool {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if (b[i]|b[i+1]|b[i+2]|b[i+3]|b[i+4]|b[i+5]|b[i+6]|b[i+7])&0x80 != 0 {
			return false
		}
	}
	for ; i < len(b); i++ {
		if b[i]&0x80 != 0 {
			return false
		}
	}
	return true
}

func mailArg(from string, params []sluice.Param) string {
	return withParams("FROM:<"+from+">", params)
}

func rcptArg(to string, params []sluice.Param) string { return withParams("TO:<"+to+">", params) }

func withParams(s string, params []sluice.Param) string {
	var b strings.Builder
	b.WriteString(s)
	for _, p := range params {
		b.WriteByte(' ')
		b.WriteString(p.Key)
		if p.Value != "" {
			b.WriteByte('=')
			b.WriteString(p.Value)
		}
	}
	return b.String()
}

// suits says whether a host with these extensions can take the message.
func (m *message) suits(e *extensions) *failure {
	reply := sluice.Reply{}
	switch {
	case m.utf8 && !e.SMTPUTF8:
		reply = noSMTPUTF8 // RFC 6531 3.4
	case m.eightBit && !e.EightBit:
		reply = noEightBit // RFC 6152 3
	case e.Size > 0 && m.size > e.Size:
		reply = tooLarge // RFC 1870 6.1
	default:
		return nil
	}
	return &failure{reply: reply, err: fmt.Errorf("relay: next hop can't take it: %s", reply)}
}

// mail is the MAIL command for a host with these extensions, without CRLF. SIZE
// and BODY are told anew, since our header was added; the rest goes as it came.
func (m *message) mail(e *extensions) string {
	var params []sluice.Param
	if e.size {
		params = append(params, sluice.Param{Key: "SIZE", Value: strconv.FormatInt(m.size, 10)})
	}
	if e.EightBit && (m.eightBit || smtp.EqualFold(m.d.Envelope.Body, "8BITMIME")) {
		params = append(params, sluice.Param{Key: "BODY", Value: "8BITMIME"})
	}
	if e.SMTPUTF8 && (m.utf8 || m.d.Envelope.SMTPUTF8) {
		params = append(params, sluice.Param{Key: "SMTPUTF8"})
	}
	return "MAIL " + mailArg(m.d.Envelope.From, e.pass(params, m.d.Envelope.Params, "RET", "ENVID"))
}

// rcpt is the RCPT command.
func (m *message) rcpt(i int, e *extensions) string {
	return "RCPT " + rcptArg(m.rcpts[i].Address, e.pass(nil, m.rcpts[i].Params, "NOTIFY", "ORCPT"))
}

// pass appends the parameters of DSN (RFC 3461 4) where the host knows them.
// Any other parameter belongs to an extension that we never offer.
func (e *extensions) pass(to, from []sluice.Param, keys ...string) []sluice.Param {
	if !e.DSN {
		return to
	}
	for _, p := range from {
		for _, k := range keys {
			if smtp.EqualFold(p.Key, k) {
				to = append(to, p)
			}
		}
	}
	return to
}
