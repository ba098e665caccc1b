package identity

import (
	"context"
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
		Reasons: []sluice.Reason{reason.AuthNothingPasses, reason.BulkUnsigned, reason.BulkNoLeave, reason.FromOursUnproved},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		s := check.SenderOf(ctx, in) // an author without a domain proves nothing either
		if s.Traffic == check.List || in.Conn == nil || in.Conn.Trusted || in.Conn.Auth != "" {
			return nil
		}
		var out []sluice.Evidence
		f := in.Message.Header().Field("From")
		signed := in.Message.Header().Field("DKIM-Signature") != nil
		if !s.Aligned && !s.Free && ours(in.Envelope, s.Author.Domain) && (s.Known || !signed && stranger(in, s)) {
			out = append(out, at(reason.FromOursUnproved, check.Quote(s.Author.String()), f))
		}
		if !s.Mass() {
			return out
		}
		switch {
		case s.Known && nothing(ctx, in):
			out = append(out, check.Found(reason.AuthNothingPasses, check.Quote(s.Author.Domain)))
		case !signed && s.Clear && follows(in, true) && check.Lately(in, signedSince) && in.Auth.Upstream(in.Message) == nil:
			out = append(out, check.Found(reason.BulkUnsigned, s.Traffic.String()))
		}
		if s.Traffic == check.Campaign && in.Message.View().HasHTML && in.Message.Header().Field("List-Unsubscribe") == nil && check.Lately(in, signedSince) {
			out = append(out, check.Found(reason.BulkNoLeave, ""))
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

// signedSince is the year from which on the large receivers refuse bulk mail without
// a signature and a way to leave.
const signedSince = 2024

// newClient compares who the client is with who speaks.
func newClient() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/client", Phase: sluice.PhaseMessage, Group: sluice.GroupSession, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.ClientOfAuthor, reason.ClientOfService, reason.ClientTwoOwners, reason.ClientGeneric},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		s := check.SenderOf(ctx, in)
		if !s.Mass() {
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
		if s.Generic != "" && carrier == nil && (s.Client != s.Org || !s.Aligned) {
			out = append(out, check.Found(reason.ClientGeneric, check.Quote(s.Generic)))
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
		if known := s.WellKnown(); known != nil {
			if !s.Mass() {
				return nil
			}
			return []sluice.Evidence{at(reason.DomainWellKnown, check.Quote(known.String())+" at "+check.Quote(s.Author.Domain), f)}
		}
		if !s.Modern || s.Traffic == check.Personal || service.Of(s.Author.Domain) != nil || len(brand.Shipped().Of(header.Lower(s.Author.Domain))) > 0 {
			return nil // that a known name isn't proved is for others to say
		}
		var out []sluice.Evidence
		if s.Mass() && s.Known && s.Carrier() == nil && !s.Mailboxed() {
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
	return own && (s.Carrier() != nil || s.WellKnown() != nil)
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
