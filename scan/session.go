package scan

import (
	"net/netip"
	"strings"
	"time"

	"sluice"
	"sluice/message"
)

// Session is the connection and the envelope that brought the message m, as far as
// o tells: what a live session would have known, for a judge. The connection is
// named id and, like the envelope, dated now. An author stands in for an envelope
// sender that isn't known, which is not the null sender.
func (o *Origin) Session(id string, m *message.Message, now time.Time) (*sluice.Conn, sluice.Envelope) {
	conn := &sluice.Conn{ID: id, Door: sluice.DoorScan, Start: now, Stored: true}
	if o.Client.IsValid() {
		conn.Client = netip.AddrPortFrom(o.Client, 0)
	}
	if o.Hello != "" {
		conn.Hello = sluice.Hello{Verb: "EHLO", Name: o.Hello}
	}
	env := sluice.Envelope{From: o.From, Received: now}
	if !o.HasFrom {
		if a := m.Addresses("From"); len(a) > 0 {
			env.From = a[0].String()
		}
	}
	for _, r := range o.Rcpts {
		if strings.HasPrefix(r, "<") && strings.HasSuffix(r, ">") {
			r = r[1 : len(r)-1]
		}
		env.Rcpts = append(env.Rcpts, sluice.Recipient{Address: r})
	}
	return conn, env
}
