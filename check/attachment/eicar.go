package attachment

import (
	"bytes"
	"encoding/base64"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/reason"
)

// eicarFile is the anti-malware test file of EICAR (eicar.org). It is put
// together here, so that no scanner takes this program for the test file.
var eicarFile = []byte(`X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*")

// eicarBase64 is its beginning in base64, for parts that hold base64 without
// saying so. It ends at a multiple of three octets, before any line break.
var eicarBase64 = []byte(base64.StdEncoding.EncodeToString(eicarFile[:54]))

// newEICAR looks for the test file in every part, decoded and as it arrived. It
// proves that the way to a malware verdict works without any scanner.
func newEICAR() check.Checker {
	return check.Func(check.Info{
		Name: "attachment/eicar", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.EICAR},
	}, func(in *check.Input) []sluice.Evidence {
		m := in.Message
		for _, needle := range [][]byte{eicarFile, eicarBase64} {
			if i := bytes.Index(m.Raw, needle); i >= 0 {
				return []sluice.Evidence{check.FoundAt(reason.EICAR, "in the message as it arrived", message.Range{Off: i, Len: len(needle)}, 0)}
			}
		}
		for p := range files(m) {
			if p.Encoding != "7bit" && p.Encoding != "8bit" && bytes.Contains(p.data(), eicarFile) {
				return []sluice.Evidence{p.found(reason.EICAR, "in part "+p.Path+" "+check.Quote(p.Filename), p.Body)}
			}
		}
		return nil
	})
}
