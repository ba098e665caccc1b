package identity

import (
	"context"
	"net/mail"
	"slices"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// newProof states what bulk mail fails to prove, and where a message in the
// recipient's own name proves nothing.
func newProof() check.Checker {
	return check.Look(check.Info{
		Name: "identity/proof", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.AuthNothingPasses, reason.BulkUnsigned, reason.FromOursUnproved},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		s := check.SenderOf(ctx, in)
		if s.Author.Domain == "" || s.Traffic == check.List || in.Conn == nil || in.Conn.Trusted || in.Conn.Auth != "" {
			return nil
		}
		var out []sluice.Evidence
		f := in.Message.Header().Field("From")
		signed := in.Message.Header().Field("DKIM-Signature") != nil
		if !s.Aligned && !s.Free && ours(in.Envelope, s.Author.Domain) && (s.Known || !signed && stranger(in, s)) {
			out = append(out, at(reason.FromOursUnproved, check.Quote(s.Author.String()), f))
		}
		if !forMany(s) {
			return out
		}
		switch {
		case s.Known && nothing(ctx, in):
			out = append(out, check.Found(reason.AuthNothingPasses, check.Quote(s.Author.Domain)))
		case !signed && lately(in) && in.Auth.Upstream(in.Message) == nil:
			out = append(out, check.Found(reason.BulkUnsigned, s.Traffic.String()))
		}
		return out
	})
}

// stranger says whether the client is of another organization than the author, and no
// service: where nobody knows what SPF says, it speaks for the author's own hosts.
func stranger(in *check.Input, s *check.Sender) bool {
	return in.Auth.Live() && check.Public(in.Conn.Client.Addr()) && s.Client != s.Org && len(s.Carriers) == 0 && s.Greeting != s.Org
}

// nothing says whether no method passes for anybody though some were tried.
func nothing(ctx context.Context, in *check.Input) bool {
	d := in.Auth.DMARC(ctx, in.Message, in.Now)
	for _, id := range d.Identifiers {
		if id.Result == "pass" {
			return false
		}
	}
	return len(d.Identifiers) > 0
}

// lately says whether a message is of a time when bulk mail had to be signed: stored
// mail tells its own time.
func lately(in *check.Input) bool {
	if in.Conn == nil || !in.Conn.Stored {
		return true
	}
	t, err := mail.ParseDate(in.Message.Header().Get("Date"))
	return err == nil && t.Year() >= 2024
}

// newClient compares who the client is with who speaks.
func newClient() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/client", Phase: sluice.PhaseMessage, Group: sluice.GroupSession, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.ClientOfAuthor, reason.ClientOfService, reason.ClientTwoOwners},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		s := check.SenderOf(ctx, in)
		if s.Author.Domain == "" || !forMany(s) {
			return nil
		}
		var out []sluice.Evidence
		carrier := s.Carrier()
		switch {
		case s.Client != "" && s.Client == s.Org && s.Aligned && !cheap(s):
			out = append(out, check.Found(reason.ClientOfAuthor, check.Quote(s.Client)))
		case carrier != nil && s.Known:
			out = append(out, check.Found(reason.ClientOfService, check.Quote(carrier.Name)+", "+carrier.Kind.String()))
		}
		if carrier == nil && s.Client != "" && s.Greeting != "" && service.Org(s.Client) != service.Org(s.Greeting) && domains.KnownTLD(s.Greeting) {
			out = append(out, check.Found(reason.ClientTwoOwners, "greets as "+check.Quote(s.Greeting)+", is of "+check.Quote(s.Client)))
		}
		return out
	})
}

// newStanding looks at the author's domain itself: well known, or of the kind that is
// registered by the hundred.
func newStanding() check.Checker {
	return check.Look(check.Info{
		Name: "identity/standing", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.DomainWellKnown, reason.FromCheapTLD, reason.DomainOdd, reason.SenderUnknown},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		s := check.SenderOf(ctx, in)
		if s.Author.Domain == "" || s.Traffic == check.List || s.Free {
			return nil
		}
		f := in.Message.Header().Field("From")
		if known := wellKnown(s); known != "" {
			if !s.Aligned || !forMany(s) {
				return nil
			}
			return []sluice.Evidence{at(reason.DomainWellKnown, known, f)}
		}
		if !s.Modern || s.Traffic == check.Personal || service.Of(s.Author.Domain) != nil {
			return nil
		}
		var out []sluice.Evidence
		if forMany(s) && s.Known && s.Carrier() == nil && !mailboxed(s) {
			out = append(out, at(reason.SenderUnknown, check.Quote(s.Org), f))
		}
		if !domains.RiskyTLD(s.Author.Domain) && domains.CheapTLD(s.Author.Domain) {
			out = append(out, at(reason.FromCheapTLD, check.Quote(s.Author.Domain), f))
		}
		if why := odd(s.Author.Domain); why != "" {
			out = append(out, at(reason.DomainOdd, check.Quote(s.Org)+": "+why, f))
		}
		return out
	})
}

// cheap says whether the author's domain costs next to nothing: what a sender can set
// up for it speaks for nobody.
func cheap(s *check.Sender) bool {
	return domains.RiskyTLD(s.Author.Domain) || domains.CheapTLD(s.Author.Domain) || odd(s.Author.Domain) != ""
}

// mailboxed says whether a mailbox provider carries the message: firms' own domains
// are there, and nobody knows them.
func mailboxed(s *check.Sender) bool {
	return slices.ContainsFunc(s.Carriers, func(c *service.Service) bool { return c.Kind == service.Mailbox })
}

// wellKnown names the brand whose domain the author's is, "" for none. What anybody
// may have a platform write to strangers isn't the platform's word.
func wellKnown(s *check.Sender) string {
	if c := service.Of(s.Author.Domain); c != nil && (c.Kind.Open() || !c.Kind.Sends()) {
		return ""
	}
	if of := brand.Shipped().Of(header.Lower(s.Author.Domain)); len(of) > 0 {
		return check.Quote(of[0].String()) + " at " + check.Quote(s.Author.Domain)
	}
	return ""
}

// newLeave looks where a mailing can be left: at a service that carries it, or at a
// well-known author. Anybody has a page of his own to leave at; it speaks for the
// message where it is a known one's, who has to keep it.
func newLeave() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/leave", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.LeaveOneClick, reason.LeaveOwn},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		f := h.Field("List-Unsubscribe")
		s := check.SenderOf(ctx, in)
		if f == nil || !s.Known || s.Free || s.Traffic != check.Campaign {
			return nil
		}
		for _, host := range leaveHosts(header.DecodeWords(f.Value)) {
			if !answers(s, host) {
				continue
			}
			id := sluice.Reason(reason.LeaveOwn)
			if header.EqualFold(strings.TrimSpace(h.Get("List-Unsubscribe-Post")), "List-Unsubscribe=One-Click") {
				id = reason.LeaveOneClick
			}
			return []sluice.Evidence{at(id, check.Quote(host), f)}
		}
		return nil
	})
}

// answers says whether a host is of a known one who is proved to send: a service that
// carries the message; a well-known author; an author or signer that a known service
// sends for.
func answers(s *check.Sender, host string) bool {
	if at := service.Of(host); at != nil && at.Kind.Sends() && slices.Contains(s.Carriers, at) {
		return true
	}
	o := org(host)
	own := s.Aligned && o == s.Org || slices.Contains(s.Signers, o)
	return own && (s.Carrier() != nil || wellKnown(s) != "")
}

// maxLeave bounds how many ways to leave are read.
const maxLeave = 4

// leaveHosts lists the hosts of a List-Unsubscribe field (RFC 2369 2).
func leaveHosts(value string) []string {
	var out []string
	for len(out) < maxLeave {
		_, rest, ok := strings.Cut(value, "<")
		if !ok {
			break
		}
		uri, rest, ok := strings.Cut(rest, ">")
		if !ok {
			break
		}
		value = rest
		if h := links.Parse(strings.TrimSpace(uri)).Host; h != "" {
			out = append(out, h)
		}
	}
	return out
}
