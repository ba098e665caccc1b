package gate

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"sluice"
	"sluice/gate/route"
	"sluice/mailauth/author"
	"sluice/mailauth/authres"
	"sluice/message"
)

// sign puts signatures of the author's domain below our trace fields and on top
// of the message as it leaves, where the route wants that and the message is our
// own: it came from a trusted relay or an account. A stranger's mail that only
// claims to be from us must never leave with our word for it. Mail that can't be
// signed goes out unsigned: a lost message is worse.
func (g *Gate) sign(set *Settings, rt *route.Route, conn *sluice.Conn, m *message.Message, d *sluice.Delivery, now time.Time) {
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

// seal puts an ARC set on a message that we changed, so that those behind us can
// know what held before (RFC 8617 5.1). Mail that can't be sealed goes out
// without: its own signatures are broken either way.
func (s *session) seal(ctx context.Context, j *judged, d *sluice.Delivery, now time.Time) {
	set := s.set
	if set.Seal == nil || s.tx.auth == nil || len(d.Envelope.Rcpts) == 0 {
		return
	}
	results := authres.Format(set.Hostname, s.tx.auth.Results())
	_, results, _ = strings.Cut(results, ";") // the set has the authserv-id itself
	results = strings.Join(strings.Fields(results), " ")
	if results == "none" {
		results = ""
	}
	domain := sluice.DomainOf(d.Envelope.Rcpts[0].Address)
	chain := s.tx.auth.ARC(ctx, j.msg)
	fields, err := safely(func(raw []byte, domain string, now time.Time) ([]byte, error) {
		return set.Seal(raw, domain, results, chain, now)
	}, d.Body, domain, now)
	if err != nil {
		s.gate.cfg.Logger.Warn("a changed message goes out without an ARC seal", "id", d.ID, "domain", domain, "error", err)
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
