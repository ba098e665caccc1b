package rewrite

import (
	"mime"
	"mime/quotedprintable"
	"strings"

	"sluice/message/header"
)

// Part is a text that stands in a message in place of a part.
type Part struct {
	Root     bool // the message itself is the part: its own header stays, but for Content-*
	Off, End int  // of the part's header and body; of the body alone for the root
	Name     string
	Text     string // UTF-8, lines end in LF
}

// put appends the change. What is written is ASCII, and lines are short.
func (p *Part) put(changes []change, h *header.Header) []change {
	var b strings.Builder
	fields := "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
	if p.Name != "" {
		fields += "Content-Disposition: " + foldParams(mime.FormatMediaType("attachment", map[string]string{"filename": p.Name})) + "\r\n"
	}
	if p.Root {
		at := h.Range.End()
		if n := len(h.Fields); n > 0 {
			at = min(at, h.Fields[n-1].Range.End())
		}
		if h.Field("MIME-Version") == nil {
			fields = "MIME-Version: 1.0\r\n" + fields
		}
		changes = append(changes, change{at, at, fields})
	} else {
		b.WriteString(fields + "\r\n")
	}
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(p.Text, "\n", "\r\n"))) // a Builder takes everything
	_ = w.Close()
	return append(changes, change{p.Off, p.End, b.String()})
}

// foldParams keeps a field under the length of a line, as far as its words allow.
func foldParams(s string) string {
	if s == "" {
		return "attachment"
	}
	return strings.ReplaceAll(s, "; ", ";\r\n ")
}
