package gate

import (
	"fmt"
	"runtime/debug"
	"time"

	"sluice"
	"sluice/mailauth/author"
	"sluice/message"
)

// sign puts signatures of the author's domain below our trace fields and on top
// of the message as it leaves, where the route wants that and the message is our
// own: it came from a trusted relay or an account. A stranger's mail that only
// claims to be from us must never leave with our word for it. Mail that can't be
// signed goes out unsigned: a lost message is worse.
func (g *Gate) sign(set *Settings, rt *Route, conn *sluice.Conn, m *message.Message, d *sluice.Delivery, now time.Time) {
	if rt == nil || !rt.Sign || set.Sign == nil || !conn.Trusted && conn.Auth == "" {
		return
	}
	from := author.Of(m)
	domain, ok := from.AuthorDomain()
	if !ok {
		g.cfg.Logger.Warn("not signed: readers could differ on who the message is from", "id", d.ID)
		return
	}
	fields, err := safely(set.Sign, d.Body, domain, now)
	if err != nil {
		g.cfg.Logger.Warn("a message goes out without a DKIM signature", "id", d.ID, "domain", domain, "error", err)
		return
	}
	d.Header = append(d.Header, fields...)
}

// safely keeps a panic while signing from costing the message.
func safely(sign func([]byte, string, time.Time) ([]byte, error), raw []byte, domain string, now time.Time) (fields []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			fields, err = nil, fmt.Errorf("gate: signing panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return sign(raw, domain, now)
}
