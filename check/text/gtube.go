package text

import (
	"bytes"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/reason"
)

// gtube is the Generic Test for Unsolicited Bulk Email (SpamAssassin). It is put
// together here, so that this program isn't taken for one.
var gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-" + "TEST-EMAIL*C.34X"

// newGTUBE looks for the test string in the message as it arrived and in its
// decoded text.
func newGTUBE() check.Checker {
	raw := []byte(gtube)
	return check.Func(check.Info{
		Name: "text/gtube", Phase: sluice.PhaseMessage, Group: sluice.GroupText, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.GTUBE},
	}, func(in *check.Input) []sluice.Evidence {
		m := in.Message
		if i := bytes.Index(m.Raw, raw); i >= 0 {
			return []sluice.Evidence{check.FoundAt(reason.GTUBE, "in the message as it arrived", message.Range{Off: i, Len: len(raw)}, 0)}
		}
		if v := m.View(); strings.Contains(v.Text, gtube) || strings.Contains(v.Plain, gtube) || strings.Contains(v.Subject, gtube) {
			return []sluice.Evidence{check.Found(reason.GTUBE, "in the decoded text")}
		}
		return nil
	})
}
