// Package structure holds the checks of how a message is built: its basic header
// fields, its MIME structure, its trace, and the marks of bulk mail.
//
// The fields that other receivers add (Authentication-Results, X-Spam-*,
// X-MS-*, ARC-*) are never read here: anybody can write them.
package structure

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message/header"
	"sluice/reason"
)

// Config says who we are.
type Config struct {
	Names []string // our host names, as they stand in our Received fields
}

// Checks returns the checks of this folder.
func Checks(c Config) []check.Checker {
	return []check.Checker{
		newLoop(), newBasic(), newDate(), newMessageID(), newSubject(), newReceived(c), newMIME(), newActive(), newBulk(),
	}
}

// at states id about one field.
func at(id sluice.Reason, detail string, f *header.Field) sluice.Evidence {
	if f == nil {
		return check.Found(id, detail)
	}
	return check.FoundAt(id, detail, f.Range, 0)
}

// sparse says whether a message on disk shows no trace of transport: exported,
// archived or written by hand. What is missing there says nothing. A live
// client gets no such excuse: its first hop is us.
func sparse(in *check.Input) bool {
	return in.Conn != nil && in.Conn.Stored && in.Message.Header().Field("Received") == nil
}

// newLoop stops mail that runs in circles (RFC 5321 6.3: at least 100 hops).
func newLoop() check.Checker {
	const most = 100
	return check.Func(check.Info{
		Name: "structure/loop", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.MailLoop},
	}, func(in *check.Input) []sluice.Evidence {
		if n := in.Message.Header().Count("Received"); n > most {
			return []sluice.Evidence{check.Found(reason.MailLoop, itoa(n)+" Received fields")}
		}
		return nil
	})
}

// once lists the fields that may stand once at most (RFC 5322 3.6) and mean
// something to readers. In-Reply-To and References are left out: patch mailers
// repeat them.
var once = [...]string{"From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "Subject", "Date"}

// newBasic looks at the fields that every message has, or has once.
func newBasic() check.Checker {
	return check.Func(check.Info{
		Name: "structure/basic", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.ToMissing, reason.ToUndisclosed, reason.FieldDuplicate},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		var out []sluice.Evidence
		for _, name := range once {
			// A second From has a check of its own.
			if name != "From" && h.Count(name) > 1 {
				out = append(out, at(reason.FieldDuplicate, itoa(h.Count(name))+" "+name+" fields", second(h, name)))
				break
			}
		}
		return append(out, recipients(in, h)...)
	})
}

func second(h *header.Header, name string) *header.Field {
	seen := false
	for i := range h.Fields {
		if f := &h.Fields[i]; f.Is(name) {
			if seen {
				return f
			}
			seen = true
		}
	}
	return nil
}

// recipients looks at To and Cc. Lists and mail of the null sender may have
// neither; RFC 5322 3.6 asks for none of them.
func recipients(in *check.Input, h *header.Header) []sluice.Evidence {
	to := h.Field("To")
	if to == nil && h.Field("Cc") == nil {
		if sparse(in) || h.Field("List-Id") != nil || h.Field("Resent-To") != nil || h.Field("Apparently-To") != nil || h.Field("Newsgroups") != nil {
			return nil
		}
		return []sluice.Evidence{check.Found(reason.ToMissing, "neither To nor Cc")}
	}
	if to != nil && h.Field("Cc") == nil && !anybody(in.Message.Addresses("To")) {
		v := strings.ToLower(to.Value)
		if strings.Contains(v, "undisclosed") || strings.Contains(v, "recipient") || v == "" {
			return []sluice.Evidence{at(reason.ToUndisclosed, check.Quote(to.Value), to)}
		}
	}
	return nil
}

func anybody(list []header.Address) bool {
	for i := range list {
		if list[i].Domain != "" {
			return true
		}
	}
	return false
}
