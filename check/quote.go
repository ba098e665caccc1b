package check

import "strconv"

// Quote makes hostile text fit for a detail: in quotes, at most 160 octets of it with
// beginning and end, every control, direction mark and invisible character escaped.
func Quote(s string) string {
	if len(s) > 160 {
		s = s[:80] + "…" + s[len(s)-76:]
	}
	return strconv.QuoteToGraphic(s)
}
