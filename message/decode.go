package message

import (
	"bytes"
	"strings"

	"sluice/message/charset"
)

// body looks at a part whose end is known: what its encoding breaks, and how many
// bytes it may decode to.
func (p *parser) body(part *Part) {
	if part.container() {
		return
	}
	b := p.m.Body(part)
	r := part.Body
	switch part.Encoding {
	case "base64":
		p.checkBase64(part, b)
		part.allow = min(p.decoded, len(b)/4*3+3)
	case "quoted-printable":
		if i := brokenQuoted(b); i >= 0 {
			p.defect(QuotedBroken, span(r.Off+i, min(3, len(b)-i)), part.Index, string(b[i:min(len(b), i+3)]), true)
		}
		part.allow = min(p.decoded, len(b))
	case "x-uuencode":
		part.allow = min(p.decoded, len(b))
	default:
		if part.Encoding == "7bit" {
			if i := firstHigh(b); i >= 0 {
				p.defect(EightBitIn7Bit, span(r.Off+i, 1), part.Index, "", false)
			}
		}
		if isText(part.Type) {
			p.uuencoded(part, b)
		}
		return
	}
	p.spend(part)
}

// spend takes what a part may decode to off what all parts may.
func (p *parser) spend(part *Part) {
	p.decoded -= part.allow
	if p.decoded <= 0 {
		p.limit(DecodedLimit, part.Body, part.Index)
	}
}

// uuencoded makes a ghost part of every uuencoded file in text: some clients show
// it as an attachment, others as text.
func (p *parser) uuencoded(part *Part, b []byte) {
	const most = 16 // files in one part
	pos := 0
	for range most {
		i := uuBegin(b[pos:])
		if i < 0 {
			return
		}
		start := pos + i
		line, _, _ := bytes.Cut(b[start:], []byte("\n"))
		pos = len(b)
		if j := bytes.Index(b[start:], []byte("\nend")); j >= 0 {
			pos = start + j + len("\nend")
		}
		at := span(part.Body.Off+start, pos-start)
		p.defect(UuencodedText, at, part.Index, string(line[:min(len(line), 80)]), true)
		child := p.newPart(part, at.Off)
		if child == nil {
			return
		}
		child.Ghost, child.ended, child.Body = true, true, at
		child.Header.Range = span(at.Off, 0)
		child.Type, child.Encoding, child.Disposition = "application/octet-stream", "x-uuencode", "attachment"
		if f := bytes.SplitN(bytes.TrimSpace(line[:min(len(line), 1000)]), []byte(" "), 3); len(f) == 3 {
			child.Filename = strings.ToValidUTF8(string(f[2]), "\uFFFD")
		}
		child.allow = min(p.decoded, at.Len)
		p.spend(child)
	}
}

// firstHigh is the position of the first 8-bit byte, or -1.
func firstHigh(b []byte) int {
	for i, c := range b {
		if c >= 0x80 {
			return i
		}
	}
	return -1
}

// Classes of bytes inside base64; values below 64 are digits.
const (
	b64Junk  = 0xff
	b64Space = 0xfe
	b64Pad   = 0xfd
)

var b64Class = func() (t [256]byte) {
	for i := range t {
		t[i] = b64Junk
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	for _, c := range " \t\r\n" {
		t[c] = b64Space
	}
	t['='] = b64Pad
	return t
}()

// checkBase64 reports what readers of base64 treat in different ways: some stop
// at padding, some skip junk, some stop at it.
func (p *parser) checkBase64(part *Part, b []byte) {
	off := part.Body.Off
	digits, pads := 0, 0
	for i, c := range b {
		v := b64Class[c]
		if v < 64 {
			if pads > 0 {
				if digits%4 != 0 && digits%4+pads < 4 {
					p.defect(Base64Padding, span(off+i, 1), part.Index, "", true)
				} else {
					p.defect(Base64AfterEnd, span(off+i, 1), part.Index, "", true)
				}
				digits, pads = 0, 0
			}
			digits++
			continue
		}
		switch {
		case v == b64Pad:
			if pads++; digits%4 == 0 && pads == 1 && digits == 0 {
				p.defect(Base64Padding, span(off+i, 1), part.Index, "", true)
			}
		case v == b64Junk:
			p.defect(Base64Junk, span(off+i, 1), part.Index, "", true)
		}
	}
	switch {
	case pads == 0 && digits%4 != 0:
		p.defect(Base64NoPadding, span(off+len(b), 0), part.Index, "", true)
	case pads > 0 && (digits+pads)%4 != 0:
		p.defect(Base64NoPadding, span(off+len(b), 0), part.Index, "", true)
	}
}

// decodeBase64 decodes as the most tolerant clients do: junk is skipped, padding
// ends a group but not the data. At most most bytes are made.
func decodeBase64(b []byte, most int) []byte {
	out := make([]byte, 0, min(most, len(b)/4*3+3))
	var acc uint32
	n := 0
	for i := 0; i < len(b); i++ {
		// Whole groups of four are the rule.
		for n == 0 && i+4 <= len(b) && len(out)+3 <= most {
			v0, v1, v2, v3 := b64Class[b[i]], b64Class[b[i+1]], b64Class[b[i+2]], b64Class[b[i+3]]
			if v0|v1|v2|v3 >= 64 {
				break
			}
			x := uint32(v0)<<18 | uint32(v1)<<12 | uint32(v2)<<6 | uint32(v3)
			out = append(out, byte(x>>16), byte(x>>8), byte(x))
			i += 4
		}
		if i >= len(b) || len(out) >= most {
			break
		}
		v := b64Class[b[i]]
		switch {
		case v < 64:
			acc = acc<<6 | uint32(v)
			if n++; n == 4 {
				out = append(out, byte(acc>>16), byte(acc>>8), byte(acc))
				acc, n = 0, 0
			}
		case v == b64Pad:
			out = flush64(out, acc, n)
			acc, n = 0, 0
		}
	}
	out = flush64(out, acc, n)
	return out[:min(len(out), most)]
}

// flush64 writes the bytes of an unfinished group.
func flush64(out []byte, acc uint32, n int) []byte {
	switch n {
	case 2:
		return append(out, byte(acc>>4))
	case 3:
		return append(out, byte(acc>>10), byte(acc>>2))
	}
	return out
}

// brokenQuoted finds an "=" that isn't followed by two hex digits or a line end.
func brokenQuoted(b []byte) int {
	for pos := 0; ; {
		i := bytes.IndexByte(b[pos:], '=')
		if i < 0 {
			return -1
		}
		i += pos
		pos = i + 1
		if i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0 {
			pos = i + 3
			continue
		}
		if softBreak(b[i+1:]) == 0 {
			return i
		}
	}
}

// softBreak is the length of the line end behind an "=", with white space before
// it; 0 for none. The end of the body counts.
func softBreak(b []byte) int {
	for i, c := range b {
		switch c {
		case ' ', '\t', '\r':
			if i > 80 {
				return 0
			}
		case '\n':
			return i + 1
		default:
			return 0
		}
	}
	return len(b) + 1
}

// decodeQuoted decodes quoted-printable (RFC 2045 6.7). A broken escape stays as
// it is; white space at the end of a line goes.
func decodeQuoted(b []byte, most int) []byte {
	out := make([]byte, 0, min(most, len(b)))
	for len(b) > 0 && len(out) < most {
		end := bytes.IndexByte(b, '\n')
		line, eol := b, []byte(nil)
		if end >= 0 {
			line, eol = b[:end], b[end:end+1]
			if end > 0 && b[end-1] == '\r' {
				line, eol = b[:end-1], b[end-1:end+1]
			}
			b = b[end+1:]
		} else {
			b = nil
		}
		line = bytes.TrimRight(line, " \t")
		soft := false
		if n := len(line); n > 0 && line[n-1] == '=' {
			line, soft = line[:n-1], true
		}
		for {
			i := bytes.IndexByte(line, '=')
			if i < 0 {
				out = append(out, line...)
				break
			}
			out = append(out, line[:i]...)
			if i+2 < len(line) && unhex(line[i+1]) >= 0 && unhex(line[i+2]) >= 0 {
				out = append(out, byte(unhex(line[i+1])<<4|unhex(line[i+2])))
				line = line[i+3:]
				continue
			}
			out = append(out, '=')
			line = line[i+1:]
		}
		if !soft {
			out = append(out, eol...)
		}
	}
	return out[:min(len(out), most)]
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// uuBegin finds a line "begin 644 name" of uuencoded text, or -1.
func uuBegin(b []byte) int {
	for pos := 0; ; {
		i := bytes.Index(b[pos:], []byte("begin "))
		if i < 0 {
			return -1
		}
		i += pos
		pos = i + 6
		if i > 0 && b[i-1] != '\n' {
			continue
		}
		line := b[i+6:]
		if j := bytes.IndexByte(line, '\n'); j >= 0 {
			line = line[:j]
		}
		n := 0
		for n < len(line) && line[n] >= '0' && line[n] <= '7' {
			n++
		}
		if n >= 3 && n <= 4 && n+1 < len(line) && line[n] == ' ' {
			return i
		}
	}
}

// decodeUU decodes the first uuencoded file in b.
func decodeUU(b []byte, most int) []byte {
	start := max(uuBegin(b), 0)
	b = b[start:]
	out := make([]byte, 0, min(most, len(b)))
	for first := true; len(b) > 0 && len(out) < most; first = false {
		line := b
		if j := bytes.IndexByte(b, '\n'); j >= 0 {
			line, b = b[:j], b[j+1:]
		} else {
			b = nil
		}
		line = bytes.TrimRight(line, "\r")
		if first && bytes.HasPrefix(line, []byte("begin ")) {
			continue
		}
		if bytes.Equal(line, []byte("end")) {
			break
		}
		if len(line) == 0 {
			continue
		}
		n := int(line[0]-' ') & 63
		line = line[1:]
		for n > 0 && len(line) > 0 {
			var g [4]byte
			copy(g[:], line)
			for i := range g {
				g[i] = (g[i] - ' ') & 63
			}
			three := [3]byte{g[0]<<2 | g[1]>>4, g[1]<<4 | g[2]>>2, g[2]<<6 | g[3]}
			out = append(out, three[:min(n, 3)]...)
			n -= 3
			line = line[min(4, len(line)):]
		}
	}
	return out[:min(len(out), most)]
}

// Decoded returns the part's body without its transfer encoding. Nobody may write
// to it: for unencoded parts it is a slice of Raw. All parts together yield at
// most Limits.Decoded bytes beyond Raw; a part cut short has the defect
// DECODED_LIMIT.
func (m *Message) Decoded(p *Part) []byte {
	if identity(p.Encoding) || p.container() {
		return m.Body(p)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.done {
		return p.decoded
	}
	p.done = true
	p.decoded = decodeAs(p.Encoding, m.Body(p), p.allow)
	return p.decoded
}

// decodeAs removes one transfer encoding.
func decodeAs(enc string, b []byte, most int) []byte {
	switch enc {
	case "base64":
		return decodeBase64(b, most)
	case "quoted-printable":
		return decodeQuoted(b, most)
	case "x-uuencode":
		return decodeUU(b, most)
	}
	return b[:min(len(b), most)]
}

// Text returns the part's text as valid UTF-8, by its charset or the fallbacks of
// package charset.
func (m *Message) Text(p *Part) string {
	s, _ := m.text(p, len(m.Raw))
	return s
}

// text is Text of the first most bytes, with the code of the defect met, or "".
func (m *Message) text(p *Part, most int) (string, string) {
	b := m.Decoded(p)
	code := ""
	if len(b) > most {
		b, code = b[:most], TextLimit
	}
	label := p.Charset
	if p.Type == "text/html" {
		if inner := metaCharset(b); inner != "" && (label == "" || label == "us-ascii") {
			label = inner
		}
	}
	switch { // a byte order mark beats the label, as in browsers
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		label = "utf-8"
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		label = "utf-16le"
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		label = "utf-16be"
	}
	s, ok := charset.Decode(label, b)
	if !ok && code == "" && label != "" && charset.Known(label) {
		return s, WrongCharset
	}
	return s, code
}

// metaCharset finds the charset that an HTML document names itself, in the first
// 1024 bytes as browsers do.
func metaCharset(b []byte) string {
	b = bytes.ToLower(b[:min(len(b), 1024)])
	for {
		i := bytes.Index(b, []byte("charset"))
		if i < 0 {
			return ""
		}
		b = bytes.TrimLeft(b[i+7:], " \t\r\n")
		if len(b) == 0 || b[0] != '=' {
			continue
		}
		v := bytes.TrimLeft(b[1:], " \t\r\n\"'")
		n := bytes.IndexAny(v, " \t\r\n\"';>/")
		if n < 0 {
			n = len(v)
		}
		if n > 0 && n <= 40 {
			if label := string(v[:n]); label != "utf-16" && label != "utf-16le" && label != "utf-16be" && charset.Known(label) {
				return label
			}
		}
	}
}
