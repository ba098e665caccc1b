package rewrite

import "encoding/base64"

// quotedPrintable encodes text so that decoding gives every octet back (RFC 2045 6.7):
// CRLF is a line end, a lone CR or LF isn't; where the message itself has lines that end
// in LF, that is one. Nothing that it writes can be taken for a
// boundary or for an mbox "From " line.
func quotedPrintable(s string, lf bool) []byte {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(s)+len(s)/16+64)
	col := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\r' && i+1 < len(s) && s[i+1] == '\n' {
			out, col = append(out, '\r', '\n'), 0
			i++
			continue
		}
		if c == '\n' && lf {
			out, col = append(out, '\n'), 0
			continue
		}
		end := i+1 == len(s) || s[i+1] == '\n' || s[i+1] == '\r'
		plain := c > ' ' && c < 0x7f && c != '=' || (c == ' ' || c == '\t') && !end
		if col == 0 && (c == '-' || c == '.' || c == 'F') {
			plain = false
		}
		size := 1
		if !plain {
			size = 3
		}
		if col+size > 75 && !(end && col+size == 76) {
			if lf {
				out = append(out, '=', '\n')
			} else {
				out = append(out, '=', '\r', '\n')
			}
			col = 0
			i-- // again, at the beginning of a line
			continue
		}
		if plain {
			out = append(out, c)
		} else {
			out = append(out, '=', hex[c>>4], hex[c&15])
		}
		col += size
	}
	return out
}

// base64Lines encodes text in lines of 76 (RFC 2045 6.8).
func base64Lines(s, eol string) []byte {
	enc := base64.StdEncoding.EncodeToString([]byte(s))
	out := make([]byte, 0, len(enc)+len(enc)/38+2)
	for len(enc) > 76 {
		out = append(append(out, enc[:76]...), eol...)
		enc = enc[76:]
	}
	return append(append(out, enc...), eol...)
}
