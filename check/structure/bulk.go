package structure

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message/header"
	"sluice/reason"
)

// newBulk reads the marks that bulk senders put on their mail. They say what
// kind of mail it is, and keeping them in order speaks for the sender a little:
// anybody can write them, and few spammers do it right.
func newBulk() check.Checker {
	return check.Func(check.Info{
		Name: "structure/bulk", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.BulkOneClick, reason.BulkUnsubscribe, reason.BulkList, reason.BulkPrecedence},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		var out []sluice.Evidence
		if f := h.Field("List-Unsubscribe"); f != nil {
			id := sluice.Reason(reason.BulkUnsubscribe)
			// RFC 8058 3.1: both fields, and an https link.
			if oneClick(h) && strings.Contains(header.Lower(f.Value), "<https:") {
				id = reason.BulkOneClick
			}
			out = append(out, at(id, check.Quote(f.Value), f))
		}
		if f := h.Field("List-Id"); f != nil && listID(f.Value) && (h.Field("List-Post") != nil || h.Field("List-Archive") != nil || h.Field("List-Help") != nil) {
			out = append(out, at(reason.BulkList, check.Quote(f.Value), f))
		}
		if f := h.Field("Precedence"); f != nil && len(out) == 0 {
			switch header.Lower(f.Value) {
			case "bulk", "list", "junk":
				out = append(out, at(reason.BulkPrecedence, check.Quote(f.Value), f))
			}
		}
		return out
	})
}

func oneClick(h *header.Header) bool {
	return header.EqualFold(strings.TrimSpace(h.Get("List-Unsubscribe-Post")), "List-Unsubscribe=One-Click")
}

// listID says whether the value has a name in angle brackets (RFC 2919 2).
func listID(v string) bool {
	i := strings.LastIndexByte(v, '<')
	return i >= 0 && strings.HasSuffix(v, ">") && strings.Contains(v[i:], ".")
}
