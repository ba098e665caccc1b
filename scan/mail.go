package scan

import (
	"bytes"
	"strings"
)

// Mail is one stored message in the form in which SMTP carries it.
type Mail struct {
	Raw      []byte // lines end in CRLF as far as the file's own line ends go; bare CRs stay
	FromLine string // what stood behind "From " in a first mbox line, "" for none
	Unix     bool   // the file's lines ended in LF
}

// NewMail prepares the bytes of a file. A first line that begins with "From " is
// the mailbox's, not the message's, and is taken off. A file whose first line
// ends in a bare LF was written with Unix line ends: there every bare LF becomes
// CRLF. In other files bare LFs stay, for there they are the sender's.
func NewMail(b []byte) *Mail {
	m := &Mail{Raw: b}
	if bytes.HasPrefix(b, []byte("From ")) {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		m.Raw = rest
		m.FromLine = strings.TrimSpace(string(line[len("From "):min(len(line), 1000)]))
		b = line
		if len(rest) > 0 {
			b = rest
		}
	}
	if i := bytes.IndexByte(b, '\n'); i == 0 || i > 0 && b[i-1] != '\r' {
		m.Unix = true
		m.Raw = toCRLF(m.Raw)
	}
	return m
}

// toCRLF puts a CR before every LF that has none.
func toCRLF(b []byte) []byte {
	bare := bytes.Count(b, []byte("\n")) - bytes.Count(b, []byte("\r\n"))
	if bare == 0 {
		return b
	}
	out := make([]byte, 0, len(b)+bare)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return append(out, b...)
		}
		out = append(out, b[:i]...)
		if i == 0 || b[i-1] != '\r' {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		b = b[i+1:]
	}
}
