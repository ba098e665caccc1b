package identity

import (
	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message/header"
	"sluice/reason"
)

// newReplyTo looks at where an answer goes. Fraud writes under any name and
// needs an answer at a mailbox of its own, mostly a free one.
func newReplyTo() check.Checker {
	return check.Func(check.Info{
		Name: "identity/reply-to", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.ReplyToFreeMail, reason.ReplyToOtherMailbox, reason.ReplyToDiffers},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		f := h.Field("Reply-To")
		author, ok := from(in.Message)
		if f == nil || !ok || list(h) {
			return nil
		}
		answers := in.Message.Addresses("Reply-To")
		if len(answers) == 0 || answers[0].Domain == "" {
			return nil
		}
		for _, a := range answers {
			if header.EqualFold(a.Local, author.Local) || org(a.Domain) == org(author.Domain) && !domains.FreeMail(a.Domain) {
				return nil // the same person elsewhere, or the same house
			}
		}
		a := answers[0]
		id := sluice.Reason(reason.ReplyToDiffers)
		switch {
		case domains.FreeMail(a.Domain) && domains.FreeMail(author.Domain):
			id = reason.ReplyToOtherMailbox
		case domains.FreeMail(a.Domain):
			id = reason.ReplyToFreeMail
		}
		return []sluice.Evidence{at(id, "from "+check.Quote(author.String())+", answers to "+check.Quote(a.String()), f)}
	})
}

// newSelf looks for mail from outside that claims to be from its own recipient.
// Mail on disk is left out: people keep what they wrote to themselves.
func newSelf() check.Checker {
	return check.Func(check.Info{
		Name: "identity/self", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.FromIsRecipient},
	}, func(in *check.Input) []sluice.Evidence {
		author, ok := from(in.Message)
		if !ok || in.Envelope == nil || in.Conn == nil || in.Conn.Auth != "" || in.Conn.Trusted || in.Conn.Stored {
			return nil
		}
		for _, r := range in.Envelope.Rcpts {
			if sluice.DomainOf(r.Address) == author.Domain && header.EqualFold(sluice.LocalOf(r.Address), author.Local) {
				return []sluice.Evidence{at(reason.FromIsRecipient, check.Quote(author.String()), in.Message.Header().Field("From"))}
			}
		}
		return nil
	})
}
