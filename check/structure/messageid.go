package structure

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newMessageID looks at the Message-ID field (RFC 5322 3.6.4).
func newMessageID() check.Checker {
	return check.Func(check.Info{
		Name: "structure/message-id", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.MessageIDMissing, reason.MessageIDInvalid},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		f := h.Field("Message-ID")
		if f == nil {
			if sparse(in) {
				return nil
			}
			return []sluice.Evidence{check.Found(reason.MessageIDMissing, "no Message-ID field")}
		}
		id := strings.TrimSpace(f.Value)
		inner, ok := strings.CutPrefix(id, "<")
		if ok {
			inner, ok = strings.CutSuffix(inner, ">")
		}
		left, right, at2 := strings.Cut(inner, "@")
		switch {
		case !ok || !at2 || left == "" || right == "" || strings.ContainsAny(inner, " \t<>"):
			return []sluice.Evidence{at(reason.MessageIDInvalid, check.Quote(id), f)}
		}
		return nil
	})
}
