package text

import (
	"fmt"
	"strconv"
	"strings"

	"sluice"
	"sluice/check"
	learned "sluice/learn/text"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/reason"
)

// Effort is how hard it was to make plain what m shows, worked out once where notes
// are kept.
func Effort(n *check.Notes, m *message.Message) learned.Effort {
	return check.Note(n, func() learned.Effort { return online.Effort(m, Shown(n, m)) })
}

// Shown is the visible text made plain, once where notes are kept.
func Shown(n *check.Notes, m *message.Message) *learned.Shown {
	return check.Note(n, func() *learned.Shown { return learned.Show(m) })
}

// newDisguise looks for writing in the body that reads one way and compares
// another.
func newDisguise() check.Checker {
	return check.Func(check.Info{
		Name: "text/disguise", Phase: sluice.PhaseMessage, Group: sluice.GroupText, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.TextInvisible, reason.TextMixedScript, reason.TextStyled, reason.TextTagCharacters,
			reason.TextSpacedLetters, reason.TextSpelledLetters},
	}, func(in *check.Input) []sluice.Evidence {
		s := in.Message.View().Text
		m, e, sample := Shown(in.Notes, in.Message).Marks(s), Effort(in.Notes, in.Message), ""
		if m.Any() {
			sample = " near " + strconv.QuoteToASCII(around(s, m.First))
		}
		var out []sluice.Evidence
		for _, f := range []struct {
			n, least int
			id       sluice.Reason
			what     string
			sample   string
		}{
			// A single one slips in by copying from the web.
			{m.Invisible, 3, reason.TextInvisible, "invisible characters inside words", sample},
			{m.Mixed, 2, reason.TextMixedScript, "words of two scripts", sample},
			{m.Styled, 8, reason.TextStyled, "styled letters", sample},
			{m.Tags, 1, reason.TextTagCharacters, "tag characters", sample},
			// Headings are set so, one or two in a message.
			{e.Apart, 3, reason.TextSpacedLetters, "words with their letters set apart", ""},
			{e.Spelled, 8, reason.TextSpelledLetters, "plain letters spelled as numbers in words and links", ""},
		} {
			if f.n >= f.least {
				out = append(out, check.Found(f.id, fmt.Sprintf("%d %s%s", f.n, f.what, f.sample)))
			}
		}
		return out
	})
}

// around cuts a few words round a place, at character borders.
func around(s string, at int) string {
	return strings.ToValidUTF8(s[max(0, at-16):min(len(s), at+32)], "")
}
