package structure

import (
	"strings"
	"unicode"

	"sluice"
	"sluice/check"
	"sluice/message/header"
	"sluice/reason"
)

// newSubject looks at the Subject field.
func newSubject() check.Checker {
	return check.Func(check.Info{
		Name: "structure/subject", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.SubjectFakeReply, reason.SubjectShouts, reason.SubjectPadded},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		f := h.Field("Subject")
		if f == nil {
			return nil
		}
		s := strings.TrimSpace(in.Message.View().Subject)
		var out []sluice.Evidence
		if replyPrefix(s) && !sparse(in) && fakeReply(h) {
			out = append(out, at(reason.SubjectFakeReply, check.Quote(s), f))
		}
		if shouts(s) {
			out = append(out, at(reason.SubjectShouts, check.Quote(s), f))
		}
		if i := strings.Index(f.Value, "          "); i > 0 && len(f.Value) > i+10 && strings.TrimSpace(f.Value[i:]) != "" {
			// Words far to the right: a tag for the sender's statistics.
			out = append(out, at(reason.SubjectPadded, check.Quote(s), f))
		}
		return out
	})
}

func replyPrefix(s string) bool {
	for _, p := range []string{"re:", "aw:", "sv:", "antw:", "rif:"} {
		if len(s) >= len(p) && header.EqualFold(s[:len(p)], p) {
			return true
		}
	}
	return false
}

// fakeReply says whether a modern mail program would have left a trace of the
// message that this one answers. List software drops References.
func fakeReply(h *header.Header) bool {
	for _, name := range []string{"References", "In-Reply-To", "Thread-Index", "List-Id", "X-Mailing-List", "List-Post", "X-BeenThere", "Mailing-List", "X-Original-Message-ID"} {
		if h.Field(name) != nil {
			return false
		}
	}
	return true
}

// shouts says whether a subject of some length is all upper case and pressing.
func shouts(s string) bool {
	upper, lower := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			upper++
		case unicode.IsLower(r):
			lower++
		}
	}
	return upper >= 12 && lower == 0 && strings.Contains(s, " ")
}
