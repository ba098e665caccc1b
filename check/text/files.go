package text

import (
	"fmt"
	"math"

	"sluice"
	"sluice/check"
	learned "sluice/learn/text"
	"sluice/reason"
)

// InFiles states what the shipped model says of the text of attached documents, where
// that is against the message. What a sender attaches never speaks for it: a book would
// outweigh any bad word.
func InFiles(shipped *learned.Model, text string) []sluice.Evidence {
	s := shipped.Score(&learned.Document{Text: text})
	if s.Features < fewest || s.DB < 2 {
		return nil
	}
	e := check.Found(reason.TextInFile, fmt.Sprintf("%+.1f dB of %d features in attached files", s.DB, s.Features))
	e.Raw = math.Round(10*min(s.DB/2, e.Raw)) / 10
	return []sluice.Evidence{e}
}
