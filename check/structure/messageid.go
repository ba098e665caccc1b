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
		Reasons: []sluice.Reason{reason.MessageIDMissing, reason.MessageIDInvalid, reason.MessageIDHost},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		f := h.Field("Message-ID")
		if f == nil {
			if sparse(h) {
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
			return []sluice.Evidence{at(reason.MessageIDInvalid, quote(id), f)}
		case oddHost(right):
			return []sluice.Evidence{at(reason.MessageIDHost, quote(id), f)}
		}
		return nil
	})
}

// oddHost says whether the right side can't be a host that mails: localhost,
// or a bare address. Single labels are common and say nothing.
func oddHost(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasPrefix(host, "localhost.") || host == "127.0.0.1" || host == "[127.0.0.1]" || strings.Count(host, "@") > 0
}
