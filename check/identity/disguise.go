package identity

import (
	"unicode"

	"sluice"
	"sluice/check"
	"sluice/internal/disguise"
	"sluice/reason"
)

// newDisguise looks for disguised writing in what the inbox shows: subject and
// sender's name.
func newDisguise() check.Checker {
	return check.Func(check.Info{
		Name: "identity/disguise", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.HeaderInvisible, reason.HeaderMixedScript, reason.HeaderStyled, reason.HeaderDirection},
	}, func(in *check.Input) []sluice.Evidence {
		var out []sluice.Evidence
		h := in.Message.Header()
		for _, t := range []struct{ field, text string }{{"Subject", in.Message.View().Subject}, {"From", h.Decoded("From")}} {
			m := disguise.Scan(t.text)
			if !m.Any() {
				continue
			}
			for _, f := range []struct {
				found bool
				id    sluice.Reason
			}{
				{m.Invisible > 0 || m.Tags > 0, reason.HeaderInvisible},
				{m.Mixed > 0, reason.HeaderMixedScript},
				{m.Styled >= 3, reason.HeaderStyled},
				{m.Bidi > 0 && !rightToLeft(t.text), reason.HeaderDirection},
			} {
				if f.found && !has(out, f.id) {
					out = append(out, at(f.id, t.field+" "+check.Quote(t.text), h.Field(t.field)))
				}
			}
		}
		return out
	})
}

func has(list []sluice.Evidence, id sluice.Reason) bool {
	for i := range list {
		if list[i].Reason == id {
			return true
		}
	}
	return false
}

// rightToLeft says whether s holds letters of a script that runs so; there the
// controls of direction have work to do.
func rightToLeft(s string) bool {
	for _, r := range s {
		if r >= 0x590 && unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana) {
			return true
		}
	}
	return false
}
