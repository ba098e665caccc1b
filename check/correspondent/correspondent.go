// Package correspondent holds the checks that ask whether the two sides know each
// other, and tells the memory (learn/correspondent) what was sent and accepted.
//
// Only an authenticated author is known: the address that people read must be
// aligned with what SPF or DKIM has proved. Unauthenticated mail is never judged
// better for its sender.
package correspondent

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/learn/correspondent"
	"sluice/mailauth"
	"sluice/message"
	"sluice/message/header"
	"sluice/reason"
)

// Checks returns the checks of this folder; none without a memory.
func Checks(t *correspondent.Table) []check.Checker {
	if t == nil {
		return nil
	}
	return []check.Checker{newKnown(t), newName(t)}
}

// maxRecipients is for how many recipients of a message the memory is asked.
const maxRecipients = 20

func recipients(e *sluice.Envelope) []string {
	list := e.Rcpts[:min(len(e.Rcpts), maxRecipients)]
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = r.Address
	}
	return out
}

// judged says whether a stranger writes to us. What own users send goes to others.
func judged(in *check.Input) bool {
	return in.Conn != nil && in.Envelope != nil && in.Conn.Auth == "" && !in.Envelope.Outbound && len(in.Envelope.Rcpts) > 0
}

// newKnown states what speaks for an authenticated author.
func newKnown(t *correspondent.Table) check.Checker {
	return check.Ask(check.Info{
		Name: "correspondent/known", Phase: sluice.PhaseMessage, Group: sluice.GroupReputation, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.CorrespondentKnown, reason.ReplyToOurs},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !judged(in) || !in.Auth.InTransaction() {
			return nil
		}
		author, clear := in.Message.From()
		if !clear {
			return nil
		}
		in.Auth.DMARC(ctx, in.Message, in.Now) // and with it SPF and DKIM
		if !aligned(in.Auth.Known(), author) {
			return nil
		}
		var out []sluice.Evidence
		reply := repliesTo(t, in, author.String())
		if reply {
			out = append(out, check.Found(reason.ReplyToOurs, "answers a message that was sent to "+quote(author.String())))
		}
		if r := closest(t, in, author.String()); r.Level != correspondent.Unknown {
			e := check.Found(reason.CorrespondentKnown, words(r, author))
			e.Raw = math.Round(r.Decibel()*10) / 10
			if reply {
				e.Raw = max(e.Raw, besideReply)
			}
			out = append(out, e)
		}
		return out
	})
}

// besideReply is what an acquaintance adds to a reply. Both rest on one fact, that our
// side wrote, and who steals a mailbox answers the threads in it: together they are
// worth six decibels at most.
const besideReply = -2

// closest is the best relation of a recipient to the author.
func closest(t *correspondent.Table, in *check.Input, author string) (best correspondent.Relation) {
	for _, to := range recipients(in.Envelope) {
		if r := t.Known(in.Now, in.Envelope.Tenant, to, author); r.Decibel() < best.Decibel() {
			best = r
		}
	}
	return best
}

func repliesTo(t *correspondent.Table, in *check.Input, author string) bool {
	h := in.Message.Header()
	ids := correspondent.MessageIDs(append(h.Values("References"), h.Values("In-Reply-To")...)...)
	return len(ids) > 0 && t.ReplyTo(in.Now, in.Envelope.Tenant, ids, author)
}

func words(r correspondent.Relation, author header.Address) string {
	us := [...]string{"", "this domain and that of ", "this domain and ", "the recipient and "}[r.Level] + quote(author.String())
	if r.Wrote {
		return fmt.Sprintf("%s: %d sent from here", us, r.Sent)
	}
	return fmt.Sprintf("%s: mail accepted on %d days", us, r.Days)
}

// aligned says whether the address that people read is the one that was proved.
func aligned(k mailauth.Known, author header.Address) bool {
	return k.Aligned() && header.EqualFold(k.DMARC.Domain, author.Domain)
}

// newName looks for strangers, and for those among them with a name that we know.
func newName(t *correspondent.Table) check.Checker {
	return check.Func(check.Info{
		Name: "correspondent/name", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.NameOfCorrespondent, reason.FirstContact, reason.NamesakeMailbox},
	}, func(in *check.Input) []sluice.Evidence {
		if !judged(in) {
			return nil
		}
		author, _ := in.Message.From()
		if author.Domain == "" {
			return nil
		}
		if closest(t, in, author.String()).Level != correspondent.Unknown {
			return nil // or somebody who forges an address that we know: others look at that
		}
		var out []sluice.Evidence
		from := correspondent.Mailbox{Name: author.Name, Address: author.String()}
		for _, to := range recipients(in.Envelope) {
			who := t.Named(in.Now, in.Envelope.Tenant, to, from)
			if who == correspondent.Nobody {
				continue
			}
			whose := [...]string{"", "somebody the recipient knows", "a colleague"}[who]
			f := in.Message.Header().Field("From")
			out = append(out, check.FoundAt(reason.NameOfCorrespondent, quote(author.Name)+" is the name of "+whose+" with another address than "+quote(author.String()), f.Range, 0))
			out = append(out, mailbox(in, author)...)
			break
		}
		return append(out, check.Found(reason.FirstContact, quote(author.String())))
	})
}

func quote(s string) string {
	return strconv.Quote(strings.ToValidUTF8(header.Clip(s), "�"))
}

// Outgoing is what the memory learns of a message that was sent for a user of ours;
// ok is false for what isn't from one.
func Outgoing(c *sluice.Conn, e *sluice.Envelope, m *message.Message) (out correspondent.Outgoing, ok bool) {
	if c == nil || e == nil || m == nil || c.Auth == "" && !e.Outbound {
		return out, false
	}
	out = correspondent.Outgoing{
		Tenant: e.Tenant, From: correspondent.Mailbox{Address: e.From},
		MessageID: m.Header().Get("Message-ID"), Automatic: automatic(e, m),
	}
	// What a user writes into From is believed within the domain that the envelope
	// was accepted for.
	if author, clear := m.From(); clear && header.EqualFold(author.Domain, sluice.DomainOf(e.From)) {
		out.From = correspondent.Mailbox{Name: author.Name, Address: author.String()}
	}
	names := map[string]string{}
	for _, field := range []string{"To", "Cc"} {
		for _, a := range m.Addresses(field) {
			names[correspondent.Normal(a.String())] = a.Name
		}
	}
	for _, a := range recipients(e) {
		out.To = append(out.To, correspondent.Mailbox{Name: names[correspondent.Normal(a)], Address: a})
	}
	return out, true
}

// automatic says whether a program wrote the message: an answer of a program to a
// stranger makes no acquaintance.
func automatic(e *sluice.Envelope, m *message.Message) bool {
	h := m.Header()
	if e.From == "" {
		return true
	}
	if v := header.Lower(h.Get("Auto-Submitted")); v != "" && v != "no" { // RFC 3834 5
		return true
	}
	switch header.Lower(h.Get("Precedence")) {
	case "bulk", "list", "junk", "auto_reply":
		return true
	}
	for _, f := range []string{"List-Id", "List-Unsubscribe", "X-Autoreply", "X-Autorespond"} {
		if h.Field(f) != nil {
			return true
		}
	}
	t := m.Parts[0].Type
	return t == "multipart/report" || t == "message/disposition-notification"
}

// Incoming is what the memory learns of a message that was accepted and that nobody
// found fault with; ok is false where the author isn't authenticated.
func Incoming(c *sluice.Conn, e *sluice.Envelope, m *message.Message, k mailauth.Known) (in correspondent.Incoming, ok bool) {
	if c == nil || e == nil || m == nil || c.Auth != "" || e.Outbound || c.Stored {
		return in, false
	}
	author, clear := m.From()
	if !clear || !aligned(k, author) {
		return in, false
	}
	return correspondent.Incoming{Tenant: e.Tenant, To: recipients(e), From: correspondent.Mailbox{Name: author.Name, Address: author.String()}}, true
}
