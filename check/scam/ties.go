package scam

import (
	"context"

	"sluice"
	"sluice/check"
	"sluice/learn/correspondent"
	"sluice/message/header"
)

// Ties are what is known of the sender. The zero value knows nothing, neither good
// nor bad. Whoever knows better notes them (check.Note) before the check runs.
type Ties struct {
	Stranger bool // there is a memory, and neither side has written to the other
	Namesake bool // bears the name of a correspondent or colleague, under another address
	Known    bool // authenticated, and the two sides have exchanged mail
	Wrote    bool // Known, and our side wrote
	Reply    bool // authenticated, and answers a message of ours
	Inside   bool // authenticated, and of the recipient's own domain
}

// tiesOf asks the memory, and authentication only where the memory knows the address:
// an address that isn't proved makes nobody known.
func tiesOf(ctx context.Context, in *check.Input, t *correspondent.Table) Ties {
	return check.Note(in.Notes, func() Ties {
		var k Ties
		if in.Conn == nil || in.Envelope == nil || in.Conn.Auth != "" || in.Envelope.Outbound {
			return k
		}
		author, clear := in.Message.From()
		if author.Domain == "" {
			return k
		}
		ours := false
		for i, to := range in.Envelope.Rcpts {
			if i == maxRecipients {
				break
			}
			ours = ours || header.EqualFold(sluice.DomainOf(to.Address), author.Domain)
		}
		if ours {
			k.Inside = clear && proved(ctx, in, author)
			return k
		}
		if t == nil {
			return k
		}
		from := correspondent.Mailbox{Name: author.Name, Address: author.String()}
		var best correspondent.Relation
		for i, to := range in.Envelope.Rcpts {
			if i == maxRecipients {
				break
			}
			if rel := t.Known(in.Now, in.Envelope.Tenant, to.Address, from.Address); rel.Decibel() < best.Decibel() {
				best = rel
			}
			k.Namesake = k.Namesake || t.Named(in.Now, in.Envelope.Tenant, to.Address, from) != correspondent.Nobody
		}
		if best.Level == correspondent.Unknown {
			k.Stranger = true
			return k
		}
		k.Namesake = false
		if !clear || !proved(ctx, in, author) {
			return k
		}
		k.Known, k.Wrote = true, best.Wrote
		h := in.Message.Header()
		ids := correspondent.MessageIDs(append(h.Values("References"), h.Values("In-Reply-To")...)...)
		k.Reply = len(ids) > 0 && t.ReplyTo(in.Now, in.Envelope.Tenant, ids, author.String())
		return k
	})
}

// maxRecipients is for how many recipients the memory is asked.
const maxRecipients = 20

// proved says whether the address that people read is that of the one who sent it.
func proved(ctx context.Context, in *check.Input, author header.Address) bool {
	if in.Auth == nil || !in.Auth.InTransaction() {
		return false
	}
	in.Auth.DMARC(ctx, in.Message, in.Now) // and with it SPF and DKIM
	k := in.Auth.Known()
	return k.Aligned() && header.EqualFold(k.DMARC.Domain, author.Domain)
}
