// Package identity holds the checks of who a message says it is from: the From,
// Sender and Reply-To fields, their display names, and how they fit together.
// Whether any of it is true is for authentication to say; these checks find
// what contradicts itself.
package identity

import (
	"strconv"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// Checks returns the checks of this folder.
func Checks() []check.Checker {
	return []check.Checker{newFrom(), newName(), newReplyTo(), newSelf(), newDomain(), newFit(), newContent(), newProof(), newClient(), newStanding(), newLeave(), newDisguise(),
		newSPF(), newUpstreamSPF(), newSender(), newAuthor(), newDKIM(), newARC(), newDMARC()}
}

// list says whether mailing list software has had the message: it rewrites
// From, Reply-To and Sender for good reasons.
func list(h *header.Header) bool {
	for _, name := range [...]string{"List-Id", "List-Post", "List-Unsubscribe", "X-Mailing-List", "X-BeenThere", "Mailing-List", "List-Help", "Resent-From"} {
		if h.Field(name) != nil {
			return true
		}
	}
	return false
}

// from returns the first author's address, or false.
func from(m *message.Message) (header.Address, bool) {
	list := m.Addresses("From")
	if len(list) == 0 || list[0].Domain == "" {
		return header.Address{}, false
	}
	return list[0], true
}

func org(domain string) string { return links.OrgDomain(domain) }

// at states id about one field.
func at(id sluice.Reason, detail string, f *header.Field) sluice.Evidence {
	if f == nil {
		return check.Found(id, detail)
	}
	return check.FoundAt(id, detail, f.Range, 0)
}

// newFrom looks at the From field itself: RFC 5322 3.6 wants one, with at least
// one mailbox. What readers make of anything else differs, and authentication
// checked on one reading says nothing of another (Chen, Paxson and Jiang,
// USENIX Security 2020).
func newFrom() check.Checker {
	return check.Func(check.Info{
		Name: "identity/from", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Trivial,
		Reasons: []sluice.Reason{
			reason.FromDuplicate, reason.FromAmbiguous, reason.FromMissing, reason.FromInvalid, reason.FromMultiple, reason.FromDomainUnknown,
		},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		f := h.Field("From")
		if f == nil {
			return []sluice.Evidence{check.Found(reason.FromMissing, "no From field")}
		}
		if n := h.Count("From"); n > 1 {
			return []sluice.Evidence{at(reason.FromDuplicate, strconv.Itoa(n)+" From fields", f)}
		}
		mailboxes, defects := header.ParseAddressList(f.Value)
		switch {
		case ambiguous(mailboxes, defects):
			return []sluice.Evidence{at(reason.FromAmbiguous, check.Quote(f.Value), f)}
		case len(mailboxes) == 0, mailboxes[0].Domain == "", mailboxes[0].Local == "":
			return []sluice.Evidence{at(reason.FromInvalid, check.Quote(f.Value), f)}
		case len(mailboxes) > 1 && !list(h):
			return []sluice.Evidence{at(reason.FromMultiple, strconv.Itoa(len(mailboxes))+" authors", f)}
		case !nameable(mailboxes[0].Domain):
			return []sluice.Evidence{at(reason.FromDomainUnknown, check.Quote(mailboxes[0].Domain), f)}
		}
		return nil
	})
}

// ambiguous says whether readers could take another address for the author: two
// in brackets, or one outside its quotes that isn't the one in brackets.
func ambiguous(mailboxes []header.Address, defects []header.Defect) bool {
	for _, d := range defects {
		switch d.Code {
		case header.AddressTwoBrackets, header.AddressRoute:
			return true
		case header.AddressUnquotedAt:
			if len(mailboxes) == 0 {
				return true
			}
			for _, a := range addressesIn(mailboxes[0].Name) {
				if org(a.domain) != org(mailboxes[0].Domain) {
					return true
				}
			}
		}
	}
	return false
}
