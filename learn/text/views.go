package text

// AppendNormal appends s to dst as the learners see it: compatibility forms
// composed (NFKC), lower case, invisible characters dropped, look-alikes of other
// scripts inside Latin words turned back, digits as "0", white space as single
// spaces, letters that stand apart closed up. It appends at most limit octets.
// Its time is linear in s.
func AppendNormal(dst []byte, s string, limit int) []byte {
	start := len(dst)
	dst = appendNormal(dst, s, limit)
	return dst[:start+len(closeLetterspacing(dst[start:]))]
}
