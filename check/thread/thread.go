// Package thread holds the checks that ask whether a message belongs to the
// conversation that it claims to continue, and tells the memory (learn/thread) what
// was sent and accepted.
//
// Only an authenticated author is in a conversation for its good. Against a message
// speaks what a known correspondent wouldn't be held to: people hand conversations
// over, write from a second address, and answer what was forwarded to them. So nothing
// is said of correspondents, of mailing lists, of programs' notices, and of messages
// that are copied to a participant, who would see the fraud.
package thread

import (
	"context"
	"fmt"

	"sluice"
	"sluice/check"
	"sluice/learn/correspondent"
	"sluice/learn/thread"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/quote"
	"sluice/reason"
)

// Config is what the checks ask.
type Config struct {
	Threads *thread.Table // needed; without it there are no checks
	// Correspondents knows whom our users know; nil: the author of no message is known,
	// and none a stranger either.
	Correspondents *correspondent.Table
	// Asks says whether a message asks its reader for something that frauds ask for; nil:
	// nobody says so.
	Asks func(ctx context.Context, in *check.Input) bool
}

// Checks returns the checks of this folder; none without a memory.
func Checks(c Config) []check.Checker {
	if c.Threads == nil {
		return nil
	}
	return []check.Checker{&belongs{c}}
}

// leastPrints is how many runs of words are taken text; one may be a phrase that
// everybody uses.
const leastPrints = 3

type belongs struct{ Config }

// Info returns the declaration.
func (b *belongs) Info() check.Info {
	return check.Info{
		Name: "thread/belongs", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Heavy,
		Reasons: []sluice.Reason{reason.ThreadKnown, reason.ThreadStranger, reason.ThreadNamesake, reason.ThreadFaked, reason.ThreadFakedAsk, reason.ThreadTextTaken},
	}
}

// Check asks the memory.
func (b *belongs) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if in.Message == nil || !judged(in) {
		return nil, nil
	}
	s := check.SenderOf(ctx, in)
	if s.Author.Domain == "" || s.Traffic == check.List || s.Traffic == check.Campaign {
		return nil, nil
	}
	ask := askOf(in, s.Author)
	place := b.Threads.Place(in.Now, ask)
	if place.In {
		if !s.Aligned || b.answers(in, ask) {
			return nil, nil // who forges a participant is others' business; REPLY_TO_OURS says the rest
		}
		return []sluice.Evidence{b.found(reason.ThreadKnown, "a conversation that "+check.Quote(s.Author.String())+" takes part in")}, nil
	}
	relation := b.closest(in, s.Author.String())
	if s.Aligned && relation != correspondent.Unknown || automatic(in) {
		return nil, nil
	}
	var out []sluice.Evidence
	if place.Known && place.Ours && !place.Beside {
		id, who := sluice.Reason(reason.ThreadStranger), ""
		if place.Namesake {
			id, who = reason.ThreadNamesake, ", and has the name of somebody who is"
		}
		out = append(out, b.found(id, check.Quote(s.Author.String())+" isn't in the conversation that the message refers to"+who))
	}
	_, quoted := split(in.Message)
	if quoted == "" {
		return out, nil
	}
	if taken := b.Threads.Taken(in.Now, ask, quoted); !place.Beside && taken.Ours && taken.Prints >= leastPrints {
		out = append(out, b.found(reason.ThreadTextTaken, fmt.Sprintf("%d runs of quoted words were written by somebody else in a conversation that %s isn't in",
			taken.Prints, check.Quote(s.Author.String()))))
	}
	// Mail of the time before authentication often has no reference fields.
	if e, ok := b.faked(ctx, in, relation); ok && s.Modern && len(out) == 0 {
		out = append(out, e)
	}
	return out, nil
}

func (b *belongs) found(id sluice.Reason, detail string) sluice.Evidence {
	e := check.Found(id, detail)
	e.Phase = sluice.PhaseMessage
	return e
}

// faked is a reply of a stranger that answers nothing.
func (b *belongs) faked(ctx context.Context, in *check.Input, relation correspondent.Level) (e sluice.Evidence, ok bool) {
	h := in.Message.Header()
	if b.Correspondents == nil || relation != correspondent.Unknown || h.Field("In-Reply-To") != nil || h.Field("References") != nil || h.Field("Thread-Index") != nil {
		return e, false // Outlook inside one organization writes Thread-Index alone
	}
	subject := in.Message.View().Subject
	if kind, _ := quote.Subject(subject); kind != quote.Reply {
		return e, false
	}
	id := sluice.Reason(reason.ThreadFaked)
	if b.Asks != nil && b.Asks(ctx, in) {
		id = reason.ThreadFakedAsk
	}
	e = b.found(id, check.Quote(subject))
	if f := h.Field("Subject"); f != nil {
		e.Range = sluice.Range{Off: f.Range.Off, Len: f.Range.Len}
	}
	return e, true
}

// judged says whether a stranger writes to us.
func judged(in *check.Input) bool {
	return in.Conn != nil && in.Envelope != nil && in.Conn.Auth == "" && !in.Envelope.Outbound && len(in.Envelope.Rcpts) > 0
}

// maxRecipients is of how many recipients of a message the memories are asked.
const maxRecipients = 20

func recipients(e *sluice.Envelope) []string {
	list := e.Rcpts[:min(len(e.Rcpts), maxRecipients)]
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = r.Address
	}
	return out
}

func refers(h *header.Header) []string {
	return correspondent.MessageIDs(append(h.Values("In-Reply-To"), h.Values("References")...)...)
}

func askOf(in *check.Input, author header.Address) thread.Ask {
	return thread.Ask{Tenant: in.Envelope.Tenant, Refers: refers(in.Message.Header()), From: mailbox(author),
		Visible: people(in.Message, "To", "Cc"), Recipients: recipients(in.Envelope)}
}

func mailbox(a header.Address) thread.Mailbox {
	return thread.Mailbox{Name: a.Name, Address: a.String()}
}

func people(m *message.Message, fields ...string) (out []thread.Mailbox) {
	for _, f := range fields {
		for _, a := range m.Addresses(f) {
			out = append(out, mailbox(a))
		}
	}
	return out
}

// answers says whether the message answers one that we sent to its author.
func (b *belongs) answers(in *check.Input, a thread.Ask) bool {
	return b.Correspondents != nil && len(a.Refers) > 0 && b.Correspondents.ReplyTo(in.Now, a.Tenant, a.Refers, a.From.Address)
}

// closest is how well a recipient knows the author.
func (b *belongs) closest(in *check.Input, author string) (best correspondent.Level) {
	if b.Correspondents == nil {
		return correspondent.Unknown
	}
	for _, to := range recipients(in.Envelope) {
		best = max(best, b.Correspondents.Known(in.Now, in.Envelope.Tenant, to, author).Level)
	}
	return best
}

// automatic says whether a program answers: bounces and autoresponders refer to our
// messages from addresses of their own.
func automatic(in *check.Input) bool {
	h := in.Message.Header()
	v := header.Lower(h.Get("Auto-Submitted"))
	t := in.Message.Parts[0].Type
	return in.Envelope.From == "" || v != "" && v != "no" || h.Field("X-Autoreply") != nil || h.Field("X-Autorespond") != nil ||
		t == "multipart/report" || t == "message/disposition-notification"
}

// split is the text of a message as its author wrote it, and what it quotes. Where
// there is plain text, its marks are better than what HTML leaves.
func split(m *message.Message) (own, quoted string) {
	v := m.View()
	if own, quoted = quote.Split(v.Text); quoted == "" && v.Plain != "" {
		own, quoted = quote.Split(v.Plain)
	}
	return own, quoted
}

// Outgoing is what the memory learns of a message that was sent for a user of ours; ok
// is false for what isn't from one, or what a program wrote.
func Outgoing(c *sluice.Conn, e *sluice.Envelope, m *message.Message) (out thread.Message, ok bool) {
	if c == nil || e == nil || m == nil || c.Auth == "" && !e.Outbound || e.From == "" {
		return out, false
	}
	if v := header.Lower(m.Header().Get("Auto-Submitted")); v != "" && v != "no" {
		return out, false
	}
	from := header.Address{}
	if author, clear := m.From(); clear && header.EqualFold(author.Domain, sluice.DomainOf(e.From)) {
		from = author
	}
	out = learned(e, m, from)
	out.Ours = true
	if from.Domain == "" {
		out.From = thread.Mailbox{Address: e.From}
	}
	return out, true
}

// Incoming is what the memory learns of a message that was accepted and that nobody
// found fault with; ok is false where the author isn't authenticated.
func Incoming(ctx context.Context, in *check.Input) (out thread.Message, ok bool) {
	if in.Message == nil || !judged(in) || in.Conn.Stored {
		return out, false
	}
	s := check.SenderOf(ctx, in)
	if !s.Aligned || !s.Clear || s.Traffic == check.Campaign || automatic(in) {
		return out, false
	}
	out = learned(in.Envelope, in.Message, s.Author)
	out.Open = s.Traffic == check.List
	return out, true
}

func learned(e *sluice.Envelope, m *message.Message, from header.Address) thread.Message {
	h := m.Header()
	own, _ := split(m)
	out := thread.Message{Tenant: e.Tenant, MessageID: h.Get("Message-ID"), Refers: refers(h), From: mailbox(from),
		People: people(m, "To", "Cc", "Reply-To"), Text: own}
	for _, r := range recipients(e) {
		out.People = append(out.People, thread.Mailbox{Address: r})
	}
	return out
}
