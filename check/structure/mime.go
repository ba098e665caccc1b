package structure

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/message/header"
	"sluice/reason"
)

// severity says which reason a defect leads to. Defects that aren't listed are
// so common in honest mail that they say nothing, or have a check of their own.
var severity = map[string]sluice.Reason{
	// Two readers can see different structures: what one scans, the other
	// doesn't show (MIMEminer, CCS 2024).
	message.DuplicateContentType: reason.MIMEAmbiguous,
	message.DuplicateEncoding:    reason.MIMEAmbiguous,
	message.DuplicateBoundary:    reason.MIMEAmbiguous,
	message.EmptyBoundary:        reason.MIMEAmbiguous,
	message.BoundarySpace:        reason.MIMEAmbiguous,
	message.BoundaryOdd:          reason.MIMEAmbiguous,
	message.BoundaryReused:       reason.MIMEAmbiguous,
	message.BoundaryBareCR:       reason.MIMEAmbiguous,
	message.PreamblePart:         reason.MIMEAmbiguous,
	message.EpiloguePart:         reason.MIMEAmbiguous,
	message.EncodedComposed:      reason.MIMEAmbiguous,
	message.TypeComment:          reason.MIMEAmbiguous,
	message.Base64Padding:        reason.MIMEAmbiguous,
	message.Base64AfterEnd:       reason.MIMEAmbiguous,
	message.HeaderTextBody:       reason.MIMEAmbiguous,
	header.HeaderBlankFold:       reason.MIMEAmbiguous,
	header.BareCRHeader:          reason.MIMEAmbiguous,
	header.NULHeader:             reason.MIMEAmbiguous,

	// Two readers can see different names or types of one file.
	message.DuplicateDisposition: reason.MIMENameAmbiguous,
	header.ParamConflict:         reason.MIMENameAmbiguous,
	header.ParamDuplicate:        reason.MIMENameAmbiguous,
	header.ParamGap:              reason.MIMENameAmbiguous,

	// Breaks the rules in ways that broken programs do too.
	message.HeaderMissing:    reason.MIMEBroken,
	message.HeaderBlankStart: reason.MIMEBroken,
	message.MissingBoundary:  reason.MIMEBroken,
	message.EmptyMultipart:   reason.MIMEBroken,
	message.LongBoundary:     reason.MIMEBroken,
	message.BadContentType:   reason.MIMEBroken,
	message.UnknownEncoding:  reason.MIMEBroken,
	message.OddEncoding:      reason.MIMEBroken,
	message.NULByte:          reason.MIMEBroken,
	header.HeaderJunkLine:    reason.MIMEBroken,
	header.HeaderNameSpace:   reason.MIMEBroken,
	header.ParamOpenQuote:    reason.MIMEBroken,

	// Content that isn't here, or not whole.
	message.PartialMessage: reason.MIMEElsewhere,
	message.ExternalBody:   reason.MIMEElsewhere,

	// More than anybody needs.
	message.TooDeep:         reason.MIMELimit,
	message.TooManyParts:    reason.MIMELimit,
	message.DecodedLimit:    reason.MIMELimit,
	message.HeaderTooLong:   reason.MIMELimit,
	header.TooManyFields:    reason.MIMELimit,
	header.TooManyParams:    reason.MIMELimit,
	header.TooManyAddresses: reason.MIMELimit,
}

// newMIME turns the parser's defects into evidence: one of each reason, with all
// the defects that led to it.
func newMIME() check.Checker {
	ids := []sluice.Reason{reason.MIMEAmbiguous, reason.MIMENameAmbiguous, reason.MIMEElsewhere, reason.MIMELimit, reason.MIMEBroken}
	return check.Func(check.Info{
		Name: "structure/mime", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Cheap, Reasons: ids,
	}, func(in *check.Input) []sluice.Evidence {
		var out []sluice.Evidence
		for _, id := range ids {
			var codes []string
			var first *message.Defect
			for i := range in.Message.Defects {
				d := &in.Message.Defects[i]
				if severity[d.Code] != id || full(codes, d.Code) || id == reason.MIMENameAmbiguous && !aboutName(d) {
					continue
				}
				codes = append(codes, d.Code)
				if first == nil {
					first = d
				}
			}
			if first != nil {
				out = append(out, check.FoundAt(id, strings.Join(codes, ", ")+" "+check.Quote(first.Detail), first.Range, first.Part))
			}
		}
		return out
	})
}

// aboutName says whether a parameter's defect touches the file's name; other
// parameters have defects of their own.
func aboutName(d *message.Defect) bool {
	return d.Code == message.DuplicateDisposition || strings.Contains(header.Lower(d.Detail), "name")
}

// full keeps the list of codes short and without repeats.
func full(codes []string, c string) bool {
	for _, have := range codes {
		if have == c {
			return true
		}
	}
	return len(codes) >= 8
}
