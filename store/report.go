package store

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"sluice"
)

// RowKey is the same for rows of a day and domain that count the same kind of
// message.
func RowKey(r *sluice.DMARCRow) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q %q %q %q %q %q",
		r.Policy, r.Source.String(), r.HeaderFrom, r.EnvelopeFrom, r.Disposition, r.DKIM, r.SPF, r.Reasons, r.Signatures, r.SPFDomain, r.SPFResult))
}

// CloneRow returns a row that shares nothing mutable with r.
func CloneRow(r sluice.DMARCRow) sluice.DMARCRow {
	r.Reasons, r.Signatures = slices.Clone(r.Reasons), slices.Clone(r.Signatures)
	return r
}

// CloneReport returns a report that shares nothing mutable with r.
func CloneReport(r *sluice.ReceivedReport) *sluice.ReceivedReport {
	c := *r
	c.Sources = slices.Clone(r.Sources)
	return &c
}

// ReportHaystack is the folded text in which a search for a received report
// looks.
func ReportHaystack(r *sluice.ReceivedReport) string {
	return Haystack(r.ID, r.Sender, r.Detail, []string{r.Org, r.Domain, r.Report, r.Author})
}
