package text

import (
	"fmt"
	"strconv"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/disguise"
	"sluice/reason"
)

// newDisguise looks for writing in the body that reads one way and compares
// another.
func newDisguise() check.Checker {
	return check.Func(check.Info{
		Name: "text/disguise", Phase: sluice.PhaseMessage, Group: sluice.GroupText, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.TextInvisible, reason.TextMixedScript, reason.TextStyled, reason.TextTagCharacters},
	}, func(in *check.Input) []sluice.Evidence {
		s := in.Message.View().Text
		m := disguise.Scan(s)
		if !m.Any() {
			return nil
		}
		sample := " near " + strconv.QuoteToASCII(around(s, m.First))
		var out []sluice.Evidence
		for _, f := range []struct {
			n, least int
			id       sluice.Reason
			what     string
		}{
			// A single one slips in by copying from the web.
			{m.Invisible, 3, reason.TextInvisible, "invisible characters inside words"},
			{m.Mixed, 2, reason.TextMixedScript, "words of two scripts"},
			{m.Styled, 8, reason.TextStyled, "styled letters"},
			{m.Tags, 1, reason.TextTagCharacters, "tag characters"},
		} {
			if f.n >= f.least {
				out = append(out, check.Found(f.id, fmt.Sprintf("%d %s%s", f.n, f.what, sample)))
			}
		}
		return out
	})
}

// around cuts a few words round a place, at character borders.
func around(s string, at int) string {
	return strings.ToValidUTF8(s[max(0, at-16):min(len(s), at+32)], "")
}
